//! The limits of what an accelerator addresses: weights, output pixels and results.

use brownout_golden::model::{InputMap, IntegerModel, LayerTensors, LayerWeights, Origin};
use brownout_sim::build::BuildOptions;
use brownout_sim::link::Stalls;
use brownout_spec::arithmetic::{ChannelParameters, OutputScale};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::cycles::program_cycles;
use brownout_spec::fault::{CellFault, FaultMap, FaultMode};
use brownout_spec::program::{Layer, Network, Operation, Program, Shape, Window, fit};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Lane, Pass, Threshold, WordAddress};
use brownout_tests::configurations::configuration;
use brownout_tests::graph::Graph;
use brownout_tests::session::{Conditions, compare_images, simulator};
use brownout_tests::tensors::draw_image;
use ndarray::Array4;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

/// A chain of convolutions with a kernel of one pixel, and of what else is said, on memories that
/// are just deep enough for it.
fn chain(array: &Configuration, input: Shape, operations: &[Operation]) -> (Configuration, Graph) {
    let mut random = ChaCha8Rng::seed_from_u64(2305);
    let layers = operations.iter().enumerate();
    let layers = layers.map(|(index, &operation)| Layer {
        name: format!("l{index}"),
        reads: vec![index],
        operation,
        output: OutputScale {
            shift: 16,
            low: -128,
            high: 127,
        },
        zero: 0,
    });
    let network = Network {
        input,
        input_zero: 0,
        layers: layers.collect(),
    };
    let shapes = network.shapes().expect("a network");
    let tensors = shapes.iter().zip(&network.layers).map(|(s, layer)| {
        let outputs = s.output.channels;
        let of = (outputs, s.group_channels(), s.window.height, s.window.width);
        let (low, high) = array.weight_bits.range();
        LayerTensors {
            channels: (0..outputs)
                .map(|_| ChannelParameters {
                    multiplier: random.random_range(20..400),
                    bias: random.random_range(-30_000..30_000),
                })
                .collect(),
            weights: layer.operation.has_weights().then(|| LayerWeights {
                // Small enough for every code's constraint.
                integers: Array4::from_shape_simple_fn(of, || {
                    random.random_range(low / 4..=high / 4)
                }),
                scales: vec![1.0; outputs],
            }),
            table: None,
        }
    });
    let layers = tensors.collect();
    let model = IntegerModel {
        origin: Origin {
            name: "large".into(),
            dataset: "none".into(),
            accuracy: None,
            training: None,
        },
        weight_bits: array.weight_bits,
        code: array.code,
        input: InputMap::Centre,
        network,
        layers,
    };
    model.validate().unwrap_or_else(|error| panic!("{error}"));
    let (fitted, program) = fit(array, &model.network).unwrap_or_else(|error| panic!("{error}"));
    (fitted, Graph { model, program })
}

fn conditions(mode: FaultMode, map: FaultMap) -> Conditions {
    let rate = BitErrorRate::new(0.01).expect("a probability");
    Conditions {
        seed: ChipSeed(11),
        mode,
        threshold: match mode {
            FaultMode::Map => Threshold(0),
            _ => rate.threshold(),
        },
        supply: None,
        map,
        policy: Policy::Zero,
        first_pass: Pass(3),
    }
}

/// Runs an image on both sides, under these conditions.
fn agree(configuration: &Configuration, graph: &Graph, conditions: &Conditions) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let image = draw_image(graph.program.input.volume(), &mut random);
    let mut driver = simulator(configuration, BuildOptions::default())
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let found = compare_images(&mut driver, graph, conditions, &[image], &[])
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found.map(|mismatch| mismatch.to_string()), None);
}

fn pixelwise(channels: usize) -> Operation {
    Operation::convolution(Window::square(1, 1, 0), channels)
}

#[test]
fn words_behind_the_first_two_to_the_20th_are_read_disturbed_and_named() {
    let array = configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57);
    // 2 * 2048 * 2048 weights, eight a word, and then some.
    let operations = [pixelwise(2048), pixelwise(2048), pixelwise(40)];
    let (fitted, graph) = chain(&array, shape(1, 1, 2048), &operations);
    let last = graph.program.weight_words - 1;
    assert!(last > 1 << 20, "{last}");
    // Two wrong bits of the last word are detected, and nothing else: its address is compared.
    let mut map = FaultMap::default();
    for lane in [5, 40] {
        map.insert(WordAddress(last as u32), Lane(lane), CellFault::Flip);
    }
    agree(&fitted, &graph, &conditions(FaultMode::Map, map));
    agree(
        &fitted,
        &graph,
        &conditions(FaultMode::Transient, FaultMap::default()),
    );
}

#[test]
fn a_layer_has_more_than_two_to_the_14th_output_pixels() {
    let array = configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57);
    let pool = Operation::MaxPool {
        window: Window::square(7, 7, 0),
    };
    let operations = [
        pixelwise(3),
        pool,
        pixelwise(9),
        Operation::GlobalAveragePool,
    ];
    let (fitted, graph) = chain(&array, shape(140, 130, 2), &operations);
    assert_eq!(fitted.depths.accumulators, 140 * 130);
    assert!(fitted.depths.accumulators > 1 << 14);
    let conditions = conditions(FaultMode::Persistent, FaultMap::default());
    agree(&fitted, &graph, &conditions);
}

#[test]
fn exactly_1024_results_are_kept_whether_they_are_classes_or_a_map() {
    let array = configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57);
    let conditions = conditions(FaultMode::Persistent, FaultMap::default());
    for (height, width, channels) in [(1, 1, 1024), (32, 32, 1), (8, 8, 16), (2, 32, 16)] {
        let map = shape(height, width, 5);
        let (fitted, graph) = chain(&array, map, &[pixelwise(3), pixelwise(channels)]);
        assert_eq!(fitted.depths.results, 1024);
        agree(&fitted, &graph, &conditions);
    }
    let wide = chain(&array, shape(1, 1, 5), &[pixelwise(3)])
        .1
        .model
        .network;
    let with = |channels| Network {
        layers: vec![Layer {
            operation: pixelwise(channels),
            ..wide.layers[0].clone()
        }],
        ..wide.clone()
    };
    assert!(fit(&array, &with(1024)).is_ok());
    let message = fit(&array, &with(1025)).unwrap_err().to_string();
    let expected = "depths.results is 1024, but the last layer (results, one a class) needs 1025";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn a_map_of_results_takes_as_many_clocks_a_pixel_as_there_are_columns_and_classes_no_more_than_before()
 {
    let array = configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57);
    let clocks = |height, width, channels| {
        let input = shape(height, width, 4);
        let (fitted, graph) = chain(&array, input, &[pixelwise(channels)]);
        program_cycles(&fitted, &graph.program)
    };
    // One tile of rows and columns: W, F, P' and D.
    let fixed = clocks(1, 1, 8) - 8;
    for (height, width) in [(1, 2), (3, 3), (4, 8)] {
        let pixels = (height * width) as u64;
        assert_eq!(clocks(height, width, 8), fixed + 8 * pixels);
        assert_eq!(clocks(height, width, 16), fixed + 2 * 8 * pixels);
    }
    let program = |channels| {
        let (fitted, graph) = chain(&array, shape(1, 1, 4), &[pixelwise(channels)]);
        (fitted, graph.program)
    };
    let (fitted, several): (Configuration, Program) = program(64);
    assert_eq!(program_cycles(&fitted, &several), fixed + 8 * 8);
}
