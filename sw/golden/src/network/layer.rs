//! One convolution of a chunk: its buffers, and its work on a group of images.
//!
//! A group is taken through everything that a layer does before the next one is begun, so
//! that its values are still in the core's own cache.

use super::bfloat::Precision;
use super::normalization::{Affine, Coefficients, Moments, Spread, Sums};
use super::parameters::LayerGradients;
use super::pointwise::{Clip, activate, ceiling, gate, spread};
use super::prepared::{Prepared, Statistics};
use super::windows::{self, Backward, Forward, PackedWeights, Padded, Scratch};
use super::{Bounds, LayerParameters, Norm, Style};
use brownout_spec::program::LayerShapes;
use std::ops::Range;

/// A layer's weights as the inner loops read them, and what its normalisation multiplies with.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub forward: PackedWeights,
    pub backward: PackedWeights,
    pub scale: Option<Vec<f32>>,
}

/// What a layer needs to know of a step.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub parameters: &'a LayerParameters,
    pub packed: &'a Packed,
    pub statistics: Statistics,
    pub precision: Precision,
    pub clip: Clip,
}

impl<'a> Context<'a> {
    /// Of a layer with weights.
    pub fn new(prepared: &'a Prepared<'_>, index: usize, bounds: Bounds) -> Self {
        Self {
            parameters: prepared.parameters.layers[index]
                .as_ref()
                .expect("a convolution has parameters"),
            packed: prepared.packed[index]
                .as_ref()
                .expect("a convolution has weights"),
            statistics: prepared.statistics,
            precision: prepared.precision,
            clip: Clip::new(bounds, prepared.activations[index + 1]),
        }
    }
}

/// Buffers of one convolution.
#[derive(Debug)]
pub(super) struct Convolution {
    norm: Norm,
    /// Images that are convolved together.
    pub group: usize,
    images: usize,
    forward: Forward,
    backward: Backward,
    /// Inputs of a group.
    padded: Padded,
    /// The output's gradients of a group inside their zero border.
    padded_gradient: Vec<f32>,
    /// Where convolutions work, forward and backward.
    scratch: Scratch,
    /// The convolution's results, z, of all images.
    linear: Vec<f32>,
    /// One where the gradient passes ReLU and clipping, zero elsewhere.
    pass: Vec<u8>,
    affine: Affine,
    /// Of the last image, and of all so far.
    spreads: [Spread; 2],
    moments: Moments,
    /// Of each image, Σ g and Σ g·(z − centre) of each channel.
    sums: Vec<f32>,
    coefficients: Coefficients,
    packed_gradient: Vec<f32>,
    /// The input's gradient of a group, where it is not the first contribution.
    contribution: Vec<f32>,
}

impl Convolution {
    pub fn new(shapes: &LayerShapes, style: &Style, images: usize) -> Self {
        let group = windows::group(shapes, images);
        let (forward, backward) = (Forward::new(shapes, group), Backward::new(shapes, group));
        let channels = forward.outputs();
        let affine = Affine::new(style, channels, images);
        let volume = forward.output_volume();
        Self {
            norm: style.norm,
            group,
            images,
            padded: Padded::default(),
            padded_gradient: vec![0.0; backward.padded_length(group)],
            scratch: Scratch::default(),
            linear: vec![0.0; images * volume],
            pass: vec![0; images * volume],
            coefficients: Coefficients::new(&affine),
            affine,
            spreads: [Spread::new(channels), Spread::new(channels)],
            moments: Moments::default(),
            sums: vec![0.0; 2 * images * channels],
            packed_gradient: vec![0.0; forward.packed_length()],
            contribution: Vec::new(),
            forward,
            backward,
        }
    }

    /// Mean and variance that a batch-normalised layer saw, once there was a forward pass.
    pub fn moments(&self) -> Option<(&[f32], &[f32])> {
        let Moments { mean, variance } = &self.moments;
        (!mean.is_empty()).then_some((mean, variance))
    }

    /// Convolves a group of images, given as all images' values.
    pub fn convolve(&mut self, context: &Context<'_>, images: Range<usize>, x: &[f32]) {
        let volumes = (self.forward.input_volume(), self.forward.output_volume());
        let x = &x[images.start * volumes.0..images.end * volumes.0];
        let z = &mut self.linear[images.start * volumes.1..images.end * volumes.1];
        let weights = &context.packed.forward;
        let (padded, scratch) = (&mut self.padded, &mut self.scratch);
        (self.forward).convolve((x, images.len()), weights, padded, scratch, z);
        let pixels = volumes.1 / self.forward.outputs();
        for (image, z) in images.zip(z.chunks_exact(volumes.1)) {
            let [last, all] = &mut self.spreads;
            match (self.norm, context.statistics) {
                (Norm::Batch, Statistics::Batch) if image == 0 => all.measure(z),
                (Norm::Batch, Statistics::Batch) => {
                    last.measure(z);
                    all.merge(last, image, pixels);
                }
                (Norm::Group { groups }, _) => {
                    last.measure(z);
                    let layer = (context.parameters, context.scale());
                    self.affine.set_groups(image, layer, (last, pixels), groups);
                }
                _ => {}
            }
        }
    }

