//! Forward and backward through all layers for one chunk of images.
//!
//! A layer's convolution is joined with what is left to do on the tensor that it reads: on
//! the way forward normalisation, shortcut and ReLU of the layer before; on the way back
//! the gradient of the same. So a tensor goes through memory once a layer and not once an
//! operation.

use super::bfloat::Precision;
use super::layer::{Context, Convolution, Packed};
use super::parameters::{LayerGradients, Parameters};
use super::pointwise::{largest, quantize};
use super::residual::Shortcut;
use super::windows::{Backward, Forward};
use super::{Architecture, pooling};
use crate::quantize::ActivationGrid;
use brownout_spec::program::Operation;
use ndarray::Array4;
use rayon::prelude::*;
use std::ops::Range;

/// Which moments a normalised layer uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Those of the chunk.
    Batch,
    /// The running ones, as inference does.
    Running,
}

/// Everything that the chunks of one step share: packed weights and grids of activations.
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    /// Biases, gains and running moments.
    pub parameters: &'a Parameters,
    /// Which moments to use.
    pub statistics: Statistics,
    /// In what numbers convolutions multiply; weights are packed for it.
    pub(super) precision: Precision,
    /// Grid of each tensor's activations; `None` leaves it in floating point.
    pub activations: Vec<Option<ActivationGrid>>,
    /// Whether the gradients of the grids' ranges are wanted.
    pub ceilings: bool,
    pub(super) packed: Vec<Option<Packed>>,
}

impl<'a> Prepared<'a> {
    /// Packs the weights that the layers multiply with: the parameters' own, or quantized ones.
    pub fn new(
        architecture: &Architecture,
        parameters: &'a Parameters,
        weights: &[Option<Array4<f32>>],
        statistics: Statistics,
        activations: Vec<Option<ActivationGrid>>,
    ) -> Self {
        let single = (statistics, Precision::Single);
        Self::with_precision(architecture, parameters, weights, single, activations)
    }

    /// The same, in whatever numbers convolutions are to multiply.
    pub fn with_precision(
        architecture: &Architecture,
        parameters: &'a Parameters,
        weights: &[Option<Array4<f32>>],
        (statistics, precision): (Statistics, Precision),
        activations: Vec<Option<ActivationGrid>>,
    ) -> Self {
        let layers = parameters.layers.par_iter().zip(weights);
        let packed = layers.enumerate().map(|(index, (layer, given))| {
            let layer = layer.as_ref()?;
            let weight = given.as_ref().unwrap_or(&layer.weight);
            let weight = weight.as_slice().expect("weights are in standard layout");
            let shapes = &architecture.shapes()[index];
            Some(Packed {
                forward: Forward::new(shapes, 0).pack(weight, precision),
                backward: Backward::new(shapes, 0).pack(weight, precision),
                scale: layer.scale(architecture.styles[index].norm),
            })
        });
        Self {
            parameters,
            statistics,
            precision,
            activations,
            ceilings: false,
            packed: packed.collect(),
        }
    }
}

/// Buffers of one layer.
#[derive(Debug)]
enum LayerState {
    Convolution(Box<Convolution>),
    MaxPool { winners: Vec<u32> },
    Average,
}

/// A fixed number of images on their way through a network, with all intermediate values.
#[derive(Debug)]
pub struct Chunk {
    architecture: Architecture,
    images: usize,
    layers: Vec<LayerState>,
    /// The input and every layer's output, `[image][row][column][channel]`.
    tensors: Vec<Array4<f32>>,
    tensor_gradients: Vec<Vec<f32>>,
    /// Of each tensor, whether it, or on the way back its gradient, is complete.
    complete: Vec<bool>,
    /// Of each tensor, whether its gradient has a contribution of a layer that reads it.
    begun: Vec<bool>,
    readers: Vec<Readers>,
    /// An operand of one image in its output's shape.
    gathered: Vec<f32>,
    gradients: Vec<Option<LayerGradients>>,
    maxima: Vec<f32>,
    ceilings: Vec<f32>,
}

/// Who reads a tensor.
#[derive(Clone, Debug, Default)]
struct Readers {
    /// The first layer that reads it, whose contribution to its gradient is the last.
    first: Option<usize>,
    /// Layers that add it, and how.
    adders: Vec<(usize, Shortcut)>,
}

