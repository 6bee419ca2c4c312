//! Three profiled chips: published statistics of real bit-cell arrays, and arrays that have them.
//!
//! Stutz et al. (*Bit Error Robustness for Energy-Efficient DNN Accelerators*, MLSys
//! 2021, supplementary material, table of profiled chips) measured arrays of 128
//! columns at several voltages. A cell that fails has a polarity: one that reads 1
//! in place of 0 disturbs stored zeros only, so on random data half of its errors
//! are visible. Some cells fail at every read, the others at some.
//!
//! The arrays themselves are not published. [`ProfiledArray`] draws others like
//! them: with the table's rates, the polarities and the alignment along columns of
//! the segments of 64 rows that the paper shows as figures.

mod array;
mod fit;

pub use array::{FaultyCell, ProfiledArray, alignment};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Columns of every profiled array.
pub const PROFILE_COLUMNS: usize = 128;

/// How a chip's errors lie in its array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Anywhere, with either polarity (chip 1).
    Random,
    /// In some columns more than in others; all cells of a column have one polarity, and
    /// three columns of four that of 0 read as 1 (chips 2 and 3).
    Columns,
}

/// What was measured on one chip at one voltage. Rates are means over all cells of the
/// probability that a read fails, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Profile {
    /// Number of the chip in the paper.
    pub chip: u8,
    /// Rate of all errors.
    pub rate: f64,
    /// Rate of errors of cells that read 1 in place of 0: the share of stored zeros read wrong.
    pub zero_to_one: f64,
    /// Rate of errors of cells that read 0 in place of 1: the share of stored ones read wrong.
    pub one_to_zero: f64,
    /// Share of cells that fail at every read.
    pub persistent: f64,
}

const fn row(chip: u8, percent: [f64; 4]) -> Profile {
    Profile {
        chip,
        rate: percent[0] / 100.0,
        zero_to_one: percent[1] / 100.0,
        one_to_zero: percent[2] / 100.0,
        persistent: percent[3] / 100.0,
    }
}

impl Profile {
    /// The paper's table, each chip from its lowest voltage up. It does not print voltages.
    ///
    /// Chip 3's persistent share is the same at both voltages but for the last digit.
    pub const ALL: [Self; 7] = [
        row(1, [2.744, 1.27, 1.47, 1.223]),
        row(1, [0.866, 0.38, 0.49, 0.393]),
        row(2, [4.707, 3.443, 1.091, 0.627]),
        row(2, [1.01, 0.82, 0.19, 0.105]),
        row(2, [0.136, 0.115, 0.021, 0.01]),
        row(3, [2.297, 1.81, 0.48, 0.204]),
        row(3, [0.597, 0.496, 0.0995, 0.206]),
    ];

    /// Rows of the chip's array: 2048 of chip 1, 8192 of the others.
    pub fn rows(&self) -> usize {
        match self.chip {
            1 => 2048,
            _ => 8192,
        }
    }

    /// How the chip's errors lie in its array.
    pub fn pattern(&self) -> Pattern {
        match self.chip {
            1 => Pattern::Random,
            _ => Pattern::Columns,
        }
    }
}

/// The name in flags and files, as in `chip1:0.866`: the chip and its rate in percent.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Five significant digits hide the rounding of the division by 100.
        let percent = (self.rate * 1e7).round() / 1e5;
        f.pad(&format!("chip{}:{percent}", self.chip))
    }
}

/// A profile that was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no profiled chip; allowed are {all}", all = Profile::ALL.map(|p| p.to_string()).join(", "))]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        let found = Self::ALL.into_iter().find(|p| p.to_string() == name);
        found.ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

impl TryFrom<String> for Profile {
    type Error = UnknownProfile;

    fn try_from(name: String) -> Result<Self, UnknownProfile> {
        name.parse()
    }
}

impl From<Profile> for String {
    fn from(profile: Profile) -> String {
        profile.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_survives_its_name_and_others_are_refused_with_all_names() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        let message = "chip4:1".parse::<Profile>().unwrap_err().to_string();
        assert!(message.contains("chip1:0.866, chip2:4.707"), "{message}");
    }

    #[test]
    fn polarities_add_up_to_the_rate_as_far_as_the_table_is_exact() {
        for p in Profile::ALL {
            let sum = p.zero_to_one + p.one_to_zero;
            assert!((sum / p.rate - 1.0).abs() < 0.04, "{p}");
        }
    }
}
