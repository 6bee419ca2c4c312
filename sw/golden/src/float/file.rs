//! The checkpoint of a network in floating point: safetensors with one metadata
//! entry, `brownout-checkpoint`, a JSON text.
//!
//! | tensor, F32 | shape | layers |
//! | --- | --- | --- |
//! | `layer{i}.weight` | outputs, kernel rows, kernel columns, inputs | convolutions, dense layers |
//! | `layer{i}.bias`, `.mean`, `.variance` | outputs | the same |
//! | `layer{i}.offset` | outputs | with a bias in front of a normalisation |
//! | `layer{i}.gain` | outputs | normalised ones |
//!
//! The JSON text holds the format's version, the network's name, images, classes,
//! the input map and where the parameters come from; of a quantized network also the
//! grids of its weights and the steps of its activations. A training run that can be
//! gone on with has a part of that text and tensors more, see [`train`](crate::train). The same
//! network always gives the same bytes.

use super::tensors::{Part, Taker, layer_parts, read_parameters};
use super::{FloatModel, Form};
use crate::files;
use crate::foreign::not_safetensors;
use crate::model::{FileError, InputMap};
use crate::network::{Architecture, ArchitectureError, Builtin, Epsilon, Parameters, Style};
use crate::quantized::{Quantization, QuantizedNetwork};
use brownout_spec::program::{Network, Shape};
use brownout_spec::text::{is_printable, printable};
use safetensors::SafeTensors;

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

/// Version of the format that this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// Largest file that is read: the widest SimpleNet has 1.4 GB.
pub const MAX_FILE_BYTES: u64 = 2 << 30;
/// Most classes, the channels of a last layer.
const MOST_CLASSES: usize = 16_384;
const MOST_ORIGIN_BYTES: usize = 1024;
const METADATA_KEY: &str = "brownout-checkpoint";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    network: String,
    /// The layers of a network that is none of those which are built here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    graph: Option<Graph>,
    image: Shape,
    classes: usize,
    input: InputMap,
    /// ε of its norms, where that is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epsilon: Option<Epsilon>,
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantization: Option<Quantization>,
    /// The state of a training run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    training: Option<serde_json::Value>,
}

/// The layers of a network; the scales in `network` say nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Graph {
    network: Network,
    styles: Vec<Style>,
}

/// The part that must be understood before anything else is.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What a checkpoint may hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The network.
    pub model: FloatModel,
    /// How it is rounded, if it has been trained or calibrated.
    pub quantization: Option<Quantization>,
}

/// What a training run keeps besides its network.
pub(crate) struct StateParts<'a> {
    /// What is no tensor.
    pub header: serde_json::Value,
    /// Tensors whose names are not those of a network's.
    pub tensors: Vec<Part<'a>>,
}

impl Checkpoint {
    /// Whether a file's bytes are a checkpoint's, sound or not, and not an integer model's.
    pub fn recognizes(bytes: &[u8]) -> bool {
        let header = SafeTensors::read_metadata(bytes);
        header.is_ok_and(|(_, header)| {
            let entries = header.metadata().as_ref();
            entries.is_some_and(|entries| entries.contains_key(METADATA_KEY))
        })
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&self.model, self.quantization.as_ref(), None)
    }

    /// The bytes of a file that may be a checkpoint.
    ///
    /// # Errors
    /// One sentence naming the file, if it cannot be read or is larger than any checkpoint.
    pub fn read_bytes(path: &Path) -> Result<Vec<u8>, FileError> {
        read_up_to(path, MAX_FILE_BYTES)
    }

    /// Reads and checks a checkpoint.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::from_bytes(&Self::read_bytes(path)?, path)
    }

    /// Reads and checks the bytes of a checkpoint, which messages call `path`.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong with it.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, FileError> {
        decode(bytes, |_, _, _| Ok(()))
            .map(|(checkpoint, _)| checkpoint)
            .map_err(|problem| FileError::Format {
                path: path.to_owned(),
                problem,
            })
    }
}