impl Chunk {
    /// Buffers for `images` images.
    pub fn new(architecture: &Architecture, parameters: &Parameters, images: usize) -> Self {
        let tensors: Vec<_> = architecture
            .tensors()
            .iter()
            .map(|s| Array4::zeros((images, s.height, s.width, s.channels)))
            .collect();
        let layers = architecture.network.layers.iter().enumerate();
        let layers = layers.map(|(index, layer)| {
            let shapes = &architecture.shapes()[index];
            match layer.operation {
                Operation::Convolution { .. } => {
                    let style = architecture.styles[index];
                    LayerState::Convolution(Box::new(Convolution::new(shapes, style, images)))
                }
                Operation::MaxPool { .. } => LayerState::MaxPool {
                    winners: vec![0; images * shapes.output.volume()],
                },
                Operation::GlobalAveragePool => LayerState::Average,
                other => unreachable!("no architecture has a layer of kind {}", other.kind()),
            }
        });
        let gradients = parameters.layers.iter();
        Self {
            layers: layers.collect(),
            tensor_gradients: tensors.iter().map(|t| vec![0.0; t.len()]).collect(),
            complete: vec![false; tensors.len()],
            begun: vec![false; tensors.len()],
            readers: readers(architecture),
            gathered: Vec::new(),
            maxima: vec![0.0; tensors.len()],
            ceilings: vec![0.0; tensors.len()],
            gradients: gradients
                .map(|l| l.as_ref().map(LayerGradients::zeros))
                .collect(),
            architecture: architecture.clone(),
            images,
            tensors,
        }
    }

    /// Images of the chunk.
    pub fn images(&self) -> usize {
        self.images
    }

    /// The input, to be filled before [`Chunk::forward`].
    pub fn input_mut(&mut self) -> &mut [f32] {
        slice_mut(&mut self.tensors[0])
    }

    /// The last layer's output, `[image][class]`.
    pub fn logits(&self) -> &[f32] {
        slice(&self.tensors[self.tensors.len() - 1])
    }

    /// The output of `layer` as it is after [`Chunk::forward`].
    pub fn output(&self, layer: usize) -> &Array4<f32> {
        &self.tensors[layer + 1]
    }

    /// Largest value of each tensor before its quantization, in the last forward pass.
    pub fn maxima(&self) -> &[f32] {
        &self.maxima
    }

    /// Parameter gradients after [`Chunk::backward`].
    pub fn gradients(&self) -> &[Option<LayerGradients>] {
        &self.gradients
    }

    /// The gradient of the input after [`Chunk::backward`], if it was asked for.
    pub fn input_gradient(&self) -> &[f32] {
        &self.tensor_gradients[0]
    }

    /// Mean and variance that a batch-normalised layer saw, per channel.
    pub fn moments(&self, layer: usize) -> Option<(&[f32], &[f32])> {
        match &self.layers[layer] {
            LayerState::Convolution(layer) => layer.moments(),
            _ => None,
        }
    }

    /// Computes every layer's output from the input.
    pub fn forward(&mut self, prepared: &Prepared<'_>) {
        self.complete.fill(false);
        self.complete[0] = true;
        self.maxima[1..].fill(f32::MIN);
        for index in 0..self.layers.len() {
            let source = self.architecture.source(index);
            for images in self.groups(index) {
                self.complete_images(source, images.clone(), prepared);
                self.forward_group(index, images, prepared);
            }
            self.mark_complete(source);
            if let LayerState::Convolution(layer) = &mut self.layers[index] {
                layer.normalize(&Context::new(prepared, index, false));
            } else {
                self.complete[index + 1] = true;
            }
            if let LayerState::MaxPool { .. } = self.layers[index] {
                // A maximum is one of its inputs: its range is theirs.
                self.maxima[index + 1] = self.maxima[source];
            }
        }
        for tensor in 1..self.tensors.len() {
            self.complete_images(tensor, 0..self.images, prepared);
            self.mark_complete(tensor);
        }
    }

    /// The groups of images that a layer takes together.
    fn groups(&self, index: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let images = self.images;
        let group = match &self.layers[index] {
            LayerState::Convolution(layer) => layer.group,
            _ => 1,
        };
        let starts = (0..images).step_by(group);
        starts.map(move |start| start..images.min(start + group))
    }

