//! Generated arrays have what was measured on three chips: rates, polarities,
//! persistent cells and alignment along columns.

use brownout_spec::fault::profile::{
    FaultyCell, PROFILE_COLUMNS, Profile, ProfiledArray, alignment,
};
use brownout_spec::fault::{CellFault, FaultMap};
use brownout_spec::quantity::{ChipSeed, Pass, WordAddress};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Chip 2's two published segments, with the rates and the alignment that their
/// digitised pixels have; polarities of the second are those of the table's middle row.
const SEGMENTS: [(Profile, f64); 2] = [
    (
        Profile {
            chip: 2,
            rate: 0.028_525,
            zero_to_one: 0.025_217,
            one_to_zero: 0.003_307,
            persistent: 0.015_747,
        },
        9.097,
    ),
    (
        Profile {
            chip: 2,
            rate: 0.003_842,
            zero_to_one: 0.003_285,
            one_to_zero: 0.000_557,
            persistent: 0.001_71,
        },
        17.521,
    ),
];

const TOLERANCE: f64 = 0.05;

#[track_caller]
fn near(found: f64, expected: f64, what: &str) {
    assert!(
        (found / expected - 1.0).abs() < TOLERANCE,
        "{what}: {found} is not {expected}"
    );
}

/// How the errors of an array lie: does it keep to columns as chip 2 does?
fn is_aligned_as_measured(rows: usize, faulty: &[FaultyCell], measured: f64) -> bool {
    let found = alignment(rows, faulty).unwrap();
    (found / measured - 1.0).abs() < TOLERANCE
}

fn flips(map: &FaultMap, data: &[u128]) -> [u64; 2] {
    let mut found = [0; 2];
    for (address, &word) in (0..).map(WordAddress).zip(data) {
        let flips = map.flips(address, word);
        found[0] += u64::from((flips & !word).count_ones());
        found[1] += u64::from((flips & word).count_ones());
    }
    found
}

#[test]
fn stored_zeros_and_ones_of_random_data_are_read_wrong_at_the_tables_rates() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for profile in Profile::ALL {
        let array = ProfiledArray::generate(&profile, ChipSeed(3));
        let words = array.cells() / 64;
        let data: Vec<u128> = (0..words).map(|_| u128::from(random.next_u64())).collect();
        // The complement meets the other half of the cells.
        let complement: Vec<u128> = data.iter().map(|w| !w & u128::from(u64::MAX)).collect();
        let mut found = [0, 0];
        let reads = 4;
        for read in 0..reads {
            let map = array.fault_map(words, 64, 0, Pass(read));
            for data in [&data, &complement] {
                let [up, down] = flips(&map, data);
                found[0] += up;
                found[1] += down;
            }
        }
        let each = f64::from(reads) * array.cells() as f64;
        near(
            found[0] as f64 / each,
            profile.zero_to_one,
            &format!("{profile}, 0 to 1"),
        );
        near(
            found[1] as f64 / each,
            profile.one_to_zero,
            &format!("{profile}, 1 to 0"),
        );
    }
}

#[test]
fn as_many_cells_fail_at_every_read_as_were_measured() {
    for profile in Profile::ALL {
        let array = ProfiledArray::generate(&profile, ChipSeed(4));
        let always = array.faulty().iter().filter(|c| c.probability == 1.0);
        let share = always.count() as f64 / array.cells() as f64;
        near(share, profile.persistent, &profile.to_string());
    }
}

#[test]
fn persistent_cells_fail_at_every_read_and_others_at_some() {
    let profile = Profile::ALL[0];
    let array = ProfiledArray::generate(&profile, ChipSeed(9));
    let words = array.cells() / 64;
    let zeros = vec![0; words];
    let reads: Vec<FaultMap> = (0..2)
        .map(|read| array.fault_map(words, 64, 0, Pass(read)))
        .collect();
    let at = |map: &FaultMap, cell: &FaultyCell| {
        let position = cell.row * PROFILE_COLUMNS + cell.column;
        let address = WordAddress((position / 64) as u32);
        let (zero, one) = (map.flips(address, 0), map.flips(address, u128::MAX));
        (zero | one) >> (position % 64) & 1 == 1
    };
    let (always, some): (Vec<&FaultyCell>, Vec<_>) =
        array.faulty().iter().partition(|c| c.probability == 1.0);
    assert!(
        always
            .iter()
            .all(|cell| reads.iter().all(|map| at(map, cell)))
    );
    let differ = some
        .iter()
        .filter(|cell| at(&reads[0], cell) != at(&reads[1], cell));
    assert!(differ.count() * 10 > some.len(), "reads are alike");
    assert_ne!(flips(&reads[0], &zeros), flips(&reads[1], &zeros));
}

