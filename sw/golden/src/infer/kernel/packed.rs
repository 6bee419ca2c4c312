//! Weights in the order in which the kernels read them.

use super::window::Window;

/// Output channels that are computed together.
pub const LANES: usize = 16;

/// Weights of [`LANES`] outputs for one group of `G` neighbouring operands: 64 bytes,
/// aligned so that no load crosses a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Group<T, const G: usize>(pub [[T; G]; LANES]);

/// All weights of a convolution: blocks of [`LANES`] outputs, each `[segment][group]`.
///
/// Operands beyond a segment's end, and outputs beyond the last, have weight zero.
#[derive(Clone, Debug)]
pub struct Packed<T, const G: usize> {
    groups: Vec<Group<T, G>>,
    block: usize,
    /// Where the accumulators of each block start: Σ −c·w, where operands are read as x − zx + c.
    pub starts: Vec<[i32; LANES]>,
}

impl<T: Copy + Default + From<i8>, const G: usize> Packed<T, G> {
    /// Packs a flattened tensor `[output][input][kernel row][kernel column]` for operands that are
    /// read with `offset` too much.
    pub fn new(window: &Window, taps: usize, tensor: &[i8], offset: i32) -> Self {
        let outputs = window.output.channels;
        let inputs = tensor.len() / (outputs * taps);
        let groups = window.groups(G);
        let block = window.segments.len() * groups;
        let zero = Group([[T::default(); G]; LANES]);
        let mut packed = vec![zero; window.blocks() * block];
        let mut starts = vec![[0; LANES]; window.blocks()];
        // Where each tap's inputs begin, counted in operands of whole groups.
        let begins: Vec<usize> = (0..taps)
            .map(|tap| {
                let operand = tap * inputs;
                operand / window.segment_length * groups * G + operand % window.segment_length
            })
            .collect();
        for (output, filter) in tensor.chunks_exact(inputs * taps).enumerate() {
            let (number, lane) = window.place_of(output);
            let sum: i32 = filter.iter().map(|&w| i32::from(w)).sum();
            starts[number][lane] = sum.wrapping_mul(-offset);
            let block = &mut packed[number * block..][..block];
            for (input, taps) in filter.chunks_exact(taps).enumerate() {
                for (&begin, &weight) in begins.iter().zip(taps) {
                    let at = begin + input;
                    block[at / G].0[lane][at % G] = weight.into();
                }
            }
        }
        Self {
            groups: packed,
            block,
            starts,
        }
    }

    /// The groups of one block of outputs.
    pub fn block(&self, block: usize) -> &[Group<T, G>] {
        &self.groups[block * self.block..][..self.block]
    }

    /// Starts every accumulator at zero, which is wrong.
    #[cfg(test)]
    pub fn forget_offsets(&mut self) {
        self.starts.fill([0; LANES]);
    }
}
