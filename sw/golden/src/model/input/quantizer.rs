//! The first quantizer of somebody else's network: real numbers to its own integers.

use super::normalization::{MOST_CHANNELS, Normalization};
use serde::{Deserialize, Serialize};

/// From pixels to the integers that a file's own first quantizer makes of them:
///
/// ```text
/// q = clamp(rint((x · factor + summand) / step) + zero, low, high)
/// ```
///
/// in single precision, halves to the even one, as QuantizeLinear of ONNX is defined. x is what
/// the file's network takes: the pixel as its moments say, or a real number as it is. Factor and
/// summand are what stands in front of the quantizer in the file. Integers are stored ones, so
/// those of a quantizer to unsigned bytes are less by 128, its zero point too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct InputQuantizer {
    pixels: Normalization,
    /// How many of the factors and summands count: one for all channels, or one for each.
    count: usize,
    factors: [f32; MOST_CHANNELS],
    summands: [f32; MOST_CHANNELS],
    step: f32,
    zero: i8,
    low: i8,
    high: i8,
}

/// All numbers are finite.
impl Eq for InputQuantizer {}

impl InputQuantizer {
    /// That of `pixels` with these factors and summands, one of each for all channels or one for
    /// each; `steps` are the step, its zero point and the smallest and largest integer.
    ///
    /// # Errors
    /// A sentence with what was found and what is allowed.
    pub fn new(
        pixels: Normalization,
        (factors, summands): (&[f32], &[f32]),
        (step, zero, (low, high)): (f32, i8, (i8, i8)),
    ) -> Result<Self, String> {
        let count = factors.len();
        let channels = pixels.channels().len();
        if count != summands.len() || ![1, channels].contains(&count) {
            return Err(format!(
                "the input's quantizer has {count} factors and {} summands for {channels} channels; allowed is one of each for all, or one for each",
                summands.len()
            ));
        }
        let finite = |values: &[f32]| values.iter().all(|v| v.is_finite());
        if !finite(factors) || !finite(summands) || factors.contains(&0.0) {
            return Err(
                "a factor or summand in front of the input's quantizer is not finite, or a factor is 0; allowed are finite numbers, and factors other than 0"
                    .to_owned(),
            );
        }
        if !(step.is_normal() && step > 0.0) {
            return Err(format!(
                "the step of the input's quantizer is {step}; allowed are numbers above zero"
            ));
        }
        if low > high || !(low..=high).contains(&zero) {
            return Err(format!(
                "the input's quantizer goes from {low} to {high} with the zero point {zero}; allowed is a range with the zero point in it"
            ));
        }
        let mut made = Self {
            pixels,
            count,
            factors: [0.0; MOST_CHANNELS],
            summands: [0.0; MOST_CHANNELS],
            step,
            zero,
            low,
            high,
        };
        made.factors[..count].copy_from_slice(factors);
        made.summands[..count].copy_from_slice(summands);
        Ok(made)
    }

    /// The moments that say what a pixel means to the network.
    pub fn pixels(&self) -> Normalization {
        self.pixels
    }

    /// The integer that stands for 0 behind factor and summand.
    pub fn zero(&self) -> i8 {
        self.zero
    }

    /// What a unit of the integers means to the network: of several channels to the first.
    pub fn step(&self) -> f32 {
        (self.step / self.factors[0]).abs()
    }

    /// Whether each integer stands for as many steps above 0, and no channel differs: what training
    /// and its activations take.
    pub fn is_linear(&self) -> bool {
        let same = |values: &[f32; MOST_CHANNELS]| {
            let mut values = values[..self.count].iter();
            values.all(|&value| value == self.factors[0])
        };
        self.zero == 0
            && self.factors[0] > 0.0
            && same(&self.factors)
            && self.summands.iter().all(|&summand| summand == 0.0)
    }

    /// Channels that it has moments or factors for; `None` where it is the same for any number.
    pub(super) fn channels(&self) -> Option<usize> {
        Some(self.pixels.channels().len()).filter(|&channels| channels > 1)
    }

