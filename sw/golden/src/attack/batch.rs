//! The images that an attack looks at.

use super::Victim;
use super::probe::{ImageWeights, Probe};
use crate::data::Dataset;
use crate::model::InputTable;
use crate::network::Chunk;
use crate::quantized::StoredWeights;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Images of a chunk: few enough that threads share the work, whatever their number.
const CHUNK: usize = 16;

/// Images, the labels that their loss is taken for, and what each image counts.
#[derive(Debug)]
pub struct Batch {
    pub(super) chunks: Vec<Chunk>,
    /// Labels in the order of the images.
    pub labels: Vec<u16>,
    /// What each image's cross entropy counts in the loss.
    pub loss_weights: Vec<f64>,
    /// What it counts in the gradient; the same unless an attack's gradient is not that of its loss.
    pub gradient_weights: Vec<f64>,
}

impl Batch {
    /// These images of a data set with their own labels; the loss is the mean.
    ///
    /// # Panics
    /// If an image does not have the network's size, or there is no such image.
    pub fn new(
        victim: &Victim<'_>,
        table: &InputTable<f32>,
        data: &Dataset,
        images: &[usize],
    ) -> Self {
        let volume = victim.architecture.network.input.volume();
        assert_eq!(data.shape().volume(), volume);
        let chunks = images.chunks(CHUNK).map(|images| {
            let (architecture, parameters) = (victim.architecture, victim.parameters);
            let mut chunk = Chunk::new(architecture, parameters, images.len());
            let targets = chunk.input_mut().chunks_exact_mut(volume);
            for (target, &image) in targets.zip(images) {
                let values = table.apply(data.image(image));
                target.iter_mut().zip(values).for_each(|(x, v)| *x = v);
            }
            chunk
        });
        Self {
            chunks: chunks.collect(),
            labels: images.iter().map(|&i| data.labels[i]).collect(),
            loss_weights: mean(images.len()),
            gradient_weights: mean(images.len()),
        }
    }

    /// Replaces the labels with what the network says with these stored weights.
    ///
    /// # Panics
    /// If the weights are not the network's.
    pub fn predict(&mut self, victim: Victim<'_>, stored: &StoredWeights) {
        let mut probe = self.probe(victim);
        probe.loss(&stored.values(victim.grids));
        self.labels = probe.predictions();
    }

    pub(super) fn probe<'a>(&'a mut self, victim: Victim<'a>) -> Probe<'a> {
        let weights = ImageWeights {
            loss: &self.loss_weights,
            gradient: &self.gradient_weights,
        };
        Probe::new(victim, &mut self.chunks, &self.labels, weights)
    }
}

/// The weights of a mean over images.
pub(super) fn mean(images: usize) -> Vec<f64> {
    vec![1.0 / images.max(1) as f64; images]
}

/// `count` different images out of those for which `of` holds, or all if there are fewer, drawn
/// from a seed.
pub fn draw(data: &Dataset, count: usize, seed: u64, of: impl Fn(u16) -> bool) -> Vec<usize> {
    let mut images: Vec<usize> = (0..data.len()).filter(|&i| of(data.labels[i])).collect();
    images.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    images.truncate(count);
    images
}
