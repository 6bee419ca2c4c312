//! What was measured at a point.

use super::{Campaign, Point, Resolved};
use crate::compare::{GoldenPass, Mismatch};
use crate::driver::{Counters, ImageRun};
use brownout_golden::infer::{Truth, Workspace};
use brownout_spec::config::{Configuration, VoltageModelChoice};
use brownout_spec::fault::{FaultMap, FaultMode};
use brownout_spec::quantity::WordAddress;
use serde::Serialize;

/// What was measured at one operating point: sums over all images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointSummary {
    /// Supply of the weight memory; `None` where the rate was set directly.
    pub voltage_mv: Option<u16>,
    /// The model that translates voltages.
    pub voltage_model: String,
    /// The rate of the voltage model, or the one asked for.
    pub ber: f64,
    /// The rate applied: threshold / 2³², in mode `map` the share of its cells among all, and zero
    /// in mode `none`.
    pub ber_applied: f64,
    /// The code of the weight memory.
    pub code: String,
    /// What faulty cells do.
    pub mode: String,
    /// What is read from a word with a detected error.
    pub policy: String,
    /// Images run.
    pub images: usize,
    /// Share of images that the RTL classified right; `None` where the results are a map, which
    /// has no class.
    pub accuracy_rtl: Option<f64>,
    /// Share of images that the golden model classified right; `None` likewise.
    pub accuracy_golden: Option<f64>,
    /// Code words read.
    pub words_read: u64,
    /// Words that were read with a flipped bit: of the fault emulation, or of a map's cells.
    pub disturbed_words: u64,
    /// Flipped bits that were read.
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

/// Sums over images.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    images: usize,
    correct_rtl: usize,
    correct_golden: usize,
    counters: Counters,
    truth: Truth,
    logits: u64,
}

/// The name of a configuration's voltage model, as its file writes it.
fn voltage_model_name(configuration: &Configuration) -> String {
    match configuration.voltage_model {
        VoltageModelChoice::Fdx22nm => "fdx-22nm",
        VoltageModelChoice::Finfet14nm => "finfet-14nm",
        VoltageModelChoice::Table(_) => "table",
    }
    .to_owned()
}

impl Campaign<'_> {
    pub(super) fn summary(
        &self,
        point: &Point,
        resolved: &Resolved,
        sums: &Sums,
        mismatch: &Option<Mismatch>,
    ) -> PointSummary {
        let configuration = self.hardware.configuration();
        let has_classes = self.model.classes().is_some();
        let share = |n: usize| has_classes.then(|| n as f64 / sums.images.max(1) as f64);
        let c = &sums.counters;
        let (disturbed, flipped) = match (point.mode, point.map) {
            // What is written already with its flips is nothing that the hardware counts.
            (FaultMode::Map, Some(map)) => self.written_flips(map, sums.images as u64),
            _ => (c.disturbed, c.flipped),
        };
        PointSummary {
            voltage_mv: resolved.millivolts.map(|mv| mv.0),
            voltage_model: voltage_model_name(configuration),
            ber: resolved.nominal.get(),
            ber_applied: match (point.mode, point.map) {
                (FaultMode::None, _) => 0.0,
                (FaultMode::Map, map) => map.map_or(0.0, |map| {
                    let cells = self.image.words().len() * self.image.layout().code().n();
                    map.len() as f64 / cells.max(1) as f64
                }),
                _ => resolved.threshold.applied_rate().get(),
            },
            code: configuration.code.to_string(),
            mode: point.mode.to_string(),
            policy: point.policy.to_string(),
            images: sums.images,
            accuracy_rtl: share(sums.correct_rtl),
            accuracy_golden: share(sums.correct_golden),
            words_read: c.words_read,
            disturbed_words: disturbed,
            flipped_bits: flipped,
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

impl Campaign<'_> {
    /// Words that a map disturbs and the bits that it inverts in them, each read once an image.
    fn written_flips(&self, map: &FaultMap, images: u64) -> (u64, u64) {
        let words = self.image.words().iter().enumerate();
        let flips = words.map(|(address, word)| map.flips(WordAddress(address as u32), word.0));
        let flips = flips.filter(|&flips| flips != 0);
        let (words, bits) = flips.fold((0, 0), |(words, bits), flips| {
            (words + 1, bits + u64::from(flips.count_ones()))
        });
        (words * images, bits * images)
    }
}

impl Sums {
    pub(super) fn of(
        golden: &GoldenPass,
        workspace: &Workspace,
        run: &ImageRun,
        label: usize,
    ) -> Self {
        Self {
            images: 1,
            correct_rtl: usize::from(first_maximum(&run.logits) == Some(label)),
            correct_golden: usize::from(workspace.class() == label),
            counters: run.counters,
            truth: golden.truth(),
            logits: run.logits.len() as u64,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
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
