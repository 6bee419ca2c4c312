//! Networks that take bytes and cast them to numbers, beside what onnxruntime gives for the same
//! bytes: in floating point, on their grids and in integers.
//!
//! `random/bytes.py` writes them with the packages of `.tools/`; without these the test skips with
//! a message where BROWNOUT_SKIP_ONNX says so, and fails otherwise.

mod support;

use brownout_golden::data::{Dataset, Pixels};
use brownout_golden::export::{export, judge};
use brownout_golden::float::{FloatModel, Form};
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, IntegerModel};
use brownout_golden::quantize::Granularity;
use brownout_golden::train::TrainingOptions;
use brownout_onnx::integers::{integers, map_of_integers, on_grids};
use brownout_onnx::network::Network;
use brownout_onnx::{lower, read_network};
use brownout_spec::code::CodeName;
use ndarray::Array4;
use std::path::Path;
use support::integers::network;
use support::model::{Model, int, value};
use support::quantized::{I8, U8, some};
use support::{floats, python, write};

const IMAGES: usize = 60;
/// Rows and columns, and channels: more than any map with moments has.
const SIDE: usize = 6;
const CHANNELS: usize = 5;
const CLASSES: usize = 7;

struct Case {
    network: Network,
    images: Vec<u8>,
    outputs: Vec<f32>,
}

impl Case {
    fn read(folder: &Path, name: &str) -> Self {
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        let network = read_network(&file("onnx")).expect("it is read");
        assert!(network.casts_bytes, "{name}");
        Self {
            network,
            images: std::fs::read(file("images")).expect("the script has written it"),
            outputs: floats(&file("output")),
        }
    }

    fn each(&self) -> impl Iterator<Item = (&[u8], &[f32])> {
        let images = self.images.chunks_exact(SIDE * SIDE * CHANNELS);
        images.zip(self.outputs.chunks_exact(CLASSES))
    }

    /// The images with the classes that onnxruntime gives them.
    fn data(&self) -> Dataset {
        let shape = (IMAGES, SIDE, SIDE, CHANNELS);
        let images = Array4::from_shape_vec(shape, self.images.clone()).expect("as many");
        let labels = self.each().map(|(_, outputs)| largest(outputs) as u16);
        Dataset::new("bytes", images, labels.collect(), CLASSES)
    }

    /// Images whose class in integers is onnxruntime's.
    fn agree(&self, model: &IntegerModel) -> usize {
        IntegerNetwork::undisturbed(model).count_correct(&self.data())
    }
}

fn largest(values: &[f32]) -> usize {
    (0..values.len())
        .max_by(|&a, &b| values[a].total_cmp(&values[b]))
        .unwrap_or(0)
}

fn float(network: &Network) -> FloatModel {
    let lowered = lower::lower(network, "bytes").expect("it has a form here");
    FloatModel {
        network: Form::Graph("bytes".to_owned()),
        image: lowered.image,
        input: InputMap::Bytes,
        origin: "a test".to_owned(),
        parameters: lowered.parameters,
        architecture: lowered.architecture,
    }
}

#[test]
fn bytes_that_are_cast_give_what_onnxruntime_gives_for_them() {
    let Some(python) = python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&python, "bytes.py", folder.path(), &[&IMAGES.to_string()]);
    for name in ["first", "last"] {
        let case = Case::read(folder.path(), name);
        let model = float(&case.network);
        let mut most = 0.0f32;
        for (image, outputs) in case.each() {
            let logits = model.logits(Pixels::Bytes(image));
            let scale = outputs.iter().fold(0.0f32, |most, v| most.max(v.abs()));
            let pairs = logits.iter().zip(outputs);
            most = pairs.fold(most, |most, (a, b)| most.max((a - b).abs() / scale));
        }
        assert!(most < 1e-5, "{name}: {most}");
        // Calibrated and exported, black is the zero point.
        let data = case.data();
        let options = TrainingOptions {
            code: CodeName::None,
            granularity: Granularity::Channel,
            ..TrainingOptions::default()
        };
        let trained = model.calibrate(&data, &options).expect("it has grids");
        let exported = export(&trained, None).expect("it has integers");
        assert_eq!(exported.network.input_zero, -128);
        assert!(judge(&trained, &exported, &data).is_faithful());
        let agree = case.agree(&exported);
        println!("{name}: {most:e} of the largest output, {agree} of {IMAGES} classes in integers");
        assert!(agree * 10 >= IMAGES * 9, "{name}: {agree}");
    }
}

