//! Forward only: what measuring a network needs.
//!
//! The same kernels and the same arithmetic as a [`Chunk`](super::Chunk) with
//! running statistics in single precision, to the bit, but nothing is kept for a backward pass. Layers with
//! large maps take one image after the other, whose values then stay in a core's own
//! cache. From the first layer on whose maps are smaller than a turn of the inner loops,
//! all layers take a whole batch, so that their weights are not read for every image.

use super::chunk::shortcut;
use super::linear;
use super::normalization::{Affine, Moments, Spread};
use super::pointwise::{Clip, activate};
use super::values::{Tensor, Values};
use super::weightless::{Kept, Weightless};
use super::windows::{Forward, PackedWeights, Padded, Scratch};
use super::{Architecture, Norm, Parameters, Precision, Score};
use crate::data::Dataset;
use crate::model::InputTable;
use crate::quantize::ActivationGrid;
use crate::train::arg_max;
use ndarray::Array4;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Images that one thread takes at once.
const BATCH: usize = 32;

/// A network ready to run images in floating point.
#[derive(Clone, Debug)]
pub struct Evaluator<'a> {
    architecture: &'a Architecture,
    parameters: &'a Parameters,
    layers: Vec<State>,
    /// Grid of each tensor's activations; `None` leaves it in floating point.
    activations: Vec<Option<ActivationGrid>>,
    /// The first layer that takes a whole batch.
    batched: usize,
}

/// What is ready of a layer.
#[derive(Clone, Debug)]
enum State {
    Learned(Box<Learned>),
    Weightless(Box<Weightless>),
}

impl State {
    fn learned(&self) -> Option<&Learned> {
        match self {
            Self::Learned(layer) => Some(layer),
            Self::Weightless(_) => None,
        }
    }

    fn has_weights(&self) -> bool {
        let learned = self.learned();
        learned.is_some_and(|layer| matches!(layer.linear, Linear::Products(..)))
    }

    /// Images that it takes together.
    fn group(&self) -> usize {
        self.learned().map_or(1, |layer| layer.group)
    }
}

/// What a layer's values are before they are normalised.
#[derive(Clone, Debug)]
enum Linear {
    /// A convolution's geometry, and its weights.
    Products(Box<Forward>, PackedWeights),
    /// An average pool.
    Average(Box<Weightless>),
}

/// A layer that learns, and its normalisation.
#[derive(Clone, Debug)]
struct Learned {
    /// Images that are taken together.
    group: usize,
    linear: Linear,
    /// Channels and values of an image's output.
    channels: usize,
    volume: usize,
    scale: Option<Vec<f32>>,
    /// Of group norm a place for that of an image.
    affine: Affine,
    clip: Clip,
}

impl<'a> Evaluator<'a> {
    /// A network with its own weights, or for each layer with those given instead.
    ///
    /// # Panics
    /// If parameters, weights or grids are not the architecture's.
    pub fn new(
        architecture: &'a Architecture,
        parameters: &'a Parameters,
        weights: &[Option<Array4<f32>>],
        activations: Vec<Option<ActivationGrid>>,
    ) -> Self {
        assert_eq!(activations.len(), parameters.layers.len() + 1);
        let layers = parameters.layers.iter().zip(weights).enumerate();
        let layers = layers.map(|(index, (layer, given))| {
            let Some(layer) = layer.as_ref() else {
                return State::Weightless(Box::new(Weightless::new(architecture, index)));
            };
            let weight = given.as_ref().unwrap_or(&layer.weight);
            let style = &architecture.styles[index];
            let shapes = &architecture.shapes()[index];
            let group = linear::group(shapes, layer.has_weights(), BATCH);
            let linear = match layer.has_weights() {
                false => Linear::Average(Box::new(Weightless::new(architecture, index))),
                true => {
                    let forward = Forward::new(shapes, group);
                    let weight = weight.as_slice().expect("weights are in standard layout");
                    let packed = forward.pack(weight, Precision::Single);
                    Linear::Products(Box::new(forward), packed)
                }
            };
            let scale = layer.scale(style.norm);
            let channels = shapes.output.channels;
            let mut affine = Affine::new(style, channels, 1);
            match (style.norm, &scale) {
                (Norm::Batch, Some(scale)) => {
                    let moments = Moments {
                        mean: layer.mean.to_vec(),
                        variance: layer.variance.to_vec(),
                    };
                    affine.set_moments(layer, scale, &moments);
                }
                (Norm::Affine, Some(scale)) => affine.set_scaled(layer, scale),
                (Norm::Group { .. }, _) => {}
                _ => affine.set_plain(layer),
            }
            State::Learned(Box::new(Learned {
                group,
                linear,
                channels,
                volume: shapes.output.volume(),
                scale,
                affine,
                clip: Clip::new(style.bounds, activations[index + 1]),
            }))
        });
        let layers: Vec<_> = layers.collect();
        let is_large = |layer: &State| layer.has_weights() && layer.group() == 1;
        let after = layers
            .iter()
            .rposition(is_large)
            .map_or(0, |layer| layer + 1);
        // A pool makes its input small, and so belongs to what is in front of it.
        let pools = layers[after..]
            .iter()
            .take_while(|layer| !layer.has_weights());
        Self {
            architecture,
            parameters,
            batched: after + pools.count(),
            layers,
            activations,
        }
    }

