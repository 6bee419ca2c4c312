//! Which cells of a chip are faulty, and what they do to the words read.

use super::cipher::{LANES, PLANES, POLARITY_PLANES, States, TRANSIENT_TAG, WARM_UP_ROUNDS};
use super::mode::{FaultMode, OnesShare};
use crate::quantity::{ChipSeed, Lane, Pass, Threshold, WordAddress};

/// Words treated side by side, by loops over lanes that a compiler can vectorize.
///
/// With 8 the loops are unrolled before they are vectorized, and a batch is no
/// faster than single words; 64 makes it more than three times as fast.
const BATCH: usize = 64;

/// A chip at one operating point.
///
/// Every cell (word address, lane) has a number u of 32 bits; the cell is
/// faulty iff u < threshold, so the faults at one threshold are a subset of
/// those at any higher one. The rate applied is threshold / 2³².
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipFaults {
    /// Which chip.
    pub seed: ChipSeed,
    /// What its faulty cells do.
    pub mode: FaultMode,
    /// How many of its cells are faulty.
    pub threshold: Threshold,
}

/// Evaluates an expression with G the number of 32-lane groups that a word needs.
macro_rules! dispatch_groups {
    ($word_bits:expr, $groups:ident => $result:expr) => {
        match $word_bits {
            0..=32 => {
                const $groups: usize = 1;
                $result
            }
            33..=64 => {
                const $groups: usize = 2;
                $result
            }
            _ => {
                const $groups: usize = 3;
                $result
            }
        }
    };
}

impl ChipFaults {
    /// The number u of a cell; in transient mode it also depends on the pass.
    ///
    /// # Panics
    /// If the lane is not below [`LANES`].
    pub fn draw(&self, address: WordAddress, pass: Pass, lane: Lane) -> u32 {
        self.read_planes(address, pass, lane, WARM_UP_ROUNDS, PLANES)
    }

    /// The second draw of a cell, 0 to 255: in stuck-at mode the cell is stuck
    /// at one iff it is less than the share of ones.
    ///
    /// # Panics
    /// If the lane is not below [`LANES`].
    pub fn polarity_draw(&self, address: WordAddress, pass: Pass, lane: Lane) -> u8 {
        let skip = WARM_UP_ROUNDS + PLANES;
        self.read_planes(address, pass, lane, skip, POLARITY_PLANES) as u8
    }

    /// The faulty cells among the lowest `word_bits` lanes (at most [`LANES`]) of a word.
    pub fn faulty(&self, address: WordAddress, pass: Pass, word_bits: usize) -> u128 {
        if !self.disturbs() {
            return 0;
        }
        let mut states = self.states::<1>(address, pass);
        let [faulty] = dispatch_groups!(word_bits, G => {
            join(&threshold_fold::<1, G>(&mut states, self.threshold))
        });
        faulty & word_mask(word_bits)
    }

    /// The bits that a read of one word inverts.
    ///
    /// `stored` is the word as written; only its lowest `word_bits` bits (at
    /// most [`LANES`]) exist. Persistent and transient faults invert whatever
    /// is stored; a stuck cell inverts only what differs from its polarity.
    /// The modes `none` and `map` invert nothing here.
    pub fn flips(&self, address: WordAddress, pass: Pass, stored: u128, word_bits: usize) -> u128 {
        let [flips] = self.flips_of::<1>(address, pass, &[stored], word_bits);
        flips
    }

    /// [`flips`](Self::flips) of words at consecutive addresses, several at a time.
    ///
    /// # Panics
    /// If `stored` and `flips` differ in length.
    pub fn flips_batch(
        &self,
        first: WordAddress,
        pass: Pass,
        stored: &[u128],
        word_bits: usize,
        flips: &mut [u128],
    ) {
        assert_eq!(stored.len(), flips.len(), "one result for each stored word");
        if !self.disturbs() {
            flips.fill(0);
            return;
        }
        let at = |index: usize| WordAddress(first.0.wrapping_add(index as u32));
        let (batches, rest) = stored.as_chunks::<BATCH>();
        let (flips_of_batches, flips_of_rest) = flips.as_chunks_mut::<BATCH>();
        for (index, (stored, flips)) in batches.iter().zip(flips_of_batches).enumerate() {
            *flips = self.flips_of(at(index * BATCH), pass, stored, word_bits);
        }
        let done = batches.len() * BATCH;
        for (index, (&stored, flips)) in rest.iter().zip(flips_of_rest).enumerate() {
            *flips = self.flips(at(done + index), pass, stored, word_bits);
        }
    }

    /// Whether any cell can be faulty at all.
    fn disturbs(&self) -> bool {
        self.threshold != Threshold(0) && !matches!(self.mode, FaultMode::None | FaultMode::Map)
    }

