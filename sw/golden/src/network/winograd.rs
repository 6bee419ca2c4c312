//! Convolutions with three kernel columns in two thirds of the products: F(2, 3) along rows.
//!
//! Two neighbouring results of a row need four products of sums instead of six (Winograd,
//! 1980; Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016). With
//! operands d and taps g of a kernel row,
//!
//! - m₀ = (d₀ − d₂)·g₀, m₁ = (d₁ + d₂)·½(g₀ + g₁ + g₂),
//!   m₂ = (d₂ − d₁)·½(g₀ − g₁ + g₂), m₃ = (d₁ − d₃)·g₂,
//! - y₀ = m₀ + m₁ + m₂, y₁ = m₁ − m₂ − m₃,
//!
//! each m summed over kernel rows and channels first. Over columns too, F(2 × 2, 3 × 3)
//! saves more products, but they are of sums of four values, and its error is larger; one
//! dimension has errors like the plain sum's, and leaves the inner loop as it is.

use super::level::{LANES, dispatched, multiply_add};
use brownout_spec::program::{LayerShapes, Padding, Shape, Steps};

/// Products for two results.
const PRODUCTS: usize = 4;
/// Tiles of pairs whose sums are kept until all four products are there.
const TILES: usize = 2;

/// A convolution over images inside their border, by pairs of neighbouring pixels.
#[derive(Clone, Debug)]
pub(super) struct Winograd {
    /// An image inside its border.
    padded: Shape,
    outputs: usize,
    /// Kernel rows.
    rows: usize,
    /// Pairs in a row of results.
    pairs: usize,
    /// Of each pair, where its first operand lies among the sums of operands.
    bases: Vec<u32>,
    /// Of each pair, where its first result lies.
    targets: Vec<u32>,
    /// Pairs of one image.
    of_image: usize,
}

impl Winograd {
    /// Whether a layer has the kernel, and its channels and both maps the sizes.
    pub fn fits(shapes: &LayerShapes) -> bool {
        let (input, output) = (shapes.input, shapes.output);
        let window = shapes.window;
        let Padding { left, right, .. } = window.padding;
        (window.width, window.stride, window.dilation) == (3, Steps::ONE, Steps::ONE)
            && left.max(right) < 3
            && shapes.groups == 1
            && (input.width % 2, output.width % 2) == (0, 0)
            && (input.channels % LANES, output.channels % LANES) == (0, 0)
    }

    /// From images of this shape with their border to results of that one.
    pub fn new(padded: Shape, output: Shape, rows: usize, images: usize) -> Self {
        let pairs = output.width / 2;
        let (mut bases, mut targets) = (Vec::new(), Vec::new());
        for image in 0..images {
            for y in 0..output.height {
                for pair in 0..pairs {
                    let line = (image * padded.height + y) * PRODUCTS * pairs;
                    bases.push(((line + pair) * padded.channels) as u32);
                    let pixel = (image * output.height + y) * output.width + 2 * pair;
                    targets.push((pixel * output.channels) as u32);
                }
            }
        }
        Self {
            padded,
            outputs: output.channels,
            rows,
            pairs,
            bases,
            targets,
            of_image: output.height * pairs,
        }
    }

    /// Length of the buffer for the sums of that many images' operands.
    pub fn buffer_length(&self, images: usize) -> usize {
        images * self.padded.height * PRODUCTS * self.pairs * self.padded.channels
    }

    /// Packs weights for [`Winograd::convolve`]: `tap(output, row, column, operand)`, as
    /// `[block of outputs][product][row][operand][lane]`.
    pub fn pack(&self, tap: impl Fn(usize, usize, usize, usize) -> f32) -> Vec<f32> {
        let operands = self.padded.channels;
        let product = self.rows * operands;
        let mut packed = vec![[0.0; LANES]; self.outputs / LANES * PRODUCTS * product];
        for output in 0..self.outputs {
            let block = &mut packed[output / LANES * PRODUCTS * product..];
            for row in 0..self.rows {
                for operand in 0..operands {
                    let g = [0, 1, 2].map(|x| tap(output, row, x, operand));
                    let outer = g[0] + g[2];
                    let sums = [g[0], 0.5 * (outer + g[1]), 0.5 * (outer - g[1]), g[2]];
                    for (number, sum) in sums.into_iter().enumerate() {
                        let at = number * product + row * operands + operand;
                        block[at][output % LANES] = sum;
                    }
                }
            }
        }
        packed.into_flattened()
    }

    /// Convolves that many images inside their border, overwriting `y`.
    pub fn convolve(
        &self,
        padded: &[f32],
        images: usize,
        packed: &[f32],
        buffer: &mut [f32],
        y: &mut [f32],
    ) {
        let channels = self.padded.channels;
        let buffer = &mut buffer[..self.buffer_length(images)];
        let line = self.padded.width * channels;
        combine_operands(padded, line, channels, self.pairs, buffer);
        convolve(buffer, &self.pairs(images), packed, self.outputs, y);
    }

    fn pairs(&self, images: usize) -> Pairs<'_> {
        let channels = self.padded.channels;
        Pairs {
            bases: &self.bases[..images * self.of_image],
            targets: &self.targets[..images * self.of_image],
            rows: self.rows,
            row_stride: PRODUCTS * self.pairs * channels,
            product_stride: self.pairs * channels,
            operands: channels,
        }
    }
}

