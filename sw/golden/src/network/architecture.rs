//! What a network looks like, before it has any weights.

use brownout_spec::arithmetic::{OutputScale, ResidualScale};
use brownout_spec::program::{
    Layer, LayerShapes, Network, Operation, ProgramError, Residual, Shape,
};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What training does with a layer's output besides the operation itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Batch normalisation instead of a plain bias.
    pub normalized: bool,
    /// ReLU, after the residual operand is added.
    pub rectified: bool,
}

/// A network's layers and shapes; the scales in `network` are placeholders until export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Name for files and reports.
    pub name: String,
    /// Layers in the specification's form.
    pub network: Network,
    /// One style a layer.
    pub styles: Vec<Style>,
    shapes: Vec<LayerShapes>,
}

/// Why an architecture cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArchitectureError {
    /// A layer does not fit the specification.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// There is no network of that name.
    #[error("network {0:?} is unknown; allowed are mlp and cnn")]
    Unknown(String),
}

/// The networks that can be chosen by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// Input, 100 hidden units, classes.
    Mlp,
    /// Two convolutions with pooling and two dense layers.
    Cnn,
}

impl FromStr for Builtin {
    type Err = ArchitectureError;
    fn from_str(name: &str) -> Result<Self, ArchitectureError> {
        match name {
            "mlp" => Ok(Self::Mlp),
            "cnn" => Ok(Self::Cnn),
            other => Err(ArchitectureError::Unknown(other.to_owned())),
        }
    }
}

impl fmt::Display for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mlp => "mlp",
            Self::Cnn => "cnn",
        })
    }
}

impl Architecture {
    /// The multi-layer perceptron: 784-100-10 for 28 × 28 images of ten classes.
    ///
    /// # Errors
    /// When the input does not suit the specification's limits.
    pub fn mlp(input: Shape, classes: usize) -> Result<Self, ArchitectureError> {
        // The first dense layer sees the image as a flat 1 x 1 map: its kernel may
        // then be larger than 15 x 15, and all rows of the array are in use.
        let flat = Shape {
            height: 1,
            width: 1,
            channels: input.volume(),
        };
        Builder::new("mlp", flat)
            .dense("hidden", 100, true)
            .dense("logits", classes, false)
            .build()
    }

    /// The convolutional network: two convolutions with pooling, two dense layers.
    ///
    /// The first convolution has stride 2, because with one input channel it
    /// fills one row of the array only and would dominate the cycles.
    ///
    /// # Errors
    /// When the input is too small for its layers.
    pub fn cnn(input: Shape, classes: usize) -> Result<Self, ArchitectureError> {
        Builder::new("cnn", input)
            .convolution("conv1", 8, 3, 2, 1, true)
            .max_pool("pool1", 2, 2)
            .convolution("conv2", 16, 3, 1, 1, true)
            .max_pool("pool2", 2, 2)
            .dense("hidden", 64, true)
            .dense("logits", classes, false)
            .build()
    }

    /// The built-in network of that kind.
    ///
    /// # Errors
    /// As the network's own constructor.
    pub fn builtin(kind: Builtin, input: Shape, classes: usize) -> Result<Self, ArchitectureError> {
        match kind {
            Builtin::Mlp => Self::mlp(input, classes),
            Builtin::Cnn => Self::cnn(input, classes),
        }
    }

    /// Input and output of every layer.
    pub fn shapes(&self) -> &[LayerShapes] {
        &self.shapes
    }

    /// Number of results: channels of the last layer.
    pub fn classes(&self) -> usize {
        self.shapes.last().map_or(0, |s| s.output.channels)
    }

    /// Shapes of all tensors: the input, then every layer's output.
    pub fn tensors(&self) -> Vec<Shape> {
        std::iter::once(self.network.input)
            .chain(self.shapes.iter().map(|s| s.output))
            .collect()
    }

    /// The residual operand of a layer as (tensor, stride).
    pub fn residual(&self, layer: usize) -> Option<(usize, usize)> {
        let operand = self.network.layers[layer].operation.residual()?;
        Some((operand.from, operand.stride))
    }
}

/// Assembles an [`Architecture`] layer by layer.
#[derive(Clone, Debug)]
pub struct Builder {
    name: String,
    input: Shape,
    layers: Vec<Layer>,
    styles: Vec<Style>,
}

impl Builder {
    /// An empty network over images of this shape.
    pub fn new(name: &str, input: Shape) -> Self {
        Self {
            name: name.to_owned(),
            input,
            layers: Vec::new(),
            styles: Vec::new(),
        }
    }

    /// Adds any operation.
    #[must_use]
    pub fn layer(mut self, name: &str, operation: Operation, style: Style) -> Self {
        self.layers.push(Layer {
            name: name.to_owned(),
            operation,
            output: OutputScale {
                shift: 1,
                low: if style.rectified { 0 } else { i8::MIN },
                high: i8::MAX,
            },
        });
        self.styles.push(style);
        self
    }

