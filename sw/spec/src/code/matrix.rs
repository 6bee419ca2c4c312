//! A code as data, and the tables that follow from it.

use super::columns::{check_lanes, data_columns};
use super::storage::inverted_lanes;
use super::{CodeName, Codeword, Storage};
use crate::config::{Configuration, WeightBits};
use crate::quantity::Lane;

/// Marks a syndrome that is no column in `lane_of_syndrome`.
const NO_LANE: u8 = u8::MAX;

/// One code for one weight width as one memory holds it: parity-check columns, lane roles, and
/// tables for fast decoding.
///
/// Lane `l` is bit `l` of a [`Codeword`]; weight `p` of the word occupies lanes
/// `[wb·p, wb·p + wb)`. A column is a syndrome bit pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    name: CodeName,
    weight_bits: WeightBits,
    storage: Storage,
    columns: Vec<u8>,
    check_lanes: Vec<u8>,
    masks: Vec<u128>,
    lane_of_syndrome: [u8; 256],
    /// Syndrome of each value of each byte of the word.
    syndrome_of_byte: Vec<[u8; 256]>,
    check_mask: u128,
    inverted: u128,
    constrained_mask: u64,
}

impl Code {
    /// The code `name` for weights of `weight_bits`, in words that are stored as `storage` says.
    ///
    /// Words without check bits are always stored as they are.
    ///
    /// # Panics
    /// Unless `name.supports(weight_bits)`; every validated configuration does.
    pub fn new(name: CodeName, weight_bits: WeightBits, storage: Storage) -> Self {
        assert!(
            name.supports(weight_bits),
            "{name} is not defined for {weight_bits}-bit weights"
        );
        let check_lanes = check_lanes(name, weight_bits);
        let storage = storage.with(name);
        let mut data = data_columns(name).into_iter();
        let columns: Vec<u8> = (0..name.word_bits() as u8)
            .map(|lane| match check_lanes.iter().position(|&c| c == lane) {
                Some(check) => 1 << check,
                None => data.next().expect("every data lane has a column"),
            })
            .collect();
        let masks = (0..check_lanes.len())
            .map(|check| mask_of(&columns, check))
            .collect();
        let mut code = Self {
            name,
            weight_bits,
            storage,
            lane_of_syndrome: lanes_by_syndrome(&columns),
            syndrome_of_byte: syndromes_by_byte(&columns),
            columns,
            check_mask: check_lanes.iter().map(|&lane| 1 << lane).sum(),
            inverted: inverted_lanes(storage, &check_lanes),
            check_lanes,
            masks,
            constrained_mask: 0,
        };
        code.constrained_mask = (0..code.weights_per_word())
            .filter(|&position| code.is_constrained(position))
            .map(|position| code.weight_mask() << (position * weight_bits.bits()))
            .sum();
        code
    }

    /// The code that a configuration chooses.
    ///
    /// # Panics
    /// As [`Code::new`], for a configuration that was not validated.
    pub fn of(configuration: &Configuration) -> Self {
        Self::new(
            configuration.code,
            configuration.weight_bits,
            configuration.storage,
        )
    }

    /// The code's name.
    pub fn name(&self) -> CodeName {
        self.name
    }

    /// Bits of a weight.
    pub fn weight_bits(&self) -> WeightBits {
        self.weight_bits
    }

    /// In which form words are stored; [`Storage::Plain`] for `none`.
    pub fn storage(&self) -> Storage {
        self.storage
    }

    /// The lanes, as bits, whose cells hold the inverse of the code word's bits.
    pub fn inverted(&self) -> u128 {
        self.inverted
    }

    /// Whether a cell in this lane holds the inverse of the code word's bit.
    pub fn is_inverted(&self, lane: Lane) -> bool {
        self.inverted.checked_shr(lane.0.into()).unwrap_or(0) & 1 == 1
    }

    /// The code word that stored cells stand for, and the cells that a code word is stored in.
    pub fn invert(&self, word: Codeword) -> Codeword {
        Codeword(word.0 ^ self.inverted)
    }

    /// n: lanes of a word.
    pub fn n(&self) -> usize {
        self.columns.len()
    }

    /// k: information bits of a word, n less the check bits.
    pub fn k(&self) -> usize {
        self.n() - self.check_bits()
    }

    /// Check bits of a word, which is also the width of the syndrome; 0 for `none`.
    pub fn check_bits(&self) -> usize {
        self.check_lanes.len()
    }

    /// Weights of a word: 8 or 16.
    pub fn weights_per_word(&self) -> usize {
        self.name.weights_per_word(self.weight_bits)
    }

    /// The parity-check columns in lane order, each a syndrome; all zero for `none`.
    pub fn columns(&self) -> &[u8] {
        &self.columns
    }

