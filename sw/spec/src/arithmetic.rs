//! The integer arithmetic that golden model and hardware share, bit for bit.
//!
//! Every layer ends in one formula, for accumulator `acc` and residual `r`:
//!
//! ```text
//! y = clamp((acc·m + b + ((r·mr) << (s − sr))) >> s, lo, hi)
//! ```
//!
//! with an arithmetic shift; `b` carries bias, batch-norm shift and the rounding
//! half 2^(s−1). The last layer is *wide*: the same sum, saturated to int32. What `acc` and `r`
//! are in a layer, [`Operation`](crate::program::Operation) says.
//!
//! # Zero points
//!
//! Every tensor has a zero point *z*, the stored integer that stands for 0, from −128 to 127.
//! It is taken off where the tensor is *read*: a layer computes with x − zx, a number of nine
//! bits, so that padding, lanes beyond the channels and a real zero are all 0, and a wrong weight
//! there does nothing. Who *writes* a tensor adds its zero point in `b`, as z·2^s; the bounds are
//! those of the stored integer. Unsigned integers q with zero point zp are stored as q − 128,
//! with z = zp − 128. Results of the last layer have none.

use crate::config::WeightBits;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Largest output shift `s`; the smallest is 1.
pub const MAX_SHIFT: u8 = 31;
/// Bits of the sum before the shift, two's complement.
pub const SUM_BITS: u32 = 48;
/// Magnitude of the largest activation, |−128|.
pub const ACTIVATION_MAGNITUDE: i64 = 128;
/// Values of a [`lookup`] table: one for each activation.
pub const TABLE_ENTRIES: usize = 256;

/// Magnitude of the largest x − z of a tensor with the zero point z: 128 where it is 0, as the
/// stored integer is; else 255, whichever it is.
pub fn operand_magnitude(zero: i8) -> i64 {
    match zero {
        0 => ACTIVATION_MAGNITUDE,
        _ => 255,
    }
}

/// What one output channel multiplies and adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelParameters {
    /// m: signed multiplier of the accumulator (negative for a negative batch-norm scale).
    pub multiplier: i16,
    /// b: signed 48-bit constant at the product's scale, rounding half included.
    pub bias: i64,
}

impl ChannelParameters {
    /// Passes an accumulator through unchanged for any `shift` up to 14: (x·2^s) >> s = x.
    pub fn identity(shift: u8) -> Self {
        Self {
            multiplier: 1 << shift,
            bias: 0,
        }
    }
}

/// What all channels of a layer share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputScale {
    /// s, 1 to 31.
    pub shift: u8,
    /// Smallest activation; 0 for ReLU. Not used by the wide layer.
    pub low: i8,
    /// Largest activation. Not used by the wide layer.
    pub high: i8,
}

/// Scale of a residual operand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidualScale {
    /// mr: signed multiplier of the residual activation.
    pub multiplier: i16,
    /// sr, at most s.
    pub shift: u8,
}

/// The sum before the shift, of a residual operand whose zero point is taken off already.
/// Exact in 48 bits for every model that [`check_sum`] admits.
pub fn sum(
    accumulator: i32,
    channel: ChannelParameters,
    shift: u8,
    residual: impl Into<i16>,
    scale: ResidualScale,
) -> i64 {
    i64::from(accumulator) * i64::from(channel.multiplier)
        + channel.bias
        + ((i64::from(residual.into()) * i64::from(scale.multiplier)) << (shift - scale.shift))
}

/// The activation that follows from a sum.
pub fn requantize(sum: i64, output: OutputScale) -> i8 {
    let shifted = sum >> output.shift;
    shifted.clamp(i64::from(output.low), i64::from(output.high)) as i8
}

/// What a table makes of an activation: entry 0 is that of −128, entry 255 that of 127.
pub fn lookup(table: &[i8; TABLE_ENTRIES], activation: i8) -> i8 {
    table[usize::from(activation.cast_unsigned() ^ 0x80)]
}

