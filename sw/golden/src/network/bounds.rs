//! Between which values a layer's output is clipped: a quantity of the network, unlike the ends
//! of a grid, which quantization chooses.

use serde::{Deserialize, Serialize};

/// A range that values are clipped to; an end that is infinite clips nothing.
///
/// In JSON an end that clips nothing is absent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Ends", into = "Ends")]
pub struct Bounds {
    low: f32,
    high: f32,
}

/// No end is NaN.
impl Eq for Bounds {}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Ends {
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<f32>,
}

impl Bounds {
    /// Nothing is clipped.
    pub const NONE: Self = Self {
        low: f32::NEG_INFINITY,
        high: f32::INFINITY,
    };
    /// Negative values become zero.
    pub const RELU: Self = Self {
        low: 0.0,
        high: f32::INFINITY,
    };
    /// 0 to 6.
    pub const RELU6: Self = Self {
        low: 0.0,
        high: 6.0,
    };
    /// Positive values become zero.
    pub const NOT_POSITIVE: Self = Self {
        low: f32::NEG_INFINITY,
        high: 0.0,
    };
    /// 0 to 1.
    pub const UNIT: Self = Self {
        low: 0.0,
        high: 1.0,
    };

    /// From `low` to `high`; either may be infinite.
    ///
    /// # Errors
    /// A sentence when that is no range.
    pub fn new(low: f32, high: f32) -> Result<Self, String> {
        match low < high && low < f32::INFINITY && high > f32::NEG_INFINITY {
            true => Ok(Self { low, high }),
            false => Err(format!(
                "values are clipped to {low} to {high}; allowed is a lower end below the upper one"
            )),
        }
    }

    /// ReLU if `rectified`, else none.
    pub const fn relu(rectified: bool) -> Self {
        match rectified {
            true => Self::RELU,
            false => Self::NONE,
        }
    }

    /// What is below becomes this.
    pub fn low(self) -> f32 {
        self.low
    }

    /// What is above becomes this.
    pub fn high(self) -> f32 {
        self.high
    }

    /// Whether nothing is clipped.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self::NONE
    }
}

impl TryFrom<Ends> for Bounds {
    type Error = String;

    fn try_from(ends: Ends) -> Result<Self, String> {
        let low = ends.low.unwrap_or(f32::NEG_INFINITY);
        Self::new(low, ends.high.unwrap_or(f32::INFINITY))
    }
}

impl From<Bounds> for Ends {
    fn from(bounds: Bounds) -> Self {
        let finite = |end: f32| end.is_finite().then_some(end);
        Self {
            low: finite(bounds.low),
            high: finite(bounds.high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_survives_its_json_and_an_absent_end_clips_nothing() {
        let clip = Bounds::new(-0.1, 0.3).unwrap();
        for (bounds, json) in [
            (Bounds::NONE, "{}"),
            (Bounds::RELU, r#"{"low":0.0}"#),
            (Bounds::RELU6, r#"{"low":0.0,"high":6.0}"#),
            (clip, r#"{"low":-0.1,"high":0.3}"#),
        ] {
            assert_eq!(serde_json::to_string(&bounds).unwrap(), json);
            assert_eq!(serde_json::from_str::<Bounds>(json).unwrap(), bounds);
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (low, high) in [
            (1.0, 1.0),
            (6.0, 0.0),
            (f32::NAN, 1.0),
            (0.0, f32::NAN),
            (f32::INFINITY, f32::INFINITY),
        ] {
            let message = Bounds::new(low, high).unwrap_err();
            assert!(message.contains("below the upper one"), "{message}");
        }
        assert!(serde_json::from_str::<Bounds>(r#"{"low":2.0,"high":1.0}"#).is_err());
    }
}
