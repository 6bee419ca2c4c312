use super::*;
use crate::model::Normalization;

fn model(network: &str) -> FloatModel {
    let image = Shape {
        height: 32,
        width: 32,
        channels: 3,
    };
    let input = InputMap::Normalize(Normalization::IMAGENET);
    FloatModel::random(network.parse().unwrap(), (image, 10), input, 4).unwrap()
}

fn message(bytes: &[u8]) -> String {
    FloatModel::from_bytes(bytes, Path::new("c"))
        .unwrap_err()
        .to_string()
}

#[test]
fn checkpoints_of_every_kind_of_network_survive_their_file() {
    let folder = tempfile::tempdir().unwrap();
    for network in [
        "mlp",
        "cnn",
        "resnet20",
        "resnet20-b",
        "simplenet:4",
        "simplenet-bn:4",
    ] {
        let model = model(network);
        let path = folder.path().join(network);
        model.write(&path).unwrap();
        assert_eq!(FloatModel::read(&path).unwrap(), model);
        assert_eq!(model.to_bytes(), std::fs::read(&path).unwrap());
    }
}

#[test]
fn an_epsilon_survives_its_checkpoint_and_the_usual_one_is_not_written() {
    for (network, norms) in [("mlp", false), ("cnn", true), ("simplenet:4", true)] {
        let usual = model(network);
        let text = |model: &FloatModel| String::from_utf8_lossy(&model.to_bytes()).into_owned();
        assert!(!text(&usual).contains("epsilon"), "{network}");
        let mut other = usual.clone();
        let epsilon = Epsilon::new(1e-3).unwrap();
        other.architecture = other.architecture.with_epsilon(epsilon);
        assert_eq!(other.architecture.epsilon(), norms.then_some(epsilon));
        let read = FloatModel::from_bytes(&other.to_bytes(), Path::new("c")).unwrap();
        assert_eq!(read, other);
        assert_eq!(text(&other).contains("\\\"epsilon\\\":0.001"), norms);
        assert_eq!(read == usual, !norms, "{network}");
    }
    // As long as the right text, so that the header's length stays.
    let mut other = model("cnn");
    other.architecture = other.architecture.with_epsilon(Epsilon::new(1e-3).unwrap());
    let bytes = other.to_bytes();
    let key = b"\"epsilon\\\":0.001";
    let at = bytes.windows(key.len()).position(|w| w == key).unwrap() + key.len() - 5;
    for bad in [b"2.001", b"0.000", b"-0.01", b"1e999", b"false"] {
        let mut bytes = bytes.clone();
        bytes[at..at + 5].copy_from_slice(bad);
        let text = message(&bytes);
        assert!(text.contains("metadata cannot be read"), "{text}");
    }
}

#[test]
fn an_epsilon_does_what_a_variance_larger_by_it_does_down_to_the_integers() {
    use crate::data::glyph;
    use crate::export::export;
    use crate::train::TrainingOptions;
    let data = glyph::split(1, 40, 10).train;
    let images = (data.shape(), data.classes);
    // Variances and both ε in multiples of 2^-12, so that every sum is exact.
    let (small, large) = (1.0 / 4096.0, 9.0 / 4096.0);
    let network = |epsilon: f32, more: f32| {
        let network = "cnn".parse().unwrap();
        let mut model = FloatModel::random(network, images, InputMap::Halve, 3).unwrap();
        model.architecture = (model.architecture).with_epsilon(Epsilon::new(epsilon).unwrap());
        for layer in model.parameters.layers.iter_mut().flatten() {
            layer.variance.fill(3.0 / 4096.0 + more);
            layer.mean.fill(0.125);
            layer.bias.fill(0.25);
        }
        model
    };
    let (own, other) = (network(large, 0.0), network(small, large - small));
    let image = data.image(0);
    assert_eq!(own.logits(image), other.logits(image));
    assert_ne!(own.logits(image), network(small, 0.0).logits(image));
    let integers = |model: FloatModel| {
        let options = TrainingOptions::default();
        let calibrated = model.calibrate(&data, &options).unwrap();
        export(&calibrated, None).unwrap().layers
    };
    let [own, other, without] = [own, other, network(small, 0.0)].map(integers);
    assert!(own == other);
    assert!(own != without);
}

