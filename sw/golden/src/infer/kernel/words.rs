//! Activations from accumulators in 16 bits, where a channel's parameters allow it exactly.
//!
//! Between its bounds a layer's result depends on few accumulators: with a = acc + c cut off at 16
//! bits, y = ((a·n + 2^14) >> 15 + d) >> t. That is what (acc·m + b) >> s is for n = m·2^j,
//! t = s + j − 15, if c·n + 2^14 + d·2^15 is near enough to b·2^j: all accumulators between two
//! steps of y see the same y, so it may be a little off. c is searched for, and every step of y
//! compared with the specification's.

use super::packed::LANES;
use brownout_spec::arithmetic::{ChannelParameters, OutputScale, ResidualScale, requantize, sum};

/// Bits that the product's upper part leaves out.
const FRACTION: u8 = 15;
/// What rounds it.
const HALF: i64 = 1 << (FRACTION - 1);
/// Largest shift that leaves eight bits of 16.
const MAX_SHIFT: u8 = 8;
/// How many values of c are tried in either direction: beyond, a would leave 16 bits.
const TRIES: i64 = 1 << 15;

/// The parameters of one channel.
#[derive(Clone, Copy, Debug, Default)]
struct Words {
    /// c.
    start: i32,
    /// n.
    multiplier: i16,
    /// d.
    offset: i16,
    /// t.
    shift: i16,
}

/// The parameters of two blocks of [`LANES`] outputs, as their accumulators lie when two registers
/// of them are packed: four of the first, four of the second, and so on.
#[derive(Clone, Debug, Default)]
#[repr(C, align(64))]
pub struct PairParameters {
    /// What is added to the accumulators of either block.
    pub starts: [[i32; LANES]; 2],
    /// What they are multiplied by, above 15 bits.
    pub multipliers: [i16; 2 * LANES],
    /// What is added to the products.
    pub offsets: [i16; 2 * LANES],
    /// By how much the sums are shifted.
    pub shifts: [i16; 2 * LANES],
}

/// The parameters of each pair of blocks with these `lanes`, without a second operand; `None` if 16
/// bits are not enough for a channel whose accumulators are at most `bound`.
///
/// # Panics
/// If a lane has a channel that is not there.
pub fn pairs(
    channels: &[ChannelParameters],
    lanes: &[[Option<usize>; LANES]],
    output: OutputScale,
    bound: i64,
) -> Option<Vec<PairParameters>> {
    let words = channels.iter().map(|&c| Words::new(c, output, bound));
    let words: Vec<_> = words.collect::<Option<_>>()?;
    let pairs = lanes.chunks(2).map(|pair| {
        let mut parameters = PairParameters::default();
        for (block, lanes) in pair.iter().enumerate() {
            for (lane, &channel) in lanes.iter().enumerate() {
                let Some(channel) = channel else { continue };
                let Words {
                    start,
                    multiplier,
                    offset,
                    shift,
                } = words[channel];
                let at = lane / 4 * 8 + block * 4 + lane % 4;
                parameters.starts[block][lane] = start;
                parameters.multipliers[at] = multiplier;
                parameters.offsets[at] = offset;
                parameters.shifts[at] = shift;
            }
        }
        parameters
    });
    Some(pairs.collect())
}

impl Words {
    /// `None` if there are none that give the specification's activation for every accumulator
    /// between −`bound` and `bound`.
    fn new(channel: ChannelParameters, output: OutputScale, bound: i64) -> Option<Self> {
        // c is at most as large, and a few tries larger.
        if bound > i64::from(i32::MAX) / 2 - TRIES {
            return None;
        }
        let steps = Steps::new(channel, output, bound);
        let words = match steps.firsts.is_empty() {
            true => Self::constant(steps.lowest),
            false => Self::search(channel, output, &steps)?,
        };
        steps
            .are_of(|acc| words.activation(acc, output))
            .then_some(words)
    }

    /// The same activation whatever the accumulator is.
    fn constant(y: i8) -> Self {
        Self {
            offset: y.into(),
            ..Self::default()
        }
    }

