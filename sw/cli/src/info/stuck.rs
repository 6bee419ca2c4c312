//! What a code cannot see: words whose cells do not hold what was written.

use brownout_spec::code::{Code, Codeword, Outcome, Policy, Storage};
use brownout_spec::quantity::Lane;
use serde::Serialize;

/// What the decoder says of words whose cells do not hold what was written.
#[derive(Debug, Serialize)]
pub struct StuckWords {
    /// Lanes that the memory holds inverted.
    inverted_lanes: Vec<Lane>,
    /// What is told of a word of zeros.
    zeros: Told,
    /// Of a word of ones.
    ones: Told,
    /// The same where words are stored plain.
    plain_zeros: Told,
    plain_ones: Told,
    /// All words by their syndromes: one is that of every word without error.
    syndromes: u32,
    /// Syndromes that are corrected.
    corrected: usize,
}

/// What the decoder's counters tell of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Nothing,
    Corrected,
    Detected,
}

impl Told {
    fn of(code: &Code, word: u128) -> Self {
        match code.decode(Codeword(word), Policy::Keep).outcome {
            Outcome::Clean => Self::Nothing,
            Outcome::Corrected { .. } => Self::Corrected,
            Outcome::Detected => Self::Detected,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Nothing => "not noticed",
            Self::Corrected => "corrected into another word",
            Self::Detected => "detected",
        }
    }
}

impl StuckWords {
    /// What is told of a code's words.
    pub fn new(code: &Code) -> Self {
        let plain = Code::new(code.name(), code.weight_bits(), Storage::Plain);
        let (zeros, ones) = (0, u128::MAX >> (128 - code.n()));
        let lanes = (0..code.n() as u8).map(Lane);
        Self {
            inverted_lanes: lanes.filter(|&lane| code.is_inverted(lane)).collect(),
            zeros: Told::of(code, zeros),
            ones: Told::of(code, ones),
            plain_zeros: Told::of(&plain, zeros),
            plain_ones: Told::of(&plain, ones),
            syndromes: 1 << code.check_bits(),
            corrected: match code.check_bits() {
                0 => 0,
                _ => code.n(),
            },
        }
    }

    /// The lines of a code that has check bits.
    pub fn lines(&self) -> [(&'static str, String); 4] {
        let lanes: Vec<String> = (self.inverted_lanes.iter())
            .map(|lane| lane.0.to_string())
            .collect();
        let told = |coset: Told, plain: Told| {
            format!("{} (of plain words: {})", coset.text(), plain.text())
        };
        let all = self.syndromes;
        [
            (
                "stored",
                format!("with lanes {} inverted (coset = true)", lanes.join(" and ")),
            ),
            ("all cells at 0", told(self.zeros, self.plain_zeros)),
            ("all cells at 1", told(self.ones, self.plain_ones)),
            (
                "cells at any",
                format!(
                    "of every {all} words 1 not noticed, {} corrected into another word, {} detected",
                    self.corrected,
                    all as usize - 1 - self.corrected
                ),
            ),
        ]
    }
}
