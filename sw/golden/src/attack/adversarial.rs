//! Adversarial bits for training: weights that one batch of images suffers from.
//!
//! Both functions return disturbed stored weights and leave the rest to the caller; the
//! chunks that hold the images are run with running statistics, and what they held of
//! another pass is lost.

use super::bfa::{BfaOptions, ZeroGradient};
use super::bits::{self, Candidate, Goal};
use super::cells::tensor;
use super::probe::{ImageWeights, Probe, slope};
use super::random::{Draw, draw};
use super::session::{Limits, Session};
use super::victim::Victim;
use crate::network::Chunk;
use crate::quantize::{AllowedRanges, Exposure, Placement};
use crate::quantized::{StoredMemory, StoredMemoryError, StoredWeights};
use brownout_spec::code::CodeName;
use brownout_spec::image::WeightBit;
use ndarray::Array4;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How adversarial bits are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// One after the other, as BFA does: a gradient and a loss for each layer an iteration.
    #[default]
    Progressive,
    /// All at once, those with the largest gradients of all layers: one gradient.
    OneShot,
}

/// How many adversarial bits, and how they are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlipOptions {
    /// Number of cells, 1 and more.
    pub flips: usize,
    /// How they are found.
    pub search: Search,
    /// Weights of a layer whose bits are looked at; `None` is all.
    pub top: Option<usize>,
}

/// Inverts exactly `flips` different cells that raise the loss of these images; fewer only if
/// there are no more bits whose flip the gradient says to raise it, or, behind a decoder, if
/// those that are left are too few for another word.
///
/// Where the progressive search finds no more bits that raise the loss together, the rest are
/// those with the largest gradients.
///
/// # Errors
/// When a weight is outside the range that the memory's code leaves it.
///
/// # Panics
/// If memory, weights, chunks or labels are not the network's.
pub fn adversarial_flips(
    victim: Victim<'_>,
    memory: (&StoredMemory, &StoredWeights),
    (chunks, labels): (&mut [Chunk], &[u16]),
    options: &FlipOptions,
) -> Result<StoredWeights, StoredMemoryError> {
    let mean = super::batch::mean(labels.len());
    let weights = ImageWeights {
        loss: &mean,
        gradient: &mean,
    };
    let probe = Probe::new(victim, chunks, labels, weights);
    let search = BfaOptions {
        top: options.top,
        zero: ZeroGradient::Skip,
        limits: Limits {
            flips: options.flips,
            iterations: usize::MAX,
            accuracy: None,
        },
        ..BfaOptions::default()
    };
    let mut session = Session::new(victim, memory, probe, search.limits, None)?;
    // Only the random choice at vanishing gradients, which is not taken, would draw from it.
    let mut random = ChaCha8Rng::seed_from_u64(0);
    if options.search == Search::Progressive {
        let mut iteration = 1;
        while session.room() > 0
            && session
                .progressive_step(iteration, &search, &mut random, true)
                .is_ok()
        {
            iteration += 1;
        }
    }
    if session.room() > 0 {
        session.largest_gradients(options);
    }
    Ok(session.memory.read().clone())
}

impl Session<'_> {
    /// Inverts the bits with the largest gradients of all layers, as far as there is room.
    fn largest_gradients(&mut self, options: &FlipOptions) {
        let (_, gradients) = self.probe.gradients(self.memory.values());
        let bits = self.memory.bits();
        let top = options.top.map(|top| top.max(options.flips));
        // As many again as are inverted already, which are passed over, and some that a
        // word attack may not reach.
        let most = 4 * options.flips;
        let mut found: Vec<(usize, Candidate)> = Vec::new();
        for (number, &layer) in self.memory.layers().iter().enumerate() {
            let gradient = gradients[layer].as_ref().expect("the layer has weights");
            let integers = tensor(self.memory.read(), layer);
            let of_layer = bits::ranked(integers, gradient, bits, Goal::Raise, (top, most));
            found.extend(of_layer.into_iter().map(|candidate| (number, candidate)));
        }
        found.sort_by(|a, b| {
            let score = b.1.score.total_cmp(&a.1.score);
            score.then(a.0.cmp(&b.0)).then(a.1.order(&b.1))
        });
        for (number, candidate) in found {
            let layer = self.memory.layers()[number];
            let gradient = gradients[layer].as_ref().expect("the layer has weights");
            let goal = (Goal::Raise, &gradient[..]);
            if let Some(cells) = self.attempt(number, &[candidate], 1, goal, true) {
                // Committing flips them again.
                self.take_back(&cells);
                self.commit(1, &cells);
            }
            if self.room() == 0 {
                return;
            }
        }
    }
}

/// How gradient ascent looks for adversarial bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AscentOptions {
    /// Bits that may differ, ε; 1 and more.
    pub flips: usize,
    /// Steps of the ascent.
    pub steps: usize,
    /// How far the weight with a layer's largest gradient moves in a step, as a share of the
    /// layer's largest magnitude.
    pub rate: f32,
    /// What the first bits are drawn from.
    pub seed: u64,
}

