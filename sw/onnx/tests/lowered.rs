//! Networks that other people made, as the laboratory computes them: layers of the specification in
//! floating point, channels last.
//!
//! They lie in `shared/data` beside the repository; without it these tests skip with a message.

mod support;

use brownout_golden::data::{Dataset, cifar};
use brownout_golden::float::{FloatModel, Form};
use brownout_golden::model::{InputMap, Normalization};
use brownout_golden::network::Evaluator;
use brownout_onnx::lower::{Lowered, lower};
use brownout_onnx::network::{Network, Shape};
use brownout_onnx::{read_network, reference};
use brownout_spec::program::Operation;
use support::{npz, shared};

fn network(name: &str) -> Option<(Network, Lowered)> {
    let path = shared("networks")?.join(name);
    let network = read_network(&path).unwrap_or_else(|refusal| panic!("{refusal}"));
    let lowered = lower(&network, name).unwrap_or_else(|refusal| panic!("{refusal}"));
    Some((network, lowered))
}

fn channels_last(values: &[f32], shape: Shape) -> Vec<f32> {
    let pixels = shape.height * shape.width;
    let mut moved = Vec::with_capacity(values.len());
    for pixel in 0..pixels {
        moved.extend((0..shape.channels).map(|channel| values[channel * pixels + pixel]));
    }
    moved
}

fn run(lowered: &Lowered, image: Vec<f32>) -> Vec<f32> {
    let evaluator = Evaluator::exact(&lowered.architecture, &lowered.parameters);
    let mut values = evaluator.values();
    evaluator.run(image.into_iter(), &mut values);
    values.logits().to_vec()
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b);
    pairs.fold(0.0, |most, (a, b)| (a - b).abs().max(most))
}

fn model(lowered: Lowered, input: InputMap) -> FloatModel {
    FloatModel {
        network: Form::Graph(lowered.architecture.name.clone()),
        image: lowered.image,
        input,
        origin: "a test".into(),
        parameters: lowered.parameters,
        architecture: lowered.architecture,
    }
}

fn test_images() -> Option<Dataset> {
    let folder = shared("cifar-10-batches-bin")?;
    Some(cifar::TEN.read_test(&folder).expect("the test images"))
}

#[test]
fn resnet20_has_its_accuracy_with_shortcuts_that_pad_channels_in_front() {
    let (Some((_, lowered)), Some(data)) = (network("resnet20.onnx"), test_images()) else {
        return;
    };
    // Nothing but the network's own convolutions, and no layer for a shortcut or a sum.
    let layers = &lowered.architecture.network.layers;
    let convolutions = layers.iter().filter(|l| l.operation.has_weights()).count();
    assert_eq!((layers.len(), convolutions), (21, 20));
    let score = model(lowered, InputMap::Normalize(Normalization::IMAGENET)).score(&data);
    assert_eq!((score.correct, score.images), (9173, 10_000));
}

#[test]
fn squeezenet_is_26_convolutions_three_pools_eight_concats_and_a_mean_and_gives_its_outputs() {
    let Some((network, lowered)) = network("squeezenet1_1.onnx") else {
        return;
    };
    let layers = &lowered.architecture.network.layers;
    let count = |of: fn(&Operation) -> bool| layers.iter().filter(|l| of(&l.operation)).count();
    assert_eq!(count(Operation::has_weights), 26);
    assert_eq!(count(|o| matches!(o, Operation::MaxPool { .. })), 3);
    assert_eq!(count(|o| *o == Operation::Concat), 8);
    assert_eq!(layers.len(), 38);
    let shape = network.tensors[network.input].shape;
    let image: Vec<f32> = (0..shape.len())
        .map(|i| ((i * 7919 % 1000) as f32 - 500.0) / 250.0)
        .collect();
    let expected = reference::run(&network, &image).unwrap();
    let found = run(&lowered, channels_last(&image, shape));
    assert!(
        farthest(&found, &expected) < 1e-3,
        "{}",
        farthest(&found, &expected)
    );
}

#[test]
fn kws_dscnn_gives_the_64_outputs_of_onnxruntime() {
    let (Some((network, lowered)), Some(folder)) = (network("kws-dscnn.onnx"), shared("networks"))
    else {
        return;
    };
    let arrays = npz(&folder.join("kws-dscnn-vectors.npz"));
    let floats = |name: &str| -> Vec<f32> {
        let words = arrays[name].as_chunks::<4>().0.iter();
        words.map(|word| f32::from_le_bytes(*word)).collect()
    };
    let values = network.tensors[network.input].shape.len();
    let (inputs, outputs) = (floats("inputs"), floats("outputs"));
    let mut worst = 0.0f32;
    for (image, expected) in inputs.chunks(values).zip(outputs.chunks(12)) {
        // The file's images have one channel, so that any order of layout is the same.
        worst = worst.max(farthest(&run(&lowered, image.to_vec()), expected));
    }
    assert_eq!(inputs.len() / values, 64);
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn quantized_networks_lose_their_quantizers_but_not_what_these_clip_to() {
    let (Some((_, lowered)), Some(data)) = (network("resnet20-qdq-u8s8.onnx"), test_images())
    else {
        return;
    };
    assert!(
        lowered.remarks.iter().any(|r| r.contains("quantizers")),
        "{:?}",
        lowered.remarks
    );
    let score =
        model(lowered, InputMap::Normalize(Normalization::IMAGENET)).score(&data.first(2000));
    // The file itself has 91.57 % of all images.
    assert!(score.accuracy() > 0.905, "{}", score.accuracy());
    for name in ["kws-w3a3.onnx", "tfc-2w2a.onnx"] {
        let Some((_, lowered)) = network(name) else {
            return;
        };
        let architecture = &lowered.architecture;
        let weighted = architecture.network.layers.iter();
        assert_eq!(
            weighted.filter(|l| l.operation.has_weights()).count(),
            4,
            "{name}"
        );
    }
}
