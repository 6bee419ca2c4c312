//! What real decoders leave of the errors of real chips, against the exact rates.
//!
//! Words are encoded, disturbed by the accelerator's fault function, decoded
//! by [`Code::decode`] under every policy, and compared weight by weight with
//! what was written. [`Residual`] computes the same from the parity-check
//! columns; a sampled figure may lie four standard deviations away.
//!
//! Wrong bits cluster: a word that cannot be corrected has several. The
//! standard deviation of a sum over words is therefore that of one word, exact
//! and from the same counts ([`Residual::bits`]), times the root of the number
//! of words, which are independent. Outcomes are counts of words, so their
//! bound is the binomial's own tail of the same probability: at low rates
//! hardly any word is miscorrected, and nothing there is normal.

use brownout_spec::code::{
    Code, CodeName, Codeword, Decoded, Outcome, Policy, Residual, Storage, bookkeeping,
};
use brownout_spec::config::WeightBits;
use brownout_spec::fault::{ChipFaults, FaultMode};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass, WordAddress};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{Binomial, DiscreteCDF};
use std::cell::Cell;

/// Standard deviations that a figure may lie away from the exact one.
const BOUND: f64 = 4.0;
/// Probability that a normal figure lies further away, to one side.
const TAIL: f64 = 3.167e-5;
const RATES: [f64; 4] = [1e-4, 1e-3, 3e-3, 1e-2];
/// Words of one chip.
const CHIP: usize = 1 << 16;
/// Different words that are written, over and over.
const WRITTEN: usize = 1 << 10;

/// A code for each decoder that differs: without in-place check bits, the
/// width of a weight changes nothing but how the field is cut.
fn codes() -> [Code; 5] {
    [
        (CodeName::None, WeightBits::Eight),
        (CodeName::Secded72_64, WeightBits::Eight),
        (CodeName::Inplace64_57, WeightBits::Eight),
        (CodeName::Inplace64_57, WeightBits::Four),
        (CodeName::Inplace32_26, WeightBits::Four),
    ]
    .map(|(name, bits)| Code::new(name, bits, Storage::Coset))
}

fn point(rate: f64) -> BitErrorRate {
    let threshold = BitErrorRate::new(rate).unwrap().threshold();
    threshold.applied_rate()
}

/// What was found in many words.
#[derive(Clone, Debug, Default)]
struct Sample {
    words: u64,
    /// Words by what became of them, in the order of [`OUTCOMES`].
    outcomes: [u64; 5],
    /// Wrong information bits per policy, in the order of [`Policy::ALL`].
    wrong: [u64; 3],
}

const OUTCOMES: [&str; 5] = [
    "undisturbed",
    "corrected",
    "detected",
    "miscorrected",
    "missed",
];

/// The information bits of each weight of a word.
fn information(code: &Code) -> Vec<u8> {
    let width = code.weight_bits().bits();
    let lanes = code.field_mask() & !(code.check_mask() as u64);
    (0..code.weights_per_word())
        .map(|position| (lanes >> (position * width)) as u8 & (u8::MAX >> (8 - width)))
        .collect()
}

/// Whether a policy reads this weight of a detected word as zero.
fn is_zeroed(code: &Code, policy: Policy, position: usize) -> bool {
    match policy {
        Policy::Keep => false,
        Policy::Zero => true,
        Policy::ZeroConstrained => code.is_constrained(position),
    }
}

/// Wrong information bits of one word, without those of weights that the policy zeroed.
fn wrong_bits(code: &Code, written: &[i8], read: &Decoded, policy: Policy, bits: &[u8]) -> u64 {
    let mut wrong = 0;
    for (position, (&written, &found)) in written.iter().zip(read.weights.iter()).enumerate() {
        if read.outcome == Outcome::Detected && is_zeroed(code, policy, position) {
            assert_eq!(
                found, 0,
                "{policy} left weight {position} of a detected word"
            );
        } else {
            wrong += u64::from(((written ^ found) as u8 & bits[position]).count_ones());
        }
    }
    wrong
}

