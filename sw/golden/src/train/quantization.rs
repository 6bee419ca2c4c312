//! Symmetric rounded weights, and the code's range constraint.
//!
//! A layer's scales are chosen once, when quantization begins, and then stay: a
//! scale that followed the largest weight would shrink with every throttling and
//! pull the whole layer down with it. The scale is the one with the smallest
//! squared error *within each weight's own range*, so a constrained layer gets
//! the compromise between clipping its constrained weights and rounding all.

use super::options::Granularity;
use crate::quantize::uniform::{Ties, nearest};
use brownout_spec::code::Code;
use ndarray::{Array4, ArrayView4, Axis};

/// Candidates for a scale, as shares of the one that clips nothing.
const CANDIDATES: usize = 60;

/// One scale per output channel; all equal if they are per tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightScales(pub Vec<f32>);

/// Weights rounded to integers, and the float values they stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedWeights {
    /// `[output][kernel row][kernel column][input]`.
    pub integers: Array4<i8>,
    /// Integers times scale.
    pub values: Array4<f32>,
}

/// The range of each output channel under a code.
///
/// Unconstrained weights use [-127, 127] ([-7, 7]), since the quantizer is symmetric.
/// A constrained weight uses all of [-64, 63] ([-4, 3]): it has a bit less to lose.
pub fn allowed_ranges(code: &Code, outputs: usize) -> Vec<(i8, i8)> {
    (0..outputs)
        .map(|output| {
            let (low, high) = code.allowed_range_of_channel(output);
            let constrained = code.is_constrained(output % code.weights_per_word());
            (if constrained { low } else { -high }, high)
        })
        .collect()
}

impl WeightScales {
    /// The scales with the smallest squared error for these weights and ranges.
    pub fn choose(weight: &Array4<f32>, ranges: &[(i8, i8)], granularity: Granularity) -> Self {
        let outputs = weight.dim().0;
        match granularity {
            Granularity::Tensor => Self(vec![best_scale(weight.view(), ranges); outputs]),
            Granularity::Channel => Self(
                weight
                    .axis_chunks_iter(Axis(0), 1)
                    .zip(ranges.chunks(1))
                    .map(|(weight, range)| best_scale(weight, range))
                    .collect(),
            ),
        }
    }

    /// Brings every weight into its range, as WOT's throttling does: where the rounded
    /// weight is out of bounds, the float weight is scaled by bound / rounded.
    ///
    /// Returns how many weights were changed.
    pub fn throttle(&self, weight: &mut Array4<f32>, ranges: &[(i8, i8)]) -> usize {
        let mut changed = 0;
        for ((mut weight, &scale), &(low, high)) in weight.outer_iter_mut().zip(&self.0).zip(ranges)
        {
            let (low, high) = (f32::from(low), f32::from(high));
            for w in &mut weight {
                let rounded = (*w / scale).round();
                if rounded < low || rounded > high {
                    *w *= rounded.clamp(low, high) / rounded;
                    changed += 1;
                }
            }
        }
        changed
    }

    /// Rounds weights that are in range; others are clipped.
    pub fn quantize(&self, weight: &Array4<f32>, ranges: &[(i8, i8)]) -> QuantizedWeights {
        let mut integers = Array4::zeros(weight.dim());
        let mut values = Array4::zeros(weight.dim());
        for (output, w) in weight.outer_iter().enumerate() {
            let (scale, bounds) = (self.0[output], float_bounds(ranges[output]));
            let mut codes = integers.index_axis_mut(Axis(0), output);
            let mut reals = values.index_axis_mut(Axis(0), output);
            for ((code, real), w) in codes.iter_mut().zip(&mut reals).zip(&w) {
                let rounded = nearest(*w, scale, bounds, Ties::AwayFromZero);
                *code = rounded as i8;
                *real = rounded * scale;
            }
        }
        QuantizedWeights { integers, values }
    }
}

fn float_bounds((low, high): (i8, i8)) -> (f32, f32) {
    (f32::from(low), f32::from(high))
}

