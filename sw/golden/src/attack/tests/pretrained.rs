use super::*;
use crate::data::{Dataset, cifar};
use crate::model::{InputMap, Normalization};
use crate::network::Epsilon;
use crate::quantize::BitWidth;
use crate::state_dict::{Target, read_state_dict};
use crate::train::TrainingOptions;
use brownout_spec::code::CodeName;
use brownout_spec::program::Shape;

#[test]
fn bfa_brings_a_pretrained_resnet_20_down_to_guessing_with_fewer_than_100_bits() {
    let folders = ["cifar10-resnets", "cifar-10-batches-bin"].map(crate::test_data::folder);
    let [Some(weights), Some(images)] = folders else {
        return;
    };
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
    let file = weights.join("resnet20-12fca82f.safetensors");
    let model = read_state_dict(&file, &target).unwrap();
    let split = cifar::read_directory(&images).unwrap();
    let training = TrainingOptions {
        weight_bits: BitWidth::EIGHT,
        code: CodeName::None,
        ..TrainingOptions::default()
    };
    let network = model.calibrate(&split.train.first(256), &training).unwrap();
    let memory = memory(&network, "none");
    let table = network.model.input.rounded_table();
    let images = draw(&split.train, 64, 1, |_| true);
    let mut batch = Batch::new(&(&network).into(), &table, &split.train, &images);
    // As many of each class: a network that always says the same is then right in a tenth.
    let of_class = |class| draw(&split.test, 25, 1, move |c| c == class);
    let balanced: Vec<usize> = (0..10).flat_map(of_class).collect();
    let test = Dataset {
        images: split.test.images.select(&balanced),
        labels: balanced.iter().map(|&i| split.test.labels[i]).collect(),
        ..split.test.clone()
    };
    let measurement = Measurement {
        table: &table,
        accuracy: &test,
        success: None,
    };
    let options = BfaOptions {
        limits: Limits {
            accuracy: Some(0.11),
            ..limits(100)
        },
        ..BfaOptions::default()
    };
    let weights = (&memory, &network.stored());
    let attacked = bfa(
        (&network).into(),
        weights,
        &mut batch,
        &options,
        Some(measurement),
    );
    let attacked = attacked.unwrap();
    let (before, after) = attacked.accuracy.unwrap();
    eprintln!("{} flips: {before} to {after}", attacked.inverted);
    assert!(before > 0.85 && after <= 0.11, "{before} {after}");
    assert!(
        (3..100).contains(&attacked.inverted),
        "{}",
        attacked.inverted
    );
}
