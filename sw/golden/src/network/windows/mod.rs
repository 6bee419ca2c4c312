//! Geometry of a convolution: where each output pixel's operands lie, forward and backward.
//!
//! Windows are looked up in tables ("indirection", as in Dukhan, "The indirect convolution
//! algorithm", 2019): one inner loop then serves every kernel, stride and padding, dense
//! layers, and tiles that run over the ends of rows and images.

mod backward;

use super::bfloat::{self, Precision};
use super::level::LANES;
use super::tiles;
use super::winograd::Winograd;
use brownout_spec::program::{LayerShapes, Padding, Shape, Window};

pub(super) use backward::Backward;

/// Output pixels that are worth one turn of the inner loops: smaller maps are taken
/// several images at a time, so that weights are read for more than a few pixels.
const PIXELS: usize = 64;

/// How many of a chunk's images are convolved together.
pub(super) fn group(shapes: &LayerShapes, images: usize) -> usize {
    PIXELS.div_ceil(shapes.output.pixels()).min(images)
}

/// A layer's weights as the inner loops read them.
#[derive(Clone, Debug)]
pub(super) enum PackedWeights {
    /// For [`tiles::convolve`], or for [`Winograd::convolve`] where the layer fits.
    Single(Vec<f32>),
    /// For [`bfloat::convolve`].
    Pairs(Vec<u32>),
}

/// A layer's inputs of a group of images inside their zero border, in the forms that the
/// inner loops read. Buffers grow to what is needed. A place is written for every image or
/// never, and what is never written is zero: the border.
#[derive(Clone, Debug, Default)]
pub(super) struct Padded {
    values: Vec<f32>,
    /// Pairs of neighbouring channels.
    channels: Vec<u32>,
    /// Pairs of neighbouring pixels.
    pixels: Vec<u32>,
}

/// What the inner loops work in; grows to what is needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    /// Sums of operands.
    sums: Vec<f32>,
    /// A gradient in pairs.
    pairs: Vec<u32>,
}

/// A buffer's first values.
fn first<T: Copy + Default>(buffer: &mut Vec<T>, length: usize) -> &mut [T] {
    if buffer.len() < length {
        buffer.resize(length, T::default());
    }
    &mut buffer[..length]
}

/// The windows of a group of images.
#[derive(Clone, Debug)]
struct Table {
    bases: Vec<u32>,
    targets: Vec<u32>,
    /// Output pixels of one image.
    pixels: usize,
    rows: usize,
    row_stride: usize,
    row_length: usize,
}

impl Table {
    fn windows(&self, images: usize) -> tiles::Windows<'_> {
        tiles::Windows {
            bases: &self.bases[..images * self.pixels],
            targets: &self.targets[..images * self.pixels],
            rows: self.rows,
            row_stride: self.row_stride,
            row_length: self.row_length,
        }
    }

    /// Length of the packed weights for so many outputs.
    fn packed_length(&self, outputs: usize) -> usize {
        outputs.div_ceil(LANES) * self.windows(0).block_length()
    }
}

/// The forward convolution of a group of images.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    input: Shape,
    output: Shape,
    padding: Padding,
    padded: Shape,
    /// Distance between the operands of neighbouring output pixels.
    step: usize,
    table: Table,
    /// The same with fewer products, where the layer fits.
    winograd: Option<Winograd>,
}

impl Forward {
    /// The convolution of up to `images` images.
    pub fn new(shapes: &LayerShapes, images: usize) -> Self {
        let shapes = flattened(shapes);
        let LayerShapes {
            input,
            output,
            window,
            ..
        } = shapes;
        let Window {
            padding, stride, ..
        } = window;
        let padded = Shape {
            height: input.height + padding.top + padding.bottom,
            width: input.width + padding.left + padding.right,
            channels: input.channels,
        };
        let mut bases = Vec::with_capacity(images * output.pixels());
        for (image, y, x) in positions(images, output.height, output.width) {
            let row = image * padded.height + y * stride.rows;
            let pixel = row * padded.width + x * stride.columns;
            bases.push((pixel * padded.channels) as u32);
        }
        let targets = (0..bases.len()).map(|p| (p * output.channels) as u32);
        let rows = window.height;
        let fast = Winograd::fits(&shapes);
        Self {
            winograd: fast.then(|| Winograd::new(padded, output, rows, images)),
            input,
            output,
            padding,
            padded,
            step: stride.columns * padded.channels,
            table: Table {
                targets: targets.collect(),
                bases,
                pixels: output.pixels(),
                rows,
                row_stride: padded.width * padded.channels,
                row_length: window.width * padded.channels,
            },
        }
    }

    /// Channels of the result.
    pub fn outputs(&self) -> usize {
        self.output.channels
    }

    /// Values of one image's input.
    pub fn input_volume(&self) -> usize {
        self.input.volume()
    }

    /// Values of one image's result.
    pub fn output_volume(&self) -> usize {
        self.output.volume()
    }

    /// Length of a weight gradient as [`tiles::correlate`] adds to it.
    pub fn packed_length(&self) -> usize {
        self.table.packed_length(self.outputs())
    }

