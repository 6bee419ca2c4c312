//! Random graphs of all operators with random zero points, against the definition.

use super::reference::{reference, shape, with_tensors};
use super::{Instructions, IntegerNetwork, Prefix};
use crate::data::Dataset;
use crate::model::IntegerModel;
use brownout_spec::arithmetic::{ChannelParameters, OutputScale, ResidualScale};
use brownout_spec::program::{Layer, Network, Operation, Padding, Residual, Shape, Steps, Window};
use ndarray::Array4;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Layers of random operations, each valid where it stands.
struct Graph<'r> {
    network: Network,
    random: &'r mut ChaCha8Rng,
}

impl Graph<'_> {
    fn draw(&mut self, values: &[usize]) -> usize {
        *values.choose(self.random).unwrap()
    }

    fn shapes(&self) -> Vec<Shape> {
        let mut shapes = vec![self.network.input];
        if !self.network.layers.is_empty() {
            let layers = self.network.maps().unwrap();
            shapes.extend(layers.iter().map(|s| s.output));
        }
        shapes
    }

    fn scale(&mut self, shift: u8) -> ResidualScale {
        ResidualScale {
            multiplier: self.random.random_range(-200..200),
            shift: shift - self.random.random_range(0..=shift.min(9)),
        }
    }

    /// A window that may be dilated, with paddings of its own on each side.
    fn window(&mut self, most: usize) -> Window {
        let (height, width) = match self.random.random() {
            true => (3, 3),
            false => (
                self.random.random_range(1..=most),
                self.random.random_range(1..=most),
            ),
        };
        let stride = self.random.random_range(1..=2);
        let dilation = Steps {
            rows: self.draw(&[1, 1, 2]),
            columns: self.draw(&[1, 1, 3]),
        };
        let window = Window {
            height,
            width,
            stride: Steps {
                rows: stride,
                columns: self.draw(&[stride, stride, 3]),
            },
            padding: Padding::NONE,
            dilation,
        };
        let (rows, columns) = window.reach();
        let mut side = |reach: usize| self.random.random_range(0..reach.min(4));
        let padding = Padding {
            top: side(rows),
            left: side(columns),
            bottom: side(rows),
            right: side(columns),
        };
        Window { padding, ..window }
    }

    fn convolution(
        &mut self,
        source: usize,
        shapes: &[Shape],
        shift: u8,
    ) -> (Operation, Vec<usize>) {
        let channels = shapes[source].channels;
        let divisors: Vec<usize> = (1..=channels)
            .filter(|&g| channels.is_multiple_of(g))
            .collect();
        let groups = match self.random.random_range(0..3) {
            0 => 1,
            1 => channels,
            _ => self.draw(&divisors),
        };
        let multiple = self.draw(&[1, 1, 2, 3]);
        let output_channels = match groups {
            1 => self.random.random_range(1..=40),
            groups => groups * multiple,
        };
        let operation = Operation::Convolution {
            window: self.window(5),
            groups,
            output_channels,
            residual: None,
        };
        match self.random.random() {
            true => (operation, vec![source]),
            false => self.block(source, shapes, shift),
        }
    }

    /// A convolution that keeps the map, or halves it, with a residual operand.
    fn block(&mut self, source: usize, shapes: &[Shape], shift: u8) -> (Operation, Vec<usize>) {
        let stride = self.random.random_range(1..=2);
        let (depthwise, more) = (self.random.random(), self.random.random_range(0..20));
        let channels = shapes[source].channels;
        let (groups, output_channels) = match depthwise {
            true => (channels, channels),
            false => (1, channels + more),
        };
        let operation = Operation::Convolution {
            window: Window::square(3, stride, 1),
            groups,
            output_channels,
            residual: Some(Residual {
                stride,
                scale: self.scale(shift),
            }),
        };
        let shape = shapes[source];
        let map = (shape.height, shape.width);
        let fits = |t: &usize| {
            (shapes[*t].height, shapes[*t].width) == map && shapes[*t].channels <= output_channels
        };
        let operands: Vec<usize> = (0..shapes.len()).filter(fits).collect();
        (operation, vec![source, self.draw(&operands)])
    }

    /// Adds a layer, unless what was drawn is not allowed.
    fn grow(&mut self, source: usize) {
        let shapes = self.shapes();
        let zero = match self.random.random() {
            true => 0,
            false => self.random.random(),
        };
        let shift = self.random.random_range(6..26);
        let others: Vec<usize> = (0..shapes.len())
            .filter(|&t| {
                (shapes[t].height, shapes[t].width) == (shapes[source].height, shapes[source].width)
            })
            .collect();
        let mut zero_of_parts = None;
        let (operation, reads) = match self.random.random_range(0..10) {
            0..=2 => self.convolution(source, &shapes, shift),
            3 => (
                Operation::MaxPool {
                    window: self.window(4),
                },
                vec![source],
            ),
            4 => {
                let window = match self.random.random() {
                    true => Window {
                        dilation: Steps::ONE,
                        ..self.window(3)
                    },
                    false => self.window(4),
                };
                let counted = match self.random.random() {
                    true => window.padding,
                    false => Padding::NONE,
                };
                (Operation::AveragePool { window, counted }, vec![source])
            }
            5 => {
                let second = self.draw(&others);
                let scale = self.scale(shift);
                (Operation::Add { scale }, vec![source, second])
            }
            6 => {
                let zero = self.network.zero(source);
                let mut parts = others.clone();
                parts.retain(|&t| self.network.zero(t) == zero);
                zero_of_parts = Some(zero);
                (Operation::Concat, vec![source, self.draw(&parts)])
            }
            7 => (Operation::Pointwise, vec![source]),
            8 => {
                let factors = Steps {
                    rows: self.random.random_range(1..=2),
                    columns: self.random.random_range(1..=3),
                };
                (Operation::Resize { factors }, vec![source])
            }
            _ => {
                let mut side = || self.random.random_range(0..=2);
                let padding = Padding {
                    top: side(),
                    left: side(),
                    bottom: side(),
                    right: side(),
                };
                (Operation::Pad { padding }, vec![source])
            }
        };
        self.push(operation, reads, zero_of_parts.unwrap_or(zero), shift);
        let valid = self.network.maps().is_ok_and(|maps| {
            let last = maps.last().unwrap();
            operation.parameter_sets(last.input).is_some()
                && last.output.volume() < 8000
                && last.output.height.max(last.output.width) <= 63
        });
        if !valid {
            self.network.layers.pop();
        }
    }

    fn push(&mut self, operation: Operation, reads: Vec<usize>, zero: i8, shift: u8) {
        let output = OutputScale {
            shift,
            low: if self.random.random() { -128 } else { -9 },
            high: 127,
        };
        self.network.layers.push(Layer {
            name: format!("l{}", self.network.layers.len()),
            reads,
            operation,
            output,
            zero,
        });
    }

    /// Brings all tensors that nobody reads to one pixel side by side, or leaves a single one the map
    /// that it is, and ends in any operation.
    fn finish(&mut self) {
        let readers = self.network.readers();
        let open = readers.iter().enumerate().skip(1);
        let open: Vec<usize> = open.filter(|(_, r)| r.is_empty()).map(|(t, _)| t).collect();
        let as_map = open.len() == 1 && self.random.random();
        let means: Vec<usize> = open
            .into_iter()
            .filter(|_| !as_map)
            .map(|tensor| {
                self.push(Operation::GlobalAveragePool, vec![tensor], 0, 9);
                self.network.layers.len()
            })
            .collect();
        if means.len() > 1 {
            self.push(Operation::Concat, means, 0, 1);
        }
        let last = self.network.layers.len();
        let outputs = self.random.random_range(1..=20);
        let window = Window::square(1, 1, 0);
        let factors = Steps::ONE;
        let mut operations = vec![
            Operation::convolution(window, outputs),
            Operation::convolution(window, outputs),
            Operation::MaxPool { window },
            Operation::AveragePool {
                window,
                counted: Padding::NONE,
            },
            Operation::Add {
                scale: self.scale(8),
            },
            Operation::Concat,
            Operation::Pointwise,
            Operation::Resize { factors },
            Operation::Pad {
                padding: Padding::NONE,
            },
        ];
        // A concat copies, and results have no zero point.
        if self.network.zero(last) != 0 {
            operations.retain(|operation| *operation != Operation::Concat);
        }
        let operation = *operations.choose(self.random).unwrap();
        let reads = match operation {
            Operation::Add { .. } | Operation::Concat => vec![last, last],
            _ => vec![last],
        };
        self.push(operation, reads, 0, 8);
    }
}

