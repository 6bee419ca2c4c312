//! What all attacks share: limits, trials that are taken back, and the log.

use super::bits::{Candidate, Goal};
use super::cells::{AttackedMemory, CellAddress, tensor};
use super::log::{AttackLog, Flip, FlippedWeight};
use super::probe::Probe;
use super::victim::Victim;
use crate::data::Dataset;
use crate::model::InputTable;
use crate::network::Evaluator;
use crate::quantized::{StoredMemory, StoredMemoryError, StoredWeights};
use serde::{Deserialize, Serialize};
use std::fmt;

/// When an attack ends at the latest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Cells that it may invert, each time counted; 1 and more.
    pub flips: usize,
    /// Steps of its search.
    pub iterations: usize,
    /// Accuracy at or below which it has reached its aim.
    pub accuracy: Option<f64>,
}

/// Why an attack ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// The accuracy is at or below the bound.
    Accuracy,
    /// All images that should change class do.
    Success,
    /// The share that does is what it was two iterations ago.
    Stalled,
    /// No more cells may be inverted, or what is left is not enough for the next bit.
    Flips,
    /// The search may take no more steps.
    Iterations,
    /// No layer's best bits, however many, raise the loss.
    NoGain,
    /// No bit has a gradient.
    NoGradient,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Accuracy => "accuracy reached",
            Self::Success => "all images changed class",
            Self::Stalled => "success no longer changes",
            Self::Flips => "flips used up",
            Self::Iterations => "iterations used up",
            Self::NoGain => "no bits raise the loss",
            Self::NoGradient => "no bit has a gradient",
        })
    }
}

/// Images that an attack is judged by; it does not look at them itself.
#[derive(Clone, Copy, Debug)]
pub struct Measurement<'d> {
    /// What their pixels mean.
    pub table: &'d InputTable<f32>,
    /// Images with their labels, for the accuracy.
    pub accuracy: &'d Dataset,
    /// Images labelled with the class that the attack wants them in, for its success rate.
    pub success: Option<&'d Dataset>,
}

/// What became of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Attacked {
    /// Every inverted cell.
    pub log: AttackLog,
    /// The weights that are read in the end.
    pub weights: StoredWeights,
    /// N_flip: cells that differ from what was stored, the Hamming distance. With a flip
    /// taken back it is less than the length of the log.
    pub inverted: u64,
    /// Bits of weights that are read wrong in the end.
    pub weight_bits: u64,
    /// Why it ended.
    pub stop: Stop,
    /// Steps of the search that were taken.
    pub iterations: usize,
    /// Accuracy before and after, where it was measured.
    pub accuracy: Option<(f64, f64)>,
    /// Success rate before and after, where it was measured.
    pub success: Option<(f64, f64)>,
}

/// An attack on its way.
pub(super) struct Session<'a> {
    pub memory: AttackedMemory<'a>,
    pub probe: Probe<'a>,
    victim: Victim<'a>,
    limits: Limits,
    measurement: Option<Measurement<'a>>,
    flips: Vec<Flip>,
    clean_loss: f32,
    clean: (Option<f64>, Option<f64>),
}

