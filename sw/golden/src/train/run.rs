//! The training loop.

use super::loss::cross_entropy;
use super::optimizer::{Momentum, learning_rate};
use super::options::{OptionsError, TrainingOptions};
use super::quantization::{QuantizedWeights, WeightScales, allowed_ranges};
use crate::data::{Dataset, Draw};
use crate::model::{InputMap, InputTable};
use crate::network::{
    Architecture, Chunk, Evaluator, LayerGradients, Norm, Parameters, Prepared, Statistics,
};
use brownout_spec::code::Code;
use brownout_spec::program::{Operation, Shape};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use ndarray::Array4;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::fmt;
use thiserror::Error;

/// ChaCha streams of a training seed.
const WEIGHT_STREAM: u64 = 0;
const ORDER_STREAM: u64 = 1;
/// Weight of a new observation in running means of statistics and ranges.
const OBSERVATION: f32 = 0.05;

/// Why training cannot start or go on.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A setting is not allowed.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Images and network do not match.
    #[error(
        "the images of {data} are {found} with {classes} classes, but network {network} takes {expected} values and gives {results} results"
    )]
    Data {
        /// Name of the data set.
        data: String,
        /// Shape of its images.
        found: Shape,
        /// Its classes.
        classes: usize,
        /// Name of the network.
        network: String,
        /// Values of its input.
        expected: usize,
        /// Channels of its last layer.
        results: usize,
    },
    /// Fewer images than one batch.
    #[error("{data} has {images} training images; one batch needs {batch}")]
    TooFew {
        /// Name of the data set.
        data: String,
        /// Its images.
        images: usize,
        /// Images of a batch.
        batch: usize,
    },
    /// The loss is no longer a number.
    #[error(
        "training diverged at step {step}: the loss is not finite; a smaller learning rate than {rate} may help"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// Peak learning rate.
        rate: f32,
    },
}

/// A trained network and what its export needs.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The network.
    pub architecture: Architecture,
    /// Its parameters; weights are in range of the code.
    pub parameters: Parameters,
    /// How pixels become activations.
    pub input: InputMap,
    /// Weight scales of each convolution.
    pub scales: Vec<Option<WeightScales>>,
    /// Step of each tensor's activations; the last layer's is in floating point.
    pub steps: Vec<Option<f32>>,
    /// Settings it was trained with.
    pub options: TrainingOptions,
    /// Name of the training data.
    pub dataset: String,
    /// Mean loss of each epoch.
    pub losses: Vec<f32>,
}

impl Trained {
    /// The ranges that the code allows for each output channel of a layer.
    pub fn ranges(&self, outputs: usize) -> Vec<(i8, i8)> {
        let code = Code::new(self.options.code, self.options.weight_bits);
        allowed_ranges(&code, outputs)
    }

    /// The quantized weights of every convolution.
    pub fn quantized(&self) -> Vec<Option<QuantizedWeights>> {
        let layers = self.parameters.layers.iter().zip(&self.scales);
        layers
            .map(|(layer, scales)| {
                let (layer, scales) = (layer.as_ref()?, scales.as_ref()?);
                let ranges = self.ranges(layer.bias.len());
                Some(scales.quantize(&layer.weight, &ranges))
            })
            .collect()
    }

    /// Share of images classified right in floating point with quantized weights and activations.
    pub fn accuracy(&self, data: &Dataset) -> f64 {
        let weights: Vec<_> = self
            .quantized()
            .into_iter()
            .map(|q| q.map(|q| q.values))
            .collect();
        let steps = self.steps.clone();
        let evaluator = Evaluator::new(&self.architecture, &self.parameters, &weights, steps);
        let input = self.input.rounded_table();
        evaluator.score(&input, data).accuracy()
    }
}

/// Fills a chunk's input with what the pixels of images mean.
fn fill<'d>(chunk: &mut Chunk, table: &InputTable<f32>, images: impl Iterator<Item = &'d [u8]>) {
    let volume = chunk.input_mut().len() / chunk.images();
    for (target, image) in chunk.input_mut().chunks_exact_mut(volume).zip(images) {
        for (x, value) in target.iter_mut().zip(table.apply(image)) {
            *x = value;
        }
    }
}

/// Trains a network. The result depends on architecture, data and options alone,
/// not on the number of threads.
///
/// # Errors
/// A sentence when a setting, the data or the loss is not usable.
pub fn train(
    architecture: &Architecture,
    data: &Dataset,
    input: InputMap,
    options: &TrainingOptions,
) -> Result<Trained, TrainError> {
    let start = Parameters::random(architecture, options.seed, WEIGHT_STREAM);
    train_from(architecture, start, data, input, options)
}

