//! Plain Rust: pairs of 16-bit products, in arrays that LLVM keeps in vector registers.

use super::epilogue::{Epilogue, Target};
use super::packed::{Group, LANES, Packed};
use super::window::Window;
use brownout_spec::arithmetic::{requantize as activation, sum};

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
    for block in 0..window.output.channels.div_ceil(LANES) {
        match window.tile_width(PIXELS) {
            PIXELS => tiles::<PIXELS>(window, weights, block, padded, target),
            _ => tiles::<1>(window, weights, block, padded, target),
        }
    }
}

fn tiles<const PIXELS: usize>(
    window: &Window,
    weights: &Packed<i16, GROUP>,
    block: usize,
    padded: &[i16],
    target: &mut Target,
) {
    let groups = window.groups(GROUP);
    let block_groups = weights.block(block);
    for (y, x) in window.tiles(PIXELS) {
        let mut sums = [[0; LANES]; PIXELS];
        for (row, weights) in block_groups.chunks_exact(groups).enumerate() {
            let base = y * window.step_down + x * window.step_right + row * window.line;
            let operands: [&[[i16; GROUP]]; PIXELS] = std::array::from_fn(|p| {
                let operands = &padded[base + p * window.step_right..][..groups * GROUP];
                operands.as_chunks().0
            });
            accumulate(weights, operands, &mut sums);
        }
        store(window, block, (y, x), &sums, target);
    }
}

/// Adds the products of neighbouring pixels in one kernel row.
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
    block: usize,
    (row, column): (usize, usize),
    sums: &[[i32; LANES]],
    target: &mut Target,
) {
    let outputs = window.output.channels;
    let first = block * LANES;
    let lanes = LANES.min(outputs - first);
    let pixel = row * window.output.width + column;
    match target {
        Target::Activations {
            epilogue,
            operand,
            output,
        } => {
            let pixels = output[pixel * outputs..].chunks_exact_mut(outputs);
            for (p, (y, sums)) in pixels.zip(sums).enumerate() {
                let y = &mut y[first..first + lanes];
                let operand = operand.map_or(&[][..], |o| o.lanes(row, column + p, first));
                requantize_from(first, epilogue, &sums[..lanes], operand, y);
            }
        }
        Target::Accumulators(output) => {
            let pixels = output[pixel * outputs..].chunks_exact_mut(outputs);
            for (y, sums) in pixels.zip(sums) {
                y[first..first + lanes].copy_from_slice(&sums[..lanes]);
            }
        }
    }
}

/// Scales one pixel's accumulators into activations; channels that the operand lacks read as zero.
pub fn requantize(epilogue: &Epilogue, accumulators: &[i32], operand: &[i8], output: &mut [i8]) {
    requantize_from(0, epilogue, accumulators, operand, output);
}

fn requantize_from(
    first: usize,
    epilogue: &Epilogue,
    accumulators: &[i32],
    operand: &[i8],
    output: &mut [i8],
) {
    let (scale, residual) = (epilogue.output, epilogue.residual);
    let channels = &epilogue.channels[first..];
    let operand = operand.iter().copied().chain(std::iter::repeat(0));
    for (((y, &acc), &c), r) in output
        .iter_mut()
        .zip(accumulators)
        .zip(channels)
        .zip(operand)
    {
        *y = activation(sum(acc, c, scale.shift, r, residual), scale);
    }
}
