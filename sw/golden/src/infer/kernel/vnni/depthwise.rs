//! Depthwise convolution with VNNI: four neighbouring columns of sixteen channels an instruction.
//!
//! Sixteen channels of four columns are 64 neighbouring bytes; two shuffles bring the columns of
//! each channel together. With a stride of one two output pixels share them: the weights of the
//! second are shifted by a column.

use super::super::blocked::{self, Blocked};
use super::super::epilogue::Target;
use super::super::packed::{Group, LANES};
use super::sink::Sink;
use super::{GROUP, OFFSET, load};
use brownout_spec::program::{LayerShapes, Steps};
use std::arch::x86_64::*;
use std::hint::black_box;

/// Output columns that are computed together.
const COLUMNS: usize = 2;

/// Weights of four columns of taps.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Groups of four columns in each kernel row.
    quads: usize,
    /// `[block][column of the output][kernel row][quad]`.
    groups: Vec<[Vec<Group<i8, GROUP>>; COLUMNS]>,
    starts: Vec<[i32; LANES]>,
}

/// Whether the kernel has a form for this window: its columns of taps are neighbours.
pub fn takes(shapes: &LayerShapes) -> bool {
    shapes.window.dilation.columns == 1
}

/// Groups of four columns that one kernel row needs.
fn quads(shapes: &LayerShapes) -> usize {
    let shift = usize::from(is_shared(shapes.window.stride));
    (shapes.window.width + shift).div_ceil(GROUP)
}

/// Whether neighbouring output pixels are computed from the same columns.
fn is_shared(stride: Steps) -> bool {
    stride.columns == 1
}

/// The geometry of such a convolution.
pub fn geometry(shapes: &LayerShapes, zero: i8) -> Blocked {
    // Of a single column of windows a second one is computed, and left.
    let beyond = GROUP * quads(shapes) + shapes.window.stride.columns;
    Blocked::new(shapes, zero, beyond)
}

impl Weights {
    /// Packs a flattened tensor `[channel][kernel row][kernel column]`.
    pub fn new(shapes: &LayerShapes, tensor: &[i8], zero: i8) -> Self {
        let (window, quads) = (shapes.window, quads(shapes));
        let lanes = blocked::lanes(tensor, window.taps());
        let shift = usize::from(is_shared(window.stride));
        let block = |taps: &Vec<[i8; LANES]>| {
            std::array::from_fn(|column| {
                let mut groups = vec![Group([[0; GROUP]; LANES]); window.height * quads];
                for (tap, weights) in taps.iter().enumerate() {
                    let (row, at) = (tap / window.width, tap % window.width + shift * column);
                    let group = &mut groups[row * quads + at / GROUP];
                    for (lane, &weight) in group.0.iter_mut().zip(weights) {
                        lane[at % GROUP] = weight;
                    }
                }
                groups
            })
        };
        Self {
            quads,
            groups: lanes.iter().map(block).collect(),
            starts: blocked::starts(&lanes, i32::from(zero) + OFFSET),
        }
    }
}

impl Weights {
    /// Starts every accumulator at zero, which is wrong.
    #[cfg(test)]
    pub fn forget_offsets(&mut self) {
        self.starts.fill([0; LANES]);
    }
}

/// Convolves `source`, which is copied into `padded` first.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub fn convolve(
    geometry: &Blocked,
    weights: &Weights,
    source: &[i8],
    padded: &mut [u8],
    target: &mut Target,
) {
    geometry.place(source, padded, offsets);
    let window = &geometry.window;
    let usual = (window.height, weights.quads, window.dilation.rows) == (3, 1, 1);
    for number in 0..geometry.blocks() {
        let all = (geometry, weights, number);
        match (window.stride.rows, window.stride.columns) {
            (1, 1) if usual => match geometry.output.height {
                8.. => tiles::<8, true, true>(all, padded, target),
                4..8 => tiles::<4, true, true>(all, padded, target),
                2..4 => tiles::<2, true, true>(all, padded, target),
                _ => tiles::<1, true, true>(all, padded, target),
            },
            (2, 2) if usual => match geometry.output.height {
                4.. => tiles::<4, true, false>(all, padded, target),
                2..4 => tiles::<2, true, false>(all, padded, target),
                _ => tiles::<1, true, false>(all, padded, target),
            },
            (_, 1) => tiles::<1, false, true>(all, padded, target),
            _ => tiles::<1, false, false>(all, padded, target),
        }
    }
}

