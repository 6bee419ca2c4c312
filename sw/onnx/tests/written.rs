//! Random integer models of every operator, written as ONNX files and run by the packages that
//! define these files: value by value what hardware computes, but for values that lie just
//! between two integers.
//!
//! `judges/run.py` runs them with the packages of `.tools/`; without these the test skips with a
//! message where BROWNOUT_SKIP_ONNX says so, and fails otherwise.

mod support;

use brownout_golden::model::IntegerModel;
use brownout_onnx::read_written;
use brownout_onnx::schema::ModelProto;
use brownout_onnx::write::{Dialect, Restored, restore, write};
use brownout_spec::program::{Layer, Operation, Window};
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::Path;
use support::compare::{Answer, Tally, compare};
use support::judges;
use support::random_model::random_model;

/// Models of a run, and images of each.
const MODELS: u64 = 240;
const IMAGES: usize = 2;
/// Least models with each operator.
const LEAST: usize = 30;

/// A model with its images, plane by plane, and the unit of its results.
struct Case {
    model: IntegerModel,
    images: Vec<Vec<i8>>,
    unit: f64,
}

/// Writes a model's files and what its judges need; from both files it comes back to the bit.
fn case(folder: &Path, seed: u64) -> Case {
    let model = random_model(seed);
    let mut random = ChaCha8Rng::seed_from_u64(!seed);
    let mut image = || -> Vec<i8> {
        let values = 0..model.network.input.volume();
        values.map(|_| random.random()).collect()
    };
    let images: Vec<Vec<i8>> = (0..IMAGES).map(|_| image()).collect();
    let step = model.input.step();
    let reals = images.iter().flatten().map(|&q| f32::from(q) * step);
    let reals: Vec<u8> = reals.flat_map(f32::to_le_bytes).collect();
    let write_file = |ending: &str, bytes: &[u8]| {
        std::fs::write(folder.join(format!("{seed}.{ending}")), bytes).expect("a temporary file");
    };
    write_file("input", &reals);
    let hidden = &model.network.layers[..model.network.layers.len() - 1];
    let names: String = hidden.iter().map(|l| format!("{}\n", l.name)).collect();
    write_file("txt", names.as_bytes());
    let mut unit = 0.0;
    for dialect in [Dialect::Qdq, Dialect::Qonnx] {
        let written = write(&model, dialect).unwrap_or_else(|e| panic!("{seed}: {e}"));
        let file = ModelProto::decode(&written.bytes[..]).expect("messages");
        let restored = restore(&file);
        let same = restored == Restored::Model(Box::new(model.clone()));
        assert!(same, "{seed} {dialect}: {restored:?}");
        unit = written.unit;
        let name = format!("{dialect}.onnx");
        write_file(&name, &written.bytes);
        // Also where a node of the file is none that is read from anybody.
        let read = read_written(&folder.join(format!("{seed}.{name}")));
        assert_eq!(read.expect("a file").1, restored, "{seed} {dialect}");
    }
    Case {
        model,
        images,
        unit,
    }
}

fn feature(layer: &Layer) -> &'static str {
    match layer.operation {
        Operation::Convolution {
            residual: Some(_), ..
        } => "residual",
        Operation::Convolution {
            groups: 1, window, ..
        } if window == Window::square(1, 1, 0) => "dense",
        other => other.kind(),
    }
}

/// Every operator occurs in enough of the models.
fn check_features(cases: &[Case]) {
    let mut counts = BTreeMap::new();
    for case in cases {
        let layers = case.model.network.layers.iter();
        let features: std::collections::BTreeSet<_> = layers.map(feature).collect();
        for feature in features {
            *counts.entry(feature).or_insert(0) += 1;
        }
    }
    assert_eq!(counts.len(), 12, "{counts:?}");
    for (feature, count) in counts {
        assert!(count >= LEAST, "{feature} occurs {count} times");
    }
}

#[test]
fn random_models_give_the_integers_of_hardware_but_for_values_between_two() {
    let Some(python) = support::python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let cases: Vec<Case> = (0..MODELS).map(|seed| case(path, seed)).collect();
    check_features(&cases);
    let arguments = [&*path.to_string_lossy(), &MODELS.to_string()];
    judges::run(&python, "run.py", &arguments);
    for judge in ["runtime", "reference", "qonnx"] {
        let mut tally = Tally::default();
        for (seed, case) in cases.iter().enumerate() {
            let name = format!("{seed}.{judge}");
            let Some(answer) = Answer::read(path, &name) else {
                assert!(judge == "reference" && seed % 10 > 0, "{name} is missing");
                continue;
            };
            for (number, image) in case.images.iter().enumerate() {
                let image = (&image[..], number, IMAGES);
                compare(&case.model, image, (&answer, case.unit), &mut tally);
            }
        }
        println!("{judge}: {}", tally.line());
        assert!(tally.values > 10_000 && tally.share() < 0.001, "{judge}");
    }
    let mut same = 0;
    for (seed, case) in cases.iter().enumerate() {
        let [own, optimized] = ["runtime", "optimized"].map(|judge| {
            let answer = Answer::read(path, &format!("{seed}.{judge}"));
            answer.expect("an answer").results
        });
        let pairs = own.iter().zip(&optimized);
        let apart = pairs.fold(0.0f64, |most, (a, b)| most.max(f64::from((a - b).abs())));
        same += usize::from(apart <= case.unit);
    }
    println!("{same} of {MODELS} models give the same results when onnxruntime optimizes them");
    assert!(same as u64 * 10 >= MODELS * 9, "{same} of {MODELS}");
}
