//! The step of each tensor: what one unit of its integers stands for.
//!
//! No integer says it, and any would do. The input's is its map's. A convolution's is what makes
//! its weights' steps about those of training, which the model has for information; one of any
//! other layer is what makes it pass its input on. All of these are powers of two, so that a
//! multiplier of 16 bits, shifted, is a single-precision number to the last bit. Tensors that a
//! concat joins have one step.

use brownout_golden::model::{IntegerModel, LayerTensors};
use brownout_spec::program::{LayerShapes, Operation};

/// Powers of two that a step has at most and at least, so that products of steps and integers stay
/// far from the ends of single precision.
const LARGEST_EXPONENT: f64 = 30.0;

/// The step of every tensor: the input's, then each layer's output's.
pub(super) fn steps(model: &IntegerModel, shapes: &[LayerShapes]) -> Vec<f64> {
    let groups = joined(model);
    let mut of_group = vec![None; groups.len()];
    let input = f64::from(model.input.step());
    of_group[groups[0]] = Some(input);
    let mut steps = vec![input];
    for (index, layer) in model.network.layers.iter().enumerate() {
        let source = steps[layer.source()];
        let step = *of_group[groups[index + 1]].get_or_insert_with(|| {
            let ratio = ratio(model, index, &shapes[index]).unwrap_or(1.0);
            let exponent = (source * ratio).log2().round();
            exponent.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT).exp2()
        });
        steps.push(step);
    }
    steps
}

/// For each tensor the first of those that concats make it have the step of.
fn joined(model: &IntegerModel) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..=model.network.layers.len()).collect();
    for (index, layer) in model.network.layers.iter().enumerate() {
        if layer.operation != Operation::Concat {
            continue;
        }
        for &part in layer.reads.iter().chain([&(index + 1)]) {
            let (a, b) = (groups[layer.source()], groups[part]);
            let (first, other) = (a.min(b), a.max(b));
            groups.iter_mut().for_each(|group| {
                if *group == other {
                    *group = first;
                }
            });
        }
    }
    groups
}

/// About how many steps of its input one step of a layer's output should be.
fn ratio(model: &IntegerModel, index: usize, shapes: &LayerShapes) -> Option<f64> {
    let tensors = &model.layers[index];
    let layer = &model.network.layers[index];
    let unit = f64::from(layer.output.shift).exp2();
    match layer.operation {
        Operation::Convolution { .. } => of_weights(tensors, unit),
        // What a table makes of its input has nothing to do with its input.
        Operation::Pointwise | Operation::Concat => None,
        Operation::AveragePool { .. } | Operation::GlobalAveragePool => {
            passing(tensors, unit).map(|ratio| ratio / shapes.window.taps() as f64)
        }
        _ => passing(tensors, unit),
    }
}

/// The middle one of some ratios.
fn median(ratios: impl Iterator<Item = f64>) -> Option<f64> {
    let mut ratios: Vec<f64> = ratios.filter(|r| r.is_finite() && *r > 0.0).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied()
}

/// What makes a layer without weights pass its values on.
fn passing(tensors: &LayerTensors, unit: f64) -> Option<f64> {
    let multipliers = tensors.channels.iter().map(|c| c.multiplier);
    median(multipliers.map(|m| unit / f64::from(m.unsigned_abs())))
}

/// What gives the weights of living channels the steps that they had in training.
fn of_weights(tensors: &LayerTensors, unit: f64) -> Option<f64> {
    let scales = tensors.weights.as_ref()?.scales.iter();
    let channels = scales.zip(&tensors.channels);
    median(channels.map(|(&scale, channel)| {
        f64::from(scale) * unit / f64::from(channel.multiplier.unsigned_abs())
    }))
}
