//! One step of a training run.
//!
//! Parameters are clipped, weights throttled into the code's range and quantized;
//! forward and backward run on the quantized weights, on disturbed ones, or on
//! both; the gradient passes straight through to the float weights.

use super::answers::Answers;
use super::error::TrainError;
use super::gradients::Gradients;
use super::methods::{Perturbation, Scheme};
use super::optimizer::learning_rate;
use super::options::TrainingOptions;
use super::quantizer::LayerQuantizer;
use super::run::Run;
use super::start::own_grid;
use crate::data::{Draw, Pixels};
use crate::model::InputTable;
use crate::network::{Chunk, LayerParameters, Norm, Prepared, Statistics};
use crate::quantize::{ActivationGrid, QuantizeError, QuantizedWeights, WeightGrid};
use crate::quantized::StoredWeights;
use brownout_spec::fault::{ChipFaults, FaultMode};
use brownout_spec::quantity::{ChipSeed, Pass};
use ndarray::Array4;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// ChaCha stream of the chip of step 0; every second one after it is a later step's.
const CHIP_STREAM: u64 = 2;
/// Weight of a new observation in running means of statistics and ranges.
const OBSERVATION: f32 = 0.05;

/// The weights of a step as they are stored, and as they are computed with.
pub(super) struct Snapshot {
    /// Grids of the activations; they move once a step.
    pub activations: Vec<Option<ActivationGrid>>,
    pub grids: Vec<Option<WeightGrid>>,
    pub stored: StoredWeights,
    pub values: Vec<Option<Array4<f32>>>,
}

