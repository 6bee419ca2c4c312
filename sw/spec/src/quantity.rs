//! Quantities that must not be mixed up, each with its own type.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A supply voltage in millivolts: the unit of registers and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millivolts(pub u16);

impl fmt::Display for Millivolts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} mV", self.0)
    }
}

/// A bit error rate: the probability, in `[0, 1]`, that one memory cell is faulty.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct BitErrorRate(f64);

impl BitErrorRate {
    /// No cell fails.
    pub const ZERO: Self = Self(0.0);

    /// A rate, or `None` unless `0 <= rate <= 1`.
    pub fn new(rate: f64) -> Option<Self> {
        (0.0..=1.0).contains(&rate).then_some(Self(rate))
    }

    /// The rate as a plain number in `[0, 1]`.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The nearest fault threshold; rates at or above 1 - 2⁻³² saturate.
    pub fn threshold(self) -> Threshold {
        // A float-to-integer cast saturates, which is the documented behaviour.
        Threshold((self.0 * 4_294_967_296.0).round() as u32)
    }
}

impl TryFrom<f64> for BitErrorRate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        Self::new(rate).ok_or_else(|| format!("a rate is {rate}; allowed is 0 to 1"))
    }
}

impl From<BitErrorRate> for f64 {
    fn from(rate: BitErrorRate) -> f64 {
        rate.0
    }
}

impl fmt::Display for BitErrorRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0.0 {
            f.write_str("0")
        } else {
            write!(f, "{:.3e}", self.0)
        }
    }
}

/// A cell with number `u` (32 bits, uniform) is faulty iff `u < threshold`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Threshold(pub u32);

impl Threshold {
    /// The rate applied: `t / 2³²`, exact.
    pub fn applied_rate(self) -> BitErrorRate {
        BitErrorRate(f64::from(self.0) / 4_294_967_296.0)
    }
}

/// The address of one code word in the weight memory.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WordAddress(pub u32);

/// A bit position inside a memory word, 0 = least significant.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Lane(pub u8);

/// The 64-bit identity of a chip: which of its cells fail first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChipSeed(pub u64);

/// The number of an inference; transient faults are drawn anew in every pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pass(pub u32);

impl Pass {
    /// The pass that the hardware uses for the next image.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_outside_zero_to_one_is_refused() {
        assert!(BitErrorRate::new(-1e-9).is_none());
        assert!(BitErrorRate::new(1.000_001).is_none());
        assert!(BitErrorRate::new(f64::NAN).is_none());
    }

    #[test]
    fn thresholds_round_to_the_nearest_and_saturate_at_one() {
        assert_eq!(BitErrorRate::ZERO.threshold(), Threshold(0));
        assert_eq!(
            BitErrorRate::new(0.5).unwrap().threshold(),
            Threshold(1 << 31)
        );
        assert_eq!(
            BitErrorRate::new(1.0).unwrap().threshold(),
            Threshold(u32::MAX)
        );
        assert_eq!(Threshold(1 << 30).applied_rate().get(), 0.25);
    }
}
