//! The integers of a layer's output formula: multipliers, constants and the shift that all share.
//!
//! The largest shift is the finest, and the largest multiplier decides it. So only
//! channels that compute something have one: a channel whose stored weights are all zero
//! multiplies nothing, whatever its batch norm says, and its constant carries the result; and one
//! that nobody reads gives zero.

use super::ExportError;
use crate::model::accumulator_bound;
use crate::network::{Function, LayerParameters};
use crate::quantize::ActivationGrid;
use crate::quantized::{QuantizedNetwork, StoredWeights};
use brownout_spec::arithmetic::{
    ChannelParameters, MAX_SHIFT, OutputScale, ResidualScale, TABLE_ENTRIES, check_sum,
    operand_magnitude,
};
use ndarray::{Array4, ArrayView3, Axis};

/// Shift of a max pool, whose output is its accumulator.
const IDENTITY_SHIFT: u8 = 14;
/// Magnitude that a constant stays below; beyond, its cast could saturate.
const LARGEST_CONSTANT: f64 = (1u64 << 46) as f64;

/// The real numbers that a layer's integers stand for.
#[derive(Clone, Debug)]
pub struct RealScale {
    /// Output units per unit of the accumulator, for each channel.
    pub multipliers: Vec<f64>,
    /// Constant in output units, for each channel.
    pub constants: Vec<f64>,
    /// Output units per unit of the residual operand.
    pub residual: Option<f64>,
}

/// What a layer shares, what each of its channels has, and its residual operand's scale.
#[derive(Clone, Debug)]
pub struct Scaled {
    /// The shift, and the bounds of stored integers.
    pub output: OutputScale,
    /// Multiplier and constant of each channel; the constant has the rounding half in it.
    pub channels: Vec<ChannelParameters>,
    /// Scale of the second tensor, 0 where there is none.
    pub residual: ResidualScale,
}

/// A layer that passes its accumulators on.
pub(super) fn identity(channels: usize) -> Scaled {
    Scaled {
        output: OutputScale {
            shift: IDENTITY_SHIFT,
            low: i8::MIN,
            high: i8::MAX,
        },
        channels: vec![ChannelParameters::identity(IDENTITY_SHIFT); channels],
        residual: ResidualScale::default(),
    }
}

/// The mean over a map, or over windows, with the norm or the scale behind it: one set of scales
/// for each of the divisors. Of one with
/// such, channels that are not in `read` give zero.
pub(super) fn average(
    trained: &QuantizedNetwork,
    index: usize,
    divisors: &[usize],
    read: &[bool],
) -> RealScale {
    let source = trained.model.architecture.source(index);
    let input = step(trained, source).unwrap_or(1.0);
    let parameters = trained.model.parameters.layers[index].as_ref();
    let epsilon = epsilon(trained, index);
    let maps: Vec<(f64, f64)> = read
        .iter()
        .enumerate()
        .map(|(c, read)| match parameters {
            None => (1.0, 0.0),
            Some(_) if !read => (0.0, 0.0),
            Some(parameters) => affine(parameters, c, epsilon),
        })
        .collect();
    // Results have the unit of the coarsest mean of one value.
    let steepest = maps.iter().fold(0.0, |most: f64, (m, _)| most.max(m.abs()));
    let output = step(trained, index + 1).unwrap_or(match steepest {
        0.0 => input,
        steepest => input * steepest,
    });
    let sets = divisors.iter().flat_map(|&divisor| {
        let unit = input / output / divisor as f64;
        maps.iter().map(move |(slope, _)| slope * unit)
    });
    let zero = f64::from(zero(trained, index + 1));
    let constants = maps.iter().map(|(_, shift)| shift / output + zero);
    RealScale {
        multipliers: sets.collect(),
        constants: constants
            .cycle()
            .take(divisors.len() * maps.len())
            .collect(),
        residual: None,
    }
}

