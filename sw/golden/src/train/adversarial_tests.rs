use super::*;
use crate::data::{Dataset, glyph};
use crate::float::FloatModel;
use crate::model::InputMap;
use crate::network::{Builtin, Parameters};
use crate::quantize::BitWidth;
use crate::train::{QuantizerName, train};

fn data() -> Dataset {
    glyph::split(1, 320, 10).train
}

fn start(data: &Dataset) -> FloatModel {
    let images = (data.shape(), data.classes);
    FloatModel::random(Builtin::Cnn, images, InputMap::Halve, 1).unwrap()
}

/// Quantized from the first step on, and attacked at once.
fn options(change: impl FnOnce(&mut Adversarial)) -> TrainingOptions {
    let mut adversarial = Adversarial {
        gate: f32::MAX,
        flips: 2,
        ..Adversarial::default()
    };
    change(&mut adversarial);
    TrainingOptions {
        epochs: 1,
        float_share: 0.0,
        quiet: true,
        adversarial: Some(adversarial),
        ..TrainingOptions::default()
    }
}

fn trained(options: &TrainingOptions) -> Parameters {
    let data = data();
    let trained = train(start(&data), &data, options).unwrap();
    trained.network.model.parameters
}

#[test]
fn every_method_trains_and_changes_what_is_learned() {
    let plain = TrainingOptions {
        adversarial: None,
        ..options(|_| {})
    };
    let mut results = vec![trained(&plain)];
    let changes: [fn(&mut Adversarial); 3] = [
        |_| {},
        |a| a.search = Search::OneShot,
        |a| a.method = AdversarialMethod::Ascent,
    ];
    results.extend(changes.map(|change| trained(&options(change))));
    for (number, result) in results.iter().enumerate() {
        assert!(
            results[..number].iter().all(|other| other != result),
            "{number}"
        );
    }
}

#[test]
fn above_the_gate_and_before_the_beginning_training_is_plain() {
    let plain = trained(&TrainingOptions {
        adversarial: None,
        ..options(|_| {})
    });
    assert!(trained(&options(|a| a.gate = 1e-6)) == plain);
    assert!(trained(&options(|a| a.begin = 0.99)) == plain);
    // Nothing is left of a gradient clamped to nearly nothing, if the other one is not halved.
    let clamped = |combine| {
        options(|a| {
            a.clamp = f32::MIN_POSITIVE;
            a.combine = combine;
        })
    };
    // Where the clean gradient is zero, a bias of zero takes a step of nearly nothing.
    assert!(distance(&trained(&clamped(Combine::Sum)), &plain) < 1e-30);
    assert!(distance(&trained(&clamped(Combine::Average)), &plain) > 1e-3);
}

/// The largest difference of two networks' weights and biases.
fn distance(a: &Parameters, b: &Parameters) -> f32 {
    let layers = a.layers.iter().flatten().zip(b.layers.iter().flatten());
    let values = layers.flat_map(|(a, b)| {
        let weights = a.weight.iter().zip(&b.weight);
        weights.chain(a.bias.iter().zip(&b.bias))
    });
    values.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_step_flips_exactly_the_stated_bits_whatever_the_width() {
    let data = data();
    for (width, quantizer) in [
        (8, QuantizerName::LeastError),
        (4, QuantizerName::Wcat),
        (3, QuantizerName::Rquant),
    ] {
        let options = TrainingOptions {
            weight_bits: BitWidth::new(width).unwrap(),
            quantizer,
            code: CodeName::None,
            ..options(|a| a.flips = 7)
        };
        let adversarial = options.adversarial.unwrap();
        let mut run = Run::new(start(&data), &data, &options).unwrap();
        run.step().unwrap();
        let labels = data.labels[..options.batch].to_vec();
        let snapshot = run.constrain().unwrap().unwrap();
        let attacked = run.attack(&snapshot, &adversarial, &labels).unwrap();
        let mask = Exposure::LiveBits.mask(options.weight_bits);
        assert_eq!(
            attacked.hamming_distance(&snapshot.stored, mask),
            7,
            "{width} bits"
        );
        let range = options.weight_bits.range();
        let all = attacked.0.iter().flatten().flatten();
        assert!(all.clone().all(|&q| (range.0..=range.1).contains(&q)));
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| trained(&options(|_| {})))
    };
    assert!(run(1) == run(3));
}

#[test]
fn each_bad_setting_is_named() {
    type Change = fn(&mut Adversarial);
    let cases: [(Change, &str); 6] = [
        (
            |a| a.flips = 0,
            "adversarial.flips is 0; allowed is 1 to 100000",
        ),
        (|a| a.top = 0, "adversarial.top is 0"),
        (|a| a.steps = 0, "adversarial.steps is 0"),
        (|a| a.rate = f32::NAN, "adversarial.rate is NaN"),
        (|a| a.begin = 1.0, "adversarial.begin is 1"),
        (|a| a.gate = -1.0, "adversarial.gate is -1"),
    ];
    for (change, expected) in cases {
        let message = options(change).validate().unwrap_err().to_string();
        assert!(message.contains(expected), "{message:?} lacks {expected:?}");
    }
    let both = TrainingOptions {
        perturbation: Some(Default::default()),
        ..options(|_| {})
    };
    let message = both.validate().unwrap_err().to_string();
    assert!(message.contains("beside perturbation"), "{message}");
}
