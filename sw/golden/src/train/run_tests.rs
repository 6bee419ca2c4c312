use super::*;
use crate::data::glyph;
use crate::model::InputMap;
use crate::network::{Builtin, Precision};
use crate::quantize::{BitWidth, Placement, Throttle};
use crate::train::QuantizerName;
use brownout_spec::code::CodeName;
use brownout_spec::program::Shape;

const DIGIT: Shape = Shape {
    height: 28,
    width: 28,
    channels: 1,
};

fn quick() -> TrainingOptions {
    TrainingOptions {
        epochs: 2,
        quiet: true,
        ..TrainingOptions::default()
    }
}

fn start(network: Builtin, image: Shape, seed: u64) -> FloatModel {
    FloatModel::random(network, (image, 10), InputMap::Halve, seed).unwrap()
}

fn train_with(threads: usize, options: &TrainingOptions) -> Trained {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let data = glyph::split(1, 640, 10).train;
    pool.install(|| train(start(Builtin::Cnn, DIGIT, options.seed), &data, options).unwrap())
}

#[test]
fn the_result_depends_on_the_seed_and_not_on_the_number_of_threads() {
    let options = TrainingOptions {
        batch: 128,
        ..quick()
    };
    let one = train_with(1, &options);
    let three = train_with(3, &options);
    assert_eq!(one.network, three.network);
    assert_eq!(one.losses, three.losses);
    let other = train_with(1, &TrainingOptions { seed: 2, ..options });
    assert_ne!(one.network.model.parameters, other.network.model.parameters);
}

#[test]
fn a_run_in_bfloat16_learns_as_much_and_does_not_depend_on_the_number_of_threads() {
    let single = quick();
    let narrow = TrainingOptions {
        precision: Precision::Bfloat16,
        ..quick()
    };
    let (single, one, three) = (
        train_with(2, &single),
        train_with(1, &narrow),
        train_with(3, &narrow),
    );
    assert_eq!(one.network, three.network);
    assert_ne!(one.losses, single.losses);
    for (narrow, single) in one.losses.iter().zip(&single.losses) {
        assert!(
            (narrow - single).abs() < 0.05 * single,
            "{narrow} is not {single}"
        );
    }
}

#[test]
fn after_training_every_weight_is_in_the_range_of_the_code() {
    for (bits, name) in [
        (BitWidth::EIGHT, CodeName::Inplace64_57),
        (BitWidth::FOUR, CodeName::Inplace64_57),
        (BitWidth::FOUR, CodeName::Inplace32_26),
    ] {
        for (quantizer, placement) in [
            (QuantizerName::LeastError, Placement::Channel),
            (QuantizerName::Symmetric, Placement::Channel),
            (QuantizerName::Wcat, Placement::Channel),
            (QuantizerName::Lsq, Placement::Channel),
            (QuantizerName::Wcat, Placement::Spread),
        ] {
            let options = TrainingOptions {
                weight_bits: bits,
                code: name,
                quantizer,
                placement,
                ..quick()
            };
            let trained = train_with(2, &options);
            let mut layers = trained.network.model.parameters.layers.clone();
            let grids = &trained.network.quantization.grids;
            for (layer, grid) in layers.iter_mut().zip(grids) {
                let (Some(layer), Some(grid)) = (layer, grid) else {
                    continue;
                };
                let ranges = trained.network.quantization.allowed();
                assert_eq!(
                    grid.throttle(&mut layer.weight, &ranges, Throttle::Constrained),
                    0,
                    "{quantizer}"
                );
            }
        }
    }
}

#[test]
fn images_that_do_not_suit_the_network_are_refused() {
    let data = glyph::split(1, 100, 10).train;
    let wrong = Shape {
        height: 20,
        ..DIGIT
    };
    let message = train(start(Builtin::Mlp, wrong, 1), &data, &quick())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("28x28x1") && message.contains("20x28x1"),
        "{message}"
    );
    let message = train(start(Builtin::Mlp, DIGIT, 1), &data.first(50), &quick())
        .unwrap_err()
        .to_string();
    assert!(message.contains("50 training images"), "{message}");
}

#[test]
fn labels_are_compared_with_outputs_and_a_network_may_have_more() {
    let mut data = glyph::split(1, 128, 10).train;
    data.labels.iter_mut().for_each(|label| *label %= 5);
    data.classes = 5;
    let of = |outputs| FloatModel::random(Builtin::Mlp, (DIGIT, outputs), InputMap::Halve, 1);
    let refused = train(of(4).unwrap(), &data, &quick()).unwrap_err();
    let message = refused.to_string();
    assert!(
        message.contains("labels up to 4") && message.contains("gives 4 results"),
        "{message}"
    );
    for outputs in [5, 6, 100] {
        let trained = train(of(outputs).unwrap(), &data, &quick());
        assert_eq!(trained.unwrap().losses.len(), quick().epochs);
    }
}

