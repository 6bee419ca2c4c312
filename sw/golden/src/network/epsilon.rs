//! What a normalisation adds to a variance: a quantity of the network that no tensor carries.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// ε of a batch or group norm, added to a variance before its root is taken.
///
/// PyTorch's layers have 1e-5 unless told otherwise, TensorFlow's and Keras' 1e-3.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Epsilon(f32);

/// It is never NaN.
impl Eq for Epsilon {}

impl Epsilon {
    /// That of the networks which are made here.
    pub const DEFAULT: Self = Self(1e-5);

    /// An ε of this value.
    ///
    /// # Errors
    /// A sentence when it is none that a norm can have.
    pub fn new(value: f32) -> Result<Self, String> {
        match value > 0.0 && value <= 1.0 {
            true => Ok(Self(value)),
            false => Err(format!(
                "the epsilon of a norm is {value}; allowed is more than 0 and at most 1, as in 1e-3"
            )),
        }
    }

    /// Whether it is that of the networks which are made here.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::DEFAULT
    }

    /// The number.
    pub fn value(self) -> f32 {
        self.0
    }
}

impl Default for Epsilon {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<f32> for Epsilon {
    type Error = String;

    fn try_from(value: f32) -> Result<Self, String> {
        Self::new(value)
    }
}

impl From<Epsilon> for f32 {
    fn from(epsilon: Epsilon) -> Self {
        epsilon.value()
    }
}

/// What [`FromStr`] reads.
impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:e}", self.0))
    }
}

impl FromStr for Epsilon {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().map_err(|_| {
            format!("{text:?} is no number; allowed is more than 0 and at most 1, as in 1e-3")
        });
        number.and_then(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epsilon_survives_its_text_and_its_json_to_the_bit() {
        for value in [1e-5, 1e-3, 0.001_5, 1.0, 1e-12, f32::MIN_POSITIVE, 0.1] {
            let epsilon = Epsilon::new(value).unwrap();
            assert_eq!(epsilon.to_string().parse(), Ok(epsilon));
            let json = serde_json::to_string(&epsilon).unwrap();
            assert_eq!(serde_json::from_str::<Epsilon>(&json).unwrap(), epsilon);
        }
        assert_eq!("0.001".parse::<Epsilon>().unwrap().to_string(), "1e-3");
    }

    #[test]
    fn what_no_norm_can_have_is_refused_with_what_is_allowed() {
        for text in ["0", "-1e-5", "1.5", "NaN", "inf", "1e-60", "", "e", "1e-3x"] {
            let message = text.parse::<Epsilon>().unwrap_err();
            assert!(message.contains("at most 1"), "{text}: {message}");
        }
        assert!(serde_json::from_str::<Epsilon>("0.0").is_err());
        assert!(serde_json::from_str::<Epsilon>("2").is_err());
    }
}
