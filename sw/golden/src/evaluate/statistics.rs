//! Conclusions from some chips about all: means, spreads, intervals and yields.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::function::beta::inv_beta_reg;

/// Probability with which intervals contain what they are about.
pub const CONFIDENCE: f64 = 0.95;

/// How the interval of a mean is found: by the percentiles of the means of samples that
/// are drawn from the chips with replacement (Efron and Tibshirani, *An Introduction to
/// the Bootstrap*, 1993, chapter 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Samples drawn.
    pub resamples: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            resamples: 10_000,
            seed: 1,
        }
    }
}

/// Two numbers that contain a third with probability [`CONFIDENCE`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower one.
    pub low: f64,
    /// The upper one.
    pub high: f64,
}

/// How a number differs over chips.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Population standard deviation, Σ(x − mean)²/n under the root: what the papers state.
    pub std: f64,
    /// Sample standard deviation, with n − 1; `None` for one chip.
    pub std_sample: Option<f64>,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Where the mean over all chips there could be lies; `None` for one chip.
    pub interval: Option<Interval>,
}

impl Spread {
    /// Of shares, given as counts of the same total; at least one.
    ///
    /// Counts are added exactly, so equal shares have exactly their own as mean, and no
    /// deviation.
    ///
    /// # Panics
    /// If there is no count, or the total is zero.
    pub fn of_shares(counts: &[usize], total: usize, bootstrap: Bootstrap) -> Self {
        assert!(!counts.is_empty() && total > 0, "a spread is of something");
        let values: Vec<f64> = counts.iter().map(|&c| c as f64).collect();
        let (count, total) = (values.len() as f64, total as f64);
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let several = values.len() > 1;
        let interval = several.then(|| bootstrap.interval_of_mean(&values));
        Self {
            mean: mean / total,
            std: (squares / count).sqrt() / total,
            std_sample: several.then(|| (squares / (count - 1.0)).sqrt() / total),
            min: values.iter().copied().fold(f64::INFINITY, f64::min) / total,
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max) / total,
            interval: interval.map(|Interval { low, high }| Interval {
                low: low / total,
                high: high / total,
            }),
        }
    }
}

impl Bootstrap {
    /// The interval of the mean of at least one value.
    ///
    /// # Panics
    /// If there is no value, or no sample is drawn.
    pub fn interval_of_mean(self, values: &[f64]) -> Interval {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut means: Vec<f64> = (0..self.resamples)
            .map(|_| {
                let draws = (0..values.len()).map(|_| values[random.random_range(0..values.len())]);
                draws.sum::<f64>() / values.len() as f64
            })
            .collect();
        means.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - CONFIDENCE) / 2.0;
        Interval {
            low: quantile(&means, tail),
            high: quantile(&means, 1.0 - tail),
        }
    }
}

/// A quantile of ascending numbers, linear between them (numpy's default; Hyndman and
/// Fan's definition 7).
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let place = share * (ascending.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(ascending.len() - 1);
    let rest = place - below as f64;
    ascending[below] * (1.0 - rest) + ascending[above] * rest
}

/// Share of chips that classify well enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Yield {
    /// Least share of images that a good chip classifies right.
    pub at: f64,
    /// Good chips.
    pub good: usize,
    /// All chips.
    pub chips: usize,
    /// Good ones of all.
    pub share: f64,
    /// Where the share among all chips there could be lies.
    pub interval: Interval,
}

impl Yield {
    /// Whether `right` of `total` are at least the share `at`.
    ///
    /// The quotient is the number nearest to the share, as the one that a person wrote is; the
    /// product of `at` and `total` need not be whole where it should (0.55 · 100).
    pub fn is_reached(at: f64, right: usize, total: usize) -> bool {
        right as f64 / total as f64 >= at
    }

    /// `good` of `chips` chips classify at least the share `at` right.
    ///
    /// # Panics
    /// If there are more good chips than chips, or none at all.
    pub fn new(at: f64, good: usize, chips: usize) -> Self {
        Self {
            at,
            good,
            chips,
            share: good as f64 / chips as f64,
            interval: clopper_pearson(good, chips),
        }
    }
}

/// The exact interval of a probability of which `successes` of `trials` were seen
/// (Clopper and Pearson, *Biometrika* 26, 1934).
///
/// # Panics
/// If there are more successes than trials, or no trial.
pub fn clopper_pearson(successes: usize, trials: usize) -> Interval {
    assert!(successes <= trials && trials > 0);
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let (seen, not_seen) = (successes as f64, (trials - successes) as f64);
    Interval {
        low: match successes {
            0 => 0.0,
            _ => inv_beta_reg(seen, not_seen + 1.0, tail),
        },
        high: match trials - successes {
            0 => 1.0,
            _ => inv_beta_reg(seen + 1.0, not_seen, 1.0 - tail),
        },
    }
}

