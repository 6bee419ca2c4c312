//! A convolution's geometry over a padded input.

use super::packed::LANES;
use crate::network::flattened;
use brownout_spec::program::{LayerShapes, Padding, Shape};

/// What a padded buffer depends on: convolutions of the same frame can share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Shape of the input.
    pub input: Shape,
    /// Pixels around it.
    pub padding: Padding,
    /// The input's integer that stands for 0, which padding holds.
    pub zero: i8,
    /// How values lie in it.
    pub order: Order,
    /// Whether values have eight bits.
    pub bytes: bool,
    /// Values of the buffer, those that are read but multiplied by nothing included.
    pub length: usize,
}

/// The order of a padded buffer's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `[row][column][channel]`.
    Pixels,
    /// `[block][row][column][lane]`: the channels of a pixel in blocks.
    Blocks,
    /// `[row][plane][column][channel]`: every so many columns in a plane.
    Planes(u16),
    /// None: the input is read as it is, and the buffer is a line of padding.
    Border,
}

/// Where the operands of each output pixel lie in the padded input.
///
/// They lie in segments of neighbours: kernel columns × input channels of each kernel row; where
/// columns are dilated or channels in groups, the group's channels of each tap. A dense layer is
/// one segment of height·width·channels operands.
#[derive(Clone, Debug)]
pub struct Window {
    input: Shape,
    padding: Padding,
    zero: i8,
    groups: usize,
    /// Shape of the result.
    pub output: Shape,
    /// Values from a pixel's first operand to the first of each segment.
    pub segments: Vec<usize>,
    /// Operands of one segment.
    pub segment_length: usize,
    /// Values from one line of the padded input to the next.
    line: usize,
    /// Values from one output pixel's operands to its right neighbour's.
    pub step_right: usize,
    /// Values from one output pixel's operands to those of the one below.
    pub step_down: usize,
}

impl Window {
    /// The window of a convolution over an input with this zero point.
    pub fn new(shapes: &LayerShapes, zero: i8) -> Self {
        let shapes = flattened(shapes);
        let (input, window) = (shapes.input, shapes.window);
        let padding = window.padding;
        let line = (input.width + padding.left + padding.right) * input.channels;
        let (across, whole_rows) = match shapes.groups == 1 && window.dilation.columns == 1 {
            true => (1, window.width),
            false => (window.width, 1),
        };
        let rows = (0..window.height).map(|row| row * window.dilation.rows * line);
        let columns = |row| {
            let columns = (0..across).map(|column| column * window.dilation.columns);
            columns.map(move |column| row + column * input.channels)
        };
        Self {
            input,
            padding,
            zero,
            groups: shapes.groups,
            output: shapes.output,
            segments: rows.flat_map(columns).collect(),
            segment_length: whole_rows * shapes.group_channels(),
            line,
            step_right: window.stride.columns * input.channels,
            step_down: window.stride.rows * line,
        }
    }

    /// The frame of a buffer whose operands are read in groups of `group`: the last group may
    /// reach beyond the last operand.
    pub fn frame(&self, group: usize, bytes: bool) -> Frame {
        let rows = self.input.height + self.padding.top + self.padding.bottom;
        Frame {
            input: self.input,
            padding: self.padding,
            zero: self.zero,
            order: Order::Pixels,
            bytes,
            length: rows * self.line + group - 1,
        }
    }

    /// Whether each segment is three columns of whole groups, the first two of which are the last
    /// two of the pixel's left neighbour.
    pub fn has_three_columns(&self, group: usize) -> bool {
        self.segment_length == 3 * self.step_right && self.step_right.is_multiple_of(group)
    }

    /// Groups of operands in one segment.
    pub fn groups(&self, group: usize) -> usize {
        self.segment_length.div_ceil(group)
    }

    /// Output channels of one group of channels.
    pub fn group_outputs(&self) -> usize {
        self.output.channels / self.groups
    }

    /// Blocks of at most [`LANES`] outputs in one group of channels.
    pub fn group_blocks(&self) -> usize {
        self.group_outputs().div_ceil(LANES)
    }

    /// Blocks of all groups.
    pub fn blocks(&self) -> usize {
        self.groups * self.group_blocks()
    }

    /// The block of an output channel, and its lane there.
    pub fn place_of(&self, output: usize) -> (usize, usize) {
        let (group, within) = (output / self.group_outputs(), output % self.group_outputs());
        (group * self.group_blocks() + within / LANES, within % LANES)
    }

    /// A block's first output channel, how many it has, and the first input channel they see.
    pub fn block(&self, block: usize) -> Block {
        let (group, within) = (block / self.group_blocks(), block % self.group_blocks());
        Block {
            first: group * self.group_outputs() + within * LANES,
            lanes: LANES.min(self.group_outputs() - within * LANES),
            base: group * (self.input.channels / self.groups),
        }
    }

    /// One past the last value that reading in groups of `group` touches.
    pub fn end(&self, group: usize) -> usize {
        let last = self.segments.last().copied().unwrap_or(0);
        (self.output.height - 1) * self.step_down
            + (self.output.width - 1) * self.step_right
            + last
            + (self.groups - 1) * (self.input.channels / self.groups)
            + self.groups(group) * group
    }

    /// Copies the input into a buffer whose borders hold `convert(zero)` already.
    #[inline]
    pub fn place<T>(&self, source: &[i8], padded: &mut [T], convert: impl Fn(i8) -> T) {
        let row = self.input.width * self.input.channels;
        let first = self.padding.top * self.line + self.padding.left * self.input.channels;
        let lines = padded[first..].chunks_mut(self.line);
        for (source, line) in source.chunks_exact(row).zip(lines) {
            for (target, &x) in line.iter_mut().zip(source) {
                *target = convert(x);
            }
        }
    }

    /// How many neighbouring pixels to compute together, a power of two up to `most`.
    ///
    /// The last tile of a line overlaps the one before rather than be narrower;
    /// what a tile costs besides its pixels is worth about two of them.
    pub fn tile_width(&self, most: usize) -> usize {
        let width = self.output.width;
        let sizes = (0..).map(|k| 1 << k).take_while(|&p| p <= most.min(width));
        sizes
            .min_by_key(|&p| (width.div_ceil(p) * (p + 2), width - p))
            .unwrap_or(1)
    }

    /// Row and first column of every tile of `pixels`, at most a line's.
    #[inline]
    pub fn tiles(&self, pixels: usize) -> impl Iterator<Item = (usize, usize)> {
        let Shape { height, width, .. } = self.output;
        (0..height).flat_map(move |y| {
            (0..width.div_ceil(pixels)).map(move |t| (y, (t * pixels).min(width - pixels)))
        })
    }
}

/// Outputs that are computed together.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The first of them.
    pub first: usize,
    /// How many.
    pub lanes: usize,
    /// The first input channel of their group.
    pub base: usize,
}
