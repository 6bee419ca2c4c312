//! The integer model that a file was written from.

use super::dialect::Dialect;
use super::file::model_proto;
use super::metadata::{DIALECT_KEY, LAYERS_KEY, LayerMetadata, MODEL_KEY, from_hex};
use crate::error::quoted;
use crate::schema::tensor_proto::DataType;
use crate::schema::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use brownout_golden::model::{IntegerModel, LayerTensors, LayerWeights};
use brownout_spec::arithmetic::{ChannelParameters, TABLE_ENTRIES};
use brownout_spec::program::{LayerShapes, Network};
use ndarray::{Array4, Axis};
use std::collections::BTreeMap;

/// What a file says of the integer model that it was written from.
#[derive(Clone, Debug, PartialEq)]
pub enum Restored {
    /// That model, to the bit: written again it has the nodes and constants of the file.
    Model(Box<IntegerModel>),
    /// The file has no metadata of Brownout: somebody else wrote it.
    Foreign,
    /// The file has such metadata, and what they say is not what its graph computes, for this
    /// reason: it was changed, or damaged, or a later Brownout wrote it. It is a network as
    /// anybody's is.
    Changed(String),
}

/// The integer model that [`write`](super::write()) made a file of.
///
/// Nothing is believed: the model is written again, and only if each node and each constant is
/// that of the file is it the model of the file. Shapes of values, texts for people and the
/// batch's extent may differ, as tools change them that check or show a file.
pub fn restore(file: &ModelProto) -> Restored {
    let entry = |key: &str| {
        let mut entries = file.metadata_props.iter();
        entries
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value[..])
    };
    let (Some(header), Some(graph)) = (entry(MODEL_KEY), &file.graph) else {
        return Restored::Foreign;
    };
    let needed = |key: &str| {
        let missing = || format!("its metadata have no entry {}", quoted(key));
        entry(key).ok_or_else(missing)
    };
    let restored = needed(LAYERS_KEY)
        .and_then(|layers| Ok((layers, needed(DIALECT_KEY)?.parse()?)))
        .and_then(|(layers, dialect)| checked(graph, header, layers, dialect));
    match restored {
        Ok(model) => Restored::Model(Box::new(model)),
        Err(reason) => Restored::Changed(reason),
    }
}

fn checked(
    graph: &GraphProto,
    header: &str,
    layers: &str,
    dialect: Dialect,
) -> Result<IntegerModel, String> {
    let layers: Vec<LayerMetadata> = serde_json::from_str(layers)
        .map_err(|e| format!("its metadata {} cannot be read: {e}", quoted(LAYERS_KEY)))?;
    let constants: BTreeMap<&str, &TensorProto> =
        graph.initializer.iter().map(|t| (&t.name[..], t)).collect();
    let model = IntegerModel::from_header(header, |network, shapes| {
        tensors(network, shapes, &layers, &constants)
    })?;
    let again = model_proto(&model, dialect)?.0;
    let again = again.graph.unwrap_or_default();
    same_nodes(&graph.node, &again.node)?;
    let names = |values: &[ValueInfoProto]| -> Vec<String> {
        values.iter().map(|value| value.name.clone()).collect()
    };
    for (which, file, again) in [
        ("inputs", &graph.input, &again.input),
        ("outputs", &graph.output, &again.output),
    ] {
        let (found, given) = (names(file), names(again));
        if found != given {
            return Err(format!(
                "its {which} are {}; its metadata give {}",
                quoted(&found.join(", ")),
                quoted(&given.join(", "))
            ));
        }
    }
    for constant in &again.initializer {
        let same = constants.get(&constant.name[..]) == Some(&constant);
        if !same {
            return Err(format!(
                "its constant {} is not the one that its metadata give",
                quoted(&constant.name)
            ));
        }
    }
    Ok(model)
}

fn same_nodes(file: &[NodeProto], again: &[NodeProto]) -> Result<(), String> {
    if file.len() != again.len() {
        return Err(format!(
            "it has {} nodes; its metadata give {}",
            file.len(),
            again.len()
        ));
    }
    match file.iter().zip(again).find(|(a, b)| a != b) {
        None => Ok(()),
        Some((node, _)) => Err(format!(
            "its node {} is not the one that its metadata give",
            quoted(&node.name)
        )),
    }
}

fn tensors(
    network: &Network,
    shapes: &[LayerShapes],
    layers: &[LayerMetadata],
    constants: &BTreeMap<&str, &TensorProto>,
) -> Result<Vec<LayerTensors>, String> {
    if layers.len() != network.layers.len() {
        return Err(format!(
            "its metadata have {} layers for a network of {}",
            layers.len(),
            network.layers.len()
        ));
    }
    let layers = layers.iter().zip(network.layers.iter().zip(shapes));
    let layers = layers
        .enumerate()
        .map(|(index, (metadata, (layer, shapes)))| {
            let weighted = layer.operation.has_weights();
            layer_tensors(metadata, weighted.then_some(shapes), constants)
                .map_err(|problem| format!("layer {index}: {problem}"))
        });
    layers.collect()
}

