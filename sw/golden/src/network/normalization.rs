//! Batch normalisation over the pixels of one chunk (Ioffe and Szegedy, 2015), and
//! group normalisation over each image's own groups of channels (Wu and He, 2018).
//!
//! Forward, every layer is one affine map per channel of the convolution's result z, biases
//! and normalisation together; backward, the gradient of z is an affine function of z
//! and the output's gradient. Only the coefficients depend on the kind.

use super::parameters::LayerGradients;
use super::pointwise::deviations;
use super::{LayerParameters, Norm, Style};

/// Mean and variance of each channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

/// Mean, and sum of squared distances from it, of each channel of one image.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    mean: Vec<f64>,
    squares: Vec<f64>,
    sums: Vec<f32>,
}

impl Spread {
    pub fn new(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            squares: vec![0.0; channels],
            sums: vec![0.0; 2 * channels],
        }
    }

    /// Those of one image, `[pixel][channel]`.
    pub fn measure(&mut self, z: &[f32]) {
        let channels = self.mean.len();
        let pixels = (z.len() / channels) as f64;
        deviations(z, channels, &mut self.sums);
        for (c, &pivot) in z[..channels].iter().enumerate() {
            let (sum, square) = (f64::from(self.sums[c]), f64::from(self.sums[channels + c]));
            self.mean[c] = f64::from(pivot) + sum / pixels;
            self.squares[c] = (square - sum * sum / pixels).max(0.0);
        }
    }

    /// Takes in `other` of as many pixels as each of the `count` images so far (Chan, Golub
    /// and LeVeque, "Updating formulae", 1979).
    pub fn merge(&mut self, other: &Self, count: usize, pixels: usize) {
        let (old, new) = (count as f64, count as f64 + 1.0);
        for c in 0..self.mean.len() {
            let delta = other.mean[c] - self.mean[c];
            self.mean[c] += delta / new;
            self.squares[c] += other.squares[c] + delta * delta * pixels as f64 * old / new;
        }
    }

    /// The moments of that many values, of which an offset is part that z lacks.
    pub fn moments(&self, values: usize, offset: Option<&[f32]>, moments: &mut Moments) {
        let offset = |c: usize| offset.map_or(0.0, |o| f64::from(o[c]));
        moments.mean.clear();
        moments.variance.clear();
        for (c, (mean, squares)) in self.mean.iter().zip(&self.squares).enumerate() {
            moments.mean.push((mean + offset(c)) as f32);
            moments.variance.push((squares / values as f64) as f32);
        }
    }
}

/// A layer's map z ↦ z·scale + shift, per channel: the same for all images, or one for each.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    channels: usize,
    /// What the norm adds to a variance.
    epsilon: f32,
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Mean of z, the centre of its normalisation.
    centre: Vec<f32>,
    /// What the normalisation multiplies with.
    inverse: Vec<f32>,
    /// Sum over an image's pixels of z − centre, where it is not zero over all of them.
    excess: Vec<f32>,
}

impl Affine {
    /// The map of a layer of that style over that many images.
    pub fn new(style: &Style, channels: usize, images: usize) -> Self {
        let rows = match style.norm {
            Norm::Group { .. } => images,
            _ => 1,
        };
        Self {
            channels,
            epsilon: style.epsilon.value(),
            scale: vec![1.0; rows * channels],
            shift: vec![0.0; rows * channels],
            centre: vec![0.0; rows * channels],
            inverse: vec![1.0; rows * channels],
            excess: vec![0.0; rows * channels],
        }
    }

    fn first(&self, image: usize) -> usize {
        match self.scale.len() == self.channels {
            true => 0,
            false => image * self.channels,
        }
    }

    /// Scale and shift of an image.
    pub fn map(&self, image: usize) -> (&[f32], &[f32]) {
        let first = self.first(image);
        let row = first..first + self.channels;
        (&self.scale[row.clone()], &self.shift[row])
    }

    /// Mean of an image's z.
    pub fn centre(&self, image: usize) -> &[f32] {
        &self.centre[self.first(image)..][..self.channels]
    }

