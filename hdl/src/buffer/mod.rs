//! Activation buffers: three equal memories, an array port, an operand port and a writer.

mod ports;
mod rotate;
mod writer;

pub use ports::ActivationBuffers;
pub use writer::Writer;

/// Number of buffers, as programs assign them.
pub const BUFFERS: usize = brownout_spec::program::BUFFERS;
