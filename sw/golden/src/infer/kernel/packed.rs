//! Weights in the order in which the kernels read them.

use super::window::Window;

/// Output channels that are computed together.
pub const LANES: usize = 16;

/// Weights of [`LANES`] outputs for one group of `G` neighbouring operands: 64 bytes,
/// aligned so that no load crosses a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Group<T, const G: usize>(pub [[T; G]; LANES]);

/// All weights of a convolution: blocks of [`LANES`] outputs, each `[kernel row][group]`.
///
/// Operands beyond a kernel row's end, and outputs beyond the last, have weight zero.
#[derive(Clone, Debug)]
pub struct Packed<T, const G: usize> {
    groups: Vec<Group<T, G>>,
    block: usize,
}

impl<T: Copy + Default + From<i8>, const G: usize> Packed<T, G> {
    /// Packs a flattened tensor `[output][input][kernel row][kernel column]`.
    pub fn new(window: &Window, taps: usize, tensor: &[i8]) -> Self {
        let outputs = window.output.channels;
        let inputs = tensor.len() / (outputs * taps);
        let groups = window.groups(G);
        let block = window.rows * groups;
        let zero = Group([[T::default(); G]; LANES]);
        let mut packed = vec![zero; outputs.div_ceil(LANES) * block];
        // Where each tap's inputs begin, counted in operands of whole groups.
        let starts: Vec<usize> = (0..taps)
            .map(|tap| {
                let operand = tap * inputs;
                operand / window.row_length * groups * G + operand % window.row_length
            })
            .collect();
        for (output, filter) in tensor.chunks_exact(inputs * taps).enumerate() {
            let lane = output % LANES;
            let block = &mut packed[output / LANES * block..][..block];
            for (input, taps) in filter.chunks_exact(taps).enumerate() {
                for (&start, &weight) in starts.iter().zip(taps) {
                    let at = start + input;
                    block[at / G].0[lane][at % G] = weight.into();
                }
            }
        }
        Self {
            groups: packed,
            block,
        }
    }

    /// The groups of one block of outputs.
    pub fn block(&self, block: usize) -> &[Group<T, G>] {
        &self.groups[block * self.block..][..self.block]
    }
}
