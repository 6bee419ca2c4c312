//! Claims about the fault function that its vectors cannot make.

use super::cipher::States;
use super::*;
use crate::quantity::{BitErrorRate, ChipSeed, Lane, Pass, Threshold, WordAddress};
use proptest::prelude::*;
use std::collections::HashSet;

fn stuck_at(parts: u16) -> FaultMode {
    FaultMode::StuckAt {
        share: OnesShare::new(parts).unwrap(),
    }
}

fn disturbing_mode() -> impl Strategy<Value = FaultMode> {
    prop_oneof![
        Just(FaultMode::Persistent),
        Just(FaultMode::Transient),
        (0_u16..=256).prop_map(stuck_at),
    ]
}

fn threshold() -> impl Strategy<Value = Threshold> {
    // Rates of experiments are powers of ten, so the exponent is drawn evenly.
    prop_oneof![
        (0_u32..32, any::<u32>()).prop_map(|(shift, bits)| Threshold(bits >> shift)),
        (0_u32..32).prop_map(|bit| Threshold(1 << bit)),
        Just(Threshold(u32::MAX)),
    ]
}

prop_compose! {
    fn chip()(seed in any::<u64>(), mode in disturbing_mode(), threshold in threshold()) -> ChipFaults {
        ChipFaults { seed: ChipSeed(seed), mode, threshold }
    }
}

fn address() -> impl Strategy<Value = WordAddress> {
    (0_u32..1 << 20).prop_map(WordAddress)
}

#[test]
fn the_boolean_sequence_is_the_s_box() {
    // Sixteen columns hold the sixteen inputs; undo the round's other layers.
    let mut rows = [[0_u32; 1]; 4];
    for input in 0..16_u32 {
        for (row, lanes) in rows.iter_mut().enumerate() {
            lanes[0] |= (input >> row & 1) << input;
        }
    }
    let mut states = States::new(rows);
    states.step();
    let mut output = states.rows().map(|[row]| row);
    output[0] ^= ROUND_CONSTANTS[0];
    for (row, rotation) in output.iter_mut().zip(ROTATIONS) {
        *row = row.rotate_right(rotation);
    }
    for (input, &expected) in S_BOX.iter().enumerate() {
        let value: u32 = (0..4).map(|row| (output[row] >> input & 1) << row).sum();
        assert_eq!(value, u32::from(expected), "S-box of {input}");
    }
}

#[test]
fn the_taps_of_a_plane_are_independent() {
    // Join the two state bits of each lane; a cycle would make lanes dependent.
    let mut component: Vec<usize> = (0..128).collect();
    for lane in 0..LANES {
        let (a, b) = taps(lane);
        assert_ne!(a.row, b.row, "lane {lane}");
        assert_ne!(a.column, b.column, "lane {lane}");
        let [from, to] = [a, b].map(|bit| component[bit.row * 32 + bit.column]);
        assert_ne!(from, to, "lane {lane} closes a cycle");
        for entry in &mut component {
            if *entry == from {
                *entry = to;
            }
        }
    }
}

#[test]
fn no_lane_of_a_plane_is_correlated_with_lanes_of_the_plane_before() {
    // Two lanes a round apart can only be correlated if the two S-boxes that
    // feed the later lane are in columns which sets of earlier lanes watch alone.
    let mut watched = HashSet::new();
    let pair = |a: usize, b: usize| (a.min(b), a.max(b));
    for first in 0..LANES {
        let (a, b) = taps(first);
        watched.insert(pair(a.column, b.column));
        // Lanes that share a tap cancel it: chains of two and three lanes.
        for second in (0..LANES).filter(|&lane| lane != first) {
            let (c, d) = taps(second);
            for (shared, other) in [(c, d), (d, c)] {
                if shared == b {
                    watched.insert(pair(a.column, other.column));
                    for third in (0..LANES).filter(|&lane| lane != first && lane != second) {
                        let (e, f) = taps(third);
                        for (shared, last) in [(e, f), (f, e)] {
                            if shared == other {
                                watched.insert(pair(a.column, last.column));
                            }
                        }
                    }
                }
            }
        }
    }
    for lane in 0..LANES {
        let (a, b) = taps(lane);
        let [from, to] = [a, b].map(|bit| (bit.column + 32 - ROTATIONS[bit.row] as usize) % 32);
        assert_ne!(from, to, "lane {lane} hangs on one S-box");
        assert!(!watched.contains(&pair(from, to)), "lane {lane}");
    }
}

