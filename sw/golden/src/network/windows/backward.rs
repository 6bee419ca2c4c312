//! The way back: the gradients of a convolution's input and of its weights.

use super::{Forward, Loops, PackedWeights, Padded, Scratch, Table};
use super::{first, flattened, positions, runs};
use crate::network::bfloat::{self, Precision};
use crate::network::depthwise;
use crate::network::level::LANES;
use crate::network::tiles;
use crate::network::winograd::Winograd;
use brownout_spec::program::{LayerShapes, Shape};

/// The way back through the convolution of a group of images.
///
/// With stride *s* an input pixel belongs to one of *s* × *s* classes, by its coordinates
/// modulo *s*. Each class meets its own taps of the kernel, every *s*-th, and is a
/// convolution of the output's gradient with stride 1: nothing is multiplied with the
/// zeros of a gradient that is spread out. With dilation *d* it meets every *s* / gcd(*s*, *d*)-th
/// tap, and their gradients lie *d* / gcd(*s*, *d*) apart.
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
    groups: usize,
    /// With fewer products only where there is one class.
    loops: Loops,
}

/// Input pixels whose coordinates have the same remainders.
#[derive(Clone, Debug)]
struct Class {
    table: Table,
    /// The taps that it meets, last first: kernel rows and kernel columns.
    taps: (Vec<usize>, Vec<usize>),
}

impl Class {
    /// Row and column of each tap, in the order of the runs.
    fn each_tap(&self) -> impl Iterator<Item = (usize, usize)> {
        let (rows, columns) = &self.taps;
        rows.iter()
            .flat_map(|&y| columns.iter().map(move |&x| (y, x)))
    }
}

/// One coordinate of a class: of the input pixels `remainder` + *i*·stride, the *i*-th sees
/// `taps` gradients from *i* + `start` on, each `step` behind the one before.
struct Axis {
    remainder: usize,
    count: usize,
    start: isize,
    step: usize,
    taps: Vec<usize>,
}

impl Axis {
    fn all(
        size: usize,
        kernel: usize,
        (stride, dilation): (usize, usize),
        padding: usize,
    ) -> Vec<Self> {
        let axis = |remainder: usize| {
            // The first pixel's gradient of a tap is at its distance from it, in strides.
            let position = (remainder + padding) as isize;
            let distance = |tap: usize| position - (tap * dilation) as isize;
            let is_met = |tap: &usize| distance(*tap) % stride as isize == 0;
            let taps: Vec<_> = (0..kernel).rev().filter(is_met).collect();
            Self {
                remainder,
                count: size.saturating_sub(remainder).div_ceil(stride),
                start: taps
                    .first()
                    .map_or(0, |&tap| distance(tap) / stride as isize),
                step: match taps[..] {
                    [last, before, ..] => (last - before) * dilation / stride,
                    _ => 1,
                },
                taps,
            }
        };
        (0..stride).map(axis).collect()
    }

    /// Distance from its first gradient to its last.
    fn reach(&self) -> usize {
        self.taps.len().saturating_sub(1) * self.step
    }