/// Trains a network that has parameters already; otherwise as [`train`].
///
/// # Errors
/// A sentence when a setting, the data or the loss is not usable.
///
/// # Panics
/// If the parameters are not the architecture's.
pub fn train_from(
    architecture: &Architecture,
    start: Parameters,
    data: &Dataset,
    input: InputMap,
    options: &TrainingOptions,
) -> Result<Trained, TrainError> {
    options.validate()?;
    check_data(architecture, data, options)?;
    let mut run = Run::new(architecture, start, (data, input), options);
    let bar = progress_bar(options, run.steps_in_all * options.batch);
    let mut losses = Vec::with_capacity(options.epochs);
    for epoch in 0..options.epochs {
        let mut order: Vec<usize> = (0..data.len()).collect();
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        // The low bit keeps the streams apart from that of the initial weights.
        random.set_stream(ORDER_STREAM + 2 * epoch as u64);
        order.shuffle(&mut random);
        let mut sum = 0.0;
        for batch in order.chunks_exact(options.batch) {
            let loss = run.step(epoch, batch)?;
            sum += loss;
            bar.inc(options.batch as u64);
            bar.set_message(format!("epoch {}, loss {loss:.4}", epoch + 1));
        }
        losses.push(sum / (data.len() / options.batch) as f32);
    }
    bar.finish_and_clear();
    Ok(run.finish(losses))
}

fn check_data(
    architecture: &Architecture,
    data: &Dataset,
    options: &TrainingOptions,
) -> Result<(), TrainError> {
    let found = data.shape();
    let expected = architecture.network.input.volume();
    if found.volume() != expected || data.classes != architecture.classes() {
        return Err(TrainError::Data {
            data: data.name.clone(),
            found,
            classes: data.classes,
            network: architecture.name.clone(),
            expected,
            results: architecture.classes(),
        });
    }
    if data.len() < options.batch {
        return Err(TrainError::TooFew {
            data: data.name.clone(),
            images: data.len(),
            batch: options.batch,
        });
    }
    Ok(())
}

fn progress_bar(options: &TrainingOptions, images: usize) -> ProgressBar {
    if options.quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "training {bar:30} {pos}/{len} images, {rate} images/s, {msg}, {eta} left",
    )
    .expect("the template is valid")
    .with_key(
        "rate",
        |state: &ProgressState, text: &mut dyn fmt::Write| {
            // A bar that cannot say its speed is still a bar.
            let _ = write!(text, "{:.0}", state.per_sec());
        },
    );
    ProgressBar::new(images as u64).with_style(style)
}

/// The state of a training run between two steps.
struct Run<'a> {
    architecture: &'a Architecture,
    data: &'a Dataset,
    input: InputMap,
    /// What pixels mean, rounded to activations.
    pixels: InputTable<f32>,
    options: &'a TrainingOptions,
    parameters: Parameters,
    optimizer: Momentum,
    chunks: Vec<Chunk>,
    /// `None` until quantization begins.
    scales: Vec<Option<WeightScales>>,
    /// Running mean of each tensor's largest value.
    ranges: Vec<f32>,
    step: usize,
    steps_in_all: usize,
}

impl<'a> Run<'a> {
    fn new(
        architecture: &'a Architecture,
        parameters: Parameters,
        (data, input): (&'a Dataset, InputMap),
        options: &'a TrainingOptions,
    ) -> Self {
        let chunks = (0..options.batch / options.chunk)
            .map(|_| Chunk::new(architecture, &parameters, options.chunk))
            .collect();
        Self {
            architecture,
            data,
            input,
            pixels: input.rounded_table(),
            options,
            optimizer: Momentum::new(&parameters, options.momentum, options.weight_decay),
            chunks,
            scales: vec![None; parameters.layers.len()],
            ranges: vec![0.0; parameters.layers.len() + 1],
            parameters,
            step: 0,
            steps_in_all: options.epochs * (data.len() / options.batch),
        }
    }

    fn quantized(&self) -> bool {
        self.step >= (self.options.float_share * self.steps_in_all as f32) as usize
    }

    fn frozen(&self) -> bool {
        self.step >= ((1.0 - self.options.frozen_share) * self.steps_in_all as f32) as usize
    }

    /// One step; returns the mean loss of the batch.
    fn step(&mut self, epoch: usize, batch: &[usize]) -> Result<f32, TrainError> {
        let weights = self.constrain();
        let statistics = if self.frozen() {
            Statistics::Running
        } else {
            Statistics::Batch
        };
        let steps = if self.quantized() {
            activation_steps(self.architecture, self.input, &self.ranges)
        } else {
            vec![None; self.ranges.len()]
        };
        let prepared = Prepared::new(
            self.architecture,
            &self.parameters,
            &weights,
            statistics,
            steps,
        );
        let share = 1.0 / self.options.batch as f32;
        let (data, input) = (self.data, &self.pixels);
        let augment = self.augment(epoch);
        let losses: Vec<f32> = self
            .chunks
            .par_iter_mut()
            .zip(batch.par_chunks_exact(self.options.chunk))
            .map(|(chunk, images)| {
                match &augment {
                    None => fill(chunk, input, images.iter().map(|&i| data.image(i))),
                    Some(augment) => {
                        let changed: Vec<_> = images.iter().map(|&i| augment(i)).collect();
                        fill(chunk, input, changed.iter().map(Vec::as_slice));
                    }
                }
                chunk.forward(&prepared);
                let labels: Vec<u8> = images.iter().map(|&i| data.labels[i]).collect();
                let mut gradient = vec![0.0; chunk.logits().len()];
                let (loss, _) = cross_entropy(chunk.logits(), &labels, share, &mut gradient);
                chunk.backward(&prepared, &gradient, false);
                loss
            })
            .collect();
        let loss = losses.iter().sum::<f32>() * share;
        if !loss.is_finite() {
            return Err(TrainError::Diverged {
                step: self.step,
                rate: self.options.learning_rate,
            });
        }
        if !self.frozen() {
            self.observe();
        }
        let gradients = self.sum_gradients();
        let rate = learning_rate(self.options.learning_rate, self.step, self.steps_in_all);
        self.optimizer.step(&mut self.parameters, &gradients, rate);
        self.step += 1;
        Ok(loss)
    }

    /// What makes of an image the one that this epoch sees; `None` leaves them alone.
    fn augment(&self, epoch: usize) -> Option<impl Fn(usize) -> Vec<u8> + Sync + use<'a>> {
        let (data, neutral) = (self.data, self.input.neutral());
        let TrainingOptions {
            augmentation, seed, ..
        } = *self.options;
        let changed = move |image: usize| {
            let draw = Draw {
                seed,
                epoch: epoch as u32,
                image: image as u32,
            };
            let source = data.image(image);
            let mut target = vec![0; source.len()];
            augmentation.apply(draw, data.shape(), neutral, source, &mut target);
            target
        };
        (!augmentation.is_none()).then_some(changed)
    }

