//! What attacks have done, as a table and as a document.

use super::asked::Asked;
use super::subject::Subject;
use crate::provenance;
use crate::table::{Table, percent};
use brownout_golden::attack::{Attacked, Distribution, Stop};
use brownout_golden::evaluate::Provenance;
use brownout_golden::quantize::BitWidth;
use brownout_golden::quantized::MemoryRules;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What has become of a network, in numbers that a replay gives again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Cells that differ from what was stored.
    pub n_flip: u64,
    /// Bits of weights that are read wrong.
    pub weight_bits_wrong: u64,
    pub accuracy_before: Option<f64>,
    pub accuracy_after: Option<f64>,
    /// Share of the images that should change class and do; null unless targeted.
    pub success: Option<f64>,
    pub loss_before: f32,
    pub loss_after: Option<f32>,
}

impl Figures {
    /// Of an attack, or of a replay.
    pub fn of(attacked: &Attacked) -> Self {
        Self {
            n_flip: attacked.inverted,
            weight_bits_wrong: attacked.weight_bits,
            accuracy_before: attacked.accuracy.map(|a| a.0),
            accuracy_after: attacked.accuracy.map(|a| a.1),
            success: attacked.success.map(|s| s.1),
            loss_before: attacked.log.clean_loss,
            loss_after: attacked.log.flips.last().and_then(|f| f.loss),
        }
    }
}

/// What one attack has done.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    seed: u64,
    method: String,
    #[serde(flatten)]
    pub figures: Figures,
    /// Inverted cells, with those taken back.
    flips: usize,
    iterations: usize,
    stop: Stop,
    seconds: f64,
}

impl Outcome {
    /// Of an attack with a seed that took some time.
    pub fn new(seed: u64, attacked: &Attacked, time: Duration) -> Self {
        Self {
            seed,
            method: attacked.log.method.clone(),
            figures: Figures::of(attacked),
            flips: attacked.log.flips.len(),
            iterations: attacked.iterations,
            stop: attacked.stop,
            seconds: time.as_secs_f64(),
        }
    }

    fn has_succeeded(&self) -> bool {
        matches!(self.stop, Stop::Accuracy | Stop::Success)
    }
}

/// The result of the command.
#[derive(Debug, Serialize)]
pub struct Report {
    pub(super) provenance: Provenance,
    network: String,
    pub weight_bits: BitWidth,
    pub memory: MemoryRules,
    /// What was asked for; of it, limits and labels decide an attack.
    pub settings: Asked,
    /// Accuracy at or below which an attack that is not targeted has reached its aim.
    pub stop_accuracy: f64,
    /// Attacks that reached their aim.
    pub succeeded: usize,
    /// Over all attacks, those that did not reach their aim included.
    pub n_flip: Option<Distribution>,
    pub accuracy_after: Option<Distribution>,
    pub success: Option<Distribution>,
    pub attacks: Vec<Outcome>,
}

impl Report {
    /// Of these attacks.
    pub(super) fn new(arguments: &Asked, subject: &Subject, attacks: Vec<Outcome>) -> Self {
        Self {
            network: subject.network.model.architecture.name.clone(),
            provenance: provenance::of(&arguments.checkpoint, &arguments.data),
            weight_bits: subject.network.quantization.width,
            memory: *subject.memory.rules(),
            stop_accuracy: subject.bound,
            settings: Asked {
                images: subject.test.len(),
                attack_images: subject.attack_images,
                ..arguments.clone()
            },
            succeeded: attacks.iter().filter(|a| a.has_succeeded()).count(),
            n_flip: Distribution::of(attacks.iter().map(|a| a.figures.n_flip as f64)),
            accuracy_after: Distribution::of(
                attacks.iter().filter_map(|a| a.figures.accuracy_after),
            ),
            success: Distribution::of(attacks.iter().filter_map(|a| a.figures.success)),
            attacks,
        }
    }

    /// As text.
    pub fn render(&self) -> String {
        let targeted = self.success.is_some();
        let mut headers = vec![">seed", ">N_flip", ">wrong bits", ">before", ">after"];
        headers.extend(targeted.then_some(">success"));
        headers.extend([">seconds", "ended by"]);
        let mut table = Table::new(&headers);
        for attack in &self.attacks {
            let figures = &attack.figures;
            let mut row = vec![
                attack.seed.to_string(),
                figures.n_flip.to_string(),
                figures.weight_bits_wrong.to_string(),
                share(figures.accuracy_before),
                share(figures.accuracy_after),
            ];
            row.extend(targeted.then(|| share(figures.success)));
            row.extend([format!("{:.1}", attack.seconds), attack.stop.to_string()]);
            table.row(row);
        }
        let summary = self.n_flip.map_or_else(String::new, |n| {
            format!(
                "\nN_flip {:.1} ± {:.1} ({} to {}) over {} attacks, {} of which reached their aim\n",
                n.mean,
                n.deviation,
                n.least,
                n.most,
                self.attacks.len(),
                self.succeeded
            )
        });
        format!(
            "{}\n\n{}{summary}",
            heading(&self.network, self.weight_bits, &self.memory),
            table.render(),
        )
    }
}

/// What was attacked, as a line.
pub fn heading(network: &str, weight_bits: BitWidth, memory: &MemoryRules) -> String {
    let (code, policy) = (memory.code, memory.policy);
    format!(
        "{network} with {weight_bits}-bit weights in a memory with code {code}, policy {policy}"
    )
}

/// A share in percent, or nothing.
pub fn share(share: Option<f64>) -> String {
    share.map_or_else(String::new, percent)
}
