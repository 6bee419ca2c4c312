//! Stochastic gradient descent with momentum, and its learning rate.

use crate::network::{LayerGradients, Parameters};

/// Share of the steps over which the learning rate rises to its peak.
const WARM_UP_SHARE: f32 = 0.03;

/// Velocities of all parameters: v ← μ·v + g, w ← w − η·v.
#[derive(Debug)]
pub struct Momentum {
    velocities: Vec<Option<LayerGradients>>,
    momentum: f32,
    weight_decay: f32,
}

impl Momentum {
    pub fn new(parameters: &Parameters, momentum: f32, weight_decay: f32) -> Self {
        Self {
            velocities: parameters
                .layers
                .iter()
                .map(|l| l.as_ref().map(LayerGradients::zeros))
                .collect(),
            momentum,
            weight_decay,
        }
    }

    /// One step along the gradients.
    pub fn step(
        &mut self,
        parameters: &mut Parameters,
        gradients: &[Option<LayerGradients>],
        rate: f32,
    ) {
        let layers = parameters.layers.iter_mut().zip(&mut self.velocities);
        for ((layer, velocity), gradient) in layers.zip(gradients) {
            let (Some(layer), Some(v), Some(g)) = (layer, velocity, gradient) else {
                continue;
            };
            let (mu, decay) = (self.momentum, self.weight_decay);
            update(
                layer.weight.iter_mut(),
                &mut v.weight,
                &g.weight,
                rate,
                mu,
                decay,
            );
            if let Some(offset) = &mut layer.offset {
                update(offset.iter_mut(), &mut v.offset, &g.offset, rate, mu, 0.0);
            }
            update(layer.bias.iter_mut(), &mut v.bias, &g.bias, rate, mu, 0.0);
            if let Some(gain) = &mut layer.gain {
                update(gain.iter_mut(), &mut v.gain, &g.gain, rate, mu, 0.0);
            }
        }
    }
}

fn update<'a>(
    values: impl Iterator<Item = &'a mut f32>,
    velocities: &mut [f32],
    gradients: &[f32],
    rate: f32,
    momentum: f32,
    decay: f32,
) {
    for ((w, v), g) in values.zip(velocities).zip(gradients) {
        *v = momentum * *v + g + decay * *w;
        *w -= rate * *v;
    }
}

/// The learning rate of a step: a linear warm-up, then half a cosine down to zero
/// (Loshchilov and Hutter, "SGDR", 2017, equation 5 without restarts).
pub fn learning_rate(peak: f32, step: usize, steps: usize) -> f32 {
    let warm_up = (steps as f32 * WARM_UP_SHARE).ceil();
    let step = step as f32;
    if step < warm_up {
        return peak * (step + 1.0) / warm_up;
    }
    let progress = (step - warm_up) / (steps as f32 - warm_up).max(1.0);
    0.5 * peak * (1.0 + (std::f32::consts::PI * progress).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_to_nearly_zero() {
        let rates: Vec<f32> = (0..1000).map(|s| learning_rate(0.2, s, 1000)).collect();
        let peak = rates.iter().copied().fold(0.0, f32::max);
        assert!((peak - 0.2).abs() < 1e-6);
        assert!(rates[0] < 0.02 && rates[999] < 1e-4);
        assert!(rates[31..].windows(2).all(|w| w[1] <= w[0]));
    }
}
