//! Quantized networks that other people made, as integer models with their own integers, against
//! what other programs recognise with them.
//!
//! They lie in `shared/data` beside the repository; without it these tests skip with a message.

mod support;

use brownout_golden::data::{Dataset, cifar, idx_forms};
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, IntegerModel, Normalization};
use brownout_onnx::integers::{Integers, integers};
use brownout_onnx::read_network;
use brownout_spec::config::WeightBits;
use brownout_spec::program::Operation;
use std::path::Path;
use support::{npz, shared};

fn model(name: &str, pixels: Normalization) -> Option<Integers> {
    let path = shared("networks")?.join(name);
    let network = read_network(&path).unwrap_or_else(|refusal| panic!("{refusal}"));
    let pixels = InputMap::Normalize(pixels);
    let made = integers(&network, (name, name), pixels);
    Some(made.unwrap_or_else(|refusal| panic!("{name}: {refusal}")))
}

fn correct(model: &IntegerModel, data: &Dataset) -> usize {
    // As it comes back from its file.
    let bytes = model.to_bytes().expect("a valid model");
    let read = IntegerModel::from_bytes(&bytes, Path::new("model")).expect("its own file");
    assert_eq!(read, *model);
    IntegerNetwork::undisturbed(&read).count_correct(data)
}

#[test]
fn both_resnet20_in_integers_are_within_a_tenth_of_a_point_of_onnxruntime() {
    let Some(folder) = shared("cifar-10-batches-bin") else {
        return;
    };
    let photographs = cifar::TEN.read_test(&folder).expect("the test images");
    // onnxruntime 1.32.0 without optimizations recognises 9,157 with either.
    for name in ["resnet20-qdq-u8s8.onnx", "resnet20-qdq-s8s8.onnx"] {
        let Some(made) = model(name, Normalization::IMAGENET) else {
            return;
        };
        let right = correct(&made.model, &photographs);
        println!(
            "{name}: {right} of {}; {:?}",
            photographs.len(),
            made.remarks
        );
        assert_eq!(photographs.len(), 10_000);
        assert!(right.abs_diff(9157) <= 10, "{name}: {right}");
        assert_eq!(made.model.weight_bits, WeightBits::Eight);
    }
}

#[test]
fn tfc_2w2a_in_integers_recognises_the_digits_that_its_file_does() {
    let (Some(made), Some(folder)) = (model("tfc-2w2a.onnx", Normalization::UNIT), shared("mnist"))
    else {
        return;
    };
    let digits = idx_forms::MNIST
        .read_test(&folder)
        .expect("the test images");
    let right = correct(&made.model, &digits);
    println!("tfc-2w2a: {right} of {}; {:?}", digits.len(), made.remarks);
    assert!(right.abs_diff(9660) <= 10, "{right}");
    assert_eq!(made.model.weight_bits, WeightBits::Four);
    // Norms and quantizers are part of the four dense layers.
    let layers = &made.model.network.layers;
    assert_eq!(layers.len(), 4);
    assert!(
        layers
            .iter()
            .all(|l| matches!(l.operation, Operation::Convolution { .. }))
    );
}

#[test]
fn kws_w3a3_in_integers_recognises_825_of_1000_words() {
    let (Some(made), Some(folder)) = (
        model("kws-w3a3.onnx", Normalization::UNIT),
        shared("networks"),
    ) else {
        return;
    };
    let arrays = npz(&folder.join("kws-w3a3-vectors.npz"));
    let network = IntegerNetwork::undisturbed(&made.model);
    let mut workspace = network.workspace();
    let mut right = 0;
    for (steps, &label) in arrays["vectors"].chunks(490).zip(&arrays["labels"]) {
        let steps: Vec<i8> = steps.iter().map(|&b| i8::from_le_bytes([b])).collect();
        network.run(&steps, &mut workspace);
        right += usize::from(workspace.class() == usize::from(label));
    }
    println!("kws-w3a3: {right} of 1000; {:?}", made.remarks);
    assert!(right.abs_diff(825) <= 1, "{right}");
    assert_eq!(made.model.weight_bits, WeightBits::Four);
    assert_eq!(made.model.network.layers.len(), 4);
}
