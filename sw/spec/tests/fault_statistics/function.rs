//! What the checks examine: the faulty lanes of words.

use brownout_spec::fault::{ChipFaults, FaultMode, LANES};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass, Threshold, WordAddress};

/// Which cells are faulty, as a function of seed, address, pass and threshold alone.
pub trait FaultFunction {
    /// Sets `masks` to the faulty lanes (of [`LANES`]) of the words from address
    /// `first` on; `pass` is that of transient faults, none of persistent ones.
    fn faulty(
        &self,
        seed: u64,
        first: u32,
        pass: Option<u32>,
        threshold: Threshold,
        masks: &mut [u128],
    );
}

/// The fault function of the accelerator.
pub struct Chips;

impl FaultFunction for Chips {
    fn faulty(
        &self,
        seed: u64,
        first: u32,
        pass: Option<u32>,
        threshold: Threshold,
        masks: &mut [u128],
    ) {
        let chip = ChipFaults {
            seed: ChipSeed(seed),
            mode: pass.map_or(FaultMode::Persistent, |_| FaultMode::Transient),
            threshold,
        };
        // Over a stored zero, exactly the faulty cells flip.
        let stored = vec![0; masks.len()];
        let pass = Pass(pass.unwrap_or(0));
        chip.flips_batch(WordAddress(first), pass, &stored, LANES, masks);
    }
}

/// A rate as the checks use it: the threshold, and the rate applied by it.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub nominal: f64,
    pub threshold: Threshold,
    pub applied: f64,
}

impl Point {
    pub fn new(nominal: f64) -> Self {
        let threshold = BitErrorRate::new(nominal).unwrap().threshold();
        Self {
            nominal,
            threshold,
            applied: threshold.applied_rate().get(),
        }
    }
}