proptest! {
    #[test]
    fn a_cell_is_faulty_iff_its_number_is_below_the_threshold(
        chip in chip(), address in address(), pass in any::<u32>()
    ) {
        let faulty = chip.faulty(address, Pass(pass), LANES);
        for lane in 0..LANES as u8 {
            let number = chip.draw(address, Pass(pass), Lane(lane));
            prop_assert_eq!(faulty >> lane & 1 == 1, number < chip.threshold.0, "lane {}", lane);
        }
    }

    #[test]
    fn a_cell_is_faulty_from_its_own_number_plus_one_on(
        seed in any::<u64>(), address in address(), lane in 0..LANES as u8
    ) {
        let with = |threshold| ChipFaults {
            seed: ChipSeed(seed),
            mode: FaultMode::Persistent,
            threshold: Threshold(threshold),
        };
        let number = with(0).draw(address, Pass(0), Lane(lane));
        let faulty = |threshold| with(threshold).faulty(address, Pass(0), LANES) >> lane & 1 == 1;
        prop_assert!(!faulty(number));
        prop_assert!(number == u32::MAX || faulty(number + 1));
    }

    #[test]
    fn flips_at_a_lower_threshold_are_a_subset(
        chip in chip(), lower in threshold(), address in address(),
        pass in any::<u32>(), stored in any::<u128>()
    ) {
        let (low, high) = (lower.min(chip.threshold), lower.max(chip.threshold));
        let flips = |threshold| {
            ChipFaults { threshold, ..chip }.flips(address, Pass(pass), stored, LANES)
        };
        prop_assert_eq!(flips(low) & !flips(high), 0);
    }

    #[test]
    fn a_batch_equals_single_words(
        chip in chip(), first in address(), pass in any::<u32>(),
        stored in prop::collection::vec(any::<u128>(), 0..200),
        word_bits in prop::sample::select(vec![0, 1, 32, 33, 64, 72, 128]),
    ) {
        let mut flips = vec![u128::MAX; stored.len()];
        chip.flips_batch(first, Pass(pass), &stored, word_bits, &mut flips);
        for (i, (&stored, flips)) in stored.iter().zip(flips).enumerate() {
            let address = WordAddress(first.0 + i as u32);
            prop_assert_eq!(flips, chip.flips(address, Pass(pass), stored, word_bits));
            prop_assert_eq!(flips >> word_bits.min(LANES), 0);
        }
    }

    #[test]
    fn a_stuck_cell_reads_its_polarity_and_is_silent_where_that_is_stored(
        seed in any::<u64>(), threshold in threshold(), parts in 0_u16..=256,
        address in address(), stored in any::<u128>(), pass in any::<u32>()
    ) {
        let chip = ChipFaults { seed: ChipSeed(seed), mode: stuck_at(parts), threshold };
        let faulty = chip.faulty(address, Pass(pass), LANES);
        let read = stored ^ chip.flips(address, Pass(pass), stored, LANES);
        for lane in 0..LANES as u8 {
            let bit = |word: u128| word >> lane & 1 == 1;
            let one = u16::from(chip.polarity_draw(address, Pass(pass), Lane(lane))) < parts;
            prop_assert_eq!(bit(read), if bit(faulty) { one } else { bit(stored) });
        }
    }

    #[test]
    fn only_transient_faults_know_the_pass(
        seed in any::<u64>(), address in address(), pass in any::<u32>(), other in any::<u32>()
    ) {
        prop_assume!(pass != other);
        for (mode, depends) in [
            (FaultMode::Persistent, false),
            (stuck_at(128), false),
            (FaultMode::Transient, true),
        ] {
            let chip = ChipFaults { seed: ChipSeed(seed), mode, threshold: Threshold(1 << 31) };
            let flips = |pass| chip.flips(address, Pass(pass), 0, LANES);
            prop_assert_eq!(flips(pass) != flips(other), depends, "{}", mode);
        }
    }
}

#[test]
fn no_mode_without_hardware_faults_flips_anything() {
    for mode in [FaultMode::None, FaultMode::Map] {
        let chip = ChipFaults {
            seed: ChipSeed(1),
            mode,
            threshold: Threshold(u32::MAX),
        };
        assert_eq!(chip.flips(WordAddress(0), Pass(0), 5, 64), 0);
        assert_eq!(chip.faulty(WordAddress(0), Pass(0), 64), 0);
        let mut flips = [7; 3];
        chip.flips_batch(WordAddress(0), Pass(0), &[0; 3], 64, &mut flips);
        assert_eq!(flips, [0; 3]);
    }
}

/// Flips of the first words of a chip over a stored pattern.
fn count_flips(chip: ChipFaults, stored: u128, words: usize) -> f64 {
    let stored = vec![stored; words];
    let mut flips = vec![0; words];
    chip.flips_batch(WordAddress(0), Pass(3), &stored, LANES, &mut flips);
    flips.iter().map(|word| f64::from(word.count_ones())).sum()
}

fn assert_within_four_sigma(count: f64, cells: f64, rate: f64, what: &str) {
    let sigma = (cells * rate * (1.0 - rate)).sqrt();
    assert!(
        (count - cells * rate).abs() <= 4.0 * sigma,
        "{what}: {count} instead of {} ± {sigma}",
        cells * rate
    );
}

#[test]
fn rates_lie_within_four_standard_deviations() {
    for (seed, mode) in [(11, FaultMode::Persistent), (12, FaultMode::Transient)] {
        for (rate, words) in [
            (1e-3, 1 << 15),
            (1e-2, 1 << 13),
            (0.1, 1 << 11),
            (0.5, 1 << 11),
        ] {
            let threshold = BitErrorRate::new(rate).unwrap().threshold();
            let chip = ChipFaults {
                seed: ChipSeed(seed),
                mode,
                threshold,
            };
            assert_within_four_sigma(
                count_flips(chip, 0, words),
                (words * LANES) as f64,
                threshold.applied_rate().get(),
                &format!("{mode} at {rate}"),
            );
        }
    }
}

#[test]
fn the_share_of_ones_decides_how_many_stuck_cells_are_silent() {
    let (words, threshold) = (1 << 12, Threshold(1 << 29));
    let cells = (words * LANES) as f64;
    for parts in [0, 1, 64, 128, 256] {
        let chip = ChipFaults {
            seed: ChipSeed(21),
            mode: stuck_at(parts),
            threshold,
        };
        let share = f64::from(parts) / 256.0;
        let rate = threshold.applied_rate().get();
        let what = format!("share {parts}");
        assert_within_four_sigma(count_flips(chip, 0, words), cells, rate * share, &what);
        let inverted = count_flips(chip, u128::MAX, words);
        assert_within_four_sigma(inverted, cells, rate * (1.0 - share), &what);
    }
}
