//! The log of an attack: every cell that was inverted, and how to do it again.

use super::batch::Batch;
use super::cells::{AttackedMemory, CellAddress, WordOutcome};
use super::victim::Victim;
use crate::csv;
use crate::quantized::{MemoryRules, StoredMemory, StoredMemoryError, StoredWeights};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use thiserror::Error;

/// The weight that an inverted cell is a bit of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlippedWeight {
    /// Which layer of the network, from 0.
    pub layer: usize,
    /// Its name.
    pub name: String,
    /// Output channel, input channel, kernel row, kernel column.
    pub place: [usize; 4],
    /// The place's index in the flattened tensor.
    pub index: usize,
    /// Bit of the two's complement integer, 0 = least significant.
    pub bit: u8,
    /// The integer in the memory before, with all cells inverted until then. With an
    /// in-place code its bit below the sign may be a check bit.
    pub before: i8,
    /// The integer in the memory after.
    pub after: i8,
}

/// One inverted cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    /// The search step that it belongs to, from 1.
    pub iteration: usize,
    /// The cell.
    pub cell: CellAddress,
    /// The weight; `None` for check bits beside the weights and for padding.
    pub weight: Option<FlippedWeight>,
    /// What the decoder makes of the word from now on.
    pub outcome: WordOutcome,
    /// The attack's loss after its iteration; `None` but for the iteration's last flip.
    pub loss: Option<f32>,
    /// Share of the evaluation's images classified right, where it was measured.
    pub accuracy: Option<f64>,
    /// Share of the images that should change class and do, where it was measured.
    pub success: Option<f64>,
}

/// Everything that an attack did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackLog {
    /// Name of the method.
    pub method: String,
    /// Name of the network.
    pub network: String,
    /// The memory that was attacked.
    pub memory: MemoryRules,
    /// What images and random choices were drawn from.
    pub seed: u64,
    /// Images that the loss was taken over.
    pub images: usize,
    /// The loss before the first flip.
    pub clean_loss: f32,
    /// Every inverted cell, in order.
    pub flips: Vec<Flip>,
}

/// Header of the CSV form.
const COLUMNS: &str = "seed,iteration,word,lane,layer,name,output,input,row,column,index,bit,before,after,outcome,loss,accuracy,success";

impl AttackLog {
    /// The flips of attacks as comma-separated values with a header; what does not apply is empty.
    pub fn to_csv(logs: &[Self]) -> String {
        let mut text = format!("{COLUMNS}\n");
        for log in logs {
            log.flips.iter().for_each(|flip| log.row(flip, &mut text));
        }
        text
    }

    fn row(&self, flip: &Flip, text: &mut String) {
        let weight = flip.weight.as_ref().map_or_else(
            || ",".repeat(9),
            |w| {
                let [o, i, y, x] = w.place;
                let (layer, name) = (w.layer, csv::cell(&w.name));
                let (index, bit, before, after) = (w.index, w.bit, w.before, w.after);
                format!("{layer},{name},{o},{i},{y},{x},{index},{bit},{before},{after}")
            },
        );
        let loss = flip.loss.map_or_else(String::new, |l| l.to_string());
        let share = |s: Option<f64>| s.map_or_else(String::new, |s| s.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{weight},{},{loss},{},{}",
            self.seed,
            flip.iteration,
            flip.cell.word.0,
            flip.cell.lane.0,
            flip.outcome,
            share(flip.accuracy),
            share(flip.success),
        );
    }

    /// Logs as one JSON document, a list, which serde reads back.
    pub fn to_json(logs: &[Self]) -> String {
        let text = serde_json::to_string_pretty(logs);
        text.expect("a log is plain data with text keys") + "\n"
    }
}

/// Why a log cannot be applied: one sentence.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ReplayError {
    /// The weights have no place in the memory.
    #[error(transparent)]
    Memory(#[from] StoredMemoryError),
    /// The log is of another memory.
    #[error(
        "the log is of a memory with code {found} cut for {rows} x {columns}; allowed is that of the memory it is applied to"
    )]
    Rules {
        /// The log's code.
        found: brownout_spec::code::CodeName,
        /// Rows of the log's array.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// There is no such cell.
    #[error("flip {number} is of lane {lane} of word {word}, which this memory does not have")]
    Cell {
        /// The flip, from 1.
        number: usize,
        /// Address of the word.
        word: u32,
        /// The lane.
        lane: u8,
    },
    /// The weights are not those that were attacked.
    #[error("flip {number} is of {expected:?}, but the memory holds {found:?} there")]
    Weight {
        /// The flip, from 1.
        number: usize,
        /// What the log says.
        expected: Option<(usize, u8, i8)>,
        /// Index, bit and integer before the flip that are there.
        found: Option<(usize, u8, i8)>,
    },
}

/// What a log does to a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// The weights that are read in the end.
    pub weights: StoredWeights,
    /// The loss before the first flip, and wherever the log has one.
    pub losses: Vec<f32>,
}

/// Inverts the cells of a log in clean weights and takes the loss where the attack did.
/// With the attack's images the losses are the log's, to the bit.
///
/// # Errors
/// When the log is not of this network in this memory.
pub fn replay(
    log: &AttackLog,
    victim: Victim<'_>,
    memory: &StoredMemory,
    stored: &StoredWeights,
    batch: &mut Batch,
) -> Result<Replayed, ReplayError> {
    if log.memory != *memory.rules() {
        return Err(ReplayError::Rules {
            found: log.memory.code,
            rows: log.memory.rows,
            columns: log.memory.columns,
        });
    }
    let mut attacked = AttackedMemory::new(victim, memory, stored.clone())?;
    let mut probe = batch.probe(victim);
    let mut losses = vec![probe.loss(attacked.values()) as f32];
    for (flip, number) in log.flips.iter().zip(1..) {
        if !attacked.has(flip.cell) {
            return Err(ReplayError::Cell {
                number,
                word: flip.cell.word.0,
                lane: flip.cell.lane.0,
            });
        }
        let there = attacked.integer_of(flip.cell);
        let found = there.map(|(weight, before)| (weight.index, weight.bit, before));
        let logged = flip.weight.as_ref();
        let expected = logged.map(|w| (w.index, w.bit, w.before));
        if found != expected {
            return Err(ReplayError::Weight {
                number,
                expected,
                found,
            });
        }
        attacked.flip(flip.cell);
        if flip.loss.is_some() {
            losses.push(probe.loss(attacked.values()) as f32);
        }
    }
    Ok(Replayed {
        weights: attacked.read().clone(),
        losses,
    })
}
