//! Random integer models of every operator, with parameters as networks have them: sums that
//! spread over the range of their outputs, some beyond it.

use brownout_golden::model::{InputMap, IntegerModel, LayerTensors, LayerWeights, Origin};
use brownout_spec::arithmetic::{ChannelParameters, OutputScale, ResidualScale};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::program::{
    Layer, LayerShapes, Network, Operation, Padding, Residual, Shape, Steps, Window,
};
use ndarray::Array4;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A model of that seed.
pub fn random_model(seed: u64) -> IntegerModel {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let channels = *[1, 2, 3, 4, 6, 8].choose(&mut random).unwrap();
    let mut side = || match seed % 8 {
        0 => 1,
        _ => random.random_range(1..=9),
    };
    let input = Shape {
        height: side(),
        width: side(),
        channels,
    };
    let mut growing = Growing {
        network: Network {
            input,
            input_zero: 0,
            layers: Vec::new(),
        },
        random,
    };
    growing.network.input_zero = growing.zero();
    let layers = growing.random.random_range(2..=7);
    while growing.network.layers.len() < layers {
        growing.grow();
    }
    growing.finish();
    growing.model()
}

struct Growing {
    network: Network,
    random: ChaCha8Rng,
}

impl Growing {
    fn draw<T: Copy>(&mut self, values: &[T]) -> T {
        *values.choose(&mut self.random).unwrap()
    }

    fn zero(&mut self) -> i8 {
        match self.random.random() {
            true => 0,
            false => self.random.random(),
        }
    }

    fn shapes(&self) -> Vec<Shape> {
        let mut shapes = vec![self.network.input];
        if !self.network.layers.is_empty() {
            shapes.extend(self.network.maps().unwrap().iter().map(|s| s.output));
        }
        shapes
    }

    fn window(&mut self, most: usize) -> Window {
        let (height, width) = (
            self.random.random_range(1..=most),
            self.random.random_range(1..=most),
        );
        let window = Window {
            height,
            width,
            stride: Steps {
                rows: self.draw(&[1, 1, 2]),
                columns: self.draw(&[1, 1, 2, 3]),
            },
            padding: Padding::NONE,
            dilation: Steps {
                rows: self.draw(&[1, 1, 1, 2]),
                columns: self.draw(&[1, 1, 1, 3]),
            },
        };
        let reach = window.reach();
        let mut side = |reach: usize| self.random.random_range(0..reach.min(4));
        let padding = Padding {
            top: side(reach.0),
            left: side(reach.1),
            bottom: side(reach.0),
            right: side(reach.1),
        };
        Window { padding, ..window }
    }

    fn operand_scale(&mut self, shift: u8) -> ResidualScale {
        let own = shift.min(self.random.random_range(6..12));
        let most = 1i16 << own;
        ResidualScale {
            multiplier: self.random.random_range(-most / 2..most + most / 2),
            shift: own,
        }
    }

    /// Adds a layer, unless what was drawn is not allowed.
    fn grow(&mut self) {
        let shapes = self.shapes();
        let tensors = shapes.len() - 1;
        let source = match self.random.random_range(0..4) {
            0 => self.random.random_range(0..=tensors),
            _ => tensors,
        };
        let (shape, shift) = (shapes[source], self.random.random_range(8..22));
        let same = |map: &Shape| (map.height, map.width) == (shape.height, shape.width);
        let beside: Vec<usize> = (0..=tensors).filter(|&t| same(&shapes[t])).collect();
        let mut reads = vec![source];
        let mut zero = self.zero();
        let operation = match self.random.random_range(0..14) {
            0..=2 => {
                let groups = self.draw(&[1, 1, 2, shape.channels]);
                Operation::Convolution {
                    window: self.window(4),
                    groups,
                    output_channels: groups * self.random.random_range(1..=6),
                    residual: None,
                }
            }
            3..=4 => {
                let stride = self.random.random_range(1..=2);
                reads.push(self.draw(&beside));
                let operand = shapes[reads[1]].channels;
                let scale = self.operand_scale(shift);
                let window = Window::square(3, stride, 1);
                let operation =
                    Operation::convolution(window, operand + self.random.random_range(0..4));
                operation.with_residual(Residual { stride, scale })
            }
            5 => Operation::dense(shape, self.random.random_range(2..=9)),
            6 => Operation::MaxPool {
                window: self.window(3),
            },
            7..=8 => {
                let window = self.window(3);
                let padding = window.padding;
                let part = Padding {
                    bottom: 0,
                    right: padding.right / 2,
                    ..padding
                };
                let counted = self.draw(&[Padding::NONE, padding, part]);
                Operation::AveragePool { window, counted }
            }
            9 => {
                let twins: Vec<usize> =
                    beside.into_iter().filter(|&t| shapes[t] == shape).collect();
                reads.push(self.draw(&twins));
                let scale = self.operand_scale(shift);
                Operation::Add { scale }
            }
            10 => {
                zero = self.network.zero(source);
                let parts: Vec<usize> = beside
                    .into_iter()
                    .filter(|&t| self.network.zero(t) == zero)
                    .collect();
                reads.push(self.draw(&parts));
                Operation::Concat
            }
            11 => Operation::Pointwise,
            12 => Operation::Resize {
                factors: Steps {
                    rows: self.random.random_range(1..=2),
                    columns: self.random.random_range(1..=3),
                },
            },
            _ => {
                let mut side = || self.random.random_range(0..=2);
                let padding = Padding {
                    top: side(),
                    left: side(),
                    bottom: side(),
                    right: side(),
                };
                Operation::Pad { padding }
            }
        };
        self.push(operation, &reads, (zero, shift));
        let valid = self.network.maps().is_ok_and(|maps| {
            let last = maps.last().unwrap();
            operation.parameter_sets(last.input).is_some() && last.output.volume() < 3000
        });
        if !valid {
            self.network.layers.pop();
        }
    }

