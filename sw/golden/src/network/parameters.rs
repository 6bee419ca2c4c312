//! Weights, gains and biases, and their gradients.

use super::{Architecture, Norm};
use brownout_spec::program::Operation;
use ndarray::{Array1, Array4};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// What one layer has learned: a convolution, or an average pool that is normalised or scaled.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerParameters {
    /// `[output][kernel row][kernel column][input]`; empty where a layer has no weights.
    pub weight: Array4<f32>,
    /// Added to the convolution's result before it is normalised; `None` without
    /// normalisation, or where the layer has none.
    pub offset: Option<Array1<f32>>,
    /// Added to the output; the shift of a normalised layer.
    pub bias: Array1<f32>,
    /// Scale of a normalised or scaled layer; of group norm, the scale minus one, so that
    /// clipping it to ±w clips the scale to [1 − w, 1 + w] (Stutz et al., MLSys 2021).
    pub gain: Option<Array1<f32>>,
    /// Running mean of a batch-normalised layer.
    pub mean: Array1<f32>,
    /// Running variance of a batch-normalised layer.
    pub variance: Array1<f32>,
}

/// The parameters of every layer; `None` where nothing is learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// In the order of the layers.
    pub layers: Vec<Option<LayerParameters>>,
}

/// Gradients of one layer, in the layout of its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerGradients {
    /// As [`LayerParameters::weight`].
    pub weight: Vec<f32>,
    /// As [`LayerParameters::offset`]; zero without one.
    pub offset: Vec<f32>,
    /// As [`LayerParameters::bias`].
    pub bias: Vec<f32>,
    /// As [`LayerParameters::gain`]; zero without normalisation.
    pub gain: Vec<f32>,
}

impl LayerGradients {
    /// Zeros in the shape of the parameters.
    pub fn zeros(parameters: &LayerParameters) -> Self {
        Self {
            weight: vec![0.0; parameters.weight.len()],
            offset: vec![0.0; parameters.bias.len()],
            bias: vec![0.0; parameters.bias.len()],
            gain: vec![0.0; parameters.bias.len()],
        }
    }

    /// Adds another chunk's gradients.
    pub fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.weight, &other.weight),
            (&mut self.offset, &other.offset),
            (&mut self.bias, &other.bias),
            (&mut self.gain, &other.gain),
        ] {
            for (s, p) in sum.iter_mut().zip(part) {
                *s += p;
            }
        }
    }
}

impl LayerParameters {
    /// Of a layer without weights, with these gains.
    pub fn weightless(gain: Array1<f32>, bias: Array1<f32>) -> Self {
        let channels = gain.len();
        Self {
            weight: Array4::zeros((channels, 0, 0, 0)),
            offset: None,
            bias,
            gain: Some(gain),
            mean: Array1::zeros(channels),
            variance: Array1::ones(channels),
        }
    }

    /// Whether there are weights, which lie in a memory; gains and biases do not.
    pub fn has_weights(&self) -> bool {
        !self.weight.is_empty()
    }

    /// What a normalised value is multiplied with, for each output channel; `None` without normalisation.
    pub fn scale(&self, norm: Norm) -> Option<Vec<f32>> {
        let one = match norm {
            Norm::None => return None,
            Norm::Batch | Norm::Affine => 0.0,
            Norm::Group { .. } => 1.0,
        };
        let gain = self.gain.as_ref()?;
        Some(gain.iter().map(|g| one + g).collect())
    }
}

impl Parameters {
    /// Random weights: normal with variance 2 / inputs (He et al., 2015); biases zero, scales one.
    pub fn random(architecture: &Architecture, seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        let layers = architecture.network.layers.iter().zip(&architecture.styles);
        let layers = layers
            .zip(architecture.shapes())
            .map(|((layer, style), shapes)| {
                let Operation::Convolution {
                    output_channels, ..
                } = layer.operation
                else {
                    let channels = shapes.output.channels;
                    let gain = initial_gain(style.norm, channels)?;
                    return Some(LayerParameters::weightless(gain, Array1::zeros(channels)));
                };
                let shape = (
                    output_channels,
                    shapes.window.height,
                    shapes.window.width,
                    shapes.group_channels(),
                );
                let inputs = (shape.1 * shape.2 * shape.3) as f32;
                let normal =
                    Normal::new(0.0, (2.0 / inputs).sqrt()).expect("the deviation is positive");
                Some(LayerParameters {
                    weight: Array4::from_shape_simple_fn(shape, || normal.sample(&mut random)),
                    offset: style.offset.then(|| Array1::zeros(output_channels)),
                    bias: Array1::zeros(output_channels),
                    gain: initial_gain(style.norm, output_channels),
                    mean: Array1::zeros(output_channels),
                    variance: Array1::ones(output_channels),
                })
            })
            .collect();
        Self { layers }
    }

    /// Number of weights, biases, offsets and gains.
    pub fn count(&self) -> usize {
        let layers = self.layers.iter().flatten();
        layers
            .map(|l| {
                let optional = [&l.offset, &l.gain].into_iter().flatten();
                l.weight.len() + l.bias.len() + optional.map(Array1::len).sum::<usize>()
            })
            .sum()
    }
}

/// Gains that scale by one, where there are any.
fn initial_gain(norm: Norm, channels: usize) -> Option<Array1<f32>> {
    match norm {
        Norm::None => None,
        Norm::Batch | Norm::Affine => Some(Array1::ones(channels)),
        Norm::Group { .. } => Some(Array1::zeros(channels)),
    }
}
