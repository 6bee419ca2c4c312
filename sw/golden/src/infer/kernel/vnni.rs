//! AVX-512 with VNNI: four products of bytes a lane and instruction.
//!
//! `vpdpbusd` multiplies unsigned bytes with signed ones. Activations are signed, so
//! they are stored as x + 128 (the top bit inverted; padding is zx + 128), and accumulators
//! start at −(zx + 128)·Σw. Partial sums may wrap; the result fits, so it is exact.

pub mod depthwise;
mod requantize;
mod sink;

pub use requantize::requantize;

use super::epilogue::Target;
use super::packed::{Group, Packed};
use super::window::Window;
use sink::Sink;
use std::arch::x86_64::*;

/// Bytes that one lane multiplies at once.
pub const GROUP: usize = 4;
/// By how much operands are read too large.
const OFFSET: i32 = 128;

/// An activation as the kernel reads it.
pub const fn offset(activation: i8) -> u8 {
    activation as u8 ^ 0x80
}

/// Packs a flattened tensor `[output][input][kernel row][kernel column]` for an input with this
/// zero point.
pub fn pack(window: &Window, taps: usize, tensor: &[i8], zero: i8) -> Packed<i8, GROUP> {
    Packed::new(window, taps, tensor, i32::from(zero) + OFFSET)
}

/// Convolves `source`, which is copied into `padded` first.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub fn convolve(
    window: &Window,
    weights: &Packed<i8, GROUP>,
    source: &[i8],
    padded: &mut [u8],
    target: &mut Target,
) {
    window.place(source, padded, offset);
    let of_group = window.group_blocks();
    for block in 0..window.blocks() {
        let within = block % of_group;
        if within % 2 == 1 {
            continue;
        }
        let all = (window, weights, block);
        match (within + 1 < of_group, window.has_three_columns(GROUP)) {
            (false, false) => one_block::<false>(all, padded, target),
            (false, true) => one_block::<true>(all, padded, target),
            (true, false) => two_blocks::<false>(all, padded, target),
            (true, true) => two_blocks::<true>(all, padded, target),
        }
    }
}

/// A block has a tile of up to 16 pixels: 16 accumulators.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn one_block<const THREE: bool>(all: All<'_>, padded: &[u8], target: &mut Target) {
    match all.0.tile_width(16) {
        16 => tiles::<1, 16, THREE>(all, padded, target),
        8 => tiles::<1, 8, THREE>(all, padded, target),
        4 => tiles::<1, 4, THREE>(all, padded, target),
        2 => tiles::<1, 2, THREE>(all, padded, target),
        _ => tiles::<1, 1, THREE>(all, padded, target),
    }
}

/// Two blocks have one of up to 8.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn two_blocks<const THREE: bool>(all: All<'_>, padded: &[u8], target: &mut Target) {
    match all.0.tile_width(8) {
        8 => tiles::<2, 8, THREE>(all, padded, target),
        4 => tiles::<2, 4, THREE>(all, padded, target),
        2 => tiles::<2, 2, THREE>(all, padded, target),
        _ => tiles::<2, 1, THREE>(all, padded, target),
    }
}

/// A convolution, its weights, and the block of outputs that is computed.
type All<'a> = (&'a Window, &'a Packed<i8, GROUP>, usize);

/// All output pixels of `BLOCKS` blocks of outputs, `PIXELS` at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tiles<const BLOCKS: usize, const PIXELS: usize, const THREE: bool>(
    (window, weights, first): All<'_>,
    padded: &[u8],
    target: &mut Target,
) {
    let groups = window.segments.len() * window.groups(GROUP);
    let mut blocks = [&weights.block(first)[..groups]; BLOCKS];
    let mut start = [_mm512_setzero_si512(); BLOCKS];
    let mut outputs = [window.block(first); BLOCKS];
    for b in 0..BLOCKS {
        blocks[b] = &weights.block(first + b)[..groups];
        start[b] = load(&weights.starts[first + b]);
        outputs[b] = window.block(first + b);
    }
    assert!(window.end(GROUP) <= padded.len());
    let mut sink = Sink::new(target, first, outputs, window.output);
    for (y, x) in window.tiles(PIXELS) {
        let base = y * window.step_down + x * window.step_right + outputs[0].base;
        let mut sums = [[_mm512_setzero_si512(); PIXELS]; BLOCKS];
        for (sums, &start) in sums.iter_mut().zip(&start) {
            *sums = [start; PIXELS];
        }
        // SAFETY: the tile lies in the output, whose last operand is in `padded` (asserted
        // above); every block has as many groups as the window (sliced above).
        unsafe {
            let padded = padded.as_ptr().add(base);
            match THREE {
                true => accumulate_three(window, blocks, padded, &mut sums),
                false => accumulate(window, blocks, padded, &mut sums),
            }
            sink.store((y, x), &sums);
        }
    }
}

