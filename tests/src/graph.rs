//! Random small networks that fit a configuration.
//!
//! A graph is drawn layer by layer while its shape is followed; what does not
//! fit the memories is thrown away and drawn again, so every graph is valid.

use brownout_golden::model::{InputMap, IntegerModel, Origin};
use brownout_spec::arithmetic::{OutputScale, ResidualScale};
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use brownout_spec::program::{Layer, Network, Operation, Program, Residual, Shape};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use crate::tensors;

/// Longest pass of a drawn graph, so that hundreds of them run in a minute.
const MOST_CYCLES: u64 = 20_000;

/// What a graph should have; the rest is left to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// Anything.
    Any,
    /// A convolution with as many output pixels as a tile has words.
    PixelsEqualWords,
    /// Maps of one to three pixels.
    FewPixels,
    /// A residual operand at stride 1.
    Residual,
    /// A residual operand at stride 2 with more output channels than it has.
    WideningResidual,
    /// Max pools, with and without padding.
    MaxPool,
    /// A global average pool.
    AveragePool,
    /// A convolution whose kernel is the whole, not square map.
    Dense,
}

impl Focus {
    /// Every focus.
    pub const ALL: [Self; 8] = [
        Self::Any,
        Self::PixelsEqualWords,
        Self::FewPixels,
        Self::Residual,
        Self::WideningResidual,
        Self::MaxPool,
        Self::AveragePool,
        Self::Dense,
    ];
}

/// A model and its place on the configuration.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The network with its tensors.
    pub model: IntegerModel,
    /// The program that runs it.
    pub program: Program,
}

/// Draws a graph.
pub fn draw(configuration: &Configuration, focus: Focus, random: &mut impl Rng) -> Graph {
    loop {
        let mut builder = Builder::new(configuration, focus, random);
        builder.body(focus);
        builder.tail(focus);
        if let Some(graph) = builder.finish() {
            return graph;
        }
    }
}

/// Draws a residual block and a max pool over three tiles of channels: what begins anew with each
/// tile of outputs does so twice.
pub fn draw_tiles(configuration: &Configuration, random: &mut impl Rng) -> Graph {
    loop {
        let mut builder = Builder::new(configuration, Focus::Any, random);
        builder.tiles();
        builder.tail(Focus::Any);
        if let Some(graph) = builder.finish() {
            return graph;
        }
    }
}

/// A network under construction.
struct Builder<'a, R> {
    configuration: &'a Configuration,
    random: &'a mut R,
    tensors: Vec<Shape>,
    operations: Vec<Operation>,
}

impl<'a, R: Rng> Builder<'a, R> {
    fn new(configuration: &'a Configuration, focus: Focus, random: &'a mut R) -> Self {
        let (height, width) = match focus {
            Focus::PixelsEqualWords => factors(configuration.words_per_tile(), random),
            Focus::FewPixels => *[(1, 1), (1, 2), (2, 1), (1, 3), (3, 1)]
                .choose(random)
                .expect("not empty"),
            _ => (random.random_range(1..=9), random.random_range(1..=9)),
        };
        let channels = random.random_range(1..=configuration.activation_lanes() + 3);
        Self {
            configuration,
            random,
            tensors: vec![Shape {
                height,
                width,
                channels,
            }],
            operations: Vec::new(),
        }
    }

    fn shape(&self) -> Shape {
        self.tensors[self.tensors.len() - 1]
    }

    fn channels(&mut self) -> usize {
        let Configuration { rows, columns, .. } = *self.configuration;
        // Three tiles are the fewest that have one in the middle.
        let tiles = if self.random.random_bool(0.2) { 2 } else { 1 };
        let most = (tiles * columns).max(rows) + 5;
        self.random.random_range(1..=most)
    }

    /// Appends an operation if its window fits the map.
    fn push(&mut self, operation: Operation) -> bool {
        let input = self.shape();
        let (kernel_height, kernel_width, stride, padding, channels) = match operation {
            Operation::Convolution {
                kernel_height,
                kernel_width,
                stride,
                padding,
                output_channels,
                ..
            } => (
                kernel_height,
                kernel_width,
                stride,
                padding,
                output_channels,
            ),
            Operation::MaxPool {
                kernel,
                stride,
                padding,
            } => (kernel, kernel, stride, padding, input.channels),
            Operation::GlobalAveragePool => (input.height, input.width, 1, 0, input.channels),
        };
        let (height, width) = (input.height + 2 * padding, input.width + 2 * padding);
        if height < kernel_height || width < kernel_width {
            return false;
        }
        self.tensors.push(Shape {
            height: (height - kernel_height) / stride + 1,
            width: (width - kernel_width) / stride + 1,
            channels,
        });
        self.operations.push(operation);
        true
    }

    fn body(&mut self, focus: Focus) {
        match focus {
            Focus::Residual => self.residual_block(1),
            Focus::WideningResidual => self.residual_block(2),
            Focus::PixelsEqualWords => self.same_convolution(1, None),
            Focus::MaxPool => self.max_pool(),
            _ => {}
        }
        for _ in 0..self.random.random_range(0..=3) {
            match self.random.random_range(0..10) {
                0..=4 => self.convolution(),
                5..=6 => self.max_pool(),
                7 => self.same_convolution(1, None),
                8 => self.residual_block(1),
                _ => self.residual_block(2),
            }
        }
    }

    /// Any window: kernel 1 to 5, also not square, stride 1 to 3, padding 0 to 2.
    fn convolution(&mut self) {
        let kernel_height = self.random.random_range(1..=5);
        let kernel_width = match self.random.random_bool(0.7) {
            true => kernel_height,
            false => self.random.random_range(1..=5),
        };
        let most = kernel_height.min(kernel_width).min(3) - 1;
        let operation = Operation::Convolution {
            kernel_height,
            kernel_width,
            stride: self.random.random_range(1..=3),
            padding: self.random.random_range(0..=most),
            output_channels: self.channels(),
            residual: None,
        };
        self.push(operation);
    }

