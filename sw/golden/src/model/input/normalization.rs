//! Means and deviations of an image's channels, as exact decimal fractions.

use super::fraction::{Fraction, ONE};
use serde::{Deserialize, Serialize};

/// Most channels that have moments of their own: grey, red, green and blue, and one more.
pub const MOST_CHANNELS: usize = 4;
/// Largest activation that a normalised pixel becomes.
const LARGEST: u64 = 127;

/// Mean and deviation of one channel, both in full ink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// Mean, 0 to 1.
    pub mean: Fraction,
    /// Deviation, at most 1 and at least 1/127 of the distance from the mean to the farther end.
    pub deviation: Fraction,
}

impl Moments {
    /// The distance from the mean to the farther end, in units of a fraction.
    fn farthest(&self) -> u64 {
        let mean = self.mean.wide();
        mean.max(u64::from(ONE) - mean)
    }

    /// Activation units in a deviation: the most at which both ends fit.
    fn resolution(&self) -> u64 {
        LARGEST * self.deviation.wide() / self.farthest()
    }
}

/// Mean and deviation of every channel: as many as the images have.
///
/// Decimal fractions as they are published, so that the map from pixels to
/// activations needs no floating point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Normalization {
    count: usize,
    channels: [Moments; MOST_CHANNELS],
}

impl Normalization {
    /// The moments of CIFAR-10's training images.
    pub const CIFAR10: Self = Self::ten_thousandths(&[(4914, 2470), (4822, 2435), (4465, 2616)]);
    /// The moments of ImageNet, with which many networks for other images are trained too.
    pub const IMAGENET: Self = Self::ten_thousandths(&[(4850, 2290), (4560, 2240), (4060, 2250)]);
    /// The moments of MNIST's training images.
    pub const MNIST: Self = Self::ten_thousandths(&[(1307, 3081)]);
    /// Pixels as shares of full ink: no mean, and a deviation of one.
    pub const UNIT: Self = Self::ten_thousandths(&[(0, 10_000)]);

    const fn ten_thousandths(units: &[(u32, u32)]) -> Self {
        let none = Moments {
            mean: Fraction::ZERO,
            deviation: Fraction::ZERO,
        };
        let mut channels = [none; MOST_CHANNELS];
        let mut channel = 0;
        while channel < units.len() {
            channels[channel] = Moments {
                mean: Fraction::ten_thousandths(units[channel].0),
                deviation: Fraction::ten_thousandths(units[channel].1),
            };
            channel += 1;
        }
        Self {
            count: units.len(),
            channels,
        }
    }

    /// The moments of 1 to [`MOST_CHANNELS`] channels.
    ///
    /// # Errors
    /// A sentence with what was found and what is allowed.
    pub fn new(moments: &[Moments]) -> Result<Self, String> {
        if !(1..=MOST_CHANNELS).contains(&moments.len()) {
            return Err(format!(
                "there are moments of {} channels; allowed are 1 to {MOST_CHANNELS}",
                moments.len()
            ));
        }
        let mut channels = [Moments::default(); MOST_CHANNELS];
        channels[..moments.len()].copy_from_slice(moments);
        let count = moments.len();
        Self { count, channels }.valid()
    }

    /// The moments of each channel.
    pub fn channels(&self) -> &[Moments] {
        &self.channels[..self.count]
    }

    /// The same for so many channels: one pair of moments holds for all of them.
    pub(super) fn spread(self, channels: usize) -> Option<Self> {
        match self.count {
            1 if channels <= MOST_CHANNELS => Some(Self {
                count: channels,
                channels: std::array::from_fn(|c| match c < channels {
                    true => self.channels[0],
                    false => Moments::default(),
                }),
            }),
            count => (count == channels).then_some(self),
        }
    }

    /// Activation units in a deviation: the most at which both ends of every channel fit.
    pub(super) fn resolution(&self) -> u64 {
        let of = self.channels().iter().map(Moments::resolution);
        of.min().unwrap_or(0)
    }

