//! Forward only, image by image: what measuring a network needs.
//!
//! The same kernels and the same arithmetic as a [`Chunk`](super::Chunk) with
//! running statistics, to the bit, but nothing is kept for a backward pass: all
//! values of an image fit into a core's own cache.

use super::chunk::shortcut;
use super::normalization::{Affine, Moments, Spread};
use super::pointwise::{Clip, activate, largest, quantize};
use super::tiles::convolve;
use super::windows::Forward;
use super::{Architecture, Norm, Parameters, pooling};
use crate::data::Dataset;
use crate::model::InputTable;
use crate::train::arg_max;
use brownout_spec::program::Operation;
use ndarray::Array4;
use rayon::prelude::*;

/// Images that one thread takes at once.
const BATCH: usize = 32;

/// A network ready to run images in floating point.
#[derive(Clone, Debug)]
pub struct Evaluator<'a> {
    architecture: &'a Architecture,
    parameters: &'a Parameters,
    layers: Vec<Option<Convolution>>,
    /// Step of each tensor's 8-bit activations; `None` leaves it in floating point.
    steps: Vec<Option<f32>>,
}

/// A convolution's geometry for one image, its weights and its normalisation.
#[derive(Clone, Debug)]
struct Convolution {
    forward: Forward,
    packed: Vec<f32>,
    scale: Option<Vec<f32>>,
    /// Of group norm a place for that of an image.
    affine: Affine,
    clip: Clip,
}

/// The values of one image on its way.
#[derive(Clone, Debug)]
pub struct Values {
    /// The input and every layer's output, `[row][column][channel]`.
    tensors: Vec<Vec<f32>>,
    padded: Vec<Vec<f32>>,
    linear: Vec<f32>,
    gathered: Vec<f32>,
    /// Of each layer whose normalisation depends on the image.
    affines: Vec<Option<(Affine, Spread)>>,
    winners: Vec<u32>,
    maxima: Vec<f32>,
}

impl Values {
    /// The last layer's output, one value a class.
    pub fn logits(&self) -> &[f32] {
        &self.tensors[self.tensors.len() - 1]
    }

    /// The input (0) or the output of layer `tensor` − 1, `[row][column][channel]`.
    pub fn tensor(&self, tensor: usize) -> &[f32] {
        &self.tensors[tensor]
    }

    /// Largest value of each tensor before its quantization; a maximum pool's is its input's.
    pub fn maxima(&self) -> &[f32] {
        &self.maxima
    }
}

/// How well a network classifies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Images classified right: the largest logit, of equal ones the first, is the label's.
    pub correct: usize,
    /// All images.
    pub images: usize,
    /// Mean of −ln softmax(logits)\[label\].
    pub loss: f64,
}

impl Score {
    /// Share classified right.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }
}

