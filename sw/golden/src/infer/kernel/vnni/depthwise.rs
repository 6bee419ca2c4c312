//! Depthwise convolution with VNNI: four taps of sixty-four neighbouring outputs at a time.
//!
//! Neighbouring outputs of a row read neighbouring bytes at each tap, whatever the channels are.
//! Interleaving 64 bytes of four taps gives four registers, each lane with the four operands of an
//! output; packing the sums as bytes puts them back in order. Of the usual windows of three rows,
//! four rows of a column are interleaved, going down, and two rows of outputs share them.

mod direct;
mod outlet;
mod planes;

pub use planes::Planes;

use super::super::epilogue::Target;
use super::super::packed::{Group, LANES};
use super::super::words::PairParameters;
use super::{GROUP, OFFSET, load};
use brownout_spec::program::Window;
use direct::Direct;
use outlet::{Outlet, Store};
use planes::{REGISTERS, Strips};
use std::arch::x86_64::*;

/// Weights of four taps of a vector of outputs.
type Quad = [Group<i8, GROUP>; REGISTERS];

/// Weights in the order in which a window's form reads them.
#[derive(Clone, Debug)]
pub struct Weights {
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

/// Columns of a usual window.
const COLUMNS: usize = 3;
/// Rows of outputs that share interleaved rows where their step is one.
const ROWS: usize = 2;

/// Whether a window is a usual one, whose rows of outputs are one or two rows of the input apart.
fn is_usual(window: &Window) -> bool {
    let sizes = (window.height, window.width, window.dilation.rows);
    sizes == (3, COLUMNS, 1) && [1, 2].contains(&window.stride.rows)
}

impl Weights {
    /// Packs a flattened tensor `[channel][kernel row][kernel column]`.
    pub fn new(geometry: &Planes, tensor: &[i8], zero: i8) -> Self {
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

    /// Starts every accumulator at zero, which is wrong.
    #[cfg(test)]
    pub fn forget_offsets(&mut self) {
        self.starts.fill([[0; LANES]; REGISTERS]);
    }
}

/// Convolves `source`, which is copied into `padded` first.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub fn convolve(
    geometry: &Planes,
    weights: &Weights,
    source: &[i8],
    padded: &mut [u8],
    target: &mut Target,
) {
    let (strips, output) = (&geometry.strips, geometry.output);
    let mut outlet = Outlet::new(target, strips, output);
    if let Some(direct) = &geometry.direct {
        assert_eq!(source.len(), direct.source());
        assert!(direct.frame().length <= padded.len());
        let operands = (source, &*padded);
        match &mut outlet {
            Outlet::Words(words) => directly(geometry, direct, weights, operands, words),
            Outlet::Vectors(vectors) => directly(geometry, direct, weights, operands, vectors),
            Outlet::Registers(registers) => {
                directly(geometry, direct, weights, operands, registers);
            }
        }
        return;
    }
    geometry.place(source, padded);
    // A usual window of three rows is read as one of four.
    let last = match &weights.form {
        Form::Three(columns) => 3 * geometry.line + columns.iter().max().unwrap_or(&0),
        Form::Any(quads) => quads.iter().flatten().copied().max().unwrap_or(0),
    };
    let end = (output.height - 1) * geometry.step() + last + strips.end();
    assert!(geometry.lead + end <= padded.len());
    let padded = &padded[geometry.lead..];
    match &mut outlet {
        Outlet::Words(words) => blocks(geometry, weights, padded, words),
        Outlet::Vectors(vectors) => blocks(geometry, weights, padded, vectors),
        Outlet::Registers(registers) => blocks(geometry, weights, padded, registers),
    }
}

/// All blocks of channels, whose operands are read where they are.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn directly(
    geometry: &Planes,
    direct: &Direct,
    weights: &Weights,
    operands: (&[i8], &[u8]),
    outlet: &mut impl Store,
) {
    for number in 0..geometry.strips.blocks {
        let block = Block::new(geometry, weights, number, outlet);
        assert_eq!(block.quads.len(), COLUMNS);
        // SAFETY: the source and the padding are as long as they must be (asserted above), and so
        // are the quads.
        unsafe { direct.block(&block, operands, outlet) };
    }
}

/// All blocks of channels, whose operands are in `padded`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn blocks(geometry: &Planes, weights: &Weights, padded: &[u8], outlet: &mut impl Store) {
    for number in 0..geometry.strips.blocks {
        let block = Block::new(geometry, weights, number, outlet);
        // SAFETY: all operands of all outputs are in `padded` (asserted above), and the strips lie
        // in the output; there are as many quads as their form has (asserted below).
        unsafe {
            let quads = block.quads.len();
            match &weights.form {
                Form::Three(columns) if quads == COLUMNS * ROWS => {
                    block.three::<1>(columns, padded, outlet);
                }
                Form::Three(columns) => {
                    assert_eq!(quads, COLUMNS);
                    block.three::<2>(columns, padded, outlet);
                }
                Form::Any(offsets) => block.any(offsets, geometry.step(), padded, outlet),
            }
        }
    }
}

