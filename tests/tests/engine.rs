//! Images side by side: the engine's lanes are what Verilator's models of single images are.

use brownout_sim::driver::Driver;
use brownout_sim::engine::{Apart, Engine, EngineLink, EngineModel, source};
use brownout_sim::link::{LaneLink, LinkError};
use brownout_spec::config::Configuration;
use brownout_spec::fault::FaultMode;
use brownout_spec::registers::{self as map, LoadTarget};
use brownout_tests::conditions::draw_conditions;
use brownout_tests::configurations::benches;
use brownout_tests::graph::{self, Focus};
use brownout_tests::lanes::{compare_lanes, engine};
use brownout_tests::lockstep::Lockstep;
use brownout_tests::session::{compare_images, tools};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Graphs of each configuration.
const GRAPHS: usize = 24;
/// Graphs of each configuration whose registers are compared after every clock.
const WATCHED_GRAPHS: usize = 4;

/// Runs drawn graphs; says what differed.
fn run<L: LaneLink>(
    driver: &mut Driver<L>,
    apart: Apart,
    graphs: usize,
    images: usize,
    seed: u64,
    mut each: impl FnMut(&mut L) -> Option<String>,
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
        let said = |outcome: Result<Option<_>, _>| match outcome {
            Ok(None) => Ok(()),
            Ok(Some(mismatch)) => Err(format!("round {round}: {mismatch:?}")),
            Err(error) => Err(format!("round {round}: {error}")),
        };
        let all = compare_lanes(driver, &graph, &conditions, &images, apart);
        if let Some(difference) = each(driver.link_mut()) {
            return Err(format!("round {round}: {difference}"));
        }
        said(all)?;
        // All lanes with one image are one accelerator.
        said(compare_images(
            driver,
            &graph,
            &conditions,
            &images[..1],
            &[0],
        ))?;
    }
    Ok(())
}

#[test]
fn lanes_give_the_logits_counters_and_cycles_of_their_own_images_and_passes() {
    let kinds = [
        (8, Apart::Images),
        (16, Apart::Passes),
        (1, Apart::Passes),
        (4, Apart::Images),
    ];
    for (number, bench) in benches().iter().enumerate() {
        let configuration = &bench.configuration;
        let (lanes, apart) = match (kinds[number % kinds.len()], configuration.fault_emulation) {
            (kind, true) => kind,
            ((lanes, _), false) => (lanes, Apart::Images),
        };
        let engine = engine(configuration, lanes, apart);
        let mut driver = engine.driver().unwrap_or_else(|error| panic!("{error}"));
        let outcome = run(&mut driver, apart, GRAPHS, lanes + 2, number as u64, |_| {
            None
        });
        outcome.unwrap_or_else(|e| panic!("configuration {number}, {lanes} lanes, {apart:?}: {e}"));
    }
}

/// Compares after every clock; returns how many registers and clocks.
fn watch(
    configuration: &Configuration,
    engine: &Engine,
    apart: Apart,
) -> Result<(usize, u64), String> {
    let link = Lockstep::new(configuration, engine).map_err(|error| error.to_string())?;
    assert!(
        link.unwatched().is_empty(),
        "not compared: {:?}",
        link.unwatched()
    );
    let mut driver = Driver::new(link, configuration).map_err(|error| error.to_string())?;
    let images = engine.lanes() + 1;
    run(&mut driver, apart, WATCHED_GRAPHS, images, 1, |link| {
        link.difference().map(str::to_owned)
    })?;
    let link = driver.link_mut();
    Ok((link.watched(), link.clocks()))
}

#[test]
fn every_register_of_every_lane_is_verilators_after_every_clock() {
    let benches = benches();
    let chosen = [
        (1, Apart::Images),
        (2, Apart::Passes),
        (4, Apart::Passes),
        (6, Apart::Images),
    ];
    for (number, apart) in chosen {
        let configuration = &benches[number].configuration;
        let engine = engine(configuration, 4, apart);
        match watch(configuration, &engine, apart) {
            Ok((registers, clocks)) => {
                assert!(registers > 500, "{registers} registers are too few");
                assert!(clocks > 10_000, "{clocks} clocks are too few");
            }
            Err(message) => panic!("configuration {number}, {apart:?}: {message}"),
        }
    }
}

#[test]
fn mistakes_in_the_engine_are_seen() {
    let configuration = &benches()[0].configuration;
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
        let mut text = source(configuration, 4, Apart::Passes).expect("a valid configuration");
        let (before, after) = text
            .text
            .split_at(text.text.find("static void edge").expect("edges"));
        assert!(after.contains(right), "nothing is called {right}");
        text.text = format!("{before}{}", after.replace(right, wrong));
        let engine = Engine::from_source(&toolchain, &cache, configuration, text, 4, Apart::Passes)
            .unwrap_or_else(|error| panic!("{right}: {error}"));
        let outcome = watch(configuration, &engine, Apart::Passes);
        assert!(outcome.is_err(), "{wrong} instead of {right} was not seen");
    }
}

#[test]
fn lanes_that_come_apart_stop_with_the_name_of_what_differs() {
    let configuration = &benches()[0].configuration;
    for (apart, lanes) in [(Apart::Images, 4), (Apart::Passes, 8)] {
        let engine = engine(configuration, lanes, apart);
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
