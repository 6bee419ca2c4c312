//! Images shared out among threads.

mod lanes;

use super::summary::Sums;
use super::{Campaign, CampaignError, Hardware, Point};
use crate::compare::{GoldenPass, Mismatch, Trial};
use crate::driver::{Driver, EmulatedFaults};
use crate::link::{Link, ModelLink, Stalls};
use crate::model::ModelError;
use crate::simulator::Simulator;
use brownout_golden::infer::{Memory, Workspace};
use brownout_spec::quantity::Pass;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What each image gave, with its number.
type Numbered = Vec<(usize, Sums)>;

/// What the threads of one point share.
pub(super) struct Work<'a> {
    pub(super) campaign: &'a Campaign<'a>,
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

impl<'a> Work<'a> {
    pub(super) fn new(
        campaign: &'a Campaign<'a>,
        point: &'a Point<'a>,
        faults: EmulatedFaults,
        memory: &'a Memory,
        shared: Option<&'a GoldenPass<'a>>,
        progress: &'a (dyn Fn() + Sync),
    ) -> Self {
        Self {
            campaign,
            point,
            faults,
            memory,
            shared,
            next: AtomicUsize::new(0),
            end: AtomicUsize::new(campaign.data.len()),
            progress,
        }
    }

    /// Runs the first image and writes a waveform.
    pub(super) fn trace(&self, path: &Path) -> Result<Option<Mismatch>, CampaignError> {
        let mut driver = self.driver(self.traceable()?, 0)?;
        driver.link_mut().trace_to(path)?;
        let (_, mismatch) = self.run_image(0, &mut driver, &mut None)?;
        driver.link_mut().end_trace()?;
        Ok(mismatch)
    }

    /// Runs all images up to the first mismatch.
    pub(super) fn share_out(
        &self,
        threads: usize,
    ) -> Result<(Sums, Option<Mismatch>), CampaignError> {
        let results: Vec<_> = thread::scope(|scope| {
            let mut workers = Vec::new();
            for worker in 0..threads {
                let spawned = thread::Builder::new()
                    .spawn_scoped(scope, move || self.run_images(worker))
                    .map_err(|source| CampaignError::Thread {
                        number: worker + 1,
                        threads,
                        source,
                    });
                if spawned.is_err() {
                    // The others need not go on.
                    self.end.store(0, Ordering::Relaxed);
                }
                workers.push(spawned);
            }
            workers
                .into_iter()
                .map(|worker| {
                    worker?
                        .join()
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
    fn run_images(&self, worker: usize) -> Result<(Numbered, Option<Mismatch>), CampaignError> {
        let mut driver = match self.campaign.hardware {
            Hardware::One(simulator) => self.driver(simulator, worker)?,
            Hardware::SideBySide(engine) => return self.run_batches(engine),
        };
        let mut workspace: Option<Workspace> = None;
        let mut done = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.end.load(Ordering::Relaxed) {
                return Ok((done, None));
            }
            let (sums, mismatch) = self.run_image(index, &mut driver, &mut workspace)?;
            if mismatch.is_some() {
                self.end.fetch_min(index, Ordering::Relaxed);
                return Ok((done, mismatch));
            }
            done.push((self.number(index), sums));
            (self.progress)();
        }
    }

    /// The number of an image in reports, which is also its pass.
    fn number(&self, index: usize) -> usize {
        self.campaign.first_image + index
    }

    /// The simulator that may write waveforms; the engine never does.
    pub(super) fn traceable(&self) -> Result<&'a Simulator, CampaignError> {
        match self.campaign.hardware {
            Hardware::One(simulator) => Ok(simulator),
            Hardware::SideBySide(engine) => {
                let name = engine.configuration().name.clone();
                Err(ModelError::NotTraceable(name).into())
            }
        }
    }

    pub(super) fn driver(
        &self,
        simulator: &Simulator,
        worker: usize,
    ) -> Result<Driver<ModelLink>, CampaignError> {
        let campaign = self.campaign;
        let stalls = Stalls {
            seed: campaign.stalls.seed.wrapping_add(worker as u64),
            ..campaign.stalls
        };
        let mut driver = simulator.driver(stalls)?;
        self.load(&mut driver)?;
        Ok(driver)
    }

    /// Loads the network and what disturbs it.
    fn load<L: Link>(&self, driver: &mut Driver<L>) -> Result<(), CampaignError> {
        let campaign = self.campaign;
        let layers = campaign.model.layers.iter();
        let parameters: Vec<_> = layers.map(|layer| layer.channels.clone()).collect();
        driver.load(
            campaign.program,
            self.memory.written(),
            &parameters,
            &campaign.model.tables(),
        )?;
        driver.set_policy(self.point.policy)?;
        Ok(driver.set_faults(&self.faults)?)
    }

    pub(super) fn run_image(
        &self,
        index: usize,
        driver: &mut Driver<ModelLink>,
        workspace: &mut Option<Workspace>,
    ) -> Result<(Sums, Option<Mismatch>), CampaignError> {
        let Campaign { model, data, .. } = self.campaign;
        let number = self.number(index);
        let pass = Pass(number as u32);
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
            image: number,
            input: &model.quantize(data.image(index)),
            pass: driver.configuration().fault_emulation.then_some(pass),
        };
        let (run, mut mismatch) = trial.run(driver, workspace)?;
        if let Some(mismatch) = &mut mismatch {
            mismatch.reproduce = Some((self.campaign.reproduce)(self.point, number));
        }
        let label = usize::from(data.labels[index]);
        Ok((Sums::of(golden, workspace, &run, label), mismatch))
    }

    /// Starts the pass of an image, as [`run_image`](Self::run_image) does.
    pub(super) fn begin_image(
        &self,
        index: usize,
        driver: &mut Driver<ModelLink>,
    ) -> Result<(), CampaignError> {
        let Campaign { model, data, .. } = self.campaign;
        if driver.configuration().fault_emulation {
            driver.set_pass(Pass(self.number(index) as u32))?;
        }
        Ok(driver.begin_image(&model.quantize(data.image(index)))?)
    }
}
