//! Where the sums of a vector of neighbours go: as activations, or as they are.

use super::super::super::epilogue::{Epilogue, LaneParameters, Operand, Target};
use super::super::super::packed::LANES;
use super::super::load;
use super::super::requantize::Requantizer;
use super::planes::{REGISTERS, Strips, lane_of};
use brownout_spec::program::Shape;
use std::arch::x86_64::*;

/// Takes the sums of vectors.
pub trait Store {
    /// Stores the sums of vectors below each other, which begin at `begin` in rows from `row` on.
    ///
    /// # Safety
    /// The machine must have the instructions; there must be such a block, and its outputs must
    /// lie in the rows, and the rows in the output.
    unsafe fn store<const ROWS: usize>(
        &mut self,
        block: usize,
        place: (usize, usize),
        sums: &[[__m512i; REGISTERS]; ROWS],
    );
}

/// The output of a depthwise convolution.
pub enum Outlet<'t> {
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
        match target {
            Target::Accumulators(output) => registers(Values::Accumulators(output)),
            Target::Activations {
                epilogue,
                operand,
                output,
            } => match (epilogue.halves, &operand) {
                (Some(halves), None) => {
                    // What is stored and read without a check afterwards.
                    assert_eq!(output.len(), shape.volume());
                    assert_eq!(epilogue.lanes.len(), strips.blocks * REGISTERS);
                    Self::Vectors(Vectors {
                        line: shape.width * shape.channels,
                        lanes: &epilogue.lanes,
                        shift: _mm_cvtsi32_si128(halves.shift.into()),
                        low: _mm512_set1_epi8(epilogue.output.low),
                        high: _mm512_set1_epi8(epilogue.output.high),
                        mask: __mmask64::MAX >> (64 - strips.lanes),
                        output,
                    })
                }
                _ => registers(Values::Activations(epilogue, *operand, output)),
            },
        }
    }
}

/// Sums in two parts of 32 bits, as [`Halves`] says, whose parameters stay in memory: those of
/// four registers and the weights would not all have a register.
///
/// [`Halves`]: super::super::super::epilogue::Halves
pub struct Vectors<'t> {
    /// Outputs of a row.
    line: usize,
    lanes: &'t [LaneParameters],
    shift: __m128i,
    low: __m512i,
    high: __m512i,
    mask: __mmask64,
    output: &'t mut [i8],
}

impl Store for Vectors<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn store<const ROWS: usize>(
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
            // Saturated to i8 first: the bounds are i8, so nothing is lost. Packing works in lanes
            // of 128 bits and puts the fours of four registers one after the other.
            let y = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            let y = _mm512_min_epi8(_mm512_max_epi8(y, self.low), self.high);
            // SAFETY: the caller's promise; `new` has checked the length, and the mask has a lane
            // for each output.
            unsafe {
                let to = self
                    .output
                    .as_mut_ptr()
                    .add((row + down) * self.line + begin);
                match self.mask {
                    __mmask64::MAX => _mm512_storeu_si512(to.cast(), y),
                    mask => _mm512_mask_storeu_epi8(to, mask, y),
                }
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
    unsafe fn store<const ROWS: usize>(
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
