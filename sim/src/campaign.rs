//! A model at many operating points: every image on both sides, and the sums.
//!
//! Images are shared out among threads, each with an accelerator of its own.
//! The pass of image *i* is pass *i*, so transient faults, and with them every
//! sum, are the same for any number of threads.

use crate::compare::{CompareError, GoldenPass, Mismatch, Trial};
use crate::driver::{Counters, Driver, DriverError, EmulatedFaults, FaultRate, ImageRun};
use crate::link::{ModelLink, Stalls};
use crate::simulator::{Simulator, SimulatorError};
use brownout_golden::data::Dataset;
use brownout_golden::energy::relative_sram_energy;
use brownout_golden::infer::{Memory, MemoryError, TensorError, Truth, Workspace};
use brownout_golden::model::IntegerModel;
use brownout_spec::code::Policy;
use brownout_spec::config::ConfigurationError;
use brownout_spec::fault::{ChipFaults, FaultMap, FaultMode};
use brownout_spec::image::WeightImage;
use brownout_spec::program::Program;
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Millivolts, Pass, Threshold};
use brownout_spec::voltage::{VoltageError, VoltageModel};
use serde::Serialize;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use thiserror::Error;

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

/// What was measured at one operating point: sums over all images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointSummary {
    /// Supply of the weight memory; `None` where the rate was set directly.
    pub voltage_mv: Option<u16>,
    /// The model that translates voltages.
    pub voltage_model: String,
    /// The rate of the voltage model, or the one asked for.
    pub ber: f64,
    /// The rate applied, threshold / 2³²; zero in the modes `none` and `map`.
    pub ber_applied: f64,
    /// The code of the weight memory.
    pub code: String,
    /// What faulty cells do.
    pub mode: String,
    /// What is read from a word with a detected error.
    pub policy: String,
    /// Images run.
    pub images: usize,
    /// Share of images that the RTL classified right.
    pub accuracy_rtl: f64,
    /// Share of images that the golden model classified right.
    pub accuracy_golden: f64,
    /// Code words read.
    pub words_read: u64,
    /// Words in which the fault emulation flipped a bit.
    pub disturbed_words: u64,
    /// Bits flipped by the fault emulation.
    pub flipped_bits: u64,
    /// Words in which the decoder corrected a bit.
    pub corrected: u64,
    /// Words with a detected, uncorrected error.
    pub detected: u64,
    /// Words that the decoder turned into another code word than the stored one.
    pub miscorrected: u64,
    /// Words with errors that looked like a clean word.
    pub undetected: u64,
    /// Information bits read wrong after correction and policy.
    pub residual_bit_errors: u64,
    /// Clocks of a pass in the RTL.
    pub cycles_per_image: u64,
    /// Clocks of a pass by the specification's formula.
    pub cycles_predicted: u64,
    /// Energy of the weight memory relative to the same weights without a code
    /// at the voltage model's nominal voltage; `None` without a voltage.
    pub sram_energy_relative: Option<f64>,
    /// The chip.
    pub seed: u64,
    /// Logits that were compared.
    pub logits_compared: u64,
    /// Images that differed; the first one ends the point.
    pub mismatches: u64,
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
    /// An image has another size than the model's input.
    #[error("images of {found} values do not fit the model, whose input is {expected}")]
    ImageSize {
        /// Values of an image.
        found: usize,
        /// Shape of the model's input.
        expected: brownout_spec::program::Shape,
    },
}

impl From<DriverError> for CampaignError {
    fn from(error: DriverError) -> Self {
        Self::Simulator(error.into())
    }
}

/// One model on one accelerator with one set of images.
pub struct Campaign<'a> {
    /// The accelerator.
    pub simulator: &'a Simulator,
    /// The model.
    pub model: &'a IntegerModel,
    /// The model's program on this accelerator.
    pub program: &'a Program,
    /// The model's weights in the configuration's code.
    pub image: &'a WeightImage,
    /// Images with labels.
    pub data: &'a Dataset,
    /// The chip.
    pub seed: ChipSeed,
    /// Number of threads; `None`: one per core.
    pub threads: Option<NonZeroUsize>,
    /// Back-pressure.
    pub stalls: Stalls,
    /// The command that runs one image at one point again, with a waveform.
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

