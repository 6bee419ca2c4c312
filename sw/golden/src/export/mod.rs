//! From a trained network to an integer model.
//!
//! Every layer becomes y = clamp((acc·m + b + residual) >> s). With steps x of
//! the input, w of the weights and y of the output, and batch norm's gain g,
//! shift β, mean μ and deviation σ, the real output is
//! (acc·x·w·g/σ + β − μ·g/σ) / y: a multiplier, whose sign is the gain's, and a
//! constant. Batch norm never touches the weights.

use crate::model::{
    Accuracy, IntegerModel, LayerTensors, LayerWeights, ModelError, Origin, accumulator_bound,
};
use crate::network::{Architecture, LayerParameters, NORMALIZATION_EPSILON, Norm};
use crate::quantize::{BitWidth, Placement};
use crate::quantized::QuantizedNetwork;
use crate::train::{QuantizerName, TrainingOptions};
use brownout_spec::arithmetic::{
    ChannelParameters, MAX_SHIFT, OutputScale, ResidualScale, check_sum,
};
use brownout_spec::program::Operation;
use ndarray::Array4;
use thiserror::Error;

/// Shift of a max pool, whose output is its accumulator.
const IDENTITY_SHIFT: u8 = 14;

/// Why a trained network has no integer form.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ExportError {
    /// A layer's multiplier or constant fits no shift.
    #[error(
        "layer {layer} ({name}): its output scale is too coarse for a 16-bit multiplier and a 48-bit sum at any shift from 1 to {MAX_SHIFT} (largest multiplier {multiplier:e}, largest constant {constant:e})"
    )]
    Scale {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// Largest real multiplier.
        multiplier: f64,
        /// Largest real constant.
        constant: f64,
    },
    /// A layer is normalised over each image.
    #[error(
        "layer {layer} ({name}) has group norm, whose moments depend on the image; allowed in an exported network are batch norm and none"
    )]
    GroupNorm {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
    },
    /// A layer does not read the output of the one before.
    #[error(
        "layer {layer} ({name}) reads tensor {source_tensor} instead of the output of the layer before; allowed in an exported network are chains, with shortcuts that have no parameters"
    )]
    Branch {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// The tensor that it reads.
        source_tensor: usize,
    },
    /// Weights of a width that no hardware has.
    #[error("the weights have {0} bits; allowed in an exported network are 4 and 8")]
    Width(BitWidth),
    /// Weights for other places than those of the weight image.
    #[error(
        "free weights are spread over filters; allowed in an exported network is placement channel, where places are those of output channels"
    )]
    Placement,
    /// Weights on a grid that no hardware has.
    #[error(
        "layer {layer} ({name}) is quantized asymmetrically or with a clamped range; allowed in an exported network are least-error, symmetric, wcat and lsq"
    )]
    Grid {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
    },
    /// A quantizer whose grid no hardware has.
    #[error(
        "quantizer {0} stays in the laboratory; allowed in an exported network are least-error, symmetric, wcat and lsq"
    )]
    Quantizer(QuantizerName),
    /// Activations that have no integers.
    #[error(
        "tensor {tensor} is in floating point; in an exported network all activations are rounded (`export` of a checkpoint observes their ranges)"
    )]
    Activations {
        /// Index of the tensor; 0 is the input.
        tensor: usize,
    },
    /// Activations that need nine bits.
    #[error(
        "tensor {tensor} has activations up to {high}; allowed in an exported network is up to 127, so unsigned ones of at most 7 bits"
    )]
    Codes {
        /// Index of the tensor; 0 is the input.
        tensor: usize,
        /// Its largest integer.
        high: i16,
    },
    /// The result breaks a rule of integer models.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// The real numbers that a layer's integers stand for.
struct RealScale {
    /// Output units per unit of the accumulator, for each channel.
    multipliers: Vec<f64>,
    /// Constant in output units, for each channel.
    constants: Vec<f64>,
    /// Output units per unit of the residual operand.
    residual: Option<f64>,
}

