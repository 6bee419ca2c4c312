//! Networks, memories and images for the tests of attacks.

use super::{Batch, Victim, draw};
use crate::data::{Dataset, Split, glyph};
use crate::float::{FloatModel, Form};
use crate::model::InputMap;
use crate::network::{Builtin, Parameters, test_graph};
use crate::quantize::{BitWidth, Exposure};
use crate::quantized::{MemoryRules, QuantizedNetwork, StoredMemory};
use crate::train::{TrainingOptions, train};
use brownout_spec::code::{CodeName, Policy, Storage};
use brownout_spec::program::Shape;
use ndarray::Array4;
use std::sync::OnceLock;

/// Images of noise in a network's shape.
pub(super) fn noise(image: Shape, count: usize) -> Dataset {
    let value = |(i, y, x, c): (usize, usize, usize, usize)| {
        (i * 7919 + y * 131 + x * 37 + c * 61 + i * y * x) as u8
    };
    let shape = (count, image.height, image.width, image.channels);
    let labels = (0..count).map(|i| (i % 10) as u16).collect();
    Dataset::new("noise", Array4::from_shape_fn(shape, value), labels, 10)
}

/// A network with random weights of 8 bits, in range of an in-place code.
pub(super) fn random(network: &str, seed: u64) -> QuantizedNetwork {
    let side = match network {
        "cnn" | "mlp" | "graph" => 28,
        _ => 32,
    };
    let image = Shape {
        height: side,
        width: side,
        channels: if side == 28 { 1 } else { 3 },
    };
    let model = match network {
        "graph" => graph(image, seed),
        name => {
            FloatModel::random(name.parse().unwrap(), (image, 10), InputMap::Halve, seed).unwrap()
        }
    };
    let options = TrainingOptions::default();
    model.calibrate(&noise(image, 32), &options).unwrap()
}

/// A network with every operator of a graph.
fn graph(image: Shape, seed: u64) -> FloatModel {
    let architecture = test_graph::graph(image, 10);
    let named = FloatModel::random(Builtin::Cnn, (image, 10), InputMap::Halve, seed);
    FloatModel {
        network: Form::Graph("graph".to_owned()),
        parameters: Parameters::random(&architecture, seed, 0),
        architecture,
        ..named.unwrap()
    }
}

/// Its images.
pub(super) fn batch(network: &QuantizedNetwork, count: usize) -> Batch {
    let data = noise(network.model.image, count);
    let all: Vec<usize> = (0..count).collect();
    let table = network.model.input.rounded_table();
    Batch::new(&Victim::from(network), &table, &data, &all)
}

/// A memory of a code for it.
pub(super) fn memory(network: &QuantizedNetwork, code: &str) -> StoredMemory {
    memory_with(network, code.parse().unwrap(), Policy::Keep)
}

pub(super) fn memory_with(
    network: &QuantizedNetwork,
    code: CodeName,
    policy: Policy,
) -> StoredMemory {
    memory_in(network, code, policy, Storage::Coset)
}

pub(super) fn memory_in(
    network: &QuantizedNetwork,
    code: CodeName,
    policy: Policy,
    storage: Storage,
) -> StoredMemory {
    let rules = MemoryRules {
        rows: 16,
        columns: 16,
        code,
        storage: storage.with(code),
        policy,
        exposure: Exposure::WholeLane,
    };
    let width = network.quantization.width;
    StoredMemory::new(rules, width, network.model.weight_shapes()).unwrap()
}

/// Glyphs, and a small CNN that has learned them, with weights in range of `inplace-64-57`.
pub(super) fn trained() -> &'static (Split, QuantizedNetwork) {
    static TRAINED: OnceLock<(Split, QuantizedNetwork)> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let split = glyph::split(1, 3000, 500);
        let options = TrainingOptions {
            epochs: 3,
            quiet: true,
            weight_bits: BitWidth::EIGHT,
            ..TrainingOptions::default()
        };
        let images = (split.train.shape(), 10);
        let start = FloatModel::random("cnn".parse().unwrap(), images, InputMap::Halve, 1);
        let network = train(start.unwrap(), &split.train, &options)
            .unwrap()
            .network;
        (split, network)
    })
}

/// What an attacker of it looks at.
pub(super) fn glyph_batch(count: usize, seed: u64) -> Batch {
    let (split, network) = trained();
    let images = draw(&split.train, count, seed, |_| true);
    let table = network.model.input.rounded_table();
    Batch::new(&Victim::from(network), &table, &split.train, &images)
}
