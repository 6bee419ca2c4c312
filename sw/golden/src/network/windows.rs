//! Geometry of a convolution: where each output pixel's operands lie, forward and backward.
//!
//! Windows are looked up in tables ("indirection", as in Dukhan, "The indirect convolution
//! algorithm", 2019): one inner loop then serves every kernel, stride and padding, dense
//! layers, and tiles that run over the ends of rows and images.

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

    /// Length of the buffer for padded images: none if nothing is padded.
    pub fn padded_length(&self, images: usize) -> usize {
        match self.padding {
            0 => 0,
            _ => images * self.padded.volume(),
        }
    }

    /// Length of the buffer that [`Forward::convolve`] works in.
    pub fn buffer_length(&self, images: usize) -> usize {
        let winograd = self.winograd.as_ref();
        winograd.map_or(0, |w| w.buffer_length(images))
    }

    /// Length of a weight gradient as [`tiles::correlate`] adds to it.
    pub fn packed_length(&self) -> usize {
        self.table.packed_length(self.outputs())
    }

    /// The windows of that many images.
    pub fn windows(&self, images: usize) -> tiles::Windows<'_> {
        self.table.windows(images)
    }

    /// The images inside their zero border, which the buffer has already.
    pub fn pad<'b>(&self, images: &'b [f32], buffer: &'b mut [f32]) -> &'b [f32] {
        if self.padding == 0 {
            return images;
        }
        let row = self.input.width * self.input.channels;
        let stride = self.padded.width * self.padded.channels;
        let first = self.padding * (stride + self.padded.channels);
        let sources = images.chunks_exact(self.input.volume());
        for (source, padded) in sources.zip(buffer.chunks_exact_mut(self.padded.volume())) {
            let rows = source.chunks_exact(row);
            for (source, target) in rows.zip(padded[first..].chunks_mut(stride)) {
                target[..row].copy_from_slice(source);
            }
        }
        buffer
    }

    /// Convolves that many images inside their border with packed weights, overwriting.
    pub fn convolve(
        &self,
        padded: &[f32],
        images: usize,
        packed: &[f32],
        buffer: &mut [f32],
        y: &mut [f32],
    ) {
        match &self.winograd {
            Some(winograd) => winograd.convolve(padded, images, packed, buffer, y),
            None => tiles::convolve(padded, &self.windows(images), packed, self.outputs(), y),
        }
    }

    /// Packs weights `[output][row][column][input]` for [`Forward::convolve`].
    pub fn pack(&self, weight: &[f32]) -> Vec<f32> {
        if let Some(winograd) = &self.winograd {
            let (rows, inputs) = (self.table.rows, self.input.channels);
            return winograd.pack(|output, row, column, input| {
                weight[((output * rows + row) * 3 + column) * inputs + input]
            });
        }
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

    /// The forward convolution's windows, for results that are padded gradients.
    pub fn correlated<'a>(&'a self, forward: &'a Forward, images: usize) -> tiles::Windows<'a> {
        let windows = forward.windows(images);
        tiles::Windows {
            targets: &self.places[..windows.bases.len()],
            ..windows
        }
    }

    /// Packs weights `[output][row][column][input]` for [`Backward::convolve`].
    pub fn pack(&self, weight: &[f32]) -> Vec<f32> {
        let (outputs, inputs) = (self.output.channels, self.input.channels);
        if let Some(winograd) = &self.winograd {
            let last = self.kernel.0 - 1;
            return winograd.pack(|input, row, column, output| {
                weight[((output * (last + 1) + last - row) * 3 + 2 - column) * inputs + input]
            });
        }
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

    /// Length of the buffer that [`Backward::convolve`] works in.
    pub fn buffer_length(&self, images: usize) -> usize {
        let winograd = self.winograd.as_ref();
        winograd.map_or(0, |w| w.buffer_length(images))
    }

    /// The input's gradient of that many images from their padded output's, overwriting.
    pub fn convolve(
        &self,
        padded: &[f32],
        images: usize,
        packed: &[f32],
        buffer: &mut [f32],
        dx: &mut [f32],
    ) {
        if let Some(winograd) = &self.winograd {
            return winograd.convolve(padded, images, packed, buffer, dx);
        }
        let inputs = self.input.channels;
        let is_met = |class: &Class| class.table.row_length * class.table.rows > 0;
        if !self.classes.iter().all(is_met) {
            // Pixels that no tap meets.
            dx.fill(0.0);
        }
        let mut rest = packed;
        for class in self.classes.iter().filter(|class| is_met(class)) {
            let (part, after) = rest.split_at(class.table.packed_length(inputs));
            rest = after;
            let windows = class.table.windows(images);
            if !windows.bases.is_empty() {
                tiles::convolve(padded, &windows, part, inputs, dx);
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