#[test]
fn quantizers_behind_a_cast_round_the_bytes_themselves() {
    let Some(python) = python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&python, "bytes.py", folder.path(), &[&IMAGES.to_string()]);
    let case = Case::read(folder.path(), "quantized");
    let of = ("bytes", "bytes");
    let file = integers(&case.network, of, InputMap::Bytes).expect("it has integers");
    // Every byte is its own integer.
    for pixel in 0..=255u8 {
        let stored = i16::from(file.model.input.quantize(pixel, 0));
        assert_eq!(
            stored - i16::from(file.model.network.input_zero),
            i16::from(pixel)
        );
    }
    let own = on_grids(&case.network, of, InputMap::Bytes)
        .expect("it has grids")
        .network;
    let again = export(&own, None).expect("it has integers");
    assert_eq!(again.weight_tensors(), file.model.weight_tensors());
    let data = case.data();
    let rounded = own.score(&own.stored(), &data).correct;
    let (integer, exported) = (case.agree(&file.model), case.agree(&again));
    println!("{integer} in integers, {exported} exported, {rounded} on its grids, of {IMAGES}");
    assert!(integer.min(exported).min(rounded) * 100 >= IMAGES * 95);
}

#[test]
fn a_file_that_takes_integers_says_what_pixels_mean() {
    for (element, zero, scale, black) in [
        (U8, 0, 1.0 / 255.0, 0),
        (U8, 60, 0.0187, 60),
        (I8, 0, 1.0 / 128.0, 128),
        (I8, -128, 1.0, 0),
        (I8, -28, 0.0078, 100),
    ] {
        let mut model = Model::new(&[1, 4])
            .step("x", scale, zero, element)
            .node("DequantizeLinear", &["x", "x_s", "x_z"], "d", &[])
            .weights("w", &[3, 4], 0.1, &some(12))
            .node("Gemm", &["d", "w_d"], "y", &[int("transB", 1)]);
        model.graph().input[0] = value("x", element, &[1, 4]);
        let map = map_of_integers(&network(&model)).expect("it takes integers");
        let map = map.expect("a map");
        for pixel in 0..=255u8 {
            let meant = f32::from(i16::from(pixel) - black) * scale;
            let found = map.real(pixel, 0);
            assert!(
                (found - meant).abs() <= 1e-6 * scale * 255.0,
                "{found} for {meant}: {pixel} in steps of {scale} from {zero}"
            );
        }
    }
    let mut wide = Model::new(&[1, 4])
        .step("x", 1.0, 0, I8)
        .node("DequantizeLinear", &["x", "x_s", "x_z"], "d", &[])
        .weights("w", &[3, 4], 0.1, &some(12))
        .node("Gemm", &["d", "w_d"], "y", &[int("transB", 1)]);
    wide.graph().input[0] = value("x", I8, &[1, 4]);
    let refusal = map_of_integers(&network(&wide)).expect("it takes integers");
    let refusal = refusal.expect_err("numbers from -128 to 127");
    assert!(
        refusal.contains("steps of 1 with the zero point 0"),
        "{refusal}"
    );
    let numbers = Model::new(&[1, 4]).step("x", 0.01, 0, U8).rounded("x", "x");
    let numbers = numbers.weights("w", &[3, 4], 0.1, &some(12)).node(
        "Gemm",
        &["x_d", "w_d"],
        "y",
        &[int("transB", 1)],
    );
    assert_eq!(map_of_integers(&network(&numbers)), None);
}