    /// A convolution that gives ceil(side / stride) pixels, as residual networks use.
    fn same_convolution(&mut self, stride: usize, residual: Option<(Residual, usize)>) {
        let kernel = *[1, 3, 5].choose(self.random).expect("not empty");
        let least = residual.map_or(1, |(_, channels)| channels);
        let output_channels = self.channels().max(least);
        self.push(Operation::Convolution {
            kernel_height: kernel,
            kernel_width: kernel,
            stride,
            padding: kernel / 2,
            output_channels,
            residual: residual.map(|(operand, _)| operand),
        });
    }

    /// Two convolutions; the second adds what the first one read.
    fn residual_block(&mut self, stride: usize) {
        let from = self.tensors.len() - 1;
        let operand = self.shape();
        // At stride 2, more channels come out than the operand has.
        let least = operand.channels + stride - 1;
        self.same_convolution(stride, None);
        // The scale is drawn with the tensors, when the shift is known.
        let residual = Residual {
            from,
            stride,
            scale: ResidualScale::default(),
        };
        self.same_convolution(1, Some((residual, least)));
    }

    fn max_pool(&mut self) {
        let kernel = self.random.random_range(1..=4);
        let operation = Operation::MaxPool {
            kernel,
            stride: self.random.random_range(1..=3),
            padding: self.random.random_range(0..kernel.min(3)),
        };
        self.push(operation);
    }

    /// The block reads a map of three tiles, and so does the pool after it. In half of the blocks
    /// few channels lie between the convolutions, so that the second one has a single tile of
    /// inputs for each tile of outputs.
    fn tiles(&mut self) {
        let Configuration { rows, columns, .. } = *self.configuration;
        let channels = self.random.random_range(2 * columns + 1..=3 * columns);
        let side = |random: &mut R| random.random_range(2..=4);
        self.tensors = vec![Shape {
            height: side(self.random),
            width: side(self.random),
            channels,
        }];
        let (kernel, between) = match self.random.random() {
            true => (1, self.random.random_range(1..=rows)),
            false => (*[1, 3].choose(self.random).expect("not empty"), channels),
        };
        for residual in [false, true] {
            self.push(Operation::Convolution {
                kernel_height: kernel,
                kernel_width: kernel,
                stride: 1,
                padding: kernel / 2,
                output_channels: if residual { channels } else { between },
                residual: residual.then_some(Residual {
                    from: 0,
                    stride: 1,
                    scale: ResidualScale::default(),
                }),
            });
        }
        self.max_pool();
    }

    /// Down to one pixel, with a wide layer at the end.
    fn tail(&mut self, focus: Focus) {
        let Shape { height, width, .. } = self.shape();
        let average = focus == Focus::AveragePool || self.random.random_bool(0.3);
        let pooled_end = self.random.random_bool(0.2);
        if focus != Focus::Dense && average {
            self.push(Operation::GlobalAveragePool);
            if pooled_end {
                return;
            }
        } else if focus != Focus::Dense && pooled_end && height == width {
            self.push(Operation::MaxPool {
                kernel: height,
                stride: 1,
                padding: 0,
            });
            return;
        }
        let Shape { height, width, .. } = self.shape();
        let output_channels = self.channels();
        self.push(Operation::Convolution {
            kernel_height: height,
            kernel_width: width,
            stride: 1,
            padding: 0,
            output_channels,
            residual: None,
        });
    }

    /// `None` if the configuration cannot run what was drawn.
    fn finish(self) -> Option<Graph> {
        let graph = with_operations(
            self.configuration,
            self.tensors[0],
            &self.operations,
            self.random,
        )?;
        let cycles = program_cycles(self.configuration, &graph.program);
        (cycles <= MOST_CYCLES).then_some(graph)
    }
}

/// A graph of given operations with drawn tensors and scales, those of residuals included.
///
/// `None` if the configuration cannot run it.
pub fn with_operations(
    configuration: &Configuration,
    input: Shape,
    operations: &[Operation],
    random: &mut impl Rng,
) -> Option<Graph> {
    let output = OutputScale {
        shift: 16,
        low: -128,
        high: 127,
    };
    let layer = |(index, &operation): (usize, &Operation)| Layer {
        name: format!("layer{index}"),
        operation,
        output,
    };
    let mut network = Network {
        input,
        layers: operations.iter().enumerate().map(layer).collect(),
    };
    let shapes = network.shapes().ok()?;
    let mut layers = Vec::new();
    for (layer, shapes) in network.layers.iter_mut().zip(&shapes) {
        let wide = layers.len() + 1 == operations.len();
        let drawn = tensors::draw(configuration, layer.operation, shapes.input, wide, random);
        layer.operation = drawn.operation;
        layer.output = drawn.output;
        layers.push(drawn.tensors);
    }
    let program = Program::new(configuration, &network).ok()?;
    let model = IntegerModel {
        origin: Origin {
            name: "random graph".into(),
            dataset: "none".into(),
            accuracy: None,
            training: None,
        },
        weight_bits: configuration.weight_bits,
        code: configuration.code,
        input: InputMap::Centre,
        network,
        layers,
    };
    model.validate().ok()?;
    Some(Graph { model, program })
}

/// Two factors of a number, at random.
fn factors(number: usize, random: &mut impl Rng) -> (usize, usize) {
    let divisors: Vec<usize> = (1..=number).filter(|d| number.is_multiple_of(*d)).collect();
    let height = *divisors.choose(random).expect("one divides every number");
    (height, number / height)
}
