//! Models of graphs: their files, and what they may not be.

use super::{IntegerModel, LayerTensors};
use crate::infer::graph_tests::random_graph;
use crate::infer::reference::{convolution, mean, random_model, shape};
use brownout_spec::arithmetic::ChannelParameters;
use brownout_spec::config::WeightBits;
use brownout_spec::program::{Operation, Padding, Window};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

fn parse(bytes: &[u8]) -> Result<IntegerModel, String> {
    IntegerModel::from_bytes(bytes, Path::new("graph")).map_err(|e| e.to_string())
}

#[test]
fn graphs_of_all_operators_survive_their_files_and_no_damage_to_one_panics() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for seed in 0..40 {
        let model = random_graph(seed);
        let bytes = model.to_bytes().unwrap();
        let read = parse(&bytes).unwrap();
        assert_eq!(read, model, "seed {seed}");
        assert_eq!(read.to_bytes().unwrap(), bytes);
        for _ in 0..250 {
            let mut damaged = bytes.clone();
            // Most of the header, where digits are shapes and numbers of tensors.
            for _ in 0..random.random_range(1..4) {
                let end = match random.random_bool(0.8) {
                    true => bytes.len().min(4000),
                    false => bytes.len(),
                };
                let at = random.random_range(0..end);
                damaged[at] = match random.random_range(0..3) {
                    0 => random.random(),
                    1 => b'0' + random.random_range(0..10),
                    _ => damaged[at] ^ 1 << random.random_range(0..8),
                };
            }
            let _ = parse(&damaged);
        }
    }
}

/// A chain that ends in a mean and a dense layer.
fn chain(operation: Operation) -> IntegerModel {
    let nodes = [(operation, Vec::new()), mean(), convolution(2, 1, 1, 0)];
    random_model(shape(8, 8, 3), &nodes, 1)
}

#[test]
fn a_map_as_result_has_no_class() {
    let model = random_model(shape(8, 8, 3), &[convolution(2, 3, 1, 0)], 1);
    assert_eq!((model.results(), model.classes()), (shape(6, 6, 2), None));
    let one = chain(pool(Padding::NONE));
    assert_eq!((one.results(), one.classes()), (shape(1, 1, 2), Some(2)));
}

#[test]
fn an_8_bit_layer_of_a_4_bit_model_is_refused_with_what_to_do() {
    let mut model = chain(pool(Padding::NONE));
    for layer in &mut model.layers {
        if let Some(weights) = &mut layer.weights {
            weights.integers.fill(3);
        }
    }
    model.weight_bits = WeightBits::Four;
    assert!(model.validate().is_ok());
    if let Some(weights) = &mut model.layers[2].weights {
        weights.integers.fill(99);
    }
    let message = model.validate().unwrap_err().to_string();
    let expected = "is 99; allowed is -8 to 7 with code none and 4-bit weights; a network with some layers of 8 bits and others of 4 runs with weight_bits = 8";
    assert!(message.contains(expected), "{message}");
}

fn pool(counted: Padding) -> Operation {
    Operation::AveragePool {
        window: Window::square(3, 2, 1),
        counted,
    }
}

#[test]
fn maps_that_no_thread_can_keep_are_refused_with_their_size() {
    let pad = Operation::Pad {
        padding: Padding::NONE,
    };
    let nodes = [
        (pad, Vec::new()),
        (pad, Vec::new()),
        mean(),
        convolution(2, 1, 1, 0),
    ];
    let mut model = random_model(shape(8, 8, 3), &nodes, 1);
    model.network.input = shape(63, 63, 16_384);
    let message = model.validate().unwrap_err().to_string();
    // The input, what the pads read and write, and what the mean reads.
    let map = 63 * 63 * 16_384;
    let values = 6 * map + 2 * 16_384 + 2;
    assert!(
        message.contains(&format!("have {values} values in all")),
        "{message}"
    );
}

#[test]
fn an_average_whose_divisors_vary_inside_is_refused_with_its_window() {
    let mut model = chain(pool(Padding::NONE));
    let window = Window::square(5, 1, 2);
    model.network.layers[0].operation = Operation::AveragePool {
        window,
        counted: Padding::NONE,
    };
    let message = model.validate().unwrap_err().to_string();
    for part in [
        "layer 0 (l0)",
        "window is 5x5 with stride 1 and padding 2 over a map of 8x8",
    ] {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn each_layer_needs_the_tensors_of_its_operation() {
    let refused = |model: IntegerModel, parts: &[&str]| {
        let message = model.validate().unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    };
    let one = ChannelParameters::identity(1);
    let mut sets = chain(pool(Padding::NONE));
    assert_eq!(sets.layers[0].channels.len(), 9 * 3);
    sets.layers[0].channels.push(one);
    refused(sets, &["multiplier has shape 28", "9 sets of 3"]);
    let mut table = chain(Operation::Pointwise);
    table.layers[0].table = None;
    refused(table, &["table has shape none", "256 values"]);
    let mut needless = chain(pool(Padding::around(1)));
    needless.layers[0].table = Some([0; 256]);
    refused(needless, &["table has shape 256 values", "needs none"]);
    let mut weights = chain(Operation::Pointwise);
    weights.layers[0].weights = weights.layers[2].weights.clone();
    refused(weights, &["none, since it is of kind pointwise"]);
    let concat = (Operation::Concat, vec![0]);
    let nodes = [concat, mean(), convolution(2, 1, 1, 0)];
    let mut copies = random_model(shape(2, 2, 3), &nodes, 1);
    assert!(copies.layers[0].channels.is_empty());
    copies.layers[0] = LayerTensors {
        channels: vec![one; 6],
        ..copies.layers[0].clone()
    };
    refused(copies, &["none, since it is a concat"]);
}
