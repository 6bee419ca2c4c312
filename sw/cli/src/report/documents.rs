//! The documents that commands write, as far as a page shows them.
//!
//! Figures are typed and checked; what only describes a run is kept as it is. Their writers are
//! `Record` (golden/evaluate), `Report` (attack, train) and `Summary` (simulate, sweep).

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One result.
#[derive(Debug)]
pub enum Document {
    /// Of `evaluate --out-json`.
    Evaluation(Evaluation),
    /// Of `attack --json`.
    Attack(Attack),
    /// Of `train --json`.
    Training(Training),
    /// Of `simulate --out` and `sweep --out`.
    Simulation(Simulation),
}

/// Of `evaluate`.
#[derive(Debug, Deserialize)]
pub struct Evaluation {
    pub provenance: Map<String, Value>,
    pub protocol: Map<String, Value>,
    pub clean_error: f64,
    pub points: Vec<EvaluatedPoint>,
}

/// What chips of one rate have shown.
#[derive(Debug, Deserialize)]
pub struct EvaluatedPoint {
    pub mode: String,
    pub profile: Option<String>,
    pub voltage_mv: Option<u16>,
    pub rate: Option<f64>,
    pub rate_applied: f64,
    pub sram_energy_relative: Option<f64>,
    pub error: Spread,
    pub robust_error: Spread,
    #[serde(rename = "yield")]
    pub good: Option<Yield>,
    pub counters: Counters,
}

/// A share over chips.
#[derive(Debug, Deserialize)]
pub struct Spread {
    pub mean: f64,
    pub std: f64,
    pub interval: Option<Interval>,
}

/// Where a number may lie.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Share of good chips.
#[derive(Debug, Deserialize)]
pub struct Yield {
    pub at: f64,
    pub share: f64,
    pub interval: Interval,
}

/// Sums over chips.
#[derive(Debug, Deserialize)]
pub struct Counters {
    pub reads: u64,
    pub corrected: u64,
    pub detected: u64,
    pub miscorrected: u64,
    pub undetected: u64,
}

/// Of `attack`.
#[derive(Debug, Deserialize)]
pub struct Attack {
    pub provenance: Map<String, Value>,
    pub network: String,
    pub weight_bits: Value,
    pub memory: Map<String, Value>,
    pub settings: Map<String, Value>,
    pub stop_accuracy: f64,
    pub succeeded: u64,
    pub n_flip: Option<Distribution>,
    pub accuracy_after: Option<Distribution>,
    pub success: Option<Distribution>,
    pub attacks: Vec<Outcome>,
}

/// A number over attacks.
#[derive(Debug, Deserialize)]
pub struct Distribution {
    pub mean: f64,
    pub deviation: f64,
    pub least: f64,
    pub most: f64,
}

/// What one attack has done.
#[derive(Debug, Deserialize)]
pub struct Outcome {
    pub seed: u64,
    pub n_flip: u64,
    pub weight_bits_wrong: u64,
    pub stop: String,
    pub accuracy_before: Option<f64>,
    pub accuracy_after: Option<f64>,
    pub success: Option<f64>,
    pub seconds: f64,
}