/// Writes, disturbs, decodes and counts at least `words` words.
fn sample(
    code: &Code,
    rate: f64,
    words: usize,
    decode: impl Fn(Codeword, Policy) -> Decoded,
) -> Sample {
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    let weights: Vec<Vec<i8>> = (0..WRITTEN)
        .map(|_| {
            (0..code.weights_per_word())
                .map(|position| {
                    let (lowest, highest) = code.allowed_range(position);
                    rng.random_range(lowest..=highest)
                })
                .collect()
        })
        .collect();
    let written: Vec<u128> = weights.iter().map(|w| code.encode(w).unwrap().0).collect();
    let stored: Vec<u128> = written.iter().copied().cycle().take(CHIP).collect();
    let bits = information(code);
    let mut flips = vec![0; CHIP];
    let mut sample = Sample::default();
    let threshold = BitErrorRate::new(rate).unwrap().threshold();
    // Chips of their own for every rate, code and width: faults at one rate
    // are a subset of those of the same chip at a higher one.
    let identity = [code.n(), code.weight_bits().bits(), code.check_bits()];
    let [n, width, checks] = identity.map(|number| number as u64);
    let first_seed = u64::from(threshold.0) << 32 | n << 24 | width << 20 | checks << 16;
    for seed in 0..words.div_ceil(CHIP) as u64 {
        let chip = ChipFaults {
            seed: ChipSeed(first_seed + seed),
            mode: FaultMode::Persistent,
            threshold,
        };
        chip.flips_batch(WordAddress(0), Pass(0), &stored, code.n(), &mut flips);
        for (index, (&stored, &flips)) in stored.iter().zip(&flips).enumerate() {
            sample.words += 1;
            // That words without an error are read as written is tested with the codes.
            if flips == 0 {
                sample.outcomes[0] += 1;
                continue;
            }
            let written = &weights[index % WRITTEN];
            let read = Policy::ALL.map(|policy| decode(Codeword(stored ^ flips), policy));
            let wrong: [u64; 3] =
                std::array::from_fn(|i| wrong_bits(code, written, &read[i], Policy::ALL[i], &bits));
            assert!(read.iter().all(|r| r.outcome == read[0].outcome));
            let outcome = match (read[0].outcome, wrong[0]) {
                (Outcome::Clean, 0) => 0,
                (Outcome::Corrected { .. }, 0) => 1,
                (Outcome::Detected, _) => 2,
                (Outcome::Corrected { .. }, _) => 3,
                (Outcome::Clean, _) => 4,
            };
            sample.outcomes[outcome] += 1;
            for (total, wrong) in sample.wrong.iter_mut().zip(wrong) {
                *total += wrong;
            }
        }
    }
    sample
}

/// How far the wrong bits under a policy lie from `wrong`, a rate per
/// information bit, in standard deviations.
fn z_of(sample: &Sample, code: &Code, rate: f64, policy: Policy, wrong: f64) -> f64 {
    let words = sample.words as f64;
    let deviation = Residual::of(code)
        .bits(point(rate), policy)
        .deviation_per_word;
    let found = sample.wrong[policy.number() as usize] as f64;
    (found - words * code.k() as f64 * wrong) / (words.sqrt() * deviation)
}

/// Whether a binomial count lies beyond the tails.
fn is_unlikely(count: u64, words: u64, probability: f64) -> bool {
    if probability == 0.0 {
        return count > 0;
    }
    let binomial = Binomial::new(probability, words).unwrap();
    let below = binomial.cdf(count);
    let above = match count.checked_sub(1) {
        Some(less) => binomial.sf(less),
        None => 1.0,
    };
    below.min(above) < TAIL
}

/// What of a sample disagrees with the exact figures: policies and outcomes.
fn disagreements(sample: &Sample, code: &Code, rate: f64) -> Vec<String> {
    let residual = Residual::of(code);
    let mut found = Vec::new();
    for policy in Policy::ALL {
        let exact = residual.bits(point(rate), policy).wrong;
        let z = z_of(sample, code, rate, policy, exact);
        if z.abs() > BOUND {
            found.push(policy.to_string());
        }
    }
    let words = residual.words(point(rate));
    let exact = [
        words.undisturbed,
        words.corrected,
        words.detected,
        words.miscorrected,
        words.missed,
    ];
    for ((name, &count), exact) in OUTCOMES.iter().zip(&sample.outcomes).zip(exact) {
        if is_unlikely(count, sample.words, exact) {
            found.push((*name).to_owned());
        }
    }
    found
}

