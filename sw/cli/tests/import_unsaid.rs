//! What no tensor of a state dict carries: said by flags, metadata, tensors or images, or assumed
//! aloud.

mod common;

use brownout_golden::data::Dataset;
use brownout_golden::float::FloatModel;
use brownout_golden::model::InputMap;
use brownout_golden::network::Epsilon;
use brownout_golden::state_dict::state_dict;
use brownout_spec::program::Shape;
use common::Sandbox;
use ndarray::Array4;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const DIGIT: Shape = Shape {
    height: 28,
    width: 28,
    channels: 1,
};
const PHOTO: Shape = Shape {
    height: 32,
    width: 32,
    channels: 3,
};

fn report(sandbox: &Sandbox, words: &str) -> Value {
    let words: Vec<&str> = words.split_whitespace().chain(["--json"]).collect();
    serde_json::from_str(&sandbox.ok(&words).out).unwrap()
}

fn refused(sandbox: &Sandbox, words: &str, parts: &[&str]) {
    let words: Vec<&str> = words.split_whitespace().collect();
    let answer = sandbox.run(&words);
    assert_eq!(answer.status, Some(2), "{words:?}: {}", answer.err);
    for part in parts {
        assert!(answer.err.contains(part), "{:?} lacks {part:?}", answer.err);
    }
}

fn model(network: &str, image: Shape, classes: usize, input: InputMap) -> FloatModel {
    FloatModel::random(network.parse().unwrap(), (image, classes), input, 7).unwrap()
}

/// The state dict of a network without its metadata, as another program writes it.
fn foreign(model: &FloatModel) -> Vec<u8> {
    let own = state_dict(model, "");
    let file = SafeTensors::deserialize(&own).unwrap();
    safetensors::serialize(file.tensors(), None).unwrap()
}

