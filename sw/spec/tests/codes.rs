//! The codes: round trips, exhaustive error patterns, and counts of heavier ones.

use brownout_spec::code::{Code, CodeName, Codeword, EncodeError, Outcome, Policy};
use brownout_spec::config::WeightBits;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Every code with every weight width it is defined for.
fn codes() -> impl Iterator<Item = Code> {
    CodeName::ALL.into_iter().flat_map(|name| {
        [WeightBits::Four, WeightBits::Eight]
            .into_iter()
            .filter(move |&bits| name.supports(bits))
            .map(move |bits| Code::new(name, bits))
    })
}

fn protected_codes() -> impl Iterator<Item = Code> {
    codes().filter(|code| code.name() != CodeName::None)
}

fn random_weights(code: &Code, rng: &mut ChaCha8Rng) -> Vec<i8> {
    (0..code.weights_per_word())
        .map(|position| {
            let (lowest, highest) = code.allowed_range(position);
            rng.random_range(lowest..=highest)
        })
        .collect()
}

fn lane(index: usize) -> Codeword {
    Codeword(1 << index)
}

/// What is read when `word` is taken as it is: weights by plain arithmetic, no tables.
fn stored_weights(code: &Code, word: Codeword) -> Vec<i8> {
    let width = code.weight_bits().bits();
    (0..code.weights_per_word())
        .map(|position| {
            let bit = |b: usize| i32::from(word.0 >> (width * position + b) & 1 == 1);
            let low: i32 = (0..width - 1).map(|b| bit(b) << b).sum();
            let value = low - (bit(width - 1) << (width - 1));
            if !code.is_constrained(position) {
                return value as i8;
            }
            // Replace the bit below the sign by the sign.
            let below = 1 << (width - 2);
            ((value & !below) | (below * bit(width - 1))) as i8
        })
        .collect()
}

#[test]
fn codes_have_the_dimensions_of_their_names() {
    let dimensions: Vec<_> = codes()
        .map(|c| (c.n(), c.k(), c.weights_per_word()))
        .collect();
    assert_eq!(
        dimensions,
        [
            (64, 64, 16),
            (64, 64, 8),
            (72, 64, 16),
            (72, 64, 8),
            (64, 57, 16),
            (64, 57, 8),
            (32, 26, 8)
        ]
    );
}

#[test]
fn columns_are_distinct_odd_and_every_check_covers_equally_many_lanes() {
    for code in protected_codes() {
        let mut columns = code.columns().to_vec();
        assert!(columns.iter().all(|c| c.count_ones() % 2 == 1));
        columns.sort_unstable();
        columns.dedup();
        assert_eq!(columns.len(), code.n(), "{} repeats a column", code.name());
        for (check, lane) in code.check_lanes().enumerate() {
            assert_eq!(code.columns()[usize::from(lane.0)], 1 << check);
            assert_eq!(code.mask(check).count_ones(), code.mask(0).count_ones());
        }
    }
}

#[test]
fn check_bits_sit_where_the_papers_put_them() {
    let lanes =
        |name, bits| -> Vec<u8> { Code::new(name, bits).check_lanes().map(|l| l.0).collect() };
    assert_eq!(
        lanes(CodeName::Inplace64_57, WeightBits::Eight),
        [6, 14, 22, 30, 38, 46, 54]
    );
    assert_eq!(
        lanes(CodeName::Inplace64_57, WeightBits::Four),
        [6, 14, 22, 30, 38, 46, 54]
    );
    assert_eq!(
        lanes(CodeName::Inplace32_26, WeightBits::Four),
        [2, 6, 10, 14, 18, 22]
    );
}

#[test]
fn a_syndrome_bit_is_the_parity_of_its_mask() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for code in codes() {
        for _ in 0..1000 {
            let word = Codeword(rng.random::<u128>() >> (128 - code.n()));
            let by_masks: u8 = (0..code.check_bits())
                .map(|i| (((word.0 & code.mask(i)).count_ones() & 1) as u8) << i)
                .sum();
            assert_eq!(code.syndrome(word), by_masks);
        }
    }
}

#[test]
fn weights_survive_encoding_and_decoding_under_every_policy() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for code in codes() {
        for _ in 0..1000 {
            let weights = random_weights(&code, &mut rng);
            let word = code.encode(&weights).unwrap();
            assert_eq!(word.0 >> code.n(), 0, "lanes beyond the word are set");
            for policy in Policy::ALL {
                let decoded = code.decode(word, policy);
                assert_eq!(*decoded.weights, *weights);
                assert_eq!(decoded.outcome, Outcome::Clean);
            }
        }
    }
}

#[test]
fn encoding_is_linear() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for code in codes() {
        assert_eq!(code.complete(0), Codeword(0));
        for _ in 0..1000 {
            let (a, b): (u64, u64) = (rng.random(), rng.random());
            assert_eq!(code.complete(a) ^ code.complete(b), code.complete(a ^ b));
        }
    }
}

