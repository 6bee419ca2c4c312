//! Networks on the grids of quantizers that have few integers, or a range that lies beside zero.

mod support;

use brownout_golden::data::Pixels;
use brownout_golden::export::export;
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, IntegerModel, Normalization};
use brownout_onnx::integers::{integers, on_grids};
use support::integers::{image, network};
use support::model::{Model, int};
use support::quantized::{U8, some};

const QUANT: &str = "qonnx.custom_op.general::Quant";

/// Scale, zero point and bits of a quantizer, and whether its integers have a sign.
type Quant = (f32, f32, f32, i64);

impl Model {
    /// A quantizer of `of` as `name`.
    fn quant(self, name: &str, of: &str, (scale, zero, bits, signed): Quant) -> Self {
        let [s, z, b] = ["s", "z", "b"].map(|end| format!("{name}_{end}"));
        self.floats(&s, &[], &[scale])
            .floats(&z, &[], &[zero])
            .floats(&b, &[], &[bits])
            .node(QUANT, &[of, &s, &z, &b], name, &[int("signed", signed)])
    }
}

/// Two dense layers behind a quantizer of the image, with one between them.
fn two_layers(first: Quant, hidden: Quant, function: Option<&str>) -> Model {
    let numbers = |count: usize, step: f32| -> Vec<f32> {
        some(count).into_iter().map(|w| w as f32 * step).collect()
    };
    let model = Model::new(&[1, 12])
        .opset("qonnx.custom_op.general", 1)
        .quant("q", "x", first)
        .floats("w", &[12, 10], &numbers(120, 0.0937))
        .quant("wq", "w", (0.0937, 0.0, 4.0, 1))
        .node("MatMul", &["q", "wq"], "m", &[]);
    let (model, of) = match function {
        Some(function) => {
            let model = model.quant("mq", "m", (0.0131, 0.0, 8.0, 1));
            (model.node(function, &["mq"], "f", &[]), "f")
        }
        None => (model, "m"),
    };
    model
        .quant("h", of, hidden)
        .floats("v", &[10, 4], &numbers(40, 0.0713))
        .quant("vq", "v", (0.0713, 0.0, 4.0, 1))
        .node("MatMul", &["h", "vq"], "y", &[])
}

/// Numbers above the zero point behind the first layer, and results in steps of the largest.
fn run(model: &IntegerModel, image: &[f32]) -> (Vec<i32>, Vec<f64>) {
    let network = IntegerNetwork::undisturbed(model);
    let mut workspace = network.workspace();
    network.run(&model.quantize(Pixels::Reals(image)), &mut workspace);
    let hidden = model.network.layers.len() - 2;
    let zero = i32::from(model.network.layers[hidden].zero);
    let activations = workspace.activations(hidden).expect("a hidden layer");
    let above = activations.iter().map(|&q| i32::from(q) - zero).collect();
    let results: Vec<f64> = workspace.logits().iter().map(|&r| f64::from(r)).collect();
    let most = results.iter().fold(1e-9, |most: f64, r| most.max(r.abs()));
    (above, results.iter().map(|r| r / most).collect())
}

#[test]
fn quantizers_of_few_integers_anywhere_around_zero_export_to_the_files_integers() {
    let whole = (0.004, 0.0, 8.0, 0);
    let usual = (0.0531, 0.0, 6.0, 1);
    for (first, hidden, function) in [
        // Zero points within the range, at its ends, and beyond them.
        ((0.1, 5.0, 4.0, 0), usual, None),
        ((0.1, -3.0, 4.0, 1), usual, None),
        (whole, (0.0531, 6.0, 4.0, 0), None),
        (whole, (0.0531, 15.0, 4.0, 0), None),
        (whole, (0.0531, 20.0, 4.0, 0), None),
        (whole, (0.0131, -20.0, 5.0, 1), None),
        ((0.1, 5.0, 4.0, 0), (0.0531, 20.0, 4.0, 0), None),
        (whole, (0.0131, -20.0, 5.0, 1), Some("Sigmoid")),
        (whole, (0.0131, 20.0, 4.0, 0), Some("Tanh")),
    ] {
        let case = format!("{first:?}, {hidden:?} behind {function:?}");
        let network = network(&two_layers(first, hidden, function));
        let pixels = InputMap::Normalize(Normalization::UNIT);
        let file = integers(&network, ("net", "net"), pixels).expect("it has integers");
        let own = on_grids(&network, ("net", "net"), pixels).expect("it has grids");
        let own = own.network;
        own.quantization.validate(&own.model).expect("a checkpoint");
        let again = export(&own, None).expect("it has integers");
        assert_eq!(file.model.weight_tensors(), again.weight_tensors());
        let (mut values, mut differ) = (0, 0);
        for seed in 0..40 {
            let image: Vec<f32> = image(12, seed).iter().map(|x| x.abs() % 1.0).collect();
            assert_eq!(
                file.model.quantize(Pixels::Reals(&image)),
                again.quantize(Pixels::Reals(&image)),
                "{case}"
            );
            let (hidden, results) = run(&file.model, &image);
            let (own_hidden, own_results) = run(&again, &image);
            values += hidden.len();
            differ += hidden
                .iter()
                .zip(&own_hidden)
                .filter(|(a, b)| a != b)
                .count();
            if hidden == own_hidden {
                let far = results.iter().zip(&own_results).map(|(a, b)| (a - b).abs());
                let far = far.fold(0.0, f64::max);
                assert!(far < 1e-3, "{case}: results are {far} apart");
            }
        }
        assert!(differ * 100 <= values, "{case}: {differ} of {values}");
    }
}

#[test]
fn a_clip_in_front_of_the_images_quantizer_is_its_range() {
    let pixels = InputMap::Normalize(Normalization::UNIT);
    for (low, high, ends) in [
        (0.0, 0.5, (0, 50)),
        (0.104, 0.256, (10, 26)),
        (-1.0, 2.0, (0, 100)),
    ] {
        let model = Model::new(&[1, 12])
            .floats("low", &[], &[low])
            .floats("high", &[], &[high])
            .node("Clip", &["x", "low", "high"], "c", &[])
            .step("x", 0.01, 128, U8)
            .rounded_as("c", "x", "x")
            .weights("w", &[3, 12], 0.1, &some(36))
            .node("Gemm", &["x_d", "w_d"], "y", &[int("transB", 1)]);
        let network = network(&model);
        let file = integers(&network, ("net", "net"), pixels).map(|made| made.model.input);
        let own = on_grids(&network, ("net", "net"), pixels).map(|own| own.network.model.input);
        if ends.0 > 0 {
            // No pixel is the zero then.
            for refusal in [file, own] {
                let refusal = refusal.expect_err("a range without zero");
                assert!(refusal.contains("with the zero point in it"), "{refusal}");
            }
            continue;
        }
        for map in [file, own] {
            let map = map.expect("it has a map");
            for pixel in 0..=255u8 {
                let nearest = (f32::from(pixel) / 255.0 / 0.01).round_ties_even() as i16;
                let expected = nearest.clamp(ends.0, ends.1);
                assert_eq!(i16::from(map.quantize(pixel, 0)), expected, "{pixel}");
            }
        }
    }
}
