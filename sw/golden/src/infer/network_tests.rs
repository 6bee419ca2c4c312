use super::*;
use crate::model::{InputMap, LayerTensors, LayerWeights, Origin};
use brownout_spec::arithmetic::{ChannelParameters, OutputScale};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::program::{Layer, Network, Residual};
use ndarray::Array4;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn convolution(channels: usize, kernel: usize, stride: usize, padding: usize) -> Operation {
    Operation::Convolution {
        kernel_height: kernel,
        kernel_width: kernel,
        stride,
        padding,
        output_channels: channels,
        residual: None,
    }
}

fn with_residual(operation: Operation, from: usize, stride: usize) -> Operation {
    let Operation::Convolution {
        kernel_height,
        kernel_width,
        stride: step,
        padding,
        output_channels,
        ..
    } = operation
    else {
        unreachable!("only convolutions have a residual operand")
    };
    Operation::Convolution {
        kernel_height,
        kernel_width,
        stride: step,
        padding,
        output_channels,
        residual: Some(Residual {
            from,
            stride,
            scale: ResidualScale {
                multiplier: -37,
                shift: 5,
            },
        }),
    }
}

/// A model of these operations with random weights and parameters.
fn random_model(input: Shape, operations: &[Operation], seed: u64) -> IntegerModel {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let layers = operations.iter().enumerate().map(|(i, &operation)| Layer {
        name: format!("l{i}"),
        operation,
        output: OutputScale {
            shift: random.random_range(6..12),
            low: if random.random() { 0 } else { -128 },
            high: 127,
        },
    });
    let network = Network {
        input,
        layers: layers.collect(),
    };
    let shapes = network.shapes().unwrap();
    let tensors = operations.iter().zip(&shapes).map(|(operation, s)| {
        let outputs = s.output.channels;
        let convolution = matches!(operation, Operation::Convolution { .. });
        let shape = (outputs, s.input.channels, s.kernel_height, s.kernel_width);
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
fn reference(model: &IntegerModel, input: &[i8]) -> (Vec<Vec<i8>>, Vec<i32>) {
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
            for tap in 0..s.kernel_height * s.kernel_width {
                let (ky, kx) = (tap / s.kernel_width, tap % s.kernel_width);
                let iy = (y * s.stride + ky) as isize - s.padding as isize;
                let ix = (x * s.stride + kx) as isize - s.padding as isize;
                match layer.operation {
                    Operation::Convolution { .. } => {
                        let weights = &model.layers[index].weights.as_ref().unwrap().integers;
                        for i in 0..s.input.channels {
                            let w = i32::from(weights[(c, i, ky, kx)]);
                            acc += pixel(index, iy, ix, i).unwrap_or(0) * w;
                        }
                    }
                    Operation::MaxPool { .. } => {
                        acc = acc.max(pixel(index, iy, ix, c).unwrap_or(i32::MIN));
                    }
                    Operation::GlobalAveragePool => acc += pixel(index, iy, ix, c).unwrap_or(0),
                }
            }
            let p = model.layers[index].channels[c];
            let mut total = i64::from(acc) * i64::from(p.multiplier) + p.bias;
            if let Some(r) = layer.operation.residual() {
                let (ry, rx) = ((y * r.stride) as isize, (x * r.stride) as isize);
                let r_value = pixel(r.from, ry, rx, c).unwrap_or(0);
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

fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

#[test]
fn every_layer_kind_equals_its_definition() {
    let max = |kernel, stride, padding| Operation::MaxPool {
        kernel,
        stride,
        padding,
    };
    let graphs: Vec<(Shape, Vec<Operation>)> = vec![
        (
            shape(9, 7, 3),
            vec![
                convolution(17, 3, 2, 1),
                max(3, 2, 1),
                Operation::GlobalAveragePool,
                convolution(5, 1, 1, 0),
            ],
        ),
        (
            shape(6, 6, 5),
            vec![
                convolution(9, 3, 2, 1),
                with_residual(convolution(20, 3, 1, 1), 0, 2),
                convolution(20, 5, 1, 2),
                with_residual(convolution(20, 3, 1, 1), 2, 1),
                max(2, 2, 0),
                Operation::GlobalAveragePool,
                convolution(11, 1, 1, 0),
            ],
        ),
        (
            shape(1, 1, 40),
            vec![convolution(33, 1, 1, 0), convolution(3, 1, 1, 0)],
        ),
        (shape(3, 3, 2), vec![convolution(4, 3, 1, 0)]),
    ];
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for (seed, (input, operations)) in graphs.into_iter().enumerate() {
        let model = random_model(input, &operations, seed as u64);
        let network = IntegerNetwork::undisturbed(&model);
        let mut workspace = network.workspace();
        for _ in 0..3 {
            let image: Vec<i8> = (0..input.volume()).map(|_| random.random()).collect();
            network.run(&image, &mut workspace);
            let (tensors, logits) = reference(&model, &image);
            for (layer, expected) in tensors.iter().skip(1).enumerate() {
                assert_eq!(
                    workspace.activations(layer),
                    Some(&expected[..]),
                    "layer {layer}"
                );
            }
            assert_eq!(workspace.logits(), logits);
        }
    }
}

/// One input, one weight, one output.
fn single(weight: i8, parameters: ChannelParameters, shift: u8) -> IntegerModel {
    let mut model = random_model(shape(1, 1, 1), &[convolution(1, 1, 1, 0)], 0);
    model.layers[0].channels = vec![parameters];
    model.layers[0]
        .weights
        .as_mut()
        .unwrap()
        .integers
        .fill(weight);
    model.network.layers[0].output.shift = shift;
    model.validate().unwrap();
    model
}

fn result(model: &IntegerModel, input: &[i8]) -> i32 {
    let network = IntegerNetwork::undisturbed(model);
    let mut workspace = network.workspace();
    network.run(input, &mut workspace);
    workspace.logits()[0]
}

#[test]
fn the_product_of_the_smallest_weight_and_activation_is_16384() {
    let model = single(
        -128,
        ChannelParameters {
            multiplier: 2,
            bias: 0,
        },
        1,
    );
    assert_eq!(result(&model, &[-128]), 16384);
}

#[test]
fn negative_halves_round_upwards() {
    let half = ChannelParameters {
        multiplier: 1,
        bias: 1,
    };
    let model = single(1, half, 1);
    let results: Vec<i32> = [-3, -2, -1, 0, 1, 3].map(|x| result(&model, &[x])).to_vec();
    assert_eq!(results, [-1, -1, 0, 0, 1, 2]);
}

#[test]
fn the_wide_result_saturates_at_both_ends_of_int32() {
    let mut model = random_model(shape(1, 1, 1000), &[convolution(2, 1, 1, 0)], 0);
    model.network.layers[0].output.shift = 1;
    let weights = model.layers[0].weights.as_mut().unwrap();
    weights.integers.fill(-128);
    for (channel, multiplier) in model.layers[0].channels.iter_mut().zip([32767, -32767]) {
        *channel = ChannelParameters {
            multiplier,
            bias: 0,
        };
    }
    model.validate().unwrap();
    let network = IntegerNetwork::undisturbed(&model);
    let mut workspace = network.workspace();
    network.run(&[-128; 1000], &mut workspace);
    assert_eq!(workspace.logits(), [i32::MAX, i32::MIN]);
}

#[test]
fn one_input_above_the_limit_is_refused_by_name() {
    let wide = shape(2, 4, 16_384);
    let mut model = random_model(shape(1, 1, 8), &[convolution(1, 1, 1, 0)], 0);
    model.network.input = wide;
    model.network.layers[0].operation = Operation::Convolution {
        kernel_height: 2,
        kernel_width: 4,
        stride: 1,
        padding: 0,
        output_channels: 1,
        residual: None,
    };
    model.layers[0].weights.as_mut().unwrap().integers = Array4::zeros((1, 16_384, 2, 4));
    let message = model.validate().unwrap_err().to_string();
    for part in ["layer 0 (l0)", "131072", "131071"] {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn tensors_of_another_model_are_refused() {
    let model = random_model(shape(1, 1, 8), &[convolution(2, 1, 1, 0)], 0);
    let none: [&[i8]; 0] = [];
    assert!(IntegerNetwork::new(&model, &none).is_err());
    let message = IntegerNetwork::new(&model, &[vec![0; 15]])
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("16 weights, and its tensor 15"),
        "{message}"
    );
}
