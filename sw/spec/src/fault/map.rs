//! An explicit list of faulty cells, from a file.

use super::cipher::LANES;
use crate::config::WEIGHT_ADDRESS_BITS;
use crate::quantity::{Lane, WordAddress};
use crate::text::printable;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// What a listed cell does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CellFault {
    /// It reads inverted.
    Flip,
    /// It reads zero.
    StuckAtZero,
    /// It reads one.
    StuckAtOne,
}

impl fmt::Display for CellFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flip => "flip",
            Self::StuckAtZero => "0",
            Self::StuckAtOne => "1",
        })
    }
}

/// The faulty cells of one word: disjoint masks of lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct WordFaults {
    flip: u128,
    zero: u128,
    one: u128,
}

/// Faulty cells and what each of them does.
///
/// The words of an image are known when it is written, so a map needs no
/// hardware: it becomes [`flips`](Self::flips) of the stored words.
///
/// A file has one cell a line, `address lane kind`, separated by commas, tabs
/// or spaces. The kind is `flip`, `0` or `1`. Empty lines and lines that start
/// with `#` are skipped, and so is a first line `address lane kind`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultMap {
    words: BTreeMap<WordAddress, WordFaults>,
}

/// What is wrong with a fault map: one sentence naming the line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the fault map has {found}; allowed is {allowed}")]
pub struct FaultMapError {
    /// Line number, from 1.
    pub line: usize,
    /// What the line says.
    pub found: String,
    /// What would be accepted.
    pub allowed: String,
}

impl FaultMap {
    /// Reads the text of a file; see [`FaultMap`] for its format.
    ///
    /// Addresses are below 2²³ and lanes below 72; a cell may be listed once.
    pub fn from_text(text: &str) -> Result<Self, FaultMapError> {
        let mut map = Self::default();
        let mut header_allowed = true;
        for (index, content) in text.lines().enumerate() {
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let fields: Vec<&str> = content
                .split(|c: char| c == ',' || c.is_whitespace())
                .filter(|field| !field.is_empty())
                .collect();
            if header_allowed && fields == ["address", "lane", "kind"] {
                header_allowed = false;
                continue;
            }
            header_allowed = false;
            map.read_cell(index + 1, &fields)?;
        }
        Ok(map)
    }

    fn read_cell(&mut self, line: usize, fields: &[&str]) -> Result<(), FaultMapError> {
        let refuse = |found: String, allowed: String| FaultMapError {
            line,
            found,
            allowed,
        };
        let &[address, lane, kind] = fields else {
            return Err(refuse(
                format!("{} fields", fields.len()),
                "address, lane and kind".to_owned(),
            ));
        };
        let last_address = (1_u32 << WEIGHT_ADDRESS_BITS) - 1;
        let address = parse_up_to(address, last_address).ok_or_else(|| {
            refuse(
                format!("the address {:?}", printable(address)),
                format!("0 to {last_address}"),
            )
        })?;
        let lane = parse_up_to(lane, LANES as u32 - 1).ok_or_else(|| {
            refuse(
                format!("the lane {:?}", printable(lane)),
                format!("0 to {}", LANES - 1),
            )
        })?;
        let fault = match kind {
            "flip" => CellFault::Flip,
            "0" => CellFault::StuckAtZero,
            "1" => CellFault::StuckAtOne,
            _ => {
                return Err(refuse(
                    format!("the kind {:?}", printable(kind)),
                    "flip, 0 or 1".to_owned(),
                ));
            }
        };
        if !self.insert(WordAddress(address), Lane(lane as u8), fault) {
            return Err(refuse(
                format!("the cell at address {address}, lane {lane} again"),
                "every cell at most once".to_owned(),
            ));
        }
        Ok(())
    }

    /// Adds a cell; false, and no change, if it is listed already or its lane does not exist.
    pub fn insert(&mut self, address: WordAddress, lane: Lane, fault: CellFault) -> bool {
        if usize::from(lane.0) >= LANES {
            return false;
        }
        let cell = 1_u128 << lane.0;
        let word = self.words.entry(address).or_default();
        if (word.flip | word.zero | word.one) & cell != 0 {
            return false;
        }
        match fault {
            CellFault::Flip => word.flip |= cell,
            CellFault::StuckAtZero => word.zero |= cell,
            CellFault::StuckAtOne => word.one |= cell,
        }
        true
    }

