//! State dicts as they leave the programs of others: wrapped, halved, pruned, normed.

use super::layout::norm_names;
use super::test_dicts::{NETWORKS, PHOTO, Tensors, bytes as file, state_dict, target};
use super::{Imported, import};
use crate::network::{Architecture, Evaluator, Norm};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::path::Path;

/// Tensors of any type.
type Raw = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn raw(tensors: &Tensors) -> Raw {
    let all = tensors.iter();
    all.map(|(name, (shape, values))| (name.clone(), floats(shape, values)))
        .collect()
}

fn floats(shape: &[usize], values: &[f32]) -> (Dtype, Vec<usize>, Vec<u8>) {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    (Dtype::F32, shape.to_vec(), bytes)
}

fn read(raw: &Raw, network: &str) -> Result<Imported, String> {
    let views = raw.iter().map(|(name, (dtype, shape, data))| {
        let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
        (name, view)
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    read_bytes(&bytes, network)
}

fn read_bytes(bytes: &[u8], network: &str) -> Result<Imported, String> {
    import(bytes, Path::new("net.safetensors"), &target(network)).map_err(|e| e.to_string())
}

fn refused(raw: &Raw, network: &str, parts: &[&str]) {
    let message = read(raw, network).unwrap_err();
    for part in parts {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn whatever_stands_in_front_of_all_names_is_left_away() {
    for network in NETWORKS {
        let tensors = state_dict(network);
        let plain = read_bytes(&file(&tensors, ""), network).unwrap();
        assert_eq!(plain.remarks, [""; 0]);
        for prefix in [
            "module.",
            "module.module.",
            "_orig_mod.",
            "_orig_mod.module.",
            "module._orig_mod.",
            "model.",
            "net.",
            "state_dict.",
            "state_dict.model.module._orig_mod.",
            "backbone.body.",
        ] {
            let read = read_bytes(&file(&tensors, prefix), network).unwrap();
            assert_eq!(read.model, plain.model, "{network} behind {prefix}");
        }
    }
    // A compiled part of a network, which wraps in the middle.
    let mut inside = state_dict("resnet20");
    for (name, tensor) in state_dict("resnet20") {
        if let Some(rest) = name.strip_prefix("layer1.") {
            inside.insert(format!("layer1._orig_mod.{rest}"), tensor);
            inside.remove(&name);
        }
    }
    let plain = read(&raw(&state_dict("resnet20")), "resnet20")
        .unwrap()
        .model;
    assert_eq!(read(&raw(&inside), "resnet20").unwrap().model, plain);
}

#[test]
fn a_network_that_is_there_twice_is_refused_and_both_places_are_named() {
    let plain = raw(&state_dict("cnn"));
    let mut twice = Raw::new();
    for (name, tensor) in &plain {
        twice.insert(format!("model.{name}"), tensor.clone());
        twice.insert(format!("ema.module.{name}"), tensor.clone());
    }
    refused(
        &twice,
        "cnn",
        &["\"model.\"", "\"ema.\"", "2 times", "once"],
    );
    let mut tensor = plain.clone();
    tensor.insert("module.conv1.weight".into(), plain["conv1.weight"].clone());
    let parts = [
        "\"conv1.weight\"",
        "\"module.conv1.weight\"",
        "allowed is one",
    ];
    refused(&tensor, "cnn", &parts);
    // Part of a copy is no second network, but what nobody knows.
    let mut part = plain.clone();
    part.insert("ema.conv1.weight".into(), plain["conv1.weight"].clone());
    refused(&part, "cnn", &["\"ema.conv1.weight\"", "does not know"]);
}

#[test]
fn tensors_of_an_optimizer_are_left_and_others_beside_the_network_refused() {
    let plain = raw(&state_dict("cnn"));
    let expected = read(&plain, "cnn").unwrap().model;
    let mut training = Raw::new();
    for (name, tensor) in &plain {
        training.insert(format!("model.{name}"), tensor.clone());
        training.insert(format!("optimizer.state.{name}.exp_avg"), tensor.clone());
    }
    training.insert("epoch".into(), (Dtype::I64, vec![], vec![7; 8]));
    let found = read(&training, "cnn").unwrap();
    assert_eq!(found.model, expected);
    let said = found.remarks.join("\n");
    assert!(said.contains("15 tensors of an optimizer"), "{said}");
    assert!(said.contains("\"model.\" in front"), "{said}");
    training.insert("normalize.mean".into(), floats(&[3], &[0.5; 3]));
    let parts = ["\"normalize.mean\"", "beside the network behind \"model.\""];
    refused(&training, "cnn", &parts);
}

#[test]
fn floats_of_every_type_are_read_as_the_numbers_that_they_are() {
    // Numbers that all types hold.
    let mut tensors = state_dict("resnet20-b");
    for (_, values) in tensors.values_mut() {
        values
            .iter_mut()
            .for_each(|v| *v = (*v * 64.0).round() / 64.0);
    }
    let expected = read(&raw(&tensors), "resnet20-b").unwrap().model;
    type Encode = fn(f32) -> Vec<u8>;
    let types: [(Dtype, Encode); 3] = [
        (Dtype::F64, |v| f64::from(v).to_le_bytes().to_vec()),
        (Dtype::BF16, |v| {
            ((v.to_bits() >> 16) as u16).to_le_bytes().to_vec()
        }),
        (Dtype::F16, |v| {
            let bits = v.to_bits();
            let exponent = ((bits >> 23 & 0xff) as i32 - 127 + 15) as u32;
            let rest = if v == 0.0 {
                0
            } else {
                exponent << 10 | bits >> 13 & 0x3ff
            };
            ((bits >> 16 & 0x8000 | rest) as u16).to_le_bytes().to_vec()
        }),
    ];
    for (dtype, encode) in types {
        let all = tensors.iter();
        let raw = all.map(|(name, (shape, values))| {
            let bytes = values.iter().flat_map(|v| encode(*v)).collect();
            (name.clone(), (dtype, shape.clone(), bytes))
        });
        let found = read(&raw.collect(), "resnet20-b").unwrap().model;
        assert!(found == expected, "{dtype:?}");
    }
    let mut integers = raw(&tensors);
    integers.insert("bn1.weight".into(), (Dtype::I8, vec![16], vec![1; 16]));
    let parts = ["\"bn1.weight\"", "I8", "F16", "quantized"];
    refused(&integers, "resnet20-b", &parts);
    let large = 1e300_f64.to_le_bytes().repeat(16);
    integers.insert("bn1.weight".into(), (Dtype::F64, vec![16], large));
    refused(&integers, "resnet20-b", &["value 0", "1e300", "F32"]);
}

#[test]
fn counts_of_batches_may_be_of_any_type_and_vectors_may_have_dimensions_of_one() {
    let mut tensors = raw(&state_dict("resnet20"));
    let expected = read(&tensors, "resnet20").unwrap().model;
    for (name, dtype, shape, size) in [
        ("bn1", Dtype::I64, vec![], 8),
        ("layer1.0.bn1", Dtype::I32, vec![1], 4),
        ("layer1.0.bn2", Dtype::F16, vec![1], 2),
    ] {
        let count = (dtype, shape, vec![1; size]);
        tensors.insert(format!("{name}.num_batches_tracked"), count);
    }
    tensors.get_mut("bn1.weight").unwrap().1 = vec![1, 16, 1, 1];
    tensors.get_mut("bn1.running_mean").unwrap().1 = vec![16, 1];
    assert_eq!(read(&tensors, "resnet20").unwrap().model, expected);
    tensors.get_mut("bn1.bias").unwrap().1 = vec![4, 4];
    refused(&tensors, "resnet20", &["\"bn1.bias\"", "[4, 4]", "[16]"]);
}

#[test]
fn a_norm_without_gain_and_shift_has_ones_and_zeros_and_half_of_them_is_refused() {
    let mut tensors = state_dict("cnn");
    tensors.insert("bn2.weight".into(), (vec![16], vec![1.0; 16]));
    tensors.insert("bn2.bias".into(), (vec![16], vec![0.0; 16]));
    let expected = read(&raw(&tensors), "cnn").unwrap().model;
    tensors.remove("bn2.weight");
    refused(&raw(&tensors), "cnn", &["no tensor \"bn2.weight\""]);
    tensors.remove("bn2.bias");
    let found = read(&raw(&tensors), "cnn").unwrap();
    assert_eq!(found.model, expected);
    assert!(found.remarks[0].starts_with("bn2 has neither gain nor shift"));
    // Nothing says that there is a group norm at all, or what batch norm has seen.
    let mut group = raw(&state_dict("simplenet:4"));
    group.retain(|name, _| !name.starts_with("gn1."));
    refused(&group, "simplenet:4", &["no tensor \"gn1.weight\""]);
    tensors.remove("bn2.running_mean");
    refused(&raw(&tensors), "cnn", &["no tensor \"bn2.running_mean\""]);
}

#[test]
fn a_pruned_parameter_is_its_product_with_its_mask_whatever_the_masks_type() {
    for (dtype, size) in [
        (Dtype::F32, 4),
        (Dtype::BOOL, 1),
        (Dtype::U8, 1),
        (Dtype::I64, 8),
    ] {
        let mut tensors = raw(&state_dict("resnet20"));
        let mut masked = state_dict("resnet20");
        for name in ["layer2.0.conv1.weight", "linear.weight", "linear.bias"] {
            let (shape, values) = masked.get_mut(name).unwrap();
            let keep = |i: usize| i % 3 != 1;
            for (i, value) in values.iter_mut().enumerate() {
                *value *= f32::from(u8::from(keep(i)));
            }
            let one = match dtype {
                Dtype::F32 => 1.0_f32.to_le_bytes().to_vec(),
                _ => [&[1], &vec![0; size - 1][..]].concat(),
            };
            let mask = (0..values.len()).flat_map(|i| match keep(i) {
                true => one.clone(),
                false => vec![0; size],
            });
            let mask = (dtype, shape.clone(), mask.collect());
            let original = tensors.remove(name).unwrap();
            tensors.insert(format!("{name}_orig"), original);
            tensors.insert(format!("{name}_mask"), mask);
        }
        let found = read(&tensors, "resnet20").unwrap();
        let expected = read(&raw(&masked), "resnet20").unwrap().model;
        assert_eq!(found.model, expected, "{dtype:?}");
        let said = &found.remarks[0];
        let pruned = "layer2.0.conv1.weight was pruned, and multiplied with its mask (2 more such)";
        assert_eq!(said, pruned);
        let mask = tensors.remove("linear.weight_mask").unwrap();
        refused(&tensors, "resnet20", &["no tensor \"linear.weight_mask\""]);
        let half = vec![2; mask.2.len()];
        tensors.insert("linear.weight_mask".into(), (mask.0, mask.1, half));
        refused(
            &tensors,
            "resnet20",
            &["mask \"linear.weight_mask\"", "0 and 1"],
        );
    }
}

#[test]
fn weight_norm_is_length_times_direction_over_its_norm_in_old_and_new_form() {
    let plain = state_dict("cnn");
    let expected = read(&raw(&plain), "cnn").unwrap().model;
    let forms = [
        ("weight_g", "weight_v"),
        (
            "parametrizations.weight.original0",
            "parametrizations.weight.original1",
        ),
    ];
    for (g, v) in forms {
        // Which dimensions have a length of their own: outputs, inputs, all in one.
        for own in [Some(0), Some(1), None] {
            let mut tensors = raw(&plain);
            let (shape, values) = &plain["conv2.weight"];
            let lengths: Vec<usize> = match own {
                Some(own) => (0..4)
                    .map(|d| if d == own { shape[d] } else { 1 })
                    .collect(),
                None => vec![],
            };
            let place = |i: usize| match own {
                Some(0) => i / 72,
                Some(_) => i / 9 % 8,
                None => 0,
            };
            let mut squares = vec![0.0; lengths.iter().product()];
            for (i, value) in values.iter().enumerate() {
                squares[place(i)] += f64::from(*value).powi(2);
            }
            let norms: Vec<f32> = squares.iter().map(|s: &f64| s.sqrt() as f32).collect();
            let turned: Vec<f32> = values.iter().map(|value| value * 3.0).collect();
            tensors.remove("conv2.weight");
            tensors.insert(format!("conv2.{g}"), floats(&lengths, &norms));
            tensors.insert(format!("conv2.{v}"), floats(shape, &turned));
            let found = read(&tensors, "cnn").unwrap();
            assert!(found.remarks[0].starts_with("conv2.weight was split"));
            let weight = |model: &crate::float::FloatModel| {
                model.parameters.layers[2].as_ref().unwrap().weight.clone()
            };
            let pairs = weight(&found.model);
            for (found, expected) in pairs.iter().zip(&weight(&expected)) {
                assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1e-3));
            }
            let length = tensors.remove(&format!("conv2.{g}")).unwrap();
            refused(&tensors, "cnn", &[&format!("no tensor \"conv2.{g}\"")]);
            tensors.insert(format!("conv2.{g}"), length);
            tensors.insert(format!("conv2.{v}"), floats(shape, &vec![0.0; 1152]));
            refused(&tensors, "cnn", &["length zero"]);
            tensors.insert(format!("conv2.{g}"), floats(&[7], &[0.0; 7]));
            refused(&tensors, "cnn", &[g, "[7]"]);
        }
    }
}

#[test]
fn weights_whose_value_no_tensor_says_are_refused_with_what_makes_them_readable() {
    let plain = raw(&state_dict("cnn"));
    for (parts, said) in [
        (
            &["weight_orig", "weight_u", "weight_v"][..],
            "spectral norm",
        ),
        (
            &[
                "parametrizations.weight.original",
                "parametrizations.weight.0._u",
                "parametrizations.weight.0._v",
            ],
            "spectral norm",
        ),
        (&["parametrizations.weight.original"], "no tensor says"),
    ] {
        let mut tensors = plain.clone();
        let weight = tensors.remove("conv1.weight").unwrap();
        for (i, part) in parts.iter().enumerate() {
            let tensor = match i {
                0 => weight.clone(),
                _ => floats(&[8], &[1.0; 8]),
            };
            tensors.insert(format!("conv1.{part}"), tensor);
        }
        let parts = ["\"conv1.weight\"", said, "remove_parametrizations"];
        refused(&tensors, "cnn", &parts);
    }
}

#[test]
fn a_bias_in_front_of_a_batch_norm_is_part_of_what_the_network_computes() {
    for network in ["cnn", "resnet20", "resnet20-b"] {
        let mut tensors = state_dict(network);
        let architecture = Architecture::builtin(network.parse().unwrap(), PHOTO, 10).unwrap();
        let mut biases = Vec::new();
        for (layer, style) in architecture.network.layers.iter().zip(&architecture.styles) {
            if style.norm != Norm::Batch {
                continue;
            }
            let norm = norm_names(&layer.name, style.norm).swap_remove(0);
            let count = tensors[&format!("{norm}.bias")].1.len();
            let bias: Vec<f32> = (0..count).map(|i| 0.25 - i as f32 / 64.0).collect();
            tensors.insert(format!("{}.bias", layer.name), (vec![count], bias));
            biases.push(layer.name.clone());
        }
        let found = read(&raw(&tensors), network).unwrap();
        let more = format!("({} more such)", biases.len() - 1);
        let said = found.remarks.join("\n");
        assert!(said.contains("bias in front of its norm") && said.contains(&more));
        // The same network with the bias where PyTorch has it.
        let mut offsets = read(&raw(&state_dict(network)), network).unwrap().model;
        let layers = offsets.parameters.layers.iter_mut();
        for ((layer, parameters), style) in (architecture.network.layers.iter())
            .zip(layers)
            .zip(&mut offsets.architecture.styles)
        {
            if style.norm == Norm::Batch {
                style.offset = true;
                let bias = &tensors[&format!("{}.bias", layer.name)].1;
                // A stage's channels are in another order where a shortcut widens it.
                let mean = &found.model;
                let index = architecture.network.layers.iter();
                let index = index.clone().position(|l| l.name == layer.name).unwrap();
                let orders = super::layout::channel_orders(&mean.architecture);
                let order = &orders[index + 1];
                let bias = order.iter().map(|&c| bias[c]).collect();
                parameters.as_mut().unwrap().offset = Some(bias);
            }
        }
        let image: Vec<f32> = (0..PHOTO.volume())
            .map(|i| (i * 7919 % 613) as f32 / 306.5 - 1.0)
            .collect();
        let logits = |model: &crate::float::FloatModel| {
            let evaluator = Evaluator::exact(&model.architecture, &model.parameters);
            let mut values = evaluator.values();
            evaluator.run(image.iter().copied(), &mut values);
            values.logits().to_vec()
        };
        let (found, expected) = (logits(&found.model), logits(&offsets));
        let largest = expected.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-5 * largest, "{network}");
        }
    }
}

