//! How pixels become the first activations.
//!
//! `fraction` is an exact number, `normalization` has the moments of channels, `quantizer` what somebody else's network does
//! first, `parse` how people write maps, `table` a map written out for whole images.

mod fraction;
mod normalization;
mod parse;
mod quantizer;
mod table;

pub use fraction::Fraction;
pub use normalization::{MOST_CHANNELS, Moments, Normalization};
pub use quantizer::InputQuantizer;
pub use table::InputTable;

use serde::{Deserialize, Serialize};
use std::fmt;
use table::Beyond;

/// An exact integer map from a pixel in 0..=255 to an 8-bit activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputMap {
    /// pixel >> 1, in [0, 127]: a black background is the zero that padding uses.
    Halve,
    /// pixel − 128, in [-128, 127]: all eight bits, mid-grey is zero.
    Centre,
    /// The pixel itself, 0 to 255 in steps of 1: a network whose file takes bytes as numbers. It is
    /// stored less 128, and so is its zero.
    Bytes,
    /// (pixel/255 − mean)/deviation of its channel, rounded to a step common to
    /// all channels: the mean is zero.
    Normalize(Normalization),
    /// As the first quantizer of a network that came from a file does, which no flag says.
    Quantize(InputQuantizer),
}

impl InputMap {
    /// Channels that it has moments for; `None` of a map that is the same for any number.
    pub fn channels(&self) -> Option<usize> {
        match self {
            Self::Halve | Self::Centre | Self::Bytes => None,
            Self::Normalize(moments) => Some(moments.channels().len()),
            Self::Quantize(of) => of.channels(),
        }
    }

    /// The same map for images of so many channels: one pair of moments holds for all of them.
    ///
    /// # Errors
    /// As [`InputMap::check_channels`], for more than one pair.
    pub fn for_channels(self, channels: usize) -> Result<Self, String> {
        let spread = match self {
            Self::Halve | Self::Centre | Self::Bytes => None,
            Self::Normalize(moments) => moments.spread(channels).map(Self::Normalize),
            Self::Quantize(of) => of.spread(channels).map(Self::Quantize),
        };
        match spread {
            Some(spread) => Ok(spread),
            None => self.check_channels(channels).map(|()| self),
        }
    }

    /// Checks that it is one for images of so many channels.
    ///
    /// # Errors
    /// A sentence with both numbers.
    pub fn check_channels(&self, channels: usize) -> Result<(), String> {
        let known = self.channels().unwrap_or(channels);
        if known == channels {
            return Ok(());
        }
        if channels > normalization::MOST_CHANNELS {
            return Err(format!(
                "images have {channels} channels; allowed with a map from pixels, {self}, are 1 to {}",
                normalization::MOST_CHANNELS
            ));
        }
        let s = |number: usize| if number == 1 { "" } else { "s" };
        Err(format!(
            "the map from pixels, {self}, has moments of {known} channel{}, and the images have {channels} channel{}; allowed is one mean and one deviation for each channel of the images",
            s(known),
            s(channels)
        ))
    }

    /// The activation of a pixel; a map without channels of its own ignores `channel`.
    ///
    /// # Panics
    /// If the map has channels, but not this one.
    pub fn quantize(self, pixel: u8, channel: usize) -> i8 {
        match self {
            Self::Halve => (pixel >> 1) as i8,
            // Inverting the top bit of offset binary gives two's complement.
            Self::Centre | Self::Bytes => (pixel ^ 0x80) as i8,
            Self::Normalize(moments) => moments.activation(pixel, channel),
            Self::Quantize(of) => of.integer(of.real(pixel, channel), channel),
        }
    }

    /// The activation that comes nearest to a real number, of two the even one: what
    /// QuantizeLinear of ONNX has as its definition.
    fn nearest(self, value: f32, channel: usize) -> i8 {
        match self {
            Self::Quantize(of) => of.integer(value, channel),
            // The cast saturates.
            _ => ((value / self.step()).round_ties_even() + f32::from(self.zero())) as i8,
        }
    }

    /// The activation that stands for the number 0.
    pub fn zero(self) -> i8 {
        match self {
            Self::Halve | Self::Centre | Self::Normalize(_) => 0,
            Self::Bytes => i8::MIN,
            Self::Quantize(of) => of.zero(),
        }
    }

    /// The real number that an activation stands for.
    fn number(self, activation: i8, channel: usize) -> f32 {
        match self {
            Self::Quantize(of) => of.number(activation, channel),
            _ => (f32::from(activation) - f32::from(self.zero())) * self.step(),
        }
    }

    /// What one unit of the activation means in training.
    pub fn step(self) -> f32 {
        match self {
            Self::Halve | Self::Centre => 1.0 / 64.0,
            Self::Bytes => 1.0,
            Self::Normalize(moments) => 1.0 / moments.resolution().max(1) as f32,
            Self::Quantize(of) => of.step(),
        }
    }

