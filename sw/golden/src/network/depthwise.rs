//! The inner loops of a convolution each of whose output channels sees the input channel of its
//! own number: nothing is shared between channels, so lanes are channels of operands as well.
//!
//! Sums of a few pixels, or of the weight gradient of a few taps, stay in registers, so that a
//! weight, or a gradient, is read once for all of them. As in [`tiles`](super::tiles), each sum is
//! a variable of its own and is accumulated in the order of its operands, whatever the tile.

use super::level::{dispatched, multiply_add};
use super::pointwise::{block, block_mut, blocks};
use super::tiles::Windows;

/// Pixels of a tile.
const PIXELS: usize = 4;

dispatched! {
    /// `y[target of pixel + channel] = Σ x[base of pixel + run of tap + channel]·w[tap][channel]`,
    /// overwriting.
    convolve = [convolve_body, convolve_body, convolve_body],
    (x: &[f32], windows: &Windows<'_>, packed: &[f32], channels: usize, y: &mut [f32])
}

dispatched! {
    /// Adds the weight gradient: `packed[tap][channel] += Σ x[base of pixel + run of tap + channel]·dy[target of pixel + channel]`.
    correlate = [correlate_wide, correlate_narrow, correlate_narrow],
    (x: &[f32], windows: &Windows<'_>, dy: &[f32], channels: usize, packed: &mut [f32])
}

#[inline(always)]
fn convolve_body<const FMA: bool>(
    x: &[f32],
    windows: &Windows<'_>,
    packed: &[f32],
    channels: usize,
    y: &mut [f32],
) {
    let pixels = windows.bases.len();
    for pixel in (0..pixels).step_by(PIXELS) {
        // The last tile repeats its last pixel, and stores the same once more.
        let place = |i: usize| (pixel + i).min(pixels - 1);
        let places = [place(0), place(1), place(2), place(3)];
        let [b0, b1, b2, b3] = places.map(|place| windows.bases[place] as usize);
        let targets = places.map(|place| windows.targets[place] as usize);
        blocks!(channels, |first, L| {
            let (mut s0, mut s1, mut s2, mut s3) = ([0.0; L], [0.0; L], [0.0; L], [0.0; L]);
            let taps = packed.chunks_exact(channels).zip(windows.runs);
            for (weights, &run) in taps {
                let w = block::<L, _>(weights, first);
                let at = run as usize + first;
                let (x0, x1) = (block::<L, _>(x, b0 + at), block::<L, _>(x, b1 + at));
                let (x2, x3) = (block::<L, _>(x, b2 + at), block::<L, _>(x, b3 + at));
                for l in 0..L {
                    s0[l] = multiply_add::<FMA>(x0[l], w[l], s0[l]);
                }
                for l in 0..L {
                    s1[l] = multiply_add::<FMA>(x1[l], w[l], s1[l]);
                }
                for l in 0..L {
                    s2[l] = multiply_add::<FMA>(x2[l], w[l], s2[l]);
                }
                for l in 0..L {
                    s3[l] = multiply_add::<FMA>(x3[l], w[l], s3[l]);
                }
            }
            *block_mut::<L, _>(y, targets[0] + first) = s0;
            *block_mut::<L, _>(y, targets[1] + first) = s1;
            *block_mut::<L, _>(y, targets[2] + first) = s2;
            *block_mut::<L, _>(y, targets[3] + first) = s3;
        });
    }
}

/// The weight gradient of `$count` taps over all pixels.
macro_rules! correlate_tile {
    ($name:ident, $count:literal: $($sum:ident $index:tt),*) => {
        #[inline(always)]
        fn $name<const FMA: bool>(
            x: &[f32],
            windows: &Windows<'_>,
            dy: &[f32],
            channels: usize,
            (runs, packed): (&[u32; $count], &mut [f32]),
        ) {
            blocks!(channels, |first, L| {
                $(let mut $sum = [0.0; L];)*
                for (&base, &target) in windows.bases.iter().zip(windows.targets) {
                    let dy = block::<L, _>(dy, target as usize + first);
                    let at = base as usize + first;
                    $({
                        let x = block::<L, _>(x, at + runs[$index] as usize);
                        for l in 0..L {
                            $sum[l] = multiply_add::<FMA>(x[l], dy[l], $sum[l]);
                        }
                    })*
                }
                $({
                    let sums = block_mut::<L, _>(packed, $index * channels + first);
                    for l in 0..L {
                        sums[l] += $sum[l];
                    }
                })*
            });
        }
    };
}

correlate_tile!(tile_9, 9: a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, i 8);
correlate_tile!(tile_3, 3: a 0, b 1, c 2);
correlate_tile!(tile_1, 1: a 0);

/// The weight gradient by tiles of falling size: what one leaves over is for the next.
macro_rules! correlate_body {
    ($name:ident: $($tile:ident $count:literal),*) => {
        #[inline(always)]
        fn $name<const FMA: bool>(
            x: &[f32],
            windows: &Windows<'_>,
            dy: &[f32],
            channels: usize,
            packed: &mut [f32],
        ) {
            let (mut rest, mut sums) = (windows.runs, packed);
            $(let (tiles, after) = rest.as_chunks::<$count>();
            rest = after;
            for runs in tiles {
                let (these, others) = sums.split_at_mut($count * channels);
                sums = others;
                $tile::<FMA>(x, windows, dy, channels, (runs, these));
            })*
            debug_assert!(rest.is_empty() && sums.is_empty(), "the smallest tile leaves nothing over");
        }
    };
}

correlate_body!(correlate_wide: tile_9 9, tile_3 3, tile_1 1);
correlate_body!(correlate_narrow: tile_3 3, tile_1 1);

#[cfg(test)]
#[path = "depthwise_tests.rs"]
mod tests;
