//! Images side by side: the engine gives what the golden model, and so Verilator, gives.

use brownout_sim::engine::Apart;
use brownout_spec::fault::FaultMode;
use brownout_tests::conditions::draw_conditions;
use brownout_tests::configurations::benches;
use brownout_tests::graph::{self, Focus};
use brownout_tests::lanes::{compare_lanes, engine};
use brownout_tests::session::compare_images;
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Graphs of each configuration and kind of engine.
const GRAPHS: usize = 12;

#[test]
fn lanes_give_the_logits_counters_and_cycles_of_their_own_images_and_passes() {
    for (number, bench) in benches().iter().enumerate() {
        for (lanes, apart) in [(1, Apart::Images), (8, Apart::Images), (16, Apart::Passes)] {
            let engine = engine(&bench.configuration, lanes, apart);
            let mut random = ChaCha8Rng::seed_from_u64(number as u64);
            let mut driver = engine.driver().unwrap_or_else(|error| panic!("{error}"));
            for round in 0..GRAPHS {
                let focus = Focus::ALL[(round + number) % Focus::ALL.len()];
                let graph = graph::draw(&bench.configuration, focus, &mut random);
                let mut conditions = draw_conditions(&bench.configuration, &graph, &mut random);
                if apart == Apart::Passes && bench.configuration.fault_emulation {
                    conditions.mode = FaultMode::Transient;
                }
                let volume = graph.program.input.volume();
                let images: Vec<_> = (0..lanes + 2)
                    .map(|_| draw_image(volume, &mut random))
                    .collect();
                let one = compare_images(&mut driver, &graph, &conditions, &images[..2], &[1]);
                let all = compare_lanes(&mut driver, &graph, &conditions, &images, apart);
                for outcome in [one, all] {
                    match outcome {
                        Ok(None) => {}
                        Ok(Some(mismatch)) => {
                            panic!(
                                "configuration {number}, {lanes} lanes, {apart:?}, round {round}: {mismatch}"
                            )
                        }
                        Err(error) => {
                            panic!(
                                "configuration {number}, {lanes} lanes, {apart:?}, round {round}: {error}"
                            )
                        }
                    }
                }
            }
        }
    }
}
