//! What a run measured: a file for programs, a table for people.

use crate::configuration::Chosen;
use crate::hardware::Workshop;
use crate::reproduce::Recipe;
use crate::table::{Table, percent};
use crate::train::Measured;
use brownout_golden::model::{IntegerModel, Origin};
use brownout_sim::campaign::PointSummary;
use brownout_spec::config::Configuration;
use serde::Serialize;

/// Everything that a run measured, and what it was measured with.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Logits compared between RTL and golden model.
    pub logits_compared: u64,
    /// Images in which they differed; the first one ends the run.
    pub mismatches: u64,
    /// One entry an operating point.
    pub points: Vec<PointSummary>,
    /// Accuracy of the golden model without faults on all test images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub golden_accuracy: Option<GoldenAccuracy>,
    /// What was measured while the model was trained, if this run did that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<Measured>,
    /// What all this was measured with.
    pub provenance: Provenance,
}

/// Accuracy without faults.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GoldenAccuracy {
    /// Test images.
    pub images: usize,
    /// Share classified right in integers.
    pub accuracy: f64,
}

/// What is needed to measure the same again.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// Version of this program.
    pub brownout: &'static str,
    /// Version line of Verilator.
    pub verilator: String,
    /// Version line of the C++ compiler.
    pub compiler: String,
    /// Images side by side in the engine that this compiler made; none in Verilator's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lanes: Option<usize>,
    /// Seed of the run.
    pub seed: u64,
    /// Where images came from.
    pub data: String,
    /// Number of the first test image.
    pub first_image: usize,
    /// File of the model.
    pub model: String,
    /// Where the model came from.
    pub origin: Origin,
    /// The accelerator; its code varies over the points.
    pub configuration: Configuration,
}

impl Provenance {
    /// What a run with these tools, this recipe and this accelerator can be repeated with.
    pub fn new(
        workshop: &Workshop,
        recipe: &Recipe,
        model: &IntegerModel,
        chosen: &Chosen,
    ) -> Self {
        let [verilator, compiler] = workshop.versions();
        Self {
            brownout: env!("CARGO_PKG_VERSION"),
            verilator,
            compiler,
            lanes: None,
            seed: recipe.seed,
            data: recipe.data.to_string(),
            first_image: recipe.first_image,
            model: recipe.model.display().to_string(),
            origin: model.origin.clone(),
            configuration: chosen.configuration.clone(),
        }
    }
}

impl Summary {
    /// The JSON text of the summary file.
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("a summary is plain data with text keys");
        text.push('\n');
        text
    }

    /// Table, remarks and the closing line.
    pub fn render(&self) -> String {
        let golden = self.golden_accuracy.map_or_else(String::new, |golden| {
            format!(
                "golden model without faults: {} on all {} test images\n",
                percent(golden.accuracy),
                golden.images
            )
        });
        format!("{}\n{golden}{}\n", self.table(), self.closing_line())
    }

    /// How much was compared, and how much differed.
    pub fn closing_line(&self) -> String {
        format!(
            "golden vs RTL: {} logits compared, {} mismatches",
            self.logits_compared, self.mismatches
        )
    }

    fn table(&self) -> String {
        // Columns that say the same in every row are left out.
        let varies = |of: fn(&PointSummary) -> &str| {
            self.points
                .windows(2)
                .any(|pair| of(&pair[0]) != of(&pair[1]))
        };
        let (modes, policies) = (varies(|p| &p.mode), varies(|p| &p.policy));
        let mut headers = vec![">voltage", ">cells faulty", "code"];
        headers.extend(modes.then_some("mode"));
        headers.extend(policies.then_some("policy"));
        headers.extend([
            ">accuracy",
            ">corrected",
            ">detected",
            ">silently wrong",
            ">cycles",
            ">SRAM energy",
        ]);
        let mut table = Table::new(&headers);
        for point in &self.points {
            let per_image = |n: u64| format!("{:.1}", n as f64 / point.images.max(1) as f64);
            let supply = point
                .voltage_mv
                .map_or("-".to_owned(), |mv| format!("{mv} mV"));
            let energy = point.sram_energy_relative;
            let mut row = vec![supply, rate(point.ber_applied), point.code.clone()];
            row.extend(modes.then(|| point.mode.clone()));
            row.extend(policies.then(|| point.policy.clone()));
            row.extend([
                point.accuracy_rtl.map_or("-".to_owned(), percent),
                per_image(point.corrected),
                per_image(point.detected),
                per_image(point.miscorrected + point.undetected),
                point.cycles_per_image.to_string(),
                energy.map_or("-".to_owned(), |energy| format!("{energy:.4}")),
            ]);
            table.row(row);
        }
        let images = self.points.first().map_or(0, |point| point.images);
        format!(
            "{}\nimages at each point: {images}; corrected, detected and silently wrong: words an image; cycles: an image\n\
             silently wrong: corrected into another word (and counted there, too), or read as clean\n\
             SRAM energy: of the weight memory, relative to nominal voltage without a code\n",
            table.render()
        )
    }
}

/// A rate with three digits; zero as it is.
fn rate(rate: f64) -> String {
    if rate == 0.0 {
        "0".to_owned()
    } else {
        format!("{rate:.2e}")
    }
}
