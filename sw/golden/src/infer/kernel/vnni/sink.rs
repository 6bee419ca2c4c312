//! Where the sums of a tile go: as activations, or as they are.

use super::super::epilogue::{Operand, Target};
use super::super::packed::LANES;
use super::super::window::Block;
use super::requantize::{HALF, Halved, Requantizer, write};
use brownout_spec::program::Shape;
use std::arch::x86_64::*;

/// The output of some blocks of channels, whose requantizers are at hand.
pub struct Sink<'t, const BLOCKS: usize> {
    blocks: [Block; BLOCKS],
    /// Shape of the output.
    shape: Shape,
    values: Values<'t, BLOCKS>,
}

enum Values<'t, const BLOCKS: usize> {
    /// Activations, four registers at a time.
    Fours([Halved; BLOCKS], Option<Neighbours<'t>>, &'t mut [i8]),
    /// Activations of a block after the other.
    Ones([Requantizer; BLOCKS], Option<Operand<'t>>, &'t mut [i8]),
    Accumulators(&'t mut [i32]),
}

/// An operand whose channels are those of some blocks to the last.
#[derive(Clone, Copy)]
struct Neighbours<'t> {
    operand: Operand<'t>,
    /// How many blocks, of those that are stored together, it has: the others have none of it.
    blocks: usize,
}

impl<'t> Neighbours<'t> {
    /// `None` of an operand that has a part of a block.
    fn new<const BLOCKS: usize>(operand: Operand<'t>, blocks: &[Block; BLOCKS]) -> Option<Self> {
        let channels = operand.shape.channels;
        let whole = |block: &&Block| channels >= block.first + LANES;
        let covered = blocks.iter().take_while(whole).count();
        let rest = blocks.get(covered);
        rest.is_none_or(|block| channels <= block.first)
            .then_some(Self {
                operand,
                blocks: covered,
            })
    }
}

impl<'t, const BLOCKS: usize> Sink<'t, BLOCKS> {
    /// The blocks from number `first` on of a target's.
    ///
    /// # Panics
    /// If the target's output has another shape, or an operand no pixel for one of the output's.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub fn new(
        target: &'t mut Target<'_>,
        first: usize,
        blocks: [Block; BLOCKS],
        shape: Shape,
    ) -> Self {
        let values = match target {
            Target::Accumulators(output) => Values::Accumulators(output),
            Target::Activations {
                epilogue,
                operand,
                output,
            } => {
                // What is stored and read without a check afterwards.
                assert_eq!(output.len(), shape.volume());
                if let Some(operand) = operand {
                    assert!(operand.covers(shape));
                }
                let neighbours = operand.map(|operand| Neighbours::new(operand, &blocks));
                match epilogue
                    .halves
                    .filter(|_| !matches!(neighbours, Some(None)))
                {
                    Some(halves) => {
                        let neighbours = neighbours.flatten();
                        let mut all = [const { None }; BLOCKS];
                        for (b, halved) in all.iter_mut().enumerate() {
                            let mut made = Halved::new(epilogue, halves, first + b);
                            if neighbours.is_some_and(|n| n.blocks <= b) {
                                made.add_zeros();
                            }
                            *halved = Some(made);
                        }
                        let all = all.map(|halved| halved.expect("each was set"));
                        Values::Fours(all, neighbours, output)
                    }
                    None => {
                        let mut all = [const { None }; BLOCKS];
                        for (b, requantizer) in all.iter_mut().enumerate() {
                            *requantizer = Some(Requantizer::new(epilogue, first + b));
                        }
                        let all = all.map(|requantizer| requantizer.expect("each was set"));
                        Values::Ones(all, *operand, output)
                    }
                }
            }
        };
        Self {
            blocks,
            shape,
            values,
        }
    }

    /// Stores the sums of neighbouring pixels, the first of which is given.
    ///
    /// # Safety
    /// The pixels must lie in the output, in one row.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    pub unsafe fn store<const PIXELS: usize>(
        &mut self,
        place: (usize, usize),
        sums: &[[__m512i; PIXELS]; BLOCKS],
    ) {
        if let Values::Fours(halved, neighbours, output) = &mut self.values
            && PIXELS * BLOCKS >= 4
            && self.blocks[BLOCKS - 1].lanes == LANES
        {
            let fours = Fours {
                halved,
                neighbours: neighbours.as_ref(),
                first: self.blocks[0].first,
                shape: self.shape,
            };
            // SAFETY: the caller's promise; `new` has checked the lengths, and that an operand has
            // so many whole blocks.
            unsafe {
                match neighbours.as_ref().map_or(0, |n| n.blocks) {
                    0 => fours.store::<PIXELS, 0>(place, sums, output.as_mut_ptr()),
                    1 => fours.store::<PIXELS, 1>(place, sums, output.as_mut_ptr()),
                    _ => fours.store::<PIXELS, 2>(place, sums, output.as_mut_ptr()),
                }
            }
            return;
        }
        self.store_slowly(place, sums);
    }

    /// As there, of any block.
    ///
    /// Not inlined: LLVM would unroll it over the tile, and hoist and spill the checks of all
    /// pixels.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline(never)]
    fn store_slowly<const PIXELS: usize>(
        &mut self,
        (row, column): (usize, usize),
        sums: &[[__m512i; PIXELS]; BLOCKS],
    ) {
        if let Values::Fours(halved, None, output) = &mut self.values
            && PIXELS.is_multiple_of(4)
            && BLOCKS == 1
        {
            let channels = self.shape.channels;
            let Block { first, lanes, .. } = self.blocks[0];
            let at = (row * self.shape.width + column) * channels + first;
            for (four, sums) in sums[0].as_chunks::<4>().0.iter().enumerate() {
                let at = at + 4 * four * channels;
                let y = halved[0].narrowed(sums.map(|sums| halved[0].shifted(sums)));
                if (lanes, channels) == (HALF, HALF) {
                    let y = _mm512_castsi512_si256(y);
                    let output = &mut output[at..at + 4 * HALF];
                    // SAFETY: 32 bytes.
                    unsafe { _mm256_storeu_si256(output.as_mut_ptr().cast(), y) };
                    continue;
                }
                let places = [0, 1, 2, 3].map(|p| (at + p * channels, lanes));
                parts(y, places, output);
            }
            return;
        }
        for (b, sums) in sums.iter().enumerate() {
            for (p, &sums) in sums.iter().enumerate() {
                self.one(b, (row, column + p), sums);
            }
        }
    }

    /// Stores the sums of one block of one pixel.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    fn one(&mut self, b: usize, (row, column): (usize, usize), sums: __m512i) {
        let Block {
            first,
            lanes: count,
            ..
        } = self.blocks[b];
        let at = (row * self.shape.width + column) * self.shape.channels + first;
        match &mut self.values {
            Values::Fours(halved, neighbours, output) => {
                let neighbours = neighbours.as_ref().filter(|n| b < n.blocks);
                let operand = neighbours.map(|n| n.operand.lanes(row, column, first));
                halved[b].write(sums, operand, &mut output[at..at + count]);
            }
            Values::Ones(requantizers, operand, output) => {
                let operand = operand.as_ref().map(|o| o.lanes(row, column, first));
                requantizers[b].write(sums, operand, &mut output[at..at + count]);
            }
            Values::Accumulators(output) => {
                let mut all = [0; LANES];
                // SAFETY: `all` has 64 bytes.
                unsafe { _mm512_storeu_si512(all.as_mut_ptr().cast(), sums) };
                output[at..at + count].copy_from_slice(&all[..count]);
            }
        }
    }
}