    /// A network in floating point with nothing rounded.
    pub fn exact(architecture: &'a Architecture, parameters: &'a Parameters) -> Self {
        let layers = parameters.layers.len();
        Self::new(
            architecture,
            parameters,
            &vec![None; layers],
            vec![None; layers + 1],
        )
    }

    /// Buffers for [`Evaluator::run`].
    pub fn values(&self) -> Values {
        self.values_of(1)
    }

    /// Buffers for that many images.
    fn values_of(&self, images: usize) -> Values {
        let layers = self.layers.len();
        let shapes = self.architecture.tensors();
        let mut slots: Vec<_> = (0..=layers)
            .map(|tensor| if tensor > self.batched { images } else { 1 })
            .collect();
        for index in self.batched..layers {
            for &tensor in &self.architecture.network.layers[index].reads {
                slots[tensor] = images;
            }
        }
        // Every image's results are wanted, even where the last layer takes one after the other.
        slots[layers] = images;
        let tensors = shapes.iter().zip(slots).map(|(shape, slots)| Tensor {
            values: vec![0.0; slots * shape.volume()],
            volume: shape.volume(),
        });
        let linear = |l: &Learned| l.group.min(images) * l.volume;
        let learned = self.layers.iter().filter_map(State::learned);
        let linear = learned.map(linear).max();
        let largest = shapes.iter().map(|s| s.volume()).max().unwrap_or(0);
        let affines = self.layers.iter().zip(&self.architecture.styles);
        let affines = affines.map(|(layer, style)| {
            let layer = layer.learned()?;
            let grouped = matches!(style.norm, Norm::Group { .. });
            grouped.then(|| (layer.affine.clone(), Spread::new(layer.channels)))
        });
        Values {
            tensors: tensors.collect(),
            padded: vec![Padded::default(); layers],
            scratch: Scratch::default(),
            linear: vec![0.0; linear.unwrap_or(0)],
            gathered: vec![0.0; largest],
            affines: affines.collect(),
            winners: vec![0; largest],
            maxima: vec![0.0; shapes.len()],
        }
    }

    /// Runs one image, given as values `[row][column][channel]`.
    ///
    /// # Panics
    /// If the buffers are another network's.
    pub fn run(&self, input: impl Iterator<Item = f32>, values: &mut Values) {
        self.run_all([input], values);
    }

