//! Axes: where numbers lie, and which of them are written.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// Larger numbers are not drawn: the extent of an axis would no longer be a number.
const LARGEST: f64 = 1e100;
/// Smaller positive numbers are not drawn on a logarithmic axis, for its labels' sake.
const SMALLEST: f64 = 1e-100;
/// Differences below this share of the numbers themselves are none: they are rounding.
const SAME: f64 = 1e-9;
/// Margin beside the numbers, as a share of their range.
const MARGIN: f64 = 0.04;
/// Steps between written numbers, at most.
const MOST_STEPS: f64 = 6.0;
/// Decades over which 2 and 5 times a power of ten are written too.
const FEW_DECADES: f64 = 2.5;

/// One axis: a range of places, and the numbers written along it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
    /// Where zero lies on a logarithmic axis; `None` on a linear one.
    zero: Option<f64>,
}

impl Scale {
    /// A linear axis over these numbers, with a margin on both sides.
    pub fn across(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let (low, high) = range_of(numbers.clone());
        let step = step_for(low, high, numbers);
        let margin = MARGIN * (high - low);
        let (low, high) = (low - margin, high + margin);
        Self {
            low,
            high,
            ticks: ticks((low / step).ceil(), (high / step).floor(), step),
            zero: None,
        }
    }

    /// A linear axis over these numbers, from written number to written number; from zero where
    /// it is not far.
    pub fn up(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let (low, high) = match range_of(numbers.clone()) {
            (low, high) if (0.0..high / 2.0).contains(&low) => (0.0, high),
            other => other,
        };
        let step = step_for(low, high, numbers);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        Self {
            low: first * step,
            high: last * step,
            ticks: ticks(first, last, step),
            zero: None,
        }
    }

    /// Names at 0, 1 and so on, with half a step on both sides.
    pub fn names(names: &[String]) -> Self {
        let places = (0u32..).map(f64::from);
        Self {
            low: -0.5,
            high: names.len().max(1) as f64 - 0.5,
            ticks: places.zip(names.iter().cloned()).collect(),
            zero: None,
        }
    }

    /// A logarithmic axis over these numbers; zero lies a decade left of the smallest other one.
    pub fn log(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let is_positive = |n: &f64| (SMALLEST..=LARGEST).contains(n);
        let has_zero = numbers.clone().any(|n| n == 0.0);
        let positive = extent(numbers.filter(is_positive).map(f64::log10));
        let (least, most) = positive.unwrap_or((0.0, 0.0));
        let zero = least - 1.0;
        let mut ticks = match positive {
            Some(_) => log_ticks(least, most),
            None => Vec::new(),
        };
        if has_zero {
            ticks.insert(0, (zero, "0".to_owned()));
        }
        Self {
            low: if has_zero { zero } else { least } - 0.25,
            high: most + 0.25,
            ticks,
            zero: Some(zero),
        }
    }

    /// Where a number lies, between the ends of [`Ranged::range`]; `None` if it has no place.
    pub fn place(&self, number: f64) -> Option<f64> {
        let place = match self.zero {
            None => Some(number),
            Some(zero) if number == 0.0 => Some(zero),
            Some(_) => (SMALLEST..=LARGEST)
                .contains(&number)
                .then(|| number.log10()),
        };
        // An end that was rounded is an end still.
        let rounding = SAME * (self.high - self.low);
        let within = (self.low - rounding)..=(self.high + rounding);
        place.filter(|place| within.contains(place))
    }

    /// The longest text along the axis, in characters.
    pub fn widest_label(&self) -> usize {
        let widths = self.ticks.iter().map(|(_, label)| label.chars().count());
        widths.max().unwrap_or(0)
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, limit: (i32, i32)) -> i32 {
        let share = (place - self.low) / (self.high - self.low);
        let length = f64::from(limit.1 - limit.0);
        limit.0 + (share * length).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, place: &f64) -> String {
        let tick = self.ticks.iter().find(|(at, _)| at == place);
        tick.map_or_else(String::new, |(_, label)| label.clone())
    }
}

/// Whether a linear axis can show a number.
pub fn is_linear(number: f64) -> bool {
    number.abs() <= LARGEST
}

/// Whether a logarithmic axis can show a number.
pub fn is_logarithmic(number: f64) -> bool {
    number == 0.0 || (SMALLEST..=LARGEST).contains(&number)
}

/// The smallest and the largest of the numbers; `None` if there are none.
fn extent(numbers: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    numbers.fold(None, |extent, n| {
        let (low, high) = extent.unwrap_or((n, n));
        Some((low.min(n), high.max(n)))
    })
}

/// The range of these numbers that can be drawn, never empty.
fn range_of(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = extent(numbers.filter(|n| is_linear(*n))).unwrap_or((0.0, 1.0));
    let size = low.abs().max(high.abs());
    match high - low > SAME * size {
        true => (low, high),
        // Equal numbers lie in the middle of a range that is theirs.
        false if size == 0.0 => (-0.5, 0.5),
        false => (low - size / 4.0, high + size / 4.0),
    }
}

