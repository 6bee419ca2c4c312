//! What is in a waveform, and what to look at in it: lists for viewers.
//!
//! `contents` reads what a file holds, `groups` chooses signals by the places of the design's
//! parts, `viewers` writes them down for GTKWave and Surfer.

mod contents;
mod groups;
mod viewers;

pub use contents::{Contents, Signal};
pub use groups::{Group, MissingPart, groups};
pub use viewers::{gtkwave, surfer};

/// Nanoseconds of a clock in a waveform.
pub const CLOCK_NS: u64 = 10;
