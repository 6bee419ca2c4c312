//! `Quant`, `BipolarQuant` and `Trunc` of QONNX.

use super::{Rounding, of_channel};

/// `Quant`, also written `IntQuant`.
#[derive(Clone, Debug, PartialEq)]
pub struct IntQuant {
    /// Value of a step; one for all or one for each channel.
    pub scale: Vec<f32>,
    /// What is added before rounding; one for all or one for each channel.
    pub zero_point: Vec<f32>,
    /// Width of the integers, which need not be whole.
    pub bits: f32,
    /// Whether the integers have a sign.
    pub signed: bool,
    /// Whether the range is one narrower: at the bottom with a sign, at the top without.
    pub narrow: bool,
    /// How the clamped quotient is rounded.
    pub rounding: Rounding,
}

/// Smallest and largest integer of a width.
fn range(bits: f32, signed: bool, narrow: bool) -> (f32, f32) {
    let narrower = if narrow { 1.0 } else { 0.0 };
    match signed {
        true => {
            let half = 2f32.powf(bits - 1.0);
            (narrower - half, half - 1.0)
        }
        false => (0.0, 2f32.powf(bits) - 1.0 - narrower),
    }
}

impl IntQuant {
    /// Bounds before rounding; where the width is not whole they are none either.
    pub fn range(&self) -> (f32, f32) {
        range(self.bits, self.signed, self.narrow)
    }

    /// The integer of a value: divided, the zero point added, clamped, then rounded. Of
    /// one bit with a sign it is -1 or 1.
    pub fn quantize(&self, x: f32, channel: usize) -> f32 {
        let quotient = x / of_channel(&self.scale, channel);
        let shifted = quotient + of_channel(&self.zero_point, channel);
        if self.is_bipolar() {
            return if shifted >= 0.0 { 1.0 } else { -1.0 };
        }
        let (low, high) = self.range();
        // Not `clamp`, which panics on bounds in the wrong order.
        self.rounding.apply(shifted.min(high).max(low))
    }

    /// The value of an integer.
    pub fn dequantize(&self, q: f32, channel: usize) -> f32 {
        (q - of_channel(&self.zero_point, channel)) * of_channel(&self.scale, channel)
    }

    /// Whether the only integers are -1 and 1.
    pub fn is_bipolar(&self) -> bool {
        self.signed && self.bits == 1.0
    }
}

/// `BipolarQuant`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bipolar {
    /// Value of the integer 1; one for all or one for each channel.
    pub scale: Vec<f32>,
}

impl Bipolar {
    /// 1 from zero on, -1 below.
    pub fn quantize(x: f32) -> f32 {
        if x >= 0.0 { 1.0 } else { -1.0 }
    }

    /// The value of an integer.
    pub fn dequantize(&self, q: f32, channel: usize) -> f32 {
        q * of_channel(&self.scale, channel)
    }
}

/// `Trunc`, which drops low bits as an average pool in integers does.
#[derive(Clone, Debug, PartialEq)]
pub struct Trunc {
    /// Value of a step at the input; one for all or one for each channel.
    pub scale: Vec<f32>,
    /// Zero point at the input; one for all or one for each channel.
    pub zero_point: Vec<f32>,
    /// Width at the input.
    pub bits_in: f32,
    /// Width at the output.
    pub bits_out: f32,
    /// How the rest is rounded.
    pub rounding: Rounding,
    /// What version 2 adds; `None` for version 1, which keeps the scale.
    pub second: Option<TruncSecond>,
}

/// What version 2 of `Trunc` has beyond version 1.
#[derive(Clone, Debug, PartialEq)]
pub struct TruncSecond {
    /// Value of a step at the output; the ratio to the input's counts as the nearest
    /// power of two.
    pub scale_out: Vec<f32>,
    /// Whether the integers at the output have a sign.
    pub signed: bool,
    /// Whether their range is one narrower.
    pub narrow: bool,
}

impl Trunc {
    /// The value behind the node.
    pub fn apply(&self, x: f32, channel: usize) -> f32 {
        let scale = of_channel(&self.scale, channel);
        let zero = of_channel(&self.zero_point, channel);
        let whole = (x / scale + zero).round_ties_even();
        match &self.second {
            None => {
                let step = 2f32.powf(self.bits_in - self.bits_out);
                (self.rounding.apply(whole / step) - zero) * scale
            }
            Some(second) => {
                let scale_out = of_channel(&second.scale_out, channel);
                let step = 2f32.powf((scale_out / scale).log2().round_ties_even());
                let (low, high) = range(self.bits_out, second.signed, second.narrow);
                let kept = self.rounding.apply((whole / step).min(high).max(low));
                (kept - zero / step) * scale_out
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quant(bits: f32, signed: bool, narrow: bool, zero: f32) -> IntQuant {
        IntQuant {
            scale: vec![1.0],
            zero_point: vec![zero],
            bits,
            signed,
            narrow,
            rounding: Rounding::HalfEven,
        }
    }

    // Numbers computed by qonnx 1.0.0.

    #[test]
    fn the_zero_point_is_added_before_rounding() {
        let odd = quant(8.0, false, false, 1.0);
        assert_eq!(odd.quantize(0.5, 0), 2.0);
        assert_eq!(odd.dequantize(2.0, 0), 1.0);
    }

    #[test]
    fn ranges_may_be_narrow_without_a_sign_and_widths_fractional() {
        assert_eq!(quant(8.0, false, true, 0.0).quantize(300.0, 0), 254.0);
        assert_eq!(quant(8.0, false, false, 0.0).quantize(300.0, 0), 255.0);
        assert_eq!(quant(3.0, true, true, 0.0).quantize(-9.0, 0), -3.0);
        assert_eq!(quant(3.0, true, false, 0.0).quantize(-9.0, 0), -4.0);
        let fractional = quant(3.5, true, false, 0.0);
        assert_eq!(fractional.quantize(100.0, 0), 5.0);
        assert_eq!(fractional.quantize(-100.0, 0), -6.0);
    }

    #[test]
    fn one_bit_with_a_sign_is_minus_one_or_one() {
        let one = quant(1.0, true, false, 0.0);
        assert_eq!([one.quantize(0.0, 0), one.quantize(-0.4, 0)], [1.0, -1.0]);
        assert_eq!(
            [Bipolar::quantize(0.0), Bipolar::quantize(-0.4)],
            [1.0, -1.0]
        );
    }

    #[test]
    fn the_two_versions_of_trunc_differ_in_scale() {
        let first = Trunc {
            scale: vec![1.0],
            zero_point: vec![0.0],
            bits_in: 10.0,
            bits_out: 8.0,
            rounding: Rounding::Floor,
            second: None,
        };
        let second = Trunc {
            second: Some(TruncSecond {
                scale_out: vec![4.0],
                signed: true,
                narrow: false,
            }),
            ..first.clone()
        };
        assert_eq!(
            [first.apply(102.0, 0), second.apply(102.0, 0)],
            [25.0, 100.0]
        );
        assert_eq!(
            [first.apply(-101.0, 0), second.apply(-101.0, 0)],
            [-26.0, -104.0]
        );
    }
}
