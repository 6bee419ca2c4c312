//! Depthwise convolution with VNNI: four taps of sixty-four neighbouring outputs at a time.
//!
//! Neighbouring outputs of a row read neighbouring bytes at each tap, whatever the channels are.
//! Interleaving 64 bytes of four taps gives four registers, each lane with the four operands of an
//! output; packing the sums as bytes puts them back in order. Of the usual windows of three rows,
//! four rows of a column are interleaved, going down, and two rows of outputs share them.

mod block;
mod direct;
mod outlet;
mod planes;

use super::super::epilogue::{Lanes, Target};
use super::super::packed::{Group, LANES};
use super::super::window::Frame;
use super::{GROUP, OFFSET};
use block::{Block, COLUMNS, Quad, interleaved, is_usual, multiply, started};
use brownout_spec::program::LayerShapes;
use direct::Direct;
use outlet::{Outlet, Store};
use planes::{Planes, REGISTERS, Strips};
use std::arch::x86_64::*;

/// A depthwise convolution with its weights.
#[derive(Clone, Debug)]
pub struct Depthwise {
    geometry: Planes,
    /// How the input is read where that is done without a copy.
    direct: Option<Direct>,
    weights: Weights,
}

/// Weights in the order in which a window's form reads them.
#[derive(Clone, Debug)]
struct Weights {
    form: Form,
    /// Quads of each block.
    quads: Vec<Vec<Quad>>,
    /// Where the accumulators of each block start.
    starts: Vec<[[i32; LANES]; REGISTERS]>,
}

/// How taps are put together.
#[derive(Clone, Debug)]
enum Form {
    /// 3 × 3 taps: for each column the three rows, and the same shifted by a row for the outputs
    /// below. So many values from an output's first operand to those of the columns.
    Three([usize; COLUMNS]),
    /// Four by four as they come: so many values from an output's first operand to each.
    Any(Vec<[usize; GROUP]>),
}

/// Rows of outputs that share interleaved rows where their step is one.
const ROWS: usize = 2;

impl Weights {
    /// Packs a flattened tensor `[channel][kernel row][kernel column]`.
    fn new(geometry: &Planes, tensor: &[i8], zero: i8) -> Self {
        let window = &geometry.window;
        let taps: Vec<_> = (0..window.taps())
            .map(|tap| (tap / window.width, tap % window.width))
            .collect();
        // The tap of each byte of each quad.
        let (form, bytes): (Form, Vec<[Option<usize>; GROUP]>) = match is_usual(window) {
            true => {
                let shared = ROWS / window.stride.rows;
                let shifts = (0..COLUMNS).flat_map(|c| (0..shared).map(move |shift| (c, shift)));
                let quad = |(column, shift): (usize, usize)| {
                    std::array::from_fn(|row| {
                        let row = row.checked_sub(shift).filter(|&row| row < window.height);
                        row.map(|row| row * COLUMNS + column)
                    })
                };
                let columns = std::array::from_fn(|column| geometry.tap(0, column));
                (Form::Three(columns), shifts.map(quad).collect())
            }
            false => {
                let quads = (0..taps.len()).step_by(GROUP);
                let bytes = quads.clone().map(|first| {
                    std::array::from_fn(|i| Some(first + i).filter(|&tap| tap < taps.len()))
                });
                let offsets = quads.map(|first| {
                    std::array::from_fn(|i| {
                        let (row, column) = taps[(first + i).min(taps.len() - 1)];
                        geometry.tap(row, column)
                    })
                });
                (Form::Any(offsets.collect()), bytes.collect())
            }
        };
        let channels = geometry.strips.channels();
        let blocks = channels.as_chunks::<REGISTERS>().0;
        let weight = |channel: Option<usize>, tap: Option<usize>| match (channel, tap) {
            (Some(channel), Some(tap)) => tensor[channel * taps.len() + tap],
            _ => 0,
        };
        let start = |channel: Option<usize>| {
            let weights = channel.map_or(&[][..], |c| &tensor[c * taps.len()..][..taps.len()]);
            let sum: i32 = weights.iter().map(|&w| i32::from(w)).sum();
            -(i32::from(zero) + OFFSET) * sum
        };
        let quads = |block: &[[Option<usize>; LANES]; REGISTERS]| {
            let quads = bytes.iter().map(|taps| {
                block.map(|lanes| Group(lanes.map(|channel| taps.map(|tap| weight(channel, tap)))))
            });
            quads.collect()
        };
        Self {
            form,
            quads: blocks.iter().map(quads).collect(),
            starts: blocks.iter().map(|b| b.map(|l| l.map(start))).collect(),
        }
    }

    /// A block of channels that go to an outlet.
    #[target_feature(enable = "avx512f")]
    fn block(&self, number: usize, height: usize, outlet: &impl Store) -> Block<'_> {
        Block {
            number,
            height,
            quads: &self.quads[number],
            start: started(&self.starts[number], outlet.pairs(number)),
        }
    }
}

