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
use brownout_spec::program::{Layer, Network, Operation, Shape, Window};
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
    let builtin = |name: &str, input| {
        let kind: Builtin = name.parse().expect("the name of a built-in network");
        let network = Architecture::builtin(kind, input, 10).expect("it takes such images");
        network.network
    };
    let colour = shape(32, 32, 3);
    let networks = [
        ("resnet20", builtin("resnet20", colour)),
        ("simplenet-bn:16", builtin("simplenet-bn:16", colour)),
        ("simplenet-bn:64", builtin("simplenet-bn:64", colour)),
        ("cnn", builtin("cnn", digits)),
        ("mlp", builtin("mlp", digits)),
        ("depthwise", depthwise()),
        ("mobilenet", mobilenet()),
    ];
    let only = std::env::args().nth(1);
    println!(
        "{:<16}{:<14}{:>10}{:>12}{:>12}{:>12}",
        "network", "instructions", "pack, ms", "1 thread", "2 threads", "GMAC/s"
    );
    for (name, network) in networks {
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let model = random_model(network);
        for instructions in Instructions::available() {
            measure(name, &model, instructions);
        }
    }
}

/// A chain of layers, each an operation on the one before.
fn chain(input: Shape, operations: impl IntoIterator<Item = Operation>) -> Network {
    let layers = operations.into_iter().enumerate();
    let layers = layers.map(|(index, operation)| Layer {
        name: format!("layer{index}"),
        reads: vec![index],
        operation,
        output: OutputScale {
            shift: SHIFT,
            low: 0,
            high: 127,
        },
        zero: 0,
    });
    Network {
        input,
        input_zero: 0,
        layers: layers.collect(),
    }
}

/// A 3 × 3 convolution of every channel on its own.
fn channelwise(channels: usize, stride: usize) -> Operation {
    Operation::Convolution {
        window: Window::square(3, stride, 1),
        groups: channels,
        output_channels: channels,
        residual: None,
    }
}

/// Depthwise layers alone.
fn depthwise() -> Network {
    let layers = [channelwise(64, 1); 16];
    let input = shape(16, 16, 64);
    chain(
        input,
        layers.into_iter().chain([Operation::GlobalAveragePool]),
    )
}

/// A MobileNet of a quarter of the width on 96 × 96 pixels, as visual wake words are measured with.
fn mobilenet() -> Network {
    let mut channels = 8;
    let mut layers = vec![Operation::convolution(Window::square(3, 2, 1), channels)];
    let blocks = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)];
    let blocks = blocks.into_iter().chain([(128, 1); 5]);
    for (outputs, stride) in blocks.chain([(256, 2), (256, 1)]) {
        layers.push(channelwise(channels, stride));
        layers.push(Operation::convolution(Window::square(1, 1, 0), outputs));
        channels = outputs;
    }
    layers.push(Operation::GlobalAveragePool);
    layers.push(Operation::convolution(Window::square(1, 1, 0), 2));
    chain(shape(96, 96, 3), layers)
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
            table: None,
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
