//! Images side by side: sessions on engines.

use crate::graph::Graph;
use crate::session::{Conditions, load, store, tools};
use brownout_golden::infer::Memory;
use brownout_sim::compare::{CompareError, GoldenPass, Mismatch};
use brownout_sim::driver::Driver;
use brownout_sim::engine::{Apart, Engine};
use brownout_sim::link::LaneLink;
use brownout_spec::config::Configuration;
use brownout_spec::quantity::Pass;

/// The engine of a configuration.
///
/// # Panics
/// With the error's sentence if it cannot be built.
pub fn engine(configuration: &Configuration, lanes: usize, apart: Apart) -> Engine {
    let (toolchain, cache) = tools();
    Engine::build(&toolchain, &cache, configuration, lanes, apart)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Loads a graph and compares images that run side by side, lane k in pass `first_pass` + k where
/// passes are apart, else all of a batch in one.
///
/// # Errors
/// When the accelerators do not answer as they do, or come apart.
///
/// # Panics
/// If the graph does not belong to the driver's configuration.
pub fn compare_lanes<L: LaneLink>(
    driver: &mut Driver<L>,
    graph: &Graph,
    conditions: &Conditions,
    images: &[Vec<i8>],
    apart: Apart,
) -> Result<Option<Mismatch>, CompareError> {
    let configuration = driver.configuration().clone();
    let memory = store(&configuration, graph, conditions);
    load(driver, graph, &memory, conditions)?;
    let lanes = driver.lanes();
    for (batch, images) in images.chunks(lanes).enumerate() {
        let first = Pass(conditions.first_pass.0.wrapping_add((batch * lanes) as u32));
        match (configuration.fault_emulation, apart) {
            (false, _) => {}
            (true, Apart::Passes) => driver.set_passes(first)?,
            (true, Apart::Images) => driver.set_pass(first)?,
        }
        let inputs: Vec<&[i8]> = images.iter().map(Vec::as_slice).collect();
        let runs = driver.run_images(&inputs)?;
        for (lane, (image, run)) in images.iter().zip(&runs).enumerate() {
            let pass = match apart {
                Apart::Passes => Pass(first.0.wrapping_add(lane as u32)),
                Apart::Images => first,
            };
            let golden = golden(graph, &configuration, &memory, pass, conditions)?;
            let mut workspace = golden.network().workspace();
            golden.network().run(image, &mut workspace);
            if let Some(difference) = golden.difference(&workspace, run) {
                return Ok(Some(Mismatch {
                    image: batch * lanes + lane,
                    difference,
                    waveform: None,
                    place: None,
                    reproduce: None,
                }));
            }
        }
    }
    Ok(None)
}

fn golden<'m>(
    graph: &'m Graph,
    configuration: &Configuration,
    memory: &Memory,
    pass: Pass,
    conditions: &Conditions,
) -> Result<GoldenPass<'m>, CompareError> {
    Ok(GoldenPass::new(
        &graph.model,
        configuration,
        &graph.program,
        memory,
        pass,
        conditions.policy,
    )?)
}
