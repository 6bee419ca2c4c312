//! Faults at a ⊕ b ⊕ c against those at a, b and c.
//!
//! A linear function has u(a ⊕ b ⊕ c) = u(a) ⊕ u(b) ⊕ u(c) in every cell, so
//! that three words tell a fourth: of one chip at four addresses, of one address
//! in four chips, of one cell in four passes.

use super::function::{FaultFunction, Point};
use super::sample::{ADDRESSES, around_2_16};
use super::tables::LaneTables;
use super::verdict::{TABLE_BOUND, Verdict, Worst, table_z};
use brownout_spec::fault::LANES;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const RATES: [f64; 2] = [0.5, 0.05];
/// Sets of four addresses.
const ADDRESS_PLANES: usize = 1 << 20;
/// Sets of four seeds or passes, each compared at `BLOCK` words.
const PLANES: usize = 1 << 10;
const BLOCK: usize = 256;
const STREAM: u64 = 0xB20_2000;
/// The chip of the tables over addresses and passes.
const SEED: u64 = 0x94C7_2E0B_5D18_F3A6;

/// Tables over addresses, over seeds, and over passes of transient faults.
pub fn fourth_of_an_affine_plane(function: &impl FaultFunction) -> [Verdict; 3] {
    let [mut addresses, mut seeds, mut passes] = [(); 3].map(|()| Worst::default());
    let mut rng = ChaCha8Rng::seed_from_u64(STREAM);
    for rate in RATES {
        let threshold = Point::new(rate).threshold;
        over_addresses(function, Point::new(rate), &mut rng).judge(&mut addresses, rate);
        let of_seed = |seed: u64, masks: &mut [u128]| {
            function.faulty(seed, around_2_16(BLOCK), None, threshold, masks);
        };
        over_numbers(u64::MAX, &mut rng, of_seed).judge(&mut seeds, rate);
        let last_block = (ADDRESSES - BLOCK) as u32;
        let of_pass = |pass: u64, masks: &mut [u128]| {
            function.faulty(SEED, last_block, Some(pass as u32), threshold, masks);
        };
        over_numbers(u64::from(u32::MAX), &mut rng, of_pass).judge(&mut passes, rate);
    }
    [
        addresses.verdict("addresses a, b, c, a^b^c", TABLE_BOUND),
        seeds.verdict("seeds a, b, c, a^b^c", TABLE_BOUND),
        passes.verdict("passes a, b, c, a^b^c", TABLE_BOUND),
    ]
}

/// Addresses of the whole space of one chip.
fn over_addresses(function: &impl FaultFunction, point: Point, rng: &mut ChaCha8Rng) -> Fourths {
    let mut fourths = Fourths::new();
    let mut masks = vec![0; ADDRESSES];
    function.faulty(SEED, 0, None, point.threshold, &mut masks);
    for _ in 0..ADDRESS_PLANES {
        let plane = draw_plane(rng, ADDRESSES as u64 - 1);
        fourths.add(plane.map(|address| masks[address as usize]));
    }
    fourths
}

/// Numbers up to `last`, under each of which `fill` gives the words of one block.
fn over_numbers(last: u64, rng: &mut ChaCha8Rng, fill: impl Fn(u64, &mut [u128])) -> Fourths {
    let mut fourths = Fourths::new();
    for _ in 0..PLANES {
        let [a, b, c, d] = draw_plane(rng, last).map(|number| {
            let mut masks = [0; BLOCK];
            fill(number, &mut masks);
            masks
        });
        for word in 0..BLOCK {
            fourths.add([a[word], b[word], c[word], d[word]]);
        }
    }
    fourths
}

/// Two kinds of tables: for each lane, whether an odd number of the three is
/// faulty; over all lanes, whether exactly 0, 1, 2 or 3 of them are.
struct Fourths {
    parity: LaneTables,
    cells: u64,
    faulty: u64,
    /// Cells whose number of faulty ones among the three is the index: all,
    /// and those whose fourth is faulty.
    exactly: [[u64; 2]; 4],
}

impl Fourths {
    fn new() -> Self {
        Self {
            parity: LaneTables::new(),
            cells: 0,
            faulty: 0,
            exactly: [[0; 2]; 4],
        }
    }

    fn add(&mut self, [a, b, c, d]: [u128; 4]) {
        self.parity.add(a ^ b ^ c, d);
        self.cells += LANES as u64;
        self.faulty += u64::from(d.count_ones());
        let (odd, two_or_more) = (a ^ b ^ c, a & b | a & c | b & c);
        let none = !(odd | two_or_more) & ((1 << LANES) - 1);
        let sets = [
            none,
            odd & !two_or_more,
            two_or_more & !odd,
            odd & two_or_more,
        ];
        for (count, set) in self.exactly.iter_mut().zip(sets) {
            count[0] += u64::from(set.count_ones());
            count[1] += u64::from((set & d).count_ones());
        }
    }

    fn judge(self, worst: &mut Worst, rate: f64) {
        self.parity
            .judge(worst, LANES, &format!("{rate}, odd number"));
        for (number, [all, with_fourth]) in self.exactly.into_iter().enumerate() {
            let z = table_z(self.cells, all, self.faulty, with_fourth);
            worst.take(z, || format!("{rate}, exactly {number} of three"));
        }
    }
}

/// Four different numbers up to `last`, all ones, whose sum over GF(2) is zero.
///
/// Equal offsets, or one of zero, would make the fourth one of the three and
/// fake a dependence. Of some 10¹⁶ such sets of addresses, hardly any is drawn twice.
fn draw_plane(rng: &mut ChaCha8Rng, last: u64) -> [u64; 4] {
    let a = rng.random_range(0..=last);
    let first = rng.random_range(1..=last);
    let second = loop {
        let offset = rng.random_range(1..=last);
        if offset != first {
            break offset;
        }
    };
    [a, a ^ first, a ^ second, a ^ first ^ second]
}