#[test]
fn a_convolution_without_the_bias_that_it_could_have_has_zeros_in_front_of_its_norm() {
    for (network, layers) in [
        ("simplenet:4", &["conv3", "conv7"][..]),
        ("simplenet-bn:4", &["conv0"]),
    ] {
        let mut tensors = state_dict(network);
        for layer in layers {
            let bias = tensors.get_mut(&format!("{layer}.bias")).unwrap();
            bias.1.fill(0.0);
        }
        let expected = read(&raw(&tensors), network).unwrap().model;
        for layer in layers {
            tensors.remove(&format!("{layer}.bias"));
        }
        let found = read(&raw(&tensors), network).unwrap();
        assert_eq!(found.model, expected, "{network}");
        assert!(found.remarks[0].contains("has no bias"), "{network}");
    }
    // Without a norm behind it, it may as well be lost.
    let mut dense = raw(&state_dict("resnet20"));
    dense.remove("linear.bias");
    let parts = ["no tensor \"linear.bias\"", "bias=False", "zeros"];
    refused(&dense, "resnet20", &parts);
}

#[test]
fn weights_in_the_order_of_other_programs_are_said_to_look_transposed() {
    for (name, shape, said) in [
        ("linear.weight", vec![64, 10], "Keras"),
        ("conv1.weight", vec![3, 3, 3, 16], "TensorFlow"),
        ("layer2.0.conv1.weight", vec![3, 3, 16, 32], "TensorFlow"),
        (
            "layer2.0.conv1.weight",
            vec![32, 3, 3, 16],
            "rows, columns, inputs]",
        ),
        (
            "layer2.0.conv1.weight",
            vec![16, 32, 3, 3],
            "[inputs, outputs, rows",
        ),
    ] {
        let mut tensors = raw(&state_dict("resnet20"));
        tensors.get_mut(name).unwrap().1 = shape;
        refused(&tensors, "resnet20", &[name, "looks transposed", said]);
    }
    let mut tensors = raw(&state_dict("resnet20"));
    tensors.get_mut("linear.weight").unwrap().1 = vec![20, 32];
    let message = read(&tensors, "resnet20").unwrap_err();
    assert!(!message.contains("transposed"), "{message}");
}

