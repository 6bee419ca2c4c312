//! Images side by side: the engine's lanes are what Verilator's models of single images are.

use brownout_sim::compare::{CompareError, Mismatch};
use brownout_sim::driver::Driver;
use brownout_sim::engine::{Apart, Engine, EngineLink, EngineModel, source};
use brownout_sim::link::{LaneLink, LinkError};
use brownout_spec::config::Configuration;
use brownout_spec::fault::FaultMode;
use brownout_spec::registers::{self as map, LoadTarget};
use brownout_tests::conditions::draw_conditions;
use brownout_tests::configurations::benches;
use brownout_tests::graph::{self, Focus, Graph};
use brownout_tests::lanes::{compare_lanes, engine};
use brownout_tests::lockstep::Lockstep;
use brownout_tests::session::{Conditions, compare_images, tools};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Lanes and what differs between them, of each configuration; all tests take these, so that each
/// engine is compiled once.
const KINDS: [(usize, Apart); 8] = [
    (1, Apart::Passes),
    (4, Apart::Images),
    (4, Apart::Passes),
    (16, Apart::Passes),
    (2, Apart::Passes),
    (32, Apart::Images),
    (4, Apart::Images),
    (8, Apart::Images),
];
/// Graphs of each configuration.
const GRAPHS: usize = 24;
/// Graphs of each configuration whose registers are compared after every clock.
const WATCHED_GRAPHS: usize = 5;
/// Configurations whose registers are compared.
const WATCHED: [usize; 4] = [1, 2, 4, 6];
/// Before the text of a model that is compiled to be wrong.
const HASTE: &str = "#pragma GCC optimize(\"O1\")\n";

/// Runs drawn graphs; says what differed. After each, `also` looks at what it likes: the driver with
/// the graph, its conditions and its first image.
fn run<L: LaneLink>(
    driver: &mut Driver<L>,
    apart: Apart,
    graphs: usize,
    images: usize,
    seed: u64,
    mut also: impl FnMut(&mut Driver<L>, &Graph, &Conditions, &[Vec<i8>]) -> Result<(), String>,
) -> Result<(), String> {
    let configuration = driver.configuration().clone();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for round in 0..graphs {
        let focus = Focus::ALL[(round + seed as usize) % Focus::ALL.len()];
        let graph = graph::draw(&configuration, focus, &mut random);
        let mut conditions = draw_conditions(&configuration, &graph, &mut random);
        if apart == Apart::Passes {
            conditions.mode = FaultMode::Transient;
        }
        let volume = graph.program.input.volume();
        let images: Vec<_> = (0..images)
            .map(|_| draw_image(volume, &mut random))
            .collect();
        let all = said(compare_lanes(driver, &graph, &conditions, &images, apart));
        let more = also(driver, &graph, &conditions, &images[..1]);
        let errors: Vec<_> = [all, more].into_iter().filter_map(Result::err).collect();
        if !errors.is_empty() {
            return Err(format!("round {round}: {}", errors.join("; ")));
        }
    }
    Ok(())
}

