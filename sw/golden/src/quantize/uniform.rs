//! Equal steps around zero: the grid under every symmetric quantizer.

use super::Quantizer;
use super::error::{LEAST, QuantizeError, check_positive, check_values};
use super::width::BitWidth;
use serde::{Deserialize, Serialize};

/// Where a value half-way between two integers goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// To the even one, as the papers' code does.
    Even,
    /// Away from zero, as this project's exportable quantizer does.
    AwayFromZero,
}

impl Ties {
    /// The nearest integer.
    #[inline]
    pub fn round(self, value: f32) -> f32 {
        match self {
            Self::Even => value.round_ties_even(),
            Self::AwayFromZero => value.round(),
        }
    }
}

/// Integers from `low` to `high`, each worth one step: w becomes clamp(round(w / step)) · step.
///
/// What is not a number is stored as 0, but stays what it is when [faked](Quantizer::fake).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uniform {
    width: BitWidth,
    step: f32,
    low: i8,
    high: i8,
    ties: Ties,
}

impl Uniform {
    /// A grid that uses all integers of a width.
    ///
    /// # Errors
    /// A step that is not positive and finite.
    pub fn new(width: BitWidth, step: f32) -> Result<Self, QuantizeError> {
        check_positive("step", step)?;
        let (low, high) = width.range();
        Ok(Self {
            width,
            step,
            low,
            high,
            ties: Ties::Even,
        })
    }

    /// The grid on which the largest magnitude is the largest integer; −2^(b−1) is unused.
    ///
    /// Zeros alone get the step 1.
    ///
    /// # Errors
    /// No values, or values that are not finite.
    pub fn symmetric(width: BitWidth, weights: &[f32]) -> Result<Self, QuantizeError> {
        check_values(weights)?;
        let high = width.range().1;
        let step = match largest_magnitude(weights) {
            0.0 => 1.0,
            largest => (largest / f32::from(high)).max(LEAST),
        };
        let grid = Self::new(width, step)?;
        Ok(grid.within(-high, high))
    }

    /// The same grid with fewer integers, for symmetric ranges and codes' constraints.
    ///
    /// # Panics
    /// If the bounds are no part of the width's range, in order.
    #[must_use]
    pub fn within(mut self, low: i8, high: i8) -> Self {
        let (least, most) = self.width.range();
        assert!(
            least <= low && low <= high && high <= most,
            "{low} to {high} is no part of {least} to {most}"
        );
        (self.low, self.high) = (low, high);
        self
    }

    /// The same grid with another rule for ties.
    #[must_use]
    pub fn with_ties(mut self, ties: Ties) -> Self {
        self.ties = ties;
        self
    }

    /// The same grid with another step, which is that of a grid.
    #[must_use]
    pub(super) fn with_step(mut self, step: f32) -> Self {
        self.step = step;
        self
    }

    /// The weight that an integer's unit stands for.
    pub fn step(&self) -> f32 {
        self.step
    }

    /// The smallest and largest integer that a weight is stored as.
    pub fn bounds(&self) -> (i8, i8) {
        (self.low, self.high)
    }

    /// Where halves go.
    pub fn ties(&self) -> Ties {
        self.ties
    }

    /// Checks a grid that was read from a file.
    ///
    /// # Errors
    /// One sentence with the step or the bounds, and what is allowed.
    pub fn validate(&self) -> Result<(), QuantizeError> {
        check_positive("step", self.step)?;
        let (least, most) = self.width.range();
        if least <= self.low && self.low <= 0 && 0 < self.high && self.high <= most {
            return Ok(());
        }
        Err(QuantizeError::Bounds {
            low: self.low,
            high: self.high,
            least,
            most,
        })
    }

    fn nearest(&self, weight: f32) -> f32 {
        let bounds = (f32::from(self.low), f32::from(self.high));
        nearest(weight, self.step, bounds, self.ties)
    }
}

impl Quantizer for Uniform {
    fn width(&self) -> BitWidth {
        self.width
    }

    fn encode(&self, weight: f32) -> i8 {
        self.nearest(weight) as i8
    }

    fn decode(&self, stored: i8) -> f32 {
        f32::from(stored) * self.step
    }

    fn fake(&self, weight: f32) -> f32 {
        self.nearest(weight) * self.step
    }
}

/// The integer within bounds that is nearest to a weight in steps.
///
/// As a float, so that what is not a number stays so and a training that diverges
/// shows it.
#[inline]
pub fn nearest(weight: f32, step: f32, (low, high): (f32, f32), ties: Ties) -> f32 {
    ties.round(weight / step).clamp(low, high)
}

pub(super) fn largest_magnitude(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |m: f32, v| m.max(v.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_symmetric_grid_reaches_the_largest_weight_and_errs_by_half_a_step() {
        let weights = [-0.7, 0.31, 0.02, -0.44, 0.699];
        for width in BitWidth::ALL {
            let grid = Uniform::symmetric(width, &weights).unwrap();
            assert_eq!(grid.encode(-0.7), -width.range().1);
            for weight in weights {
                let error = (grid.decode(grid.encode(weight)) - weight).abs();
                assert!(error <= grid.step() * 0.500_001, "{weight} errs by {error}");
            }
        }
    }

    #[test]
    fn ties_follow_the_rule_by_name() {
        let even = Uniform::new(BitWidth::new(4).unwrap(), 2.0).unwrap();
        let away = even.with_ties(Ties::AwayFromZero);
        assert_eq!(
            [1.0, 3.0, 5.0, -1.0, -5.0].map(|w| even.encode(w)),
            [0, 2, 2, 0, -2]
        );
        assert_eq!(
            [1.0, 3.0, 5.0, -1.0, -5.0].map(|w| away.encode(w)),
            [1, 2, 3, -1, -3]
        );
    }

    #[test]
    fn a_number_that_is_none_is_not_hidden() {
        let grid = Uniform::new(BitWidth::new(4).unwrap(), 0.1).unwrap();
        assert!(grid.fake(f32::NAN).is_nan());
        assert!(grid.quantize(&[f32::NAN]).values[0].is_nan());
    }

    #[test]
    fn zeros_have_a_grid_and_bad_tensors_a_sentence() {
        let width = BitWidth::new(8).unwrap();
        assert_eq!(Uniform::symmetric(width, &[0.0; 3]).unwrap().step(), 1.0);
        let message = |weights: &[f32]| Uniform::symmetric(width, weights).unwrap_err().to_string();
        assert!(message(&[]).contains("without values"));
        assert!(message(&[0.1, f32::NAN]).contains("value 1 of the tensor is NaN"));
        assert!(message(&[f32::INFINITY]).contains("is inf"));
        assert!(
            Uniform::new(width, -0.5)
                .unwrap_err()
                .to_string()
                .contains("step is -0.5")
        );
    }
}
