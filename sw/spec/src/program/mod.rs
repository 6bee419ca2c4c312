//! What a network is to the accelerator, and the program that runs it.
//!
//! A [`Network`] is a graph of layers with shapes; it belongs to a model and
//! knows no hardware. A [`Program`] is a network placed on a [`Configuration`]:
//! buffers assigned, tiles counted, every layer a [`descriptor`].
//!
//! [`Configuration`]: crate::config::Configuration

mod average;
pub mod descriptor;
mod error;
mod fit;
mod layer;
mod network;
mod operation;
mod placement;
mod shape;
mod window;

pub use average::{Divisors, PLACES, place};
pub use error::ProgramError;
pub use fit::fit;
pub use layer::{Layer, LayerShapes};
pub use network::{MAX_POOL_KERNEL, MAX_STRIDE, Network};
pub use operation::{Operation, Residual};
pub use placement::{BUFFERS, Program, Step};
pub use shape::Shape;
pub use window::{Padding, Steps, Window};