/// Sums of one thread.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    images: usize,
    correct_rtl: usize,
    correct_golden: usize,
    counters: Counters,
    truth: Truth,
    logits: u64,
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
        let work = Work {
            campaign: self,
            point,
            faults: EmulatedFaults {
                seed: self.seed,
                mode: point.mode,
                rate: resolved.rate,
            },
            memory: &memory,
            shared: shared.as_ref(),
            next: AtomicUsize::new(0),
            end: AtomicUsize::new(self.data.len()),
            progress,
        };
        let (sums, mismatch) = work.share_out(self.thread_count())?;
        Ok((self.summary(point, &resolved, &sums, &mismatch), mismatch))
    }

    fn thread_count(&self) -> usize {
        let cores = thread::available_parallelism().ok();
        let threads = self.threads.or(cores).map_or(1, NonZeroUsize::get);
        threads.min(self.data.len()).max(1)
    }

    fn resolve(&self, point: &Point) -> Result<Resolved, CampaignError> {
        let configuration = self.simulator.configuration();
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
        let configuration = self.simulator.configuration();
        GoldenPass::new(
            self.model,
            configuration,
            self.program,
            memory,
            pass,
            policy,
        )
    }

    fn summary(
        &self,
        point: &Point,
        resolved: &Resolved,
        sums: &Sums,
        mismatch: &Option<Mismatch>,
    ) -> PointSummary {
        let configuration = self.simulator.configuration();
        let emulated = !matches!(point.mode, FaultMode::None | FaultMode::Map);
        let share = |n: usize| n as f64 / sums.images.max(1) as f64;
        let c = &sums.counters;
        PointSummary {
            voltage_mv: resolved.millivolts.map(|mv| mv.0),
            voltage_model: voltage_model_name(configuration),
            ber: resolved.nominal.get(),
            ber_applied: match emulated {
                true => resolved.threshold.applied_rate().get(),
                false => 0.0,
            },
            code: configuration.code.to_string(),
            mode: point.mode.to_string(),
            policy: point.policy.to_string(),
            images: sums.images,
            accuracy_rtl: share(sums.correct_rtl),
            accuracy_golden: share(sums.correct_golden),
            words_read: c.words_read,
            disturbed_words: c.disturbed,
            flipped_bits: c.flipped,
            corrected: c.corrected,
            detected: c.detected,
            miscorrected: sums.truth.miscorrected,
            undetected: sums.truth.undetected,
            residual_bit_errors: sums.truth.residual_bit_errors,
            cycles_per_image: c.cycles / sums.images.max(1) as u64,
            cycles_predicted: brownout_spec::cycles::program_cycles(configuration, self.program),
            sram_energy_relative: resolved.energy,
            seed: self.seed.0,
            logits_compared: sums.logits,
            mismatches: u64::from(mismatch.is_some()),
        }
    }
}

/// The name of a configuration's voltage model, as its file writes it.
fn voltage_model_name(configuration: &brownout_spec::config::Configuration) -> String {
    use brownout_spec::config::VoltageModelChoice;
    match configuration.voltage_model {
        VoltageModelChoice::Fdx22nm => "fdx-22nm",
        VoltageModelChoice::Finfet14nm => "finfet-14nm",
        VoltageModelChoice::Table(_) => "table",
    }
    .to_owned()
}

/// What the threads of one point share.
struct Work<'a> {
    campaign: &'a Campaign<'a>,
    point: &'a Point<'a>,
    faults: EmulatedFaults,
    memory: &'a Memory,
    /// The golden pass of all images, unless each pass reads other weights.
    shared: Option<&'a GoldenPass<'a>>,
    /// The next image to be taken.
    next: AtomicUsize,
    /// No image from here on is taken: the number of images, or the lowest with a mismatch.
    end: AtomicUsize,
    progress: &'a (dyn Fn() + Sync),
}