#[test]
fn errors_keep_to_columns_as_in_the_segments_and_those_of_chip_1_do_not() {
    for (profile, measured) in SEGMENTS {
        let found = (0..4).map(|seed| {
            let array = ProfiledArray::generate(&profile, ChipSeed(seed));
            alignment(profile.rows(), array.faulty()).unwrap()
        });
        near(found.sum::<f64>() / 4.0, measured, "alignment");
    }
    let chip_1 = ProfiledArray::generate(&Profile::ALL[0], ChipSeed(0));
    near(alignment(2048, chip_1.faulty()).unwrap(), 1.0, "chip 1");
}

#[test]
fn errors_that_lie_anywhere_are_told_from_those_of_chip_2() {
    let (profile, measured) = SEGMENTS[0];
    let real = ProfiledArray::generate(&profile, ChipSeed(1));
    let mut random = ChaCha8Rng::seed_from_u64(2);
    // As many cells with the same probabilities, in random columns.
    let impostor: Vec<FaultyCell> = real
        .faulty()
        .iter()
        .map(|cell| FaultyCell {
            column: random.next_u32() as usize % PROFILE_COLUMNS,
            ..*cell
        })
        .collect();
    assert!(!is_aligned_as_measured(profile.rows(), &impostor, measured));
    near(
        alignment(profile.rows(), &impostor).unwrap(),
        1.0,
        "impostor",
    );
}

#[test]
fn columns_of_chips_2_and_3_have_one_polarity_each_and_those_of_chip_1_both() {
    let mixed = |profile: &Profile| {
        let array = ProfiledArray::generate(profile, ChipSeed(6));
        let mut seen = [[0_usize; 2]; PROFILE_COLUMNS];
        for cell in array.faulty() {
            seen[cell.column][usize::from(cell.fault == CellFault::StuckAtZero)] += 1;
        }
        seen.iter()
            .filter(|both| both[0] > 0 && both[1] > 0)
            .count()
    };
    for profile in Profile::ALL {
        let expected = if profile.chip == 1 {
            PROFILE_COLUMNS
        } else {
            0
        };
        assert_eq!(mixed(&profile), expected, "{profile}");
    }
}

#[test]
fn cells_that_fail_at_a_voltage_fail_as_often_at_every_lower_one() {
    for pair in Profile::ALL.windows(2).filter(|p| p[0].chip == p[1].chip) {
        let [lower, higher] = [0, 1].map(|i| ProfiledArray::generate(&pair[i], ChipSeed(11)));
        let mut below = lower.faulty().iter();
        for cell in higher.faulty() {
            let same = below.find(|c| (c.row, c.column) == (cell.row, cell.column));
            let same = same.unwrap_or_else(|| panic!("{}: {cell:?} recovers", pair[1]));
            assert_eq!(same.fault, cell.fault);
            // Chip 3's persistent share falls by 1 % with the voltage in the table itself.
            let slack = if pair[0].chip == 3 { 0.01 } else { 0.0 };
            assert!(
                same.probability + slack >= cell.probability,
                "{}: {cell:?}, {same:?}",
                pair[1]
            );
        }
    }
}

#[test]
fn an_offset_moves_the_memory_over_the_array_and_a_long_memory_wraps_around() {
    let profile = Profile::ALL[1];
    let array = ProfiledArray::generate(&profile, ChipSeed(8));
    let always = |map: &FaultMap, from: usize| -> Vec<usize> {
        let positions = map
            .cells()
            .map(|(a, l, _)| a.0 as usize * 64 + usize::from(l.0));
        positions.filter_map(|p| p.checked_sub(from)).collect()
    };
    let persistent: Vec<usize> = array
        .faulty()
        .iter()
        .filter(|c| c.probability == 1.0)
        .map(|c| c.row * PROFILE_COLUMNS + c.column)
        .collect();
    let words = 2 * array.cells() / 64;
    let map = array.fault_map(words, 64, 640, Pass(0));
    let found = always(&map, 0);
    for cell in persistent {
        for turn in 0..2 {
            let Some(position) = (cell + turn * array.cells()).checked_sub(640) else {
                continue;
            };
            assert!(
                found.binary_search(&position).is_ok(),
                "{cell}, turn {turn}"
            );
        }
    }
    assert!(map.first_outside(words, 64).is_none());
    // Noise of the second turn is its own.
    let cells = array.cells();
    let aligned = array.fault_map(words, 64, 0, Pass(0));
    let all = always(&aligned, 0);
    let (first, second): (Vec<usize>, Vec<usize>) = all.iter().partition(|p| **p < cells);
    assert_ne!(first, second.iter().map(|p| p - cells).collect::<Vec<_>>());
}

#[test]
fn a_seed_gives_one_array_and_another_seed_another() {
    let profile = Profile::ALL[4];
    let map =
        |seed| ProfiledArray::generate(&profile, ChipSeed(seed)).fault_map(2000, 72, 5, Pass(1));
    assert_eq!(map(1), map(1));
    assert_ne!(map(1), map(2));
}