/// What differed, in words.
fn said(outcome: Result<Option<Mismatch>, CompareError>) -> Result<(), String> {
    match outcome {
        Ok(None) => Ok(()),
        Ok(Some(mismatch)) => Err(format!("{mismatch:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// The configuration of this number, and its engine.
fn kind(number: usize) -> (Configuration, Engine) {
    let configuration = benches().swap_remove(number).configuration;
    let (lanes, apart) = KINDS[number];
    let engine = engine(&configuration, lanes, apart);
    (configuration, engine)
}

#[test]
fn lanes_give_the_logits_counters_and_cycles_of_their_own_images_and_passes() {
    assert_eq!(benches().len(), KINDS.len());
    for (number, &(lanes, apart)) in KINDS.iter().enumerate() {
        let (_, engine) = kind(number);
        let mut driver = engine.driver().unwrap_or_else(|error| panic!("{error}"));
        let seed = number as u64;
        let outcome = run(
            &mut driver,
            apart,
            GRAPHS,
            lanes + 2,
            seed,
            // All lanes with one image are one accelerator.
            |driver, graph, conditions, image| {
                said(compare_images(driver, graph, conditions, image, &[0]))
            },
        );
        outcome.unwrap_or_else(|e| panic!("configuration {number}, {lanes} lanes, {apart:?}: {e}"));
    }
}

/// Compares after every clock, on graphs whose kinds of layers begin behind the one of number `seed`;
/// returns how many registers and clocks.
fn watch(
    configuration: &Configuration,
    engine: &Engine,
    seed: u64,
) -> Result<(usize, u64), String> {
    let link = Lockstep::new(configuration, engine).map_err(|error| error.to_string())?;
    assert!(
        link.unwatched().is_empty(),
        "not compared: {:?}",
        link.unwatched()
    );
    let mut driver = Driver::new(link, configuration).map_err(|error| error.to_string())?;
    let (apart, images) = (engine.apart(), engine.lanes() + 1);
    let difference = |driver: &mut Driver<Lockstep>, _: &_, _: &_, _: &[_]| {
        let found = driver.link_mut().difference();
        found.map_or(Ok(()), |difference| Err(difference.to_owned()))
    };
    run(&mut driver, apart, WATCHED_GRAPHS, images, seed, difference)?;
    let link = driver.link_mut();
    Ok((link.watched(), link.clocks()))
}

#[test]
fn every_register_of_every_lane_is_verilators_after_every_clock() {
    // Together they have every kind of layer.
    for (round, number) in WATCHED.into_iter().enumerate() {
        let (configuration, engine) = kind(number);
        let seed = 1 + round * WATCHED_GRAPHS;
        match watch(&configuration, &engine, seed as u64) {
            Ok((registers, clocks)) => {
                assert!(registers > 500, "{registers} registers are too few");
                assert!(clocks > 10_000, "{clocks} clocks are too few");
            }
            Err(message) => panic!("configuration {number}, {:?}: {message}", KINDS[number]),
        }
    }
}

#[test]
fn mistakes_in_the_engine_are_seen() {
    let number = WATCHED[2];
    let configuration = &benches()[number].configuration;
    let (lanes, apart) = KINDS[number];
    let (toolchain, cache) = tools();
    // What is added, compared and multiplied, where a word is written, in which lanes.
    let mistakes = [
        (" + s.f", " - s.f"),
        ("sgt<8>", "slt<8>"),
        ("sext<8, b32>", "to<b32>"),
        ("[(u64)a", "[(u64)1 + a"),
        ("sel(", "sel(all<b8>(1) | "),
    ];
    for (right, wrong) in mistakes {
        let mut text = source(configuration, lanes, apart).expect("a valid configuration");
        let (before, after) = text
            .text
            .split_at(text.text.find("static void edge").expect("edges"));
        assert!(after.contains(right), "nothing is called {right}");
        // What is wrong is wrong in quickly compiled code, too.
        text.text = format!("{HASTE}{before}{}", after.replace(right, wrong));
        let engine = Engine::from_source(&toolchain, &cache, configuration, text, lanes, apart)
            .unwrap_or_else(|error| panic!("{right}: {error}"));
        let outcome = watch(configuration, &engine, 1);
        assert!(outcome.is_err(), "{wrong} instead of {right} was not seen");
    }
}

#[test]
fn lanes_that_come_apart_stop_with_the_name_of_what_differs() {
    for number in [1, 3] {
        let (_, engine) = kind(number);
        let lanes = engine.lanes();
        let link = || EngineLink::new(EngineModel::new(engine.library()).expect("memory"));
        for (target, name) in [
            (LoadTarget::Program, "program_memory"),
            (LoadTarget::Weights, "weight_path.memory"),
            (LoadTarget::Parameters, "columns.column$#.parameters"),
        ] {
            let mut link = link().expect("an accelerator");
            link.write_register_each(map::LOAD_TARGET, &vec![target as u32; lanes])
                .expect("the same in all lanes");
            let mut beats = vec![vec![7; 64]; lanes];
            beats[lanes - 1][40] = 8;
            match link.send_each(&beats) {
                Err(LinkError::Apart(found)) => assert!(found.contains(name), "{found}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        let mut link = link().expect("an accelerator");
        let mut policies = vec![0; lanes];
        policies[1] = 1;
        match link.write_register_each(map::POLICY, &policies) {
            Err(LinkError::Apart(found)) => {
                assert!(found.contains("policy") || found == "POLICY", "{found}");
            }
            other => panic!("{other:?}"),
        }
    }
}
