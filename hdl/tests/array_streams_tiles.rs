//! The array in Verilator against a matrix product, tiles back to back.

#[path = "../emitter/tests/bench/mod.rs"]
mod bench;

use bench::{Bench, lanes};
use brownout_hdl::array::Array;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TILES: usize = 24;

#[derive(Clone, Copy)]
struct Shape {
    rows: usize,
    columns: usize,
    activation_bits: usize,
    weight_bits: usize,
}

impl Shape {
    fn weights_per_word(self) -> usize {
        64 / self.weight_bits
    }

    fn words(self) -> usize {
        self.rows * self.columns / self.weights_per_word()
    }

    fn inputs(self) -> Vec<String> {
        let mut names = lanes("activation", self.rows);
        names.extend(lanes("weight", self.weights_per_word()));
        names.extend(["swap", "weight_valid", "weight_row", "weight_group"].map(String::from));
        names
    }

    /// `weight_row` and `weight_group` of word `k` of a tile.
    fn place(self, k: usize) -> (u64, u64) {
        let groups = (self.columns / self.weights_per_word()).max(1);
        ((k / groups) as u64, (k % groups) as u64)
    }
}

struct Tile {
    /// Zeros in the words that are not loaded.
    weights: Vec<i64>,
    pixels: Vec<Vec<i64>>,
    /// Cycle in which its first pixel is presented.
    start: usize,
    /// Cycles in which its words are presented; some are not.
    loads: Vec<Option<usize>>,
}

/// Signed, `bits` wide, the extremes in half of the cases.
fn signed(rng: &mut ChaCha8Rng, bits: usize) -> i64 {
    let half = 1i64 << (bits - 1);
    match rng.random_range(0..4) {
        0 => -half,
        1 => half - 1,
        _ => rng.random_range(-half..half),
    }
}

/// Tiles at the shortest period that hardware allows, or a few cycles more; each is
/// loaded while its predecessor streams, from the cycle of that one's swap at the earliest.
fn schedule(shape: Shape, rng: &mut ChaCha8Rng) -> Vec<Tile> {
    let mut swap = shape.words() + 3;
    let mut window = 0;
    let mut tiles = Vec::new();
    for n in 0..TILES {
        let pixels = match n % 3 {
            0 => 1,
            1 => shape.words() + 3,
            _ => rng.random_range(1..40),
        };
        let mut loads: Vec<usize> = (0..swap - window).collect();
        while loads.len() > shape.words() {
            loads.remove(rng.random_range(0..loads.len()));
        }
        // Every fifth tile lacks some words, as a diagonal does.
        let lacks = |rng: &mut ChaCha8Rng| n % 5 == 4 && rng.random();
        let loads: Vec<Option<usize>> = loads
            .iter()
            .map(|load| (!lacks(rng)).then_some(window + load))
            .collect();
        let weight = |element: usize| match loads[element / shape.weights_per_word()] {
            Some(_) => signed(rng, shape.weight_bits),
            None => 0,
        };
        tiles.push(Tile {
            weights: (0..shape.rows * shape.columns).map(weight).collect(),
            pixels: (0..pixels)
                .map(|_| {
                    (0..shape.rows)
                        .map(|_| signed(rng, shape.activation_bits))
                        .collect()
                })
                .collect(),
            start: swap + 1,
            loads,
        });
        window = swap;
        let idle = if n % 4 == 3 {
            rng.random_range(0..5)
        } else {
            0
        };
        swap += pixels.max(shape.words()).max(3) + idle;
    }
    tiles
}

fn stimuli(shape: Shape, tiles: &[Tile], rng: &mut ChaCha8Rng) -> Vec<Vec<u64>> {
    let cycles = tiles.last().map_or(0, |t| t.start + t.pixels.len()) + shape.rows + shape.columns;
    let (wpw, control) = (
        shape.weights_per_word(),
        shape.rows + shape.weights_per_word(),
    );
    let weight_mask = (1u64 << shape.weight_bits) - 1;
    let activation_mask = (1u64 << shape.activation_bits) - 1;
    // What is not valid is random, so that nothing can depend on it.
    let mut rows: Vec<Vec<u64>> = (0..cycles + 2)
        .map(|_| {
            let mut row: Vec<u64> = (0..control)
                .map(|k| {
                    rng.random::<u64>()
                        & if k < shape.rows {
                            activation_mask
                        } else {
                            weight_mask
                        }
                })
                .collect();
            row.extend([0, 0, rng.random_range(0..64), rng.random_range(0..16)]);
            row
        })
        .collect();
    for tile in tiles {
        rows[tile.start - 1][control] = 1;
        for (offset, pixel) in tile.pixels.iter().enumerate() {
            for (i, &a) in pixel.iter().enumerate() {
                rows[tile.start + offset][i] = a as u64 & activation_mask;
            }
        }
        for (k, cycle) in tile.loads.iter().enumerate() {
            let Some(cycle) = *cycle else { continue };
            for lane in 0..wpw {
                rows[cycle][shape.rows + lane] = tile.weights[k * wpw + lane] as u64 & weight_mask;
            }
            let (row, group) = shape.place(k);
            rows[cycle][control + 1] = 1;
            rows[cycle][control + 2] = row;
            rows[cycle][control + 3] = group;
        }
    }
    rows
}

fn check<const AB: usize, const WB: usize>(rows: usize, columns: usize) {
    let shape = Shape {
        rows,
        columns,
        activation_bits: AB,
        weight_bits: WB,
    };
    let mut array = Array::<AB, WB>::new(rows, columns, shape.weights_per_word());
    let outputs = lanes("partial_sum", columns);
    let Some(bench) = Bench::build(&mut array, "cell_array", &shape.inputs(), &outputs) else {
        return;
    };
    let mut rng = ChaCha8Rng::seed_from_u64(rows as u64 * 1000 + columns as u64);
    let tiles = schedule(shape, &mut rng);
    let responses = bench.run(&stimuli(shape, &tiles, &mut rng));
    for (n, tile) in tiles.iter().enumerate() {
        for (offset, pixel) in tile.pixels.iter().enumerate() {
            for j in 0..columns {
                let expected: i64 = (0..rows)
                    .map(|i| pixel[i] * tile.weights[i * columns + j])
                    .sum();
                let got = responses[tile.start + offset + rows + 1 + j][j] as u32 as i32;
                assert_eq!(
                    i64::from(got),
                    expected,
                    "{rows} x {columns}, tile {n}, pixel {offset}, column {j}"
                );
            }
        }
    }
}

#[test]
fn a_word_of_two_rows_reaches_both() {
    check::<8, 8>(4, 4);
}

#[test]
fn a_word_of_one_row_reaches_all_columns() {
    check::<8, 8>(4, 8);
}

#[test]
fn a_word_of_four_rows_reaches_all_of_them() {
    check::<8, 4>(8, 4);
}

#[test]
fn a_word_of_half_a_row_reaches_its_group_of_columns() {
    check::<8, 8>(4, 16);
}

#[test]
fn four_bit_weights_multiply_exactly() {
    check::<8, 4>(4, 16);
}

#[test]
fn activations_of_nine_bits_multiply_exactly() {
    check::<9, 8>(4, 4);
    check::<9, 4>(8, 4);
}
