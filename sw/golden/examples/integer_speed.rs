//! Images per second of integer inference, on random weights and images.
//!
//! `cargo run --release -p brownout-golden --example integer_speed [NETWORK]`

use brownout_golden::data::Dataset;
use brownout_golden::infer::{Instructions, IntegerNetwork};
use brownout_golden::model::{InputMap, IntegerModel, LayerTensors, LayerWeights, Origin};
use brownout_golden::network::{Architecture, Builtin};
use brownout_spec::arithmetic::{ChannelParameters, OutputScale, ResidualScale};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::program::{Network, Operation, Shape};
use ndarray::Array4;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};

/// Runs of which the median is printed.
const RUNS: usize = 5;
/// What a run should last.
const RUN: Duration = Duration::from_millis(300);
/// Shift of every layer.
const SHIFT: u8 = 16;

fn main() {
    let digits = shape(28, 28, 1);
    let networks = [
        ("resnet20", shape(32, 32, 3)),
        ("simplenet-bn:16", shape(32, 32, 3)),
        ("simplenet-bn:64", shape(32, 32, 3)),
        ("cnn", digits),
        ("mlp", digits),
    ];
    let only = std::env::args().nth(1);
    println!(
        "{:<16}{:<14}{:>10}{:>12}{:>12}{:>12}",
        "network", "instructions", "pack, ms", "1 thread", "2 threads", "GMAC/s"
    );
    for (name, input) in networks {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let kind: Builtin = name.parse().expect("the name of a built-in network");
        let network = Architecture::builtin(kind, input, 10).expect("it takes such images");
        let model = random_model(network.network);
        for instructions in Instructions::available() {
            measure(name, &model, instructions);
        }
    }
}

/// Prints one line: images per second on one and two threads, and products per second on two.
fn measure(name: &str, model: &IntegerModel, instructions: Instructions) {
    let weights = model.weight_tensors();
    let build = || {
        IntegerNetwork::with_instructions(model, &weights, instructions)
            .expect("the tensors are the model's own")
    };
    let network = build();
    let pack = median(|| seconds(|| drop(build())));
    let pilot = random_images(model.network.input, 8);
    network.classes(&pilot);
    let image = seconds(|| drop(network.classes(&pilot))) / pilot.len() as f64;
    let images = ((RUN.as_secs_f64() / image) as usize).clamp(8, 20_000);
    let data = random_images(model.network.input, images);
    let speed = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("threads can be started");
        let run = || pool.install(|| drop(network.classes(&data)));
        images as f64 / median(|| seconds(run))
    };
    let (one, two) = (speed(1), speed(2));
    let shapes = network.shapes().iter().zip(&model.network.layers);
    let products: usize = shapes
        .filter(|(_, layer)| layer.operation.has_weights())
        .map(|(s, _)| s.output.volume() * s.inputs())
        .sum();
    println!(
        "{name:<16}{:<14}{:>10.2}{one:>12.0}{two:>12.0}{:>12.0}",
        instructions.to_string(),
        pack * 1e3,
        two * products as f64 / 1e9
    );
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut sample: impl FnMut() -> f64) -> f64 {
    let mut samples: Vec<f64> = (0..RUNS).map(|_| sample()).collect();
    samples.sort_by(f64::total_cmp);
    samples[RUNS / 2]
}

fn random_images(shape: Shape, count: usize) -> Dataset {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let dimensions = (count, shape.height, shape.width, shape.channels);
    let images = Array4::<u8>::from_shape_simple_fn(dimensions, || random.random());
    Dataset::new("random", images, vec![0; count], 10)
}

fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

/// The network with random weights and scales that leave most activations off their bounds.
fn random_model(mut network: Network) -> IntegerModel {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for layer in &mut network.layers {
        layer.output = OutputScale {
            shift: SHIFT,
            low: 0,
            high: 127,
        };
        if let Operation::Convolution {
            residual: Some(residual),
            ..
        } = &mut layer.operation
        {
            residual.scale = ResidualScale {
                multiplier: 20_000,
                shift: 15,
            };
        }
    }
    let shapes = network.shapes().expect("a built-in network");
    let mut tensors = Vec::new();
    for (layer, s) in network.layers.iter().zip(&shapes) {
        let outputs = s.output.channels;
        let shape = (outputs, s.group_channels(), s.window.height, s.window.width);
        tensors.push(LayerTensors {
            channels: (0..outputs)
                .map(|_| ChannelParameters {
                    multiplier: random.random_range(40..400),
                    bias: random.random_range(-100_000..400_000),
                })
                .collect(),
            weights: layer.operation.has_weights().then(|| LayerWeights {
                integers: Array4::from_shape_simple_fn(shape, || random.random()),
                scales: vec![1.0; outputs],
            }),
        });
    }
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
        layers: tensors,
    };
    model.validate().expect("the scales fit 48 bits");
    model
}
