//! Images shared out among threads, and on each thread side by side.

use super::{Numbered, Work};
use crate::campaign::summary::Sums;
use crate::campaign::{Campaign, CampaignError};
use crate::compare::{GoldenPass, Mismatch, Trial};
use crate::driver::{Driver, ImageRun};
use crate::engine::{Apart, Engine, EngineLink};
use brownout_golden::infer::Workspace;
use brownout_spec::quantity::Pass;
use std::sync::atomic::Ordering;

impl Work<'_> {
    /// Takes as many images as `engine` has lanes until none is left; also gives back each image's
    /// number.
    pub(super) fn run_batches(
        &self,
        engine: &Engine,
    ) -> Result<(Numbered, Option<Mismatch>), CampaignError> {
        let mut driver = engine.driver()?;
        self.load(&mut driver)?;
        let mut workspace: Option<Workspace> = None;
        let mut done = Vec::new();
        let together = match engine.suits(self.point.mode) {
            true => engine.lanes(),
            false => 1,
        };
        loop {
            let first = self.next.fetch_add(together, Ordering::Relaxed);
            let end = self.end.load(Ordering::Relaxed);
            if first >= end {
                return Ok((done, None));
            }
            let batch = first..end.min(first + together);
            let runs = self.run_batch(first, batch.len(), engine.apart(), &mut driver)?;
            for (index, (input, run)) in batch.zip(runs) {
                let pass = Pass(self.number(index) as u32);
                let (sums, mismatch) =
                    self.judge(index, pass, &input, &run, &mut driver, &mut workspace)?;
                if mismatch.is_some() {
                    self.end.fetch_min(index, Ordering::Relaxed);
                    return Ok((done, mismatch));
                }
                done.push((self.number(index), sums));
                (self.progress)();
            }
        }
    }

    /// The images as activations, and what came of them.
    fn run_batch(
        &self,
        first: usize,
        count: usize,
        apart: Apart,
        driver: &mut Driver<EngineLink>,
    ) -> Result<Vec<(Vec<i8>, ImageRun)>, CampaignError> {
        let Campaign { model, data, .. } = self.campaign;
        let pass = Pass(self.number(first) as u32);
        match (driver.configuration().fault_emulation, apart) {
            (false, _) => {}
            (true, Apart::Passes) => driver.set_passes(pass)?,
            (true, Apart::Images) => driver.set_pass(pass)?,
        }
        let images = first..first + count;
        let inputs: Vec<Vec<i8>> = images.map(|i| model.quantize(data.image(i))).collect();
        let slices: Vec<&[i8]> = inputs.iter().map(Vec::as_slice).collect();
        let runs = driver.run_images(&slices)?;
        Ok(inputs.into_iter().zip(runs).collect())
    }

    /// Compares one lane; where it differs, all lanes run its image again to find where.
    fn judge(
        &self,
        index: usize,
        pass: Pass,
        input: &[i8],
        run: &ImageRun,
        driver: &mut Driver<EngineLink>,
        workspace: &mut Option<Workspace>,
    ) -> Result<(Sums, Option<Mismatch>), CampaignError> {
        let Campaign { model, data, .. } = self.campaign;
        let own;
        let golden: &GoldenPass = match self.shared {
            Some(golden) => golden,
            None => {
                own = self.campaign.golden(self.memory, pass, self.point.policy)?;
                &own
            }
        };
        let workspace = workspace.get_or_insert_with(|| golden.network().workspace());
        golden.network().run(input, workspace);
        let label = usize::from(data.labels[index]);
        let sums = Sums::of(golden, workspace, run, label);
        let Some(difference) = golden.difference(workspace, run) else {
            return Ok((sums, None));
        };
        let number = self.number(index);
        let trial = Trial {
            golden,
            model,
            image: number,
            input,
            pass: driver.configuration().fault_emulation.then_some(pass),
        };
        let (_, found) = trial.run(driver, workspace)?;
        let mismatch = Mismatch {
            image: number,
            difference,
            place: found.and_then(|mismatch| mismatch.place),
            waveform: None,
            reproduce: Some((self.campaign.reproduce)(self.point, number)),
        };
        Ok((sums, Some(mismatch)))
    }
}
