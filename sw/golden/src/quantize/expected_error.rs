//! The squared error of a stored weight, averaged over all bit errors.
//!
//! Let an integer c of L exposed bits lose each bit with probability p. Bit j of
//! two's complement is worth ±2^j and becomes its own complement, so the mean of
//! what is read is (1−2p)·c − p (the −p is the bits' common weight: they sum to −1),
//! and its variance p(1−p)·Σ4^j = p(1−p)(4^L − 1)/3, whatever c is. Hence
//!
//! E(w − Δc̃)² = (w − Δ((1−2p)c − p))² + Δ²·p(1−p)(4^L − 1)/3.
//!
//! That is WCAT's equation 10 without its 2^L terms. It holds where reading is
//! linear, not where decoded weights are clamped to a range afterwards.

use super::Quantizer;
use super::uniform::Uniform;
use super::width::Exposure;
use brownout_spec::quantity::BitErrorRate;

/// How often bits fail, and which.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Probability that an exposed bit is flipped.
    pub rate: BitErrorRate,
    /// Which bits are exposed.
    pub exposure: Exposure,
}

impl Faults {
    /// No bit fails.
    pub const NONE: Self = Self {
        rate: BitErrorRate::ZERO,
        exposure: Exposure::LiveBits,
    };
}

/// E(w − Δc̃)² of one weight w that is stored as c on a grid of step Δ.
pub fn of_weight(weight: f32, stored: i8, grid: &Uniform, faults: Faults) -> f64 {
    let p = faults.rate.get();
    let step = f64::from(grid.step());
    let read = (1.0 - 2.0 * p) * f64::from(stored) - p;
    (f64::from(weight) - step * read).powi(2) + spread(grid, faults)
}

/// The mean of [`of_weight`] over a tensor that is stored on a grid; zero for no weights.
pub fn of_tensor(weights: &[f32], grid: &Uniform, faults: Faults) -> f64 {
    if weights.is_empty() {
        return 0.0;
    }
    let p = faults.rate.get();
    let step = f64::from(grid.step());
    let (slope, shift) = (step * (1.0 - 2.0 * p), step * p);
    let sum: f64 = weights
        .iter()
        .map(|&weight| {
            let read = slope * f64::from(grid.encode(weight)) - shift;
            (f64::from(weight) - read).powi(2)
        })
        .sum();
    sum / weights.len() as f64 + spread(grid, faults)
}

/// The part of the error that no choice of the stored integer changes: Δ²·p(1−p)(4^L − 1)/3.
fn spread(grid: &Uniform, faults: Faults) -> f64 {
    let p = faults.rate.get();
    let bits = faults.exposure.bits(grid.width());
    let powers = f64::from((1u32 << (2 * bits)) - 1) / 3.0;
    f64::from(grid.step()).powi(2) * p * (1.0 - p) * powers
}
