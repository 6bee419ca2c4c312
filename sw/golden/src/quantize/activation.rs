//! Activations at 8 and 4 bits, with calibrated or learned ranges.
//!
//! Activations live at nominal voltage, so their integers need no lanes; what counts
//! is how many there are. The hardware's are signed: after a ReLU half of them stay
//! unused, which [`ActivationCodes::Signed`] reproduces. What moves a range in training is in
//! [`train`](crate::train::ActivationOptions).

use super::error::check_positive;
use super::width::BitWidth;
use serde::{Deserialize, Serialize};

/// The integers of an activation of b bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivationCodes {
    /// −2^(b−1) to 2^(b−1) − 1, the hardware's.
    #[default]
    Signed,
    /// 0 to 2^b − 1, for values that a ReLU made; PACT's. The hardware stores those
    /// of 8 bits with a zero point.
    Unsigned,
}

impl ActivationCodes {
    /// The smallest and largest integer.
    pub fn bounds(self, width: BitWidth) -> (i16, i16) {
        let half = width.half() as i16;
        match self {
            Self::Signed => (-half, half - 1),
            Self::Unsigned => (0, 2 * half - 1),
        }
    }
}

/// The integers of one tensor's activations, each worth one step.
///
/// They are counted from the real zero: what a file's quantizer with a zero point stores from
/// −128 to 127 is here that range less its zero point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationGrid {
    /// What an integer's unit stands for.
    pub step: f32,
    /// Smallest integer.
    pub low: i16,
    /// Largest integer.
    pub high: i16,
}

impl ActivationGrid {
    /// The hardware's 8 bits, −128 to 127, with this step.
    pub fn hardware(step: f32) -> Self {
        Self::of_bytes(step, 0)
    }

    /// The hardware's 8 bits, −128 to 127, with this step and zero point.
    pub fn of_bytes(step: f32, zero: i8) -> Self {
        let (low, high) = ActivationCodes::Signed.bounds(BitWidth::EIGHT);
        Self {
            step,
            low: low - i16::from(zero),
            high: high - i16::from(zero),
        }
    }

    /// The grid whose largest integer stands for `range`; a tensor that is never positive
    /// has one as well.
    pub fn of_range(range: f32, width: BitWidth, codes: ActivationCodes) -> Self {
        /// The least range that has a step.
        const NARROWEST: f32 = 1e-27;
        /// The range of a tensor that is never positive. It stores zeros, and a narrow one would
        /// ask for multipliers that no layer has.
        const OF_NOTHING: f32 = 1.0;
        let (low, high) = codes.bounds(width);
        let range = if range > 0.0 {
            range.min(f32::MAX)
        } else {
            OF_NOTHING
        };
        Self {
            step: range.max(NARROWEST) / f32::from(high),
            low,
            high,
        }
    }

    /// What the largest integer stands for.
    pub fn range(&self) -> f32 {
        self.step * f32::from(self.high)
    }

    /// The zero point of its integers where they are stored as bytes with a sign: 0 where they are
    /// such themselves, else the one nearest to 0 with which all of a [valid](Self::validate) grid fit.
    pub fn zero(&self) -> i8 {
        let below = i16::from(i8::MIN) - self.low;
        let above = i16::from(i8::MAX) - self.high;
        // A valid grid is past one end at most.
        let zero = below.max(0) + above.min(0);
        zero.clamp(i8::MIN.into(), i8::MAX.into()) as i8
    }

    /// The smallest and largest integer as they are stored, zero point and all.
    pub fn stored(&self) -> (i8, i8) {
        let zero = i16::from(self.zero());
        let end = |value: i16| (value + zero).clamp(i8::MIN.into(), i8::MAX.into()) as i8;
        (end(self.low), end(self.high))
    }

    /// Checks a grid that was read from a file.
    ///
    /// # Errors
    /// One sentence with the step or the integers, and what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        check_positive("activation step", self.step).map_err(|e| e.to_string())?;
        let ends = (-255..=0).contains(&self.low) && (1..=255).contains(&self.high);
        if ends && self.high - self.low <= 255 {
            return Ok(());
        }
        Err(format!(
            "activations are {} to {}; allowed are -255 to 0, to 1 to 255, and 256 of them at most",
            self.low, self.high
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(bits: u32) -> BitWidth {
        BitWidth::new(bits).unwrap()
    }

    #[test]
    fn signed_codes_waste_half_of_a_rectified_range_and_unsigned_ones_do_not() {
        assert_eq!(ActivationCodes::Signed.bounds(bits(8)), (-128, 127));
        assert_eq!(ActivationCodes::Unsigned.bounds(bits(8)), (0, 255));
        assert_eq!(ActivationCodes::Signed.bounds(bits(4)), (-8, 7));
        for width in [bits(4), bits(8)] {
            let step = |codes| ActivationGrid::of_range(6.0, width, codes).step;
            let (signed, unsigned) = (
                step(ActivationCodes::Signed),
                step(ActivationCodes::Unsigned),
            );
            assert!(signed > 2.0 * unsigned, "{signed} against {unsigned}");
        }
    }

    #[test]
    fn every_grid_of_256_integers_is_stored_with_one_zero_point_and_wider_ones_are_refused() {
        for low in -255..=0i16 {
            for high in 1..=255i16 {
                let step = 0.5;
                let grid = ActivationGrid { step, low, high };
                if high - low > 255 {
                    assert!(grid.validate().unwrap_err().contains("256 of them"));
                    continue;
                }
                grid.validate().unwrap();
                let zero = i16::from(grid.zero());
                let (first, last) = grid.stored();
                assert_eq!(
                    (i16::from(first) - zero, i16::from(last) - zero),
                    (low, high)
                );
                let signed = low >= -128 && high <= 127;
                assert_eq!(signed, zero == 0);
            }
        }
    }

    #[test]
    fn a_grid_ends_at_its_range_and_one_that_is_always_zero_has_a_step() {
        for codes in [ActivationCodes::Signed, ActivationCodes::Unsigned] {
            let grid = ActivationGrid::of_range(6.0, bits(4), codes);
            assert!((grid.range() - 6.0).abs() < 1e-5);
            assert_eq!((grid.low, grid.high), codes.bounds(bits(4)));
            // Neither is a step that no multiplier reaches.
            for nothing in [0.0, -3.0, f32::MIN, f32::NAN] {
                let grid = ActivationGrid::of_range(nothing, bits(4), codes);
                assert_eq!(grid.range(), 1.0, "{nothing}");
            }
            // A function of the network's own may reach either end.
            for range in [1e-35, f32::INFINITY] {
                let grid = ActivationGrid::of_range(range, bits(8), codes);
                assert!(grid.validate().is_ok(), "{range}");
            }
        }
    }
}