impl Run<'_> {
    /// One step; returns the mean loss of the batch.
    ///
    /// # Errors
    /// When the loss is no longer a number.
    pub fn step(&mut self) -> Result<f32, TrainError> {
        let (epoch, position) = (
            self.step / self.steps_an_epoch(),
            self.step % self.steps_an_epoch(),
        );
        let batch = self.batch(epoch, position);
        self.load(epoch, &batch);
        let answers = Answers::to(self.data, &batch);
        let snapshot = self.constrain()?;
        let adversarial = self.options.adversarial;
        let loss = match (&snapshot, self.options.perturbation.clone()) {
            (Some(snapshot), Some(perturbation)) => {
                self.perturbed_step(snapshot, &perturbation, &answers)?
            }
            (Some(snapshot), None) if let Some(adversarial) = adversarial => {
                self.adversarial_step(snapshot, &adversarial, &answers)?
            }
            _ => {
                let layers = self.model.parameters.layers.len();
                let (weights, activations) = match snapshot {
                    Some(snapshot) => (snapshot.values, snapshot.activations),
                    None => (vec![None; layers], vec![None; layers + 1]),
                };
                let loss = self.pass(&weights, &activations, &answers, true)?;
                self.observe();
                let gradients = self.sum_gradients();
                self.update(gradients);
                loss
            }
        };
        self.epoch_loss += loss;
        self.step += 1;
        if position + 1 == self.steps_an_epoch() {
            self.losses
                .push(self.epoch_loss / self.steps_an_epoch() as f32);
            self.epoch_loss = 0.0;
        }
        Ok(loss)
    }

    /// A step on quantized and disturbed weights.
    fn perturbed_step(
        &mut self,
        clean: &Snapshot,
        perturbation: &Perturbation,
        answers: &Answers,
    ) -> Result<f32, TrainError> {
        if perturbation.scheme == Scheme::Noise {
            let disturbed = self.disturb(&clean.stored, &clean.grids, perturbation)?;
            let loss = self.pass(&disturbed, &clean.activations, answers, true)?;
            self.observe();
            let gradients = self.sum_gradients();
            self.update(gradients);
            return Ok(loss);
        }
        let open = self.gate;
        let only = open && perturbation.scheme == Scheme::PerturbedOnly;
        let loss = self.pass(&clean.values, &clean.activations, answers, !only)?;
        self.observe();
        if !open {
            let gradients = self.sum_gradients();
            self.update(gradients);
            self.gate = perturbation.gate_opens(loss, None);
            return Ok(loss);
        }
        let mut gradients = self.sum_gradients();
        if perturbation.scheme == Scheme::Alternating {
            return self.alternating_step(gradients, loss, perturbation, answers);
        }
        let disturbed = self.disturb(&clean.stored, &clean.grids, perturbation)?;
        let perturbed_loss = self.pass(&disturbed, &clean.activations, answers, true)?;
        let mut perturbed = self.sum_gradients();
        perturbed.clamp(perturbation.clamp);
        if only {
            gradients = perturbed;
        } else {
            gradients.combine(&perturbed, perturbation.combine.share());
        }
        self.update(gradients);
        self.gate = perturbation.gate_opens(loss, Some(perturbed_loss));
        Ok(loss)
    }

    /// The clean update, then one on disturbed weights within each tensor's present range.
    fn alternating_step(
        &mut self,
        gradients: Gradients,
        loss: f32,
        perturbation: &Perturbation,
        answers: &Answers,
    ) -> Result<f32, TrainError> {
        self.update(gradients);
        let now = self.constrain()?.expect("quantization has begun");
        let disturbed = self.disturb(&now.stored, &now.grids, perturbation)?;
        let perturbed_loss = self.pass(&disturbed, &now.activations, answers, true)?;
        let mut perturbed = self.sum_gradients();
        perturbed.clamp(perturbation.clamp);
        let extremes = |w: &Array4<f32>| {
            w.iter()
                .fold((f32::MAX, f32::MIN), |(l, h), &w| (l.min(w), h.max(w)))
        };
        let layers = &self.model.parameters.layers;
        let ranges: Vec<_> = layers
            .iter()
            .map(|l| l.as_ref().map(|l| extremes(&l.weight)))
            .collect();
        self.update(perturbed);
        let layers = self.model.parameters.layers.iter_mut().flatten();
        for (layer, (low, high)) in layers.zip(ranges.into_iter().flatten()) {
            layer.weight.mapv_inplace(|w| w.clamp(low, high));
        }
        self.gate = perturbation.gate_opens(loss, Some(perturbed_loss));
        Ok(loss)
    }

    /// Fills the chunks with a batch as this epoch sees it.
    fn load(&mut self, epoch: usize, batch: &[usize]) {
        let augmentation = self.options.augmentation;
        let (data, pixels, seed) = (self.data, &self.pixels, self.options.seed);
        let neutral = self.model.input.neutral(data.channels());
        let chunks = self.chunks.par_iter_mut();
        chunks
            .zip(batch.par_chunks_exact(self.options.chunk))
            .for_each(|(chunk, images)| {
                if augmentation.is_none() {
                    return fill(chunk, pixels, images.iter().map(|&i| data.image(i)));
                }
                let shape = data.shape();
                let volume = chunk.input_mut().len() / chunk.images();
                let mut changed = vec![0; volume];
                let targets = chunk.input_mut().chunks_exact_mut(volume);
                for (target, &image) in targets.zip(images) {
                    let draw = Draw {
                        seed,
                        epoch: epoch as u32,
                        image: image as u32,
                    };
                    match data.image(image) {
                        Pixels::Bytes(bytes) => {
                            augmentation.apply(draw, shape, &neutral, bytes, &mut changed);
                            write(target, pixels.apply(&changed));
                        }
                        // These have the zero itself that padding reads.
                        others => {
                            let values: Vec<f32> = pixels.apply(others).collect();
                            let neutral = vec![0.0; shape.channels];
                            augmentation.apply(draw, shape, &neutral, &values, target);
                        }
                    }
                }
            });
    }

    /// Clips the parameters; once quantization has begun, also throttles the weights and
    /// rounds them.
    pub(super) fn constrain(&mut self) -> Result<Option<Snapshot>, TrainError> {
        if let Some(clip) = self.options.clip {
            clip.apply(&self.model.architecture, &mut self.model.parameters);
        }
        if !self.is_quantized() {
            return Ok(None);
        }
        let diverged = |_: QuantizeError| TrainError::Diverged {
            step: self.step,
            rate: self.options.learning_rate,
        };
        let activations = self.activations();
        let (options, own) = (&self.options, &self.own);
        let layers = self.model.parameters.layers.par_iter_mut();
        let layers: Vec<_> = layers
            .zip(&mut self.quantizers)
            .enumerate()
            .map(|(index, (layer, quantizer))| {
                let weighted = layer.as_mut().filter(|layer| layer.has_weights());
                let own = own_grid(own, index);
                let rounded = weighted.map(|layer| round(layer, quantizer, (options, own)));
                rounded.transpose()
            })
            .collect();
        let mut snapshot = Snapshot {
            activations,
            grids: Vec::with_capacity(layers.len()),
            stored: StoredWeights(Vec::with_capacity(layers.len())),
            values: Vec::with_capacity(layers.len()),
        };
        for layer in layers {
            let (grid, weights) = layer.map_err(diverged)?.unzip();
            let (integers, values) = weights.map(|w| (w.integers, w.values)).unzip();
            snapshot.grids.push(grid);
            snapshot.stored.0.push(integers);
            snapshot.values.push(values);
        }
        Ok(Some(snapshot))
    }

    /// What a chip makes of stored weights: the very words that an evaluation reads.
    fn disturb(
        &self,
        stored: &StoredWeights,
        grids: &[Option<WeightGrid>],
        perturbation: &Perturbation,
    ) -> Result<Vec<Option<Array4<f32>>>, TrainError> {
        let memory = self.memory.as_ref().expect("a perturbed run has a memory");
        let reading = match &self.arrays[..] {
            [] => memory.read(stored, self.faults(perturbation), Pass(0))?,
            arrays => {
                let array = &arrays[self.step % arrays.len()];
                let (words, bits) = (memory.layout().words(), memory.layout().code().n());
                let map = array.fault_map(words, bits, 0, Pass(self.step as u32));
                memory.read_with_map(stored, &map)?
            }
        };
        Ok(reading.weights.values(grids))
    }

    /// What is random in this step but for its images: a chip, or an attack.
    pub(super) fn draw_seed(&self) -> u64 {
        let mut random = ChaCha8Rng::seed_from_u64(self.options.seed);
        random.set_stream(CHIP_STREAM + 2 * self.step as u64);
        random.next_u64()
    }

    /// The chip of this step.
    pub(super) fn faults(&self, perturbation: &Perturbation) -> ChipFaults {
        let seed = match &perturbation.chips[..] {
            [] => self.draw_seed(),
            chips => chips[self.step % chips.len()],
        };
        let begin = self.float_steps();
        let rate = perturbation.rate_in(self.step.saturating_sub(begin), self.steps() - begin);
        ChipFaults {
            seed: ChipSeed(seed),
            mode: FaultMode::Persistent,
            threshold: rate.threshold(),
        }
    }

    /// Forward, and backward if it is wanted, with these weights (`None` is a layer's own)
    /// and grids of activations on what the chunks hold; the mean loss.
    pub(super) fn pass(
        &mut self,
        weights: &[Option<Array4<f32>>],
        activations: &[Option<ActivationGrid>],
        answers: &Answers,
        backward: bool,
    ) -> Result<f32, TrainError> {
        let statistics = match self.is_frozen() {
            true => Statistics::Running,
            false => Statistics::Batch,
        };
        let model = &self.model;
        let mut prepared = Prepared::with_precision(
            &model.architecture,
            &model.parameters,
            weights,
            (statistics, self.options.precision),
            activations.to_vec(),
        );
        prepared.ceilings = self.learns_ranges();
        let share = 1.0 / self.options.batch as f32;
        let smoothing = self.options.label_smoothing;
        let losses: Vec<f32> = self
            .chunks
            .par_iter_mut()
            .enumerate()
            .map(|(number, chunk)| {
                chunk.forward(&prepared);
                let mut gradient = vec![0.0; chunk.logits().len()];
                let outputs = (chunk.logits(), smoothing);
                let place = (number, chunk.images());
                let loss = answers.loss(place, outputs, share, &mut gradient);
                if backward {
                    chunk.backward(&prepared, &gradient, false);
                }
                loss
            })
            .collect();
        let loss = losses.iter().sum::<f32>() * share;
        if loss.is_finite() {
            return Ok(loss);
        }
        Err(TrainError::Diverged {
            step: self.step,
            rate: self.options.learning_rate,
        })
    }

    /// Moves running statistics and activation ranges towards what the chunks saw.
    pub(super) fn observe(&mut self) {
        if self.is_frozen() {
            return;
        }
        let share = 1.0 / self.chunks.len() as f32;
        // The first observation counts fully, unless ranges or statistics are there already:
        // of an early calibration, or of a network that was trained before.
        let first = |there: bool| match self.step == 0 && !there {
            true => 1.0,
            false => OBSERVATION,
        };
        let range_weight = first(self.ranges.iter().any(|&r| r != 0.0));
        let trained = |l: &LayerParameters| l.mean.iter().any(|&m| m != 0.0);
        let layers = self.model.parameters.layers.iter().flatten();
        let moment_weight = first(layers.into_iter().any(trained));
        let toward = |old: &mut f32, new: f32, weight: f32| *old += weight * (new - *old);
        // A network's own grids stay, or are learned from.
        let fixed = self.learns_ranges() || self.own.is_some();
        for tensor in (1..self.ranges.len()).filter(|_| !fixed) {
            let seen: f32 = self.chunks.iter().map(|c| c.maxima()[tensor] * share).sum();
            toward(&mut self.ranges[tensor], seen, range_weight);
        }
        let styles = &self.model.architecture.styles;
        for (index, layer) in self.model.parameters.layers.iter_mut().enumerate() {
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
                toward(&mut layer.mean[channel], mean, moment_weight);
                toward(&mut layer.variance[channel], variance, moment_weight);
            }
        }
    }

    /// Whether ranges of activations are learned in this step, and no longer observed.
    fn learns_ranges(&self) -> bool {
        let options = &self.options.activations;
        options.quantize && options.learned && self.is_quantized() && !self.is_frozen()
    }

    /// The sum of the chunks' gradients.
    pub(super) fn sum_gradients(&mut self) -> Gradients {
        let new = || Gradients::zeros(&self.model.parameters);
        let mut sum = self.spare.take().unwrap_or_else(new);
        sum.gather(&self.chunks);
        sum
    }

    /// One step of the optimizer along the gradients of quantized weights.
    pub(super) fn update(&mut self, mut gradients: Gradients) {
        let options = &self.options;
        let peak = options.learning_rate;
        let rate = learning_rate(options.schedule, peak, self.step, self.steps());
        let layers = self.model.parameters.layers.par_iter();
        let learned: Vec<Vec<f32>> = layers
            .zip(&self.quantizers)
            .zip(&mut gradients.layers)
            .map(
                |((layer, quantizer), gradient)| match (layer, quantizer, gradient) {
                    (Some(layer), Some(quantizer), Some(gradient)) => {
                        quantizer.backward(&layer.weight, &mut gradient.weight)
                    }
                    _ => Vec::new(),
                },
            )
            .collect();
        self.optimizer
            .step(&mut self.model.parameters, &gradients.layers, options, rate);
        if self.learns_ranges() {
            let ranges = &mut self.ranges;
            self.optimizer
                .learn_ranges(ranges, &gradients.ranges, options, rate);
        }
        for (index, quantizer) in self.quantizers.iter_mut().enumerate() {
            if let Some(quantizer) = quantizer {
                let gradient = &learned[index];
                self.optimizer
                    .learn(index, quantizer, gradient, options, rate);
            }
        }
        self.spare = Some(gradients);
    }
}

