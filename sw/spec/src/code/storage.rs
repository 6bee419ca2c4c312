//! In which form code words lie in the memory.
//!
//! A linear code contains the word of zeros, and the in-place codes contain
//! the word of ones as well: a word line whose cells all read the same is then
//! a valid word of wrong weights, and no counter moves. The memory therefore
//! holds every code word XORed with one fixed word whose syndrome is that of a
//! double error, a coset of the code. Whoever reads XORs the same word again,
//! so inverted cells remain what they are, bit for bit; but a word of zeros or
//! ones is read with a double error in it, which is detected.

use super::CodeName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the memory holds code words; a truth value in files, `coset`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(from = "bool", into = "bool")]
pub enum Storage {
    /// As they are.
    Plain,
    /// With two lanes inverted, so that a word of zeros or ones is an error.
    #[default]
    Coset,
}

impl Storage {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Coset];

    /// What it means for a code: words without check bits are always stored as they are.
    pub fn with(self, code: CodeName) -> Self {
        match code {
            CodeName::None => Self::Plain,
            _ => self,
        }
    }

    /// Whether words are stored as they are.
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }

    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain code words",
            Self::Coset => "a coset of the code",
        }
    }
}

impl From<bool> for Storage {
    fn from(coset: bool) -> Self {
        match coset {
            true => Self::Coset,
            false => Self::Plain,
        }
    }
}

impl From<Storage> for bool {
    fn from(storage: Storage) -> Self {
        !storage.is_plain()
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The lanes, as bits, that a memory with these check lanes holds inverted.
///
/// Two lanes are the fewest: the syndrome of one is a column, and would be
/// corrected. They are those of the first two check bits. The column of a
/// check lane has a single bit, so that each inverts one parity and nothing
/// else: what a check lane holds is never part of a weight, neither beside the
/// weights nor inside them, where the sign replaces it. A data lane would
/// invert three parities or more and stand in the weight's own path. That
/// zeros and ones are detected, and the alternating words of memory tests with
/// them, is shown for every code by the tests.
pub(super) fn inverted_lanes(storage: Storage, check_lanes: &[u8]) -> u128 {
    match storage {
        Storage::Plain => 0,
        Storage::Coset => check_lanes.iter().take(2).map(|&lane| 1 << lane).sum(),
    }
}
