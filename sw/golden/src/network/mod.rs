//! Networks in floating point, for training.
//!
//! A network is described by the specification's own [`Network`], so that
//! shapes are computed in one place; an [`Architecture`] adds what only training
//! needs to know: which layers are normalised and which are rectified.
//!
//! A batch is cut into *chunks* of a fixed number of images. A [`Chunk`] runs
//! forward and backward on its own, batch statistics included (ghost batch
//! normalisation: Hoffer, Hubara, Soudry, "Train longer, generalize better",
//! 2017). Chunks meet only where their gradients are added, in a fixed order,
//! so the result does not depend on the number of threads.
//!
//! [`Network`]: brownout_spec::program::Network

mod architecture;
mod bfloat;
mod builtin;
mod chunk;
mod epsilon;
mod evaluator;
mod layer;
mod level;
mod normalization;
mod parameters;
mod pointwise;
mod pooling;
mod reads;
mod residual;
mod tiles;
mod windows;
mod winograd;

pub use architecture::{Architecture, ArchitectureError, Builder, Norm, Style};
pub use bfloat::Precision;
pub use builtin::{Builtin, Depth, Shortcut};
pub use chunk::{Chunk, Prepared, Statistics};
pub use epsilon::Epsilon;
pub use evaluator::{Evaluator, Score, Values};
pub use parameters::{LayerGradients, LayerParameters, Parameters};
pub(crate) use windows::flattened;

#[cfg(test)]
mod gradient_tests;
