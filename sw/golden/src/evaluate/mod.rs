//! Many chips at many rates in one run: how well does a network classify when its
//! weights are read from failing memories?
//!
//! Everything goes through the memory's real words: weights are packed and encoded,
//! a chip's faults disturb the words, a decoder reads them, and the network, a
//! [`Subject`], computes with what was read. [`Plan`] says which memories, [`evaluate`]
//! measures, [`statistics`] draws conclusions over chips, and [`Record`] keeps all of it
//! for a file.
//!
//! Results follow Stutz et al. (MLSys 2021): a chip's faults at a lower rate are a subset
//! of those at a higher one, and the robust error counts an image as wrong if it is
//! wrong with disturbed weights *or* with undisturbed ones. What their protocol disturbs
//! is said by [`MemoryRules`](crate::quantized::MemoryRules): live bits without a code.
//!
//! Memory in use does not grow with chips, rates or images: one weight image, one
//! reading of it and one network at a time, with transient faults one of each a thread,
//! a few hundred bytes for each chip's result, and at most 512 MiB of activations that layers
//! without a wrong weight need not compute again.

mod plan;
pub(crate) mod reader;
mod record;
mod run;
pub mod statistics;
mod subject;

pub use plan::{Chips, Disturbance, MOST_RATE, Plan, PlanError, Point};
pub use reader::Counters;
pub use record::{Protocol, Provenance, Record, RecordedPoint};
pub use run::{ChipResult, EvaluateError, Evaluation, MANY_CLASSES, PointResult, evaluate};
pub use subject::Subject;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod prefix_tests;
#[cfg(test)]
mod refusal_tests;
