//! The variance over chips: counts of independent cells are binomial, no more and no less.
//!
//! Rates say nothing about it. A linear function spreads its faults evenly over
//! aligned blocks of addresses, so that every chip has nearly the same number
//! of them, and a study's error bars would be too small.

use super::function::{FaultFunction, Point};
use super::sample::around_2_16;
use super::verdict::{TABLE_BOUND, Verdict, Worst};
use brownout_spec::fault::LANES;

/// Chips, with consecutive seeds as a study counts them. The low half of the
/// seed overflows in the middle.
const CHIPS: u64 = 2_000;
const FIRST_SEED: u64 = 0x8D3A_61C5_0000_0000 - CHIPS / 2;
/// Words of a chip, a block of addresses around 2¹⁶.
const WORDS: usize = 256;
const RATES: [f64; 2] = [0.5, 0.05];

/// Squared deviations of a binomial count from its known mean, over many samples.
#[derive(Clone, Copy, Default)]
struct Spread {
    samples: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, count: f64, mean: f64) {
        self.samples += 1.0;
        self.squares += (count - mean).powi(2);
    }

    fn join(&mut self, other: &Self) {
        self.samples += other.samples;
        self.squares += other.squares;
    }

    /// How far the variance lies from p (1-p) `cells`, in standard deviations.
    ///
    /// For m samples of a binomial count with variance s², the sum of squares
    /// over s² has mean m and variance m (2 + k), k the excess kurtosis: m f
    /// times a chi-square of m f degrees of freedom over m f, with f = 2 / (2 + k).
    /// Its cube root is nearly normal (Wilson and Hilferty 1931).
    fn z(&self, cells: usize, p: f64) -> f64 {
        let variance = cells as f64 * p * (1.0 - p);
        let excess = (1.0 - 6.0 * p * (1.0 - p)) / variance;
        let freedom = self.samples * 2.0 / (2.0 + excess);
        let ratio = self.squares / (self.samples * variance);
        let width = 2.0 / (9.0 * freedom);
        (ratio.cbrt() - (1.0 - width)) / width.sqrt()
    }

    fn ratio(&self, cells: usize, p: f64) -> f64 {
        self.squares / (self.samples * cells as f64 * p * (1.0 - p))
    }
}

/// Faulty cells per chip, per lane and per word, over all chips: each lane and
/// each word on its own, and all of them together.
pub fn over_chips(function: &impl FaultFunction) -> [Verdict; 3] {
    let [mut chips, mut lanes, mut words] = [(); 3].map(|()| Worst::default());
    for rate in RATES {
        let point = Point::new(rate);
        let spreads = measure(function, point);
        let p = point.applied;
        let cells = WORDS * LANES;
        chips.take(spreads.chip.z(cells, p), || {
            format!("{rate}: {:.4} of binomial", spreads.chip.ratio(cells, p))
        });
        take_units(&mut lanes, &spreads.lanes, WORDS, point, "lane");
        take_units(&mut words, &spreads.words, LANES, point, "word");
    }
    [
        chips.verdict("variance per chip", TABLE_BOUND),
        lanes.verdict("variance per lane", TABLE_BOUND),
        words.verdict("variance per word", TABLE_BOUND),
    ]
}

/// Takes in each unit of `cells` cells, then all of them as one sample.
fn take_units(worst: &mut Worst, units: &[Spread], cells: usize, point: Point, unit: &str) {
    let mut all = Spread::default();
    for (index, spread) in units.iter().enumerate() {
        all.join(spread);
        worst.take(spread.z(cells, point.applied), || {
            let ratio = spread.ratio(cells, point.applied);
            format!("{}, {unit} {index}: {ratio:.4} of binomial", point.nominal)
        });
    }
    worst.take(all.z(cells, point.applied), || {
        let ratio = all.ratio(cells, point.applied);
        format!("{}, all {unit}s: {ratio:.4} of binomial", point.nominal)
    });
}

struct Spreads {
    chip: Spread,
    lanes: Vec<Spread>,
    words: Vec<Spread>,
}

fn measure(function: &impl FaultFunction, point: Point) -> Spreads {
    let p = point.applied;
    let mean = |cells: usize| cells as f64 * p;
    let mut spreads = Spreads {
        chip: Spread::default(),
        lanes: vec![Spread::default(); LANES],
        words: vec![Spread::default(); WORDS],
    };
    let mut masks = [0; WORDS];
    for seed in FIRST_SEED..FIRST_SEED + CHIPS {
        function.faulty(seed, around_2_16(WORDS), None, point.threshold, &mut masks);
        let mut of_chip = 0;
        for (mask, spread) in masks.iter().zip(&mut spreads.words) {
            of_chip += mask.count_ones();
            spread.add(f64::from(mask.count_ones()), mean(LANES));
        }
        spreads.chip.add(f64::from(of_chip), mean(WORDS * LANES));
        for (lane, spread) in spreads.lanes.iter_mut().enumerate() {
            let of_lane = masks.iter().filter(|&mask| mask >> lane & 1 == 1).count();
            spread.add(of_lane as f64, mean(WORDS));
        }
    }
    spreads
}
