//! The model file: safetensors with one metadata entry, `brownout`, a JSON text.
//!
//! | tensor | type | shape | layers |
//! | --- | --- | --- | --- |
//! | `layer{i}.multiplier` | I16 | outputs, in sets | all but concats |
//! | `layer{i}.bias` | I64, 48 bits used | outputs, in sets | all but concats |
//! | `layer{i}.weight` | I8, also for 4-bit weights | outputs, inputs of a group, kernel rows, kernel columns | convolutions |
//! | `layer{i}.scale` | F32 | outputs | convolutions |
//! | `layer{i}.table` | I8 | 256 | pointwise |
//!
//! An average pool has one set of multipliers and biases for each of its divisors, one after the
//! other; all others have one.
//!
//! The JSON text holds the format's version, where the model comes from (name,
//! data, accuracy, training options with the seed), weight bits, code, input
//! map and the network with its shapes and scales. The same model always gives
//! the same bytes.

mod chain;
mod header;

use super::{Accuracy, IntegerModel, LayerTensors, LayerWeights, ModelError, Origin};
use crate::files;
use crate::float::Checkpoint;
use crate::foreign::not_safetensors;
use brownout_spec::arithmetic::{ChannelParameters, TABLE_ENTRIES};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::image::MAX_NAME_BYTES;
use brownout_spec::program::{Network, Operation};
use brownout_spec::text::{is_printable, printable};
use chain::Chain;
use ndarray::Array4;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Version of the format that this program writes.
pub const FORMAT_VERSION: u32 = 2;
/// Version whose networks are chains, which is read as well.
const CHAIN_VERSION: u32 = 1;
/// Largest file that is read: the weight memory itself holds at most 8 MiB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Longest name of a network or a data set, in bytes.
const MOST_ORIGIN_BYTES: usize = 1024;
const METADATA_KEY: &str = "brownout";

/// The JSON text of the metadata entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<N> {
    version: u32,
    origin: Origin,
    weight_bits: WeightBits,
    code: CodeName,
    input: super::InputMap,
    network: N,
}

impl<N> Header<N> {
    fn with_network<M>(self, network: impl FnOnce(N) -> M) -> Header<M> {
        Header {
            version: self.version,
            origin: self.origin,
            weight_bits: self.weight_bits,
            code: self.code,
            input: self.input,
            network: network(self.network),
        }
    }
}

/// The part that must be understood before anything else is.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Why a model file cannot be read or written: one sentence naming the file.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content is not a model file.
    #[error("{}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found and what is allowed.
        problem: String,
    },
    /// The content is a model file, but not a valid model.
    #[error("{}: {source}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is not allowed.
        source: Box<ModelError>,
    },
}

impl IntegerModel {
    /// The bytes of the model file.
    ///
    /// # Errors
    /// When the model itself is not valid.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        self.validate()?;
        let text = self.header();
        let parts = self.layers.iter().enumerate();
        let parts: Vec<Part> = parts.flat_map(|(i, layer)| layer_parts(i, layer)).collect();
        let views = parts.iter().map(|part| {
            let view = TensorView::new(part.dtype, part.shape.clone(), &part.bytes);
            (&part.name, view.expect("a part has the bytes of its shape"))
        });
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), text)]);
        Ok(safetensors::serialize(views, Some(metadata)).expect("names are unique"))
    }

    /// Writes the model under a temporary name and renames it, so that no reader
    /// ever sees half a file.
    ///
    /// # Errors
    /// When the model is not valid or the file system refuses.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let bytes = self.to_bytes().map_err(|source| FileError::Model {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        files::write(path, &bytes).map_err(|source| FileError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads and validates a model file.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let io = |source| FileError::Io {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .map_err(io)?
            .take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(io)?;
        Self::from_bytes(&bytes, path)
    }

    /// Reads and validates the bytes of a model file, which messages call `path`.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong with it.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, FileError> {
        Self::parse(bytes).map_err(|problem| match problem {
            BytesError::Format(problem) => FileError::Format {
                path: path.to_owned(),
                problem,
            },
            BytesError::Model(source) => FileError::Model {
                path: path.to_owned(),
                source: Box::new(source),
            },
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, BytesError> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return refuse(format!(
                "the file is larger than the {MAX_FILE_BYTES} bytes that a model may have"
            ));
        }
        let tensors =
            SafeTensors::deserialize(bytes).or_else(|e| refuse(not_safetensors(bytes, &e)))?;
        let header = read_header(bytes)?;
        check_names(&header)?;
        check_origin(&header.origin)?;
        // Shapes first, so that the tensors' sizes are known to be reasonable.
        header.network.shapes().map_err(ModelError::from)?;
        let mut expected = 0;
        let mut layers = Vec::with_capacity(header.network.layers.len());
        for (index, layer) in header.network.layers.iter().enumerate() {
            expected += tensors_of(&layer.operation);
            layers.push(read_layer(&tensors, index, &layer.operation)?);
        }
        if tensors.len() != expected {
            return refuse(format!(
                "the file has {} tensors; its network needs {expected}",
                tensors.len()
            ));
        }
        let model = Self {
            origin: header.origin,
            weight_bits: header.weight_bits,
            code: header.code,
            input: header.input,
            network: header.network,
            layers,
        };
        model.validate()?;
        Ok(model)
    }
}