/// The accumulators of a block as they start.
#[target_feature(enable = "avx512f")]
fn started(starts: &[[i32; LANES]; REGISTERS], pairs: &[PairParameters]) -> [__m512i; REGISTERS] {
    let [a, b, c, d] = starts;
    let mut started = [load(a), load(b), load(c), load(d)];
    for (start, own) in started.iter_mut().zip(pairs.iter().flat_map(|p| &p.starts)) {
        *start = _mm512_add_epi32(*start, load(own));
    }
    started
}

/// What a block of channels is computed with.
struct Block<'a> {
    number: usize,
    /// Values of one line.
    line: usize,
    /// Rows of outputs.
    height: usize,
    strips: &'a Strips,
    quads: &'a [Quad],
    /// The accumulators as they start.
    start: [__m512i; REGISTERS],
}

impl<'a> Block<'a> {
    #[target_feature(enable = "avx512f")]
    fn new(geometry: &'a Planes, weights: &'a Weights, number: usize, outlet: &impl Store) -> Self {
        Self {
            number,
            line: geometry.line,
            height: geometry.output.height,
            strips: &geometry.strips,
            quads: &weights.quads[number],
            start: started(&weights.starts[number], outlet.pairs(number)),
        }
    }

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
            let begin = self.strips.begin(self.number, number);
            // SAFETY: the caller's promise.
            unsafe {
                let operands = padded
                    .as_ptr()
                    .add(self.strips.operands(self.number, number));
                let mut above = [[_mm512_setzero_si512(); 2]; COLUMNS];
                for (above, &column) in above.iter_mut().zip(columns) {
                    *above = pair(operands.add(column), self.line);
                }
                let mut strip = Strip {
                    block: self,
                    columns,
                    operands: operands.add(2 * self.line),
                    above,
                    place: (0, begin),
                };
                // With a step of 1 two rows are enough to share what is read.
                while STEP == 2 && strip.place.0 + 4 <= self.height {
                    strip.rows::<STEP, 4>(outlet);
                }
                while STEP == 1 && strip.place.0 + 2 <= self.height {
                    strip.rows::<STEP, 2>(outlet);
                }
                match self.height - strip.place.0 {
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
        for row in 0..self.height {
            for number in 0..self.strips.count {
                let begin = self.strips.begin(self.number, number);
                let operands = row * step + self.strips.operands(self.number, number);
                let mut sums = self.start;
                // SAFETY: the caller's promise.
                unsafe {
                    let operands = padded.as_ptr().add(operands);
                    for (offsets, quad) in offsets.iter().zip(self.quads) {
                        let first = bytes(operands.add(offsets[0]), operands.add(offsets[1]));
                        let second = bytes(operands.add(offsets[2]), operands.add(offsets[3]));
                        multiply(interleaved(first, second), quad, &mut sums);
                    }
                    outlet.store::<1, false>(self.number, (row, begin), &[sums]);
                }
            }
        }
    }
}

/// The outputs below each other of a usual window, of which some are computed.
struct Strip<'a> {
    block: &'a Block<'a>,
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
    /// As [`Block::three`]; there must be so many rows.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn rows<const STEP: usize, const OUTPUTS: usize>(&mut self, outlet: &mut impl Store) {
        let line = self.block.line;
        let shared = ROWS / STEP;
        let mut sums = [self.block.start; OUTPUTS];
        // SAFETY: the caller's promise.
        unsafe {
            for (column, above) in self.above.iter_mut().enumerate() {
                let mut operands = self.operands.add(self.columns[column]);
                for sums in sums.chunks_mut(shared) {
                    let below = pair(operands, line);
                    let x = interleaved(*above, below);
                    for (shift, sums) in sums.iter_mut().enumerate() {
                        let quad = self.block.quads.get_unchecked(column * shared + shift);
                        multiply(x, quad, sums);
                    }
                    *above = below;
                    operands = operands.add(2 * line);
                }
            }
            outlet.store::<OUTPUTS, false>(self.block.number, self.place, &sums);
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

/// Two interleaved pairs of vectors interleaved: four operands in each lane.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn interleaved(a: [__m512i; 2], b: [__m512i; 2]) -> [__m512i; REGISTERS] {
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
fn multiply(x: [__m512i; REGISTERS], quad: &Quad, sums: &mut [__m512i; REGISTERS]) {
    for ((sum, x), weights) in sums.iter_mut().zip(x).zip(quad) {
        // SAFETY: a group has 64 bytes and is aligned to them.
        let weights = unsafe { _mm512_load_si512(weights.0.as_ptr().cast()) };
        *sum = _mm512_dpbusd_epi32(*sum, x, weights);
    }
}
