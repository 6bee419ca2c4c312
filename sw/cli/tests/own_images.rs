//! Images of one's own give what the same images give from anywhere else.
#![cfg(feature = "foreign")]

mod common;

use brownout_golden::data::{Dataset, glyph};
use common::Sandbox;
use serde_json::Value;

/// Images that are measured.
const IMAGES: usize = 60;

/// An array as NumPy writes it.
fn npy(descr: &str, shape: &str, values: Vec<u8>) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), &values].concat()
}

fn write(sandbox: &Sandbox, folder: &str, (descr, shape): (&str, &str), values: Vec<u8>) {
    let glyphs = glyphs();
    std::fs::create_dir_all(sandbox.path(folder)).unwrap();
    let images = npy(descr, shape, values);
    sandbox.write(&format!("{folder}/x_test.npy"), images);
    let labels = glyphs
        .labels
        .iter()
        .flat_map(|&label| i64::from(label).to_le_bytes());
    let labels = npy("<i8", &format!("{IMAGES}, 1"), labels.collect());
    sandbox.write(&format!("{folder}/y_test.npy"), labels);
}

/// What `--data glyphs` has, the first of it.
fn glyphs() -> Dataset {
    glyph::split(1, 0, IMAGES).test
}

fn points(sandbox: &Sandbox, data: &str) -> Value {
    let line = format!(
        "evaluate model.safetensors --data {data} --images {IMAGES} --chips 3 --rates 0,0.01 --json --quiet"
    );
    let words: Vec<&str> = line.split(' ').collect();
    let document: Value = serde_json::from_str(&sandbox.ok(&words).out).unwrap();
    document["points"].clone()
}

#[test]
fn pixels_activations_and_real_numbers_of_the_same_images_give_the_same_measurements() {
    let sandbox = Sandbox::with_model();
    let expected = points(&sandbox, "glyphs");
    assert!(expected[1]["error"]["mean"].as_f64() > expected[0]["error"]["mean"].as_f64());
    let pixels = glyphs().images.bytes().unwrap().to_vec();
    // The map of the model halves pixels, and an activation counts a 64th.
    let halves = pixels.iter().map(|&p| p >> 1);
    let reals = halves.clone().map(|a| f32::from(a) / 64.0);
    let first = format!("{IMAGES}, 1, 28, 28");
    let flat = format!("{IMAGES}, 784");
    let without = format!("{IMAGES}, 28, 28");
    for (folder, descr, shape, values) in [
        ("bytes", "|u1", &without, pixels.clone()),
        ("activations", "|i1", &first, halves.clone().collect()),
        (
            "reals",
            "<f4",
            &without,
            reals.clone().flat_map(f32::to_le_bytes).collect(),
        ),
        (
            "doubles",
            ">f8",
            &flat,
            reals.flat_map(|r| f64::from(r).to_be_bytes()).collect(),
        ),
    ] {
        write(&sandbox, folder, (descr, shape), values);
        assert_eq!(
            points(&sandbox, &format!("npy:{folder}")),
            expected,
            "{folder}"
        );
    }
}

#[test]
fn labels_that_are_tensors_are_trained_and_reported_by_the_mean_squared_error() {
    let sandbox = Sandbox::new();
    let pixels = glyphs().images.bytes().unwrap().to_vec();
    // Of each image its own mean, and the half of it.
    let targets = pixels.chunks(784).flat_map(|image| {
        let mean = image.iter().map(|&p| f32::from(p)).sum::<f32>() / 784.0 / 64.0;
        [mean, mean / 2.0].map(f32::to_le_bytes)
    });
    let targets: Vec<u8> = targets.flatten().collect();
    std::fs::create_dir_all(sandbox.path("own")).unwrap();
    for part in ["train", "test"] {
        let images = npy("|u1", &format!("{IMAGES}, 28, 28"), pixels.clone());
        sandbox.write(&format!("own/x_{part}.npy"), images);
        let labels = npy("<f4", &format!("{IMAGES}, 2"), targets.clone());
        sandbox.write(&format!("own/y_{part}.npy"), labels);
    }
    let train = "train --data npy:own --network mlp --epochs 80 --batch 32 --learning-rate 0.02 --code none --checkpoint own.float";
    let words: Vec<&str> = train.split(' ').chain(["--json"]).collect();
    let answer = sandbox.ok(&words);
    assert!(answer.err.contains("mean squared error"), "{}", answer.err);
    let report: Value = serde_json::from_str(&answer.out).unwrap();
    let errors = report["squared_errors"].as_array().unwrap();
    for error in errors {
        assert!(error.as_f64().unwrap() < 0.01, "{report}");
    }
    let words: Vec<&str> = train.split(' ').chain(["--quiet"]).collect();
    let table = sandbox.ok(&words).out;
    assert!(table.contains("mean squared error"), "{table}");
    sandbox.write("smooth.toml", "[training]\nlabel_smoothing = 0.1\n");
    let refused = sandbox.run(&[&words[..], &["--config", "smooth.toml"]].concat());
    let reason = "label smoothing is 0.1; allowed is 0";
    assert!(refused.err.contains(reason), "{}", refused.err);
}

#[test]
fn it_is_said_what_pixels_are_that_are_no_bytes() {
    let sandbox = Sandbox::with_model();
    let values = vec![0; IMAGES * 784 * 4];
    write(
        &sandbox,
        "reals",
        ("<f4", &format!("{IMAGES}, 784")),
        values,
    );
    let words = [
        "evaluate",
        "model.safetensors",
        "--data",
        "npy:reals",
        "--rates",
        "0",
    ];
    let answer = sandbox.ok(&words);
    assert!(
        answer.err.contains("rounded to the map's step"),
        "{}",
        answer.err
    );
}
