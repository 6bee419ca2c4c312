//! The step of each tensor: what one unit of its integers stands for.
//!
//! No integer says it, and any would do. The input's is its map's; a layer's is what makes its
//! weights' steps those of training, as the model has them for information. Tensors that a concat
//! joins, or that a layer only moves, have one step.

use brownout_golden::model::{IntegerModel, LayerTensors};
use brownout_spec::program::{LayerShapes, Operation};

/// The step of every tensor: the input's, then each layer's output's.
pub(super) fn steps(model: &IntegerModel, shapes: &[LayerShapes]) -> Vec<f64> {
    let mut steps = vec![f64::from(model.input.step())];
    for (index, layer) in model.network.layers.iter().enumerate() {
        let tensors = &model.layers[index];
        let source = steps[layer.source()];
        let unit = f64::from(layer.output.shift).exp2();
        steps.push(match layer.operation {
            Operation::Convolution { .. } => source * of_weights(tensors, unit).unwrap_or(1.0),
            Operation::Concat => source,
            Operation::AveragePool { .. } | Operation::GlobalAveragePool => {
                let taps = shapes[index].window.taps() as f64;
                source * common(tensors, unit).map_or(1.0, |m| 1.0 / (m * taps))
            }
            _ => source * common(tensors, unit).map_or(1.0, |m| 1.0 / m),
        });
    }
    share(model, &mut steps);
    steps
}

/// The multiplier of all channels, if they have one and it is positive.
fn common(tensors: &LayerTensors, unit: f64) -> Option<f64> {
    let first = tensors.channels.first()?.multiplier;
    let same = tensors.channels.iter().all(|c| c.multiplier == first);
    (same && first > 0).then(|| f64::from(first) / unit)
}

/// Step of the output, in steps of the input, that gives a channel's weights their own step: the
/// middle one of all living channels.
fn of_weights(tensors: &LayerTensors, unit: f64) -> Option<f64> {
    let scales = tensors.weights.as_ref()?.scales.iter();
    let channels = scales.zip(&tensors.channels);
    let mut steps: Vec<f64> = channels
        .filter(|(_, channel)| channel.multiplier != 0)
        .map(|(&scale, channel)| {
            f64::from(scale) * unit / f64::from(channel.multiplier.unsigned_abs())
        })
        .filter(|step| step.is_finite() && *step > 0.0)
        .collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied()
}

/// Gives all tensors of a concat, and the concat, one step.
///
/// Parts are convolutions' or sums', whose steps are free, or were rounded to one grid already.
fn share(model: &IntegerModel, steps: &mut [f64]) {
    for (index, layer) in model.network.layers.iter().enumerate() {
        if layer.operation == Operation::Concat {
            let step = steps[layer.source()];
            for &part in &layer.reads {
                steps[part] = step;
            }
            steps[index + 1] = step;
        }
    }
}