/// By how much the robust error of all images on all chips can exceed the one measured
/// on `images` images and `chips` chips, but with probability `delta`:
/// sqrt(ln((n + 1)/δ)/n) · (√l + √n)/√l with n images and l chips.
///
/// Stutz et al., MLSys 2021, supplementary material, proposition on the number of images
/// and patterns. It needs very many chips to say much: with the papers' 9000 images and
/// 50 chips it is 0.56.
pub fn guarantee(images: usize, chips: usize, delta: f64) -> f64 {
    let (n, l) = (images as f64, chips as f64);
    (((n + 1.0) / delta).ln() / n).sqrt() * (l.sqrt() + n.sqrt()) / l.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() < tolerance, "{found} {expected}");
    }

    #[test]
    fn exact_intervals_of_shares_are_the_tabulated_ones() {
        // By bisection on the tails of the binomial distribution, in a script of its own.
        for (x, n, low, high) in [
            (0, 10, 0.0, 0.308_497_1),
            (5, 10, 0.187_086_0, 0.812_914_0),
            (10, 10, 0.691_502_9, 1.0),
            (1, 50, 0.000_506_2, 0.106_469_5),
        ] {
            let found = clopper_pearson(x, n);
            near(found.low, low, 1e-6);
            near(found.high, high, 1e-6);
        }
    }

    #[test]
    fn the_guarantee_is_the_papers() {
        // Its supplementary material: 4.1 % with 10^4 images, 1.7 % with 10^5.
        near(guarantee(10_000, 1_000_000, 0.01), 0.040_9, 5e-5);
        near(guarantee(100_000, 1_000_000, 0.01), 0.016_7, 5e-5);
    }

    #[test]
    fn deviations_are_those_of_a_population_and_of_a_sample() {
        let counts = [2, 4, 4, 4, 5, 5, 7, 9];
        let spread = Spread::of_shares(&counts, 10, Bootstrap::default());
        assert_eq!((spread.mean, spread.std), (0.5, 0.2));
        let expected = (32.0_f64 / 7.0).sqrt() / 10.0;
        near(spread.std_sample.unwrap(), expected, 1e-12);
        assert_eq!((spread.min, spread.max), (0.2, 0.9));
    }

    #[test]
    fn the_interval_of_a_mean_of_zeros_and_ones_is_that_of_the_binomial_distribution() {
        // A resampled mean of 20 zeros and 20 ones is Binomial(40, 1/2) / 40, whose 2.5 %
        // and 97.5 % quantiles are 14/40 and 26/40.
        let values: Vec<f64> = (0..40).map(|i| f64::from(i % 2)).collect();
        let found = Bootstrap::default().interval_of_mean(&values);
        near(found.low, 14.0 / 40.0, 1e-9);
        near(found.high, 26.0 / 40.0, 1e-9);
    }

    #[test]
    fn the_interval_of_a_mean_depends_on_the_seed_alone() {
        let values: Vec<f64> = (0..30).map(|i| f64::from(i * i % 17)).collect();
        let with = |seed| {
            let resamples = 500;
            Bootstrap { resamples, seed }.interval_of_mean(&values)
        };
        assert_eq!(with(3), with(3));
        assert_ne!(with(3), with(4));
    }

    #[test]
    fn equal_shares_have_exactly_their_own_as_mean_and_interval() {
        let spread = Spread::of_shares(&[24; 20], 1000, Bootstrap::default());
        assert_eq!((spread.mean, spread.std), (0.024, 0.0));
        let interval = spread.interval.unwrap();
        assert_eq!((interval.low, interval.high), (0.024, 0.024));
    }

    #[test]
    fn one_chip_has_a_mean_and_no_interval() {
        let spread = Spread::of_shares(&[1], 4, Bootstrap::default());
        assert_eq!((spread.mean, spread.std), (0.25, 0.0));
        assert_eq!((spread.std_sample, spread.interval), (None, None));
    }

    #[test]
    fn a_share_is_reached_by_exactly_its_count_and_more() {
        for total in [1, 3, 7, 10, 49, 100, 107, 1000, 9000] {
            for bound in 0..=total {
                let at = bound as f64 / total as f64;
                assert!(Yield::is_reached(at, bound, total), "{bound} of {total}");
                assert!(bound == 0 || !Yield::is_reached(at, bound - 1, total));
            }
        }
        // As it is written, and as its product with the total is not.
        assert!(Yield::is_reached(0.55, 55, 100) && 0.55 * 100.0 > 55.0);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
    }
}
