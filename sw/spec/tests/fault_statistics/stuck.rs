//! Stuck cells: which they are, and what they are stuck at.

use super::controls::in_pairs;
use super::function::{Chips, FaultFunction, Point};
use super::sample::{around_2_16, blocks};
use super::tables::LaneTables;
use super::verdict::{TABLE_BOUND, Verdict, Worst};
use brownout_spec::fault::{ChipFaults, FaultMode, LANES, OnesShare};
use brownout_spec::quantity::{ChipSeed, Pass, Threshold, WordAddress};

/// Chips, and words of each, from address `FIRST` on.
const CHIPS: usize = 16;
const CHIP: usize = 1 << 14;
const FIRST: u32 = around_2_16(CHIP);
const STREAM: u64 = 0xB20_3000;
/// Every cell is faulty, but for one in 2³².
const ALL_CELLS: Threshold = Threshold(u32::MAX);

/// The stuck cells of one word.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Stuck {
    pub at_one: u128,
    pub at_zero: u128,
}

/// Which cells are stuck at what.
pub trait StuckFunction {
    /// Sets `words` to the stuck cells of the words from address [`FIRST`] on.
    fn stuck(&self, seed: u64, threshold: Threshold, share: OnesShare, words: &mut [Stuck]);
}

impl StuckFunction for Chips {
    fn stuck(&self, seed: u64, threshold: Threshold, share: OnesShare, words: &mut [Stuck]) {
        let chip = ChipFaults {
            seed: ChipSeed(seed),
            mode: FaultMode::StuckAt { share },
            threshold,
        };
        let flips = |stored: u128| {
            let mut flips = vec![0; words.len()];
            let stored = vec![stored; words.len()];
            chip.flips_batch(WordAddress(FIRST), Pass(0), &stored, LANES, &mut flips);
            flips
        };
        // What flips over zeros is stuck at one, what flips over ones at zero.
        let (ones, zeros) = (flips(0), flips(u128::MAX));
        for (word, (at_one, at_zero)) in words.iter_mut().zip(ones.into_iter().zip(zeros)) {
            *word = Stuck { at_one, at_zero };
        }
    }
}

/// Polarity and faultiness from one number: the weakest of the faulty cells are
/// stuck at one. The share is right at every voltage.
pub struct OneDraw;

impl StuckFunction for OneDraw {
    fn stuck(&self, seed: u64, threshold: Threshold, share: OnesShare, words: &mut [Stuck]) {
        let part = u64::from(threshold.0) * u64::from(share.get()) / 256;
        let mut faulty = vec![0; words.len()];
        let mut ones = vec![0; words.len()];
        Chips.faulty(seed, FIRST, None, threshold, &mut faulty);
        Chips.faulty(seed, FIRST, None, Threshold(part as u32), &mut ones);
        for (word, (faulty, at_one)) in words.iter_mut().zip(faulty.into_iter().zip(ones)) {
            let at_zero = faulty & !at_one;
            *word = Stuck { at_one, at_zero };
        }
    }
}

/// Half of the cells stuck at one whatever share is asked for, in pairs of lanes.
pub struct PairedHalves;

impl StuckFunction for PairedHalves {
    fn stuck(&self, seed: u64, threshold: Threshold, _share: OnesShare, words: &mut [Stuck]) {
        let mut faulty = vec![0; words.len()];
        Chips.faulty(seed, FIRST, None, threshold, &mut faulty);
        Chips.stuck(seed, ALL_CELLS, OnesShare::HALF, words);
        for (word, faulty) in words.iter_mut().zip(faulty) {
            let ones = in_pairs(word.at_one);
            *word = Stuck {
                at_one: faulty & ones,
                at_zero: faulty & !ones,
            };
        }
    }
}

/// All checks of stuck cells.
pub fn examine(function: &impl StuckFunction) -> Vec<Verdict> {
    let [faultiness, lanes] = dependence(function);
    vec![
        shares(function),
        faultiness,
        lanes,
        same_cells_and_polarities_at_every_voltage(function),
    ]
}

