//! Live bits and lanes: what of a stored weight can be disturbed.
//!
//! The weight image stores 4-bit or 8-bit two's complement integers. A weight of
//! 2 or 3 bits lives in a 4-bit lane, one of 5 to 7 bits in an 8-bit lane; the
//! lane's upper bits repeat its sign. The papers' protocol never disturbs those
//! copies, a real memory does: [`Exposure`] says which of the two a result means.

use super::error::QuantizeError;
use brownout_spec::config::WeightBits;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bits of a quantized value, 2 to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct BitWidth(u8);

impl BitWidth {
    /// All widths, narrowest first.
    pub const ALL: [Self; 7] = [
        Self(2),
        Self(3),
        Self(4),
        Self(5),
        Self(6),
        Self(7),
        Self(8),
    ];

    /// Four bits.
    pub const FOUR: Self = Self(4);
    /// Eight bits.
    pub const EIGHT: Self = Self(8);

    /// A width of 2 to 8 bits.
    ///
    /// # Errors
    /// One sentence with the number and what is allowed.
    pub fn new(bits: u32) -> Result<Self, QuantizeError> {
        match u8::try_from(bits) {
            Ok(bits @ 2..=8) => Ok(Self(bits)),
            _ => Err(QuantizeError::Bits(bits)),
        }
    }

    /// 2 to 8.
    pub fn bits(self) -> u32 {
        u32::from(self.0)
    }

    /// The lane of the weight image that such a value is stored in.
    pub fn lane(self) -> WeightBits {
        if self.0 <= 4 {
            WeightBits::Four
        } else {
            WeightBits::Eight
        }
    }

    /// Half the number of codes, 2^(b−1): the offset of offset binary.
    pub fn half(self) -> i32 {
        1 << (self.0 - 1)
    }

    /// The smallest and largest two's complement integer, −2^(b−1) and 2^(b−1) − 1.
    pub fn range(self) -> (i8, i8) {
        ((-self.half()) as i8, (self.half() - 1) as i8)
    }

    /// Every two's complement integer of this width, ascending.
    pub fn integers(self) -> impl Iterator<Item = i8> {
        let (low, high) = self.range();
        low..=high
    }

    /// A two's complement integer as offset binary, 0 to 2^b − 1.
    ///
    /// Both have the same bits but for the inverted most significant one, and XOR
    /// commutes with that: a flip has the same effect on the value in either.
    pub fn to_offset_binary(self, integer: i8) -> u8 {
        (integer as u8 ^ self.half() as u8) & self.live_mask()
    }

    /// The two's complement integer of an offset binary code; bits above the width are ignored.
    pub fn from_offset_binary(self, code: u8) -> i8 {
        self.sign_extend(code ^ self.half() as u8)
    }

    /// The integer whose lowest bits these are; bits above the width are ignored.
    pub fn sign_extend(self, bits: u8) -> i8 {
        let unused = 8 - u32::from(self.0);
        (bits << unused) as i8 >> unused
    }

    fn live_mask(self) -> u8 {
        u8::MAX >> (8 - self.0)
    }
}

impl TryFrom<u32> for BitWidth {
    type Error = QuantizeError;
    fn try_from(bits: u32) -> Result<Self, QuantizeError> {
        Self::new(bits)
    }
}

impl From<BitWidth> for u32 {
    fn from(width: BitWidth) -> u32 {
        width.bits()
    }
}

impl From<WeightBits> for BitWidth {
    fn from(bits: WeightBits) -> Self {
        match bits {
            WeightBits::Four => Self(4),
            WeightBits::Eight => Self(8),
        }
    }
}

impl fmt::Display for BitWidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which bits of a lane faults reach; part of every result about faults.
///
/// At 4 and 8 bits both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exposure {
    /// Only the b live bits, as the papers do: a disturbed value is a b-bit value.
    LiveBits,
    /// All bits of the 4-bit or 8-bit lane, as in a memory: a flip among the copies
    /// of the sign makes an integer that no b-bit value has.
    WholeLane,
}

impl Exposure {
    /// Both.
    pub const ALL: [Self; 2] = [Self::LiveBits, Self::WholeLane];

    /// The name in files and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LiveBits => "live-bits",
            Self::WholeLane => "whole-lane",
        }
    }

    /// How many bits of a value faults reach.
    pub fn bits(self, width: BitWidth) -> u32 {
        match self {
            Self::LiveBits => width.bits(),
            Self::WholeLane => width.lane().bits() as u32,
        }
    }

    /// The bits that faults reach, as ones.
    pub fn mask(self, width: BitWidth) -> u8 {
        u8::MAX >> (8 - self.bits(width))
    }

    /// The lane's integer after flips; ones of `flips` outside the exposed bits have no effect.
    pub fn disturb(self, width: BitWidth, stored: i8, flips: u8) -> i8 {
        let disturbed = stored as u8 ^ (flips & self.mask(width));
        match self {
            Self::LiveBits => width.sign_extend(disturbed),
            Self::WholeLane => BitWidth::from(width.lane()).sign_extend(disturbed),
        }
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LiveBits => "live bits only",
            Self::WholeLane => "the whole lane",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_other_than_2_to_8_are_refused_with_a_sentence() {
        for bits in [0, 1, 9, 260, u32::MAX] {
            let message = BitWidth::new(bits).unwrap_err().to_string();
            assert_eq!(message, format!("bits is {bits}; allowed are 2 to 8"));
        }
        assert_eq!(
            BitWidth::ALL.map(BitWidth::bits),
            [2, 3, 4, 5, 6, 7, 8],
            "all widths"
        );
    }

    #[test]
    fn narrow_values_live_in_the_lanes_of_the_image() {
        let lanes = BitWidth::ALL.map(|width| Exposure::WholeLane.bits(width));
        assert_eq!(lanes, [4, 4, 4, 8, 8, 8, 8]);
    }

    #[test]
    fn a_flip_among_copies_of_the_sign_reaches_only_a_whole_lane() {
        let three = BitWidth::new(3).unwrap();
        // −1 is 111 in three live bits and 1111 in the lane.
        assert_eq!(Exposure::LiveBits.disturb(three, -1, 0b1000), -1);
        assert_eq!(Exposure::WholeLane.disturb(three, -1, 0b1000), 7);
        // The live sign alone: the papers read 011, the memory 1011.
        assert_eq!(Exposure::LiveBits.disturb(three, -1, 0b0100), 3);
        assert_eq!(Exposure::WholeLane.disturb(three, -1, 0b0100), -5);
        // Nothing above the lane is ever reached.
        assert_eq!(Exposure::WholeLane.disturb(three, -1, 0b1111_0000), -1);
    }

    #[test]
    fn both_exposures_are_the_same_at_4_and_8_bits_and_at_no_other_width() {
        for width in BitWidth::ALL {
            let same = width.integers().all(|stored| {
                (0..=u8::MAX).all(|flips| {
                    Exposure::LiveBits.disturb(width, stored, flips)
                        == Exposure::WholeLane.disturb(width, stored, flips)
                })
            });
            assert_eq!(same, [4, 8].contains(&width.bits()), "{width} bits");
        }
    }

    #[test]
    fn offset_binary_counts_up_with_the_integers() {
        for width in BitWidth::ALL {
            let codes: Vec<u8> = width
                .integers()
                .map(|i| width.to_offset_binary(i))
                .collect();
            let ascending: Vec<u8> = (0..=width.live_mask()).collect();
            assert_eq!(codes, ascending, "{width} bits");
            for integer in width.integers() {
                let code = width.to_offset_binary(integer);
                assert_eq!(width.from_offset_binary(code), integer);
            }
        }
    }
}
