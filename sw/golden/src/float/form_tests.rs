use super::*;
use crate::float::FloatModel;
use crate::model::{InputMap, Normalization};
use crate::network::{Builder, Epsilon, Parameters, test_graph};
use brownout_spec::program::Shape;
use std::path::Path;

const IMAGE: Shape = Shape {
    height: 7,
    width: 6,
    channels: 3,
};

/// A network that nobody can build by name: two blocks with shortcuts of their own, and two ε.
fn model() -> FloatModel {
    let mut architecture = Builder::new("mine", IMAGE)
        .convolution("stem", 5, 3, 1, 1, true)
        .projection_block("a", 6, 2)
        .basic_block("b", 6, 1)
        .global_average_pool("mean")
        .dense("logits", 4, false)
        .build()
        .unwrap();
    architecture.styles[0].epsilon = Epsilon::new(1e-3).unwrap();
    FloatModel {
        network: Form::Graph("mine".into()),
        image: IMAGE,
        input: InputMap::Normalize(Normalization::IMAGENET),
        origin: "a test".into(),
        parameters: Parameters::random(&architecture, 7, 0),
        architecture,
    }
}

fn message(bytes: &[u8]) -> String {
    let read = FloatModel::from_bytes(bytes, Path::new("mine.safetensors"));
    read.map_or_else(|e| e.to_string(), |_| "accepted".into())
}

/// The file with its metadata text changed.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let bytes = model().to_bytes();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
    let (from, to) = (from.replace('"', "\\\""), to.replace('"', "\\\""));
    assert!(header.contains(&from), "{header} lacks {from}");
    let header = header.replacen(&from, &to, 1);
    let mut result = (header.len() as u64).to_le_bytes().to_vec();
    result.extend_from_slice(header.as_bytes());
    result.extend_from_slice(&bytes[8 + length..]);
    result
}

#[test]
fn a_graph_survives_its_checkpoint_with_the_epsilon_of_each_layer() {
    let (model, path) = (model(), Path::new("mine.safetensors"));
    let read = FloatModel::from_bytes(&model.to_bytes(), path).unwrap();
    assert_eq!(read, model);
    assert_eq!(read.to_bytes(), model.to_bytes());
    let image: Vec<u8> = (0..IMAGE.volume()).map(|i| (i * 37 % 256) as u8).collect();
    assert_eq!(read.logits(&image), model.logits(&image));
}

#[test]
fn a_norm_without_weights_is_in_the_checkpoint_and_no_memory_holds_it() {
    let image = Shape {
        height: 8,
        width: 8,
        channels: 2,
    };
    let architecture = test_graph::normed_anywhere(image, 3);
    let mut parameters = Parameters::random(&architecture, 7, 0);
    let norm = parameters.layers[0].as_mut().unwrap();
    (norm.mean[1], norm.variance[1], norm.bias[0]) = (0.25, 4.0, -1.0);
    let model = FloatModel {
        network: Form::Graph("graph".into()),
        image,
        architecture,
        parameters,
        ..model()
    };
    let path = Path::new("mine.safetensors");
    let model = FloatModel {
        input: InputMap::Halve,
        ..model
    };
    let bytes = model.to_bytes();
    let read = FloatModel::from_bytes(&bytes, path).unwrap();
    assert_eq!(read, model);
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(tensors.tensor("layer0.gain").is_ok() && tensors.tensor("layer0.weight").is_err());
    let convolutions = [2, 4, 5, 7, 10, 15];
    let stored = model.weight_shapes();
    assert_eq!(stored.len(), convolutions.len());
    let weights: usize = stored.iter().map(|shape| shape.weights()).sum();
    assert_eq!(weights, model.architecture.weights());
}

#[test]
fn a_graph_that_is_none_is_refused_with_what_is_wrong() {
    let cases = [
        (r#""reads":[0]"#, r#""reads":[9]"#, "tensor read is 9"),
        (
            r#""classes":4"#,
            r#""classes":5"#,
            "it has 5 classes, and its network gives 4",
        ),
        (
            r#""image":{"height":7"#,
            r#""image":{"height":8"#,
            "its images are 8x6x3",
        ),
        (
            r#""network":"mine""#,
            r#""network":"""#,
            "the name of its network",
        ),
        (
            r#""classes":4"#,
            r#""epsilon":0.001,"classes":4"#,
            "\"epsilon\" is",
        ),
        (r#""rows":2"#, r#""rows":9"#, "stride is 9"),
        (
            r#""norm":"batch""#,
            r#""norm":"layer""#,
            "metadata cannot be read",
        ),
        (
            r#""styles":[{"#,
            r#""styles":[],"other":[{"#,
            "metadata cannot be read",
        ),
    ];
    for (from, to, reason) in cases {
        let found = message(&edited(from, to));
        assert!(found.contains(reason), "{found:?} lacks {reason:?}");
        assert!(found.starts_with("mine.safetensors: "), "{found}");
    }
}
