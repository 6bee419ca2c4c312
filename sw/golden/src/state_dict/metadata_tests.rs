use super::test_dicts::{NETWORKS, PHOTO, bytes, state_dict as dict, target};
use super::{METADATA_KEY, Metadata, Target, hints, image_shape, import, state_dict};
use crate::data::{Dataset, cifar};
use crate::float::FloatModel;
use crate::model::{InputMap, Normalization};
use crate::network::Epsilon;
use brownout_spec::program::Shape;
use ndarray::Array4;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;
use std::path::Path;

const DIGIT: Shape = Shape {
    height: 28,
    width: 28,
    channels: 1,
};

fn path() -> &'static Path {
    Path::new("net.safetensors")
}

/// Networks with moments and gains of their own, and what no tensor says of them.
fn models() -> Vec<FloatModel> {
    let mut models = Vec::new();
    for (at, network) in NETWORKS.into_iter().enumerate() {
        let moments = InputMap::Normalize(Normalization::IMAGENET);
        for (image, classes, input) in [(PHOTO, 7, moments), (DIGIT, 10, InputMap::Centre)] {
            let network = network.parse().unwrap();
            let model = FloatModel::random(network, (image, classes), input, at as u64).unwrap();
            let mut model = FloatModel {
                architecture: (model.architecture.clone())
                    .with_epsilon(Epsilon::new(1e-3 * (at + 1) as f32).unwrap()),
                ..model
            };
            for layer in model.parameters.layers.iter_mut().flatten() {
                let mut value = 0.1;
                for vector in [&mut layer.mean, &mut layer.variance, &mut layer.bias] {
                    vector.mapv_inplace(|_| {
                        value = value * 1.7 % 0.9;
                        value
                    });
                }
            }
            models.push(model);
        }
    }
    models
}

/// Noise with labels.
fn noise(shape: Shape, classes: usize) -> Dataset {
    let size = (200, shape.height, shape.width, shape.channels);
    let images = Array4::from_shape_fn(size, |(n, y, x, c)| {
        let mixed = (n * 7919 + y * 631 + x * 97 + c * 13) as u32;
        (mixed.wrapping_mul(2_654_435_761) >> 24) as u8
    });
    let labels = (0..200).map(|n| (n * n % classes) as u16).collect();
    Dataset::new("noise", images, labels, classes)
}

#[test]
fn what_leaves_with_its_metadata_comes_back_without_a_word_of_anybody() {
    for model in models() {
        let left = state_dict(&model, "unrounded");
        let own = Metadata::from_bytes(&left, path()).unwrap().unwrap();
        let expected = (
            model.network.clone(),
            model.image,
            model.architecture.classes(),
        );
        assert_eq!((own.network.into(), own.image, own.classes), expected);
        assert_eq!(own.input, model.input);
        let usual = model.architecture.epsilon().unwrap_or_default();
        assert_eq!(own.epsilon, usual, "{}", model.network);
        let target = Target {
            network: own.network,
            image: own.image,
            classes: own.classes,
            input: own.input,
            epsilon: own.epsilon,
        };
        let again = import(&left, path(), &target).unwrap();
        assert_eq!(again.remarks, [""; 0], "{}", model.network);
        let again = again.model;
        assert_eq!(again.architecture, model.architecture);
        let data = noise(model.image, own.classes);
        let (before, after) = (model.score(&data), again.score(&data));
        assert_eq!(before.correct, after.correct, "{}", model.network);
    }
}

