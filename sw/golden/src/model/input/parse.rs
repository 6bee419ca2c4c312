//! How people write a map from pixels.

use super::InputMap;
use super::fraction::{DIGITS, Fraction, ONE, units};
use super::normalization::{MOST_CHANNELS, Moments, Normalization};
use std::str::FromStr;

/// Pixels of full ink.
const FULL_INK: u64 = 255;
impl FromStr for InputMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = match text.trim() {
            "halve" => Some(Self::Halve),
            "centre" => Some(Self::Centre),
            "bytes" => Some(Self::Bytes),
            "cifar10" => Some(Self::Normalize(Normalization::CIFAR10)),
            "imagenet" => Some(Self::Normalize(Normalization::IMAGENET)),
            "mnist" => Some(Self::Normalize(Normalization::MNIST)),
            "unit" => Some(Self::Normalize(Normalization::UNIT)),
            _ => None,
        };
        named.map_or_else(|| moments(text).map(Self::Normalize), Ok)
    }
}

/// Means, then deviations.
fn moments(text: &str) -> Result<Normalization, String> {
    let bare = text.replace(['(', ')', '[', ']'], " ");
    let parts = bare.split([',', ' ', '\t']).filter(|part| !part.is_empty());
    let units: Option<Vec<u64>> = parts.map(units).collect();
    let units = units.filter(|u| !u.is_empty()).ok_or_else(|| {
        format!(
            "{text:?} is no map from pixels to activations; allowed are halve, centre, bytes (0 to 255), unit (pixel / 255), mnist, cifar10, imagenet, and means and deviations of the channels (to {DIGITS} digits), all means first, of a pixel / 255 or of pixels from 0 to 255, as in 0.1307,0.3081 or 0.4914,0.4822,0.4465,0.2470,0.2435,0.2616"
        )
    })?;
    let channels = units.len() / 2;
    if !units.len().is_multiple_of(2) || channels > MOST_CHANNELS {
        return Err(format!(
            "{text:?} has {} numbers; allowed are one mean and one deviation for each of 1 to {MOST_CHANNELS} channels, all means first",
            units.len()
        ));
    }
    // No share of full ink is above one, so then these are pixels, and all of them.
    let one = u64::from(ONE);
    let pixels = units.iter().any(|&u| u > one);
    if pixels && units.iter().any(|&u| u > 0 && u <= one) {
        return Err(format!(
            "{text:?} has numbers up to 1 and above 1; allowed are moments of a pixel / 255, all up to 1, or of pixels from 0 to {FULL_INK}, all above 1 but for zeros"
        ));
    }
    let share = |units: u64| {
        let share = match pixels {
            true => (units + FULL_INK / 2) / FULL_INK,
            false => units,
        };
        Fraction::of_units(share).ok_or_else(|| {
            format!("{text:?} has a number above {FULL_INK}; allowed are 0 to 1, or pixels from 0 to {FULL_INK}")
        })
    };
    let shares: Vec<Fraction> = units.into_iter().map(share).collect::<Result<_, _>>()?;
    let (means, deviations) = shares.split_at(channels);
    let pairs = means.iter().zip(deviations);
    let moments = pairs.map(|(&mean, &deviation)| Moments { mean, deviation });
    Normalization::new(&moments.collect::<Vec<_>>())
}