    /// Without normalisation: biases only.
    pub fn set_plain(&mut self, layer: &LayerParameters) {
        for c in 0..self.channels {
            self.shift[c] = layer.bias[c] + offset(layer, c);
        }
    }

    /// A gain and a bias of each channel alone.
    pub fn set_scaled(&mut self, layer: &LayerParameters, scale: &[f32]) {
        for (c, &gain) in scale.iter().enumerate() {
            self.set(c, gain, layer.bias[c], (0.0, 1.0));
        }
    }

    /// Normalisation with the moments of z + offset.
    pub fn set_moments(&mut self, layer: &LayerParameters, scale: &[f32], moments: &Moments) {
        for (c, &gain) in scale.iter().enumerate() {
            let inverse = 1.0 / (moments.variance[c] + self.epsilon).sqrt();
            let centre = moments.mean[c] - offset(layer, c);
            self.set(c, gain, layer.bias[c], (centre, inverse));
        }
    }

    /// Normalisation of an image by its own groups of channels.
    pub fn set_groups(
        &mut self,
        image: usize,
        (layer, scale): (&LayerParameters, &[f32]),
        (spread, pixels): (&Spread, usize),
        groups: usize,
    ) {
        let first = self.first(image);
        let width = self.channels / groups;
        let pixels = pixels as f64;
        for group in 0..groups {
            let range = group * width..(group + 1) * width;
            let mean_of = |c: usize| spread.mean[c] + f64::from(offset(layer, c));
            let mean = range.clone().map(mean_of).sum::<f64>() / width as f64;
            let squares = |c: usize| spread.squares[c] + pixels * (mean_of(c) - mean).powi(2);
            let variance = range.clone().map(squares).sum::<f64>() / (pixels * width as f64);
            let inverse = 1.0 / (variance as f32 + self.epsilon).sqrt();
            for c in range {
                let centre = mean as f32 - offset(layer, c);
                self.set(first + c, scale[c], layer.bias[c], (centre, inverse));
                self.excess[first + c] = (pixels * (mean_of(c) - mean)) as f32;
            }
        }
    }

    fn set(&mut self, at: usize, gain: f32, bias: f32, (centre, inverse): (f32, f32)) {
        self.centre[at] = centre;
        self.inverse[at] = inverse;
        self.scale[at] = gain * inverse;
        self.shift[at] = bias - centre * self.scale[at];
    }
}

fn offset(layer: &LayerParameters, channel: usize) -> f32 {
    layer.offset.as_ref().map_or(0.0, |o| o[channel])
}

/// The gradient of z as g·c₀ + z·c₁ + c₂, per channel and, as [`Affine`], per image.
#[derive(Clone, Debug)]
pub(super) struct Coefficients {
    factors: [Vec<f32>; 3],
}

/// What the coefficients follow from, for a whole chunk.
pub(super) struct Sums<'a> {
    /// Of each image, Σ g and Σ g·(z − centre) of each channel over its pixels.
    pub sums: &'a [f32],
    /// Pixels of an image.
    pub pixels: usize,
    /// The layer's norm, and whether the moments were those of the chunk itself.
    pub norm: (Norm, bool),
    /// What normalised values are multiplied with.
    pub scale: Option<&'a [f32]>,
}

impl Coefficients {
    /// For a layer whose map is this.
    pub fn new(affine: &Affine) -> Self {
        let zeros = || vec![0.0; affine.scale.len()];
        Self {
            factors: [zeros(), zeros(), zeros()],
        }
    }

    /// Those of an image.
    pub fn of(&self, affine: &Affine, image: usize) -> [&[f32]; 3] {
        let first = affine.first(image);
        let [c0, c1, c2] = &self.factors;
        [c0, c1, c2].map(|c| &c[first..][..affine.channels])
    }

