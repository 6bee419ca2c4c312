//! Layers and their shapes, independent of any hardware.

use crate::arithmetic::{OutputScale, OverflowError, ResidualScale};
use crate::config::{MAX_LAYERS, RESULT_FIFO_DEPTH};
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// Largest side of a convolution's kernel.
pub const MAX_CONVOLUTION_KERNEL: usize = 15;
/// Largest side of a pooling window (6-bit field).
pub const MAX_POOL_KERNEL: usize = 63;
/// Largest stride (3-bit field).
pub const MAX_STRIDE: usize = 7;
/// Largest side of a feature map (12-bit field).
pub const MAX_SIDE: usize = 4095;
/// Most channels of a feature map, so that tile counters keep 12 bits at 4 rows.
pub const MAX_CHANNELS: usize = 16_384;

/// A feature map: height × width × channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
}

impl Shape {
    /// Pixels of one channel.
    pub fn pixels(self) -> usize {
        self.height * self.width
    }

    /// All values.
    pub fn volume(self) -> usize {
        self.pixels() * self.channels
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}

/// A second operand added to a convolution's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// Which tensor: 0 is the network's input, k the output of layer k − 1.
    pub from: usize,
    /// Every `stride`-th row and column is read: 1 or 2.
    pub stride: usize,
    /// Scale of the operand; channels that it lacks read as zero.
    pub scale: ResidualScale,
}

/// What a layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// Convolution with zero padding; a dense layer is one whose kernel is the map.
    Convolution {
        /// Kernel rows, 1 to 15.
        kernel_height: usize,
        /// Kernel columns, 1 to 15.
        kernel_width: usize,
        /// Step in both directions, 1 to 7.
        stride: usize,
        /// Zeros on each side, fewer than the kernel's smaller side.
        padding: usize,
        /// Channels of the output.
        output_channels: usize,
        /// An operand added before the output is scaled.
        residual: Option<Residual>,
    },
    /// Maximum over a square window; padding never wins.
    MaxPool {
        /// Side of the window, 1 to 63.
        kernel: usize,
        /// Step in both directions, 1 to 7.
        stride: usize,
        /// Pixels of padding on each side, fewer than the window's side.
        padding: usize,
    },
    /// Sum over the whole map, at most 63 × 63; the mean's divisor is in (m, s).
    GlobalAveragePool,
}

impl Operation {
    /// The name used in messages and tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Convolution { .. } => "convolution",
            Self::MaxPool { .. } => "max pool",
            Self::GlobalAveragePool => "global average pool",
        }
    }

    /// The window that the operation moves over an input.
    fn window(&self, input: Shape) -> Window {
        match *self {
            Self::Convolution {
                kernel_height,
                kernel_width,
                stride,
                padding,
                output_channels,
                ..
            } => Window {
                kernel_height,
                kernel_width,
                stride,
                padding,
                channels: output_channels,
                kernel_limit: MAX_CONVOLUTION_KERNEL,
            },
            Self::MaxPool {
                kernel,
                stride,
                padding,
            } => Window {
                kernel_height: kernel,
                kernel_width: kernel,
                stride,
                padding,
                channels: input.channels,
                kernel_limit: MAX_POOL_KERNEL,
            },
            Self::GlobalAveragePool => Window {
                kernel_height: input.height,
                kernel_width: input.width,
                stride: 1,
                padding: 0,
                channels: input.channels,
                kernel_limit: MAX_POOL_KERNEL,
            },
        }
    }

    /// Whether it multiplies with weights: a convolution or a dense layer.
    pub fn has_weights(&self) -> bool {
        matches!(self, Self::Convolution { .. })
    }

    /// The residual operand, if there is one.
    pub fn residual(&self) -> Option<Residual> {
        match self {
            Self::Convolution { residual, .. } => *residual,
            _ => None,
        }
    }
}

/// A window and the channels that come of it.
struct Window {
    kernel_height: usize,
    kernel_width: usize,
    stride: usize,
    padding: usize,
    channels: usize,
    kernel_limit: usize,
}

/// One layer: an operation and the scale of its output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Name used in messages, unique by convention only.
    pub name: String,
    /// What it computes.
    pub operation: Operation,
    /// Shift and bounds of its output; the last layer ignores the bounds.
    pub output: OutputScale,
}

