//! The log of an attack: every cell that was inverted, and how to do it again.

use super::batch::Batch;
use super::cells::{CellAddress, WordOutcome};
use super::session::{Attacked, Limits, Measurement, Session, Stop};
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
    pub fn to_csv(logs: &[&Self]) -> String {
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
}

/// Why a log cannot be applied: one sentence.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ReplayError {
    /// The weights have no place in the memory.
    #[error(transparent)]
    Memory(#[from] StoredMemoryError),
    /// The log is of another memory.
    #[error(
        "the log is of a memory {}, but this one is {}; allowed is the log's",
        rules(.logged),
        rules(.here)
    )]
    Rules {
        /// The log's memory.
        logged: MemoryRules,
        /// The one it is applied to.
        here: MemoryRules,
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
    #[error("flip {number} is logged as one of {logged}, but the memory holds {found} there")]
    Weight {
        /// The flip, from 1.
        number: usize,
        /// What the log says.
        logged: String,
        /// What is there.
        found: String,
    },
}

/// A memory in words.
fn rules(rules: &MemoryRules) -> String {
    let (code, policy) = (rules.code, rules.policy.as_str());
    let (rows, columns) = (rules.rows, rules.columns);
    let exposure = rules.exposure;
    format!(
        "with code {code} and policy {policy}, cut for {rows} x {columns}, faults in {exposure}"
    )
}

/// A flipped bit in words.
fn bit(weight: Option<&FlippedWeight>) -> String {
    let of = |w: &FlippedWeight| {
        let (bit, index, name) = (w.bit, w.index, &w.name);
        let (before, after) = (w.before, w.after);
        format!("bit {bit} of weight {index} of {name} ({before} to {after})")
    };
    weight.map_or_else(|| "no weight".to_owned(), of)
}

/// Inverts the cells of a log in clean weights, and takes loss, accuracy and success where
/// the attack did. With the attack's images, and the measurement's, the result's log is the
/// replayed one, to the bit. It ends when the log's flips are used up.
///
/// # Errors
/// When the log is not of this network in this memory.
///
/// # Panics
/// If memory, weights, batch or images are not the network's.
pub fn replay(
    log: &AttackLog,
    victim: Victim<'_>,
    (memory, stored): (&StoredMemory, &StoredWeights),
    batch: &mut Batch,
    measurement: Option<Measurement<'_>>,
) -> Result<Attacked, ReplayError> {
    // Inverted cells are read the same in either form of the words.
    let logged = MemoryRules {
        storage: memory.rules().storage,
        ..log.memory
    };
    if logged != *memory.rules() {
        return Err(ReplayError::Rules {
            logged: log.memory,
            here: *memory.rules(),
        });
    }
    let limits = Limits {
        flips: log.flips.len(),
        iterations: usize::MAX,
        accuracy: None,
    };
    let probe = batch.probe(victim);
    let mut session = Session::new(victim, (memory, stored), probe, limits, measurement)?;
    for (flip, number) in log.flips.iter().zip(1..) {
        if !session.memory.has(flip.cell) {
            return Err(ReplayError::Cell {
                number,
                word: flip.cell.word.0,
                lane: flip.cell.lane.0,
            });
        }
        session.commit(flip.iteration, &[flip.cell]);
        let found = session.last_flip().and_then(|f| f.weight.as_ref());
        if found != flip.weight.as_ref() {
            return Err(ReplayError::Weight {
                number,
                logged: bit(flip.weight.as_ref()),
                found: bit(found),
            });
        }
        if flip.loss.is_some() {
            let loss = session.probe.loss(session.memory.values());
            session.log_loss(loss);
        }
        if flip.accuracy.is_some() {
            session.measure_and_log();
        }
    }
    let iterations = log.flips.last().map_or(0, |flip| flip.iteration);
    Ok(session.finish((&log.method, log.seed), iterations, Stop::Flips))
}
