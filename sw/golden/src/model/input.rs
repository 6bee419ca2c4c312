//! How pixels become the first activations.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Channels with a mean and a deviation of their own.
const CHANNELS: usize = 3;
/// Units of a mean or a deviation in full ink.
const FULL: u16 = 10_000;
/// Largest activation that a normalised pixel becomes.
const LARGEST: u32 = 127;

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
}

/// Mean and deviation of red, green and blue, in 1/10000 of full ink.
///
/// Decimal fractions as they are published, so that the map from pixels to
/// activations needs no floating point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Means, 0 to 10000.
    pub mean: [u16; CHANNELS],
    /// Deviations; at least 79, or more where the mean is far from the middle.
    pub deviation: [u16; CHANNELS],
}

impl Normalization {
    /// The moments of CIFAR-10's training images.
    pub const CIFAR10: Self = Self {
        mean: [4914, 4822, 4465],
        deviation: [2470, 2435, 2616],
    };
    /// The moments of ImageNet, with which many networks for other images are trained too.
    pub const IMAGENET: Self = Self {
        mean: [4850, 4560, 4060],
        deviation: [2290, 2240, 2250],
    };

    /// Activation units in a deviation: the most at which both ends of every channel fit.
    fn resolution(self) -> u32 {
        let channels = self.mean.into_iter().zip(self.deviation);
        channels
            .map(|(mean, deviation)| {
                let farthest = mean.max(FULL.saturating_sub(mean));
                LARGEST * u32::from(deviation) / u32::from(farthest.max(1))
            })
            .min()
            .unwrap_or(0)
    }

    /// Checks that every pixel has an activation.
    ///
    /// # Errors
    /// A sentence with the values found and what is allowed.
    pub fn validate(self) -> Result<(), String> {
        if self.mean.iter().any(|&mean| mean > FULL) {
            return Err(format!(
                "the means of the input are {:?}; allowed is 0 to {FULL}",
                self.mean
            ));
        }
        if self.resolution() == 0 {
            return Err(format!(
                "the deviations of the input are {:?}; allowed is {} or more, so that a deviation is at least one step of an 8-bit activation",
                self.deviation,
                u32::from(FULL).div_ceil(LARGEST)
            ));
        }
        Ok(())
    }

    fn activation(self, pixel: u8, channel: usize) -> i8 {
        let (mean, deviation) = (
            i64::from(self.mean[channel]),
            i64::from(self.deviation[channel]),
        );
        let numerator =
            i64::from(self.resolution()) * (i64::from(pixel) * i64::from(FULL) - 255 * mean);
        let denominator = (255 * deviation).max(1);
        // Halves upwards, as everywhere.
        let rounded = (2 * numerator + denominator).div_euclid(2 * denominator);
        rounded.clamp(i64::from(i8::MIN), i64::from(i8::MAX)) as i8
    }

    fn real(self, pixel: u8, channel: usize) -> f32 {
        let share = |units: u16| f64::from(units) / f64::from(FULL);
        let ink = f64::from(pixel) / 255.0;
        ((ink - share(self.mean[channel])) / share(self.deviation[channel])) as f32
    }
}

impl InputMap {
    /// The activation of a pixel; a map without channels of its own ignores `channel`.
    pub fn quantize(self, pixel: u8, channel: usize) -> i8 {
        match self {
            Self::Halve => (pixel >> 1) as i8,
            // Inverting the top bit of offset binary gives two's complement.
            Self::Centre => (pixel ^ 0x80) as i8,
            Self::Normalize(moments) => moments.activation(pixel, channel % CHANNELS),
        }
    }

    /// What one unit of the activation means in training.
    pub fn step(self) -> f32 {
        match self {
            Self::Halve | Self::Centre => 1.0 / 64.0,
            Self::Normalize(moments) => 1.0 / moments.resolution().max(1) as f32,
        }
    }

    /// What a pixel means in training before it is rounded to an activation.
    pub fn real(self, pixel: u8, channel: usize) -> f32 {
        match self {
            Self::Halve | Self::Centre => f32::from(self.quantize(pixel, channel)) * self.step(),
            Self::Normalize(moments) => moments.real(pixel, channel % CHANNELS),
        }
    }

    /// The pixel of each channel that comes nearest to the zero which padding reads.
    pub fn neutral(self) -> [u8; CHANNELS] {
        match self {
            Self::Halve => [0; CHANNELS],
            Self::Centre => [128; CHANNELS],
            Self::Normalize(moments) => moments.mean.map(|mean| {
                let mean = u32::from(mean.min(FULL));
                ((255 * mean + u32::from(FULL) / 2) / u32::from(FULL)) as u8
            }),
        }
    }

    /// [`InputMap::real`] as a formula, for those who compute it elsewhere.
    pub fn formula(self) -> String {
        match self {
            Self::Halve => "floor(pixel / 2) / 64".to_owned(),
            Self::Centre => "(pixel - 128) / 64".to_owned(),
            Self::Normalize(Normalization { mean, deviation }) => format!(
                "(pixel / 255 - mean) / deviation with means {} and deviations {} of red, green and blue",
                mean.map(fraction).join(", "),
                deviation.map(fraction).join(", ")
            ),
        }
    }

    /// The map written out, for whole images.
    pub fn table(self) -> InputTable<i8> {
        InputTable::new(|pixel, channel| self.quantize(pixel, channel))
    }

