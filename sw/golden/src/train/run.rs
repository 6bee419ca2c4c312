//! A training run: what it knows between two steps, and the loop over them.

use super::error::TrainError;
use super::gradients::Gradients;
use super::optimizer::Momentum;
use super::options::TrainingOptions;
use super::quantizer::LayerQuantizer;
use super::start::Start;
use super::state::StartMark;
use crate::data::Dataset;
use crate::float::FloatModel;
use crate::model::InputTable;
use crate::network::{Chunk, Evaluator};
use crate::quantize::ActivationGrid;
use crate::quantized::{Quantization, QuantizedNetwork, StoredMemory};
use brownout_spec::fault::profile::ProfiledArray;
use brownout_spec::quantity::ChipSeed;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::fmt;
use std::ops::ControlFlow;

/// ChaCha stream of the order of images in epoch 0; every second one after it is a later
/// epoch's. Even streams are those of initial weights (0) and of disturbed cells.
const ORDER_STREAM: u64 = 1;
/// Training images on which the first activation ranges are observed, where quantization
/// begins with the first step.
const CALIBRATION_IMAGES: usize = 512;

/// A trained network.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The network; its weights are in range of the code.
    pub network: QuantizedNetwork,
    /// Settings it was trained with.
    pub options: TrainingOptions,
    /// Mean loss of each epoch.
    pub losses: Vec<f32>,
}

impl Trained {
    /// Share of images classified right in floating point with quantized weights and activations.
    pub fn accuracy(&self, data: &Dataset) -> f64 {
        self.network.score(&self.network.stored(), data).accuracy()
    }
}

/// Trains a network, with a bar that shows how far it is. The result depends on network,
/// data and options alone, not on the number of threads.
///
/// # Errors
/// A sentence when a setting, the data or the loss is not usable.
pub fn train(
    start: impl Into<Start>,
    data: &Dataset,
    options: &TrainingOptions,
) -> Result<Trained, TrainError> {
    let mut run = Run::new(start, data, options)?;
    // Nothing interrupts this one.
    let _ = run.advance(|_| ControlFlow::<()>::Continue(()))?;
    run.finish()
}

/// The state of a training run between two steps.
#[derive(Debug)]
pub struct Run<'d> {
    pub(super) model: FloatModel,
    pub(super) data: &'d Dataset,
    pub(super) options: TrainingOptions,
    /// What pixels mean to the network.
    pub(super) pixels: InputTable<f32>,
    pub(super) optimizer: Momentum,
    pub(super) chunks: Vec<Chunk>,
    /// Buffers for the next step's gradients.
    pub(super) spare: Option<Gradients>,
    /// `None` until quantization begins, and in layers without weights.
    pub(super) quantizers: Vec<Option<LayerQuantizer>>,
    /// Running mean of each tensor's largest value, or its learned range.
    pub(super) ranges: Vec<f32>,
    /// Where disturbed or attacked weights come from.
    pub(super) memory: Option<StoredMemory>,
    /// The profiled arrays to train on, if any.
    pub(super) arrays: Vec<ProfiledArray>,
    /// Whether the gate of perturbed training is open.
    pub(super) gate: bool,
    /// Steps that have been taken.
    pub(super) step: usize,
    /// Mean loss of each finished epoch.
    pub(super) losses: Vec<f32>,
    /// Sum of the losses of this epoch's steps.
    pub(super) epoch_loss: f32,
    /// What the run started from.
    pub(super) start: StartMark,
    /// The network's own grids, if it goes on from them.
    pub(super) own: Option<Quantization>,
    order: Vec<usize>,
}

impl<'d> Run<'d> {
    /// A run before its first step.
    ///
    /// # Errors
    /// A sentence when a setting or the data is not usable.
    pub fn new(
        start: impl Into<Start>,
        data: &'d Dataset,
        options: &TrainingOptions,
    ) -> Result<Self, TrainError> {
        options.validate()?;
        let start = start.into();
        let mark = StartMark::of(&start);
        let Start {
            model: start,
            grids: own,
        } = start;
        if let Some(own) = &own {
            own.check_options(options)?;
        }
        check_data(&start, data, options)?;
        let architecture = &start.architecture;
        let layers = architecture.network.layers.len();
        let chunks = (0..options.batch / options.chunk)
            .map(|_| Chunk::new(architecture, &start.parameters, options.chunk));
        let mut run = Self {
            chunks: chunks.collect(),
            spare: None,
            pixels: match options.activations.quantize {
                true => start.input.rounded_table(),
                false => start.input.real_table(),
            },
            optimizer: Momentum::new(&start.parameters),
            quantizers: vec![None; layers],
            ranges: vec![0.0; layers + 1],
            memory: None,
            arrays: arrays(options),
            gate: false,
            step: 0,
            losses: Vec::new(),
            epoch_loss: 0.0,
            start: mark,
            own,
            order: Vec::new(),
            options: options.clone(),
            model: start,
            data,
        };
        run.memory = run.new_memory()?;
        if let Some(own) = &run.own {
            run.ranges = own.ranges();
        } else if run.is_quantized() {
            let images = data.first(CALIBRATION_IMAGES);
            let model = &run.model;
            let evaluator = Evaluator::exact(&model.architecture, &model.parameters);
            run.ranges = evaluator.ranges(&run.pixels, &images);
        }
        Ok(run)
    }