    /// Works out the affine map of a chunk, when all images have been convolved.
    pub fn normalize(&mut self, context: &Context<'_>) {
        let parameters = context.parameters;
        match self.norm {
            Norm::None => self.affine.set_plain(parameters),
            // Each image's was set with it.
            Norm::Group { .. } => {}
            Norm::Batch => {
                if context.statistics == Statistics::Batch {
                    let offset = parameters.offset.as_ref();
                    let offset = offset.map(|o| o.as_slice().expect("offsets are contiguous"));
                    let values = self.linear.len() / self.forward.outputs();
                    self.spreads[1].moments(values, offset, &mut self.moments);
                } else {
                    self.moments = Moments {
                        mean: parameters.mean.to_vec(),
                        variance: parameters.variance.to_vec(),
                    };
                }
                self.affine
                    .set_moments(parameters, context.scale(), &self.moments);
            }
        }
    }

    /// An image's output `y`, the operand added; the result as [`activate`]'s.
    pub fn activate(
        &mut self,
        context: &Context<'_>,
        image: usize,
        operand: Option<&[f32]>,
        y: &mut [f32],
    ) -> f32 {
        let values = image * y.len()..(image + 1) * y.len();
        let z = &self.linear[values.clone()];
        let clip = context.clip;
        let pass = (!clip.is_none()).then(|| &mut self.pass[values]);
        activate(z, self.affine.map(image), operand, clip, y, pass)
    }

    /// Takes an image's output gradient back to before the clipping, the operand added.
    pub fn gate(
        &mut self,
        context: &Context<'_>,
        image: usize,
        g: &mut [f32],
        operand: Option<&[f32]>,
    ) {
        let values = image * g.len()..(image + 1) * g.len();
        let z = &self.linear[values.clone()];
        let pass = (!context.clip.is_none()).then(|| &self.pass[values]);
        let sums = 2 * self.forward.outputs();
        let sums = &mut self.sums[image * sums..(image + 1) * sums];
        gate(g, operand, pass, z, self.affine.centre(image), sums);
    }

    /// As [`ceiling`], of an image.
    pub fn ceiling(
        &self,
        context: &Context<'_>,
        image: usize,
        (y, g): (&[f32], &[f32]),
        operand: Option<&[f32]>,
    ) -> f32 {
        let pass = &self.pass[image * g.len()..(image + 1) * g.len()];
        ceiling(pass, y, g, operand, context.clip)
    }

    /// Begins the way back, when all images have been through [`Convolution::gate`]: the
    /// gradients of biases, offsets and gains.
    pub fn begin_backward(&mut self, context: &Context<'_>, gradients: &mut LayerGradients) {
        let sums = Sums {
            sums: &self.sums,
            pixels: self.linear.len() / self.forward.outputs() / self.images,
            norm: (self.norm, context.statistics == Statistics::Batch),
            scale: context.packed.scale.as_deref(),
        };
        self.coefficients.set(&self.affine, &sums, gradients);
        if context.parameters.offset.is_none() {
            gradients.offset.fill(0.0);
        }
        self.packed_gradient.fill(0.0);
    }

    /// Adds a group's weight gradient, and gives the input's gradient to `dx`, if there is
    /// one: that of these images, added if `add` says so.
    pub fn backward(
        &mut self,
        context: &Context<'_>,
        images: Range<usize>,
        (x, g): (&[f32], &[f32]),
        dx: Option<(&mut [f32], bool)>,
    ) {
        let volumes = (self.forward.input_volume(), self.forward.output_volume());
        let (count, rows) = (images.len(), self.backward.rows());
        let targets = self
            .padded_gradient
            .chunks_mut(self.backward.padded_volume());
        for (image, target) in images.clone().zip(targets) {
            let values = image * volumes.1..(image + 1) * volumes.1;
            let coefficients = self.coefficients.of(&self.affine, image);
            let (g, z) = (&g[values.clone()], &self.linear[values]);
            spread(g, z, coefficients, self.backward.row_length(), rows, target);
        }
        let x = &x[images.start * volumes.0..images.end * volumes.0];
        let g = &self.padded_gradient[..];
        let (padded, scratch) = (&mut self.padded, &mut self.scratch);
        let group = (count, context.precision);
        let gradient = &mut self.packed_gradient;
        (self.backward).correlate(&self.forward, (x, g), group, padded, scratch, gradient);
        let weights = &context.packed.backward;
        match dx {
            None => {}
            Some((dx, false)) => {
                self.backward.convolve(g, count, weights, scratch, dx);
            }
            Some((dx, true)) => {
                self.contribution.resize(dx.len(), 0.0);
                let part = &mut self.contribution;
                self.backward.convolve(g, count, weights, scratch, part);
                dx.iter_mut().zip(part).for_each(|(dx, part)| *dx += *part);
            }
        }
    }

    /// The weight gradient, when all images have been through [`Convolution::backward`].
    pub fn end_backward(&self, gradients: &mut LayerGradients) {
        self.forward
            .unpack(&self.packed_gradient, &mut gradients.weight);
    }
}

impl Context<'_> {
    fn scale(&self) -> &[f32] {
        let scale = self.packed.scale.as_deref();
        scale.expect("a normalised layer has a scale")
    }
}
