//! What is stored and what is read: code words and the weights in them.

use crate::config::WeightBits;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{BitXor, Deref};

/// The bits of one memory word, lane 0 least significant.
///
/// Lanes at or above the code's word width are zero. What the memory holds and what is read of it
/// has the lanes of [`Code::inverted`](super::Code::inverted) inverted against the word of the code.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Codeword(pub u128);

impl BitXor for Codeword {
    type Output = Self;

    /// The word with the lanes of `flips` inverted.
    fn bitxor(self, flips: Self) -> Self {
        Self(self.0 ^ flips.0)
    }
}

impl fmt::LowerHex for Codeword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

/// The weights of one word in lane order, held in place; reads as a slice of 8 or 16.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    values: [i8; 16],
    length: u8,
}

impl Weights {
    /// Splits `count` weights of `bits` bits off the low end of `field`.
    pub(super) fn unpack(field: u64, bits: WeightBits, count: usize) -> Self {
        let mut values = [0; 16];
        match bits {
            WeightBits::Eight => {
                for (value, byte) in values.iter_mut().zip(field.to_le_bytes()) {
                    *value = byte as i8;
                }
            }
            WeightBits::Four => {
                for (lane, value) in values.iter_mut().enumerate() {
                    // Shifting left and back again repeats the sign.
                    *value = ((field >> (4 * lane)) as i8) << 4 >> 4;
                }
            }
        }
        Self {
            values,
            length: count as u8,
        }
    }
}

impl Deref for Weights {
    type Target = [i8];

    fn deref(&self) -> &[i8] {
        &self.values[..usize::from(self.length)]
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
