//! A generated array: which of its cells fail, how often, and what that does to words.

use super::fit::{Margins, Reading, fit};
use super::{PROFILE_COLUMNS, Pattern, Profile};
use crate::config::WEIGHT_ADDRESS_BITS;
use crate::fault::cipher::{PLANES, States, TRANSIENT_TAG, WARM_UP_ROUNDS};
use crate::fault::{CellFault, FaultMap};
use crate::quantity::{ChipSeed, Lane, Pass, WordAddress};

/// Cells that share a state of the fault function.
const GROUP: usize = 64;
/// Addresses beyond all cells, where the columns' draws are.
const COLUMN_ADDRESS: u32 = 1 << 23;
/// Addresses beyond those, where the cells' polarities are drawn.
const POLARITY_ADDRESS: u32 = COLUMN_ADDRESS + (1 << 20);
// No group of cells of a memory has an address of the columns.
const _: () = assert!(WEIGHT_ADDRESS_BITS <= COLUMN_ADDRESS.trailing_zeros());
/// Standard deviation of the columns' offsets, in the units of the cells' margins.
///
/// Fitted to the alignment of chip 2's two published segments of 64 x 128 cells: 9.10
/// at a rate of 2.85 % and 17.5 at 0.384 %; arrays with this deviation have 9.4 and
/// 17.1 on average.
const COLUMN_DEVIATION: f64 = 2.37;
/// Of the columns in order of their weakness, every fourth reads 0 in place of 1. In the
/// segment of chip 2 every column with failing cells has one polarity; 12 of 52 have this one.
const ONE_TO_ZERO_EVERY: usize = 4;

/// A cell that fails at some reads or at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultyCell {
    /// Row of the array.
    pub row: usize,
    /// Column of the array, 0 to 127.
    pub column: usize,
    /// Probability, above 0 and up to 1, that a read fails.
    pub probability: f64,
    /// What it then reads: [`CellFault::StuckAtOne`] or [`CellFault::StuckAtZero`].
    pub fault: CellFault,
}

/// An array of bit cells like that of a profiled chip at one voltage.
///
/// The seed decides all margins; the voltage only the level that they are compared
/// with. So cells of a seed that fail at one voltage of a chip also fail, at least as
/// often, at every lower one.
#[derive(Clone, Debug)]
pub struct ProfiledArray {
    seed: ChipSeed,
    rows: usize,
    /// By row, then column.
    faulty: Vec<FaultyCell>,
}

impl ProfiledArray {
    /// Draws an array with a profile's rates.
    ///
    /// Uses memory for 16 bytes a cell, 16 MiB for the largest array.
    pub fn generate(profile: &Profile, seed: ChipSeed) -> Self {
        let rows = profile.rows();
        let cells = rows * PROFILE_COLUMNS;
        let columns = Columns::draw(profile.pattern(), seed);
        let mut all = Vec::with_capacity(cells);
        for group in 0..(cells / GROUP) as u32 {
            let polarity = match profile.pattern() {
                Pattern::Random => draws(seed, POLARITY_ADDRESS + group, None),
                Pattern::Columns => [0; GROUP],
            };
            for (lane, u) in draws(seed, group, None).into_iter().enumerate() {
                let column = (group as usize * GROUP + lane) % PROFILE_COLUMNS;
                let one_to_zero = columns.one_to_zero[column] ^ (polarity[lane] >> 31 == 1);
                all.push((logit(u) - columns.offset[column], one_to_zero));
            }
        }
        let margins = [false, true].map(|wanted| {
            let of_polarity = all.iter().filter(|(_, polarity)| *polarity == wanted);
            Margins::new(of_polarity.map(|(margin, _)| *margin).collect())
        });
        let rates = [profile.zero_to_one, profile.one_to_zero];
        let readings: [Reading; 2] =
            fit([&margins[0], &margins[1]], rates, profile.persistent, cells);
        let faulty = all
            .iter()
            .enumerate()
            .filter_map(|(cell, &(margin, down))| {
                let probability = readings[usize::from(down)].probability(margin);
                (probability > 0.0).then_some(FaultyCell {
                    row: cell / PROFILE_COLUMNS,
                    column: cell % PROFILE_COLUMNS,
                    probability,
                    fault: match down {
                        false => CellFault::StuckAtOne,
                        true => CellFault::StuckAtZero,
                    },
                })
            });
        Self {
            seed,
            rows,
            faulty: faulty.collect(),
        }
    }