    /// The parameters whose constant is near enough.
    fn search(channel: ChannelParameters, output: OutputScale, steps: &Steps) -> Option<Self> {
        // A falling channel is a rising one of the accumulators' negatives.
        let m = i64::from(channel.multiplier).abs();
        // n is as large as 16 bits and t allow.
        let room = (i64::from(i16::MAX) / m.max(1)).checked_ilog2()? as u8;
        let left = room.min((FRACTION + MAX_SHIFT).checked_sub(output.shift)?);
        let shift = (output.shift + left).checked_sub(FRACTION)?;
        let (n, b) = (m << left, channel.bias.checked_mul(1 << left)?);
        // By how much the constant may be off: what is above a step must stay there, and what is
        // below.
        let (first, last) = (*steps.firsts.first()?, *steps.firsts.last()?);
        let above = |(number, &acc): (usize, &i64)| {
            let y = i64::from(steps.lowest) + 1 + number as i64;
            acc * n + b - (y << (output.shift + left))
        };
        let least = steps.firsts.iter().enumerate().map(above).min()?;
        let most = steps.firsts.iter().enumerate().map(above).max()?;
        let allowed = -least..=n - 1 - most;
        let middle = -(first + last) / 2;
        let tries = (0..=TRIES).flat_map(|far| [middle - far, middle + far]);
        let fitting = tries.filter_map(|c| {
            let wanted = b - c * n - HALF;
            let below = wanted >> FRACTION;
            let d = [below, below + 1]
                .into_iter()
                .find(|d| allowed.contains(&((d << FRACTION) - wanted)))?;
            Some((c, i16::try_from(d).ok()?))
        });
        let (c, offset) = fitting.into_iter().next()?;
        let sign = i64::from(channel.multiplier).signum();
        Some(Self {
            start: i32::try_from(sign * c).ok()?,
            multiplier: i16::try_from(sign * n).ok()?,
            offset,
            shift: shift.into(),
        })
    }

    /// What the instructions make of an accumulator.
    fn activation(self, accumulator: i64, output: OutputScale) -> i8 {
        let saturated = |x: i64| x.clamp(i16::MIN.into(), i16::MAX.into());
        let a = saturated(accumulator + i64::from(self.start));
        let product = (a * i64::from(self.multiplier) + HALF) >> FRACTION;
        let y = saturated(product + i64::from(self.offset)) >> self.shift;
        y.clamp(output.low.into(), output.high.into()) as i8
    }
}

/// The accumulators at which a channel's activation becomes one more, of the negative ones where it
/// falls.
struct Steps {
    /// The activation below the first of them.
    lowest: i8,
    /// The first accumulator of each activation above.
    firsts: Vec<i64>,
    sign: i64,
    bound: i64,
}

impl Steps {
    fn new(channel: ChannelParameters, output: OutputScale, bound: i64) -> Self {
        let m = i64::from(channel.multiplier);
        let sign = if m < 0 { -1 } else { 1 };
        let of = |acc: i64| {
            let acc = i32::try_from(sign * acc).unwrap_or(i32::MAX);
            let sum = sum(acc, channel, output.shift, 0i16, ResidualScale::default());
            requantize(sum, output)
        };
        let (lowest, highest) = (of(-bound), of(bound));
        // acc·|m| + b ≥ y·2^s
        let first = |y: i64| {
            let wanted = (y << output.shift) - channel.bias;
            -(-wanted).div_euclid(m.abs().max(1))
        };
        let above = i64::from(lowest) + 1..=i64::from(highest);
        Self {
            lowest,
            firsts: above.map(first).collect(),
            sign,
            bound,
        }
    }

    /// Whether a function that does not turn round has the same steps: it has if it does at the
    /// ends of each.
    fn are_of(&self, activation: impl Fn(i64) -> i8) -> bool {
        let y = |acc: i64| i64::from(activation(self.sign * acc));
        let (mut begin, mut expected) = (-self.bound, i64::from(self.lowest));
        for &first in &self.firsts {
            if y(begin) != expected || y(first - 1) != expected {
                return false;
            }
            (begin, expected) = (first, expected + 1);
        }
        y(begin) == expected && y(self.bound) == expected
    }
}

#[cfg(test)]
mod tests;
