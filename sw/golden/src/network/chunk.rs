//! Forward and backward through all layers for one chunk of images.
//!
//! A layer's products are joined with what is left to do on the tensor that it reads: on
//! the way forward normalisation, shortcut and ReLU of the layer before; on the way back
//! the gradient of the same. So a tensor goes through memory once a layer and not once an
//! operation.

use super::layer::{Context, Learned};
use super::moving::add;
use super::parameters::{LayerGradients, Parameters};
use super::pointwise::{ceiling, stop};
use super::residual::Shortcut;
use super::weightless::{Kept, Weightless};
use super::{Architecture, Bounds, Prepared};
use brownout_spec::program::Operation;
use ndarray::Array4;
use std::ops::Range;

/// Buffers of one layer.
#[derive(Debug)]
enum LayerState {
    Learned(Box<Learned>),
    Weightless {
        layer: Box<Weightless>,
        /// Of a max pool, which input won.
        winners: Vec<u32>,
        /// One where the gradient passes, where some may not.
        pass: Vec<u8>,
    },
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
    /// Of each layer the tensors that its operation works on, each once.
    operands: Vec<Vec<usize>>,
    /// For each tensor the one whose range its grid has.
    owners: Vec<usize>,
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
            if architecture.learns(index) {
                return LayerState::Learned(Box::new(Learned::new(architecture, index, images)));
            }
            let values = images * shapes.output.volume();
            let selects = matches!(layer.operation, Operation::MaxPool { .. });
            LayerState::Weightless {
                layer: Box::new(Weightless::new(architecture, index)),
                winners: vec![0; if selects { values } else { 0 }],
                pass: Vec::new(),
            }
        });
        let gradients = parameters.layers.iter();
        Self {
            layers: layers.collect(),
            tensor_gradients: tensors.iter().map(|t| vec![0.0; t.len()]).collect(),
            complete: vec![false; tensors.len()],
            begun: vec![false; tensors.len()],
            readers: readers(architecture),
            operands: (0..parameters.layers.len())
                .map(|layer| architecture.operands(layer))
                .collect(),
            owners: architecture.grid_owners(),
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

    /// The range of each tensor before its quantization in the last forward pass, as
    /// [`Values::maxima`](super::Values::maxima).
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
            LayerState::Learned(layer) => layer.moments(),
            _ => None,
        }
    }

    /// Computes every layer's output from the input.
    pub fn forward(&mut self, prepared: &Prepared<'_>) {
        self.complete.fill(false);
        self.complete[0] = true;
        self.maxima[1..].fill(f32::MIN);
        for index in 0..self.layers.len() {
            for images in self.groups(index) {
                for operand in 0..self.operands[index].len() {
                    let tensor = self.operands[index][operand];
                    self.complete_images(tensor, images.clone(), prepared);
                }
                self.forward_group(index, images, prepared);
            }
            for operand in 0..self.operands[index].len() {
                self.mark_complete(self.operands[index][operand]);
            }
            if let LayerState::Learned(layer) = &mut self.layers[index] {
                layer.normalize(&Context::new(prepared, index, Bounds::NONE));
            } else {
                self.complete[index + 1] = true;
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
            LayerState::Learned(layer) => layer.group,
            _ => 1,
        };
        let starts = (0..images).step_by(group);
        starts.map(move |start| start..images.min(start + group))
    }

    /// Completes some images of a tensor that is computed but not normalised, and of the
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
        let context = Context::new(prepared, index, self.architecture.styles[index].bounds);
        let (before, after) = self.tensors.split_at_mut(tensor);
        let y = slice_mut(&mut after[0]);
        let volume = y.len() / self.images;
        let LayerState::Learned(layer) = &mut self.layers[index] else {
            unreachable!("layers that learn nothing are complete at once");
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

    /// One layer; of one that learns without normalisation and what follows it.
    fn forward_group(&mut self, index: usize, images: Range<usize>, prepared: &Prepared<'_>) {
        let count = self.images;
        let (before, after) = self.tensors.split_at_mut(index + 1);
        match &mut self.layers[index] {
            LayerState::Learned(layer) => {
                let x = slice(&before[self.architecture.source(index)]);
                let context = Context::new(prepared, index, Bounds::NONE);
                layer.forward(&context, images, x);
            }
            LayerState::Weightless {
                layer,
                winners,
                pass,
            } => {
                let y = of_mut(slice_mut(&mut after[0]), &images, count);
                let grids = &prepared.activations[..];
                let gates = layer.gates(grids);
                if gates {
                    pass.resize(count * y.len() / images.len(), 0);
                }
                let kept = Kept {
                    winners: of_mut(winners, &images, count),
                    pass: gates.then(|| of_mut(pass, &images, count)),
                };
                let tensor = |tensor: usize| of(slice(&before[tensor]), &images, count);
                let most = layer.forward(tensor, (grids, &self.maxima), y, kept);
                self.maxima[index + 1] = self.maxima[index + 1].max(most);
            }
        }
    }

    /// After [`Chunk::backward`], if [`Prepared::ceilings`] are wanted, the sum of the
    /// gradients of each tensor's values that were cut off at the top of its grid: the
    /// gradient of its range (PACT: Choi et al., 2018, equation 3). Those of tensors that share
    /// a grid are added for the one whose range it has (see [`Architecture::grid_owners`]); the
    /// others', and those of means over whole maps, are zero.
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
            if let LayerState::Learned(layer) = &mut self.layers[index] {
                let gradients = self.gradients[index].as_mut();
                let gradients = gradients.expect("a layer that learns has parameters");
                layer.begin_backward(&Context::new(prepared, index, Bounds::NONE), gradients);
            }
            for images in self.groups(index) {
                self.backward_group(index, images.clone(), prepared, to_input);
                for operand in 0..self.operands[index].len() {
                    let source = self.operands[index][operand];
                    let wanted = source > 0 || to_input;
                    if wanted && self.readers[source].first == Some(index) {
                        self.complete_gradients(source, images.clone(), prepared);
                    }
                }
            }
            for &source in &self.operands[index] {
                self.begun[source] = true;
                self.complete[source] |= self.readers[source].first == Some(index);
            }
            if let LayerState::Learned(layer) = &mut self.layers[index] {
                let gradients = self.gradients[index].as_mut();
                layer.end_backward(gradients.expect("a layer that learns has parameters"));
            }
        }
        for tensor in 1..self.tensors.len() {
            let owner = self.owners[tensor];
            if owner != tensor {
                self.ceilings[owner] += std::mem::take(&mut self.ceilings[tensor]);
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
        let begun =
            self.begun[tensor] || first_reader.is_some_and(|f| self.operands[f].contains(&tensor));
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
                Some(LayerState::Learned(layer)) => {
                    let bounds = self.architecture.styles[tensor - 1].bounds;
                    let context = Context::new(prepared, tensor - 1, bounds);
                    if prepared.ceilings && context.clip.grid.is_some() {
                        let y = image_of(slice(&self.tensors[tensor]), image, self.images);
                        self.ceilings[tensor] += layer.ceiling(&context, image, (y, g), operand);
                    }
                    layer.gate(&context, image, g, operand);
                }
                Some(LayerState::Weightless { layer, pass, .. }) => {
                    add(g, operand.unwrap_or(&[]));
                    let grids = &prepared.activations[..];
                    if layer.gates(grids) {
                        let pass = of(pass, &(image..image + 1), self.images);
                        if prepared.ceilings {
                            let y = image_of(slice(&self.tensors[tensor]), image, self.images);
                            self.ceilings[tensor] += ceiling(pass, y, g, None, layer.clip(grids));
                        }
                        stop(g, pass);
                    }
                }
                None => add(g, operand.unwrap_or(&[])),
            }
        }
    }

    /// One layer's contributions to the gradients of its weights and of the tensors that its
    /// operation works on.
    fn backward_group(
        &mut self,
        index: usize,
        images: Range<usize>,
        prepared: &Prepared<'_>,
        to_input: bool,
    ) {
        let count = self.images;
        let (before, after) = self.tensor_gradients.split_at_mut(index + 1);
        for &source in &self.operands[index] {
            let wanted = source > 0 || to_input;
            let begun = self.begun[source];
            let dx = of_mut(&mut before[source], &images, count);
            let x = slice(&self.tensors[source]);
            match &mut self.layers[index] {
                LayerState::Learned(layer) => {
                    let context = Context::new(prepared, index, Bounds::NONE);
                    let dx = wanted.then_some((dx, begun));
                    layer.backward(&context, images.clone(), (x, &after[0]), dx);
                }
                LayerState::Weightless { layer, winners, .. } if wanted => {
                    if !begun {
                        dx.fill(0.0);
                    }
                    let dy = of(&after[0], &images, count);
                    let winners = of(winners, &images, count);
                    layer.backward((source, of(x, &images, count)), (dy, winners), dx);
                }
                LayerState::Weightless { .. } => {}
            }
        }
    }
}

/// Who reads each tensor of a network.
fn readers(architecture: &Architecture) -> Vec<Readers> {
    let mut readers = vec![Readers::default(); architecture.tensors().len()];
    for index in 0..architecture.network.layers.len() {
        for operand in architecture.operands(index) {
            let source = &mut readers[operand];
            source.first = source.first.or(Some(index));
        }
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

/// Some of all images' values.
fn of<'v, T>(values: &'v [T], images: &Range<usize>, count: usize) -> &'v [T] {
    let volume = values.len() / count;
    &values[images.start * volume..images.end * volume]
}

fn of_mut<'v, T>(values: &'v mut [T], images: &Range<usize>, count: usize) -> &'v mut [T] {
    let volume = values.len() / count;
    &mut values[images.start * volume..images.end * volume]
}