impl<'a> Session<'a> {
    pub fn new(
        victim: Victim<'a>,
        (memory, stored): (&'a StoredMemory, &StoredWeights),
        mut probe: Probe<'a>,
        limits: Limits,
        measurement: Option<Measurement<'a>>,
    ) -> Result<Self, StoredMemoryError> {
        let memory = AttackedMemory::new(victim, memory, stored.clone())?;
        let clean_loss = probe.loss(memory.values()) as f32;
        let mut session = Self {
            memory,
            probe,
            victim,
            limits,
            measurement,
            flips: Vec::new(),
            clean_loss,
            clean: (None, None),
        };
        session.clean = session.measure();
        Ok(session)
    }

    /// Cells that may still be inverted.
    pub fn room(&self) -> usize {
        self.limits.flips.saturating_sub(self.flips.len())
    }

    /// Accuracy and success rate with the weights as they are read now.
    pub fn measure(&self) -> (Option<f64>, Option<f64>) {
        let Some(images) = &self.measurement else {
            return (None, None);
        };
        let evaluator = Evaluator::new(
            self.victim.architecture,
            self.victim.parameters,
            self.memory.values(),
            self.victim.activations.to_vec(),
        );
        let score = |data: &Dataset| evaluator.score(images.table, data).accuracy();
        (Some(score(images.accuracy)), images.success.map(score))
    }

    /// Whether an accuracy is what the attack is after.
    pub fn is_low(&self, accuracy: Option<f64>) -> bool {
        matches!((accuracy, self.limits.accuracy), (Some(a), Some(bound)) if a <= bound)
    }

    /// Whether nothing is inverted yet and the accuracy is what the attack is after already.
    pub fn is_met_at_the_start(&self) -> bool {
        self.flips.is_empty() && self.is_low(self.clean.0)
    }

    /// Success rate before any cell was inverted, while none is.
    pub fn success_at_the_start(&self) -> Option<f64> {
        self.clean.1.filter(|_| self.flips.is_empty())
    }

    /// Inverts cells so that the first `count` candidates that a word attack can reach read
    /// inverted, and says which; with too few of them, or too little room, nothing changes.
    ///
    /// With `fresh`, cells that are inverted already stay so.
    pub fn attempt(
        &mut self,
        number: usize,
        candidates: &[Candidate],
        count: usize,
        (goal, gradient): (Goal, &[f32]),
        fresh: bool,
    ) -> Option<Vec<CellAddress>> {
        let layer = self.memory.layers()[number];
        let (mut cells, mut reached) = (Vec::new(), 0);
        for candidate in candidates {
            if reached == count {
                break;
            }
            let bit = self.memory.bit_at(number, candidate.at, candidate.bit);
            let at = self.memory.place(number, bit.index);
            let is_set = tensor(self.memory.read(), layer)[at] >> candidate.bit & 1 != 0;
            if is_set != candidate.is_set {
                // Another wanted bit of its word has inverted it too.
                reached += 1;
                continue;
            }
            let Some(chosen) = self.memory.choose(bit, goal, gradient) else {
                continue;
            };
            if fresh && chosen.iter().any(|&c| self.memory.is_inverted(c)) {
                continue;
            }
            if cells.len() + chosen.len() > self.room() {
                break;
            }
            chosen.iter().for_each(|&cell| self.memory.flip(cell));
            cells.extend(chosen);
            reached += 1;
        }
        if reached == count {
            return Some(cells);
        }
        self.take_back(&cells);
        None
    }

    /// Inverts cells once more.
    pub fn take_back(&mut self, cells: &[CellAddress]) {
        cells.iter().for_each(|&cell| self.memory.flip(cell));
    }

    /// Inverts cells for good.
    pub fn commit(&mut self, iteration: usize, cells: &[CellAddress]) {
        assert!(cells.len() <= self.room(), "the cap on flips holds");
        for &cell in cells {
            let before = self.memory.integer_of(cell);
            self.memory.flip(cell);
            let after = self.memory.integer_of(cell).map(|(_, integer)| integer);
            let weight = before.zip(after).map(|((bit, before), after)| {
                let layer = self.memory.layers()[bit.layer];
                let (o, y, x, i) = self.memory.place(bit.layer, bit.index);
                FlippedWeight {
                    layer,
                    name: self.victim.architecture.network.layers[layer].name.clone(),
                    place: [o, i, y, x],
                    index: bit.index,
                    bit: bit.bit,
                    before,
                    after,
                }
            });
            self.flips.push(Flip {
                iteration,
                cell,
                weight,
                outcome: self.memory.outcome(cell.word),
                loss: None,
                accuracy: None,
                success: None,
            });
        }
    }

    /// The last flip so far.
    pub fn last_flip(&self) -> Option<&Flip> {
        self.flips.last()
    }

    /// Puts the loss that an iteration has led to beside its last flip.
    pub fn log_loss(&mut self, loss: f64) {
        if let Some(last) = self.flips.last_mut() {
            last.loss = Some(loss as f32);
        }
    }

    /// Measures, and puts it beside the last flip.
    pub fn measure_and_log(&mut self) -> (Option<f64>, Option<f64>) {
        let measured = self.measure();
        if let Some(last) = self.flips.last_mut() {
            (last.accuracy, last.success) = measured;
        }
        measured
    }

    /// The result.
    pub fn finish(
        mut self,
        (method, seed): (&str, u64),
        iterations: usize,
        stop: Stop,
    ) -> Attacked {
        let last = self.flips.last();
        let measured = last.is_some_and(|f| f.accuracy.is_some());
        let (accuracy, success) = match (measured, last) {
            (true, Some(flip)) => (flip.accuracy, flip.success),
            (_, None) => self.clean,
            (false, Some(_)) => self.measure_and_log(),
        };
        let weights = self.memory.read().clone();
        let mask = self
            .memory
            .memory()
            .rules()
            .exposure
            .mask(self.victim.width);
        Attacked {
            inverted: self.memory.inverted(),
            weight_bits: weights.hamming_distance(self.memory.stored(), mask),
            weights,
            stop,
            iterations,
            accuracy: self.clean.0.zip(accuracy),
            success: self.clean.1.zip(success),
            log: AttackLog {
                method: method.to_owned(),
                network: self.victim.architecture.name.clone(),
                memory: *self.memory.memory().rules(),
                seed,
                images: self.probe.images(),
                clean_loss: self.clean_loss,
                flips: self.flips,
            },
        }
    }
}
