//! What is free or meaningless decides no resolution, and what is lost is said.

use super::*;
use crate::data::{Dataset, cifar};
use crate::float::FloatModel;
use crate::infer::IntegerNetwork;
use crate::model::{InputMap, Normalization};
use crate::network::{Builder, Builtin, Epsilon, LayerParameters, Parameters};
use crate::quantize::Granularity;
use crate::state_dict::{Target, read_state_dict};
use crate::test_data;
use brownout_spec::code::CodeName;
use brownout_spec::program::Shape;
use ndarray::{Array4, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const IMAGE: Shape = Shape {
    height: 8,
    width: 8,
    channels: 3,
};
pub(super) const GRANULARITIES: [Granularity; 2] = [Granularity::Tensor, Granularity::Channel];

pub(super) fn options(granularity: Granularity) -> TrainingOptions {
    TrainingOptions {
        code: CodeName::None,
        granularity,
        ..TrainingOptions::default()
    }
}

/// A filter as training leaves it whose gain was held at zero: no weights, no mean, no
/// variance; the gain means nothing.
fn kill(layer: &mut LayerParameters, channel: usize) {
    layer.weight.index_axis_mut(Axis(0), channel).fill(0.0);
    layer.mean[channel] = 0.0;
    layer.variance[channel] = 0.0;
}

/// Colours with noise, whose labels are what the network itself says: every image lost is seen.
pub(super) fn noise(model: &FloatModel, images: usize) -> Dataset {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let Shape {
        height,
        width,
        channels,
    } = model.image;
    let shape = (images, height, width, channels);
    let colours: Vec<u8> = (0..images * channels)
        .map(|_| random.random_range(0..200))
        .collect();
    let images = Array4::from_shape_fn(shape, |(image, _, _, channel)| {
        colours[image * channels + channel] + random.random_range(0..56u8)
    });
    let (labels, classes) = (vec![0; images.dim().0], model.architecture.classes());
    let mut data = Dataset::new("noise", images, labels, classes);
    for image in 0..data.len() {
        data.labels[image] = crate::train::arg_max(&model.logits(data.image(image))) as u16;
    }
    data
}

pub(super) fn blocks() -> Architecture {
    Builder::new("blocks", IMAGE)
        .convolution("stem", 8, 3, 1, 1, true)
        .basic_block("a", 8, 1)
        .basic_block("b", 16, 2)
        .global_average_pool("mean")
        .dense("logits", 7, false)
        .build()
        .unwrap()
}

pub(super) fn model(architecture: Architecture, parameters: Parameters) -> FloatModel {
    FloatModel {
        network: Builtin::Cnn.into(),
        image: architecture.network.input,
        input: InputMap::Centre,
        origin: "random".into(),
        parameters,
        architecture,
    }
}

#[test]
fn a_dead_filter_costs_no_other_channel_its_resolution() {
    let mut network = model(blocks(), Parameters::random(&blocks(), 3, 0));
    for layer in network.parameters.layers.iter_mut().flatten() {
        layer.variance.fill(1e4);
        layer.gain.iter_mut().for_each(|gain| gain.fill(1e2));
    }
    let dead = (0, 3);
    let layer = network.parameters.layers[dead.0].as_mut().unwrap();
    kill(layer, dead.1);
    layer.bias[dead.1] = 0.7;
    let data = noise(&network, 200);
    for granularity in GRANULARITIES {
        let trained = network.calibrate(&data, &options(granularity)).unwrap();
        let exported = export(&trained, None).unwrap();
        let layer = &exported.layers[dead.0];
        for (channel, parameters) in layer.channels.iter().enumerate() {
            let multiplier = parameters.multiplier.unsigned_abs();
            match channel == dead.1 {
                true => assert_eq!(multiplier, 0),
                false => assert!(multiplier > 4000, "{granularity:?}: {:?}", layer.channels),
            }
        }
        // Its constant carries the result.
        let grid = trained.quantization.activations[dead.0 + 1].unwrap();
        let constant = (0.7 / grid.step).round();
        let shift = exported.network.layers[dead.0].output.shift;
        assert_eq!((layer.channels[dead.1].bias >> shift) as f32, constant);
        let scales = &layer.weights.as_ref().unwrap().scales;
        let least = scales.iter().copied().fold(f32::INFINITY, f32::min);
        assert_eq!(scales[dead.1], least);
        let judgement = judge(&trained, &exported, &data);
        assert!(judgement.is_faithful(), "{judgement:?}");
        assert_eq!(judgement.remarks(), [""; 0]);
    }
}

#[test]
fn weights_behind_a_gain_of_zero_widen_no_range() {
    let mut network = model(blocks(), Parameters::random(&blocks(), 3, 0));
    let data = noise(&network, 60);
    let layer = network.parameters.layers[1].as_mut().unwrap();
    layer.gain.as_mut().unwrap()[4] = 0.0;
    for quantizer in [
        QuantizerName::LeastError,
        QuantizerName::Symmetric,
        QuantizerName::Wcat,
        QuantizerName::Lsq,
    ] {
        let options = TrainingOptions {
            quantizer,
            ..options(Granularity::Tensor)
        };
        let step = |network: &FloatModel| {
            let trained = network.calibrate(&data, &options).unwrap();
            let grid = trained.quantization.grids[1].as_ref().unwrap();
            grid.steps(8).unwrap()[0]
        };
        let mut free = network.clone();
        let layer = free.parameters.layers[1].as_mut().unwrap();
        layer.weight.index_axis_mut(Axis(0), 4).fill(1e3);
        assert_eq!(step(&free), step(&network), "{quantizer}");
    }
}

#[test]
fn what_nobody_reads_decides_nothing() {
    let plain = model(blocks(), Parameters::random(&blocks(), 3, 0));
    let data = noise(&plain, 300);
    for granularity in GRANULARITIES {
        let mut network = plain.clone();
        // The inner channel 2 of the first block, whose values are large, and whose multiplier is.
        let inner = network.parameters.layers[1].as_mut().unwrap();
        inner.gain.as_mut().unwrap()[2] = 1e5;
        inner.bias[2] = 1e5;
        let reader = network.parameters.layers[2].as_mut().unwrap();
        reader.weight.index_axis_mut(Axis(3), 2).fill(0.0);
        let trained = network.calibrate(&data, &options(granularity)).unwrap();
        let exported = export(&trained, None).unwrap();
        let channels = &exported.layers[1].channels;
        assert_eq!(channels[2].multiplier, 0);
        let others = channels.iter().enumerate().filter(|(c, _)| *c != 2);
        assert!(others.clone().count() == 7);
        for (_, channel) in others {
            assert!(channel.multiplier.unsigned_abs() > 4000, "{channels:?}");
        }
        let judgement = judge(&trained, &exported, &data);
        assert_eq!(judgement.remarks(), [""; 0]);
        let classes = |network: &FloatModel| {
            let logits = (0..data.len()).map(|i| network.logits(data.image(i)));
            logits
                .map(|l| crate::train::arg_max(&l) as u16)
                .collect::<Vec<_>>()
        };
        // The labels are those of the network as it was; only what is lost to rounding differs.
        let own = classes(&network);
        let right = own.iter().zip(&data.labels).filter(|(a, b)| a == b).count();
        let integer = judgement.integer_correct;
        assert!(integer + 12 >= right, "{integer} of {right}");
    }
}

#[test]
fn a_layer_of_tiny_weights_keeps_its_digits() {
    let plain = model(blocks(), Parameters::random(&blocks(), 3, 0));
    let data = noise(&plain, 200);
    for scale in [1e-8f32, 1e-16, 1e-24] {
        let mut network = plain.clone();
        let layer = network
            .parameters
            .layers
            .last_mut()
            .unwrap()
            .as_mut()
            .unwrap();
        layer.weight *= scale;
        layer.bias *= scale;
        for granularity in GRANULARITIES {
            let trained = network.calibrate(&data, &options(granularity)).unwrap();
            let exported = export(&trained, None).unwrap();
            let judgement = judge(&trained, &exported, &data);
            let (rounded, integer) = (judgement.rounded_correct, judgement.integer_correct);
            assert!(
                rounded >= 194 && integer >= 194,
                "{scale}: {rounded} and {integer}"
            );
        }
    }
}

#[test]
fn channels_that_make_a_common_step_coarse_are_named() {
    let mut network = model(blocks(), Parameters::random(&blocks(), 3, 0));
    let data = noise(&network, 60);
    let sentences = |network: &FloatModel| {
        let trained = network
            .calibrate(&data, &options(Granularity::Tensor))
            .unwrap();
        network.wide_channels(&trained, &data)
    };
    assert_eq!(sentences(&network), [""; 0]);
    let layer = network.parameters.layers[1].as_mut().unwrap();
    let mut filter = layer.weight.index_axis_mut(Axis(0), 4);
    filter *= 1e3;
    layer.variance[4] *= 1e6;
    layer.mean[4] *= 1e3;
    // The same function, but for what is added to a variance.
    let weights = sentences(&network);
    assert_eq!(weights.len(), 1, "{weights:?}");
    assert!(weights[0].starts_with("layer 1 (a.conv1): all weights share one step"));
    assert!(weights[0].contains("channel 4") && weights[0].contains("--scale channel"));
    network.parameters.layers[1]
        .as_mut()
        .unwrap()
        .gain
        .as_mut()
        .unwrap()[4] = 1e3;
    let both = sentences(&network);
    assert!(
        both.iter().any(|s| s.contains("all of its output")),
        "{both:?}"
    );
}

#[test]
fn a_constant_that_no_sum_brings_back_costs_no_resolution() {
    let mut network = model(blocks(), Parameters::random(&blocks(), 4, 0));
    let before = |network: &FloatModel, data: &Dataset| {
        let trained = network
            .calibrate(data, &options(Granularity::Tensor))
            .unwrap();
        (export(&trained, None).unwrap(), trained)
    };
    let data = noise(&network, 60);
    let (plain, mut trained) = before(&network, &data);
    // Far below every ReLU, and far above every largest integer.
    for (channel, mean) in [(1, 1e9), (2, -1e9)] {
        network.parameters.layers[1].as_mut().unwrap().mean[channel] = mean;
        trained.model.parameters.layers[1].as_mut().unwrap().mean[channel] = mean;
    }
    let far = export(&trained, None).unwrap();
    let shift = |model: &IntegerModel| model.network.layers[1].output.shift;
    assert_eq!(shift(&far), shift(&plain));
    let integers = IntegerNetwork::undisturbed(&far);
    let mut workspace = integers.workspace();
    for image in 0..data.len() {
        integers.run(&far.quantize(data.image(image)), &mut workspace);
        for pixel in workspace.activations(1).unwrap().chunks_exact(8) {
            assert_eq!((pixel[1], pixel[2]), (0, 127));
        }
    }
}

#[test]
fn living_channels_that_are_coarse_are_named() {
    let mut network = model(blocks(), Parameters::random(&blocks(), 3, 0));
    let layer = network.parameters.layers[2].as_mut().unwrap();
    // Nearly no variance and a large gain, with weights that are not zero but nearly so, and
    // mean far from what they give: its values are at one end, but no integer says so.
    layer
        .weight
        .index_axis_mut(Axis(0), 5)
        .mapv_inplace(|w| w * 1e-2);
    layer.variance[5] = 0.0;
    layer.gain.as_mut().unwrap()[5] = 1e3;
    let data = noise(&network, 300);
    let mut trained = network
        .calibrate(&data, &options(Granularity::Tensor))
        .unwrap();
    // As it was before that channel widened the range.
    trained.quantization.activations[3].as_mut().unwrap().step = 0.02;
    let exported = export(&trained, None).unwrap();
    let judgement = judge(&trained, &exported, &data);
    let coarse = &judgement.layers[2].coarse;
    assert!(coarse.len() >= 6 && !coarse.contains(&5), "{coarse:?}");
    let remarks = judgement.remarks();
    assert!(
        remarks
            .iter()
            .any(|r| r.contains("layer 2 (a.conv2)") && r.contains("channel 5 needs")),
        "{remarks:?}"
    );
}

#[test]
fn a_judge_sees_integers_that_are_not_those_of_the_network() {
    let network = model(blocks(), Parameters::random(&blocks(), 3, 0));
    let data = noise(&network, 300);
    let trained = network
        .calibrate(&data, &options(Granularity::Channel))
        .unwrap();
    let good = export(&trained, None).unwrap();
    assert!(judge(&trained, &good, &data).is_faithful());
    for layer in 0..good.layers.len() - 1 {
        let mut bad = good.clone();
        for channel in &mut bad.layers[layer].channels {
            channel.multiplier = (f32::from(channel.multiplier) * 0.8) as i16;
        }
        let judgement = judge(&trained, &bad, &data);
        let apart: Vec<usize> = judgement
            .layers
            .iter()
            .filter(|l| l.is_apart())
            .map(|l| l.layer)
            .collect();
        // That layer alone: the others are judged on what it gave them.
        assert_eq!(apart, [layer], "{:?}", judgement.layers);
    }
    let mut bad = good.clone();
    for channel in &mut bad.layers.last_mut().unwrap().channels {
        channel.multiplier = -channel.multiplier;
    }
    let judgement = judge(&trained, &bad, &data);
    assert!(
        !judgement.is_faithful() && judgement.loss() > 0.05,
        "{judgement:?}"
    );
}

#[test]
fn a_few_images_lost_by_chance_are_no_loss() {
    let judgement = |images, rounded_correct, integer_correct, disputed| Judgement {
        images,
        rounded_correct,
        integer_correct,
        disputed,
        layers: Vec::new(),
    };
    assert!(judgement(20, 18, 17, 1).is_faithful());
    assert!(judgement(1000, 900, 895, 5).is_faithful());
    assert!(!judgement(1000, 900, 893, 7).is_faithful());
    // As many won as lost, nearly.
    assert!(judgement(1000, 500, 490, 60).is_faithful());
    assert!(!judgement(1000, 500, 480, 60).is_faithful());
    assert!(judgement(1000, 500, 600, 100).is_faithful());
}

#[test]
fn rules_that_training_does_not_change_are_checked_at_its_start() {
    let wide = Shape {
        height: 15,
        width: 15,
        channels: 583,
    };
    // One input a place more than an accumulator of 32 bits adds up at 8 bits, but not at 4.
    let architecture = Builder::new("wide", wide)
        .dense("logits", 2, false)
        .build()
        .unwrap();
    let parameters = Parameters::random(&architecture, 1, 0);
    let start = model(architecture, parameters);
    let four = TrainingOptions {
        weight_bits: BitWidth::FOUR,
        ..options(Granularity::Tensor)
    };
    assert_eq!(check_start(&start, &four), Ok(()));
    let refused = check_start(&start, &options(Granularity::Tensor)).unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.starts_with("layer 0 (logits): 131175 inputs") && refused.contains("131071"),
        "{refused}"
    );
}