/// Builds the integer model of a trained network.
///
/// # Errors
/// When a scale does not fit the hardware's multipliers, or an accumulator could overflow.
pub fn export(
    trained: &QuantizedNetwork,
    training: Option<&TrainingOptions>,
) -> Result<IntegerModel, ExportError> {
    let architecture = &trained.model.architecture;
    check_form(architecture)?;
    check_weights(trained.quantization.width, trained.quantization.placement)?;
    check_activations(trained)?;
    let mut network = architecture.network.clone();
    let stored = trained.stored();
    let mut layers = Vec::with_capacity(network.layers.len());
    for (index, integers) in stored.0.iter().enumerate() {
        let parameters = trained.model.parameters.layers[index].as_ref();
        let (output, channels) = match (network.layers[index].operation, parameters) {
            (Operation::MaxPool { .. }, _) | (Operation::Convolution { .. }, None) => {
                identity(architecture.shapes()[index].output.channels)
            }
            (Operation::GlobalAveragePool, _) => scaled(trained, index, average(trained, index))?.0,
            (Operation::Convolution { .. }, Some(parameters)) => {
                let real = convolution(trained, index, parameters)?;
                let (result, scale) = scaled(trained, index, real)?;
                if let Operation::Convolution {
                    residual: Some(residual),
                    ..
                } = &mut network.layers[index].operation
                {
                    residual.scale = scale;
                }
                result
            }
        };
        network.layers[index].output = output;
        layers.push(LayerTensors {
            channels,
            weights: integers.as_ref().map(|w| layer_weights(trained, index, w)),
        });
    }
    let model = IntegerModel {
        origin: Origin {
            name: architecture.name.clone(),
            dataset: trained.model.origin.clone(),
            accuracy: None,
            training: training.cloned(),
        },
        weight_bits: trained.quantization.width.lane(),
        code: trained.quantization.code,
        input: trained.model.input,
        network,
        layers,
    };
    model.validate()?;
    Ok(model)
}

