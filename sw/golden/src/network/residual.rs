//! The second operand of a layer: every `stride`-th pixel of an earlier tensor, with
//! zeros for the channels that it lacks.

use brownout_spec::program::Shape;

/// Adds every `stride`-th pixel of the operand to the images in `y`; channels that it lacks stay.
pub(super) fn add_operand(
    source: &[f32],
    operand: Shape,
    stride: usize,
    output: Shape,
    y: &mut [f32],
) {
    let channels = operand.channels;
    for (pixel, target) in y.chunks_exact_mut(output.channels).enumerate() {
        let from = strided(pixel, output, stride, operand);
        for (y, r) in target
            .iter_mut()
            .zip(&source[from * channels..][..channels])
        {
            *y += r;
        }
    }
}

/// Adds the output's gradient to the operand's.
pub(super) fn operand_gradient(
    dy: &[f32],
    output: Shape,
    stride: usize,
    operand: Shape,
    gradient: &mut [f32],
) {
    let channels = operand.channels;
    for (pixel, dy) in dy.chunks_exact(output.channels).enumerate() {
        let to = strided(pixel, output, stride, operand);
        for (g, d) in gradient[to * channels..][..channels].iter_mut().zip(dy) {
            *g += d;
        }
    }
}

/// The operand's pixel that belongs to an output pixel, counted over all images.
fn strided(pixel: usize, output: Shape, stride: usize, operand: Shape) -> usize {
    let (image, y, x) = (
        pixel / output.pixels(),
        pixel / output.width % output.height,
        pixel % output.width,
    );
    (image * operand.height + y * stride) * operand.width + x * stride
}