#[test]
fn a_target_that_is_not_what_the_metadata_say_is_refused_with_both() {
    let model = &models()[2];
    let left = state_dict(model, "unrounded");
    let own = Target {
        network: model.network.builtin().unwrap(),
        image: model.image,
        classes: 7,
        input: model.input,
        epsilon: model.architecture.epsilon().unwrap(),
    };
    assert!(import(&left, path(), &own).is_ok());
    let flat = InputMap::Halve;
    let long = Shape { width: 34, ..PHOTO };
    let moved = |change: &dyn Fn(&mut Target)| {
        let mut other = own;
        change(&mut other);
        import(&left, path(), &other).unwrap_err().to_string()
    };
    for (message, parts) in [
        (
            moved(&|t| t.network = "resnet32".parse().unwrap()),
            ["resnet20-b", "resnet32"],
        ),
        (moved(&|t| t.image = long), ["32x32x3", "32x34x3"]),
        (moved(&|t| t.classes = 8), ["classes 7", "classes 8"]),
        (moved(&|t| t.input = flat), ["imagenet", "halve"]),
        (
            moved(&|t| t.epsilon = Epsilon::DEFAULT),
            ["epsilon 2e-3", "epsilon 1e-5"],
        ),
    ] {
        for part in parts {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
}

#[test]
fn damaged_and_hostile_metadata_end_in_a_sentence() {
    let good = r#"{"network":"cnn","image":"32x32x3","classes":10,"input":"imagenet","pixels":"","weights":"","origin":""}"#;
    let file = |text: &str| {
        let zero = 0.0_f32.to_le_bytes();
        let view = TensorView::new(Dtype::F32, vec![1], &zero).unwrap();
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), text.to_owned())]);
        safetensors::serialize([("conv1.weight", view)], Some(metadata)).unwrap()
    };
    let read = |text: &str| Metadata::from_bytes(&file(text), path());
    // As an older version wrote it, with the only ε that it knew.
    let old = read(good).unwrap().unwrap();
    assert_eq!(old.epsilon, Epsilon::DEFAULT);
    let ends = |key: &str, value: &str| {
        let mut fields: serde_json::Value = serde_json::from_str(good).unwrap();
        fields[key] = serde_json::from_str(value).unwrap();
        fields.to_string()
    };
    for (text, expected) in [
        ("".to_owned(), "JSON"),
        ("[]".to_owned(), "JSON"),
        ("{}".to_owned(), "missing field"),
        ("[".repeat(100_000), "JSON"),
        (ends("network", "\"vgg\""), "allowed are mlp"),
        (ends("network", "\"\\u001b[2J\""), "allowed are mlp"),
        (ends("network", "7"), "JSON"),
        (ends("image", "\"1x2\""), "HEIGHTxWIDTHxCHANNELS"),
        (ends("image", "\"0x1x1\""), "HEIGHTxWIDTHxCHANNELS"),
        (
            ends("image", "\"99999999999999999999x1x1\""),
            "HEIGHTxWIDTH",
        ),
        (ends("classes", "-1"), "JSON"),
        (ends("classes", "1e30"), "JSON"),
        (ends("input", "\"svhn\""), "cifar10"),
        (ends("input", "\"mnist\""), "1 channel, and"),
        (ends("epsilon", "0"), "at most 1"),
        (ends("epsilon", "\"1e-3\""), "JSON"),
        (ends("epsilon", "-1e-5"), "at most 1"),
        (ends("later", "1"), "unknown field `later`"),
    ] {
        let message = read(&text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
        assert!(!message.contains('\u{1b}') && message.len() < 2000);
        // Nobody gets past it either.
        assert!(import(&file(&text), path(), &target("cnn")).is_err());
    }
    // Numbers that only the network can refuse.
    for (key, value) in [
        ("classes", "0"),
        ("classes", "18446744073709551615"),
        ("image", "\"1024x1024x3\""),
    ] {
        let own = read(&ends(key, value)).unwrap().unwrap();
        let target = Target {
            network: own.network,
            image: own.image,
            classes: own.classes,
            input: own.input,
            epsilon: own.epsilon,
        };
        assert!(import(&file(&ends(key, value)), path(), &target).is_err());
    }
    let checkpoint = models()[0].to_bytes();
    let message = Metadata::from_bytes(&checkpoint, path()).unwrap_err();
    assert!(message.to_string().contains("this is a checkpoint"));
}

