//! The counts against exhaustive decoding, and the rates against a second derivation.

use super::*;
use crate::code::{CodeName, Codeword, Outcome, Storage};
use crate::config::WeightBits;

fn codes() -> impl Iterator<Item = Code> {
    CodeName::ALL.into_iter().flat_map(|name| {
        [WeightBits::Four, WeightBits::Eight]
            .into_iter()
            .filter(move |&bits| name.supports(bits))
            .map(move |bits| Code::new(name, bits, Storage::Coset))
    })
}

fn rate(p: f64) -> BitErrorRate {
    BitErrorRate::new(p).unwrap()
}

fn assert_close(found: f64, expected: f64, what: &str) {
    let relative = (found / expected - 1.0).abs();
    assert!(relative < 1e-9, "{what}: {found:e} instead of {expected:e}");
}

/// Calls `visit` with every set of `errors` lanes below `n`.
fn for_each_pattern(n: usize, errors: u32, visit: &mut impl FnMut(u128)) {
    if errors == 0 {
        return visit(0);
    }
    let (mut pattern, end) = ((1_u128 << errors) - 1, 1_u128 << n);
    while pattern < end {
        visit(pattern);
        // The next number with as many ones.
        let lowest = pattern & pattern.wrapping_neg();
        let carried = pattern + lowest;
        pattern = carried | ((pattern ^ carried) / lowest) >> 2;
    }
}

fn tally_of(wrong: u32) -> Tally {
    Tally {
        patterns: 1,
        wrong: u128::from(wrong),
        squares: u128::from(wrong * wrong),
    }
}

/// What the decoder makes of every pattern of `errors` errors on the zero word:
/// detected, detected counted in unconstrained weights, miscorrected, missed.
fn decode_all(code: &Code, errors: u32) -> [Tally; 4] {
    let information = code.field_mask() & !code.check_mask() as u64;
    let unconstrained = information & !code.constrained_mask();
    let mut tallies = [Tally::default(); 4];
    for_each_pattern(code.n(), errors, &mut |pattern| {
        let read = code.invert(Codeword(pattern));
        let (field, outcome) = code.decode_field(read, Policy::Keep);
        let wrong = (field & information).count_ones();
        match outcome {
            Outcome::Detected => {
                tallies[0].add(tally_of(wrong));
                tallies[1].add(tally_of((field & unconstrained).count_ones()));
            }
            Outcome::Corrected { .. } if wrong > 0 => tallies[2].add(tally_of(wrong)),
            Outcome::Clean if wrong > 0 => tallies[3].add(tally_of(wrong)),
            Outcome::Corrected { .. } | Outcome::Clean => {}
        }
    });
    tallies
}

#[test]
fn up_to_four_errors_the_counts_are_those_of_decoding_every_pattern() {
    for code in codes() {
        let residual = Residual::of(&code);
        let heaviest = if code.n() == 32 { 5 } else { 4 };
        for errors in 0..=heaviest {
            let w = errors as usize;
            let counted = [
                residual.detected.0[w],
                residual.detected_unconstrained.0[w],
                residual.miscorrected.0[w],
                residual.missed.0[w],
            ];
            let what = format!("{} {}, {w} errors", code.name(), code.weight_bits());
            assert_eq!(counted, decode_all(&code, errors), "{what}");
        }
    }
}

#[test]
fn every_pattern_of_errors_is_right_or_in_exactly_one_class() {
    for code in codes() {
        let residual = Residual::of(&code);
        let n = code.n() as u128;
        let mut binomial = 1;
        for w in 0..=code.n() {
            let counts = residual.patterns(w);
            assert_eq!(counts.all, binomial, "{}, {w} errors", code.name());
            binomial = binomial * (n - w as u128) / (w as u128 + 1);
        }
    }
}

/// The distribution of the syndrome of some columns, by the Walsh transform
/// (MacWilliams' identity): bit y of a dual word inverts the sign of its lanes.
fn syndrome_distribution(columns: &[u8], checks: usize, p: f64) -> Vec<f64> {
    let parity = |a: usize, b: usize| (a & b).count_ones() % 2 == 1;
    let size = 1 << checks;
    let transform: Vec<f64> = (0..size)
        .map(|y| {
            let odd = columns.iter().filter(|&&h| parity(y, usize::from(h)));
            (1.0 - 2.0 * p).powi(odd.count() as i32)
        })
        .collect();
    (0..size)
        .map(|syndrome| {
            let signed =
                transform.iter().enumerate().map(
                    |(y, value)| {
                        if parity(y, syndrome) { -value } else { *value }
                    },
                );
            signed.sum::<f64>() / size as f64
        })
        .collect()
}

