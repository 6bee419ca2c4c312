//! Neighbouring cells in 2 × 2 tables: lanes, addresses, seeds, passes.

use super::function::{FaultFunction, Point};
use super::verdict::{LaneCounts, TABLE_BOUND, Verdict, Worst, table_z};
use brownout_spec::fault::LANES;

const RATES: [f64; 2] = [0.5, 0.05];
/// Chips of the tables of lanes and addresses, and words of each.
const CHIPS: u64 = 64;
const CHIP: usize = 1 << 14;
/// Seeds and passes of their tables count up from 0, each with as many words.
const STEPS: u64 = 512;
const STEP: usize = 1 << 11;
/// The chip whose passes are compared, and the first of those whose lanes are.
const SEED: u64 = 0xB20_1000;

/// A 2 × 2 table for each lane.
pub struct LaneTables {
    words: u64,
    first: LaneCounts,
    second: LaneCounts,
    both: LaneCounts,
}

impl LaneTables {
    pub fn new() -> Self {
        Self {
            words: 0,
            first: LaneCounts::new(),
            second: LaneCounts::new(),
            both: LaneCounts::new(),
        }
    }

    pub fn add(&mut self, first: u128, second: u128) {
        self.words += 1;
        self.first.add(first);
        self.second.add(second);
        self.both.add(first & second);
    }

    /// Takes in the tables of the lowest `lanes` lanes.
    pub fn judge(self, worst: &mut Worst, lanes: usize, what: &str) {
        let [first, second, both] = [self.first, self.second, self.both].map(LaneCounts::counts);
        for lane in 0..lanes {
            let z = table_z(self.words, first[lane], second[lane], both[lane]);
            worst.take(z, || format!("{what}, lane {lane}"));
        }
    }
}

/// (lane, lane+1), (address, address+1), (seed, seed+1), (pass, pass+1): a
/// table for each lane at each rate.
pub fn neighbours(function: &impl FaultFunction) -> [Verdict; 4] {
    let [mut lanes, mut addresses, mut seeds, mut passes] = [(); 4].map(|()| Worst::default());
    for rate in RATES {
        let point = Point::new(rate);
        let what = format!("{rate}");
        let (mut of_lanes, mut of_addresses) = (LaneTables::new(), LaneTables::new());
        let mut masks = vec![0; CHIP];
        for chip in 0..CHIPS {
            function.faulty(SEED + chip, 0, None, point.threshold, &mut masks);
            for &mask in &masks {
                of_lanes.add(mask, mask >> 1);
            }
            for pair in masks.windows(2) {
                of_addresses.add(pair[0], pair[1]);
            }
        }
        of_lanes.judge(&mut lanes, LANES - 1, &what);
        of_addresses.judge(&mut addresses, LANES, &what);

        let of_seed = |seed: u64, masks: &mut [u128]| {
            function.faulty(seed, 0, None, point.threshold, masks);
        };
        successive(of_seed).judge(&mut seeds, LANES, &what);
        let of_pass = |pass: u64, masks: &mut [u128]| {
            function.faulty(SEED, 0, Some(pass as u32), point.threshold, masks);
        };
        successive(of_pass).judge(&mut passes, LANES, &what);
    }
    [
        lanes.verdict("lane and lane+1", TABLE_BOUND),
        addresses.verdict("address and address+1", TABLE_BOUND),
        seeds.verdict("seed and seed+1", TABLE_BOUND),
        passes.verdict("pass and pass+1", TABLE_BOUND),
    ]
}

/// The same words under each number and the next.
fn successive(fill: impl Fn(u64, &mut [u128])) -> LaneTables {
    let mut tables = LaneTables::new();
    let (mut masks, mut next) = (vec![0; STEP], vec![0; STEP]);
    fill(0, &mut masks);
    for number in 1..=STEPS {
        fill(number, &mut next);
        for (&first, &second) in masks.iter().zip(&next) {
            tables.add(first, second);
        }
        std::mem::swap(&mut masks, &mut next);
    }
    tables
}