    /// What the activations mean in training, written out.
    pub fn rounded_table(self) -> InputTable<f32> {
        InputTable::new(|pixel, channel| f32::from(self.quantize(pixel, channel)) * self.step())
    }

    /// [`InputMap::real`], written out.
    pub fn real_table(self) -> InputTable<f32> {
        InputTable::new(|pixel, channel| self.real(pixel, channel))
    }
}

/// What [`FromStr`] reads.
impl fmt::Display for InputMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Halve => f.pad("halve"),
            Self::Centre => f.pad("centre"),
            Self::Normalize(Normalization::CIFAR10) => f.pad("cifar10"),
            Self::Normalize(Normalization::IMAGENET) => f.pad("imagenet"),
            Self::Normalize(Normalization { mean, deviation }) => {
                let [r, g, b] = mean.map(fraction);
                let [dr, dg, db] = deviation.map(fraction);
                f.pad(&[r, g, b, dr, dg, db].join(","))
            }
        }
    }
}

impl FromStr for InputMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let moments = match text {
            "halve" => return Ok(Self::Halve),
            "centre" => return Ok(Self::Centre),
            "cifar10" => Normalization::CIFAR10,
            "imagenet" => Normalization::IMAGENET,
            numbers => six(numbers).ok_or_else(|| {
                format!(
                    "{text:?} is no map from pixels to activations; allowed are halve, centre, cifar10, imagenet, and six numbers from 0 to 1 with at most four digits, means first, as in 0.4914,0.4822,0.4465,0.2470,0.2435,0.2616"
                )
            })?,
        };
        moments.validate()?;
        Ok(Self::Normalize(moments))
    }
}

/// Units of full ink as a decimal fraction, exactly.
fn fraction(units: u16) -> String {
    format!("{}.{:04}", units / FULL, units % FULL)
}

/// Three means and three deviations, exact decimal fractions.
fn six(text: &str) -> Option<Normalization> {
    let unit = |number: &str| -> Option<u16> {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
            return None;
        }
        let units: u16 = format!("{fraction:0<4}").parse().ok()?;
        let whole: u16 = whole.parse().ok()?;
        whole
            .checked_mul(FULL)?
            .checked_add(units)
            .filter(|&u| u <= FULL)
    };
    let units: Option<Vec<u16>> = text.split(',').map(unit).collect();
    let [r, g, b, dr, dg, db] = units?.try_into().ok()?;
    Some(Normalization {
        mean: [r, g, b],
        deviation: [dr, dg, db],
    })
}

/// A map from pixels to values as a table.
///
/// Pixel *i* of an image belongs to channel *i* mod 3: that is what it means in
/// an image of three channels; in others all three tables are the same.
#[derive(Clone, Debug)]
pub struct InputTable<T> {
    values: Box<[[T; 256]; CHANNELS]>,
}

impl<T: Copy> InputTable<T> {
    fn new(value: impl Fn(u8, usize) -> T) -> Self {
        let channel = |channel| std::array::from_fn(|pixel| value(pixel as u8, channel));
        Self {
            values: Box::new(std::array::from_fn(channel)),
        }
    }

    /// The values of an image, in its own order.
    pub fn apply<'a>(&'a self, image: &'a [u8]) -> impl Iterator<Item = T> + 'a {
        let tables = self.values.iter().cycle();
        image
            .iter()
            .zip(tables)
            .map(|(&p, table)| table[usize::from(p)])
    }

    /// Writes the values of an image, in its own order.
    ///
    /// # Panics
    /// If the image and the buffer have different sizes.
    pub fn write(&self, image: &[u8], values: &mut [T]) {
        assert_eq!(image.len(), values.len(), "one value a pixel");
        let pixels = image.chunks(CHANNELS);
        for (values, pixel) in values.chunks_mut(CHANNELS).zip(pixels) {
            for ((value, &p), table) in values.iter_mut().zip(pixel).zip(self.values.iter()) {
                *value = table[usize::from(p)];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for moments in [Normalization::CIFAR10, Normalization::IMAGENET] {
            moments.validate().unwrap();
            let map = InputMap::Normalize(moments);
            let mut largest = 0;
            for channel in 0..3 {
                let mean = f32::from(moments.mean[channel]) / 1e4;
                let deviation = f32::from(moments.deviation[channel]) / 1e4;
                for pixel in 0..=255 {
                    let exact = (f32::from(pixel) / 255.0 - mean) / deviation;
                    assert!((map.real(pixel, channel) - exact).abs() < 1e-5);
                    let rounded = f32::from(map.quantize(pixel, channel)) * map.step();
                    assert!((rounded - exact).abs() <= 0.5001 * map.step());
                    largest = largest.max(map.quantize(pixel, channel).unsigned_abs());
                }
                assert_eq!(map.quantize(map.neutral()[channel], channel), 0);
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
            "mnist",
            "0.5,0.5,0.5",
            "1.1,0,0,1,1,1",
            "0.12345,0,0,1,1,1",
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
        for name in ["halve", "centre", "cifar10", "imagenet", odd] {
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
        let mut moments = Normalization::CIFAR10;
        moments.deviation[1] = 40;
        assert!(moments.validate().unwrap_err().contains("79 or more"));
        moments = Normalization::CIFAR10;
        moments.mean[2] = 10_001;
        assert!(moments.validate().unwrap_err().contains("0 to 10000"));
    }
}