/// A step from written number to written number; a whole one between whole numbers.
fn step_for(low: f64, high: f64, numbers: impl Iterator<Item = f64>) -> f64 {
    let step = nice_step((high - low) / MOST_STEPS);
    match numbers.filter(|n| is_linear(*n)).all(|n| n.fract() == 0.0) && high - low >= 1.0 {
        true => step.max(1.0),
        false => step,
    }
}

/// Multiples of a step with their labels.
fn ticks(first: f64, last: f64, step: f64) -> Vec<(f64, String)> {
    let count = (last - first).max(0.0) as usize;
    let ticks = (0..=count).map(|i| (first + i as f64) * step);
    ticks.map(|tick| (tick, label(tick, step))).collect()
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below.
fn nice_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= step);
    factor.unwrap_or(10.0) * power
}

/// A number with the digits that its distance from the next one calls for.
fn label(number: f64, step: f64) -> String {
    let number = if number == 0.0 { 0.0 } else { number };
    if number.abs() >= 1e7 || step < 1e-6 {
        let digits = (number.abs() / step).log10().ceil().clamp(0.0, 9.0);
        return match number == 0.0 {
            true => "0".to_owned(),
            false => format!("{number:.*e}", digits as usize),
        };
    }
    let digits = (-step.log10().floor()).clamp(0.0, 9.0);
    format!("{number:.*}", digits as usize)
}

/// Powers of ten from `least` to `most`, both logarithms, thinned where there are many, and
/// numbers between them where there are few.
fn log_ticks(least: f64, most: f64) -> Vec<(f64, String)> {
    let every = ((most - least) / 10.0).ceil().max(1.0);
    let factors: &[f64] = match most - least < FEW_DECADES {
        true => &[1.0, 2.0, 5.0],
        false => &[1.0],
    };
    let (first, last) = ((least / every).floor() as i32, (most / every).ceil() as i32);
    let powers = (first..=last).map(|power| f64::from(power) * every);
    let ticks = powers.flat_map(|power| {
        let tick = move |factor: &f64| (power + factor.log10(), format!("{factor}e{power}"));
        factors.iter().map(tick)
    });
    let near = (least - 0.2)..=(most + 0.2);
    ticks.filter(|(place, _)| near.contains(place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<&str> {
        scale.ticks.iter().map(|(_, label)| &label[..]).collect()
    }

    #[test]
    fn heights_go_from_written_number_to_written_number() {
        let scale = Scale::up([62.0, 97.3].into_iter());
        assert_eq!(labels(&scale), ["60", "70", "80", "90", "100"]);
        assert_eq!(scale.range(), 60.0..100.0);
        let scale = Scale::up([0.1, 0.19].into_iter());
        assert_eq!(labels(&scale)[..2], ["0.10", "0.12"]);
        let scale = Scale::up([1e-7, 1.9e-7].into_iter());
        assert_eq!(labels(&scale)[..2], ["1.0e-7", "1.2e-7"]);
        let from_zero = Scale::up([12.0, 97.3].into_iter());
        assert_eq!(from_zero.range(), 0.0..100.0);
    }

    #[test]
    fn whole_numbers_are_written_whole_and_none_lies_on_the_border() {
        let scale = Scale::across([1.0, 2.0].into_iter());
        assert_eq!(labels(&scale), ["1", "2"]);
        assert!(scale.low < 1.0 && scale.high > 2.0);
    }

    #[test]
    fn equal_numbers_and_none_at_all_have_an_axis_too() {
        for numbers in [
            &[][..],
            &[0.0],
            &[5.0, 5.0],
            &[-3.0],
            &[1.0, 1.0 + 1e-16],
            &[1e100, -1e100],
            &[1e-300, 2e-300],
            &[f64::NAN, f64::INFINITY],
        ] {
            let numbers = numbers.iter().copied();
            for scale in [Scale::up(numbers.clone()), Scale::across(numbers.clone())] {
                assert!(scale.low < scale.high, "{numbers:?}");
                assert!((1..=20).contains(&scale.ticks.len()), "{numbers:?}");
            }
            let scale = Scale::log(numbers.clone());
            assert!(scale.low < scale.high, "{numbers:?}");
        }
    }

    #[test]
    fn zero_lies_a_decade_left_of_the_smallest_rate() {
        let scale = Scale::log([1e-2, 0.0, 1e-4].into_iter());
        assert_eq!(labels(&scale)[0], "0");
        assert!(labels(&scale).contains(&"1e-4") && labels(&scale).contains(&"1e-2"));
        assert_eq!(scale.place(0.0), Some(-5.0));
        assert_eq!(scale.place(1e-4), Some(-4.0));
        assert_eq!(scale.place(-1.0), None);
        assert_eq!(scale.place(f64::NAN), None);
        let only_zero = Scale::log([0.0].into_iter());
        assert_eq!(labels(&only_zero), ["0"]);
        assert!(only_zero.place(0.0).is_some());
    }

    #[test]
    fn many_decades_are_thinned() {
        let scale = Scale::log([1e-100, 1e100].into_iter());
        assert!(scale.ticks.len() <= 12, "{:?}", scale.ticks);
    }
}
