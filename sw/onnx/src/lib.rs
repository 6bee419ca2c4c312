//! Networks as ONNX files.
//!
//! The way of a file: its messages ([`schema`]) are read and checked ([`read`]) into a
//! [`graph`]; what does not depend on the image is computed ([`fold`]); the rest is made
//! into layers ([`normalize`]) of a [`network`] of this crate's own. Quantizers keep what
//! their nodes say ([`quantization`]), and [`explain`] tells what became of each node.
//!
//! The other way, [`write`] makes a file of an integer model, and finds the model again in it.
//!
//! Weights stay the bytes of the file until somebody asks for numbers, so a file is in
//! memory once.

pub mod explain;
pub mod fold;
pub mod graph;
pub mod integers;
pub mod lower;
pub mod network;
pub mod normalize;
pub mod quantization;
pub mod read;
pub mod reference;
#[allow(missing_docs)]
pub mod schema;
pub mod tensor;
pub mod write;

mod error;

pub use error::OnnxError;

use bytes::Bytes;
use network::Network;
use std::path::Path;
use write::Restored;

/// The network of a file, with external data that lie in its folder.
///
/// # Errors
/// A file that cannot be read, or what it holds: a sentence with the file, the node or
/// tensor, what was found and what is allowed.
pub fn read_network(path: &Path) -> Result<Network, OnnxError> {
    let model = read::model_of_file(path)?;
    let graph = read::graph_of_model(model, path)?;
    normalize::normalize(&graph).map_err(|sentence| OnnxError::new(path, sentence))
}

/// What a file says: its network as [`read_network`] has it, or why it is none that is read, and the
/// integer model that it was written from. Not all that is written is also read, as tables are.
///
/// # Errors
/// A file that cannot be read: a sentence with the file.
pub fn read_written(path: &Path) -> Result<(Result<Network, OnnxError>, Restored), OnnxError> {
    let model = read::model_of_file(path)?;
    let restored = write::restore(&model);
    let network = read::graph_of_model(model, path).and_then(|graph| {
        let network = normalize::normalize(&graph);
        network.map_err(|sentence| OnnxError::new(path, sentence))
    });
    Ok((network, restored))
}

/// The network of a model in memory, which has no external data; `path` names it in
/// sentences.
///
/// # Errors
/// As [`read_network`].
pub fn network_of(bytes: impl Into<Bytes>, path: &Path) -> Result<Network, OnnxError> {
    let graph = read::graph_of(bytes.into(), path)?;
    normalize::normalize(&graph).map_err(|sentence| OnnxError::new(path, sentence))
}