fn pretrained() -> Option<(FloatModel, Dataset, Dataset)> {
    let (networks, images) = (
        test_data::folder("cifar10-resnets")?,
        test_data::folder("cifar-10-batches-bin")?,
    );
    let target = Target {
        network: "resnet20".parse().unwrap(),
        image: Shape {
            height: 32,
            width: 32,
            channels: 3,
        },
        classes: 10,
        input: InputMap::Normalize(Normalization::IMAGENET),
        epsilon: Epsilon::DEFAULT,
    };
    let file = networks.join("resnet20-12fca82f.safetensors");
    let split = cifar::read_directory(&images).unwrap();
    let model = read_state_dict(&file, &target).unwrap();
    Some((model, split.train.first(500), split.test.first(2000)))
}

#[test]
fn the_pretrained_resnet20_with_a_dead_filter_in_each_block_loses_at_most_half_a_point() {
    let Some((mut model, calibration, test)) = pretrained() else {
        return;
    };
    let names: Vec<String> = (model
        .architecture
        .network
        .layers
        .iter()
        .map(|l| l.name.clone()))
    .collect();
    let mut killed = 0;
    for (name, layer) in names.iter().zip(&mut model.parameters.layers) {
        if let Some(layer) = layer.as_mut().filter(|_| name.ends_with(".conv1")) {
            kill(layer, 1);
            killed += 1;
        }
    }
    assert_eq!(killed, 9);
    let float = model.score(&test).accuracy();
    assert!(float > 0.85, "{float}");
    for granularity in GRANULARITIES {
        let trained = model
            .calibrate(&calibration, &options(granularity))
            .unwrap();
        let exported = export(&trained, None).unwrap();
        let integer = IntegerNetwork::undisturbed(&exported).accuracy(&test);
        assert!(
            float - integer <= 0.005,
            "{granularity:?}: {float} to {integer}"
        );
        let judgement = judge(&trained, &exported, &calibration);
        assert!(judgement.is_faithful(), "{judgement:?}");
    }
}
