//! Stochastic gradient descent with momentum, and its learning rate.

use super::gradients::SLICE;
use super::options::{Decay, Schedule, TrainingOptions};
use super::quantizer::{LayerQuantizer, QuantizerName};
use crate::network::{LayerGradients, Parameters};
use rayon::prelude::*;

/// Share of the steps over which the learning rate rises to its peak.
const WARM_UP_SHARE: f32 = 0.03;
/// Fifths of the steps after each of which the rate of [`Schedule::Steps`] falls to a tenth.
const DROPS: [usize; 3] = [2, 3, 4];

/// Velocities of all parameters: v ← μ·v + g, w ← w − η·v, or with Nesterov's
/// momentum w ← w − η·(g + μ·v).
#[derive(Clone, Debug, PartialEq)]
pub struct Momentum {
    /// Of every layer with parameters.
    pub velocities: Vec<Option<LayerGradients>>,
    /// Of what every layer's quantizer has learned.
    pub learned: Vec<Vec<f32>>,
    /// Of the ranges of all tensors.
    pub ranges: Vec<f32>,
}

/// One rule for all parameters.
#[derive(Clone, Copy)]
struct Rule {
    rate: f32,
    momentum: f32,
    nesterov: bool,
}

impl Momentum {
    /// At rest.
    pub fn new(parameters: &Parameters) -> Self {
        let layers = &parameters.layers;
        Self {
            velocities: layers
                .iter()
                .map(|l| l.as_ref().map(LayerGradients::zeros))
                .collect(),
            learned: vec![Vec::new(); layers.len()],
            ranges: vec![0.0; layers.len() + 1],
        }
    }

    /// One step of all parameters along the gradients.
    pub fn step(
        &mut self,
        parameters: &mut Parameters,
        gradients: &[Option<LayerGradients>],
        options: &TrainingOptions,
        rate: f32,
    ) {
        let rule = Rule::new(options, rate);
        let decay = options.weight_decay;
        let others = match options.decay {
            Decay::Weights => 0.0,
            Decay::All => decay,
        };
        let layers = parameters.layers.par_iter_mut();
        let layers = layers.zip(&mut self.velocities).zip(gradients);
        layers.for_each(|((layer, velocity), gradient)| {
            let (Some(layer), Some(v), Some(g)) = (layer, velocity, gradient) else {
                return;
            };
            let weight = layer.weight.as_slice_mut();
            let weight = weight.expect("weights are in standard layout");
            let slices = weight.par_chunks_mut(SLICE);
            let slices = slices.zip(v.weight.par_chunks_mut(SLICE));
            slices
                .zip(g.weight.par_chunks(SLICE))
                .for_each(|((weight, v), g)| rule.update(weight, v, g, decay));
            for (values, v, g) in [
                (layer.offset.as_mut(), &mut v.offset, &g.offset),
                (Some(&mut layer.bias), &mut v.bias, &g.bias),
                (layer.gain.as_mut(), &mut v.gain, &g.gain),
            ] {
                let values = values.and_then(|values| values.as_slice_mut());
                rule.update(values.unwrap_or_default(), v, g, others);
            }
        });
    }

    /// One step of the ranges of activations; those without a gradient, of pools and of
    /// the input, stay.
    pub fn learn_ranges(
        &mut self,
        ranges: &mut [f32],
        gradients: &[f32],
        options: &TrainingOptions,
        rate: f32,
    ) {
        /// The least range.
        const LEAST: f32 = 1e-6;
        let rule = Rule::new(options, rate);
        let all = ranges.iter_mut().zip(&mut self.ranges).zip(gradients);
        for ((range, velocity), gradient) in all {
            if *gradient != 0.0 || *velocity != 0.0 {
                let decay = options.activations.decay;
                let (velocity, gradient) = (std::slice::from_mut(velocity), &[*gradient]);
                rule.update(std::slice::from_mut(range), velocity, gradient, decay);
                *range = range.max(LEAST);
            }
        }
    }

