//! What a layer adds, as a real number that rounds as hardware does.
//!
//! Hardware takes the floor of N / 2^s, where N = acc·m + b + (r·mr << (s − sr)) and b has the
//! rounding half. An ONNX quantizer rounds to the nearest integer, and of two to the even one. All
//! values of N are b plus multiples of g, the greatest common divisor of 2^s and what accumulator
//! and operand are multiplied with; so between two neighbours there is room of g for a boundary,
//! and the constant is chosen such that the boundary lies in its middle: then no value is a tie,
//! and a sum in single precision may be wrong by almost g / 2.

use brownout_spec::arithmetic::{ChannelParameters, ResidualScale};

/// What a layer's constants depend on beside the channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounding {
    /// s of the layer.
    pub shift: u8,
    /// Scale of its operand, if it has one.
    pub operand: Option<ResidualScale>,
    /// Zero point of its output.
    pub zero: i8,
}

impl Rounding {
    /// What is added to a channel's product, in units of the output, before it is rounded to the
    /// nearest integer.
    pub fn constant(&self, channel: ChannelParameters) -> f64 {
        let unit = 1i64 << self.shift;
        let operand = self.operand.map_or(0, |scale| {
            i64::from(scale.multiplier) << (self.shift - scale.shift)
        });
        let spacing = divisor(divisor(unit, channel.multiplier.into()), operand);
        let start = channel.bias - channel.bias.rem_euclid(spacing);
        // Twice, since the middle of a room can lie between integers; below 2^50, and so exact.
        let twice = 2 * (start - i64::from(self.zero) * unit) + spacing - unit;
        twice as f64 / (2 * unit) as f64
    }

    /// The same of a layer whose output is not rounded.
    pub fn wide(&self, channel: ChannelParameters) -> f64 {
        channel.bias as f64 / (1i64 << self.shift) as f64
    }
}

/// The greatest common divisor.
fn divisor(a: i64, b: i64) -> i64 {
    match b {
        0 => a.abs(),
        _ => divisor(b, a % b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_spec::arithmetic::{self, OutputScale};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn rounding_to_the_nearest_with_the_constant_is_the_floor_of_hardware_and_never_a_tie() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..20_000 {
            let shift = random.random_range(1..20);
            let powers = [0, 1, 8, 64, 1 << 14, -96, 12_345];
            let multiplier = powers[random.random_range(0..powers.len())];
            let scale = ResidualScale {
                multiplier: powers[random.random_range(0..powers.len())],
                shift: random.random_range(0..=shift),
            };
            let zero: i8 = random.random_range(-3..3);
            let half = 1i64 << (shift - 1);
            let bias = match random.random() {
                true => half * random.random_range(-4..4),
                false => random.random_range(-100_000..100_000),
            };
            let channel = ChannelParameters { multiplier, bias };
            let rounding = Rounding {
                shift,
                operand: Some(scale),
                zero,
            };
            let accumulator: i32 = random.random_range(-300..300);
            let r: i8 = random.random();
            let sum = arithmetic::sum(accumulator, channel, shift, r, scale);
            let output = OutputScale {
                shift,
                low: -128,
                high: 127,
            };
            let unit = (1i64 << shift) as f64;
            let product = f64::from(accumulator) * f64::from(multiplier) / unit;
            let operand =
                f64::from(r) * f64::from(scale.multiplier) / f64::from(1i32 << scale.shift);
            let value = product + operand + rounding.constant(channel);
            let apart = (value - value.floor() - 0.5).abs();
            assert!(apart > 0.0, "{channel:?} {rounding:?} is a tie");
            let rounded = value.round_ties_even() + f64::from(zero);
            let rounded = rounded.clamp(-128.0, 127.0);
            let expected = arithmetic::requantize(sum, output);
            assert_eq!(rounded, f64::from(expected), "{channel:?} {rounding:?}");
        }
    }

    #[test]
    fn what_passes_values_on_has_no_constant_and_a_channel_without_multiplier_its_result() {
        let rounding = Rounding {
            shift: 14,
            operand: None,
            zero: 0,
        };
        assert_eq!(rounding.constant(ChannelParameters::identity(14)), 0.0);
        let channel = ChannelParameters {
            multiplier: 0,
            bias: (7 << 14) + 9000,
        };
        assert_eq!(rounding.constant(channel), 7.0);
        // A mean of four: what would be a tie lies an eighth above it, as hardware rounds.
        let mean = ChannelParameters {
            multiplier: 1 << 12,
            bias: 1 << 13,
        };
        assert_eq!(rounding.constant(mean), 0.125);
    }
}
