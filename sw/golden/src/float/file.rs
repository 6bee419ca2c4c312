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
//! the input map and where the parameters come from. The same network always gives
//! the same bytes.

use super::FloatModel;
use crate::files;
use crate::model::{FileError, InputMap};
use crate::network::{Architecture, Builtin, LayerParameters, Parameters};
use brownout_spec::program::Shape;
use brownout_spec::text::{is_printable, printable};
use ndarray::{Array1, Array4};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
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
    image: Shape,
    classes: usize,
    input: InputMap,
    origin: String,
}

/// The part that must be understood before anything else is.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl FloatModel {
    /// The bytes of the checkpoint.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = Header {
            version: FORMAT_VERSION,
            network: self.network.to_string(),
            image: self.image,
            classes: self.architecture.classes(),
            input: self.input,
            origin: self.origin.clone(),
        };
        let text = serde_json::to_string(&header).expect("a header is plain data");
        let layers = self.parameters.layers.iter().enumerate();
        let parts: Vec<Part> = layers
            .filter_map(|(i, layer)| Some(layer_parts(i, layer.as_ref()?)))
            .flatten()
            .collect();
        let views = parts.iter().map(|part| {
            let view = TensorView::new(Dtype::F32, part.shape.clone(), &part.bytes);
            (&part.name, view.expect("a part has the bytes of its shape"))
        });
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), text)]);
        safetensors::serialize(views, Some(metadata)).expect("names are unique")
    }

    /// Writes the checkpoint under a temporary name and renames it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        files::write(path, &self.to_bytes()).map_err(|source| FileError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads and checks a checkpoint.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let bytes = read_up_to(path, MAX_FILE_BYTES)?;
        Self::from_bytes(&bytes, path)
    }

    /// Reads and checks the bytes of a checkpoint, which messages call `path`.
    ///
    /// # Errors
    /// One sentence naming the file and what is wrong with it.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, FileError> {
        parse(bytes).map_err(|problem| FileError::Format {
            path: path.to_owned(),
            problem,
        })
    }
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

