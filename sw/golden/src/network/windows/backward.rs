//! The way back: the gradients of a convolution's input and of its weights.

use super::{Forward, PackedWeights, Padded, Scratch, Table, first, flattened, positions};
use crate::network::bfloat::{self, Precision};
use crate::network::level::LANES;
use crate::network::tiles;
use crate::network::winograd::Winograd;
use brownout_spec::program::{LayerShapes, Shape};

/// The way back through the convolution of a group of images.
///
/// With stride *s* an input pixel belongs to one of *s* × *s* classes, by its coordinates
/// modulo *s*. Each class meets its own taps of the kernel, every *s*-th, and is a
/// convolution of the output's gradient with stride 1: nothing is multiplied with the
/// zeros of a gradient that is spread out.
#[derive(Clone, Debug)]
pub(in crate::network) struct Backward {
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
            window,
            ..
        } = shapes;
        let (kernel, stride) = ((window.height, window.width), window.stride);
        let rows = Axis::all(input.height, kernel.0, stride.rows, window.padding.top);
        let columns = Axis::all(input.width, kernel.1, stride.columns, window.padding.left);
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
        let mut classes = Vec::with_capacity(rows.len() * columns.len());
        for row in &rows {
            for column in &columns {
                let (mut bases, mut targets) = (Vec::new(), Vec::new());
                for (image, y, x) in positions(images, row.count, column.count) {
                    let at = |i: usize, axis: &Axis, border: usize| {
                        (i as isize + axis.start + border as isize) as usize
                    };
                    bases.push(place(image, at(y, row, top), at(x, column, left)));
                    let y = row.remainder + y * stride.rows;
                    let x = column.remainder + x * stride.columns;
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
    pub fn places(&self) -> &[u32] {
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