/// A model of a random graph.
pub fn random_graph(seed: u64) -> IntegerModel {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let side = |random: &mut ChaCha8Rng| random.random_range(1..=12);
    let input = shape(
        side(&mut random),
        side(&mut random),
        *[1, 3, 4, 8, 16, 17, 24, 33].choose(&mut random).unwrap(),
    );
    let input_zero = if random.random() { 0 } else { random.random() };
    let mut graph = Graph {
        network: Network {
            input,
            input_zero,
            layers: Vec::new(),
        },
        random: &mut random,
    };
    let layers = graph.random.random_range(2..=8);
    while graph.network.layers.len() < layers {
        let tensors = graph.network.layers.len();
        let source = match graph.random.random_range(0..3) {
            0 => graph.random.random_range(0..=tensors),
            _ => tensors,
        };
        graph.grow(source);
    }
    graph.finish();
    let network = graph.network;
    with_tensors(network, &mut random, |shift, random| {
        // Products that are a few steps, or far out: both ways of making a sum, both bounds.
        let unit = 1i64 << shift;
        ChannelParameters {
            multiplier: match random.random() {
                true => (unit / 200).min(30_000) as i16 + random.random_range(1..200),
                false => random.random_range(-300..300),
            },
            bias: random.random_range(-40 * unit..40 * unit),
        }
    })
}

