//! Integer inference over a disturbed and decoded weight image.
//!
//! [`Memory`] reads the weights as the hardware does: every word once, faults
//! applied, decoded under a policy, counted. [`IntegerNetwork`] multiplies with
//! whatever was read. There is no floating point between pixels and logits.

mod classify;
mod kernel;
mod memory;
mod network;
#[cfg(test)]
mod reference;
mod workspace;

pub use kernel::Instructions;
pub use memory::{Memory, MemoryError, Reading, Truth};
pub use network::{IntegerNetwork, TensorError};
pub use workspace::Workspace;
