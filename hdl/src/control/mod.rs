//! What runs a program: descriptor fetch, tile and pixel counters, addresses.

mod delay;
mod descriptor;
mod groups;
mod parameter;
mod position;
mod sequencer;
mod window;

pub use delay::{Delay, StrobeDelay};
pub use descriptor::DescriptorRegisters;
pub use groups::GroupWalk;
pub use parameter::ParameterAddress;
pub use position::TilePosition;
pub use sequencer::Sequencer;
pub use window::{OperandAddress, WindowAddress};