#[test]
fn a_loss_that_is_no_number_ends_the_training_with_a_sentence() {
    let data = glyph::split(1, 640, 10).train;
    let options = TrainingOptions {
        learning_rate: 10.0,
        momentum: 0.99,
        weight_decay: 0.9,
        epochs: 40,
        ..quick()
    };
    let message = train(start(Builtin::Mlp, DIGIT, 1), &data, &options)
        .unwrap_err()
        .to_string();
    assert!(message.contains("diverged"), "{message}");
}

#[test]
fn the_integer_cnn_reaches_98_percent_on_mnist() {
    let Some(directory) = crate::test_data::folder("mnist") else {
        return;
    };
    let split = crate::data::idx_forms::MNIST
        .read_directory(&directory)
        .unwrap();
    assert_eq!((split.train.len(), split.test.len()), (60_000, 10_000));
    let options = TrainingOptions {
        epochs: 4,
        ..quick()
    };
    let trained = train(start(Builtin::Cnn, DIGIT, 1), &split.train, &options).unwrap();
    let model = crate::export::export(&trained.network, Some(&options)).unwrap();
    let network = crate::infer::IntegerNetwork::undisturbed(&model);
    let accuracy = network.accuracy(&split.test);
    assert!(accuracy >= 0.98, "{accuracy}");
}

/// Glyphs that ask for three numbers: the means of an image, of its upper half and of its left one.
fn measured_glyphs() -> Dataset {
    let mut data = glyph::split(1, 320, 10).train;
    let targets = ndarray::Array2::from_shape_fn((data.len(), 3), |(image, which)| {
        let pixels: Vec<u8> = match data.image(image) {
            crate::data::Pixels::Bytes(bytes) => bytes.to_vec(),
            _ => unreachable!("glyphs are bytes"),
        };
        let chosen = pixels.iter().enumerate().filter(|(at, _)| match which {
            0 => true,
            1 => at / 28 < 14,
            _ => at % 28 < 14,
        });
        let (sum, count) = chosen.fold((0.0, 0.0), |(sum, count), (_, &pixel)| {
            (sum + f32::from(pixel) / 64.0, count + 1.0)
        });
        sum / count
    });
    data.targets = Some(targets);
    (data.classes, data.labels) = (3, vec![0; data.len()]);
    data
}

#[test]
fn tensors_as_labels_are_learned_by_the_mean_squared_error() {
    let data = measured_glyphs();
    let options = TrainingOptions {
        epochs: 12,
        batch: 32,
        learning_rate: 0.01,
        ..quick()
    };
    let begin = FloatModel::random(Builtin::Mlp, (DIGIT, 3), InputMap::Halve, 1).unwrap();
    let before = begin.score(&data);
    assert_eq!(before.measure, crate::network::Measure::SquaredError);
    // The loss is the mean of what the definition says of each image.
    let targets = data.targets.as_ref().unwrap();
    let expected: f64 = (0..data.len())
        .map(|image| {
            let pairs = begin
                .logits(data.image(image))
                .into_iter()
                .zip(targets.row(image).to_vec());
            pairs.map(|(y, t)| f64::from(y - t).powi(2)).sum::<f64>() / 3.0
        })
        .sum();
    let expected = expected / data.len() as f64;
    assert!(
        (before.loss - expected).abs() < 1e-5 * expected,
        "{} {expected}",
        before.loss
    );
    let trained = train(begin, &data, &options).unwrap();
    let after = trained.network.score(&trained.network.stored(), &data);
    assert!(
        after.loss < 0.02 && after.loss < 0.1 * before.loss,
        "{before:?} {after:?}"
    );
}

#[test]
fn tensors_as_labels_are_refused_by_what_needs_classes_and_where_they_do_not_fit() {
    let data = measured_glyphs();
    let refused = |outputs: usize, options: &TrainingOptions| {
        let begin = FloatModel::random(Builtin::Mlp, (DIGIT, outputs), InputMap::Halve, 1);
        train(begin.unwrap(), &data, options)
            .unwrap_err()
            .to_string()
    };
    let found = refused(4, &quick());
    assert!(
        found.contains("3 values an image and the network gives 4"),
        "{found}"
    );
    let adversarial = TrainingOptions {
        adversarial: Some(crate::train::Adversarial::default()),
        ..quick()
    };
    let found = refused(3, &adversarial);
    assert!(
        found.contains("adversarial training attacks what classes"),
        "{found}"
    );
    let smoothed = TrainingOptions {
        label_smoothing: 0.1,
        ..quick()
    };
    let found = refused(3, &smoothed);
    assert!(
        found.contains("label smoothing is 0.1; allowed is 0"),
        "{found}"
    );
}