enum BytesError {
    Format(String),
    Model(ModelError),
}

impl From<ModelError> for BytesError {
    fn from(source: ModelError) -> Self {
        Self::Model(source)
    }
}

fn refuse<T>(problem: String) -> Result<T, BytesError> {
    Err(BytesError::Format(problem))
}

fn read_header(bytes: &[u8]) -> Result<Header<Network>, BytesError> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).or_else(|e| refuse(not_safetensors(bytes, &e)))?;
    let Some(text) = metadata
        .metadata()
        .as_ref()
        .and_then(|m| m.get(METADATA_KEY))
    else {
        let hint = match Checkpoint::recognizes(bytes) {
            true => "it is a checkpoint, of which `brownout export` makes an integer model",
            false => "`brownout train` and `brownout export` write them",
        };
        return refuse(format!(
            "its metadata has no entry {METADATA_KEY:?}, so it is not an integer model; {hint}"
        ));
    };
    parse_header(text)
}

/// The metadata of a text, of either version.
fn parse_header(text: &str) -> Result<Header<Network>, BytesError> {
    let version = serde_json::from_str::<Version>(text)
        .or_else(|e| refuse(unreadable(e)))?
        .version;
    match version {
        FORMAT_VERSION => serde_json::from_str(text).or_else(|e| refuse(unreadable(e))),
        CHAIN_VERSION => {
            let header: Header<Chain> =
                serde_json::from_str(text).or_else(|e| refuse(unreadable(e)))?;
            Ok(header.with_network(Network::from))
        }
        _ => refuse(format!(
            "its format version is {version}; allowed are {CHAIN_VERSION} and {FORMAT_VERSION}"
        )),
    }
}

fn unreadable(error: serde_json::Error) -> String {
    let error = printable(&error.to_string());
    format!("its metadata cannot be read: {error}")
}

/// Names are shown in messages and tables, so a foreign file must not bring
/// line breaks or escapes in them.
fn check_names(header: &Header<Network>) -> Result<(), BytesError> {
    let check = |what: String, name: &str, most: usize| match is_printable(name, most) {
        true => Ok(()),
        false => refuse(format!(
            "the name of {what} is {:?}; allowed are at most {most} bytes without line breaks and other control characters",
            printable(name)
        )),
    };
    let Origin { name, dataset, .. } = &header.origin;
    check("the network".into(), name, MOST_ORIGIN_BYTES)?;
    check("the data set".into(), dataset, MOST_ORIGIN_BYTES)?;
    for (index, layer) in header.network.layers.iter().enumerate() {
        check(format!("layer {index}"), &layer.name, MAX_NAME_BYTES)?;
    }
    Ok(())
}

/// Numbers that are only shown must still be numbers: JSON has no infinity to write them with.
fn check_origin(origin: &Origin) -> Result<(), BytesError> {
    if let Some(training) = &origin.training {
        training
            .validate()
            .or_else(|e| refuse(format!("its training options are not allowed: {e}")))?;
    }
    let Some(Accuracy { float, integer, .. }) = origin.accuracy else {
        return Ok(());
    };
    for (name, share) in [("float", float), ("integer", integer)] {
        if !(0.0..=1.0).contains(&share) {
            return refuse(format!("its {name} accuracy is {share}; allowed is 0 to 1"));
        }
    }
    Ok(())
}

