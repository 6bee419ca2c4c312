//! What happens to an accumulator: scale, residual operand, bounds.

use super::packed::LANES;
#[cfg(target_arch = "x86_64")]
use super::words::{self, PairParameters};
use brownout_spec::arithmetic::{
    ACTIVATION_MAGNITUDE, ChannelParameters, OutputScale, ResidualScale, SUM_BITS,
    requantize as activation, sum,
};
use brownout_spec::program::Shape;

/// The output channel of each lane of a block, if there is one.
pub type Lanes = [Option<usize>; LANES];

/// Blocks of neighbouring channels, which begin anew every `group` of so many `channels`.
pub fn neighbours(channels: usize, group: usize) -> Vec<Lanes> {
    let groups = (0..channels).step_by(group);
    let blocks = groups.flat_map(|first| {
        let end = (first + group).min(channels);
        (first..end).step_by(LANES).map(move |first| {
            std::array::from_fn(|lane| Some(first + lane).filter(|&channel| channel < end))
        })
    });
    blocks.collect()
}

/// The parameters of [`LANES`] output channels as multiplications of whole registers want them;
/// a residual operand's zero point is in b.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct LaneParameters {
    /// m of every channel.
    pub multipliers: [i32; LANES],
    /// (m, 0) and (0, m) of every channel, in halves of 16 bits.
    pub factors: [[i32; LANES]; 2],
    /// b of the channels with even, then of those with odd numbers.
    pub biases: [[i64; LANES / 2]; 2],
    /// b of every channel: the lower 16 bits, and what is above them.
    pub parts: [[i32; LANES]; 2],
}

/// The second operand's scale and zero point.
#[derive(Clone, Copy, Debug, Default)]
pub struct Second {
    /// mr and sr.
    pub scale: ResidualScale,
    /// zr.
    pub zero: i8,
}

/// The scales of one layer.
#[derive(Clone, Debug)]
pub struct Epilogue {
    /// Multiplier and constant of each output channel.
    pub channels: Vec<ChannelParameters>,
    /// The same in blocks of [`LANES`]; lanes without a channel have zeros.
    pub lanes: Vec<LaneParameters>,
    /// Shift and bounds.
    pub output: OutputScale,
    /// What is known of a second operand.
    pub second: Second,
    /// How sums are made in 32 bits, where that is exact.
    pub halves: Option<Halves>,
    /// How activations are made in 16 bits, where that is wanted and exact.
    #[cfg(target_arch = "x86_64")]
    pub words: Option<Vec<PairParameters>>,
}

/// A sum in two parts of 32 bits: acc = 2^16·h + l with h and l of 16 bits, so that
/// acc·m + b = 2^16·(h·m + b >> 16) + (l·m + b mod 2^16), and alike for the operand.
#[derive(Clone, Copy, Debug)]
pub struct Halves {
    /// s − 16.
    pub shift: u8,
    /// mr·2^(s − sr) as 2^16·h + l: l, h.
    pub residual: [i16; 2],
}

/// Bits of a part.
const HALF: u8 = 16;

impl Halves {
    /// If every sum of accumulators up to `bound` fits [`SUM_BITS`], so that 32 bits hold what is
    /// above the lower 16 of it, and nothing in between is longer than its half.
    fn new(
        channels: &[ChannelParameters],
        folded: &[i64],
        (output, residual): (OutputScale, ResidualScale),
        bound: i64,
    ) -> Option<Self> {
        let shift = output.shift.checked_sub(HALF)?;
        // Largest number whose halves, both signed, have 16 bits.
        let most = i64::from(i32::MAX) - (1 << (HALF - 1));
        let scaled = i64::from(residual.multiplier) << (output.shift - residual.shift);
        if bound > most || scaled.abs() > most {
            return None;
        }
        let limit = (1i64 << (SUM_BITS - 1)) - 1;
        let fits = |(channel, bias): (&ChannelParameters, &i64)| {
            let sum =
                bound * i64::from(channel.multiplier).abs() + ACTIVATION_MAGNITUDE * scaled.abs();
            sum <= limit && bias.abs() <= limit - sum
        };
        let low = scaled as i16;
        channels.iter().zip(folded).all(fits).then_some(Self {
            shift,
            residual: [low, ((scaled - i64::from(low)) >> HALF) as i16],
        })
    }
}

