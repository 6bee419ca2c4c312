//! From a PyTorch state dict to a network in floating point.

use super::hints::network_of;
use super::layout::{WeightForm, channel_orders, layer_names, norm_names};
use super::metadata::Metadata;
use super::names::StateDict;
use super::parameter::Done;
use crate::float::{FloatModel, check_finite, check_variance, read_up_to};
use crate::foreign::not_safetensors;
use crate::model::{FileError, InputMap};
use crate::network::{Architecture, Builtin, Epsilon, LayerParameters, Norm, Parameters};
use brownout_spec::program::Shape;
use brownout_spec::text::printable;
use ndarray::{Array1, Array4, Axis};
use safetensors::SafeTensors;
use std::path::Path;

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
    /// What its norms add to a variance; without norms it says nothing.
    pub epsilon: Epsilon,
}

/// A network that was read, and what its reader should know.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network.
    pub model: FloatModel,
    /// What was done so that its tensors are those of the network here, in sentences.
    pub remarks: Vec<String>,
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
    import(bytes, path, target).map(|imported| imported.model)
}

/// Reads the bytes of a state dict, and says what was done with its tensors.
///
/// # Errors
/// As [`read_state_dict`].
pub fn import(bytes: &[u8], path: &Path, target: &Target) -> Result<Imported, FileError> {
    parse(bytes, path, target).map_err(|problem| FileError::Format {
        path: path.to_owned(),
        problem,
    })
}

fn parse(bytes: &[u8], path: &Path, target: &Target) -> Result<Imported, String> {
    let architecture = Architecture::builtin(target.network, target.image, target.classes)
        .map_err(|e| e.to_string())?
        .with_epsilon(target.epsilon);
    target.input.check_channels(target.image.channels)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| not_safetensors(bytes, &e))?;
    if let Some(metadata) = Metadata::parse(bytes)? {
        metadata.check(target)?;
    }
    read(&tensors, &architecture, path, target).map_err(|problem| {
        // The usual width of a SimpleNet and that width are one network.
        let is_same = |network: &Builtin| {
            let other = Architecture::builtin(*network, target.image, target.classes);
            other.is_ok_and(|other| {
                let other = other.with_epsilon(target.epsilon);
                (other.network, other.styles)
                    == (architecture.network.clone(), architecture.styles.clone())
            })
        };
        let other = network_of(&tensors).filter(|network| !is_same(network));
        match other {
            Some(network) => format!("{problem}; all its names are those of network {network}"),
            None => problem,
        }
    })
}

fn read(
    tensors: &SafeTensors<'_>,
    architecture: &Architecture,
    path: &Path,
    target: &Target,
) -> Result<Imported, String> {
    let user = format!("network {} for images of {}", target.network, target.image);
    let dict = StateDict::new(tensors, architecture, user)?;
    let mut reader = Reader {
        dict,
        architecture,
        image: target.image,
        orders: channel_orders(architecture),
        done: Done::default(),
    };
    let mut layers = Vec::with_capacity(architecture.network.layers.len());
    for (index, layer) in architecture.network.layers.iter().enumerate() {
        layers.push(match layer.operation.has_weights() {
            true => Some(reader.layer(index)?),
            false => None,
        });
    }
    reader.dict.finish()?;
    let remarks = reader.remarks();
    let name = path.file_name().unwrap_or(path.as_os_str());
    let model = FloatModel {
        network: target.network.into(),
        architecture: architecture.clone(),
        image: target.image,
        input: target.input,
        origin: printable(&name.to_string_lossy())
            .chars()
            .take(200)
            .collect(),
        parameters: Parameters { layers },
    };
    Ok(Imported { model, remarks })
}

/// On the way from tensors to layers.
struct Reader<'a, 'b> {
    dict: StateDict<'b>,
    architecture: &'a Architecture,
    image: Shape,
    /// For each tensor of the network, which channel of the state dict each channel is.
    orders: Vec<Vec<usize>>,
    done: Done,
}

impl Reader<'_, '_> {
    fn layer(&mut self, index: usize) -> Result<LayerParameters, String> {
        let style = &self.architecture.styles[index];
        let outputs = self.architecture.shapes()[index].output.channels;
        let names = layer_names(&self.architecture.network.layers[index].name);
        let name = self.dict.choose(&names);
        let mut parameters = LayerParameters {
            weight: self.weight(index, &name)?,
            offset: None,
            bias: Array1::zeros(outputs),
            gain: None,
            mean: Array1::zeros(outputs),
            variance: Array1::ones(outputs),
        };
        let bias = self.vector(index, &name, "bias")?;
        if style.norm == Norm::None {
            // Without a norm behind it, a bias is more likely lost than meant not to be.
            parameters.bias = bias.ok_or_else(|| {
                let missing = self.dict.missing(&format!("{name}.bias"), &[outputs]);
                format!("{missing}; for a layer made with bias=False it must be one of zeros")
            })?;
            return Ok(parameters);
        }
        let norm = self.dict.choose(&norm_names(&name, style.norm));
        let group = matches!(style.norm, Norm::Group { .. });
        if !group {
            parameters.mean = self.needed(index, &norm, "running_mean")?;
            parameters.variance = self.needed(index, &norm, "running_var")?;
        }
        let (gain, shift) = match (
            self.vector(index, &norm, "weight")?,
            self.vector(index, &norm, "bias")?,
        ) {
            // Running moments say that there is a norm, and it has neither (`affine=False`).
            (None, None) if !group => {
                self.done.plain.push(norm.clone());
                (Array1::ones(outputs), Array1::zeros(outputs))
            }
            (Some(gain), Some(shift)) => (gain, shift),
            (None, _) => return Err(self.dict.missing(&format!("{norm}.weight"), &[outputs])),
            (Some(_), None) => {
                return Err(self.dict.missing(&format!("{norm}.bias"), &[outputs]));
            }
        };
        match (style.offset, bias) {
            (true, bias) => {
                parameters.offset = Some(bias.unwrap_or_else(|| self.no_bias(index, &name)));
            }
            // The norm takes off what stands in front of it: z + b − (μ) = z − (μ − b).
            (false, Some(bias)) => {
                parameters.mean.zip_mut_with(&bias, |mean, bias| {
                    *mean = (f64::from(*mean) - f64::from(*bias)) as f32;
                });
                let means: Vec<f32> = parameters.mean.to_vec();
                check_finite(&format!("{norm}.running_mean minus {name}.bias"), &means)?;
                self.done.folded.push(name);
            }
            (false, None) => {}
        }
        parameters.bias = shift;
        // Of group norm it is stored minus one.
        parameters.gain = Some(if group { gain - 1.0 } else { gain });
        Ok(parameters)
    }

