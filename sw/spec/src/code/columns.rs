//! The parity-check columns of each code, as data.

use super::CodeName;
use crate::config::WeightBits;

/// The eight weight-5 columns of `secded-72-64`, for data lanes 56 to 63.
///
/// With all 8 columns of weight 1 and all 56 of weight 3, a code of 72 columns
/// needs 8 of the 56 vectors of weight 5. A triple error is miscorrected when
/// its syndrome is a column, that is, when the code has a word of weight 4
/// through the three lanes; so detecting most triples means having fewest words
/// of weight 4. All 1,420,494,075 choices were searched, up to the permutations
/// of the eight check bits: the fewest is 8,392, which leaves 33,568 of 59,640
/// triples (56.28 %) miscorrected and detects 26,072. Three choices up to
/// permutation reach it, each with equal row weights (27 lanes in every check,
/// so equally shallow trees); this is the numerically first of one of them.
pub(super) const SECDED_WEIGHT_5: [u8; 8] = [0x1f, 0x6d, 0x7a, 0xb6, 0xb9, 0xce, 0xd5, 0xe3];

/// The lanes of the check bits, in the order of the syndrome bits: the i-th has column `1 << i`.
pub(super) fn check_lanes(name: CodeName, bits: WeightBits) -> Vec<u8> {
    // The weights whose check bit is the bit below the sign.
    let below_sign = |positions: &[u8]| -> Vec<u8> {
        let width = bits.bits() as u8;
        positions.iter().map(|p| p * width + width - 2).collect()
    };
    match (name, bits) {
        (CodeName::None, _) => Vec::new(),
        (CodeName::Secded72_64, _) => (64..72).collect(),
        (CodeName::Inplace64_57, WeightBits::Eight) => below_sign(&[0, 1, 2, 3, 4, 5, 6]),
        (CodeName::Inplace64_57, WeightBits::Four) => below_sign(&[1, 3, 5, 7, 9, 11, 13]),
        (CodeName::Inplace32_26, _) => below_sign(&[0, 1, 2, 3, 4, 5]),
    }
}

/// The columns of the data lanes, in ascending lane order.
///
/// Columns ascend in weight, then in value. The in-place codes use every
/// odd-weight vector, so each check covers exactly half of the lanes whatever
/// the order is.
pub(super) fn data_columns(name: CodeName) -> Vec<u8> {
    match name {
        CodeName::None => vec![0; name.word_bits()],
        CodeName::Secded72_64 => {
            let mut columns = vectors_of_weight(8, 3);
            columns.extend(SECDED_WEIGHT_5);
            columns
        }
        CodeName::Inplace64_57 => [3, 5, 7]
            .into_iter()
            .flat_map(|weight| vectors_of_weight(7, weight))
            .collect(),
        CodeName::Inplace32_26 => [3, 5]
            .into_iter()
            .flat_map(|weight| vectors_of_weight(6, weight))
            .collect(),
    }
}

/// All vectors of `bits` bits with `weight` ones, ascending.
fn vectors_of_weight(bits: u32, weight: u32) -> Vec<u8> {
    (0..=u8::MAX)
        .filter(|v| v.count_ones() == weight && u32::from(*v) < 1 << bits)
        .collect()
}