    /// What a pixel means to the network.
    pub(super) fn real(&self, pixel: u8, channel: usize) -> f32 {
        let channel = self.channels().map_or(0, |_| channel);
        self.pixels.real(pixel, channel)
    }

    /// The same for so many channels, if its moments are those of as many or of any.
    pub(super) fn spread(self, channels: usize) -> Option<Self> {
        if self.channels().is_none() {
            return Some(self);
        }
        let pixels = self.pixels.spread(channels)?;
        ([1, channels].contains(&self.count)).then_some(Self { pixels, ..self })
    }

    /// The integer of a number.
    pub(super) fn integer(&self, x: f32, channel: usize) -> i8 {
        let (factor, summand) = self.line(channel);
        let whole = ((x * factor + summand) / self.step).round_ties_even();
        if whole.is_nan() {
            return self.zero;
        }
        let (low, high) = (f32::from(self.low), f32::from(self.high));
        (whole + f32::from(self.zero)).clamp(low, high) as i8
    }

    /// The number that an integer stands for.
    pub(super) fn number(&self, integer: i8, channel: usize) -> f32 {
        let (factor, summand) = self.line(channel);
        let steps = i16::from(integer) - i16::from(self.zero);
        (f32::from(steps) * self.step - summand) / factor
    }

    fn line(&self, channel: usize) -> (f32, f32) {
        let place = if self.count == 1 { 0 } else { channel };
        (self.factors[place], self.summands[place])
    }

    /// The formula, for those who compute it elsewhere; `x` says what a pixel means.
    pub(super) fn formula(&self, x: &str) -> String {
        let values = |of: &[f32; MOST_CHANNELS]| {
            let each: Vec<String> = of[..self.count].iter().map(f32::to_string).collect();
            each.join(", ")
        };
        let (factors, summands) = (values(&self.factors), values(&self.summands));
        let line = match (factors.as_str(), summands.as_str()) {
            ("1", "0") => x.to_owned(),
            _ => format!("{x} times {factors} plus {summands}"),
        };
        format!(
            "round({line}, in steps of {}) + {} from {} to {}",
            self.step, self.zero, self.low, self.high
        )
    }
}

/// How files have it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pixels: Normalization,
    factors: Vec<f32>,
    summands: Vec<f32>,
    step: f32,
    zero: i8,
    low: i8,
    high: i8,
}

impl From<InputQuantizer> for Written {
    fn from(of: InputQuantizer) -> Self {
        Self {
            pixels: of.pixels,
            factors: of.factors[..of.count].to_vec(),
            summands: of.summands[..of.count].to_vec(),
            step: of.step,
            zero: of.zero,
            low: of.low,
            high: of.high,
        }
    }
}

impl TryFrom<Written> for InputQuantizer {
    type Error = String;

