use super::*;
use crate::infer::reference::{
    Node, convolution, mean, random_model, reference, shape, with_residual,
};
use brownout_spec::arithmetic::{ChannelParameters, OutputScale};
use brownout_spec::program::{Layer, Network, Padding, Steps, Window};
use ndarray::Array4;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Runs images with all instructions of this machine; every layer must equal its definition.
fn compare(model: &IntegerModel, images: &[Vec<i8>]) {
    for instructions in Instructions::available() {
        let weights = model.weight_tensors();
        let network = IntegerNetwork::with_instructions(model, &weights, instructions).unwrap();
        let mut workspace = network.workspace();
        for image in images {
            network.run(image, &mut workspace);
            let (tensors, logits) = reference(model, image);
            for (layer, expected) in tensors.iter().skip(1).enumerate() {
                assert_eq!(
                    workspace.activations(layer),
                    Some(&expected[..]),
                    "{instructions}, layer {layer}"
                );
            }
            assert_eq!(workspace.logits(), logits, "{instructions}");
        }
    }
}

#[test]
fn every_layer_kind_equals_its_definition() {
    let max = |kernel, stride, padding| -> Node {
        let window = Window::square(kernel, stride, padding);
        (Operation::MaxPool { window }, Vec::new())
    };
    let graphs: Vec<(Shape, Vec<Node>)> = vec![
        (
            shape(9, 7, 3),
            vec![
                convolution(17, 3, 2, 1),
                max(3, 2, 1),
                mean(),
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
                mean(),
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
        let images: Vec<Vec<i8>> = (0..3)
            .map(|_| (0..input.volume()).map(|_| random.random()).collect())
            .collect();
        compare(&model, &images);
    }
}

/// Layers with channel counts around the kernels' groups and blocks, every kernel up to 7 x 7,
/// residual operands and pools, down to one pixel.
fn random_network(random: &mut ChaCha8Rng) -> (Shape, Vec<Node>) {
    const CHANNELS: [usize; 12] = [1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 50];
    let [first, second, third] = std::array::from_fn(|_| *CHANNELS.choose(random).unwrap());
    let input = shape(
        random.random_range(1..=19),
        random.random_range(1..=19),
        first,
    );
    let stride = random.random_range(1..=2);
    let odd = [1, 3, 5][random.random_range(0..3)];
    let wide = second.max(third);
    let mut operations = vec![
        (
            Operation::convolution(window(random, input), second),
            Vec::new(),
        ),
        convolution(third, odd, stride, odd / 2),
        with_residual(convolution(wide, 3, 1, 1), 1, stride),
    ];
    if random.random() {
        let kernel = random.random_range(1..=3);
        let (stride, padding) = (random.random_range(1..=2), random.random_range(0..kernel));
        let window = Window::square(kernel, stride, padding);
        operations.push((Operation::MaxPool { window }, Vec::new()));
    }
    (input, operations)
}

/// A window whose sides, strides and paddings are each on their own.
fn window(random: &mut ChaCha8Rng, input: Shape) -> Window {
    let (height, width) = (random.random_range(1..=7), random.random_range(1..=7));
    let mut padding = |reach: usize, side: usize| {
        let least = reach.saturating_sub(side).min(reach - 1);
        (
            random.random_range(least..reach),
            random.random_range(0..reach),
        )
    };
    let ((top, bottom), (left, right)) =
        (padding(height, input.height), padding(width, input.width));
    Window {
        height,
        width,
        stride: Steps {
            rows: random.random_range(1..=3),
            columns: random.random_range(1..=3),
        },
        padding: Padding {
            top,
            left,
            bottom,
            right,
        },
        dilation: Steps::ONE,
    }
}

/// The map that the last of these layers writes; `None` if a kernel is larger than its input.
fn last_map(input: Shape, nodes: &[Node]) -> Option<Shape> {
    let layer = |(index, (operation, others)): (usize, &Node)| Layer {
        name: "layer".into(),
        reads: [&[index], &others[..]].concat(),
        operation: *operation,
        output: OutputScale {
            shift: 5,
            low: 0,
            high: 0,
        },
        zero: 0,
    };
    let network = Network {
        input,
        input_zero: 0,
        layers: nodes.iter().enumerate().map(layer).collect(),
    };
    Some(network.maps().ok()?.last()?.output)
}

#[test]
fn random_networks_equal_their_definition_with_all_instructions() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let mut networks = 0;
    while networks < 60 {
        let (input, mut operations) = random_network(&mut random);
        let Some(map) = last_map(input, &operations) else {
            continue;
        };
        networks += 1;
        let outputs = random.random_range(1..=40);
        // A dense layer over the map, or a global pool and a dense layer.
        if map.height.max(map.width) <= 15 && random.random() {
            operations.push((Operation::dense(map, outputs), Vec::new()));
        } else {
            operations.extend([mean(), convolution(outputs, 1, 1, 0)]);
        }
        let model = random_model(input, &operations, networks);
        let volume = input.volume();
        let image = (0..volume).map(|_| random.random()).collect();
        compare(&model, &[image, vec![-128; volume]]);
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
    model.network.layers[0].operation = Operation::convolution(
        Window {
            height: 2,
            width: 4,
            ..Window::square(1, 1, 0)
        },
        1,
    );
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
