//! The ways to round that QONNX knows.

use crate::error::quoted;
use std::fmt;

/// A way to round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, halves to the even one (`ROUND` and `HALF_EVEN`).
    HalfEven,
    /// To the nearest, halves away from zero.
    HalfUp,
    /// To the nearest, halves towards zero.
    HalfDown,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
    /// To the larger.
    Ceil,
    /// To the smaller.
    Floor,
}

impl Rounding {
    /// The mode of that name, in upper or lower case.
    ///
    /// # Errors
    /// Another name.
    pub fn named(name: &str) -> Result<Self, String> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "ROUND" | "HALF_EVEN" => Self::HalfEven,
            "HALF_UP" => Self::HalfUp,
            "HALF_DOWN" => Self::HalfDown,
            "UP" => Self::Up,
            "DOWN" => Self::Down,
            "CEIL" => Self::Ceil,
            "FLOOR" => Self::Floor,
            _ => {
                return Err(format!(
                    "rounding_mode {}; allowed are ROUND, HALF_EVEN, HALF_UP, HALF_DOWN, UP, \
                     DOWN, CEIL and FLOOR",
                    quoted(name)
                ));
            }
        })
    }

    /// The whole number.
    pub fn apply(self, x: f32) -> f32 {
        let whole = match self {
            Self::HalfEven => x.round_ties_even(),
            Self::HalfUp => (x.abs() + 0.5).floor().copysign(x),
            Self::HalfDown => (x.abs() - 0.5).ceil().copysign(x),
            Self::Up => x.abs().ceil().copysign(x),
            Self::Down => x.trunc(),
            Self::Ceil => x.ceil(),
            Self::Floor => x.floor(),
        };
        // No negative zero: an integer has none.
        whole + 0.0
    }
}

impl fmt::Display for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HalfEven => "HALF_EVEN",
            Self::HalfUp => "HALF_UP",
            Self::HalfDown => "HALF_DOWN",
            Self::Up => "UP",
            Self::Down => "DOWN",
            Self::Ceil => "CEIL",
            Self::Floor => "FLOOR",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_round_as_qonnx_does_in_any_case_of_their_names() {
        // Computed by qonnx 1.0.0.
        let cases = [
            ("HALF_UP", -2.5, -3.0),
            ("HALF_UP", 2.5, 3.0),
            ("half_down", 2.5, 2.0),
            ("HALF_DOWN", -2.6, -3.0),
            ("UP", -0.3, -1.0),
            ("up", 0.3, 1.0),
            ("DOWN", -1.7, -1.0),
            ("floor", -25.25, -26.0),
            ("CEIL", -25.25, -25.0),
            ("ROUND", 2.5, 2.0),
            ("HALF_EVEN", 3.5, 4.0),
        ];
        for (name, x, rounded) in cases {
            assert_eq!(
                Rounding::named(name).unwrap().apply(x),
                rounded,
                "{name} {x}"
            );
        }
        for mode in ["HALF_DOWN", "HALF_UP", "UP"] {
            assert_eq!(Rounding::named(mode).unwrap().apply(0.0), 0.0, "{mode}");
        }
        let refused = Rounding::named("TRUNCATE").unwrap_err();
        assert!(refused.contains("TRUNCATE") && refused.contains("HALF_EVEN"));
    }
}
