//! What a network looks like, before it has any weights.

use super::Epsilon;
use brownout_spec::arithmetic::{OutputScale, ResidualScale};
use brownout_spec::program::{
    Layer, LayerShapes, Network, Operation, ProgramError, Residual, Shape, Steps, Window,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How a convolution's result is normalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Norm {
    /// Not at all; a bias is added.
    #[default]
    None,
    /// Over the pixels of a chunk, or with running moments (Ioffe and Szegedy, 2015).
    Batch,
    /// Over the pixels of one image and one of `groups` groups of channels (Wu and He, 2018).
    Group {
        /// Number of groups, a divisor of the channels.
        groups: usize,
    },
}

/// What training does with a layer's output besides the operation itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Style {
    /// How the result is normalised.
    pub norm: Norm,
    /// What the norm adds to a variance; the default where there is none.
    pub epsilon: Epsilon,
    /// A bias in front of the normalisation, besides the shift behind it.
    pub offset: bool,
    /// ReLU, after the residual operand is added.
    pub rectified: bool,
}

impl Style {
    /// Whether the result is normalised in any way.
    pub fn is_normalized(&self) -> bool {
        self.norm != Norm::None
    }
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
    #[error("network {0:?} is unknown; allowed are {allowed}", allowed = super::builtin::ALLOWED)]
    Unknown(String),
    /// A network has no form for such images.
    #[error("network {network} takes images of {allowed}; the data's are {input}")]
    Input {
        /// Name of the network.
        network: String,
        /// Shape of the images.
        input: Shape,
        /// What it takes.
        allowed: &'static str,
    },
    /// The map from pixels is not one for such images.
    #[error("{0}")]
    Map(String),
    /// There is not one style for each layer.
    #[error(
        "the network has {layers} layers, and what training does with them is said of {styles}; they must agree"
    )]
    Styles {
        /// Layers of the network.
        layers: usize,
        /// Styles.
        styles: usize,
    },
    /// A group norm does not divide its channels.
    #[error("layer {name}: its {channels} channels cannot be in {groups} equal groups")]
    Groups {
        /// Name of the layer.
        name: String,
        /// Channels of its output.
        channels: usize,
        /// Number of groups.
        groups: usize,
    },
}

impl Architecture {
    /// A network of these layers, one style for each; scales may say anything.
    ///
    /// # Errors
    /// A sentence naming the first layer that is not allowed.
    pub fn new(
        name: &str,
        network: Network,
        styles: Vec<Style>,
    ) -> Result<Self, ArchitectureError> {
        if styles.len() != network.layers.len() {
            return Err(ArchitectureError::Styles {
                layers: network.layers.len(),
                styles: styles.len(),
            });
        }
        let shapes = network.shapes()?;
        for ((index, shapes), style) in shapes.iter().enumerate().zip(&styles) {
            check_operation(&network, index, shapes)?;
            let channels = shapes.output.channels;
            if let Norm::Group { groups } = style.norm
                && (groups == 0 || !channels.is_multiple_of(groups))
            {
                return Err(ArchitectureError::Groups {
                    name: network.layers[index].name.clone(),
                    channels,
                    groups,
                });
            }
        }
        Ok(Self {
            name: name.to_owned(),
            shapes,
            network,
            styles,
        })
    }

    /// Input and output of every layer.
    pub fn shapes(&self) -> &[LayerShapes] {
        &self.shapes
    }

    /// The same network with another ε in all its norms.
    #[must_use]
    pub fn with_epsilon(mut self, epsilon: Epsilon) -> Self {
        let norms = self.styles.iter_mut().filter(|s| s.is_normalized());
        norms.for_each(|style| style.epsilon = epsilon);
        self
    }

    /// The ε of its norms, which is one in the built-in networks; `None` without norms.
    pub fn epsilon(&self) -> Option<Epsilon> {
        let norm = self.styles.iter().find(|style| style.is_normalized());
        norm.map(|style| style.epsilon)
    }

