//! AVX-512 with VNNI: four products of bytes a lane and instruction.
//!
//! `vpdpbusd` multiplies unsigned bytes with signed ones. Activations are signed, so
//! they are stored as x + 128 (the top bit inverted; padding is 128), and accumulators
//! start at −128·Σw. Partial sums may wrap; the result fits, so it is exact.

use super::epilogue::{Epilogue, LaneParameters, Target};
use super::packed::{Group, LANES, Packed};
use super::window::Window;
use std::arch::x86_64::*;

/// Bytes that one lane multiplies at once.
pub const GROUP: usize = 4;
/// What padding holds: an activation of zero.
pub const ZERO: u8 = offset(0);

/// An activation as the kernel reads it.
const fn offset(activation: i8) -> u8 {
    activation as u8 ^ 0x80
}

/// Weights, and where the accumulators of every block of outputs start.
#[derive(Clone, Debug)]
pub struct Weights {
    packed: Packed<i8, GROUP>,
    starts: Vec<[i32; LANES]>,
}

impl Weights {
    /// Packs a flattened tensor `[output][input][kernel row][kernel column]`.
    pub fn new(window: &Window, taps: usize, tensor: &[i8]) -> Self {
        let outputs = window.output.channels;
        let mut starts = vec![[0; LANES]; outputs.div_ceil(LANES)];
        let filters = tensor.chunks_exact(tensor.len() / outputs);
        for (start, filter) in starts.as_flattened_mut().iter_mut().zip(filters) {
            let sum: i32 = filter.iter().map(|&w| i32::from(w)).sum();
            *start = sum.wrapping_mul(-128);
        }
        Self {
            packed: Packed::new(window, taps, tensor),
            starts,
        }
    }

    /// Starts every accumulator at zero, which is wrong.
    #[cfg(test)]
    pub fn forget_offsets(&mut self) {
        self.starts.fill([0; LANES]);
    }
}

/// Convolves `source`, which is copied into `padded` first.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub fn convolve(
    window: &Window,
    weights: &Weights,
    source: &[i8],
    padded: &mut [u8],
    target: &mut Target,
) {
    window.place(source, padded, offset);
    let blocks = weights.starts.len();
    for block in (0..blocks).step_by(2) {
        // One block has a tile of up to 16 pixels, two have one of up to 8: 16 accumulators.
        if block + 1 < blocks {
            match window.tile_width(8) {
                8 => tiles::<2, 8>(window, weights, block, padded, target),
                4 => tiles::<2, 4>(window, weights, block, padded, target),
                2 => tiles::<2, 2>(window, weights, block, padded, target),
                _ => tiles::<2, 1>(window, weights, block, padded, target),
            }
        } else {
            match window.tile_width(16) {
                16 => tiles::<1, 16>(window, weights, block, padded, target),
                8 => tiles::<1, 8>(window, weights, block, padded, target),
                4 => tiles::<1, 4>(window, weights, block, padded, target),
                2 => tiles::<1, 2>(window, weights, block, padded, target),
                _ => tiles::<1, 1>(window, weights, block, padded, target),
            }
        }
    }
}

/// All output pixels of `BLOCKS` blocks of outputs, `PIXELS` at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tiles<const BLOCKS: usize, const PIXELS: usize>(
    window: &Window,
    weights: &Weights,
    first: usize,
    padded: &[u8],
    target: &mut Target,
) {
    let groups = window.rows * window.groups(GROUP);
    let mut blocks = [&weights.packed.block(first)[..groups]; BLOCKS];
    let mut start = [_mm512_setzero_si512(); BLOCKS];
    for b in 0..BLOCKS {
        blocks[b] = &weights.packed.block(first + b)[..groups];
        start[b] = load(&weights.starts[first + b]);
    }
    assert!(window.end(GROUP) <= padded.len());
    for (y, x) in window.tiles(PIXELS) {
        let base = y * window.step_down + x * window.step_right;
        let mut sums = [[_mm512_setzero_si512(); PIXELS]; BLOCKS];
        for (sums, &start) in sums.iter_mut().zip(&start) {
            *sums = [start; PIXELS];
        }
        // SAFETY: the tile lies in the output, whose last operand is in `padded` (asserted
        // above); every block has as many groups as the window (sliced above).
        unsafe { accumulate(window, blocks, padded.as_ptr().add(base), &mut sums) };
        for (block, sums) in (first..).zip(&sums) {
            store(window, block, (y, x), sums, target);
        }
    }
}

