//! Functions that the checks must reject.

use super::function::{Chips, FaultFunction};
use super::sample::HIGH;
use brownout_spec::fault::{LANES, TRANSIENT_TAG};
use brownout_spec::quantity::Threshold;

/// Every bit of a cell's number is an exclusive or of bits of address, pass and seed.
///
/// Marsaglia's xorshift generator of 128 bits of state (*Xorshift RNGs*, 2003),
/// started from address, pass and seed: a long-lived generator that passes
/// tests of rates, and linear over GF(2) like every LFSR and CRC.
pub struct LinearHash;

/// Steps before the first output; every output then depends on the whole state.
const WARM_UP: usize = 64;

struct Xorshift([u32; 4]);

impl Xorshift {
    fn next(&mut self) -> u32 {
        let [x, y, z, w] = self.0;
        let t = x ^ x << 11;
        let output = w ^ w >> 19 ^ t ^ t >> 8;
        self.0 = [y, z, w, output];
        output
    }

    /// One bit for each lane.
    fn plane(&mut self) -> u128 {
        (0..3).fold(0, |plane, group| {
            plane | u128::from(self.next()) << (32 * group)
        })
    }
}

impl FaultFunction for LinearHash {
    fn faulty(
        &self,
        seed: u64,
        first: u32,
        pass: Option<u32>,
        threshold: Threshold,
        masks: &mut [u128],
    ) {
        let tag = pass.map_or(0, |_| TRANSIENT_TAG);
        for (index, mask) in masks.iter_mut().enumerate() {
            let address = (first + index as u32) ^ tag;
            // Marsaglia's start, so that no state is zero.
            let mut state = Xorshift([
                123_456_789 ^ address,
                362_436_069 ^ pass.unwrap_or(0),
                521_288_629 ^ seed as u32,
                88_675_123 ^ (seed >> 32) as u32,
            ]);
            for _ in 0..WARM_UP {
                state.next();
            }
            // Numbers and threshold are compared from the highest bit on.
            let mut undecided = (1 << LANES) - 1;
            *mask = 0;
            for bit in (0..32).rev() {
                let plane = state.plane();
                if threshold.0 >> bit & 1 == 1 {
                    *mask |= undecided & !plane;
                    undecided &= plane;
                } else {
                    undecided &= !plane;
                }
                if undecided == 0 {
                    break;
                }
            }
        }
    }
}

/// The accelerator's function in every even lane, and again in the odd lane above it.
pub struct PairedLanes;

impl FaultFunction for PairedLanes {
    fn faulty(
        &self,
        seed: u64,
        first: u32,
        pass: Option<u32>,
        threshold: Threshold,
        masks: &mut [u128],
    ) {
        Chips.faulty(seed, first, pass, threshold, masks);
        for mask in masks {
            *mask = in_pairs(*mask);
        }
    }
}

/// Every even lane, and again in the odd lane above it.
pub fn in_pairs(lanes: u128) -> u128 {
    let even = lanes & (u128::MAX / 3);
    even | even << 1
}

/// The accelerator's function with the high half of its threshold only.
pub struct CoarseThreshold;

impl FaultFunction for CoarseThreshold {
    fn faulty(
        &self,
        seed: u64,
        first: u32,
        pass: Option<u32>,
        threshold: Threshold,
        masks: &mut [u128],
    ) {
        let coarse = Threshold(threshold.0 & 0xFFFF_0000);
        Chips.faulty(seed, first, pass, coarse, masks);
    }
}

/// The accelerator's function of the low 32 bits of the seed, or of the low 16
/// of the address or of the pass: right for chips with small numbers.
#[derive(Clone, Copy, Debug)]
pub enum IgnoresHighHalf {
    Seed,
    Address,
    Pass,
}

impl FaultFunction for IgnoresHighHalf {
    fn faulty(
        &self,
        seed: u64,
        first: u32,
        pass: Option<u32>,
        threshold: Threshold,
        masks: &mut [u128],
    ) {
        match self {
            Self::Seed => {
                let seed = u64::from(seed as u32);
                Chips.faulty(seed, first, pass, threshold, masks);
            }
            Self::Pass => {
                let pass = pass.map(|pass| pass % HIGH);
                Chips.faulty(seed, first, pass, threshold, masks);
            }
            Self::Address => {
                let first = first % HIGH;
                // What lies beyond 2¹⁶ starts again at 0.
                let (below, beyond) = masks.split_at_mut(masks.len().min((HIGH - first) as usize));
                Chips.faulty(seed, first, pass, threshold, below);
                for words in beyond.chunks_mut(HIGH as usize) {
                    Chips.faulty(seed, 0, pass, threshold, words);
                }
            }
        }
    }
}
