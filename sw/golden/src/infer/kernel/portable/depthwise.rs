//! Depthwise convolution in plain Rust: a channel a lane.

use super::super::blocked::{self, Blocked};
use super::super::epilogue::Target;
use super::super::packed::LANES;
use super::store_pixel;

/// Weights of all taps.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Values from a window's first operand to that of each tap.
    taps: Vec<usize>,
    /// `[block][tap]`.
    lanes: Vec<Vec<[i8; LANES]>>,
    starts: Vec<[i32; LANES]>,
}

impl Weights {
    /// Packs a flattened tensor `[channel][kernel row][kernel column]`.
    pub fn new(geometry: &Blocked, tensor: &[i8], zero: i8) -> Self {
        let taps = geometry.taps();
        let lanes = blocked::lanes(tensor, taps.len());
        Self {
            taps,
            starts: blocked::starts(&lanes, zero.into()),
            lanes,
        }
    }
}

/// Convolves `source`, which is copied into `padded` first.
pub fn convolve(
    geometry: &Blocked,
    weights: &Weights,
    source: &[i8],
    padded: &mut [i16],
    target: &mut Target,
) {
    geometry.place(source, padded, |values| values.map(i16::from));
    let output = geometry.output;
    let blocks = weights.lanes.iter().zip(&weights.starts).enumerate();
    for (number, (lanes, start)) in blocks {
        let block = geometry.block(number);
        for pixel in 0..output.pixels() {
            let (row, column) = (pixel / output.width, pixel % output.width);
            let begin = block.base + geometry.begin(row, column);
            let mut sums = *start;
            for (weights, tap) in lanes.iter().zip(&weights.taps) {
                let operands = &padded[begin + tap..][..LANES];
                for ((sum, &x), &w) in sums.iter_mut().zip(operands).zip(weights) {
                    *sum += i32::from(x) * i32::from(w);
                }
            }
            let at = pixel * output.channels + block.first;
            store_pixel(block, (row, column), at, &sums, target);
        }
    }
}
