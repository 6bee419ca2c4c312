//! The keyed permutation behind the faults, round by round.
//!
//! A 128-bit state of four 32-bit rows goes through rounds of substitution and
//! permutation. Seen the other way, the state has 32 columns of four bits; bit
//! *r* of a column lies in row *r*. One round:
//!
//! 1. every column is replaced by [`S_BOX`] of it,
//! 2. row *r* is rotated left by [`ROTATIONS`]`[r]`,
//! 3. [`ROUND_CONSTANTS`] of the round is XORed into row 0.
//!
//! In hardware that is one four-input table per state bit: rotations are wires
//! and constants become inverted tables. The S-box makes it non-linear over
//! GF(2), which an LFSR or CRC is not: with those, faults at a ⊕ b ⊕ c follow
//! from the faults at a, b and c, and the number of faults per chip has the
//! wrong variance.
//!
//! A *plane* is what the output filter shows of one state: each lane sees the
//! XOR of two state bits of different rows and columns ([`FILTER`]). The two
//! taps of a lane come from two different S-boxes, and no two lanes watch the
//! same pair of columns that feeds a lane of the next plane, so that no linear
//! approximation of one round (nor, for any two lanes, of two rounds) links
//! lanes that can both be seen.

/// Rounds before the first plane is read.
pub const WARM_UP_ROUNDS: usize = 8;
/// Planes of a cell's number, least significant bit first, one round each.
pub const PLANES: usize = 32;
/// Planes of a stuck cell's polarity draw, least significant bit first, one round each.
pub const POLARITY_PLANES: usize = 8;
/// Rounds altogether; [`ROUND_CONSTANTS`] has one constant for each.
pub const ROUNDS: usize = WARM_UP_ROUNDS + PLANES + POLARITY_PLANES;
/// Lanes that the filter shows: the widest memory word.
pub const LANES: usize = 72;
/// XORed into the word address in transient mode, so that transient faults of
/// pass 0 are not the persistent ones. Addresses stay below 2²⁴.
pub const TRANSIENT_TAG: u32 = 1 << 24;

/// The S-box: bit *r* of index and value belongs to row *r*.
///
/// Source: Zhang et al., *RECTANGLE: a bit-slice lightweight block cipher*
/// (2014), section 2.4. Its largest correlation is 1/2, and only two pairs of
/// single bits correlate at all (1/4).
pub const S_BOX: [u8; 16] = [6, 5, 12, 10, 1, 14, 7, 9, 11, 0, 3, 13, 8, 15, 4, 2];

/// Left rotation of each row. All twelve differences are distinct, and every
/// state bit depends on every column after five rounds.
pub const ROTATIONS: [u32; 4] = [0, 1, 12, 29];

/// XORed into row 0 at the end of each round: the fraction of π, 32 bits at a time.
pub const ROUND_CONSTANTS: [u32; ROUNDS] = [
    0x243F_6A88,
    0x85A3_08D3,
    0x1319_8A2E,
    0x0370_7344,
    0xA409_3822,
    0x299F_31D0,
    0x082E_FA98,
    0xEC4E_6C89,
    0x4528_21E6,
    0x38D0_1377,
    0xBE54_66CF,
    0x34E9_0C6C,
    0xC0AC_29B7,
    0xC97C_50DD,
    0x3F84_D5B5,
    0xB547_0917,
    0x9216_D5D9,
    0x8979_FB1B,
    0xD131_0BA6,
    0x98DF_B5AC,
    0x2FFD_72DB,
    0xD01A_DFB7,
    0xB8E1_AFED,
    0x6A26_7E96,
    0xBA7C_9045,
    0xF12C_7F99,
    0x24A1_9947,
    0xB391_6CF7,
    0x0801_F2E2,
    0x858E_FC16,
    0x6369_20D8,
    0x7157_4E69,
    0xA458_FEA3,
    0xF493_3D7E,
    0x0D95_748F,
    0x728E_B658,
    0x718B_CD58,
    0x8215_4AEE,
    0x7B54_A41D,
    0xC25A_59B5,
    0x9C30_D539,
    0x2AF2_6013,
    0xC5D1_B023,
    0x2860_85F0,
    0xCA41_7918,
    0xB8DB_38EF,
    0x8E79_DCB0,
    0x603A_180E,
];