/// One tensor on its way into a file.
struct Part {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn layer_parts(index: usize, layer: &LayerParameters) -> Vec<Part> {
    let part = |name: &str, shape: &[usize], values: &mut dyn Iterator<Item = &f32>| Part {
        name: format!("layer{index}.{name}"),
        shape: shape.to_vec(),
        bytes: values.flat_map(|v| v.to_le_bytes()).collect(),
    };
    let vectors = [
        ("bias", Some(&layer.bias)),
        ("mean", Some(&layer.mean)),
        ("variance", Some(&layer.variance)),
        ("offset", layer.offset.as_ref()),
        ("gain", layer.gain.as_ref()),
    ];
    let mut parts = vec![part(
        "weight",
        layer.weight.shape(),
        &mut layer.weight.iter(),
    )];
    let vectors = vectors.into_iter().filter_map(|(name, v)| Some((name, v?)));
    parts.extend(vectors.map(|(name, v)| part(name, v.shape(), &mut v.iter())));
    parts
}

fn parse(bytes: &[u8]) -> Result<FloatModel, String> {
    let readable = |e: safetensors::SafeTensorError| {
        format!(
            "this is not a safetensors file: {}",
            printable(&e.to_string())
        )
    };
    let tensors = SafeTensors::deserialize(bytes).map_err(readable)?;
    let header = read_header(bytes)?;
    let network: Builtin = header.network.parse().map_err(|_| {
        format!(
            "its network is {:?}, which this program does not know",
            printable(&header.network)
        )
    })?;
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
    if let InputMap::Normalize(moments) = header.input {
        moments.validate()?;
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
    let architecture = Architecture::builtin(network, image, header.classes)
        .map_err(|e| format!("its network cannot be built: {e}"))?;
    let parameters = read_parameters(&tensors, &architecture)?;
    Ok(FloatModel {
        network,
        architecture,
        image,
        input: header.input,
        origin: header.origin,
        parameters,
    })
}

fn read_header(bytes: &[u8]) -> Result<Header, String> {
    let unreadable = |e: serde_json::Error| {
        format!("its metadata cannot be read: {}", printable(&e.to_string()))
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| {
        format!(
            "this is not a safetensors file: {}",
            printable(&e.to_string())
        )
    })?;
    let text = metadata
        .metadata()
        .as_ref()
        .and_then(|m| m.get(METADATA_KEY));
    let text = text.ok_or_else(|| {
        format!("its metadata has no entry {METADATA_KEY:?}, so it is not a checkpoint; `brownout import` makes one of a state dict")
    })?;
    let Version { version } = serde_json::from_str(text).map_err(unreadable)?;
    if version != FORMAT_VERSION {
        return Err(format!(
            "its format version is {version}; allowed is {FORMAT_VERSION}"
        ));
    }
    serde_json::from_str(text).map_err(unreadable)
}

/// Takes tensors from a file, and counts them.
struct Taker<'a, 'b> {
    tensors: &'a SafeTensors<'b>,
    taken: usize,
}

impl Taker<'_, '_> {
    fn take(&mut self, layer: usize, part: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let name = format!("layer{layer}.{part}");
        let tensor = self.tensors.tensor(&name);
        let tensor = tensor.map_err(|_| format!("it has no tensor {name:?}"))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            return Err(format!(
                "tensor {name:?} is {:?} of shape {:?}; allowed is F32 of shape {shape:?}",
                tensor.dtype(),
                tensor.shape()
            ));
        }
        let values = tensor.data().as_chunks::<4>().0.iter();
        let values: Vec<f32> = values.map(|v| f32::from_le_bytes(*v)).collect();
        check_finite(&name, &values)?;
        if part == "variance" {
            check_variance(&name, &values)?;
        }
        self.taken += 1;
        Ok(values)
    }
}

fn read_parameters(
    tensors: &SafeTensors<'_>,
    architecture: &Architecture,
) -> Result<Parameters, String> {
    let mut taker = Taker { tensors, taken: 0 };
    let mut layers = Vec::with_capacity(architecture.network.layers.len());
    for (index, layer) in architecture.network.layers.iter().enumerate() {
        if !layer.operation.has_weights() {
            layers.push(None);
            continue;
        }
        let (shapes, style) = (&architecture.shapes()[index], architecture.styles[index]);
        let outputs = shapes.output.channels;
        let shape = [
            outputs,
            shapes.kernel_height,
            shapes.kernel_width,
            shapes.input.channels,
        ];
        let weight = taker.take(index, "weight", &shape)?;
        let mut vector = |part| taker.take(index, part, &[outputs]).map(Array1::from);
        layers.push(Some(LayerParameters {
            weight: Array4::from_shape_vec(shape, weight).map_err(|e| e.to_string())?,
            bias: vector("bias")?,
            mean: vector("mean")?,
            variance: vector("variance")?,
            offset: style.offset.then(|| vector("offset")).transpose()?,
            gain: style.is_normalized().then(|| vector("gain")).transpose()?,
        }));
    }
    if tensors.len() != taker.taken {
        return Err(format!(
            "the file has {} tensors; its network needs {}",
            tensors.len(),
            taker.taken
        ));
    }
    Ok(Parameters { layers })
}

/// Refuses the first number that is none, or infinite.
pub(crate) fn check_finite(name: &str, values: &[f32]) -> Result<(), String> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(format!(
            "value {at} of tensor {name:?} is {}; allowed are finite numbers",
            values[at]
        )),
    }
}

/// Refuses the first negative variance.
pub(crate) fn check_variance(name: &str, values: &[f32]) -> Result<(), String> {
    match values.iter().position(|&v| v < 0.0) {
        None => Ok(()),
        Some(at) => Err(format!(
            "value {at} of tensor {name:?} is {}; a variance is 0 or more",
            values[at]
        )),
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
