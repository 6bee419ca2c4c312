//! A model at many operating points: every image on both sides, and the sums.
//!
//! Images are shared out among threads, each with an accelerator of its own.
//! The pass of image *i* is pass *i*, so transient faults, and with them every
//! sum, are the same for any number of threads, and an image can be run again
//! alone.
//!
//! `work` shares the images out, `summary` adds up what came of them, `replay` shows an image that
//! differs.

mod replay;
mod summary;
mod work;

pub use replay::{LayerWaveform, MOST_BYTES};
pub use summary::PointSummary;

use crate::compare::{CompareError, GoldenPass, Mismatch};
use crate::driver::{DriverError, EmulatedFaults, FaultRate};
use crate::engine::Engine;
use crate::link::Stalls;
use crate::model::ModelError;
use crate::simulator::{Simulator, SimulatorError};
use brownout_golden::data::Dataset;
use brownout_golden::energy::relative_sram_energy;
use brownout_golden::infer::{Memory, MemoryError, TensorError};
use brownout_golden::model::IntegerModel;
use brownout_spec::code::Policy;
use brownout_spec::config::{Configuration, ConfigurationError};
use brownout_spec::fault::{ChipFaults, FaultMap, FaultMode};
use brownout_spec::image::WeightImage;
use brownout_spec::program::Program;
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Millivolts, Pass, Threshold};
use brownout_spec::voltage::{VoltageError, VoltageModel};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use thiserror::Error;
use work::Work;

/// Supply of the weight memory, or directly how often its cells fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Supply {
    /// A voltage; the hardware's ROM gives the threshold.
    Voltage(Millivolts),
    /// A rate; the nearest threshold is set directly.
    Rate(BitErrorRate),
}

/// One operating point.
#[derive(Clone, Debug)]
pub struct Point<'a> {
    /// How often cells fail.
    pub supply: Supply,
    /// What faulty cells do.
    pub mode: FaultMode,
    /// The faulty cells in mode `map`.
    pub map: Option<&'a FaultMap>,
    /// What is read from a word with a detected error.
    pub policy: Policy,
}

/// Why a point could not be measured.
#[derive(Debug, Error)]
pub enum CampaignError {
    /// The configuration's voltage model is wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The voltage is outside the model.
    #[error(transparent)]
    Voltage(#[from] VoltageError),
    /// A policy that the code does not have.
    #[error(
        "policy {policy} needs an in-place code; the code is {code}, which allows keep and zero"
    )]
    Policy {
        /// The policy.
        policy: Policy,
        /// The code.
        code: brownout_spec::code::CodeName,
    },
    /// The fault map does not fit, or is missing.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The weight image is another model's.
    #[error(transparent)]
    Tensors(#[from] TensorError),
    /// The accelerator could not be made.
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    /// The accelerator does not answer as one does.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// The system gives no thread.
    #[error("could not start thread {number} of {threads}: {source}; allowed are fewer threads")]
    Thread {
        /// Which, from 1.
        number: usize,
        /// Threads asked for.
        threads: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// An image has another size than the model's input.
    #[error("images of {found} values do not fit the model, whose input is {expected}")]
    ImageSize {
        /// Values of an image.
        found: usize,
        /// Shape of the model's input.
        expected: brownout_spec::program::Shape,
    },
}

impl From<ModelError> for CampaignError {
    fn from(error: ModelError) -> Self {
        Self::Simulator(error.into())
    }
}

impl From<DriverError> for CampaignError {
    fn from(error: DriverError) -> Self {
        Self::Simulator(error.into())
    }
}

/// What images run on.
#[derive(Clone, Copy)]
pub enum Hardware<'a> {
    /// Verilator's model: one image after the other, with back-pressure and waveforms.
    One(&'a Simulator),
    /// The engine: images side by side; one at a time where it does not suit a fault mode.
    SideBySide(&'a Engine),
}

impl Hardware<'_> {
    fn configuration(&self) -> &Configuration {
        match self {
            Self::One(simulator) => simulator.configuration(),
            Self::SideBySide(engine) => engine.configuration(),
        }
    }
}

/// One model on one accelerator with one set of images.
pub struct Campaign<'a> {
    /// The accelerator.
    pub hardware: Hardware<'a>,
    /// The model.
    pub model: &'a IntegerModel,
    /// The model's program on this accelerator.
    pub program: &'a Program,
    /// The model's weights in the configuration's code.
    pub image: &'a WeightImage,
    /// Images with labels.
    pub data: &'a Dataset,
    /// Number of the first of these images, where they are a part of a set:
    /// reports and passes count from it.
    pub first_image: usize,
    /// The chip.
    pub seed: ChipSeed,
    /// Number of threads; `None`: one per core.
    pub threads: Option<NonZeroUsize>,
    /// Back-pressure.
    pub stalls: Stalls,
    /// The command that runs the image of a number at one point again, with a waveform.
    pub reproduce: &'a (dyn Fn(&Point, usize) -> String + Sync),
}