/// Adds the products of one tile.
///
/// # Safety
/// From `padded` on, all operands of `PIXELS` neighbouring pixels must be readable in whole
/// groups, and every block must hold the groups of all segments.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
#[expect(
    clippy::needless_range_loop,
    reason = "pixels are the inner dimension of the sums"
)]
unsafe fn accumulate<const BLOCKS: usize, const PIXELS: usize>(
    window: &Window,
    blocks: [&[Group<i8, GROUP>]; BLOCKS],
    padded: *const u8,
    sums: &mut [[__m512i; PIXELS]; BLOCKS],
) {
    let groups = window.groups(GROUP);
    for (row, &segment) in window.segments.iter().enumerate() {
        for group in 0..groups {
            let mut w = [_mm512_setzero_si512(); BLOCKS];
            for b in 0..BLOCKS {
                // SAFETY: the caller's promise on blocks; a group has 64 bytes.
                w[b] = unsafe {
                    let group = blocks[b].get_unchecked(row * groups + group);
                    _mm512_load_si512(group.0.as_ptr().cast())
                };
            }
            for p in 0..PIXELS {
                let at = segment + group * GROUP + p * window.step_right;
                // SAFETY: the caller's promise on operands.
                let x = unsafe { padded.add(at).cast::<i32>().read_unaligned() };
                let x = _mm512_set1_epi32(x);
                for b in 0..BLOCKS {
                    sums[b][p] = _mm512_dpbusd_epi32(sums[b][p], x, w[b]);
                }
            }
        }
    }
}

/// As [`accumulate`], where a window has three columns, and neighbouring pixels share two of
/// them: each is read once.
///
/// # Safety
/// As there, and the window must have three columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
#[expect(
    clippy::needless_range_loop,
    reason = "pixels are the inner dimension of the sums"
)]
unsafe fn accumulate_three<const BLOCKS: usize, const PIXELS: usize>(
    window: &Window,
    blocks: [&[Group<i8, GROUP>]; BLOCKS],
    padded: *const u8,
    sums: &mut [[__m512i; PIXELS]; BLOCKS],
) {
    let groups = window.step_right / GROUP;
    for (row, &segment) in window.segments.iter().enumerate() {
        for group in 0..groups {
            let mut w = [[_mm512_setzero_si512(); BLOCKS]; 3];
            for (c, w) in w.iter_mut().enumerate() {
                for b in 0..BLOCKS {
                    // SAFETY: the caller's promise on blocks; a group has 64 bytes.
                    w[b] = unsafe {
                        let at = (3 * row + c) * groups + group;
                        _mm512_load_si512(blocks[b].get_unchecked(at).0.as_ptr().cast())
                    };
                }
            }
            let read = |column: usize| {
                let at = segment + group * GROUP + column * window.step_right;
                // SAFETY: the caller's promise on operands.
                let x = unsafe { padded.add(at).cast::<i32>().read_unaligned() };
                _mm512_set1_epi32(x)
            };
            let mut x = [read(0), read(1), read(2)];
            for p in 0..PIXELS {
                for (&x, w) in x.iter().zip(&w) {
                    for b in 0..BLOCKS {
                        sums[b][p] = _mm512_dpbusd_epi32(sums[b][p], x, w[b]);
                    }
                }
                if p + 1 < PIXELS {
                    x = [x[1], x[2], read(p + 3)];
                }
            }
        }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load<T, const N: usize>(values: &[T; N]) -> __m512i {
    const { assert!(size_of::<T>() * N == 64) };
    // SAFETY: 64 bytes, as asserted.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}