/// The tensors of a layer, with weights where shapes are given.
fn layer_tensors(
    metadata: &LayerMetadata,
    weighted: Option<&LayerShapes>,
    constants: &BTreeMap<&str, &TensorProto>,
) -> Result<LayerTensors, String> {
    let (multipliers, biases) = (&metadata.multipliers, &metadata.biases);
    if multipliers.len() != biases.len() {
        return Err(format!(
            "its metadata have {} multipliers and {} biases",
            multipliers.len(),
            biases.len()
        ));
    }
    let channels = multipliers.iter().zip(biases);
    let channels = channels.map(|(&multiplier, &bias)| ChannelParameters { multiplier, bias });
    let table = match &metadata.table {
        None => None,
        Some(text) => {
            let bytes = from_hex(text).and_then(|bytes| bytes.try_into().ok());
            let none = || format!("its table is not {TABLE_ENTRIES} bytes");
            Some(bytes.ok_or_else(none)?)
        }
    };
    Ok(LayerTensors {
        channels: channels.collect(),
        weights: match weighted {
            None => None,
            Some(shapes) => Some(weights(metadata, shapes, constants)?),
        },
        table,
    })
}

fn weights(
    metadata: &LayerMetadata,
    shapes: &LayerShapes,
    constants: &BTreeMap<&str, &TensorProto>,
) -> Result<LayerWeights, String> {
    let named = |name: &Option<String>| {
        let name = name.as_deref().unwrap_or_default();
        let constant = constants.get(name);
        constant.ok_or_else(|| format!("its constant {} is missing", quoted(name)))
    };
    let outputs = shapes.output.channels;
    let count = shapes.weights();
    let steps = floats(named(&metadata.scale)?);
    let stored = integers(named(&metadata.weight)?, &steps, count / outputs.max(1));
    if stored.len() != count || metadata.multipliers.len() != outputs {
        return Err(format!(
            "it has {} weights and {} multipliers; its network needs {count} and {outputs}",
            stored.len(),
            metadata.multipliers.len()
        ));
    }
    let window = &shapes.window;
    let dims = (
        outputs,
        shapes.group_channels(),
        window.height,
        window.width,
    );
    let shaped = Array4::from_shape_vec(dims, stored);
    let mut integers = shaped.map_err(|e| format!("its weights have no shape: {e}"))?;
    for (channel, &multiplier) in metadata.multipliers.iter().enumerate() {
        let mut of = integers.index_axis_mut(Axis(0), channel);
        if multiplier < 0 {
            of.mapv_inplace(i8::wrapping_neg);
        }
        let Some(unseen) = metadata.unseen.get(&channel).filter(|_| multiplier == 0) else {
            continue;
        };
        let unseen = from_hex(unseen).filter(|unseen| unseen.len() == of.len());
        let none = || {
            format!(
                "the unseen weights of channel {channel} are not {}",
                of.len()
            )
        };
        let unseen = unseen.ok_or_else(none)?;
        of.iter_mut()
            .zip(unseen)
            .for_each(|(w, unseen)| *w = unseen);
    }
    Ok(LayerWeights {
        integers,
        scales: metadata.scales.clone(),
    })
}

/// Single-precision numbers as the writer stores them.
fn floats(constant: &TensorProto) -> Vec<f32> {
    let (words, _) = constant.raw_data.as_chunks::<4>();
    words.iter().map(|&word| f32::from_le_bytes(word)).collect()
}

/// Weights as the writer stores them: bytes, half bytes, or multiples of each channel's step.
fn integers(constant: &TensorProto, steps: &[f32], of_channel: usize) -> Vec<i8> {
    let bytes = constant.raw_data.iter();
    match DataType::try_from(constant.data_type) {
        Ok(DataType::Int8) => bytes.map(|&byte| byte as i8).collect(),
        Ok(DataType::Int4) => {
            let mut dims = constant.dims.iter().map(|&d| usize::try_from(d).ok());
            let count = dims.try_fold(1usize, |count, d| count.checked_mul(d?));
            let halves = bytes.flat_map(|&byte| [(byte as i8) << 4 >> 4, byte as i8 >> 4]);
            halves.take(count.unwrap_or(0)).collect()
        }
        Ok(DataType::Float) => {
            let values = floats(constant).into_iter().enumerate();
            let values = values.map(|(at, value)| {
                let step = steps.get(at / of_channel.max(1)).copied().unwrap_or(1.0);
                (value / step).round_ties_even() as i8
            });
            values.collect()
        }
        _ => Vec::new(),
    }
}