/// Sixteen activations as the kernel reads them: one by one they would not be vectorized.
#[inline]
fn offsets(activations: [i8; LANES]) -> [u8; LANES] {
    let mut bytes = [0; LANES];
    // SAFETY: every x86-64 has these; both arrays have 16 bytes.
    unsafe {
        let x = _mm_loadu_si128(activations.as_ptr().cast());
        let x = _mm_xor_si128(x, _mm_set1_epi8(i8::MIN));
        _mm_storeu_si128(bytes.as_mut_ptr().cast(), x);
    }
    bytes
}

/// All output pixels of a block of channels, `ROWS` × [`COLUMNS`] at a time; where the window is
/// the `USUAL` one of 3 × 3 with one stride in both directions, 1 if columns are `SHARED`, else 2.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tiles<const ROWS: usize, const USUAL: bool, const SHARED: bool>(
    (geometry, weights, number): (&Blocked, &Weights, usize),
    padded: &[u8],
    target: &mut Target,
) {
    let (output, window) = (geometry.output, &geometry.window);
    let block = geometry.block(number);
    let shuffles = black_box(SHUFFLES);
    let kernel = Kernel {
        groups: &weights.groups[number],
        quads: weights.quads,
        line: window.dilation.rows * geometry.line,
        stride: window.stride.columns * LANES,
        shuffles: [load(&shuffles[0]), load(&shuffles[1])],
    };
    let last = geometry.begin(output.height - 1, output.width.max(COLUMNS) - 1);
    let end = block.base + last + (window.height - 1) * kernel.line;
    assert!(end + weights.quads * GROUP * LANES <= padded.len());
    let groups = window.height * weights.quads;
    assert!(kernel.groups.iter().all(|column| column.len() == groups));
    let mut sink = Sink::new(target, number, [block], output);
    let start = load(&weights.starts[number]);
    for row in (0..output.height).step_by(ROWS) {
        let row = row.min(output.height - ROWS);
        for column in (0..output.width).step_by(COLUMNS) {
            let column = column.min(output.width.saturating_sub(COLUMNS));
            let mut sums = [[start; COLUMNS]; ROWS];
            let begin = block.base + geometry.begin(row, column);
            // SAFETY: the tile lies in the output, whose last window with all columns that are
            // read is in `padded`, and there is a group for each of its rows and quads (asserted
            // above); the usual window has three rows and one quad.
            unsafe {
                let operands = padded.as_ptr().add(begin);
                if USUAL {
                    kernel.three::<ROWS, SHARED>(operands, &mut sums);
                } else {
                    kernel.any::<SHARED>(operands, window.height, &mut sums[0]);
                }
                sink.store_rectangle((row, column), &sums);
            }
        }
    }
}

/// What a block of channels multiplies with.
struct Kernel<'w> {
    groups: &'w [Vec<Group<i8, GROUP>>; COLUMNS],
    quads: usize,
    /// Bytes from one kernel row's operands to the next one's.
    line: usize,
    /// Bytes from one output column's operands to the next one's.
    stride: usize,
    /// Indices of doublewords, then of bytes in lanes of 128 bits.
    shuffles: [__m512i; 2],
}

