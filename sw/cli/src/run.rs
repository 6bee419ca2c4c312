//! Runs a model on simulated accelerators at every point, and sums up.

use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::placement::Placement;
use crate::points::Points;
use crate::reproduce::Recipe;
use crate::summary::{GoldenAccuracy, Provenance, Summary};
use crate::train::Measured;
use crate::waveform::Show;
use brownout_golden::data::Dataset;
use brownout_golden::model::IntegerModel;
use brownout_sim::campaign::{Campaign, CampaignError, Hardware, Point, PointSummary};
use brownout_sim::compare::Mismatch;
use brownout_sim::engine::Engine;
use brownout_sim::link::Stalls;
use brownout_sim::model::ModelError;
use brownout_sim::simulator::{Simulator, SimulatorError};
use brownout_spec::quantity::ChipSeed;
use indicatif::ProgressBar;
use std::num::NonZeroUsize;
use std::path::Path;

/// One accelerator with the model on it.
pub struct Placed {
    /// The model on the accelerator.
    pub placement: Placement,
    /// The accelerator's simulation.
    pub simulation: Simulation,
}

/// One image after the other, or many side by side.
pub enum Simulation {
    /// Verilator's model.
    One(Simulator),
    /// The engine.
    SideBySide(Engine),
}

/// Everything that a run needs.
pub struct Run<'a> {
    /// The model.
    pub model: &'a IntegerModel,
    /// One accelerator for each code of `points`, in their order.
    pub placed: &'a [Placed],
    /// The operating points.
    pub points: &'a Points,
    /// Test images.
    pub data: &'a Dataset,
    /// How to run one image again.
    pub recipe: &'a Recipe,
    /// Threads of the simulation.
    pub threads: Option<NonZeroUsize>,
    /// How a layer that differs is shown, unless that is not wanted.
    pub show: Option<Show<'a>>,
}

/// What a run is remembered with.
pub struct Record {
    /// Accuracy of the golden model on all test images.
    pub golden_accuracy: Option<GoldenAccuracy>,
    /// What was measured in training.
    pub training: Option<Measured>,
    /// What it was measured with.
    pub provenance: Provenance,
}

/// What a run gave.
pub struct Outcome {
    /// What was measured.
    pub summary: Summary,
    /// The difference that ended it.
    pub mismatch: Option<Mismatch>,
    /// How long the simulation took, without the building of models.
    pub seconds: f64,
}

impl Run<'_> {
    /// Runs all points up to the first mismatch.
    ///
    /// # Errors
    /// When an accelerator cannot be driven; a mismatch is no error.
    pub fn all(&self, record: Record, output: Output) -> Result<Outcome, Error> {
        let images = self.points.count() * self.data.len();
        let bar = output.bar("simulating", images as u64, "images");
        let mut summaries = Vec::new();
        let mut differing = None;
        'points: for placed in self.placed {
            for point in self.points.iter() {
                bar.set_message(placed.placement.chosen.configuration.code.to_string());
                let (summary, found) = self.point(placed, &point, &bar)?;
                summaries.push(summary);
                if let Some(found) = found {
                    differing = Some((placed, point, found));
                    break 'points;
                }
            }
        }
        bar.finish_and_clear();
        let seconds = bar.elapsed().as_secs_f64();
        output.remark(format!(
            "simulated {} images in {seconds:.1} s at {:.0} images/s",
            bar.position(),
            bar.position() as f64 / seconds.max(1e-3)
        ));
        let mismatch = differing.map(|(placed, point, mut mismatch)| {
            let show = self.show.as_ref();
            mismatch.waveform = show.map(|show| show.layer(self, placed, &point, &mismatch));
            mismatch
        });
        let summary = Summary {
            logits_compared: summaries.iter().map(|p| p.logits_compared).sum(),
            mismatches: summaries.iter().map(|p| p.mismatches).sum(),
            points: summaries,
            golden_accuracy: record.golden_accuracy,
            training: record.training,
            provenance: record.provenance,
        };
        Ok(Outcome {
            summary,
            mismatch,
            seconds,
        })
    }

    fn point(
        &self,
        placed: &Placed,
        point: &Point,
        bar: &ProgressBar,
    ) -> Result<(PointSummary, Option<Mismatch>), Error> {
        self.campaign(placed, |campaign| Ok(campaign.run(point, &|| bar.inc(1))?))
    }

    /// Writes the waveform of the first image at the first point.
    ///
    /// # Errors
    /// When the accelerator was not built for that, or the file cannot be written.
    pub fn trace(&self, placed: &Placed, file: &Path) -> Result<(), Error> {
        let Some(point) = self.points.iter().next() else {
            return Ok(());
        };
        files::write_with(file, |temporary| {
            let traced = self.campaign(placed, |campaign| Ok(campaign.trace(&point, temporary)))?;
            traced.map(|_| ()).map_err(|error| in_waveform(file, error))
        })
    }

    /// Runs something on one accelerator.
    ///
    /// # Errors
    /// What the action refuses.
    pub fn campaign<T>(
        &self,
        placed: &Placed,
        action: impl FnOnce(&Campaign<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let placement = &placed.placement;
        let code = placement.chosen.configuration.code;
        action(&Campaign {
            hardware: match &placed.simulation {
                Simulation::One(simulator) => Hardware::One(simulator),
                Simulation::SideBySide(engine) => Hardware::SideBySide(engine),
            },
            model: self.model,
            program: &placement.program,
            image: &placement.image,
            data: self.data,
            first_image: self.recipe.first_image,
            seed: ChipSeed(self.recipe.seed),
            threads: self.threads,
            stalls: Stalls::default(),
            reproduce: &|point, image| self.recipe.command(self.points, code, point, image),
        })
    }
}

