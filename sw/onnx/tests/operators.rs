//! Small models of every operator, and what onnxruntime and qonnx compute of them.
//!
//! `vectors/operators.py` writes the file; each model is one or a few nodes.

mod support;

use brownout_onnx::network::{Network, Shape};
use brownout_onnx::{network_of, reference};
use std::path::Path;

/// Largest difference beside 1 + |value|: a few roundings of single precision.
const TOLERANCE: f32 = 2e-6;

/// The image of `cases.py`, its elements in the network's order.
fn image(network: &Network, integers: Option<bool>) -> Vec<f32> {
    let shape = network.tensors[network.input].shape;
    let value = |at: usize| {
        let raw = ((37 * at + 11) % 101) as f32;
        match integers {
            None => (raw - 50.0) / 16.0,
            Some(true) => raw - 50.0,
            Some(false) => raw,
        }
    };
    let Shape {
        channels,
        height,
        width,
    } = shape;
    let place = |at: usize| match network.channels_last {
        false => at,
        true => {
            let (channel, pixel) = (at / (height * width), at % (height * width));
            pixel * channels + channel
        }
    };
    (0..shape.len()).map(|at| value(place(at))).collect()
}

#[test]
fn every_operator_computes_what_onnxruntime_and_qonnx_do() {
    let (mut cases, mut worst, mut wrong) = (0, 0f32, Vec::new());
    for (name, model, outputs) in support::cases() {
        cases += 1;
        let network = match network_of(model, Path::new(name)) {
            Ok(network) => network,
            Err(refusal) => {
                wrong.push(refusal.to_string());
                continue;
            }
        };
        let integers = match name {
            _ if name.starts_with("QLinearConv, int8") => Some(true),
            _ if name.starts_with("QLinear") || name.starts_with("QGemm") => Some(false),
            _ => None,
        };
        let found = reference::run(&network, &image(&network, integers)).unwrap();
        let (words, _) = outputs.as_chunks::<4>();
        let wanted: Vec<f32> = words.iter().map(|&w| f32::from_le_bytes(w)).collect();
        if found.len() != wanted.len() {
            wrong.push(format!(
                "{name}: {} outputs, not {}",
                found.len(),
                wanted.len()
            ));
            continue;
        }
        let distance = |(a, b): (&f32, &f32)| (a - b).abs() / (1.0 + b.abs());
        let far = found.iter().zip(&wanted).map(distance).fold(0f32, f32::max);
        worst = worst.max(far);
        if far.is_nan() || far > TOLERANCE {
            wrong.push(format!("{name}: off by {far}: {found:?}, not {wanted:?}"));
        }
    }
    println!("{cases} models, largest difference {worst}");
    let shown: Vec<String> = wrong
        .iter()
        .map(|w| w.chars().take(600).collect())
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {cases}:\n{}",
        wrong.len(),
        shown.join("\n")
    );
    assert!(cases > 150, "only {cases} models");
}