/// One tensor on its way into a file.
struct Part {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// How many tensors a layer has.
fn tensors_of(operation: &Operation) -> usize {
    match operation {
        Operation::Concat => 0,
        Operation::Convolution { .. } => 4,
        Operation::Pointwise => 3,
        _ => 2,
    }
}

fn layer_parts(index: usize, layer: &LayerTensors) -> Vec<Part> {
    let part = |name, dtype, shape, bytes| Part {
        name: format!("layer{index}.{name}"),
        dtype,
        shape,
        bytes,
    };
    let mut parts = Vec::new();
    let count = vec![layer.channels.len()];
    if !layer.channels.is_empty() {
        let multipliers = layer.channels.iter();
        let multipliers = multipliers.flat_map(|c| c.multiplier.to_le_bytes());
        let multipliers = multipliers.collect();
        parts.push(part("multiplier", Dtype::I16, count.clone(), multipliers));
        let biases = layer.channels.iter().flat_map(|c| c.bias.to_le_bytes());
        parts.push(part("bias", Dtype::I64, count.clone(), biases.collect()));
    }
    if let Some(table) = &layer.table {
        let bytes = table.iter().map(|&y| y as u8).collect();
        parts.push(part("table", Dtype::I8, vec![TABLE_ENTRIES], bytes));
    }
    if let Some(LayerWeights { integers, scales }) = &layer.weights {
        let bytes = integers.iter().map(|&w| w as u8).collect();
        parts.push(part("weight", Dtype::I8, integers.shape().to_vec(), bytes));
        let bytes = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
        parts.push(part("scale", Dtype::F32, count, bytes));
    }
    parts
}

fn read_layer(
    tensors: &SafeTensors<'_>,
    index: usize,
    operation: &Operation,
) -> Result<LayerTensors, BytesError> {
    let read = |name: &str, dtype: Dtype, rank: usize| {
        let name = format!("layer{index}.{name}");
        let Ok(tensor) = tensors.tensor(&name) else {
            return refuse(format!("it has no tensor {name:?}"));
        };
        if tensor.dtype() != dtype || tensor.shape().len() != rank {
            return refuse(format!(
                "tensor {name:?} is {:?} of rank {}; allowed is {dtype:?} of rank {rank}",
                tensor.dtype(),
                tensor.shape().len()
            ));
        }
        Ok(tensor)
    };
    if *operation == Operation::Concat {
        return Ok(LayerTensors {
            channels: Vec::new(),
            weights: None,
            table: None,
        });
    }
    let multipliers = read("multiplier", Dtype::I16, 1)?;
    let biases = read("bias", Dtype::I64, 1)?;
    if multipliers.shape() != biases.shape() {
        return refuse(format!(
            "layer{index} has {} multipliers and {} biases; they must be as many",
            multipliers.shape()[0],
            biases.shape()[0]
        ));
    }
    let (multipliers, _) = multipliers.data().as_chunks::<2>();
    let (biases, _) = biases.data().as_chunks::<8>();
    let channels = multipliers
        .iter()
        .zip(biases)
        .map(|(m, b)| ChannelParameters {
            multiplier: i16::from_le_bytes(*m),
            bias: i64::from_le_bytes(*b),
        })
        .collect();
    let table = match operation {
        Operation::Pointwise => {
            let values = read("table", Dtype::I8, 1)?.data();
            let Ok(bytes) = <[u8; TABLE_ENTRIES]>::try_from(values) else {
                return refuse(format!(
                    "tensor \"layer{index}.table\" has {} values; a table has {TABLE_ENTRIES}",
                    values.len()
                ));
            };
            Some(bytes.map(u8::cast_signed))
        }
        _ => None,
    };
    if !operation.has_weights() {
        return Ok(LayerTensors {
            channels,
            weights: None,
            table,
        });
    }
    let weight = read("weight", Dtype::I8, 4)?;
    let scale = read("scale", Dtype::F32, 1)?;
    let &[o, i, h, w] = weight.shape() else {
        return refuse(format!("tensor \"layer{index}.weight\" is not of rank 4"));
    };
    let values = weight.data().iter().map(|&b| b as i8).collect();
    let integers = Array4::from_shape_vec((o, i, h, w), values)
        .or_else(|e| refuse(format!("tensor \"layer{index}.weight\": {e}")))?;
    let (scales, _) = scale.data().as_chunks::<4>();
    Ok(LayerTensors {
        channels,
        weights: Some(LayerWeights {
            integers,
            scales: scales.iter().map(|s| f32::from_le_bytes(*s)).collect(),
        }),
        table,
    })
}

#[cfg(test)]
mod tests;