impl FloatModel {
    /// The bytes of the checkpoint.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self, None, None)
    }

    /// Writes the checkpoint under a temporary name and renames it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        write(path, &self.to_bytes())
    }

    /// Reads and checks a checkpoint; of a quantized network the weights before rounding.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Ok(Checkpoint::read(path)?.model)
    }

    /// Reads and checks the bytes of a checkpoint, which messages call `path`.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong with it.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, FileError> {
        Ok(Checkpoint::from_bytes(bytes, path)?.model)
    }
}

impl QuantizedNetwork {
    /// The bytes of the checkpoint.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&self.model, Some(&self.quantization), None)
    }

    /// Writes the checkpoint under a temporary name and renames it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        write(path, &self.to_bytes())
    }

    /// Reads and checks the checkpoint of a quantized network.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let Checkpoint {
            model,
            quantization,
        } = Checkpoint::read(path)?;
        match quantization {
            Some(quantization) => Ok(Self {
                model,
                quantization,
            }),
            None => Err(FileError::Format {
                path: path.to_owned(),
                problem: "its weights are not quantized; allowed is what `train --checkpoint` and `import --form grids` write, or `export` makes a model of it".to_owned(),
            }),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    files::write(path, bytes).map_err(|source| FileError::Io {
        path: path.to_owned(),
        source,
    })
}

/// The bytes of a network's checkpoint, or of a training run's state.
pub(crate) fn encode(
    model: &FloatModel,
    quantization: Option<&Quantization>,
    state: Option<StateParts<'_>>,
) -> Vec<u8> {
    let header = Header {
        version: FORMAT_VERSION,
        network: model.network.to_string(),
        graph: match &model.network {
            Form::Builtin(_) => None,
            Form::Graph(_) => Some(Graph {
                network: model.architecture.network.clone(),
                styles: model.architecture.styles.clone(),
            }),
        },
        image: model.image,
        classes: model.architecture.classes(),
        input: model.input,
        epsilon: match &model.network {
            Form::Builtin(_) => {
                (model.architecture.epsilon()).filter(|&epsilon| epsilon != Epsilon::DEFAULT)
            }
            // Each layer's is in its style.
            Form::Graph(_) => None,
        },
        origin: model.origin.clone(),
        quantization: quantization.cloned(),
        training: state.as_ref().map(|state| state.header.clone()),
    };
    let text = serde_json::to_string(&header).expect("a header is plain data");
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), text)]);
    let layers = model.parameters.layers.iter().enumerate();
    let mut parts: Vec<Part<'_>> = layers
        .filter_map(|(i, layer)| Some(layer_parts(i, layer.as_ref()?)))
        .flatten()
        .collect();
    parts.extend(state.into_iter().flat_map(|state| state.tensors));
    let named = parts.into_iter().map(|part| (part.name.clone(), part));
    safetensors::serialize(named, Some(metadata)).expect("names are unique")
}