    /// Weights of all layers.
    pub fn weights(&self) -> usize {
        let layers = self.network.layers.iter().zip(&self.shapes);
        let weighted = layers.filter(|(layer, _)| layer.operation.has_weights());
        weighted.map(|(_, shapes)| shapes.weights()).sum()
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

    /// Shape of a tensor: 0 is the input, k the output of layer k − 1.
    pub fn tensor(&self, tensor: usize) -> Shape {
        match tensor.checked_sub(1) {
            Some(layer) => self.shapes[layer].output,
            None => self.network.input,
        }
    }

    /// The tensor that a layer's operation works on.
    pub fn source(&self, layer: usize) -> usize {
        self.network.layers[layer].source()
    }

    /// The residual operand of a layer as (tensor, stride).
    pub fn residual(&self, layer: usize) -> Option<(usize, usize)> {
        let layer = &self.network.layers[layer];
        Some((layer.operand()?, layer.operation.residual()?.stride))
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

    /// The tensor that the next layer reads unless told otherwise: the last output.
    pub fn last(&self) -> usize {
        self.layers.len()
    }

    /// Adds any operation on the last output.
    #[must_use]
    pub fn layer(self, name: &str, operation: Operation, style: Style) -> Self {
        let source = self.last();
        self.layer_from(&[source], name, operation, style)
    }

    /// Adds any operation on the tensors `reads`: 0 is the input, k the output of layer k − 1.
    #[must_use]
    pub fn layer_from(
        mut self,
        reads: &[usize],
        name: &str,
        operation: Operation,
        style: Style,
    ) -> Self {
        self.layers.push(Layer {
            name: name.to_owned(),
            reads: reads.to_vec(),
            operation,
            output: OutputScale {
                shift: 1,
                low: if style.rectified { 0 } else { i8::MIN },
                high: i8::MAX,
            },
            zero: 0,
        });
        self.styles.push(style);
        self
    }

    /// A square convolution with ReLU, batch-normalised or with a bias.
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
        let operation = Operation::convolution(Window::square(kernel, stride, padding), channels);
        let norm = if normalized { Norm::Batch } else { Norm::None };
        let style = Style {
            norm,
            rectified: true,
            ..Style::default()
        };
        self.layer(name, operation, style)
    }

    /// A convolution with bias, norm and ReLU, of an odd kernel, that keeps the map's size:
    /// group norm with so many groups, or batch norm.
    #[must_use]
    pub fn biased_convolution(
        self,
        name: &str,
        channels: usize,
        kernel: usize,
        groups: Option<usize>,
    ) -> Self {
        let style = Style {
            norm: groups.map_or(Norm::Batch, |groups| Norm::Group { groups }),
            offset: true,
            rectified: true,
            ..Style::default()
        };
        let window = Window::square(kernel, 1, kernel / 2);
        self.layer(name, Operation::convolution(window, channels), style)
    }

    /// A basic residual block: two batch-normalised 3 × 3 convolutions, the second with a
    /// shortcut without parameters (every `stride`-th pixel, missing channels zero).
    #[must_use]
    pub fn basic_block(self, name: &str, channels: usize, stride: usize) -> Self {
        let from = self.last();
        self.block_body(name, (channels, stride), from, (from, stride))
    }

    /// A basic residual block whose shortcut is a batch-normalised 1 × 1 convolution.
    /// The block's first convolution then reads what the one before the shortcut wrote.
    #[must_use]
    pub fn projection_block(self, name: &str, channels: usize, stride: usize) -> Self {
        let from = self.last();
        let style = Style {
            norm: Norm::Batch,
            ..Style::default()
        };
        let projection = Operation::convolution(Window::square(1, stride, 0), channels);
        let block = self.layer(&format!("{name}.shortcut.0"), projection, style);
        let operand = block.last();
        block.block_body(name, (channels, stride), from, (operand, 1))
    }

    fn block_body(
        self,
        name: &str,
        (channels, stride): (usize, usize),
        source: usize,
        (from, every): (usize, usize),
    ) -> Self {
        let style = Style {
            norm: Norm::Batch,
            rectified: true,
            ..Style::default()
        };
        let shortcut = Residual {
            stride: every,
            scale: ResidualScale::default(),
        };
        let (first, second) = (format!("{name}.conv1"), format!("{name}.conv2"));
        let convolution = |stride| Operation::convolution(Window::square(3, stride, 1), channels);
        let block = self.layer_from(&[source], &first, convolution(stride), style);
        let reads = [block.last(), from];
        block.layer_from(
            &reads,
            &second,
            convolution(1).with_residual(shortcut),
            style,
        )
    }

    /// A max pool.
    #[must_use]
    pub fn max_pool(self, name: &str, kernel: usize, stride: usize) -> Self {
        let operation = Operation::MaxPool {
            window: Window::square(kernel, stride, 0),
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
        let operation = Operation::dense(map, outputs);
        let style = Style {
            rectified,
            ..Style::default()
        };
        self.layer(name, operation, style)
    }

    fn current(&self) -> Option<Shape> {
        if self.layers.is_empty() {
            return Some(self.input);
        }
        let network = Network {
            input: self.input,
            input_zero: 0,
            layers: self.layers.clone(),
        };
        network.maps().ok()?.last().map(|s| s.output)
    }

    /// Checks every layer and computes the shapes.
    ///
    /// # Errors
    /// A sentence naming the first layer that the specification does not allow.
    pub fn build(self) -> Result<Architecture, ArchitectureError> {
        let network = Network {
            input: self.input,
            input_zero: 0,
            layers: self.layers,
        };
        Architecture::new(&self.name, network, self.styles)
    }
}

/// Refuses a layer that is not trained or evaluated here.
fn check_operation(
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
            allowed: format!("{allowed} in a network in floating point"),
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
    if shapes.groups != 1 {
        return refuse("groups", shapes.groups.to_string(), "1");
    }
    if shapes.window.dilation != Steps::ONE {
        return refuse("dilation", shapes.window.dilation.to_string(), "1");
    }
    Ok(())
}
