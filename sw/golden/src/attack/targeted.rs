//! T-BFA: targeted bit-flip attacks (Rakin et al., TPAMI 2021, sections 4.1 to 4.3).
//!
//! The cross entropy towards a target class is made small. In each iteration every layer
//! proposes the bit whose flip lowers the loss most, to first order, out of all its
//! weights; the layer whose flip gives the smallest measured loss keeps it. Whether that
//! is below the present loss is not asked, as in the published code.

use super::batch::{Batch, draw, mean};
use super::bits::{self, Goal};
use super::cells::{CellAddress, tensor};
use super::session::{Attacked, Limits, Measurement, Session, Stop};
use super::victim::Victim;
use crate::data::Dataset;
use crate::model::InputTable;
use crate::quantized::{StoredMemory, StoredMemoryError, StoredWeights};

/// Which images should end in the target class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Type 1: all.
    NToOne,
    /// Type 2: those of one source class, whatever becomes of the others.
    OneToOne {
        /// The source class.
        source: u16,
    },
    /// Type 3: those of one source class, while the others keep theirs.
    Stealthy {
        /// The source class.
        source: u16,
        /// Whether the gradient knows of the others.
        gradient: StealthGradient,
    },
}

/// What the gradient of the stealthy loss is taken of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StealthGradient {
    /// The source class's term alone. The published code adds the other term as a plain
    /// number, so that it has a say in which layer is chosen, but has no gradient.
    #[default]
    Published,
    /// Both terms, as the paper writes.
    Corrected,
}

/// How T-BFA searches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetedOptions {
    /// Which images.
    pub kind: Kind,
    /// The class they should end in.
    pub target: u16,
    /// When it ends; the accuracy is no reason. The published code takes 40 iterations.
    pub limits: Limits,
    /// What the images were drawn from; for the log.
    pub seed: u64,
}

/// Candidates of a layer that are tried in turn if a word attack cannot reach the first.
const RESERVE: usize = 256;

impl Kind {
    /// The method's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NToOne => "t-bfa-n-to-1",
            Self::OneToOne { .. } => "t-bfa-1-to-1",
            Self::Stealthy { .. } => "t-bfa-stealthy",
        }
    }

    /// The share of success above which the published attack stops.
    fn enough(self) -> f64 {
        match self {
            Self::NToOne | Self::OneToOne { .. } => 0.9999,
            Self::Stealthy { .. } => 0.999,
        }
    }

    /// Whether images of a class should end in the target class.
    fn is_source(self, class: u16) -> bool {
        match self {
            Self::NToOne => true,
            Self::OneToOne { source } | Self::Stealthy { source, .. } => class == source,
        }
    }
}

impl TargetedOptions {
    /// What the attacker looks at: up to `count` images to be misled, labelled with the
    /// target, and for a stealthy attack as many others with their own labels. The loss is
    /// the mean over either, added.
    ///
    /// # Panics
    /// If the images do not have the network's size, or none is of the source class.
    pub fn batch(
        &self,
        victim: &Victim<'_>,
        table: &InputTable<f32>,
        data: &Dataset,
        count: usize,
    ) -> Batch {
        let misled = draw(data, count, self.seed, |class| self.kind.is_source(class));
        let sources = misled.len();
        assert!(sources > 0, "there are images of the source class");
        let others = match self.kind {
            Kind::Stealthy { source, .. } => draw(data, count, self.seed, |c| c != source),
            _ => Vec::new(),
        };
        let mut batch = Batch::new(victim, table, data, &[misled, others].concat());
        batch.labels[..sources].fill(self.target);
        let rest = batch.labels.len() - sources;
        batch.loss_weights = [mean(sources), mean(rest)].concat();
        batch.gradient_weights = match self.kind {
            Kind::Stealthy {
                gradient: StealthGradient::Published,
                ..
            } => [mean(sources), vec![0.0; rest]].concat(),
            _ => batch.loss_weights.clone(),
        };
        batch
    }

    /// The images by whose classes success is measured, labelled with the target.
    #[must_use]
    pub fn success_images(&self, data: &Dataset) -> Dataset {
        let images: Vec<usize> = (0..data.len())
            .filter(|&i| self.kind.is_source(data.labels[i]))
            .collect();
        let labels = vec![self.target; images.len()];
        let selected = data.images.select(&images);
        Dataset::new(data.name.clone(), selected, labels, data.classes)
    }
}

/// Attacks a network's weights in a memory; the batch is one of [`TargetedOptions::batch`].
/// Accuracy and success are measured after every iteration if there are images for it.
///
/// # Errors
/// When a weight is outside the range that the memory's code leaves it.
///
/// # Panics
/// If memory, weights, batch or images are not the network's.
pub fn targeted(
    victim: Victim<'_>,
    memory: (&StoredMemory, &StoredWeights),
    batch: &mut Batch,
    options: &TargetedOptions,
    measurement: Option<Measurement<'_>>,
) -> Result<Attacked, StoredMemoryError> {
    let probe = batch.probe(victim);
    let mut session = Session::new(victim, memory, probe, options.limits, measurement)?;
    let stealthy = matches!(options.kind, Kind::Stealthy { .. });
    let mut rates: Vec<f64> = Vec::new();
    let mut iteration = 0;
    let enough = options.kind.enough();
    let stop = loop {
        if session
            .success_at_the_start()
            .is_some_and(|rate| rate > enough)
        {
            break Stop::Success;
        }
        if iteration == options.limits.iterations {
            break Stop::Iterations;
        }
        match session.targeted_step(iteration + 1) {
            Ok(()) => iteration += 1,
            Err(stop) => break stop,
        }
        let (_, Some(rate)) = session.measure_and_log() else {
            continue;
        };
        if rate > enough {
            break Stop::Success;
        }
        let before = rates.len().checked_sub(2).map(|i| rates[i]);
        if stealthy && before == Some(rate) {
            break Stop::Stalled;
        }
        rates.push(rate);
    };
    let name = (options.kind.name(), options.seed);
    Ok(session.finish(name, iteration, stop))
}

impl Session<'_> {
    /// Commits the one bit, of those that each layer proposes, with the smallest loss.
    fn targeted_step(&mut self, iteration: usize) -> Result<(), Stop> {
        let (_, gradients) = self.probe.gradients(self.memory.values());
        let bits = self.memory.bits();
        let mut best: Option<(f64, Vec<CellAddress>)> = None;
        let mut any = false;
        for (number, layer) in self.memory.layers().to_vec().into_iter().enumerate() {
            let gradient = gradients[layer].as_ref().expect("the layer has weights");
            let integers = tensor(self.memory.read(), layer);
            let limits = (None, RESERVE);
            let mut found = bits::ranked(integers, gradient, bits, Goal::Lower, limits);
            found.retain(|candidate| candidate.score > 0.0);
            any |= !found.is_empty();
            let goal = (Goal::Lower, &gradient[..]);
            let Some(cells) = self.attempt(number, &found, 1, goal, false) else {
                continue;
            };
            let loss = self.probe.loss_from(layer, self.memory.values());
            self.take_back(&cells);
            if !loss.is_nan() && best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, cells));
            }
        }
        let Some((loss, cells)) = best else {
            return Err(match any {
                true => Stop::Flips,
                false => Stop::NoGradient,
            });
        };
        self.commit(iteration, &cells);
        self.log_loss(loss);
        Ok(())
    }
}
