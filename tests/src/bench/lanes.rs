//! Simulated images a second on one thread: one after the other in Verilator's model, and side by
//! side in the engine, in turn. All times are processor time.

use super::clock::ProcessorTime;
use super::report::{Aim, BenchError, Figure};
use super::workload::{self, Workload};
use super::{Options, quick_accelerator};
use crate::session::tools;
use brownout_sim::build::BuildOptions;
use brownout_sim::driver::Driver;
use brownout_sim::engine::{Apart, Engine};
use brownout_sim::link::Stalls;
use brownout_sim::simulator::Simulator;

/// Images side by side.
const LANES: [usize; 2] = [16, 32];
/// How many times as many images the engine shall simulate.
const RATIO: Aim = Aim::AtLeast(8.0);

/// Both in turn.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let (configuration, [side, channels]) = match options.quick {
        true => (quick_accelerator(), [8, 4]),
        false => (workload::accelerator(16, true), [32, 16]),
    };
    let (toolchain, cache) = tools();
    let simulator = Simulator::build(&toolchain, &cache, &configuration, BuildOptions::default())?;
    let conditions = format!(
        "{} x {}, no faults",
        configuration.rows, configuration.columns
    );
    let mut figures = Vec::new();
    for lanes in LANES {
        let engine = Engine::build(&toolchain, &cache, &configuration, lanes, Apart::Images)?;
        let workload = Workload::residual_network(&configuration, side, channels, lanes);
        let mut one = simulator.driver(Stalls::default())?;
        let mut many = engine.driver()?;
        workload.prepare(&mut one)?;
        workload.prepare(&mut many)?;
        let expected = workload.run(&mut one)?;
        let images: Vec<&[i8]> = workload.images().iter().map(Vec::as_slice).collect();
        let (mut speeds, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
        for _ in 0..options.repetitions {
            let [single, together] = [
                timed(1, || {
                    one.run_image(images[0])?;
                    Ok(())
                })?,
                timed(lanes, || side_by_side(&mut many, &images, &expected))?,
            ];
            speeds[0].push(single);
            speeds[1].push(together);
            ratios.push(together / single);
        }
        let [single, together] = speeds;
        let name = format!("{lanes} images side by side");
        figures.extend([
            Figure::new(
                "one image in Verilator's model",
                &conditions,
                "images/s",
                single,
            ),
            Figure::new(&name, &conditions, "images/s", together),
            Figure::new(&format!("{name} / one, in turn"), &conditions, "1", ratios).against(RATIO),
        ]);
    }
    Ok(figures)
}

/// Images a second.
fn timed(images: usize, run: impl FnOnce() -> Result<(), BenchError>) -> Result<f64, BenchError> {
    let start = ProcessorTime::now();
    run()?;
    Ok(images as f64 / start.elapsed().as_secs_f64())
}

fn side_by_side(
    driver: &mut Driver<brownout_sim::engine::EngineLink>,
    images: &[&[i8]],
    expected: &[i32],
) -> Result<(), BenchError> {
    let runs = driver.run_images(images)?;
    let logits: Vec<i32> = runs.into_iter().flat_map(|run| run.logits).collect();
    BenchError::unless_equal("results side by side", logits.as_slice(), expected)
}
