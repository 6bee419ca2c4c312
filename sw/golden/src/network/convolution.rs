//! Convolution over one chunk of images: geometry, padding, packing of weights.

use super::kernel::{Element, LANES, Window};
use brownout_spec::program::{LayerShapes, Shape};

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
    padded: Shape,
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
        let (output, stride) = (shapes.output, shapes.stride);
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
            input: shapes.input,
            output,
            kernel: (shapes.kernel_height, shapes.kernel_width),
            padding: shapes.padding,
            padded,
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

    /// Channels of the result.
    pub fn outputs(&self) -> usize {
        self.output.channels
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
        let row = self.input.width * self.input.channels;
        let images = source
            .chunks_exact(self.input.volume())
            .zip(padded.chunks_exact_mut(self.padded.volume()));
        for (source, padded) in images {
            for (y, source) in source.chunks_exact(row).enumerate() {
                let line = (self.padding + y) * self.padded.width + self.padding;
                let target = &mut padded[line * self.input.channels..][..row];
                for (t, &s) in target.iter_mut().zip(source) {
                    *t = U::from(s);
                }
            }
        }
    }

    /// Packs weights `[output][row][column][input]` for the forward convolution.
    pub fn pack<T: Element>(&self, weight: &[T], packed: &mut [T]) {
        let block = self.window().block_length();
        for (output, weight) in weight.chunks_exact(block / LANES).enumerate() {
            let target = &mut packed[(output / LANES) * block..][..block];
            for (target, &w) in target.chunks_exact_mut(LANES).zip(weight) {
                target[output % LANES] = w;
            }
        }
    }
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
