//! From accumulators to activations, sixteen or sixty-four at once.
//!
//! Where a layer's sums allow it, they are made in two parts of 32 bits ([`Halves`]), which takes
//! half as many instructions as 64-bit lanes do; both are exact.

use super::super::epilogue::{Epilogue, Halves, LaneParameters};
use super::super::packed::LANES;
use super::load;
use std::arch::x86_64::*;
use std::hint::black_box;

/// Scales one pixel's accumulators into activations: `requantize(sum(..))` of the specification.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
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
        let operand = operands.as_mut().map(|o| o.next().unwrap_or_default());
        Requantizer::new(epilogue, block).write(load(&sums), operand, output);
    }
}

/// The epilogue of [`LANES`] outputs in registers.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a block, in registers or on the stack"
)]
pub enum Requantizer {
    /// In two parts of 32 bits.
    Halved(Halved),
    /// In 64 bits.
    Wide(Wide),
}

impl Requantizer {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    pub fn new(epilogue: &Epilogue, block: usize) -> Self {
        match epilogue.halves {
            Some(halves) => Self::Halved(Halved::new(epilogue, halves, block)),
            None => Self::Wide(Wide::new(epilogue, block)),
        }
    }

    /// Scales a register of sums into as many activations as there are outputs.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    pub fn write(&self, sums: __m512i, operand: Option<&[i8]>, output: &mut [i8]) {
        match self {
            Self::Halved(halved) => halved.write(sums, operand, output),
            Self::Wide(wide) => wide.write(sums, operand, output),
        }
    }
}

/// Channels of a layer whose neighbouring pixels are stored together, though a pixel leaves half of
/// the lanes free.
pub const HALF: usize = LANES / 2;

/// Sums in two parts of 32 bits, as [`Halves`] says.
pub struct Halved {
    /// (m, 0) and (0, m) of every channel.
    factors: [__m512i; 2],
    biases: [__m512i; 2],
    residual: [__m512i; 2],
    /// What channels that the operand lacks read as.
    zero: __m128i,
    shift: __m128i,
    low: __m512i,
    high: __m512i,
    /// Where four packed registers have each other's fours: [`ORDER`], or [`HALVES`] of a layer of
    /// [`HALF`] channels.
    order: __m512i,
}

/// The fours of lane k of 128 bits go to the places k of four registers.
const ORDER: [u32; LANES] = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15];
/// The same of the first half of each register, then of the second.
const HALVES: [u32; LANES] = [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15];

impl Halved {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    pub fn new(epilogue: &Epilogue, halves: Halves, block: usize) -> Self {
        let LaneParameters { factors, parts, .. } = &epilogue.lanes[block];
        let word = |value: i16| _mm512_set1_epi32(i32::from(value as u16));
        Self {
            factors: [load(&factors[0]), load(&factors[1])],
            biases: [load(&parts[0]), load(&parts[1])],
            residual: [word(halves.residual[0]), word(halves.residual[1])],
            zero: _mm_set1_epi8(epilogue.second.zero),
            shift: _mm_cvtsi32_si128(halves.shift.into()),
            low: _mm512_set1_epi8(epilogue.output.low),
            high: _mm512_set1_epi8(epilogue.output.high),
            // What LLVM makes of a shuffle that it knows is slower.
            order: load(black_box(
                match epilogue.lanes.len() == 1 && epilogue.channels.len() == HALF {
                    true => &HALVES,
                    false => &ORDER,
                },
            )),
        }
    }

    /// For channels that the operand lacks: its zero point becomes part of b.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    pub fn add_zeros(&mut self) {
        let q = _mm512_cvtepi8_epi32(self.zero);
        for (bias, residual) in self.biases.iter_mut().zip(self.residual) {
            *bias = _mm512_dpwssd_epi32(*bias, q, residual);
        }
    }

    /// (acc·m + b) >> s.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    pub fn shifted(&self, sums: __m512i) -> __m512i {
        let [low, high] = self.parts(sums);
        self.joined(low, high)
    }

    /// (acc·m + b + q·(mr << (s − sr))) >> s.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    pub fn shifted_with(&self, sums: __m512i, operand: __m128i) -> __m512i {
        let [low, high] = self.parts(sums);
        let q = _mm512_cvtepi8_epi32(operand);
        let low = _mm512_dpwssd_epi32(low, q, self.residual[0]);
        self.joined(low, _mm512_dpwssd_epi32(high, q, self.residual[1]))
    }

    /// acc·m + b in two parts.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    fn parts(&self, sums: __m512i) -> [__m512i; 2] {
        // The upper half of acc + 2^15 is (acc − l) / 2^16 for the lower half l with its sign.
        let upper = _mm512_add_epi32(sums, _mm512_set1_epi32(1 << 15));
        [
            _mm512_dpwssd_epi32(self.biases[0], sums, self.factors[0]),
            _mm512_dpwssd_epi32(self.biases[1], upper, self.factors[1]),
        ]
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    fn joined(&self, low: __m512i, high: __m512i) -> __m512i {
        let sum = _mm512_add_epi32(high, _mm512_srai_epi32::<16>(low));
        _mm512_sra_epi32(sum, self.shift)
    }

    /// Scales a register of sums into as many activations as there are outputs.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    pub fn write(&self, sums: __m512i, operand: Option<&[i8]>, output: &mut [i8]) {
        let shifted = match operand {
            Some(operand) => self.shifted_with(sums, read(operand, self.zero)),
            None => self.shifted(sums),
        };
        let y = _mm_max_epi8(
            _mm512_cvtsepi32_epi8(shifted),
            _mm512_castsi512_si128(self.low),
        );
        write(_mm_min_epi8(y, _mm512_castsi512_si128(self.high)), output);
    }

    /// Four registers of shifted sums as bytes, one after the other, between the bounds; of a layer
    /// of [`HALF`] channels, in one block, the first halves of all, then the second.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    pub fn narrowed(&self, [a, b, c, d]: [__m512i; 4]) -> __m512i {
        // Saturated to i8 first: the bounds are i8, so nothing is lost. Packing works in lanes of
        // 128 bits: lane k gets the fours number k of a, b, c, d.
        let y = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        let y = _mm512_permutexvar_epi32(self.order, y);
        _mm512_min_epi8(_mm512_max_epi8(y, self.low), self.high)
    }
}