/// Words of a sample: a thousand detected ones are expected, within limits.
fn sample_size(code: &Code, rate: f64) -> usize {
    let detected = Residual::of(code).words(point(rate)).detected;
    ((1000.0 / detected) as usize).clamp(1 << 20, 1 << 24)
}

#[test]
fn real_decoders_leave_the_exact_rates_under_every_policy() {
    for code in codes() {
        let (name, width) = (code.name(), code.weight_bits());
        for rate in RATES {
            let words = match name {
                // Nothing is detected, and every error counts.
                CodeName::None => 1 << 20,
                _ => sample_size(&code, rate),
            };
            let sample = sample(&code, rate, words, |word, policy| code.decode(word, policy));
            let bits = Residual::of(&code).bits(point(rate), Policy::Keep);
            let found = sample.wrong[0] as f64 / (sample.words * code.k() as u64) as f64;
            let z = z_of(&sample, &code, rate, Policy::Keep, bits.wrong);
            println!(
                "{name:<13} {width} bit, {rate:e}: exact {:.4e}, found {found:.4e} (z {z:+.2}) in {} words, {:?}",
                bits.wrong, sample.words, sample.outcomes
            );
            assert_eq!(
                disagreements(&sample, &code, rate),
                [""; 0],
                "{name} at {rate}"
            );
        }
    }
}

#[test]
fn every_constrained_weight_is_in_its_range_whatever_the_errors_are() {
    for code in codes() {
        let read = Cell::new(0);
        sample(&code, 1e-2, 1 << 18, |word, policy| {
            let decoded = code.decode(word, policy);
            for (position, weight) in decoded.weights.iter().enumerate() {
                let (lowest, highest) = code.allowed_range(position);
                assert!((lowest..=highest).contains(weight), "{}", code.name());
            }
            read.set(read.get() + 1);
            decoded
        });
        assert!(
            read.get() > 100_000,
            "only {} words were disturbed",
            read.get()
        );
    }
}

/// What is read when these lanes are taken as they are.
fn read_as(code: &Code, word: Codeword, outcome: Outcome) -> Decoded {
    Decoded {
        weights: code.weights(word.0 as u64 & code.field_mask()),
        outcome,
    }
}

#[test]
fn a_decoder_that_does_not_correct_is_rejected_at_every_rate() {
    for code in codes().into_iter().filter(|code| code.check_bits() > 0) {
        for rate in RATES {
            let sample = sample(&code, rate, 1 << 20, |word, policy| {
                match code.decode(word, policy) {
                    Decoded {
                        outcome: outcome @ Outcome::Corrected { .. },
                        ..
                    } => read_as(&code, word, outcome),
                    other => other,
                }
            });
            let found = disagreements(&sample, &code, rate);
            let expected = [
                "keep",
                "zero",
                "zero-constrained",
                "corrected",
                "miscorrected",
            ];
            assert_eq!(found, expected, "{} at {rate}", code.name());
        }
    }
}

#[test]
fn a_decoder_with_one_wrong_column_is_rejected_at_every_rate() {
    for code in codes().into_iter().filter(|code| code.check_bits() > 0) {
        for rate in RATES {
            let sample = sample(&code, rate, 1 << 20, |word, policy| {
                match code.decode(word, policy) {
                    // The column of lane 9 is listed for lane 8.
                    Decoded {
                        outcome: outcome @ Outcome::Corrected { lane },
                        ..
                    } if lane.0 == 9 => read_as(&code, Codeword(word.0 ^ 1 << 8), outcome),
                    other => other,
                }
            });
            let found = disagreements(&sample, &code, rate);
            for figure in ["keep", "zero", "miscorrected"] {
                assert!(found.iter().any(|f| f == figure), "{found:?} at {rate}");
            }
        }
    }
}

#[test]
fn the_rate_of_bookkeeping_is_rejected_at_one_percent() {
    for code in codes().into_iter().filter(|code| code.check_bits() > 0) {
        let sample = sample(&code, 0.01, 1 << 20, |word, policy| {
            code.decode(word, policy)
        });
        let kept = bookkeeping(&code, point(0.01)).unwrap();
        let z = z_of(&sample, &code, 0.01, Policy::Keep, kept);
        println!(
            "{:<13} at 1 %: bookkeeping is off by z {z:+.1}",
            code.name()
        );
        assert!(z > BOUND, "{}: {z}", code.name());
    }
}
