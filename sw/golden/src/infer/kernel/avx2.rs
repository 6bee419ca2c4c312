//! AVX2: two products of 16 bits a lane and instruction.
//!
//! `vpmaddwd` is exact for every weight and activation. `vpmaddubsw`, which takes bytes,
//! is not: it saturates its pairs at 16 bits.

pub mod depthwise;

use super::epilogue::{Epilogue, LaneParameters, Target};
use super::packed::{Group, LANES, Packed};
use super::portable::GROUP;
use super::window::{Block, Window};
use std::arch::x86_64::*;

/// Pixels that are computed together: with two vectors of outputs, eight accumulators.
const PIXELS: usize = 4;
/// Vectors that hold [`LANES`] 32-bit lanes.
const VECTORS: usize = 2;

/// Convolves `source`, which is copied into `padded` first.
#[target_feature(enable = "avx2")]
pub fn convolve(
    window: &Window,
    weights: &Packed<i16, GROUP>,
    source: &[i8],
    padded: &mut [i16],
    target: &mut Target,
) {
    window.place(source, padded, i16::from);
    for block in 0..window.blocks() {
        match window.tile_width(PIXELS) {
            4 => tiles::<4>(window, weights, block, padded, target),
            2 => tiles::<2>(window, weights, block, padded, target),
            _ => tiles::<1>(window, weights, block, padded, target),
        }
    }
}

/// All output pixels of one block of outputs, `PIXELS` at a time.
#[target_feature(enable = "avx2")]
fn tiles<const PIXELS: usize>(
    window: &Window,
    weights: &Packed<i16, GROUP>,
    number: usize,
    padded: &[i16],
    target: &mut Target,
) {
    let groups = &weights.block(number)[..window.segments.len() * window.groups(GROUP)];
    let (block, start) = (window.block(number), split(&weights.starts[number]));
    assert!(window.end(GROUP) <= padded.len());
    for (y, x) in window.tiles(PIXELS) {
        let base = y * window.step_down + x * window.step_right + block.base;
        let mut sums = [start; PIXELS];
        // SAFETY: the tile lies in the output, whose last operand is in `padded` (asserted
        // above); the block has as many groups as the window (sliced above).
        unsafe { accumulate(window, groups, padded.as_ptr().add(base), &mut sums) };
        store(window, (number, block), (y, x), &sums, target);
    }
}

/// Adds the products of one tile.
///
/// # Safety
/// From `padded` on, all operands of `PIXELS` neighbouring pixels must be readable in whole
/// groups, and the block must hold the groups of all segments.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn accumulate<const PIXELS: usize>(
    window: &Window,
    block: &[Group<i16, GROUP>],
    padded: *const i16,
    sums: &mut [[__m256i; VECTORS]; PIXELS],
) {
    let groups = window.groups(GROUP);
    for (row, &segment) in window.segments.iter().enumerate() {
        for group in 0..groups {
            // SAFETY: the caller's promise on the block.
            let w = split(unsafe { &block.get_unchecked(row * groups + group).0 });
            for (p, sums) in sums.iter_mut().enumerate() {
                let at = segment + group * GROUP + p * window.step_right;
                // SAFETY: the caller's promise on operands.
                let x = unsafe { padded.add(at).cast::<i32>().read_unaligned() };
                let x = _mm256_set1_epi32(x);
                for v in 0..VECTORS {
                    sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(x, w[v]));
                }
            }
        }
    }
}

/// Stores the sums of neighbouring pixels of one block of outputs.
///
/// Not inlined: LLVM would unroll it over the tile, and hoist and spill the checks of all pixels.
#[target_feature(enable = "avx2")]
#[inline(never)]
fn store(
    window: &Window,
    (number, block): (usize, Block),
    (row, column): (usize, usize),
    sums: &[[__m256i; VECTORS]],
    target: &mut Target,
) {
    let pixel = row * window.output.width + column;
    match target {
        Target::Activations {
            epilogue,
            operand,
            output,
        } => {
            let requantizer = Requantizer::new(epilogue, number);
            for (p, &sums) in sums.iter().enumerate() {
                let at = (pixel + p) * window.output.channels + block.first;
                let operand = operand.map(|o| o.lanes(row, column + p, block.first));
                requantizer.requantize(sums, operand, &mut output[at..at + block.lanes]);
            }
        }
        Target::Accumulators(output) => {
            for (p, &sums) in sums.iter().enumerate() {
                let at = (pixel + p) * window.output.channels + block.first;
                output[at..at + block.lanes].copy_from_slice(&joined(sums)[..block.lanes]);
            }
        }
    }
}

/// Scales one pixel's accumulators into activations: `requantize(sum(..))` of the specification.
#[target_feature(enable = "avx2")]
pub fn requantize(
    epilogue: &Epilogue,
    accumulators: &[i32],
    operand: Option<&[i8]>,
    output: &mut [i8],
) {
    let blocks = accumulators.chunks(LANES).zip(output.chunks_mut(LANES));
    let mut operands = operand.map(|operand| operand.chunks(LANES));
    for (block, (accumulators, output)) in blocks.enumerate() {
        let mut sums = [0; LANES];
        sums[..accumulators.len()].copy_from_slice(accumulators);
        let requantizer = Requantizer::new(epilogue, block);
        let operand = operands.as_mut().map(|o| o.next().unwrap_or_default());
        requantizer.requantize(split(&sums), operand, output);
    }
}

/// 64-bit lanes of the even channels, then of the odd ones, each in two vectors.
type Totals = [[__m256i; VECTORS]; 2];

