//! What a network is to the accelerator, and the program that runs it.
//!
//! A [`Network`] is a graph of layers with shapes; it belongs to a model and
//! knows no hardware. A [`Program`] is a network placed on a [`Configuration`]:
//! `slices` finds concats that are free, `plan` a place for every map, `layout` puts the passes in
//! order, `placement` counts their tiles, and `describe` makes each a [`descriptor`].
//!
//! [`Configuration`]: crate::config::Configuration

mod average;
mod describe;
pub mod descriptor;
mod error;
mod fit;
mod layer;
mod layout;
mod network;
mod operation;
mod place;
mod placement;
mod plan;
mod shape;
mod slices;
mod step;
mod window;

pub use average::{Divisors, PLACES, place};
pub use error::ProgramError;
pub use fit::{equip, fit};
pub use layer::{Layer, LayerShapes};
pub use layout::Stay;
pub use network::{MAX_CHANNELS, MAX_POOL_KERNEL, MAX_STRIDE, Network};
pub use operation::{Operation, Residual};
pub use place::{BUFFERS, Place, map_words};
pub use placement::{Output, Program};
pub use shape::Shape;
pub use slices::Part;
pub use step::{Operand, Origin, Step};
pub use window::{Padding, Steps, Window};