    /// The lane of each check bit, in the order of the syndrome bits.
    pub fn check_lanes(&self) -> impl ExactSizeIterator<Item = Lane> + '_ {
        self.check_lanes.iter().map(|&lane| Lane(lane))
    }

    /// Which syndrome bit the lane is the check bit of, if it is one.
    pub fn check_of_lane(&self, lane: Lane) -> Option<usize> {
        self.check_lanes.iter().position(|&check| check == lane.0)
    }

    /// The lanes, as bits, whose parity is syndrome bit `check`; its own check lane is among them.
    ///
    /// # Panics
    /// Unless `check < self.check_bits()`.
    pub fn mask(&self, check: usize) -> u128 {
        self.masks[check]
    }

    /// The check lanes, as bits of a word.
    pub fn check_mask(&self) -> u128 {
        self.check_mask
    }

    /// The lanes that hold weights, as bits of a word: the low 64 or 32.
    pub fn field_mask(&self) -> u64 {
        u64::MAX >> (64 - self.name.weight_field_bits())
    }

    /// The lanes of the constrained weights, as bits of a word; none but for in-place codes.
    pub fn constrained_mask(&self) -> u64 {
        self.constrained_mask
    }

    /// The lane that a syndrome accuses, or `None` for zero and for a syndrome that is no column.
    ///
    /// `None` for a non-zero syndrome means that the error is detected and cannot be corrected.
    pub fn lane_of_syndrome(&self, syndrome: u8) -> Option<Lane> {
        let lane = self.lane_of_syndrome[usize::from(syndrome)];
        (lane != NO_LANE).then_some(Lane(lane))
    }

    /// The syndrome of a stored word: bit `i` is the parity of the lanes in `mask(i)` once
    /// the inverted ones are set right.
    ///
    /// Lanes beyond the word must be zero.
    pub fn syndrome(&self, stored: Codeword) -> u8 {
        self.parities(self.invert(stored))
    }

    /// The parities of a code word's lanes, all zero if it is one.
    pub(super) fn parities(&self, word: Codeword) -> u8 {
        let bytes = word.0.to_le_bytes();
        self.syndrome_of_byte
            .iter()
            .zip(bytes)
            .fold(0, |syndrome, (table, byte)| {
                syndrome ^ table[usize::from(byte)]
            })
    }

    /// Whether the weight at `position` of a word gives one bit to the code.
    pub fn is_constrained(&self, position: usize) -> bool {
        let width = self.weight_bits.bits();
        self.name.is_in_place()
            && self
                .check_lanes
                .iter()
                .any(|&lane| usize::from(lane) / width == position)
    }

    /// The smallest and largest weight that `position` of a word can store.
    pub fn allowed_range(&self, position: usize) -> (i8, i8) {
        let (lowest, highest) = self.weight_bits.range();
        if self.is_constrained(position) {
            (lowest / 2, highest / 2)
        } else {
            (lowest, highest)
        }
    }

    /// The smallest and largest weight of an output channel.
    ///
    /// In-place words never cross a row and columns are a multiple of their
    /// weights, so a weight's position in its word is its output channel modulo
    /// [`Code::weights_per_word`], whatever the array's size is.
    pub fn allowed_range_of_channel(&self, output_channel: usize) -> (i8, i8) {
        self.allowed_range(output_channel % self.weights_per_word())
    }

    /// The bits of one weight at position 0.
    pub(super) fn weight_mask(&self) -> u64 {
        (1 << self.weight_bits.bits()) - 1
    }
}

fn mask_of(columns: &[u8], check: usize) -> u128 {
    columns
        .iter()
        .enumerate()
        .filter(|(_, column)| *column >> check & 1 == 1)
        .map(|(lane, _)| 1 << lane)
        .sum()
}

fn lanes_by_syndrome(columns: &[u8]) -> [u8; 256] {
    let mut lanes = [NO_LANE; 256];
    for (lane, &column) in columns.iter().enumerate() {
        // Without a code all columns are zero, and the zero syndrome accuses no lane.
        if column != 0 {
            lanes[usize::from(column)] = lane as u8;
        }
    }
    lanes
}

/// One table per byte of the word; none at all without a code.
fn syndromes_by_byte(columns: &[u8]) -> Vec<[u8; 256]> {
    if columns.iter().all(|&column| column == 0) {
        return Vec::new();
    }
    columns
        .chunks(8)
        .map(|lanes| {
            std::array::from_fn(|byte| {
                lanes
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| byte >> bit & 1 == 1)
                    .fold(0, |syndrome, (_, column)| syndrome ^ column)
            })
        })
        .collect()
}