/// Sums in 64 bits: even channels in one vector, odd ones in another, because products take their
/// factors from the lanes' lower halves.
pub struct Wide {
    multipliers: __m512i,
    biases: [__m512i; 2],
    residual: __m512i,
    /// What channels that the operand lacks read as.
    zero: __m128i,
    /// s, and s − sr.
    shifts: [__m128i; 2],
    low: i8,
    high: i8,
}

impl Wide {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
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
            multipliers: load(multipliers),
            biases: [load(&biases[0]), load(&biases[1])],
            residual: _mm512_set1_epi32(residual.multiplier.into()),
            zero: _mm_set1_epi8(epilogue.second.zero),
            shifts: [
                _mm_cvtsi32_si128(shift.into()),
                _mm_cvtsi32_si128(left.into()),
            ],
            low: output.low,
            high: output.high,
        }
    }

    /// clamp((acc·m + b + (q·mr) << (s − sr)) >> s, low, high), as many as there are outputs.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    fn write(&self, sums: __m512i, operand: Option<&[i8]>, output: &mut [i8]) {
        let mut totals = products(sums, self.multipliers);
        for (total, &bias) in totals.iter_mut().zip(&self.biases) {
            *total = _mm512_add_epi64(*total, bias);
        }
        if let Some(operand) = operand {
            let q = _mm512_cvtepi8_epi32(read(operand, self.zero));
            for (total, product) in totals.iter_mut().zip(products(q, self.residual)) {
                *total = _mm512_add_epi64(*total, _mm512_sll_epi64(product, self.shifts[1]));
            }
        }
        // Saturated to i8 first: the bounds are i8, so nothing is lost.
        let even = _mm512_cvtsepi64_epi8(_mm512_sra_epi64(totals[0], self.shifts[0]));
        let odd = _mm512_cvtsepi64_epi8(_mm512_sra_epi64(totals[1], self.shifts[0]));
        let y = _mm_max_epi8(_mm_unpacklo_epi8(even, odd), _mm_set1_epi8(self.low));
        write(_mm_min_epi8(y, _mm_set1_epi8(self.high)), output);
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

/// Up to [`LANES`] bytes; where there are fewer, the others are `rest`'s.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn read(bytes: &[i8], rest: __m128i) -> __m128i {
    match bytes.first_chunk::<LANES>() {
        // SAFETY: 16 bytes.
        Some(all) => unsafe { _mm_loadu_si128(all.as_ptr().cast()) },
        // SAFETY: lanes without a byte are not read.
        None => unsafe { _mm_mask_loadu_epi8(rest, mask(bytes.len()), bytes.as_ptr()) },
    }
}

/// Writes as many bytes as there are outputs, at most [`LANES`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub fn write(y: __m128i, output: &mut [i8]) {
    match output.len() {
        // SAFETY: 16 bytes.
        LANES => unsafe { _mm_storeu_si128(output.as_mut_ptr().cast(), y) },
        // SAFETY: eight bytes; a mask, which would do too, is slow.
        8 => unsafe { _mm_storel_epi64(output.as_mut_ptr().cast(), y) },
        // SAFETY: lanes without an output are not written.
        count => unsafe { _mm_mask_storeu_epi8(output.as_mut_ptr(), mask(count), y) },
    }
}

/// The first `count` of [`LANES`] lanes.
fn mask(count: usize) -> __mmask16 {
    if count >= LANES {
        __mmask16::MAX
    } else {
        (1 << count) - 1
    }
}