/// What a channel's value in front of its norm, or of its gain, is multiplied with, and what is
/// added then.
fn affine(parameters: &LayerParameters, channel: usize, epsilon: Option<f64>) -> (f64, f64) {
    let bias = f64::from(parameters.bias[channel]);
    let gain = match &parameters.gain {
        None => return (1.0, bias),
        Some(gain) => f64::from(gain[channel]),
    };
    let Some(epsilon) = epsilon else {
        return (gain, bias);
    };
    let variance = f64::from(parameters.variance[channel]) + epsilon;
    let slope = gain / variance.sqrt();
    let offset = parameters.offset.as_ref();
    let offset = offset.map_or(0.0, |o| f64::from(o[channel]));
    let centre = f64::from(parameters.mean[channel]);
    (slope, bias + (offset - centre) * slope)
}

/// ε of a layer that has moments.
fn epsilon(trained: &QuantizedNetwork, index: usize) -> Option<f64> {
    let style = &trained.model.architecture.styles[index];
    (style.has_moments()).then(|| f64::from(style.epsilon.value()))
}

/// A tensor on another grid.
pub(super) fn copy(from: ActivationGrid, to: ActivationGrid, channels: usize) -> RealScale {
    RealScale {
        multipliers: vec![f64::from(from.step) / f64::from(to.step); channels],
        constants: vec![to.zero().into(); channels],
        residual: None,
    }
}

/// What only moves values, or looks them up, with this constant behind it.
pub(super) fn moved(channels: usize, constant: i8) -> RealScale {
    RealScale {
        multipliers: vec![1.0; channels],
        constants: vec![constant.into(); channels],
        residual: None,
    }
}

/// The sum of two tensors.
pub(super) fn add(trained: &QuantizedNetwork, index: usize) -> RealScale {
    let architecture = &trained.model.architecture;
    let channels = architecture.shapes()[index].output.channels;
    let reads = &architecture.network.layers[index].reads;
    let [first, second] = [0, 1].map(|k| step(trained, reads[k]).unwrap_or(1.0));
    // The results' unit is that of the coarser tensor.
    let output = step(trained, index + 1).unwrap_or(first.max(second));
    RealScale {
        multipliers: vec![first / output; channels],
        constants: vec![zero(trained, index + 1).into(); channels],
        residual: Some(second / output),
    }
}

/// What a pointwise layer makes of each activation: its function and bounds on the grids of its
/// input and output, halves rounded up. Results, which have no grid, reach from −127 to 127.
pub(super) fn table(
    trained: &QuantizedNetwork,
    index: usize,
    function: &Function,
) -> [i8; TABLE_ENTRIES] {
    let architecture = &trained.model.architecture;
    let input = step(trained, architecture.source(index)).unwrap_or(1.0);
    let ends = architecture.styles[index].bounds;
    let from = 128.0 + f64::from(zero(trained, architecture.source(index)));
    let to = f64::from(zero(trained, index + 1));
    let values: [f64; TABLE_ENTRIES] = std::array::from_fn(|entry| {
        let value = function.value((entry as f64 - from) * input);
        value.clamp(ends.low().into(), ends.high().into())
    });
    let most = values.iter().filter(|v| v.is_finite());
    let most = most.fold(0.0, |most: f64, v| most.max(v.abs()));
    let output = step(trained, index + 1).unwrap_or(match most {
        0.0 => 1.0,
        most => most / f64::from(i8::MAX),
    });
    let (low, high) = bounds(trained, index);
    values.map(|value| {
        let steps = (value / output + 0.5).floor() + to;
        // What is no number, where the function has none, becomes zero.
        let steps = if steps.is_nan() { to } else { steps };
        steps.clamp(low.into(), high.into()) as i8
    })
}

/// Of each tensor which channels have a part in the results, with these stored weights.
pub(super) fn read_channels(trained: &QuantizedNetwork, stored: &StoredWeights) -> Vec<Vec<bool>> {
    let reads = |layer: usize, output, input| {
        let integers: Option<&Array4<i8>> = stored.0[layer].as_ref();
        integers.is_some_and(|integers| {
            let of: ArrayView3<'_, i8> = integers.index_axis(Axis(0), output);
            of.index_axis(Axis(2), input).iter().any(|&w| w != 0)
        })
    };
    trained.model.architecture.read_channels(reads)
}

