//! Which memory cells fail, and what they do to a word that is read.
//!
//! A chip is a 64-bit seed. Every cell (word address, lane) draws a number u
//! of 32 bits and is faulty iff u < t, the threshold of the supply voltage: a
//! higher voltage has a lower threshold, and its faults are a subset. The
//! hardware computes the same function, one word a cycle, in the path between
//! weight memory and decoder; a vector file that neither side computes pins
//! both (`tests/vectors/fault_function.tsv`).
//!
//! 1. The state starts as four rows: word address (XOR [`TRANSIENT_TAG`] in
//!    transient mode), pass (zero unless transient), low and high half of the seed.
//! 2. [`WARM_UP_ROUNDS`] rounds of [`cipher`].
//! 3. Bit *b* of u, *b* = 0 to 31: one more round, then lane *l* shows the XOR
//!    of its two [`taps`].
//! 4. Bit *b* of the polarity draw v, *b* = 0 to 7, likewise: a stuck cell is
//!    stuck at one iff v < share of ones.
//!
//! Comparing costs one bit per lane: start with an empty mask; for each bit of
//! u from the least significant, `mask = if t_b { mask | !u_b } else { mask & !u_b }`.
//! The mask then is u < t.
//!
//! [`profile`] draws arrays with the statistics of three measured chips, as fault maps.

mod chip;
pub mod cipher;
mod map;
mod mode;
pub mod profile;

pub use chip::ChipFaults;
pub use cipher::{
    FILTER, FilterGroup, LANES, PLANES, POLARITY_PLANES, ROTATIONS, ROUND_CONSTANTS, ROUNDS, S_BOX,
    StateBit, TRANSIENT_TAG, WARM_UP_ROUNDS, taps,
};
pub use map::{CellFault, FaultMap, FaultMapError};
pub use mode::{
    FaultMode, MODE_NONE, MODE_PERSISTENT, MODE_STUCK_AT, MODE_TRANSIENT, OnesShare, UnknownMode,
};

#[cfg(test)]
mod tests;
