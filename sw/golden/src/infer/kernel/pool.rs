//! Pools: maxima and sums of windows, as accumulators.

use brownout_spec::program::LayerShapes;

/// The maximum of every window, `[row][column][channel]`.
pub fn max_pool(shapes: &LayerShapes, source: &[i8], accumulators: &mut [i32]) {
    // Padding is -128, so it never wins against an activation.
    pool(shapes, source, accumulators, i32::from(i8::MIN), i32::max);
}

/// The sum of the whole map, channel by channel.
pub fn average_pool(shapes: &LayerShapes, source: &[i8], accumulators: &mut [i32]) {
    pool(shapes, source, accumulators, 0, |sum, x| {
        // At most 63 x 63 activations, which cannot overflow.
        sum.wrapping_add(x)
    });
}

/// Folds each window of the map into its accumulator, channel by channel.
#[inline]
fn pool(
    shapes: &LayerShapes,
    source: &[i8],
    accumulators: &mut [i32],
    start: i32,
    fold: impl Fn(i32, i32) -> i32,
) {
    let (input, channels) = (shapes.input, shapes.input.channels);
    for (pixel, acc) in accumulators.chunks_exact_mut(channels).enumerate() {
        acc.fill(start);
        let (row, column) = (pixel / shapes.output.width, pixel % shapes.output.width);
        for tap in 0..shapes.window.taps() {
            let Some((y, x)) = shapes.window.pixel(input, (row, column), tap) else {
                continue;
            };
            let values = &source[(y * input.width + x) * channels..][..channels];
            for (acc, &v) in acc.iter_mut().zip(values) {
                *acc = fold(*acc, i32::from(v));
            }
        }
    }
}
