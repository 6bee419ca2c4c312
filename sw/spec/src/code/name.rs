//! The names of the four codes, and what follows from a name alone.

use crate::config::WeightBits;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How one word of the weight memory is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CodeName {
    /// 64 bits of raw weights, no protection.
    #[serde(rename = "none")]
    None,
    /// Hsiao code: 8 check bits beside 64 data bits.
    #[serde(rename = "secded-72-64")]
    Secded72_64,
    /// In-place code of 64 bits: 7 check bits in non-informative bits of the weights.
    #[serde(rename = "inplace-64-57")]
    Inplace64_57,
    /// In-place code of 32 bits: 6 check bits in non-informative bits of 4-bit weights.
    #[serde(rename = "inplace-32-26")]
    Inplace32_26,
}

impl CodeName {
    /// Every code.
    pub const ALL: [Self; 4] = [
        Self::None,
        Self::Secded72_64,
        Self::Inplace64_57,
        Self::Inplace32_26,
    ];

    /// Cells of one memory word, check bits included: n of the code.
    pub fn word_bits(self) -> usize {
        match self {
            Self::None | Self::Inplace64_57 => 64,
            Self::Secded72_64 => 72,
            Self::Inplace32_26 => 32,
        }
    }

    /// Cells of one memory word that hold weights.
    pub fn weight_field_bits(self) -> usize {
        match self {
            Self::None | Self::Secded72_64 | Self::Inplace64_57 => 64,
            Self::Inplace32_26 => 32,
        }
    }

    /// Bits of the syndrome: 0 for `none`.
    pub fn check_bits(self) -> usize {
        match self {
            Self::None => 0,
            Self::Secded72_64 => 8,
            Self::Inplace64_57 => 7,
            Self::Inplace32_26 => 6,
        }
    }

    /// Whether the code is defined for weights of this width.
    pub fn supports(self, bits: WeightBits) -> bool {
        self != Self::Inplace32_26 || bits == WeightBits::Four
    }

    /// Whether the check bits sit inside weights, which then have a smaller range.
    pub fn is_in_place(self) -> bool {
        matches!(self, Self::Inplace64_57 | Self::Inplace32_26)
    }

    /// Weights in one word.
    pub fn weights_per_word(self, bits: WeightBits) -> usize {
        self.weight_field_bits() / bits.bits()
    }

    /// The name used in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Secded72_64 => "secded-72-64",
            Self::Inplace64_57 => "inplace-64-57",
            Self::Inplace32_26 => "inplace-32-26",
        }
    }
}

impl fmt::Display for CodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CodeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "{text:?} is not a code; allowed are {}",
                    Self::ALL.map(Self::as_str).join(", ")
                )
            })
    }
}
