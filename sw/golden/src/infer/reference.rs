//! Networks from their definition, one value at a time, and random models: for tests.

use crate::model::{InputMap, IntegerModel, LayerTensors, LayerWeights, Origin};
use brownout_spec::arithmetic::{ChannelParameters, OutputScale, ResidualScale};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::program::{
    Divisors, Layer, LayerShapes, Network, Operation, Residual, Shape, Window,
};
use ndarray::Array4;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// An operation on the tensor before it, and the other tensors that it reads.
pub type Node = (Operation, Vec<usize>);

/// A square convolution without a residual operand.
pub fn convolution(channels: usize, kernel: usize, stride: usize, padding: usize) -> Node {
    let window = Window::square(kernel, stride, padding);
    (Operation::convolution(window, channels), Vec::new())
}

/// The mean over the whole map.
pub fn mean() -> Node {
    (Operation::GlobalAveragePool, Vec::new())
}

/// The convolution with an operand added.
pub fn with_residual((operation, _): Node, from: usize, stride: usize) -> Node {
    let with = Residual {
        stride,
        scale: ResidualScale {
            multiplier: -37,
            shift: 5,
        },
    };
    (operation.with_residual(with), vec![from])
}

/// A model of these operations with random weights and parameters.
pub fn random_model(input: Shape, nodes: &[Node], seed: u64) -> IntegerModel {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let layers = nodes.iter().enumerate();
    let layers = layers.map(|(i, (operation, others))| Layer {
        name: format!("l{i}"),
        reads: [&[i], &others[..]].concat(),
        operation: *operation,
        output: OutputScale {
            shift: random.random_range(6..12),
            low: if random.random() { 0 } else { -128 },
            high: 127,
        },
        zero: 0,
    });
    let network = Network {
        input,
        input_zero: 0,
        layers: layers.collect(),
    };
    let coarse = |_: u8, random: &mut ChaCha8Rng| ChannelParameters {
        multiplier: random.random_range(-40..80),
        bias: random.random_range(-3000..3000),
    };
    with_tensors(network, &mut random, coarse)
}

/// A model of a network with random weights, tables, and parameters by the layer's shift.
pub fn with_tensors(
    network: Network,
    random: &mut ChaCha8Rng,
    channel: impl Fn(u8, &mut ChaCha8Rng) -> ChannelParameters,
) -> IntegerModel {
    let shapes = network.shapes().unwrap();
    let tensors = network.layers.iter().zip(&shapes).map(|(layer, s)| {
        let outputs = s.output.channels;
        let sets = layer.operation.parameter_sets(s.input).unwrap();
        let shape = (outputs, s.group_channels(), s.window.height, s.window.width);
        LayerTensors {
            channels: (0..sets * outputs)
                .map(|_| channel(layer.output.shift, random))
                .collect(),
            weights: layer.operation.has_weights().then(|| LayerWeights {
                integers: Array4::from_shape_simple_fn(shape, || random.random()),
                scales: vec![1.0; outputs],
            }),
            table: (layer.operation == Operation::Pointwise)
                .then(|| std::array::from_fn(|_| random.random())),
        }
    });
    let layers = tensors.collect();
    let model = IntegerModel {
        origin: Origin {
            name: "random".into(),
            dataset: "none".into(),
            accuracy: None,
            training: None,
        },
        weight_bits: WeightBits::Eight,
        code: CodeName::None,
        input: InputMap::Centre,
        network,
        layers,
    };
    model.validate().unwrap();
    model
}

/// What a reference has computed: the tensors in front of a layer, and their shapes.
struct Computed<'m> {
    model: &'m IntegerModel,
    tensors: Vec<Vec<i8>>,
    maps: Vec<Shape>,
}