    /// Cells of the array.
    pub fn cells(&self) -> usize {
        self.rows * PROFILE_COLUMNS
    }

    /// The cells that fail at some reads, by row, then column.
    pub fn faulty(&self) -> &[FaultyCell] {
        &self.faulty
    }

    /// Share of the array's cells that a read finds failing, on average.
    pub fn rate(&self) -> f64 {
        let sum: f64 = self.faulty.iter().map(|cell| cell.probability).sum();
        sum / self.cells() as f64
    }

    /// What one read of a memory of `words` words of `word_bits` lanes finds.
    ///
    /// The paper's linear mapping: bit number word · `word_bits` + lane + `offset` of
    /// the memory lies in the array row by row. A memory larger than the array wraps
    /// around; it then meets the same weak cells again, each time with its own noise.
    ///
    /// # Panics
    /// If words have no or more than 72 lanes, or there are more than 2²³ of them, or
    /// `offset` is beyond the array.
    pub fn fault_map(&self, words: usize, word_bits: usize, offset: usize, read: Pass) -> FaultMap {
        assert!(
            (1..=crate::fault::LANES).contains(&word_bits) && words <= 1 << WEIGHT_ADDRESS_BITS
        );
        assert!(offset < self.cells());
        let end = offset + words * word_bits;
        let mut map = FaultMap::default();
        for turn in 0..end.div_ceil(self.cells()) {
            let base = turn * self.cells();
            let mut noise = (u32::MAX, [0; GROUP]);
            for cell in &self.faulty {
                let position = base + cell.row * PROFILE_COLUMNS + cell.column;
                if !(offset..end).contains(&position) {
                    continue;
                }
                if cell.probability < 1.0 {
                    let group = (position / GROUP) as u32;
                    if noise.0 != group {
                        noise = (group, draws(self.seed, group, Some(read)));
                    }
                    if unit(noise.1[position % GROUP]) >= cell.probability {
                        continue;
                    }
                }
                let bit = position - offset;
                let at = WordAddress((bit / word_bits) as u32);
                map.insert(at, Lane((bit % word_bits) as u8), cell.fault);
            }
        }
        map
    }
}

/// How much failing reads keep to columns: by what factor two cells of one column fail
/// together more often than two cells of an array of `rows` rows do.
///
/// Each cell counts with its probability p: the mean of p·p' over pairs of different
/// cells of one column, over the mean over all pairs. It is 1 where errors lie anywhere,
/// whatever their rate. Segments of 64 x 128 cells that the paper shows have 0.87 and
/// 1.00 (chip 1, at 1.39 % and 4.93 %), 17.5 and 9.10 (chip 2, at 0.384 % and 2.85 %).
/// `None` with fewer than two failing cells or rows.
pub fn alignment(rows: usize, faulty: &[FaultyCell]) -> Option<f64> {
    let cells = (rows * PROFILE_COLUMNS) as f64;
    let mut columns = [0.0; PROFILE_COLUMNS];
    for cell in faulty {
        columns[cell.column] += cell.probability;
    }
    let squares: f64 = faulty.iter().map(|c| c.probability.powi(2)).sum();
    let together = columns.iter().map(|sum| sum * sum).sum::<f64>() - squares;
    let all = columns.iter().sum::<f64>().powi(2) - squares;
    let pairs_together = rows as f64 - 1.0;
    (faulty.len() > 1 && rows > 1).then(|| together / pairs_together / (all / (cells - 1.0)))
}