#[test]
fn the_rates_are_those_of_the_walsh_transform_of_the_syndrome() {
    for code in codes().filter(|code| code.check_bits() > 0) {
        let residual = Residual::of(&code);
        for p in [0.01, 0.05, 0.3] {
            let q = 1.0 - p;
            let (columns, checks) = (code.columns(), code.check_bits());
            // Lane i is wrong if it has an error and the others have any, or if
            // it has none and the others together have its column.
            let wrong: f64 = (0..code.n())
                .filter(|&lane| code.check_mask() >> lane & 1 == 0)
                .map(|lane| {
                    let others = [&columns[..lane], &columns[lane + 1..]].concat();
                    let others = syndrome_distribution(&others, checks, p);
                    p * (1.0 - others[0]) + q * others[usize::from(columns[lane])]
                })
                .sum();
            let what = format!("{} at {p}", code.name());
            let bits = residual.bits(rate(p), Policy::Keep);
            assert_close(bits.wrong, wrong / code.k() as f64, &what);

            let all = syndrome_distribution(columns, checks, p);
            let of_columns: f64 = columns.iter().map(|&h| all[usize::from(h)]).sum();
            let words = residual.words(rate(p));
            assert_close(words.detected, 1.0 - all[0] - of_columns, &what);
            assert_close(words.undisturbed + words.missed, all[0], &what);
            assert_close(words.corrected + words.miscorrected, of_columns, &what);
        }
    }
}

#[test]
fn the_in_place_codes_have_the_residual_rates_of_the_design_table() {
    let table = [
        (CodeName::Inplace64_57, "1e-4", "6.2805e-7", "6.2870e-7"),
        (CodeName::Inplace64_57, "1e-3", "6.1086e-5", "6.1699e-5"),
        (CodeName::Inplace64_57, "3e-3", "5.1735e-4", "5.3200e-4"),
        (CodeName::Inplace64_57, "1e-2", "4.6909e-3", "5.0491e-3"),
        (CodeName::Inplace32_26, "1e-3", "3.0539e-5", "3.0690e-5"),
        (CodeName::Inplace32_26, "1e-2", "2.6770e-3", "2.7931e-3"),
    ];
    for (name, p, books, exact) in table {
        let p = rate(p.parse().unwrap());
        for code in codes().filter(|code| code.name() == name) {
            let wrong = Residual::of(&code).bits(p, Policy::Keep).wrong;
            assert_eq!(format!("{wrong:.4e}"), exact, "{name} at {p}");
            let kept = bookkeeping(&code, p).unwrap();
            assert_eq!(format!("{kept:.4e}"), books, "{name} at {p}");
        }
    }
}

#[test]
fn at_one_percent_the_64_bit_decoder_leaves_7_6_percent_more_than_bookkeeping() {
    let code = Code::new(CodeName::Inplace64_57, WeightBits::Eight, Storage::Coset);
    let p = rate(0.01);
    let exact = Residual::of(&code).bits(p, Policy::Keep).wrong;
    let above = exact / bookkeeping(&code, p).unwrap() - 1.0;
    assert_eq!(format!("{:.1}", 100.0 * above), "7.6");
}

#[test]
fn without_a_code_every_error_stays_and_none_is_noticed() {
    let code = Code::new(CodeName::None, WeightBits::Eight, Storage::Coset);
    let residual = Residual::of(&code);
    assert_eq!(bookkeeping(&code, rate(0.1)), None);
    for p in [1e-6, 1e-3, 0.1] {
        let words = residual.words(rate(p));
        assert_close(words.missed, -(64.0 * (-p).ln_1p()).exp_m1(), "missed");
        assert_eq!(
            [words.corrected, words.detected, words.miscorrected],
            [0.0; 3]
        );
        for policy in Policy::ALL {
            let bits = residual.bits(rate(p), policy);
            assert_close(bits.wrong, p, "wrong bits");
            assert_close(
                bits.deviation_per_word,
                (64.0 * p * (1.0 - p)).sqrt(),
                "sigma",
            );
            assert_eq!(bits.zeroed, 0.0);
        }
    }
}

#[test]
fn a_policy_zeroes_the_detected_words_that_it_does_not_read_wrong() {
    for code in codes() {
        let residual = Residual::of(&code);
        let p = rate(0.02);
        let [keep, zero, partly] = Policy::ALL.map(|policy| residual.bits(p, policy));
        let detected = residual.words(p).detected;
        assert_eq!(keep.zeroed, 0.0);
        assert_eq!(zero.zeroed, detected);
        if code.name().is_in_place() {
            let constrained = code.constrained_mask() & !code.check_mask() as u64;
            let share = f64::from(constrained.count_ones()) / code.k() as f64;
            assert_close(partly.zeroed, detected * share, "constrained weights");
            assert!(zero.wrong < partly.wrong && partly.wrong < keep.wrong);
        }
        let words = residual.words(p);
        let right = words.undisturbed + words.corrected;
        assert_close(right + words.detected + words.silently_wrong(), 1.0, "sum");
    }
}

#[test]
fn no_cell_or_every_cell_wrong_is_no_special_case() {
    for code in codes() {
        let residual = Residual::of(&code);
        let words = residual.words(BitErrorRate::ZERO);
        assert_eq!((words.undisturbed, words.silently_wrong()), (1.0, 0.0));
        // All columns together: the word of ones is a code word iff they cancel.
        let all = code.columns().iter().fold(0, |sum, column| sum ^ column);
        let words = residual.words(rate(1.0));
        assert_eq!(
            words.missed,
            f64::from(u8::from(all == 0)),
            "{}",
            code.name()
        );
    }
}