#[test]
fn every_single_error_is_corrected_and_names_its_lane() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for code in protected_codes() {
        for flipped in 0..code.n() {
            let weights = random_weights(&code, &mut rng);
            let word = code.encode(&weights).unwrap() ^ lane(flipped);
            for policy in Policy::ALL {
                let decoded = code.decode(word, policy);
                assert_eq!(*decoded.weights, *weights);
                assert!(
                    matches!(decoded.outcome, Outcome::Corrected { lane } if usize::from(lane.0) == flipped)
                );
            }
        }
    }
}

#[test]
fn every_double_error_is_detected_and_handled_as_the_policy_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for code in protected_codes() {
        for first in 0..code.n() {
            for second in 0..first {
                let weights = random_weights(&code, &mut rng);
                let word = code.encode(&weights).unwrap() ^ lane(first) ^ lane(second);
                let stored = stored_weights(&code, word);
                let zero_constrained: Vec<i8> = stored
                    .iter()
                    .enumerate()
                    .map(|(p, &w)| if code.is_constrained(p) { 0 } else { w })
                    .collect();
                let zero = vec![0; weights.len()];
                for (policy, expected) in
                    Policy::ALL
                        .into_iter()
                        .zip([stored, zero, zero_constrained])
                {
                    let decoded = code.decode(word, policy);
                    assert_eq!(decoded.outcome, Outcome::Detected);
                    assert_eq!(*decoded.weights, *expected, "{policy}");
                }
            }
        }
    }
}

#[test]
fn without_a_code_every_error_is_read_as_it_is_and_reported_clean() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for code in codes().filter(|code| code.name() == CodeName::None) {
        for first in 0..64 {
            for second in 0..=first {
                let weights = random_weights(&code, &mut rng);
                let word = code.encode(&weights).unwrap() ^ lane(first) ^ lane(second);
                let decoded = code.decode(word, Policy::Zero);
                assert_eq!(decoded.outcome, Outcome::Clean);
                assert_eq!(*decoded.weights, *stored_weights(&code, word));
            }
        }
    }
}

/// Counts over all sets of three lanes: (all, miscorrected to a fourth lane, detected).
fn triples(code: &Code) -> (u32, u32, u32) {
    let columns = code.columns();
    let (mut all, mut miscorrected, mut detected) = (0, 0, 0);
    for a in 0..columns.len() {
        for b in 0..a {
            for c in 0..b {
                all += 1;
                let syndrome = columns[a] ^ columns[b] ^ columns[c];
                match code.lane_of_syndrome(syndrome) {
                    Some(lane) => {
                        assert!(![a, b, c].contains(&usize::from(lane.0)));
                        miscorrected += 1;
                    }
                    None => detected += 1,
                }
                assert_ne!(syndrome, 0, "three errors are never silent");
            }
        }
    }
    (all, miscorrected, detected)
}

/// Counts over all sets of four lanes: (all, undetected, detected); none is corrected.
fn quadruples(code: &Code) -> (u32, u32, u32) {
    let columns = code.columns();
    let (mut all, mut undetected, mut detected) = (0, 0, 0);
    for a in 0..columns.len() {
        for b in 0..a {
            for c in 0..b {
                for d in 0..c {
                    all += 1;
                    let syndrome = columns[a] ^ columns[b] ^ columns[c] ^ columns[d];
                    assert_eq!(code.lane_of_syndrome(syndrome), None);
                    if syndrome == 0 {
                        undetected += 1;
                    } else {
                        detected += 1;
                    }
                }
            }
        }
    }
    (all, undetected, detected)
}

#[test]
fn in_place_codes_miscorrect_every_triple() {
    for bits in [WeightBits::Four, WeightBits::Eight] {
        let code = Code::new(CodeName::Inplace64_57, bits);
        assert_eq!(triples(&code), (41_664, 41_664, 0));
        assert_eq!(quadruples(&code), (635_376, 10_416, 624_960));
    }
    let code = Code::new(CodeName::Inplace32_26, WeightBits::Four);
    assert_eq!(triples(&code), (4_960, 4_960, 0));
    assert_eq!(quadruples(&code), (35_960, 1_240, 34_720));
}

#[test]
fn the_separate_code_detects_26072_of_59640_triples() {
    let code = Code::new(CodeName::Secded72_64, WeightBits::Eight);
    assert_eq!(triples(&code), (59_640, 33_568, 26_072));
    assert_eq!(quadruples(&code), (1_028_790, 8_392, 1_020_398));
}

/// Words of weight 4 of the code with these columns: three of its lanes give the fourth's column.
fn words_of_weight_4(columns: &[u8]) -> u32 {
    let mut pairs = [0_u32; 256];
    for a in 0..columns.len() {
        for b in 0..a {
            pairs[usize::from(columns[a] ^ columns[b])] += 1;
        }
    }
    // Each word splits into two pairs of equal sum in three ways.
    pairs
        .iter()
        .map(|&n| n * n.saturating_sub(1) / 2)
        .sum::<u32>()
        / 3
}

