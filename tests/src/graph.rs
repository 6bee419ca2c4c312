//! Random small networks that fit a configuration.
//!
//! A graph is drawn layer by layer while its shape is followed; what does not
//! fit the memories is thrown away and drawn again, so every graph is valid.

use brownout_golden::model::IntegerModel;
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use brownout_spec::program::{Operation, Padding, Program, Residual, Shape, Steps, Window};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

mod branches;
mod given;
mod zeros;

use given::network;
pub use given::{with_nodes, with_operations};

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
    /// Windows with sides, strides, paddings and dilations of their own.
    Rectangle,
    /// Average pools whose divisors may vary.
    AverageWindow,
    /// Sums of two tensors.
    Addition,
    /// Channels of several tensors side by side.
    Concatenation,
    /// Repeated pixels, and zeros around them.
    Reshape,
    /// More tensors that wait than there are buffers.
    Waiting,
    /// A depthwise convolution, in half of the graphs over several tiles of channels.
    Depthwise,
    /// A convolution in groups of channels, of any size.
    Grouped,
    /// A pointwise function, or two, which may give the results.
    Pointwise,
    /// A map as result, pixel by pixel.
    Map,
}

impl Focus {
    /// Every focus.
    pub const ALL: [Self; 18] = [
        Self::Any,
        Self::PixelsEqualWords,
        Self::FewPixels,
        Self::Residual,
        Self::WideningResidual,
        Self::MaxPool,
        Self::AveragePool,
        Self::Dense,
        Self::Rectangle,
        Self::AverageWindow,
        Self::Addition,
        Self::Concatenation,
        Self::Reshape,
        Self::Waiting,
        Self::Depthwise,
        Self::Grouped,
        Self::Pointwise,
        Self::Map,
    ];
}

/// An operation and the tensors that it reads: 0 is the input, k the output of node k − 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What is computed.
    pub operation: Operation,
    /// Of what.
    pub reads: Vec<usize>,
}