/// Adds the products of one tile.
///
/// # Safety
/// From `padded` on, all operands of `PIXELS` neighbouring pixels must be readable in whole
/// groups, and every block must hold the groups of all kernel rows.
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
    for row in 0..window.rows {
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
                let at = row * window.line + group * GROUP + p * window.step_right;
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

/// Stores the sums of neighbouring pixels of one block of outputs.
///
/// Not inlined: LLVM would unroll it over the tile, and hoist and spill the checks of all pixels.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline(never)]
fn store(
    window: &Window,
    block: usize,
    (row, column): (usize, usize),
    sums: &[__m512i],
    target: &mut Target,
) {
    let outputs = window.output.channels;
    let first = block * LANES;
    let lanes = LANES.min(outputs - first);
    let mut at = (row * window.output.width + column) * outputs + first;
    match target {
        Target::Activations {
            epilogue,
            operand,
            output,
        } => {
            let requantizer = Requantizer::new(epilogue, block);
            for (p, &sums) in sums.iter().enumerate() {
                let mut totals = requantizer.totals(sums);
                if let Some(operand) = operand {
                    let operand = operand.lanes(row, column + p, first);
                    totals = requantizer.add_residual(totals, operand);
                }
                requantizer.write(totals, &mut output[at..at + lanes]);
                at += outputs;
            }
        }
        Target::Accumulators(output) => {
            for &sums in sums {
                let mut all = [0; LANES];
                // SAFETY: `all` has 64 bytes.
                unsafe { _mm512_storeu_si512(all.as_mut_ptr().cast(), sums) };
                output[at..at + lanes].copy_from_slice(&all[..lanes]);
                at += outputs;
            }
        }
    }
}

/// Scales one pixel's accumulators into activations: `requantize(sum(..))` of the specification.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub fn requantize(epilogue: &Epilogue, accumulators: &[i32], operand: &[i8], output: &mut [i8]) {
    let blocks = accumulators.chunks(LANES).zip(output.chunks_mut(LANES));
    let mut operands = operand.chunks(LANES);
    for (block, (accumulators, output)) in blocks.enumerate() {
        let mut sums = [0; LANES];
        sums[..accumulators.len()].copy_from_slice(accumulators);
        let requantizer = Requantizer::new(epilogue, block);
        let mut totals = requantizer.totals(load(&sums));
        if let Some(operand) = operands.next() {
            totals = requantizer.add_residual(totals, operand);
        }
        requantizer.write(totals, output);
    }
}

/// The epilogue of [`LANES`] outputs in registers: even channels in one vector of 64-bit
/// lanes, odd ones in another, because products take their factors from the lanes' lower halves.
struct Requantizer {
    multipliers: __m512i,
    biases: [__m512i; 2],
    residual: __m512i,
    /// s, and s − sr.
    shifts: [__m128i; 2],
    low: __m128i,
    high: __m128i,
}

impl Requantizer {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    fn new(epilogue: &Epilogue, block: usize) -> Self {
        let LaneParameters {
            multipliers,
            biases,
        } = &epilogue.lanes[block];
        let (output, residual) = (epilogue.output, epilogue.residual);
        let (shift, left) = (output.shift, output.shift - residual.shift);
        Self {
            multipliers: load(multipliers),
            biases: [load(&biases[0]), load(&biases[1])],
            residual: _mm512_set1_epi32(residual.multiplier.into()),
            shifts: [
                _mm_cvtsi32_si128(shift.into()),
                _mm_cvtsi32_si128(left.into()),
            ],
            low: _mm_set1_epi8(output.low),
            high: _mm_set1_epi8(output.high),
        }
    }

    /// acc·m + b.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    fn totals(&self, sums: __m512i) -> [__m512i; 2] {
        let [even, odd] = products(sums, self.multipliers);
        [
            _mm512_add_epi64(even, self.biases[0]),
            _mm512_add_epi64(odd, self.biases[1]),
        ]
    }

    /// Adds (r·mr) << (s − sr); operands beyond the given ones are zero.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    fn add_residual(&self, totals: [__m512i; 2], operand: &[i8]) -> [__m512i; 2] {
        let bytes = match operand.first_chunk::<LANES>() {
            // SAFETY: 16 bytes.
            Some(all) => unsafe { _mm_loadu_si128(all.as_ptr().cast()) },
            // SAFETY: lanes without an operand are not read.
            None => unsafe { _mm_maskz_loadu_epi8(mask(operand.len()), operand.as_ptr()) },
        };
        let [even, odd] = products(_mm512_cvtepi8_epi32(bytes), self.residual);
        [
            _mm512_add_epi64(totals[0], _mm512_sll_epi64(even, self.shifts[1])),
            _mm512_add_epi64(totals[1], _mm512_sll_epi64(odd, self.shifts[1])),
        ]
    }

    /// Writes clamp(total >> s, low, high), as many as there are outputs.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    fn write(&self, totals: [__m512i; 2], output: &mut [i8]) {
        // Saturated to i8 first: the bounds are i8, so nothing is lost.
        let even = _mm512_cvtsepi64_epi8(_mm512_sra_epi64(totals[0], self.shifts[0]));
        let odd = _mm512_cvtsepi64_epi8(_mm512_sra_epi64(totals[1], self.shifts[0]));
        let y = _mm_unpacklo_epi8(even, odd);
        let y = _mm_min_epi8(_mm_max_epi8(y, self.low), self.high);
        match output.first_chunk_mut::<LANES>() {
            // SAFETY: 16 bytes.
            Some(all) => unsafe { _mm_storeu_si128(all.as_mut_ptr().cast(), y) },
            // SAFETY: lanes without an output are not written.
            None => unsafe { _mm_mask_storeu_epi8(output.as_mut_ptr(), mask(output.len()), y) },
        }
    }
}

/// The 64-bit products of even and of odd 32-bit lanes.
#[target_feature(enable = "avx512f")]
#[inline]
fn products(a: __m512i, b: __m512i) -> [__m512i; 2] {
    [
        _mm512_mul_epi32(a, b),
        _mm512_mul_epi32(_mm512_srli_epi64::<32>(a), _mm512_srli_epi64::<32>(b)),
    ]
}

/// The first `count` of [`LANES`] lanes.
fn mask(count: usize) -> __mmask16 {
    if count >= LANES {
        __mmask16::MAX
    } else {
        (1 << count) - 1
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load<T, const N: usize>(values: &[T; N]) -> __m512i {
    const { assert!(size_of::<T>() * N == 64) };
    // SAFETY: 64 bytes, as asserted.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}