/// Input and output of one layer, and its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShapes {
    /// What the layer reads.
    pub input: Shape,
    /// What it writes.
    pub output: Shape,
    /// Window rows.
    pub kernel_height: usize,
    /// Window columns.
    pub kernel_width: usize,
    /// Step.
    pub stride: usize,
    /// Padding on each side.
    pub padding: usize,
}

/// A chain of layers; each reads the output of the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Shape of an input image.
    pub input: Shape,
    /// Layers in order; the last one is wide.
    pub layers: Vec<Layer>,
}

/// Why a network cannot run: one sentence naming the layer or the field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProgramError {
    /// The number of layers is outside 1 to 255.
    #[error("the network has {0} layers; allowed are 1 to {MAX_LAYERS}")]
    LayerCount(usize),
    /// The input shape is outside its limits.
    #[error(
        "the network's input is {0}; allowed are sides of 1 to {MAX_SIDE} and 1 to {MAX_CHANNELS} channels"
    )]
    Input(Shape),
    /// A field of a layer has a value that is not allowed.
    #[error("layer {layer} ({name}): {field} is {value}; allowed is {allowed}")]
    Field {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// Which field.
        field: &'static str,
        /// The value found.
        value: String,
        /// What is allowed.
        allowed: String,
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
    /// A memory of the configuration is too small.
    #[error("{field} is {have}, but {what} needs {need}: {short} more", short = need - have)]
    Depth {
        /// Field of the configuration.
        field: &'static str,
        /// Its value.
        have: usize,
        /// What is needed.
        need: usize,
        /// Who needs it.
        what: String,
    },
    /// Nothing is stored for the network, but every pass reads at least one code word.
    #[error(
        "the network has no convolution or dense layer, so there is nothing to keep in the weight memory; allowed are networks with at least one"
    )]
    NoWeights,
    /// The last layer gives more results than are kept for the host.
    #[error(
        "the last layer gives {0} results; every accelerator keeps at most {RESULT_FIFO_DEPTH} for the host, so allowed are networks of at most {RESULT_FIFO_DEPTH} classes"
    )]
    Results(usize),
    /// No buffer is free for an output.
    #[error(
        "layer {layer} ({name}) needs a fourth activation buffer; every accelerator has three, so allowed is one residual operand that waits at a time"
    )]
    Buffers {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
    },
}

impl Network {
    /// The output shape of every layer, after checking every field.
    pub fn shapes(&self) -> Result<Vec<LayerShapes>, ProgramError> {
        let chain: Vec<usize> = (0..self.layers.len()).collect();
        self.shapes_from(&chain)
    }

    /// As [`Network::shapes`], of a network that is no chain: layer *i* reads
    /// tensor `sources[i]`, where 0 is the network's input and *k* the output
    /// of layer *k* − 1. For networks that stay in software: the hardware runs chains.
    ///
    /// # Panics
    /// If there is not one source for each layer, or a layer reads a later one's output.
    pub fn shapes_from(&self, sources: &[usize]) -> Result<Vec<LayerShapes>, ProgramError> {
        assert_eq!(
            sources.len(),
            self.layers.len(),
            "one source for each layer"
        );
        if !(1..=MAX_LAYERS).contains(&self.layers.len()) {
            return Err(ProgramError::LayerCount(self.layers.len()));
        }
        let i = self.input;
        let side = 1..=MAX_SIDE;
        if !side.contains(&i.height)
            || !side.contains(&i.width)
            || !(1..=MAX_CHANNELS).contains(&i.channels)
        {
            return Err(ProgramError::Input(i));
        }
        let mut tensors = vec![self.input];
        let mut shapes = Vec::with_capacity(self.layers.len());
        for (index, &source) in sources.iter().enumerate() {
            let shape = self.layer_shapes(index, source, &tensors)?;
            tensors.push(shape.output);
            shapes.push(shape);
        }
        let last = shapes[shapes.len() - 1].output;
        if last.pixels() != 1 {
            return Err(self.refuse(
                self.layers.len() - 1,
                "output",
                last,
                "one pixel, since the last layer gives the results, as a dense layer or a pool of the whole image does",
            ));
        }
        Ok(shapes)
    }

