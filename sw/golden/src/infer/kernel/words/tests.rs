use super::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The specification's activation.
fn defined(accumulator: i64, channel: ChannelParameters, output: OutputScale) -> i8 {
    let product = accumulator * i64::from(channel.multiplier);
    requantize(product + channel.bias, output)
}

/// A layer's scale, a channel, and the largest magnitude of its accumulators, most of them as
/// layers have them.
fn draw(random: &mut ChaCha8Rng, round: usize) -> (OutputScale, ChannelParameters, i64) {
    let shift = random.random_range(if round.is_multiple_of(4) {
        1..32
    } else {
        15..24
    });
    let multiplier = match round % 8 {
        0 => random.random(),
        1 => random.random_range(-300..300),
        2 => i16::MIN,
        _ => random.random_range(8192..=i16::MAX) * if random.random() { 1 } else { -1 },
    };
    let bounds = [(-128, 127), (0, 127), (-128, 0), (-5, 9), (3, 3)];
    let (low, high) = bounds[random.random_range(0..bounds.len())];
    let bias = random.random_range(-200i64..200) << shift;
    let channel = ChannelParameters {
        multiplier,
        bias: bias + random.random_range(0..1 << shift),
    };
    let bound = [1152, 146_880, 9 * 128 * 128][random.random_range(0..3)];
    (OutputScale { shift, low, high }, channel, bound)
}

#[test]
fn parameters_in_16_bits_give_the_specification_s_activation_of_every_accumulator() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (mut found, mut constant) = (0, 0);
    for round in 0..600 {
        let (output, channel, bound) = draw(&mut random, round);
        let Some(words) = Words::new(channel, output, bound) else {
            continue;
        };
        found += 1;
        constant += usize::from(words.multiplier == 0);
        for acc in -bound..=bound {
            let expected = defined(acc, channel, output);
            assert_eq!(
                words.activation(acc, output),
                expected,
                "{acc}, {channel:?}, {output:?}, {words:?}"
            );
        }
    }
    assert!(found >= 200, "{found} of 600");
    assert!((10..found / 2).contains(&constant), "{constant} of {found}");
}

/// Layers as calibration makes them, whose multipliers are at most four times apart.
#[test]
fn channels_of_usual_layers_have_parameters_in_16_bits() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for _ in 0..2000 {
        let shift = random.random_range(15..=20);
        let multiplier = random.random_range(8192..=i16::MAX);
        let output = OutputScale {
            shift,
            low: [-128, 0][random.random_range(0..2)],
            high: 127,
        };
        let bias = random.random_range(-(100i64 << shift)..100 << shift);
        let channel = ChannelParameters { multiplier, bias };
        let words = Words::new(channel, output, 9 * 128 * 128);
        assert!(words.is_some(), "{channel:?}, {output:?}");
    }
}

#[test]
fn parameters_that_are_one_off_are_found_out() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let (mut all, mut found_out) = (0, 0);
    for round in 0..400 {
        let (output, channel, bound) = draw(&mut random, 8 * round + 3);
        let Some(words) = Words::new(channel, output, bound) else {
            continue;
        };
        let steps = Steps::new(channel, output, bound);
        assert!(steps.are_of(|acc| words.activation(acc, output)));
        let mistaken = Words {
            offset: words.offset + 1,
            ..words
        };
        // A step of y is made by 2^t values of d.
        let differs = (-bound..=bound)
            .any(|acc| mistaken.activation(acc, output) != words.activation(acc, output));
        all += usize::from(differs);
        let is_seen = !steps.are_of(|acc| mistaken.activation(acc, output));
        assert_eq!(is_seen, differs, "{channel:?}, {output:?}, {words:?}");
        found_out += usize::from(is_seen);
    }
    assert!(all >= 50 && found_out == all, "{found_out} of {all}");
}
