//! Usual windows whose rows are two apart read their operands where they lie: few of them are read
//! twice, so that a padded copy would cost more than borders do.
//!
//! Rows beyond the input are read from a line of padding, and columns beyond it are masked.

use super::super::super::window::{Frame, Order};
use super::super::load;
use super::block::{Block, COLUMNS, interleaved, is_usual, multiply};
use super::outlet::Store;
use super::planes::{Strips, VECTOR, converted};
use brownout_spec::program::{LayerShapes, Padding, Shape};
use std::arch::x86_64::*;

/// Rows of the input from one row of outputs to the next.
const STEP: usize = 2;
/// Quarters of a line of 128 bytes that permutations move.
const WORDS: usize = VECTOR / 8;

/// Where operands lie in the input.
#[derive(Clone, Debug)]
pub struct Direct {
    input: Shape,
    padding: Padding,
    zero: i8,
    /// Values of a row.
    line: usize,
    /// How vectors with several pixels are put together of every other column.
    parts: Option<Parts>,
    /// The vectors of a row of outputs.
    pub strips: Strips,
}

impl Direct {
    /// `None` for other windows, and where the pixels of a vector cannot be parted by permutations.
    pub fn new(shapes: &LayerShapes, zero: i8) -> Option<Self> {
        let (input, window) = (shapes.input, shapes.window);
        let is_wanted = is_usual(&window)
            && window.dilation.columns == 1
            && window.stride.rows == STEP
            // So that every vector is a whole one.
            && shapes.output.width * input.channels >= VECTOR;
        if !is_wanted {
            return None;
        }
        let parts = match (input.channels, window.stride.columns) {
            (VECTOR.., _) => None,
            (8 | 16 | 32, 2) => Some(Parts::new(input.channels, window.padding.left)),
            _ => return None,
        };
        Some(Self {
            input,
            padding: window.padding,
            zero,
            line: input.width * input.channels,
            parts,
            strips: Strips::new(shapes, window.stride.columns),
        })
    }

    /// The frame of a buffer: a line of padding.
    pub fn frame(&self) -> Frame {
        Frame {
            input: self.input,
            padding: self.padding,
            zero: self.zero,
            order: Order::Border,
            bytes: true,
            length: self.line,
        }
    }

    /// Values of the input.
    pub fn source(&self) -> usize {
        self.input.volume()
    }

    /// The outputs of a block of channels.
    ///
    /// # Safety
    /// The source and the line of padding must be this geometry's, the strips must lie in the
    /// outlet's output, and there must be a quad for each column.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub unsafe fn block(
        &self,
        block: &Block,
        (source, border): (&[i8], &[u8]),
        outlet: &mut impl Store,
    ) {
        let channels = self.input.channels;
        for number in 0..self.strips.count {
            let begin = self.strips.begin(block.number, number);
            let left = (self.padding.left * channels).cast_signed();
            let at = self.strips.operands(block.number, number).cast_signed() - left;
            let strip = Strip {
                geometry: self,
                block,
                source: source.as_ptr(),
                border: border.as_ptr().cast(),
                begin,
            };
            let vector = |at| Vector::new(at, self.line);
            // SAFETY: the caller's promise.
            unsafe {
                match &self.parts {
                    Some(parts) if parts.before => {
                        let at = at + channels.cast_signed();
                        strip.all(&Between::<true>::new(parts, at, vector), outlet);
                    }
                    Some(parts) => strip.all(&Between::<false>::new(parts, at, vector), outlet),
                    None => {
                        let column = |c: usize| vector(at + (c * channels).cast_signed());
                        strip.all(&Apart(std::array::from_fn(column)), outlet);
                    }
                }
            }
        }
    }
}

/// How the even and the odd pixels of two vectors are taken out, and how the third column of
/// operands is the even or the odd ones with one more before or behind.
#[derive(Clone, Debug)]
struct Parts {
    /// Whether it is the odd ones with one before.
    before: bool,
    even: [i64; WORDS],
    odd: [i64; WORDS],
    moved: [i64; WORDS],
}

