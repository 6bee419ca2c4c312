use super::super::test_network::memory_with;
use super::*;
use crate::quantized::QuantizedNetwork;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::fault::FaultMap;
use brownout_spec::image::WeightBit;
use brownout_spec::quantity::{Lane, WordAddress};
use std::collections::{BTreeMap, BTreeSet};

const PROTECTED: [(CodeName, Policy); 5] = [
    (CodeName::Secded72_64, Policy::Keep),
    (CodeName::Secded72_64, Policy::Zero),
    (CodeName::Inplace64_57, Policy::Keep),
    (CodeName::Inplace64_57, Policy::Zero),
    (CodeName::Inplace64_57, Policy::ZeroConstrained),
];

fn attacked<'a>(network: &'a QuantizedNetwork, memory: &'a StoredMemory) -> AttackedMemory<'a> {
    AttackedMemory::new(network.into(), memory, network.stored()).unwrap()
}

fn cells(word: u32, lanes: &[u8]) -> Vec<CellAddress> {
    let cell = |&lane: &u8| CellAddress {
        word: WordAddress(word),
        lane: Lane(lane),
    };
    lanes.iter().map(cell).collect()
}

/// A fault map that inverts these cells.
fn map_of(cells: &BTreeSet<CellAddress>) -> FaultMap {
    let line = |c: &CellAddress| format!("{} {} flip\n", c.word.0, c.lane.0);
    FaultMap::from_text(&cells.iter().map(line).collect::<String>()).unwrap()
}

#[test]
fn one_inverted_cell_of_a_protected_word_changes_nothing_and_two_are_detected() {
    let network = &trained().1;
    for (code, policy) in PROTECTED {
        let memory = memory_with(network, code, policy);
        let mut attacked = attacked(network, &memory);
        let clean = attacked.values().to_vec();
        for word in [0, 17, 400] {
            for lane in 0..memory.layout().code().n() as u8 {
                let [first, second] = cells(word, &[lane, (lane + 5) % 64])[..] else {
                    unreachable!()
                };
                attacked.flip(first);
                assert_eq!(attacked.outcome(first.word), WordOutcome::Corrected);
                assert!(attacked.values() == clean, "{code}, lane {lane}");
                attacked.flip(second);
                assert_eq!(attacked.outcome(first.word), WordOutcome::Detected);
                attacked.flip(first);
                attacked.flip(second);
                assert_eq!(attacked.outcome(first.word), WordOutcome::Clean);
                assert!(attacked.values() == clean && attacked.inverted() == 0);
            }
        }
    }
    // Without a code nothing is set right.
    let memory = memory_with(network, CodeName::None, Policy::Keep);
    let mut attacked = attacked(network, &memory);
    let clean = attacked.values().to_vec();
    attacked.flip(cells(0, &[7])[0]);
    assert_eq!(attacked.outcome(WordAddress(0)), WordOutcome::Undetected);
    assert!(attacked.values() != clean);
}

#[test]
fn what_is_read_after_any_flips_is_what_the_whole_image_decodes_to() {
    let network = &trained().1;
    for (code, policy) in PROTECTED {
        let memory = memory_with(network, code, policy);
        let mut attacked = attacked(network, &memory);
        let mut inverted = BTreeSet::new();
        for i in 0..200u32 {
            // Words with one to four inverted cells.
            let cell = cells(i * 7 % 90, &[(i * 31 % 64) as u8])[0];
            if inverted.insert(cell) {
                attacked.flip(cell);
            }
        }
        let map = map_of(&inverted);
        let read = memory.read_with_map(&network.stored(), &map).unwrap();
        assert_eq!(*attacked.read(), read.weights, "{code}");
        let grids = &network.quantization.grids;
        assert!(attacked.values() == read.weights.values(grids), "{code}");
        assert_ne!(*attacked.read(), network.stored(), "{code}");
    }
}

#[test]
fn a_word_attack_reaches_every_bit_that_carries_information_with_up_to_three_cells() {
    let network = &trained().1;
    for (code, policy) in PROTECTED {
        let memory = memory_with(network, code, policy);
        let mut attacked = attacked(network, &memory);
        let layer = attacked.layers()[1];
        let gradient: Vec<f32> = (0..network.stored().0[layer].as_ref().unwrap().len())
            .map(|i| (i % 13) as f32 - 6.0)
            .collect();
        let weights = gradient.len();
        let (mut reached, mut sizes) = (0, [0; 4]);
        for number in 0..400 {
            let bit = WeightBit {
                layer: 1,
                index: number * 3 % weights,
                bit: (number % 8) as u8,
            };
            let at = attacked.place(1, bit.index);
            let read = |m: &AttackedMemory<'_>| m.read().0[layer].as_ref().unwrap()[at];
            let before = read(&attacked);
            let constrained = memory.layout().code().is_constrained(at.0 % 8);
            let Some(chosen) = attacked.choose(bit, Goal::Raise, &gradient) else {
                continue;
            };
            chosen.iter().for_each(|&cell| attacked.flip(cell));
            let changed = (read(&attacked) ^ before) >> bit.bit & 1;
            assert_eq!(changed & 1, 1, "{code} {policy:?}: {bit:?}");
            assert!(chosen.iter().all(|c| c.word == chosen[0].word));
            assert_eq!(Some(chosen[0]), attacked.locate(bit));
            chosen.iter().for_each(|&cell| attacked.flip(cell));
            reached += 1;
            sizes[chosen.len()] += 1;
            // A constrained weight's bit 6 repeats its sign: it changes with it alone.
            assert!(!constrained || code != CodeName::Inplace64_57 || before != 127);
        }
        assert_eq!(sizes[1], 0, "{code}: one cell is always set right");
        assert!(reached > 300, "{code} {policy:?}: {reached}");
        match policy {
            // Whatever is detected is read as it is: a second cell does.
            Policy::Keep => assert_eq!(sizes[3], 0, "{code}"),
            // Zero is no inversion of a bit that is zero: three cells, miscorrected.
            _ => assert!(sizes[2] > 0 && sizes[3] > 0, "{code} {policy:?}: {sizes:?}"),
        }
    }
}