/// The two taps of 32 lanes: lane *l* of the group is bit *l* of `first_row`
/// XOR bit (*l* + `offset`) mod 32 of `second_row`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterGroup {
    /// Row of the first tap.
    pub first_row: usize,
    /// Row of the second tap.
    pub second_row: usize,
    /// Columns from the first tap to the second.
    pub offset: u32,
}

/// The output filter: lanes 0..31, 32..63 and 64..71 (eight lanes of the third group).
///
/// The taps, as edges between state bits, contain no cycle, so the lanes of one
/// plane are independent if the state is uniform.
pub const FILTER: [FilterGroup; 3] = [
    FilterGroup {
        first_row: 0,
        second_row: 1,
        offset: 7,
    },
    FilterGroup {
        first_row: 2,
        second_row: 3,
        offset: 13,
    },
    FilterGroup {
        first_row: 1,
        second_row: 2,
        offset: 3,
    },
];

/// Where a tap of the filter sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateBit {
    /// Row of the state, 0 to 3.
    pub row: usize,
    /// Bit of the row, 0 to 31.
    pub column: usize,
}

/// The two state bits whose XOR is a lane of a plane; `lane` is below [`LANES`].
pub const fn taps(lane: usize) -> (StateBit, StateBit) {
    let group = FILTER[lane / 32];
    let column = lane % 32;
    (
        StateBit {
            row: group.first_row,
            column,
        },
        StateBit {
            row: group.second_row,
            column: (column + group.offset as usize) % 32,
        },
    )
}

/// States of N words side by side: row *r* of word *i* is `rows[r][i]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct States<const N: usize> {
    rows: [[u32; N]; 4],
    round: usize,
}

impl<const N: usize> States<N> {
    /// The rows before the first round.
    pub fn new(rows: [[u32; N]; 4]) -> Self {
        Self { rows, round: 0 }
    }

    /// The rows as they are.
    #[cfg(test)]
    pub fn rows(&self) -> [[u32; N]; 4] {
        self.rows
    }

    /// One round, on every word.
    ///
    /// The S-box is RECTANGLE's sequence of twelve operations (section 3.1 of
    /// its paper); a test derives [`S_BOX`] from it.
    #[inline(always)]
    pub fn step(&mut self) {
        let constant = ROUND_CONSTANTS[self.round];
        self.round += 1;
        let [a0, a1, a2, a3] = &mut self.rows;
        for (((a0, a1), a2), a3) in a0.iter_mut().zip(a1).zip(a2).zip(a3) {
            let not_a1 = !*a1;
            let difference = *a2 ^ *a3;
            let sum = *a1 ^ *a2;
            let b0 = (*a0 & not_a1) ^ difference;
            let middle = *a0 ^ (*a3 | not_a1);
            let b1 = *a2 ^ middle;
            let b2 = middle ^ (b0 | sum);
            let b3 = sum ^ (difference & middle);
            *a0 = b0.rotate_left(ROTATIONS[0]) ^ constant;
            *a1 = b1.rotate_left(ROTATIONS[1]);
            *a2 = b2.rotate_left(ROTATIONS[2]);
            *a3 = b3.rotate_left(ROTATIONS[3]);
        }
    }

    /// What the filter shows in the first G groups of 32 lanes.
    #[inline(always)]
    pub fn plane<const G: usize>(&self) -> [[u32; N]; G] {
        let mut plane = [[0; N]; G];
        for (lanes, group) in plane.iter_mut().zip(FILTER) {
            for (i, word) in lanes.iter_mut().enumerate() {
                *word = self.rows[group.first_row][i]
                    ^ self.rows[group.second_row][i].rotate_right(group.offset);
            }
        }
        plane
    }
}
