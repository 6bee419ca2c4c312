//! Where the sums of a vector of neighbours go: as activations, or as they are.

use super::super::super::epilogue::{Epilogue, Halves, LaneParameters, Operand, Target};
use super::super::super::packed::LANES;
use super::super::load;
use super::super::requantize::Requantizer;
use super::planes::{REGISTERS, Strips, lane_of};
use brownout_spec::program::Shape;
use std::arch::x86_64::*;

/// The output of a depthwise convolution.
pub struct Outlet<'t> {
    /// Shape of the output.
    shape: Shape,
    /// Outputs of a vector.
    lanes: usize,
    values: Values<'t>,
}

enum Values<'t> {
    /// Activations, a vector at a time.
    Vectors(Vectors<'t>, &'t mut [i8]),
    /// Activations, a register at a time.
    Registers(&'t Epilogue, Option<Operand<'t>>, &'t mut [i8]),
    Accumulators(&'t mut [i32]),
}

/// Sums in two parts of 32 bits, as [`Halves`] says, whose parameters stay in memory: those of
/// four registers and the weights would not all have a register.
struct Vectors<'t> {
    lanes: &'t [LaneParameters],
    shift: __m128i,
    low: __m512i,
    high: __m512i,
    mask: __mmask64,
}

impl<'t> Outlet<'t> {
    /// # Panics
    /// If the target's output has another shape, an operand no pixel for one of the output's, or
    /// the epilogue other lanes.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub fn new(target: &'t mut Target<'_>, strips: &Strips, shape: Shape) -> Self {
        let values = match target {
            Target::Accumulators(output) => Values::Accumulators(output),
            Target::Activations {
                epilogue,
                operand,
                output,
            } => {
                // What is stored and read without a check afterwards.
                assert_eq!(output.len(), shape.volume());
                assert_eq!(epilogue.lanes.len(), strips.blocks * REGISTERS);
                match (epilogue.halves, &operand) {
                    (Some(halves), None) => {
                        Values::Vectors(Vectors::new(epilogue, halves, strips), output)
                    }
                    _ => Values::Registers(epilogue, *operand, output),
                }
            }
        };
        Self {
            shape,
            lanes: strips.lanes,
            values,
        }
    }

    /// Stores the sums of a vector that begins at `begin` in its row.
    ///
    /// # Safety
    /// There must be such a block, and its outputs must lie in the row, and the row in the output.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    pub unsafe fn store(
        &mut self,
        block: usize,
        (row, begin): (usize, usize),
        sums: &[__m512i; REGISTERS],
    ) {
        if let Values::Vectors(vectors, output) = &mut self.values {
            let at = row * self.shape.width * self.shape.channels + begin;
            // SAFETY: the caller's promise; `new` has checked the lengths, and the mask has a lane
            // for each output.
            unsafe {
                let y = vectors.activations(block, sums);
                let to = output.as_mut_ptr().add(at);
                match vectors.mask {
                    __mmask64::MAX => _mm512_storeu_si512(to.cast(), y),
                    mask => _mm512_mask_storeu_epi8(to, mask, y),
                }
            }
            return;
        }
        self.store_registers(block, (row, begin), sums);
    }

    /// As there, of any values.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline(never)]
    fn store_registers(
        &mut self,
        block: usize,
        (row, begin): (usize, usize),
        sums: &[__m512i; REGISTERS],
    ) {
        let channels = self.shape.channels;
        let first = row * self.shape.width * channels;
        let count = self.lanes;
        for (register, &sums) in sums.iter().enumerate() {
            let lanes = (0..LANES).map(|lane| (lane, lane_of(register, lane)));
            let lanes = lanes.filter(|&(_, at)| at < count);
            let lanes = lanes.map(|(lane, at)| (lane, begin + at));
            match &mut self.values {
                Values::Accumulators(output) => {
                    let mut all = [0; LANES];
                    // SAFETY: `all` has 64 bytes.
                    unsafe { _mm512_storeu_si512(all.as_mut_ptr().cast(), sums) };
                    lanes.for_each(|(lane, at)| output[first + at] = all[lane]);
                }
                Values::Registers(epilogue, operand, output) => {
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
                    let requantizer = Requantizer::new(epilogue, block * REGISTERS + register);
                    requantizer.write(sums, operand, &mut all);
                    lanes.for_each(|(lane, at)| output[first + at] = all[lane]);
                }
                Values::Vectors(..) => unreachable!("vectors are stored whole"),
            }
        }
    }
}

impl<'t> Vectors<'t> {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn new(epilogue: &'t Epilogue, halves: Halves, strips: &Strips) -> Self {
        Self {
            lanes: &epilogue.lanes,
            shift: _mm_cvtsi32_si128(halves.shift.into()),
            low: _mm512_set1_epi8(epilogue.output.low),
            high: _mm512_set1_epi8(epilogue.output.high),
            mask: __mmask64::MAX >> (64 - strips.lanes),
        }
    }

    /// (acc·m + b) >> s between the bounds, in the order of the outputs.
    ///
    /// # Safety
    /// There must be such a block.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn activations(&self, block: usize, sums: &[__m512i; REGISTERS]) -> __m512i {
        let shifted = |register: usize| {
            // SAFETY: the caller's promise.
            let lanes = unsafe { self.lanes.get_unchecked(block * REGISTERS + register) };
            let [low, high] = lanes.halved(sums[register]);
            let sum = _mm512_add_epi32(high, _mm512_srai_epi32::<16>(low));
            _mm512_sra_epi32(sum, self.shift)
        };
        // Saturated to i8 first: the bounds are i8, so nothing is lost. Packing works in lanes of
        // 128 bits and puts the fours of four registers one after the other.
        let low = _mm512_packs_epi32(shifted(0), shifted(1));
        let high = _mm512_packs_epi32(shifted(2), shifted(3));
        let y = _mm512_packs_epi16(low, high);
        _mm512_min_epi8(_mm512_max_epi8(y, self.low), self.high)
    }
}

impl LaneParameters {
    /// acc·m + b in two parts.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    fn halved(&self, sums: __m512i) -> [__m512i; 2] {
        // The upper half of acc + 2^15 is (acc − l) / 2^16 for the lower half l with its sign.
        let upper = _mm512_add_epi32(sums, _mm512_set1_epi32(1 << 15));
        [
            _mm512_dpwssd_epi32(load(&self.parts[0]), sums, load(&self.factors[0])),
            _mm512_dpwssd_epi32(load(&self.parts[1]), upper, load(&self.factors[1])),
        ]
    }
}
