//! What a block of channels is multiplied with, wherever its operands come from.

use super::super::super::packed::{Group, LANES};
use super::super::super::words::PairParameters;
use super::super::{GROUP, load};
use super::planes::REGISTERS;
use brownout_spec::program::Window;
use std::arch::x86_64::*;

/// Weights of four taps of a vector of outputs.
pub type Quad = [Group<i8, GROUP>; REGISTERS];

/// Columns of a usual window.
pub const COLUMNS: usize = 3;
/// Whether a window is a usual one, whose rows of outputs are one or two rows of the input apart.
pub fn is_usual(window: &Window) -> bool {
    let sizes = (window.height, window.width, window.dilation.rows);
    sizes == (3, COLUMNS, 1) && [1, 2].contains(&window.stride.rows)
}

/// A block of channels.
pub struct Block<'a> {
    pub number: usize,
    /// Rows of outputs.
    pub height: usize,
    pub quads: &'a [Quad],
    /// The accumulators as they start.
    pub start: [__m512i; REGISTERS],
}

/// The accumulators of a block as they start.
#[target_feature(enable = "avx512f")]
pub fn started(
    starts: &[[i32; LANES]; REGISTERS],
    pairs: &[PairParameters],
) -> [__m512i; REGISTERS] {
    let [a, b, c, d] = starts;
    let mut started = [load(a), load(b), load(c), load(d)];
    for (start, own) in started.iter_mut().zip(pairs.iter().flat_map(|p| &p.starts)) {
        *start = _mm512_add_epi32(*start, load(own));
    }
    started
}

/// Two interleaved pairs of vectors interleaved: four operands in each lane.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub fn interleaved(a: [__m512i; 2], b: [__m512i; 2]) -> [__m512i; REGISTERS] {
    [
        _mm512_unpacklo_epi16(a[0], b[0]),
        _mm512_unpackhi_epi16(a[0], b[0]),
        _mm512_unpacklo_epi16(a[1], b[1]),
        _mm512_unpackhi_epi16(a[1], b[1]),
    ]
}

/// Adds the products of one quad.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
pub fn multiply(x: [__m512i; REGISTERS], quad: &Quad, sums: &mut [__m512i; REGISTERS]) {
    for ((sum, x), weights) in sums.iter_mut().zip(x).zip(quad) {
        // SAFETY: a group has 64 bytes and is aligned to them.
        let weights = unsafe { _mm512_load_si512(weights.0.as_ptr().cast()) };
        *sum = _mm512_dpbusd_epi32(*sum, x, weights);
    }
}
