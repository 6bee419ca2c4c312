//! Where the sums of a vector of neighbours go: as activations, or as they are.

use super::super::super::epilogue::{Epilogue, LaneParameters, Operand, Target};
use super::super::super::packed::LANES;
use super::super::super::words::PairParameters;
use super::super::load;
use super::super::requantize::Requantizer;
use super::planes::{REGISTERS, Strips, lane_of};
use brownout_spec::program::Shape;
use std::arch::x86_64::*;

/// Takes the sums of vectors.
pub trait Store {
    /// What is added to the accumulators of a block's pairs of registers, if anything.
    fn pairs(&self, _: usize) -> &[PairParameters] {
        &[]
    }

    /// Stores the sums of vectors below each other, which begin at `begin` in rows from `row` on.
    /// Vectors that are `WHOLE` have an output in every lane.
    ///
    /// # Safety
    /// The machine must have the instructions; there must be such a block, and its outputs must
    /// lie in the rows, and the rows in the output.
    unsafe fn store<const ROWS: usize, const WHOLE: bool>(
        &mut self,
        block: usize,
        place: (usize, usize),
        sums: &[[__m512i; REGISTERS]; ROWS],
    );
}

/// The output of a depthwise convolution.
pub enum Outlet<'t> {
    /// Activations made in 16 bits, a vector at a time.
    Words(Words<'t>),
    /// Activations, a vector at a time.
    Vectors(Vectors<'t>),
    /// Others, a register at a time.
    Registers(Registers<'t>),
}

impl<'t> Outlet<'t> {
    /// # Panics
    /// If the target's output has another shape, or the epilogue other lanes.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub fn new(target: &'t mut Target<'_>, strips: &Strips, shape: Shape) -> Self {
        let registers = |values| {
            Self::Registers(Registers {
                shape,
                lanes: strips.lanes,
                values,
            })
        };
        let (epilogue, operand, output) = match target {
            Target::Accumulators(output) => return registers(Values::Accumulators(output)),
            Target::Activations {
                epilogue,
                operand,
                output,
            } => (*epilogue, *operand, output),
        };
        match (&epilogue.words, epilogue.halves, operand) {
            (Some(pairs), _, None) => {
                assert_eq!(pairs.len(), strips.blocks * PAIRS);
                Self::Words(Words {
                    pairs,
                    bytes: Bytes::new(epilogue, output, strips, shape),
                })
            }
            (None, Some(halves), None) => {
                // What is read without a check afterwards.
                assert_eq!(epilogue.lanes.len(), strips.blocks * REGISTERS);
                Self::Vectors(Vectors {
                    lanes: &epilogue.lanes,
                    shift: _mm_cvtsi32_si128(halves.shift.into()),
                    bytes: Bytes::new(epilogue, output, strips, shape),
                })
            }
            _ => registers(Values::Activations(epilogue, operand, output)),
        }
    }
}

/// Sums in two parts of 32 bits, as [`Halves`] says, whose parameters stay in memory: those of
/// four registers and the weights would not all have a register.
///
/// [`Halves`]: super::super::super::epilogue::Halves
pub struct Vectors<'t> {
    lanes: &'t [LaneParameters],
    shift: __m128i,
    bytes: Bytes<'t>,
}

impl Store for Vectors<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn store<const ROWS: usize, const WHOLE: bool>(
        &mut self,
        block: usize,
        (row, begin): (usize, usize),
        sums: &[[__m512i; REGISTERS]; ROWS],
    ) {
        let mut shifted = [[_mm512_setzero_si512(); REGISTERS]; ROWS];
        for register in 0..REGISTERS {
            // SAFETY: the caller's promise: a block has so many registers.
            let lanes = unsafe { self.lanes.get_unchecked(block * REGISTERS + register) };
            for (shifted, sums) in shifted.iter_mut().zip(sums) {
                shifted[register] = lanes.shifted(sums[register], self.shift);
            }
        }
        for (down, [a, b, c, d]) in shifted.into_iter().enumerate() {
            let words = [_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d)];
            // SAFETY: the caller's promise.
            unsafe { self.bytes.write::<WHOLE>((row + down, begin), words) };
        }
    }
}

/// Pairs of registers of a vector.
const PAIRS: usize = REGISTERS / 2;

/// Activations in 16 bits, as [`PairParameters`] say.
pub struct Words<'t> {
    pairs: &'t [PairParameters],
    bytes: Bytes<'t>,
}

impl Store for Words<'_> {
    fn pairs(&self, block: usize) -> &[PairParameters] {
        &self.pairs[block * PAIRS..][..PAIRS]
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn store<const ROWS: usize, const WHOLE: bool>(
        &mut self,
        block: usize,
        (row, begin): (usize, usize),
        sums: &[[__m512i; REGISTERS]; ROWS],
    ) {
        for (down, &[a, b, c, d]) in sums.iter().enumerate() {
            let mut words = [_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d)];
            for (number, x) in words.iter_mut().enumerate() {
                // SAFETY: the caller's promise: a block has so many pairs, as `new` has checked.
                let pair = unsafe { self.pairs.get_unchecked(block * PAIRS + number) };
                let product = _mm512_mulhrs_epi16(*x, words_of(&pair.multipliers));
                let sum = _mm512_adds_epi16(product, words_of(&pair.offsets));
                *x = _mm512_srav_epi16(sum, words_of(&pair.shifts));
            }
            // SAFETY: the caller's promise.
            unsafe { self.bytes.write::<WHOLE>((row + down, begin), words) };
        }
    }
}

