//! A depthwise convolution's geometry: channels in blocks, each with a padded map of its own.

use super::packed::LANES;
use super::window::{Block, Frame, Order};
use brownout_spec::program::{LayerShapes, Shape, Window};

/// Where the operands of each output pixel lie in the padded input `[block][row][column][lane]`.
#[derive(Clone, Debug)]
pub struct Blocked {
    input: Shape,
    /// Shape of the result, which has the input's channels.
    pub output: Shape,
    /// The window.
    pub window: Window,
    zero: i8,
    /// Values of one line.
    pub line: usize,
    /// Values of one block.
    map: usize,
}

impl Blocked {
    /// The geometry of a convolution with as many groups as input and output channels.
    pub fn new(shapes: &LayerShapes, zero: i8) -> Self {
        let (input, padding) = (shapes.input, shapes.window.padding);
        let line = (input.width + padding.left + padding.right) * LANES;
        Self {
            input,
            output: shapes.output,
            window: shapes.window,
            zero,
            line,
            map: (input.height + padding.top + padding.bottom) * line,
        }
    }

    /// The frame of a buffer.
    pub fn frame(&self) -> Frame {
        Frame {
            input: self.input,
            padding: self.window.padding,
            zero: self.zero,
            order: Order::Blocks,
            bytes: false,
            length: self.blocks() * self.map,
        }
    }

    /// Blocks of at most [`LANES`] channels.
    pub fn blocks(&self) -> usize {
        self.output.channels.div_ceil(LANES)
    }

    /// A block's channels, and where its map begins.
    pub fn block(&self, block: usize) -> Block {
        let first = block * LANES;
        Block {
            first,
            lanes: LANES.min(self.output.channels - first),
            base: block * self.map,
        }
    }

    /// Where a window begins in its map.
    #[inline]
    pub fn begin(&self, row: usize, column: usize) -> usize {
        row * self.window.stride.rows * self.line + column * self.window.stride.columns * LANES
    }

    /// Values from a window's first operand to that of each tap.
    pub fn taps(&self) -> Vec<usize> {
        let window = &self.window;
        let taps = (0..window.taps()).map(|tap| (tap / window.width, tap % window.width));
        let at = |(row, column)| {
            row * window.dilation.rows * self.line + column * window.dilation.columns * LANES
        };
        taps.map(at).collect()
    }

    /// Copies the input into a buffer whose borders hold the converted zero point already.
    #[inline]
    pub fn place<T>(
        &self,
        source: &[i8],
        padded: &mut [T],
        convert: impl Fn([i8; LANES]) -> [T; LANES],
    ) {
        let Shape {
            width, channels, ..
        } = self.input;
        let padding = self.window.padding;
        let begin = padding.top * self.line + padding.left * LANES;
        for number in 0..self.blocks() {
            let Block { first, lanes, base } = self.block(number);
            let lines = padded[base + begin..].chunks_mut(self.line);
            let rows = source.chunks_exact(width * channels);
            for (row, (pixels, line)) in rows.zip(lines).enumerate() {
                let targets = line.as_chunks_mut::<LANES>().0;
                if lanes == LANES {
                    for (pixel, target) in pixels.chunks_exact(channels).zip(targets) {
                        if let Some(values) = pixel[first..].first_chunk() {
                            *target = convert(*values);
                        }
                    }
                    continue;
                }
                // Lanes beyond the channels may hold anything: they are multiplied by nothing.
                let begin = row * width * channels + first;
                let whole = source[begin..].windows(LANES).step_by(channels);
                let mut written = 0;
                for (values, target) in whole.zip(&mut targets[..width]) {
                    if let Some(values) = values.first_chunk() {
                        *target = convert(*values);
                    }
                    written += 1;
                }
                let mut at = begin + written * channels;
                for target in &mut targets[written..width] {
                    let mut values = [0; LANES];
                    values[..lanes].copy_from_slice(&source[at..at + lanes]);
                    *target = convert(values);
                    at += channels;
                }
            }
        }
    }
}

/// The weights of a depthwise convolution in lanes: `[block][tap]`.
pub fn lanes(tensor: &[i8], taps: usize) -> Vec<Vec<[i8; LANES]>> {
    let blocks = tensor.chunks(taps * LANES).map(|channels| {
        let mut block = vec![[0; LANES]; taps];
        for (lane, weights) in channels.chunks_exact(taps).enumerate() {
            for (tap, &weight) in block.iter_mut().zip(weights) {
                tap[lane] = weight;
            }
        }
        block
    });
    blocks.collect()
}

/// Where the accumulators of each block start, whose operands are read with `offset` too much.
pub fn starts(lanes: &[Vec<[i8; LANES]>], offset: i32) -> Vec<[i32; LANES]> {
    let start = |block: &Vec<[i8; LANES]>| {
        std::array::from_fn(|lane| {
            let sum: i32 = block.iter().map(|tap| i32::from(tap[lane])).sum();
            -offset * sum
        })
    };
    lanes.iter().map(start).collect()
}
