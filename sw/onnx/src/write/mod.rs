//! From a model in integers to an ONNX file that computes the same in other tools.
//!
//! Every activation is the real number that its stored integer stands for, a multiple of its
//! tensor's step. A layer's integers y = (acc·m + b + r·mr·2^(s−sr)) >> s become numbers that are
//! rounded to the step of its output, so each weight's step is |m|·2^−s·(step of the output) /
//! (step of the input). Two things differ from hardware, both by at most one step of a few
//! values: sums are in single precision there, and what is just between two integers goes to the
//! even one there and up here, in layers whose constants cannot tell it (`constant`).
//!
//! The image is `input`, `[N, channels, rows, columns]` or of a network of vectors
//! `[N, values]`, in the numbers that [`InputMap::real`] makes of pixels. The result is `output`,
//! `[N, classes]`: the sums of the last layer in real numbers, before hardware cuts off what is
//! behind the point.
//!
//! `message` puts messages together, `step` chooses steps, `constant` says what is added,
//! `dialect` how a number is rounded. `writer` has what layers share; `image`, `convolution`,
//! `pool` and `moving` write their kinds of values, `layer` one layer after the other and `file`
//! all. [`metadata`] is what no node says, and [`restore()`] the way back, to the bit.
//!
//! [`InputMap::real`]: brownout_golden::model::InputMap::real

mod constant;
mod convolution;
mod dialect;
mod file;
mod image;
mod layer;
mod message;
pub mod metadata;
mod moving;
mod pool;
mod restore;
mod step;
mod writer;

pub use dialect::Dialect;
pub use file::{Written, write};
pub use restore::{Restored, restore};