/// The result of the wide layer: shifted and saturated to int32.
pub fn widen(sum: i64, shift: u8) -> i32 {
    (sum >> shift).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// Why an integer layer could overflow the hardware.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OverflowError {
    /// Too many inputs per output for the 32-bit accumulator.
    #[error(
        "{inputs} inputs per output can overflow the 32-bit accumulator with {weight_bits}-bit weights{}; allowed are at most {limit}",
        match zero { 0 => String::new(), zero => format!(" and an input whose zero point is {zero}") }
    )]
    Accumulator {
        /// K, inputs per output.
        inputs: usize,
        /// Bits of a weight.
        weight_bits: WeightBits,
        /// Zero point of the input.
        zero: i8,
        /// Largest K allowed.
        limit: usize,
    },
    /// The sum of product, constant and residual does not fit 48 bits.
    #[error(
        "the output sum of channel {channel} can reach {magnitude}, beyond the 48-bit limit of {limit}"
    )]
    Sum {
        /// Output channel.
        channel: usize,
        /// Largest magnitude of the sum.
        magnitude: i128,
        /// Largest magnitude allowed.
        limit: i64,
    },
    /// A shift, multiplier or bound outside its field.
    #[error("{field} is {value}; allowed is {allowed}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Value found.
        value: i64,
        /// What is allowed.
        allowed: String,
    },
}

/// Largest K with K · 2^(wb−1) · |x − zx| < 2³¹ ([`operand_magnitude`]: 128, or 255 with a zero
/// point): fault-corrupted weights included.
pub fn accumulator_limit(weight_bits: WeightBits, zero: i8) -> usize {
    let per_input = (1usize << (weight_bits.bits() - 1)) * operand_magnitude(zero) as usize;
    ((1usize << 31) - 1) / per_input
}

/// Refuses a layer whose accumulator could overflow, with K and the limit; `zero` is the zero
/// point of its input.
pub fn check_accumulator(
    inputs: usize,
    weight_bits: WeightBits,
    zero: i8,
) -> Result<(), OverflowError> {
    let limit = accumulator_limit(weight_bits, zero);
    if inputs > limit {
        return Err(OverflowError::Accumulator {
            inputs,
            weight_bits,
            zero,
            limit,
        });
    }
    Ok(())
}

/// Refuses scales outside their fields: s in 1..=31, sr <= s, lo <= hi.
pub fn check_scales(output: OutputScale, residual: ResidualScale) -> Result<(), OverflowError> {
    let refuse = |field, value: i64, allowed: String| {
        Err(OverflowError::Field {
            field,
            value,
            allowed,
        })
    };
    if !(1..=MAX_SHIFT).contains(&output.shift) {
        return refuse(
            "shift",
            i64::from(output.shift),
            format!("1 to {MAX_SHIFT}"),
        );
    }
    if residual.shift > output.shift {
        return refuse(
            "residual shift",
            i64::from(residual.shift),
            format!("at most the layer's shift, {}", output.shift),
        );
    }
    if output.low > output.high {
        return refuse(
            "low",
            i64::from(output.low),
            format!("at most high, {}", output.high),
        );
    }
    Ok(())
}

