//! `brownout sweep`: the whole path, from images to a table over voltage.
//!
//! The simulations are built on a thread of their own while the network trains,
//! so that only the first run ever waits for a compiler.

use crate::arguments::{Global, SweepArguments};
use crate::configuration::{self, Chosen};
use crate::data::check_count;
use crate::error::Error;
use crate::files;
use crate::generate;
use crate::hardware::Workshop;
use crate::output::Output;
use crate::placement::Placement;
use crate::points::Points;
use crate::reproduce::Recipe;
use crate::run::{Outcome, Placed, Record, Run, Simulation, report};
use crate::simulate::place_all;
use crate::summary::{GoldenAccuracy, Provenance};
use crate::table::percent;
use crate::train::{self, Made};
use crate::waveform::{self, Show};
use brownout_golden::data::Split;
use brownout_golden::train::TrainingOptions;
use brownout_sim::simulator::Simulator;
use std::path::{Path, PathBuf};
use std::thread;

/// Test images at each point where nobody says how many, if there are as many.
const IMAGES: usize = 200;

/// The files of a run, inside its folder.
struct Files {
    model: PathBuf,
    configuration: PathBuf,
    summary: PathBuf,
    waveform: PathBuf,
}

impl Files {
    fn new(folder: &Path) -> Self {
        Self {
            model: folder.join("model.safetensors"),
            configuration: folder.join("configuration.toml"),
            summary: folder.join("summary.json"),
            waveform: folder.join(waveform::DEFAULT),
        }
    }
}

/// An accelerator, as files and as a simulation.
struct Hardware {
    simulator: Simulator,
    files: Vec<(String, Vec<u8>)>,
}

/// What the parts of the job share.
struct Job<'a> {
    arguments: &'a SweepArguments,
    output: Output,
    seed: u64,
    chosen: Chosen,
    points: Points,
    files: Files,
    workshop: Workshop,
}

/// Runs the command.
///
/// # Errors
/// When a flag or a file is not allowed, a tool is missing, or RTL and golden model differ.
pub fn run(arguments: &SweepArguments, global: &Global, output: Output) -> Result<(), Error> {
    let chosen = configuration::default();
    let options = TrainingOptions {
        seed: global.seed(),
        epochs: arguments.network.epochs,
        weight_bits: chosen.configuration.weight_bits.into(),
        code: chosen.configuration.code,
        quiet: global.quiet,
        ..TrainingOptions::default()
    };
    options.validate().map_err(|e| Error::Train(e.into()))?;
    let job = Job {
        arguments,
        output,
        seed: global.seed(),
        points: Points::of_main_job(&chosen)?,
        chosen,
        files: Files::new(&arguments.out),
        workshop: Workshop::locate()?,
    };
    let network = &arguments.network;
    let split = network.data.split(network.train_images, None, output)?;
    let there_are = split.test.len();
    let images = arguments.images.unwrap_or(IMAGES.min(there_are));
    check_count("--images", images, there_are)?;
    files::create_folder(&arguments.out)?;
    for file in [
        &job.files.model,
        &job.files.configuration,
        &job.files.summary,
    ] {
        files::check_writable(file)?;
    }
    let (made, hardware) = job.train_and_build(&split, &options)?;
    job.keep(&made, &hardware)?;
    job.simulate(&split, images, made, hardware)
}

impl Job<'_> {
    /// Trains the network, and builds the simulations meanwhile.
    fn train_and_build(
        &self,
        split: &Split,
        options: &TrainingOptions,
    ) -> Result<(Made, Vec<Hardware>), Error> {
        thread::scope(|scope| {
            let builder = thread::Builder::new()
                .spawn_scoped(scope, || self.build())
                .map_err(Error::threads("the simulations' building"))?;
            let made = train::make(
                &self.arguments.network,
                split,
                options,
                &self.files.model,
                self.output,
            )?;
            let spinner = self.output.spinner("building the simulations");
            let hardware = builder
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            spinner.finish_and_clear();
            if hardware.iter().any(|h| h.simulator.compiled().is_fresh()) {
                self.output
                    .remark("compiled the simulations; the next run finds them in the cache");
            }
            Ok((made, hardware))
        })
    }

    /// Generates every accelerator and builds its simulation.
    fn build(&self) -> Result<Vec<Hardware>, Error> {
        let build = |code: &_| {
            let chosen = self.chosen.with_code(*code)?;
            let verilog = brownout_hdl::generate(&chosen.configuration)?;
            let simulator = self.workshop.build(&chosen, &verilog, false)?;
            let files = generate::files_of(&chosen, &verilog);
            Ok(Hardware { simulator, files })
        };
        self.points.codes.iter().map(build).collect()
    }

    /// Writes model, accelerators and what is needed to run a point again.
    fn keep(&self, made: &Made, hardware: &[Hardware]) -> Result<(), Error> {
        let measured = &made.measured;
        self.output.remark(format!(
            "trained in {:.1} s at {:.0} images/s: {} of {} held-out images right in integers",
            measured.seconds,
            measured.images_per_second,
            percent(measured.accuracy_integer),
            measured.images
        ));
        train::write(&made.model, &self.files.model)?;
        let toml = self.chosen.configuration.to_toml();
        files::write(&self.files.configuration, toml.as_bytes())?;
        for (code, hardware) in self.points.codes.iter().zip(hardware) {
            let folder = self.arguments.out.join(format!("verilog-{code}"));
            files::write_all(&folder, &hardware.files)?;
        }
        self.output.remark(format!(
            "model, configuration and Verilog are in {}",
            self.arguments.out.display()
        ));
        Ok(())
    }

    fn simulate(
        &self,
        split: &Split,
        images: usize,
        Made { model, measured }: Made,
        hardware: Vec<Hardware>,
    ) -> Result<(), Error> {
        let name = self.files.model.display().to_string();
        let placements = place_all(&self.chosen, &self.points, &name, &model)?;
        let placed: Vec<Placed> = placements
            .into_iter()
            .zip(hardware)
            .map(|(placement, hardware)| Placed {
                placement,
                simulation: Simulation::One(hardware.simulator),
            })
            .collect();
        let recipe = Recipe {
            model: self.files.model.clone(),
            config: Some(self.files.configuration.clone()),
            data: self.arguments.network.data.clone(),
            seed: self.seed,
            first_image: 0,
        };
        let build_for_waveforms = |placement: &Placement| {
            let verilog = brownout_hdl::generate(&placement.chosen.configuration)?;
            self.workshop.build(&placement.chosen, &verilog, true)
        };
        let run = Run {
            model: &model,
            placed: &placed,
            points: &self.points,
            data: &split.test.first(images),
            recipe: &recipe,
            threads: self.arguments.threads,
            show: Some(Show {
                files: waveform::Files::of(&self.files.waveform),
                build: &build_for_waveforms,
                output: self.output,
            }),
        };
        let record = Record {
            golden_accuracy: Some(GoldenAccuracy {
                images: measured.images,
                accuracy: measured.accuracy_integer,
            }),
            training: Some(measured),
            provenance: Provenance::new(&self.workshop, &recipe, &model, &self.chosen),
        };
        let Outcome {
            summary, mismatch, ..
        } = run.all(record, self.output)?;
        report(&summary, mismatch, Some(&self.files.summary), self.output)
    }
}
