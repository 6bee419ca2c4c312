//! Depthwise convolution with AVX2: two taps an instruction, their channels interleaved.

use super::super::blocked::{self, Blocked};
use super::super::epilogue::Target;
use super::super::packed::{Group, LANES};
use super::super::window::Block;
use super::{GROUP, Requantizer, VECTORS, joined, split};
use std::arch::x86_64::*;

/// The lanes in the order in which interleaving in halves of 128 bits leaves them.
const ORDER: [usize; LANES] = [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15];

/// Weights of pairs of taps.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Values from a window's first operand to those of each pair of taps.
    pairs: Vec<[usize; GROUP]>,
    /// `[block][pair]`, lanes in [`ORDER`].
    groups: Vec<Vec<Group<i16, GROUP>>>,
    starts: Vec<[i32; LANES]>,
}

impl Weights {
    /// Packs a flattened tensor `[channel][kernel row][kernel column]`.
    pub fn new(geometry: &Blocked, tensor: &[i8], zero: i8) -> Self {
        let taps = geometry.taps();
        let lanes = blocked::lanes(tensor, taps.len());
        let group = |pair: &[[i8; LANES]]| {
            let weight = |lane: usize| {
                let of = |tap: usize| pair.get(tap).map_or(0, |weights| weights[lane].into());
                std::array::from_fn(of)
            };
            Group(ORDER.map(weight))
        };
        let groups = lanes
            .iter()
            .map(|taps| taps.chunks(GROUP).map(group).collect());
        // The last pair of an odd number has the same tap twice, once with weights of zero.
        let pairs = taps
            .chunks(GROUP)
            .map(|pair| [pair[0], pair[pair.len() - 1]]);
        Self {
            pairs: pairs.collect(),
            groups: groups.collect(),
            starts: blocked::starts(&lanes, zero.into()),
        }
    }
}

/// Convolves `source`, which is copied into `padded` first.
#[target_feature(enable = "avx2")]
pub fn convolve(
    geometry: &Blocked,
    weights: &Weights,
    source: &[i8],
    padded: &mut [i16],
    target: &mut Target,
) {
    geometry.place(source, padded, |values| values.map(i16::from));
    let output = geometry.output;
    let blocks = weights.groups.iter().zip(&weights.starts).enumerate();
    for (number, (groups, start)) in blocks {
        let (block, start) = (geometry.block(number), split(start));
        let requantizer = match target {
            Target::Activations { epilogue, .. } => Some(Requantizer::new(epilogue, number)),
            Target::Accumulators(_) => None,
        };
        for pixel in 0..output.pixels() {
            let (row, column) = (pixel / output.width, pixel % output.width);
            let begin = block.base + geometry.begin(row, column);
            let mut sums = [_mm256_setzero_si256(); VECTORS];
            for (group, &[a, b]) in groups.iter().zip(&weights.pairs) {
                let weights = split(&group.0);
                let [a, b] = [a, b].map(|tap| &padded[begin + tap..][..LANES]);
                let (a, b) = (read(a), read(b));
                let pairs = [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)];
                for v in 0..VECTORS {
                    sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(pairs[v], weights[v]));
                }
            }
            let sums = [
                _mm256_add_epi32(
                    _mm256_permute2x128_si256::<0x20>(sums[0], sums[1]),
                    start[0],
                ),
                _mm256_add_epi32(
                    _mm256_permute2x128_si256::<0x31>(sums[0], sums[1]),
                    start[1],
                ),
            ];
            let at = pixel * output.channels + block.first;
            store(block, requantizer.as_ref(), (row, column), at, sums, target);
        }
    }
}

/// Stores the sums of one pixel.
#[target_feature(enable = "avx2")]
#[inline]
fn store(
    Block { first, lanes, .. }: Block,
    requantizer: Option<&Requantizer>,
    (row, column): (usize, usize),
    at: usize,
    sums: [__m256i; VECTORS],
    target: &mut Target,
) {
    match (target, requantizer) {
        (
            Target::Activations {
                operand, output, ..
            },
            Some(requantizer),
        ) => {
            let operand = operand.map(|o| o.lanes(row, column, first));
            requantizer.requantize(sums, operand, &mut output[at..at + lanes]);
        }
        (Target::Accumulators(output), _) => {
            output[at..at + lanes].copy_from_slice(&joined(sums)[..lanes]);
        }
        (Target::Activations { .. }, None) => {}
    }
}

/// [`LANES`] values of 16 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn read(values: &[i16]) -> __m256i {
    assert!(values.len() == LANES);
    // SAFETY: 32 bytes, as asserted.
    unsafe { _mm256_loadu_si256(values.as_ptr().cast()) }
}