/// Of `train`.
#[derive(Debug, Deserialize)]
pub struct Training {
    pub losses: Vec<f64>,
    pub epochs: u64,
    pub accuracy_float: f64,
    pub accuracy_quantized: f64,
    pub accuracy_integer: Option<f64>,
    pub images: u64,
    pub seconds: f64,
    /// Network, data, quantizer, files, seed, commit.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Of `simulate` and `sweep`.
#[derive(Debug, Deserialize)]
pub struct Simulation {
    pub logits_compared: u64,
    pub mismatches: u64,
    pub points: Vec<SimulatedPoint>,
    pub golden_accuracy: Option<Map<String, Value>>,
    pub training: Option<Map<String, Value>>,
    pub provenance: Map<String, Value>,
}

/// What hardware has shown at one point.
#[derive(Debug, Deserialize)]
pub struct SimulatedPoint {
    pub voltage_mv: Option<u16>,
    pub ber_applied: f64,
    pub code: String,
    pub mode: String,
    pub policy: String,
    pub images: u64,
    pub accuracy_rtl: Option<f64>,
    pub accuracy_golden: Option<f64>,
    pub corrected: u64,
    pub detected: u64,
    pub miscorrected: u64,
    pub undetected: u64,
    pub cycles_per_image: u64,
    pub sram_energy_relative: Option<f64>,
    pub logits_compared: u64,
    pub mismatches: u64,
}

/// A kind of document: who writes it, fields that no other has, how it is read.
type Kind = (
    &'static str,
    &'static [&'static str],
    fn(&[u8]) -> Result<Document, String>,
);

const KINDS: [Kind; 4] = [
    ("`evaluate`", &["protocol", "clean_error", "points"], |b| {
        parse(b, Document::Evaluation)
    }),
    ("`attack`", &["attacks", "settings", "memory"], |b| {
        parse(b, Document::Attack)
    }),
    ("`train`", &["losses", "accuracy_float", "epochs"], |b| {
        parse(b, Document::Training)
    }),
    (
        "`simulate` or `sweep`",
        &["logits_compared", "mismatches", "points"],
        |b| parse(b, Document::Simulation),
    ),
];

impl Document {
    /// Reads a document of any kind.
    ///
    /// # Errors
    /// With a sentence, when it is none, or one whose numbers cannot be right.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let fields: BTreeMap<String, IgnoredAny> =
            serde_json::from_slice(bytes).map_err(|error| match error.is_data() {
                true => "it is JSON, but not an object with fields".to_owned(),
                false => format!("it is not JSON: {error}"),
            })?;
        let has_all = |names: &[&str]| names.iter().all(|name| fields.contains_key(*name));
        let kind = KINDS.iter().find(|(_, names, _)| has_all(names));
        let Some((writer, _, read)) = kind else {
            return Err("it has not the fields of any result of this program".to_owned());
        };
        let document = read(bytes)
            .map_err(|error| format!("it looks like a result of {writer}, but {error}"))?;
        document
            .check()
            .map_err(|error| format!("it looks like a result of {writer}, but {error}"))?;
        Ok(document)
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Evaluation(evaluation) => evaluation.check(),
            Self::Attack(attack) => attack.check(),
            Self::Training(training) => training.check(),
            Self::Simulation(simulation) => simulation.check(),
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], of: fn(T) -> Document) -> Result<Document, String> {
    serde_json::from_slice(bytes)
        .map(of)
        .map_err(|error| error.to_string())
}

/// Checks that a number is one that a share can have.
fn share(name: &str, share: impl Into<Option<f64>>) -> Result<(), String> {
    match share.into() {
        Some(share) if !(0.0..=1.0).contains(&share) => Err(format!(
            "{name} is {share}; allowed are numbers from 0 to 1"
        )),
        _ => Ok(()),
    }
}

/// Checks that a number can be drawn and written.
fn positive(name: &str, number: impl Into<Option<f64>>) -> Result<(), String> {
    match number.into() {
        Some(number) if !(0.0..=1e15).contains(&number) => Err(format!(
            "{name} is {number}; allowed are numbers from 0 to 1e15"
        )),
        _ => Ok(()),
    }
}

impl Evaluation {
    fn check(&self) -> Result<(), String> {
        share("clean_error", self.clean_error)?;
        for point in &self.points {
            share("rate", point.rate)?;
            share("rate_applied", point.rate_applied)?;
            positive("sram_energy_relative", point.sram_energy_relative)?;
            for spread in [&point.error, &point.robust_error] {
                share("a mean error", spread.mean)?;
                share("a standard deviation", spread.std)?;
                share("the end of an interval", spread.interval.map(|i| i.low))?;
                share("the end of an interval", spread.interval.map(|i| i.high))?;
            }
            if let Some(good) = &point.good {
                for number in [good.at, good.share, good.interval.low, good.interval.high] {
                    share("a yield", number)?;
                }
            }
        }
        Ok(())
    }
}