impl Kernel<'_> {
    /// Adds the products of [`COLUMNS`] windows of any height and width.
    ///
    /// # Safety
    /// From `operands` on, the quads of `height` rows of all windows must be readable, and there
    /// must be a group for each.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn any<const SHARED: bool>(
        &self,
        operands: *const u8,
        height: usize,
        sums: &mut [__m512i; COLUMNS],
    ) {
        for row in 0..height {
            for quad in 0..self.quads {
                let at = row * self.line + quad * GROUP * LANES;
                let group = row * self.quads + quad;
                // SAFETY: the caller's promise.
                unsafe {
                    let x = self.pair::<SHARED>(operands.add(at));
                    for column in 0..COLUMNS {
                        let w = weights(&self.groups[column], group);
                        sums[column] = _mm512_dpbusd_epi32(sums[column], x[column], w);
                    }
                }
            }
        }
    }

    /// Adds the products of `ROWS` × [`COLUMNS`] windows of 3 × 3 taps, 1 row and column apart
    /// where columns are `SHARED`, else 2: each row of operands is read once.
    ///
    /// # Safety
    /// As [`Kernel::any`], of all rows of windows.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn three<const ROWS: usize, const SHARED: bool>(
        &self,
        operands: *const u8,
        sums: &mut [[__m512i; COLUMNS]; ROWS],
    ) {
        let stride = if SHARED { 1 } else { 2 };
        let mut w = [[_mm512_setzero_si512(); COLUMNS]; 3];
        for (row, w) in w.iter_mut().enumerate() {
            for (column, w) in w.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                *w = unsafe { weights(&self.groups[column], row) };
            }
        }
        for line in 0..(ROWS - 1) * stride + 3 {
            // SAFETY: the caller's promise.
            let x = unsafe { self.pair::<SHARED>(operands.add(line * self.line)) };
            for (row, sums) in sums.iter_mut().enumerate() {
                if row * stride <= line && line < row * stride + 3 {
                    for column in 0..COLUMNS {
                        let w = w[line - row * stride][column];
                        sums[column] = _mm512_dpbusd_epi32(sums[column], x[column], w);
                    }
                }
            }
        }
    }

    /// The operands of neighbouring windows in one quad of columns.
    ///
    /// # Safety
    /// The quads of all of them must be readable.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn pair<const SHARED: bool>(&self, operands: *const u8) -> [__m512i; COLUMNS] {
        // SAFETY: the caller's promise.
        unsafe {
            let first = self.columns(operands);
            match SHARED {
                true => [first; COLUMNS],
                false => [first, self.columns(operands.add(self.stride))],
            }
        }
    }

    /// Four columns of sixteen channels, those of each channel together.
    ///
    /// # Safety
    /// 64 bytes must be readable.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn columns(&self, operands: *const u8) -> __m512i {
        // SAFETY: the caller's promise.
        let x = unsafe { _mm512_loadu_si512(operands.cast()) };
        _mm512_shuffle_epi8(
            _mm512_permutexvar_epi32(self.shuffles[0], x),
            self.shuffles[1],
        )
    }
}

/// Channels 4k to 4k + 3 of all columns into lane k of 128 bits, then a transpose in each lane.
///
/// Behind a [`black_box`] where they are used: what LLVM makes of shuffles that it knows is slower.
const SHUFFLES: [[u32; LANES]; 2] = {
    let mut shuffles = [[0; LANES]; 2];
    let mut at = 0;
    while at < LANES {
        let (lane, column) = (at as u32 / 4, at as u32 % 4);
        shuffles[0][at] = column * 4 + lane;
        shuffles[1][at] = 0x0c08_0400 + column * 0x0101_0101;
        at += 1;
    }
    shuffles
};

/// One group of weights.
///
/// # Safety
/// There must be so many groups.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn weights(groups: &[Group<i8, GROUP>], group: usize) -> __m512i {
    // SAFETY: the caller's promise; a group has 64 bytes and is aligned to them.
    unsafe { _mm512_load_si512(groups.get_unchecked(group).0.as_ptr().cast()) }
}
