//! Residual errors: what a decoder leaves of random bit errors, exactly.
//!
//! Every cell of a word is wrong with the same probability p, independently.
//! Papers often keep books instead of decoding: a single error vanishes, every
//! error of a word with two or more stays ([`bookkeeping`]). A real decoder
//! cannot count errors. It sees a syndrome, and an error pattern falls into one
//! of four classes:
//!
//! * zero or one error: the word is right;
//! * the syndrome is neither zero nor a column: *detected*, the policy decides;
//! * three or more errors whose syndrome is a column: *miscorrected*, the word
//!   now is another code word;
//! * four or more errors whose syndrome is zero: *missed*, likewise.
//!
//! [`Residual`] counts the patterns of each class by their number of errors, as
//! integers, from the parity-check columns alone; probabilities at any rate are
//! then sums of positive terms. Nothing is sampled, and nothing is assumed of a
//! code but that its columns are distinct.
//!
//! Miscorrected and missed patterns follow from the code words themselves: a
//! pattern that ends in a wrong code word c is c, or c with one lane inverted.
//! So a word of weight w stands for one missed pattern of w errors, w
//! miscorrected ones of w - 1 and n - w of w + 1, all with the same wrong bits.

use super::{Code, Policy};
use crate::quantity::BitErrorRate;

/// Error patterns of one class, by their number of errors: entry w has w errors.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Patterns(Vec<Tally>);

/// Some error patterns, and the wrong bits that they leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    patterns: u128,
    /// Wrong information bits, summed over the patterns.
    wrong: u128,
    /// Squares of the number of wrong information bits, summed over the patterns.
    squares: u128,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.patterns += other.patterns;
        self.wrong += other.wrong;
        self.squares += other.squares;
    }

    fn times(self, factor: usize) -> Self {
        let factor = factor as u128;
        Self {
            patterns: self.patterns * factor,
            wrong: self.wrong * factor,
            squares: self.squares * factor,
        }
    }

    /// The same patterns with one more wrong bit each.
    fn one_more_wrong(self) -> Self {
        Self {
            patterns: self.patterns,
            wrong: self.wrong + self.patterns,
            squares: self.squares + 2 * self.wrong + self.patterns,
        }
    }
}

/// Mean numbers per word.
#[derive(Clone, Copy, Debug, Default)]
struct Means {
    patterns: f64,
    wrong: f64,
    squares: f64,
}

impl Patterns {
    fn new(n: usize) -> Self {
        Self(vec![Tally::default(); n + 1])
    }

    /// Sums over all patterns, each with its probability p^w (1-p)^(n-w).
    fn at(&self, rate: BitErrorRate) -> Means {
        let n = self.0.len() - 1;
        let (p, q) = (rate.get(), 1.0 - rate.get());
        let mut means = Means::default();
        for (errors, tally) in self.0.iter().enumerate() {
            let probability = p.powi(errors as i32) * q.powi((n - errors) as i32);
            means.patterns += tally.patterns as f64 * probability;
            means.wrong += tally.wrong as f64 * probability;
            means.squares += tally.squares as f64 * probability;
        }
        means
    }
}

/// All error patterns of a code's word, sorted by what its decoder makes of them.
///
/// "Wrong bits" are *information* bits of the weights that are read inverted:
/// k per word. Check bits do not count, wherever they sit; neither do the
/// non-informative bits of in-place codes, which are copies of signs that do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residual {
    n: usize,
    k: usize,
    /// Information bits in constrained weights.
    constrained: usize,
    corrects: bool,
    detected: Patterns,
    /// The detected patterns again, with wrong bits counted in unconstrained weights only.
    detected_unconstrained: Patterns,
    miscorrected: Patterns,
    missed: Patterns,
}

/// How many error patterns with one number of errors are in each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternCounts {
    /// All of them, n over the number of errors.
    pub all: u128,
    /// Detected and left to the policy.
    pub detected: u128,
    /// Taken for another single error.
    pub miscorrected: u128,
    /// Taken for none.
    pub missed: u128,
}

/// Probabilities of what becomes of a word; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WordRates {
    /// No error at all.
    pub undisturbed: f64,
    /// One error, corrected.
    pub corrected: f64,
    /// Errors that are detected and left to the policy.
    pub detected: f64,
    /// Errors that are taken for another one and reported as corrected; wrong weights are read.
    pub miscorrected: f64,
    /// Errors that give another code word and are reported as clean; wrong weights are read.
    pub missed: f64,
}

impl WordRates {
    /// Wrong weights without a word about it: miscorrected or missed.
    pub fn silently_wrong(&self) -> f64 {
        self.miscorrected + self.missed
    }
}

/// What is read under one policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BitRates {
    /// Probability that an information bit is read inverted; bits that a policy zeroes are not in it.
    pub wrong: f64,
    /// Probability that an information bit belongs to a weight that the policy reads as zero.
    pub zeroed: f64,
    /// Standard deviation of the number of wrong information bits of one word.
    ///
    /// Larger than that of independent bits: a word that cannot be corrected
    /// has several wrong ones.
    pub deviation_per_word: f64,
}