    fn refuse(
        &self,
        layer: usize,
        field: &'static str,
        value: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> ProgramError {
        ProgramError::Field {
            layer,
            name: self.layers[layer].name.clone(),
            field,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    fn check_window(&self, index: usize, window: &Window) -> Result<(), ProgramError> {
        let limit = window.kernel_limit;
        for (field, value) in [
            ("kernel height", window.kernel_height),
            ("kernel width", window.kernel_width),
        ] {
            if !(1..=limit).contains(&value) {
                return Err(self.refuse(index, field, value, format!("1 to {limit}")));
            }
        }
        let smaller = window.kernel_height.min(window.kernel_width);
        for (field, value, least, most) in [
            ("stride", window.stride, 1, MAX_STRIDE),
            ("padding", window.padding, 0, smaller - 1),
            ("output channels", window.channels, 1, MAX_CHANNELS),
        ] {
            if !(least..=most).contains(&value) {
                return Err(self.refuse(index, field, value, format!("{least} to {most}")));
            }
        }
        Ok(())
    }

    /// `tensors[0]` is the input, `tensors[k]` the output of layer k − 1.
    fn layer_shapes(
        &self,
        index: usize,
        source: usize,
        tensors: &[Shape],
    ) -> Result<LayerShapes, ProgramError> {
        let layer = &self.layers[index];
        let input = tensors[source];
        let scale = layer.operation.residual().map(|r| r.scale);
        crate::arithmetic::check_scales(layer.output, scale.unwrap_or_default()).map_err(
            |source| ProgramError::Overflow {
                layer: index,
                name: layer.name.clone(),
                source,
            },
        )?;
        let window = layer.operation.window(input);
        self.check_window(index, &window)?;
        let Window {
            kernel_height,
            kernel_width,
            stride,
            padding,
            channels,
            ..
        } = window;
        let side = |input: usize, kernel: usize| {
            (input + 2 * padding)
                .checked_sub(kernel)
                .map(|room| room / stride + 1)
        };
        let (Some(height), Some(width)) = (
            side(input.height, kernel_height),
            side(input.width, kernel_width),
        ) else {
            return Err(self.refuse(
                index,
                "kernel",
                format!("{kernel_height}x{kernel_width}"),
                format!(
                    "at most the padded input of {}x{}",
                    input.height + 2 * padding,
                    input.width + 2 * padding
                ),
            ));
        };
        for (field, value) in [("output height", height), ("output width", width)] {
            if value > MAX_SIDE {
                return Err(self.refuse(index, field, value, format!("1 to {MAX_SIDE}")));
            }
        }
        let shapes = LayerShapes {
            input,
            output: Shape {
                height,
                width,
                channels,
            },
            kernel_height,
            kernel_width,
            stride,
            padding,
        };
        self.check_residual(index, tensors, &shapes)?;
        Ok(shapes)
    }

    fn check_residual(
        &self,
        index: usize,
        tensors: &[Shape],
        shapes: &LayerShapes,
    ) -> Result<(), ProgramError> {
        let Some(residual) = self.layers[index].operation.residual() else {
            return Ok(());
        };
        if residual.from >= index {
            return Err(self.refuse(
                index,
                "residual from",
                residual.from,
                "a tensor before the layer's own input (0 is the network's input, k the output of layer k - 1)",
            ));
        }
        if !(1..=2).contains(&residual.stride) {
            return Err(self.refuse(index, "residual stride", residual.stride, "1 or 2"));
        }
        if index + 1 == self.layers.len() {
            return Err(self.refuse(
                index,
                "residual",
                "present",
                "none in the last layer, which gives the results",
            ));
        }
        let operand = tensors[residual.from];
        let out = shapes.output;
        if operand.height.div_ceil(residual.stride) != out.height
            || operand.width.div_ceil(residual.stride) != out.width
            || operand.channels > out.channels
        {
            return Err(self.refuse(
                index,
                "residual operand",
                operand,
                format!(
                    "a map that gives {}x{} at stride {} with at most {} channels",
                    out.height, out.width, residual.stride, out.channels
                ),
            ));
        }
        Ok(())
    }
}
