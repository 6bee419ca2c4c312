//! From a PyTorch state dict to a network in floating point.

use super::layout::{BATCHES, WeightForm, channel_orders, layer_names, norm_names};
use crate::float::{FloatModel, check_finite, check_variance, read_up_to};
use crate::model::{FileError, InputMap};
use crate::network::{Architecture, Builtin, LayerParameters, Norm, Parameters};
use brownout_spec::program::Shape;
use brownout_spec::text::printable;
use ndarray::{Array1, Array4, Axis};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::Path;

const PREFIX: &str = "module.";
/// Largest file that is read.
pub const MAX_FILE_BYTES: u64 = crate::float::MAX_FILE_BYTES;

/// What a state dict is to become.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The network whose parameters they are.
    pub network: Builtin,
    /// Shape of its images.
    pub image: Shape,
    /// Number of its classes.
    pub classes: usize,
    /// What pixels mean to it.
    pub input: InputMap,
}

/// Reads a state dict.
///
/// # Errors
/// One sentence naming the file, and the tensor that is missing, unknown, of
/// another shape, or not finite.
pub fn read_state_dict(path: &Path, target: &Target) -> Result<FloatModel, FileError> {
    state_dict_from(&read_up_to(path, MAX_FILE_BYTES)?, path, target)
}

/// Reads the bytes of a state dict, which messages call `path`.
///
/// # Errors
/// As [`read_state_dict`].
pub fn state_dict_from(
    bytes: &[u8],
    path: &Path,
    target: &Target,
) -> Result<FloatModel, FileError> {
    parse(bytes, path, target).map_err(|problem| FileError::Format {
        path: path.to_owned(),
        problem,
    })
}

fn parse(bytes: &[u8], path: &Path, target: &Target) -> Result<FloatModel, String> {
    let architecture = Architecture::builtin(target.network, target.image, target.classes)
        .map_err(|e| e.to_string())?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| {
        format!(
            "this is not a safetensors file: {}",
            printable(&e.to_string())
        )
    })?;
    let mut dict = StateDict::new(&tensors, target)?;
    let orders = channel_orders(&architecture);
    let mut layers = Vec::with_capacity(architecture.network.layers.len());
    for index in 0..architecture.network.layers.len() {
        layers.push(
            match architecture.network.layers[index].operation.has_weights() {
                true => Some(layer(&mut dict, &architecture, index, target, &orders)?),
                false => None,
            },
        );
    }
    dict.finish()?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(FloatModel {
        network: target.network,
        architecture,
        image: target.image,
        input: target.input,
        origin: printable(&name.to_string_lossy())
            .chars()
            .take(200)
            .collect(),
        parameters: Parameters { layers },
    })
}

/// The tensors that have not been taken yet, by name without `module.`.
struct StateDict<'b> {
    tensors: BTreeMap<String, TensorView<'b>>,
    /// What needs them, for messages.
    user: String,
}

impl<'b> StateDict<'b> {
    fn new(file: &SafeTensors<'b>, target: &Target) -> Result<Self, String> {
        let mut tensors = BTreeMap::new();
        for (name, tensor) in file.tensors() {
            let short = name.strip_prefix(PREFIX).unwrap_or(&name).to_owned();
            if short.rsplit('.').next() == Some(BATCHES) {
                continue;
            }
            if let Some(_twice) = tensors.insert(short.clone(), tensor) {
                return Err(format!(
                    "it has tensor \"{}\" with and without {PREFIX:?}; allowed is one of them",
                    printable(&short)
                ));
            }
        }
        let user = format!("network {} for images of {}", target.network, target.image);
        Ok(Self { tensors, user })
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The first of these that there is, or the first.
    fn choose(&self, names: &[String], part: &str) -> String {
        let there = names
            .iter()
            .find(|name| self.has(&format!("{name}.{part}")));
        there.unwrap_or(&names[0]).clone()
    }

    /// The values of a tensor which has one of these shapes.
    fn take(&mut self, name: &str, shapes: &[&[usize]]) -> Result<Vec<f32>, String> {
        let Some(tensor) = self.tensors.remove(name) else {
            return Err(format!(
                "it has no tensor {name:?}, which {} needs",
                self.user
            ));
        };
        if !shapes.contains(&tensor.shape()) {
            return Err(format!(
                "tensor {name:?} has shape {:?}; {} needs {:?}",
                tensor.shape(),
                self.user,
                shapes[0]
            ));
        }
        let values = values(&tensor).ok_or_else(|| {
            format!(
                "tensor {name:?} is of type {:?}; allowed are F32, F64 and BF16",
                tensor.dtype()
            )
        })?;
        check_finite(name, &values)?;
        Ok(values)
    }

    /// Refuses what nothing has asked for.
    fn finish(self) -> Result<(), String> {
        match self.tensors.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!(
                "it has tensor \"{}\", which {} does not know{}",
                printable(name),
                self.user,
                match self.tensors.len() {
                    1 => String::new(),
                    more => format!(" ({} such tensors)", more),
                }
            )),
        }
    }
}