/// The epilogue of [`LANES`] outputs: even and odd channels apart, because products take
/// their factors from the lower halves of 64-bit lanes.
struct Requantizer {
    multipliers: [__m256i; VECTORS],
    biases: Totals,
    residual: __m256i,
    /// s, and s − sr.
    shifts: [__m128i; 2],
    /// What channels that the operand lacks read as.
    zero: i8,
    low: __m256i,
    high: __m256i,
}

impl Requantizer {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn new(epilogue: &Epilogue, block: usize) -> Self {
        let LaneParameters {
            multipliers,
            biases,
            ..
        } = &epilogue.lanes[block];
        let (output, residual) = (epilogue.output, epilogue.second.scale);
        let (shift, left) = (output.shift, output.shift - residual.shift);
        Self {
            multipliers: split(multipliers),
            biases: [split(&biases[0]), split(&biases[1])],
            residual: _mm256_set1_epi32(residual.multiplier.into()),
            shifts: [
                _mm_cvtsi32_si128(shift.into()),
                _mm_cvtsi32_si128(left.into()),
            ],
            zero: epilogue.second.zero,
            low: _mm256_set1_epi64x(output.low.into()),
            high: _mm256_set1_epi64x(output.high.into()),
        }
    }

    /// Scales sums into as many activations as there are outputs.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn requantize(&self, sums: [__m256i; VECTORS], operand: Option<&[i8]>, output: &mut [i8]) {
        let mut totals = self.totals(sums);
        if let Some(operand) = operand {
            totals = self.add_residual(totals, operand);
        }
        self.write(totals, output);
    }

    /// acc·m + b.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn totals(&self, sums: [__m256i; VECTORS]) -> Totals {
        let mut totals = self.biases;
        for v in 0..VECTORS {
            let [even, odd] = products(sums[v], self.multipliers[v]);
            totals[0][v] = _mm256_add_epi64(totals[0][v], even);
            totals[1][v] = _mm256_add_epi64(totals[1][v], odd);
        }
        totals
    }

    /// Adds (q·mr) << (s − sr), of which the zero point's part is in b.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn add_residual(&self, mut totals: Totals, operand: &[i8]) -> Totals {
        let mut bytes = [self.zero; LANES];
        bytes[..operand.len()].copy_from_slice(operand);
        for (v, bytes) in bytes.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: eight bytes.
            let bytes = unsafe { _mm_loadl_epi64(bytes.as_ptr().cast()) };
            let [even, odd] = products(_mm256_cvtepi8_epi32(bytes), self.residual);
            let (even, odd) = (
                _mm256_sll_epi64(even, self.shifts[1]),
                _mm256_sll_epi64(odd, self.shifts[1]),
            );
            totals[0][v] = _mm256_add_epi64(totals[0][v], even);
            totals[1][v] = _mm256_add_epi64(totals[1][v], odd);
        }
        totals
    }

    /// Writes clamp(total >> s, low, high), as many as there are outputs.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn write(&self, totals: Totals, output: &mut [i8]) {
        let mut y = [_mm256_setzero_si256(); VECTORS];
        for v in 0..VECTORS {
            let (even, odd) = (self.clamped(totals[0][v]), self.clamped(totals[1][v]));
            y[v] = _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<32>(odd));
        }
        // All values fit eight bits already; packing works in halves of 128 bits.
        let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(y[0], y[1]));
        let bytes = _mm_packs_epi16(
            _mm256_castsi256_si128(words),
            _mm256_extracti128_si256::<1>(words),
        );
        if let Some(all) = output.first_chunk_mut::<LANES>() {
            // SAFETY: 16 bytes.
            unsafe { _mm_storeu_si128(all.as_mut_ptr().cast(), bytes) };
        } else {
            let mut all = [0; LANES];
            // SAFETY: 16 bytes.
            unsafe { _mm_storeu_si128(all.as_mut_ptr().cast(), bytes) };
            output.copy_from_slice(&all[..output.len()]);
        }
    }

    /// clamp(total >> s, low, high) in four lanes.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn clamped(&self, total: __m256i) -> __m256i {
        // There is no arithmetic shift of 64 bits: x >> s = ((x + 2^63) >>> s) - (2^63 >>> s).
        let sign = _mm256_set1_epi64x(i64::MIN);
        let shifted = _mm256_srl_epi64(_mm256_xor_si256(total, sign), self.shifts[0]);
        let x = _mm256_sub_epi64(shifted, _mm256_srl_epi64(sign, self.shifts[0]));
        let x = _mm256_blendv_epi8(x, self.low, _mm256_cmpgt_epi64(self.low, x));
        _mm256_blendv_epi8(x, self.high, _mm256_cmpgt_epi64(x, self.high))
    }
}

/// The 64-bit products of even and of odd 32-bit lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn products(a: __m256i, b: __m256i) -> [__m256i; 2] {
    [
        _mm256_mul_epi32(a, b),
        _mm256_mul_epi32(_mm256_srli_epi64::<32>(a), _mm256_srli_epi64::<32>(b)),
    ]
}

/// Two vectors as numbers.
#[target_feature(enable = "avx2")]
#[inline]
fn joined(sums: [__m256i; VECTORS]) -> [i32; LANES] {
    let mut all = [0; LANES];
    for (all, sums) in all.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
        // SAFETY: eight times 32 bits.
        unsafe { _mm256_storeu_si256(all.as_mut_ptr().cast(), sums) };
    }
    all
}

/// 64 bytes as two vectors.
#[target_feature(enable = "avx2")]
#[inline]
fn split<T, const N: usize>(values: &[T; N]) -> [__m256i; VECTORS] {
    const { assert!(size_of::<T>() * N == 64) };
    let first = values.as_ptr().cast::<__m256i>();
    // SAFETY: 64 bytes, as asserted.
    unsafe { [_mm256_loadu_si256(first), _mm256_loadu_si256(first.add(1))] }
}
