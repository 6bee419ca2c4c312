//! Damaged files end in a network or a sentence: no panic, no hang, no flood of memory.

mod support;

use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, IntegerModel, Normalization};
use brownout_golden::network::Evaluator;
use brownout_onnx::explain::explain;
use brownout_onnx::integers::integers;
use brownout_onnx::lower::lower;
use brownout_onnx::network::{Network, Operator};
use brownout_onnx::schema::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use brownout_onnx::{network_of, reference};
use prost::Message;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

/// Files that are read.
const FILES: u64 = 10_000;
/// Longest time for one of them.
const LONGEST: Duration = Duration::from_secs(2);
/// Numbers at which extents, axes and pads change their nature.
const NUMBERS: [i64; 17] = [
    0,
    1,
    2,
    3,
    -1,
    -2,
    7,
    64,
    255,
    65_536,
    1 << 20,
    1 << 31,
    1 << 40,
    i64::MAX,
    i64::MIN,
    i32::MAX as i64,
    -64,
];
/// Operators that any node may become.
const OPERATORS: [&str; 24] = [
    "Add",
    "Mul",
    "Concat",
    "Conv",
    "MatMul",
    "Gemm",
    "Reshape",
    "Transpose",
    "Slice",
    "Gather",
    "Expand",
    "Pad",
    "Resize",
    "MaxPool",
    "AveragePool",
    "ReduceMean",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "QuantizeLinear",
    "DequantizeLinear",
    "Quant",
    "QLinearConv",
    "Softmax",
];

fn bytes(file: &mut Vec<u8>, random: &mut impl Rng) {
    for _ in 0..random.random_range(1..=4) {
        if file.is_empty() {
            return;
        }
        let at = random.random_range(0..file.len());
        match random.random_range(0..5) {
            0 | 1 => file[at] ^= 1 << random.random_range(0..8),
            2 => file[at] = random.random(),
            3 => file.truncate(at),
            _ => {
                let end = (at + random.random_range(1..=24)).min(file.len());
                let part: Vec<u8> = file.drain(at..end).collect();
                if random.random() {
                    file.splice(at..at, part.repeat(2));
                }
            }
        }
    }
}

fn number(value: &mut i64, random: &mut impl Rng) {
    *value = match random.random_range(0..4) {
        0 => value.wrapping_add(1),
        1 => value.wrapping_sub(1),
        2 => value.wrapping_neg(),
        _ => *NUMBERS.choose(random).expect("not empty"),
    };
}

fn list(values: &mut Vec<i64>, random: &mut impl Rng) {
    match (values.len(), random.random_range(0..5)) {
        (0, _) | (_, 0) => values.push(*NUMBERS.choose(random).expect("not empty")),
        (_, 1) => {
            values.pop();
        }
        (length, _) => number(&mut values[random.random_range(0..length)], random),
    }
}

fn attribute(attribute: &mut AttributeProto, random: &mut impl Rng) {
    match random.random_range(0..8) {
        0 => attribute.r#type = random.random_range(0..16),
        1 => {
            attribute.f = *[0.0, f32::NAN, -1.0, f32::INFINITY, 1e30]
                .choose(random)
                .expect("some")
        }
        2 => attribute.name.push('s'),
        3 => attribute.s = b"SAME_LOWER".to_vec(),
        4 | 5 => list(&mut attribute.ints, random),
        _ => number(&mut attribute.i, random),
    }
}

fn tensor(tensor: &mut TensorProto, random: &mut impl Rng) {
    let low = *[0.0, f32::NAN, -1.0, f32::INFINITY]
        .choose(random)
        .expect("some");
    match random.random_range(0..8) {
        0 => tensor.data_type = random.random_range(0..28),
        1 if !tensor.raw_data.is_empty() => {
            let mut raw = tensor.raw_data.to_vec();
            let at = random.random_range(0..raw.len());
            raw[at] = random.random();
            tensor.raw_data = raw.into();
        }
        2 => tensor.data_location = 1,
        3 if tensor.data_type == 1 && !tensor.raw_data.is_empty() => {
            let mut raw = tensor.raw_data.to_vec();
            raw[..4].copy_from_slice(&low.to_le_bytes());
            tensor.raw_data = raw.into();
        }
        // Dims that still fit the data.
        4 => tensor.dims.insert(0, 1),
        5 => tensor.dims.reverse(),
        6 => tensor.dims = vec![tensor.dims.iter().fold(1, |n, &d| n.wrapping_mul(d))],
        _ => list(&mut tensor.dims, random),
    }
}

