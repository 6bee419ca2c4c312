//! Clocks per second of the Rust-driven model against a pure C++ harness, which
//! drives the same shared object with the same port values.

use super::harness::Harness;
use super::report::{BenchError, Figure};
use super::stimulus::{Recorder, Stimulus};
use super::workload::{self, Workload};
use super::{Options, quick_accelerator};
use brownout_sim::build::BuildOptions;
use brownout_sim::driver::Driver;
use brownout_sim::link::{ModelLink, Stalls};
use brownout_sim::model::{Model, ModelLibrary};
use brownout_sim::simulator::Simulator;
use brownout_sim::toolchain::Toolchain;
use brownout_spec::config::Configuration;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Sides of the arrays, and of the maps that their memories hold.
const SIDES: [(usize, usize); 2] = [(8, 16), (16, 32)];
/// Images of one run: about half a second.
const IMAGES: usize = 8;

/// An accelerator with a network, recorded and ready to be run from both sides.
pub struct Session {
    simulator: Simulator,
    workload: Workload,
    stimulus: Stimulus,
    results: Vec<i32>,
}

impl Session {
    /// Builds the accelerator and records one run.
    pub fn new(configuration: &Configuration, workload: Workload) -> Result<Self, BenchError> {
        let (toolchain, cache) = crate::session::tools();
        let options = BuildOptions::default();
        let simulator = Simulator::build(&toolchain, &cache, configuration, options)?;
        let library = ModelLibrary::open(simulator.compiled())?;
        let link = ModelLink::new(Model::new(&library), Stalls::default())?;
        let mut driver = Driver::new(Recorder::new(link), configuration)?;
        workload.prepare(&mut driver)?;
        driver.link_mut().start();
        let results = workload.run(&mut driver)?;
        let stimulus = driver.link_mut().finish();
        Ok(Self {
            simulator,
            workload,
            stimulus,
            results,
        })
    }

    /// Clocks of the measured part of a run.
    pub fn clocks(&self) -> u64 {
        self.stimulus.clocks
    }

    /// Runs all images on a new model; returns the time, loading of the network left out.
    pub fn run(&self) -> Result<Duration, BenchError> {
        let mut driver = self.simulator.driver(Stalls::default())?;
        self.workload.prepare(&mut driver)?;
        let before = driver.link_mut().clocks();
        let start = Instant::now();
        let results = self.workload.run(&mut driver)?;
        let passed = start.elapsed();
        let clocks = driver.link_mut().clocks() - before;
        BenchError::unless_equal("clocks of two runs", clocks, self.clocks())?;
        BenchError::unless_equal("results of two runs", &results, &self.results)?;
        Ok(passed)
    }

    /// Stores the record for the harness.
    fn store(&self, harness: &Harness, name: &str) -> Result<PathBuf, BenchError> {
        harness.store(name, self.simulator.compiled(), &self.stimulus)
    }

    /// The measured part of the record in C++.
    fn play(&self, harness: &Harness, record: &PathBuf) -> Result<Duration, BenchError> {
        harness.play(self.simulator.compiled(), record, &self.stimulus)
    }
}

/// Both sides in turn, with the faults off and on.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let harness = Harness::build(&Toolchain::locate()?)?;
    let mut figures = Vec::new();
    for (configuration, workload) in tasks(options) {
        for active in [false, true] {
            let faults = if active {
                "faults at 1e-3"
            } else {
                "no faults"
            };
            let size = format!("{} x {}", configuration.rows, configuration.columns);
            let workload = match active {
                true => workload.clone().disturbed(),
                false => workload.clone(),
            };
            let session = Session::new(&configuration, workload)?;
            let conditions = format!("{size}, {faults}");
            figures.extend(compare(
                &session,
                &harness,
                &conditions,
                options.repetitions,
            )?);
        }
    }
    Ok(figures)
}

fn tasks(options: &Options) -> Vec<(Configuration, Workload)> {
    if options.quick {
        let configuration = quick_accelerator();
        let workload = Workload::residual_network(&configuration, 8, 4, 1);
        return vec![(configuration, workload)];
    }
    let task = |(side, map)| {
        let configuration = workload::accelerator(side, true);
        let workload = Workload::residual_network(&configuration, map, 16, IMAGES);
        (configuration, workload)
    };
    SIDES.map(task).to_vec()
}

fn compare(
    session: &Session,
    harness: &Harness,
    conditions: &str,
    repetitions: usize,
) -> Result<[Figure; 3], BenchError> {
    let record = session.store(harness, "record")?;
    let speed = |time: Duration| session.clocks() as f64 / time.as_secs_f64();
    let (mut rust, mut cpp, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..repetitions {
        // Who goes first changes, so that neither always finds the warmer machine.
        let (ours, theirs) = if turn % 2 == 0 {
            let ours = session.run()?;
            (ours, session.play(harness, &record)?)
        } else {
            let theirs = session.play(harness, &record)?;
            (session.run()?, theirs)
        };
        rust.push(speed(ours));
        cpp.push(speed(theirs));
        ratio.push(speed(ours) / speed(theirs));
    }
    Ok([
        Figure::new("Rust driver", conditions, "clocks/s", rust),
        Figure::new("C++ harness", conditions, "clocks/s", cpp),
        Figure::new("Rust / C++, in pairs", conditions, "1", ratio),
    ])
}
