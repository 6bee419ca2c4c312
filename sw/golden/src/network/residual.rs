//! The second operand of a layer: every `stride`-th pixel of an earlier tensor, with
//! zeros for the channels that it lacks.

use brownout_spec::program::Shape;

/// A residual connection between two shapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shortcut {
    /// Tensor that is the operand.
    pub from: usize,
    pub stride: usize,
    /// Shape of the operand.
    pub operand: Shape,
    /// Shape of what it is added to.
    pub output: Shape,
}

impl Shortcut {
    /// Whether the operand is added as it is.
    pub fn is_identity(&self) -> bool {
        self.stride == 1 && self.operand == self.output
    }

    /// The operand of one image in the output's shape.
    pub fn gather(&self, operand: &[f32], gathered: &mut [f32]) {
        let channels = self.operand.channels;
        for (pixel, target) in gathered.chunks_exact_mut(self.output.channels).enumerate() {
            let from = self.source(pixel);
            let (present, missing) = target.split_at_mut(channels);
            present.copy_from_slice(&operand[from * channels..][..channels]);
            missing.fill(0.0);
        }
    }

    /// Adds an image's output gradient to the operand's.
    pub fn add_gradient(&self, dy: &[f32], gradient: &mut [f32]) {
        let channels = self.operand.channels;
        for (pixel, dy) in dy.chunks_exact(self.output.channels).enumerate() {
            let to = self.source(pixel);
            let gradient = &mut gradient[to * channels..][..channels];
            gradient.iter_mut().zip(dy).for_each(|(g, d)| *g += d);
        }
    }

    /// The operand's pixel that belongs to an output pixel.
    fn source(&self, pixel: usize) -> usize {
        let (y, x) = (pixel / self.output.width, pixel % self.output.width);
        (y * self.operand.width + x) * self.stride
    }
}
