//! Layers that only move values: resize, pad and concat, over some images.

use brownout_spec::program::{LayerShapes, Padding, Steps};

/// Each pixel repeated so many times downwards and across.
pub(super) fn resize_forward(shapes: &LayerShapes, factors: Steps, x: &[f32], y: &mut [f32]) {
    let channels = shapes.input.channels;
    let rows = y.chunks_exact_mut(shapes.output.width * channels);
    for (row, y) in rows.enumerate() {
        let x = source_row(shapes, factors, row, x);
        let pixels = x.chunks_exact(channels);
        let repeated = y.chunks_exact_mut(factors.columns * channels);
        for (x, y) in pixels.zip(repeated) {
            let repeated = y.chunks_exact_mut(channels);
            repeated.for_each(|y| y.copy_from_slice(x));
        }
    }
}

/// Adds to each pixel's gradient those of its repetitions.
pub(super) fn resize_backward(shapes: &LayerShapes, factors: Steps, dy: &[f32], dx: &mut [f32]) {
    let channels = shapes.input.channels;
    let length = shapes.input.width * channels;
    let rows = dy.chunks_exact(shapes.output.width * channels);
    for (row, dy) in rows.enumerate() {
        let dx = &mut dx[row / factors.rows * length..][..length];
        let repeated = dy.chunks_exact(factors.columns * channels);
        for (dx, dy) in dx.chunks_exact_mut(channels).zip(repeated) {
            dy.chunks_exact(channels).for_each(|dy| add(dx, dy));
        }
    }
}

/// The row of all images' inputs that a row of their outputs repeats: heights are whole multiples.
fn source_row<'x>(shapes: &LayerShapes, factors: Steps, row: usize, x: &'x [f32]) -> &'x [f32] {
    let length = shapes.input.width * shapes.input.channels;
    &x[row / factors.rows * length..][..length]
}

/// The map with zeros around it.
pub(super) fn pad_forward(shapes: &LayerShapes, padding: Padding, x: &[f32], y: &mut [f32]) {
    y.fill(0.0);
    for (x, at) in x
        .chunks_exact(shapes.input.width * shapes.input.channels)
        .zip(padded_rows(shapes, padding))
    {
        y[at..at + x.len()].copy_from_slice(x);
    }
}

/// Adds the gradients of what is not padding.
pub(super) fn pad_backward(shapes: &LayerShapes, padding: Padding, dy: &[f32], dx: &mut [f32]) {
    for (dx, at) in dx
        .chunks_exact_mut(shapes.input.width * shapes.input.channels)
        .zip(padded_rows(shapes, padding))
    {
        add(dx, &dy[at..]);
    }
}

/// Where each row of the maps begins among the padded ones.
fn padded_rows(shapes: &LayerShapes, padding: Padding) -> impl Iterator<Item = usize> {
    let (input, output) = (shapes.input, shapes.output);
    (0..).map(move |row| {
        let (image, row) = (row / input.height, row % input.height);
        let pixel = (image * output.height + padding.top + row) * output.width + padding.left;
        pixel * output.channels
    })
}

/// The channels of one part of a concat, of all pixels: where they are among all channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The first of them.
    pub first: usize,
    /// How many.
    pub channels: usize,
    /// All channels of the concat.
    pub all: usize,
}

impl Part {
    /// Calls with each pixel's values of the part and of the concat's slice for it.
    pub fn each_pixel<'v, T>(
        &self,
        part: &'v [f32],
        whole: &'v mut [T],
    ) -> impl Iterator<Item = (&'v [f32], &'v mut [T])> {
        let slice = self.first..self.first + self.channels;
        let pixels = part.chunks_exact(self.channels);
        pixels
            .zip(whole.chunks_exact_mut(self.all))
            .map(move |(part, whole)| (part, &mut whole[slice.clone()]))
    }

    /// Adds the slice's gradients to the part's.
    pub fn backward(&self, dy: &[f32], dx: &mut [f32]) {
        let pixels = dx.chunks_exact_mut(self.channels);
        for (dx, dy) in pixels.zip(dy.chunks_exact(self.all)) {
            add(dx, &dy[self.first..]);
        }
    }
}

/// Adds as many values as there are.
pub(super) fn add(sum: &mut [f32], values: &[f32]) {
    sum.iter_mut().zip(values).for_each(|(s, v)| *s += v);
}
