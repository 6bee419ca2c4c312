//! Random networks that ONNX's own packages wrote and ran, read here and run in the laboratory's
//! floating point.
//!
//! `random/graphs.py` makes them with the packages of `.tools/`; without these the test skips with
//! a message where BROWNOUT_SKIP_ONNX says so, and fails otherwise.

mod support;

use brownout_golden::network::Evaluator;
use brownout_onnx::network::{Network, Shape};
use brownout_onnx::{lower, read_network, reference};
use std::collections::BTreeMap;
use support::{floats, python, write};

/// Networks of a run.
const NETWORKS: usize = 320;
/// Largest difference to what the packages give, relative to the largest value of a network's
/// output or to one: sums of hundreds of products in single precision, in another order.
const TOLERANCE: f32 = 1e-5;
/// What must occur, and at least how often: everything of the operator table.
const FEATURES: [&str; 32] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Conv",
    "Dropout",
    "Elu",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Pad",
    "ReduceMean",
    "Resize",
    "Shape",
    "Sigmoid",
    "Tanh",
    "Upsample",
    "ceil_mode",
    "dense_block",
    "depthwise",
    "dilation",
    "groups",
    "norm_of_a_pool",
    "norm_of_the_image",
    "norm_of_values",
    "preactivation",
];
const LEAST: usize = 10;

/// Channels first to channels last.
fn channels_last(values: &[f32], shape: Shape) -> Vec<f32> {
    let pixels = shape.height * shape.width;
    let mut moved = Vec::with_capacity(values.len());
    for pixel in 0..pixels {
        moved.extend((0..shape.channels).map(|channel| values[channel * pixels + pixel]));
    }
    moved
}

/// What the laboratory computes.
fn run(network: &Network, image: &[f32]) -> Result<Vec<f32>, String> {
    let lowered = lower::lower(network, "random")?;
    let evaluator = Evaluator::exact(&lowered.architecture, &lowered.parameters);
    let mut values = evaluator.values();
    let image = channels_last(image, network.tensors[network.input].shape);
    evaluator.run(image.into_iter(), &mut values);
    Ok(values.logits().to_vec())
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1.0, |most: f32, v| most.max(v.abs()));
    let pairs = a.iter().zip(b);
    pairs.fold(0.0, |most: f32, (a, b)| most.max((a - b).abs())) / largest
}

/// Networks of `readers.py`, and how far from the packages' result the laboratory may be: three
/// steps of 0.04 where quantizers are left out, which none of the wrong readings is within.
const READERS: [(&str, f32); 11] = [
    ("two_dequantizers", 0.12),
    ("flattened_and_convolved", TOLERANCE),
    ("added_after_it_was_read", TOLERANCE),
    ("integer_convolution_read_twice", 0.12),
    ("two_dense_layers_of_the_image", TOLERANCE),
    ("factor_of_each_flattened_value", TOLERANCE),
    ("norm_of_each_flattened_value", TOLERANCE),
    ("flattened_maps_side_by_side", TOLERANCE),
    ("norms_of_the_image_and_of_what_is_read_twice", TOLERANCE),
    ("factors_in_front_of_weights_of_groups", TOLERANCE),
    ("a_residual_sum_gives_the_results", TOLERANCE),
];
/// Those without a form here, and what is said of them.
const REFUSED: [(&str, &str); 1] = [(
    "norm_of_each_flattened_value_behind_a_clip",
    "for each value of what was a map",
)];

#[test]
fn values_with_several_readers_or_shapes_are_the_ones_of_the_file() {
    let Some(python) = python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&python, "readers.py", folder.path(), &[]);
    let file = |name: &str, ending: &str| folder.path().join(format!("{name}.{ending}"));
    let read = |name: &str| {
        let network = read_network(&file(name, "onnx")).expect("it is read");
        let (image, expected) = (floats(&file(name, "input")), floats(&file(name, "output")));
        let read = reference::run(&network, &image).expect("an image of the network");
        assert!(difference(&read, &expected) < 1e-4, "{name} as read");
        (run(&network, &image), expected)
    };
    for (name, tolerance) in READERS {
        let (found, expected) = read(name);
        let apart = difference(&found.expect("it has a form here"), &expected);
        assert!(apart < tolerance, "{name}: {apart}");
    }
    for (name, reason) in REFUSED {
        let problem = read(name).0.expect_err("it has no form here");
        assert!(problem.contains(reason), "{name}: {problem}");
    }
}

#[test]
fn random_networks_give_what_the_packages_give_that_wrote_them() {
    let Some(python) = python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(
        &python,
        "graphs.py",
        folder.path(),
        &[&NETWORKS.to_string(), "1"],
    );
    let mut features = BTreeMap::new();
    let mut worst = (0.0, String::new());
    let mut problems = Vec::new();
    for number in 0..NETWORKS {
        let file = |ending: &str| folder.path().join(format!("{number}.{ending}"));
        let text = std::fs::read_to_string(file("txt")).expect("the script has written it");
        for feature in text.split_whitespace().skip(2) {
            *features.entry(feature.to_owned()).or_insert(0) += 1;
        }
        let network = read_network(&file("onnx"))
            .unwrap_or_else(|problem| panic!("network {number} ({text}): {problem}"));
        let (image, expected) = (floats(&file("input")), floats(&file("output")));
        let read = reference::run(&network, &image).expect("an image of the network");
        let apart = difference(&read, &expected);
        assert!(
            apart < TOLERANCE,
            "network {number} ({text}) as read: {apart}"
        );
        match run(&network, &image) {
            Err(problem) => problems.push(format!("network {number} ({text}): {problem}")),
            Ok(found) => {
                let apart = difference(&found, &expected);
                assert!(apart < TOLERANCE, "network {number} ({text}): {apart}");
                if apart > worst.0 {
                    worst = (apart, format!("network {number}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    println!("largest relative difference {} in {}", worst.0, worst.1);
    for feature in FEATURES {
        let found = features.get(feature).copied().unwrap_or(0);
        assert!(found >= LEAST, "{feature} occurs {found} times");
    }
}
