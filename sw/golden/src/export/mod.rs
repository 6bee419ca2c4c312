//! From a trained network to an integer model.
//!
//! Every layer becomes y = clamp((acc·m + b + residual) >> s). With steps x of
//! the input, w of the weights and y of the output, and batch norm's gain g,
//! shift β, mean μ and deviation σ, the real output is
//! (acc·x·w·g/σ + β − μ·g/σ) / y: a multiplier, whose sign is the gain's, and a
//! constant. Batch norm never touches the weights. Functions become tables. `plan` says which
//! layers there are, `layer` builds each of them, `scale` makes integers of its numbers, and
//! `judge` compares the result with the rounded network that it came from.

mod judge;
mod layer;
mod plan;
mod scale;

pub use judge::{Judgement, LayerJudgement, judge};
pub use scale::{RealScale, Scaled, fitted};

use crate::float::FloatModel;
use crate::model::{Accuracy, IntegerModel, MAX_FILE_BYTES, ModelError, Origin, check_operation};
use crate::network::{Architecture, Norm};
use crate::quantize::{BitWidth, Placement};
use crate::quantized::QuantizedNetwork;
use crate::train::{QuantizerName, TrainingOptions};
use brownout_spec::arithmetic::{MAX_SHIFT, check_accumulator};
use brownout_spec::program::{Layer, Network, Operation};
use plan::{Plan, Planned};
use thiserror::Error;

/// Most weights of an integer model, a byte each: its file is then at most as large as one that is
/// read, with all else that it holds.
const MOST_WEIGHTS: usize = MAX_FILE_BYTES as usize / 8 * 7;

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
    /// The results are clipped, and those of an integer model are not.
    #[error(
        "layer {layer} ({name}) gives the results and clips them to {low} to {high}; allowed in an exported network are results without a clip, as wide as they come"
    )]
    ClippedResults {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// Least result.
        low: f32,
        /// Largest result.
        high: f32,
    },
    /// More weights than a file of an integer model holds.
    #[error("it has {weights} weights; an integer model holds at most {most}")]
    Size {
        /// Weights of all layers.
        weights: usize,
        /// How many there may be.
        most: usize,
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
    /// The result breaks a rule of integer models.
    #[error(transparent)]
    Model(#[from] ModelError),
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
    let stored = trained.stored();
    let read = scale::read_channels(trained, &stored);
    let plan = Plan::new(trained);
    let mut network = Network {
        layers: Vec::with_capacity(plan.steps.len()),
        input_zero: scale::zero(trained, 0),
        ..architecture.network.clone()
    };
    let mut layers = Vec::with_capacity(plan.steps.len());
    for (step, reads) in plan.steps.iter().zip(&plan.reads) {
        let (layer, tensors) = match *step {
            Planned::Layer(index) => layer::computed(trained, index, (&stored, &read))?,
            Planned::Copy { tensor, grid } => layer::copied(trained, tensor, grid)?,
        };
        network.layers.push(Layer {
            reads: reads.clone(),
            ..layer
        });
        layers.push(tensors);
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
    match hidden.iter().position(Option::is_none) {
        Some(tensor) => Err(ExportError::Activations { tensor }),
        None => Ok(()),
    }
}

/// Checks, before any training, that the hardware has every layer's kind.
///
/// # Errors
/// The first layer that it has not.
pub fn check_form(architecture: &Architecture) -> Result<(), ExportError> {
    let weights = architecture.weights();
    if weights > MOST_WEIGHTS {
        return Err(ExportError::Size {
            weights,
            most: MOST_WEIGHTS,
        });
    }
    for (layer, style) in architecture.styles.iter().enumerate() {
        let name = || architecture.network.layers[layer].name.clone();
        if matches!(style.norm, Norm::Group { .. }) {
            return Err(ExportError::GroupNorm {
                layer,
                name: name(),
            });
        }
        let shapes = &architecture.shapes()[layer];
        check_operation(&architecture.network, layer, shapes).map_err(ModelError::Program)?;
    }
    check_results(architecture)
}

/// Checks that nothing clips the results: an integer model gives sums as they are. A function of
/// each value has its clip in its table.
fn check_results(architecture: &Architecture) -> Result<(), ExportError> {
    let layers = architecture.network.layers.iter().zip(&architecture.styles);
    match layers.enumerate().next_back() {
        Some((layer, (last, style)))
            if !style.bounds.is_none() && last.operation != Operation::Pointwise =>
        {
            Err(ExportError::ClippedResults {
                layer,
                name: last.name.clone(),
                low: style.bounds.low(),
                high: style.bounds.high(),
            })
        }
        _ => Ok(()),
    }
}

/// Checks, before any training, every rule of an integer model that does not hang on what
/// training makes of the weights.
///
/// # Errors
/// The first rule that the result would break.
pub fn check_start(start: &FloatModel, options: &TrainingOptions) -> Result<(), ExportError> {
    let architecture = &start.architecture;
    check_form(architecture)?;
    check_options(options)?;
    let bits = options.weight_bits.lane();
    let layers = architecture.network.layers.iter().enumerate();
    for (index, layer) in layers.filter(|(_, layer)| layer.operation.has_weights()) {
        let shapes = &architecture.shapes()[index];
        check_accumulator(shapes.inputs(), bits, 0).map_err(|source| ModelError::Overflow {
            layer: index,
            name: layer.name.clone(),
            source,
        })?;
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
fn check_options(options: &TrainingOptions) -> Result<(), ExportError> {
    check_weights(options.weight_bits, options.placement)?;
    if !options.quantizer.is_symmetric() {
        return Err(ExportError::Quantizer(options.quantizer));
    }
    match options.activations.quantize {
        false => Err(ExportError::Activations { tensor: 0 }),
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

#[cfg(test)]
mod graph_tests;
#[cfg(test)]
mod random_network_tests;
#[cfg(test)]
mod resolution_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod zero_point_tests;