    /// Throttles the weights and rounds them, once quantization has begun.
    fn constrain(&mut self) -> Vec<Option<Array4<f32>>> {
        if !self.quantized() {
            return vec![None; self.parameters.layers.len()];
        }
        let code = Code::new(self.options.code, self.options.weight_bits);
        let granularity = self.options.granularity;
        let layers = self.parameters.layers.iter_mut().zip(&mut self.scales);
        layers
            .map(|(layer, scales)| {
                let layer = layer.as_mut()?;
                let ranges = allowed_ranges(&code, layer.bias.len());
                let scales = scales.get_or_insert_with(|| {
                    WeightScales::choose(&layer.weight, &ranges, granularity)
                });
                scales.throttle(&mut layer.weight, &ranges);
                Some(scales.quantize(&layer.weight, &ranges).values)
            })
            .collect()
    }

    /// Moves running statistics and activation ranges towards what the chunks saw.
    fn observe(&mut self) {
        let share = 1.0 / self.chunks.len() as f32;
        let weight = if self.step == 0 { 1.0 } else { OBSERVATION };
        let toward = |old: &mut f32, new: f32| *old += weight * (new - *old);
        for tensor in 1..self.ranges.len() {
            let seen: f32 = self.chunks.iter().map(|c| c.maxima()[tensor] * share).sum();
            toward(&mut self.ranges[tensor], seen);
        }
        let styles = &self.architecture.styles;
        for (index, layer) in self.parameters.layers.iter_mut().enumerate() {
            let Some(layer) = layer.as_mut().filter(|_| styles[index].norm == Norm::Batch) else {
                continue;
            };
            let moments: Vec<_> = self
                .chunks
                .iter()
                .filter_map(|c| c.moments(index))
                .collect();
            for channel in 0..layer.mean.len() {
                let mean = moments.iter().map(|m| m.0[channel] * share).sum();
                let variance = moments.iter().map(|m| m.1[channel] * share).sum();
                toward(&mut layer.mean[channel], mean);
                toward(&mut layer.variance[channel], variance);
            }
        }
    }

    /// The chunks' gradients added in the chunks' order, whatever thread made them.
    fn sum_gradients(&self) -> Vec<Option<LayerGradients>> {
        let mut sum = self.chunks[0].gradients().to_vec();
        for chunk in &self.chunks[1..] {
            for (sum, part) in sum.iter_mut().zip(chunk.gradients()) {
                if let (Some(sum), Some(part)) = (sum, part) {
                    sum.add(part);
                }
            }
        }
        sum
    }

    fn finish(mut self, losses: Vec<f32>) -> Trained {
        // The last update may have left the range once more.
        self.constrain();
        Trained {
            architecture: self.architecture.clone(),
            input: self.input,
            scales: self.scales,
            steps: activation_steps(self.architecture, self.input, &self.ranges),
            parameters: self.parameters,
            options: self.options.clone(),
            dataset: self.data.name.clone(),
            losses,
        }
    }
}

/// Steps of all tensors: 127 steps reach the range; a maximum keeps its input's
/// step, since it only selects; the logits are not quantized.
pub(crate) fn activation_steps(
    architecture: &Architecture,
    input: InputMap,
    ranges: &[f32],
) -> Vec<Option<f32>> {
    let mut steps = vec![Some(input.step())];
    let layers = &architecture.network.layers;
    for (index, layer) in layers.iter().enumerate() {
        let step = match layer.operation {
            _ if index + 1 == layers.len() => None,
            Operation::MaxPool { .. } => steps[architecture.source(index)],
            // A tensor that is never positive still needs a step.
            _ => Some(ranges[index + 1].max(1e-6) / 127.0),
        };
        steps.push(step);
    }
    steps
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
