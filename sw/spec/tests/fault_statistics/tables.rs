//! Neighbouring cells in 2 × 2 tables: lanes, addresses, seeds, passes.

use super::function::{FaultFunction, Point};
use super::sample::{Block, HIGH, blocks};
use super::verdict::{LaneCounts, TABLE_BOUND, Verdict, Worst, table_z};
use brownout_spec::fault::LANES;

const RATES: [f64; 2] = [0.5, 0.05];
/// Chips of the tables of lanes and addresses, and words of each.
const CHIPS: usize = 64;
const CHIP: usize = 1 << 14;
/// Seeds and passes count up from four starts each; every step takes as many words.
const STEPS: u32 = 128;
const STEP: usize = 1 << 11;
/// Chips of the tables of numbers that differ in their high half.
const FAR: usize = 128;
const STREAM: u64 = 0xB20_1000;

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

/// Tables for each lane at each rate: (lane, lane+1); addresses, seeds and passes
/// with their successors; and with those that differ in the high half alone.
pub fn neighbours(function: &impl FaultFunction) -> [Verdict; 7] {
    let checks = [
        "lane and lane+1",
        "address and address+1",
        "seed and seed+1",
        "pass and pass+1",
        "address and address+2^16",
        "seed and seed+2^32",
        "pass and pass+2^16",
    ];
    let mut worst = checks.map(|_| Worst::default());
    for rate in RATES {
        let point = Point::new(rate);
        let (of_lanes, of_addresses) = lanes_and_addresses(function, point);
        let [far_addresses, far_seeds, far_passes] = far(function, point);
        let tables = [
            of_lanes,
            of_addresses,
            seeds(function, point),
            passes(function, point),
            far_addresses,
            far_seeds,
            far_passes,
        ];
        for (index, tables) in tables.into_iter().enumerate() {
            // The last lane has no next one.
            let lanes = if index == 0 { LANES - 1 } else { LANES };
            tables.judge(&mut worst[index], lanes, &format!("{rate}"));
        }
    }
    let mut worst = worst.into_iter();
    checks.map(|check| worst.next().unwrap_or_default().verdict(check, TABLE_BOUND))
}

fn lanes_and_addresses(function: &impl FaultFunction, point: Point) -> (LaneTables, LaneTables) {
    let (mut of_lanes, mut of_addresses) = (LaneTables::new(), LaneTables::new());
    let mut masks = vec![0; CHIP];
    for Block { seed, first } in blocks(STREAM, CHIP).take(CHIPS) {
        function.faulty(seed, first, None, point.threshold, &mut masks);
        for &mask in &masks {
            of_lanes.add(mask, mask >> 1);
        }
        for pair in masks.windows(2) {
            of_addresses.add(pair[0], pair[1]);
        }
    }
    (of_lanes, of_addresses)
}

/// Seeds from random ones on, across an overflow of the low half, and up to the last.
fn seeds(function: &impl FaultFunction, point: Point) -> LaneTables {
    let mut tables = LaneTables::new();
    for (index, Block { seed, first }) in blocks(STREAM + 1, STEP).take(4).enumerate() {
        let start = match index {
            0 => (seed | u64::from(u32::MAX)) - u64::from(STEPS / 2),
            1 => u64::MAX - u64::from(STEPS),
            _ => seed,
        };
        successive(&mut tables, |step, masks| {
            let seed = start.wrapping_add(u64::from(step));
            function.faulty(seed, first, None, point.threshold, masks);
        });
    }
    tables
}

/// Passes from the first on, across 2¹⁶, up to the last, and from a random one on.
fn passes(function: &impl FaultFunction, point: Point) -> LaneTables {
    let mut tables = LaneTables::new();
    let starts = [0, HIGH - STEPS / 2, u32::MAX - STEPS, 0x5B91_C04E];
    for (start, Block { seed, first }) in starts.into_iter().zip(blocks(STREAM + 2, STEP)) {
        successive(&mut tables, |step, masks| {
            function.faulty(seed, first, Some(start + step), point.threshold, masks);
        });
    }
    tables
}

/// Adds the same words under each number and the next.
fn successive(tables: &mut LaneTables, fill: impl Fn(u32, &mut [u128])) {
    let (mut masks, mut next) = (vec![0; STEP], vec![0; STEP]);
    fill(0, &mut masks);
    for step in 1..=STEPS {
        fill(step, &mut next);
        for (&first, &second) in masks.iter().zip(&next) {
            tables.add(first, second);
        }
        std::mem::swap(&mut masks, &mut next);
    }
}

/// Addresses 2¹⁶, seeds 2³² and passes 2¹⁶ apart: nothing but the high half differs.
fn far(function: &impl FaultFunction, point: Point) -> [LaneTables; 3] {
    let mut tables = [(); 3].map(|()| LaneTables::new());
    let (mut masks, mut other) = (vec![0; STEP], vec![0; STEP]);
    let space = HIGH as usize + STEP;
    for Block { seed, first } in blocks(STREAM + 3, space).take(FAR) {
        // As random as the seed, and over all 32 bits.
        let pass = seed as u32;
        let pairs = [
            [(seed, first, None), (seed, first + HIGH, None)],
            [
                (seed, first, None),
                (seed.wrapping_add(1 << 32), first, None),
            ],
            [
                (seed, first, Some(pass)),
                (seed, first, Some(pass.wrapping_add(HIGH))),
            ],
        ];
        for (tables, [one, another]) in tables.iter_mut().zip(pairs) {
            for ((seed, first, pass), masks) in [(one, &mut masks), (another, &mut other)] {
                function.faulty(seed, first, pass, point.threshold, masks);
            }
            for (&first, &second) in masks.iter().zip(&other) {
                tables.add(first, second);
            }
        }
    }
    tables
}