/// A point in the terms of registers and types.
struct Resolved {
    millivolts: Option<Millivolts>,
    nominal: BitErrorRate,
    threshold: Threshold,
    rate: FaultRate,
    energy: Option<f64>,
}

impl Campaign<'_> {
    /// Runs all images at one point; `progress` is told after every image.
    ///
    /// A mismatch ends the point: it is the one with the lowest image number,
    /// and the sums are those of the images before it.
    ///
    /// # Errors
    /// When the point is not possible or the accelerator cannot be driven.
    pub fn run(
        &self,
        point: &Point,
        progress: &(dyn Fn() + Sync),
    ) -> Result<(PointSummary, Option<Mismatch>), CampaignError> {
        self.prepare(point, progress, |work, resolved| {
            let (sums, mismatch) = work.share_out(self.thread_count())?;
            Ok((self.summary(point, resolved, &sums, &mismatch), mismatch))
        })
    }

    /// Runs the first image at one point and writes a waveform (VCD) of its pass.
    ///
    /// # Errors
    /// When the point is not possible, the hardware is no simulator built with `trace`,
    /// or the file cannot be written; a mismatch is no error.
    pub fn trace(&self, point: &Point, path: &Path) -> Result<Option<Mismatch>, CampaignError> {
        self.prepare(point, &|| (), |work, _| work.trace(path))
    }

    /// Runs the image of a mismatch at its point again, and writes a waveform (VCD) of at most
    /// `most` bytes of the layer in which it first differs; none if the image alone does not differ.
    ///
    /// # Errors
    /// As [`Campaign::trace`].
    pub fn trace_layer(
        &self,
        point: &Point,
        mismatch: &Mismatch,
        path: &Path,
        most: u64,
    ) -> Result<Option<LayerWaveform>, CampaignError> {
        self.prepare(point, &|| (), |work, _| work.replay(mismatch, path, most))
    }

    /// Fills the weight memory and reads it as the golden model does.
    fn prepare<T>(
        &self,
        point: &Point,
        progress: &(dyn Fn() + Sync),
        action: impl FnOnce(&Work, &Resolved) -> Result<T, CampaignError>,
    ) -> Result<T, CampaignError> {
        let resolved = self.resolve(point)?;
        let faults = ChipFaults {
            seed: self.seed,
            mode: point.mode,
            threshold: resolved.threshold,
        };
        let memory = match point.map {
            Some(map) => Memory::with_map(self.image.clone(), map, faults)?,
            None => Memory::new(self.image.clone(), faults)?,
        };
        let shared = match memory.depends_on_pass() {
            true => None,
            false => Some(self.golden(&memory, Pass(0), point.policy)?),
        };
        let emulated = EmulatedFaults {
            seed: self.seed,
            mode: point.mode,
            rate: resolved.rate,
        };
        let work = Work::new(self, point, emulated, &memory, shared.as_ref(), progress);
        action(&work, &resolved)
    }

    fn thread_count(&self) -> usize {
        let cores = thread::available_parallelism().ok();
        let threads = self.threads.or(cores).map_or(1, NonZeroUsize::get);
        threads.min(self.data.len()).max(1)
    }

    fn resolve(&self, point: &Point) -> Result<Resolved, CampaignError> {
        let configuration = self.hardware.configuration();
        let code = configuration.code;
        if !point.policy.supported_by(code) {
            let policy = point.policy;
            return Err(CampaignError::Policy { policy, code });
        }
        let expected = self.model.network.input;
        let found = self.data.height() * self.data.width() * self.data.channels();
        if found != expected.volume() {
            return Err(CampaignError::ImageSize { found, expected });
        }
        let voltages = VoltageModel::from_configuration(configuration)?;
        Ok(match point.supply {
            Supply::Voltage(supply) => {
                let nominal = voltages.bit_error_rate(supply)?;
                Resolved {
                    millivolts: Some(supply),
                    nominal,
                    threshold: voltages.rom().threshold(supply),
                    rate: FaultRate::Voltage(supply),
                    energy: Some(relative_sram_energy(&voltages, supply, code)?),
                }
            }
            Supply::Rate(rate) => Resolved {
                millivolts: None,
                nominal: rate,
                threshold: rate.threshold(),
                rate: FaultRate::Threshold(rate.threshold()),
                energy: None,
            },
        })
    }

    fn golden(
        &self,
        memory: &Memory,
        pass: Pass,
        policy: Policy,
    ) -> Result<GoldenPass<'_>, TensorError> {
        let configuration = self.hardware.configuration();
        GoldenPass::new(
            self.model,
            configuration,
            self.program,
            memory,
            pass,
            policy,
        )
    }
}