/// Where the operands and results of each pair lie.
#[derive(Clone, Copy)]
pub(super) struct Pairs<'a> {
    bases: &'a [u32],
    targets: &'a [u32],
    rows: usize,
    row_stride: usize,
    product_stride: usize,
    operands: usize,
}

dispatched! {
    /// The sums of operands, `[line][product][pair][channel]`.
    combine_operands = [combine_body, combine_body, combine_body],
    (padded: &[f32], line: usize, channels: usize, pairs: usize, buffer: &mut [f32])
}

#[inline(always)]
fn combine_body<const FMA: bool>(
    padded: &[f32],
    line: usize,
    channels: usize,
    pairs: usize,
    buffer: &mut [f32],
) {
    let product = pairs * channels;
    let lines = padded.chunks_exact(line);
    for (source, target) in lines.zip(buffer.chunks_exact_mut(PRODUCTS * product)) {
        let (first, rest) = target.split_at_mut(product);
        let (second, rest) = rest.split_at_mut(product);
        let (third, fourth) = rest.split_at_mut(product);
        let vectors = |values: usize| &source.as_chunks::<LANES>().0[values / LANES..];
        let targets = [first, second, third, fourth].map(|t| t.as_chunks_mut::<LANES>().0);
        let [first, second, third, fourth] = targets;
        for pair in 0..pairs {
            let d = [0, 1, 2, 3].map(|x| vectors((2 * pair + x) * channels));
            for vector in 0..channels / LANES {
                let at = pair * (channels / LANES) + vector;
                let d = d.map(|d| &d[vector]);
                for l in 0..LANES {
                    first[at][l] = d[0][l] - d[2][l];
                }
                for l in 0..LANES {
                    second[at][l] = d[1][l] + d[2][l];
                }
                for l in 0..LANES {
                    third[at][l] = d[2][l] - d[1][l];
                }
                for l in 0..LANES {
                    fourth[at][l] = d[1][l] - d[3][l];
                }
            }
        }
    }
}

dispatched! {
    /// The results of all pairs from the sums of their operands, overwriting.
    convolve = [convolve_8, convolve_6, convolve_2],
    (x: &[f32], pairs: &Pairs<'_>, packed: &[f32], outputs: usize, y: &mut [f32])
}

/// One convolution by tiles of `$count` pairs by [`LANES`] channels: one product's sums in
/// registers at a time, as the plain convolution has them.
macro_rules! convolve_body {
    ($name:ident, $count:literal: $($sum:ident $x:ident $index:tt),*) => {
        #[inline(always)]
        fn $name<const FMA: bool>(
            x: &[f32],
            pairs: &Pairs<'_>,
            packed: &[f32],
            outputs: usize,
            y: &mut [f32],
        ) {
            let (length, product) = (pairs.operands, pairs.rows * pairs.operands * LANES);
            let window = (pairs.rows - 1) * pairs.row_stride + length;
            let mut products = [[[[0.0; LANES]; $count]; TILES]; PRODUCTS];
            let strips = (pairs.bases.chunks(TILES * $count))
                .zip(pairs.targets.chunks(TILES * $count));
            for (block, weights) in packed.chunks_exact(PRODUCTS * product).enumerate() {
                for (bases, targets) in strips.clone() {
                    let all = weights.chunks_exact(product).zip(&mut products);
                    for (number, (weights, products)) in all.enumerate() {
                        let tiles = bases.chunks($count).zip(products);
                        for (bases, products) in tiles {
                            // The last tile repeats its last pair.
                            let base = |i: usize| {
                                let base = bases[i.min(bases.len() - 1)] as usize;
                                &x[base + number * pairs.product_stride..][..window]
                            };
                            $(let $x = base($index);)*
                            $(let mut $sum = [0.0; LANES];)*
                            for (row, weights) in weights.chunks_exact(length * LANES).enumerate() {
                                let start = row * pairs.row_stride;
                                $(let $x = &$x[start..][..length];)*
                                let weights = weights.as_chunks::<LANES>().0;
                                for (k, w) in weights.iter().enumerate().take(length) {
                                    $(for l in 0..LANES {
                                        $sum[l] = multiply_add::<FMA>($x[k], w[l], $sum[l]);
                                    })*
                                }
                            }
                            *products = [$($sum),*];
                        }
                    }
                    for (pair, &target) in targets.iter().enumerate() {
                        let sums = |m: usize| &products[m][pair / $count][pair % $count];
                        let (m0, m1, m2, m3) = (sums(0), sums(1), sums(2), sums(3));
                        let (left, right) = y[target as usize + block * LANES..]
                            .split_at_mut(outputs);
                        let left = left.first_chunk_mut::<LANES>();
                        let left = left.expect("a block of outputs is inside its pixel");
                        let right = right.first_chunk_mut::<LANES>();
                        let right = right.expect("a pair has two pixels");
                        for l in 0..LANES {
                            left[l] = m0[l] + m1[l] + m2[l];
                        }
                        for l in 0..LANES {
                            right[l] = m1[l] - m2[l] - m3[l];
                        }
                    }
                }
            }
        }
    };
}

convolve_body!(convolve_8, 8: a x0 0, b x1 1, c x2 2, d x3 3, e x4 4, f x5 5, g x6 6, h x7 7);
convolve_body!(convolve_6, 6: a x0 0, b x1 1, c x2 2, d x3 3, e x4 4, f x5 5);
convolve_body!(convolve_2, 2: a x0 0, b x1 1);

#[cfg(test)]
#[path = "winograd_tests.rs"]
mod tests;
