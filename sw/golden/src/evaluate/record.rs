//! What was measured, with everything that is needed to measure it again, for files.

use super::plan::{Disturbance, Plan};
use super::reader::Counters;
use super::run::{ChipResult, Evaluation, PointResult};
use super::statistics::{Bootstrap, CONFIDENCE, Spread, Yield};
use super::subject::Subject;
use crate::csv;
use crate::quantize::BitWidth;
use crate::quantized::MemoryRules;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Where numbers come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub brownout: String,
    /// Commit that it was built from, if that is known.
    pub commit: Option<String>,
    /// The command line.
    pub command: String,
    /// File of the network.
    pub model: String,
    /// Where images came from.
    pub data: String,
}

/// How it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Name of the network.
    pub network: String,
    /// `integer` or `floating point`.
    pub arithmetic: String,
    /// Live bits of a weight.
    pub weight_bits: BitWidth,
    /// Array, code, policy and exposure.
    #[serde(flatten)]
    pub memory: MemoryRules,
    /// Words of the weight memory.
    pub words: usize,
    /// Bits of a word.
    pub word_bits: usize,
    /// Images classified, the first of the data set.
    pub images: usize,
    /// Seed of the first chip.
    pub first_chip: u64,
    /// Chips at each point, each with the seed that follows; of profiled arrays.
    pub chips: usize,
    /// Places at which weights were laid into each profiled array.
    pub offsets: usize,
    /// How intervals of means were found.
    pub bootstrap: Bootstrap,
    /// Probability that intervals contain what they are about.
    pub confidence: f64,
    /// Probability with which the guarantee may fail, if it was asked for.
    pub guarantee_delta: Option<f64>,
}

/// What was measured at one operating point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordedPoint {
    /// What faulty cells do.
    pub mode: String,
    /// The profiled chip, as in `chip1:0.866`.
    pub profile: Option<String>,
    /// Supply of the weight memory.
    pub voltage_mv: Option<u16>,
    /// The rate asked for, or the voltage model's or the profile's.
    pub rate: Option<f64>,
    /// The rate applied.
    pub rate_applied: f64,
    /// Energy of the weight memory relative to the same weights without a code at the
    /// voltage model's nominal voltage.
    pub sram_energy_relative: Option<f64>,
    /// Share of images classified wrong, on average over a chip's places, over chips.
    pub error: Spread,
    /// Share of images wrong with these weights or with undisturbed ones, likewise.
    pub robust_error: Spread,
    /// Share of good chips.
    #[serde(rename = "yield")]
    pub good: Option<Yield>,
    /// What the robust error over all chips and images does not exceed.
    pub guarantee: Option<f64>,
    /// Sums over chips.
    pub counters: Counters,
    /// One entry a chip, or of profiled arrays one for each place of each chip.
    pub chips: Vec<ChipResult>,
}

/// Everything about a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Where the numbers come from.
    pub provenance: Provenance,
    /// How it was measured.
    pub protocol: Protocol,
    /// Share of images classified wrong with undisturbed weights.
    pub clean_error: f64,
    /// The same of each class's images; null of a class without any.
    pub clean_error_of_classes: Vec<Option<f64>>,
    /// Share of images whose label is none of the five largest logits with undisturbed weights, of
    /// a network with 100 classes or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean_top5_error: Option<f64>,
    /// What the classes are called, if the images say it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// One entry an operating point.
    pub points: Vec<RecordedPoint>,
}

impl RecordedPoint {
    fn new(result: PointResult) -> Self {
        let point = &result.point;
        Self {
            mode: point.mode(),
            profile: match &point.disturbance {
                Disturbance::Profile { profile, .. } => Some(profile.to_string()),
                _ => None,
            },
            voltage_mv: point.voltage.map(|mv| mv.0),
            rate: point.rate,
            rate_applied: result.rate_applied,
            sram_energy_relative: point.energy_relative,
            error: result.error,
            robust_error: result.robust_error,
            good: result.good,
            guarantee: result.guarantee,
            counters: result.counters,
            chips: result.chips,
        }
    }
}

/// A column of the CSV file: its name, and its cell for a chip.
type Column = (
    &'static str,
    fn(&Record, &RecordedPoint, &ChipResult) -> String,
);

