//! Values of images on their way through an evaluation.

use super::normalization::{Affine, Spread};
use super::windows::{Padded, Scratch};
use std::ops::Range;

/// The values of images on their way: of one, for [`Evaluator::run`](super::Evaluator::run), or of a batch.
#[derive(Clone, Debug)]
pub struct Values {
    /// The input and every layer's output, `[row][column][channel]`.
    pub(super) tensors: Vec<Tensor>,
    pub(super) padded: Vec<Padded>,
    /// Where convolutions work.
    pub(super) scratch: Scratch,
    pub(super) linear: Vec<f32>,
    pub(super) gathered: Vec<f32>,
    /// Of each layer whose normalisation depends on the image.
    pub(super) affines: Vec<Option<(Affine, Spread)>>,
    pub(super) winners: Vec<u32>,
    pub(super) maxima: Vec<f32>,
}

/// A tensor of every image of a batch, or of the one that was last at it.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub(super) values: Vec<f32>,
    /// Values of an image.
    pub(super) volume: usize,
}

impl Tensor {
    /// Where some images are.
    fn range(&self, images: &Range<usize>) -> Range<usize> {
        match self.values.len() == self.volume {
            true => 0..self.volume,
            false => images.start * self.volume..images.end * self.volume,
        }
    }

    pub(super) fn of(&self, images: &Range<usize>) -> &[f32] {
        &self.values[self.range(images)]
    }

    pub(super) fn of_mut(&mut self, images: &Range<usize>) -> &mut [f32] {
        let range = self.range(images);
        &mut self.values[range]
    }
}

impl Values {
    /// The last layer's output, one value a class.
    pub fn logits(&self) -> &[f32] {
        self.logits_of(0)
    }

    /// The input (0) or the output of layer `tensor` − 1, `[row][column][channel]`.
    pub fn tensor(&self, tensor: usize) -> &[f32] {
        self.tensors[tensor].of(&(0..1))
    }

    /// Replaces the input (0) or the output of layer `tensor` − 1 of the first image.
    ///
    /// # Panics
    /// If there are fewer or more values.
    pub fn put(&mut self, tensor: usize, values: &[f32]) {
        self.tensors[tensor].of_mut(&(0..1)).copy_from_slice(values);
    }

    /// The range of each tensor before its quantization: the largest value, of what may be
    /// negative the largest magnitude, within its layer's own bounds.
    pub fn maxima(&self) -> &[f32] {
        &self.maxima
    }

    pub(super) fn logits_of(&self, image: usize) -> &[f32] {
        self.tensors[self.tensors.len() - 1].of(&(image..image + 1))
    }
}