    /// The cells in order of address and lane.
    pub fn cells(&self) -> impl Iterator<Item = (WordAddress, Lane, CellFault)> + '_ {
        self.words.iter().flat_map(|(&address, word)| {
            (0..LANES as u8).filter_map(move |lane| {
                let listed = |mask: u128| mask >> lane & 1 == 1;
                let fault = if listed(word.flip) {
                    CellFault::Flip
                } else if listed(word.zero) {
                    CellFault::StuckAtZero
                } else if listed(word.one) {
                    CellFault::StuckAtOne
                } else {
                    return None;
                };
                Some((address, Lane(lane), fault))
            })
        })
    }

    /// How many cells are listed.
    pub fn len(&self) -> usize {
        self.words
            .values()
            .map(|word| (word.flip | word.zero | word.one).count_ones() as usize)
            .sum()
    }

    /// Whether no cell is listed.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The first listed cell that a memory of this many words of this many bits does not have.
    pub fn first_outside(&self, words: usize, word_bits: usize) -> Option<(WordAddress, Lane)> {
        self.cells()
            .map(|(address, lane, _)| (address, lane))
            .find(|&(address, lane)| {
                address.0 as usize >= words || usize::from(lane.0) >= word_bits
            })
    }

    /// The bits of a stored word that the listed cells invert.
    pub fn flips(&self, address: WordAddress, stored: u128) -> u128 {
        self.words.get(&address).map_or(0, |word| {
            word.flip | (word.zero & stored) | (word.one & !stored)
        })
    }
}

/// A file in the format that [`FaultMap::from_text`] reads.
impl fmt::Display for FaultMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "address\tlane\tkind")?;
        self.cells().try_for_each(|(address, lane, fault)| {
            writeln!(f, "{}\t{}\t{fault}", address.0, lane.0)
        })
    }
}

/// A plain decimal number from 0 to `last`.
fn parse_up_to(text: &str, last: u32) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| plain && number <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuck_cells_flip_only_what_differs_and_flip_cells_always() {
        let map = FaultMap::from_text("address,lane,kind\n5,0,flip\n5,1,0\n5,2,1\n").unwrap();
        assert_eq!(map.flips(WordAddress(5), 0b000), 0b101);
        assert_eq!(map.flips(WordAddress(5), 0b111), 0b011);
        assert_eq!(map.flips(WordAddress(4), 0b111), 0);
    }

    #[test]
    fn a_map_survives_its_file_whatever_the_separator() {
        let text = "# chip 1\n\n1048575\t71\t1\n0, 0, flip\r\n  7 31 0\n";
        let map = FaultMap::from_text(text).unwrap();
        assert_eq!(map.len(), 3);
        assert_eq!(FaultMap::from_text(&map.to_string()), Ok(map));
    }

    #[test]
    fn each_refusal_names_the_line_and_what_is_allowed() {
        for (text, expected) in [
            ("1 2 flip\n1 2", "line 2 of the fault map has 2 fields"),
            ("1 2 flip 4", "4 fields"),
            ("8388608 0 flip", "allowed is 0 to 8388607"),
            ("-1 0 flip", "the address \"-1\""),
            ("+1 0 flip", "the address \"+1\""),
            ("0 72 0", "allowed is 0 to 71"),
            ("0 0 2", "the kind \"2\"; allowed is flip, 0 or 1"),
            (
                "3 4 0\n\n3 4 1",
                "line 3 of the fault map has the cell at address 3, lane 4 again",
            ),
            ("0 0 0\naddress lane kind", "line 2"),
        ] {
            let message = FaultMap::from_text(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
        }
    }

    #[test]
    fn a_cell_beyond_the_memory_is_found() {
        let map = FaultMap::from_text("3 40 flip\n9 2 flip").unwrap();
        assert_eq!(map.first_outside(10, 64), None);
        assert_eq!(map.first_outside(9, 64), Some((WordAddress(9), Lane(2))));
        assert_eq!(map.first_outside(10, 32), Some((WordAddress(3), Lane(40))));
    }
}
