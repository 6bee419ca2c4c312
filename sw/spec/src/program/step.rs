//! One pass of the accelerator.

use super::descriptor::Descriptor;
use super::{LayerShapes, Place, Shape, Window};
use crate::arithmetic::{OutputScale, ResidualScale};
use crate::image::Tiling;

/// Why there is a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It computes a layer.
    Layer(usize),
    /// It copies a tensor, 0 the network's input, k the output of layer k − 1.
    Copy(usize),
}

/// The second tensor of a step: a residual operand, or what an addition adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Where it lies.
    pub place: Place,
    /// Its shape.
    pub shape: Shape,
    /// Every `stride`-th row and column is read: 1 or 2.
    pub stride: usize,
    /// Its scale.
    pub scale: ResidualScale,
    /// Its zero point, which is taken off.
    pub zero: i8,
}

/// A layer, or a copy of a tensor, as the accelerator runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is for.
    pub origin: Origin,
    /// Shapes, and the window that it moves over its source, padding of a layer of padding included.
    pub shapes: LayerShapes,
    /// Output rows and columns for each window, less one: zero but in a resize.
    pub repeats: (usize, usize),
    /// Whether it is a convolution, and so reads weights.
    pub convolution: bool,
    /// Whether it sums its taps, without weights.
    pub sums: bool,
    /// Whether it adds its operand in a tap of its own, as a stand-alone addition does.
    pub operand_tap: bool,
    /// Whether it is the last layer, whose results are int32.
    pub wide: bool,
    /// Whether its output begins within a tile of columns and reaches into the next one, so that
    /// each pixel of an output tile is written in two clocks.
    pub split: bool,
    /// Whether lanes beyond its channels are left as they are: a part of a concatenated tensor
    /// lies there. Else they are written as zero.
    pub keep: bool,
    /// What is read.
    pub source: Place,
    /// The zero point that is taken off what is read; 0 of a copy, which leaves what is stored.
    pub source_zero: i8,
    /// What is written; in the last layer nothing, and then `base` is its number of channels.
    pub destination: Place,
    /// What is added.
    pub operand: Option<Operand>,
    /// Shift and bounds of its output.
    pub output: OutputScale,
    /// The table in which its output is looked up (pointwise layers).
    pub table: Option<usize>,
    /// How its weights are cut (convolutions).
    pub tiling: Option<Tiling>,
    /// Tiles of `rows` input channels that each output tile reads; 1 without an array.
    pub input_tiles: usize,
    /// Tiles of `columns` output channels.
    pub output_tiles: usize,
    /// Sets of parameters, chosen by the output pixel's place: 1 or 9.
    pub sets: usize,
    /// Address of the first weight word (convolutions).
    pub weight_base: usize,
    /// Parameter address of the first output tile; set by set, and in each tile by tile.
    pub parameter_base: usize,
    /// What the sequencer reads.
    pub descriptor: Descriptor,
}

impl Step {
    /// Array tiles (or taps of a pool) that the step streams, in all.
    pub fn tiles(&self) -> usize {
        self.output_tiles * self.taps() * self.input_tiles
    }

    /// Pixels of the window; two of an addition, one of each tensor.
    pub fn taps(&self) -> usize {
        self.window().taps() + usize::from(self.operand_tap)
    }

    /// The window that it moves over its source.
    pub fn window(&self) -> &Window {
        &self.shapes.window
    }

    /// Clocks in which the weights of a tile are loaded; 0 without an array.
    pub fn clocks_per_load(&self) -> usize {
        self.tiling.map_or(0, |tiling| tiling.clocks_per_load())
    }

    /// Clocks that a pixel takes in the last tile of each output tile: one, two where it is
    /// written in two parts, or one for each of so many columns where results leave one by one.
    pub fn spacing(&self, columns: usize) -> usize {
        match (self.wide, self.split) {
            (true, _) => columns,
            (false, true) => 2,
            (false, false) => 1,
        }
    }

    /// M: output pixels, streamed once per tile.
    pub fn pixels(&self) -> usize {
        self.shapes.output.pixels()
    }

    /// Addresses of the parameter memories that it has.
    pub fn parameter_tiles(&self) -> usize {
        self.sets * self.output_tiles
    }

    /// Multiplications of the step, padding of tiles not counted.
    pub fn multiply_accumulates(&self) -> usize {
        if !self.convolution {
            return 0;
        }
        self.shapes.inputs() * self.shapes.output.volume()
    }

    /// The layer that it computes; none of a copy.
    pub fn layer(&self) -> Option<usize> {
        match self.origin {
            Origin::Layer(layer) => Some(layer),
            Origin::Copy(_) => None,
        }
    }
}
