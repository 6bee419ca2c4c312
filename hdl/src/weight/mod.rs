//! The way of a weight: from its memory word to the array's port.
//!
//! ```text
//! AddressCounter ─► [FaultPipeline] ─► Memory ─► disturb ─► Decoder ─► WordFifo ─► array
//!       ▲ credits: words under way never exceed the FIFO        TileLoader ─┘ pops
//! ```
//!
//! [`BlockWalk`] says which cells of the array a word is for, and [`Spread`] keeps padding away from them.
//!
//! Words flow in address order, one a clock, and nothing ever stalls: the
//! counter asks for a word only when the FIFO has room for it. The fault
//! pipeline stands *in front of* the memory, so a word is read two cycles
//! before its mask is ready, and meets it in the register behind the memory.
//!
//! Which parts exist follows from the configuration: no decoder with code
//! `none`, no [`FaultPipeline`] and no counting of flips without fault
//! emulation. [`brownout_spec::cycles`] says what each part costs.

mod address;
mod cipher;
mod decoder;
mod fault;
mod fifo;
mod loader;
mod path;
mod popcount;
mod spread;
mod voltage;
mod walk;

pub use address::AddressCounter;
pub use cipher::CipherStage;
pub use decoder::Decoder;
pub use fault::FaultPipeline;
pub use fifo::WordFifo;
pub use loader::TileLoader;
pub use path::WeightPath;
pub use popcount::PopCount;
pub use spread::Spread;
pub use voltage::VoltageRom;
pub use walk::BlockWalk;

use brownout_spec::config::Configuration;
use brownout_spec::cycles::weight_latency;

/// Words that the FIFO holds: a power of two that covers a word's way there and the way of its
/// credit back, so that words flow one a clock.
pub fn fifo_depth(configuration: &Configuration) -> usize {
    (weight_latency(configuration) + 2).next_power_of_two()
}
