//! A convolution's geometry over a padded input.

use crate::network::flattened;
use brownout_spec::program::{LayerShapes, Padding, Shape};

/// Where the operands of each output pixel lie in the padded input.
///
/// The operands of one kernel row are contiguous: kernel columns × input channels.
/// A dense layer is one row of height·width·channels operands.
#[derive(Clone, Debug)]
pub struct Window {
    input: Shape,
    padding: Padding,
    /// Shape of the result.
    pub output: Shape,
    /// Kernel rows.
    pub rows: usize,
    /// Operands of one kernel row.
    pub row_length: usize,
    /// Values from one kernel row's operands to the next one's: a line of the padded input.
    pub line: usize,
    /// Values from one output pixel's operands to its right neighbour's.
    pub step_right: usize,
    /// Values from one output pixel's operands to those of the one below.
    pub step_down: usize,
}

impl Window {
    /// The window of a convolution.
    pub fn new(shapes: &LayerShapes) -> Self {
        let shapes = flattened(shapes);
        let (input, window) = (shapes.input, shapes.window);
        let padding = window.padding;
        let line = (input.width + padding.left + padding.right) * input.channels;
        Self {
            input,
            padding,
            output: shapes.output,
            rows: window.height,
            row_length: window.width * input.channels,
            line,
            step_right: window.stride.columns * input.channels,
            step_down: window.stride.rows * line,
        }
    }

    /// Two windows of one frame read inputs of the same shape and padding.
    pub fn frame(&self) -> (Shape, Padding) {
        (self.input, self.padding)
    }

    /// Values of the padded input when operands are read in groups of `group`:
    /// the last group may reach beyond the last operand.
    pub fn padded_length(&self, group: usize) -> usize {
        (self.input.height + self.padding.top + self.padding.bottom) * self.line + group - 1
    }

    /// Groups of operands in one kernel row.
    pub fn groups(&self, group: usize) -> usize {
        self.row_length.div_ceil(group)
    }

    /// One past the last value that reading in groups of `group` touches.
    pub fn end(&self, group: usize) -> usize {
        (self.output.height - 1) * self.step_down
            + (self.output.width - 1) * self.step_right
            + (self.rows - 1) * self.line
            + self.groups(group) * group
    }

    /// Copies the input into a buffer whose borders hold `convert(0)` already.
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
