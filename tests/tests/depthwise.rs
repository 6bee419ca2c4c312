//! Depthwise and grouped layers on a 16 x 16 array: exact, and in the clocks that the formula says.

use brownout_sim::build::BuildOptions;
use brownout_sim::driver::Driver;
use brownout_sim::link::{ModelLink, Stalls};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::cycles::tile_period;
use brownout_spec::fault::{CellFault, FaultMap, FaultMode};
use brownout_spec::image::Cell;
use brownout_spec::program::{Operation, Shape, Window};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Lane, Pass, WordAddress};
use brownout_tests::configurations::{benches, configuration};
use brownout_tests::graph::{Graph, with_operations};
use brownout_tests::session::{Conditions, compare_images, simulator, store};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const CHANNELS: usize = 40;

fn accelerator() -> Configuration {
    let mut square = configuration(16, 16, WeightBits::Eight, CodeName::Inplace64_57);
    square.depths.weights = 4096;
    square
}

fn driver(configuration: &Configuration) -> Driver<ModelLink> {
    simulator(configuration, BuildOptions::default())
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A layer of 3 x 3 in groups, and a dense one behind it.
fn graph(configuration: &Configuration, side: usize, groups: usize, seed: u64) -> Graph {
    let input = Shape {
        height: side,
        width: side,
        channels: CHANNELS,
    };
    let grouped = Operation::Convolution {
        window: Window::square(3, 1, 1),
        groups,
        output_channels: CHANNELS,
        residual: None,
    };
    let operations = [grouped, Operation::dense(input, 7)];
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    with_operations(configuration, input, &operations, &mut random).expect("the graph fits")
}

fn conditions(mode: FaultMode, map: FaultMap) -> Conditions {
    Conditions {
        seed: ChipSeed(3),
        mode,
        threshold: BitErrorRate::new(0.01).expect("a probability").threshold(),
        supply: None,
        map,
        policy: Policy::Keep,
        first_pass: Pass(0),
    }
}

/// Every logit, activation, counter and clock of two images.
fn compare(driver: &mut Driver<ModelLink>, graph: &Graph, conditions: &Conditions) {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let volume = graph.program.input.volume();
    let images = [0, 1].map(|_| draw_image(volume, &mut random));
    let found = compare_images(driver, graph, conditions, &images, &[0])
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(
        found.is_none(),
        "{}",
        found.map_or(String::new(), |m| m.to_string())
    );
}

#[test]
fn depthwise_3_x_3_is_exact_and_loses_no_clock_between_tiles_of_16_or_more_pixels() {
    let accelerator = accelerator();
    let mut driver = driver(&accelerator);
    for (side, period) in [(6, 36), (4, 16), (3, 16), (1, 16)] {
        let graph = graph(&accelerator, side, CHANNELS, side as u64);
        let depthwise = &graph.program.steps[0];
        assert_eq!(depthwise.tiles(), 3 * 9, "three tiles of columns");
        assert_eq!(tile_period(depthwise), period);
        for mode in [FaultMode::None, FaultMode::Persistent, FaultMode::Transient] {
            compare(&mut driver, &graph, &conditions(mode, FaultMap::default()));
        }
    }
}

#[test]
fn what_is_stored_between_groups_changes_nothing() {
    for number in [0, 2, 7] {
        let accelerator = &benches()[number].configuration;
        assert_eq!(accelerator.code, CodeName::None);
        let mut driver = driver(accelerator);
        for groups in [2, 4, 5, 8, 10, 20, CHANNELS] {
            let graph = graph(accelerator, 3, groups, groups as u64);
            let none = conditions(FaultMode::None, FaultMap::default());
            let image = store(accelerator, &graph, &none);
            let layout = image.written().layout();
            let mut map = FaultMap::default();
            for word in (0..layout.words() as u32).map(WordAddress) {
                for lane in (0..layout.code().n() as u8).map(Lane) {
                    if let Some(Cell::Padding { .. }) = layout.cell(word, lane) {
                        map.insert(word, lane, CellFault::Flip);
                    }
                }
            }
            let flipped = conditions(FaultMode::Map, map);
            let read = store(accelerator, &graph, &flipped).read(Pass(0), Policy::Keep);
            assert_eq!(
                read.tensors,
                graph.model.weight_tensors(),
                "no weight of the network"
            );
            compare(&mut driver, &graph, &flipped);
        }
    }
}
