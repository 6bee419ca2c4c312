//! Max pooling and global average pooling over one chunk.

use brownout_spec::program::LayerShapes;

/// Maximum over each window; `winners` keeps which input it was. Padding never wins.
pub(super) fn max_forward(shapes: &LayerShapes, x: &[f32], y: &mut [f32], winners: &mut [u32]) {
    let (input, output) = (shapes.input, shapes.output);
    let channels = input.channels;
    for (pixel, (y, winners)) in y
        .chunks_exact_mut(channels)
        .zip(winners.chunks_exact_mut(channels))
        .enumerate()
    {
        let image = pixel / output.pixels();
        let row = pixel % output.pixels() / output.width;
        let column = pixel % output.width;
        y.fill(f32::NEG_INFINITY);
        for tap in 0..shapes.window.taps() {
            let Some((iy, ix)) = shapes.window.pixel(input, (row, column), tap) else {
                continue;
            };
            let start = ((image * input.height + iy) * input.width + ix) * channels;
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
