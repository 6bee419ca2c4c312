//! Images per second of one thread in floating point, forward and backward and forward alone, on
//! random weights and images; best of some runs, since others may be on the machine.
//!
//! `cargo run --release -p brownout-golden --example float_speed [NETWORK]`

use brownout_golden::network::{
    Architecture, Bounds, Builder, Builtin, Chunk, Evaluator, Norm, Parameters, Prepared,
    Statistics, Style,
};
use brownout_spec::program::{Operation, Shape, Window};
use std::time::Instant;

/// Images of a chunk.
const IMAGES: usize = 16;
/// Runs of which the best is printed.
const RUNS: usize = 12;

fn main() {
    let only = std::env::args().nth(1);
    println!(
        "{:<14}{:>12}{:>12}{:>12}{:>12}",
        "network", "training", "GMAC/s", "inference", "GMAC/s"
    );
    for name in ["resnet20", "mobilenet"] {
        if only.as_deref().is_none_or(|only| only == name) {
            let architecture = match name {
                "mobilenet" => mobilenet(),
                name => {
                    let kind: Builtin = name.parse().expect("the name of a built-in network");
                    Architecture::builtin(kind, square(32, 3), 10).expect("it takes such images")
                }
            };
            measure(name, &architecture);
        }
    }
}

fn square(side: usize, channels: usize) -> Shape {
    Shape {
        height: side,
        width: side,
        channels,
    }
}

/// A MobileNet of the quarter width for images of 96 x 96 pixels and two classes, as for the
/// visual wake words.
fn mobilenet() -> Architecture {
    let style = Style {
        norm: Norm::Batch,
        bounds: Bounds::RELU,
        ..Style::default()
    };
    let stem = Operation::convolution(Window::square(3, 2, 1), 8);
    let mut network = Builder::new("mobilenet", square(96, 3)).layer("stem", stem, style.clone());
    let mut inputs = 8;
    let blocks = [
        (16, 1),
        (32, 2),
        (32, 1),
        (64, 2),
        (64, 1),
        (128, 2),
        (128, 1),
        (128, 1),
        (128, 1),
        (128, 1),
        (128, 1),
        (256, 2),
        (256, 1),
    ];
    for (outputs, stride) in blocks {
        let depthwise = Operation::Convolution {
            window: Window::square(3, stride, 1),
            groups: inputs,
            output_channels: inputs,
            residual: None,
        };
        let pointwise = Operation::convolution(Window::square(1, 1, 0), outputs);
        network = network.layer("depthwise", depthwise, style.clone()).layer(
            "pointwise",
            pointwise,
            style.clone(),
        );
        inputs = outputs;
    }
    let network = network
        .global_average_pool("mean")
        .dense("logits", 2, false);
    network.build().expect("the specification allows it")
}

/// Prints one line; products of a training step are counted three times.
fn measure(name: &str, architecture: &Architecture) {
    let parameters = Parameters::random(architecture, 1, 0);
    let layers = architecture.network.layers.len();
    let (weights, grids) = (vec![None; layers], vec![None; layers + 1]);
    let mut chunk = Chunk::new(architecture, &parameters, IMAGES);
    let value = |i: usize| (i * 7919 % 1021) as f32 / 512.0 - 1.0;
    let input: Vec<f32> = (0..chunk.input_mut().len()).map(value).collect();
    chunk.input_mut().copy_from_slice(&input);
    let training = best(|| {
        let statistics = Statistics::Batch;
        let prepared = Prepared::new(
            architecture,
            &parameters,
            &weights,
            statistics,
            grids.clone(),
        );
        chunk.forward(&prepared);
        let gradient: Vec<f32> = (0..chunk.logits().len()).map(value).collect();
        chunk.backward(&prepared, &gradient, false);
    });
    let evaluator = Evaluator::exact(architecture, &parameters);
    let mut values = evaluator.values();
    let volume = architecture.network.input.volume();
    let inference = best(|| {
        for image in input.chunks_exact(volume) {
            evaluator.run(image.iter().copied(), &mut values);
        }
    });
    let products = architecture
        .network
        .layers
        .iter()
        .zip(architecture.shapes());
    let products = products.filter(|(layer, _)| layer.operation.has_weights());
    let products = products.map(|(_, s)| (s.inputs() * s.output.volume()) as f64);
    let products: f64 = products.sum();
    let rate = |seconds: f64| IMAGES as f64 / seconds;
    println!(
        "{name:<14}{:>12.0}{:>12.1}{:>12.0}{:>12.1}",
        rate(training),
        3.0 * products * rate(training) / 1e9,
        rate(inference),
        products * rate(inference) / 1e9
    );
}

/// Seconds of the fastest run.
fn best(mut work: impl FnMut()) -> f64 {
    let runs = (0..RUNS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    runs.fold(f64::INFINITY, f64::min)
}
