use super::*;
use crate::model::InputMap;
use crate::train::TrainingOptions;
use brownout_spec::arithmetic::OutputScale;
use brownout_spec::program::{Layer, Shape, Window};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn model() -> IntegerModel {
    let output = OutputScale {
        shift: 7,
        low: 0,
        high: 127,
    };
    let layer = |source, name: &str, operation| Layer {
        name: name.into(),
        reads: vec![source],
        operation,
        output,
        zero: 0,
    };
    let convolution = |kernel: usize, output_channels| {
        Operation::convolution(Window::square(kernel, 1, 0), output_channels)
    };
    let weights = |shape: (usize, usize, usize, usize)| LayerWeights {
        integers: Array4::from_shape_fn(shape, |(o, i, y, x)| (o * 7 + i * 3 + y + x) as i8 - 9),
        scales: vec![0.25; shape.0],
    };
    let channels = |count: usize| {
        let channel = |c| ChannelParameters {
            multiplier: 100 - 60 * c as i16,
            bias: 64 - 1000 * c as i64,
        };
        (0..count).map(channel).collect()
    };
    IntegerModel {
        origin: Origin {
            name: "small".into(),
            dataset: "none".into(),
            accuracy: Some(Accuracy {
                float: 0.5,
                integer: 0.25,
                images: 4,
            }),
            training: Some(TrainingOptions {
                code: CodeName::None,
                ..TrainingOptions::default()
            }),
        },
        weight_bits: WeightBits::Eight,
        code: CodeName::Inplace64_57,
        input: InputMap::Halve,
        network: Network {
            input: Shape {
                height: 4,
                width: 4,
                channels: 2,
            },
            input_zero: 0,
            layers: vec![
                layer(0, "conv", convolution(3, 3)),
                layer(
                    1,
                    "pool",
                    Operation::MaxPool {
                        window: Window::square(2, 2, 0),
                    },
                ),
                layer(2, "logits", convolution(1, 2)),
            ],
        },
        layers: vec![
            LayerTensors {
                channels: channels(3),
                weights: Some(weights((3, 2, 3, 3))),
                table: None,
            },
            LayerTensors {
                channels: channels(3),
                weights: None,
                table: None,
            },
            LayerTensors {
                channels: channels(2),
                weights: Some(weights((2, 3, 1, 1))),
                table: None,
            },
        ],
    }
}

fn problem(bytes: &[u8]) -> String {
    match IntegerModel::parse(bytes) {
        Ok(_) => "accepted".into(),
        Err(BytesError::Format(problem)) => problem,
        Err(BytesError::Model(error)) => error.to_string(),
    }
}

/// The file with its metadata text, or anything in its header, changed.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let bytes = model().to_bytes().unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
    assert!(header.contains(from), "{header} lacks {from}");
    let header = header.replace(from, to);
    let mut result = (header.len() as u64).to_le_bytes().to_vec();
    result.extend_from_slice(header.as_bytes());
    result.extend_from_slice(&bytes[8 + length..]);
    result
}

#[test]
fn a_model_survives_its_file_and_gives_the_same_bytes_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("small.safetensors");
    model().write(&path).unwrap();
    let read = IntegerModel::read(&path).unwrap();
    assert_eq!(read, model());
    assert_eq!(read.to_bytes().unwrap(), std::fs::read(&path).unwrap());
    let files = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(files, 1, "no temporary file is left");
}

#[test]
fn a_missing_file_and_a_missing_directory_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("absent").join("m.safetensors");
    for error in [
        IntegerModel::read(&path).unwrap_err(),
        model().write(&path).unwrap_err(),
    ] {
        let message = error.to_string();
        assert!(message.contains("absent"), "{message}");
    }
}

