//! The inner loops with operands in bfloat16: two products a lane and instruction.
//!
//! A bfloat16 is the upper half of an `f32`: its exponent, and 8 bits of its significand.
//! Operands are rounded to it, to the nearest and of two to the even one; sums stay in
//! `f32`. Two operands that are multiplied and added together lie in one `u32`, the first
//! in its lower half: neighbouring channels of a convolution, neighbouring pixels of a
//! weight gradient.
//!
//! AVX-512 has an instruction for that (`vdpbf16ps`); where it is missing the same is done
//! by shifts and multiplications, at a lower speed than single precision. Products of
//! bfloat16 are exact in `f32`, and both add the second before the first, so they agree to
//! the bit. Subnormal operands are zero, as for the instruction; sums below the least normal
//! number, 1.2·10⁻³⁸, are zero with it alone.

use super::level::{LANES, dispatched};
use super::tiles::Windows;
use serde::{Deserialize, Serialize};

/// In what numbers convolutions multiply; all sums, and all else, are single.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// `f32`.
    #[default]
    Single,
    /// Operands rounded to bfloat16, forward and backward. A layer with an odd number of
    /// input channels is single forward, one with an odd number of output channels where the
    /// gradient of its input is computed, and the weight gradient of maps with an odd width,
    /// dense layers among them, is single, too; so are layers with groups altogether.
    Bfloat16,
}

impl Precision {
    /// Whether nothing is rounded.
    pub fn is_single(&self) -> bool {
        *self == Self::Single
    }

    /// Whether this machine has instructions for it. Bfloat16 without is slower than single.
    pub fn has_instructions(self) -> bool {
        match self {
            Self::Single => true,
            #[cfg(target_arch = "x86_64")]
            Self::Bfloat16 => *native::IS_THERE,
            #[cfg(not(target_arch = "x86_64"))]
            Self::Bfloat16 => false,
        }
    }
}

/// Pairs of values `distance` apart: the first of each in order, the last ones with zero.
pub(super) fn pair_apart(values: &[f32], distance: usize, pairs: &mut [u32]) {
    let distance = distance.min(values.len());
    let with = values.len() - distance;
    join(values, &values[distance..], &mut pairs[..with]);
    let rest = pairs[with..].iter_mut().zip(&values[with..]);
    rest.for_each(|(pair, &first)| *pair = pair_of(first, 0.0));
}

/// Pairs of zero and a value.
pub(super) fn pair_after(values: &[f32], pairs: &mut [u32]) {
    let pairs = pairs.iter_mut().zip(values);
    pairs.for_each(|(pair, &second)| *pair = pair_of(0.0, second));
}

/// Pairs of neighbouring weights of a lane, in the layout `[operand][lane]`.
pub(super) fn pair_weights(packed: &[f32]) -> Vec<u32> {
    let mut pairs = vec![0; packed.len() / 2];
    let rows = packed.chunks_exact(2 * LANES);
    for (rows, pairs) in rows.zip(pairs.chunks_exact_mut(LANES)) {
        let (first, second) = rows.split_at(LANES);
        for (l, pair) in pairs.iter_mut().enumerate() {
            *pair = pair_of(first[l], second[l]);
        }
    }
    pairs
}

/// A value as bfloat16, in the lower half.
#[inline(always)]
fn rounded(value: f32) -> u32 {
    let bits = value.to_bits();
    let even = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    if value.is_nan() {
        // Rounding could carry it out of its exponent.
        bits >> 16 | 0x40
    } else if bits & 0x7f80_0000 == 0 {
        // Subnormal, or zero.
        bits >> 16 & 0x8000
    } else {
        even
    }
}

#[inline(always)]
fn pair_of(first: f32, second: f32) -> u32 {
    rounded(second) << 16 | rounded(first)
}

/// The two values of a pair.
#[inline(always)]
fn values(pair: u32) -> (f32, f32) {
    (
        f32::from_bits(pair << 16),
        f32::from_bits(pair & 0xffff_0000),
    )
}

dispatched! {
    /// Pairs of neighbours: values 2i and 2i + 1 become pair i.
    pair_neighbours = [neighbours_body, neighbours_body, neighbours_body],
    (values: &[f32], pairs: &mut [u32])
}

#[inline(always)]
fn neighbours_body<const FMA: bool>(values: &[f32], pairs: &mut [u32]) {
    for (pair, values) in pairs.iter_mut().zip(values.as_chunks::<2>().0) {
        *pair = pair_of(values[0], values[1]);
    }
}

dispatched! {
    /// Pairs of a first and a second value.
    join = [join_body, join_body, join_body],
    (first: &[f32], second: &[f32], pairs: &mut [u32])
}

#[inline(always)]
fn join_body<const FMA: bool>(first: &[f32], second: &[f32], pairs: &mut [u32]) {
    for ((pair, &first), &second) in pairs.iter_mut().zip(first).zip(second) {
        *pair = pair_of(first, second);
    }
}

