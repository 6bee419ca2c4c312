//! One step by hand: which gradient it goes along, and how far.

use super::tests::{data, options, perturbed, rate, start};
use super::*;
use crate::data::glyph;
use crate::network::Parameters;
use crate::quantize::BitWidth;
use crate::quantize::wcat::WeightGradient;
use crate::train::{QuantizerName, Schedule, TrainingOptions, WcatOptions, train};
use brownout_spec::code::CodeName;

/// One plain step of gradient descent: no momentum, no decay, a constant rate.
fn bare() -> TrainingOptions {
    TrainingOptions {
        schedule: Schedule::Constant,
        momentum: 0.0,
        weight_decay: 0.0,
        frozen_share: 0.0,
        learning_rate: 0.05,
        code: CodeName::None,
        ..options()
    }
}

/// The first batch's gradients on clean and on disturbed weights, and the weights before.
fn two_gradients(run: &mut Run<'_>) -> (Gradients, Gradients, Parameters) {
    let batch = run.batch(0, 0);
    run.load(0, &batch);
    let answers = Answers::to(run.data, &batch);
    let clean = run.constrain().unwrap().unwrap();
    run.pass(&clean.values, &clean.activations, &answers, true)
        .unwrap();
    let g = run.sum_gradients();
    let perturbation = run.options.perturbation.clone().unwrap_or_default();
    let disturbed = match &run.memory {
        Some(_) => run
            .disturb(&clean.stored, &clean.grids, &perturbation)
            .unwrap(),
        None => clean.values,
    };
    run.pass(&disturbed, &clean.activations, &answers, true)
        .unwrap();
    (g, run.sum_gradients(), run.model.parameters.clone())
}

#[test]
fn randbet_goes_along_the_mean_of_the_clean_and_the_clamped_gradient() {
    let data = data();
    let clamp = 1e-3;
    let options = TrainingOptions {
        perturbation: perturbed(|p| (p.rate, p.clamp) = (rate(0.02), clamp)),
        ..bare()
    };
    let mut run = Run::new(start(&data), &data, &options).unwrap();
    let (g, disturbed, before) = two_gradients(&mut run);
    run.gate = true;
    run.step().unwrap();
    let mut clamped = 0;
    for (index, layer) in run.model.parameters.layers.iter().enumerate() {
        let (Some(after), Some(before)) = (layer, &before.layers[index]) else {
            continue;
        };
        let (g, d) = (&g.layers[index], &disturbed.layers[index]);
        let (g, d) = (&g.as_ref().unwrap().weight, &d.as_ref().unwrap().weight);
        let weights = after.weight.iter().zip(&before.weight).zip(g.iter().zip(d));
        for ((after, before), (g, d)) in weights {
            let expected = before - 0.05 * (g + d.clamp(-clamp, clamp)) / 2.0;
            assert!((after - expected).abs() < 1e-6, "{after} is not {expected}");
            clamped += usize::from(d.abs() > clamp);
        }
    }
    assert!(clamped > 100, "{clamped} components are clamped");
}

#[test]
fn the_second_update_of_alternating_training_stays_in_the_range_of_the_first() {
    let data = data();
    let alternating = TrainingOptions {
        perturbation: perturbed(|p| (p.rate, p.scheme) = (rate(0.05), Scheme::Alternating)),
        learning_rate: 0.5,
        ..bare()
    };
    let plain = TrainingOptions {
        perturbation: None,
        ..alternating.clone()
    };
    let mut first = Run::new(start(&data), &data, &plain).unwrap();
    first.step().unwrap();
    first.constrain().unwrap();
    let mut both = Run::new(start(&data), &data, &alternating).unwrap();
    both.gate = true;
    both.step().unwrap();
    let mut at_ends = 0;
    let layers = first.model.parameters.layers.iter().flatten();
    for (first, both) in layers.zip(both.model.parameters.layers.iter().flatten()) {
        assert!(first.weight != both.weight);
        let low = first.weight.iter().copied().fold(f32::MAX, f32::min);
        let high = first.weight.iter().copied().fold(f32::MIN, f32::max);
        assert!(both.weight.iter().all(|w| (low..=high).contains(w)));
        at_ends += both
            .weight
            .iter()
            .filter(|&&w| w == low || w == high)
            .count();
    }
    assert!(at_ends > 10, "{at_ends} weights were held back");
}