/// A register of words.
#[target_feature(enable = "avx512f")]
#[inline]
fn words_of(words: &[i16; 2 * LANES]) -> __m512i {
    // SAFETY: 64 bytes.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

/// Where bytes between bounds go.
struct Bytes<'t> {
    /// Outputs of a row.
    line: usize,
    low: __m512i,
    high: __m512i,
    mask: __mmask64,
    output: &'t mut [i8],
}

impl<'t> Bytes<'t> {
    #[target_feature(enable = "avx512f,avx512bw")]
    fn new(epilogue: &Epilogue, output: &'t mut [i8], strips: &Strips, shape: Shape) -> Self {
        // What is stored without a check afterwards.
        assert_eq!(output.len(), shape.volume());
        Self {
            line: shape.width * shape.channels,
            low: _mm512_set1_epi8(epilogue.output.low),
            high: _mm512_set1_epi8(epilogue.output.high),
            mask: __mmask64::MAX >> (64 - strips.lanes),
            output,
        }
    }

    /// Writes a vector of outputs, which begins at `begin` in a row.
    ///
    /// # Safety
    /// Its outputs must lie in the row, and the row in the output.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    unsafe fn write<const WHOLE: bool>(
        &mut self,
        (row, begin): (usize, usize),
        [a, b]: [__m512i; 2],
    ) {
        // Saturated to i8 first: the bounds are i8, so nothing is lost. Packing works in lanes of
        // 128 bits and puts the fours of four registers one after the other.
        let y = _mm512_packs_epi16(a, b);
        let y = _mm512_min_epi8(_mm512_max_epi8(y, self.low), self.high);
        // SAFETY: the caller's promise; `new` has checked the length, and the mask has a lane for
        // each output.
        unsafe {
            let to = self.output.as_mut_ptr().add(row * self.line + begin);
            match WHOLE || self.mask == __mmask64::MAX {
                true => _mm512_storeu_si512(to.cast(), y),
                false => _mm512_mask_storeu_epi8(to, self.mask, y),
            }
        }
    }
}

/// What is stored a register at a time.
pub struct Registers<'t> {
    /// Shape of the output.
    shape: Shape,
    /// Outputs of a vector.
    lanes: usize,
    values: Values<'t>,
}

enum Values<'t> {
    Activations(&'t Epilogue, Option<Operand<'t>>, &'t mut [i8]),
    Accumulators(&'t mut [i32]),
}

impl Store for Registers<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn store<const ROWS: usize, const WHOLE: bool>(
        &mut self,
        block: usize,
        (row, begin): (usize, usize),
        sums: &[[__m512i; REGISTERS]; ROWS],
    ) {
        for (down, sums) in sums.iter().enumerate() {
            for (register, &sums) in sums.iter().enumerate() {
                self.one(block * REGISTERS + register, (row + down, begin), sums);
            }
        }
    }
}

impl Registers<'_> {
    /// Stores the sums of one register of a vector.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline(never)]
    fn one(&mut self, register: usize, (row, begin): (usize, usize), sums: __m512i) {
        let channels = self.shape.channels;
        let (first, count) = (row * self.shape.width * channels, self.lanes);
        let lanes = (0..LANES).map(|lane| (lane, lane_of(register % REGISTERS, lane)));
        let lanes = lanes.filter(|&(_, at)| at < count);
        let lanes = lanes.map(|(lane, at)| (lane, begin + at));
        match &mut self.values {
            Values::Accumulators(output) => {
                let mut all = [0; LANES];
                // SAFETY: `all` has 64 bytes.
                unsafe { _mm512_storeu_si512(all.as_mut_ptr().cast(), sums) };
                lanes.for_each(|(lane, at)| output[first + at] = all[lane]);
            }
            Values::Activations(epilogue, operand, output) => {
                let operand = operand.map(|operand| {
                    let mut all = [epilogue.second.zero; LANES];
                    for (lane, at) in lanes.clone() {
                        let pixel = operand.pixel(row, at / channels);
                        if let Some(&q) = pixel.get(at % channels) {
                            all[lane] = q;
                        }
                    }
                    all
                });
                let operand = operand.as_ref().map(|all| &all[..]);
                let mut all = [0; LANES];
                Requantizer::new(epilogue, register).write(sums, operand, &mut all);
                lanes.for_each(|(lane, at)| output[first + at] = all[lane]);
            }
        }
    }
}

impl LaneParameters {
    /// (acc·m + b) >> s, in two parts.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    fn shifted(&self, sums: __m512i, shift: __m128i) -> __m512i {
        // The upper half of acc + 2^15 is (acc − l) / 2^16 for the lower half l with its sign.
        let upper = _mm512_add_epi32(sums, _mm512_set1_epi32(1 << 15));
        let low = _mm512_dpwssd_epi32(load(&self.parts[0]), sums, load(&self.factors[0]));
        let high = _mm512_dpwssd_epi32(load(&self.parts[1]), upper, load(&self.factors[1]));
        let sum = _mm512_add_epi32(high, _mm512_srai_epi32::<16>(low));
        _mm512_sra_epi32(sum, shift)
    }
}