    /// One step of what a layer's quantizer has learned.
    pub fn learn(
        &mut self,
        layer: usize,
        quantizer: &mut LayerQuantizer,
        gradients: &[f32],
        options: &TrainingOptions,
        rate: f32,
    ) {
        let before = quantizer.learned();
        let velocities = &mut self.learned[layer];
        velocities.resize(before.len(), 0.0);
        let decay = match options.quantizer {
            QuantizerName::Wcat => options.wcat.decay,
            _ => 0.0,
        };
        let mut after = before.clone();
        Rule::new(options, rate).update(&mut after, velocities, gradients, decay);
        let changes: Vec<f32> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
        quantizer.learn(&changes);
    }
}

impl Rule {
    fn new(options: &TrainingOptions, rate: f32) -> Self {
        Self {
            rate,
            momentum: options.momentum,
            nesterov: options.nesterov,
        }
    }

    fn update(self, values: &mut [f32], velocities: &mut [f32], gradients: &[f32], decay: f32) {
        let mu = self.momentum;
        for ((w, v), g) in values.iter_mut().zip(velocities).zip(gradients) {
            let g = g + decay * *w;
            *v = mu * *v + g;
            *w -= self.rate * if self.nesterov { g + mu * *v } else { *v };
        }
    }
}

/// The learning rate of a step.
pub fn learning_rate(schedule: Schedule, peak: f32, step: usize, steps: usize) -> f32 {
    match schedule {
        Schedule::Constant => peak,
        Schedule::Steps => {
            let drops = DROPS.iter().filter(|&fifth| 5 * step >= fifth * steps);
            peak * 0.1f32.powi(drops.count() as i32)
        }
        Schedule::Cosine => {
            let warm_up = (steps as f32 * WARM_UP_SHARE).ceil();
            let step = step as f32;
            if step < warm_up {
                return peak * (step + 1.0) / warm_up;
            }
            let progress = (step - warm_up) / (steps as f32 - warm_up).max(1.0);
            0.5 * peak * (1.0 + (std::f32::consts::PI * progress).cos())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_rises_to_its_peak_and_falls_to_nearly_zero() {
        let rates: Vec<f32> = (0..1000)
            .map(|s| learning_rate(Schedule::Cosine, 0.2, s, 1000))
            .collect();
        let peak = rates.iter().copied().fold(0.0, f32::max);
        assert!((peak - 0.2).abs() < 1e-6);
        assert!(rates[0] < 0.02 && rates[999] < 1e-4);
        assert!(rates[31..].windows(2).all(|w| w[1] <= w[0]));
    }

    #[test]
    fn the_steps_are_tenths_at_fifths() {
        let rate = |step| learning_rate(Schedule::Steps, 1.0, step, 100);
        assert_eq!((rate(0), rate(39)), (1.0, 1.0));
        for (step, expected) in [(40, 0.1), (59, 0.1), (60, 0.01), (80, 0.001), (99, 0.001)] {
            assert!((rate(step) / expected - 1.0).abs() < 1e-5, "step {step}");
        }
    }

    #[test]
    fn nesterov_looks_a_momentum_ahead() {
        let options = |nesterov| TrainingOptions {
            nesterov,
            momentum: 0.5,
            ..TrainingOptions::default()
        };
        for (nesterov, expected) in [(false, [-0.1, -0.25]), (true, [-0.15, -0.325])] {
            let rule = Rule::new(&options(nesterov), 0.1);
            let (mut w, mut v) = ([0.0], [0.0]);
            for expected in expected {
                rule.update(&mut w, &mut v, &[1.0], 0.0);
                assert!((w[0] - expected).abs() < 1e-6, "{} {expected}", w[0]);
            }
        }
    }

    #[test]
    fn a_range_that_nothing_needs_decays() {
        let options = TrainingOptions {
            quantizer: QuantizerName::Wcat,
            momentum: 0.0,
            ..TrainingOptions::default()
        };
        let weight = ndarray::Array4::from_elem((1, 1, 1, 2), 0.5);
        let mut quantizer = LayerQuantizer::begin(&weight, &options).unwrap();
        let before = quantizer.learned()[0];
        let mut momentum = Momentum {
            velocities: vec![None],
            learned: vec![Vec::new()],
            ranges: Vec::new(),
        };
        momentum.learn(0, &mut quantizer, &[0.0], &options, 0.1);
        let expected = before * (1.0 - 0.1 * options.wcat.decay);
        assert!((quantizer.learned()[0] - expected).abs() < 1e-7);
    }
}
