//! The two inner loops of what multiplies in single precision: convolution, where
//! [`winograd`](super::winograd) does not fit, and the weight gradient.
//!
//! A tile is a few pixels (of the weight gradient: a few operands) by [`LANES`] output
//! channels, whose sums stay in registers. Tiles are written out by macros, each sum a
//! variable of its own: LLVM leaves an array of more than four such sums in memory, which
//! costs a factor of fifty. How many fit depends on the instruction set, hence the
//! different tiles: of 16 lanes, eight sums hide the latency of AVX-512's multiply-add,
//! and six leave AVX2 registers for the operands.
//!
//! Every sum is accumulated in the order of its operands, whatever the tile. So the
//! result for a pixel does not depend on the pixels beside it.

use super::level::{LANES, dispatched, multiply_add};

/// Where the operands and the result of each output pixel lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows<'a> {
    /// Index of the first operand of each output pixel.
    pub bases: &'a [u32],
    /// Index of the first channel of each output pixel's result.
    pub targets: &'a [u32],
    /// Where each contiguous run of operands begins, from the first operand on, in ascending
    /// order: a kernel row, or where taps lie apart a tap.
    pub runs: &'a [u32],
    /// Operands of one run.
    pub run_length: usize,
}

impl Windows<'_> {
    /// Length of one block of packed weights: all taps of [`LANES`] output channels.
    pub fn block_length(&self) -> usize {
        self.runs.len() * self.run_length * LANES
    }
}

dispatched! {
    /// `y[target of pixel + output] = Σ x[window of pixel]·w[output]`, overwriting.
    ///
    /// `packed` holds blocks of [`LANES`] outputs, each `[run][operand][lane]`.
    convolve = [convolve_8, convolve_6, convolve_2],
    (x: &[f32], windows: &Windows<'_>, packed: &[f32], outputs: usize, y: &mut [f32])
}

dispatched! {
    /// Adds the weight gradient: `packed[operand][output] += Σ x[window of pixel]·dy[target of pixel + output]`.
    ///
    /// `packed` is laid out as in [`convolve`]. All lanes of a block are read and added, also
    /// beyond the last output, where the sums mean nothing: [`LANES`] values must follow `dy`.
    correlate = [correlate_wide, correlate_narrow, correlate_portable],
    (x: &[f32], windows: &Windows<'_>, dy: &[f32], packed: &mut [f32])
}

/// One convolution of `$count` pixels by [`LANES`] channels.
macro_rules! convolve_body {
    ($name:ident, $count:literal: $($sum:ident $x:ident $index:tt),*) => {
        #[inline(always)]
        fn $name<const FMA: bool>(
            x: &[f32],
            windows: &Windows<'_>,
            packed: &[f32],
            outputs: usize,
            y: &mut [f32],
        ) {
            let pixels = windows.bases.len();
            let length = windows.run_length;
            for (block, weights) in packed.chunks_exact(windows.block_length()).enumerate() {
                let first = block * LANES;
                let lanes = LANES.min(outputs - first);
                for pixel in (0..pixels).step_by($count) {
                    // The last tile repeats its last pixel, and stores it once.
                    let base = |i: usize| windows.bases[(pixel + i).min(pixels - 1)] as usize;
                    let bases = [$(base($index)),*];
                    $(let mut $sum = [0.0; LANES];)*
                    let runs = weights.chunks_exact(length * LANES);
                    for (weights, &start) in runs.zip(windows.runs) {
                        let start = start as usize;
                        $(let $x = &x[bases[$index] + start..][..length];)*
                        let weights = weights.as_chunks::<LANES>().0;
                        for (k, w) in weights.iter().enumerate().take(length) {
                            $(for l in 0..LANES {
                                $sum[l] = multiply_add::<FMA>($x[k], w[l], $sum[l]);
                            })*
                        }
                    }
                    for (i, sums) in [$($sum),*].iter().enumerate().take(pixels - pixel) {
                        let target = windows.targets[pixel + i] as usize + first;
                        match y[target..].first_chunk_mut() {
                            Some(y) if lanes == LANES => *y = *sums,
                            _ => y[target..target + lanes].copy_from_slice(&sums[..lanes]),
                        }
                    }
                }
            }
        }
    };
}

convolve_body!(convolve_8, 8: a x0 0, b x1 1, c x2 2, d x3 3, e x4 4, f x5 5, g x6 6, h x7 7);
convolve_body!(convolve_6, 6: a x0 0, b x1 1, c x2 2, d x3 3, e x4 4, f x5 5);
convolve_body!(convolve_2, 2: a x0 0, b x1 1);

/// The weight gradient of `$count` operands by [`LANES`] channels over all pixels.
macro_rules! correlate_tile {
    ($name:ident, $count:literal: $($sum:ident $index:tt),*) => {
        #[inline(always)]
        fn $name<const FMA: bool>(
            (x, bases): (&[f32], &[u32]),
            (dy, targets): (&[f32], &[u32]),
            sums: &mut [[f32; LANES]; $count],
        ) {
            $(let mut $sum = [0.0; LANES];)*
            for (&base, &target) in bases.iter().zip(targets) {
                let (x, dy) = (&x[base as usize..], &dy[target as usize..]);
                let x: &[f32; $count] = x.first_chunk().expect("a window is inside its input");
                let dy: &[f32; LANES] = dy.first_chunk().expect("lanes follow the last pixel");
                $(for l in 0..LANES {
                    $sum[l] = multiply_add::<FMA>(x[$index], dy[l], $sum[l]);
                })*
            }
            $(for l in 0..LANES {
                sums[$index][l] += $sum[l];
            })*
        }
    };
}

correlate_tile!(tile_16, 16: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7,
    i 8, j 9, k 10, m 11, n 12, o 13, p 14, q 15);
correlate_tile!(tile_8, 8: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7);
correlate_tile!(tile_6, 6: a 0, b 1, c 2, d 3, e 4, f 5);
correlate_tile!(tile_4, 4: a 0, b 1, c 2, d 3);
correlate_tile!(tile_2, 2: a 0, b 1);
correlate_tile!(tile_1, 1: a 0);

/// The weight gradient by tiles of falling size: what one leaves over is for the next.
macro_rules! correlate_body {
    ($name:ident: $($tile:ident $count:literal),*) => {
        #[inline(always)]
        fn $name<const FMA: bool>(
            x: &[f32],
            windows: &Windows<'_>,
            dy: &[f32],
            packed: &mut [f32],
        ) {
            for (block, sums) in packed.chunks_exact_mut(windows.block_length()).enumerate() {
                let dy = (&dy[block * LANES..], windows.targets);
                let runs = sums.chunks_exact_mut(windows.run_length * LANES);
                for (sums, &start) in runs.zip(windows.runs) {
                    let mut first = start as usize;
                    let mut rest = sums.as_chunks_mut::<LANES>().0;
                    $(let (tiles, after) = rest.as_chunks_mut::<$count>();
                    rest = after;
                    for sums in tiles {
                        $tile::<FMA>((&x[first..], windows.bases), dy, sums);
                        first += $count;
                    })*
                    debug_assert!(rest.is_empty(), "the smallest tile leaves nothing over");
                }
            }
        }
    };
}

correlate_body!(correlate_wide: tile_16 16, tile_8 8, tile_4 4, tile_1 1);
correlate_body!(correlate_narrow: tile_6 6, tile_4 4, tile_2 2, tile_1 1);
correlate_body!(correlate_portable: tile_2 2, tile_1 1);

#[cfg(test)]
#[path = "tiles_tests.rs"]
mod tests;
