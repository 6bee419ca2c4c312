//! Clocks per second of the model driven by Rust, against a C++ harness that
//! drives the same shared object with the same operations.
//!
//! Three programs do the same session in turn: the driver as `brownout` uses it;
//! the same driver on a wire that crosses into the model at every clock; and the
//! harness. All times are processor time of the one thread that simulates.

use super::clock::ProcessorTime;
use super::harness::Harness;
use super::report::{Aim, BenchError, Figure};
use super::stimulus::{Recorder, Stimulus};
use super::wires::{ClockByClock, Clocked, Effort, Timed};
use super::workload::{self, Workload};
use super::{Options, quick_accelerator};
use brownout_sim::build::BuildOptions;
use brownout_sim::driver::Driver;
use brownout_sim::link::{ModelLink, Stalls};
use brownout_sim::model::{Model, ModelLibrary};
use brownout_sim::simulator::Simulator;
use brownout_spec::config::Configuration;
use std::sync::Arc;

/// Sides of the arrays, and of the maps that their memories hold.
const SIDES: [(usize, usize); 2] = [(8, 16), (16, 32)];
/// Images of one run: about a tenth of a second, in which a shared machine's speed changes little.
const IMAGES: usize = 2;
/// Runs of each side for one repetition of the other topics' figures: ratios of single pairs
/// scatter by tens of percent on a shared machine, their median does not.
const TURNS: usize = 5;
/// The least share of the harness's speed that the driver shall reach.
const RATIO: Aim = Aim::AtLeast(0.9);
/// The least speed of the largest accelerator, clocks per second.
const SPEED: Aim = Aim::AtLeast(1e6);

/// An accelerator with a network, recorded and ready to be run from both sides.
pub struct Session {
    simulator: Simulator,
    library: Arc<ModelLibrary>,
    workload: Workload,
    stimulus: Stimulus,
    results: Vec<i32>,
}

/// What a run of a session took.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Program, weights and parameters.
    pub loading: Effort,
    /// Images, passes and counters.
    pub images: Effort,
    /// The passes among them.
    pub passes: Effort,
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
            library,
            workload,
            stimulus,
            results,
        })
    }

    /// The accelerator's configuration.
    pub fn configuration(&self) -> &Configuration {
        self.simulator.configuration()
    }

    /// The record.
    pub fn stimulus(&self) -> &Stimulus {
        &self.stimulus
    }

    /// The harness for this session's model.
    fn harness(&self) -> Result<Harness, BenchError> {
        let (toolchain, _) = crate::session::tools();
        Harness::build(&toolchain, self.configuration(), self.simulator.compiled())
    }

    /// Runs all images with the driver as it is.
    pub fn run(&self) -> Result<Run, BenchError> {
        let model = Model::new(&self.library);
        self.run_on(ModelLink::new(model, Stalls::default())?)
    }

    /// Runs all images clock by clock.
    fn step(&self) -> Result<Run, BenchError> {
        self.run_on(ClockByClock::new(Model::new(&self.library))?)
    }

    fn run_on(&self, link: impl Clocked) -> Result<Run, BenchError> {
        let mut driver = Driver::new(Timed::new(link), self.configuration())?;
        let before = driver.link_mut().clocks();
        let start = ProcessorTime::now();
        self.workload.prepare(&mut driver)?;
        let loading = Effort {
            time: start.elapsed(),
            clocks: driver.link_mut().clocks() - before,
        };
        let before = driver.link_mut().clocks();
        let start = ProcessorTime::now();
        let results = self.workload.run(&mut driver)?;
        let images = Effort {
            time: start.elapsed(),
            clocks: driver.link_mut().clocks() - before,
        };
        let clocks = self.stimulus.clocks;
        BenchError::unless_equal("clocks of two runs", images.clocks, clocks)?;
        BenchError::unless_equal("results of two runs", &results, &self.results)?;
        let passes = driver.link_mut().passes();
        Ok(Run {
            loading,
            images,
            passes,
        })
    }
}

/// All three in turn, with the faults off and on.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let mut figures = Vec::new();
    for (configuration, workload) in tasks(options) {
        for active in [false, true] {
            let (workload, faults) = match active {
                true => (workload.clone().disturbed(), "faults at 1e-3"),
                false => (workload.clone(), "no faults"),
            };
            let size = format!("{} x {}", configuration.rows, configuration.columns);
            let session = Session::new(&configuration, workload)?;
            let largest = configuration.rows == 16;
            let conditions = format!("{size}, {faults}");
            figures.extend(compare(
                &session,
                &conditions,
                largest,
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
    conditions: &str,
    largest: bool,
    repetitions: usize,
) -> Result<Vec<Figure>, BenchError> {
    let harness = session.harness()?;
    let mut turns = Vec::new();
    for turn in 0..TURNS * repetitions {
        // Who goes first changes, so that none always finds the warmer machine.
        let (mut driver, mut step, mut cpp) = (None, None, None);
        for side in 0..3 {
            match (turn + side) % 3 {
                0 => driver = Some(session.run()?),
                1 => step = Some(session.step()?),
                _ => cpp = Some(harness.play(&session.stimulus)?),
            }
        }
        let all = driver.zip(step).zip(cpp);
        turns.push(all.expect("three sides in three turns"));
    }
    let values = |value: fn(Run, Run, Effort) -> f64| {
        let each = turns.iter();
        each.map(|&((driver, step), cpp)| value(driver, step, cpp))
            .collect::<Vec<_>>()
    };
    let speed = |name: &str, value| Figure::new(name, conditions, "clocks/s", values(value));
    let ratio = |name: &str, value| Figure::new(name, conditions, "1", values(value));
    let passes = speed("Rust driver, passes only", |d, _, _| d.passes.speed());
    Ok(vec![
        match largest {
            true => passes.against(SPEED),
            false => passes,
        },
        speed("Rust driver, images and passes", |d, _, _| d.images.speed()),
        speed("Rust driver, program and weights", |d, _, _| {
            d.loading.speed()
        }),
        speed("Rust, clock by clock, images and passes", |_, s, _| {
            s.images.speed()
        }),
        speed("C++ harness, images and passes", |_, _, c| c.speed()),
        ratio("Rust driver / C++, in turn", |d, _, c| {
            d.images.speed() / c.speed()
        })
        .against(RATIO),
        ratio("Rust clock by clock / C++, in turn", |_, s, c| {
            s.images.speed() / c.speed()
        }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harness_that_reads_other_words_is_not_measured() {
        let configuration = quick_accelerator();
        let workload = Workload::residual_network(&configuration, 8, 4, 1);
        let session = Session::new(&configuration, workload).expect("the model is built");
        let harness = session.harness().expect("the harness is compiled");
        let played = harness.play(&session.stimulus);
        assert_eq!(played.expect("the same").clocks, session.stimulus.clocks);
        let mut other = session.stimulus.clone();
        other.checksum ^= 1;
        let error = harness.play(&other).expect_err("another word was read");
        assert!(matches!(error, BenchError::Unequal { .. }), "{error}");
        let mut longer = session.stimulus.clone();
        longer.clocks += 1;
        let error = harness.play(&longer).expect_err("a clock more");
        assert!(matches!(error, BenchError::Unequal { .. }), "{error}");
    }
}
