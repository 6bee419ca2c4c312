//! Integer inference over a disturbed and decoded weight image.
//!
//! [`Memory`] reads the weights as the hardware does: every word once, faults
//! applied, decoded under a policy, counted. [`IntegerNetwork`] multiplies with
//! whatever was read, with the fastest [`Instructions`] of the machine; results are
//! the same with all. A [`Prefix`] keeps what enters a layer, for networks that
//! differ only behind it. There is no floating point between pixels and logits.

mod classify;
#[cfg(test)]
pub(crate) mod graph_tests;
mod kernel;
mod memory;
mod network;
mod prefix;
#[cfg(test)]
pub(crate) mod reference;
mod tensors;
mod workspace;

pub use kernel::Instructions;
pub use memory::{Memory, MemoryError, Reading, Truth};
pub use network::IntegerNetwork;
pub use prefix::{Prefix, first_difference};
pub use tensors::TensorError;
pub use workspace::Workspace;
