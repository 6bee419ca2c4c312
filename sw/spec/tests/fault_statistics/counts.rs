//! How many cells are faulty: rates, and faults per word.

use super::function::{FaultFunction, Point};
use super::sample::blocks;
use super::verdict::{Verdict, Worst};
use brownout_spec::fault::LANES;
use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, Discrete};

/// Words of one chip; each chip has its own seed and first address.
const CHIP: usize = 1 << 16;
const STREAM: u64 = 0xB20_0000;

/// Rates, and how many faults are expected at least.
const RATES: [(f64, f64); 7] = [
    (1e-6, 1_000.0),
    (1e-5, 10_000.0),
    (1e-4, 10_000.0),
    (1e-3, 10_000.0),
    (1e-2, 10_000.0),
    (0.1, 10_000.0),
    (0.5, 10_000.0),
];

/// The words of as many whole chips as give `words`.
fn for_each_word(
    function: &impl FaultFunction,
    point: Point,
    words: usize,
    mut visit: impl FnMut(u128),
) -> usize {
    let chips = words.div_ceil(CHIP);
    let mut masks = vec![0; CHIP];
    for block in blocks(STREAM, CHIP).take(chips) {
        function.faulty(block.seed, block.first, None, point.threshold, &mut masks);
        masks.iter().for_each(|&mask| visit(mask));
    }
    chips * CHIP
}

/// The share of faulty cells is t / 2³², within four standard deviations.
pub fn rates(function: &impl FaultFunction) -> Verdict {
    let mut worst = Worst::default();
    for (rate, expected) in RATES {
        let point = Point::new(rate);
        let p = point.applied;
        let words = (expected / (p * LANES as f64)).ceil() as usize;
        let mut faults = 0_u64;
        let words = for_each_word(function, point, words, |mask| {
            faults += u64::from(mask.count_ones());
        });
        let mean = (words * LANES) as f64 * p;
        let z = (faults as f64 - mean) / (mean * (1.0 - p)).sqrt();
        worst.take(z, || {
            format!("{rate:e}: {faults} faults, {mean:.1} expected")
        });
    }
    worst.verdict("rate", 4.0)
}

/// The number of faulty cells of a word is binomial: chi-square over all counts.
pub fn faults_per_word(function: &impl FaultFunction) -> Verdict {
    const SMALLEST_P: f64 = 1e-4;
    const WORDS: usize = 1 << 20;
    let mut least = (f64::INFINITY, String::new());
    let rates = [1e-3, 0.01, 0.05, 0.5];
    for rate in rates {
        let point = Point::new(rate);
        let mut found = [0.0; LANES + 1];
        let words = for_each_word(function, point, WORDS, |mask| {
            found[mask.count_ones() as usize] += 1.0;
        });
        let binomial = Binomial::new(point.applied, LANES as u64).unwrap();
        let expected: Vec<f64> = (0..=LANES as u64)
            .map(|count| binomial.pmf(count) * words as f64)
            .collect();
        let (chi_square, bins) = chi_square(&found, &expected);
        let p_value = ChiSquared::new((bins - 1) as f64).unwrap().sf(chi_square);
        if p_value < least.0 {
            let place = format!("{rate:e}: chi-square {chi_square:.1} of {bins} bins");
            least = (p_value, place);
        }
    }
    let (p_value, place) = least;
    Verdict::new(
        "faults per word",
        p_value > SMALLEST_P,
        format!(
            "least p of {}: {p_value:.2e} ({place}), bound {SMALLEST_P}",
            rates.len()
        ),
    )
}

/// Pearson's chi-square and the number of bins, neighbouring counts joined
/// until every bin expects at least five.
fn chi_square(found: &[f64], expected: &[f64]) -> (f64, usize) {
    let mut bins: Vec<(f64, f64)> = Vec::new();
    let mut open = (0.0, 0.0);
    for (found, expected) in found.iter().zip(expected) {
        open = (open.0 + found, open.1 + expected);
        if open.1 >= 5.0 {
            bins.push(std::mem::take(&mut open));
        }
    }
    // What is left above the last full bin belongs to it.
    let last = bins.last_mut().expect("the counts expect at least five");
    *last = (last.0 + open.0, last.1 + open.1);
    let sum = bins
        .iter()
        .map(|(found, expected)| (found - expected).powi(2) / expected);
    (sum.sum(), bins.len())
}
