//! Quantizers: from real weights to the integers of the weight image, and back.
//!
//! | file | what | source |
//! | --- | --- | --- |
//! | [`width`] | bits, lanes, and which bits faults reach | the image of `brownout-spec` |
//! | [`uniform`] | equal steps around zero | this project's exportable quantizer |
//! | [`fixed_point`] | global, per-tensor, asymmetric, unsigned; truncated or rounded | RQuant: Stutz et al., MLSys 2021 |
//! | [`wcat`] | learned range, three gradient estimators | Chitsaz et al., TMLR 2023 |
//! | [`range`] | first ranges: largest magnitude, least error, least expected error | WCAT, equations 9 and 10 |
//! | [`expected_error`] | the error that faults add, in closed form | derived here |
//! | [`lsq`] | learned step | Esser et al., ICLR 2020 |
//! | [`grid`] | any of these for a layer, once or per output channel: its stored integers and their meaning | |
//! | [`Placement`], [`AllowedRanges`] | which integers a code leaves a weight, by its place | Guan et al., NeurIPS 2019 |
//! | [`activation`] | activations: their integers and steps | PACT: Choi et al., 2018 |
//!
//! All of them make two's complement integers, as the weight image stores them,
//! whatever their papers call the codes. Where a paper and its code disagree, an
//! enum names both, and its default is the one that gave the published numbers.
//! Of these only a symmetric, rounded grid of 4 or 8 bits, per tensor or per
//! output channel, has an integer form that hardware runs; the others stay in the
//! laboratory.

pub mod activation;
mod allowed;
pub mod error;
pub mod expected_error;
pub mod fixed_point;
pub mod grid;
pub mod lsq;
pub mod range;
pub mod uniform;
pub mod wcat;
pub mod width;

pub use activation::{ActivationCodes, ActivationGrid};
pub use allowed::{AllowedRanges, Placement};
pub use error::QuantizeError;
pub use fixed_point::{FixedPoint, FixedPointGrid, Formula};
pub use grid::{Granularity, Grid, QuantizedWeights, Throttle, WeightGrid, are_zeros};
pub use lsq::Lsq;
pub use range::RangeInitialization;
pub use uniform::{Ties, Uniform};
pub use wcat::Wcat;
pub use width::{BitWidth, Exposure};

/// Maps weights to stored integers and back, one weight at a time.
pub trait Quantizer {
    /// Live bits of a stored integer.
    fn width(&self) -> BitWidth;

    /// The two's complement integer that is stored for a finite weight.
    fn encode(&self, weight: f32) -> i8;

    /// The weight that a stored integer means; defined for every integer of the
    /// lane, so also for those that only a fault can make.
    fn decode(&self, stored: i8) -> f32;

    /// The weight that is computed with once it has been stored: `decode` of `encode`,
    /// but what is not a number may stay so.
    fn fake(&self, weight: f32) -> f32 {
        self.decode(self.encode(weight))
    }

    /// The weight that a stored integer means after flips of the bits that are ones in `flips`.
    fn disturbed(&self, stored: i8, flips: u8, exposure: Exposure) -> f32 {
        self.decode(exposure.disturb(self.width(), stored, flips))
    }

    /// Stores a whole tensor.
    fn quantize(&self, weights: &[f32]) -> Quantized {
        Quantized {
            stored: weights.iter().map(|&w| self.encode(w)).collect(),
            values: weights.iter().map(|&w| self.fake(w)).collect(),
        }
    }
}

/// A tensor as it is stored, and as it is computed with.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// Two's complement integers, in the tensor's order.
    pub stored: Vec<i8>,
    /// What they stand for.
    pub values: Vec<f32>,
}