fn node(node: &mut NodeProto, names: &[String], random: &mut impl Rng) {
    let name = names.choose(random).cloned().unwrap_or_default();
    match random.random_range(0..8) {
        0 => node.op_type = (*OPERATORS.choose(random).expect("some")).to_owned(),
        1 | 2 if !node.input.is_empty() => {
            let at = random.random_range(0..node.input.len());
            node.input[at] = name;
        }
        3 => node.input.push(name),
        4 => {
            node.input.pop();
        }
        5 if !node.output.is_empty() => node.output[0] = name,
        6 => node.domain = "com.microsoft".to_owned(),
        _ => match node.attribute.len() {
            0 => node.attribute.push(AttributeProto {
                name: "axis".to_owned(),
                r#type: 2,
                i: *NUMBERS.choose(random).expect("some"),
                ..AttributeProto::default()
            }),
            length => attribute(&mut node.attribute[random.random_range(0..length)], random),
        },
    }
}

/// Damage that the messages survive, so that it reaches what reads them.
fn message(graph: &mut GraphProto, other: &GraphProto, random: &mut impl Rng) {
    let mut names: Vec<String> = graph.initializer.iter().map(|t| t.name.clone()).collect();
    names.extend(graph.node.iter().flat_map(|n| n.output.clone()));
    names.extend(["x".to_owned(), String::new()]);
    match random.random_range(0..10) {
        0..=3 if !graph.node.is_empty() => {
            let at = random.random_range(0..graph.node.len());
            node(&mut graph.node[at], &names, random);
        }
        4..=6 if !graph.initializer.is_empty() => {
            let at = random.random_range(0..graph.initializer.len());
            tensor(&mut graph.initializer[at], random);
        }
        7 if !graph.node.is_empty() => {
            let at = random.random_range(0..graph.node.len());
            let copy = graph.node[at].clone();
            graph.node.insert(random.random_range(0..=at), copy);
        }
        8 => {
            // A node of another model, between the last one and the output.
            if let (Some(mut extra), Some(last)) =
                (other.node.first().cloned(), graph.node.last_mut())
            {
                let result = last.output.first_mut();
                if let (Some(result), Some(input)) = (result, extra.input.first_mut()) {
                    extra.output = vec![std::mem::replace(result, "between".to_owned())];
                    *input = "between".to_owned();
                    graph.initializer.extend(other.initializer.clone());
                    graph.node.push(extra);
                }
            }
        }
        _ => {
            use brownout_onnx::schema::tensor_shape_proto::dimension::Value;
            use brownout_onnx::schema::type_proto::Value as Type;
            let input = graph.input.first_mut().and_then(|i| i.r#type.as_mut());
            if let Some(Type::TensorType(tensor)) = input.and_then(|t| t.value.as_mut()) {
                let dims = tensor.shape.get_or_insert_default();
                if let Some(dim) = dims.dim.choose_mut_by(random) {
                    dim.value = Some(Value::DimValue(*NUMBERS.choose(random).expect("some")));
                }
            }
        }
    }
}

/// Choosing from a list that may be empty.
trait ChooseMut<T> {
    fn choose_mut_by(&mut self, random: &mut impl Rng) -> Option<&mut T>;
}

impl<T> ChooseMut<T> for Vec<T> {
    fn choose_mut_by(&mut self, random: &mut impl Rng) -> Option<&mut T> {
        match self.len() {
            0 => None,
            length => self.get_mut(random.random_range(0..length)),
        }
    }
}

/// What holds for every network: each layer reads what is there, and it can be run. Says whether
/// it has an integer model.
fn check(network: &Network) -> bool {
    let mut made = vec![false; network.tensors.len()];
    made[network.input] = true;
    let mut cost = 0usize;
    for layer in &network.layers {
        assert!(layer.reads.iter().all(|&t| made[t]) && !made[layer.writes]);
        made[layer.writes] = true;
        let out = network.tensors[layer.writes].shape.len();
        cost = cost.saturating_add(out.saturating_mul(match &layer.operator {
            Operator::Convolution(c) => c.weights.shape()[1..].iter().product(),
            Operator::Dense(d) => d.weights.shape()[1],
            Operator::Pool(_) => 64,
            _ => 1,
        }));
    }
    assert!(made[network.output] && !explain(network).is_empty());
    if cost < 1 << 20 {
        let image = vec![0.5; network.tensors[network.input].shape.len()];
        let outputs = reference::run(network, &image).expect("an image of its size");
        assert_eq!(outputs.len(), network.tensors[network.output].shape.len());
        lowered(network, &image, &outputs);
        return in_integers(network);
    }
    false
}

/// What has integers is a valid model, whose file comes back, and that can be run.
fn in_integers(network: &Network) -> bool {
    let pixels = InputMap::Normalize(Normalization::UNIT);
    let made = match integers(network, ("damaged", "damaged"), pixels) {
        Ok(made) => made,
        Err(problem) => {
            assert!(problem.split_whitespace().count() > 3, "{problem}");
            return false;
        }
    };
    let bytes = made.model.to_bytes().expect("a valid model");
    let read = IntegerModel::from_bytes(&bytes, Path::new("model")).expect("its own file");
    assert!(read == made.model && !made.explain(Some(network)).is_empty());
    let image = vec![made.model.network.input_zero; made.model.network.input.volume()];
    let model = IntegerNetwork::undisturbed(&read);
    let mut workspace = model.workspace();
    model.run(&image, &mut workspace);
    assert_eq!(workspace.logits().len(), read.results().volume());
    true
}

/// What is lowered computes the same, where no quantizer is left out.
fn lowered(network: &Network, image: &[f32], expected: &[f32]) {
    let Ok(lowered) = lower(network, "damaged") else {
        return;
    };
    let evaluator = Evaluator::exact(&lowered.architecture, &lowered.parameters);
    let mut values = evaluator.values();
    // All of the image's values are the same, so that their order does not matter.
    evaluator.run(image.iter().copied(), &mut values);
    let found = values.logits();
    assert_eq!(found.len(), expected.len());
    let is_quantizer = |operator| matches!(operator, &Operator::Quantizer(_));
    let quantized = network.layers.iter().any(|l| is_quantizer(&l.operator));
    let largest = expected.iter().fold(1.0, |most: f32, v| most.max(v.abs()));
    if !quantized && largest < 1e6 {
        for (found, expected) in found.iter().zip(expected) {
            let apart = (found - expected).abs() / largest;
            let no_numbers = found.is_nan() && expected.is_nan();
            assert!(apart < 1e-3 || no_numbers, "{found} for {expected}");
        }
    }
}

#[test]
fn ten_thousand_damaged_files_end_in_a_network_or_a_sentence() {
    let mut seeds: Vec<Vec<u8>> = support::cases().map(|case| case.1).collect();
    // As many as a third of them are whole networks in integers.
    let quantized = support::quantized::residual().bytes();
    seeds.extend(std::iter::repeat_n(quantized, seeds.len() / 3));
    let (mut accepted, mut sentences) = (0, std::collections::HashSet::new());
    let mut integers = 0;
    for round in 0..FILES {
        let mut random = ChaCha8Rng::seed_from_u64(round);
        let mut file = seeds.choose(&mut random).expect("not empty").clone();
        if random.random_bool(0.3) {
            bytes(&mut file, &mut random);
        } else {
            let mut model = ModelProto::decode(file.as_slice()).expect("a good file");
            let other = seeds.choose(&mut random).expect("not empty");
            let other = ModelProto::decode(other.as_slice()).expect("a good file");
            let (graph, other) = (
                model.graph.get_or_insert_default(),
                other.graph.unwrap_or_default(),
            );
            for _ in 0..random.random_range(1..=3) {
                message(graph, &other, &mut random);
            }
            if random.random_bool(0.05) {
                model.opset_import.pop();
            }
            file = model.encode_to_vec();
        }
        let start = Instant::now();
        let read = catch_unwind(|| {
            let read = network_of(file, Path::new("net.onnx"));
            read.map(|network| check(&network))
        });
        let read = read.unwrap_or_else(|_| panic!("file {round} panics"));
        let took = start.elapsed();
        assert!(took < LONGEST, "file {round} takes {took:?}");
        match read {
            Ok(is_integer) => {
                accepted += 1;
                integers += usize::from(is_integer);
            }
            Err(refusal) => {
                let text = refusal.to_string();
                let fine = text.chars().count() < 2000 && !text.chars().any(char::is_control);
                assert!(
                    fine && text.split_whitespace().count() > 3,
                    "file {round}: {text}"
                );
                let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
                sentences.insert(text.split_whitespace().filter(plain).collect::<String>());
            }
        }
    }
    println!(
        "{accepted} of {FILES} accepted, {integers} of them in integers, {} sentences",
        sentences.len()
    );
    // The damage must neither leave everything as it was nor end at the first check.
    assert!((1_000..6_000).contains(&accepted), "{accepted} accepted");
    assert!(integers > 150, "{integers} in integers");
    assert!(sentences.len() > 60, "only {} sentences", sentences.len());
}
