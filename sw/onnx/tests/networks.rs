//! Networks that other people made, against what other programs compute of them.
//!
//! They lie in `shared/data` beside the repository; without it these tests skip with a
//! message. `vectors/networks.py` writes the outputs to compare with.

mod support;

use brownout_golden::data::{cifar, idx_forms};
use brownout_onnx::network::Network;
use brownout_onnx::{explain::explain, read_network, reference};
use support::{npz, shared};

/// What `networks.py` wrote.
const OUTPUTS: &str = include_str!("vectors/networks.txt");

fn network(name: &str) -> Option<Network> {
    let path = shared("networks")?.join(name);
    Some(read_network(&path).unwrap_or_else(|refusal| panic!("{refusal}")))
}

/// The numbers of a network's line.
fn line(name: &str, what: &str) -> Vec<f32> {
    let start = format!("{name} {what} ");
    let found = OUTPUTS.lines().find_map(|line| line.strip_prefix(&start));
    let numbers = found.expect("a line of that name").split(' ');
    numbers.map(|n| n.parse().expect("a number")).collect()
}

fn class(outputs: &[f32]) -> usize {
    let largest = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    outputs
        .iter()
        .position(|&v| v == largest)
        .expect("not empty")
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// The first images of CIFAR-10's test with ImageNet's mean and deviation.
fn photographs(count: usize) -> Option<Vec<Vec<f32>>> {
    let path = shared("cifar-10-batches-bin")?.join("test_batch.bin.xz");
    let file = std::fs::File::open(&path).expect("a batch");
    let batch = cifar::batch_from(file, &path).expect("a batch");
    let (mean, deviation) = ([0.485f32, 0.456, 0.406], [0.229f32, 0.224, 0.225]);
    let pixel = |image: &[u8], channel: usize, at: usize| {
        (f32::from(image[3 * at + channel]) / 255.0 - mean[channel]) / deviation[channel]
    };
    let planes = |image: &[u8]| -> Vec<f32> {
        (0..3 * 1024)
            .map(|at| pixel(image, at / 1024, at % 1024))
            .collect()
    };
    Some(
        batch
            .pixels
            .chunks(3 * 1024)
            .take(count)
            .map(planes)
            .collect(),
    )
}

#[test]
fn resnet20_in_numbers_gives_the_logits_of_onnxruntime() {
    let (Some(network), Some(images)) = (network("resnet20.onnx"), photographs(24)) else {
        return;
    };
    let mut worst = 0f32;
    let mut classes = Vec::new();
    for (at, image) in images.iter().enumerate() {
        let outputs = reference::run(&network, image).unwrap();
        if at < 8 {
            worst = worst.max(farthest(&outputs, &line("resnet20.onnx", &at.to_string())));
        }
        classes.push(class(&outputs) as f32);
    }
    println!("largest difference of logits {worst}");
    assert!(worst < 1e-4, "{worst}");
    assert_eq!(classes, line("resnet20.onnx", "classes")[..classes.len()]);
}

#[test]
fn both_quantized_resnet20_stay_within_steps_of_onnxruntime() {
    for name in ["resnet20-qdq-u8s8.onnx", "resnet20-qdq-s8s8.onnx"] {
        let (Some(network), Some(images)) = (network(name), photographs(24)) else {
            return;
        };
        // The last quantizer's step.
        let step = 0.240_745_77;
        let (mut worst, mut other, mut all) = (0f32, 0, 0);
        let mut classes = Vec::new();
        for (at, image) in images.iter().enumerate() {
            let outputs = reference::run(&network, image).unwrap();
            if at < 8 {
                let wanted = line(name, &at.to_string());
                worst = worst.max(farthest(&outputs, &wanted) / step);
                let differ = |(a, b): &(&f32, &f32)| (*a - *b).abs() > step / 2.0;
                other += outputs.iter().zip(&wanted).filter(differ).count();
                all += outputs.len();
            }
            classes.push(class(&outputs) as f32);
        }
        let same = classes
            .iter()
            .zip(line(name, "classes"))
            .filter(|(a, b)| **a == *b)
            .count();
        println!("{name}: {other} of {all} logits differ, by up to {worst} steps; {same} classes");
        assert!(worst < 2.5, "{worst} steps");
        assert_eq!(same, classes.len());
    }
}

#[test]
fn tfc_2w2a_recognises_9660_digits_and_gives_the_outputs_of_qonnx() {
    let (Some(network), Some(folder)) = (network("tfc-2w2a.onnx"), shared("mnist")) else {
        return;
    };
    let digits = idx_forms::MNIST
        .read_test(&folder)
        .expect("the test images");
    let mut right = 0;
    for at in 0..digits.len() {
        let pixels = digits.image(at).bytes().expect("bytes");
        let image: Vec<f32> = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
        let outputs = reference::run(&network, &image).unwrap();
        if at < 8 {
            let far = farthest(&outputs, &line("tfc-2w2a.onnx", &at.to_string()));
            assert!(far < 1e-5, "image {at}: {far}");
        }
        right += usize::from(class(&outputs) == usize::from(digits.labels[at]));
    }
    assert_eq!((right, digits.len()), (9660, 10_000));
}

#[test]
fn kws_w3a3_recognises_825_of_1000_words() {
    let (Some(network), Some(folder)) = (network("kws-w3a3.onnx"), shared("networks")) else {
        return;
    };
    let arrays = npz(&folder.join("kws-w3a3-vectors.npz"));
    let (steps, labels) = (&arrays["vectors"], &arrays["labels"]);
    let mut right = 0;
    for (at, (steps, &label)) in steps.chunks(490).zip(labels).enumerate() {
        // The vectors are the integers behind the first quantizer.
        let image: Vec<f32> = (steps.iter())
            .map(|&b| f32::from(i8::from_le_bytes([b])) * 0.336_742_46)
            .collect();
        let outputs = reference::run(&network, &image).unwrap();
        if at < 8 {
            let far = farthest(&outputs, &line("kws-w3a3.onnx", &at.to_string()));
            assert!(far < 1e-3, "vector {at}: {far}");
        }
        right += usize::from(class(&outputs) == usize::from(label));
    }
    assert_eq!((right, labels.len()), (825, 1000));
}

#[test]
fn kws_dscnn_gives_the_outputs_of_its_vectors() {
    let (Some(network), Some(folder)) = (network("kws-dscnn.onnx"), shared("networks")) else {
        return;
    };
    let arrays = npz(&folder.join("kws-dscnn-vectors.npz"));
    let floats = |name: &str| -> Vec<f32> {
        let (words, _) = arrays[name].as_chunks::<4>();
        words.iter().map(|&w| f32::from_le_bytes(w)).collect()
    };
    let (inputs, outputs) = (floats("inputs"), floats("outputs"));
    let mut worst = 0f32;
    // One channel: last or first is the same order.
    for (image, wanted) in inputs.chunks(490).zip(outputs.chunks(12)) {
        worst = worst.max(farthest(&reference::run(&network, image).unwrap(), wanted));
    }
    println!("largest difference {worst}");
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn squeezenet_gives_the_outputs_of_onnxruntime() {
    let Some(network) = network("squeezenet1_1.onnx") else {
        return;
    };
    let value = |i: usize| ((i * 7919 + i / 224 * 31) % 257) as f32 - 128.0;
    let image: Vec<f32> = (0..3 * 224 * 224).map(|i| value(i) / 64.0).collect();
    let outputs = reference::run(&network, &image).unwrap();
    let wanted = line("squeezenet1_1.onnx", "0");
    let far = farthest(&outputs, &wanted);
    println!("largest difference {far}");
    assert!(far < 1e-3, "{far}");
    assert_eq!(class(&outputs), class(&wanted));
}

#[test]
fn the_account_of_resnet20_has_every_node_once_and_the_shortcut_in_two_layers() {
    let Some(network) = network("resnet20.onnx") else {
        return;
    };
    let text = explain(&network);
    // 109 nodes and 53 layers: 19 convolutions, 19 ReLU, 9 sums, 2 shortcuts of two layers,
    // a pool, a matrix.
    assert_eq!(network.account.len(), 109, "{text}");
    assert_eq!(network.layers.len(), 53, "{text}");
    assert!(text.contains("channels of zeros 8 and 8"), "{text}");
    assert!(text.contains("every pixel of 2 x 2"), "{text}");
    assert!(text.contains("layer2.0/Slice\" (Slice): merged"), "{text}");
}