/// How whole blocks of neighbouring pixels are stored.
struct Fours<'s, 't, const BLOCKS: usize> {
    halved: &'s [Halved; BLOCKS],
    neighbours: Option<&'s Neighbours<'t>>,
    /// The first channel of the blocks.
    first: usize,
    shape: Shape,
}

impl<const BLOCKS: usize> Fours<'_, '_, BLOCKS> {
    /// Stores the sums of neighbouring pixels, the first of which is given, with the operand of the
    /// first `WITH` blocks.
    ///
    /// # Safety
    /// The pixels must lie in the output of that shape, in one row, and the operand must have
    /// their channels of so many whole blocks.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn store<const PIXELS: usize, const WITH: usize>(
        &self,
        (row, column): (usize, usize),
        sums: &[[__m512i; PIXELS]; BLOCKS],
        output: *mut i8,
    ) {
        let channels = self.shape.channels;
        let at = (row * self.shape.width + column) * channels + self.first;
        // SAFETY: the caller's promise.
        let output = unsafe { output.add(at) };
        let (operand, step) = match self.neighbours {
            Some(Neighbours { operand, .. }) => {
                let begin = operand.begin(row, column) + self.first;
                let step = operand.stride * operand.shape.channels;
                (operand.tensor.as_ptr().wrapping_add(begin), step)
            }
            None => (std::ptr::null(), 0),
        };
        for first in (0..PIXELS).step_by(4 / BLOCKS) {
            let mut y = [_mm512_setzero_si512(); 4];
            for (i, y) in y.iter_mut().enumerate() {
                let (p, b) = (first + i / BLOCKS, i % BLOCKS);
                *y = match b < WITH {
                    // SAFETY: the caller's promise on the operand.
                    true => unsafe {
                        let q = operand.add(p * step + b * LANES);
                        self.halved[b].shifted_with(sums[b][p], _mm_loadu_si128(q.cast()))
                    },
                    false => self.halved[b].shifted(sums[b][p]),
                };
            }
            let y = self.halved[0].narrowed(y);
            // SAFETY: the caller's promise on the pixels.
            unsafe {
                let output = output.add(first * channels);
                match BLOCKS {
                    _ if channels == BLOCKS * LANES => {
                        output.cast::<__m512i>().write_unaligned(y);
                    }
                    2 => {
                        let (low, high) =
                            (_mm512_castsi512_si256(y), _mm512_extracti64x4_epi64::<1>(y));
                        output.cast::<__m256i>().write_unaligned(low);
                        output.add(channels).cast::<__m256i>().write_unaligned(high);
                    }
                    _ => quarters(y, [0, channels, 2 * channels, 3 * channels], output),
                }
            }
        }
    }
}

/// Writes each quarter of a register to a place of its own.
///
/// # Safety
/// There must be sixteen bytes at each place.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
unsafe fn quarters(y: __m512i, places: [usize; 4], output: *mut i8) {
    let quarters = [
        _mm512_castsi512_si128(y),
        _mm512_extracti32x4_epi32::<1>(y),
        _mm512_extracti32x4_epi32::<2>(y),
        _mm512_extracti32x4_epi32::<3>(y),
    ];
    for (y, at) in quarters.into_iter().zip(places) {
        // SAFETY: the caller's promise.
        unsafe { output.add(at).cast::<__m128i>().write_unaligned(y) };
    }
}

/// Writes the first lanes of each quarter of a register to a place of its own: where, and how many.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn parts(y: __m512i, places: [(usize, usize); 4], output: &mut [i8]) {
    let quarters = [
        _mm512_castsi512_si128(y),
        _mm512_extracti32x4_epi32::<1>(y),
        _mm512_extracti32x4_epi32::<2>(y),
        _mm512_extracti32x4_epi32::<3>(y),
    ];
    for (y, (at, lanes)) in quarters.into_iter().zip(places) {
        write(y, &mut output[at..at + lanes]);
    }
}
