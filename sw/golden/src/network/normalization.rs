//! Batch normalisation over the pixels of one chunk (Ioffe and Szegedy, 2015).

use super::NORMALIZATION_EPSILON;

/// Mean and variance of each channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

impl Moments {
    /// The moments of `x`, `[pixel][channel]`.
    pub fn of(x: &[f32], channels: usize) -> Self {
        let pixels = (x.len() / channels) as f32;
        let mut mean = vec![0.0; channels];
        for pixel in x.chunks_exact(channels) {
            for (m, &x) in mean.iter_mut().zip(pixel) {
                *m += x;
            }
        }
        mean.iter_mut().for_each(|m| *m /= pixels);
        let mut variance = vec![0.0; channels];
        for pixel in x.chunks_exact(channels) {
            for ((v, &x), m) in variance.iter_mut().zip(pixel).zip(&mean) {
                *v += (x - m) * (x - m);
            }
        }
        variance.iter_mut().for_each(|v| *v /= pixels);
        Self { mean, variance }
    }

    pub fn inverse_deviation(&self) -> Vec<f32> {
        self.variance
            .iter()
            .map(|v| 1.0 / (v + NORMALIZATION_EPSILON).sqrt())
            .collect()
    }
}

/// `x` becomes (x − mean)·inverse.
pub(super) fn normalize(x: &mut [f32], mean: &[f32], inverse: &[f32]) {
    for pixel in x.chunks_exact_mut(mean.len()) {
        for ((x, m), s) in pixel.iter_mut().zip(mean).zip(inverse) {
            *x = (*x - m) * s;
        }
    }
}

/// Gradients of the gain and the bias: Σ d·x̂ and Σ d for each channel.
pub(super) fn affine_gradients(d: &[f32], normalized: &[f32], gain: &mut [f32], bias: &mut [f32]) {
    gain.fill(0.0);
    bias.fill(0.0);
    let channels = gain.len();
    for (d, n) in d
        .chunks_exact(channels)
        .zip(normalized.chunks_exact(channels))
    {
        for c in 0..channels {
            gain[c] += d[c] * n[c];
            bias[c] += d[c];
        }
    }
}

/// `d` becomes the gradient of the normalisation's input.
///
/// With `batch` the moments were those of the data itself, so their dependence
/// on it counts: dx = g·s·(d − mean(d) − x̂·mean(d·x̂)).
pub(super) fn input_gradient(
    d: &mut [f32],
    normalized: &[f32],
    (gain, inverse): (&[f32], &[f32]),
    (gain_gradient, bias_gradient): (&[f32], &[f32]),
    batch: bool,
) {
    let channels = gain.len();
    let share = if batch {
        channels as f32 / d.len() as f32
    } else {
        0.0
    };
    for (d, n) in d
        .chunks_exact_mut(channels)
        .zip(normalized.chunks_exact(channels))
    {
        for c in 0..channels {
            let centred = d[c] - share * (bias_gradient[c] + n[c] * gain_gradient[c]);
            d[c] = gain[c] * inverse[c] * centred;
        }
    }
}