impl Depthwise {
    /// Packs a flattened tensor `[channel][kernel row][kernel column]` of the layer's size, for an
    /// input with this zero point.
    pub fn new(shapes: &LayerShapes, zero: i8, tensor: &[i8]) -> Self {
        let geometry = Planes::new(shapes, zero);
        Self {
            direct: Direct::new(shapes, zero),
            weights: Weights::new(&geometry, tensor, zero),
            geometry,
        }
    }

    /// The frame of a buffer.
    pub fn frame(&self) -> Frame {
        match &self.direct {
            Some(direct) => direct.frame(),
            None => self.geometry.frame(),
        }
    }

    /// The output channels of its registers.
    pub fn lanes(&self) -> Vec<Lanes> {
        self.geometry.strips.channels()
    }

    /// Starts every accumulator at zero, which is wrong.
    #[cfg(test)]
    pub fn forget_offsets(&mut self) {
        self.weights.starts.fill([[0; LANES]; REGISTERS]);
    }

    /// Convolves `source`, which is copied into `padded` first, or read with the padding that is
    /// there.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub fn convolve(&self, source: &[i8], padded: &mut [u8], target: &mut Target) {
        let geometry = &self.geometry;
        if self.direct.is_none() {
            geometry.place(source, padded);
        }
        match Outlet::new(target, &geometry.strips, geometry.output) {
            Outlet::Words(mut outlet) => self.blocks(source, padded, &mut outlet),
            Outlet::Vectors(mut outlet) => self.blocks(source, padded, &mut outlet),
            Outlet::Registers(mut outlet) => self.blocks(source, padded, &mut outlet),
        }
    }

    /// All blocks of channels.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn blocks(&self, source: &[i8], padded: &[u8], outlet: &mut impl Store) {
        match &self.direct {
            Some(direct) => self.directly(direct, (source, padded), outlet),
            None => self.in_planes(padded, outlet),
        }
    }

    /// All blocks of channels, whose operands are read where they are.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn directly(&self, direct: &Direct, operands: (&[i8], &[u8]), outlet: &mut impl Store) {
        assert_eq!(operands.0.len(), direct.source());
        assert!(direct.frame().length <= operands.1.len());
        let height = self.geometry.output.height;
        for number in 0..direct.strips.blocks {
            let block = self.weights.block(number, height, outlet);
            assert_eq!(block.quads.len(), COLUMNS);
            // SAFETY: the source and the padding are as long as they must be (asserted above), and
            // there are as many quads; the strips lie in the output.
            unsafe { direct.block(&block, operands, outlet) };
        }
    }

    /// All blocks of channels, whose operands are in `padded`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn in_planes(&self, padded: &[u8], outlet: &mut impl Store) {
        let (geometry, form) = (&self.geometry, &self.weights.form);
        let (strips, height) = (&geometry.strips, geometry.output.height);
        // A usual window of three rows is read as one of four.
        let last = match form {
            Form::Three(columns) => 3 * geometry.line + columns.iter().max().unwrap_or(&0),
            Form::Any(quads) => quads.iter().flatten().copied().max().unwrap_or(0),
        };
        let end = (height - 1) * geometry.step() + last + strips.end();
        assert!(geometry.lead + end <= padded.len());
        let padded = &padded[geometry.lead..];
        for number in 0..strips.blocks {
            let all = Operands {
                block: &self.weights.block(number, height, outlet),
                line: geometry.line,
                strips,
            };
            // SAFETY: all operands of all outputs are in `padded` (asserted above), and the strips
            // lie in the output; there are as many quads as their form has (asserted below).
            unsafe {
                let quads = all.block.quads.len();
                match form {
                    Form::Three(columns) if quads == COLUMNS * ROWS => {
                        all.three::<1>(columns, padded, outlet);
                    }
                    Form::Three(columns) => {
                        assert_eq!(quads, COLUMNS);
                        all.three::<2>(columns, padded, outlet);
                    }
                    Form::Any(offsets) => all.any(offsets, geometry.step(), padded, outlet),
                }
            }
        }
    }
}

/// A block of channels, and where its operands lie in a padded input.
struct Operands<'a> {
    block: &'a Block<'a>,
    /// Values of one line.
    line: usize,
    strips: &'a Strips,
}

