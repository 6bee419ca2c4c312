//! `brownout study` from a network of anybody's: a graph in a checkpoint, as `import --onnx` writes.

mod common;

use brownout_golden::float::{FloatModel, Form};
use brownout_golden::model::InputMap;
use brownout_golden::network::{Builder, Parameters};
use brownout_spec::program::Shape;
use common::Sandbox;
use serde_json::Value;

const STUDY: &str = r#"
title = "Own"
question = "Does it run?"
network = "mine"
train_images = 320

[start]

[training]
epochs = 1
code = "none"

[[networks]]
name = "rounded"
rounded = { weight_bits = 8, code = "none" }

[[networks]]
name = "trained"
training = { clip = { range = 0.3 } }

[[readings]]
name = "keep"
evaluate = { rates = [0, 1e-2], chips = 2, images = 60 }
"#;

/// A graph that has no name among the built-in ones.
fn graph() -> FloatModel {
    let image = Shape {
        height: 28,
        width: 28,
        channels: 1,
    };
    let architecture = Builder::new("mine", image)
        .convolution("stem", 4, 3, 2, 1, true)
        .global_average_pool("mean")
        .dense("logits", 10, false)
        .build()
        .unwrap();
    FloatModel {
        network: Form::Graph("mine".to_owned()),
        parameters: Parameters::random(&architecture, 1, 0),
        image,
        input: InputMap::Halve,
        origin: "mine.onnx".to_owned(),
        architecture,
    }
}

fn sandbox(study: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("own.toml", study);
    sandbox.write("mine.float", graph().to_bytes());
    sandbox
}

const LINE: [&str; 8] = [
    "study",
    "own.toml",
    "--data",
    "glyphs",
    "--start",
    "mine.float",
    "--json",
    "--quiet",
];

#[test]
fn a_study_starts_from_a_graph_that_its_checkpoint_brings() {
    let sandbox = sandbox(STUDY);
    let report: Value = serde_json::from_str(&sandbox.ok(&LINE).out).unwrap();
    // Two networks, and a reading of each.
    assert_eq!(report["made"], 4);
    let again: Value = serde_json::from_str(&sandbox.ok(&LINE).out).unwrap();
    assert_eq!(again["made"], 0);
    let text = std::fs::read_to_string(sandbox.path("own/ledger.json")).unwrap();
    let ledger: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        ledger["networks"]["trained"]["result"]["trained"]["network"],
        "mine"
    );
}

#[test]
fn another_network_than_the_study_names_and_a_state_dict_of_a_graph_are_refused() {
    let sandbox = sandbox(&STUDY.replace("\"mine\"", "\"other\""));
    let answer = sandbox.run(&LINE);
    assert!(
        answer
            .err
            .contains("which is mine; allowed is other, the study's network"),
        "{}",
        answer.err
    );
    let sandbox = self::sandbox(STUDY);
    // A safetensors file without tensors is no checkpoint.
    sandbox.write("mine.float", [&2u64.to_le_bytes()[..], b"{}"].concat());
    let answer = sandbox.run(&LINE);
    assert!(
        answer
            .err
            .contains("network is mine; allowed is one of the built-in networks"),
        "{}",
        answer.err
    );
}
