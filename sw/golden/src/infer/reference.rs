//! Networks from their definition, one value at a time, and random models: for tests.

use crate::model::{InputMap, IntegerModel, LayerTensors, LayerWeights, Origin};
use brownout_spec::arithmetic::{ChannelParameters, OutputScale, ResidualScale};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::program::{Layer, Network, Operation, Residual, Shape, Window};
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
    let layers = nodes
        .iter()
        .enumerate()
        .map(|(i, (operation, others))| Layer {
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
    let shapes = network.shapes().unwrap();
    let tensors = nodes.iter().zip(&shapes).map(|((operation, _), s)| {
        let outputs = s.output.channels;
        let convolution = matches!(operation, Operation::Convolution { .. });
        let shape = (outputs, s.input.channels, s.window.height, s.window.width);
        LayerTensors {
            channels: (0..outputs)
                .map(|_| ChannelParameters {
                    multiplier: random.random_range(-40..80),
                    bias: random.random_range(-3000..3000),
                })
                .collect(),
            weights: convolution.then(|| LayerWeights {
                integers: Array4::from_shape_simple_fn(shape, || random.random()),
                scales: vec![1.0; outputs],
            }),
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

/// Every layer from its definition, one value at a time.
pub fn reference(model: &IntegerModel, input: &[i8]) -> (Vec<Vec<i8>>, Vec<i32>) {
    let shapes = model.network.shapes().unwrap();
    let mut tensors = vec![input.to_vec()];
    let mut maps = vec![model.network.input];
    let mut logits = Vec::new();
    for (index, s) in shapes.iter().enumerate() {
        let layer = &model.network.layers[index];
        let pixel = |tensor: usize, y: isize, x: isize, c: usize| -> Option<i32> {
            let map: Shape = maps[tensor];
            let inside = y >= 0 && x >= 0 && y < map.height as isize && x < map.width as isize;
            (inside && c < map.channels).then(|| {
                let at = (y as usize * map.width + x as usize) * map.channels + c;
                i32::from(tensors[tensor][at])
            })
        };
        let mut output = Vec::new();
        for at in 0..s.output.volume() {
            let c = at % s.output.channels;
            let x = at / s.output.channels % s.output.width;
            let y = at / s.output.channels / s.output.width;
            let mut acc: i32 = match layer.operation {
                Operation::MaxPool { .. } => i32::MIN,
                _ => 0,
            };
            let source = layer.source();
            for tap in 0..s.window.height * s.window.width {
                let (ky, kx) = (tap / s.window.width, tap % s.window.width);
                let iy = (y * s.window.stride.rows + ky * s.window.dilation.rows) as isize
                    - s.window.padding.top as isize;
                let ix = (x * s.window.stride.columns + kx * s.window.dilation.columns) as isize
                    - s.window.padding.left as isize;
                match layer.operation {
                    Operation::Convolution { .. } => {
                        let weights = &model.layers[index].weights.as_ref().unwrap().integers;
                        for i in 0..s.input.channels {
                            let w = i32::from(weights[(c, i, ky, kx)]);
                            acc += pixel(source, iy, ix, i).unwrap_or(0) * w;
                        }
                    }
                    Operation::MaxPool { .. } => {
                        acc = acc.max(pixel(source, iy, ix, c).unwrap_or(i32::MIN));
                    }
                    _ => acc += pixel(source, iy, ix, c).unwrap_or(0),
                }
            }
            let p = model.layers[index].channels[c];
            let mut total = i64::from(acc) * i64::from(p.multiplier) + p.bias;
            if let Some(r) = layer.operation.residual() {
                let (ry, rx) = ((y * r.stride) as isize, (x * r.stride) as isize);
                let r_value = pixel(layer.reads[1], ry, rx, c).unwrap_or(0);
                total += i64::from(r_value)
                    * i64::from(r.scale.multiplier)
                    * (1 << (layer.output.shift - r.scale.shift));
            }
            let shifted = total.div_euclid(1 << layer.output.shift);
            if index + 1 == shapes.len() {
                logits.push(shifted.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32);
            } else {
                let (low, high) = (i64::from(layer.output.low), i64::from(layer.output.high));
                output.push(shifted.clamp(low, high) as i8);
            }
        }
        tensors.push(output);
        maps.push(s.output);
    }
    tensors.pop();
    (tensors, logits)
}

/// A shape by its three numbers.
pub fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}
