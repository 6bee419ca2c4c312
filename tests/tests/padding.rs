//! Channels that do not fill the columns: padding weights are stored, disturbed
//! and counted, and have no effect.

use brownout_sim::build::BuildOptions;
use brownout_sim::link::Stalls;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::fault::FaultMode;
use brownout_spec::program::{Operation, Residual, Shape, Window};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass};
use brownout_tests::configurations::configuration;
use brownout_tests::graph::{self, Node};
use brownout_tests::session::{Conditions, compare_images, simulator};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A convolution of the tensor before it, which adds another one if there is one.
fn convolution(kernel: usize, output_channels: usize, operand: Option<usize>) -> Node {
    let operation = Operation::convolution(Window::square(kernel, 1, kernel / 2), output_channels);
    let residual = Residual {
        stride: 1,
        scale: Default::default(),
    };
    Node {
        operation: operand.map_or(operation, |_| operation.with_residual(residual)),
        reads: operand.into_iter().collect(),
    }
}

fn plain(operation: Operation) -> Node {
    Node {
        operation,
        reads: Vec::new(),
    }
}

/// Ten channels on sixteen columns, then every kind of layer that could read what is beyond them.
fn graphs() -> Vec<Vec<Node>> {
    let pool = plain(Operation::MaxPool {
        window: Window::square(3, 2, 1),
    });
    let dense = plain(Operation::convolution(Window::square(4, 1, 0), 10));
    let mean = plain(Operation::GlobalAveragePool);
    let ten = convolution(3, 10, None);
    let mut graphs = vec![
        vec![ten.clone(), dense.clone()],
        vec![
            ten.clone(),
            convolution(3, 7, None),
            convolution(1, 20, Some(1)),
            dense.clone(),
        ],
        // The operand is the input, whose channels do not fill the columns either.
        vec![ten.clone(), convolution(3, 12, Some(0)), dense],
        vec![ten.clone(), pool, mean.clone(), convolution(1, 10, None)],
        vec![ten, mean],
    ];
    for graph in &mut graphs {
        for (index, node) in graph.iter_mut().enumerate() {
            node.reads.insert(0, index);
        }
    }
    graphs
}

fn run(configuration: &Configuration, policy: Policy) {
    let simulator = simulator(configuration, BuildOptions::default());
    let mut driver = simulator
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let conditions = Conditions {
        seed: ChipSeed(0x5eed),
        mode: FaultMode::Persistent,
        threshold: BitErrorRate::new(0.05).expect("a probability").threshold(),
        supply: None,
        map: Default::default(),
        policy,
        first_pass: Pass(0),
    };
    let input = Shape {
        height: 4,
        width: 4,
        channels: 5,
    };
    for (number, nodes) in graphs().iter().enumerate() {
        let mut random = ChaCha8Rng::seed_from_u64(number as u64);
        let graph = graph::with_nodes(configuration, input, nodes, &mut random)
            .unwrap_or_else(|| panic!("network {number} does not fit"));
        let images: Vec<_> = (0..3)
            .map(|_| draw_image(input.volume(), &mut random))
            .collect();
        let mismatch = compare_images(&mut driver, &graph, &conditions, &images, &[0, 1, 2])
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(
            mismatch.is_none(),
            "network {number}: {}",
            mismatch.unwrap()
        );
    }
}

#[test]
fn disturbed_weights_of_padding_channels_have_no_effect() {
    let configuration = configuration(8, 16, WeightBits::Four, CodeName::Inplace64_57);
    for policy in Policy::ALL {
        run(&configuration, policy);
    }
}
