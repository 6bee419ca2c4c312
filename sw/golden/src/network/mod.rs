//! Networks in floating point, for training.
//!
//! A network is described by the specification's own [`Network`], so that
//! shapes are computed in one place; an [`Architecture`] adds what only training
//! needs to know: which layers are normalised, and where they are clipped.
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
mod bounds;
mod builder;
mod builtin;
mod chunk;
mod depthwise;
mod epsilon;
mod evaluator;
mod function;
mod layer;
mod level;
mod limits;
mod linear;
mod moving;
mod normalization;
mod parameters;
mod pointwise;
mod pooling;
mod prepared;
mod reads;
mod residual;
mod score;
mod style;
mod ties;
mod tiles;
mod values;
mod weightless;
mod windows;
mod winograd;

pub use architecture::{Architecture, ArchitectureError};
pub use bfloat::Precision;
pub use bounds::Bounds;
pub use builder::Builder;
pub use builtin::{Builtin, Depth, Shortcut};
pub use chunk::Chunk;
pub use epsilon::Epsilon;
pub use evaluator::Evaluator;
pub use function::{Function, MAX_STEPS, Step};
pub use parameters::{LayerGradients, LayerParameters, Parameters};
pub use prepared::{Prepared, Statistics};
pub use score::{Measure, Score};
pub use style::{Norm, Style};
pub use values::Values;
pub(crate) use windows::flattened;

#[cfg(test)]
mod gradient_case;
#[cfg(test)]
mod gradient_tests;
#[cfg(test)]
mod norm_tests;
#[cfg(test)]
mod operator_tests;
#[cfg(test)]
pub(crate) mod test_graph;
