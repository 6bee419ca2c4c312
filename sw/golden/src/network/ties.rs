//! Which tensors share a grid.
//!
//! A max pool, a resize and a pad only move values, so what they write is on the grid of what they
//! read. A concat has one grid, that of the largest range among its parts. A part that nobody but
//! the concat reads, directly or through layers that only move values, takes that grid as its own,
//! so that it is rounded once; one that others read too, or that comes from the network's input,
//! keeps its own, and the concat rounds it again. Chains of such layers share one grid.

use super::Architecture;
use brownout_spec::program::Operation;

impl Architecture {
    /// For each tensor the one whose range decides its grid: that of the outermost concat that it
    /// is tied to, else of the layer that computed it; 0 is the input.
    ///
    /// The range of a concat, observed, is the largest of its parts'. A learned one is learned
    /// for all tensors that are tied to it: their gradients are added.
    pub fn grid_owners(&self) -> Vec<usize> {
        let layers = &self.network.layers;
        let readers = self.network.readers();
        let mut owners: Vec<usize> = (0..=layers.len()).collect();
        for (index, layer) in layers.iter().enumerate() {
            match layer.operation {
                Operation::MaxPool { .. } | Operation::Resize { .. } | Operation::Pad { .. } => {
                    owners[index + 1] = owners[layer.source()];
                }
                Operation::Concat => {
                    for &part in &layer.reads {
                        if self.is_read_alone(part, &readers) {
                            let old = owners[part];
                            let tied = owners[..=index].iter_mut().filter(|o| **o == old);
                            tied.for_each(|owner| *owner = index + 1);
                        }
                    }
                }
                _ => {}
            }
        }
        owners
    }

    /// Whether one layer alone reads a tensor, and what it is moved from is computed and has no
    /// other reader either.
    fn is_read_alone(&self, mut tensor: usize, readers: &[Vec<usize>]) -> bool {
        loop {
            let Some(layer) = tensor.checked_sub(1) else {
                return false;
            };
            if readers[tensor].len() != 1 {
                return false;
            }
            match self.network.layers[layer].operation {
                Operation::MaxPool { .. } | Operation::Resize { .. } | Operation::Pad { .. } => {
                    tensor = self.source(layer);
                }
                _ => return true,
            }
        }
    }
}

#[cfg(test)]
#[path = "ties_tests.rs"]
mod tests;