/// Refuses a layer whose sum could leave 48 bits: `accumulator` is the largest
/// |acc| (K · 2^(wb−1) · 128 or 255 for a convolution), scales as [`check_scales`] admits, and
/// `residual_zero` the zero point of the residual operand.
pub fn check_sum(
    accumulator: i64,
    channels: &[ChannelParameters],
    shift: u8,
    residual: ResidualScale,
    residual_zero: i8,
) -> Result<(), OverflowError> {
    let limit = (1i64 << (SUM_BITS - 1)) - 1;
    let residual_magnitude = i128::from(operand_magnitude(residual_zero))
        * i128::from(residual.multiplier).abs()
        * (1i128 << (shift - residual.shift));
    for (channel, p) in channels.iter().enumerate() {
        let product = i128::from(accumulator) * i128::from(p.multiplier).abs();
        let magnitude = product + i128::from(p.bias).abs() + residual_magnitude;
        if magnitude > i128::from(limit) {
            return Err(OverflowError::Sum {
                channel,
                magnitude,
                limit,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: OutputScale = OutputScale {
        shift: 4,
        low: -128,
        high: 127,
    };

    #[test]
    fn negative_halves_round_up_with_the_half_in_the_bias() {
        // -8/16 = -0.5 and 8/16 = 0.5, with the rounding half 8 in b.
        assert_eq!(requantize(-8 + 8, PLAIN), 0);
        assert_eq!(requantize(8 + 8, PLAIN), 1);
        assert_eq!(requantize(-24 + 8, PLAIN), -1);
    }

    #[test]
    fn the_extreme_product_is_positive() {
        let p = ChannelParameters {
            multiplier: -1,
            bias: 0,
        };
        let none = ResidualScale::default();
        assert_eq!(sum(-128 * -128, p, 1, 0i8, none), -16384);
    }

    #[test]
    fn the_wide_result_saturates_on_both_sides() {
        assert_eq!(widen(1 << 40, 1), i32::MAX);
        assert_eq!(widen(-(1 << 40), 1), i32::MIN);
        assert_eq!(widen(-3, 1), -2);
    }

    #[test]
    fn one_input_above_the_limit_is_refused_with_both_numbers() {
        let limit = accumulator_limit(WeightBits::Eight, 0);
        assert_eq!(limit, 131_071);
        assert!(check_accumulator(limit, WeightBits::Eight, 0).is_ok());
        let message = check_accumulator(limit + 1, WeightBits::Eight, 0)
            .unwrap_err()
            .to_string();
        assert!(message.contains("131072") && message.contains("131071"));
        assert_eq!(accumulator_limit(WeightBits::Four, 0), 2_097_151);
    }

    #[test]
    fn a_zero_point_halves_the_inputs_that_are_allowed_and_the_sentence_says_so() {
        let limit = accumulator_limit(WeightBits::Eight, -128);
        // 65,793 · 128 · 255 = 2,147,483,520 < 2^31.
        assert_eq!(limit, 65_793);
        assert!(check_accumulator(limit, WeightBits::Eight, 1).is_ok());
        let error = check_accumulator(limit + 1, WeightBits::Eight, -3).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("zero point is -3"), "{message}");
    }

    #[test]
    fn a_sum_is_refused_exactly_when_it_can_leave_48_bits() {
        let channel = |bias| ChannelParameters {
            multiplier: 0,
            bias,
        };
        let limit = (1i64 << 47) - 1;
        let none = ResidualScale::default();
        assert!(check_sum(0, &[channel(limit)], 1, none, 0).is_ok());
        assert!(check_sum(0, &[channel(-limit)], 1, none, 0).is_ok());
        assert!(check_sum(0, &[channel(limit + 1)], 1, none, 0).is_err());
        let residual = ResidualScale {
            multiplier: 1,
            shift: 0,
        };
        assert!(check_sum(0, &[channel(limit - 256)], 1, residual, 0).is_ok());
        assert!(check_sum(0, &[channel(limit - 255)], 1, residual, 0).is_err());
        assert!(check_sum(0, &[channel(limit - 510)], 1, residual, 7).is_ok());
        assert!(check_sum(0, &[channel(limit - 509)], 1, residual, 7).is_err());
    }

    #[test]
    fn the_identity_passes_every_activation() {
        for x in i8::MIN..=i8::MAX {
            let p = ChannelParameters::identity(14);
            let total = sum(i32::from(x), p, 14, 0i8, ResidualScale::default());
            let scale = OutputScale { shift: 14, ..PLAIN };
            assert_eq!(requantize(total, scale), x);
        }
    }

    #[test]
    fn a_table_is_read_from_the_smallest_activation_to_the_largest() {
        let table = std::array::from_fn(|entry| (255 - entry) as u8 as i8);
        let ends = [-128, -1, 0, 127].map(|x| lookup(&table, x));
        assert_eq!(ends, [-1, -128, 127, 0]);
    }
}
