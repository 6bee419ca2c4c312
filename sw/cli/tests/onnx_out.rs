//! From a trained network to an ONNX file, as a user gets one.
#![cfg(feature = "foreign")]

mod common;

use brownout_golden::model::IntegerModel;
use brownout_onnx::schema::ModelProto;
use brownout_onnx::write::{Restored, restore};
use brownout_spec::code::CodeName;
use common::Sandbox;
use prost::Message;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A folder with a checkpoint and its integer model.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&[
        "train",
        "--out",
        "model.safetensors",
        "--checkpoint",
        "model.float",
        "--train-images",
        "320",
        "--epochs",
        "1",
        "--quiet",
    ]);
    sandbox
}

fn read(sandbox: &Sandbox, name: &str) -> Vec<u8> {
    std::fs::read(sandbox.path(name)).unwrap()
}

fn restored(sandbox: &Sandbox, name: &str) -> IntegerModel {
    let file = ModelProto::decode(&read(sandbox, name)[..]).unwrap();
    match restore(&file) {
        Restored::Model(model) => *model,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_checkpoint_and_its_model_give_the_same_file_and_the_file_gives_the_model_back() {
    let sandbox = trained();
    sandbox.ok(&[
        "export",
        "model.float",
        "--data",
        "glyphs",
        "--out",
        "again.safetensors",
        "--onnx",
        "direct.onnx",
        "--quiet",
    ]);
    for (file, arguments) in [
        ("through.onnx", &[][..]),
        ("other.onnx", &["--dialect", "qonnx"]),
    ] {
        let export = ["export", "again.safetensors", "--onnx", file, "--json"];
        let answer = sandbox.ok(&[&export[..], arguments].concat());
        let report: Value = serde_json::from_str(&answer.out).unwrap();
        let dialect = arguments.last().unwrap_or(&"qdq");
        assert_eq!(report["onnx"]["dialect"], *dialect);
        assert_eq!(report["onnx"]["file"], file);
        assert_eq!(report["onnx"]["image"], serde_json::json!([1, 28, 28]));
        let model = restored(&sandbox, file);
        let bytes = model.to_bytes().unwrap();
        assert!(bytes == read(&sandbox, "again.safetensors"), "{file}");
    }
    assert!(read(&sandbox, "direct.onnx") == read(&sandbox, "through.onnx"));
}

#[test]
fn onnxruntime_takes_the_file_and_gives_results_for_any_number_of_images() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/onnx-python");
    if !python.exists() {
        let skipped = std::env::var_os("BROWNOUT_SKIP_ONNX").is_some();
        assert!(skipped, "{} is missing: run `make tools`", python.display());
        eprintln!("skipped: BROWNOUT_SKIP_ONNX is set");
        return;
    }
    let sandbox = trained();
    sandbox.ok(&["export", "model.safetensors", "--onnx", "model.onnx"]);
    let script = "
import numpy, onnxruntime
session = onnxruntime.InferenceSession('model.onnx')
for count in (1, 3):
    x = numpy.zeros((count, 1, 28, 28), numpy.float32)
    print(*session.run(None, {'input': x})[0].shape)
metadata = session.get_modelmeta().custom_metadata_map
print(metadata['brownout-pixels'])
";
    let said = Command::new(python)
        .args(["-c", script])
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{errors}");
    let said = String::from_utf8_lossy(&said.stdout);
    assert_eq!(said, "1 10\n3 10\nfloor(pixel / 2) / 64\n");
}

#[test]
fn a_channel_without_a_form_is_named_and_nothing_is_written() {
    let sandbox = trained();
    let path = sandbox.path("model.safetensors");
    let mut model = IntegerModel::read(&path).unwrap();
    model.code = CodeName::None;
    let layer = model
        .layers
        .iter()
        .position(|l| l.weights.is_some())
        .unwrap();
    let tensors = &mut model.layers[layer];
    tensors.channels[2].multiplier = -tensors.channels[2].multiplier.abs().max(1);
    tensors.weights.as_mut().unwrap().integers[[2, 0, 0, 0]] = -128;
    model.write(&path).unwrap();
    let answer = sandbox.run(&["export", "model.safetensors", "--onnx", "model.onnx"]);
    assert_eq!(answer.status, Some(2), "{}", answer.err);
    let name = &model.network.layers[layer].name;
    let named = format!("layer {layer} ({name}): output channel 2 has a negative multiplier");
    assert!(answer.err.contains(&named), "{}", answer.err);
    assert!(answer.err.contains("-127"), "{}", answer.err);
    assert!(!sandbox.names().contains(&"model.onnx".to_owned()));
}

#[test]
fn no_result_replaces_the_images_that_are_read() {
    let sandbox = trained();
    let file = "images.npz";
    sandbox.write(file, b"somebody's images");
    let data = format!("npz,hold=all:{file}");
    for line in [
        format!("export model.float --data {data} --onnx {file}"),
        format!("export model.float --data {data} --out {file}"),
        format!("train --data {data} --out {file}"),
        format!("evaluate model.safetensors --data {data} --rates 0 --out-csv {file}"),
        format!("import --onnx model.onnx --data {data} --out {file}"),
    ] {
        sandbox.write("model.onnx", b"");
        let words: Vec<&str> = line.split(' ').collect();
        let answer = sandbox.run(&words);
        assert_eq!(answer.status, Some(2), "{line}: {}", answer.err);
        assert!(answer.err.contains(file), "{line}: {}", answer.err);
        assert_eq!(read(&sandbox, file), b"somebody's images", "{line}");
    }
}

#[test]
fn a_quantized_file_comes_back_on_its_own_grids_and_training_goes_on_from_them() {
    let sandbox = Sandbox::new();
    let line = "train --out model.safetensors --checkpoint model.float --train-images 320 --epochs 1 --weight-bits 4 --code inplace-32-26 --quiet";
    sandbox.ok(&line.split(' ').collect::<Vec<_>>());
    sandbox.ok(&["export", "model.safetensors", "--onnx", "model.onnx"]);
    let answer = sandbox.ok(&[
        "import",
        "--onnx",
        "model.onnx",
        "--form",
        "grids",
        "--out",
        "own.float",
        "--json",
    ]);
    let report: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(report["grids"]["weight_bits"], 4);
    // Brownout's own metadata say what pixels mean; another map is refused.
    assert_eq!(report["input_map"], "halve");
    let other = "import --onnx model.onnx --form grids --input unit --out no.float";
    let other = sandbox.run(&other.split(' ').collect::<Vec<_>>());
    assert_eq!(other.status, Some(2));
    let said = "--input is unit; allowed is halve, which the metadata of model.onnx say";
    assert!(other.err.contains(said), "{}", other.err);
    let model = |name: &str| IntegerModel::read(&sandbox.path(name)).unwrap();
    sandbox.ok(&[
        "export",
        "own.float",
        "--data",
        "glyphs",
        "--out",
        "own.safetensors",
        "--quiet",
    ]);
    let (before, own) = (model("model.safetensors"), model("own.safetensors"));
    assert_eq!(own.weight_tensors(), before.weight_tensors());
    let train = |more: &[&str]| {
        let usual = [
            "train",
            "--from",
            "own.float",
            "--train-images",
            "64",
            "--epochs",
            "1",
            "--quiet",
            "--learning-rate",
            "0.0001",
        ];
        sandbox.run(&[&usual[..], more].concat())
    };
    let trained = train(&["--own-grids", "--checkpoint", "trained.float"]);
    assert_eq!(trained.status, Some(0), "{}", trained.err);
    let grids = |name: &str| {
        let network = brownout_golden::quantized::QuantizedNetwork::read(&sandbox.path(name));
        network.unwrap().quantization
    };
    // The code is its own too, where none is given.
    assert_eq!(grids("trained.float"), grids("own.float"));
    let robust = train(&[
        "--own-grids",
        "--code",
        "inplace-32-26",
        "--quantizer",
        "wcat",
        "--noise",
        "0.01",
        "--out",
        "robust.safetensors",
        "--accept",
    ]);
    assert_eq!(robust.status, Some(0), "{}", robust.err);
    assert_eq!(model("robust.safetensors").code, CodeName::Inplace32_26);
    for (more, part) in [
        (
            &[
                "--own-grids",
                "--weight-bits",
                "8",
                "--checkpoint",
                "x.float",
            ][..],
            "--weight-bits",
        ),
        (
            &[
                "--own-grids",
                "--quantizer",
                "symmetric",
                "--checkpoint",
                "x.float",
            ],
            "quantizer is symmetric",
        ),
    ] {
        let refused = train(more);
        assert_eq!(refused.status, Some(2), "{}", refused.err);
        assert!(refused.err.contains(part), "{}", refused.err);
        assert!(!sandbox.path("x.float").exists());
    }
    let missing = sandbox.run(&["train", "--own-grids", "--out", "x.float"]);
    assert_eq!(missing.status, Some(2), "{}", missing.err);
    assert!(missing.err.contains("--from"), "{}", missing.err);
}

#[test]
fn a_recipe_on_own_grids_says_what_is_in_force_and_what_contradicts_them_is_refused() {
    let sandbox = Sandbox::new();
    let run = |line: &str| sandbox.run(&line.split(' ').collect::<Vec<_>>());
    let made = run(
        "train --out model.safetensors --checkpoint model.float --train-images 320 --epochs 1 --weight-bits 4 --scale channel --code none --quiet",
    );
    assert_eq!(made.status, Some(0), "{}", made.err);
    let from = "train --from model.float --own-grids --train-images 64 --epochs 1 --learning-rate 0.0001 --quiet";
    let flags = run(&format!("{from} --checkpoint flags.float"));
    assert_eq!(flags.status, Some(0), "{}", flags.err);
    let printed = run(&format!("{from} --checkpoint printed.float --print-config"));
    for part in [
        "weight_bits = 4",
        "granularity = \"channel\"",
        "code = \"none\"",
    ] {
        assert!(printed.out.contains(part), "{part}: {}", printed.out);
    }
    let write = |name: &str, text: &str| std::fs::write(sandbox.path(name), text).unwrap();
    write("printed.toml", &printed.out);
    // A recipe that says nothing of weights leaves them to the grids as well.
    let usual = "from = \"model.float\"\nown_grids = true\ntrain_images = 64\n";
    let few = "[training]\nepochs = 1\nlearning_rate = 0.0001\n";
    write(
        "few.toml",
        &format!("{usual}checkpoint = \"few.float\"\n{few}"),
    );
    for name in ["printed", "few"] {
        let again = run(&format!("train --config {name}.toml --quiet"));
        assert_eq!(again.status, Some(0), "{name}: {}", again.err);
        assert!(
            read(&sandbox, "flags.float") == read(&sandbox, &format!("{name}.float")),
            "{name} is another run"
        );
    }
    for (setting, part) in [
        ("weight_bits = 8", "weight bits is 8; allowed is 4, as"),
        (
            "granularity = \"tensor\"",
            "granularity is tensor; allowed is channel",
        ),
        (
            "[training.activations]\nbits = 4",
            "activations is of 4 bits",
        ),
    ] {
        let text = format!("{usual}checkpoint = \"bad.float\"\n{few}{setting}\n");
        write("bad.toml", &text);
        let bad = run("train --config bad.toml --quiet");
        assert_eq!(bad.status, Some(2), "{setting}: {}", bad.err);
        assert!(bad.err.contains(part), "{}", bad.err);
        assert!(!sandbox.path("bad.float").exists());
    }
}
