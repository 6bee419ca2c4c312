//! The way of a weight: from its memory word to the array's port.
//!
//! ```text
//! AddressCounter ─► [FaultPipeline] ─► Memory ─► disturb ─► Decoder ─► WordFifo ─► array
//!       ▲ credits: words under way never exceed the FIFO        TileLoader ─┘ pops
//! ```
//!
//! Words flow in address order, one a clock, and nothing ever stalls: the
//! counter asks for a word only when the FIFO has room for it. The fault
//! pipeline stands *in front of* the memory, so a word is read in the cycle in
//! which its mask is ready and no word waits in registers.
//!
//! Which parts exist follows from the configuration: no decoder with code
//! `none`, no [`FaultPipeline`] and no counting of flips without fault
//! emulation. [`WORD_LATENCY`] and its companions say what each part costs.

mod address;
mod cipher;
mod decoder;
mod fault;
mod fifo;
mod loader;
mod path;
mod popcount;
mod voltage;

pub use address::AddressCounter;
pub use cipher::{CipherRound, CipherStage};
pub use decoder::Decoder;
pub use fault::{FaultPipeline, Fold, STAGES};
pub use fifo::WordFifo;
pub use loader::TileLoader;
pub use path::WeightPath;
pub use popcount::PopCount;
pub use voltage::VoltageRom;

use brownout_spec::code::CodeName;
use brownout_spec::config::Configuration;

/// Clocks from a word's address to the cycle in which the array's side may pop it, without
/// decoder and fault emulation: memory read, disturbed word, FIFO.
pub const WORD_LATENCY: usize = 3;
/// Clocks that a decoder adds: syndrome, correction.
pub const DECODER_LATENCY: usize = 2;
/// Clocks that the fault pipeline adds; its last stage runs beside the memory read.
pub const FAULT_LATENCY: usize = STAGES - 1;

/// Clocks from a word's address to the first cycle in which it can be popped.
pub fn word_latency(configuration: &Configuration) -> usize {
    let decoder = match configuration.code {
        CodeName::None => 0,
        _ => DECODER_LATENCY,
    };
    let faults = if configuration.fault_emulation {
        FAULT_LATENCY
    } else {
        0
    };
    WORD_LATENCY + decoder + faults
}

/// Clocks from `start` to the first cycle in which `load_ready` is set for the second tile.
///
/// The first address goes out one clock after `start`; after [`word_latency`] clocks the words
/// are popped one a clock, and `load_ready` is set in the cycle of the last pop.
pub fn prime_latency(configuration: &Configuration) -> usize {
    word_latency(configuration) + configuration.words_per_tile()
}

/// Words that the FIFO holds: a power of two that covers a word's way there and the credit's way back.
pub fn fifo_depth(configuration: &Configuration) -> usize {
    (word_latency(configuration) + 2).next_power_of_two()
}
