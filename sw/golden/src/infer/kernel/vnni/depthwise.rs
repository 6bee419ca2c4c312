//! Depthwise convolution with VNNI: four taps of sixty-four neighbouring outputs at a time.
//!
//! Neighbouring outputs of a row read neighbouring bytes at each tap, whatever the channels are.
//! Interleaving 64 bytes of four taps gives four registers, each lane with the four operands of an
//! output; packing the sums as bytes puts them back in order. Of the usual windows of three rows,
//! four rows of a column are interleaved, going down, and two rows of outputs share them.

mod outlet;
mod planes;

pub use planes::Planes;

use super::super::epilogue::Target;
use super::super::packed::{Group, LANES};
use super::{GROUP, OFFSET, load};
use brownout_spec::program::Window;
use outlet::Outlet;
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
                let shifts = (0..COLUMNS).flat_map(|c| (0..ROWS).map(move |shift| (c, shift)));
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
        let channels = geometry.strips().channels();
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
    geometry.place(source, padded);
    let (strips, output) = (geometry.strips(), geometry.output);
    let mut outlet = Outlet::new(target, &strips, output);
    // A usual window of three rows is read as one of four.
    let last = match &weights.form {
        Form::Three(columns) => 3 * geometry.line + columns.iter().max().unwrap_or(&0),
        Form::Any(quads) => quads.iter().flatten().copied().max().unwrap_or(0),
    };
    let end = (output.height - 1) * geometry.step() + last + strips.end();
    assert!(end <= padded.len());
    for block in 0..strips.blocks {
        let quads = &weights.quads[block][..];
        let starts = &weights.starts[block];
        let all = All {
            geometry,
            quads,
            starts,
            block,
        };
        // SAFETY: all operands of all outputs are in `padded` (asserted above), and the block's
        // vectors lie in the rows of the output.
        unsafe {
            match (&weights.form, geometry.window.stride.rows) {
                (Form::Three(columns), 1) => {
                    assert_eq!(quads.len(), COLUMNS * ROWS);
                    all.three::<1>(&strips, columns, padded, &mut outlet);
                }
                (Form::Three(columns), _) => {
                    assert_eq!(quads.len(), COLUMNS * ROWS);
                    all.three::<2>(&strips, columns, padded, &mut outlet);
                }
                (Form::Any(offsets), _) => all.any(&strips, offsets, padded, &mut outlet),
            }
        }
    }
}

/// What a block of channels is computed with.
struct All<'a> {
    geometry: &'a Planes,
    quads: &'a [Quad],
    starts: &'a [[i32; LANES]; REGISTERS],
    block: usize,
}

impl All<'_> {
    /// The accumulators as they start.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn start(&self) -> [__m512i; REGISTERS] {
        let [a, b, c, d] = self.starts;
        [load(a), load(b), load(c), load(d)]
    }

    /// The outputs of a usual window with a step of `STEP` rows, going down.
    ///
    /// # Safety
    /// All operands of the strips and a row below them must be in `padded`, and the strips in the
    /// outlet's output; there must be [`ROWS`] quads for each column.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn three<const STEP: usize>(
        &self,
        strips: &Strips,
        columns: &[usize; COLUMNS],
        padded: &[u8],
        outlet: &mut Outlet,
    ) {
        let (line, height) = (self.geometry.line, self.geometry.output.height);
        let start = self.start();
        for number in 0..strips.count {
            let begin = strips.begin(self.block, number);
            let place = |row| (row, begin);
            // SAFETY: the caller's promise.
            unsafe {
                let mut operands = padded.as_ptr().add(begin);
                let mut above = [[_mm512_setzero_si512(); 2]; COLUMNS];
                for (above, &column) in above.iter_mut().zip(columns) {
                    *above = pair(operands.add(column), line);
                }
                let mut row = 0;
                while STEP == 1 && row + ROWS <= height {
                    let mut sums = [start; ROWS];
                    operands = operands.add(2 * line);
                    self.columns(columns, operands, &mut above, &mut sums);
                    outlet.store(self.block, place(row), &sums[0]);
                    outlet.store(self.block, place(row + 1), &sums[1]);
                    row += ROWS;
                }
                while row < height {
                    let mut sums = [start];
                    operands = operands.add(2 * line);
                    self.columns(columns, operands, &mut above, &mut sums);
                    outlet.store(self.block, place(row), &sums[0]);
                    row += 1;
                }
            }
        }
    }

    /// Adds the products of neighbouring rows of outputs with the two rows `above` and the two
    /// below, which will be those above.
    ///
    /// # Safety
    /// At `operands` and a line below, a vector of every column must be readable; there must be
    /// [`ROWS`] quads for each column.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn columns<const OUTPUTS: usize>(
        &self,
        columns: &[usize; COLUMNS],
        operands: *const u8,
        above: &mut [[__m512i; 2]; COLUMNS],
        sums: &mut [[__m512i; REGISTERS]; OUTPUTS],
    ) {
        for (column, above) in above.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let below = pair(operands.add(columns[column]), self.geometry.line);
                let x = interleaved(*above, below);
                for (shift, sums) in sums.iter_mut().enumerate() {
                    multiply(x, self.quads.get_unchecked(column * ROWS + shift), sums);
                }
                *above = below;
            }
        }
    }

    /// The outputs of any window.
    ///
    /// # Safety
    /// All operands of the strips must be in `padded`, and the strips in the outlet's output.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    unsafe fn any(
        &self,
        strips: &Strips,
        offsets: &[[usize; GROUP]],
        padded: &[u8],
        outlet: &mut Outlet,
    ) {
        let start = self.start();
        for row in 0..self.geometry.output.height {
            for number in 0..strips.count {
                let begin = strips.begin(self.block, number);
                let mut sums = start;
                // SAFETY: the caller's promise.
                unsafe {
                    let operands = padded.as_ptr().add(row * self.geometry.step() + begin);
                    for (offsets, quad) in offsets.iter().zip(self.quads) {
                        let first = bytes(operands.add(offsets[0]), operands.add(offsets[1]));
                        let second = bytes(operands.add(offsets[2]), operands.add(offsets[3]));
                        multiply(interleaved(first, second), quad, &mut sums);
                    }
                    outlet.store(self.block, (row, begin), &sums);
                }
            }
        }
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
