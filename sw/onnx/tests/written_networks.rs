//! Trained networks, written as ONNX files, classify as in integers where onnxruntime and qonnx
//! run them.
//!
//! With BROWNOUT_ONNX_IMAGES=10000 all test images are taken instead of a few. Networks and images
//! lie in `shared/data` beside the repository, the packages in `.tools/`; without the first these
//! tests skip with a message, without the second as those of `written.rs`.

mod support;

use brownout_golden::data::{Dataset, Images, Pixels, cifar, idx_forms};
use brownout_golden::export::export;
use brownout_golden::float::{FloatModel, Form};
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, IntegerModel, Normalization};
use brownout_golden::network::Builtin;
use brownout_golden::quantize::Granularity;
use brownout_golden::train::{TrainingOptions, train};
use brownout_onnx::lower::lower;
use brownout_onnx::read_network;
use brownout_onnx::schema::ModelProto;
use brownout_onnx::write::{Dialect, Restored, restore, write};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use ndarray::Array4;
use prost::Message;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use support::compare::{Answer, Tally, compare};
use support::{judges, npz, shared};

/// Test images of onnxruntime and of qonnx, unless the environment says how many.
const TEST_IMAGES: [usize; 2] = [400, 100];
/// Images whose every value is compared.
const WHOLE: usize = 2;

/// How many images onnxruntime and qonnx get.
fn counts() -> [usize; 2] {
    let asked = std::env::var("BROWNOUT_ONNX_IMAGES").ok();
    asked.map_or(TEST_IMAGES, |count| {
        [count.parse().expect("a number of images"); 2]
    })
}

/// A foreign network as a model in floating point.
fn imported(name: &str, input: InputMap) -> Option<FloatModel> {
    let path = shared("networks")?.join(name);
    let network = read_network(&path).unwrap_or_else(|refusal| panic!("{refusal}"));
    let lowered = lower(&network, name).unwrap_or_else(|refusal| panic!("{refusal}"));
    Some(FloatModel {
        network: Form::Graph(name.into()),
        image: lowered.image,
        input,
        origin: name.into(),
        parameters: lowered.parameters,
        architecture: lowered.architecture,
    })
}

/// In integers, with ranges as observed on these images.
fn rounded(model: &FloatModel, data: &Dataset, bits: WeightBits) -> IntegerModel {
    let options = TrainingOptions {
        weight_bits: bits.into(),
        granularity: Granularity::Channel,
        code: CodeName::None,
        ..TrainingOptions::default()
    };
    let trained = model
        .calibrate(data, &options)
        .expect("images of the network");
    export(&trained, None).expect("a form in integers")
}

