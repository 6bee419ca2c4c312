//! BFA: progressive bit search (Rakin, He, Fan, "Bit-Flip Attack", ICCV 2019, section 3.3).
//!
//! In each iteration the gradient of the loss ranks the bits of every layer. With n = 1,
//! then 2 and so on, each layer's n best bits are flipped in turn, the loss is measured
//! and the flips are taken back; once the best layer's loss is above the present one,
//! its flips stay. Running statistics are used, and the labels are by default what the
//! clean network says, so that the attacker needs none.

use super::batch::Batch;
use super::bits::{self, Candidate, Goal};
use super::cells::{CellAddress, tensor};
use super::probe::CodeGradients;
use super::session::{Attacked, Limits, Measurement, Session, Stop};
use super::victim::Victim;
use crate::quantized::{StoredMemory, StoredMemoryError, StoredWeights};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// The labels that an attacker works with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// What the clean network says, as in BFA.
    #[default]
    Predicted,
    /// The right ones, as in WCAT's evaluation.
    True,
}

/// What becomes of a layer whose gradients are all zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZeroGradient {
    /// It is left alone, as in BFA.
    #[default]
    Skip,
    /// A random one of its candidates is flipped, as in WCAT's code.
    Random,
}

/// How BFA searches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BfaOptions {
    /// Whose loss is raised.
    pub labels: Labels,
    /// Weights of a layer whose bits are looked at: those with the largest gradients; `None` is all.
    /// BFA's default is 10, WCAT's evaluation has 100.
    pub top: Option<usize>,
    /// Largest number of bits flipped together. The published search has no such bound and
    /// does not end where no number of bits raises the loss.
    pub most_bits: usize,
    /// What becomes of layers without a gradient.
    pub zero: ZeroGradient,
    /// When it ends.
    pub limits: Limits,
    /// What random choices are drawn from.
    pub seed: u64,
}

impl Default for BfaOptions {
    fn default() -> Self {
        Self {
            labels: Labels::Predicted,
            top: Some(10),
            most_bits: 20,
            zero: ZeroGradient::Skip,
            limits: Limits {
                flips: 1000,
                iterations: 1000,
                accuracy: None,
            },
            seed: 1,
        }
    }
}

/// Attacks a network's weights in a memory. `batch` is what the attacker looks at;
/// accuracy is measured after every iteration if there are images to measure it on.
///
/// # Errors
/// When a weight is outside the range that the memory's code leaves it.
///
/// # Panics
/// If memory, weights, batch or images are not the network's.
pub fn bfa(
    victim: Victim<'_>,
    memory: (&StoredMemory, &StoredWeights),
    batch: &mut Batch,
    options: &BfaOptions,
    measurement: Option<Measurement<'_>>,
) -> Result<Attacked, StoredMemoryError> {
    if options.labels == Labels::Predicted {
        batch.predict(victim, memory.1);
    }
    let probe = batch.probe(victim);
    let mut session = Session::new(victim, memory, probe, options.limits, measurement)?;
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    let mut iteration = 0;
    let stop = loop {
        if session.is_met_at_the_start() {
            break Stop::Accuracy;
        }
        if session.room() == 0 {
            break Stop::Flips;
        }
        if iteration == options.limits.iterations {
            break Stop::Iterations;
        }
        match session.progressive_step(iteration + 1, options, &mut random, false) {
            Ok(()) => iteration += 1,
            Err(stop) => break stop,
        }
        let (accuracy, _) = session.measure_and_log();
        if session.is_low(accuracy) {
            break Stop::Accuracy;
        }
    };
    Ok(session.finish(("bfa", options.seed), iteration, stop))
}

/// The best trial so far.
struct Best {
    loss: f64,
    cells: Vec<CellAddress>,
}

impl Session<'_> {
    /// One iteration of the search: commits the bits that raise the loss most.
    pub(super) fn progressive_step(
        &mut self,
        iteration: usize,
        options: &BfaOptions,
        random: &mut ChaCha8Rng,
        fresh: bool,
    ) -> Result<(), Stop> {
        let (loss, gradients) = self.probe.gradients(self.memory.values());
        let candidates = self.candidates(&gradients, options, random);
        if candidates.iter().all(Vec::is_empty) {
            return Err(Stop::NoGradient);
        }
        let mut short_of_room = false;
        for count in 1..=options.most_bits {
            if count > self.room() {
                short_of_room = true;
                break;
            }
            let mut best: Option<Best> = None;
            for (number, candidates) in candidates.iter().enumerate() {
                let layer = self.memory.layers()[number];
                let gradient = gradients[layer].as_ref().expect("the layer has weights");
                let goal = (Goal::Raise, &gradient[..]);
                let Some(cells) = self.attempt(number, candidates, count, goal, fresh) else {
                    continue;
                };
                let loss = self.probe.loss_from(layer, self.memory.values());
                self.take_back(&cells);
                if !loss.is_nan() && best.as_ref().is_none_or(|b| loss > b.loss) {
                    best = Some(Best { loss, cells });
                }
            }
            match best {
                Some(best) if best.loss > loss => {
                    self.commit(iteration, &best.cells);
                    self.log_loss(best.loss);
                    return Ok(());
                }
                Some(_) => {}
                // More bits than any layer has candidates for, or than there is room for.
                None => {
                    short_of_room = count == 1;
                    break;
                }
            }
        }
        Err(match short_of_room {
            true => Stop::Flips,
            false => Stop::NoGain,
        })
    }

    /// For each weight tensor its eligible bits, best first; none where there is no gradient.
    fn candidates(
        &self,
        gradients: &CodeGradients,
        options: &BfaOptions,
        random: &mut ChaCha8Rng,
    ) -> Vec<Vec<Candidate>> {
        let bits = self.memory.bits();
        // Some bits may be out of a word attack's reach.
        let most = 8 * options.most_bits.max(options.top.unwrap_or(0));
        let layers = self.memory.layers().iter();
        let of_layer = |&layer: &usize| {
            let gradient = gradients[layer].as_ref().expect("the layer has weights");
            let integers = tensor(self.memory.read(), layer);
            let limits = (options.top, most);
            let found = bits::ranked(integers, gradient, bits, Goal::Raise, limits);
            if gradient.iter().any(|&g| g != 0.0) {
                return found;
            }
            match options.zero {
                ZeroGradient::Skip => Vec::new(),
                ZeroGradient::Random => found.choose(random).copied().into_iter().collect(),
            }
        };
        layers.map(of_layer).collect()
    }
}