    /// Runs one layer on the tensors that are there, and returns its output.
    ///
    /// # Panics
    /// If the buffers are another network's.
    pub fn run_layer<'v>(&self, layer: usize, values: &'v mut Values) -> &'v [f32] {
        self.layer(layer, 0..1, values);
        values.tensor(layer + 1)
    }

    /// Runs as many images as the buffers are for, or fewer.
    fn run_all<I: Iterator<Item = f32>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        values: &mut Values,
    ) {
        values.maxima[1..].fill(f32::MIN);
        let mut images = 0..0;
        for input in inputs {
            let image = images.end..images.end + 1;
            let target = values.tensors[0].of_mut(&image);
            target
                .iter_mut()
                .zip(input)
                .for_each(|(x, value)| *x = value);
            for index in 0..self.batched {
                self.layer(index, image.clone(), values);
            }
            images.end += 1;
        }
        for index in self.batched..self.layers.len() {
            let group = self.layers[index].group();
            for start in images.clone().step_by(group) {
                let end = images.end.min(start + group);
                self.layer(index, start..end, values);
            }
        }
    }

    /// One layer of some images that are convolved together.
    fn layer(&self, index: usize, images: Range<usize>, values: &mut Values) {
        let most = match &self.layers[index] {
            State::Learned(layer) => self.learned(index, layer, images, values),
            State::Weightless(layer) => {
                let (before, after) = values.tensors.split_at_mut(index + 1);
                let y = after[0].of_mut(&images);
                let kept = Kept {
                    winners: &mut values.winners[..y.len()],
                    pass: None,
                };
                let grids = (&self.activations[..], &values.maxima[..]);
                layer.forward(|tensor| before[tensor].of(&images), grids, y, kept)
            }
        };
        values.maxima[index + 1] = values.maxima[index + 1].max(most);
    }

    /// A layer that learns and everything up to the next one; the result is its largest value
    /// before clipping.
    fn learned(
        &self,
        index: usize,
        layer: &Learned,
        images: Range<usize>,
        values: &mut Values,
    ) -> f32 {
        let (before, after) = values.tensors.split_at_mut(index + 1);
        let x = before[self.architecture.source(index)].of(&images);
        let y = after[0].of_mut(&images);
        let z = &mut values.linear[..y.len()];
        match &layer.linear {
            Linear::Average(pool) => pool.average(x, z),
            Linear::Products(forward, packed) => {
                let (padded, scratch) = (&mut values.padded[index], &mut values.scratch);
                forward.convolve((x, images.len()), packed, padded, scratch, z);
            }
        }
        let volume = layer.volume;
        let shortcut = shortcut(self.architecture, index);
        let mut most = f32::MIN;
        for ((image, z), y) in images
            .zip(z.chunks_exact(volume))
            .zip(y.chunks_exact_mut(volume))
        {
            let mut affine = &layer.affine;
            if let Some((own, spread)) = &mut values.affines[index] {
                self.normalize_groups(index, layer, z, (own, spread));
                affine = own;
            }
            let operand = shortcut.map(|shortcut| {
                let operand = before[shortcut.from].of(&(image..image + 1));
                if shortcut.is_identity() {
                    return operand;
                }
                let gathered = &mut values.gathered[..volume];
                shortcut.gather(operand, gathered);
                gathered
            });
            most = most.max(activate(z, affine.map(0), operand, layer.clip, y, None));
        }
        most
    }

    /// Works out the map of a group-normalised image.
    fn normalize_groups(
        &self,
        index: usize,
        layer: &Learned,
        z: &[f32],
        (affine, spread): (&mut Affine, &mut Spread),
    ) {
        if let (Norm::Group { groups }, Some(scale), Some(parameters)) = (
            self.architecture.styles[index].norm,
            &layer.scale,
            &self.parameters.layers[index],
        ) {
            spread.measure(z);
            let pixels = z.len() / scale.len();
            affine.set_groups(0, (parameters, scale), (spread, pixels), groups);
        }
    }

    /// Runs all images of a data set, whose pixels mean what `input` says.
    ///
    /// The result does not depend on the number of threads.
    ///
    /// # Panics
    /// If the images do not have the network's size.
    pub fn score(&self, input: &InputTable<f32>, data: &Dataset) -> Score {
        assert_eq!(
            data.shape().volume(),
            self.architecture.network.input.volume()
        );
        let parts = self.batches(input, data, |images, values| {
            let mut score = Score::default();
            for (place, image) in images.enumerate() {
                score.count(values.logits_of(place), data, image);
            }
            score
        });
        Score::of_parts(&parts, data)
    }

    /// The class of every image, in order: the largest logit's, of equal ones the first.
    ///
    /// # Panics
    /// If the images do not have the network's size.
    pub fn classes(&self, input: &InputTable<f32>, data: &Dataset) -> Vec<u16> {
        let parts = self.batches(input, data, |images, values| {
            let logits = (0..images.len()).map(|place| values.logits_of(place));
            logits.map(|l| arg_max(l) as u16).collect::<Vec<_>>()
        });
        parts.concat()
    }

    /// The range of each tensor over a data set: the mean over groups of 32 images
    /// of the largest value in the group, as training observes it.
    ///
    /// # Panics
    /// If the images do not have the network's size.
    pub fn ranges(&self, input: &InputTable<f32>, data: &Dataset) -> Vec<f32> {
        assert_eq!(
            data.shape().volume(),
            self.architecture.network.input.volume()
        );
        let groups = self.batches(input, data, |_, values| values.maxima().to_vec());
        let share = 1.0 / groups.len().max(1) as f32;
        (0..self.activations.len())
            .map(|tensor| groups.iter().map(|g| g[tensor] * share).sum())
            .collect()
    }

    /// Runs all images batch by batch, each a task of its own, and collects what `result`
    /// makes of them, in order. There are as many buffers as threads.
    fn batches<R: Send>(
        &self,
        input: &InputTable<f32>,
        data: &Dataset,
        result: impl Fn(Range<usize>, &Values) -> R + Sync,
    ) -> Vec<R> {
        let starts: Vec<usize> = (0..data.len()).step_by(BATCH).collect();
        let spare = Mutex::new(Vec::new());
        let lock = || spare.lock().unwrap_or_else(PoisonError::into_inner);
        let run = |start: usize| {
            let known = lock().pop();
            let mut values = known.unwrap_or_else(|| self.values_of(BATCH));
            let images = start..(start + BATCH).min(data.len());
            let inputs = images.clone().map(|i| input.apply(data.image(i)));
            self.run_all(inputs, &mut values);
            let result = result(images, &values);
            lock().push(values);
            result
        };
        starts.into_par_iter().with_max_len(1).map(run).collect()
    }
}

#[cfg(test)]
#[path = "evaluator_tests.rs"]
mod tests;
