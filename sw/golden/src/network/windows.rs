//! Geometry of a convolution: where each output pixel's operands lie, forward and backward.
//!
//! Windows are looked up in tables ("indirection", as in Dukhan, "The indirect convolution
//! algorithm", 2019): one inner loop then serves every kernel, stride and padding, dense
//! layers, and tiles that run over the ends of rows and images.

use super::bfloat::{self, Precision};
use super::level::LANES;
use super::tiles;
use super::winograd::Winograd;
use brownout_spec::program::{LayerShapes, Shape};

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
    padding: usize,
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
            padding,
            stride,
            ..
        } = shapes;
        let padded = Shape {
            height: input.height + 2 * padding,
            width: input.width + 2 * padding,
            channels: input.channels,
        };
        let mut bases = Vec::with_capacity(images * output.pixels());
        for (image, y, x) in positions(images, output.height, output.width) {
            let pixel = (image * padded.height + y * stride) * padded.width + x * stride;
            bases.push((pixel * padded.channels) as u32);
        }
        let targets = (0..bases.len()).map(|p| (p * output.channels) as u32);
        let rows = shapes.kernel_height;
        let fast = Winograd::fits(&shapes);
        Self {
            winograd: fast.then(|| Winograd::new(padded, output, rows, images)),
            input,
            output,
            padding,
            padded,
            step: stride * padded.channels,
            table: Table {
                targets: targets.collect(),
                bases,
                pixels: output.pixels(),
                rows,
                row_stride: padded.width * padded.channels,
                row_length: shapes.kernel_width * padded.channels,
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
        let start = self.padding * (stride + self.padded.channels) - lead;
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
        if self.padding == 0 {
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
        let lead = self.step.min(self.padding * self.padded.channels);
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

/// The way back through the convolution of a group of images.
///
/// With stride *s* an input pixel belongs to one of *s* × *s* classes, by its coordinates
/// modulo *s*. Each class meets its own taps of the kernel, every *s*-th, and is a
/// convolution of the output's gradient with stride 1: nothing is multiplied with the
/// zeros of a gradient that is spread out.
#[derive(Clone, Debug)]
pub(super) struct Backward {
    output: Shape,
    input: Shape,
    kernel: (usize, usize),
    /// The output's gradient inside its border.
    padded: Shape,
    /// First pixel of the gradient there.
    first: usize,
    /// Where each output pixel's gradient lies there.
    places: Vec<u32>,
    classes: Vec<Class>,
    /// The one class with fewer products, where the layer fits.
    winograd: Option<Winograd>,
}

/// Input pixels whose coordinates have the same remainders.
#[derive(Clone, Debug)]
struct Class {
    table: Table,
    /// The taps that it meets, last first: kernel rows and kernel columns.
    taps: (Vec<usize>, Vec<usize>),
}

/// One coordinate of a class: of the input pixels `remainder` + *i*·stride, the *i*-th sees
/// `taps` gradients from *i* + `start` on.
struct Axis {
    remainder: usize,
    count: usize,
    start: isize,
    taps: Vec<usize>,
}

impl Axis {
    fn all(size: usize, kernel: usize, stride: usize, padding: usize) -> Vec<Self> {
        let axis = |remainder: usize| {
            let position = remainder + padding;
            let taps: Vec<_> = (position % stride..kernel).step_by(stride).rev().collect();
            Self {
                remainder,
                count: size.saturating_sub(remainder).div_ceil(stride),
                start: (position / stride) as isize + 1 - taps.len() as isize,
                taps,
            }
        };
        (0..stride).map(axis).collect()
    }

    /// Border in front of a gradient, and its size with both borders.
    fn border(axes: &[Self], size: usize) -> (usize, usize) {
        let front = axes.iter().map(|a| -a.start).max().unwrap_or(0).max(0);
        let end = |a: &Self| (a.count + a.taps.len()) as isize - 1 + a.start;
        let end = axes.iter().map(end).max().unwrap_or(0).max(size as isize);
        (front as usize, (front + end) as usize)
    }
}

impl Backward {
    /// The way back for up to `images` images.
    pub fn new(shapes: &LayerShapes, images: usize) -> Self {
        let shapes = flattened(shapes);
        let LayerShapes {
            input,
            output,
            stride,
            padding,
            ..
        } = shapes;
        let kernel = (shapes.kernel_height, shapes.kernel_width);
        let rows = Axis::all(input.height, kernel.0, stride, padding);
        let columns = Axis::all(input.width, kernel.1, stride, padding);
        let (top, height) = Axis::border(&rows, output.height);
        let (left, width) = Axis::border(&columns, output.width);
        let padded = Shape {
            height,
            width,
            channels: output.channels,
        };
        let place = |image: usize, y: usize, x: usize| {
            (((image * height + y) * width + x) * output.channels) as u32
        };
        let first = place(0, top, left) as usize;
        let places = positions(images, output.height, output.width)
            .map(|(image, y, x)| place(image, top + y, left + x))
            .collect();
        let mut classes = Vec::with_capacity(stride * stride);
        for row in &rows {
            for column in &columns {
                let (mut bases, mut targets) = (Vec::new(), Vec::new());
                for (image, y, x) in positions(images, row.count, column.count) {
                    let at = |i: usize, axis: &Axis, border: usize| {
                        (i as isize + axis.start + border as isize) as usize
                    };
                    bases.push(place(image, at(y, row, top), at(x, column, left)));
                    let (y, x) = (row.remainder + y * stride, column.remainder + x * stride);
                    let pixel = (image * input.height + y) * input.width + x;
                    targets.push((pixel * input.channels) as u32);
                }
                classes.push(Class {
                    table: Table {
                        bases,
                        targets,
                        pixels: row.count * column.count,
                        rows: row.taps.len(),
                        row_stride: width * output.channels,
                        row_length: column.taps.len() * output.channels,
                    },
                    taps: (row.taps.clone(), column.taps.clone()),
                });
            }
        }
        let fast = Winograd::fits(&shapes);
        Self {
            winograd: fast.then(|| Winograd::new(padded, input, kernel.0, images)),
            output,
            input,
            kernel,
            padded,
            first,
            places,
            classes,
        }
    }

    /// Length of the buffer for that many images' padded gradients, with the lanes behind
    /// the last pixel that [`tiles::correlate`] reads.
    pub fn padded_length(&self, images: usize) -> usize {
        images * self.padded.volume() + LANES
    }

    /// Values of one padded gradient.
    pub fn padded_volume(&self) -> usize {
        self.padded.volume()
    }

    /// Where the rows of a gradient lie inside its border: first value, distance of rows.
    pub fn rows(&self) -> (usize, usize) {
        (self.first, self.padded.width * self.padded.channels)
    }

    /// Values of one row of a gradient.
    pub fn row_length(&self) -> usize {
        self.output.width * self.output.channels
    }

    /// Where each output pixel's gradient lies inside its border.
    #[cfg(test)]
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// Adds the weight gradient of that many images from their inputs and their padded
    /// output's gradients. Maps with an odd width are always in single precision.
    pub fn correlate(
        &self,
        forward: &Forward,
        (x, g): (&[f32], &[f32]),
        (images, precision): (usize, Precision),
        padded: &mut Padded,
        scratch: &mut Scratch,
        packed: &mut [f32],
    ) {
        let windows = forward.windows(images);
        let windows = tiles::Windows {
            targets: &self.places[..windows.bases.len()],
            ..windows
        };
        if precision == Precision::Single || !self.output.width.is_multiple_of(2) {
            return tiles::correlate(forward.padded(x, padded), &windows, g, packed);
        }
        let x = forward.pixel_pairs(x, padded);
        let g = &g[..self.padded_length(images)];
        let pairs = first(&mut scratch.pairs, g.len());
        bfloat::pair_apart(g, self.output.channels, pairs);
        bfloat::correlate(x, &windows, pairs, packed);
    }

    /// Packs weights `[output][row][column][input]` for [`Backward::convolve`]. Layers with an
    /// odd number of output channels are always in single precision.
    pub fn pack(&self, weight: &[f32], precision: Precision) -> PackedWeights {
        if precision == Precision::Bfloat16 && self.output.channels.is_multiple_of(2) {
            return PackedWeights::Pairs(bfloat::pair_weights(&self.pack_plain(weight)));
        }
        let Some(winograd) = &self.winograd else {
            return PackedWeights::Single(self.pack_plain(weight));
        };
        let (rows, inputs) = (self.kernel.0, self.input.channels);
        PackedWeights::Single(winograd.pack(|input, row, column, output| {
            weight[((output * rows + rows - 1 - row) * 3 + 2 - column) * inputs + input]
        }))
    }

    fn pack_plain(&self, weight: &[f32]) -> Vec<f32> {
        let (outputs, inputs) = (self.output.channels, self.input.channels);
        let length = |class: &Class| class.table.packed_length(inputs);
        let mut packed = vec![0.0; self.classes.iter().map(length).sum()];
        let mut rest = &mut packed[..];
        for class in &self.classes {
            let (part, after) = rest.split_at_mut(length(class));
            rest = after;
            let blocks = part.as_chunks_mut::<LANES>().0;
            let taps = class.taps.0.iter();
            let taps = taps.flat_map(|&y| class.taps.1.iter().map(move |&x| (y, x)));
            let count = class.taps.0.len() * class.taps.1.len();
            for (tap, (y, x)) in taps.enumerate() {
                for output in 0..outputs {
                    let at = ((output * self.kernel.0 + y) * self.kernel.1 + x) * inputs;
                    let weight = weight[at..at + inputs].chunks(LANES);
                    for (block, weight) in weight.enumerate() {
                        let lanes = &mut blocks[(block * count + tap) * outputs + output];
                        lanes[..weight.len()].copy_from_slice(weight);
                    }
                }
            }
        }
        packed
    }

    /// The input's gradient of that many images from their padded output's, overwriting.
    pub fn convolve(
        &self,
        padded: &[f32],
        images: usize,
        packed: &PackedWeights,
        scratch: &mut Scratch,
        dx: &mut [f32],
    ) {
        match (packed, &self.winograd) {
            (PackedWeights::Pairs(packed), _) => {
                let values = &padded[..images * self.padded.volume()];
                let pairs = first(&mut scratch.pairs, values.len() / 2);
                bfloat::pair_neighbours(values, pairs);
                self.each_class(packed, (images, 2), dx, |windows, packed, inputs, dx| {
                    bfloat::convolve(pairs, windows, packed, inputs, dx);
                });
            }
            (PackedWeights::Single(packed), Some(winograd)) => {
                let sums = first(&mut scratch.sums, winograd.buffer_length(images));
                winograd.convolve(padded, images, packed, sums, dx);
            }
            (PackedWeights::Single(packed), None) => {
                self.each_class(packed, (images, 1), dx, |windows, packed, inputs, dx| {
                    tiles::convolve(padded, windows, packed, inputs, dx);
                });
            }
        }
    }

    /// Convolves class by class, of packed weights of which each place holds `together`.
    fn each_class<T>(
        &self,
        packed: &[T],
        (images, together): (usize, usize),
        dx: &mut [f32],
        convolve: impl Fn(&tiles::Windows<'_>, &[T], usize, &mut [f32]),
    ) {
        let inputs = self.input.channels;
        let is_met = |class: &Class| class.table.row_length * class.table.rows > 0;
        if !self.classes.iter().all(is_met) {
            // Pixels that no tap meets.
            dx.fill(0.0);
        }
        let mut rest = packed;
        for class in self.classes.iter().filter(|class| is_met(class)) {
            let (part, after) = rest.split_at(class.table.packed_length(inputs) / together);
            rest = after;
            let windows = class.table.windows(images);
            if !windows.bases.is_empty() {
                convolve(&windows, part, inputs, dx);
            }
        }
        debug_assert!(rest.is_empty(), "weights of as many classes");
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
    let covers = shapes.padding == 0
        && (shapes.kernel_height, shapes.kernel_width) == (input.height, input.width);
    if !covers {
        return *shapes;
    }
    LayerShapes {
        input: Shape {
            height: 1,
            width: 1,
            channels: input.volume(),
        },
        kernel_height: 1,
        kernel_width: 1,
        stride: 1,
        ..*shapes
    }
}