#[test]
fn the_shapes_of_tensors_say_how_many_classes_there_are_and_which_usual_images_fit() {
    for model in models() {
        let left = state_dict(&model, "");
        let found = hints(&left, path(), model.network.builtin().unwrap()).unwrap();
        assert_eq!(found.classes, Some(model.architecture.classes()));
        assert_eq!(found.image, Some(model.image), "{}", model.network);
    }
    // Behind a prefix, and split as weight norm has it.
    let tensors = dict("cnn");
    let behind = hints(
        &bytes(&tensors, "net.module."),
        path(),
        "cnn".parse().unwrap(),
    );
    assert_eq!(behind.unwrap().image, Some(PHOTO));
    let other = hints(
        &bytes(&dict("mlp"), ""),
        path(),
        "resnet20".parse().unwrap(),
    );
    assert_eq!(other.unwrap().image, None);
    let foreign = hints(b"\x80\x02", path(), "cnn".parse().unwrap());
    assert!(foreign.unwrap_err().to_string().contains("torch.save"));
}

#[test]
fn the_shape_of_an_image_in_another_order_is_answered_with_the_right_one() {
    assert_eq!(image_shape("28x28x1"), Ok(DIGIT));
    assert_eq!(image_shape("1x1x3").unwrap().channels, 3);
    for (text, expected) in [
        ("1x28x28", "perhaps 28x28x1"),
        ("3x32x40", "perhaps 32x40x3"),
        ("28x28", "perhaps 28x28x1 or 28x28x3"),
        ("28,28,1", "HEIGHTxWIDTHxCHANNELS"),
        ("0x28x1", "from 1 to 1024"),
        ("28x28x1x1", "HEIGHTxWIDTHxCHANNELS"),
    ] {
        let message = image_shape(text).unwrap_err();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    }
}

#[test]
fn the_pretrained_resnet20_written_for_another_epsilon_has_its_accuracy_with_that_one_alone() {
    let folders = ["cifar10-resnets", "cifar-10-batches-bin"].map(crate::test_data::folder);
    let [Some(weights), Some(images)] = folders else {
        return;
    };
    let file = std::fs::read(weights.join("resnet20-12fca82f.safetensors")).unwrap();
    let data = cifar::TEN.read_test(&images).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let numbers = |name: &str| -> Vec<f64> {
        let tensor = tensors.tensor(name).unwrap();
        let values = tensor.data().as_chunks().0.iter();
        values.map(|v| f64::from(f32::from_le_bytes(*v))).collect()
    };
    // Convolutions of a hundredth, so that variances are as small as the ε.
    let small = 0.01;
    let mut parts: Vec<(String, Vec<usize>, Dtype, Vec<u8>)> = Vec::new();
    for (name, tensor) in tensors.tensors() {
        let (layer, part) = name.rsplit_once('.').unwrap();
        let variance = format!("{layer}.running_var");
        let own = numbers(&name);
        let values: Vec<f64> = match part {
            "weight" if tensor.shape().len() == 4 => own.iter().map(|w| w * small).collect(),
            "running_mean" => own.iter().map(|m| m * small).collect(),
            "running_var" => own.iter().map(|v| v * small * small).collect(),
            "weight" if tensors.tensor(&variance).is_ok() => {
                let gain = |(gain, v): (&f64, f64)| {
                    gain * (v * small * small + 1e-3).sqrt() / (small * (v + 1e-5).sqrt())
                };
                own.iter().zip(numbers(&variance)).map(gain).collect()
            }
            _ => own,
        };
        let bytes = values.iter().flat_map(|v| (*v as f32).to_le_bytes());
        parts.push((
            name,
            tensor.shape().to_vec(),
            tensor.dtype(),
            bytes.collect(),
        ));
    }
    let views = parts.iter().map(|(name, shape, dtype, bytes)| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    let rewritten = safetensors::serialize(views, None).unwrap();
    let correct = |epsilon: f32| {
        let target = Target {
            epsilon: Epsilon::new(epsilon).unwrap(),
            ..target("resnet20")
        };
        let model = import(&rewritten, path(), &target).unwrap().model;
        // Through its checkpoint, which must keep it.
        let model = FloatModel::from_bytes(&model.to_bytes(), path()).unwrap();
        model.score(&data).correct
    };
    let right = correct(1e-3);
    assert!(right.abs_diff(9173) <= 2, "{right} of 10000 are right");
    assert!(correct(1e-5) < 2000);
}