    /// Works them out, and the gradients of biases, offsets and gains with them.
    pub fn set(&mut self, affine: &Affine, sums: &Sums<'_>, gradients: &mut LayerGradients) {
        let (plain, centred) = sums.total(affine.channels);
        let biases = gradients.bias.iter_mut().zip(&plain);
        biases.for_each(|(bias, &sum)| *bias = sum as f32);
        gradients.gain.fill(0.0);
        match (sums.norm, sums.scale) {
            ((Norm::Group { groups }, _), Some(scale)) => {
                self.set_groups(affine, sums, (scale, groups), gradients);
            }
            ((Norm::Batch | Norm::Affine, own), Some(_)) => {
                let values = (sums.images(affine.channels) * sums.pixels) as f64;
                for c in 0..affine.channels {
                    let (scale, inverse) = (affine.scale[c], affine.inverse[c]);
                    gradients.gain[c] = (centred[c] * f64::from(inverse)) as f32;
                    self.factors[0][c] = scale;
                    if own {
                        // dz = scale·(g − mean(g) − x̂·mean(g·x̂)), x̂ = (z − centre)·inverse.
                        let (scale, inverse) = (f64::from(scale), f64::from(inverse));
                        let slope = -scale * inverse * inverse * centred[c] / values;
                        let rest = -scale * plain[c] / values;
                        self.factors[1][c] = slope as f32;
                        self.factors[2][c] = (rest - slope * f64::from(affine.centre[c])) as f32;
                        // What is added in front of the normalisation is taken off again.
                        gradients.offset[c] = 0.0;
                    } else {
                        self.factors[1][c] = 0.0;
                        self.factors[2][c] = 0.0;
                        gradients.offset[c] = scale * plain[c] as f32;
                    }
                }
            }
            _ => {
                self.factors[0].fill(1.0);
                gradients.offset.copy_from_slice(&gradients.bias);
            }
        }
    }

    /// With e = scale·g: dz = inverse·(e − mean(e) − x̂·mean(e·x̂)), means over the group.
    fn set_groups(
        &mut self,
        affine: &Affine,
        sums: &Sums<'_>,
        (scale, groups): (&[f32], usize),
        gradients: &mut LayerGradients,
    ) {
        let channels = affine.channels;
        let width = channels / groups;
        let pixels = sums.pixels as f64;
        let mut offsets = vec![0.0; channels];
        let mut gains = vec![0.0; channels];
        for (image, sums) in sums.sums.chunks_exact(2 * channels).enumerate() {
            let (plain, centred) = sums.split_at(channels);
            for group in 0..groups {
                let range = group * width..(group + 1) * width;
                let first = image * channels;
                let inverse = f64::from(affine.inverse[first + range.start]);
                let mean = |sums: &[f32]| {
                    let terms = range.clone().map(|c| f64::from(scale[c] * sums[c]));
                    terms.sum::<f64>() / (pixels * width as f64)
                };
                let (mean, slope) = (mean(plain), -inverse.powi(3) * mean(centred));
                for c in range.clone() {
                    let at = first + c;
                    let rest = -inverse * mean;
                    self.factors[0][at] = affine.scale[at];
                    self.factors[1][at] = slope as f32;
                    self.factors[2][at] = (rest - slope * f64::from(affine.centre[at])) as f32;
                    gains[c] += inverse * f64::from(centred[c]);
                    offsets[c] += f64::from(affine.scale[at] * plain[c])
                        + rest * pixels
                        + slope * f64::from(affine.excess[at]);
                }
            }
        }
        for c in 0..channels {
            gradients.gain[c] = gains[c] as f32;
            gradients.offset[c] = offsets[c] as f32;
        }
    }
}

impl Sums<'_> {
    fn images(&self, channels: usize) -> usize {
        self.sums.len() / (2 * channels)
    }

    /// Both sums over all images.
    fn total(&self, channels: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut plain, mut centred) = (vec![0.0; channels], vec![0.0; channels]);
        for sums in self.sums.chunks_exact(2 * channels) {
            for c in 0..channels {
                plain[c] += f64::from(sums[c]);
                centred[c] += f64::from(sums[channels + c]);
            }
        }
        (plain, centred)
    }
}