/// What the network takes of each image, channels first.
fn inputs(model: &IntegerModel, data: &Dataset) -> Vec<f32> {
    let table = model.input.real_table();
    let (pixels, channels) = (data.height() * data.width(), data.channels());
    let flat = model.network.input.pixels() == 1;
    let mut inputs = Vec::with_capacity(data.len() * pixels * channels);
    for number in 0..data.len() {
        let values: Vec<f32> = table.apply(data.image(number)).collect();
        match flat {
            true => inputs.extend(values),
            false => inputs.extend((0..channels).flat_map(|channel| {
                let values = &values;
                (0..pixels).map(move |pixel| values[pixel * channels + channel])
            })),
        }
    }
    inputs
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn class(results: &[f32]) -> u16 {
    let largest = results.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let place = results.iter().position(|&v| v == largest);
    place.expect("a number") as u16
}

/// Has both files run on all images and, layer by layer, on the first.
fn agree(name: &str, model: &IntegerModel, data: &Dataset) {
    let Some(python) = support::python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let write_file = |ending: &str, bytes: &[u8]| {
        std::fs::write(path.join(ending), bytes).expect("a temporary file");
    };
    let inputs = inputs(model, data);
    let size = model.network.input.volume();
    write_file("net.images", &bytes(&inputs));
    write_file("0.input", &bytes(&inputs[..WHOLE * size]));
    let mut unit = 0.0;
    let mut names = Vec::new();
    for dialect in [Dialect::Qdq, Dialect::Qonnx] {
        let written = write(model, dialect).expect("a form in ONNX");
        let file = ModelProto::decode(&written.bytes[..]).expect("messages");
        let Restored::Model(restored) = restore(&file) else {
            panic!("{name}: {:?}", restore(&file));
        };
        assert!(restored.to_bytes() == model.to_bytes(), "{name}");
        for part in ["net", "0"] {
            write_file(&format!("{part}.{dialect}.onnx"), &written.bytes);
        }
        unit = written.unit;
        names = written.names;
    }
    names.pop();
    write_file("0.txt", names.join("\n").as_bytes());
    let of_qonnx = counts()[1];
    let folder_name = path.to_string_lossy();
    judges::run(
        &python,
        "classes.py",
        &[&folder_name, "net", &of_qonnx.to_string()],
    );
    judges::run(&python, "run.py", &[&folder_name, "1"]);
    let network = IntegerNetwork::undisturbed(model);
    let classes = network.classes(data);
    let right = |classes: &[u16]| {
        let pairs = classes.iter().zip(&data.labels);
        100.0 * pairs.filter(|(a, b)| a == b).count() as f64 / classes.len() as f64
    };
    for judge in ["runtime", "optimized", "qonnx"] {
        let results = support::floats(&path.join(format!("net.{judge}.results")));
        let found: Vec<u16> = results
            .chunks(model.results().channels)
            .map(class)
            .collect();
        let same = found.iter().zip(&classes).filter(|(a, b)| a == b).count();
        let (own, theirs) = (right(&classes[..found.len()]), right(&found));
        println!(
            "{name}, {judge}: {same} of {} images in the same class; {own:.2} % right in integers, {theirs:.2} % there",
            found.len()
        );
        let allowed = (found.len() as f64 * 0.005).max(1.0);
        assert!((found.len() - same) as f64 <= allowed, "{name}, {judge}");
        let apart = (own - theirs).abs() * found.len() as f64 / 100.0;
        assert!(
            apart <= (found.len() as f64 / 1000.0).max(1.0),
            "{name}, {judge}"
        );
    }
    for judge in ["runtime", "reference", "qonnx"] {
        values(path, judge, (model, unit), data, name);
    }
}

/// Compares every value of the first images.
fn values(path: &Path, judge: &str, of: (&IntegerModel, f64), data: &Dataset, name: &str) {
    let (model, unit) = of;
    let answer = Answer::read(path, &format!("0.{judge}")).expect("an answer");
    let (own, input) = (IntegerNetwork::undisturbed(model), model.network.input);
    let mut tally = Tally::default();
    let (mut all, mut other) = (0, 0);
    let mut workspace = own.workspace();
    for number in 0..WHOLE {
        let integers = model.quantize(data.image(number));
        let planes = |values: &[i8], channels: usize| -> Vec<i8> {
            let pixels = values.len() / channels;
            let at = |k: usize| values[k % pixels * channels + k / pixels];
            (0..values.len()).map(at).collect()
        };
        let image = planes(&integers, input.channels);
        compare(model, (&image, number, WHOLE), (&answer, unit), &mut tally);
        own.run(&integers, &mut workspace);
        let mut start = 0;
        for (layer, s) in own.shapes().iter().enumerate() {
            let Some(hardware) = workspace.activations(layer) else {
                continue;
            };
            let volume = s.output.volume();
            let theirs = &answer.integers[start + number * volume..][..volume];
            let hardware = planes(hardware, s.output.channels);
            other += theirs.iter().zip(&hardware).filter(|(a, b)| a != b).count();
            all += volume;
            start += WHOLE * volume;
        }
    }
    println!("{name}, {judge}, each layer for itself: {}", tally.line());
    println!(
        "{name}, {judge}, from image to results: {other} of {all} activations differ ({:.4} %)",
        100.0 * f64::from(other as u32) / all as f64
    );
    assert!(tally.share() < 0.002, "{name}, {judge}");
}

#[test]
fn resnet20_classifies_photographs_alike_in_integers_and_as_onnx_with_8_and_4_bits() {
    let input = InputMap::Normalize(Normalization::IMAGENET);
    let (Some(model), Some(folder)) = (
        imported("resnet20.onnx", input),
        shared("cifar-10-batches-bin"),
    ) else {
        return;
    };
    let test = cifar::TEN.read_test(&folder).expect("the test images");
    // Ranges from the last test images, since they are at hand.
    let calibration = test.range(9_800..10_000);
    let data = test.first(counts()[0]);
    for bits in [WeightBits::Eight, WeightBits::Four] {
        let name = format!("resnet20 of {} bits", bits.bits());
        agree(&name, &rounded(&model, &calibration, bits), &data);
    }
}

#[test]
fn a_network_for_digits_classifies_them_alike_in_integers_and_as_onnx() {
    let Some(folder) = shared("mnist") else {
        return;
    };
    let training = idx_forms::MNIST
        .read_training(&folder)
        .expect("training images");
    let test = idx_forms::MNIST.read_test(&folder).expect("test images");
    let options = TrainingOptions {
        epochs: 1,
        quiet: true,
        ..TrainingOptions::default()
    };
    for network in [Builtin::Cnn, Builtin::Mlp] {
        let image = (training.shape(), training.classes);
        let map = InputMap::Normalize(Normalization::MNIST);
        let start = FloatModel::random(network, image, map, 1).expect("a network");
        let trained = train(start, &training.first(4000), &options).expect("a trained network");
        let model = export(&trained.network, Some(&options)).expect("a form in integers");
        agree(&network.to_string(), &model, &test.first(counts()[0]));
    }
}

#[test]
fn kws_dscnn_classifies_spectra_alike_in_integers_and_as_onnx() {
    let input: InputMap = "0,0.25".parse().expect("a map");
    let (Some(model), Some(folder)) = (imported("kws-dscnn.onnx", input), shared("networks"))
    else {
        return;
    };
    let arrays = npz(&folder.join("kws-dscnn-vectors.npz"));
    let words = arrays["inputs"].as_chunks::<4>().0.iter();
    let inputs: Vec<f32> = words.map(|&w| f32::from_le_bytes(w)).collect();
    // The vectors are noise, of one class; brighter, darker and flatter they are of several.
    let shape = model.image;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut spectrum = |number: usize| -> Vec<f32> {
        let (slope, offset) = (
            random.random_range(0.1..1.0),
            random.random_range(-3.0..3.0),
        );
        let vectors = inputs.chunks(shape.volume()).cycle();
        let vector = vectors.skip(number % 64).take(1).flatten();
        vector.map(|x: &f32| x * slope + offset).collect()
    };
    let images: Vec<f32> = (0..counts()[0]).flat_map(&mut spectrum).collect();
    let dims = (counts()[0], shape.height, shape.width, shape.channels);
    let images = Array4::from_shape_vec(dims, images).expect("whole images");
    // What the network in floating point says of them.
    let spectra = images.as_slice().expect("standard layout");
    let labels = spectra.chunks(shape.volume());
    let labels = labels
        .map(|x| class(&model.logits(Pixels::Reals(x))))
        .collect();
    let data = Dataset::new("spectra", Images::Reals(images), labels, 12);
    agree(
        "kws-dscnn",
        &rounded(&model, &data, WeightBits::Eight),
        &data,
    );
}