/// A convolution with what follows it, whose weights are stored as `integers` and of whose output
/// channels those in `read` have a part in the results; the others give zero.
pub(super) fn convolution(
    trained: &QuantizedNetwork,
    index: usize,
    parameters: &LayerParameters,
    (integers, read): (&Array4<i8>, &[bool]),
) -> Result<RealScale, ExportError> {
    let source = trained.model.architecture.source(index);
    let input = step(trained, source).unwrap_or(1.0);
    let steps = weight_steps(trained, index, integers).ok_or_else(|| ExportError::Grid {
        layer: index,
        name: trained.model.architecture.network.layers[index]
            .name
            .clone(),
    })?;
    let epsilon = epsilon(trained, index);
    // Per channel the real value of an accumulator's unit, and the constant.
    let channel = |c: usize| {
        if !read[c] {
            return (0.0, 0.0);
        }
        let unit = match is_dead(integers, c) {
            true => 0.0,
            false => input * f64::from(steps[c]),
        };
        let (slope, shift) = affine(parameters, c, epsilon);
        (unit * slope, shift)
    };
    let (mut multipliers, mut constants): (Vec<f64>, Vec<f64>) =
        (0..steps.len()).map(channel).unzip();
    // The last layer's unit is that of its coarsest accumulator.
    let coarsest = multipliers
        .iter()
        .fold(0.0, |most: f64, m| most.max(m.abs()));
    let output = step(trained, index + 1).unwrap_or(match coarsest {
        0.0 => 1.0,
        coarsest => coarsest,
    });
    let values = multipliers.iter_mut().chain(&mut constants);
    values.for_each(|value| *value /= output);
    let zero = f64::from(zero(trained, index + 1));
    constants.iter_mut().for_each(|constant| *constant += zero);
    let residual = trained.model.architecture.residual(index);
    Ok(RealScale {
        multipliers,
        constants,
        residual: residual.map(|(from, _)| step(trained, from).unwrap_or(1.0) / output),
    })
}

/// Whether an output channel's stored weights are all zero, so that it computes nothing.
pub(super) fn is_dead(integers: &Array4<i8>, channel: usize) -> bool {
    integers
        .index_axis(Axis(0), channel)
        .iter()
        .all(|&w| w == 0)
}

/// The step of each output channel's weights, if the grids have steps; a channel of zeros has the
/// least of the others', since its own means nothing.
pub(super) fn weight_steps(
    trained: &QuantizedNetwork,
    index: usize,
    integers: &Array4<i8>,
) -> Option<Vec<f32>> {
    let grid = trained.quantization.grids[index].as_ref()?;
    let mut steps = grid.steps(integers.dim().0)?;
    let living = (0..steps.len()).filter(|&c| !is_dead(integers, c));
    if let Some(least) = living.map(|c| steps[c]).min_by(f32::total_cmp) {
        for (channel, step) in steps.iter_mut().enumerate() {
            if is_dead(integers, channel) {
                *step = least;
            }
        }
    }
    Some(steps)
}

fn step(trained: &QuantizedNetwork, tensor: usize) -> Option<f64> {
    trained.quantization.activations[tensor].map(|grid| f64::from(grid.step))
}

/// The zero point of a tensor's stored integers; results have none.
pub(super) fn zero(trained: &QuantizedNetwork, tensor: usize) -> i8 {
    trained.quantization.activations[tensor].map_or(0, |grid| grid.zero())
}

/// The smallest and largest integer of a layer's output: what its own bounds become on its grid.
fn bounds(trained: &QuantizedNetwork, index: usize) -> (i8, i8) {
    let Some(grid) = trained.quantization.activations[index + 1] else {
        let output = trained.model.architecture.network.layers[index].output;
        return (output.low, output.high);
    };
    let (least, most) = grid.stored();
    let zero = f64::from(grid.zero());
    let bounds = trained.model.architecture.styles[index].bounds;
    let on_grid = |end: f32| {
        let nearest = (f64::from(end) / f64::from(grid.step) + 0.5).floor() + zero;
        nearest.clamp(f64::from(least), f64::from(most)) as i8
    };
    (on_grid(bounds.low()), on_grid(bounds.high()))
}

