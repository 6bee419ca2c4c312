//! Architectures assembled layer by layer.

use super::{Architecture, ArchitectureError, Bounds, Norm, Style};
use brownout_spec::arithmetic::{OutputScale, ResidualScale};
use brownout_spec::program::{Layer, Network, Operation, Residual, Shape, Window};

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
                low: if style.bounds.low() == 0.0 {
                    0
                } else {
                    i8::MIN
                },
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
            bounds: Bounds::RELU,
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
            bounds: Bounds::RELU,
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
            bounds: Bounds::RELU,
            ..Style::default()
        };
        let shortcut = Residual {
            stride: every,
            scale: ResidualScale::default(),
        };
        let (first, second) = (format!("{name}.conv1"), format!("{name}.conv2"));
        let convolution = |stride| Operation::convolution(Window::square(3, stride, 1), channels);
        let block = self.layer_from(&[source], &first, convolution(stride), style.clone());
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
            bounds: Bounds::relu(rectified),
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
    /// As [`Architecture::new`].
    pub fn build(self) -> Result<Architecture, ArchitectureError> {
        let network = Network {
            input: self.input,
            input_zero: 0,
            layers: self.layers,
        };
        Architecture::new(&self.name, network, self.styles)
    }
}
