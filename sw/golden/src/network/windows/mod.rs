//! Geometry of a convolution: where each output pixel's operands lie, forward and backward.
//!
//! Windows are looked up in tables ("indirection", as in Dukhan, "The indirect convolution
//! algorithm", 2019): one inner loop then serves every kernel, stride and padding, dense
//! layers, and tiles that run over the ends of rows and images.

mod backward;

use super::bfloat::{self, Precision};
use super::depthwise;
use super::level::LANES;
use super::limits::largest_map;
use super::tiles;
use super::winograd::Winograd;
use brownout_spec::program::{LayerShapes, Padding, Shape, Window};

pub(super) use backward::Backward;

/// Output pixels that are worth one turn of the inner loops: smaller maps are taken
/// several images at a time, so that weights are read for more than a few pixels.
const PIXELS: usize = 64;
/// Most values of a group of images, so that tables of 32 bits reach all of them.
const MOST_VALUES: usize = 1 << 30;

/// How many of a chunk's images are convolved together.
pub(super) fn group(shapes: &LayerShapes, images: usize) -> usize {
    let most = MOST_VALUES / largest_map(shapes);
    (PIXELS.div_ceil(shapes.output.pixels()).min(images)).min(most.max(1))
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
    runs: Vec<u32>,
    run_length: usize,
}

impl Table {
    fn windows(&self, images: usize) -> tiles::Windows<'_> {
        tiles::Windows {
            bases: &self.bases[..images * self.pixels],
            targets: &self.targets[..images * self.pixels],
            runs: &self.runs,
            run_length: self.run_length,
        }
    }

    /// Length of the packed weights for so many outputs of a group.
    fn packed_length(&self, outputs: usize) -> usize {
        outputs.div_ceil(LANES) * self.windows(0).block_length()
    }
}

/// The runs of taps of a window of that many rows and columns, and their length: taps lie so far
/// apart, of so many channels in so many groups.
fn runs(
    (rows, columns): (usize, usize),
    (down, across): (usize, usize),
    (channels, groups): (usize, usize),
) -> (Vec<u32>, usize) {
    let starts = |columns: usize| {
        let rows = (0..rows).map(|row| row * down);
        rows.flat_map(|row| (0..columns).map(move |column| (row + column * across) as u32))
            .collect()
    };
    match groups == 1 && (across == channels || columns == 1) {
        true => (starts(columns.min(1)), columns * channels),
        false => (starts(columns), channels / groups),
    }
}

/// Which loops multiply.
#[derive(Clone, Debug)]
enum Loops {
    /// Those of [`tiles`], for each group of channels.
    Tiles,
    /// The same with fewer products.
    Winograd(Winograd),
    /// Those where each channel is a group.
    Depthwise,
}

