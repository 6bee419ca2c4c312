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
            Self::Halve | Self::Centre => None,
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
            Self::Halve | Self::Centre => None,
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
            Self::Centre => (pixel ^ 0x80) as i8,
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
            _ => (value / self.step()).round_ties_even() as i8,
        }
    }

    /// The real number that an activation stands for.
    fn number(self, activation: i8, channel: usize) -> f32 {
        match self {
            Self::Quantize(of) => of.number(activation, channel),
            _ => f32::from(activation) * self.step(),
        }
    }

    /// What one unit of the activation means in training.
    pub fn step(self) -> f32 {
        match self {
            Self::Halve | Self::Centre => 1.0 / 64.0,
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
            Self::Halve => 0,
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
mod tests {
    use super::*;
    use crate::data::Pixels;

    #[test]
    fn each_map_keeps_the_order_and_reaches_its_ends() {
        for (map, low, high) in [(InputMap::Halve, 0, 127), (InputMap::Centre, -128, 127)] {
            assert_eq!(map.quantize(0, 0), low);
            assert_eq!(map.quantize(255, 0), high);
            assert!((0..255).all(|p| map.quantize(p, 0) <= map.quantize(p + 1, 0)));
        }
        assert_eq!(InputMap::Centre.quantize(128, 0), 0);
    }

    #[test]
    fn a_normalised_pixel_is_its_definition_rounded_to_the_step_and_the_mean_is_zero() {
        for moments in [
            Normalization::CIFAR10,
            Normalization::IMAGENET,
            Normalization::MNIST,
            Normalization::UNIT,
        ] {
            let map = InputMap::Normalize(moments);
            let mut largest = 0;
            let channels = moments.channels();
            for (channel, of) in channels.iter().enumerate() {
                let (mean, deviation) = (of.mean.get() as f32, of.deviation.get() as f32);
                for pixel in 0..=255 {
                    let exact = (f32::from(pixel) / 255.0 - mean) / deviation;
                    assert!((map.real(pixel, channel) - exact).abs() < 1e-5);
                    let rounded = f32::from(map.quantize(pixel, channel)) * map.step();
                    assert!((rounded - exact).abs() <= 0.5001 * map.step());
                    largest = largest.max(map.quantize(pixel, channel).unsigned_abs());
                }
                assert_eq!(
                    map.quantize(map.neutral(channels.len())[channel], channel),
                    0
                );
            }
            assert!(
                (100..=127).contains(&largest),
                "{largest} of 127 steps are in use"
            );
        }
    }

    #[test]
    fn maps_are_known_by_name_and_by_exact_decimal_fractions() {
        let numbers = "0.4914,0.4822,0.4465,0.2470,0.2435,0.2616";
        assert_eq!(numbers.parse(), "cifar10".parse::<InputMap>());
        let imagenet = "0.485,0.456,0.406,0.229,0.224,0.225".parse();
        assert_eq!(imagenet, Ok(InputMap::Normalize(Normalization::IMAGENET)));
        for bad in [
            "",
            "svhn",
            "0.5,0.5,0.5",
            "1.1,0,0,1,1,1",
            "0.5,3",
            "256,0,0,255,255,255",
            "0,0,0,0,0,1,1,1,1,1",
            "1e-1,0,0,1,1,1",
            ".,1",
            "0,0,0,0.001,1,1",
            "-0,0,0,1,1,1",
        ] {
            assert!(
                bad.parse::<InputMap>().unwrap_err().contains("allowed"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_map_is_written_as_it_is_read_and_its_formula_has_its_numbers() {
        let odd = "0.4850,0.0079,1.0000,0.2290,0.2240,1.0000";
        let fine = "0.49139968,0.24703223";
        for name in [
            "halve", "centre", "cifar10", "imagenet", "mnist", "unit", odd, fine,
        ] {
            assert_eq!(name.parse::<InputMap>().unwrap().to_string(), name);
        }
        let numbers = "with means 0.4850, 0.0079, 1.0000 and deviations 0.2290, 0.2240, 1.0000";
        let formula = odd.parse::<InputMap>().unwrap().formula();
        assert!(formula.contains(numbers), "{formula}");
        for pixel in 0..=255 {
            let p = f32::from(pixel);
            // As the formulas have it.
            assert_eq!(InputMap::Halve.real(pixel, 0), (p / 2.0).floor() / 64.0);
            assert_eq!(InputMap::Centre.real(pixel, 0), (p - 128.0) / 64.0);
        }
    }

    #[test]
    fn a_table_is_its_map() {
        let map = InputMap::Normalize(Normalization::CIFAR10);
        let image: Vec<u8> = (0..=255).rev().collect();
        let table: Vec<i8> = map.table().apply(&image).collect();
        let direct = image
            .iter()
            .enumerate()
            .map(|(i, &p)| map.quantize(p, i % 3));
        assert!(table.into_iter().eq(direct));
    }

    #[test]
    fn moments_without_an_activation_for_every_pixel_are_refused() {
        let message = |text: &str| text.parse::<InputMap>().unwrap_err();
        let narrow = message("0.4914,0.4822,0.4465,0.2470,0.0040,0.2616");
        assert!(
            narrow.contains("channel 1 is 0.0040") && narrow.contains("0.00407717 to 1"),
            "{narrow}"
        );
        // In the units that the user wrote nothing but the result is said.
        assert!(message("0.5,0.5,0.5,1,1,0").contains("channel 2 is 0.0000"));
        // As far from the end as the least deviation allows.
        assert!("0.5,0.00393701".parse::<InputMap>().is_ok());
        assert!("0.5,0.003937".parse::<InputMap>().is_err());
    }

    #[test]
    fn moments_are_read_as_people_write_them() {
        let imagenet = InputMap::Normalize(Normalization::IMAGENET);
        for text in [
            "0.485, 0.456, 0.406, 0.229, 0.224, 0.225",
            ".485,.456,.406,.229,.224,.225",
            "(0.485, 0.456, 0.406), (0.229, 0.224, 0.225)",
            "[0.48500000, 0.456, 0.406] [0.229, 0.224, 0.225]",
            // 255 times as much.
            "123.675,116.28,103.53,58.395,57.12,57.375",
            " imagenet ",
        ] {
            assert_eq!(text.parse(), Ok(imagenet), "{text}");
        }
        let mnist = "0.1307,0.3081".parse::<InputMap>().unwrap();
        assert_eq!(mnist, InputMap::Normalize(Normalization::MNIST));
        let unit = "0,255".parse::<InputMap>().unwrap();
        assert_eq!(
            (unit, unit.real(51, 0)),
            (InputMap::Normalize(Normalization::UNIT), 0.2)
        );
        // Eight digits are all kept.
        let fine = "0.49139968,0.24703223".parse::<InputMap>().unwrap();
        let exact = (200.0 / 255.0 - 0.491_399_68) / 0.247_032_23;
        assert!((f64::from(fine.real(200, 0)) - exact).abs() < 1e-6);
        // What NumPy prints of a mean is rounded.
        let long = "0.1306604762738429,0.30810780385646264".parse::<InputMap>();
        assert_eq!(long.unwrap().to_string(), "0.13066048,0.3081078");
        let odd = "0.1,0.2,0.3".parse::<InputMap>().unwrap_err();
        assert!(
            odd.contains("3 numbers") && odd.contains("all means first"),
            "{odd}"
        );
    }

    #[test]
    fn a_map_has_as_many_channels_as_the_images_and_one_pair_stands_for_all() {
        let refused = InputMap::Normalize(Normalization::IMAGENET);
        let message = refused.check_channels(1).unwrap_err();
        assert!(
            message.contains("imagenet, has moments of 3 channels")
                && message.contains("1 channel;"),
            "{message}"
        );
        assert_eq!(refused.for_channels(1), Err(message));
        let half: InputMap = "0.5,0.25".parse().unwrap();
        let three = half.for_channels(3).unwrap();
        assert_eq!(Ok(three), "0.5,0.5,0.5,0.25,0.25,0.25".parse());
        assert_eq!(three.check_channels(3), Ok(()));
        assert_eq!(half.for_channels(1), Ok(half));
        assert!(half.check_channels(3).is_err() && half.for_channels(5).is_err());
        assert_eq!(InputMap::Halve.for_channels(17), Ok(InputMap::Halve));
    }

    #[test]
    fn files_have_ten_thousandths_as_before_and_finer_fractions_as_texts() {
        let text = |map: &str| serde_json::to_string(&map.parse::<InputMap>().unwrap()).unwrap();
        assert_eq!(
            text("cifar10"),
            r#"{"normalize":{"mean":[4914,4822,4465],"deviation":[2470,2435,2616]}}"#
        );
        let fine = r#"{"normalize":{"mean":["0.49139968"],"deviation":[2470]}}"#;
        assert_eq!(text("0.49139968,0.247"), fine);
        assert_eq!(
            serde_json::from_str::<InputMap>(fine).unwrap().to_string(),
            "0.49139968,0.2470"
        );
        for bad in [
            r#"{"normalize":{"mean":[],"deviation":[]}}"#,
            r#"{"normalize":{"mean":[1],"deviation":[2470,1]}}"#,
            r#"{"normalize":{"mean":[10001],"deviation":[2470]}}"#,
            r#"{"normalize":{"mean":["1.00000001"],"deviation":[2470]}}"#,
            r#"{"normalize":{"mean":[4914],"deviation":[0]}}"#,
            r#"{"normalize":{"mean":[1,1,1,1,1],"deviation":[9,9,9,9,9]}}"#,
        ] {
            let refused = serde_json::from_str::<InputMap>(bad)
                .unwrap_err()
                .to_string();
            assert!(refused.contains("allowed"), "{bad}: {refused}");
        }
    }

    #[test]
    fn activations_and_real_numbers_bypass_the_map_and_are_rounded_where_integers_need_it() {
        for map in [InputMap::Halve, InputMap::Normalize(Normalization::CIFAR10)] {
            let step = map.step();
            let activations: [i8; 6] = [-128, -1, 0, 1, 64, 127];
            let pixels = Pixels::Activations(&activations);
            assert!(map.table().apply(pixels).eq(activations));
            let meant = activations.map(|v| f32::from(v) * step);
            assert!(map.rounded_table().apply(pixels).eq(meant));
            assert!(map.real_table().apply(pixels).eq(meant));
            // 0.1 is no multiple of any step; ties go to the even one, and ends stay ends.
            let reals = [0.1, 2.5 * step, -1.5 * step, 1e9, -1e9];
            let pixels = Pixels::Reals(&reals);
            assert!(map.real_table().apply(pixels).eq(reals));
            let rounded = [(0.1 / step).round() as i8, 2, -2, 127, -128];
            assert!(map.table().apply(pixels).eq(rounded));
            let mut written = [0; 5];
            map.table().write(pixels, &mut written);
            assert_eq!(written, rounded);
            let meant = rounded.map(|v| f32::from(v) * step);
            assert!(map.rounded_table().apply(pixels).eq(meant));
        }
    }

    #[test]
    fn grey_images_of_any_size_have_one_map() {
        let map = InputMap::Normalize(Normalization::MNIST);
        let image = [90; 12];
        let values: Vec<i8> = map.table().apply(&image).collect();
        assert_eq!(values, [map.quantize(90, 0); 12]);
        let mut written = [0; 12];
        map.table().write(&image, &mut written);
        assert_eq!(values, written);
    }
}
