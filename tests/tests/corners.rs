//! Values at the ends of their ranges, in hardware.

use brownout_hdl::generate::generate;
use brownout_sim::build::BuildOptions;
use brownout_sim::driver::{Driver, DriverError};
use brownout_sim::link::{ModelLink, Stalls};
use brownout_sim::simulator::{Simulator, source};
use brownout_spec::arithmetic::{ChannelParameters, OutputScale};
use brownout_spec::code::CodeName;
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::image::{LayerShape, Layout, WeightImage};
use brownout_spec::program::{Layer, Network, Operation, Program, Shape, Window};
use brownout_tests::configurations::configuration;
use brownout_tests::session::{simulator, tools};

/// Input channels of the layer under test.
const INPUTS: usize = 5;

fn plain() -> Configuration {
    configuration(4, 4, WeightBits::Eight, CodeName::None)
}

fn dense(name: &str, output_channels: usize, output: OutputScale) -> Layer {
    Layer {
        name: name.into(),
        reads: Vec::new(),
        operation: Operation::convolution(Window::square(1, 1, 0), output_channels),
        output,
        zero: 0,
    }
}

fn scale(shift: u8, low: i8, high: i8) -> OutputScale {
    OutputScale { shift, low, high }
}

/// A program of dense layers on one pixel, all weights −128, loaded.
fn load(mut layers: Vec<Layer>, parameters: &[Vec<ChannelParameters>]) -> Driver<ModelLink> {
    let configuration = plain();
    for (index, layer) in layers.iter_mut().enumerate() {
        layer.reads = vec![index];
    }
    let network = Network {
        input: Shape {
            height: 1,
            width: 1,
            channels: INPUTS,
        },
        input_zero: 0,
        layers,
    };
    let program = Program::new(&configuration, &network).expect("the network fits");
    let tensors = |step: &brownout_spec::program::Step| LayerShape {
        name: "dense".into(),
        output_channels: step.shapes.output.channels,
        input_channels: step.shapes.input.channels,
        groups: 1,
        kernel_height: 1,
        kernel_width: 1,
    };
    let shapes: Vec<_> = program.steps.iter().map(tensors).collect();
    let weights: Vec<_> = shapes.iter().map(|s| vec![-128i8; s.weights()]).collect();
    let layout = Layout::new(&configuration, shapes).expect("the weights fit");
    let image = WeightImage::encode(layout, &weights).expect("-128 is a weight");
    let mut driver = simulator(&configuration, BuildOptions::default())
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"));
    driver
        .load(&program, &image, parameters, &[])
        .unwrap_or_else(|error| panic!("{error}"));
    driver
}

fn channel(multiplier: i16, bias: i64) -> ChannelParameters {
    ChannelParameters { multiplier, bias }
}

/// Results of a single wide layer whose accumulators are all `INPUTS` · 128 · 128.
fn wide(shift: u8, channels: &[ChannelParameters]) -> Vec<i32> {
    let layer = dense("wide", channels.len(), scale(shift, 0, 0));
    let mut driver = load(vec![layer], &[channels.to_vec()]);
    let run = driver.run_image(&[-128; INPUTS]);
    run.unwrap_or_else(|error| panic!("{error}")).logits
}

#[test]
fn the_product_of_two_smallest_values_is_positive() {
    let largest = INPUTS as i32 * 128 * 128;
    let results = wide(1, &[channel(2, 0), channel(-2, 0), channel(0, 34)]);
    assert_eq!(results, [largest, -largest, 17]);
}

#[test]
fn the_wide_result_saturates_on_both_sides() {
    let limit = (1i64 << 47) - 1;
    let results = wide(
        1,
        &[
            channel(0, limit),
            channel(0, -limit),
            channel(i16::MAX, 0),
            channel(i16::MIN, 0),
            channel(0, 2 * i64::from(i32::MAX) + 1),
            channel(0, 2 * i64::from(i32::MIN)),
        ],
    );
    let product = INPUTS as i64 * 128 * 128 * 32767 / 2;
    assert_eq!(
        results,
        [
            i32::MAX,
            i32::MIN,
            product as i32,
            -(INPUTS as i32) * 128 * 128 * 16384,
            i32::MAX,
            i32::MIN,
        ]
    );
}

#[test]
fn negative_halves_round_up_and_bounds_hold() {
    // Layer 0 gives (b >> 4) from m = 0; the half 8 is in b, as export puts it.
    let halves = [-8, 8, -24, 24, -9, -7, 1 << 40, -(1 << 40)];
    let first: Vec<_> = halves.iter().map(|h| channel(0, h + 8)).collect();
    let hidden = dense("hidden", first.len(), scale(4, -100, 90));
    let last = dense("last", 1, scale(1, 0, 0));
    let mut driver = load(vec![hidden, last], &[first, vec![channel(2, 0)]]);
    let (shape, map) = driver
        .run_to_layer(&[0; INPUTS], 0)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shape.channels, 8);
    assert_eq!(map, [0, 1, -1, 2, -1, 0, 90, -100]);
    let run = driver.run_image(&[0; INPUTS]);
    let sum: i32 = map.iter().map(|&y| i32::from(y)).sum();
    let logits = run.unwrap_or_else(|error| panic!("{error}")).logits;
    assert_eq!(logits, [-128 * sum]);
}

#[test]
fn a_driver_refuses_the_accelerator_of_another_configuration() {
    let (toolchain, cache) = tools();
    let emitted = generate(&plain()).unwrap_or_else(|error| panic!("{error}"));
    let other = configuration(8, 8, WeightBits::Eight, CodeName::None);
    let options = BuildOptions::default();
    let pretender = Simulator::from_verilog(&toolchain, &cache, &other, &source(&emitted), options)
        .unwrap_or_else(|error| panic!("{error}"));
    let refused = pretender.driver(Stalls::default()).err();
    let message = refused.expect("another geometry").to_string();
    assert!(message.contains("GEOMETRY"), "{message}");
}

#[test]
fn an_image_or_parameters_of_another_size_are_refused_with_both_sizes() {
    let last = dense("last", 2, scale(1, 0, 0));
    let mut driver = load(vec![last], &[vec![channel(2, 0); 2]]);
    let error = driver.run_image(&[0; INPUTS + 1]).err();
    assert!(matches!(
        error,
        Some(DriverError::Size {
            found: 6,
            expected: 5,
            ..
        })
    ));
    let error = driver.load_parameters(&[vec![channel(2, 0); 3]]).err();
    let message = error.expect("three channels instead of two").to_string();
    assert!(message.contains("layer 0") && message.contains('3') && message.contains('2'));
}
