//! Where a depthwise convolution's operands lie: neighbouring outputs of a row read neighbours.

use super::super::super::epilogue::Lanes;
use super::super::super::packed::LANES;
use super::super::super::window::{Frame, Order};
use super::super::{GROUP, OFFSET, load};
use brownout_spec::program::{LayerShapes, Shape, Window};
use std::arch::x86_64::*;

/// Outputs that are computed together.
pub const VECTOR: usize = 64;
/// Registers of their sums.
pub const REGISTERS: usize = VECTOR / LANES;

/// The padded input `[row][plane][column][channel]`: where a vector has several pixels, as many
/// planes as a step has columns, each of every so many columns, so that a tap of all outputs of a
/// row lies in one plane, one after the other; otherwise one.
#[derive(Clone, Debug)]
pub struct Planes {
    input: Shape,
    /// Shape of the result, which has the input's channels.
    pub output: Shape,
    /// The window.
    pub window: Window,
    zero: i8,
    planes: usize,
    /// Values of one plane of one line.
    plane: usize,
    /// Values of one line.
    pub line: usize,
    /// Values before the first line.
    pub lead: usize,
    /// Values of the buffer.
    length: usize,
    /// How a row of the input is parted, where that is done in vectors.
    parts: Option<Parts>,
    /// The vectors of a row of outputs.
    pub strips: Strips,
}

impl Planes {
    /// The geometry of a convolution with as many groups as input and output channels.
    pub fn new(shapes: &LayerShapes, zero: i8) -> Self {
        let (input, window) = (shapes.input, shapes.window);
        let width = input.width + window.padding.left + window.padding.right;
        let planes = match input.channels < VECTOR {
            true => window.stride.columns,
            false => 1,
        };
        // Lines begin alike in the cache lines: of one plane, where the input's first column is.
        let plane = (width.div_ceil(planes) * input.channels).next_multiple_of(VECTOR);
        let line = planes * plane;
        let lead = match planes {
            1 => {
                (window.padding.left * input.channels).next_multiple_of(VECTOR)
                    - window.padding.left * input.channels
            }
            _ => 0,
        };
        // A line and a vector that are read and multiplied by nothing.
        let lines = input.height + window.padding.top + window.padding.bottom + 1;
        let mut planes = Self {
            input,
            output: shapes.output,
            window,
            zero,
            planes,
            plane,
            line,
            lead,
            length: lead + lines * line + VECTOR,
            parts: None,
            strips: Strips::new(
                shapes,
                match input.channels < VECTOR {
                    true => 1,
                    false => window.stride.columns,
                },
            ),
        };
        planes.parts = Parts::new(&planes);
        planes
    }

    /// The frame of a buffer.
    pub fn frame(&self) -> Frame {
        Frame {
            input: self.input,
            padding: self.window.padding,
            zero: self.zero,
            order: Order::Planes(u16::try_from(self.planes).unwrap_or(u16::MAX)),
            bytes: true,
            length: self.length,
        }
    }

    /// Where a padded column begins in its line.
    fn column(&self, column: usize) -> usize {
        column % self.planes * self.plane + column / self.planes * self.input.channels
    }

    /// Values from the first operand of an output to that of a tap.
    pub fn tap(&self, row: usize, column: usize) -> usize {
        let dilation = self.window.dilation;
        row * dilation.rows * self.line + self.column(column * dilation.columns)
    }

    /// Values from the operands of one row of outputs to those of the next.
    pub fn step(&self) -> usize {
        self.window.stride.rows * self.line
    }

    /// Copies the input into a buffer whose borders hold the converted zero point already.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub fn place(&self, source: &[i8], padded: &mut [u8]) {
        let Shape {
            width, channels, ..
        } = self.input;
        let padding = self.window.padding;
        let lines = padded[self.lead + padding.top * self.line..].chunks_exact_mut(self.line);
        for (row, line) in source.chunks_exact(width * channels).zip(lines) {
            if self.planes == 1 {
                copy(row, &mut line[padding.left * channels..][..row.len()]);
                continue;
            }
            let done = self.parts.as_ref().map_or(0, |parts| parts.copy(row, line));
            // Before divisions that would cost as much as the copy.
            if done == row.len() {
                continue;
            }
            let pixels = row.chunks_exact(channels).enumerate();
            let pixels = pixels.skip(done / channels);
            for (column, pixel) in pixels {
                let at = self.column(padding.left + column);
                copy(pixel, &mut line[at..at + channels]);
            }
        }
    }
}

/// Vectors of outputs, neighbours of one row: whole pixels, or [`VECTOR`] channels of one. The last
/// of a row, and the last block of a pixel's channels, overlap the one before.
#[derive(Clone, Copy, Debug)]
pub struct Strips {
    channels: usize,
    /// Values from the operands of an output to those of the next, over outputs between them.
    stride: usize,
    /// Blocks of channels.
    pub blocks: usize,
    /// Vectors of one block in a row.
    pub count: usize,
    step: usize,
    last: usize,
    /// Outputs of a vector.
    pub lanes: usize,
}