    /// The windows of that many images.
    pub fn windows(&self, images: usize) -> tiles::Windows<'_> {
        self.table.windows(images)
    }

    /// Images inside their border, which the buffer has already. Each row is put from `lead`
    /// values before its place on; `together` values are one of the buffer's.
    fn place<'b, T: Copy + Default>(
        &self,
        x: &[f32],
        buffer: &'b mut Vec<T>,
        (lead, together): (usize, usize),
        put: impl Fn(&[f32], &mut [T]),
    ) -> &'b [T] {
        let row = self.input.width * self.input.channels;
        let stride = self.padded.width * self.padded.channels;
        let start = self.padding.top * stride + self.padding.left * self.padded.channels - lead;
        let images = x.chunks_exact(self.input.volume());
        let volume = self.padded.volume() / together;
        let buffer = first(buffer, images.len() * volume);
        for (image, padded) in images.zip(buffer.chunks_exact_mut(volume)) {
            for (number, row) in image.chunks_exact(row).enumerate() {
                put(row, &mut padded[(start + number * stride) / together..]);
            }
        }
        buffer
    }

    fn padded<'b>(&self, x: &'b [f32], padded: &'b mut Padded) -> &'b [f32] {
        if self.padding == Padding::NONE {
            return x;
        }
        self.place(x, &mut padded.values, (0, 1), |row, target| {
            target[..row.len()].copy_from_slice(row);
        })
    }

    /// Images inside their border, each two neighbouring channels a pair.
    pub(super) fn channel_pairs<'b>(&self, x: &[f32], padded: &'b mut Padded) -> &'b [u32] {
        self.place(x, &mut padded.channels, (0, 2), bfloat::pair_neighbours)
    }

    /// Images inside their border, each value paired with that of the next output pixel.
    pub(super) fn pixel_pairs<'b>(&self, x: &[f32], padded: &'b mut Padded) -> &'b [u32] {
        // What is in the border before a row has a partner in it.
        let lead = self.step.min(self.padding.left * self.padded.channels);
        let ahead = self.step - lead;
        self.place(x, &mut padded.pixels, (lead, 1), |row, target| {
            let (before, target) = target.split_at_mut(lead);
            bfloat::pair_after(&row[ahead..], before);
            bfloat::pair_apart(row, self.step, target);
        })
    }

    /// Convolves that many images with packed weights, overwriting.
    pub fn convolve(
        &self,
        (x, images): (&[f32], usize),
        packed: &PackedWeights,
        padded: &mut Padded,
        scratch: &mut Scratch,
        y: &mut [f32],
    ) {
        let windows = self.windows(images);
        match (packed, &self.winograd) {
            (PackedWeights::Pairs(packed), _) => {
                let x = self.channel_pairs(x, padded);
                bfloat::convolve(x, &windows, packed, self.outputs(), y);
            }
            (PackedWeights::Single(packed), Some(winograd)) => {
                let sums = first(&mut scratch.sums, winograd.buffer_length(images));
                winograd.convolve(self.padded(x, padded), images, packed, sums, y);
            }
            (PackedWeights::Single(packed), None) => {
                let x = self.padded(x, padded);
                tiles::convolve(x, &windows, packed, self.outputs(), y);
            }
        }
    }

    /// Packs weights `[output][row][column][input]` for [`Forward::convolve`]. Layers with an
    /// odd number of input channels are always in single precision.
    pub fn pack(&self, weight: &[f32], precision: Precision) -> PackedWeights {
        if precision == Precision::Bfloat16 && self.input.channels.is_multiple_of(2) {
            return PackedWeights::Pairs(bfloat::pair_weights(&self.pack_plain(weight)));
        }
        let Some(winograd) = &self.winograd else {
            return PackedWeights::Single(self.pack_plain(weight));
        };
        let (rows, inputs) = (self.table.rows, self.input.channels);
        PackedWeights::Single(winograd.pack(|output, row, column, input| {
            weight[((output * rows + row) * 3 + column) * inputs + input]
        }))
    }

    fn pack_plain(&self, weight: &[f32]) -> Vec<f32> {
        let mut packed = vec![0.0; self.packed_length()];
        let block = self.table.windows(0).block_length();
        for (output, weight) in weight.chunks_exact(block / LANES).enumerate() {
            let target = &mut packed[(output / LANES) * block..][..block];
            for (target, &w) in target.as_chunks_mut::<LANES>().0.iter_mut().zip(weight) {
                target[output % LANES] = w;
            }
        }
        packed
    }

    /// The weight gradient `[output][row][column][input]` from that of [`tiles::correlate`].
    pub fn unpack(&self, packed: &[f32], weight: &mut [f32]) {
        let block = self.table.windows(0).block_length();
        for (output, weight) in weight.chunks_exact_mut(block / LANES).enumerate() {
            let source = &packed[(output / LANES) * block..][..block];
            for (source, w) in source.as_chunks::<LANES>().0.iter().zip(weight) {
                *w = source[output % LANES];
            }
        }
    }
}

/// All (image, row, column), in the order of memory.
fn positions(
    images: usize,
    height: usize,
    width: usize,
) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..images).flat_map(move |n| (0..height).flat_map(move |y| (0..width).map(move |x| (n, y, x))))
}

/// The layer, or the same as a 1 × 1 convolution if its kernel is the whole map.
pub(crate) fn flattened(shapes: &LayerShapes) -> LayerShapes {
    let input = shapes.input;
    let Window {
        height,
        width,
        padding,
        ..
    } = shapes.window;
    if padding != Padding::NONE || (height, width) != (input.height, input.width) {
        return *shapes;
    }
    LayerShapes {
        input: Shape {
            height: 1,
            width: 1,
            channels: input.volume(),
        },
        window: Window::square(1, 1, 0),
        ..*shapes
    }
}
