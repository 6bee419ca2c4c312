//! Whole words whose cells all read the same, in hardware: told by every code that stores a coset.

use brownout_hdl::generate::generate;
use brownout_sim::build::BuildOptions;
use brownout_sim::driver::Driver;
use brownout_sim::link::{ModelLink, Stalls};
use brownout_sim::simulator::{Simulator, source};
use brownout_spec::code::{CodeName, Policy, Storage};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::fault::{FaultMap, FaultMode};
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::program::{Operation, Shape, Window};
use brownout_spec::quantity::{ChipSeed, Pass, Threshold};
use brownout_tests::configurations::{benches, configuration};
use brownout_tests::graph::{self, Graph};
use brownout_tests::session::{Conditions, compare_images, simulator, tools};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The word line that is stuck.
const WORD: usize = 3;

/// A small network.
fn network(configuration: &Configuration) -> Graph {
    let convolution = |kernel, output_channels| {
        Operation::convolution(Window::square(kernel, 1, 0), output_channels)
    };
    let input = Shape {
        height: 5,
        width: 5,
        channels: 3,
    };
    let operations = [convolution(3, 12), convolution(3, 10)];
    let mut random = ChaCha8Rng::seed_from_u64(2);
    graph::with_operations(configuration, input, &operations, &mut random).expect("it fits")
}

/// The accelerators of the benches that store a coset, and the code and width that they lack.
fn accelerators() -> Vec<Configuration> {
    let mut all: Vec<_> = benches().into_iter().map(|b| b.configuration).collect();
    all.retain(|c| c.code != CodeName::None && c.storage == Storage::Coset);
    all.push(configuration(8, 8, WeightBits::Four, CodeName::Secded72_64));
    all
}

/// A word whose cells are all of a kind.
fn stuck(configuration: &Configuration, kind: &str) -> FaultMap {
    let cells = (0..configuration.code.word_bits()).map(|lane| format!("{WORD} {lane} {kind}\n"));
    FaultMap::from_text(&cells.collect::<String>()).expect("every cell once")
}

/// Words corrected and detected in the RTL, which agrees with the golden model, and which was last.
fn told(driver: &mut Driver<ModelLink>, kind: &str) -> (u64, u64, u64) {
    let configuration = driver.configuration().clone();
    let graph = network(&configuration);
    let conditions = Conditions {
        seed: ChipSeed(0),
        mode: FaultMode::Map,
        threshold: Threshold(0),
        supply: None,
        map: stuck(&configuration, kind),
        policy: Policy::Zero,
        first_pass: Pass(0),
    };
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let image = draw_image(graph.program.input.volume(), &mut random);
    let mismatch = compare_images(driver, &graph, &conditions, &[image], &[]);
    let name = format!("{} stuck at {kind}", configuration.code);
    assert_eq!(
        mismatch.unwrap_or_else(|e| panic!("{name}: {e}")),
        None,
        "{name}"
    );
    let counters = driver.counters().unwrap_or_else(|e| panic!("{name}: {e}"));
    (
        counters.corrected,
        counters.detected,
        counters.last_detected,
    )
}

#[test]
fn hardware_of_every_code_and_width_detects_a_word_line_stuck_at_zero_or_one() {
    let mut codes = Vec::new();
    for configuration in accelerators() {
        let simulator = simulator(&configuration, BuildOptions::default());
        let mut driver = simulator
            .driver(Stalls::default())
            .unwrap_or_else(|error| panic!("{error}"));
        for kind in ["0", "1"] {
            let name = format!("{}, {}", configuration.code, configuration.weight_bits);
            assert_eq!(
                told(&mut driver, kind),
                (0, 1, WORD as u64),
                "{name} at {kind}"
            );
        }
        codes.push((configuration.code, configuration.weight_bits));
    }
    codes.sort_unstable();
    codes.dedup();
    let widths = [WeightBits::Four, WeightBits::Eight];
    let all = CodeName::ALL
        .into_iter()
        .filter(|&code| code != CodeName::None);
    let all = all.flat_map(|code| widths.map(|bits| (code, bits)));
    assert_eq!(
        codes,
        all.filter(|(code, bits)| code.supports(*bits))
            .collect::<Vec<_>>()
    );
}

#[test]
fn hardware_of_plain_words_reads_a_stuck_word_line_as_other_weights_without_a_word() {
    let plain = benches().into_iter().find(|bench| {
        bench.configuration.storage == Storage::Plain && bench.configuration.code.is_in_place()
    });
    let configuration = plain.expect("a bench stores plain words").configuration;
    let simulator = simulator(&configuration, BuildOptions::default());
    let mut driver = simulator
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"));
    for kind in ["0", "1"] {
        assert_eq!(told(&mut driver, kind), (0, 0, 0), "stuck at {kind}");
    }
}

#[test]
fn a_driver_refuses_the_image_and_the_accelerator_of_the_other_form_with_a_sentence() {
    let coset = configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57);
    let plain = Configuration {
        storage: Storage::Plain,
        ..coset.clone()
    };
    let graph = network(&coset);
    let layout = Layout::new(&plain, graph.model.weight_shapes()).expect("it fits");
    let image = WeightImage::encode(layout, &graph.model.weight_tensors()).expect("in range");
    let mut driver = simulator(&coset, BuildOptions::default())
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"));
    driver
        .load_program(&graph.program)
        .unwrap_or_else(|error| panic!("{error}"));
    let refused = driver.load_weights(&image).expect_err("the other form");
    assert_eq!(
        refused.to_string(),
        "the weight image has words of code inplace-64-57 stored as plain code words, with 8-bit \
         weights for 4 x 8 cells; the accelerator reads words of code inplace-64-57 stored as a \
         coset of the code, with 8-bit weights for 4 x 8 cells"
    );

    let (toolchain, cache) = tools();
    let emitted = generate(&coset).unwrap_or_else(|error| panic!("{error}"));
    let options = BuildOptions::default();
    let pretender = Simulator::from_verilog(&toolchain, &cache, &plain, &source(&emitted), options)
        .unwrap_or_else(|error| panic!("{error}"));
    let refused = pretender.driver(Stalls::default()).err();
    let message = refused.expect("the other form").to_string();
    assert!(
        message.contains("GEOMETRY") && message.contains("coset"),
        "{message}"
    );
}