/// The columns: first what was varied and measured, then the chip's point, then the protocol.
const COLUMNS: [Column; 44] = [
    ("mode", |_, p, _| p.mode.clone()),
    ("profile", |_, p, _| optional(p.profile.as_ref())),
    ("voltage_mv", |_, p, _| optional(p.voltage_mv)),
    ("rate", |_, p, _| optional(p.rate)),
    ("rate_applied", |_, p, _| p.rate_applied.to_string()),
    ("sram_energy_relative", |_, p, _| {
        optional(p.sram_energy_relative)
    }),
    ("chip", |_, _, c| optional(c.seed)),
    ("offset", |_, _, c| c.offset.to_string()),
    ("accuracy", |r, _, c| {
        (1.0 - c.error(r.protocol.images)).to_string()
    }),
    ("error", |r, _, c| c.error(r.protocol.images).to_string()),
    ("robust_error", |r, _, c| {
        c.robust_error(r.protocol.images).to_string()
    }),
    ("reads", |_, _, c| c.counters.reads.to_string()),
    ("words_read", |_, _, c| c.counters.words.to_string()),
    ("disturbed_words", |_, _, c| {
        c.counters.disturbed_words.to_string()
    }),
    ("flipped_bits", |_, _, c| {
        c.counters.flipped_bits.to_string()
    }),
    ("corrected", |_, _, c| c.counters.corrected.to_string()),
    ("detected", |_, _, c| c.counters.detected.to_string()),
    ("miscorrected", |_, _, c| {
        c.counters.miscorrected.to_string()
    }),
    ("undetected", |_, _, c| c.counters.undetected.to_string()),
    ("residual_bit_errors", |_, _, c| {
        c.counters.residual_bit_errors.to_string()
    }),
    ("weight_bit_errors", |_, _, c| {
        c.counters.weight_bit_errors.to_string()
    }),
    ("point_error_mean", |_, p, _| p.error.mean.to_string()),
    ("point_error_std", |_, p, _| p.error.std.to_string()),
    ("point_error_low", |_, p, _| {
        optional(p.error.interval.map(|i| i.low))
    }),
    ("point_error_high", |_, p, _| {
        optional(p.error.interval.map(|i| i.high))
    }),
    ("point_robust_error_mean", |_, p, _| {
        p.robust_error.mean.to_string()
    }),
    ("point_robust_error_std", |_, p, _| {
        p.robust_error.std.to_string()
    }),
    ("point_yield", |_, p, _| optional(p.good.map(|y| y.share))),
    ("point_guarantee", |_, p, _| optional(p.guarantee)),
    ("clean_error", |r, _, _| r.clean_error.to_string()),
    ("network", |r, _, _| r.protocol.network.clone()),
    ("arithmetic", |r, _, _| r.protocol.arithmetic.clone()),
    ("weight_bits", |r, _, _| r.protocol.weight_bits.to_string()),
    ("rows", |r, _, _| r.protocol.memory.rows.to_string()),
    ("columns", |r, _, _| r.protocol.memory.columns.to_string()),
    ("code", |r, _, _| r.protocol.memory.code.to_string()),
    ("policy", |r, _, _| {
        r.protocol.memory.policy.as_str().to_owned()
    }),
    ("exposure", |r, _, _| {
        r.protocol.memory.exposure.as_str().to_owned()
    }),
    ("images", |r, _, _| r.protocol.images.to_string()),
    ("data", |r, _, _| r.provenance.data.clone()),
    ("model", |r, _, _| r.provenance.model.clone()),
    ("command", |r, _, _| r.provenance.command.clone()),
    ("brownout", |r, _, _| r.provenance.brownout.clone()),
    ("commit", |r, _, _| optional(r.provenance.commit.as_ref())),
];

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

impl Record {
    /// Puts together what was measured and how.
    pub fn new(
        provenance: Provenance,
        subject: &Subject,
        plan: &Plan,
        evaluation: Evaluation,
    ) -> Self {
        let (words, word_bits) = evaluation.memory;
        Self {
            provenance,
            protocol: Protocol {
                network: subject.network().to_owned(),
                arithmetic: subject.arithmetic().to_owned(),
                weight_bits: subject.width(),
                memory: plan.memory,
                words,
                word_bits,
                images: evaluation.images,
                first_chip: plan.chips.first.0,
                chips: plan.chips.count,
                offsets: plan.offsets,
                bootstrap: plan.bootstrap,
                confidence: CONFIDENCE,
                guarantee_delta: plan.guarantee,
            },
            clean_error: evaluation.clean_error(),
            clean_error_of_classes: evaluation.clean_error_of_classes.clone(),
            clean_top5_error: evaluation.clean_top5_error,
            class_names: evaluation.class_names.clone(),
            points: evaluation
                .points
                .into_iter()
                .map(RecordedPoint::new)
                .collect(),
        }
    }

    /// The JSON text: everything.
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("a record is plain data with text keys");
        text.push('\n');
        text
    }

    /// The CSV text: a header, then one row for each chip of each point, which says
    /// everything about itself. Cells that do not apply are empty.
    pub fn to_csv(&self) -> String {
        let mut text = COLUMNS.map(|(name, _)| name).join(",") + "\n";
        for point in &self.points {
            for chip in &point.chips {
                let cells = COLUMNS.map(|(_, cell)| csv::cell(&cell(self, point, chip)));
                writeln!(text, "{}", cells.join(",")).expect("text takes any text");
            }
        }
        text
    }
}
