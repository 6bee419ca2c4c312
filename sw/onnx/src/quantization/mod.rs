//! What the quantizers of the three dialects compute, number by number.
//!
//! ONNX and QONNX differ where the zero point is odd: the first rounds and then adds
//! it, the second adds it and then rounds. So they stay two kinds.

mod linear;
mod qonnx;
mod rounding;

pub use linear::Linear;
pub use qonnx::{Bipolar, IntQuant, Trunc, TruncSecond};
pub use rounding::Rounding;

/// A parameter of every channel: one for all of them, or one for each.
pub(crate) fn of_channel<T: Copy + Default>(values: &[T], channel: usize) -> T {
    let place = if values.len() == 1 { 0 } else { channel };
    values.get(place).copied().unwrap_or_default()
}