/// Operations that each read the one before.
pub fn chain(operations: &[Operation]) -> Vec<Node> {
    let node = |(index, &operation)| Node {
        operation,
        reads: vec![index],
    };
    operations.iter().enumerate().map(node).collect()
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
    nodes: Vec<Node>,
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
        let most = match focus {
            Focus::Depthwise | Focus::Grouped if random.random() => 3 * configuration.columns,
            _ => configuration.activation_lanes(),
        };
        let channels = random.random_range(1..=most + 3);
        Self {
            configuration,
            random,
            tensors: vec![Shape {
                height,
                width,
                channels,
            }],
            nodes: Vec::new(),
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

    /// Appends an operation on the last tensor if its window fits the map.
    fn push(&mut self, operation: Operation) -> bool {
        let last = self.tensors.len() - 1;
        self.push_reading(&[last], operation)
    }

    /// Appends an operation if what it reads fits it.
    fn push_reading(&mut self, reads: &[usize], operation: Operation) -> bool {
        let node = Node {
            operation,
            reads: reads.to_vec(),
        };
        self.nodes.push(node);
        let network = network(self.tensors[0], &self.nodes);
        match network.maps() {
            Ok(shapes) => {
                self.tensors.push(shapes[shapes.len() - 1].output);
                true
            }
            Err(_) => {
                self.nodes.pop();
                false
            }
        }
    }

    fn body(&mut self, focus: Focus) {
        match focus {
            Focus::Residual => self.residual_block(1),
            Focus::WideningResidual => self.residual_block(2),
            Focus::PixelsEqualWords => self.same_convolution(1, None),
            Focus::MaxPool => self.max_pool(),
            Focus::Rectangle => self.rectangle(),
            Focus::AverageWindow => self.average_pool(),
            Focus::Addition => self.addition(),
            Focus::Concatenation => self.concatenation(),
            Focus::Reshape => {
                self.resize();
                self.pad();
            }
            Focus::Waiting => self.waiting(),
            Focus::Depthwise | Focus::Grouped => {
                // Two in a row: the second loads its tiles while the first still computes.
                for _ in 0..self.random.random_range(1..=2) {
                    self.groups(focus == Focus::Depthwise);
                }
            }
            Focus::Pointwise => self.functions(),
            _ => {}
        }
        if self.configuration.tables > 0 && self.random.random_bool(0.3) {
            self.pointwise();
        }
        for _ in 0..self.random.random_range(0..=3) {
            match self.random.random_range(0..21) {
                0..=4 => self.convolution(),
                5..=6 => self.max_pool(),
                7 => self.same_convolution(1, None),
                8 => self.residual_block(1),
                9 => self.residual_block(2),
                10 => self.rectangle(),
                11 => self.rectangular_pool(),
                12 => self.average_pool(),
                13 => self.addition(),
                14 => self.concatenation(),
                15 => self.resize(),
                16 => self.pad(),
                17 => self.groups(true),
                18 => self.groups(false),
                19 => self.pointwise(),
                _ => self.waiting(),
            }
        }
    }

    /// Any window: kernel 1 to 5, also not square, stride 1 to 3, padding 0 to 2.
    fn convolution(&mut self) {
        let height = self.random.random_range(1..=5);
        let width = match self.random.random_bool(0.7) {
            true => height,
            false => self.random.random_range(1..=5),
        };
        let most = height.min(width).min(3) - 1;
        let window = Window {
            height,
            width,
            stride: Steps::both(self.random.random_range(1..=3)),
            padding: Padding::around(self.random.random_range(0..=most)),
            dilation: Steps::ONE,
        };
        let channels = self.channels();
        self.push(Operation::convolution(window, channels));
    }

    /// A convolution that gives ceil(side / stride) pixels, as residual networks use.
    fn same_convolution(&mut self, stride: usize, residual: Option<(usize, Residual, usize)>) {
        let kernel = *[1, 3, 5].choose(self.random).expect("not empty");
        let least = residual.map_or(1, |(.., channels)| channels);
        let channels = self.channels().max(least);
        let convolution =
            Operation::convolution(Window::square(kernel, stride, kernel / 2), channels);
        let last = self.tensors.len() - 1;
        match residual {
            None => self.push(convolution),
            Some((from, with, _)) => {
                self.push_reading(&[last, from], convolution.with_residual(with))
            }
        };
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
            stride,
            scale: ResidualScale::default(),
        };
        self.same_convolution(1, Some((from, residual, least)));
    }

    /// A convolution in groups of channels, as many as there are if it is depthwise.
    fn groups(&mut self, depthwise: bool) {
        let channels = self.shape().channels;
        let divisors: Vec<usize> = (2..=channels)
            .filter(|groups| channels.is_multiple_of(*groups))
            .collect();
        let (groups, outputs) = match divisors.choose(self.random) {
            Some(_) if depthwise => (channels, channels),
            Some(&groups) => {
                let most = (2 * self.configuration.columns / groups).max(3);
                (groups, groups * self.random.random_range(1..=most))
            }
            // A single channel is its own group.
            None => return,
        };
        let kernel = *[1, 2, 3].choose(self.random).expect("not empty");
        let stride = self.random.random_range(1..=2);
        self.push(Operation::Convolution {
            window: Window::square(kernel, stride, kernel / 2),
            groups,
            output_channels: outputs,
            residual: None,
        });
    }

    fn max_pool(&mut self) {
        let kernel = self.random.random_range(1..=4);
        let operation = Operation::MaxPool {
            window: Window::square(
                kernel,
                self.random.random_range(1..=3),
                self.random.random_range(0..kernel.min(3)),
            ),
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
        let convolution =
            |outputs| Operation::convolution(Window::square(kernel, 1, kernel / 2), outputs);
        let residual = Residual {
            stride: 1,
            scale: ResidualScale::default(),
        };
        self.push(convolution(between));
        self.push_reading(&[1, 0], convolution(channels).with_residual(residual));
        self.max_pool();
    }

    /// Down to one pixel, or to a map, with a wide layer at the end.
    fn tail(&mut self, focus: Focus) {
        if focus == Focus::Map || self.random.random_bool(0.05) {
            self.results_of_a_map();
            return;
        }
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
                window: Window::square(height, 1, 0),
            });
            return;
        }
        if focus == Focus::Concatenation && self.random.random() {
            self.concatenated_results();
            return;
        }
        let map = self.shape();
        let outputs = self.channels();
        self.push(Operation::dense(map, outputs));
        if focus == Focus::Pointwise && self.random.random_bool(0.8) {
            self.pointwise();
        }
    }

    /// `None` if the configuration cannot run what was drawn.
    fn finish(self) -> Option<Graph> {
        let graph = with_nodes(
            self.configuration,
            self.tensors[0],
            &self.nodes,
            self.random,
        )?;
        let cycles = program_cycles(self.configuration, &graph.program);
        (cycles <= MOST_CYCLES).then_some(graph)
    }
}

/// Two factors of a number, at random.
fn factors(number: usize, random: &mut impl Rng) -> (usize, usize) {
    let divisors: Vec<usize> = (1..=number).filter(|d| number.is_multiple_of(*d)).collect();
    let height = *divisors.choose(random).expect("one divides every number");
    (height, number / height)
}
