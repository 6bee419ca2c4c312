//! Random flips: what an attacker without a gradient achieves.

use super::batch::Batch;
use super::session::{Attacked, Limits, Measurement, Session, Stop};
use super::victim::Victim;
use crate::quantized::{StoredMemory, StoredMemoryError, StoredWeights};
use brownout_spec::image::WeightBit;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How a bit is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Draw {
    /// A layer, then one of its weights, then a bit, each uniformly, as in the published
    /// baseline: a bit of a small layer is flipped more often than one of a large layer.
    LayerFirst,
    /// All bits of all weights are equally likely.
    #[default]
    AllBits,
}

/// How bits are flipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomOptions {
    /// How a bit is drawn; the same one may be drawn again, and is then as it was.
    pub draw: Draw,
    /// Flips between two measurements: an iteration; 1 and more.
    pub every: usize,
    /// When it ends.
    pub limits: Limits,
    /// What bits are drawn from.
    pub seed: u64,
}

/// Flips random bits of a network's weights in a memory; each is a cell, whatever the
/// decoder makes of it. The loss is that of the batch's labels.
///
/// # Errors
/// When a weight is outside the range that the memory's code leaves it.
///
/// # Panics
/// If memory, weights, batch or images are not the network's.
pub fn random(
    victim: Victim<'_>,
    memory: (&StoredMemory, &StoredWeights),
    batch: &mut Batch,
    options: &RandomOptions,
    measurement: Option<Measurement<'_>>,
) -> Result<Attacked, StoredMemoryError> {
    let probe = batch.probe(victim);
    let mut session = Session::new(victim, memory, probe, options.limits, measurement)?;
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    let layers = memory.0.layout().layers();
    let sizes: Vec<usize> = layers.iter().map(|l| l.shape.weights()).collect();
    let bits = session.memory.bits();
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
        iteration += 1;
        for _ in 0..options.every.max(1).min(session.room()) {
            let bit = draw(&sizes, bits, options.draw, &mut random);
            let cell = session.memory.locate(bit);
            session.commit(iteration, &[cell.expect("the bit is one of the network's")]);
        }
        let loss = session.probe.loss(session.memory.values());
        session.log_loss(loss);
        let (accuracy, _) = session.measure_and_log();
        if session.is_low(accuracy) {
            break Stop::Accuracy;
        }
    };
    Ok(session.finish(("random", options.seed), iteration, stop))
}

/// A bit of a network whose weight tensors have these sizes.
pub(super) fn draw(sizes: &[usize], bits: u32, how: Draw, random: &mut ChaCha8Rng) -> WeightBit {
    let (layer, index) = match how {
        Draw::LayerFirst => {
            let layer = random.random_range(0..sizes.len());
            (layer, random.random_range(0..sizes[layer]))
        }
        Draw::AllBits => {
            let mut index = random.random_range(0..sizes.iter().sum::<usize>());
            let mut layer = 0;
            while index >= sizes[layer] {
                index -= sizes[layer];
                layer += 1;
            }
            (layer, index)
        }
    };
    let bit = random.random_range(0..bits) as u8;
    WeightBit { layer, index, bit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share_of_small(how: Draw) -> f64 {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let draws = (0..10_000).map(|_| draw(&[100, 900], 8, how, &mut random));
        draws.filter(|bit| bit.layer == 0).count() as f64 / 10_000.0
    }

    #[test]
    fn drawing_a_layer_first_favours_the_bits_of_small_layers() {
        assert!((share_of_small(Draw::LayerFirst) - 0.5).abs() < 0.02);
        assert!((share_of_small(Draw::AllBits) - 0.1).abs() < 0.02);
    }
}
