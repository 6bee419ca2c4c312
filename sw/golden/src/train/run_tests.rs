use super::*;
use crate::data::glyph;
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use std::path::Path;

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

fn train_with(threads: usize, options: &TrainingOptions) -> Trained {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let data = glyph::split(1, 640, 10).train;
    let cnn = Architecture::cnn(DIGIT, 10).unwrap();
    pool.install(|| train(&cnn, &data, InputMap::Halve, options).unwrap())
}

#[test]
fn the_result_depends_on_the_seed_and_not_on_the_number_of_threads() {
    let options = TrainingOptions {
        batch: 128,
        ..quick()
    };
    let one = train_with(1, &options);
    let three = train_with(3, &options);
    assert_eq!(one.parameters, three.parameters);
    assert_eq!(one.steps, three.steps);
    assert_eq!(one.losses, three.losses);
    let other = train_with(1, &TrainingOptions { seed: 2, ..options });
    assert_ne!(one.parameters, other.parameters);
}

#[test]
fn after_training_every_weight_is_in_the_range_of_the_code() {
    for (bits, name) in [
        (WeightBits::Eight, CodeName::Inplace64_57),
        (WeightBits::Four, CodeName::Inplace64_57),
        (WeightBits::Four, CodeName::Inplace32_26),
    ] {
        let options = TrainingOptions {
            weight_bits: bits,
            code: name,
            ..quick()
        };
        let trained = train_with(2, &options);
        let mut weights = trained.parameters.clone();
        for (layer, scales) in weights.layers.iter_mut().zip(&trained.scales) {
            let (Some(layer), Some(scales)) = (layer, scales) else {
                continue;
            };
            let ranges = trained.ranges(layer.bias.len());
            assert_eq!(scales.throttle(&mut layer.weight, &ranges), 0);
        }
    }
}

#[test]
fn images_that_do_not_suit_the_network_are_refused() {
    let data = glyph::split(1, 100, 10).train;
    let wrong = Architecture::mlp(
        Shape {
            height: 20,
            ..DIGIT
        },
        10,
    );
    let message = train(&wrong.unwrap(), &data, InputMap::Halve, &quick())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("28x28x1") && message.contains("560"),
        "{message}"
    );
    let mlp = Architecture::mlp(DIGIT, 10).unwrap();
    let message = train(&mlp, &data.first(50), InputMap::Halve, &quick())
        .unwrap_err()
        .to_string();
    assert!(message.contains("50 training images"), "{message}");
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
    let mlp = Architecture::mlp(DIGIT, 10).unwrap();
    let message = train(&mlp, &data, InputMap::Halve, &options)
        .unwrap_err()
        .to_string();
    assert!(message.contains("diverged"), "{message}");
}

#[test]
fn the_integer_cnn_reaches_98_percent_on_mnist() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/mnist");
    if !directory.is_dir() {
        eprintln!("skipped: {} is missing", directory.display());
        return;
    }
    let split = crate::data::idx::read_directory(&directory).unwrap();
    assert_eq!((split.train.len(), split.test.len()), (60_000, 10_000));
    let options = TrainingOptions {
        epochs: 4,
        ..quick()
    };
    let cnn = Architecture::cnn(DIGIT, 10).unwrap();
    let trained = train(&cnn, &split.train, InputMap::Halve, &options).unwrap();
    let model = crate::export::export(&trained).unwrap();
    let network = crate::infer::IntegerNetwork::undisturbed(&model);
    let accuracy = network.accuracy(&split.test);
    assert!(accuracy >= 0.98, "{accuracy}");
}
