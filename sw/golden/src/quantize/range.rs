//! The first range of a tensor (WCAT, section 3.5).

use super::error::{LEAST, QuantizeError, check_values};
use super::expected_error::{self, Faults};
use super::uniform::largest_magnitude;
use super::wcat::{Wcat, WcatRules};
use super::width::BitWidth;

/// Largest range that is tried, in units of the largest magnitude. The published step
/// leaves +α off the grid, so that the best range can lie above all weights.
const WIDEST: f64 = 2.0;
/// Candidates per octave, and octaves below the widest, of the coarse search.
const PER_OCTAVE: usize = 8;
const OCTAVES: usize = 14;
/// Golden-section steps around the best candidate; each keeps 62 % of the interval.
const REFINEMENTS: usize = 24;

/// How a tensor's range is found before it is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RangeInitialization {
    /// The largest magnitude.
    MaxAbs,
    /// The range with the least squared error of the stored weights (equation 9).
    LeastError,
    /// The range with the least squared error expected under faults (equation 10).
    LeastExpectedError(Faults),
}

impl RangeInitialization {
    /// The range of a tensor for a width and a variant of WCAT.
    ///
    /// The error has many shallow minima, as weights cross from integer to integer:
    /// ranges from twice the largest magnitude down to 1/8192 of it are tried, and the
    /// best one is refined. Zeros alone get the range 1.
    ///
    /// # Errors
    /// No weights, or weights that are not finite.
    pub fn range(
        self,
        weights: &[f32],
        width: BitWidth,
        rules: WcatRules,
    ) -> Result<f32, QuantizeError> {
        check_values(weights)?;
        let largest = largest_magnitude(weights);
        if largest == 0.0 {
            return Ok(1.0);
        }
        let faults = match self {
            Self::MaxAbs => return Ok(largest.max(LEAST)),
            Self::LeastError => Faults::NONE,
            Self::LeastExpectedError(faults) => faults,
        };
        let error = |log: f64| -> Result<f64, QuantizeError> {
            let alpha = (f64::from(largest) * log.exp2()) as f32;
            let grid = Wcat::new(width, alpha.max(LEAST), rules)?.grid();
            Ok(expected_error::of_tensor(weights, &grid, faults))
        };
        let best = minimize(error)?;
        Ok(((f64::from(largest) * best.exp2()) as f32).max(LEAST))
    }

    /// A WCAT quantizer with that range.
    ///
    /// # Errors
    /// As [`Self::range`].
    pub fn wcat(
        self,
        weights: &[f32],
        width: BitWidth,
        rules: WcatRules,
    ) -> Result<Wcat, QuantizeError> {
        Wcat::new(width, self.range(weights, width, rules)?, rules)
    }
}

/// The logarithm to base 2 at which a function is least: a coarse scan, then golden sections.
fn minimize<E>(mut error: impl FnMut(f64) -> Result<f64, E>) -> Result<f64, E> {
    let spacing = 1.0 / PER_OCTAVE as f64;
    let widest = WIDEST.log2();
    let mut best = (f64::INFINITY, widest);
    for candidate in 0..=PER_OCTAVE * OCTAVES {
        let log = widest - candidate as f64 * spacing;
        let found = error(log)?;
        if found < best.0 {
            best = (found, log);
        }
    }
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (best.1 - spacing, best.1 + spacing);
    let mut inner = [high - golden * (high - low), low + golden * (high - low)];
    let mut errors = [error(inner[0])?, error(inner[1])?];
    for _ in 0..REFINEMENTS {
        let nearer = usize::from(errors[1] < errors[0]);
        if errors[nearer] < best.0 {
            best = (errors[nearer], inner[nearer]);
        }
        if nearer == 0 {
            high = inner[1];
            (inner[1], errors[1]) = (inner[0], errors[0]);
            inner[0] = high - golden * (high - low);
            errors[0] = error(inner[0])?;
        } else {
            low = inner[0];
            (inner[0], errors[0]) = (inner[1], errors[1]);
            inner[1] = low + golden * (high - low);
            errors[1] = error(inner[1])?;
        }
    }
    Ok(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_have_a_range_and_bad_tensors_a_sentence() {
        let width = BitWidth::new(4).unwrap();
        let range = |weights: &[f32]| {
            RangeInitialization::LeastError.range(weights, width, WcatRules::default())
        };
        assert_eq!(range(&[0.0; 4]), Ok(1.0));
        assert_eq!(range(&[]), Err(QuantizeError::Empty));
        assert!(range(&[1.0, f32::NAN]).is_err());
    }

    #[test]
    fn the_search_finds_a_minimum_between_its_candidates() {
        for target in [-11.37, -3.01, 0.4] {
            let found = minimize(|log| Ok::<_, ()>((log - target).powi(2))).unwrap();
            assert!((found - target).abs() < 1e-4, "{target}: {found}");
        }
    }
}
