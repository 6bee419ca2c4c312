//! Networks in floating point on a file's grids: what they keep of it, and what has no grid.

mod support;

use brownout_golden::data::{Dataset, cifar, idx_forms};
use brownout_golden::export::export;
use brownout_golden::float::Checkpoint;
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, Normalization};
use brownout_golden::network::Norm;
use brownout_golden::quantize::ActivationGrid;
use brownout_golden::quantized::QuantizedNetwork;
use brownout_onnx::integers::{OnGrids, integers, on_grids};
use brownout_onnx::network::Network;
use brownout_onnx::read_network;
use std::path::Path;
use support::integers::network;
use support::model::Model;
use support::quantized::{I8, U8, residual, some};
use support::{npz, shared};

const UNIT: InputMap = InputMap::Normalize(Normalization::UNIT);

fn grids(network: &Network, pixels: InputMap) -> Result<OnGrids, String> {
    on_grids(network, ("net", "net.onnx"), pixels)
}

/// The network of a file in `shared/data`, as it comes back from its checkpoint.
fn shared_network(name: &str, pixels: InputMap) -> Option<(Network, QuantizedNetwork)> {
    let path = shared("networks")?.join(name);
    let network = read_network(&path).unwrap_or_else(|refusal| panic!("{refusal}"));
    let made = grids(&network, pixels).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    let bytes = made.network.to_bytes();
    let read = Checkpoint::from_bytes(&bytes, Path::new("grids")).expect("its own file");
    let quantization = read.quantization.expect("its grids");
    let again = QuantizedNetwork {
        model: read.model,
        quantization,
    };
    assert_eq!(again, made.network);
    Some((network, again))
}

/// How many images the laboratory and the exported integers recognise; weights are the file's.
fn recognised(network: &Network, own: &QuantizedNetwork, data: &Dataset) -> (usize, usize) {
    let model = export(own, None).expect("it has integers");
    let file = integers(network, ("net", "net.onnx"), own.model.input.meaning());
    let file = file.expect("it has integers").model;
    assert_eq!(model.weight_tensors(), file.weight_tensors());
    assert_eq!(model.weight_bits, file.weight_bits);
    let correct = own.score(&own.stored(), data).correct;
    (
        correct,
        IntegerNetwork::undisturbed(&model).count_correct(data),
    )
}

#[test]
fn both_resnet20_on_their_grids_are_within_a_tenth_of_a_point_of_onnxruntime() {
    let Some(folder) = shared("cifar-10-batches-bin") else {
        return;
    };
    let photographs = cifar::TEN.read_test(&folder).expect("the test images");
    let pixels = InputMap::Normalize(Normalization::IMAGENET);
    for name in ["resnet20-qdq-u8s8.onnx", "resnet20-qdq-s8s8.onnx"] {
        let Some((network, own)) = shared_network(name, pixels) else {
            return;
        };
        let (rounded, integer) = recognised(&network, &own, &photographs);
        println!("{name}: {rounded} on its grids, {integer} in integers of 10,000");
        // onnxruntime recognises 9,157, and the results here are not rounded.
        assert!(rounded.abs_diff(9157) <= 10, "{name}: {rounded}");
        assert!(integer.abs_diff(9157) <= 15, "{name}: {integer}");
    }
}

#[test]
fn tfc_2w2a_on_its_grids_keeps_its_norms_and_recognises_9660_digits() {
    let Some(folder) = shared("mnist") else {
        return;
    };
    let digits = idx_forms::MNIST
        .read_test(&folder)
        .expect("the test images");
    let Some((network, own)) = shared_network("tfc-2w2a.onnx", UNIT) else {
        return;
    };
    let (rounded, integer) = recognised(&network, &own, &digits);
    println!("tfc-2w2a: {rounded} on its grids, {integer} in integers of 10,000");
    assert_eq!(rounded, 9660);
    assert!(integer.abs_diff(9660) <= 3, "{integer}");
    let styles = &own.model.architecture.styles;
    assert!(styles[..3].iter().all(|style| style.norm == Norm::Batch));
    // Two bits of activations, narrow.
    let ends = own.quantization.activations[1..4].iter().flatten();
    let ends: Vec<_> = ends.map(|grid| (grid.low, grid.high)).collect();
    assert_eq!(ends, [(-1, 1); 3]);
}

