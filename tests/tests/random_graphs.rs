//! Random small networks on a fixed list of accelerators: RTL and golden model
//! agree in every logit, counter and cycle.

use brownout_sim::build::BuildOptions;
use brownout_sim::link::Stalls;
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::fault::{CellFault, FaultMap, FaultMode, OnesShare};
use brownout_spec::quantity::{ChipSeed, Lane, Pass, Threshold, WordAddress};
use brownout_tests::census::Census;
use brownout_tests::configurations::{Bench, benches};
use brownout_tests::graph::{self, Focus, Graph};
use brownout_tests::session::{Conditions, compare_images, simulator};
use brownout_tests::tensors::draw_image;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Mutex;
use std::thread;

/// Pairs of programs per configuration; the second runs without a reset.
const PAIRS: usize = 30;
/// Images per program.
const IMAGES: usize = 3;
/// Back-pressure on both streams.
const STALLS: [f64; 3] = [0.1, 0.5, 0.9];

#[test]
fn random_graphs_give_equal_logits_counters_and_cycles() {
    let benches = benches();
    let todo = Mutex::new((0..benches.len()).collect::<Vec<_>>());
    let census = Mutex::new((0, Census::default()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().expect("no thread panicked").pop();
                    let Some(number) = next else { return };
                    let (graphs, counted) = run_bench(number, &benches[number]);
                    let mut census = census.lock().expect("no thread panicked");
                    census.0 += graphs;
                    census.1.merge(counted);
                }
            });
        }
    });
    let (graphs, census) = census.into_inner().expect("no thread panicked");
    assert!(graphs >= 200, "{graphs} graphs are too few");
    let rare = census.rare(10);
    assert!(rare.is_empty(), "drawn in fewer than ten graphs: {rare:?}");
}

/// Runs all pairs of one configuration; returns the number of graphs and what they had.
fn run_bench(number: usize, bench: &Bench) -> (usize, Census) {
    let options = BuildOptions {
        random_initial: bench.random_initial,
        trace: false,
    };
    let simulator = simulator(&bench.configuration, options);
    let mut census = Census::default();
    for pair in 0..PAIRS {
        let seed = (number * PAIRS + pair) as u64;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let idle = Stalls::default();
        let mut driver = simulator
            .driver_from_random(idle, random.random())
            .unwrap_or_else(|error| panic!("{error}"));
        for program in 0..2 {
            let focus = Focus::ALL[(2 * pair + program + number) % Focus::ALL.len()];
            let graph = graph::draw(&bench.configuration, focus, &mut random);
            let conditions = draw_conditions(&bench.configuration, &graph, &mut random);
            let probability = STALLS[(pair + program) % STALLS.len()];
            driver.link_mut().set_stalls(Stalls {
                input: probability,
                output: probability,
                seed,
            });
            census.add(&bench.configuration, &graph, &conditions, probability);
            let volume = graph.program.input.volume();
            let images: Vec<_> = (0..IMAGES)
                .map(|_| draw_image(volume, &mut random))
                .collect();
            let inspect = if pair % 4 == 0 { &[1][..] } else { &[] };
            let outcome = compare_images(&mut driver, &graph, &conditions, &images, inspect)
                .map_err(|error| error.to_string())
                .and_then(|mismatch| mismatch.map_or(Ok(()), |m| Err(m.to_string())));
            if let Err(message) = outcome {
                panic!(
                    "configuration {number}, seed {seed}, program {program}: {message}\n{:?}\nnetwork: {:#?}\nconfiguration:\n{}",
                    (conditions.mode, conditions.threshold, conditions.policy),
                    graph.model.network,
                    bench.configuration.to_toml(),
                );
            }
        }
    }
    (2 * PAIRS, census)
}

/// A chip, a fault mode that the configuration has, a rate and a policy that the code has.
fn draw_conditions(
    configuration: &Configuration,
    graph: &Graph,
    random: &mut ChaCha8Rng,
) -> Conditions {
    let share = OnesShare::new(random.random_range(0..=256)).expect("at most 256");
    let emulated = [
        FaultMode::None,
        FaultMode::Persistent,
        FaultMode::Transient,
        FaultMode::StuckAt { share },
        FaultMode::Map,
    ];
    let modes = match configuration.fault_emulation {
        true => &emulated[..],
        false => &[FaultMode::None, FaultMode::Map],
    };
    let policies: Vec<_> = Policy::ALL
        .into_iter()
        .filter(|p| p.supported_by(configuration.code))
        .collect();
    // About none, one, a few or half of the bits of a word.
    let threshold = match random.random_range(0..8) {
        0 => random.random(),
        1 => 1 << 31,
        k => (1 << 32u32.saturating_sub(4 + k)) + (random.random::<u32>() >> 12),
    };
    Conditions {
        seed: ChipSeed(random.random()),
        mode: *modes.choose(random).expect("not empty"),
        threshold: Threshold(threshold),
        map: draw_map(configuration, graph.program.weight_words, random),
        policy: *policies.choose(random).expect("not empty"),
        first_pass: Pass(random.random_range(0..1 << 20)),
    }
}

/// Some listed cells, about one in two words.
fn draw_map(configuration: &Configuration, words: usize, random: &mut ChaCha8Rng) -> FaultMap {
    let mut map = FaultMap::default();
    for _ in 0..words / 2 {
        let address = WordAddress(random.random_range(0..words as u32));
        let lane = Lane(random.random_range(0..configuration.code.word_bits() as u8));
        let kinds = [
            CellFault::Flip,
            CellFault::StuckAtZero,
            CellFault::StuckAtOne,
        ];
        // A cell that is listed already stays as it is.
        map.insert(address, lane, *kinds.choose(random).expect("not empty"));
    }
    map
}
