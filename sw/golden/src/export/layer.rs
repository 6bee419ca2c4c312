//! One layer of an integer network, with its tensors.

use super::{ExportError, scale};
use crate::model::{LayerTensors, LayerWeights};
use crate::quantize::ActivationGrid;
use crate::quantized::{QuantizedNetwork, StoredWeights};
use brownout_spec::arithmetic::operand_magnitude;
use brownout_spec::program::{Divisors, Layer, Operation, Padding, Window};
use ndarray::Array4;

/// A layer in integers, which still reads the tensors of the network in floating point.
pub(super) fn computed(
    trained: &QuantizedNetwork,
    index: usize,
    (stored, read): (&StoredWeights, &[Vec<bool>]),
) -> Result<(Layer, LayerTensors), ExportError> {
    let architecture = &trained.model.architecture;
    let mut layer = architecture.network.layers[index].clone();
    let shapes = &architecture.shapes()[index];
    let parameters = trained.model.parameters.layers[index].as_ref();
    let integers = stored.0[index].as_ref();
    let known = &read[index + 1][..];
    let mut table = None;
    let real = match (layer.operation, parameters, integers) {
        (Operation::Convolution { .. }, Some(parameters), Some(integers)) => {
            let known = (integers, known);
            Some(scale::convolution(trained, index, parameters, known)?)
        }
        (Operation::AveragePool { window, counted }, ..) => {
            let divisors = Divisors::new(&window, shapes.input, counted);
            // That there are some was checked.
            let divisors = divisors.map_or(Vec::new(), |divisors| divisors.in_order());
            Some(scale::average(trained, index, &divisors, known))
        }
        (Operation::GlobalAveragePool, ..) => {
            let pixels = shapes.input.pixels();
            Some(scale::average(trained, index, &[pixels], known))
        }
        (Operation::Add { .. }, ..) => Some(scale::add(trained, index)),
        (Operation::Pointwise, ..) => {
            let function = architecture.styles[index].function.clone();
            table = Some(scale::table(trained, index, &function.unwrap_or_default()));
            None
        }
        _ => None,
    };
    // What is moved, or looked up in a table, keeps its zero point until then.
    let source_zero = scale::zero(trained, layer.source());
    let scaled = match real {
        Some(real) => scale::scaled(trained, index, &real)?,
        None if source_zero != 0 && layer.operation != Operation::Concat => {
            // A table is read at the integer itself.
            let zero = match layer.operation {
                Operation::Pointwise => source_zero,
                _ => scale::zero(trained, index + 1),
            };
            let real = scale::moved(shapes.output.channels, zero);
            let mut scaled = scale::scaled(trained, index, &real)?;
            if layer.operation == Operation::Pointwise {
                // The ends are the table's.
                (scaled.output.low, scaled.output.high) = (i8::MIN, i8::MAX);
            }
            scaled
        }
        None => scale::identity(shapes.output.channels),
    };
    match &mut layer.operation {
        Operation::Convolution {
            residual: Some(residual),
            ..
        } => residual.scale = scaled.residual,
        Operation::Add { scale } => *scale = scaled.residual,
        _ => {}
    }
    layer.output = scaled.output;
    layer.zero = scale::zero(trained, index + 1);
    let channels = match layer.operation {
        Operation::Concat => Vec::new(),
        _ => scaled.channels,
    };
    let tensors = LayerTensors {
        channels,
        weights: integers.map(|w| layer_weights(trained, index, w)),
        table,
    };
    Ok((layer, tensors))
}

/// A tensor brought to another grid, without weights.
pub(super) fn copied(
    trained: &QuantizedNetwork,
    tensor: usize,
    to: ActivationGrid,
) -> Result<(Layer, LayerTensors), ExportError> {
    let name = format!("tensor {tensor} requantized");
    let channels = trained.model.architecture.tensor(tensor).channels;
    let from = trained.quantization.activations[tensor].unwrap_or(to);
    let real = scale::copy(from, to, channels);
    let ends = to.stored();
    let bound = operand_magnitude(from.zero());
    let fitted = scale::fitted(&real, (bound, 0), ends, Some(ends));
    let scaled = fitted.ok_or_else(|| ExportError::Scale {
        layer: tensor,
        name: name.clone(),
        multiplier: real.multipliers.first().copied().unwrap_or_default(),
        constant: 0.0,
    })?;
    let layer = Layer {
        name,
        reads: Vec::new(),
        operation: Operation::AveragePool {
            window: Window::square(1, 1, 0),
            counted: Padding::NONE,
        },
        output: scaled.output,
        zero: to.zero(),
    };
    let tensors = LayerTensors {
        channels: scaled.channels,
        weights: None,
        table: None,
    };
    Ok((layer, tensors))
}

fn layer_weights(trained: &QuantizedNetwork, index: usize, integers: &Array4<i8>) -> LayerWeights {
    LayerWeights {
        // From [output][row][column][input] to the image's index order.
        integers: integers
            .view()
            .permuted_axes([0, 3, 1, 2])
            .as_standard_layout()
            .into_owned(),
        scales: scale::weight_steps(trained, index, integers).unwrap_or_default(),
    }
}
