//! Simulated images a second on one thread, in turn: one after the other in Verilator's model, and
//! side by side in the engine, in processor time; and one after the other in another build of
//! `brownout`, by the clock on the wall.

use super::baseline::Baseline;
use super::clock::ProcessorTime;
use super::report::{Aim, BenchError, Figure};
use super::workload::Workload;
use super::{Options, quick_accelerator};
use crate::session::tools;
use brownout_golden::model::IntegerModel;
use brownout_hdl::generate::GenerateError;
use brownout_sim::build::BuildOptions;
use brownout_sim::driver::Driver;
use brownout_sim::engine::{Apart, Engine};
use brownout_sim::link::Stalls;
use brownout_sim::simulator::Simulator;
use brownout_spec::code::CodeName;
use brownout_spec::config::Configuration;
use std::fs;
use std::path::Path;

/// Images side by side.
const LANES: [usize; 2] = [16, 32];
/// How many times as many images the engine shall simulate.
const RATIO: Aim = Aim::AtLeast(8.0);

/// ResNet-20 of 8 bits, rounded so that this code can hold it; and the accelerator for it.
const NETWORK: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../recipes/silicon/int8-inplace.safetensors"
);
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../recipes/array-16x16.toml");
const CODE: CodeName = CodeName::Inplace64_57;

/// Verilator's model, the engine, and another build if there is one, in turn.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let (toolchain, cache) = tools();
    let (configuration, name) = match options.quick {
        true => (quick_accelerator(), "a small network"),
        false => (accelerator()?, "ResNet-20"),
    };
    let baseline = match options.quick {
        true => None,
        false => Baseline::from_environment()?,
    };
    if let Some(baseline) = &baseline {
        println!("the baseline is {}", baseline.name());
        // It builds its model now.
        baseline.speed(
            Path::new(NETWORK),
            Path::new(CONFIGURATION),
            &CODE.to_string(),
        )?;
    }
    let simulator = Simulator::build(&toolchain, &cache, &configuration, BuildOptions::default())?;
    let (rows, columns) = (configuration.rows, configuration.columns);
    let conditions = format!("{name}, {rows} x {columns}, no faults, one thread");
    let mut figures = Vec::new();
    for lanes in LANES {
        let engine = Engine::build(&toolchain, &cache, &configuration, lanes, Apart::Images)?;
        let workload = match options.quick {
            true => Workload::residual_network(&configuration, 8, 4, lanes),
            false => Workload::of_model(
                &configuration,
                IntegerModel::read(Path::new(NETWORK))?,
                lanes,
            ),
        };
        let mut one = simulator.driver(Stalls::default())?;
        let mut many = engine.driver()?;
        workload.prepare(&mut one)?;
        workload.prepare(&mut many)?;
        let expected = workload.run(&mut one)?;
        let images: Vec<&[i8]> = workload.images().iter().map(Vec::as_slice).collect();
        let [mut alone, mut together, mut before] = [const { Vec::new() }; 3];
        for _ in 0..options.repetitions {
            let first = || Ok(one.run_image(images[0]).map(drop)?);
            alone.push(timed(1, first)?);
            let all = || side_by_side(&mut many, &images, &expected);
            together.push(timed(lanes, all)?);
            if let Some(baseline) = &baseline {
                let [model, file] = [NETWORK, CONFIGURATION].map(Path::new);
                before.push(baseline.speed(model, file, &CODE.to_string())?);
            }
        }
        let name = format!("{lanes} images side by side");
        let figure = |name: &str, unit, values| Figure::new(name, &conditions, unit, values);
        let ratios = |to: &[f64]| together.iter().zip(to).map(|(a, b)| a / b).collect();
        let here = ratios(&alone);
        figures.push(
            figure(&format!("{name} / Verilator's model, in turn"), "1", here).against(RATIO),
        );
        if baseline.is_some() {
            let there = ratios(&before);
            let ratio = figure(&format!("{name} / the baseline, in turn"), "1", there);
            figures.push(ratio.against(RATIO));
            figures.push(figure(
                "the baseline, one after the other",
                "images/s",
                before,
            ));
        }
        figures.push(figure(
            "Verilator's model, one after the other",
            "images/s",
            alone,
        ));
        figures.push(figure(&name, "images/s", together));
    }
    Ok(figures)
}

fn accelerator() -> Result<Configuration, BenchError> {
    let path = Path::new(CONFIGURATION);
    let text = fs::read_to_string(path).map_err(BenchError::file(path))?;
    let configuration = Configuration::from_toml(&text).map_err(GenerateError::from)?;
    Ok(Configuration {
        code: CODE,
        ..configuration
    })
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
