//! Channels that do not fill the columns: padding weights are stored, disturbed
//! and counted, and have no effect.

use brownout_sim::build::BuildOptions;
use brownout_sim::link::Stalls;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::fault::FaultMode;
use brownout_spec::program::{Operation, Residual, Shape};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass};
use brownout_tests::configurations::configuration;
use brownout_tests::graph;
use brownout_tests::session::{Conditions, compare_images, simulator};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn convolution(kernel: usize, output_channels: usize, residual: Option<Residual>) -> Operation {
    Operation::Convolution {
        kernel_height: kernel,
        kernel_width: kernel,
        stride: 1,
        padding: kernel / 2,
        output_channels,
        residual,
    }
}

/// Ten channels on sixteen columns, then every kind of layer that could read what is beyond them.
fn operations() -> Vec<Vec<Operation>> {
    let residual = Some(Residual {
        from: 1,
        stride: 1,
        scale: Default::default(),
    });
    let pool = Operation::MaxPool {
        kernel: 3,
        stride: 2,
        padding: 1,
    };
    let dense = Operation::Convolution {
        kernel_height: 4,
        kernel_width: 4,
        stride: 1,
        padding: 0,
        output_channels: 10,
        residual: None,
    };
    let ten = convolution(3, 10, None);
    vec![
        vec![ten, dense],
        vec![
            ten,
            convolution(3, 7, None),
            convolution(1, 20, residual),
            dense,
        ],
        vec![ten, convolution(3, 12, residual_of_the_first()), dense],
        vec![
            ten,
            pool,
            Operation::GlobalAveragePool,
            convolution(1, 10, None),
        ],
        vec![ten, Operation::GlobalAveragePool],
    ]
}

/// The input, whose channels do not fill the columns either.
fn residual_of_the_first() -> Option<Residual> {
    Some(Residual {
        from: 0,
        stride: 1,
        scale: Default::default(),
    })
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
    for (number, operations) in operations().iter().enumerate() {
        let mut random = ChaCha8Rng::seed_from_u64(number as u64);
        let graph = graph::with_operations(configuration, input, operations, &mut random)
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
