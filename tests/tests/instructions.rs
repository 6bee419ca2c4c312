//! Whatever instructions the golden model multiplies with, the RTL computes the same.

use brownout_golden::infer::{Instructions, IntegerNetwork};
use brownout_sim::build::BuildOptions;
use brownout_sim::link::Stalls;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::WeightBits;
use brownout_spec::fault::FaultMode;
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass};
use brownout_tests::configurations::configuration;
use brownout_tests::graph::{self, Focus};
use brownout_tests::session::{Conditions, compare_images, simulator, store};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Random networks; each has a focus of its own in turn.
const GRAPHS: usize = 24;
/// Images per network.
const IMAGES: usize = 2;

#[test]
fn rtl_and_golden_model_agree_with_all_instructions_of_this_machine() {
    let configuration = configuration(8, 8, WeightBits::Eight, CodeName::None);
    let simulator = simulator(&configuration, BuildOptions::default());
    let mut driver = simulator
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"));
    // Disturbed weights take all values, the smallest included.
    let conditions = Conditions {
        seed: ChipSeed(0x51d),
        mode: FaultMode::Persistent,
        threshold: BitErrorRate::new(0.1).expect("a probability").threshold(),
        supply: None,
        map: Default::default(),
        policy: Policy::Keep,
        first_pass: Pass(0),
    };
    for number in 0..GRAPHS {
        let mut random = ChaCha8Rng::seed_from_u64(number as u64);
        let focus = Focus::ALL[number % Focus::ALL.len()];
        let graph = graph::draw(&configuration, focus, &mut random);
        let volume = graph.program.input.volume();
        let images: Vec<_> = (0..IMAGES)
            .map(|_| draw_image(volume, &mut random))
            .collect();
        // Every layer of the first image, and the weights are loaded.
        let mismatch = compare_images(&mut driver, &graph, &conditions, &images, &[0])
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(
            mismatch.is_none(),
            "network {number}: {}",
            mismatch.unwrap()
        );
        let memory = store(&configuration, &graph, &conditions);
        let weights = memory
            .read(conditions.first_pass, conditions.policy)
            .tensors;
        let fastest =
            IntegerNetwork::new(&graph.model, &weights).unwrap_or_else(|error| panic!("{error}"));
        let mut compared = fastest.workspace();
        for image in &images {
            let run = driver
                .run_image(image)
                .unwrap_or_else(|error| panic!("{error}"));
            fastest.run(image, &mut compared);
            for instructions in Instructions::available() {
                let network =
                    IntegerNetwork::with_instructions(&graph.model, &weights, instructions)
                        .unwrap_or_else(|error| panic!("{error}"));
                let mut workspace = network.workspace();
                network.run(image, &mut workspace);
                let context = format!("network {number}, {instructions}");
                assert_eq!(workspace.logits(), run.logits, "{context}");
                for layer in 0..network.shapes().len() {
                    assert_eq!(
                        workspace.activations(layer),
                        compared.activations(layer),
                        "{context}, layer {layer}"
                    );
                }
            }
        }
    }
}