impl Operands<'_> {
    /// The outputs of a usual window with a step of `STEP` rows, going down.
    ///
    /// # Safety
    /// All operands of the strips and a row below them must be in `padded`, and the strips in the
    /// outlet's output; there must be a quad for each column, with a step of 1 [`ROWS`] of them.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn three<const STEP: usize>(
        &self,
        columns: &[usize; COLUMNS],
        padded: &[u8],
        outlet: &mut impl Store,
    ) {
        for number in 0..self.strips.count {
            let begin = self.strips.begin(self.block.number, number);
            // SAFETY: the caller's promise.
            unsafe {
                let operands = padded
                    .as_ptr()
                    .add(self.strips.operands(self.block.number, number));
                let mut above = [[_mm512_setzero_si512(); 2]; COLUMNS];
                for (above, &column) in above.iter_mut().zip(columns) {
                    *above = pair(operands.add(column), self.line);
                }
                let mut strip = Strip {
                    all: self,
                    columns,
                    operands: operands.add(2 * self.line),
                    above,
                    place: (0, begin),
                };
                // With a step of 1 two rows are enough to share what is read.
                while STEP == 2 && strip.place.0 + 4 <= self.block.height {
                    strip.rows::<STEP, 4>(outlet);
                }
                while STEP == 1 && strip.place.0 + 2 <= self.block.height {
                    strip.rows::<STEP, 2>(outlet);
                }
                match self.block.height - strip.place.0 {
                    3 => strip.rows::<STEP, 3>(outlet),
                    2 => strip.rows::<STEP, 2>(outlet),
                    1 => strip.rows::<STEP, 1>(outlet),
                    _ => {}
                }
            }
        }
    }

    /// The outputs of any window, whose rows are so many values apart.
    ///
    /// # Safety
    /// All operands of the strips must be in `padded`, and the strips in the outlet's output.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn any(
        &self,
        offsets: &[[usize; GROUP]],
        step: usize,
        padded: &[u8],
        outlet: &mut impl Store,
    ) {
        for row in 0..self.block.height {
            for number in 0..self.strips.count {
                let begin = self.strips.begin(self.block.number, number);
                let operands = row * step + self.strips.operands(self.block.number, number);
                let mut sums = self.block.start;
                // SAFETY: the caller's promise.
                unsafe {
                    let operands = padded.as_ptr().add(operands);
                    for (offsets, quad) in offsets.iter().zip(self.block.quads) {
                        let first = bytes(operands.add(offsets[0]), operands.add(offsets[1]));
                        let second = bytes(operands.add(offsets[2]), operands.add(offsets[3]));
                        multiply(interleaved(first, second), quad, &mut sums);
                    }
                    outlet.store::<1, false>(self.block.number, (row, begin), &[sums]);
                }
            }
        }
    }
}

/// The outputs below each other of a usual window, of which some are computed.
struct Strip<'a> {
    all: &'a Operands<'a>,
    columns: &'a [usize; COLUMNS],
    /// Below the two lines that were read.
    operands: *const u8,
    /// Those, interleaved.
    above: [[__m512i; 2]; COLUMNS],
    /// The next row, and where it begins in it.
    place: (usize, usize),
}

impl Strip<'_> {
    /// Computes the next `OUTPUTS` rows, whose windows are `STEP` rows apart.
    ///
    /// # Safety
    /// As [`Operands::three`]; there must be so many rows.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn rows<const STEP: usize, const OUTPUTS: usize>(&mut self, outlet: &mut impl Store) {
        let (block, line) = (self.all.block, self.all.line);
        let shared = ROWS / STEP;
        let mut sums = [block.start; OUTPUTS];
        // SAFETY: the caller's promise.
        unsafe {
            for (column, above) in self.above.iter_mut().enumerate() {
                let mut operands = self.operands.add(self.columns[column]);
                for sums in sums.chunks_mut(shared) {
                    let below = pair(operands, line);
                    let x = interleaved(*above, below);
                    for (shift, sums) in sums.iter_mut().enumerate() {
                        let quad = block.quads.get_unchecked(column * shared + shift);
                        multiply(x, quad, sums);
                    }
                    *above = below;
                    operands = operands.add(2 * line);
                }
            }
            outlet.store::<OUTPUTS, false>(block.number, self.place, &sums);
        }
        // No further than the lines that were read.
        self.operands = self.operands.wrapping_add(STEP * OUTPUTS * line);
        self.place.0 += OUTPUTS;
    }
}

/// A vector interleaved with the one a line below, the lower and the upper eight of every sixteen.
///
/// # Safety
/// Both must be readable.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
unsafe fn pair(operands: *const u8, line: usize) -> [__m512i; 2] {
    // SAFETY: the caller's promise.
    unsafe { bytes(operands, operands.add(line)) }
}

/// Two vectors interleaved, the lower and the upper eight of every sixteen.
///
/// # Safety
/// Both must be readable.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
unsafe fn bytes(a: *const u8, b: *const u8) -> [__m512i; 2] {
    // SAFETY: the caller's promise.
    let (a, b) = unsafe { (_mm512_loadu_si512(a.cast()), _mm512_loadu_si512(b.cast())) };
    [_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)]
}