    fn push(&mut self, operation: Operation, reads: &[usize], (zero, shift): (i8, u8)) {
        let ends = [
            (-128, 127),
            (-128, 127),
            (zero.min(126), 127),
            (-9, 100),
            (0, 15),
            (-7, 7),
        ];
        let (low, high) = self.draw(&ends);
        self.network.layers.push(Layer {
            name: format!("l{}", self.network.layers.len()),
            reads: reads.to_vec(),
            operation,
            output: OutputScale { shift, low, high },
            zero,
        });
    }

    /// Brings all tensors that nobody reads to one pixel side by side, and ends in any operation.
    fn finish(&mut self) {
        let readers = self.network.readers();
        let open = (1..readers.len()).filter(|&tensor| readers[tensor].is_empty());
        let open: Vec<usize> = open.collect();
        let mut means = Vec::new();
        for tensor in open {
            self.push(Operation::GlobalAveragePool, &[tensor], (0, 16));
            means.push(self.network.layers.len());
        }
        if means.len() > 1 {
            self.push(Operation::Concat, &means, (0, 1));
        }
        let last = self.network.layers.len();
        let pixel = Window::square(1, 1, 0);
        let dense = Operation::convolution(pixel, self.random.random_range(2..=10));
        let operations = [
            dense,
            dense,
            dense,
            Operation::GlobalAveragePool,
            Operation::Concat,
            Operation::Pointwise,
            Operation::Add {
                scale: self.operand_scale(12),
            },
        ];
        let operation = self.draw(&operations);
        match operation {
            Operation::Concat | Operation::Add { .. } => {
                self.push(operation, &[last, last], (0, 12));
            }
            _ => self.push(operation, &[last], (0, 12)),
        }
    }

    /// Parameters of a channel whose accumulators are about so large.
    fn channel(&mut self, (size, even): (f64, f64), shift: u8, zero: i8) -> ChannelParameters {
        let unit = f64::from(shift).exp2();
        let factor = match self.random.random_range(0..4) {
            0 => even * unit,
            _ => unit * 40.0 / size * self.random.random_range(0.3..2.5),
        };
        let sign = self.draw(&[1.0, 1.0, 1.0, 1.0, 1.0, -1.0]);
        let multiplier = match self.random.random_range(0..16) {
            0 => 0,
            _ => (factor * sign).round().clamp(-32_767.0, 32_767.0) as i16,
        };
        let half = 1i64 << (shift - 1);
        let plain = half + (i64::from(zero) << shift);
        let away = self.random.random_range(-20 * half..20 * half);
        ChannelParameters {
            multiplier,
            bias: self.draw(&[plain, plain + away, plain + away]),
        }
    }

    fn tensors(&mut self, index: usize, shapes: &LayerShapes, bits: WeightBits) -> LayerTensors {
        let layer = self.network.layers[index].clone();
        let sets = layer.operation.parameter_sets(shapes.input).unwrap();
        let outputs = shapes.output.channels;
        let taps = shapes.window.taps() as f64;
        let sizes = match layer.operation {
            Operation::Convolution { .. } => {
                let largest = f64::from(bits.range().1);
                let size = (shapes.inputs() as f64).sqrt() * 40.0 * largest / 2.0;
                (size, 1.0 / largest)
            }
            Operation::AveragePool { .. } | Operation::GlobalAveragePool => {
                (40.0 * taps, 1.0 / taps)
            }
            _ => (40.0, 1.0),
        };
        let (shift, zero) = (layer.output.shift, layer.zero);
        let same = self.random.random::<bool>() && !layer.operation.has_weights();
        let one = self.channel(sizes, shift, zero);
        let channels = (0..sets * outputs).map(|_| match same {
            true => one,
            false => self.channel(sizes, shift, zero),
        });
        let channels: Vec<ChannelParameters> = channels.collect();
        let window = shapes.window;
        let dims = (
            outputs,
            shapes.group_channels(),
            window.height,
            window.width,
        );
        let (lowest, highest) = bits.range();
        let weights = layer.operation.has_weights().then(|| LayerWeights {
            integers: Array4::from_shape_fn(dims, |(o, ..)| {
                let lowest = lowest + i8::from(channels[o].multiplier < 0);
                self.random.random_range(lowest..=highest)
            }),
            scales: (0..outputs)
                .map(|_| self.random.random_range(0.001..0.01))
                .collect(),
        });
        let table = (layer.operation == Operation::Pointwise)
            .then(|| std::array::from_fn(|_| self.random.random()));
        LayerTensors {
            channels,
            weights,
            table,
        }
    }

    fn model(mut self) -> IntegerModel {
        let shapes = self.network.shapes().unwrap();
        let bits = self.draw(&[WeightBits::Eight, WeightBits::Eight, WeightBits::Four]);
        let layers = shapes.iter().enumerate();
        let layers = layers
            .map(|(index, shapes)| self.tensors(index, shapes, bits))
            .collect();
        let model = IntegerModel {
            origin: Origin {
                name: "random".into(),
                dataset: "none".into(),
                accuracy: None,
                training: None,
            },
            weight_bits: bits,
            code: CodeName::None,
            input: InputMap::Centre,
            network: self.network,
            layers,
        };
        model.validate().unwrap();
        model
    }
}