#[test]
fn for_a_tensor_that_is_not_there_the_one_most_like_it_is_named() {
    let rename = |from: &str, to: &str| {
        let mut tensors = raw(&state_dict("resnet20"));
        let tensor = tensors.remove(from).unwrap();
        tensors.insert(to.into(), tensor);
        tensors
    };
    for (from, to) in [
        ("conv1.weight", "stem.weight"),
        ("layer1.0.conv1.weight", "layer1.0.conv_1.weight"),
        ("linear.weight", "classifier.weight"),
        ("layer3.2.bn2.running_var", "layer3.2.bn2.moving_variance"),
        ("bn1.bias", "bn1.beta"),
    ] {
        let missing = format!("no tensor {from:?}");
        refused(&rename(from, to), "resnet20", &[&missing, to, "renamed"]);
    }
    // Not what another layer needs, however like it is.
    let mut tensors = raw(&state_dict("resnet20"));
    tensors.remove("layer1.1.conv1.weight");
    let message = read(&tensors, "resnet20").unwrap_err();
    assert!(!message.contains("nearest"), "{message}");
    let behind = tensors
        .iter()
        .map(|(n, t)| (format!("model.{n}"), t.clone()));
    refused(
        &behind.collect(),
        "resnet20",
        &["no tensor \"model.layer1.1.conv1.weight\""],
    );
    let other = raw(&state_dict("mlp"));
    let parts = ["no tensor \"conv1.weight\"", "nor any other", "hidden.bias"];
    refused(&other, "resnet20", &parts);
    refused(&Raw::new(), "resnet20", &["no other tensors at all"]);
}

#[test]
fn a_state_dict_of_another_network_is_answered_with_the_name_of_its_own() {
    for (own, network) in [
        ("resnet32", "resnet20"),
        ("resnet20", "resnet20-b"),
        ("resnet20", "cnn"),
        ("mlp", "resnet20"),
        ("cnn", "mlp"),
        ("simplenet:4", "simplenet-bn:4"),
        ("simplenet-bn:6", "simplenet:6"),
        ("simplenet:6", "simplenet:4"),
    ] {
        let said = format!("all its names are those of network {own}");
        refused(&raw(&state_dict(own)), network, &[&said]);
    }
    // What is wrong with a network's own tensors is nothing else.
    let mut tensors = raw(&state_dict("resnet20"));
    tensors.get_mut("conv1.weight").unwrap().1 = vec![16, 27];
    let message = read(&tensors, "resnet20").unwrap_err();
    assert!(!message.contains("those of network"), "{message}");
}