impl Parts {
    /// For so many columns of padding, which decide where rows of vectors begin.
    fn new(channels: usize, left: usize) -> Self {
        let words = channels / 8;
        let every = |odd: usize| {
            std::array::from_fn(|at| ((2 * (at / words) + odd) * words + at % words) as i64)
        };
        let before = left % 2 == 1;
        let moved = match before {
            // The last pixel of the vector before, and all but the last of these.
            true => std::array::from_fn(|at| (WORDS - words + at) as i64),
            // All but the first of these, and the first pixel of the vector behind.
            false => std::array::from_fn(|at| (words + at) as i64),
        };
        Self {
            before,
            even: every(0),
            odd: every(1),
            moved,
        }
    }
}

/// 64 neighbours of a row, some of which may be beyond it.
#[derive(Clone, Copy)]
struct Vector {
    /// Values from the row's first to them.
    at: isize,
    /// Those that are in it.
    mask: __mmask64,
}

impl Vector {
    fn new(at: isize, line: usize) -> Self {
        let inside = |end: isize| end.clamp(0, VECTOR as isize) as u32;
        let (first, end) = (inside(-at), inside(line.cast_signed() - at));
        let below = |end: u32| 1u64.checked_shl(end).unwrap_or(0).wrapping_sub(1);
        Self {
            at,
            mask: below(end) & !below(first),
        }
    }

    /// The values of a row as the kernel reads them.
    ///
    /// # Safety
    /// The row must be readable, and all of them be in it if they are `INSIDE`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn of<const INSIDE: bool>(self, row: *const i8, zero: __m512i) -> __m512i {
        let values = row.wrapping_offset(self.at);
        // SAFETY: the caller's promise; values beyond the row are not read.
        converted(unsafe {
            match INSIDE {
                true => _mm512_loadu_si512(values.cast()),
                false => _mm512_mask_loadu_epi8(zero, self.mask, values),
            }
        })
    }
}

/// As [`Vector::of`], of three.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
unsafe fn all<const INSIDE: bool>(
    [a, b, c]: [Vector; 3],
    row: *const i8,
    zero: __m512i,
) -> [__m512i; 3] {
    // SAFETY: the caller's promise.
    unsafe {
        [
            a.of::<INSIDE>(row, zero),
            b.of::<INSIDE>(row, zero),
            c.of::<INSIDE>(row, zero),
        ]
    }
}

/// Reads the three columns of operands of a vector of outputs.
trait Columns {
    /// What is read of a row.
    fn vectors(&self) -> [Vector; 3];

    /// # Safety
    /// The machine must have the instructions, the row must be readable, and all that is read be
    /// in it if it is `INSIDE`.
    unsafe fn read<const INSIDE: bool>(&self, row: *const i8, zero: __m512i) -> [__m512i; COLUMNS];
}

/// One pixel of each column.
struct Apart([Vector; COLUMNS]);

