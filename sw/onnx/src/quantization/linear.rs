//! `QuantizeLinear` and `DequantizeLinear` of ONNX.

use super::of_channel;
use crate::tensor::Element;

/// Scale, zero point and type between numbers and integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Value of a step; one for all or one for each channel.
    pub scale: Vec<f32>,
    /// Integer of the value 0; one for all or one for each channel.
    pub zero_point: Vec<i64>,
    /// Type of the integers.
    pub element: Element,
}

impl Linear {
    /// The integer of a value: the quotient in single precision, rounded half to even,
    /// then the zero point, then saturation.
    pub fn quantize(&self, x: f32, channel: usize) -> f32 {
        let (low, high) = self.element.range();
        let zero = of_channel(&self.zero_point, channel) as f32;
        let quotient = (x / of_channel(&self.scale, channel)).round_ties_even();
        (quotient + zero).clamp(low as f32, high as f32)
    }

    /// The value of an integer, which is exact in single precision up to 2²⁴; the zero
    /// point is subtracted before the type could wrap around.
    pub fn dequantize(&self, q: f32, channel: usize) -> f32 {
        let zero = of_channel(&self.zero_point, channel) as f32;
        (q - zero) * of_channel(&self.scale, channel)
    }

    /// The value of an integer of up to 64 bits.
    pub fn dequantize_integer(&self, q: i64, channel: usize) -> f32 {
        let zero = of_channel(&self.zero_point, channel);
        q.saturating_sub(zero) as f32 * of_channel(&self.scale, channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(scale: f32, zero: i64, element: Element) -> Linear {
        Linear {
            scale: vec![scale],
            zero_point: vec![zero],
            element,
        }
    }

    #[test]
    fn quantizing_divides_rounds_to_even_adds_the_zero_point_and_saturates() {
        // Computed by onnxruntime 1.32.0.
        let cases = [
            (45.5, 7.0, 0, Element::U8, 6.0),
            (0.5, 1.0, 1, Element::U8, 1.0),
            (1.5, 1.0, 1, Element::U8, 3.0),
            (-5.0, 1.0, 0, Element::U8, 0.0),
            (300.0, 1.0, 0, Element::U8, 255.0),
            (f32::INFINITY, 1.0, 0, Element::I8, 127.0),
            (-300.0, 1.0, 0, Element::I8, -128.0),
            (100.0, 1.0, 0, Element::I4, 7.0),
            (100.0, 1.0, 0, Element::U2, 3.0),
        ];
        for (x, scale, zero, element, q) in cases {
            let found = linear(scale, zero, element).quantize(x, 0);
            assert_eq!(found, q, "{x} / {scale} + {zero} as {element}");
        }
    }

    #[test]
    fn a_zero_point_is_subtracted_in_more_than_eight_bits() {
        assert_eq!(linear(0.5, 128, Element::U8).dequantize(0.0, 0), -64.0);
        assert_eq!(
            linear(1.0, 0, Element::I32).dequantize_integer(16_777_217, 0),
            16_777_216.0
        );
    }
}