/// Raises the loss of these images by gradient ascent under a Hamming constraint, as AdvBET
/// is outlined (Chitsaz et al., TMLR 2023, appendix E, of Stutz et al., TPAMI 2022, whose
/// code is not public): up to ε random bits are flipped first; each step moves the weights in
/// floating point along the gradient, divided by its largest component in the layer,
/// stores them, and keeps the ε weights with the largest change, of each the one bit that
/// comes nearest. The result is the iterate with the largest loss. How the projection is
/// done is an inference from the outline.
///
/// Stored integers are disturbed, not a memory's words: behind a decoder these bits would be
/// corrected. Only live bits are flipped.
///
/// # Panics
/// If weights, chunks or labels are not the network's.
pub fn ascent(
    victim: Victim<'_>,
    stored: &StoredWeights,
    (chunks, labels): (&mut [Chunk], &[u16]),
    options: &AscentOptions,
) -> StoredWeights {
    let mean = super::batch::mean(labels.len());
    let weights = ImageWeights {
        loss: &mean,
        gradient: &mean,
    };
    let mut probe = Probe::new(victim, chunks, labels, weights);
    let mut now = random_start(victim, stored, options);
    let mut best: Option<(f64, StoredWeights)> = None;
    for _ in 0..options.steps {
        let values = now.values(victim.grids);
        let (loss, gradients) = probe.gradients(&values);
        let moved = moved(victim, &values, &gradients, options.rate);
        let next = project(victim, stored, &moved, options.flips);
        keep_better(&mut best, loss, now);
        now = next;
    }
    let loss = probe.loss(&now.values(victim.grids));
    keep_better(&mut best, loss, now);
    best.map_or_else(|| stored.clone(), |(_, weights)| weights)
}

fn keep_better(best: &mut Option<(f64, StoredWeights)>, loss: f64, weights: StoredWeights) {
    if best.as_ref().is_none_or(|(most, _)| loss > *most) {
        *best = Some((loss, weights));
    }
}

/// Up to ε bits flipped, each drawn from all live bits.
fn random_start(
    victim: Victim<'_>,
    stored: &StoredWeights,
    options: &AscentOptions,
) -> StoredWeights {
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    let mut start = stored.clone();
    let sizes: Vec<usize> = stored.0.iter().flatten().map(Array4::len).collect();
    let layers: Vec<&mut Array4<i8>> = start.0.iter_mut().flatten().collect();
    let mut layers: Vec<&mut [i8]> = layers
        .into_iter()
        .map(|l| l.as_slice_mut().expect("weights are in standard layout"))
        .collect();
    for _ in 0..random.random_range(0..=options.flips) {
        let bits = victim.width.bits();
        let WeightBit { layer, index, bit } = draw(&sizes, bits, Draw::AllBits, &mut random);
        let integer = &mut layers[layer][index];
        *integer = Exposure::LiveBits.disturb(victim.width, *integer, 1 << bit);
    }
    start
}

/// Weights in floating point after a step along the gradient of each layer.
fn moved(
    victim: Victim<'_>,
    values: &[Option<Array4<f32>>],
    gradients: &[Option<Vec<f32>>],
    rate: f32,
) -> Vec<Option<Array4<f32>>> {
    let layers = values.iter().zip(gradients).enumerate();
    let step = layers.map(|(layer, (values, gradient))| {
        let (mut values, mut gradient) = (values.clone()?, gradient.clone()?);
        let per_output = values.len() / values.dim().0;
        for (output, part) in gradient.chunks_exact_mut(per_output).enumerate() {
            // Back from stored integers to weights; a grid of one point has no gradient.
            let slope = slope(victim.grid(layer), output).max(f32::MIN_POSITIVE);
            part.iter_mut().for_each(|g| *g /= slope);
        }
        let size = |x: f32, y: &f32| x.max(y.abs());
        let steepest = gradient.iter().fold(0.0, size);
        if steepest > 0.0 {
            let far = rate * values.iter().fold(0.0, size) / steepest;
            let moves = values.iter_mut().zip(&gradient);
            moves.for_each(|(v, g)| *v += far * g);
        }
        Some(values)
    });
    step.collect()
}

/// A change of one bit of a stored weight.
struct Change {
    size: f32,
    layer: usize,
    at: usize,
    integer: i8,
}

/// The weights within ε single-bit changes of the stored ones that come nearest.
fn project(
    victim: Victim<'_>,
    stored: &StoredWeights,
    wanted: &[Option<Array4<f32>>],
    flips: usize,
) -> StoredWeights {
    // Bits of any weight may flip, whatever a code asks of it.
    let ranges = AllowedRanges::new(CodeName::None, victim.width, Placement::Channel);
    let mut changes: Vec<Change> = Vec::new();
    for (layer, (stored, wanted)) in stored.0.iter().zip(wanted).enumerate() {
        let (Some(stored), Some(wanted)) = (stored, wanted) else {
            continue;
        };
        let grid = victim.grid(layer);
        let rounded = grid.quantize(wanted, &ranges).integers;
        let per_output = stored.len() / stored.dim().0;
        for (at, (&integer, &rounded)) in stored.iter().zip(&rounded).enumerate() {
            if integer == rounded {
                continue;
            }
            let value = |integer| grid.decode_one(at / per_output, integer);
            let (from, to) = (value(integer), value(rounded));
            let nearest = one_bit_away(victim, integer)
                .filter(|&other| (value(other) - from) * (to - from) > 0.0)
                .min_by(|&a, &b| (value(a) - to).abs().total_cmp(&(value(b) - to).abs()));
            changes.extend(nearest.map(|integer| Change {
                size: (to - from).abs(),
                layer,
                at,
                integer,
            }));
        }
    }
    changes.sort_by(|a, b| {
        let size = b.size.total_cmp(&a.size);
        size.then((a.layer, a.at).cmp(&(b.layer, b.at)))
    });
    let mut result = stored.clone();
    for change in changes.iter().take(flips) {
        let layer = result.0[change.layer].as_mut().expect("it was just read");
        let integers = layer.as_slice_mut();
        integers.expect("weights are in standard layout")[change.at] = change.integer;
    }
    result
}

fn one_bit_away(victim: Victim<'_>, integer: i8) -> impl Iterator<Item = i8> {
    let width = victim.width;
    (0..width.bits()).map(move |bit| Exposure::LiveBits.disturb(width, integer, 1 << bit))
}
