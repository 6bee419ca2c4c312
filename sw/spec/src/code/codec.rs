//! Encoding and decoding one word.

use super::{Code, CodeName, Codeword, Policy, Weights};
use crate::config::WeightBits;
use crate::quantity::Lane;
use thiserror::Error;

/// What the decoder says about a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The syndrome is zero.
    Clean,
    /// The syndrome is the column of this lane, which was inverted; check lanes count too.
    ///
    /// Three or more errors can look like one: the decoder cannot know.
    Corrected {
        /// The inverted lane.
        lane: Lane,
    },
    /// The syndrome is neither zero nor a column; the policy decided what was read.
    Detected,
}

/// A word after correction, restored non-informative bits and policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The weights in lane order.
    pub weights: Weights,
    /// What the decoder says about the word.
    pub outcome: Outcome,
}

/// Why weights cannot be encoded: one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The number of weights is not that of a word.
    #[error("a word of {code} holds {expected} weights of {bits} bits, not {found}")]
    Count {
        /// The code.
        code: CodeName,
        /// Bits of a weight.
        bits: WeightBits,
        /// Weights of a word.
        expected: usize,
        /// Weights given.
        found: usize,
    },
    /// A weight is outside what its position can store.
    #[error(
        "weight {position} of a word is {value}; allowed at this position is {lowest} to {highest} with code {code} and {bits}-bit weights"
    )]
    Range {
        /// The code.
        code: CodeName,
        /// Bits of a weight.
        bits: WeightBits,
        /// Position in the word, from 0.
        position: usize,
        /// The weight.
        value: i8,
        /// Smallest weight allowed.
        lowest: i8,
        /// Largest weight allowed.
        highest: i8,
    },
}

impl Code {
    /// The stored word of the weights of one word, in lane order.
    ///
    /// # Errors
    /// When there are not [`Code::weights_per_word`] weights, or one is outside
    /// [`Code::allowed_range`].
    pub fn encode(&self, weights: &[i8]) -> Result<Codeword, EncodeError> {
        if weights.len() != self.weights_per_word() {
            return Err(EncodeError::Count {
                code: self.name(),
                bits: self.weight_bits(),
                expected: self.weights_per_word(),
                found: weights.len(),
            });
        }
        let mut field = 0;
        for (position, &value) in weights.iter().enumerate() {
            let (lowest, highest) = self.allowed_range(position);
            if !(lowest..=highest).contains(&value) {
                return Err(EncodeError::Range {
                    code: self.name(),
                    bits: self.weight_bits(),
                    position,
                    value,
                    lowest,
                    highest,
                });
            }
            field |= (value as u64 & self.weight_mask()) << (position * self.weight_bits().bits());
        }
        Ok(self.complete(field))
    }

    /// The stored word with the data lanes of `field` and the check bits they imply.
    ///
    /// Check lanes inside the field (in-place codes) are overwritten, so every
    /// value of `field` gives a word without error; bits beyond
    /// [`Code::field_mask`] are ignored.
    pub fn complete(&self, field: u64) -> Codeword {
        let data = u128::from(field & self.field_mask()) & !self.check_mask();
        let syndrome = self.parities(Codeword(data));
        let checks: u128 = self
            .check_lanes()
            .enumerate()
            .map(|(check, lane)| u128::from(syndrome >> check & 1) << lane.0)
            .sum();
        self.invert(Codeword(data | checks))
    }

    /// Decodes a word as it was read. Allocates nothing.
    ///
    /// In-place codes set every non-informative bit to its weight's sign,
    /// whatever the outcome, before the policy acts.
    pub fn decode(&self, read: Codeword, policy: Policy) -> Decoded {
        let (field, outcome) = self.decode_field(read, policy);
        Decoded {
            weights: self.weights(field),
            outcome,
        }
    }

    /// [`Code::decode`] with the weights still packed, as the hardware's decoder gives them.
    pub fn decode_field(&self, read: Codeword, policy: Policy) -> (u64, Outcome) {
        let word = self.invert(read);
        let syndrome = self.parities(word);
        if syndrome == 0 {
            return (self.restore(word), Outcome::Clean);
        }
        match self.lane_of_syndrome(syndrome) {
            Some(lane) => {
                let corrected = Codeword(word.0 ^ 1 << lane.0);
                (self.restore(corrected), Outcome::Corrected { lane })
            }
            None => {
                let kept = match policy {
                    Policy::Keep => u64::MAX,
                    Policy::Zero => 0,
                    Policy::ZeroConstrained => !self.constrained_mask(),
                };
                (self.restore(word) & kept, Outcome::Detected)
            }
        }
    }

    /// The weights of a packed field, sign-extended.
    pub fn weights(&self, field: u64) -> Weights {
        Weights::unpack(field, self.weight_bits(), self.weights_per_word())
    }

    /// The weights' lanes, with every check bit among them replaced by the sign above it.
    fn restore(&self, word: Codeword) -> u64 {
        let field = word.0 as u64 & self.field_mask();
        // Separate check bits lie beyond the field, so this is then zero.
        let checks = self.check_mask() as u64;
        let signs = field & checks << 1;
        field & !checks | signs >> 1
    }
}