/// An error that names the waveform's file, and not its temporary name.
pub fn in_waveform(file: &Path, error: CampaignError) -> Error {
    match error {
        CampaignError::Simulator(SimulatorError::Load(ModelError::Trace { source, .. })) => {
            Error::file("write the waveform", file)(source)
        }
        other => other.into(),
    }
}

/// Writes and prints a summary; a mismatch becomes the error that ends the command.
///
/// # Errors
/// When the file cannot be written, or RTL and golden model differ.
pub fn report(
    summary: &Summary,
    mismatch: Option<Mismatch>,
    file: Option<&Path>,
    output: Output,
) -> Result<(), Error> {
    if let Some(file) = file {
        files::write(file, summary.to_json().as_bytes())?;
    }
    output.result(summary, &summary.render())?;
    match mismatch {
        Some(mismatch) => Err(Error::Mismatch(mismatch.to_string())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration;
    use crate::error::MISMATCH;
    use brownout_golden::model::Origin;
    use brownout_sim::compare::Difference;

    fn summary(mismatches: u64) -> Summary {
        Summary {
            logits_compared: 70,
            mismatches,
            points: vec![],
            golden_accuracy: None,
            training: None,
            provenance: Provenance {
                brownout: "0",
                verilator: String::new(),
                compiler: String::new(),
                lanes: None,
                seed: 1,
                data: "glyphs".into(),
                first_image: 0,
                model: "m".into(),
                origin: Origin {
                    name: "m".into(),
                    dataset: "glyphs".into(),
                    accuracy: None,
                    training: None,
                },
                configuration: configuration::default().configuration,
            },
        }
    }

    #[test]
    fn a_mismatch_is_reported_with_its_command_and_exit_status_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("summary.json");
        let mismatch = Mismatch {
            image: 7,
            difference: Difference::Logit {
                index: 3,
                golden: -5,
                rtl: 6,
            },
            place: None,
            waveform: Some("there is no waveform".into()),
            reproduce: Some("brownout simulate m --skip 7".into()),
        };
        let quiet = Output {
            quiet: true,
            json: true,
        };
        let error = report(&summary(1), Some(mismatch), Some(&file), quiet).unwrap_err();
        assert_eq!(error.exit_status(), MISMATCH);
        let message = error.to_string();
        for part in [
            "image 7",
            "logit 3 is -5",
            "6 in the RTL",
            "there is no waveform",
            "simulate m --skip 7",
        ] {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
        let written = std::fs::read_to_string(file).unwrap();
        assert!(written.contains("\"mismatches\": 1"), "{written}");
    }

    #[test]
    fn the_closing_line_counts_logits_and_mismatches() {
        let text = summary(0).render();
        assert_eq!(
            text.lines().last(),
            Some("golden vs RTL: 70 logits compared, 0 mismatches")
        );
    }
}
