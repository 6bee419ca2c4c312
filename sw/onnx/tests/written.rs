//! Random integer models of every operator, written as ONNX files and run by the packages that
//! define these files: value by value what hardware computes, but for values that lie just
//! between two integers.
//!
//! `judges/run.py` runs them with the packages of `.tools/`; without these the test skips with a
//! message where BROWNOUT_SKIP_ONNX says so, and fails otherwise.

mod support;

use brownout_golden::model::IntegerModel;
use brownout_onnx::write::{Dialect, Restored, restore, write};
use brownout_spec::program::{LayerShapes, Operation, Shape};
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::Path;
use support::exact::{Quotient, Tensor, quotient};
use support::judges;
use support::random_model::random_model;

/// Models of a run, and images of each.
const MODELS: u64 = 240;
const IMAGES: usize = 2;
/// Least models with each operator.
const LEAST: usize = 10;

/// What a judge gave for a model.
struct Answer {
    integers: Vec<i8>,
    results: Vec<f32>,
}

fn answer(folder: &Path, name: &str) -> Option<Answer> {
    let bytes = std::fs::read(folder.join(name)).ok()?;
    Some(Answer {
        integers: bytes.iter().map(|&b| b as i8).collect(),
        results: judges::floats(&folder.join(format!("{name}.output"))),
    })
}

/// Integers of an image of a random kind, one plane after the other.
fn image(shape: Shape, random: &mut ChaCha8Rng) -> Vec<i8> {
    (0..shape.volume()).map(|_| random.random()).collect()
}

#[derive(Default)]
struct Tally {
    values: usize,
    differ: usize,
    farthest: f64,
}

/// Compares an image's part of an answer with what each layer makes of the judge's own integers.
fn compare(
    (model, shapes): (&IntegerModel, &[LayerShapes]),
    input: &[i8],
    (answer, unit): (&Answer, f64),
    number: usize,
    tally: &mut Tally,
) {
    let mut tensors = vec![Tensor {
        shape: model.network.input,
        integers: input.to_vec(),
        zero: model.network.input_zero,
    }];
    let mut start = 0;
    for (index, s) in shapes.iter().enumerate() {
        let layer = &model.network.layers[index];
        let volume = s.output.volume();
        let reads: Vec<&Tensor> = layer.reads.iter().map(|&t| &tensors[t]).collect();
        let last = index + 1 == shapes.len();
        let found = |at: usize| match last {
            true => f64::from(answer.results[number * volume + at]) / unit,
            false => f64::from(answer.integers[start + number * volume + at]),
        };
        for at in 0..volume {
            let (pixel, channel) = (at % s.output.pixels(), at / s.output.pixels());
            let place = (channel, pixel / s.output.width, pixel % s.output.width);
            let quotient = quotient(model, (index, s), &reads, place);
            let said = format!("layer {index} ({}) at {place:?}", layer.operation.kind());
            check(
                (model, index),
                (quotient, last),
                (&reads, place),
                found(at),
                &said,
                tally,
            );
        }
        let integers = (0..volume).map(|at| found(at) as i8).collect();
        tensors.push(Tensor {
            shape: s.output,
            integers,
            zero: layer.zero,
        });
        start += IMAGES * volume;
    }
}

fn check(
    (model, index): (&IntegerModel, usize),
    (quotient, last): (Option<Quotient>, bool),
    (reads, (channel, row, column)): (&[&Tensor], (usize, usize, usize)),
    found: f64,
    said: &str,
    tally: &mut Tally,
) {
    let layer = &model.network.layers[index];
    let Some(Quotient { value, bound }) = quotient else {
        // A concat: the value of the part that has the channel.
        let mut channel = channel;
        let part = reads.iter().find(|part| {
            let here = channel < part.shape.channels;
            channel -= if here { 0 } else { part.shape.channels };
            here
        });
        let part = part.expect("a part");
        let at = (channel * part.shape.height + row) * part.shape.width + column;
        assert_eq!(found, f64::from(part.integers[at]), "{said}");
        return;
    };
    let (low, high) = (f64::from(layer.output.low), f64::from(layer.output.high));
    let integer = value.floor().clamp(low, high);
    let distance = (value - value.round()).abs();
    let table = model.layers[index].table;
    let looked_up = |integer: f64| match &table {
        Some(table) => f64::from(table[(integer + 128.0) as usize]),
        None => integer,
    };
    tally.values += 1;
    if last && table.is_none() {
        let apart = (found - value).abs();
        assert!(
            apart <= bound + value.abs() * 1e-6,
            "{said}: {found}, {value}"
        );
        return;
    }
    if found == looked_up(integer) {
        return;
    }
    assert!(
        distance <= bound,
        "{said}: {found} for {value}, which single precision knows to {bound}"
    );
    let beside = (value.round() - 1.0, value.round());
    let near = [beside.0, beside.1].map(|y| looked_up(y.clamp(low, high)));
    assert!(near.contains(&found), "{said}: {found} for {value}");
    tally.differ += 1;
    tally.farthest = tally.farthest.max(distance);
}