    /// Checks that every pixel has an activation.
    fn valid(self) -> Result<Self, String> {
        let narrow = (self.channels().iter()).position(|of| of.resolution() == 0);
        let Some(channel) = narrow else {
            return Ok(self);
        };
        let of = self.channels[channel];
        let least = Fraction::of_units(of.farthest().div_ceil(LARGEST)).unwrap_or(Fraction::ONE);
        Err(format!(
            "the deviation of the input's channel {channel} is {}; with a mean of {}, allowed is {least} to 1, so that a deviation is at least one step of an 8-bit activation",
            of.deviation, of.mean
        ))
    }

    /// The activation of a pixel.
    pub(super) fn activation(&self, pixel: u8, channel: usize) -> i8 {
        let of = self.channels()[channel];
        let (mean, deviation) = (of.mean.wide() as i64, of.deviation.wide() as i64);
        let numerator = self.resolution() as i64 * (i64::from(pixel) * i64::from(ONE) - 255 * mean);
        let denominator = 255 * deviation;
        // Halves upwards, as everywhere.
        let rounded = (2 * numerator + denominator).div_euclid(2 * denominator);
        rounded.clamp(i64::from(i8::MIN), i64::from(i8::MAX)) as i8
    }

    /// What a pixel means.
    pub(super) fn real(&self, pixel: u8, channel: usize) -> f32 {
        let of = self.channels()[channel];
        ((f64::from(pixel) / 255.0 - of.mean.get()) / of.deviation.get()) as f32
    }

    /// The pixel that comes nearest to a channel's mean.
    pub(super) fn neutral(&self, channel: usize) -> u8 {
        let mean = self.channels()[channel].mean.wide();
        ((255 * mean + u64::from(ONE) / 2) / u64::from(ONE)) as u8
    }
}

/// How files have them: ten-thousandths as whole numbers, finer fractions as texts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    mean: Vec<WrittenFraction>,
    deviation: Vec<WrittenFraction>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenFraction {
    TenThousandths(u16),
    Decimal(String),
}

impl From<Fraction> for WrittenFraction {
    fn from(fraction: Fraction) -> Self {
        match fraction.as_ten_thousandths() {
            Some(units) => Self::TenThousandths(units),
            None => Self::Decimal(fraction.to_string()),
        }
    }
}

impl TryFrom<WrittenFraction> for Fraction {
    type Error = String;

    fn try_from(written: WrittenFraction) -> Result<Self, String> {
        let (value, fraction) = match written {
            WrittenFraction::TenThousandths(units) => (
                format!("{units} ten-thousandths"),
                (units <= 10_000).then(|| Self::ten_thousandths(u32::from(units))),
            ),
            WrittenFraction::Decimal(text) => {
                let fraction = Self::decimal(&text);
                (format!("{text:?}"), fraction)
            }
        };
        fraction.ok_or_else(|| {
            format!("a moment of the input is {value}; allowed is 0 to 1 with at most eight digits")
        })
    }
}

impl From<Normalization> for Written {
    fn from(moments: Normalization) -> Self {
        let all = |of: fn(&Moments) -> Fraction| {
            let fractions = moments.channels().iter().map(of);
            fractions.map(WrittenFraction::from).collect()
        };
        Self {
            mean: all(|of| of.mean),
            deviation: all(|of| of.deviation),
        }
    }
}

impl TryFrom<Written> for Normalization {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let (means, deviations) = (written.mean.len(), written.deviation.len());
        if means != deviations {
            return Err(format!(
                "the input has {means} means and {deviations} deviations; allowed are as many of each"
            ));
        }
        let pairs = written.mean.into_iter().zip(written.deviation);
        let moments = pairs.map(|(mean, deviation)| {
            Ok(Moments {
                mean: mean.try_into()?,
                deviation: deviation.try_into()?,
            })
        });
        Self::new(&moments.collect::<Result<Vec<_>, String>>()?)
    }
}