/// The largest shift at which everything fits, and the integers at that shift.
pub(super) fn scaled(
    trained: &QuantizedNetwork,
    index: usize,
    real: &RealScale,
) -> Result<Scaled, ExportError> {
    let layer = &trained.model.architecture.network.layers[index];
    let shapes = &trained.model.architecture.shapes()[index];
    let bound = accumulator_bound(
        &layer.operation,
        shapes,
        trained.quantization.width.lane(),
        zero(trained, layer.source()),
    );
    let second = layer.operation.operand_scale();
    let second = second.map_or(0, |_| zero(trained, layer.reads[1]));
    let (low, high) = bounds(trained, index);
    // The last layer's results are not clamped.
    let clamped = trained.quantization.activations[index + 1].map(|_| (low, high));
    fitted(real, (bound, second), (low, high), clamped).ok_or_else(|| {
        let largest = |values: &[f64]| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        ExportError::Scale {
            layer: index,
            name: layer.name.clone(),
            multiplier: largest(&real.multipliers),
            constant: largest(&real.constants),
        }
    })
}

/// The largest shift at which everything fits, and the integers at that shift; `None` where there
/// is none, or a number is not finite.
///
/// Accumulators reach up to `bound` in magnitude, and `operand_zero` is the zero point of the
/// second tensor, if there is one. `low` and `high` are the layer's bounds, which count into the
/// choice where its output is `clamped` to them: all but the last layer's is.
pub fn fitted(
    real: &RealScale,
    (bound, operand_zero): (i64, i8),
    (low, high): (i8, i8),
    clamped: Option<(i8, i8)>,
) -> Option<Scaled> {
    let numbers = real.multipliers.iter().chain(&real.constants);
    if !numbers
        .chain(&real.residual)
        .all(|number| number.is_finite())
    {
        return None;
    }
    let operand = operand_magnitude(operand_zero) as f64;
    for shift in (1..=MAX_SHIFT).rev() {
        let Some(channels) = channels_at(real, shift, (bound, operand), clamped) else {
            continue;
        };
        let Some(residual) = residual_at(real.residual, shift) else {
            continue;
        };
        if check_sum(bound, &channels, shift, residual, operand_zero).is_err() {
            continue;
        }
        return Some(Scaled {
            output: OutputScale { shift, low, high },
            channels,
            residual,
        });
    }
    None
}

/// Multipliers and constants at a shift, unless one has no place.
///
/// Where the output is `clamped`, a constant beyond everything that `bound` and the residual
/// operand of that magnitude can bring back says no more than that the output is at its end: it is drawn
/// in, so that it costs no resolution.
fn channels_at(
    real: &RealScale,
    shift: u8,
    (bound, operand): (i64, f64),
    clamped: Option<(i8, i8)>,
) -> Option<Vec<ChannelParameters>> {
    let unit = f64::from(shift).exp2();
    let half = 1i64 << (shift - 1);
    // Twice, for what rounding its multiplier adds.
    let operand = 2.0 * operand * real.residual.unwrap_or(0.0).abs();
    let channels = real.multipliers.iter().zip(&real.constants);
    channels
        .map(|(m, b)| {
            let multiplier = fit_i16(m * unit)?;
            let reach = bound as f64 * f64::from(multiplier).abs() / unit + operand + 1.0;
            let b = clamped.map_or(*b, |(low, high)| {
                b.clamp(f64::from(low) - reach, f64::from(high) + reach)
            });
            let bias = (b * unit).round();
            (bias.abs() < LARGEST_CONSTANT).then_some(ChannelParameters {
                multiplier,
                bias: bias as i64 + half,
            })
        })
        .collect()
}

/// The finest residual multiplier at a shift; without an operand, zero.
fn residual_at(ratio: Option<f64>, shift: u8) -> Option<ResidualScale> {
    let Some(ratio) = ratio else {
        return Some(ResidualScale::default());
    };
    (0..=shift).rev().find_map(|shift| {
        let multiplier = fit_i16(ratio * f64::from(shift).exp2())?;
        Some(ResidualScale { multiplier, shift })
    })
}

/// Rounds to a 16-bit multiplier of magnitude at most 32767.
fn fit_i16(value: f64) -> Option<i16> {
    let rounded = value.round();
    (rounded.abs() <= f64::from(i16::MAX)).then_some(rounded as i16)
}