    /// What a pixel means in training before it is rounded to an activation.
    ///
    /// # Panics
    /// If the map has channels, but not this one.
    pub fn real(self, pixel: u8, channel: usize) -> f32 {
        match self {
            Self::Halve | Self::Centre => f32::from(self.quantize(pixel, channel)) * self.step(),
            Self::Bytes => pixel.into(),
            Self::Normalize(moments) => moments.real(pixel, channel),
            Self::Quantize(of) => of.real(pixel, channel),
        }
    }

    /// For each of so many channels the pixel that comes nearest to the zero which padding reads.
    ///
    /// # Panics
    /// If the map has fewer channels.
    pub fn neutral(self, channels: usize) -> Vec<u8> {
        let of = |channel| match self {
            Self::Halve | Self::Bytes => 0,
            Self::Centre => 128,
            Self::Normalize(moments) => moments.neutral(channel),
            Self::Quantize(of) => {
                let far = |pixel| self.quantize(pixel, channel).abs_diff(of.zero());
                (0..=255).min_by_key(|&pixel| far(pixel)).unwrap_or(0)
            }
        };
        (0..channels).map(of).collect()
    }
    /// What a pixel means, without the integers that a network's own quantizer makes of it.
    pub fn meaning(self) -> Self {
        match self {
            Self::Quantize(of) => Self::Normalize(of.pixels()),
            own => own,
        }
    }

    /// [`InputMap::real`] as a formula, for those who compute it elsewhere.
    pub fn formula(self) -> String {
        match self {
            Self::Halve => "floor(pixel / 2) / 64".to_owned(),
            Self::Centre => "(pixel - 128) / 64".to_owned(),
            Self::Bytes => "pixel, from 0 to 255".to_owned(),
            Self::Normalize(moments) => {
                let channels = moments.channels();
                let of = match channels.len() {
                    1 => "",
                    3 => " of red, green and blue",
                    _ => " of the channels in turn",
                };
                let plural = if channels.len() == 1 { "" } else { "s" };
                let (means, deviations) = (
                    join(channels, |of| of.mean, ", "),
                    join(channels, |of| of.deviation, ", "),
                );
                format!(
                    "(pixel / 255 - mean) / deviation with mean{plural} {means} and deviation{plural} {deviations}{of}"
                )
            }
            Self::Quantize(of) => of.formula(&Self::Normalize(of.pixels()).formula()),
        }
    }

    /// The map written out, for whole images.
    pub fn table(self) -> InputTable<i8> {
        let beyond = Beyond {
            activation: |_, value, _| value,
            real: Self::nearest,
        };
        self.written_out(beyond, |pixel, channel| self.quantize(pixel, channel))
    }

    /// What the activations mean in training, written out.
    pub fn rounded_table(self) -> InputTable<f32> {
        let beyond = Beyond {
            activation: Self::number,
            real: |map, value, channel| map.number(map.nearest(value, channel), channel),
        };
        self.written_out(beyond, |pixel, channel| {
            self.number(self.quantize(pixel, channel), channel)
        })
    }

    /// [`InputMap::real`], written out.
    pub fn real_table(self) -> InputTable<f32> {
        let beyond = Beyond {
            activation: Self::number,
            real: |_, value, _| value,
        };
        self.written_out(beyond, |pixel, channel| self.real(pixel, channel))
    }

    fn written_out<T: Copy>(
        self,
        beyond: Beyond<T>,
        value: impl Fn(u8, usize) -> T,
    ) -> InputTable<T> {
        InputTable::new(self, beyond, value)
    }
}

/// What [`FromStr`](std::str::FromStr) reads, but for a quantizer, which is described.
impl fmt::Display for InputMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Halve => f.pad("halve"),
            Self::Centre => f.pad("centre"),
            Self::Bytes => f.pad("bytes"),
            Self::Normalize(Normalization::CIFAR10) => f.pad("cifar10"),
            Self::Normalize(Normalization::IMAGENET) => f.pad("imagenet"),
            Self::Normalize(Normalization::MNIST) => f.pad("mnist"),
            Self::Normalize(Normalization::UNIT) => f.pad("unit"),
            Self::Normalize(moments) => {
                let channels = moments.channels();
                let means = join(channels, |of| of.mean, ",");
                f.pad(&format!(
                    "{means},{}",
                    join(channels, |of| of.deviation, ",")
                ))
            }
            Self::Quantize(of) => {
                let pixels = Self::Normalize(of.pixels());
                f.pad(&format!(
                    "{pixels}, by the network's own quantizer in steps of {}",
                    of.step()
                ))
            }
        }
    }
}

/// One fraction of each channel.
fn join(channels: &[Moments], of: fn(&Moments) -> Fraction, between: &str) -> String {
    let fractions: Vec<String> = channels.iter().map(|c| of(c).to_string()).collect();
    fractions.join(between)
}

#[cfg(test)]
mod tests;