impl Columns for Apart {
    fn vectors(&self) -> [Vector; 3] {
        self.0
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn read<const INSIDE: bool>(&self, row: *const i8, zero: __m512i) -> [__m512i; COLUMNS] {
        // SAFETY: the caller's promise.
        unsafe { all::<INSIDE>(self.0, row, zero) }
    }
}

/// Pixels of a column have those of others between them.
struct Between<const BEFORE: bool> {
    /// Those that the even and the odd pixels are in, and the one that has one more.
    vectors: [Vector; 3],
    even: __m512i,
    odd: __m512i,
    moved: __m512i,
}

impl<const BEFORE: bool> Between<BEFORE> {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn new(parts: &Parts, at: isize, vector: impl Fn(isize) -> Vector) -> Self {
        const { assert!(VECTOR == 64) };
        Self {
            vectors: [at, at + 64, if BEFORE { at - 64 } else { at + 128 }].map(vector),
            even: load(&parts.even),
            odd: load(&parts.odd),
            moved: load(&parts.moved),
        }
    }
}

impl<const BEFORE: bool> Columns for Between<BEFORE> {
    fn vectors(&self) -> [Vector; 3] {
        self.vectors
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn read<const INSIDE: bool>(&self, row: *const i8, zero: __m512i) -> [__m512i; COLUMNS] {
        // SAFETY: the caller's promise.
        let [a, b, more] = unsafe { all::<INSIDE>(self.vectors, row, zero) };
        let even = _mm512_permutex2var_epi64(a, self.even, b);
        let odd = _mm512_permutex2var_epi64(a, self.odd, b);
        match BEFORE {
            true => [_mm512_permutex2var_epi64(more, self.moved, odd), even, odd],
            false => [even, odd, _mm512_permutex2var_epi64(even, self.moved, more)],
        }
    }
}

/// Two rows of three columns of operands, interleaved.
type Rows = [[__m512i; 2]; COLUMNS];

/// Vectors of outputs below each other.
struct Strip<'a> {
    geometry: &'a Direct,
    block: &'a Block<'a>,
    source: *const i8,
    border: *const i8,
    /// Where they begin in a row of outputs.
    begin: usize,
}

impl Strip<'_> {
    /// # Safety
    /// As [`Direct::block`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn all(&self, columns: &impl Columns, outlet: &mut impl Store) {
        let is_inside = |vector: Vector| vector.mask == __mmask64::MAX;
        // SAFETY: the caller's promise.
        unsafe {
            match columns.vectors().into_iter().all(is_inside) {
                true => self.down::<true>(columns, outlet),
                false => self.down::<false>(columns, outlet),
            }
        }
    }

    /// All rows of outputs, those first and last that read rows beyond the input apart.
    ///
    /// # Safety
    /// As [`Direct::block`]; all columns must be in the input if they are `INSIDE`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn down<const INSIDE: bool>(&self, columns: &impl Columns, outlet: &mut impl Store) {
        let Direct {
            input,
            padding,
            line,
            ..
        } = *self.geometry;
        let height = self.block.height;
        // Between these both rows that are read are in the input.
        let end = ((input.height + padding.top).saturating_sub(2) / STEP).min(height);
        let begin = padding.top.div_ceil(STEP).saturating_sub(1).min(end);
        // SAFETY: the caller's promise.
        unsafe {
            let mut above = self.pair::<INSIDE>(columns, self.rows(0));
            for row in 0..begin {
                let rows = self.rows(STEP * (row + 1));
                above = self.outputs::<INSIDE>(columns, (row, rows), above, outlet);
            }
            let mut rows = self.rows(STEP * (begin + 1));
            for row in begin..end {
                above = self.outputs::<INSIDE>(columns, (row, rows), above, outlet);
                rows = rows.map(|row| row.wrapping_add(STEP * line));
            }
            for row in end..height {
                let rows = self.rows(STEP * (row + 1));
                above = self.outputs::<INSIDE>(columns, (row, rows), above, outlet);
            }
        }
    }

    /// The outputs of a row, which read the rows of the input `above`, and two more. Returns those.
    ///
    /// # Safety
    /// As [`Self::down`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    unsafe fn outputs<const INSIDE: bool>(
        &self,
        columns: &impl Columns,
        (row, rows): (usize, [*const i8; 2]),
        above: Rows,
        outlet: &mut impl Store,
    ) -> Rows {
        let block = self.block;
        let mut sums = block.start;
        // SAFETY: the caller's promise.
        unsafe {
            let below = self.pair::<INSIDE>(columns, rows);
            for (column, (&above, &below)) in above.iter().zip(&below).enumerate() {
                let quad = block.quads.get_unchecked(column);
                multiply(interleaved(above, below), quad, &mut sums);
            }
            outlet.store::<1, true>(block.number, (row, self.begin), &[sums]);
            below
        }
    }

    /// The columns of two rows.
    ///
    /// # Safety
    /// As [`Self::down`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    unsafe fn pair<const INSIDE: bool>(
        &self,
        columns: &impl Columns,
        [upper, lower]: [*const i8; 2],
    ) -> Rows {
        let zero = _mm512_set1_epi8(self.geometry.zero);
        // SAFETY: the caller's promise.
        let (upper, lower) = unsafe {
            (
                columns.read::<INSIDE>(upper, zero),
                columns.read::<INSIDE>(lower, zero),
            )
        };
        std::array::from_fn(|c| {
            [
                _mm512_unpacklo_epi8(upper[c], lower[c]),
                _mm512_unpackhi_epi8(upper[c], lower[c]),
            ]
        })
    }

    /// A row of the padded input and the one below, without their first and last columns.
    #[inline]
    fn rows(&self, row: usize) -> [*const i8; 2] {
        let geometry = self.geometry;
        [row, row + 1].map(|row| {
            let row = row.wrapping_sub(geometry.padding.top);
            match row < geometry.input.height {
                true => self.source.wrapping_add(row * geometry.line),
                false => self.border,
            }
        })
    }
}