#[test]
fn bfa_through_a_decoder_raises_the_loss_and_counts_every_cell() {
    let network = &trained().1;
    let plain = run_bfa(
        &memory_with(network, CodeName::None, Policy::Keep),
        &bfa_options(8),
    );
    for (code, policy) in PROTECTED {
        let memory = memory_with(network, code, policy);
        let attacked = run_bfa(&memory, &bfa_options(8));
        assert!(last_loss(&attacked) > attacked.log.clean_loss, "{code}");
        assert!(last_loss(&attacked) < last_loss(&plain), "{code} protects");
        assert_eq!(attacked.inverted, attacked.log.flips.len() as u64);
        let outcomes = attacked.log.flips.iter().map(|f| f.outcome);
        assert!(outcomes.clone().all(|o| o != WordOutcome::Undetected));
        assert_eq!(outcomes.clone().next(), Some(WordOutcome::Corrected));
        assert!(outcomes.clone().any(|o| o == WordOutcome::Detected));
    }
}

#[test]
fn t_bfa_through_a_decoder_gains_nothing_with_a_single_cell_and_nears_its_target_with_more() {
    let network = &trained().1;
    for (code, policy) in PROTECTED {
        let memory = memory_with(network, code, policy);
        for kind in KINDS {
            let attacked = run_targeted(&memory, &targeted_options(kind, 3, 3));
            let flips = &attacked.log.flips;
            let at = format!("{code} {policy:?}, {kind:?}");
            assert!(last_loss(&attacked) < attacked.log.clean_loss, "{at}");
            // A bit costs cells of its own word, of which the first alone is set right.
            for bit in flips.chunk_by(|a, b| a.iteration == b.iteration) {
                assert!(bit.iter().all(|f| f.cell.word == bit[0].cell.word), "{at}");
            }
            assert_eq!(flips[0].outcome, WordOutcome::Corrected, "{at}");
            assert!((flips[1].iteration, flips[0].loss) == (1, None), "{at}");
            let mut single = self::attacked(network, &memory);
            single.flip(flips[0].cell);
            assert_eq!(*single.read(), network.stored(), "{at}");
            assert_ne!(attacked.weights, network.stored(), "{at}");
        }
    }
}

#[test]
fn what_t_bfa_logs_of_its_words_is_what_the_whole_image_decodes_to() {
    let network = &trained().1;
    for (code, policy) in PROTECTED {
        let memory = memory_with(network, code, policy);
        for kind in KINDS {
            let attacked = run_targeted(&memory, &targeted_options(kind, 3, 3));
            let mut inverted = BTreeSet::new();
            let mut words = BTreeMap::new();
            for flip in &attacked.log.flips {
                if !inverted.insert(flip.cell) {
                    inverted.remove(&flip.cell);
                }
                words.insert(flip.cell.word, flip.outcome);
            }
            let map = map_of(&inverted);
            let read = memory.read_with_map(&network.stored(), &map).unwrap();
            let at = format!("{code} {policy:?}, {kind:?}");
            assert_eq!(attacked.weights, read.weights, "{at}");
            assert_eq!(attacked.inverted, inverted.len() as u64, "{at}");
            let last = |outcomes: &[WordOutcome]| {
                words.values().filter(|o| outcomes.contains(o)).count() as u64
            };
            let corrected = last(&[WordOutcome::Corrected, WordOutcome::Miscorrected]);
            let detected = last(&[WordOutcome::Detected]);
            assert_eq!(
                (corrected, detected),
                (read.counts.corrected, read.counts.detected),
                "{at}"
            );
            assert!(corrected + detected > 0, "{at}");
        }
    }
}

#[test]
fn single_random_flips_of_protected_words_leave_the_loss_as_it_is() {
    let network = &trained().1;
    let run = |code| run_random(&memory_with(network, code, Policy::Keep), 10, 4);
    let protected = run(CodeName::Inplace64_57);
    assert_eq!(last_loss(&protected), protected.log.clean_loss);
    assert_eq!((protected.inverted, protected.weight_bits), (10, 0));
    let plain = run(CodeName::None);
    assert_ne!(last_loss(&plain), plain.log.clean_loss);
    assert_eq!(plain.weight_bits, 10);
}
