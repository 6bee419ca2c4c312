//! The README's way of somebody else's network: from ONNX through robust training to a weight
//! image, generated hardware and back to ONNX.
#![cfg(all(feature = "simulate", feature = "foreign"))]

mod common;

use common::Sandbox;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A folder of networks that other people made.
fn networks() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/networks");
    if !folder.is_dir() {
        eprintln!("skipped: {} is missing", folder.display());
        return None;
    }
    Some(folder)
}

/// A command of words, and its report.
fn report(sandbox: &Sandbox, line: &str) -> Value {
    let words: Vec<&str> = line.split(' ').chain(["--json", "--quiet"]).collect();
    serde_json::from_str(&sandbox.ok(&words).out).unwrap_or_else(|e| panic!("{line}: {e}"))
}

/// Mean error at a rate of `evaluate`'s report.
fn error(report: &Value, point: usize) -> f64 {
    let error = &report["points"][point]["error"]["mean"];
    error.as_f64().unwrap_or_else(|| panic!("{report}"))
}

/// Generates the smallest hardware for a trained model, runs `images` on it with faults, and takes
/// the model to ONNX and back.
fn to_hardware_and_back(sandbox: &Sandbox, data: &str, images: usize) {
    report(sandbox, "generate --fit robust.safetensors --out verilog");
    let run = format!(
        "simulate robust.safetensors --config verilog/brownout.toml --data {data} --images {images} --rates 0.01"
    );
    let run = report(sandbox, &run);
    assert_eq!(run["mismatches"], 0, "{run}");
    assert_eq!(run["logits_compared"], 12 * images, "{run}");
    assert!(run["points"][0]["corrected"].as_f64() > Some(0.0), "{run}");
    let model = std::fs::read(sandbox.path("robust.safetensors")).unwrap();
    for dialect in ["qdq", "qonnx"] {
        let export = "export robust.safetensors --onnx robust.onnx --dialect";
        report(sandbox, &format!("{export} {dialect}"));
        report(sandbox, "import --onnx robust.onnx --out back.safetensors");
        let back = std::fs::read(sandbox.path("back.safetensors")).unwrap();
        assert!(back == model, "{dialect}: another model comes back");
    }
}

#[test]
fn keyword_spotting_of_three_bits_becomes_robust_and_leaves_as_onnx() {
    let Some(networks) = networks() else { return };
    let sandbox = Sandbox::new();
    let file = networks.join("kws-w3a3.onnx");
    let vectors = networks.join("kws-w3a3-vectors.npz");
    let (file, vectors) = (file.display(), vectors.display());
    // The file's own integers.
    let own = format!("import --onnx {file} --data npz,hold=all:{vectors} --out kws.safetensors");
    let own = report(&sandbox, &own);
    assert_eq!(own["measured"]["correct"], 825, "{own}");
    // As a network to train.
    let data = format!("npz,hold=5:{vectors}");
    let checkpoint =
        format!("import --onnx {file} --form checkpoint --data {data} --out kws.float");
    let checkpoint = report(&sandbox, &checkpoint);
    assert!(
        checkpoint["measured"]["accuracy"].as_f64() > Some(0.8),
        "{checkpoint}"
    );
    let train = "train --from kws.float --weight-bits 4 --scale channel --quantizer wcat --code inplace-32-26 --randbet 0.01 --through-decoder --learning-rate 0.001 --epochs 10 --checkpoint robust.float --out robust.safetensors";
    report(&sandbox, &format!("{train} --data {data}"));
    let evaluate = |model: &str| {
        let line = format!("evaluate {model} --data {data} --rates 0.01 --chips 10");
        error(&report(&sandbox, &line), 0)
    };
    let (plain, robust) = (evaluate("kws.safetensors"), evaluate("robust.safetensors"));
    assert!(robust < plain - 0.08, "{robust} against {plain}");
    to_hardware_and_back(&sandbox, &data, 2);
}

#[test]
fn a_depthwise_network_becomes_robust_and_leaves_as_onnx() {
    let Some(networks) = networks() else { return };
    let sandbox = Sandbox::new();
    let file = networks.join("kws-dscnn.onnx");
    let vectors = networks.join("kws-dscnn-vectors.npz");
    let data = format!("npz,hold=2:{}", vectors.display());
    // Its vectors have what onnxruntime makes of them for labels.
    let import = format!(
        "import --onnx {} --data {data} --out ds.float",
        file.display()
    );
    let import = report(&sandbox, &import);
    assert!(import["measured"]["loss"].as_f64() < Some(1e-8), "{import}");
    let train = "train --from ds.float --quantizer wcat --code inplace-64-57 --randbet 0.01 --through-decoder --learning-rate 0.0001 --epochs 2 --batch 32 --checkpoint robust.float --out robust.safetensors";
    report(&sandbox, &format!("{train} --data {data}"));
    to_hardware_and_back(&sandbox, &data, 2);
}