impl Computed<'_> {
    /// A stored integer with its zero point taken off; `None` outside the map.
    fn value(&self, tensor: usize, (y, x): (isize, isize), c: usize) -> Option<i64> {
        let map = self.maps[tensor];
        let inside = y >= 0 && x >= 0 && y < map.height as isize && x < map.width as isize;
        (inside && c < map.channels).then(|| {
            let at = (y as usize * map.width + x as usize) * map.channels + c;
            i64::from(self.tensors[tensor][at]) - i64::from(self.model.network.zero(tensor))
        })
    }

    /// The values of a window in the map, with the number of their taps.
    fn window(
        &self,
        tensor: usize,
        window: &Window,
        (y, x): (usize, usize),
        c: usize,
    ) -> Vec<(usize, i64)> {
        let along =
            |position: usize, stride: usize, tap: usize, dilation: usize, padding: usize| {
                (position * stride + tap * dilation) as isize - padding as isize
            };
        let taps = (0..window.height * window.width).filter_map(|tap| {
            let (row, column) = (tap / window.width, tap % window.width);
            let (stride, dilation) = (window.stride, window.dilation);
            let iy = along(y, stride.rows, row, dilation.rows, window.padding.top);
            let ix = along(
                x,
                stride.columns,
                column,
                dilation.columns,
                window.padding.left,
            );
            Some((tap, self.value(tensor, (iy, ix), c)?))
        });
        taps.collect()
    }

    /// The accumulator of an output value.
    fn accumulator(&self, index: usize, s: &LayerShapes, place: (usize, usize), c: usize) -> i64 {
        let layer = &self.model.network.layers[index];
        let source = layer.reads[0];
        let (y, x) = (place.0 as isize, place.1 as isize);
        match layer.operation {
            Operation::Convolution {
                window,
                groups,
                output_channels,
                ..
            } => {
                let weights = &self.model.layers[index].weights.as_ref().unwrap().integers;
                let inputs = self.maps[source].channels / groups;
                let first = c / (output_channels / groups) * inputs;
                let products = (0..inputs).flat_map(|i| {
                    let taps = self.window(source, &window, place, first + i).into_iter();
                    taps.map(move |(tap, x)| {
                        let at = (c, i, tap / window.width, tap % window.width);
                        x * i64::from(weights[at])
                    })
                });
                products.sum()
            }
            Operation::MaxPool { window } => {
                let values = self.window(source, &window, place, c).into_iter();
                values.map(|(_, x)| x).max().unwrap()
            }
            Operation::AveragePool { window, .. } => {
                let values = self.window(source, &window, place, c).into_iter();
                values.map(|(_, x)| x).sum()
            }
            Operation::GlobalAveragePool => {
                let map = s.input;
                let pixels = (0..map.pixels()).map(|p| (p / map.width, p % map.width));
                let values =
                    pixels.map(|(y, x)| self.value(source, (y as isize, x as isize), c).unwrap());
                values.sum()
            }
            Operation::Add { .. } | Operation::Pointwise => self.value(source, (y, x), c).unwrap(),
            Operation::Resize { factors } => {
                let (y, x) = (place.0 / factors.rows, place.1 / factors.columns);
                self.value(source, (y as isize, x as isize), c).unwrap()
            }
            Operation::Pad { padding } => {
                let pixel = (y - padding.top as isize, x - padding.left as isize);
                self.value(source, pixel, c).unwrap_or(0)
            }
            Operation::Concat => unreachable!("a concat does not compute"),
        }
    }

    /// The stored integer that a concat copies.
    fn part(&self, index: usize, (y, x): (usize, usize), mut c: usize) -> i64 {
        let layer = &self.model.network.layers[index];
        for &tensor in &layer.reads {
            let channels = self.maps[tensor].channels;
            if c < channels {
                let value = self.value(tensor, (y as isize, x as isize), c).unwrap();
                return value + i64::from(self.model.network.zero(tensor));
            }
            c -= channels;
        }
        unreachable!("the channels are those of the parts")
    }

    /// A value of a layer's output: the wide one of the last layer, else an activation.
    fn output(&self, index: usize, s: &LayerShapes, place: (usize, usize), c: usize) -> i64 {
        let layer = &self.model.network.layers[index];
        let tensors = &self.model.layers[index];
        let set = match layer.operation {
            Operation::Concat => return self.part(index, place, c),
            Operation::AveragePool { window, counted } => {
                let divisors = Divisors::new(&window, s.input, counted).unwrap();
                divisors.set(place, (s.output.height, s.output.width))
            }
            _ => 0,
        };
        let p = tensors.channels[set * s.output.channels + c];
        let accumulator = self.accumulator(index, s, place, c);
        let mut total = accumulator * i64::from(p.multiplier) + p.bias;
        if let Some(scale) = layer.operation.operand_scale() {
            let stride = layer.operation.residual().map_or(1, |r| r.stride);
            let pixel = ((place.0 * stride) as isize, (place.1 * stride) as isize);
            let r = self.value(layer.reads[1], pixel, c).unwrap_or(0);
            total += r * i64::from(scale.multiplier) * (1 << (layer.output.shift - scale.shift));
        }
        let shifted = total.div_euclid(1 << layer.output.shift);
        let last = index + 1 == self.model.layers.len();
        let (low, high) = (i64::from(layer.output.low), i64::from(layer.output.high));
        match &tensors.table {
            Some(table) => i64::from(table[(shifted.clamp(low, high) + 128) as usize]),
            None if last => shifted.clamp(i64::from(i32::MIN), i64::from(i32::MAX)),
            None => shifted.clamp(low, high),
        }
    }
}

/// Every layer from its definition, one value at a time.
pub fn reference(model: &IntegerModel, input: &[i8]) -> (Vec<Vec<i8>>, Vec<i32>) {
    let shapes = model.network.shapes().unwrap();
    let mut computed = Computed {
        model,
        tensors: vec![input.to_vec()],
        maps: vec![model.network.input],
    };
    let mut logits = Vec::new();
    for (index, s) in shapes.iter().enumerate() {
        let mut values = Vec::with_capacity(s.output.volume());
        for pixel in 0..s.output.pixels() {
            let place = (pixel / s.output.width, pixel % s.output.width);
            for c in 0..s.output.channels {
                values.push(computed.output(index, s, place, c));
            }
        }
        if index + 1 == shapes.len() {
            logits = values.into_iter().map(|y| y as i32).collect();
        } else {
            let activations = values.into_iter().map(|y| y as i8).collect();
            computed.tensors.push(activations);
            computed.maps.push(s.output);
        }
    }
    (computed.tensors, logits)
}

/// A shape by its three numbers.
pub fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}