/// Checks that the activations of all tensors but the last layer's are rounded.
fn check_activations(trained: &QuantizedNetwork) -> Result<(), ExportError> {
    let activations = &trained.quantization.activations;
    let hidden = &activations[..activations.len() - 1];
    for (tensor, grid) in hidden.iter().enumerate() {
        match grid {
            None => return Err(ExportError::Activations { tensor }),
            Some(grid) if grid.high > i16::from(i8::MAX) => {
                let high = grid.high;
                return Err(ExportError::Codes { tensor, high });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Checks, before any training, that the hardware has every layer's kind.
///
/// # Errors
/// The first layer that it has not.
pub fn check_form(architecture: &Architecture) -> Result<(), ExportError> {
    for (layer, style) in architecture.styles.iter().enumerate() {
        let name = || architecture.network.layers[layer].name.clone();
        if matches!(style.norm, Norm::Group { .. }) {
            return Err(ExportError::GroupNorm {
                layer,
                name: name(),
            });
        }
        let source_tensor = architecture.source(layer);
        if source_tensor != layer {
            return Err(ExportError::Branch {
                layer,
                name: name(),
                source_tensor,
            });
        }
    }
    Ok(())
}

fn check_weights(width: BitWidth, placement: Placement) -> Result<(), ExportError> {
    match placement {
        _ if BitWidth::from(width.lane()) != width => Err(ExportError::Width(width)),
        Placement::Spread => Err(ExportError::Placement),
        Placement::Channel => Ok(()),
    }
}

/// Checks, before any training, that what options lead to has an integer form.
///
/// # Errors
/// Weights of a width, weights on a grid, or activations that no hardware has.
pub fn check_options(options: &TrainingOptions) -> Result<(), ExportError> {
    check_weights(options.weight_bits, options.placement)?;
    if !options.quantizer.is_symmetric() {
        return Err(ExportError::Quantizer(options.quantizer));
    }
    let activations = &options.activations;
    match activations.quantize {
        false => Err(ExportError::Activations { tensor: 0 }),
        true if !activations.is_exportable() => Err(ExportError::Codes {
            tensor: 1,
            high: activations.codes.bounds(activations.bits).1,
        }),
        true => Ok(()),
    }
}

impl IntegerModel {
    /// Records what was measured.
    #[must_use]
    pub fn with_accuracy(mut self, accuracy: Accuracy) -> Self {
        self.origin.accuracy = Some(accuracy);
        self
    }
}

fn identity(channels: usize) -> (OutputScale, Vec<ChannelParameters>) {
    let output = OutputScale {
        shift: IDENTITY_SHIFT,
        low: i8::MIN,
        high: i8::MAX,
    };
    let parameters = ChannelParameters::identity(IDENTITY_SHIFT);
    (output, vec![parameters; channels])
}

fn layer_weights(trained: &QuantizedNetwork, index: usize, integers: &Array4<i8>) -> LayerWeights {
    let grid = trained.quantization.grids[index].as_ref();
    let steps = grid.and_then(|grid| grid.steps(integers.dim().0));
    LayerWeights {
        // From [output][row][column][input] to the image's index order.
        integers: integers
            .view()
            .permuted_axes([0, 3, 1, 2])
            .as_standard_layout()
            .into_owned(),
        scales: steps.unwrap_or_default(),
    }
}

fn step(trained: &QuantizedNetwork, tensor: usize) -> Option<f64> {
    trained.quantization.activations[tensor].map(|grid| f64::from(grid.step))
}

fn convolution(
    trained: &QuantizedNetwork,
    index: usize,
    parameters: &LayerParameters,
) -> Result<RealScale, ExportError> {
    let input = step(trained, index).unwrap_or(1.0);
    let grid = trained.quantization.grids[index].as_ref();
    let steps = grid.and_then(|grid| grid.steps(parameters.bias.len()));
    let scales: Vec<f64> = match steps {
        Some(steps) => steps.into_iter().map(f64::from).collect(),
        None => {
            return Err(ExportError::Grid {
                layer: index,
                name: trained.model.architecture.network.layers[index]
                    .name
                    .clone(),
            });
        }
    };
    // The last layer's unit is that of its coarsest accumulator.
    let coarsest = scales.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let output = step(trained, index + 1).unwrap_or(input * coarsest);
    let channel = |c: usize| {
        let bias = f64::from(parameters.bias[c]);
        let Some(gain) = &parameters.gain else {
            return (input * scales[c] / output, bias / output);
        };
        let variance = f64::from(parameters.variance[c]) + f64::from(NORMALIZATION_EPSILON);
        let slope = f64::from(gain[c]) / variance.sqrt();
        let offset = parameters.offset.as_ref().map_or(0.0, |o| f64::from(o[c]));
        let shift = bias + (offset - f64::from(parameters.mean[c])) * slope;
        (input * scales[c] * slope / output, shift / output)
    };
    let (multipliers, constants) = (0..scales.len()).map(channel).unzip();
    let residual = trained.model.architecture.residual(index);
    Ok(RealScale {
        multipliers,
        constants,
        residual: residual.map(|(from, _)| step(trained, from).unwrap_or(1.0) / output),
    })
}

fn average(trained: &QuantizedNetwork, index: usize) -> RealScale {
    let shapes = trained.model.architecture.shapes()[index];
    let input = step(trained, index).unwrap_or(1.0);
    let output = step(trained, index + 1).unwrap_or(input);
    let multiplier = input / output / shapes.input.pixels() as f64;
    RealScale {
        multipliers: vec![multiplier; shapes.output.channels],
        constants: vec![0.0; shapes.output.channels],
        residual: None,
    }
}

type Scaled = ((OutputScale, Vec<ChannelParameters>), ResidualScale);

/// The smallest and largest integer of a layer's output.
fn bounds(trained: &QuantizedNetwork, index: usize) -> (i8, i8) {
    let output = trained.model.architecture.network.layers[index].output;
    match trained.quantization.activations[index + 1] {
        // A ReLU's lowest value is 0; what is exported has at most 8 bits, as was checked.
        Some(grid) => (
            output.low.max(grid.low.max(i16::from(i8::MIN)) as i8),
            output.high.min(grid.high.min(i16::from(i8::MAX)) as i8),
        ),
        None => (output.low, output.high),
    }
}

/// The largest shift at which everything fits, and the integers at that shift.
fn scaled(
    trained: &QuantizedNetwork,
    index: usize,
    real: RealScale,
) -> Result<Scaled, ExportError> {
    let layer = &trained.model.architecture.network.layers[index];
    let shapes = &trained.model.architecture.shapes()[index];
    let bound = accumulator_bound(&layer.operation, shapes, trained.quantization.width.lane());
    for shift in (1..=MAX_SHIFT).rev() {
        let Some(channels) = channels_at(&real, shift) else {
            continue;
        };
        let Some(residual) = residual_at(real.residual, shift) else {
            continue;
        };
        if check_sum(bound, &channels, shift, residual).is_err() {
            continue;
        }
        let (low, high) = bounds(trained, index);
        let output = OutputScale { shift, low, high };
        return Ok(((output, channels), residual));
    }
    let largest = |values: &[f64]| values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    Err(ExportError::Scale {
        layer: index,
        name: layer.name.clone(),
        multiplier: largest(&real.multipliers),
        constant: largest(&real.constants),
    })
}

fn channels_at(real: &RealScale, shift: u8) -> Option<Vec<ChannelParameters>> {
    let unit = f64::from(shift).exp2();
    let half = 1i64 << (shift - 1);
    let channels = real.multipliers.iter().zip(&real.constants);
    channels
        .map(|(m, b)| {
            let multiplier = fit_i16(m * unit)?;
            let bias = (b * unit).round();
            // 2^46 leaves the sum's check to decide; beyond it the cast could saturate.
            (bias.abs() < 46f64.exp2()).then_some(ChannelParameters {
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

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