#[test]
fn random_models_give_the_integers_of_hardware_but_for_values_between_two() {
    let Some(python) = judges::python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let mut models = Vec::new();
    let mut kinds = BTreeMap::new();
    for seed in 0..MODELS {
        let model = random_model(seed);
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let images: Vec<Vec<i8>> = (0..IMAGES)
            .map(|_| image(model.network.input, &mut random))
            .collect();
        let step = model.input.step();
        let reals = images.iter().flatten().map(|&q| f32::from(q) * step);
        let reals: Vec<u8> = reals.flat_map(f32::to_le_bytes).collect();
        std::fs::write(path.join(format!("{seed}.input")), reals).unwrap();
        let hidden = &model.network.layers[..model.network.layers.len() - 1];
        let names: String = hidden.iter().map(|l| format!("{}\n", l.name)).collect();
        std::fs::write(path.join(format!("{seed}.txt")), names).unwrap();
        let mut unit = 0.0;
        for dialect in [Dialect::Qdq, Dialect::Qonnx] {
            let written = write(&model, dialect).unwrap_or_else(|e| panic!("{seed}: {e}"));
            let proto = brownout_onnx::schema::ModelProto::decode(&written.bytes[..]).unwrap();
            assert!(
                restore(&proto) == Restored::Model(Box::new(model.clone())),
                "{seed} {dialect}: {:?}",
                restore(&proto)
            );
            unit = written.unit;
            let file = path.join(format!("{seed}.{dialect}.onnx"));
            std::fs::write(file, written.bytes).unwrap();
        }
        let mut features: Vec<&str> = model.network.layers.iter().map(feature).collect();
        features.sort_unstable();
        features.dedup();
        for feature in features {
            *kinds.entry(feature).or_insert(0) += 1;
        }
        models.push((model, images, unit));
    }
    println!("{kinds:?}");
    for (kind, count) in &kinds {
        assert!(*count >= LEAST, "{kind} occurs {count} times");
    }
    assert_eq!(kinds.len(), 12, "{kinds:?}");
    judges::run(
        &python,
        "run.py",
        &[&path.to_string_lossy(), &MODELS.to_string()],
    );
    for judge in ["runtime", "reference", "qonnx"] {
        let mut tally = Tally::default();
        for (seed, (model, images, unit)) in models.iter().enumerate() {
            let Some(answer) = answer(path, &format!("{seed}.{judge}")) else {
                assert_eq!(judge, "reference", "{seed}");
                continue;
            };
            let shapes = model.network.shapes().unwrap();
            for (number, image) in images.iter().enumerate() {
                println!("{judge} {seed}");
                compare(
                    (model, &shapes),
                    image,
                    (&answer, *unit),
                    number,
                    &mut tally,
                );
            }
        }
        println!(
            "{judge}: {} of {} values differ by a step ({:.4} %), the farthest {:.5} steps from a boundary",
            tally.differ,
            tally.values,
            100.0 * tally.differ as f64 / tally.values as f64,
            tally.farthest
        );
        assert!(tally.values > 10_000 && tally.differ * 100 < tally.values);
    }
}

fn feature(layer: &brownout_spec::program::Layer) -> &'static str {
    match layer.operation {
        Operation::Convolution {
            residual: Some(_), ..
        } => "residual",
        Operation::Convolution {
            groups: 1, window, ..
        } if window == brownout_spec::program::Window::square(1, 1, 0) => "dense",
        other => other.kind(),
    }
}