#[test]
fn each_damage_to_a_checkpoint_is_named() {
    let good = model("simplenet-bn:4");
    let change = |f: &dyn Fn(&mut FloatModel)| {
        let mut changed = good.clone();
        f(&mut changed);
        message(&changed.to_bytes())
    };
    let layer = |m: &mut FloatModel| m.parameters.layers[0].clone().unwrap();
    let put = |m: &mut FloatModel, layer| m.parameters.layers[0] = Some(layer);
    let nan = change(&|m| {
        let mut first = layer(m);
        first.weight[(0, 1, 2, 0)] = f32::NAN;
        put(m, first);
    });
    assert!(
        nan.contains("value 15 of tensor \"layer0.weight\" is NaN"),
        "{nan}"
    );
    let negative = change(&|m| {
        let mut first = layer(m);
        first.variance[3] = -1.0;
        put(m, first);
    });
    assert!(
        negative.contains("value 3") && negative.contains("variance is 0 or more"),
        "{negative}"
    );
    let missing = change(&|m| {
        let mut first = layer(m);
        first.offset = None;
        put(m, first);
    });
    assert!(missing.contains("no tensor \"layer0.offset\""), "{missing}");
    let other = change(&|m| m.network = Builtin::Cnn.into());
    assert!(
        other.contains("layer0.weight") && other.contains("allowed"),
        "{other}"
    );
    let origin = change(&|m| m.origin = "a\nb".into());
    assert!(origin.contains("line breaks"), "{origin}");
    assert!(message(b"no tensors").contains("not a safetensors file"));
}

#[test]
fn a_quantized_network_survives_its_file_and_its_damages_are_named() {
    use crate::data::glyph;
    use crate::quantize::{ActivationGrid, Placement};
    use crate::train::{QuantizerName, TrainingOptions};
    use brownout_spec::code::CodeName;
    let folder = tempfile::tempdir().unwrap();
    let data = glyph::split(1, 40, 10).train;
    let images = (data.shape(), data.classes);
    let start = FloatModel::random("cnn".parse().unwrap(), images, InputMap::Halve, 3).unwrap();
    for quantizer in QuantizerName::ALL {
        let options = TrainingOptions {
            quantizer,
            code: CodeName::None,
            ..TrainingOptions::default()
        };
        let network = start.calibrate(&data, &options).unwrap();
        let path = folder.path().join(quantizer.as_str());
        network.write(&path).unwrap();
        assert_eq!(
            QuantizedNetwork::read(&path).unwrap(),
            network,
            "{quantizer}"
        );
        assert_eq!(FloatModel::read(&path).unwrap(), start);
    }
    let spread = TrainingOptions {
        placement: Placement::Spread,
        ..TrainingOptions::default()
    };
    let spread = start.calibrate(&data, &spread).unwrap();
    let path = folder.path().join("spread");
    spread.write(&path).unwrap();
    assert_eq!(QuantizedNetwork::read(&path).unwrap(), spread);
    let plain = folder.path().join("plain");
    start.write(&plain).unwrap();
    let refused = QuantizedNetwork::read(&plain).unwrap_err().to_string();
    assert!(refused.contains("not quantized"), "{refused}");

    let good = start.calibrate(&data, &TrainingOptions::default()).unwrap();
    let change = |f: &dyn Fn(&mut QuantizedNetwork)| {
        let mut changed = good.clone();
        f(&mut changed);
        message(&changed.to_bytes())
    };
    let few = change(&|n| drop(n.quantization.grids.pop()));
    assert!(few.contains("grids") && few.contains("layers"), "{few}");
    let missing = change(&|n| n.quantization.grids[0] = None);
    assert!(missing.contains("layer 0"), "{missing}");
    let image = change(&|n| n.quantization.activations[0].as_mut().unwrap().step = 0.5);
    assert!(
        image.contains("steps of 0.5 with the zero point 0; allowed are"),
        "{image}"
    );
    let zero = change(&|n| {
        let own = n.quantization.activations[0].as_mut().unwrap();
        *own = ActivationGrid::of_bytes(own.step, 3);
    });
    assert!(zero.contains("the zero point 3; allowed are"), "{zero}");
    let results = change(&|n| {
        *n.quantization.activations.last_mut().unwrap() = Some(ActivationGrid::hardware(1.0))
    });
    assert!(results.contains("results are not rounded"), "{results}");
    let step = change(&|n| n.quantization.activations[1] = Some(ActivationGrid::hardware(-1.0)));
    assert!(
        step.contains("step is -1") && step.contains("allowed"),
        "{step}"
    );
}