impl Work<'_> {
    fn share_out(&self, threads: usize) -> Result<(Sums, Option<Mismatch>), CampaignError> {
        let results: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|worker| scope.spawn(move || self.run_images(worker)))
                .collect();
            workers
                .into_iter()
                .map(|w| {
                    w.join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        let mut images = Vec::new();
        let mut mismatches = Vec::new();
        for result in results {
            let (done, found) = result?;
            images.extend(done);
            mismatches.extend(found);
        }
        let first = mismatches.into_iter().min_by_key(|m: &Mismatch| m.image);
        let end = first.as_ref().map_or(usize::MAX, |m| m.image);
        let mut sums = Sums::default();
        for (_, image) in images.iter().filter(|(index, _)| *index < end) {
            sums.add(image);
        }
        Ok((sums, first))
    }

    /// Takes images until none is left; also gives back each image's number.
    fn run_images(
        &self,
        worker: usize,
    ) -> Result<(Vec<(usize, Sums)>, Option<Mismatch>), CampaignError> {
        let mut driver = self.driver(worker)?;
        let mut workspace: Option<Workspace> = None;
        let mut done = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.end.load(Ordering::Relaxed) {
                return Ok((done, None));
            }
            let (sums, mismatch) = self.run_image(index, &mut driver, &mut workspace)?;
            if let Some(mut mismatch) = mismatch {
                self.end.fetch_min(index, Ordering::Relaxed);
                mismatch.reproduce = Some((self.campaign.reproduce)(self.point, index));
                return Ok((done, Some(mismatch)));
            }
            done.push((index, sums));
            (self.progress)();
        }
    }

    fn driver(&self, worker: usize) -> Result<Driver<ModelLink>, CampaignError> {
        let campaign = self.campaign;
        let stalls = Stalls {
            seed: campaign.stalls.seed.wrapping_add(worker as u64),
            ..campaign.stalls
        };
        let mut driver = campaign.simulator.driver(stalls)?;
        let layers = campaign.model.layers.iter();
        let parameters: Vec<_> = layers.map(|layer| layer.channels.clone()).collect();
        driver.load(campaign.program, self.memory.written().words(), &parameters)?;
        driver.set_policy(self.point.policy)?;
        driver.set_faults(&self.faults)?;
        Ok(driver)
    }

    fn run_image(
        &self,
        index: usize,
        driver: &mut Driver<ModelLink>,
        workspace: &mut Option<Workspace>,
    ) -> Result<(Sums, Option<Mismatch>), CampaignError> {
        let Campaign { model, data, .. } = self.campaign;
        let pass = Pass(index as u32);
        let own;
        let golden = match self.shared {
            Some(golden) => golden,
            None => {
                own = self.campaign.golden(self.memory, pass, self.point.policy)?;
                &own
            }
        };
        let workspace = workspace.get_or_insert_with(|| golden.network().workspace());
        let trial = Trial {
            golden,
            model,
            image: index,
            input: &model.quantize(data.image(index)),
            pass: driver.configuration().fault_emulation.then_some(pass),
        };
        let (run, mismatch) = trial.run(driver, workspace)?;
        let label = usize::from(data.labels[index]);
        Ok((Sums::of(golden, workspace, &run, label), mismatch))
    }
}

impl Sums {
    fn of(golden: &GoldenPass, workspace: &Workspace, run: &ImageRun, label: usize) -> Self {
        Self {
            images: 1,
            correct_rtl: usize::from(first_maximum(&run.logits) == Some(label)),
            correct_golden: usize::from(workspace.class() == label),
            counters: run.counters,
            truth: golden.truth(),
            logits: run.logits.len() as u64,
        }
    }

    fn add(&mut self, other: &Self) {
        self.images += other.images;
        self.correct_rtl += other.correct_rtl;
        self.correct_golden += other.correct_golden;
        let (c, o) = (&mut self.counters, &other.counters);
        c.cycles += o.cycles;
        c.busy += o.busy;
        c.words_read += o.words_read;
        c.corrected += o.corrected;
        c.detected += o.detected;
        c.disturbed += o.disturbed;
        c.flipped += o.flipped;
        self.truth += other.truth;
        self.logits += other.logits;
    }
}

/// The class with the largest logit; of equal ones, the first.
fn first_maximum(logits: &[i32]) -> Option<usize> {
    (0..logits.len()).reduce(|best, i| match logits[i] > logits[best] {
        true => i,
        false => best,
    })
}
