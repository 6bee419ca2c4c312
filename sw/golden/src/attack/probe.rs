//! Losses and gradients of a network whose weights an attack changes.

use super::Victim;
use super::suffix::Suffixes;
use crate::network::{Chunk, Evaluator, Prepared, Statistics};
use crate::quantize::WeightGrid;
use crate::train::arg_max;
use ndarray::Array4;
use rayon::prelude::*;

/// Gradients of a loss, for each layer with weights.
pub(super) type CodeGradients = Vec<Option<Vec<f32>>>;

/// Chunks of images, and what is needed to take their loss again and again.
#[derive(Debug)]
pub(super) struct Probe<'a> {
    victim: Victim<'a>,
    chunks: &'a mut [Chunk],
    labels: &'a [u16],
    loss_weights: &'a [f64],
    gradient_weights: &'a [f64],
    /// The chunks' inputs; with their layers' outputs, all tensors that a suffix may start from.
    inputs: Vec<Vec<f32>>,
    suffixes: Suffixes,
}

/// What each image counts, in the loss and in the gradient.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImageWeights<'a> {
    pub loss: &'a [f64],
    pub gradient: &'a [f64],
}

impl<'a> Probe<'a> {
    /// # Panics
    /// If there is not one label and one weight for each image of the chunks.
    pub fn new(
        victim: Victim<'a>,
        chunks: &'a mut [Chunk],
        labels: &'a [u16],
        weights: ImageWeights<'a>,
    ) -> Self {
        let images: usize = chunks.iter().map(Chunk::images).sum();
        for count in [labels.len(), weights.loss.len(), weights.gradient.len()] {
            assert_eq!(count, images, "one for each image");
        }
        Self {
            suffixes: Suffixes::new(&victim),
            inputs: chunks.iter_mut().map(|c| c.input_mut().to_vec()).collect(),
            victim,
            chunks,
            labels,
            loss_weights: weights.loss,
            gradient_weights: weights.gradient,
        }
    }

    /// The loss with these weights; keeps every tensor for [`Probe::loss_from`].
    pub fn loss(&mut self, values: &[Option<Array4<f32>>]) -> f64 {
        self.pass(values, false)
    }

    /// The loss, and its gradient in the stored integers: dL/dq = Δ · dL/dw.
    pub fn gradients(&mut self, values: &[Option<Array4<f32>>]) -> (f64, CodeGradients) {
        let loss = self.pass(values, true);
        let layers = self.victim.grids.iter().enumerate();
        let gradients = layers.map(|(layer, grid)| {
            let grid = grid.as_ref()?;
            let of = |chunk: &Chunk| {
                let gradients = chunk.gradients()[layer].as_ref();
                gradients
                    .expect("a layer with a grid has weights")
                    .weight
                    .clone()
            };
            // Chunks are added in their order, so that threads make no difference.
            let mut chunks = self.chunks.iter();
            let mut sum = of(chunks.next()?);
            for chunk in chunks {
                sum.iter_mut().zip(of(chunk)).for_each(|(s, g)| *s += g);
            }
            let outputs = values[layer].as_ref().map_or(1, |v| v.dim().0);
            let per_output = sum.len() / outputs;
            for (output, part) in sum.chunks_exact_mut(per_output).enumerate() {
                let slope = slope(grid, output);
                part.iter_mut().for_each(|g| *g *= slope);
            }
            Some(sum)
        });
        (loss, gradients.collect())
    }

    fn pass(&mut self, values: &[Option<Array4<f32>>], backward: bool) -> f64 {
        let victim = &self.victim;
        let (statistics, steps) = (Statistics::Running, victim.activations.to_vec());
        let prepared = Prepared::new(
            victim.architecture,
            victim.parameters,
            values,
            statistics,
            steps,
        );
        let starts = starts(self.chunks);
        let chunks = self.chunks.par_iter_mut().zip(starts);
        let losses: Vec<Vec<f64>> = chunks
            .map(|(chunk, start)| {
                chunk.forward(&prepared);
                let classes = chunk.logits().len() / chunk.images();
                let labels = &self.labels[start..][..chunk.images()];
                let rows = chunk.logits().chunks_exact(classes).zip(labels);
                let losses = rows.clone().map(|(l, &label)| cross_entropy(l, label));
                let losses: Vec<f64> = losses.collect();
                if backward {
                    let weights = &self.gradient_weights[start..];
                    let gradient = rows.zip(weights).flat_map(|((l, &label), &weight)| {
                        softmax_gradient(l, label, weight as f32)
                    });
                    let gradient: Vec<f32> = gradient.collect();
                    chunk.backward(&prepared, &gradient, false);
                }
                losses
            })
            .collect();
        self.weighted(losses.into_iter().flatten())
    }