fn for_each_chip(mut visit: impl FnMut(u64)) {
    for block in blocks(STREAM, CHIP).take(CHIPS) {
        visit(block.seed);
    }
}

fn stuck(
    function: &impl StuckFunction,
    seed: u64,
    threshold: Threshold,
    share: OnesShare,
) -> Vec<Stuck> {
    let mut words = vec![Stuck::default(); CHIP];
    function.stuck(seed, threshold, share, &mut words);
    words
}

/// The share of ones among stuck cells is binomial around the one asked for.
fn shares(function: &impl StuckFunction) -> Verdict {
    let mut worst = Worst::default();
    for rate in [0.5, 0.05] {
        for parts in [0, 1, 64, 128, 255, 256] {
            let (mut ones, mut all) = (0, 0);
            for_each_chip(|seed| {
                let share = OnesShare::new(parts).unwrap();
                for word in stuck(function, seed, Point::new(rate).threshold, share) {
                    ones += u64::from(word.at_one.count_ones());
                    all += u64::from((word.at_one | word.at_zero).count_ones());
                }
            });
            let share = f64::from(parts) / 256.0;
            let excess = ones as f64 - all as f64 * share;
            // None or all of them leave no room for chance.
            let sigma = (all as f64 * share * (1.0 - share)).sqrt();
            let z = if excess == 0.0 { 0.0 } else { excess / sigma };
            worst.take(z, || format!("{rate}, {parts}/256: {ones} of {all}"));
        }
    }
    worst.verdict("share of ones", 4.0)
}

/// With every cell faulty its polarity shows: tables of it against faultiness
/// at a rate, and against the polarity of the next lane.
fn dependence(function: &impl StuckFunction) -> [Verdict; 2] {
    let (mut faultiness, mut lanes) = (Worst::default(), Worst::default());
    for rate in [0.5, 0.05] {
        let point = Point::new(rate);
        let mut with_faultiness = LaneTables::new();
        for_each_chip(|seed| {
            let mut faulty = vec![0; CHIP];
            Chips.faulty(seed, FIRST, None, point.threshold, &mut faulty);
            for (word, faulty) in stuck(function, seed, ALL_CELLS, OnesShare::HALF)
                .iter()
                .zip(faulty)
            {
                with_faultiness.add(word.at_one, faulty);
            }
        });
        with_faultiness.judge(&mut faultiness, LANES, &format!("{rate}"));
    }
    let mut with_next = LaneTables::new();
    for_each_chip(|seed| {
        for word in stuck(function, seed, ALL_CELLS, OnesShare::HALF) {
            with_next.add(word.at_one, word.at_one >> 1);
        }
    });
    with_next.judge(&mut lanes, LANES - 1, "half at one");
    [
        faultiness.verdict("polarity and faultiness", TABLE_BOUND),
        lanes.verdict("polarity of lane, lane+1", TABLE_BOUND),
    ]
}

/// The stuck cells are the faulty ones, and a cell keeps its polarity as the voltage falls.
fn same_cells_and_polarities_at_every_voltage(function: &impl StuckFunction) -> Verdict {
    let mut different = 0;
    let rates = [1e-3, 0.05, 0.5];
    for_each_chip(|seed| {
        let all = stuck(function, seed, ALL_CELLS, OnesShare::HALF);
        for rate in rates {
            let threshold = Point::new(rate).threshold;
            let mut faulty = vec![0; CHIP];
            Chips.faulty(seed, FIRST, None, threshold, &mut faulty);
            let words = stuck(function, seed, threshold, OnesShare::HALF);
            for ((word, all), faulty) in words.iter().zip(&all).zip(faulty) {
                let expected = Stuck {
                    at_one: all.at_one & faulty,
                    at_zero: all.at_zero & faulty,
                };
                different += u32::from(*word != expected);
            }
        }
    });
    let words = CHIPS * CHIP * rates.len();
    Verdict::new(
        "polarity over voltage",
        different == 0,
        format!("{different} of {words} words differ"),
    )
}
