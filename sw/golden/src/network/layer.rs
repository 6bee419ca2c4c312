//! One layer that learns, in a chunk: its buffers, and its work on a group of images.
//!
//! A group is taken through everything that a layer does before the next one is begun, so
//! that its values are still in the core's own cache.

use super::bfloat::Precision;
use super::linear::{self, Linear};
use super::normalization::{Affine, Coefficients, Moments, Spread, Sums};
use super::parameters::LayerGradients;
use super::pointwise::{Clip, activate, ceiling, gate, spread};
use super::prepared::{Packed, Prepared, Statistics};
use super::{Architecture, Bounds, LayerParameters, Norm};
use std::ops::Range;

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
    /// Of a layer that learns.
    pub fn new(prepared: &'a Prepared<'_>, index: usize, bounds: Bounds) -> Self {
        Self {
            parameters: prepared.parameters.layers[index]
                .as_ref()
                .expect("a layer that learns has parameters"),
            packed: prepared.packed[index]
                .as_ref()
                .expect("a layer that learns has its numbers"),
            statistics: prepared.statistics,
            precision: prepared.precision,
            clip: Clip::new(bounds, prepared.activations[index + 1]),
        }
    }
}

/// Buffers of one layer.
#[derive(Debug)]
pub(super) struct Learned {
    norm: Norm,
    /// Images that are taken together.
    pub group: usize,
    images: usize,
    /// Values of an image, in front and behind.
    volumes: (usize, usize),
    channels: usize,
    linear: Linear,
    /// The linear part's results, z, of all images.
    results: Vec<f32>,
    /// One where the gradient passes ReLU and clipping, zero elsewhere.
    pass: Vec<u8>,
    affine: Affine,
    /// Of the last image, and of all so far.
    spreads: [Spread; 2],
    moments: Moments,
    /// Of each image, Σ g and Σ g·(z − centre) of each channel.
    sums: Vec<f32>,
    coefficients: Coefficients,
}

impl Learned {
    /// Of a layer of that many images.
    pub fn new(architecture: &Architecture, index: usize, images: usize) -> Self {
        let (shapes, style) = (&architecture.shapes()[index], &architecture.styles[index]);
        let has_weights = architecture.network.layers[index].operation.has_weights();
        let group = linear::group(shapes, has_weights, images);
        let channels = shapes.output.channels;
        let affine = Affine::new(style, channels, images);
        let volumes = (shapes.input.volume(), shapes.output.volume());
        Self {
            norm: style.norm,
            group,
            images,
            volumes,
            channels,
            linear: Linear::new(architecture, index, group),
            results: vec![0.0; images * volumes.1],
            pass: vec![0; images * volumes.1],
            coefficients: Coefficients::new(&affine),
            affine,
            spreads: [Spread::new(channels), Spread::new(channels)],
            moments: Moments::default(),
            sums: vec![0.0; 2 * images * channels],
        }
    }

    /// Mean and variance that a batch-normalised layer saw, once there was a forward pass.
    pub fn moments(&self) -> Option<(&[f32], &[f32])> {
        let Moments { mean, variance } = &self.moments;
        (!mean.is_empty()).then_some((mean, variance))
    }

    /// Takes a group of images, given as all images' values, as far as z.
    pub fn forward(&mut self, context: &Context<'_>, images: Range<usize>, x: &[f32]) {
        let volumes = self.volumes;
        let x = &x[images.start * volumes.0..images.end * volumes.0];
        let z = &mut self.results[images.start * volumes.1..images.end * volumes.1];
        (self.linear).forward((x, images.len()), context.packed, z);
        let pixels = volumes.1 / self.channels;
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

    /// Works out the affine map of a chunk, when all images have been through
    /// [`Learned::forward`].
    pub fn normalize(&mut self, context: &Context<'_>) {
        let parameters = context.parameters;
        match self.norm {
            Norm::None => self.affine.set_plain(parameters),
            Norm::Affine => self.affine.set_scaled(parameters, context.scale()),
            // Each image's was set with it.
            Norm::Group { .. } => {}
            Norm::Batch => {
                if context.statistics == Statistics::Batch {
                    let offset = parameters.offset.as_ref();
                    let offset = offset.map(|o| o.as_slice().expect("offsets are contiguous"));
                    let values = self.results.len() / self.channels;
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
        let z = &self.results[values.clone()];
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
        let z = &self.results[values.clone()];
        let pass = (!context.clip.is_none()).then(|| &self.pass[values]);
        let sums = 2 * self.channels;
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

    /// Begins the way back, when all images have been through [`Learned::gate`]: the
    /// gradients of biases, offsets and gains.
    pub fn begin_backward(&mut self, context: &Context<'_>, gradients: &mut LayerGradients) {
        let own = self.norm == Norm::Batch && context.statistics == Statistics::Batch;
        let sums = Sums {
            sums: &self.sums,
            pixels: self.results.len() / self.channels / self.images,
            norm: (self.norm, own),
            scale: context.packed.scale.as_deref(),
        };
        self.coefficients.set(&self.affine, &sums, gradients);
        if context.parameters.offset.is_none() {
            gradients.offset.fill(0.0);
        }
        self.linear.begin_backward();
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
        let volumes = self.volumes;
        let (gradient, places) = self.linear.gradient();
        let targets = gradient.chunks_mut(places.volume);
        for (image, target) in images.clone().zip(targets) {
            let values = image * volumes.1..(image + 1) * volumes.1;
            let coefficients = self.coefficients.of(&self.affine, image);
            let (g, z) = (&g[values.clone()], &self.results[values]);
            spread(g, z, coefficients, places.row, places.rows, target);
        }
        let x = &x[images.start * volumes.0..images.end * volumes.0];
        let weights = (context.packed, context.precision);
        self.linear.backward((x, images.len()), weights, dx);
    }

    /// The weight gradient, when all images have been through [`Learned::backward`].
    pub fn end_backward(&self, gradients: &mut LayerGradients) {
        self.linear.end_backward(&mut gradients.weight);
    }
}

impl Context<'_> {
    fn scale(&self) -> &[f32] {
        let scale = self.packed.scale.as_deref();
        scale.expect("a normalised layer has a scale")
    }
}