    /// What PyTorch computes with where a layer was made with `bias=False`.
    fn no_bias(&mut self, index: usize, name: &str) -> Array1<f32> {
        self.done.unbiased.push(name.to_owned());
        Array1::zeros(self.architecture.shapes()[index].output.channels)
    }

    /// One value for each output, in the channels' order, if there is such a tensor.
    fn vector(
        &mut self,
        index: usize,
        of: &str,
        part: &str,
    ) -> Result<Option<Array1<f32>>, String> {
        let outputs = self.architecture.shapes()[index].output.channels;
        let values = (self.dict).parameter((of, part), &[&[outputs]], &mut self.done)?;
        let Some(values) = values else {
            return Ok(None);
        };
        if part == "running_var" {
            check_variance(&format!("{}{of}.{part}", self.dict.prefix), &values)?;
        }
        let order = &self.orders[index + 1];
        Ok(Some(order.iter().map(|&channel| values[channel]).collect()))
    }

    fn needed(&mut self, index: usize, of: &str, part: &str) -> Result<Array1<f32>, String> {
        let found = self.vector(index, of, part)?;
        let outputs = self.architecture.shapes()[index].output.channels;
        found.ok_or_else(|| self.dict.missing(&format!("{of}.{part}"), &[outputs]))
    }

    /// The weights of a layer, `[output][row][column][input]`, in the channels' order.
    fn weight(&mut self, index: usize, name: &str) -> Result<Array4<f32>, String> {
        let WeightForm {
            source,
            flat,
            whole,
            covers,
            ..
        } = WeightForm::of(self.architecture, self.image, index);
        let [outputs, inputs, height, width] = whole;
        let dense = [outputs, inputs * height * width];
        let allowed: &[&[usize]] = if covers { &[&dense, &whole] } else { &[&whole] };
        let found = self.dict.weight_shape(name).unwrap_or(&[]).to_vec();
        let values = (self.dict).parameter((name, "weight"), allowed, &mut self.done);
        let values = values.map_err(|e| self.with_cause(e, index, &whole, &found))?;
        let values =
            values.ok_or_else(|| self.dict.missing(&format!("{name}.weight"), allowed[0]))?;
        let weight = Array4::from_shape_vec(whole, values).map_err(|e| e.to_string())?;
        // From [output][input][row][column].
        let weight = weight
            .permuted_axes([0, 2, 3, 1])
            .select(Axis(0), &self.orders[index + 1]);
        if flat {
            let values: Vec<f32> = weight.iter().copied().collect();
            let shape = (outputs, 1, 1, inputs * height * width);
            return Array4::from_shape_vec(shape, values).map_err(|e| e.to_string());
        }
        let weight = weight.select(Axis(3), &self.orders[source]);
        Ok(weight.as_standard_layout().into_owned())
    }

    /// A sentence on a weight of another shape, with what else that shape says, where it is one
    /// that flags say.
    fn with_cause(
        &self,
        problem: String,
        index: usize,
        whole: &[usize; 4],
        found: &[usize],
    ) -> String {
        let [outputs, inputs, ..] = *whole;
        let of_one = whole[1..].iter().product::<usize>();
        let own = found.iter().skip(1).product::<usize>();
        let is_last = index + 1 == self.architecture.network.layers.len();
        let is_first = self.architecture.source(index) == 0;
        match *found {
            [classes, ..] if is_last && classes != outputs && own == of_one => {
                format!("{problem}: it has {classes} classes (--classes)")
            }
            [o, channels, r, c]
                if is_first && channels != inputs && [o, r, c] == [outputs, whole[2], whole[3]] =>
            {
                format!("{problem}: it is for images of {channels} channels (--image)")
            }
            [o, values] if is_first && values != of_one && o == outputs => {
                format!("{problem}: it is for images of {values} values (--image)")
            }
            _ => problem,
        }
    }

    /// What was done with the tensors, in sentences.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if !self.dict.prefix.is_empty() {
            remarks.push(format!(
                "{:?} in front of all its names was left away",
                printable(&self.dict.prefix)
            ));
        }
        if self.dict.beside > 0 {
            remarks.push(format!(
                "{} tensors of an optimizer or of the state of training were left away",
                self.dict.beside
            ));
        }
        remarks.extend(self.done.sentences());
        remarks
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
