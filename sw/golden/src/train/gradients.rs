//! The gradients of a batch: those of its chunks, summed in the chunks' order.
//!
//! Layers, and slices of large ones, are summed on all threads; each sum has the same
//! order on any number of them. A run keeps the buffers from step to step.

use crate::network::{Chunk, LayerGradients, Parameters};
use rayon::prelude::*;

/// Values that one thread takes at once: enough to outweigh the handing out.
pub(super) const SLICE: usize = 1 << 14;

/// The gradients of a batch.
#[derive(Debug)]
pub(super) struct Gradients {
    pub layers: Vec<Option<LayerGradients>>,
    /// Of the ranges of all tensors; zero unless they are learned.
    pub ranges: Vec<f32>,
}

impl Gradients {
    /// Zeros in the shape of the parameters.
    pub fn zeros(parameters: &Parameters) -> Self {
        let layers = parameters.layers.iter();
        Self {
            layers: layers
                .map(|l| l.as_ref().map(LayerGradients::zeros))
                .collect(),
            ranges: vec![0.0; parameters.layers.len() + 1],
        }
    }

    /// Becomes the sum of the chunks' gradients in the chunks' order, whatever thread made
    /// them.
    pub fn gather(&mut self, chunks: &[Chunk]) {
        let layers = self.layers.par_iter_mut().enumerate();
        layers.for_each(|(index, sum)| {
            let of = |chunk| Chunk::gradients(chunk)[index].as_ref();
            let parts: Vec<&LayerGradients> = chunks.iter().filter_map(of).collect();
            if let Some(sum) = sum {
                sum_parts(&mut sum.weight, &parts, |p| &p.weight);
                sum_parts(&mut sum.offset, &parts, |p| &p.offset);
                sum_parts(&mut sum.bias, &parts, |p| &p.bias);
                sum_parts(&mut sum.gain, &parts, |p| &p.gain);
            }
        });
        let chunks: Vec<&Chunk> = chunks.iter().collect();
        sum_parts(&mut self.ranges, &chunks, |c| c.ceiling_gradients());
    }

    /// Adds the gradients on other weights, and takes a share of the sum.
    pub fn combine(&mut self, others: &Self, share: f32) {
        for (sum, part) in self.layers.iter_mut().zip(&others.layers) {
            if let (Some(sum), Some(part)) = (sum, part) {
                sum.add(part);
            }
        }
        let ranges = self.ranges.iter_mut().zip(&others.ranges);
        ranges.for_each(|(sum, part)| *sum += part);
        self.each(|g| *g *= share);
    }

    /// Limits the magnitude of every component.
    pub fn clamp(&mut self, most: f32) {
        self.each(|g| *g = g.clamp(-most, most));
    }

    fn each(&mut self, mut change: impl FnMut(&mut f32)) {
        for layer in self.layers.iter_mut().flatten() {
            for part in [
                &mut layer.weight,
                &mut layer.offset,
                &mut layer.bias,
                &mut layer.gain,
            ] {
                part.iter_mut().for_each(&mut change);
            }
        }
        self.ranges.iter_mut().for_each(change);
    }
}

/// The sum of what `of` finds in each part; there is at least one.
fn sum_parts<P: Sync>(sum: &mut [f32], parts: &[&P], of: impl Fn(&P) -> &[f32] + Sync) {
    let slices = sum.par_chunks_mut(SLICE).enumerate();
    slices.for_each(|(slice, sum)| {
        let values = slice * SLICE..slice * SLICE + sum.len();
        sum.copy_from_slice(&of(parts[0])[values.clone()]);
        for part in &parts[1..] {
            let part = &of(part)[values.clone()];
            sum.iter_mut().zip(part).for_each(|(s, p)| *s += p);
        }
    });
}