    fn new_memory(&self) -> Result<Option<StoredMemory>, TrainError> {
        let options = &self.options;
        let perturbed = options.perturbation.as_ref();
        let perturbed = perturbed.map(|perturbation| perturbation.memory.rules(options));
        let attacked = options.adversarial.as_ref();
        let rules = perturbed.or(attacked.and_then(|adversarial| adversarial.rules(options)));
        let memory = |rules| {
            let shapes = self.model.weight_shapes();
            StoredMemory::new(rules, options.weight_bits, shapes)
        };
        Ok(rules.map(memory).transpose()?)
    }

    /// Steps of the whole run.
    pub fn steps(&self) -> usize {
        self.options.epochs * self.steps_an_epoch()
    }

    /// Steps that have been taken.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    pub(super) fn steps_an_epoch(&self) -> usize {
        self.data.len() / self.options.batch
    }

    /// The network as it is now.
    pub fn model(&self) -> &FloatModel {
        &self.model
    }

    /// Settings of the run.
    pub fn options(&self) -> &TrainingOptions {
        &self.options
    }

    /// Mean loss of each finished epoch.
    pub fn losses(&self) -> &[f32] {
        &self.losses
    }

    /// Takes the steps that are left. After each, `watch` may break off.
    ///
    /// # Errors
    /// A sentence when the loss is no longer a number.
    pub fn advance<B>(
        &mut self,
        mut watch: impl FnMut(&Self) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, TrainError> {
        let bar = progress_bar(&self.options, self.steps() * self.options.batch);
        bar.set_position((self.step * self.options.batch) as u64);
        bar.reset_eta();
        while self.step < self.steps() {
            let loss = self.step()?;
            bar.inc(self.options.batch as u64);
            let epoch = self.step.div_ceil(self.steps_an_epoch());
            bar.set_message(format!("epoch {epoch}, loss {loss:.4}"));
            if let ControlFlow::Break(reason) = watch(self) {
                bar.finish_and_clear();
                return Ok(ControlFlow::Break(reason));
            }
        }
        bar.finish_and_clear();
        Ok(ControlFlow::Continue(()))
    }

    /// The images of a step of an epoch.
    pub(super) fn batch(&mut self, epoch: usize, position: usize) -> Vec<usize> {
        if position == 0 || self.order.is_empty() {
            self.order = (0..self.data.len()).collect();
            let mut random = ChaCha8Rng::seed_from_u64(self.options.seed);
            random.set_stream(ORDER_STREAM + 2 * epoch as u64);
            self.order.shuffle(&mut random);
        }
        let size = self.options.batch;
        self.order[position * size..][..size].to_vec()
    }

    /// Whether weights and activations are rounded in the next step.
    pub(super) fn is_quantized(&self) -> bool {
        self.step >= self.float_steps()
    }

    /// Steps before quantization begins: none on a network's own grids.
    pub(super) fn float_steps(&self) -> usize {
        if self.own.is_some() {
            return 0;
        }
        (self.options.float_share * self.steps() as f32) as usize
    }

    /// Whether statistics and ranges stand still in the next step.
    pub(super) fn is_frozen(&self) -> bool {
        self.step >= ((1.0 - self.options.frozen_share) * self.steps() as f32) as usize
    }

    /// Grids of all tensors' activations.
    pub(super) fn activations(&self) -> Vec<Option<ActivationGrid>> {
        let model = &self.model;
        if let Some(own) = &self.own {
            return own.moved(&model.architecture.grid_owners(), &self.ranges);
        }
        let options = &self.options.activations;
        options.grids(&model.architecture, model.input, &self.ranges)
    }

    /// The trained network.
    ///
    /// # Errors
    /// When the last step has left weights that are not finite.
    pub fn finish(mut self) -> Result<Trained, TrainError> {
        // The last update may have left the range once more.
        let grids = self.constrain()?.map(|snapshot| snapshot.grids);
        let activations = self.activations();
        let origin = self.data.name.clone();
        Ok(Trained {
            network: QuantizedNetwork {
                quantization: Quantization {
                    width: self.options.weight_bits,
                    code: self.options.code,
                    placement: self.options.placement,
                    grids: grids.expect("the last share of the steps is quantized"),
                    activations,
                },
                model: FloatModel {
                    origin,
                    ..self.model
                },
            },
            options: self.options,
            losses: self.losses,
        })
    }
}

/// The arrays of a run on profiled chips.
fn arrays(options: &TrainingOptions) -> Vec<ProfiledArray> {
    let Some(perturbation) = &options.perturbation else {
        return Vec::new();
    };
    let Some(profile) = &perturbation.profile else {
        return Vec::new();
    };
    let own = [options.seed];
    let seeds = match &perturbation.chips[..] {
        [] => &own[..],
        chips => chips,
    };
    let seeds = seeds.iter().map(|&seed| ChipSeed(seed));
    seeds
        .map(|seed| ProfiledArray::generate(profile, seed))
        .collect()
}

fn check_data(
    start: &FloatModel,
    data: &Dataset,
    options: &TrainingOptions,
) -> Result<(), TrainError> {
    let (found, expected) = (data.shape(), start.image);
    let architecture = &start.architecture;
    if found != expected || data.classes > architecture.classes() {
        return Err(TrainError::Data {
            data: data.name.clone(),
            found,
            classes: data.classes,
            network: architecture.name.clone(),
            expected,
            results: architecture.classes(),
        });
    }
    super::answers::check(data, architecture.classes(), options)?;
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

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
