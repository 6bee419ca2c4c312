//! The codes: round trips, exhaustive error patterns, and counts of heavier ones.

use brownout_spec::code::{Code, CodeName, Codeword, EncodeError, Outcome, Policy, Storage};
use brownout_spec::config::WeightBits;
use brownout_spec::quantity::Lane;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Every code with every weight width it is defined for, in every form in which it is stored.
fn codes() -> impl Iterator<Item = Code> {
    let widths = |name: CodeName| {
        [WeightBits::Four, WeightBits::Eight]
            .into_iter()
            .filter(move |&bits| name.supports(bits))
            .map(move |bits| (name, bits))
    };
    let forms = |(name, bits)| {
        Storage::ALL
            .into_iter()
            .filter(move |storage| storage.with(name) == *storage)
            .map(move |storage| Code::new(name, bits, storage))
    };
    CodeName::ALL.into_iter().flat_map(widths).flat_map(forms)
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
    let word = Codeword(word.0 ^ code.inverted());
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
        .filter(|code| code.storage().is_plain())
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
    let lanes = |name, bits| -> Vec<u8> {
        Code::new(name, bits, Storage::Plain)
            .check_lanes()
            .map(|l| l.0)
            .collect()
    };
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
                .map(|i| {
                    ((((word.0 ^ code.inverted()) & code.mask(i)).count_ones() & 1) as u8) << i
                })
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
fn encoding_is_linear_but_for_the_inverted_lanes() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for code in codes() {
        let zero = code.complete(0);
        assert_eq!(zero, Codeword(code.inverted()));
        for _ in 0..1000 {
            let (a, b): (u64, u64) = (rng.random(), rng.random());
            let sum = code.complete(a) ^ code.complete(b);
            assert_eq!(sum, code.complete(a ^ b) ^ zero);
        }
    }
}

#[test]
fn a_coset_inverts_two_check_lanes_and_words_without_check_bits_stay_plain() {
    for code in codes() {
        let lanes: Vec<u8> = (0..code.n() as u8)
            .filter(|&lane| code.is_inverted(Lane(lane)))
            .collect();
        let first_two: Vec<u8> = code.check_lanes().take(2).map(|lane| lane.0).collect();
        match code.storage() {
            Storage::Plain => assert_eq!((code.inverted(), lanes.len()), (0, 0)),
            Storage::Coset => assert_eq!(lanes, first_two, "{}", code.name()),
        }
        assert!(!code.is_inverted(Lane(u8::MAX)));
    }
    let none = Code::new(CodeName::None, WeightBits::Eight, Storage::Coset);
    assert_eq!(none.storage(), Storage::Plain);
}

/// Words of a length that repeat a byte pattern of some bytes.
fn repeated(code: &Code, pattern: &[u8]) -> Codeword {
    let bytes: [u8; 16] = std::array::from_fn(|byte| pattern[byte % pattern.len()]);
    Codeword(u128::from_le_bytes(bytes) & (u128::MAX >> (128 - code.n())))
}

#[test]
fn a_word_line_stuck_at_zero_or_one_is_detected_in_a_coset_of_every_code() {
    for code in protected_codes() {
        let [zeros, ones] = [[0x00], [0xff]].map(|byte| repeated(&code, &byte));
        assert_eq!(ones.0.count_ones() as usize, code.n());
        let outcomes = [zeros, ones].map(|word| code.decode(word, Policy::Zero).outcome);
        let expected = match code.storage() {
            Storage::Coset => [Outcome::Detected; 2],
            // The word of ones belongs to the in-place codes alone.
            Storage::Plain if code.name().is_in_place() => [Outcome::Clean; 2],
            Storage::Plain => [Outcome::Clean, Outcome::Detected],
        };
        assert_eq!(outcomes, expected, "{}", code.name());
    }
}

#[test]
fn the_alternating_words_of_memory_tests_are_detected_in_a_coset_of_every_code() {
    let patterns: [&[u8]; 8] = [
        &[0x55],
        &[0xaa],
        &[0x33],
        &[0xcc],
        &[0x0f],
        &[0xf0],
        &[0x00, 0xff],
        &[0xff, 0x00],
    ];
    for code in protected_codes().filter(|code| !code.storage().is_plain()) {
        for pattern in patterns {
            let outcome = code.decode(repeated(&code, pattern), Policy::Keep).outcome;
            assert_eq!(outcome, Outcome::Detected, "{} {pattern:02x?}", code.name());
        }
    }
}

#[test]
fn one_in_as_many_stuck_words_as_there_are_syndromes_is_another_stored_word() {
    // The lanes of a word that are no check lanes are free, and the others follow from them.
    for code in codes() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let other = code.encode(&random_weights(&code, &mut rng)).unwrap();
        assert_eq!(code.decode(other, Policy::Zero).outcome, Outcome::Clean);
        let data = other.0 & !code.check_mask();
        let checks: Vec<usize> = code.check_lanes().map(|lane| usize::from(lane.0)).collect();
        let clean = (0..1_u128 << checks.len()).filter(|pattern| {
            let word = checks.iter().enumerate().fold(data, |word, (bit, check)| {
                word | (pattern >> bit & 1) << check
            });
            code.decode(Codeword(word), Policy::Zero).outcome == Outcome::Clean
        });
        assert_eq!(clean.count(), 1, "{}", code.name());
    }
}

#[test]
fn flips_are_read_the_same_from_plain_words_and_from_a_coset() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for code in protected_codes().filter(|code| !code.storage().is_plain()) {
        let plain = Code::new(code.name(), code.weight_bits(), Storage::Plain);
        for heavy in 0..20_000 {
            let weights = random_weights(&code, &mut rng);
            let mut flips = Codeword(0);
            for _ in 0..heavy % 9 {
                flips = flips ^ lane(rng.random_range(0..code.n()));
            }
            for policy in Policy::ALL
                .into_iter()
                .filter(|p| p.supported_by(code.name()))
            {
                let read =
                    |code: &Code| code.decode(code.encode(&weights).unwrap() ^ flips, policy);
                assert_eq!(read(&code), read(&plain), "{} {flips:x}", code.name());
            }
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
        let code = Code::new(CodeName::Inplace64_57, bits, Storage::Plain);
        assert_eq!(triples(&code), (41_664, 41_664, 0));
        assert_eq!(quadruples(&code), (635_376, 10_416, 624_960));
    }
    let code = Code::new(CodeName::Inplace32_26, WeightBits::Four, Storage::Plain);
    assert_eq!(triples(&code), (4_960, 4_960, 0));
    assert_eq!(quadruples(&code), (35_960, 1_240, 34_720));
}

#[test]
fn the_separate_code_detects_26072_of_59640_triples() {
    let code = Code::new(CodeName::Secded72_64, WeightBits::Eight, Storage::Plain);
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
    let code = Code::new(CodeName::Secded72_64, WeightBits::Eight, Storage::Plain);
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
        let code = Code::new(name, bits, Storage::Plain);
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
    let code = Code::new(CodeName::Inplace32_26, WeightBits::Four, Storage::Plain);
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
