//! State dicts as another program would write them.

use super::layout::norm_names;
use super::{Target, state_dict_from};
use crate::float::FloatModel;
use crate::model::{InputMap, Normalization};
use crate::network::{Architecture, Epsilon, Norm};
use brownout_spec::program::Shape;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::Path;

/// A network of every kind.
pub(super) const NETWORKS: [&str; 6] = [
    "resnet20",
    "resnet20-b",
    "mlp",
    "cnn",
    "simplenet:4",
    "simplenet-bn:4",
];

pub(super) const PHOTO: Shape = Shape {
    height: 32,
    width: 32,
    channels: 3,
};

pub(super) fn target(network: &str) -> Target {
    Target {
        network: network.parse().unwrap(),
        image: PHOTO,
        classes: 10,
        input: InputMap::Normalize(Normalization::IMAGENET),
        epsilon: Epsilon::DEFAULT,
    }
}

pub(super) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The state dict of a network as another program would write it.
pub(super) fn state_dict(network: &str) -> Tensors {
    let architecture = Architecture::builtin(network.parse().unwrap(), PHOTO, 10).unwrap();
    let mut tensors = Tensors::new();
    let mut seed = 0_u32;
    let mut put = |name: String, shape: Vec<usize>, low: f32| {
        seed += 1;
        let count = shape.iter().product();
        let value = |i: usize| low + ((i as u32 * 7919 + seed * 131) % 1009) as f32 / 4036.0;
        tensors.insert(name, (shape, (0..count).map(value).collect()));
    };
    for (index, layer) in architecture.network.layers.iter().enumerate() {
        let (shapes, style) = (&architecture.shapes()[index], &architecture.styles[index]);
        if !layer.operation.has_weights() {
            continue;
        }
        let (o, i) = (shapes.output.channels, shapes.input.channels);
        let name = &layer.name;
        let shape = match ["linear", "logits", "hidden"].contains(&&name[..]) {
            true => vec![o, i * shapes.window.height * shapes.window.width],
            false => vec![o, i, shapes.window.height, shapes.window.width],
        };
        put(format!("{name}.weight"), shape, -0.125);
        if style.offset || style.norm == Norm::None {
            put(format!("{name}.bias"), vec![o], -0.125);
        }
        if style.is_normalized() {
            let norm = norm_names(name, style.norm).swap_remove(0);
            let mut parts = vec![("weight", 0.9), ("bias", -0.1)];
            if style.norm == Norm::Batch {
                parts.extend([("running_mean", -0.1), ("running_var", 0.5)]);
            }
            for (part, low) in parts {
                put(format!("{norm}.{part}"), vec![o], low);
            }
        }
    }
    tensors
}

pub(super) fn bytes(tensors: &Tensors, prefix: &str) -> Vec<u8> {
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| {
            let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (format!("{prefix}{name}"), shape.clone(), data)
        })
        .collect();
    let views = data.iter().map(|(name, shape, data)| {
        (
            name,
            TensorView::new(Dtype::F32, shape.clone(), data).unwrap(),
        )
    });
    safetensors::serialize(views, None).unwrap()
}

pub(super) fn import(tensors: &Tensors, network: &str) -> Result<FloatModel, String> {
    let bytes = bytes(tensors, "");
    state_dict_from(&bytes, Path::new("net.safetensors"), &target(network))
        .map_err(|e| e.to_string())
}