impl Strips {
    /// Of outputs whose operands are so many times as far apart.
    pub fn new(shapes: &LayerShapes, stride: usize) -> Self {
        let (channels, width) = (shapes.output.channels, shapes.output.width);
        match channels < VECTOR {
            true => {
                let step = VECTOR / channels * channels;
                let lanes = step.min(width * channels);
                Self {
                    channels,
                    stride,
                    blocks: 1,
                    count: (width * channels).div_ceil(step),
                    step,
                    last: width * channels - lanes,
                    lanes,
                }
            }
            false => Self {
                channels,
                stride,
                blocks: channels.div_ceil(VECTOR),
                count: width,
                step: channels,
                last: (width - 1) * channels,
                lanes: VECTOR,
            },
        }
    }

    /// Where a vector begins in a row of outputs.
    #[inline]
    pub fn begin(&self, block: usize, number: usize) -> usize {
        self.first(block) + (number * self.step).min(self.last)
    }

    /// Where a vector's operands at the first tap begin in a line.
    #[inline]
    pub fn operands(&self, block: usize, number: usize) -> usize {
        self.first(block) + (number * self.step).min(self.last) * self.stride
    }

    fn first(&self, block: usize) -> usize {
        (block * VECTOR).min(self.channels.saturating_sub(VECTOR))
    }

    /// One past the last value of a line that is read at the first tap.
    pub fn end(&self) -> usize {
        self.operands(self.blocks - 1, self.count - 1) + VECTOR
    }

    /// The channel of each lane of each register of each block: interleaving bytes twice leaves
    /// four neighbours of every sixteen in one register.
    pub fn channels(&self) -> Vec<Lanes> {
        let registers = (0..self.blocks * REGISTERS).map(|register| {
            let (block, register) = (register / REGISTERS, register % REGISTERS);
            std::array::from_fn(|lane| {
                let at = lane_of(register, lane);
                let channel = self.first(block) + at % self.channels;
                (at < self.lanes).then_some(channel)
            })
        });
        registers.collect()
    }
}

/// The output of a vector that is in this lane of this register.
pub fn lane_of(register: usize, lane: usize) -> usize {
    lane / GROUP * LANES + register * GROUP + lane % GROUP
}

/// Activations as the kernel reads them.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
pub fn converted(x: __m512i) -> __m512i {
    const { assert!(OFFSET == 128) };
    _mm512_xor_si512(x, _mm512_set1_epi8(i8::MIN))
}

/// Converts as many activations as there is place for.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn copy(source: &[i8], target: &mut [u8]) {
    let length = target.len();
    assert_eq!(source.len(), length);
    let (from, to) = (source.as_ptr(), target.as_mut_ptr());
    if length < VECTOR {
        let mask = (1 << length) - 1;
        // SAFETY: lanes beyond the length are neither read nor written.
        unsafe {
            let x = _mm512_maskz_loadu_epi8(mask, from);
            _mm512_mask_storeu_epi8(to.cast(), mask, converted(x));
        }
        return;
    }
    for at in (0..length).step_by(VECTOR) {
        let at = at.min(length - VECTOR);
        // SAFETY: 64 values from there on are in both, which are equally long.
        unsafe {
            let x = _mm512_loadu_si512(from.add(at).cast());
            _mm512_storeu_si512(to.add(at).cast(), converted(x));
        }
    }
}

/// Where the even and the odd columns of a row go, and how they are taken out of two vectors.
#[derive(Clone, Debug)]
struct Parts {
    begins: [usize; 2],
    orders: [[i64; 8]; 2],
}

impl Parts {
    /// `None` unless there are two planes, and pixels of 8, 16 or 32 channels.
    fn new(planes: &Planes) -> Option<Self> {
        let (channels, left) = (planes.input.channels, planes.window.padding.left);
        let words = channels / 8;
        let order = |odd: usize| {
            let of = |at: usize| ((2 * (at / words) + odd) * words + at % words) as i64;
            std::array::from_fn(of)
        };
        (planes.planes == 2 && [8, 16, 32].contains(&channels)).then(|| Self {
            begins: [planes.column(left), planes.column(left + 1)],
            orders: [order(0), order(1)],
        })
    }

    /// Copies the first values of a row, as many as fill pairs of vectors. Returns how many.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[inline]
    fn copy(&self, row: &[i8], line: &mut [u8]) -> usize {
        let pairs = row.as_chunks::<{ 2 * VECTOR }>().0;
        let orders = [load(&self.orders[0]), load(&self.orders[1])];
        for begin in self.begins {
            assert!(begin + pairs.len() * VECTOR <= line.len());
        }
        for (number, pair) in pairs.iter().enumerate() {
            // SAFETY: a pair has two vectors, and there is place for one of each kind, as asserted.
            unsafe {
                let first = converted(_mm512_loadu_si512(pair.as_ptr().cast()));
                let second = converted(_mm512_loadu_si512(pair.as_ptr().add(VECTOR).cast()));
                for (begin, order) in self.begins.into_iter().zip(orders) {
                    let x = _mm512_permutex2var_epi64(first, order, second);
                    let at = line.as_mut_ptr().add(begin + number * VECTOR);
                    _mm512_storeu_si512(at.cast(), x);
                }
            }
        }
        pairs.len() * 2 * VECTOR
    }
}
