//! The buffers of an image on its way through a network.

use super::kernel::{Aligned, Padded};

/// Buffers of one image on its way; afterwards they hold what every layer computed.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The input and the output of every layer but the last, `[row][column][channel]`.
    pub(super) tensors: Vec<Aligned<i8>>,
    /// One padded input for each frame that a convolution has.
    pub(super) padded: Vec<Padded>,
    /// What pools and the last layer leave to be scaled.
    pub(super) accumulators: Vec<i32>,
    pub(super) results: Vec<i32>,
}

impl Workspace {
    /// The input as the hardware sees it.
    pub fn input(&self) -> &[i8] {
        &self.tensors[0]
    }

    /// What a layer wrote, `[row][column][channel]`; `None` for the last layer and beyond.
    pub fn activations(&self, layer: usize) -> Option<&[i8]> {
        self.tensors.get(layer + 1).map(|tensor| &tensor[..])
    }

    /// The results of the last layer, one per class.
    pub fn logits(&self) -> &[i32] {
        &self.results
    }

    /// The class with the largest logit; of equal ones, the first.
    pub fn class(&self) -> usize {
        crate::train::arg_max(&self.results)
    }
}