impl<'a> Evaluator<'a> {
    /// A network with its own weights, or for each layer with those given instead.
    ///
    /// # Panics
    /// If parameters, weights or steps are not the architecture's.
    pub fn new(
        architecture: &'a Architecture,
        parameters: &'a Parameters,
        weights: &[Option<Array4<f32>>],
        steps: Vec<Option<f32>>,
    ) -> Self {
        assert_eq!(steps.len(), parameters.layers.len() + 1);
        let layers = parameters.layers.iter().zip(weights).enumerate();
        let layers = layers.map(|(index, (layer, given))| {
            let layer = layer.as_ref()?;
            let weight = given.as_ref().unwrap_or(&layer.weight);
            let style = architecture.styles[index];
            let forward = Forward::new(&architecture.shapes()[index], 1);
            let scale = layer.scale(style.norm);
            let mut affine = Affine::new(style.norm, forward.outputs(), 1);
            match (style.norm, &scale) {
                (Norm::Batch, Some(scale)) => {
                    let moments = Moments {
                        mean: layer.mean.to_vec(),
                        variance: layer.variance.to_vec(),
                    };
                    affine.set_moments(layer, scale, &moments);
                }
                (Norm::Group { .. }, _) => {}
                _ => affine.set_plain(layer),
            }
            Some(Convolution {
                packed: forward.pack(weight.as_slice().expect("weights are in standard layout")),
                forward,
                scale,
                affine,
                clip: Clip::new(style.rectified, steps[index + 1]),
            })
        });
        Self {
            architecture,
            parameters,
            layers: layers.collect(),
            steps,
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
        let tensors = self.architecture.tensors();
        let largest = tensors.iter().map(|s| s.volume()).max().unwrap_or(0);
        let padded = |l: &Convolution| vec![0.0; l.forward.padded_length(1)];
        let affines = self.layers.iter().zip(&self.architecture.styles);
        let affines = affines.map(|(layer, style)| {
            let layer = layer.as_ref()?;
            let grouped = matches!(style.norm, Norm::Group { .. });
            grouped.then(|| (layer.affine.clone(), Spread::new(layer.forward.outputs())))
        });
        Values {
            padded: self
                .layers
                .iter()
                .map(|l| l.as_ref().map_or(Vec::new(), padded))
                .collect(),
            linear: vec![0.0; largest],
            gathered: vec![0.0; largest],
            affines: affines.collect(),
            winners: vec![0; largest],
            maxima: vec![0.0; tensors.len()],
            tensors: tensors.iter().map(|s| vec![0.0; s.volume()]).collect(),
        }
    }

    /// Runs one image, given as values `[row][column][channel]`.
    ///
    /// # Panics
    /// If the buffers are another network's.
    pub fn run(&self, input: impl Iterator<Item = f32>, values: &mut Values) {
        for (x, value) in values.tensors[0].iter_mut().zip(input) {
            *x = value;
        }
        for index in 0..self.layers.len() {
            self.layer(index, values);
        }
    }

    fn layer(&self, index: usize, values: &mut Values) {
        let shapes = &self.architecture.shapes()[index];
        let source = self.architecture.source(index);
        if let Some(layer) = &self.layers[index] {
            values.maxima[index + 1] = self.convolution(index, layer, values);
            return;
        }
        let (before, after) = values.tensors.split_at_mut(index + 1);
        let (x, y) = (&before[source][..], &mut after[0][..]);
        match self.architecture.network.layers[index].operation {
            Operation::GlobalAveragePool => {
                pooling::average_forward(shapes, x, y);
                values.maxima[index + 1] = largest(y);
                if let Some(step) = self.steps[index + 1] {
                    quantize(y, step);
                }
            }
            _ => {
                let winners = &mut values.winners[..shapes.output.volume()];
                pooling::max_forward(shapes, x, y, winners);
                values.maxima[index + 1] = values.maxima[source];
            }
        }
    }

    /// A convolution and everything up to the next layer; the result is its largest value
    /// before clipping.
    fn convolution(&self, index: usize, layer: &Convolution, values: &mut Values) -> f32 {
        let (before, after) = values.tensors.split_at_mut(index + 1);
        let (x, y) = (&before[self.architecture.source(index)], &mut after[0]);
        let padded = layer.forward.pad(x, &mut values.padded[index]);
        let z = &mut values.linear[..y.len()];
        let outputs = layer.forward.outputs();
        convolve(padded, &layer.forward.windows(1), &layer.packed, outputs, z);
        let mut affine = &layer.affine;
        if let (Norm::Group { groups }, Some((own, spread)), Some(scale)) = (
            self.architecture.styles[index].norm,
            &mut values.affines[index],
            &layer.scale,
        ) {
            let parameters = self.parameters.layers[index].as_ref();
            let parameters = parameters.expect("a convolution has parameters");
            spread.measure(z);
            let pixels = z.len() / outputs;
            own.set_groups(0, (parameters, scale), (spread, pixels), groups);
            affine = own;
        }
        let operand = shortcut(self.architecture, index).map(|shortcut| {
            let operand = &before[shortcut.from][..];
            if shortcut.is_identity() {
                return operand;
            }
            let gathered = &mut values.gathered[..y.len()];
            shortcut.gather(operand, gathered);
            gathered
        });
        activate(z, affine.map(0), operand, layer.clip, y, None)
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
        let starts: Vec<usize> = (0..data.len()).step_by(BATCH).collect();
        let parts: Vec<Score> = starts
            .into_par_iter()
            .map_init(
                || self.values(),
                |values, start| {
                    let mut score = Score::default();
                    for i in start..(start + BATCH).min(data.len()) {
                        self.run(input.apply(data.image(i)), values);
                        let label = usize::from(data.labels[i]);
                        score.correct += usize::from(arg_max(values.logits()) == label);
                        score.loss += loss(values.logits(), label);
                    }
                    score
                },
            )
            .collect();
        let images = data.len();
        Score {
            correct: parts.iter().map(|p| p.correct).sum(),
            images,
            loss: parts.iter().map(|p| p.loss).sum::<f64>() / images.max(1) as f64,
        }
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
        let starts: Vec<usize> = (0..data.len()).step_by(BATCH).collect();
        let groups: Vec<Vec<f32>> = starts
            .into_par_iter()
            .map_init(
                || self.values(),
                |values, start| {
                    let mut largest = vec![f32::MIN; self.steps.len()];
                    for i in start..(start + BATCH).min(data.len()) {
                        self.run(input.apply(data.image(i)), values);
                        for (l, &m) in largest.iter_mut().zip(values.maxima()) {
                            *l = l.max(m);
                        }
                    }
                    largest
                },
            )
            .collect();
        let share = 1.0 / groups.len().max(1) as f32;
        (0..self.steps.len())
            .map(|tensor| groups.iter().map(|g| g[tensor] * share).sum())
            .collect()
    }
}

/// −ln softmax(logits)\[label\].
fn loss(logits: &[f32], label: usize) -> f64 {
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from(l - top).exp()).sum();
    sum.ln() - f64::from(logits[label] - top)
}

#[cfg(test)]
#[path = "evaluator_tests.rs"]
mod tests;
