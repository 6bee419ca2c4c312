//! Plain Rust: pairs of 16-bit products, in arrays that LLVM keeps in vector registers.

pub mod depthwise;

use super::epilogue::Target;
use super::packed::{Group, LANES, Packed};
use super::window::{Block, Window};

/// Operands that one lane multiplies at once.
pub const GROUP: usize = 2;
/// Pixels that are computed together: eight would spill the accumulators.
const PIXELS: usize = 4;

/// Convolves `source`, which is copied into `padded` first.
pub fn convolve(
    window: &Window,
    weights: &Packed<i16, GROUP>,
    source: &[i8],
    padded: &mut [i16],
    target: &mut Target,
) {
    window.place(source, padded, i16::from);
    for block in 0..window.blocks() {
        match window.tile_width(PIXELS) {
            PIXELS => tiles::<PIXELS>(window, weights, block, padded, target),
            _ => tiles::<1>(window, weights, block, padded, target),
        }
    }
}

fn tiles<const PIXELS: usize>(
    window: &Window,
    weights: &Packed<i16, GROUP>,
    number: usize,
    padded: &[i16],
    target: &mut Target,
) {
    let groups = window.groups(GROUP);
    let block = window.block(number);
    for (y, x) in window.tiles(PIXELS) {
        let mut sums = [weights.starts[number]; PIXELS];
        let segments = weights.block(number).chunks_exact(groups);
        for (weights, segment) in segments.zip(&window.segments) {
            let base = y * window.step_down + x * window.step_right + segment + block.base;
            let operands: [&[[i16; GROUP]]; PIXELS] = std::array::from_fn(|p| {
                let operands = &padded[base + p * window.step_right..][..groups * GROUP];
                operands.as_chunks().0
            });
            accumulate(weights, operands, &mut sums);
        }
        store(window, block, (y, x), &sums, target);
    }
}

/// Adds the products of neighbouring pixels in one segment.
///
/// A function of its own, with indices: LLVM then finds the instruction that adds products
/// of pairs; written with iterators over pixels or inlined, it is five times slower.
#[inline(never)]
fn accumulate<const PIXELS: usize>(
    weights: &[Group<i16, GROUP>],
    operands: [&[[i16; GROUP]]; PIXELS],
    sums: &mut [[i32; LANES]; PIXELS],
) {
    for (k, w) in weights.iter().enumerate() {
        for p in 0..PIXELS {
            add_products(&w.0, operands[p][k], &mut sums[p]);
        }
    }
}

#[inline(always)]
fn add_products(weights: &[[i16; GROUP]; LANES], x: [i16; GROUP], sums: &mut [i32; LANES]) {
    let [a, b] = x.map(i32::from);
    for l in 0..LANES {
        let [wa, wb] = weights[l].map(i32::from);
        // The specification's limit on inputs per output excludes an overflow.
        sums[l] = sums[l].wrapping_add(a * wa + b * wb);
    }
}

/// Stores the sums of neighbouring pixels of one block of outputs.
fn store(
    window: &Window,
    block: Block,
    (row, column): (usize, usize),
    sums: &[[i32; LANES]],
    target: &mut Target,
) {
    let pixel = row * window.output.width + column;
    for (p, sums) in sums.iter().enumerate() {
        let at = (pixel + p) * window.output.channels + block.first;
        store_pixel(block, (row, column + p), at, sums, target);
    }
}

/// Stores the sums of one pixel, which go to `at` in the output.
pub fn store_pixel(
    Block { first, lanes, .. }: Block,
    (row, column): (usize, usize),
    at: usize,
    sums: &[i32; LANES],
    target: &mut Target,
) {
    match target {
        Target::Activations {
            epilogue,
            operand,
            output,
        } => {
            let operand = operand.map_or(&[][..], |o| o.lanes(row, column, first));
            let y = &mut output[at..at + lanes];
            epilogue.activations(first, &sums[..lanes], operand, y);
        }
        Target::Accumulators(output) => output[at..at + lanes].copy_from_slice(&sums[..lanes]),
    }
}