    fn try_from(of: Written) -> Result<Self, String> {
        let lines = (&of.factors[..], &of.summands[..]);
        Self::new(of.pixels, lines, (of.step, of.zero, (of.low, of.high)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::InputMap;
    use super::*;
    use crate::data::Pixels;

    fn map(line: (&[f32], &[f32]), steps: (f32, i8, (i8, i8))) -> InputMap {
        InputMap::Quantize(InputQuantizer::new(Normalization::UNIT, line, steps).unwrap())
    }

    #[test]
    fn a_byte_in_steps_of_its_255th_part_is_the_byte_less_128() {
        let map = map((&[1.0], &[0.0]), (1.0 / 255.0, -128, (-128, 127)));
        for pixel in 0..=255 {
            assert_eq!(map.quantize(pixel, 0), (pixel ^ 0x80) as i8);
        }
        assert_eq!(map.neutral(1), [0]);
    }

    #[test]
    fn a_line_in_front_counts_and_ranges_may_be_narrow() {
        // 2 x - 1 in two bits with a sign, as QONNX's digits have it: -1, 0 or 1.
        let map = map((&[2.0], &[-1.0]), (1.0, 0, (-1, 1)));
        let found = [0, 63, 64, 191, 192, 255].map(|pixel| map.quantize(pixel, 0));
        assert_eq!(found, [-1, -1, 0, 0, 1, 1]);
        assert_eq!(map.neutral(1), [64]);
        let meant: Vec<f32> = map.rounded_table().apply(&[0, 128, 255]).collect();
        assert_eq!(meant, [0.0, 0.5, 1.0]);
    }

    #[test]
    fn integers_bypass_it_and_real_numbers_are_rounded_half_to_even_before_the_zero_point() {
        let map = map((&[1.0], &[0.0]), (0.5, 3, (-128, 127)));
        let integers: [i8; 3] = [-128, 3, 127];
        let pixels = Pixels::Activations(&integers);
        assert!(map.table().apply(pixels).eq(integers));
        let meant = [-65.5, 0.0, 62.0];
        assert!(map.rounded_table().apply(pixels).eq(meant));
        let reals = [0.25, 0.75, -0.25, -0.75, 1e9, -1e9, f32::NAN];
        let found: Vec<i8> = map.table().apply(Pixels::Reals(&reals)).collect();
        assert_eq!(found, [3, 5, 3, 1, 127, -128, 3]);
        let mut written = [0; 7];
        map.table().write(Pixels::Reals(&reals), &mut written);
        assert_eq!(written[..], found[..]);
    }

    #[test]
    fn channels_have_factors_of_their_own_and_a_file_keeps_them_to_the_bit() {
        let three = Normalization::UNIT.spread(3).unwrap();
        let lines: (&[f32], &[f32]) = (&[4.367, 4.464, 4.444], &[-2.118, -2.036, -1.804]);
        let steps = (0.018_658_18, -14, (-128, 127));
        let map = InputMap::Quantize(InputQuantizer::new(three, lines, steps).unwrap());
        assert_eq!(map.check_channels(3), Ok(()));
        assert!(map.check_channels(1).is_err());
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<InputMap>(&text).unwrap(), map);
        let reals = [0.5, 0.5, 0.5];
        let found: Vec<i8> = map.table().apply(Pixels::Reals(&reals)).collect();
        // (0.5 · 4.367 - 2.118) / 0.01865818 = 3.5, (0.5 · 4.464 - 2.036) / ... = 10.5, 22.4.
        assert_eq!(found, [-10, -3, 8]);
        for bad in [
            r#"{"quantize":{"pixels":{"mean":[0],"deviation":[10000]},"factors":[1.0],"summands":[0.0],"step":0.0,"zero":0,"low":-1,"high":1}}"#,
            r#"{"quantize":{"pixels":{"mean":[0],"deviation":[10000]},"factors":[0.0],"summands":[0.0],"step":1.0,"zero":0,"low":-1,"high":1}}"#,
            r#"{"quantize":{"pixels":{"mean":[0],"deviation":[10000]},"factors":[1.0,1.0],"summands":[0.0],"step":1.0,"zero":0,"low":-1,"high":1}}"#,
            r#"{"quantize":{"pixels":{"mean":[0],"deviation":[10000]},"factors":[1.0],"summands":[0.0],"step":1.0,"zero":2,"low":-1,"high":1}}"#,
        ] {
            let refused = serde_json::from_str::<InputMap>(bad).unwrap_err();
            assert!(refused.to_string().contains("allowed"), "{refused}");
        }
    }

    #[test]
    fn a_map_of_one_channel_stands_for_all() {
        let map = map((&[1.0], &[0.0]), (0.01, 0, (-128, 127)));
        for channels in [1, 3, 17] {
            assert_eq!(map.for_channels(channels), Ok(map));
            assert_eq!(map.neutral(channels), vec![0; channels]);
        }
        assert!(map.to_string().starts_with("unit, "), "{map}");
        assert!(
            map.formula().contains("in steps of 0.01"),
            "{}",
            map.formula()
        );
    }
}
