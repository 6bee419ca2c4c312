//! What is read from a word with an error that was detected and not corrected.

use super::CodeName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What the decoder returns for a detected word.
///
/// In-place codes restore the non-informative bits from the sign under every
/// policy, before it acts. Without a code nothing is ever detected, so `keep`
/// and `zero` then mean the same.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The weights as they are stored, errors included.
    #[default]
    Keep,
    /// All weights of the word read as zero.
    Zero,
    /// The constrained weights of the word read as zero, the others as stored; in-place codes only.
    ZeroConstrained,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Zero, Self::ZeroConstrained];

    /// Whether the policy means something for this code.
    pub fn supported_by(self, code: CodeName) -> bool {
        self != Self::ZeroConstrained || code.is_in_place()
    }

    /// The number in the policy register: 0, 1, 2 in the order of [`Policy::ALL`].
    pub fn number(self) -> u32 {
        match self {
            Self::Keep => 0,
            Self::Zero => 1,
            Self::ZeroConstrained => 2,
        }
    }

    /// The policy with a register number, or `None` for 3 and above.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.number() == number)
    }

    /// The name used in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Zero => "zero",
            Self::ZeroConstrained => "zero-constrained",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "{text:?} is not a policy; allowed are {}",
                    Self::ALL.map(Self::as_str).join(", ")
                )
            })
    }
}
