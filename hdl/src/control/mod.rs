//! What runs a program: descriptor fetch, tile and pixel counters, addresses.

mod delay;
mod descriptor;
mod sequencer;
mod window;

pub use delay::{Delay, StrobeDelay};
pub use descriptor::DescriptorRegisters;
pub use sequencer::Sequencer;
pub use window::{OperandAddress, WindowAddress};
