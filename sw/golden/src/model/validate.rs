//! What an integer model may be. Files and exports are checked by the same code.

use super::{IntegerModel, LayerTensors, LayerWeights, accumulator_bound};
use brownout_spec::arithmetic::{OverflowError, check_accumulator, check_sum};
use brownout_spec::code::{Code, CodeName, Storage};
use brownout_spec::config::WeightBits;
use brownout_spec::program::{LayerShapes, Network, Operation, ProgramError, Steps};
use thiserror::Error;

/// Why a model is not usable: one sentence naming the layer.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ModelError {
    /// The code is not defined for the weights.
    #[error("the model's code is {code} with {bits}-bit weights; {code} needs 4-bit weights")]
    Code {
        /// The code.
        code: CodeName,
        /// Bits of a weight.
        bits: WeightBits,
    },
    /// The map from pixels to activations is not usable.
    #[error("{0}")]
    Input(String),
    /// The network breaks a rule of the specification.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// There is not one set of tensors for each layer.
    #[error("the network has {layers} layers, but tensors for {tensors}")]
    Count {
        /// Layers of the network.
        layers: usize,
        /// Layers with tensors.
        tensors: usize,
    },
    /// A tensor has another shape than its layer.
    #[error("layer {layer} ({name}): {tensor} has shape {found}; the layer needs {expected}")]
    Shape {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// Which tensor.
        tensor: &'static str,
        /// Its shape.
        found: String,
        /// The shape that is needed.
        expected: String,
    },
    /// A weight is outside what its place can store.
    #[error(
        "layer {layer} ({name}): weight {index} of output channel {channel} is {value}; allowed is {lowest} to {highest} with code {code} and {bits}-bit weights"
    )]
    Weight {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// Output channel.
        channel: usize,
        /// Index within the output channel.
        index: usize,
        /// The weight.
        value: i8,
        /// Smallest allowed.
        lowest: i8,
        /// Largest allowed.
        highest: i8,
        /// The code.
        code: CodeName,
        /// Bits of a weight.
        bits: WeightBits,
    },
    /// A scale is not a positive number.
    #[error(
        "layer {layer} ({name}): the weight scale of channel {channel} is {value}; allowed is a positive finite number"
    )]
    Scale {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// Output channel.
        channel: usize,
        /// The scale.
        value: f32,
    },
    /// Integer overflow is possible.
    #[error("layer {layer} ({name}): {source}")]
    Overflow {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// What overflows.
        source: OverflowError,
    },
}

/// Refuses a layer that has no form in integers.
///
/// # Errors
/// Naming the layer, and what it has that no integer model can have.
pub(crate) fn check_operation(
    network: &Network,
    index: usize,
    shapes: &LayerShapes,
) -> Result<(), ProgramError> {
    let layer = &network.layers[index];
    let refuse = |field, value: String, allowed: &str| {
        Err(ProgramError::Field {
            layer: index,
            name: layer.name.clone(),
            field,
            value,
            allowed: format!("{allowed} in an integer model"),
        })
    };
    match layer.operation {
        Operation::Convolution { .. }
        | Operation::MaxPool { .. }
        | Operation::GlobalAveragePool => {}
        other => {
            let allowed = "convolution, max pool or global average pool";
            return refuse("operation", other.kind().to_owned(), allowed);
        }
    }
    let zeros = layer.reads.iter().map(|&tensor| network.zero(tensor));
    if let Some(zero) = zeros.chain([layer.zero]).find(|&zero| zero != 0) {
        return refuse("zero point", zero.to_string(), "0");
    }
    if shapes.groups != 1 {
        return refuse("groups", shapes.groups.to_string(), "1");
    }
    if shapes.window.dilation != Steps::ONE {
        return refuse("dilation", shapes.window.dilation.to_string(), "1");
    }
    Ok(())
}

impl IntegerModel {
    /// Checks the whole model; the first thing that is not allowed is named.
    ///
    /// # Errors
    /// When shapes, ranges, the code's constraint or the overflow limits are violated.
    pub fn validate(&self) -> Result<(), ModelError> {
        if !self.code.supports(self.weight_bits) {
            return Err(ModelError::Code {
                code: self.code,
                bits: self.weight_bits,
            });
        }
        let shapes = self.network.shapes()?;
        self.check_input()?;
        if shapes.len() != self.layers.len() {
            return Err(ModelError::Count {
                layers: shapes.len(),
                tensors: self.layers.len(),
            });
        }
        for (index, shapes) in shapes.iter().enumerate() {
            self.validate_layer(index, shapes)?;
        }
        self.check_code(self.code)
    }

