//! Random small networks on a fixed list of accelerators: RTL and golden model
//! agree in every logit, counter and cycle.

use brownout_sim::build::BuildOptions;
use brownout_sim::driver::Driver;
use brownout_sim::link::{Link, ModelLink, Stalls};
use brownout_spec::cycles::program_cycles;
use brownout_spec::program::Program;
use brownout_tests::census::Census;
use brownout_tests::conditions::draw_conditions;
use brownout_tests::configurations::{Bench, benches};
use brownout_tests::graph::{self, Focus};
use brownout_tests::read_back::{
    check_broken, check_cleared, check_not_started, check_refused, check_resets, check_running,
    check_source, check_written,
};
use brownout_tests::session::{compare_images, simulator};
use brownout_tests::tensors::draw_image;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Mutex;
use std::thread;

/// Pairs of programs per configuration; the second runs without a reset.
const PAIRS: usize = 80;
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
    let mixed = census.count("three features of graphs at once");
    assert!(
        mixed >= 30,
        "{mixed} graphs with three features are too few"
    );
}

/// Runs all pairs of one configuration; returns the number of graphs and what they had.
fn run_bench(number: usize, bench: &Bench) -> (usize, Census) {
    let options = BuildOptions {
        random_initial: bench.random_initial,
        trace: false,
        ..BuildOptions::default()
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
        if pair == 0 {
            for check in [check_cleared, check_not_started, check_written] {
                let wrong = check(&mut driver).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(wrong, None, "configuration {number}");
            }
            driver.link_mut().reset();
        }
        for program in 0..2 {
            let focus = Focus::ALL[(2 * pair + program + number) % Focus::ALL.len()];
            let graph = match pair % 7 {
                6 => graph::draw_tiles(&bench.configuration, &mut random),
                _ => graph::draw(&bench.configuration, focus, &mut random),
            };
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
            let mut disturb = || {
                let clocks = program_cycles(&bench.configuration, &graph.program);
                let after = random.random_range(1..2 * clocks);
                disturb(&mut driver, &graph.program, &images[0], clocks, after)?;
                match pair {
                    0 => said(check_resets(&mut driver, &graph).map_err(|e| e.to_string())?),
                    _ => Ok(()),
                }
            };
            // The pair's driver is not used any more.
            let outcome = match program {
                1 => outcome.and_then(|()| disturb()),
                _ => outcome,
            };
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

fn said(wrong: Option<String>) -> Result<(), String> {
    wrong.map_or(Ok(()), Err)
}

/// A pass during which the host misbehaves, then one that a reset of a single clock breaks off
/// after some clocks, or whose results it drops.
fn disturb(
    driver: &mut Driver<ModelLink>,
    program: &Program,
    image: &[i8],
    clocks: u64,
    after: u64,
) -> Result<(), String> {
    driver.link_mut().set_stalls(Stalls::default());
    said(check_refused(driver, image, clocks).map_err(|e| e.to_string())?)?;
    said(check_source(driver, program, image).map_err(|e| e.to_string())?)?;
    said(check_running(driver).map_err(|e| e.to_string())?)?;
    driver.link_mut().wait(after).map_err(|e| e.to_string())?;
    said(check_broken(driver).map_err(|e| e.to_string())?)?;
    said(check_cleared(driver).map_err(|e| e.to_string())?)
}