impl Residual {
    /// Counts the error patterns of a code. About a million additions.
    pub fn of(code: &Code) -> Self {
        let n = code.n();
        let information = u128::from(code.field_mask()) & !code.check_mask();
        let constrained = information & u128::from(code.constrained_mask());
        let corrects = code.check_bits() > 0;
        let cosets = count_by_syndrome(code, information);
        let (miscorrected, missed) = neighbourhoods(&cosets, n, corrects);
        Self {
            n,
            k: code.k(),
            constrained: constrained.count_ones() as usize,
            corrects,
            detected: detected(code, &cosets),
            detected_unconstrained: detected(
                code,
                &count_by_syndrome(code, information & !constrained),
            ),
            miscorrected,
            missed,
        }
    }

    /// The patterns of `errors` errors.
    ///
    /// # Panics
    /// If a word has fewer than `errors` lanes.
    pub fn patterns(&self, errors: usize) -> PatternCounts {
        let of = |class: &Patterns| class.0[errors].patterns;
        let [detected, miscorrected, missed] =
            [&self.detected, &self.miscorrected, &self.missed].map(of);
        // No error at all, or a single one that is corrected.
        let right = match errors {
            0 => 1,
            1 if self.corrects => self.n as u128,
            _ => 0,
        };
        PatternCounts {
            all: right + detected + miscorrected + missed,
            detected,
            miscorrected,
            missed,
        }
    }

    /// What becomes of a word.
    pub fn words(&self, rate: BitErrorRate) -> WordRates {
        let (p, q) = (rate.get(), 1.0 - rate.get());
        let single = self.n as f64 * p * q.powi(self.n as i32 - 1);
        WordRates {
            undisturbed: q.powi(self.n as i32),
            corrected: if self.corrects { single } else { 0.0 },
            detected: self.detected.at(rate).patterns,
            miscorrected: self.miscorrected.at(rate).patterns,
            missed: self.missed.at(rate).patterns,
        }
    }

    /// What is read of an information bit under a policy.
    pub fn bits(&self, rate: BitErrorRate, policy: Policy) -> BitRates {
        let detected = self.detected.at(rate);
        let (kept, zeroed_bits) = match policy {
            Policy::Keep => (detected, 0),
            Policy::Zero => (Means::default(), self.k),
            Policy::ZeroConstrained => (self.detected_unconstrained.at(rate), self.constrained),
        };
        let (miscorrected, missed) = (self.miscorrected.at(rate), self.missed.at(rate));
        let wrong = kept.wrong + miscorrected.wrong + missed.wrong;
        let squares = kept.squares + miscorrected.squares + missed.squares;
        BitRates {
            wrong: wrong / self.k as f64,
            zeroed: detected.patterns * zeroed_bits as f64 / self.k as f64,
            deviation_per_word: (squares - wrong * wrong).max(0.0).sqrt(),
        }
    }
}

/// The residual bit error rate that papers on in-place codes assume, p (1 - (1-p)^(n-1)).
///
/// A bit stays wrong iff another one of its word is, too: single errors are
/// corrected, all errors of other words stay as they are, and nothing is
/// miscorrected. `None` for a code that corrects nothing.
pub fn bookkeeping(code: &Code, rate: BitErrorRate) -> Option<f64> {
    let p = rate.get();
    let others = (code.n() - 1) as f64;
    // 1 - (1-p)^(n-1) without the cancellation at small p.
    (code.check_bits() > 0).then(|| p * -(others * (-p).ln_1p()).exp_m1())
}

/// Every error pattern by its number of errors, then by its syndrome.
///
/// `wrong` counts the errors in the `counted` lanes. Lanes are added one after
/// another: a pattern either leaves the lane right, or has one error more and
/// the lane's column in its syndrome.
fn count_by_syndrome(code: &Code, counted: u128) -> Vec<Vec<Tally>> {
    let syndromes = 1 << code.check_bits();
    let mut cosets = vec![vec![Tally::default(); syndromes]; code.n() + 1];
    cosets[0][0].patterns = 1;
    for (lane, &column) in code.columns().iter().enumerate() {
        let is_counted = counted >> lane & 1 == 1;
        // Downwards, so that each row still is without this lane when it is used.
        for errors in (0..=lane).rev() {
            for syndrome in 0..syndromes {
                let without = cosets[errors][syndrome];
                let with = match is_counted {
                    true => without.one_more_wrong(),
                    false => without,
                };
                cosets[errors + 1][syndrome ^ usize::from(column)].add(with);
            }
        }
    }
    cosets
}

/// Patterns whose syndrome is neither zero nor a column; all of their errors stay.
fn detected(code: &Code, cosets: &[Vec<Tally>]) -> Patterns {
    let mut detected = Patterns::new(code.n());
    for (total, by_syndrome) in detected.0.iter_mut().zip(cosets) {
        for (syndrome, &tally) in by_syndrome.iter().enumerate().skip(1) {
            if code.lane_of_syndrome(syndrome as u8).is_none() {
                total.add(tally);
            }
        }
    }
    detected
}

/// Miscorrected and missed patterns: the neighbours of the non-zero code words, and those words.
fn neighbourhoods(cosets: &[Vec<Tally>], n: usize, corrects: bool) -> (Patterns, Patterns) {
    let (mut miscorrected, mut missed) = (Patterns::new(n), Patterns::new(n));
    for (weight, by_syndrome) in cosets.iter().enumerate().skip(1) {
        let words = by_syndrome[0];
        missed.0[weight] = words;
        if corrects {
            miscorrected.0[weight - 1].add(words.times(weight));
            if weight < n {
                miscorrected.0[weight + 1].add(words.times(n - weight));
            }
        }
    }
    (miscorrected, missed)
}

#[cfg(test)]
mod tests;
