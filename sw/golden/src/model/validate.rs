//! What an integer model may be. Files and exports are checked by the same code.

use super::{IntegerModel, LayerTensors, LayerWeights, accumulator_bound};
use brownout_spec::arithmetic::{OverflowError, TABLE_ENTRIES, check_accumulator, check_sum};
use brownout_spec::code::{Code, CodeName, Storage};
use brownout_spec::config::WeightBits;
use brownout_spec::program::{LayerShapes, Network, Operation, ProgramError};
use thiserror::Error;

/// Most values of all tensors that an image becomes, padding included, a byte each: ten times a
/// ResNet-50's, and what every thread can keep.
const MOST_VALUES: usize = 1 << 28;

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
    /// An image becomes more than a thread can keep.
    #[error(
        "the tensors of an image and their padding have {values} values in all; an integer model has at most {MOST_VALUES}"
    )]
    Values {
        /// Values of all tensors.
        values: usize,
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
        "layer {layer} ({name}): weight {index} of output channel {channel} is {value}; allowed is {lowest} to {highest} with code {code} and {bits}-bit weights{hint}",
        hint = bits.hint(*value)
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
    match layer.operation.parameter_sets(shapes.input) {
        Some(_) => Ok(()),
        None => Err(ProgramError::Field {
            layer: index,
            name: layer.name.clone(),
            field: "window",
            value: format!(
                "{} with stride {} and padding {} over a map of {}x{}",
                shapes.window,
                shapes.window.stride,
                shapes.window.padding,
                shapes.input.height,
                shapes.input.width
            ),
            allowed: "an average pool whose divisor is one for all windows, or by the first, the last and all rows and columns of windows in between, in an integer model".into(),
        }),
    }
}

/// Values of all tensors of an image, and of the padded inputs of its layers.
fn values(network: &Network, shapes: &[LayerShapes]) -> usize {
    let padded = |shapes: &LayerShapes| {
        let (input, padding) = (shapes.input, shapes.window.padding);
        let height = input.height + padding.top + padding.bottom;
        let width = input.width + padding.left + padding.right;
        height * width * input.channels
    };
    let layers = shapes.iter().map(|s| padded(s) + s.output.volume());
    layers.fold(network.input.volume(), usize::saturating_add)
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
        let values = values(&self.network, &shapes);
        if values > MOST_VALUES {
            return Err(ModelError::Values { values });
        }
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
        let zero = self.network.zero(layer.source());
        if layer.operation.has_weights() {
            check_accumulator(shapes.inputs(), self.weight_bits, zero).map_err(overflow)?;
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
        let second = layer.operation.operand_scale();
        let second_zero = second.map_or(0, |_| self.network.zero(layer.reads[1]));
        check_sum(
            accumulator_bound(&layer.operation, shapes, self.weight_bits, zero),
            &tensors.channels,
            layer.output.shift,
            second.unwrap_or_default(),
            second_zero,
        )
        .map_err(overflow)
    }

    fn validate_shapes(&self, index: usize, shapes: &LayerShapes) -> Result<(), ModelError> {
        let layer = &self.network.layers[index];
        let LayerTensors {
            channels,
            weights,
            table,
        } = &self.layers[index];
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
        let sets = layer.operation.parameter_sets(shapes.input).unwrap_or(0);
        if channels.len() != sets * outputs {
            let needed = match sets {
                0 => "none, since it is a concat".to_owned(),
                1 => outputs.to_string(),
                _ => format!("{sets} sets of {outputs}"),
            };
            return refuse("multiplier", channels.len().to_string(), needed);
        }
        let pointwise = layer.operation == Operation::Pointwise;
        if table.is_some() != pointwise {
            let [found, needed] = [table.is_some(), pointwise].map(|there| match there {
                true => format!("{TABLE_ENTRIES} values"),
                false => "none".to_owned(),
            });
            return refuse("table", found, needed);
        }
        let convolution = layer.operation.has_weights();
        match weights {
            None if convolution => refuse("weight", "none".into(), "a tensor".into()),
            None => Ok(()),
            Some(_) if !convolution => refuse(
                "weight",
                "a tensor".into(),
                format!("none, since it is of kind {}", layer.operation.kind()),
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