    fn flips_of<const N: usize>(
        &self,
        first: WordAddress,
        pass: Pass,
        stored: &[u128; N],
        word_bits: usize,
    ) -> [u128; N] {
        if !self.disturbs() {
            return [0; N];
        }
        let mut states = self.states::<N>(first, pass);
        let mut flips = dispatch_groups!(word_bits, G => {
            let faulty = threshold_fold::<N, G>(&mut states, self.threshold);
            match self.mode {
                FaultMode::StuckAt { share } if !is_zero(&faulty) => {
                    let ones = join(&polarity_fold::<N, G>(&mut states, share));
                    let mut flips = join(&faulty);
                    for i in 0..N {
                        flips[i] &= stored[i] ^ ones[i];
                    }
                    flips
                }
                _ => join(&faulty),
            }
        });
        for word in &mut flips {
            *word &= word_mask(word_bits);
        }
        flips
    }

    /// The states of consecutive addresses before the first round.
    fn states<const N: usize>(&self, first: WordAddress, pass: Pass) -> States<N> {
        let (tag, pass) = match self.mode {
            FaultMode::Transient => (TRANSIENT_TAG, pass.0),
            _ => (0, 0),
        };
        let mut addresses = [0; N];
        for (i, address) in addresses.iter_mut().enumerate() {
            *address = first.0.wrapping_add(i as u32) ^ tag;
        }
        let seed = self.seed.0;
        States::new([
            addresses,
            [pass; N],
            [seed as u32; N],
            [(seed >> 32) as u32; N],
        ])
    }

    /// A lane of `count` planes after `skip` rounds, least significant first.
    fn read_planes(
        &self,
        address: WordAddress,
        pass: Pass,
        lane: Lane,
        skip: usize,
        count: usize,
    ) -> u32 {
        let lane = usize::from(lane.0);
        assert!(lane < LANES, "lane {lane} is not one of {LANES}");
        let mut states = self.states::<1>(address, pass);
        for _ in 0..skip {
            states.step();
        }
        (0..count).fold(0, |number, bit| {
            states.step();
            let plane = states.plane::<3>();
            number | ((plane[lane / 32][0] >> (lane % 32)) & 1) << bit
        })
    }
}

/// Lanes 0 to `word_bits` - 1.
fn word_mask(word_bits: usize) -> u128 {
    (1 << word_bits.min(LANES)) - 1
}

/// u < threshold in every lane, folded from the least significant plane.
///
/// Where the threshold's bit is one, a lane whose bit is zero becomes less and
/// others keep what the lower planes decided; where it is zero, a lane whose
/// bit is one becomes not less. Above the threshold's highest one, lanes can
/// only leave the mask, so an empty mask ends the fold, with the remaining
/// rounds undone: no caller needs them then.
#[inline(always)]
fn threshold_fold<const N: usize, const G: usize>(
    states: &mut States<N>,
    threshold: Threshold,
) -> [[u32; N]; G] {
    // Planes below the lowest one of the threshold cannot make a lane less.
    let first = threshold.0.trailing_zeros() as usize;
    let last = 32 - threshold.0.leading_zeros() as usize;
    for _ in 0..WARM_UP_ROUNDS + first.min(PLANES) {
        states.step();
    }
    let mut less = [[0; N]; G];
    for bit in first..PLANES {
        states.step();
        fold_plane(&mut less, states, threshold.0 >> bit & 1 == 1);
        if bit >= last && is_zero(&less) {
            break;
        }
    }
    less
}

/// Draw < share in every lane; a share of 256 is "draw ≤ 255", always true.
///
/// The hardware does the same: the fold starts from bit 8 of the share, which
/// also sets all of the lower bits.
#[inline(always)]
fn polarity_fold<const N: usize, const G: usize>(
    states: &mut States<N>,
    share: OnesShare,
) -> [[u32; N]; G] {
    let all = share == OnesShare::ALL;
    let mut less = [[if all { u32::MAX } else { 0 }; N]; G];
    for bit in 0..POLARITY_PLANES {
        states.step();
        fold_plane(&mut less, states, all || share.get() >> bit & 1 == 1);
    }
    less
}

#[inline(always)]
fn fold_plane<const N: usize, const G: usize>(
    less: &mut [[u32; N]; G],
    states: &States<N>,
    threshold_bit: bool,
) {
    let plane = states.plane::<G>();
    for (less, plane) in less.iter_mut().zip(&plane) {
        for (less, bits) in less.iter_mut().zip(plane) {
            *less = if threshold_bit {
                *less | !bits
            } else {
                *less & !bits
            };
        }
    }
}

fn is_zero<const N: usize, const G: usize>(lanes: &[[u32; N]; G]) -> bool {
    lanes.iter().flatten().fold(0, |any, word| any | word) == 0
}

/// The groups of 32 lanes of each word, put together.
fn join<const N: usize, const G: usize>(lanes: &[[u32; N]; G]) -> [u128; N] {
    let mut words = [0; N];
    for (group, lanes) in lanes.iter().enumerate() {
        for (word, lanes) in words.iter_mut().zip(lanes) {
            *word |= u128::from(*lanes) << (32 * group);
        }
    }
    words
}
