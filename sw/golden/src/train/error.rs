//! Why training cannot start or go on.

use super::options::OptionsError;
use crate::quantized::StoredMemoryError;
use brownout_spec::program::Shape;
use thiserror::Error;

/// Why training cannot start or go on.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A setting is not allowed.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Images and network do not match.
    #[error(
        "the images of {data} are {found} with labels up to {largest}, but network {network} takes {expected} and gives {results} results", largest = classes.saturating_sub(1)
    )]
    Data {
        /// Name of the data set.
        data: String,
        /// Shape of its images.
        found: Shape,
        /// Its classes.
        classes: usize,
        /// Name of the network.
        network: String,
        /// Shape of the images that it takes.
        expected: Shape,
        /// Channels of its last layer.
        results: usize,
    },
    /// Labels that are tensors, which something here cannot answer.
    #[error("the labels of {data} are tensors: {problem}")]
    Targets {
        /// Name of the data set.
        data: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// Fewer images than one batch.
    #[error(
        "{data} has {images} training images; one batch needs {batch}, so allowed is a batch of at most {images}"
    )]
    TooFew {
        /// Name of the data set.
        data: String,
        /// Its images.
        images: usize,
        /// Images of a batch.
        batch: usize,
    },
    /// The loss is no longer a number.
    #[error(
        "training diverged at step {step}: the loss is not finite; a smaller learning rate than {rate} may help"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// Peak learning rate.
        rate: f32,
    },
    /// The weights have no place in the memory that disturbs them.
    #[error("the memory of disturbed weights: {0}")]
    Memory(#[from] StoredMemoryError),
    /// A state that this run cannot go on from.
    #[error("{0}")]
    State(String),
}