impl Loops {
    /// Of a convolution, for which `winograd` makes those with fewer products.
    fn new(shapes: &LayerShapes, winograd: impl FnOnce() -> Winograd) -> Self {
        let LayerShapes {
            input,
            output,
            groups,
            ..
        } = *shapes;
        match groups {
            1 if Winograd::fits(shapes) => Self::Winograd(winograd()),
            1 => Self::Tiles,
            _ if (input.channels, output.channels) == (groups, groups) => Self::Depthwise,
            _ => Self::Tiles,
        }
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
    groups: usize,
    kernel: (usize, usize),
    table: Table,
    loops: Loops,
}

impl Forward {
    /// The convolution of up to `images` images.
    pub fn new(shapes: &LayerShapes, images: usize) -> Self {
        let shapes = flattened(shapes);
        let LayerShapes {
            input,
            output,
            window,
            groups,
        } = shapes;
        let Window {
            padding,
            stride,
            dilation,
            ..
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
        let kernel = (window.height, window.width);
        let (runs, run_length) = runs(
            kernel,
            (
                dilation.rows * padded.width * padded.channels,
                dilation.columns * padded.channels,
            ),
            (padded.channels, groups),
        );
        let winograd = || Winograd::new(padded, output, kernel.0, images);
        Self {
            loops: Loops::new(&shapes, winograd),
            groups,
            kernel,
            input,
            output,
            padding,
            padded,
            step: stride.columns * padded.channels,
            table: Table {
                targets: targets.collect(),
                bases,
                pixels: output.pixels(),
                runs,
                run_length,
            },
        }
    }

    /// Channels of the result.
    pub fn outputs(&self) -> usize {
        self.output.channels
    }

    /// Length of a weight gradient as [`Forward::correlate`] adds to it.
    pub fn packed_length(&self) -> usize {
        match self.loops {
            Loops::Depthwise => self.kernel.0 * self.kernel.1 * self.groups,
            _ => self.groups * self.group_length(),
        }
    }

    /// Length of a group's packed weights.
    fn group_length(&self) -> usize {
        self.table.packed_length(self.output.channels / self.groups)
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
        match (packed, &self.loops) {
            (PackedWeights::Pairs(packed), _) => {
                let x = self.channel_pairs(x, padded);
                bfloat::convolve(x, &windows, packed, self.outputs(), y);
            }
            (PackedWeights::Single(packed), Loops::Winograd(winograd)) => {
                let sums = first(&mut scratch.sums, winograd.buffer_length(images));
                winograd.convolve(self.padded(x, padded), images, packed, sums, y);
            }
            (PackedWeights::Single(packed), Loops::Tiles) => {
                let x = self.padded(x, padded);
                let (inputs, outputs) = self.group_channels();
                let groups = packed.chunks_exact(self.group_length());
                for (group, packed) in groups.enumerate() {
                    let (x, y) = (&x[group * inputs..], &mut y[group * outputs..]);
                    tiles::convolve(x, &windows, packed, outputs, y);
                }
            }
            (PackedWeights::Single(packed), Loops::Depthwise) => {
                let x = self.padded(x, padded);
                depthwise::convolve(x, &windows, packed, self.groups, y);
            }
        }
    }

    /// Adds the weight gradient of some images inside their border, whose outputs' gradients lie
    /// where the windows say.
    fn correlate(&self, x: &[f32], windows: &tiles::Windows<'_>, g: &[f32], packed: &mut [f32]) {
        if let Loops::Depthwise = self.loops {
            return depthwise::correlate(x, windows, g, self.groups, packed);
        }
        let (inputs, outputs) = self.group_channels();
        let groups = packed.chunks_exact_mut(self.group_length());
        for (group, packed) in groups.enumerate() {
            tiles::correlate(&x[group * inputs..], windows, &g[group * outputs..], packed);
        }
    }

    /// Input and output channels of a group.
    fn group_channels(&self) -> (usize, usize) {
        (
            self.input.channels / self.groups,
            self.output.channels / self.groups,
        )
    }

    /// Packs weights `[output][row][column][input of its group]` for [`Forward::convolve`]. Layers
    /// with an odd number of input channels, or with groups, are always in single precision.
    pub fn pack(&self, weight: &[f32], precision: Precision) -> PackedWeights {
        let pairs = self.groups == 1 && self.input.channels.is_multiple_of(2);
        if precision == Precision::Bfloat16 && pairs {
            return PackedWeights::Pairs(bfloat::pair_weights(&self.pack_plain(weight)));
        }
        let Loops::Winograd(winograd) = &self.loops else {
            return PackedWeights::Single(self.pack_plain(weight));
        };
        let (rows, inputs) = (self.kernel.0, self.input.channels);
        PackedWeights::Single(winograd.pack(|output, row, column, input| {
            weight[((output * rows + row) * 3 + column) * inputs + input]
        }))
    }

    fn pack_plain(&self, weight: &[f32]) -> Vec<f32> {
        let mut packed = vec![0.0; self.packed_length()];
        self.each_weight(|at, place| packed[place] = weight[at]);
        packed
    }

    /// The weight gradient `[output][row][column][input of its group]` from that of
    /// [`Forward::correlate`].
    pub fn unpack(&self, packed: &[f32], weight: &mut [f32]) {
        self.each_weight(|at, place| weight[at] = packed[place]);
    }

    /// Calls with the index of each weight and with its place among the packed ones.
    #[inline(always)]
    fn each_weight(&self, mut each: impl FnMut(usize, usize)) {
        let taps = self.kernel.0 * self.kernel.1;
        if let Loops::Depthwise = self.loops {
            for channel in 0..self.groups {
                (0..taps).for_each(|tap| each(channel * taps + tap, tap * self.groups + channel));
            }
            return;
        }
        let (inputs, outputs) = self.group_channels();
        let operands = taps * inputs;
        for output in 0..self.output.channels {
            let (group, within) = (output / outputs, output % outputs);
            let block = group * self.group_length() + within / LANES * operands * LANES;
            for operand in 0..operands {
                let place = block + operand * LANES + within % LANES;
                each(output * operands + operand, place);
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
    let whole = (height, width) == (input.height, input.width) && shapes.groups == 1;
    if padding != Padding::NONE || !whole {
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
