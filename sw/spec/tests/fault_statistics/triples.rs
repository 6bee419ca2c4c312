//! Faults at a ⊕ b ⊕ c against those at a, b and c.
//!
//! A linear function has u(a ⊕ b ⊕ c) = u(a) ⊕ u(b) ⊕ u(c) in every cell, so
//! that three words tell a fourth.

use super::function::{FaultFunction, Point};
use super::tables::LaneTables;
use super::verdict::{TABLE_BOUND, Verdict, Worst, table_z};
use brownout_spec::fault::LANES;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const RATES: [f64; 2] = [0.5, 0.05];
/// Addresses are drawn below this power of two, from one chip.
const ADDRESSES: usize = 1 << 18;
const QUADRUPLES: usize = 1 << 20;
const SEED: u64 = 0xB20_2000;

/// Two kinds of tables: for each lane, whether an odd number of the three is
/// faulty; over all lanes, whether exactly 0, 1, 2 or 3 of them are.
pub fn fourth_of_an_affine_plane(function: &impl FaultFunction) -> Verdict {
    let mut worst = Worst::default();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut masks = vec![0; ADDRESSES];
    for rate in RATES {
        let point = Point::new(rate);
        function.faulty(SEED, 0, None, point.threshold, &mut masks);
        let mut parity = LaneTables::new();
        let mut faulty = 0;
        // Cells whose number of faulty ones among the three is the index: all,
        // and those whose fourth is faulty.
        let mut exactly = [[0_u64; 2]; 4];
        for _ in 0..QUADRUPLES {
            let [a, b, c, d] = draw_plane(&mut rng).map(|address| masks[address]);
            parity.add(a ^ b ^ c, d);
            faulty += u64::from(d.count_ones());
            let (odd, two_or_more) = (a ^ b ^ c, a & b | a & c | b & c);
            let none = !(odd | two_or_more) & ((1 << LANES) - 1);
            let sets = [
                none,
                odd & !two_or_more,
                two_or_more & !odd,
                odd & two_or_more,
            ];
            for (count, set) in exactly.iter_mut().zip(sets) {
                count[0] += u64::from(set.count_ones());
                count[1] += u64::from((set & d).count_ones());
            }
        }
        parity.judge(&mut worst, LANES, &format!("{rate}, odd number"));
        let cells = (QUADRUPLES * LANES) as u64;
        for (number, [all, with_fourth]) in exactly.into_iter().enumerate() {
            let z = table_z(cells, all, faulty, with_fourth);
            worst.take(z, || format!("{rate}, exactly {number} of three"));
        }
    }
    worst.verdict("a, b, c and a^b^c", TABLE_BOUND)
}

/// Four different addresses whose sum over GF(2) is zero.
///
/// Equal offsets, or one of zero, would make the fourth one of the three and
/// fake a dependence. Of some 10¹⁴ such sets, hardly any is drawn twice.
fn draw_plane(rng: &mut ChaCha8Rng) -> [usize; 4] {
    let a = rng.random_range(0..ADDRESSES);
    let first = rng.random_range(1..ADDRESSES);
    let second = loop {
        let offset = rng.random_range(1..ADDRESSES);
        if offset != first {
            break offset;
        }
    };
    [a, a ^ first, a ^ second, a ^ first ^ second]
}