fn shared(folder: &str) -> Option<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = data.join(folder);
    if !folder.is_dir() {
        eprintln!("skipped: {} is missing", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn a_network_that_was_trained_here_comes_back_from_its_state_dict_without_any_flag() {
    let sandbox = Sandbox::new();
    let train = "train --network cnn --data glyphs --train-images 1280 --epochs 2 --quiet";
    report(&sandbox, &format!("{train} --checkpoint own.float"));
    let export = "export own.float --state-dict own.safetensors --data glyphs";
    let left = report(&sandbox, export)["state_dict"]["accuracy"].clone();
    assert!(left.as_f64().unwrap() > 0.5, "{left}");
    // The help's own example, and with nothing but the files.
    for flags in [
        "--data glyphs",
        "--network cnn --image 28x28x1 --data glyphs",
        "--network cnn --classes 10 --input halve --epsilon 1e-5 --data glyphs",
    ] {
        let import = format!("import --state-dict own.safetensors --out again.float {flags}");
        let again = report(&sandbox, &import);
        assert_eq!(again["measured"]["accuracy"], left, "{flags}");
        assert_eq!(again["measured"]["is_guessing"], false);
        assert_eq!(again["remarks"], json!([]));
    }
    let import = "import --state-dict own.safetensors --out again.float";
    let metadata = "metadata";
    let expected = json!({
        "network": metadata, "image": metadata, "classes": metadata,
        "input_map": metadata, "epsilon": metadata,
    });
    assert_eq!(report(&sandbox, import)["from"], expected);
}

#[test]
fn every_network_comes_back_without_flags_in_grey_and_in_colour() {
    let sandbox = Sandbox::new();
    let moments: InputMap = "0.5071,0.4865,0.4409,0.2673,0.2564,0.2762".parse().unwrap();
    let networks = [
        "mlp",
        "cnn",
        "resnet20",
        "resnet20-b",
        "simplenet:4",
        "simplenet-bn:4",
    ];
    for network in networks {
        for (image, input) in [(DIGIT, InputMap::Centre), (PHOTO, moments)] {
            let mut model = model(network, image, 11, input);
            let epsilon = Epsilon::new(0.02).unwrap();
            model.architecture = model.architecture.with_epsilon(epsilon);
            for layer in model.parameters.layers.iter_mut().flatten() {
                layer.variance.fill(0.01);
                layer.mean.fill(0.1);
            }
            sandbox.write("a.float", model.to_bytes());
            sandbox.ok(&["export", "a.float", "--state-dict", "a.safetensors"]);
            let import = "import --state-dict a.safetensors --out b.float";
            let from = report(&sandbox, import)["from"].to_string();
            assert!(!from.contains("assumed"), "{network}: {from}");
            let again = FloatModel::read(&sandbox.path("b.float")).unwrap();
            assert_eq!(again.architecture, model.architecture, "{network}");
            assert_eq!((again.image, again.input), (image, input));
            let images = Array4::from_shape_fn(
                (64, image.height, image.width, image.channels),
                |(n, y, x, c)| (n * 71 + y * 631 * n + x * 97 + c * 13) as u8,
            );
            let labels = (0..64).map(|n| n % 11).collect();
            let data = Dataset::new("noise", images, labels, 11);
            let [before, after] = [&model, &again].map(|model| model.score(&data));
            assert_eq!(before.correct, after.correct, "{network} for {image}");
            // Group norms lose digits of their gains that their scales cannot hold.
            assert!((before.loss - after.loss).abs() <= 1e-5 * before.loss);
        }
    }
}

#[test]
fn a_flag_that_contradicts_the_metadata_is_refused_with_both_values() {
    let sandbox = Sandbox::new();
    let mut own = model("cnn", DIGIT, 10, InputMap::Halve);
    own.architecture = (own.architecture).with_epsilon(Epsilon::new(1e-3).unwrap());
    sandbox.write("own.safetensors", state_dict(&own, ""));
    let import = "import --state-dict own.safetensors --out x";
    for (flag, value, parts) in [
        (
            "--network",
            "resnet20",
            ["resnet20", "cnn, as the metadata"],
        ),
        (
            "--image",
            "32x32x1",
            ["32x32x1", "28x28x1, as the metadata"],
        ),
        ("--classes", "9", ["is 9", "10, as the metadata"]),
        ("--input", "centre", ["centre", "halve, as the metadata"]),
        ("--epsilon", "1e-5", ["is 1e-5", "1e-3, as the metadata"]),
    ] {
        let parts = [&parts[..], &[flag, "own.safetensors", "or no --"]].concat();
        refused(&sandbox, &format!("{import} {flag} {value}"), &parts);
        let key = flag.trim_start_matches("--");
        let value = match flag {
            "--classes" => value.to_owned(),
            _ => format!("{value:?}"),
        };
        sandbox.write("recipe.toml", format!("{key} = {value}\n"));
        refused(&sandbox, &format!("{import} --config recipe.toml"), &parts);
        std::fs::remove_file(sandbox.path("recipe.toml")).unwrap();
    }
    assert_eq!(sandbox.names(), ["own.safetensors"]);
    let text = sandbox
        .ok(&import.split_whitespace().collect::<Vec<_>>())
        .out;
    let expected = "from its metadata: network cnn, images of 28x28x1, 10 classes, pixels as halve, epsilon 1e-3\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn what_a_foreign_file_leaves_open_is_assumed_aloud_and_the_rest_read_from_its_tensors() {
    let sandbox = Sandbox::new();
    sandbox.write("grey", foreign(&model("cnn", DIGIT, 7, InputMap::Halve)));
    sandbox.write(
        "rgb",
        foreign(&model("resnet20", PHOTO, 100, InputMap::Halve)),
    );
    sandbox.write("mlp", foreign(&model("mlp", DIGIT, 10, InputMap::Halve)));
    let import = |file: &str, flags: &str| {
        report(
            &sandbox,
            &format!("import --state-dict {file} --out x {flags}"),
        )
    };
    let grey = import("grey", "--network cnn");
    assert_eq!(
        (&grey["classes"], &grey["image"]["height"]),
        (&json!(7), &json!(28))
    );
    assert_eq!(grey["input_map"], "halve");
    let expected = json!({
        "network": "given", "image": "assumed", "classes": "tensors",
        "input_map": "assumed", "epsilon": "assumed",
    });
    assert_eq!(grey["from"], expected);
    let rgb = import("rgb", "--network resnet20 --input imagenet --epsilon 1e-3");
    assert_eq!(
        (&rgb["classes"], &rgb["image"]["channels"]),
        (&json!(100), &json!(3))
    );
    assert_eq!(rgb["epsilon"], json!(1e-3));
    assert_eq!(
        (&rgb["from"]["input_map"], &rgb["from"]["epsilon"]),
        (&json!("given"), &json!("given"))
    );
    // Without norms there is no epsilon, and the images say their shape.
    let mlp = import("mlp", "--network mlp --data glyphs");
    assert_eq!(
        (&mlp["epsilon"], &mlp["from"]["epsilon"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(mlp["from"]["image"], "data");
    assert_eq!(mlp["measured"]["is_guessing"], true);
    let remark = mlp["remarks"][0].as_str().unwrap();
    assert!(
        remark.contains("guessing gives (10.00 %)")
            && remark.contains("halve (--input, which is assumed)"),
        "{remark}"
    );
    assert!(!remark.contains("--epsilon"), "{remark}");
    let words = [
        "import",
        "--state-dict",
        "rgb",
        "--network",
        "resnet20",
        "--out",
        "x",
    ];
    let text = sandbox.ok(&words).out;
    let lines = "given: network resnet20\nfrom its tensors: 100 classes\nASSUMED: images of 32x32x3 \
                 (--image says another), pixels as cifar10 (--input says another), epsilon 1e-5 (--epsilon says another)\n";
    assert!(text.ends_with(lines), "{text}");
    let import = "import --out x --state-dict";
    let parts = [
        "--network NAME is missing",
        "no metadata",
        "of network resnet20",
    ];
    refused(&sandbox, &format!("{import} rgb"), &parts);
    for (flags, part) in [
        ("--image 28x28x1", "for images of 3 channels (--image)"),
        ("--data glyphs", "for images of 3 channels (--image)"),
        ("--classes 10", "it has 100 classes (--classes)"),
    ] {
        refused(
            &sandbox,
            &format!("{import} rgb --network resnet20 {flags}"),
            &[part],
        );
    }
    let flat = format!("{import} mlp --network mlp --image 9x9x1");
    refused(&sandbox, &flat, &["for images of 784 values (--image)"]);
    let parts = ["--epsilon is 1e-3", "network mlp has no norms"];
    refused(
        &sandbox,
        &format!("{import} mlp --network mlp --epsilon 1e-3"),
        &parts,
    );
    for bad in ["0", "2", "x", "NaN", "-1"] {
        let flags = format!("{import} rgb --network resnet20 --epsilon={bad}");
        refused(&sandbox, &flags, &["--epsilon", "at most 1"]);
    }
}

#[test]
fn the_pretrained_resnet20_for_another_epsilon_has_its_accuracy_with_it_and_a_remark_without() {
    let Some(weights) = shared("cifar10-resnets") else {
        return;
    };
    let Some(images) = shared("cifar-10-batches-bin") else {
        return;
    };
    let file = std::fs::read(weights.join("resnet20-12fca82f.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let numbers = |name: &str| -> Vec<f64> {
        let values = tensors.tensor(name).unwrap();
        let values = values.data().chunks_exact(4);
        values
            .map(|v| f64::from(f32::from_le_bytes(v.try_into().unwrap())))
            .collect()
    };
    // Convolutions of a hundredth, so that variances are as small as the epsilon.
    let small = 0.01;
    let all: Vec<_> = tensors.tensors();
    let rewritten = all.iter().map(|(name, tensor)| -> Vec<u8> {
        let (layer, part) = name.rsplit_once('.').unwrap();
        let variance = format!("{layer}.running_var");
        let own = numbers(name);
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
        bytes.collect()
    });
    let rewritten: Vec<Vec<u8>> = rewritten.collect();
    let views = all.iter().zip(&rewritten).map(|((name, tensor), bytes)| {
        let view = TensorView::new(tensor.dtype(), tensor.shape().to_vec(), bytes);
        (name, view.unwrap())
    });
    let sandbox = Sandbox::new();
    sandbox.write("keras", safetensors::serialize(views, None).unwrap());
    let images = images.display();
    let import = format!(
        "import --state-dict keras --network resnet20 --input imagenet --out x --data cifar10:{images}"
    );
    let right = report(&sandbox, &format!("{import} --epsilon 1e-3"));
    let correct = right["measured"]["correct"].as_u64().unwrap();
    assert!(correct.abs_diff(9173) <= 2, "{correct} of 10000 are right");
    assert_eq!(right["measured"]["is_guessing"], false);
    let wrong = report(&sandbox, &import);
    assert_eq!(wrong["measured"]["is_guessing"], true, "{wrong}");
    let remark = wrong["remarks"][0].as_str().unwrap();
    let first = "the usual causes are another epsilon in its norms than 1e-5 (--epsilon, which is assumed), \
                 another pixel map than imagenet (--input)";
    assert!(remark.contains(first), "{remark}");
}

#[test]
fn files_of_other_programs_are_named_and_a_torch_file_is_answered_with_what_converts_it() {
    let sandbox = Sandbox::new();
    let mut zip = b"PK\x03\x04".to_vec();
    zip.resize(26, 0);
    zip.extend(b"\x10\0\0\0archive/data.pkl");
    sandbox.write("net.pth", zip);
    sandbox.write("old.pt", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.");
    sandbox.write("net.h5", b"\x89HDF\r\n\x1a\n\0\0\0\0");
    sandbox.write("page", b"<!DOCTYPE html>");
    for file in ["net.pth", "old.pt"] {
        let words = format!("import --state-dict {file} --network cnn --out x");
        let parts = [
            file,
            "torch.save",
            "import torch, safetensors.torch",
            "save_file(",
        ];
        refused(&sandbox, &words, &parts);
    }
    let words = "import --network cnn --out x --state-dict";
    refused(&sandbox, &format!("{words} net.h5"), &["net.h5", "HDF5"]);
    refused(&sandbox, &format!("{words} page"), &["page", "HTML"]);
    // Wherever a checkpoint is wanted, too.
    refused(
        &sandbox,
        "export net.pth --state-dict x",
        &["net.pth", "torch.save"],
    );
    let own = model("mlp", DIGIT, 10, InputMap::Halve);
    sandbox.write("own.float", own.to_bytes());
    let parts = ["own.float", "this is a checkpoint"];
    refused(&sandbox, &format!("{words} own.float"), &parts);
}