#[test]
fn an_open_gate_closes_again_when_losses_are_high() {
    let data = data();
    for (gate, open) in [(1e-3, false), (f32::MAX, true)] {
        let options = TrainingOptions {
            perturbation: perturbed(|p| p.gate = gate),
            ..bare()
        };
        let mut run = Run::new(start(&data), &data, &options).unwrap();
        run.gate = true;
        run.step().unwrap();
        assert_eq!(run.gate, open);
    }
}

#[test]
fn the_rate_of_a_curricular_run_grows_from_its_first_quantized_step() {
    let data = data();
    let options = TrainingOptions {
        perturbation: perturbed(|p| p.curricular = true),
        float_share: 0.5,
        epochs: 8,
        ..bare()
    };
    let perturbation = options.perturbation.clone().unwrap();
    let mut run = Run::new(start(&data), &data, &options).unwrap();
    let mut applied = |step| {
        run.step = step;
        run.faults(&perturbation).threshold.applied_rate().get()
    };
    assert!((applied(40) - 0.0005).abs() < 1e-6, "half of 80 steps");
    assert!((applied(60) - 0.01).abs() < 1e-6);
    assert!((applied(79) - 0.01).abs() < 1e-6);
}

#[test]
fn a_learned_range_takes_the_step_that_its_gradient_and_its_decay_give() {
    let data = data();
    let options = TrainingOptions {
        quantizer: QuantizerName::Wcat,
        weight_bits: BitWidth::FOUR,
        ..bare()
    };
    let mut run = Run::new(start(&data), &data, &options).unwrap();
    let (mut g, _, before) = two_gradients(&mut run);
    let quantizer = run.quantizers[0].clone().unwrap();
    let (alpha, weight) = (
        quantizer.learned()[0],
        &before.layers[0].as_ref().unwrap().weight,
    );
    let beyond = weight.iter().filter(|w| w.abs() > alpha).count();
    assert!(beyond > 0, "weights beyond the range stay there");
    let gradient = &mut g.layers[0].as_mut().unwrap().weight;
    let slope = quantizer.backward(weight, gradient)[0];
    run.step().unwrap();
    let expected = alpha - 0.05 * (slope + options.wcat.decay * alpha);
    let found = run.quantizers[0].as_ref().unwrap().learned()[0];
    assert!((found - expected).abs() < 1e-7, "{found} is not {expected}");
    assert_ne!(slope, 0.0);
}

#[test]
fn gradients_of_clipped_weights_follow_the_chosen_rule() {
    let data = data();
    let step = |weight_gradient| {
        let options = TrainingOptions {
            quantizer: QuantizerName::Wcat,
            weight_bits: BitWidth::FOUR,
            wcat: WcatOptions {
                weight_gradient,
                ..WcatOptions::default()
            },
            ..bare()
        };
        let mut run = Run::new(start(&data), &data, &options).unwrap();
        run.step().unwrap();
        run.model.parameters
    };
    let straight = step(WeightGradient::StraightThrough);
    let linear = step(WeightGradient::PiecewiseLinear);
    let magnitude = step(WeightGradient::MagnitudeAware);
    assert!(straight != linear && straight != magnitude && linear != magnitude);
}

#[test]
fn wcat_and_lsq_learn_from_nothing_without_running_away() {
    let data = glyph::split(1, 1000, 500);
    for quantizer in [QuantizerName::Wcat, QuantizerName::Lsq] {
        let options = TrainingOptions {
            quantizer,
            weight_bits: BitWidth::FOUR,
            code: CodeName::None,
            epochs: 60,
            ..options()
        };
        let trained = train(start(&data.train), &data.train, &options).unwrap();
        let accuracy = trained.accuracy(&data.test);
        assert!(accuracy > 0.93, "{quantizer}: {accuracy}");
    }
}
