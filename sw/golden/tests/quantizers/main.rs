//! What is claimed of the quantizers, against vectors, enumeration and finite differences.
//!
//! Every check is also given rules that are wrong on purpose, and must reject them.

mod double_quantization;
mod expected_error;
mod flips;
mod gradients;
mod optimal_ranges;
mod published_vectors;

use brownout_golden::quantize::BitWidth;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// A width that is known to be allowed.
fn bits(bits: u32) -> BitWidth {
    BitWidth::new(bits).unwrap()
}

/// Weights of a normal distribution with mean 0.
fn normal_weights(seed: u64, deviation: f32, count: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let normal = Normal::new(0.0, deviation).unwrap();
    (0..count).map(|_| normal.sample(&mut random)).collect()
}