/// `y[target of pixel + output] = Σ x[window of pixel]·w[output]`, overwriting: what
/// [`tiles::convolve`](super::tiles::convolve) does, with pairs of neighbouring operands.
/// Windows count single operands; runs, and where they begin, are even.
pub(super) fn convolve(
    x: &[u32],
    windows: &Windows<'_>,
    packed: &[u32],
    outputs: usize,
    y: &mut [f32],
) {
    #[cfg(target_arch = "x86_64")]
    if *native::IS_THERE {
        // SAFETY: the instructions were detected.
        return unsafe { native::convolve(x, windows, packed, outputs, y) };
    }
    convolve_plain(x, windows, packed, outputs, y);
}

/// Adds the weight gradient: what [`tiles::correlate`](super::tiles::correlate) does, with
/// pairs of pixels. `x` and `dy` hold at each place the pair of its value with that of the
/// next pixel of the map's row; the windows' pixels 2i and 2i + 1 are such neighbours.
pub(super) fn correlate(x: &[u32], windows: &Windows<'_>, dy: &[u32], packed: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if *native::IS_THERE {
        // SAFETY: the instructions were detected.
        return unsafe { native::correlate(x, windows, dy, packed) };
    }
    correlate_plain(x, windows, dy, packed);
}

dispatched! {
    /// [`convolve`] without the instruction.
    convolve_plain = [convolve_body, convolve_body, convolve_body],
    (x: &[u32], windows: &Windows<'_>, packed: &[u32], outputs: usize, y: &mut [f32])
}

dispatched! {
    /// [`correlate`] without the instruction.
    correlate_plain = [correlate_body, correlate_body, correlate_body],
    (x: &[u32], windows: &Windows<'_>, dy: &[u32], packed: &mut [f32])
}

/// Both products of a pair in each lane, the second's first.
#[inline(always)]
fn add_products(sums: &mut [f32; LANES], x: u32, w: &[u32; LANES]) {
    let (first, second) = values(x);
    for l in 0..LANES {
        let w = values(w[l]);
        // The products are exact: nothing is rounded but the sums.
        sums[l] = first * w.0 + (second * w.1 + sums[l]);
    }
}

#[inline(always)]
fn convolve_body<const FMA: bool>(
    x: &[u32],
    windows: &Windows<'_>,
    packed: &[u32],
    outputs: usize,
    y: &mut [f32],
) {
    let length = windows.run_length / 2;
    for (block, weights) in packed.chunks_exact(windows.block_length() / 2).enumerate() {
        for (&base, &target) in windows.bases.iter().zip(windows.targets) {
            let mut sums = [0.0; LANES];
            let runs = weights.chunks_exact(length * LANES);
            for (weights, &start) in runs.zip(windows.runs) {
                let x = &x[(base as usize + start as usize) / 2..][..length];
                for (&x, w) in x.iter().zip(weights.as_chunks::<LANES>().0) {
                    add_products(&mut sums, x, w);
                }
            }
            store(&sums, target as usize + block * LANES, block, outputs, y);
        }
    }
}

#[inline(always)]
fn correlate_body<const FMA: bool>(
    x: &[u32],
    windows: &Windows<'_>,
    dy: &[u32],
    packed: &mut [f32],
) {
    let pixels = || windows.bases.iter().zip(windows.targets).step_by(2);
    for (block, sums) in packed.chunks_exact_mut(windows.block_length()).enumerate() {
        let runs = sums.chunks_exact_mut(windows.run_length * LANES);
        for (sums, &first) in runs.zip(windows.runs) {
            let first = first as usize;
            for (k, sums) in sums.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let mut all = [0.0; LANES];
                for (&base, &target) in pixels() {
                    let dy = dy[target as usize + block * LANES..].first_chunk();
                    let dy = dy.expect("lanes follow the last pixel");
                    add_products(&mut all, x[base as usize + first + k], dy);
                }
                sums.iter_mut().zip(all).for_each(|(s, a)| *s += a);
            }
        }
    }
}

/// Stores the sums of a pixel's block of outputs.
#[inline(always)]
fn store(sums: &[f32; LANES], target: usize, block: usize, outputs: usize, y: &mut [f32]) {
    let lanes = LANES.min(outputs - block * LANES);
    match y[target..].first_chunk_mut() {
        Some(y) if lanes == LANES => *y = *sums,
        _ => y[target..target + lanes].copy_from_slice(&sums[..lanes]),
    }
}

/// The same with the instruction. Arrays of its registers stay in registers, unlike arrays of
/// numbers (see [`tiles`](super::tiles)).
#[cfg(target_arch = "x86_64")]
mod native {
    use super::super::level::{LANES, LEVEL, Level};
    use super::{Windows, store};
    use std::arch::is_x86_feature_detected;
    use std::arch::x86_64::*;
    use std::mem::transmute;
    use std::sync::LazyLock;

    /// Whether the machine has it.
    pub static IS_THERE: LazyLock<bool> =
        LazyLock::new(|| *LEVEL == Level::Avx512 && is_x86_feature_detected!("avx512bf16"));

    /// Sums in registers: enough to hide the latency of additions.
    const PIXELS: usize = 8;
    /// Operands of a weight gradient whose sums are in registers.
    const OPERANDS: usize = 16;

    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512bf16")]
    #[inline]
    fn add_products(sums: __m512, x: u32, w: &[u32; LANES]) -> __m512 {
        let x = _mm512_set1_epi32(x as i32);
        // SAFETY: all are 64 bytes without any invalid value.
        let x = unsafe { transmute::<__m512i, __m512bh>(x) };
        // SAFETY: as above.
        let w = unsafe { transmute::<[u32; LANES], __m512bh>(*w) };
        // As the last operand x is broadcast by the instruction itself.
        _mm512_dpbf16_ps(sums, w, x)
    }

    #[inline]
    fn lanes(sums: __m512) -> [f32; LANES] {
        // SAFETY: both are 64 bytes without any invalid value.
        unsafe { transmute(sums) }
    }

    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512bf16")]
    pub fn convolve(
        x: &[u32],
        windows: &Windows<'_>,
        packed: &[u32],
        outputs: usize,
        y: &mut [f32],
    ) {
        let (pixels, length) = (windows.bases.len(), windows.run_length / 2);
        // What is read of a window, without a wrap that would make it short.
        let last = windows
            .runs
            .iter()
            .max()
            .map_or(0, |&last| last as usize / 2);
        let window = last.checked_add(length);
        let window = window.expect("windows are no larger than memory");
        for (block, weights) in packed.chunks_exact(windows.block_length() / 2).enumerate() {
            let weights = weights.as_chunks::<LANES>().0;
            assert_eq!(weights.len(), windows.runs.len() * length);
            for pixel in (0..pixels).step_by(PIXELS) {
                // The last tile repeats its last pixel, and stores it once.
                // Not by `from_fn`, which is not compiled for these instructions.
                let mut inputs = [x; PIXELS];
                for (i, inputs) in inputs.iter_mut().enumerate() {
                    let base = windows.bases[(pixel + i).min(pixels - 1)] as usize / 2;
                    *inputs = &x[base..][..window];
                }
                let mut sums = [_mm512_setzero_ps(); PIXELS];
                for (run, &start) in windows.runs.iter().enumerate() {
                    let start = start as usize / 2;
                    for k in 0..length {
                        // SAFETY: there are `length` weights in each run (asserted above).
                        let w = unsafe { weights.get_unchecked(run * length + k) };
                        for i in 0..PIXELS {
                            // SAFETY: all runs' operands are in the window (sliced above).
                            let x = unsafe { *inputs[i].get_unchecked(start + k) };
                            sums[i] = add_products(sums[i], x, w);
                        }
                    }
                }
                for (i, &sums) in sums.iter().enumerate().take(pixels - pixel) {
                    let target = windows.targets[pixel + i] as usize + block * LANES;
                    store(&lanes(sums), target, block, outputs, y);
                }
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512bf16")]
    pub fn correlate(x: &[u32], windows: &Windows<'_>, dy: &[u32], packed: &mut [f32]) {
        for (block, sums) in packed.chunks_exact_mut(windows.block_length()).enumerate() {
            let dy = &dy[block * LANES..];
            let runs = sums.chunks_exact_mut(windows.run_length * LANES);
            for (sums, &start) in runs.zip(windows.runs) {
                let x = &x[start as usize..];
                let (tiles, rest) = sums.as_chunks_mut::<LANES>().0.as_chunks_mut::<OPERANDS>();
                let whole = tiles.len() * OPERANDS;
                for (tile, sums) in tiles.iter_mut().enumerate() {
                    operands(&x[tile * OPERANDS..], windows, dy, sums);
                }
                for (k, sums) in rest.iter_mut().enumerate() {
                    operands(&x[whole + k..], windows, dy, std::array::from_mut(sums));
                }
            }
        }
    }

    /// The weight gradient of `COUNT` neighbouring operands.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512bf16")]
    #[inline]
    fn operands<const COUNT: usize>(
        x: &[u32],
        windows: &Windows<'_>,
        dy: &[u32],
        sums: &mut [[f32; LANES]; COUNT],
    ) {
        let mut all = [_mm512_setzero_ps(); COUNT];
        let pixels = windows.bases.iter().zip(windows.targets);
        for (&base, &target) in pixels.step_by(2) {
            let x: &[u32; COUNT] = x[base as usize..]
                .first_chunk()
                .expect("a window is inside its input");
            let dy: &[u32; LANES] = dy[target as usize..]
                .first_chunk()
                .expect("lanes follow the last pixel");
            for i in 0..COUNT {
                all[i] = add_products(all[i], x[i], dy);
            }
        }
        for (sums, all) in sums.iter_mut().zip(all) {
            let all = lanes(all);
            sums.iter_mut().zip(all).for_each(|(s, a)| *s += a);
        }
    }
}

#[cfg(test)]
#[path = "bfloat_tests.rs"]
mod tests;