impl Attack {
    fn check(&self) -> Result<(), String> {
        share("stop_accuracy", self.stop_accuracy)?;
        if let Some(n) = &self.n_flip {
            for number in [n.mean, n.deviation, n.least, n.most] {
                positive("n_flip", number)?;
            }
        }
        for shares in [&self.accuracy_after, &self.success].into_iter().flatten() {
            share("a mean share", shares.mean)?;
        }
        for attack in &self.attacks {
            share("accuracy_before", attack.accuracy_before)?;
            share("accuracy_after", attack.accuracy_after)?;
            share("success", attack.success)?;
            positive("seconds", attack.seconds)?;
        }
        Ok(())
    }
}

impl Training {
    fn check(&self) -> Result<(), String> {
        share("accuracy_float", self.accuracy_float)?;
        share("accuracy_quantized", self.accuracy_quantized)?;
        share("accuracy_integer", self.accuracy_integer)?;
        positive("seconds", self.seconds)?;
        // A loss can be below zero: some methods add a negative term.
        let losses = self.losses.iter();
        losses
            .map(|loss| loss.abs())
            .try_for_each(|loss| positive("a loss", loss))
    }
}

impl Simulation {
    fn check(&self) -> Result<(), String> {
        for point in &self.points {
            share("ber_applied", point.ber_applied)?;
            share("accuracy_rtl", point.accuracy_rtl)?;
            share("accuracy_golden", point.accuracy_golden)?;
            positive("sram_energy_relative", point.sram_energy_relative)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document of `simulate`, as its own summary is written.
    const SIMULATION: &str = r#"{
        "logits_compared": 2000, "mismatches": 0,
        "points": [{
            "voltage_mv": 420, "voltage_model": "fdx-22nm", "ber": 0.001, "ber_applied": 0.001,
            "code": "none", "mode": "persistent", "policy": "keep", "images": 200,
            "accuracy_rtl": 0.5, "accuracy_golden": 0.5, "words_read": 9, "disturbed_words": 1,
            "flipped_bits": 1, "corrected": 0, "detected": 0, "miscorrected": 0, "undetected": 1,
            "residual_bit_errors": 1, "cycles_per_image": 7000, "cycles_predicted": 7000,
            "sram_energy_relative": 0.276, "seed": 1, "logits_compared": 2000, "mismatches": 0
        }],
        "provenance": {"brownout": "0.1.0", "seed": 1}
    }"#;

    fn reason(text: &str) -> String {
        Document::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_simulation_is_known_by_its_fields() {
        let document = Document::parse(SIMULATION.as_bytes()).unwrap();
        assert!(matches!(document, Document::Simulation(s) if s.points.len() == 1));
    }

    #[test]
    fn what_is_no_result_is_refused_with_a_reason() {
        for (text, part) in [
            ("", "not JSON"),
            ("{\"a\":", "not JSON"),
            ("\u{0}", "not JSON"),
            ("{\"losses\": NaN}", "not JSON"),
            ("[1]", "not an object"),
            ("3", "not an object"),
            ("{}", "fields of any result"),
            (&"[".repeat(100_000), "not"),
            (&SIMULATION.replace("0.276", "1e999"), "out of range"),
            (
                &SIMULATION.replace("0.276", "-1"),
                "sram_energy_relative is -1",
            ),
            (&SIMULATION.replace("0.5", "5.0"), "accuracy_rtl is 5"),
            (&SIMULATION.replace("420", "70000"), "`simulate` or `sweep`"),
            (
                &SIMULATION.replace("ber_applied", "ber_of"),
                "missing field",
            ),
        ] {
            let reason = reason(text);
            assert!(reason.contains(part), "{reason}");
        }
    }
}