#[test]
fn no_exchange_of_a_heavy_column_detects_more_triples() {
    let code = Code::new(CodeName::Secded72_64, WeightBits::Eight);
    let fewest = words_of_weight_4(code.columns());
    assert_eq!(fewest, 8_392);
    let heavy: Vec<usize> = (0..72)
        .filter(|&l| code.columns()[l].count_ones() == 5)
        .collect();
    assert_eq!(heavy.len(), 8);
    for replaced in heavy {
        for other in (0..=u8::MAX).filter(|c| c.count_ones() == 5) {
            let mut columns = code.columns().to_vec();
            if !columns.contains(&other) {
                columns[replaced] = other;
                assert!(words_of_weight_4(&columns) >= fewest);
            }
        }
    }
}

#[test]
fn a_miscorrected_triple_ends_four_lanes_away_and_reports_a_correction() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for code in protected_codes().filter(|code| code.name().is_in_place()) {
        for _ in 0..1000 {
            let weights = random_weights(&code, &mut rng);
            let written = code.encode(&weights).unwrap();
            let mut lanes = [0; 3];
            while lanes[0] == lanes[1] || lanes[1] == lanes[2] || lanes[0] == lanes[2] {
                lanes = std::array::from_fn(|_| rng.random_range(0..code.n()));
            }
            let read = lanes.iter().fold(written, |word, &l| word ^ lane(l));
            let decoded = code.decode(read, Policy::Zero);
            let Outcome::Corrected { lane: wrong } = decoded.outcome else {
                panic!("a triple was not taken for a single error");
            };
            let result = read ^ lane(usize::from(wrong.0));
            assert_eq!((result ^ written).0.count_ones(), 4);
            assert_eq!(*decoded.weights, *stored_weights(&code, result));
        }
    }
}

#[test]
fn a_weight_beyond_its_range_is_refused_with_position_value_and_range() {
    for code in codes() {
        for position in 0..code.weights_per_word() {
            let (lowest, highest) = code.allowed_range(position);
            let outside = [i16::from(lowest) - 1, i16::from(highest) + 1];
            for value in outside.into_iter().filter_map(|v| i8::try_from(v).ok()) {
                let mut weights = vec![0; code.weights_per_word()];
                weights[position] = value;
                let message = code.encode(&weights).unwrap_err().to_string();
                let expected = format!(
                    "weight {position} of a word is {value}; allowed at this position is {lowest} to {highest}"
                );
                assert!(message.starts_with(&expected), "{message}");
            }
        }
    }
}

#[test]
fn constrained_weights_have_half_the_range() {
    let ranges = |name, bits| -> Vec<(i8, i8)> {
        let code = Code::new(name, bits);
        (0..code.weights_per_word())
            .map(|p| code.allowed_range(p))
            .collect()
    };
    let eight = ranges(CodeName::Inplace64_57, WeightBits::Eight);
    assert_eq!(eight[..7], [(-64, 63); 7]);
    assert_eq!(eight[7], (-128, 127));
    let four = ranges(CodeName::Inplace64_57, WeightBits::Four);
    for (position, range) in four.into_iter().enumerate() {
        let constrained = position % 2 == 1 && position != 15;
        assert_eq!(range, if constrained { (-4, 3) } else { (-8, 7) });
    }
    let short = ranges(CodeName::Inplace32_26, WeightBits::Four);
    assert_eq!(short[..6], [(-4, 3); 6]);
    assert_eq!(short[6..], [(-8, 7); 2]);
}

#[test]
fn a_word_with_too_few_weights_is_refused() {
    let code = Code::new(CodeName::Inplace32_26, WeightBits::Four);
    assert!(matches!(
        code.encode(&[0; 7]),
        Err(EncodeError::Count {
            expected: 8,
            found: 7,
            ..
        })
    ));
}

#[test]
fn names_are_read_back_and_unknown_ones_are_refused_with_what_is_allowed() {
    for name in CodeName::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    for policy in Policy::ALL {
        assert_eq!(policy.to_string().parse(), Ok(policy));
        assert_eq!(Policy::from_number(policy.number()), Some(policy));
    }
    let message = "hamming".parse::<CodeName>().unwrap_err();
    assert!(message.contains("none, secded-72-64, inplace-64-57, inplace-32-26"));
    let message = "drop".parse::<Policy>().unwrap_err();
    assert!(message.contains("keep, zero, zero-constrained"));
    assert_eq!(Policy::from_number(3), None);
}

#[test]
fn only_in_place_codes_support_zeroing_the_constrained_weights() {
    for name in CodeName::ALL {
        assert!(Policy::Keep.supported_by(name) && Policy::Zero.supported_by(name));
        assert_eq!(
            Policy::ZeroConstrained.supported_by(name),
            name.is_in_place()
        );
    }
}
