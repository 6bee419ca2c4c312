//! Batch normalisation over the pixels of one chunk (Ioffe and Szegedy, 2015), and
//! group normalisation over each image's own groups of channels (Wu and He, 2018).

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

/// Group normalisation of one chunk: in every image, each of `groups` groups of
/// neighbouring channels gets mean 0 and variance 1 over its pixels and channels.
///
/// `x`, `[image][pixel][channel]`, is normalised in place; the inverse deviation
/// of group *g* of image *n* becomes entry *n*·`groups` + *g* of the result.
pub(super) fn normalize_groups(
    x: &mut [f32],
    (images, channels): (usize, usize),
    groups: usize,
) -> Vec<f32> {
    let width = channels / groups;
    let volume = x.len() / images;
    let count = (volume / groups) as f32;
    let mut inverses = Vec::with_capacity(images * groups);
    for image in x.chunks_exact_mut(volume) {
        for first in (0..channels).step_by(width) {
            let sum = |f: &dyn Fn(f32) -> f32| -> f32 {
                image
                    .chunks_exact(channels)
                    .map(|p| p[first..first + width].iter().map(|&x| f(x)).sum::<f32>())
                    .sum()
            };
            let mean = sum(&|x| x) / count;
            let variance = sum(&|x| (x - mean) * (x - mean)) / count;
            let inverse = 1.0 / (variance + NORMALIZATION_EPSILON).sqrt();
            for pixel in image.chunks_exact_mut(channels) {
                for x in &mut pixel[first..first + width] {
                    *x = (*x - mean) * inverse;
                }
            }
            inverses.push(inverse);
        }
    }
    inverses
}

/// `d` becomes the gradient of the group normalisation's input: with e = scale·d,
/// dx = s·(e − mean(e) − x̂·mean(e·x̂)), means over the group.
pub(super) fn group_input_gradient(
    d: &mut [f32],
    normalized: &[f32],
    scale: &[f32],
    inverses: &[f32],
    (images, groups): (usize, usize),
) {
    let channels = scale.len();
    let width = channels / groups;
    let volume = d.len() / images;
    let count = (volume / groups) as f32;
    let images = d
        .chunks_exact_mut(volume)
        .zip(normalized.chunks_exact(volume));
    for ((d, n), inverses) in images.zip(inverses.chunks_exact(groups)) {
        for (group, &inverse) in inverses.iter().enumerate() {
            let range = group * width..(group + 1) * width;
            let (mut sum, mut product) = (0.0, 0.0);
            for (d, n) in d.chunks_exact_mut(channels).zip(n.chunks_exact(channels)) {
                for c in range.clone() {
                    d[c] *= scale[c];
                    sum += d[c];
                    product += d[c] * n[c];
                }
            }
            let (mean, slope) = (sum / count, product / count);
            for (d, n) in d.chunks_exact_mut(channels).zip(n.chunks_exact(channels)) {
                for c in range.clone() {
                    d[c] = inverse * (d[c] - mean - n[c] * slope);
                }
            }
        }
    }
}

/// The sum of each channel over all pixels: the gradient of what is added before the normalisation.
pub(super) fn channel_sums(d: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    for pixel in d.chunks_exact(sums.len()) {
        for (sum, d) in sums.iter_mut().zip(pixel) {
            *sum += d;
        }
    }
}
