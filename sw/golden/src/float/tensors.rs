//! Parameters as named tensors of a safetensors file.

use crate::network::{Architecture, LayerParameters, Parameters};
use ndarray::{Array, Array1, Array4, Dimension};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, View};
use std::borrow::Cow;

/// One tensor on its way into a file, whose bytes are made when they are written: a whole network
/// of them would be one more in memory.
pub(crate) struct Part<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Cow<'a, [f32]>,
}

impl View for Part<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        bytes.extend(self.values.iter().flat_map(|v| v.to_le_bytes()));
        bytes.into()
    }

    fn data_len(&self) -> usize {
        size_of_val(&*self.values)
    }
}

/// The parameters of one layer.
pub(super) fn layer_parts(index: usize, layer: &LayerParameters) -> Vec<Part<'_>> {
    fn part<'a, D: Dimension>(index: usize, name: &str, array: &'a Array<f32, D>) -> Part<'a> {
        Part {
            name: format!("layer{index}.{name}"),
            shape: array.shape().to_vec(),
            values: match array.as_slice() {
                Some(values) => values.into(),
                None => array.iter().copied().collect(),
            },
        }
    }
    let vectors = [
        ("bias", Some(&layer.bias)),
        ("mean", Some(&layer.mean)),
        ("variance", Some(&layer.variance)),
        ("offset", layer.offset.as_ref()),
        ("gain", layer.gain.as_ref()),
    ];
    let weight = || part(index, "weight", &layer.weight);
    let mut parts: Vec<Part> = layer.has_weights().then(weight).into_iter().collect();
    let vectors = vectors.into_iter().filter_map(|(name, v)| Some((name, v?)));
    parts.extend(vectors.map(|(name, v)| part(index, name, v)));
    parts
}

/// Takes tensors from a file, and counts them.
pub(crate) struct Taker<'a, 'b> {
    tensors: &'a SafeTensors<'b>,
    taken: usize,
}

impl<'a, 'b> Taker<'a, 'b> {
    pub fn new(tensors: &'a SafeTensors<'b>) -> Self {
        Self { tensors, taken: 0 }
    }

    /// The finite values of the tensor `name`, which has this shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let tensor = self.tensors.tensor(name);
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
        check_finite(name, &values)?;
        if name.ends_with(".variance") {
            check_variance(name, &values)?;
        }
        self.taken += 1;
        Ok(values)
    }

    /// Refuses tensors that nothing has asked for.
    pub fn finish(&self) -> Result<(), String> {
        if self.tensors.len() == self.taken {
            return Ok(());
        }
        Err(format!(
            "the file has {} tensors; its network needs {}",
            self.tensors.len(),
            self.taken
        ))
    }
}

/// The parameters of a network.
pub(super) fn read_parameters(
    taker: &mut Taker<'_, '_>,
    architecture: &Architecture,
) -> Result<Parameters, String> {
    let mut layers = Vec::with_capacity(architecture.network.layers.len());
    for (index, layer) in architecture.network.layers.iter().enumerate() {
        if !architecture.learns(index) {
            layers.push(None);
            continue;
        }
        let (shapes, style) = (&architecture.shapes()[index], &architecture.styles[index]);
        let outputs = shapes.output.channels;
        let (shape, weight) = match layer.operation.has_weights() {
            false => ([outputs, 0, 0, 0], Vec::new()),
            true => {
                let shape = [
                    outputs,
                    shapes.window.height,
                    shapes.window.width,
                    shapes.group_channels(),
                ];
                (shape, taker.take(&format!("layer{index}.weight"), &shape)?)
            }
        };
        let mut vector = |part: &str| {
            let values = taker.take(&format!("layer{index}.{part}"), &[outputs]);
            values.map(Array1::from)
        };
        layers.push(Some(LayerParameters {
            weight: Array4::from_shape_vec(shape, weight).map_err(|e| e.to_string())?,
            bias: vector("bias")?,
            mean: vector("mean")?,
            variance: vector("variance")?,
            offset: style.offset.then(|| vector("offset")).transpose()?,
            gain: style.is_normalized().then(|| vector("gain")).transpose()?,
        }));
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
