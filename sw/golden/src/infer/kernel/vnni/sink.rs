//! Where the sums of a tile go: as activations, or as they are.

use super::super::epilogue::{Operand, Target};
use super::super::packed::LANES;
use super::super::window::Block;
use super::requantize::{Halved, Requantizer, write};
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
    Fours([Halved; BLOCKS], Option<Operand<'t>>, &'t mut [i8]),
    /// Activations of a block after the other.
    Ones([Requantizer; BLOCKS], Option<Operand<'t>>, &'t mut [i8]),
    Accumulators(&'t mut [i32]),
}

impl<'t, const BLOCKS: usize> Sink<'t, BLOCKS> {
    /// The blocks from number `first` on of a target's.
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
                // Operands are read in whole blocks; one of fewer channels is zero beyond them.
                let last = blocks[BLOCKS - 1].first + LANES;
                let whole = operand.is_none_or(|operand| operand.shape.channels >= last);
                match epilogue.halves.filter(|_| whole) {
                    Some(halves) => {
                        let mut all = [const { None }; BLOCKS];
                        for (b, halved) in all.iter_mut().enumerate() {
                            *halved = Some(Halved::new(epilogue, halves, first + b));
                        }
                        let all = all.map(|halved| halved.expect("each was set"));
                        Values::Fours(all, *operand, output)
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
    /// Not inlined: LLVM would unroll it over the tile, and hoist and spill the checks of all
    /// pixels.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline(never)]
    pub fn store<const PIXELS: usize>(
        &mut self,
        (row, column): (usize, usize),
        sums: &[[__m512i; PIXELS]; BLOCKS],
    ) {
        let outputs = self.shape.channels;
        let pixel = row * self.shape.width + column;
        match &mut self.values {
            Values::Fours(halved, operand, output) if PIXELS * BLOCKS >= 4 => {
                let at = pixel * outputs + self.blocks[0].first;
                let operand = operand.as_ref().map(|operand| Neighbours {
                    tensor: operand.tensor,
                    first: operand.begin(row, column) + self.blocks[0].first,
                    step: operand.stride * operand.shape.channels,
                });
                fours(halved, operand, sums, (at, outputs, &self.blocks), output);
            }
            Values::Ones(requantizers, operand, output) => {
                for (b, block) in self.blocks.iter().enumerate() {
                    for (p, &sums) in sums[b].iter().enumerate() {
                        let at = (pixel + p) * outputs + block.first;
                        let operand = lanes(operand.as_ref(), (row, column + p), block.first);
                        let output = &mut output[at..at + block.lanes];
                        requantizers[b].write(sums, operand, output);
                    }
                }
            }
            _ => {
                for (b, sums) in sums.iter().enumerate() {
                    for (p, &sums) in sums.iter().enumerate() {
                        self.one(b, (row, column + p), sums);
                    }
                }
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
            Values::Fours(halved, operand, output) => {
                let operand = lanes(operand.as_ref(), (row, column), first);
                halved[b].write(sums, operand, &mut output[at..at + count]);
            }
            Values::Ones(requantizers, operand, output) => {
                let operand = lanes(operand.as_ref(), (row, column), first);
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

/// The channels of an operand from `first` on at an output pixel.
#[inline(always)]
fn lanes<'t>(
    operand: Option<&Operand<'t>>,
    (row, column): (usize, usize),
    first: usize,
) -> Option<&'t [i8]> {
    operand.map(|operand| operand.lanes(row, column, first))
}

impl Sink<'_, 1> {
    /// Stores the sums of a rectangle of `ROWS` × 2 pixels, the first of which is given; of an
    /// output one column wide, those of the first.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    pub fn store_rectangle<const ROWS: usize>(
        &mut self,
        (row, column): (usize, usize),
        sums: &[[__m512i; 2]; ROWS],
    ) {
        let Shape {
            width, channels, ..
        } = self.shape;
        let Block { first, lanes, .. } = self.blocks[0];
        if let Values::Fours([halved], None, output) = &mut self.values
            && ROWS.is_multiple_of(2)
            && width > 1
            && lanes == LANES
        {
            for pair in 0..ROWS / 2 {
                let y = halved.rectangle(sums[2 * pair], sums[2 * pair + 1]);
                let at = ((row + 2 * pair) * width + column) * channels + first;
                let down = at + width * channels;
                quarters(y, [at, at + channels, down, down + channels], output);
            }
            return;
        }
        self.store_narrow_rectangle((row, column), sums);
    }

    /// As there, of any block and any output.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline(never)]
    fn store_narrow_rectangle<const ROWS: usize>(
        &mut self,
        (row, column): (usize, usize),
        sums: &[[__m512i; 2]; ROWS],
    ) {
        let Shape {
            width, channels, ..
        } = self.shape;
        let Block { first, lanes, .. } = self.blocks[0];
        if let Values::Fours([halved], None, output) = &mut self.values
            && ROWS.is_multiple_of(2)
            && width > 1
        {
            for pair in 0..ROWS / 2 {
                let y = halved.rectangle(sums[2 * pair], sums[2 * pair + 1]);
                let at = ((row + 2 * pair) * width + column) * channels + first;
                let down = at + width * channels;
                let places = [
                    (at, lanes),
                    (at + channels, lanes),
                    (down, lanes),
                    (down + channels, lanes),
                ];
                parts(y, places, output);
            }
            return;
        }
        for (down, sums) in sums.iter().enumerate() {
            for (right, &sums) in sums.iter().enumerate().take(width - column) {
                self.one(0, (row + down, column + right), sums);
            }
        }
    }
}

/// The operands of neighbouring pixels.
#[derive(Clone, Copy)]
struct Neighbours<'t> {
    tensor: &'t [i8],
    /// Index of the first pixel's first channel.
    first: usize,
    /// From one pixel to the next.
    step: usize,
}

/// Stores the sums of neighbouring pixels, the first of which goes to `at`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
fn fours<const BLOCKS: usize, const PIXELS: usize>(
    halved: &[Halved; BLOCKS],
    operand: Option<Neighbours<'_>>,
    sums: &[[__m512i; PIXELS]; BLOCKS],
    (at, outputs, blocks): (usize, usize, &[Block; BLOCKS]),
    output: &mut [i8],
) {
    for first in (0..PIXELS).step_by(4 / BLOCKS) {
        let mut y = [_mm512_setzero_si512(); 4];
        for (i, y) in y.iter_mut().enumerate() {
            let (p, b) = (first + i / BLOCKS, i % BLOCKS);
            *y = match operand {
                None => halved[b].shifted(sums[b][p]),
                Some(Neighbours {
                    tensor,
                    first,
                    step,
                }) => {
                    let at = first + p * step + b * LANES;
                    halved[b].shifted_with(sums[b][p], &tensor[at..at + LANES])
                }
            };
        }
        let y = halved[0].narrowed(y);
        let at = at + first * outputs;
        let lanes = blocks[BLOCKS - 1].lanes;
        if lanes < LANES {
            let mut places = [(0, 0); 4];
            for (i, place) in places.iter_mut().enumerate() {
                let (p, b) = (i / BLOCKS, i % BLOCKS);
                *place = (at + p * outputs + b * LANES, blocks[b].lanes);
            }
            parts(y, places, output);
        } else if outputs == BLOCKS * LANES {
            put(y, &mut output[at..at + 4 * LANES]);
        } else if BLOCKS == 2 {
            let next = at + outputs;
            let (low, high) = (_mm512_castsi512_si256(y), _mm512_extracti64x4_epi64::<1>(y));
            put(low, &mut output[at..at + 2 * LANES]);
            put(high, &mut output[next..next + 2 * LANES]);
        } else {
            let places = [at, at + outputs, at + 2 * outputs, at + 3 * outputs];
            quarters(y, places, output);
        }
    }
}

/// Writes each quarter of a register to a place of its own.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn quarters(y: __m512i, places: [usize; 4], output: &mut [i8]) {
    put(
        _mm512_castsi512_si128(y),
        &mut output[places[0]..places[0] + LANES],
    );
    put(
        _mm512_extracti32x4_epi32::<1>(y),
        &mut output[places[1]..places[1] + LANES],
    );
    put(
        _mm512_extracti32x4_epi32::<2>(y),
        &mut output[places[2]..places[2] + LANES],
    );
    put(
        _mm512_extracti32x4_epi32::<3>(y),
        &mut output[places[3]..places[3] + LANES],
    );
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

/// Writes a whole register.
#[inline(always)]
fn put<T>(y: T, output: &mut [i8]) {
    assert_eq!(output.len(), size_of::<T>());
    // SAFETY: as many bytes, as asserted; any address will do.
    unsafe { output.as_mut_ptr().cast::<T>().write_unaligned(y) };
}