#[test]
fn each_malformed_file_is_refused_with_its_reason() {
    let bytes = model().to_bytes().unwrap();
    for length in [0, 7, 8, 100, bytes.len() - 1] {
        let message = problem(&bytes[..length]);
        assert!(message.contains("not a safetensors file"), "{message}");
    }
    let cases = [
        (
            edited("\"brownout\"", "\"elsewhere\""),
            "no entry \"brownout\"",
        ),
        (
            edited("{\\\"version\\\":2", "{\\\"version\\\":3"),
            "format version is 3; allowed are 1 and 2",
        ),
        (
            edited("\\\"origin\\\"", "\\\"colour\\\""),
            "unknown field `colour`",
        ),
        (
            edited("layer0.weight", "layer0.wight"),
            "no tensor \"layer0.weight\"",
        ),
        (edited("\"I16\"", "\"F16\""), "is F16 of rank 1"),
        (
            edited(
                "\\\"stride\\\":{\\\"rows\\\":2",
                "\\\"stride\\\":{\\\"rows\\\":9",
            ),
            "stride is 9; allowed is 1 to 7",
        ),
        (
            edited("inplace-64-57", "inplace-32-26"),
            "needs 4-bit weights",
        ),
        (
            edited("\\\"output_channels\\\":3", "\\\"output_channels\\\":4"),
            "the layer needs 4",
        ),
        (
            edited("\\\"conv\\\"", "\\\"con\\\\nv\\\""),
            "name of layer 0 is \"con\u{fffd}v\"; allowed are at most 255 bytes",
        ),
        (
            edited("\\\"integer\\\":0.25", "\\\"integer\\\":1.5"),
            "integer accuracy is 1.5; allowed is 0 to 1",
        ),
        (
            edited("\\\"momentum\\\":0.9", "\\\"momentum\\\":1e38"),
            "its training options are not allowed: momentum is 1",
        ),
        (
            edited("\\\"momentum\\\":0.9", "\\\"momentum\\\":1e39"),
            "its metadata cannot be read: number out of range",
        ),
        (
            edited("\\\"shift\\\":7", "\\\"shift\\\":40"),
            "shift is 40; allowed is 1 to 31",
        ),
    ];
    for (bytes, reason) in cases {
        let message = problem(&bytes);
        assert!(message.contains(reason), "{message:?} lacks {reason:?}");
    }
}

#[test]
fn a_weight_that_the_code_cannot_store_is_refused_by_place() {
    let mut model = model();
    let weights = model.layers[0].weights.as_mut().unwrap();
    weights.integers[(1, 1, 2, 0)] = 64;
    let message = model.to_bytes().unwrap_err().to_string();
    for part in ["layer 0 (conv)", "channel 1", "is 64", "-64 to 63"] {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
    model.code = CodeName::None;
    assert!(model.to_bytes().is_ok());
    assert!(model.check_code(CodeName::Inplace64_57).is_err());
}

#[test]
fn a_bias_beyond_48_bits_and_a_scale_of_zero_are_refused() {
    let mut wide = model();
    wide.layers[2].channels[1].bias = 1 << 47;
    let message = wide.to_bytes().unwrap_err().to_string();
    assert!(message.contains("layer 2 (logits)") && message.contains("48-bit"));
    let mut flat = model();
    flat.layers[0].weights.as_mut().unwrap().scales[2] = 0.0;
    let message = flat.to_bytes().unwrap_err().to_string();
    assert!(message.contains("scale of channel 2 is 0"), "{message}");
}

#[test]
fn no_damage_to_a_file_causes_a_panic() {
    let bytes = model().to_bytes().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..20_000 {
        let mut damaged = bytes.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..damaged.len());
            damaged[at] = match random.random_range(0..3) {
                0 => random.random(),
                1 => b'0' + random.random_range(0..10),
                _ => damaged[at] ^ 1 << random.random_range(0..8),
            };
        }
        let _ = IntegerModel::parse(&damaged);
    }
}

#[test]
fn a_file_of_version_1_is_the_chain_that_it_was() {
    let model = model();
    let bytes = model.to_bytes().unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let text = header["__metadata__"]["brownout"].as_str().unwrap();
    let mut own: serde_json::Value = serde_json::from_str(text).unwrap();
    let output = own["network"]["layers"][0]["output"].clone();
    own["version"] = 1.into();
    let convolution = |kernel: usize, channels: usize| {
        serde_json::json!({"convolution": {
            "kernel_height": kernel, "kernel_width": kernel, "stride": 1, "padding": 0,
            "output_channels": channels, "residual": null,
        }})
    };
    let pool = serde_json::json!({"max-pool": {"kernel": 2, "stride": 2, "padding": 0}});
    let layers = [
        ("conv", convolution(3, 3)),
        ("pool", pool),
        ("logits", convolution(1, 2)),
    ];
    let layers = layers.map(|(name, operation)| {
        serde_json::json!({"name": name, "operation": operation, "output": output})
    });
    own["network"]["layers"] = layers.to_vec().into();
    header["__metadata__"]["brownout"] = own.to_string().into();
    let header = header.to_string();
    let mut old = (header.len() as u64).to_le_bytes().to_vec();
    old.extend_from_slice(header.as_bytes());
    old.extend_from_slice(&bytes[8 + length..]);
    assert_eq!(IntegerModel::parse(&old).ok(), Some(model));
}