#[test]
fn kws_w3a3_on_its_grids_recognises_825_of_1000_words_and_none_more_with_a_wrong_step() {
    let Some(folder) = shared("networks") else {
        return;
    };
    let Some((_, own)) = shared_network("kws-w3a3.onnx", UNIT) else {
        return;
    };
    let arrays = npz(&folder.join("kws-w3a3-vectors.npz"));
    let classes = |own: &QuantizedNetwork| -> Vec<usize> {
        let model = export(own, None).expect("it has integers");
        let network = IntegerNetwork::undisturbed(&model);
        let mut workspace = network.workspace();
        let words = arrays["vectors"].chunks(490).map(|steps| {
            let steps: Vec<i8> = steps.iter().map(|&b| i8::from_le_bytes([b])).collect();
            network.run(&steps, &mut workspace);
            workspace.class()
        });
        words.collect()
    };
    let right = |classes: &[usize]| {
        let pairs = classes.iter().zip(&arrays["labels"]);
        pairs
            .filter(|(class, label)| **class == usize::from(**label))
            .count()
    };
    let found = classes(&own);
    assert_eq!(right(&found), 825);
    let mut wrong = own.clone();
    wrong.quantization.activations[2]
        .as_mut()
        .expect("a grid")
        .step *= 1.05;
    let other = classes(&wrong);
    let moved = found.iter().zip(&other).filter(|(a, b)| a != b).count();
    assert!(moved > 5, "{moved} words have another class");
}

#[test]
fn every_grid_is_the_files_own() {
    let network = network(&residual());
    let own = grids(&network, UNIT).expect("it has grids").network;
    let grid = |step: f32, low: i16, high: i16| Some(ActivationGrid { step, low, high });
    // 117 of unsigned bytes is zero, then 131, and then their least one; the pool has its source's.
    let expected = [
        grid(0.05, -117, 138),
        grid(0.0397, -131, 124),
        grid(0.03, 0, 255),
        grid(0.03, 0, 255),
        grid(1.0 / 256.0, 0, 255),
        None,
    ];
    assert_eq!(own.quantization.activations, expected);
    let steps: Vec<f32> = own
        .quantization
        .grids
        .iter()
        .flatten()
        .flat_map(|g| g.steps(1).expect("steps"))
        .collect();
    assert_eq!(steps, [0.02, 0.01]);
    assert_eq!(own.quantization.width.bits(), 4);
    let styles = &own.model.architecture.styles;
    assert_eq!(styles[1].bounds.low(), 0.0, "the sum's ReLU");
}

#[test]
fn a_normalisation_in_front_of_the_first_quantizer_is_part_of_what_pixels_mean() {
    let made = |mean: f32, deviation: f32| {
        let model = Model::new(&[1, 3, 4, 4])
            .floats("m", &[1, 3, 1, 1], &[mean, 0.456, 0.406])
            .floats("d", &[1, 3, 1, 1], &[deviation, 0.224, 0.225])
            .node("Sub", &["x", "m"], "c", &[])
            .node("Div", &["c", "d"], "n", &[])
            .step("n", 0.0187, 114, U8)
            .rounded("n", "n")
            .weights("w", &[2, 3, 1, 1], 0.02, &some(6))
            .node("Conv", &["n_d", "w_d"], "v", &[])
            .step("v", 0.01, 3, I8)
            .rounded("v", "v")
            .node("GlobalAveragePool", &["v_d"], "y", &[]);
        let network = network(&model);
        let own = grids(&network, UNIT)?.network.model.input;
        let file = integers(&network, ("n", "n"), UNIT)?.model.input;
        Ok::<_, String>((own, file))
    };
    let (own, file) = made(0.485, 0.229).expect("it has grids");
    assert_ne!(own, file);
    for channel in 0..3 {
        assert!(
            (0..=255).all(|pixel| own.quantize(pixel, channel) == file.quantize(pixel, channel))
        );
    }
    let refusal = made(-0.5, 0.229).expect_err("no mean is below 0");
    assert!(refusal.contains("no means and deviations"), "{refusal}");
}

#[test]
fn what_keeps_a_sign_alone_has_no_grid_to_train_on() {
    let model = Model::new(&[1, 4])
        .opset("qonnx.custom_op.general", 1)
        .floats("s", &[], &[0.5])
        .floats("w", &[4, 3], &[0.5; 12])
        .floats("zero", &[], &[0.0])
        .floats("bits", &[], &[8.0])
        .node(
            "qonnx.custom_op.general::Quant",
            &["x", "s", "zero", "bits"],
            "q",
            &[],
        )
        .node(
            "qonnx.custom_op.general::Quant",
            &["w", "s", "zero", "bits"],
            "wq",
            &[],
        )
        .node("MatMul", &["q", "wq"], "m", &[])
        .node(
            "qonnx.custom_op.general::BipolarQuant",
            &["m", "s"],
            "b",
            &[],
        )
        .floats("v", &[3, 2], &[0.5; 6])
        .node(
            "qonnx.custom_op.general::Quant",
            &["v", "s", "zero", "bits"],
            "vq",
            &[],
        )
        .node("MatMul", &["b", "vq"], "y", &[]);
    let refusal = grids(&network(&model), UNIT).expect_err("it keeps signs");
    for part in ["sign alone", "two bits or more", "--form checkpoint"] {
        assert!(refusal.contains(part), "{refusal}");
    }
}
