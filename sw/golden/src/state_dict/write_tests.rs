use super::super::test_dicts::{
    NETWORKS, PHOTO, Tensors, bytes, import, state_dict as dict, target,
};
use super::super::{Target, read_state_dict, state_dict_from};
use super::*;
use crate::model::{InputMap, Normalization};
use crate::network::Parameters;
use crate::quantize::BitWidth;
use crate::train::{QuantizerName, TrainingOptions};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;

/// The tensors of a file in bits, without `module.` and without what counts batches.
fn tensors(bytes: &[u8]) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let all = file.tensors().into_iter();
    all.filter(|(name, tensor)| {
        let counts = name.ends_with(".num_batches_tracked");
        assert_eq!(counts, tensor.dtype() == Dtype::I64, "{name}");
        !counts
    })
    .map(|(name, tensor)| {
        assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
        let name = name.strip_prefix("module.").unwrap_or(&name).to_owned();
        (name, (tensor.shape().to_vec(), tensor.data().to_vec()))
    })
    .collect()
}

/// The file of the tensors that these places of channels give.
fn written(model: &FloatModel, places: &[Vec<usize>]) -> Vec<u8> {
    let entries = entries(model, places);
    let views = entries.iter().map(|e| {
        let view = TensorView::new(e.dtype, e.shape.clone(), &e.bytes).unwrap();
        (&e.name, view)
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn every_kind_of_network_leaves_as_it_came_to_the_bit() {
    for network in NETWORKS {
        let came: Tensors = dict(network);
        let model = import(&came, network).unwrap();
        let left = state_dict(&model, "unrounded");
        // Names, shapes and values.
        assert_eq!(tensors(&left), tensors(&bytes(&came, "")), "{network}");
        let path = Path::new("net.safetensors");
        let target = target(network);
        let again = state_dict_from(&left, path, &target).unwrap();
        assert!(again == model, "{network}");
        assert_eq!(state_dict(&again, "unrounded"), left, "{network}");
    }
}

#[test]
fn every_batch_norm_has_a_count_of_batches_as_pytorch_writes_it() {
    for network in NETWORKS {
        let left = state_dict(&import(&dict(network), network).unwrap(), "");
        let file = SafeTensors::deserialize(&left).unwrap();
        let names = file.names().into_iter();
        let norms: Vec<_> = names
            .filter_map(|n| n.strip_suffix("running_var"))
            .collect();
        let counts = file.tensors().into_iter();
        let counts = counts.filter(|(_, tensor)| tensor.dtype() == Dtype::I64);
        assert_eq!(counts.count(), norms.len(), "{network}");
        for norm in norms {
            let count = file.tensor(&format!("{norm}num_batches_tracked")).unwrap();
            assert_eq!((count.shape(), count.data()), (&[][..], &[0; 8][..]));
        }
    }
}

#[test]
fn one_wrong_order_of_channels_is_seen() {
    let came = tensors(&bytes(&dict("resnet20"), ""));
    let model = import(&dict("resnet20"), "resnet20").unwrap();
    let orders = channel_orders(&model.architecture);
    let right: Vec<Vec<usize>> = orders.iter().map(|order| inverse(order)).collect();
    assert!(tensors(&written(&model, &right)) == came);
    // Orders where their inverses should be, and any tensor's last two channels exchanged.
    assert!(tensors(&written(&model, &orders)) != came);
    for tensor in 0..right.len() {
        let mut wrong = right.clone();
        let channels = wrong[tensor].len();
        wrong[tensor].swap(channels - 2, channels - 1);
        let same = tensors(&written(&model, &wrong)) == came;
        assert!(!same, "tensor {tensor}");
    }
}

#[test]
fn parameters_of_no_state_dict_are_kept_but_for_digits_of_a_gain_that_a_scale_cannot_hold() {
    for network in NETWORKS {
        let input = InputMap::Normalize(Normalization::CIFAR10);
        let target = Target {
            input,
            ..target(network)
        };
        let mut model = FloatModel::random(target.network, (PHOTO, 10), input, 5).unwrap();
        for layer in model.parameters.layers.iter_mut().flatten() {
            let mut value = 0.1;
            layer.bias.mapv_inplace(|_| {
                value = value * 1.7 % 0.9;
                value
            });
            let gain = layer.gain.as_mut();
            gain.into_iter()
                .for_each(|gain| *gain += &(&layer.bias / 3.0));
        }
        let read = |bytes: &[u8]| state_dict_from(bytes, Path::new("x"), &target).unwrap();
        let once = read(&state_dict(&model, ""));
        let worst = |a: &Parameters, b: &Parameters| {
            let layers = a.layers.iter().zip(&b.layers);
            layers
                .filter_map(|(a, b)| Some((a.as_ref()?, b.as_ref()?)))
                .map(|(a, b)| {
                    let mut b = b.clone();
                    let gains = a.gain.iter().flatten().zip(b.gain.iter().flatten());
                    let worst = gains.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    b.gain.clone_from(&a.gain);
                    assert!(*a == b, "{network}: only gains may differ");
                    worst
                })
                .fold(0.0, f32::max)
        };
        let lost = worst(&model.parameters, &once.parameters);
        let group = network == "simplenet:4";
        assert_eq!(lost > 0.0, group, "{network}: {lost}");
        assert!(lost <= f32::EPSILON / 2.0, "{network}: {lost}");
        let twice = read(&state_dict(&once, ""));
        assert!(twice == once, "{network}");
    }
}

#[test]
fn rounded_weights_are_the_values_of_stored_integers_and_the_rest_is_as_it_was() {
    let model = import(&dict("cnn"), "cnn").unwrap();
    let options = TrainingOptions {
        quantizer: QuantizerName::Wcat,
        weight_bits: BitWidth::FOUR,
        ..TrainingOptions::default()
    };
    let network = model.with_fitted_grids(&options).unwrap();
    let rounded = network.rounded();
    let values = network.stored().values(&network.quantization.grids);
    for ((layer, before), values) in (rounded.parameters.layers.iter())
        .zip(&model.parameters.layers)
        .zip(values)
    {
        let (Some(layer), Some(before), Some(values)) = (layer, before, values) else {
            continue;
        };
        assert_eq!(layer.weight, values);
        assert_ne!(layer.weight, before.weight);
        let mut distinct: Vec<u32> = layer.weight.iter().map(|w| w.to_bits()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert!(distinct.len() <= 16, "{} values of 4 bits", distinct.len());
        let mut rest = layer.clone();
        rest.weight.clone_from(&before.weight);
        assert!(rest == *before);
    }
}

#[test]
fn the_metadata_say_which_network_it_is_and_what_its_pixels_are() {
    let model = import(&dict("cnn"), "cnn").unwrap();
    let left = state_dict(&model, "unrounded");
    let (_, header) = SafeTensors::read_metadata(&left).unwrap();
    let entries = header.metadata().as_ref().unwrap();
    assert_eq!(entries.len(), 1, "more have no order");
    let text: serde_json::Value = serde_json::from_str(&entries[METADATA_KEY]).unwrap();
    assert_eq!(
        text,
        serde_json::json!({
            "network": "cnn",
            "image": "32x32x3",
            "classes": 10,
            "input": "imagenet",
            "epsilon": 1e-5,
            "pixels": "(pixel / 255 - mean) / deviation with means 0.4850, 0.4560, 0.4060 and deviations 0.2290, 0.2240, 0.2250 of red, green and blue",
            "weights": "unrounded",
            "origin": "net.safetensors",
        })
    );
}

#[test]
fn the_pretrained_resnet20_leaves_tensor_by_tensor_as_it_came() {
    let Some(folder) = crate::test_data::folder("cifar10-resnets") else {
        return;
    };
    let file = folder.join("resnet20-12fca82f.safetensors");
    let target = target("resnet20");
    let model = read_state_dict(&file, &target).unwrap();
    let (came, left) = (std::fs::read(file).unwrap(), state_dict(&model, ""));
    let (came, left) = (tensors(&came), tensors(&left));
    assert_eq!(came.len(), 97);
    assert!(left.keys().eq(came.keys()));
    for (name, tensor) in &came {
        assert!(left[name] == *tensor, "{name}");
    }
}
