//! What happens to an accumulator: scale, residual operand, bounds.

use super::packed::LANES;
use brownout_spec::arithmetic::{ChannelParameters, OutputScale, ResidualScale};
use brownout_spec::program::Shape;

/// The parameters of [`LANES`] output channels as 64-bit multiplications want them.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct LaneParameters {
    /// m of every channel.
    pub multipliers: [i32; LANES],
    /// b of the channels with even, then of those with odd numbers.
    pub biases: [[i64; LANES / 2]; 2],
}

/// The scales of one layer.
#[derive(Clone, Debug)]
pub struct Epilogue {
    /// Multiplier and constant of each output channel.
    pub channels: Vec<ChannelParameters>,
    /// The same in blocks of [`LANES`]; channels beyond the last have zeros.
    pub lanes: Vec<LaneParameters>,
    /// Shift and bounds.
    pub output: OutputScale,
    /// Scale of the residual operand.
    pub residual: ResidualScale,
}

impl Epilogue {
    /// The epilogue of a layer.
    pub fn new(
        channels: &[ChannelParameters],
        output: OutputScale,
        residual: ResidualScale,
    ) -> Self {
        let lanes = channels.chunks(LANES).map(|channels| {
            let mut lanes = LaneParameters::default();
            for (lane, channel) in channels.iter().enumerate() {
                lanes.multipliers[lane] = channel.multiplier.into();
                lanes.biases[lane % 2][lane / 2] = channel.bias;
            }
            lanes
        });
        Self {
            channels: channels.to_vec(),
            lanes: lanes.collect(),
            output,
            residual,
        }
    }
}

/// A residual operand: the tensor from which every `stride`-th pixel is added.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'t> {
    /// `[row][column][channel]`.
    pub tensor: &'t [i8],
    /// Its shape.
    pub shape: Shape,
    /// Step in both directions.
    pub stride: usize,
}

impl<'t> Operand<'t> {
    /// The channels from `first` on, at most [`LANES`], that belong to an output pixel;
    /// those that the operand lacks are left out, and read as zero.
    #[inline]
    pub fn lanes(&self, row: usize, column: usize, first: usize) -> &'t [i8] {
        let Shape {
            width, channels, ..
        } = self.shape;
        let pixel = (row * width + column) * self.stride * channels;
        let count = channels.saturating_sub(first).min(LANES);
        &self.tensor[pixel + first.min(channels)..][..count]
    }
}

/// Where a convolution's accumulators go.
pub enum Target<'t> {
    /// Through the epilogue into the layer's activations `[row][column][channel]`.
    Activations {
        /// Scales of the layer.
        epilogue: &'t Epilogue,
        /// What is added before the shift.
        operand: Option<Operand<'t>>,
        /// The layer's output.
        output: &'t mut [i8],
    },
    /// As they are, `[row][column][channel]`.
    Accumulators(&'t mut [i32]),
}