    /// Completes some images of a tensor that is convolved but not normalised, and of the
    /// operand that it needs.
    fn complete_images(&mut self, tensor: usize, images: Range<usize>, prepared: &Prepared<'_>) {
        if self.complete[tensor] {
            return;
        }
        let index = tensor - 1;
        let shortcut = shortcut(&self.architecture, index);
        if let Some(shortcut) = shortcut {
            self.complete_images(shortcut.from, images.clone(), prepared);
        }
        let rectified = self.architecture.styles[index].rectified;
        let context = Context::new(prepared, index, rectified);
        let (before, after) = self.tensors.split_at_mut(tensor);
        let y = slice_mut(&mut after[0]);
        let volume = y.len() / self.images;
        let LayerState::Convolution(layer) = &mut self.layers[index] else {
            unreachable!("pools are complete at once");
        };
        for (image, y) in images
            .clone()
            .zip(y.chunks_exact_mut(volume).skip(images.start))
        {
            let operand = shortcut.map(|shortcut| {
                let operand = image_of(slice(&before[shortcut.from]), image, self.images);
                if shortcut.is_identity() {
                    return operand;
                }
                self.gathered.resize(volume, 0.0);
                shortcut.gather(operand, &mut self.gathered);
                &self.gathered
            });
            let most = layer.activate(&context, image, operand, y);
            self.maxima[tensor] = self.maxima[tensor].max(most);
        }
    }

    fn mark_complete(&mut self, tensor: usize) {
        if self.complete[tensor] {
            return;
        }
        self.complete[tensor] = true;
        if let Some((from, _)) = self.architecture.residual(tensor - 1) {
            self.mark_complete(from);
        }
    }

    /// One layer without normalisation and what follows it.
    fn forward_group(&mut self, index: usize, images: Range<usize>, prepared: &Prepared<'_>) {
        let shapes = &self.architecture.shapes()[index];
        let (before, after) = self.tensors.split_at_mut(index + 1);
        let x = slice(&before[self.architecture.source(index)]);
        let (x_of, y_of) = ranges(&images, x.len(), after[0].len(), self.images);
        match &mut self.layers[index] {
            LayerState::Convolution(layer) => {
                layer.convolve(&Context::new(prepared, index, false), images, x);
            }
            LayerState::MaxPool { winners } => {
                let y = &mut slice_mut(&mut after[0])[y_of.clone()];
                pooling::max_forward(shapes, &x[x_of], y, &mut winners[y_of]);
            }
            LayerState::Average => {
                let y = &mut slice_mut(&mut after[0])[y_of];
                pooling::average_forward(shapes, &x[x_of], y);
                self.maxima[index + 1] = self.maxima[index + 1].max(largest(y));
                if let Some(grid) = prepared.activations[index + 1] {
                    quantize(y, grid);
                }
            }
        }
    }

    /// After [`Chunk::backward`], if [`Prepared::ceilings`] are wanted, the sum of the
    /// gradients of each tensor's values that were cut off at the top of its grid: the
    /// gradient of its range (PACT: Choi et al., 2018, equation 3). Zero for tensors that
    /// no convolution gives.
    pub fn ceiling_gradients(&self) -> &[f32] {
        &self.ceilings
    }

    /// Computes the gradients of all parameters from that of the logits; also the
    /// input's, if `to_input` says so.
    pub fn backward(&mut self, prepared: &Prepared<'_>, logits: &[f32], to_input: bool) {
        self.complete.fill(false);
        self.begun.fill(false);
        self.ceilings.fill(0.0);
        let last = self.tensors.len() - 1;
        self.tensor_gradients[last].copy_from_slice(logits);
        self.begun[last] = true;
        for index in (0..self.layers.len()).rev() {
            let tensor = index + 1;
            if !self.complete[tensor] {
                self.complete_gradients(tensor, 0..self.images, prepared);
            }
            let source = self.architecture.source(index);
            let wanted = source > 0 || to_input;
            let is_last = self.readers[source].first == Some(index);
            if let LayerState::Convolution(layer) = &mut self.layers[index] {
                let gradients = self.gradients[index].as_mut();
                let gradients = gradients.expect("a convolution has parameters");
                layer.begin_backward(&Context::new(prepared, index, false), gradients);
            }
            for images in self.groups(index) {
                self.backward_group(index, images.clone(), prepared, wanted);
                if wanted && is_last {
                    self.complete_gradients(source, images, prepared);
                }
            }
            self.begun[source] = true;
            self.complete[source] |= is_last;
            if let LayerState::Convolution(layer) = &mut self.layers[index] {
                let gradients = self.gradients[index].as_mut();
                layer.end_backward(gradients.expect("a convolution has parameters"));
            }
        }
    }