fn best_scale(weight: ArrayView4<'_, f32>, ranges: &[(i8, i8)]) -> f32 {
    // The scale that clips nothing, and where all weights are zero any scale.
    let widest = weight
        .outer_iter()
        .zip(ranges)
        .map(|(w, &(_, high))| w.iter().fold(0.0f32, |m, x| m.max(x.abs())) / f32::from(high))
        .fold(0.0, f32::max);
    if widest == 0.0 {
        return 1.0;
    }
    let error = |scale: f32| -> f64 {
        weight
            .outer_iter()
            .zip(ranges)
            .map(|(w, &range)| {
                let bounds = float_bounds(range);
                w.iter()
                    .map(|&x| {
                        let stored = nearest(x, scale, bounds, Ties::AwayFromZero) * scale;
                        f64::from(x - stored).powi(2)
                    })
                    .sum::<f64>()
            })
            .sum()
    };
    (1..=CANDIDATES)
        .map(|i| widest * i as f32 / CANDIDATES as f32)
        .map(|scale| (error(scale), scale))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(widest, |best| best.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_spec::code::CodeName;
    use brownout_spec::config::WeightBits;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn random_weights(outputs: usize) -> Array4<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        Array4::from_shape_simple_fn((outputs, 3, 3, 4), || random.random_range(-1.0..1.0))
    }

    #[test]
    fn throttling_leaves_no_constrained_weight_out_of_range() {
        for (name, bits) in [
            (CodeName::Inplace64_57, WeightBits::Eight),
            (CodeName::Inplace64_57, WeightBits::Four),
            (CodeName::Inplace32_26, WeightBits::Four),
        ] {
            let code = Code::new(name, bits);
            let ranges = allowed_ranges(&code, 21);
            for granularity in [Granularity::Tensor, Granularity::Channel] {
                let mut weight = random_weights(21);
                let scales = WeightScales::choose(&weight, &ranges, granularity);
                // Larger weights than those the scale was chosen for.
                weight *= 3.0;
                assert!(scales.throttle(&mut weight, &ranges) > 0);
                let before = weight.clone();
                assert_eq!(scales.throttle(&mut weight, &ranges), 0, "{name} {bits}");
                assert_eq!(weight, before);
                let quantized = scales.quantize(&weight, &ranges);
                for ((output, ..), &q) in quantized.integers.indexed_iter() {
                    let (low, high) = code.allowed_range_of_channel(output);
                    assert!((low..=high).contains(&q), "channel {output} stores {q}");
                }
            }
        }
    }

    #[test]
    fn constrained_channels_follow_the_code_and_not_the_array() {
        let code = Code::new(CodeName::Inplace64_57, WeightBits::Eight);
        let ranges = allowed_ranges(&code, 16);
        assert_eq!(ranges[6], (-64, 63));
        assert_eq!(ranges[7], (-127, 127));
        assert_eq!(ranges[14], (-64, 63));
        assert_eq!(ranges[15], (-127, 127));
    }

    #[test]
    fn rounding_at_eight_bits_errs_by_at_most_half_a_step() {
        let weight = random_weights(8);
        let ranges = allowed_ranges(&Code::new(CodeName::None, WeightBits::Eight), 8);
        let scales = WeightScales::choose(&weight, &ranges, Granularity::Tensor);
        let quantized = scales.quantize(&weight, &ranges);
        let largest = weight.iter().fold(0.0f32, |m, w| m.max(w.abs()));
        for (w, v) in weight.iter().zip(&quantized.values) {
            assert!((w - v).abs() <= largest / 127.0, "{w} became {v}");
        }
    }

    #[test]
    fn a_layer_of_zeros_has_a_scale() {
        let zeros = Array4::zeros((3, 1, 1, 2));
        let scales = WeightScales::choose(&zeros, &[(-127, 127); 3], Granularity::Channel);
        assert_eq!(scales, WeightScales(vec![1.0; 3]));
    }
}
