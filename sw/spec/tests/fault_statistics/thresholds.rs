//! Falling voltage: faults are only ever added.

use super::function::{Chips, FaultFunction};
use super::sample::blocks;
use super::verdict::Verdict;
use brownout_spec::quantity::Threshold;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CHIPS: usize = 8;
const CHIP: usize = 1 << 10;
const STREAM: u64 = 0xB20_4000;

/// A fresh chip at every threshold: each rate is right, but the faults of a
/// higher voltage have nothing to do with those of a lower one.
pub struct FreshAtEveryThreshold;

impl FaultFunction for FreshAtEveryThreshold {
    fn faulty(
        &self,
        seed: u64,
        first: u32,
        pass: Option<u32>,
        threshold: Threshold,
        masks: &mut [u128],
    ) {
        let seed = seed ^ u64::from(threshold.0) << 32;
        Chips.faulty(seed, first, pass, threshold, masks);
    }
}

/// Powers of two, their neighbours and random thresholds, ascending.
fn ladder() -> Vec<Threshold> {
    let mut rng = ChaCha8Rng::seed_from_u64(STREAM);
    let mut ladder: Vec<u32> = (0..32)
        .flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1])
        .chain((0..64).map(|_| rng.random()))
        .chain([u32::MAX])
        .collect();
    ladder.sort_unstable();
    ladder.dedup();
    ladder.into_iter().map(Threshold).collect()
}

/// Every cell that is faulty at one threshold is faulty at every higher one.
pub fn faults_are_only_added(function: &impl FaultFunction) -> Verdict {
    let ladder = ladder();
    let (mut lost, mut faulty) = (0, 0);
    for block in blocks(STREAM, CHIP).take(CHIPS) {
        for pass in [None, Some(1), Some(u32::MAX)] {
            let mut before = vec![0; CHIP];
            let mut now = vec![0; CHIP];
            for &threshold in &ladder {
                function.faulty(block.seed, block.first, pass, threshold, &mut now);
                for (before, now) in before.iter().zip(&now) {
                    lost += u64::from((before & !now).count_ones());
                    faulty += u64::from(now.count_ones());
                }
                std::mem::swap(&mut before, &mut now);
            }
        }
    }
    let steps = ladder.len();
    Verdict::new(
        "subset over thresholds",
        lost == 0,
        format!("{lost} of {faulty} faults lost over {steps} thresholds"),
    )
}