/// What the columns of an array have in common.
struct Columns {
    /// By how much a column's cells are weaker than others.
    offset: [f64; PROFILE_COLUMNS],
    one_to_zero: [bool; PROFILE_COLUMNS],
}

impl Columns {
    /// The quantiles of a normal distribution in random order: every array has the same
    /// spread of offsets, so its alignment does not depend on the luck of 128 draws.
    fn draw(pattern: Pattern, seed: ChipSeed) -> Self {
        let mut columns = Self {
            offset: [0.0; PROFILE_COLUMNS],
            one_to_zero: [false; PROFILE_COLUMNS],
        };
        if pattern == Pattern::Random {
            return columns;
        }
        let groups = (0..(PROFILE_COLUMNS / GROUP) as u32).map(|g| COLUMN_ADDRESS + g);
        let keys = groups.flat_map(|address| draws(seed, address, None));
        let mut order: Vec<(u32, usize)> = keys.zip(0..).collect();
        order.sort_unstable();
        for (rank, (_, column)) in order.into_iter().enumerate() {
            let share = (rank as f64 + 0.5) / PROFILE_COLUMNS as f64;
            columns.offset[column] = COLUMN_DEVIATION * normal_quantile(share);
            columns.one_to_zero[column] = rank % ONE_TO_ZERO_EVERY == 1;
        }
        columns
    }
}

/// The quantile of the standard normal distribution, to 4.5e-4: Abramowitz and Stegun,
/// *Handbook of Mathematical Functions*, 26.2.23.
fn normal_quantile(share: f64) -> f64 {
    let t = (-2.0 * share.min(1.0 - share).ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    (t - above / below) * (share - 0.5).signum()
}

/// A draw as a number between 0 and 1.
fn unit(draw: u32) -> f64 {
    (f64::from(draw) + 0.5) / 4_294_967_296.0
}

fn logit(draw: u32) -> f64 {
    let u = unit(draw);
    (u / (1.0 - u)).ln()
}

/// The numbers u of the fault function of 64 lanes at once; with a read, of its pass.
fn draws(seed: ChipSeed, address: u32, read: Option<Pass>) -> [u32; GROUP] {
    let (tag, pass) = read.map_or((0, 0), |pass| (TRANSIENT_TAG, pass.0));
    let [low, high] = [seed.0 as u32, (seed.0 >> 32) as u32];
    let mut states = States::<1>::new([[address ^ tag], [pass], [low], [high]]);
    for _ in 0..WARM_UP_ROUNDS {
        states.step();
    }
    let mut numbers = [0; GROUP];
    for bit in 0..PLANES {
        states.step();
        let plane = states.plane::<2>();
        for (lane, number) in numbers.iter_mut().enumerate() {
            *number |= (plane[lane / 32][0] >> (lane % 32) & 1) << bit;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{ChipFaults, FaultMode};
    use crate::quantity::Threshold;

    #[test]
    fn draws_of_a_group_are_those_of_the_fault_function() {
        let seed = ChipSeed(0x1234_5678_9ABC_DEF0);
        for (mode, read) in [
            (FaultMode::Persistent, None),
            (FaultMode::Transient, Some(Pass(7))),
        ] {
            let threshold = Threshold(1);
            let chip = ChipFaults {
                seed,
                mode,
                threshold,
            };
            let numbers = draws(seed, 99, read);
            for lane in [0, 31, 32, 63] {
                let draw = chip.draw(WordAddress(99), read.unwrap_or_default(), Lane(lane));
                assert_eq!(numbers[usize::from(lane)], draw, "{mode}, lane {lane}");
            }
        }
    }

    #[test]
    fn quantiles_of_the_normal_distribution_are_right_to_three_digits() {
        // A table of the normal distribution.
        for (share, expected) in [(0.5, 0.0), (0.975, 1.959_964), (0.0013499, -3.0)] {
            let found = normal_quantile(share);
            assert!((found - expected).abs() < 5e-4, "{share}: {found}");
        }
    }
}