    /// Adds to the gradients of some images of a tensor what the layers pass on that add
    /// it, and takes them back to before the clipping. All other contributions are there.
    fn complete_gradients(&mut self, tensor: usize, images: Range<usize>, prepared: &Prepared<'_>) {
        let (lower, upper) = self.tensor_gradients.split_at_mut(tensor + 1);
        let g = &mut lower[tensor];
        let volume = g.len() / self.images;
        let first_reader = self.readers[tensor].first;
        // The first reader may be reading this very moment.
        let begun = self.begun[tensor]
            || first_reader.is_some_and(|f| self.architecture.source(f) == tensor);
        for (image, g) in images
            .clone()
            .zip(g.chunks_exact_mut(volume).skip(images.start))
        {
            if !begun {
                g.fill(0.0);
            }
            let mut operand = None;
            for (layer, shortcut) in &self.readers[tensor].adders {
                let dy = image_of(&upper[layer - tensor], image, self.images);
                if shortcut.is_identity() && operand.is_none() {
                    operand = Some(dy);
                } else {
                    shortcut.add_gradient(dy, g);
                }
            }
            match tensor.checked_sub(1).map(|index| &mut self.layers[index]) {
                Some(LayerState::Convolution(layer)) => {
                    let rectified = self.architecture.styles[tensor - 1].rectified;
                    let context = Context::new(prepared, tensor - 1, rectified);
                    if prepared.ceilings && context.clip.grid.is_some() {
                        let y = image_of(slice(&self.tensors[tensor]), image, self.images);
                        self.ceilings[tensor] += layer.ceiling(image, y, g, operand);
                    }
                    layer.gate(&context, image, g, operand);
                }
                _ => {
                    let operand = operand.unwrap_or(&[]);
                    g.iter_mut().zip(operand).for_each(|(g, o)| *g += o);
                }
            }
        }
    }

    /// One layer's contributions to the gradients of its weights and of the tensor that it reads.
    fn backward_group(
        &mut self,
        index: usize,
        images: Range<usize>,
        prepared: &Prepared<'_>,
        wanted: bool,
    ) {
        let shapes = &self.architecture.shapes()[index];
        let source = self.architecture.source(index);
        let (before, after) = self.tensor_gradients.split_at_mut(index + 1);
        let (dy, dx) = (&after[0][..], &mut before[source]);
        let (x_of, y_of) = ranges(&images, dx.len(), dy.len(), self.images);
        let dx = &mut dx[x_of];
        let begun = self.begun[source];
        if !begun && !matches!(self.layers[index], LayerState::Convolution(_)) {
            dx.fill(0.0);
        }
        match &mut self.layers[index] {
            LayerState::Convolution(layer) => {
                let x = slice(&self.tensors[source]);
                let context = Context::new(prepared, index, false);
                let dx = wanted.then_some((dx, begun));
                layer.backward(&context, images, (x, dy), dx);
            }
            LayerState::MaxPool { winners } => {
                pooling::max_backward(&dy[y_of.clone()], &winners[y_of], dx);
            }
            LayerState::Average => pooling::average_backward(shapes, &dy[y_of], dx),
        }
    }
}

/// Who reads each tensor of a network.
fn readers(architecture: &Architecture) -> Vec<Readers> {
    let mut readers = vec![Readers::default(); architecture.tensors().len()];
    for index in 0..architecture.network.layers.len() {
        let source = &mut readers[architecture.source(index)];
        source.first = source.first.or(Some(index));
        if let Some(shortcut) = shortcut(architecture, index) {
            let operand = &mut readers[shortcut.from];
            operand.first = operand.first.or(Some(index));
            operand.adders.push((index, shortcut));
        }
    }
    readers
}

/// The shortcut that a layer adds.
pub(super) fn shortcut(architecture: &Architecture, index: usize) -> Option<Shortcut> {
    let (from, stride) = architecture.residual(index)?;
    Some(Shortcut {
        from,
        stride,
        operand: architecture.tensor(from),
        output: architecture.shapes()[index].output,
    })
}

fn slice(tensor: &Array4<f32>) -> &[f32] {
    tensor.as_slice().expect("tensors are in standard layout")
}

fn slice_mut(tensor: &mut Array4<f32>) -> &mut [f32] {
    tensor
        .as_slice_mut()
        .expect("tensors are in standard layout")
}

/// One of all images' values.
fn image_of(values: &[f32], image: usize, images: usize) -> &[f32] {
    let volume = values.len() / images;
    &values[image * volume..][..volume]
}

/// Where some images lie in tensors of two lengths.
fn ranges(images: &Range<usize>, x: usize, y: usize, count: usize) -> (Range<usize>, Range<usize>) {
    let range = |length: usize| {
        let volume = length / count;
        images.start * volume..images.end * volume
    };
    (range(x), range(y))
}