    /// The loss if only `layer` has other weights than in the last full pass.
    pub fn loss_from(&self, layer: usize, values: &[Option<Array4<f32>>]) -> f64 {
        let suffix = self.suffixes.of_layer(layer);
        let evaluator = Evaluator::new(
            &suffix.architecture,
            &suffix.parameters,
            &values[suffix.first..],
            suffix.activations.clone(),
        );
        let volume = suffix.architecture.network.input.volume();
        let starts = starts(self.chunks);
        let images: Vec<(&[f32], u16)> = (self.chunks.iter().zip(&self.inputs).zip(starts))
            .flat_map(|((chunk, input), start)| {
                let tensor = match suffix.first.checked_sub(1) {
                    None => &input[..],
                    Some(before) => chunk
                        .output(before)
                        .as_slice()
                        .expect("tensors are in standard layout"),
                };
                let labels = self.labels[start..].iter().copied();
                tensor.chunks_exact(volume).zip(labels)
            })
            .collect();
        let losses: Vec<f64> = images
            .par_iter()
            .map_init(
                || evaluator.values(),
                |buffers, &(input, label)| {
                    evaluator.run(input.iter().copied(), buffers);
                    cross_entropy(buffers.logits(), label)
                },
            )
            .collect();
        self.weighted(losses)
    }

    /// Images that the loss is taken over.
    pub fn images(&self) -> usize {
        self.labels.len()
    }

    /// The classes that the last full pass has found.
    pub fn predictions(&self) -> Vec<u16> {
        let rows = self.chunks.iter().flat_map(|chunk| {
            let classes = chunk.logits().len() / chunk.images();
            chunk.logits().chunks_exact(classes)
        });
        rows.map(|row| arg_max(row) as u16).collect()
    }

    fn weighted(&self, losses: impl IntoIterator<Item = f64>) -> f64 {
        let terms = losses.into_iter().zip(self.loss_weights);
        terms.map(|(loss, weight)| loss * weight).sum()
    }
}

/// What a step of an output channel's stored integer is worth: the slope of its grid in the
/// middle, since the clipped ends of a range have none.
pub(super) fn slope(grid: &WeightGrid, output: usize) -> f32 {
    grid.decode_one(output, 1) - grid.decode_one(output, 0)
}

/// Number of the first image of each chunk.
fn starts(chunks: &[Chunk]) -> Vec<usize> {
    let mut next = 0;
    let start = |chunk: &Chunk| {
        let start = next;
        next += chunk.images();
        start
    };
    chunks.iter().map(start).collect()
}

/// −ln softmax(logits)\[label\].
fn cross_entropy(logits: &[f32], label: u16) -> f64 {
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from(l - top).exp()).sum();
    sum.ln() - f64::from(logits[usize::from(label)] - top)
}

/// The gradient of `weight` times an image's cross entropy.
fn softmax_gradient(logits: &[f32], label: u16, weight: f32) -> Vec<f32> {
    let mut gradient = vec![0.0; logits.len()];
    crate::train::cross_entropy(logits, &[label], 0.0, weight, &mut gradient);
    gradient
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::AttackedMemory;
    use crate::attack::test_network::{self, batch};
    use brownout_spec::image::WeightBit;

    #[test]
    fn a_loss_from_the_changed_layer_on_is_that_of_the_whole_network_to_the_bit() {
        for name in ["cnn", "resnet20", "resnet20-b", "simplenet:4", "graph"] {
            let network = test_network::random(name, 3);
            let victim = Victim::from(&network);
            let memory = test_network::memory(&network, "none");
            let mut attacked = AttackedMemory::new(victim, &memory, network.stored()).unwrap();
            let mut images = batch(&network, 20);
            let mut probe = images.probe(victim);
            let clean = probe.loss(attacked.values());
            let mut changed = 0;
            for (tensor, layer) in victim.layers().into_iter().enumerate() {
                // Several weights: some are of channels that are always zero.
                let weights = memory.layout().layers()[tensor].shape.weights();
                for number in 0..20 {
                    let bit = WeightBit {
                        layer: tensor,
                        index: number * weights / 20,
                        bit: 7,
                    };
                    attacked.flip(attacked.locate(bit).unwrap());
                }
                probe.loss(&network.stored().values(victim.grids));
                let partly = probe.loss_from(layer, attacked.values());
                let whole = probe.loss(attacked.values());
                assert_eq!(partly, whole, "{name}, layer {layer}");
                changed += usize::from(partly != clean);
                attacked = AttackedMemory::new(victim, &memory, network.stored()).unwrap();
            }
            // One of them may still be without any effect on the logits.
            assert!(changed + 1 >= victim.layers().len(), "{name}: {changed}");
        }
    }

    #[test]
    fn gradients_of_stored_integers_equal_central_differences() {
        let mut network = test_network::random("cnn", 3);
        network.quantization.activations.fill(None);
        let victim = Victim::from(&network);
        let mut images = batch(&network, 8);
        let mut probe = images.probe(victim);
        let stored = network.stored();
        let values = stored.values(victim.grids);
        let (_, gradients) = probe.gradients(&values);
        for layer in victim.layers() {
            let gradient = gradients[layer].as_ref().unwrap();
            let at = super::super::bits::top_weights(gradient, Some(1))[0];
            let moved = |by: f32| {
                let mut values = values.clone();
                let weights = values[layer].as_mut().unwrap().as_slice_mut().unwrap();
                weights[at] += by * victim.grid(layer).decode_one(0, 1);
                values
            };
            let [up, down] = [1.0, -1.0].map(|by| probe.loss(&moved(by)));
            let numeric = (up - down) / 2.0;
            let exact = f64::from(gradient[at]);
            assert!(
                (exact - numeric).abs() < 0.05 * exact.abs() + 1e-6,
                "layer {layer}: {exact} is not {numeric}"
            );
        }
    }
}
