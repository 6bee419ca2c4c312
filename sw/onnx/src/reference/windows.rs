//! Convolutions and pools.

use crate::network::{Convolution, Padding, Shape, Window};

/// What a window sees: its place within the kernel, and the pixel there; pixels outside
/// the image are left out.
fn seen(
    window: &Window,
    shape: Shape,
    row: usize,
    column: usize,
) -> impl Iterator<Item = (usize, usize, usize)> {
    let Window {
        kernel,
        strides,
        dilations,
        padding,
        ..
    } = *window;
    let along = move |at: usize, step: usize, low: usize, extent: usize, tap: usize| {
        let place = (step * strides[at] + tap * dilations[at]).checked_sub(low);
        place.filter(|&place| place < extent)
    };
    (0..kernel[0]).flat_map(move |i| {
        (0..kernel[1]).filter_map(move |j| {
            let y = along(0, row, padding.top, shape.height, i)?;
            let x = along(1, column, padding.left, shape.width, j)?;
            Some((i * kernel[1] + j, y, x))
        })
    })
}

pub(super) fn convolution(
    convolution: &Convolution,
    x: &[f32],
    shape: Shape,
    out: Shape,
) -> Vec<f32> {
    let weights = convolution.weights.values();
    let weights = weights.floats();
    let bias = convolution.bias.as_ref();
    let bias = bias.map(|b| b.values().floats().into_owned());
    let window = &convolution.window;
    let taps = window.kernel[0] * window.kernel[1];
    let inputs = shape.channels / convolution.groups;
    let outputs = out.channels / convolution.groups;
    let mut made = vec![0.0; out.len()];
    let mut sums = vec![0f64; out.channels];
    for row in 0..out.height {
        for column in 0..out.width {
            let offset = |channel: usize| bias.as_ref().map_or(0.0, |b| f64::from(b[channel]));
            for (channel, sum) in sums.iter_mut().enumerate() {
                *sum = offset(channel);
            }
            for (tap, y, z) in seen(window, shape, row, column) {
                for (channel, sum) in sums.iter_mut().enumerate() {
                    let first = channel / outputs * inputs;
                    for input in 0..inputs {
                        let pixel = x[((first + input) * shape.height + y) * shape.width + z];
                        let weight = weights[(channel * inputs + input) * taps + tap];
                        *sum += f64::from(weight) * f64::from(pixel);
                    }
                }
            }
            for (channel, sum) in sums.iter().enumerate() {
                made[(channel * out.height + row) * out.width + column] = *sum as f32;
            }
        }
    }
    made
}

fn pooled(
    window: &Window,
    x: &[f32],
    shape: Shape,
    out: Shape,
    pool: impl Fn(&[f32], usize, usize) -> f32,
) -> Vec<f32> {
    let mut made = Vec::with_capacity(out.len());
    for image in x.chunks(shape.height * shape.width) {
        for row in 0..out.height {
            for column in 0..out.width {
                let pixels = seen(window, shape, row, column);
                let pixels: Vec<f32> = pixels.map(|(_, y, z)| image[y * shape.width + z]).collect();
                made.push(pool(&pixels, row, column));
            }
        }
    }
    made
}

pub(super) fn maximum(window: &Window, x: &[f32], shape: Shape, out: Shape) -> Vec<f32> {
    pooled(window, x, shape, out, |pixels, _, _| {
        pixels.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    })
}

/// The divisor counts padding where `padded` says so, but never what the last window of
/// `ceil_mode` reaches over the padded image.
pub(super) fn average(
    window: &Window,
    padded: bool,
    x: &[f32],
    shape: Shape,
    out: Shape,
) -> Vec<f32> {
    let Padding {
        top,
        left,
        bottom,
        right,
    } = window.padding;
    let along = |at: usize, step: usize, whole: usize| {
        let start = step * window.strides[at];
        (start + window.kernel[at]).min(whole) - start
    };
    pooled(window, x, shape, out, |pixels, row, column| {
        let places = match padded {
            true => {
                along(0, row, shape.height + top + bottom)
                    * along(1, column, shape.width + left + right)
            }
            false => pixels.len(),
        };
        let sum: f64 = pixels.iter().map(|&v| f64::from(v)).sum();
        (sum / places as f64) as f32
    })
}