/// Throttles a layer's weights and rounds them, on a grid that is made if there is none yet.
fn round(
    layer: &mut LayerParameters,
    quantizer: &mut Option<LayerQuantizer>,
    (options, own): (&TrainingOptions, Option<&WeightGrid>),
) -> Result<(WeightGrid, QuantizedWeights), QuantizeError> {
    let begun = match (&quantizer, own) {
        (Some(_), _) => None,
        (None, Some(own)) => Some(LayerQuantizer::begin_on(own, options)?),
        (None, None) => Some(LayerQuantizer::begin(&layer.weight, options)?),
    };
    if let Some(begun) = begun {
        *quantizer = Some(begun);
    }
    let quantizer = quantizer.as_ref().expect("it has begun");
    let grid = quantizer.grid(&layer.weight, options)?;
    let ranges = options.allowed();
    grid.throttle(&mut layer.weight, &ranges, quantizer.throttle());
    let weights = grid.quantize(&layer.weight, &ranges);
    Ok((grid, weights))
}

/// Fills a chunk's input with what the pixels of images mean.
fn fill<'d>(chunk: &mut Chunk, table: &InputTable<f32>, images: impl Iterator<Item = Pixels<'d>>) {
    let volume = chunk.input_mut().len() / chunk.images();
    for (target, image) in chunk.input_mut().chunks_exact_mut(volume).zip(images) {
        write(target, table.apply(image));
    }
}

fn write(target: &mut [f32], values: impl Iterator<Item = f32>) {
    target.iter_mut().zip(values).for_each(|(x, v)| *x = v);
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "gradient_tests.rs"]
mod gradient_tests;

#[cfg(test)]
#[path = "graph_tests.rs"]
mod graph_tests;