    /// A square convolution with ReLU, normalised or with a bias.
    #[must_use]
    pub fn convolution(
        self,
        name: &str,
        channels: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        normalized: bool,
    ) -> Self {
        let operation = square(channels, kernel, stride, padding, None);
        let style = Style {
            normalized,
            rectified: true,
        };
        self.layer(name, operation, style)
    }

    /// A basic residual block: two normalised 3 × 3 convolutions, the second with a
    /// shortcut without parameters (every `stride`-th pixel, missing channels zero).
    #[must_use]
    pub fn basic_block(self, name: &str, channels: usize, stride: usize) -> Self {
        let from = self.layers.len();
        let style = Style {
            normalized: true,
            rectified: true,
        };
        let shortcut = Residual {
            from,
            stride,
            scale: ResidualScale::default(),
        };
        self.layer(
            &format!("{name}.conv1"),
            square(channels, 3, stride, 1, None),
            style,
        )
        .layer(
            &format!("{name}.conv2"),
            square(channels, 3, 1, 1, Some(shortcut)),
            style,
        )
    }

    /// A max pool.
    #[must_use]
    pub fn max_pool(self, name: &str, kernel: usize, stride: usize) -> Self {
        let operation = Operation::MaxPool {
            kernel,
            stride,
            padding: 0,
        };
        self.layer(name, operation, Style::default())
    }

    /// The mean over the whole map.
    #[must_use]
    pub fn global_average_pool(self, name: &str) -> Self {
        self.layer(name, Operation::GlobalAveragePool, Style::default())
    }

    /// A dense layer with bias over whatever map is there.
    #[must_use]
    pub fn dense(self, name: &str, outputs: usize, rectified: bool) -> Self {
        // A map that cannot be computed is reported by `build`; any kernel will do here.
        let map = self.current().unwrap_or(self.input);
        let operation = Operation::Convolution {
            kernel_height: map.height,
            kernel_width: map.width,
            stride: 1,
            padding: 0,
            output_channels: outputs,
            residual: None,
        };
        let style = Style {
            normalized: false,
            rectified,
        };
        self.layer(name, operation, style)
    }

    fn current(&self) -> Option<Shape> {
        if self.layers.is_empty() {
            return Some(self.input);
        }
        // The last layer must be one pixel: a global pool closes any prefix.
        let mut network = Network {
            input: self.input,
            layers: self.layers.clone(),
        };
        let mut closing = network.layers[0].clone();
        closing.operation = Operation::GlobalAveragePool;
        network.layers.push(closing);
        network.shapes().ok()?.last().map(|s| s.input)
    }

    /// Checks every layer and computes the shapes.
    ///
    /// # Errors
    /// A sentence naming the first layer that the specification does not allow.
    pub fn build(self) -> Result<Architecture, ArchitectureError> {
        let network = Network {
            input: self.input,
            layers: self.layers,
        };
        Ok(Architecture {
            name: self.name,
            shapes: network.shapes()?,
            network,
            styles: self.styles,
        })
    }
}

fn square(
    output_channels: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    residual: Option<Residual>,
) -> Operation {
    Operation::Convolution {
        kernel_height: kernel,
        kernel_width: kernel,
        stride,
        padding,
        output_channels,
        residual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGIT: Shape = Shape {
        height: 28,
        width: 28,
        channels: 1,
    };

    #[test]
    fn the_mlp_is_784_100_10() {
        let shapes = Architecture::mlp(DIGIT, 10).unwrap().shapes().to_vec();
        let volumes: Vec<_> = shapes.iter().map(|s| s.input.volume()).collect();
        assert_eq!(volumes, [784, 100]);
        assert_eq!(shapes[1].output.volume(), 10);
    }

    #[test]
    fn the_cnn_has_two_convolutions_two_pools_and_two_dense_layers() {
        let cnn = Architecture::cnn(DIGIT, 10).unwrap();
        let kinds: Vec<_> = cnn
            .network
            .layers
            .iter()
            .map(|l| l.operation.kind())
            .collect();
        assert_eq!(
            kinds,
            [
                "convolution",
                "max pool",
                "convolution",
                "max pool",
                "convolution",
                "convolution"
            ]
        );
        assert_eq!(cnn.shapes()[4].output.pixels(), 1, "dense layers are flat");
    }

    #[test]
    fn an_image_too_small_for_the_cnn_is_refused_by_layer() {
        let tiny = Shape {
            height: 2,
            width: 2,
            channels: 1,
        };
        let message = Architecture::cnn(tiny, 10).unwrap_err().to_string();
        assert!(message.contains("pool1"), "{message}");
    }
}