impl Epilogue {
    /// The epilogue of a layer whose blocks of outputs have these `lanes` and whose accumulators
    /// are at most `bound`.
    ///
    /// # Panics
    /// If a lane has a channel that is not there.
    pub fn new(
        channels: &[ChannelParameters],
        lanes: &[Lanes],
        output: OutputScale,
        second: Second,
        bound: i64,
    ) -> Self {
        let Second { scale, zero } = second;
        let offset =
            (i64::from(zero) * i64::from(scale.multiplier)) << (output.shift - scale.shift);
        let folded: Vec<i64> = channels.iter().map(|c| c.bias - offset).collect();
        let lanes = lanes.iter().map(|lanes| {
            let mut parameters = LaneParameters::default();
            for (lane, &channel) in lanes.iter().enumerate() {
                let Some(channel) = channel else { continue };
                let (multiplier, bias) = (channels[channel].multiplier, folded[channel]);
                parameters.multipliers[lane] = multiplier.into();
                parameters.factors[0][lane] = i32::from(multiplier as u16);
                parameters.factors[1][lane] = i32::from(multiplier) << HALF;
                parameters.biases[lane % 2][lane / 2] = bias;
                parameters.parts[0][lane] = i32::from(bias as u16);
                parameters.parts[1][lane] = (bias >> HALF) as i32;
            }
            parameters
        });
        Self {
            lanes: lanes.collect(),
            halves: Halves::new(channels, &folded, (output, scale), bound),
            #[cfg(target_arch = "x86_64")]
            words: None,
            channels: channels.to_vec(),
            output,
            second,
        }
    }

    /// With parameters in 16 bits for pairs of blocks with these `lanes`, where there is no second
    /// operand.
    #[cfg(target_arch = "x86_64")]
    pub fn with_words(mut self, lanes: &[Lanes], bound: i64) -> Self {
        self.words = match self.second.scale.multiplier {
            0 => words::pairs(&self.channels, lanes, self.output, bound),
            _ => None,
        };
        self
    }

    /// The specification's activations of the channels from `first` on; channels that the operand
    /// lacks have none.
    pub fn activations(
        &self,
        first: usize,
        accumulators: &[i32],
        operand: &[i8],
        output: &mut [i8],
    ) {
        let Second { scale, zero } = self.second;
        let operand = operand.iter().map(|&q| i16::from(q) - i16::from(zero));
        let operand = operand.chain(std::iter::repeat(0));
        let channels = self.channels[first..].iter();
        let values = output.iter_mut().zip(accumulators).zip(channels);
        for (((y, &acc), &channel), r) in values.zip(operand) {
            *y = activation(sum(acc, channel, self.output.shift, r, scale), self.output);
        }
    }
}

/// A second operand: the tensor from which every `stride`-th pixel is added.
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
    /// Where the first channel of an output pixel lies.
    #[inline]
    pub fn begin(&self, row: usize, column: usize) -> usize {
        (row * self.shape.width + column) * self.stride * self.shape.channels
    }

    /// The channels from `first` on, at most [`LANES`], that belong to an output pixel;
    /// those that the operand lacks are left out, and read as its zero point.
    #[inline]
    pub fn lanes(&self, row: usize, column: usize, first: usize) -> &'t [i8] {
        let channels = self.shape.channels;
        let count = channels.saturating_sub(first).min(LANES);
        &self.tensor[self.begin(row, column) + first.min(channels)..][..count]
    }

    /// Whether there is a pixel for every one of an output's.
    pub fn covers(&self, output: Shape) -> bool {
        let (row, column) = (output.height.max(1) - 1, output.width.max(1) - 1);
        self.begin(row, column) + self.shape.channels <= self.tensor.len()
    }

    /// All channels of an output pixel.
    pub fn pixel(&self, row: usize, column: usize) -> &'t [i8] {
        &self.tensor[self.begin(row, column)..][..self.shape.channels]
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