fn values(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = tensor.data();
    Some(match tensor.dtype() {
        Dtype::F32 => data
            .as_chunks()
            .0
            .iter()
            .map(|v| f32::from_le_bytes(*v))
            .collect(),
        Dtype::F64 => data
            .as_chunks()
            .0
            .iter()
            .map(|v| f64::from_le_bytes(*v) as f32)
            .collect(),
        Dtype::BF16 => {
            // The upper half of an f32.
            let wide = |v: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*v)) << 16);
            data.as_chunks().0.iter().map(wide).collect()
        }
        _ => return None,
    })
}

fn layer(
    dict: &mut StateDict<'_>,
    architecture: &Architecture,
    index: usize,
    target: &Target,
    orders: &[Vec<usize>],
) -> Result<LayerParameters, String> {
    let style = architecture.styles[index];
    let outputs = architecture.shapes()[index].output.channels;
    let name = dict.choose(
        &layer_names(&architecture.network.layers[index].name),
        "weight",
    );
    let order = &orders[index + 1];
    let arrange = |values: Vec<f32>| order.iter().map(|&channel| values[channel]).collect();
    let mut parameters = LayerParameters {
        weight: weight(dict, architecture, (index, &name), target, orders)?,
        offset: None,
        bias: Array1::zeros(outputs),
        gain: None,
        mean: Array1::zeros(outputs),
        variance: Array1::ones(outputs),
    };
    // Chosen first: what follows takes tensors away.
    let norm = dict.choose(&norm_names(&name, style.norm), "weight");
    let mut vector = |of: &str, part: &str| -> Result<Array1<f32>, String> {
        let name = format!("{of}.{part}");
        let values = dict.take(&name, &[&[outputs]])?;
        if part == "running_var" {
            check_variance(&name, &values)?;
        }
        Ok(arrange(values))
    };
    if style.norm == Norm::None {
        parameters.bias = vector(&name, "bias")?;
        return Ok(parameters);
    }
    if style.offset {
        parameters.offset = Some(vector(&name, "bias")?);
    }
    let gain = vector(&norm, "weight")?;
    parameters.bias = vector(&norm, "bias")?;
    parameters.gain = Some(match style.norm {
        // Stored minus one.
        Norm::Group { .. } => gain - 1.0,
        Norm::Batch | Norm::None => {
            parameters.mean = vector(&norm, "running_mean")?;
            parameters.variance = vector(&norm, "running_var")?;
            gain
        }
    });
    Ok(parameters)
}

/// The weights of a layer, `[output][row][column][input]`, in the channels' order.
fn weight(
    dict: &mut StateDict<'_>,
    architecture: &Architecture,
    (index, name): (usize, &str),
    target: &Target,
    orders: &[Vec<usize>],
) -> Result<Array4<f32>, String> {
    let WeightForm {
        source,
        flat,
        whole,
        covers,
        ..
    } = WeightForm::of(architecture, target.image, index);
    let [outputs, inputs, height, width] = whole;
    let dense = [outputs, inputs * height * width];
    let allowed: &[&[usize]] = if covers { &[&dense, &whole] } else { &[&whole] };
    let values = dict.take(&format!("{name}.weight"), allowed)?;
    let weight = Array4::from_shape_vec(whole, values).map_err(|e| e.to_string())?;
    // From [output][input][row][column].
    let weight = weight
        .permuted_axes([0, 2, 3, 1])
        .select(Axis(0), &orders[index + 1]);
    if flat {
        let values: Vec<f32> = weight.iter().copied().collect();
        let shape = (outputs, 1, 1, inputs * height * width);
        return Array4::from_shape_vec(shape, values).map_err(|e| e.to_string());
    }
    let weight = weight.select(Axis(3), &orders[source]);
    Ok(weight.as_standard_layout().into_owned())
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
