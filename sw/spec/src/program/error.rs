//! Why a network cannot run.

use super::Shape;
use super::network::{MAX_CHANNELS, MAX_SIDE};
use crate::arithmetic::OverflowError;
use crate::config::MAX_LAYERS;
use thiserror::Error;

/// Why a network cannot run: one sentence naming the layer or the field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProgramError {
    /// The number of layers is outside 1 to 255.
    #[error("the network has {0} layers; allowed are 1 to {MAX_LAYERS}")]
    LayerCount(usize),
    /// The input shape is outside its limits.
    #[error(
        "the network's input is {0}; allowed are sides of 1 to {MAX_SIDE} and 1 to {MAX_CHANNELS} channels"
    )]
    Input(Shape),
    /// A field of a layer has a value that is not allowed.
    #[error("layer {layer} ({name}): {field} is {value}; allowed is {allowed}")]
    Field {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// Which field.
        field: &'static str,
        /// The value found.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// Integer overflow is possible.
    #[error("layer {layer} ({name}): {source}")]
    Overflow {
        /// Index of the layer.
        layer: usize,
        /// Name of the layer.
        name: String,
        /// What overflows.
        source: OverflowError,
    },
    /// A memory of the configuration is too small.
    #[error("{field} is {have}, but {what} needs {need}: {short} more", short = need - have)]
    Depth {
        /// Field of the configuration.
        field: &'static str,
        /// Its value.
        have: usize,
        /// What is needed.
        need: usize,
        /// Who needs it.
        what: String,
    },
    /// Nothing is stored for the network, but every pass reads at least one code word.
    #[error(
        "the network has no convolution or dense layer, so there is nothing to keep in the weight memory; allowed are networks with at least one"
    )]
    NoWeights,
}