    /// Checks that there is one map from pixels for each channel of the images.
    ///
    /// A flat network's input has one value after the other and no channels of images; then
    /// a map's channels are those of its images, which are compared when there are some.
    fn check_input(&self) -> Result<(), ModelError> {
        let input = self.network.input;
        let flat = input.pixels() == 1;
        let channels = self.input.channels().unwrap_or(input.channels);
        if flat && !input.channels.is_multiple_of(channels) {
            return Err(ModelError::Input(format!(
                "the network's input is {input}; with moments of {channels} channels, allowed are multiples of {channels} values"
            )));
        }
        match flat {
            true => Ok(()),
            false => {
                let checked = self.input.check_channels(input.channels);
                checked.map_err(ModelError::Input)
            }
        }
    }

    fn validate_layer(&self, index: usize, shapes: &LayerShapes) -> Result<(), ModelError> {
        let layer = &self.network.layers[index];
        let tensors = &self.layers[index];
        check_operation(&self.network, index, shapes)?;
        let overflow = |source| ModelError::Overflow {
            layer: index,
            name: layer.name.clone(),
            source,
        };
        self.validate_shapes(index, shapes)?;
        if let Operation::Convolution { .. } = layer.operation {
            check_accumulator(shapes.inputs(), self.weight_bits, 0).map_err(overflow)?;
        }
        if let Some(LayerWeights { scales, .. }) = &tensors.weights
            && let Some(channel) = scales.iter().position(|s| !(s.is_finite() && *s > 0.0))
        {
            return Err(ModelError::Scale {
                layer: index,
                name: layer.name.clone(),
                channel,
                value: scales[channel],
            });
        }
        let residual = layer.operation.residual().map(|r| r.scale);
        check_sum(
            accumulator_bound(&layer.operation, shapes, self.weight_bits),
            &tensors.channels,
            layer.output.shift,
            residual.unwrap_or_default(),
            0,
        )
        .map_err(overflow)
    }

    fn validate_shapes(&self, index: usize, shapes: &LayerShapes) -> Result<(), ModelError> {
        let layer = &self.network.layers[index];
        let LayerTensors { channels, weights } = &self.layers[index];
        let refuse = |tensor, found: String, expected: String| {
            Err(ModelError::Shape {
                layer: index,
                name: layer.name.clone(),
                tensor,
                found,
                expected,
            })
        };
        let outputs = shapes.output.channels;
        if channels.len() != outputs {
            return refuse(
                "multiplier",
                channels.len().to_string(),
                outputs.to_string(),
            );
        }
        let convolution = matches!(layer.operation, Operation::Convolution { .. });
        match weights {
            None if convolution => refuse("weight", "none".into(), "a tensor".into()),
            None => Ok(()),
            Some(_) if !convolution => refuse(
                "weight",
                "a tensor".into(),
                "none, since it is a pool".into(),
            ),
            Some(weights) => {
                let expected = (
                    outputs,
                    shapes.group_channels(),
                    shapes.window.height,
                    shapes.window.width,
                );
                if weights.integers.dim() != expected {
                    let found = format!("{:?}", weights.integers.dim());
                    return refuse("weight", found, format!("{expected:?}"));
                }
                if weights.scales.len() != outputs {
                    return refuse(
                        "scale",
                        weights.scales.len().to_string(),
                        outputs.to_string(),
                    );
                }
                Ok(())
            }
        }
    }

    /// Checks that the weights can be stored with a code, which may be another than the model's own.
    ///
    /// # Errors
    /// Naming the first weight that is out of range.
    pub fn check_code(&self, code: CodeName) -> Result<(), ModelError> {
        if !code.supports(self.weight_bits) {
            return Err(ModelError::Code {
                code,
                bits: self.weight_bits,
            });
        }
        let ranges = Code::new(code, self.weight_bits, Storage::Plain);
        for (layer, tensors) in self.layers.iter().enumerate() {
            let Some(weights) = &tensors.weights else {
                continue;
            };
            for (channel, values) in weights.integers.outer_iter().enumerate() {
                let (lowest, highest) = ranges.allowed_range_of_channel(channel);
                for (index, &value) in values.iter().enumerate() {
                    if !(lowest..=highest).contains(&value) {
                        return Err(ModelError::Weight {
                            layer,
                            name: self.network.layers[layer].name.clone(),
                            channel,
                            index,
                            value,
                            lowest,
                            highest,
                            code,
                            bits: self.weight_bits,
                        });
                    }
                }
            }
        }
        Ok(())
    }
}