    /// Border in front of a gradient, and its size with both borders.
    fn border(axes: &[Self], size: usize) -> (usize, usize) {
        let front = axes.iter().map(|a| -a.start).max().unwrap_or(0).max(0);
        let end = |a: &Self| (a.count + a.reach()) as isize + a.start;
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
            groups,
        } = shapes;
        let (kernel, stride, dilation) = (
            (window.height, window.width),
            window.stride,
            window.dilation,
        );
        let down = (stride.rows, dilation.rows);
        let across = (stride.columns, dilation.columns);
        let rows = Axis::all(input.height, kernel.0, down, window.padding.top);
        let columns = Axis::all(input.width, kernel.1, across, window.padding.left);
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
                let (runs, run_length) = runs(
                    (row.taps.len(), column.taps.len()),
                    (
                        row.step * width * output.channels,
                        column.step * output.channels,
                    ),
                    (output.channels, groups),
                );
                classes.push(Class {
                    table: Table {
                        bases,
                        targets,
                        pixels: row.count * column.count,
                        runs,
                        run_length,
                    },
                    taps: (row.taps.clone(), column.taps.clone()),
                });
            }
        }
        let winograd = || Winograd::new(padded, input, kernel.0, images);
        Self {
            loops: Loops::new(&shapes, winograd),
            groups,
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
    /// the last pixel that [`tiles::correlate`](crate::network::tiles::correlate) reads.
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
    /// output's gradients. Maps with an odd width, and groups, are always in single precision.
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
        let pairs = self.groups == 1 && self.output.width.is_multiple_of(2);
        if precision == Precision::Single || !pairs {
            return forward.correlate(forward.padded(x, padded), &windows, g, packed);
        }
        let x = forward.pixel_pairs(x, padded);
        let g = &g[..self.padded_length(images)];
        let pairs = first(&mut scratch.pairs, g.len());
        bfloat::pair_apart(g, self.output.channels, pairs);
        bfloat::correlate(x, &windows, pairs, packed);
    }

    /// Packs weights `[output][row][column][input of its group]` for [`Backward::convolve`].
    /// Layers with an odd number of output channels, or with groups, are always in single
    /// precision.
    pub fn pack(&self, weight: &[f32], precision: Precision) -> PackedWeights {
        let pairs = self.groups == 1 && self.output.channels.is_multiple_of(2);
        if precision == Precision::Bfloat16 && pairs {
            return PackedWeights::Pairs(bfloat::pair_weights(&self.pack_plain(weight)));
        }
        let Loops::Winograd(winograd) = &self.loops else {
            return PackedWeights::Single(self.pack_plain(weight));
        };
        let (rows, inputs) = (self.kernel.0, self.input.channels);
        PackedWeights::Single(winograd.pack(|input, row, column, output| {
            weight[((output * rows + rows - 1 - row) * 3 + 2 - column) * inputs + input]
        }))
    }

    /// Input and output channels of a group.
    fn group_channels(&self) -> (usize, usize) {
        (
            self.input.channels / self.groups,
            self.output.channels / self.groups,
        )
    }

    /// Length of a class's packed weights.
    fn packed_length(&self, class: &Class) -> usize {
        match self.loops {
            Loops::Depthwise => class.table.runs.len() * self.groups,
            _ => self.groups * class.table.packed_length(self.group_channels().0),
        }
    }

    fn pack_plain(&self, weight: &[f32]) -> Vec<f32> {
        let mut packed = vec![0.0; self.classes.iter().map(|c| self.packed_length(c)).sum()];
        let mut rest = &mut packed[..];
        for class in &self.classes {
            let (part, after) = rest.split_at_mut(self.packed_length(class));
            rest = after;
            match self.loops {
                Loops::Depthwise => self.pack_channels(class, weight, part),
                _ => self.pack_groups(class, weight, part),
            }
        }
        packed
    }

    /// As `[group][block of inputs][tap][output][lane]`.
    fn pack_groups(&self, class: &Class, weight: &[f32], packed: &mut [f32]) {
        let (inputs, outputs) = self.group_channels();
        let count = class.taps.0.len() * class.taps.1.len();
        let blocks = packed.as_chunks_mut::<LANES>().0;
        for (tap, (y, x)) in class.each_tap().enumerate() {
            for output in 0..self.output.channels {
                let (group, within) = (output / outputs, output % outputs);
                let at = ((output * self.kernel.0 + y) * self.kernel.1 + x) * inputs;
                let weight = weight[at..at + inputs].chunks(LANES);
                for (block, weight) in weight.enumerate() {
                    let block = group * inputs.div_ceil(LANES) + block;
                    let lanes = &mut blocks[(block * count + tap) * outputs + within];
                    lanes[..weight.len()].copy_from_slice(weight);
                }
            }
        }
    }

    /// As `[tap][channel]`.
    fn pack_channels(&self, class: &Class, weight: &[f32], packed: &mut [f32]) {
        let taps = packed.chunks_exact_mut(self.groups).zip(class.each_tap());
        for (packed, (y, x)) in taps {
            for (channel, packed) in packed.iter_mut().enumerate() {
                *packed = weight[(channel * self.kernel.0 + y) * self.kernel.1 + x];
            }
        }
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
        let (inputs, outputs) = self.group_channels();
        match (packed, &self.loops) {
            (PackedWeights::Pairs(packed), _) => {
                let values = &padded[..images * self.padded.volume()];
                let pairs = first(&mut scratch.pairs, values.len() / 2);
                bfloat::pair_neighbours(values, pairs);
                self.each_class(packed, (images, 2), dx, |windows, packed, dx| {
                    bfloat::convolve(pairs, windows, packed, inputs, dx);
                });
            }
            (PackedWeights::Single(packed), Loops::Winograd(winograd)) => {
                let sums = first(&mut scratch.sums, winograd.buffer_length(images));
                winograd.convolve(padded, images, packed, sums, dx);
            }
            (PackedWeights::Single(packed), Loops::Tiles) => {
                self.each_class(packed, (images, 1), dx, |windows, packed, dx| {
                    let groups = packed.chunks_exact(packed.len() / self.groups);
                    for (group, packed) in groups.enumerate() {
                        let (g, dx) = (&padded[group * outputs..], &mut dx[group * inputs..]);
                        tiles::convolve(g, windows, packed, inputs, dx);
                    }
                });
            }
            (PackedWeights::Single(packed), Loops::Depthwise) => {
                self.each_class(packed, (images, 1), dx, |windows, packed, dx| {
                    depthwise::convolve(padded, windows, packed, self.groups, dx);
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
        convolve: impl Fn(&tiles::Windows<'_>, &[T], &mut [f32]),
    ) {
        let is_met = |class: &Class| !class.table.runs.is_empty();
        if !self.classes.iter().all(is_met) {
            // Pixels that no tap meets.
            dx.fill(0.0);
        }
        let mut rest = packed;
        for class in self.classes.iter().filter(|class| is_met(class)) {
            let (part, after) = rest.split_at(self.packed_length(class) / together);
            rest = after;
            let windows = class.table.windows(images);
            if !windows.bases.is_empty() {
                convolve(&windows, part, dx);
            }
        }
        debug_assert!(rest.is_empty(), "weights of as many classes");
    }
}