/// The bytes of a file that may have at most `most`.
pub(crate) fn read_up_to(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let io = |source| FileError::Io {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > most {
        return Err(FileError::Format {
            path: path.to_owned(),
            problem: format!("the file is too large; allowed are at most {most} bytes"),
        });
    }
    Ok(bytes)
}

/// Reads a checkpoint; `state` reads what a training run has added, given its header (if there
/// is one), the network's parameters and the tensors.
pub(crate) fn decode<S>(
    bytes: &[u8],
    state: impl FnOnce(Option<serde_json::Value>, &Parameters, &mut Taker<'_, '_>) -> Result<S, String>,
) -> Result<(Checkpoint, S), String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| not_safetensors(bytes, &e))?;
    let mut header = read_header(bytes)?;
    if !(1..=MOST_CLASSES).contains(&header.classes) {
        return Err(format!(
            "it has {} classes; allowed is 1 to {MOST_CLASSES}",
            header.classes
        ));
    }
    if !is_printable(&header.origin, MOST_ORIGIN_BYTES) {
        return Err(format!(
            "the origin of its parameters is {:?}; allowed are at most {MOST_ORIGIN_BYTES} bytes without line breaks and other control characters",
            printable(&header.origin)
        ));
    }
    // The network's own check first: sides and channels are then reasonable.
    let image = header.image;
    if image
        .height
        .checked_mul(image.width)
        .and_then(|p| p.checked_mul(image.channels))
        .is_none()
    {
        return Err(format!(
            "its images are {}x{}x{}, which nothing can hold",
            image.height, image.width, image.channels
        ));
    }
    header.input.check_channels(image.channels)?;
    let (network, architecture) = form(&mut header)?;
    let mut taker = Taker::new(&tensors);
    let parameters = read_parameters(&mut taker, &architecture)?;
    let training = header.training.take();
    // The state of a run may be left where only its network is wanted.
    let plain = training.is_none();
    let state = state(training, &parameters, &mut taker)?;
    if plain {
        taker.finish()?;
    }
    let model = FloatModel {
        network,
        architecture,
        image,
        input: header.input,
        origin: header.origin,
        parameters,
    };
    if let Some(quantization) = &header.quantization {
        quantization.validate(&model)?;
    }
    let quantization = header.quantization;
    let checkpoint = Checkpoint {
        model,
        quantization,
    };
    Ok((checkpoint, state))
}

/// The network that a header describes.
fn form(header: &mut Header) -> Result<(Form, Architecture), String> {
    let unbuilt = |e: ArchitectureError| format!("its network cannot be built: {e}");
    let (image, classes) = (header.image, header.classes);
    let Some(graph) = header.graph.take() else {
        let network: Builtin = header.network.parse().map_err(|_| {
            format!(
                "its network is {:?}, which this program does not know",
                printable(&header.network)
            )
        })?;
        let architecture = Architecture::builtin(network, image, classes).map_err(unbuilt)?;
        let epsilon = header.epsilon.unwrap_or_default();
        return Ok((network.into(), architecture.with_epsilon(epsilon)));
    };
    if let Some(epsilon) = header.epsilon {
        return Err(format!(
            "its field \"epsilon\" is {epsilon} beside a graph; allowed there is the epsilon of each layer"
        ));
    }
    let name = &header.network;
    if !is_printable(name, MOST_ORIGIN_BYTES) || name.is_empty() {
        return Err(format!(
            "the name of its network is {:?}; allowed are 1 to {MOST_ORIGIN_BYTES} bytes without line breaks and other control characters",
            printable(name)
        ));
    }
    let architecture = Architecture::new(name, graph.network, graph.styles).map_err(unbuilt)?;
    let flat = architecture.network.input.pixels() == 1;
    let input = architecture.network.input;
    if input != image && !(flat && input.channels == image.volume()) {
        return Err(format!(
            "its images are {image}, and its network takes {input}; allowed are the same, or as many values"
        ));
    }
    if architecture.classes() != classes {
        return Err(format!(
            "it has {classes} classes, and its network gives {}; they must agree",
            architecture.classes()
        ));
    }
    Ok((Form::Graph(name.clone()), architecture))
}

fn read_header(bytes: &[u8]) -> Result<Header, String> {
    let unreadable = |e: serde_json::Error| {
        format!("its metadata cannot be read: {}", printable(&e.to_string()))
    };
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|e| not_safetensors(bytes, &e))?;
    let text = metadata
        .metadata()
        .as_ref()
        .and_then(|m| m.get(METADATA_KEY));
    let text = text.ok_or_else(|| {
        format!(
            "its metadata has no entry {METADATA_KEY:?}, so it is not a checkpoint; `brownout import` makes one of an ONNX file or a state dict, \
             `brownout train --checkpoint` writes one beside an integer model"
        )
    })?;
    let Version { version } = serde_json::from_str(text).map_err(unreadable)?;
    if version != FORMAT_VERSION {
        return Err(format!(
            "its format version is {version}; allowed is {FORMAT_VERSION}"
        ));
    }
    serde_json::from_str(text).map_err(unreadable)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
