//! What a network is to the accelerator, and the program that runs it.
//!
//! A [`Network`] is a chain of layers with shapes; it belongs to a model and
//! knows no hardware. A [`Program`] is a network placed on a [`Configuration`]:
//! buffers assigned, tiles counted, every layer a [`descriptor`].
//!
//! [`Configuration`]: crate::config::Configuration

pub mod descriptor;
mod network;
mod placement;

pub use network::{Layer, LayerShapes, Network, Operation, ProgramError, Residual, Shape};
pub use placement::{BUFFERS, Program, Step};
