//! Convolution over one chunk of images: geometry, padding, packing of weights.

use super::kernel::{Element, LANES, Window};
use brownout_spec::program::{LayerShapes, Shape};
use ndarray::ArrayView4;

/// A convolution of `images` images, reduced to what the kernels need.
///
/// A dense layer (the kernel is the whole map) becomes a 1 × 1 convolution over
/// one pixel with height·width·channels channels: the same numbers in the same
/// order, without windows.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    images: usize,
    input: Shape,
    output: Shape,
    kernel: (usize, usize),
    padding: usize,
    /// Distance between input pixels that neighbouring operands belong to, in a dilated input.
    padded: Shape,
    /// Rows and columns from one source pixel to the next in the padded buffer.
    dilation: usize,
    bases: Vec<u32>,
}

impl Geometry {
    /// The forward convolution of a layer.
    pub fn forward(shapes: &LayerShapes, images: usize) -> Self {
        let shapes = flattened(shapes);
        let padded = Shape {
            height: shapes.input.height + 2 * shapes.padding,
            width: shapes.input.width + 2 * shapes.padding,
            channels: shapes.input.channels,
        };
        Self::new(
            images,
            (shapes.input, shapes.output, padded),
            (shapes.kernel_height, shapes.kernel_width),
            shapes.stride,
            (shapes.padding, 1),
        )
    }

    /// The convolution that turns the output's gradient into the input's.
    ///
    /// The gradient is spread out by the stride and padded, then convolved with
    /// the mirrored kernel.
    pub fn backward(shapes: &LayerShapes, images: usize) -> Self {
        let shapes = flattened(shapes);
        let (kh, kw) = (shapes.kernel_height, shapes.kernel_width);
        let padded = Shape {
            height: shapes.input.height + kh - 1,
            width: shapes.input.width + kw - 1,
            channels: shapes.output.channels,
        };
        let mut geometry = Self::new(
            images,
            (shapes.output, shapes.input, padded),
            (kh, kw),
            1,
            (0, shapes.stride),
        );
        geometry.padding = shapes.padding;
        geometry
    }

    fn new(
        images: usize,
        (input, output, padded): (Shape, Shape, Shape),
        kernel: (usize, usize),
        stride: usize,
        (padding, dilation): (usize, usize),
    ) -> Self {
        let at = |n: usize, y: usize, x: usize| {
            (((n * padded.height + y * stride) * padded.width + x * stride) * padded.channels)
                as u32
        };
        let bases = (0..images)
            .flat_map(|n| {
                (0..output.height).flat_map(move |y| (0..output.width).map(move |x| at(n, y, x)))
            })
            .collect();
        Self {
            images,
            input,
            output,
            kernel,
            padding,
            padded,
            dilation,
            bases,
        }
    }

    /// The kernels' view.
    pub fn window(&self) -> Window<'_> {
        Window {
            bases: &self.bases,
            segments: self.kernel.0,
            segment_stride: self.padded.width * self.padded.channels,
            segment_length: self.kernel.1 * self.padded.channels,
        }
    }

    /// Images that are convolved together.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Channels of the result.
    pub fn outputs(&self) -> usize {
        self.output.channels
    }

    /// Pixels of the result, all images together.
    pub fn pixels(&self) -> usize {
        self.bases.len()
    }

    /// Length of the padded input of all images.
    pub fn padded_length(&self) -> usize {
        self.images * self.padded.volume()
    }

    /// Length of all blocks of packed weights.
    pub fn packed_length(&self) -> usize {
        self.outputs().div_ceil(LANES) * self.window().block_length()
    }

    /// Copies the forward input into a buffer whose borders are zero already.
    pub fn pad<T: Copy, U: From<T>>(&self, source: &[T], padded: &mut [U]) {
        self.place(source, padded, (self.padding, self.padding));
    }

    /// Copies the output's gradient, spread out by the stride, into a zeroed buffer.
    pub fn spread(&self, source: &[f32], padded: &mut [f32]) {
        let first = |kernel: usize| kernel - 1 - self.padding;
        self.place(source, padded, (first(self.kernel.0), first(self.kernel.1)));
    }

    fn place<T: Copy, U: From<T>>(
        &self,
        source: &[T],
        padded: &mut [U],
        (top, left): (usize, usize),
    ) {
        let row = self.input.width * self.input.channels;
        let channels = self.input.channels;
        let images = source
            .chunks_exact(self.input.volume())
            .zip(padded.chunks_exact_mut(self.padded.volume()));
        for (source, padded) in images {
            for (y, source) in source.chunks_exact(row).enumerate() {
                let line = (top + y * self.dilation) * self.padded.width + left;
                if self.dilation == 1 {
                    let target = &mut padded[line * channels..][..row];
                    copy(source, target);
                } else {
                    for (x, source) in source.chunks_exact(channels).enumerate() {
                        let at = (line + x * self.dilation) * channels;
                        copy(source, &mut padded[at..at + channels]);
                    }
                }
            }
        }
    }

    /// Packs weights `[output][row][column][input]` for the forward convolution.
    pub fn pack<T: Element>(&self, weight: &[T], packed: &mut [T]) {
        let (block, taps) = self.block_and_taps();
        for (output, weight) in weight.chunks_exact(taps).enumerate() {
            let target = &mut packed[(output / LANES) * block..][..block];
            for (target, &w) in target.chunks_exact_mut(LANES).zip(weight) {
                target[output % LANES] = w;
            }
        }
    }

    /// The inverse of [`Geometry::pack`].
    pub fn unpack(&self, packed: &[f32], weight: &mut [f32]) {
        let (block, taps) = self.block_and_taps();
        for (output, weight) in weight.chunks_exact_mut(taps).enumerate() {
            let source = &packed[(output / LANES) * block..][..block];
            for (source, w) in source.chunks_exact(LANES).zip(weight) {
                *w = source[output % LANES];
            }
        }
    }

    /// Packs weights `[output][row][column][input]`, mirrored, for the backward
    /// convolution, whose outputs are the layer's inputs.
    pub fn pack_mirrored(&self, weight: &[f32], packed: &mut [f32]) {
        let (kh, kw) = self.kernel;
        let (outputs, inputs) = (self.input.channels, self.output.channels);
        let weight = ArrayView4::from_shape((outputs, kh, kw, inputs), weight)
            .expect("a layer's weights have its shape");
        let block = self.window().block_length();
        for ((o, y, x, i), &w) in weight.indexed_iter() {
            let tap = ((kh - 1 - y) * kw + (kw - 1 - x)) * outputs + o;
            packed[(i / LANES) * block + tap * LANES + i % LANES] = w;
        }
    }

    fn block_and_taps(&self) -> (usize, usize) {
        let block = self.window().block_length();
        (block, block / LANES)
    }
}

fn copy<T: Copy, U: From<T>>(source: &[T], target: &mut [U]) {
    for (t, &s) in target.iter_mut().zip(source) {
        *t = U::from(s);
    }
}

fn flattened(shapes: &LayerShapes) -> LayerShapes {
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
