//! From a network in floating point to a PyTorch state dict.

use super::layout::{BATCHES, WeightForm, channel_orders, layer_names, norm_names};
use super::metadata::{Header, METADATA_KEY};
use crate::float::FloatModel;
use crate::network::{LayerParameters, Norm};
use ndarray::{Array1, ArrayView4, Axis};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;

/// One tensor of a state dict.
struct Entry {
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
    bytes: Vec<u8>,
}

/// The bytes of a network's state dict: the inverse of [`state_dict_from`](super::state_dict_from).
///
/// Which weights they are (`weights`, for the metadata) is for the caller to know. The same
/// network always gives the same bytes.
pub fn state_dict(model: &FloatModel, weights: &str) -> Vec<u8> {
    let text = Header::text(model, weights);
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), text)]);
    let orders = channel_orders(&model.architecture);
    let places: Vec<Vec<usize>> = orders.iter().map(|order| inverse(order)).collect();
    let entries = entries(model, &places);
    let views = entries.iter().map(|entry| {
        let view = TensorView::new(entry.dtype, entry.shape.clone(), &entry.bytes);
        (
            &entry.name,
            view.expect("an entry has the bytes of its shape"),
        )
    });
    safetensors::serialize(views, Some(metadata)).expect("names are unique")
}

/// For each channel of a state dict, which channel here it is.
fn inverse(order: &[usize]) -> Vec<usize> {
    let mut places = vec![0; order.len()];
    for (place, &channel) in order.iter().enumerate() {
        places[channel] = place;
    }
    places
}

/// All tensors; `places` are the inverses of the channels' orders, one for each tensor.
fn entries(model: &FloatModel, places: &[Vec<usize>]) -> Vec<Entry> {
    let layers = model.parameters.layers.iter().enumerate();
    layers
        .filter_map(|(index, layer)| Some(layer_entries(model, (index, layer.as_ref()?), places)))
        .flatten()
        .collect()
}

fn layer_entries(
    model: &FloatModel,
    (index, layer): (usize, &LayerParameters),
    places: &[Vec<usize>],
) -> Vec<Entry> {
    let norm = model.architecture.styles[index].norm;
    let own = &layer_names(&model.architecture.network.layers[index].name)[0];
    let name = &norm_names(own, norm)[0];
    let vector = |of: &str, part: &str, values: &Array1<f32>| Entry {
        name: format!("{of}.{part}"),
        shape: vec![values.len()],
        dtype: Dtype::F32,
        bytes: places[index + 1]
            .iter()
            .flat_map(|&place| values[place].to_le_bytes())
            .collect(),
    };
    let mut entries = vec![weight(model, (index, own), layer, places)];
    if norm == Norm::None {
        entries.push(vector(own, "bias", &layer.bias));
        return entries;
    }
    let offset = layer.offset.as_ref();
    entries.extend(offset.map(|offset| vector(own, "bias", offset)));
    let gain = layer.gain.as_ref().map(|gain| match norm {
        // Stored minus one.
        Norm::Group { .. } => vector(name, "weight", &(gain + 1.0)),
        Norm::Batch | Norm::Affine | Norm::None => vector(name, "weight", gain),
    });
    entries.extend(gain);
    entries.push(vector(name, "bias", &layer.bias));
    if norm == Norm::Batch {
        entries.push(vector(name, "running_mean", &layer.mean));
        entries.push(vector(name, "running_var", &layer.variance));
        entries.push(Entry {
            name: format!("{name}.{BATCHES}"),
            shape: Vec::new(),
            dtype: Dtype::I64,
            bytes: 0_i64.to_le_bytes().to_vec(),
        });
    }
    entries
}

/// The weights of a layer, `[output][input][row][column]`, in the state dict's order.
fn weight(
    model: &FloatModel,
    (index, name): (usize, &str),
    layer: &LayerParameters,
    places: &[Vec<usize>],
) -> Entry {
    let form = WeightForm::of(&model.architecture, model.image, index);
    let [outputs, inputs, rows, columns] = form.whole;
    let values = layer.weight.as_slice();
    let values = values.expect("weights are in standard layout");
    let weight = ArrayView4::from_shape((outputs, rows, columns, inputs), values)
        .expect("a layer has the weights of its form")
        .select(Axis(0), &places[index + 1]);
    let weight = match form.flat {
        // An image's channels have no other order.
        true => weight,
        false => weight.select(Axis(3), &places[form.source]),
    };
    Entry {
        name: format!("{name}.weight"),
        shape: match form.dense {
            true => vec![outputs, inputs * rows * columns],
            false => form.whole.to_vec(),
        },
        dtype: Dtype::F32,
        bytes: (weight.permuted_axes([0, 3, 1, 2]).iter())
            .flat_map(|value| value.to_le_bytes())
            .collect(),
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
