//! Pools over some images: maxima, means of windows, and means of whole maps.

use super::moving::add;
use brownout_spec::program::LayerShapes;

/// Maximum over each window; `winners` keeps which input it was. Padding never wins.
pub(super) fn max_forward(shapes: &LayerShapes, x: &[f32], y: &mut [f32], winners: &mut [u32]) {
    let channels = shapes.input.channels;
    for (pixel, (y, winners)) in y
        .chunks_exact_mut(channels)
        .zip(winners.chunks_exact_mut(channels))
        .enumerate()
    {
        y.fill(f32::NEG_INFINITY);
        for start in starts(shapes, pixel) {
            let candidates = x[start..start + channels].iter();
            for (c, ((y, winner), &x)) in y
                .iter_mut()
                .zip(winners.iter_mut())
                .zip(candidates)
                .enumerate()
            {
                if x > *y {
                    *y = x;
                    *winner = (start + c) as u32;
                }
            }
        }
    }
}

/// Adds each output's gradient to the input that won.
pub(super) fn max_backward(dy: &[f32], winners: &[u32], dx: &mut [f32]) {
    for (&d, &winner) in dy.iter().zip(winners) {
        dx[winner as usize] += d;
    }
}

/// The mean of each channel over the map.
pub(super) fn average_forward(shapes: &LayerShapes, x: &[f32], y: &mut [f32]) {
    let share = 1.0 / shapes.input.pixels() as f32;
    let channels = shapes.input.channels;
    let images = x.chunks_exact(shapes.input.volume());
    for (y, image) in y.chunks_exact_mut(channels).zip(images) {
        y.fill(0.0);
        for pixel in image.chunks_exact(channels) {
            for (y, x) in y.iter_mut().zip(pixel) {
                *y += x * share;
            }
        }
    }
}

/// Adds each channel's gradient, shared out over the map.
pub(super) fn average_backward(shapes: &LayerShapes, dy: &[f32], dx: &mut [f32]) {
    let share = 1.0 / shapes.input.pixels() as f32;
    let channels = shapes.input.channels;
    let images = dx.chunks_exact_mut(shapes.input.volume());
    for (dy, image) in dy.chunks_exact(channels).zip(images) {
        for pixel in image.chunks_exact_mut(channels) {
            for (dx, d) in pixel.iter_mut().zip(dy) {
                *dx += d * share;
            }
        }
    }
}

/// The mean over each window: the sum over its pixels, divided by the taps that count. `counts`
/// are those of each row and each column of windows.
pub(super) fn window_average_forward(
    shapes: &LayerShapes,
    counts: &(Vec<usize>, Vec<usize>),
    x: &[f32],
    y: &mut [f32],
) {
    let channels = shapes.input.channels;
    for (pixel, y) in y.chunks_exact_mut(channels).enumerate() {
        y.fill(0.0);
        for start in starts(shapes, pixel) {
            add(y, &x[start..start + channels]);
        }
        let share = share(shapes, counts, pixel);
        y.iter_mut().for_each(|y| *y *= share);
    }
}

/// Adds each output's gradient, shared out over its window.
pub(super) fn window_average_backward(
    shapes: &LayerShapes,
    counts: &(Vec<usize>, Vec<usize>),
    dy: &[f32],
    dx: &mut [f32],
) {
    let channels = shapes.input.channels;
    for (pixel, dy) in dy.chunks_exact(channels).enumerate() {
        let share = share(shapes, counts, pixel);
        for start in starts(shapes, pixel) {
            let dx = &mut dx[start..start + channels];
            dx.iter_mut().zip(dy).for_each(|(dx, d)| *dx += d * share);
        }
    }
}

/// One over the taps that count at an output pixel of some images.
fn share(shapes: &LayerShapes, (rows, columns): &(Vec<usize>, Vec<usize>), pixel: usize) -> f32 {
    let output = shapes.output;
    let (row, column) = (pixel % output.pixels() / output.width, pixel % output.width);
    1.0 / (rows[row] * columns[column]) as f32
}

/// The first value of each input pixel under the window at an output pixel of some images.
fn starts(shapes: &LayerShapes, pixel: usize) -> impl Iterator<Item = usize> {
    let LayerShapes {
        input,
        output,
        window,
        ..
    } = *shapes;
    let image = pixel / output.pixels();
    let place = (pixel % output.pixels() / output.width, pixel % output.width);
    let pixels = (0..window.taps()).filter_map(move |tap| window.pixel(input, place, tap));
    pixels.map(move |(y, x)| ((image * input.height + y) * input.width + x) * input.channels)
}