/// What a layer has that a chain of plain convolutions has not.
fn features(model: &IntegerModel) -> Vec<&'static str> {
    let network = &model.network;
    let shapes = network.shapes().unwrap();
    let mut features = Vec::new();
    for (index, (layer, s)) in network.layers.iter().zip(&shapes).enumerate() {
        features.push(layer.operation.kind());
        let sets = layer.operation.parameter_sets(s.input);
        let grouped =
            matches!(layer.operation, Operation::Convolution { groups, .. } if groups > 1);
        let depthwise = grouped && (s.input.channels, s.output.channels) == (s.groups, s.groups);
        let dilated = s.window.dilation != Steps::ONE && s.window.taps() > 1;
        let read: Vec<i8> = layer.reads.iter().map(|&t| network.zero(t)).collect();
        let operand_zero = read.get(1).is_some_and(|&zero| zero != 0);
        let found = [
            ("average pool of nine divisors", sets == Some(9)),
            ("depthwise", depthwise),
            ("depthwise, dilated", depthwise && dilated),
            (
                "depthwise 3x3",
                depthwise && (s.window.height, s.window.width) == (3, 3) && !dilated,
            ),
            ("grouped, dilated", grouped && dilated),
            (
                "dilated",
                !grouped && layer.operation.has_weights() && dilated,
            ),
            (
                "padding of a zero point",
                s.window.padding != Padding::NONE && read[0] != 0,
            ),
            ("residual operand", layer.operation.residual().is_some()),
            (
                "operand with a zero point",
                layer.operation.operand_scale().is_some() && operand_zero,
            ),
            ("read twice", network.readers()[index + 1].len() > 1),
            (
                "last but a convolution",
                index + 1 == shapes.len() && !layer.operation.has_weights(),
            ),
            (
                "map as result",
                index + 1 == shapes.len() && s.output.pixels() > 1,
            ),
            (
                "last of a table",
                index + 1 == shapes.len() && model.layers[index].table.is_some(),
            ),
        ];
        features.extend(
            found
                .into_iter()
                .filter(|(_, there)| *there)
                .map(|(name, _)| name),
        );
    }
    features
}

#[test]
fn random_graphs_equal_their_definition_with_all_instructions() {
    let mut counts = BTreeMap::new();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for seed in 0..250 {
        let model = random_graph(seed);
        for feature in features(&model) {
            *counts.entry(feature).or_insert(0) += 1;
        }
        let volume = model.network.input.volume();
        let ends = [-128, 127, model.network.input_zero];
        let images: [Vec<i8>; 2] = [
            (0..volume).map(|_| random.random()).collect(),
            (0..volume)
                .map(|_| *ends.choose(&mut random).unwrap())
                .collect(),
        ];
        let expected = images.each_ref().map(|image| reference(&model, image));
        for instructions in Instructions::available() {
            let weights = model.weight_tensors();
            let network =
                IntegerNetwork::with_instructions(&model, &weights, instructions).unwrap();
            let mut workspace = network.workspace();
            for (image, (tensors, logits)) in images.iter().zip(&expected) {
                network.run(image, &mut workspace);
                for (layer, expected) in tensors.iter().skip(1).enumerate() {
                    let kind = model.network.layers[layer].operation.kind();
                    assert_eq!(
                        workspace.activations(layer),
                        Some(&expected[..]),
                        "seed {seed}, {instructions}, layer {layer}, {kind}"
                    );
                }
                assert_eq!(workspace.logits(), logits, "seed {seed}, {instructions}");
            }
        }
    }
    assert_eq!(counts.len(), 23, "{counts:?}");
    assert!(counts.values().all(|&count| count >= 10), "{counts:?}");
}

#[test]
fn from_every_layer_of_a_graph_the_classes_are_those_of_the_whole() {
    for seed in 300..330 {
        let model = random_graph(seed);
        let network = IntegerNetwork::undisturbed(&model);
        let Shape {
            height,
            width,
            channels,
        } = model.network.input;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let shape = (20, height, width, channels);
        let images = Array4::<u8>::from_shape_simple_fn(shape, || random.random());
        let data = Dataset::new("random", images, vec![0; 20], 10);
        let whole = network.classes(&data);
        for layer in 0..model.layers.len() {
            let prefix = Prefix::new(&network, layer, &data);
            assert_eq!(
                network.classes_from(&prefix),
                whole,
                "seed {seed}, layer {layer}"
            );
        }
    }
}
