use super::*;
use crate::data::glyph;
use crate::float::FloatModel;
use crate::model::InputMap;
use crate::network::{Builtin, Epsilon, Precision};
use crate::quantize::{BitWidth, Granularity};
use crate::train::{Clipping, Perturbation, QuantizerName, Scheme, Trained};
use brownout_spec::code::CodeName;
use std::ops::ControlFlow;

fn data() -> Dataset {
    glyph::split(1, 320, 10).train
}

fn start(data: &Dataset) -> FloatModel {
    let images = (data.shape(), data.classes);
    FloatModel::random(Builtin::Cnn, images, InputMap::Halve, 1).unwrap()
}

/// Runs of 10 steps in which everything that a state keeps is in use.
fn runs() -> Vec<TrainingOptions> {
    let base = TrainingOptions {
        epochs: 2,
        quiet: true,
        augmentation: "crop:2".parse().unwrap(),
        ..TrainingOptions::default()
    };
    let perturbed = |scheme, decode| {
        let mut perturbation = Perturbation {
            scheme,
            gate: 2.5,
            curricular: true,
            ..Perturbation::default()
        };
        perturbation.memory.decode = decode;
        Some(perturbation)
    };
    let narrow = TrainingOptions {
        precision: Precision::Bfloat16,
        ..base.clone()
    };
    let mut runs = vec![base.clone(), narrow];
    for (quantizer, perturbation) in [
        (QuantizerName::Wcat, perturbed(Scheme::Randbet, true)),
        (QuantizerName::Lsq, perturbed(Scheme::Noise, false)),
        (
            QuantizerName::Symmetric,
            perturbed(Scheme::Alternating, true),
        ),
    ] {
        runs.push(TrainingOptions {
            quantizer,
            perturbation,
            weight_bits: BitWidth::FOUR,
            code: CodeName::Inplace32_26,
            granularity: Granularity::Channel,
            clip: Some(Clipping::default()),
            float_share: 0.2,
            nesterov: true,
            ..base.clone()
        });
    }
    runs
}

fn finish(mut run: Run<'_>) -> Trained {
    let _ = run.advance(|_| ControlFlow::<()>::Continue(())).unwrap();
    run.finish().unwrap()
}

#[test]
fn a_run_broken_off_after_any_step_ends_with_the_same_bits() {
    let data = data();
    for options in runs() {
        let whole = finish(Run::new(start(&data), &data, &options).unwrap());
        let mut run = Run::new(start(&data), &data, &options).unwrap();
        for step in 0..run.steps() {
            let bytes = run.to_bytes();
            let resumed = Run::resume(&bytes, start(&data), &data, &options).unwrap();
            assert!(resumed.to_bytes() == bytes, "step {step}");
            let resumed = finish(resumed);
            let name = options.quantizer;
            assert!(resumed.network == whole.network, "{name}, step {step}");
            assert_eq!(resumed.losses, whole.losses);
            run.step().unwrap();
        }
    }
}

#[test]
fn a_state_of_other_data_options_or_version_is_refused_with_what_differs() {
    let data = data();
    let options = runs().swap_remove(1);
    let mut run = Run::new(start(&data), &data, &options).unwrap();
    for _ in 0..4 {
        run.step().unwrap();
    }
    let bytes = run.to_bytes();
    let refuse = |bytes: &[u8], data: &Dataset, options: &TrainingOptions| {
        let error = Run::resume(bytes, start(data), data, options).unwrap_err();
        error.to_string()
    };
    let other = TrainingOptions {
        momentum: 0.8,
        ..options.clone()
    };
    let message = refuse(&bytes, &data, &other);
    assert!(
        message.contains("momentum is 0.9") && message.contains("0.8"),
        "{message}"
    );
    let mut wrong = data.clone();
    wrong.labels[3] ^= 1;
    let message = refuse(&bytes, &wrong, &options);
    assert!(message.contains("hash"), "{message}");
    let message = refuse(&run.model().to_bytes(), &data, &options);
    assert!(message.contains("without the state"), "{message}");
    assert!(refuse(b"nothing", &data, &options).contains("safetensors"));

    // The same length, so that the file stays whole.
    let change = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = bytes
            .windows(from.len())
            .position(|w| w == from.as_bytes())
            .expect(from);
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        refuse(&changed, &data, &options)
    };
    let message = change("\\\"version\\\":2}}", "\\\"version\\\":7}}");
    assert!(message.contains("is 7; allowed is 2"), "{message}");
    let message = change("\\\"step\\\":4", "\\\"step\\\":9");
    assert!(message.contains("other epochs"), "{message}");
    let message = change("velocity0.gain", "velocity0.pain");
    assert!(message.contains("no tensor"), "{message}");
}

#[test]
fn a_state_of_another_network_or_other_first_weights_is_refused() {
    let data = data();
    let options = runs().swap_remove(0);
    let bytes = Run::new(start(&data), &data, &options).unwrap().to_bytes();
    let images = (data.shape(), data.classes);
    let mut epsilon = start(&data);
    epsilon.architecture = (epsilon.architecture).with_epsilon(Epsilon::new(1e-3).unwrap());
    for other in [
        epsilon.clone(),
        FloatModel::random(Builtin::Mlp, images, InputMap::Halve, 1).unwrap(),
        FloatModel::random(Builtin::Cnn, images, InputMap::Halve, 2).unwrap(),
        FloatModel::random(Builtin::Cnn, images, InputMap::Centre, 1).unwrap(),
    ] {
        let error = Run::resume(&bytes, &other, &data, &options).unwrap_err();
        assert!(error.to_string().contains("another run"), "{error}");
    }
    assert!(Run::resume(&bytes, start(&data), &data, &options).is_ok());
    // A run keeps the epsilon of what it started from, broken off or not.
    let whole = finish(Run::new(epsilon.clone(), &data, &options).unwrap());
    let mut run = Run::new(epsilon.clone(), &data, &options).unwrap();
    run.step().unwrap();
    let resumed = Run::resume(&run.to_bytes(), &epsilon, &data, &options).unwrap();
    let resumed = finish(resumed).network;
    assert!(resumed == whole.network);
    let kept = resumed.model.architecture.epsilon();
    assert_eq!(kept, epsilon.architecture.epsilon());
    let usual = finish(Run::new(start(&data), &data, &options).unwrap());
    assert!(usual.network.model.parameters != whole.network.model.parameters);
}

#[test]
fn a_state_whose_quantizers_are_not_those_of_its_run_is_refused() {
    let data = data();
    for options in runs() {
        let mut run = Run::new(start(&data), &data, &options).unwrap();
        while !run.is_quantized() {
            run.step().unwrap();
        }
        run.step().unwrap();
        let refuse = |change: &dyn Fn(&mut Run<'_>)| {
            let bytes = run.to_bytes();
            let mut changed = Run::resume(&bytes, start(&data), &data, &options).unwrap();
            change(&mut changed);
            let bytes = changed.to_bytes();
            Run::resume(&bytes, start(&data), &data, &options).is_err()
        };
        assert!(refuse(&|run| run.quantizers.fill(None)));
        assert!(refuse(&|run| run.optimizer.learned[0].push(0.0)));
        assert!(refuse(&|run| run.ranges[1] = f32::INFINITY));
        assert!(!refuse(&|_| ()));
    }
}
