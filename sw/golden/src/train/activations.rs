//! What becomes of activations in the course of a run.

use super::options::{OptionsError, check};
use crate::model::InputMap;
use crate::network::Architecture;
use crate::quantize::{ActivationCodes, ActivationGrid, BitWidth};
use serde::{Deserialize, Serialize};

/// How activations are rounded. The input's grid is that of its pixels, always of 8 bits;
/// the logits are never rounded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivationOptions {
    /// Whether they are rounded at all; without, the papers' weights-only protocol.
    pub quantize: bool,
    /// Bits of an activation, 2 to 8.
    pub bits: BitWidth,
    /// Which integers they have.
    pub codes: ActivationCodes,
    /// Whether the ranges are learned, as PACT does (Choi et al., 2018), once quantization
    /// has begun; else they follow the largest values.
    pub learned: bool,
    /// λ of the L2 penalty on learned ranges.
    pub decay: f32,
}

impl Default for ActivationOptions {
    fn default() -> Self {
        Self {
            quantize: true,
            bits: BitWidth::EIGHT,
            codes: ActivationCodes::Signed,
            learned: false,
            decay: 1e-4,
        }
    }
}

impl ActivationOptions {
    pub(super) fn validate(&self) -> Result<(), OptionsError> {
        check(
            (0.0..1.0).contains(&self.decay),
            "activations.decay",
            self.decay,
            "0 to below 1",
        )
    }

    /// The grids of all tensors whose largest values are these; tensors that share one have that
    /// of its owner ([`Architecture::grid_owners`]), and the logits have none.
    pub fn grids(
        &self,
        architecture: &Architecture,
        input: InputMap,
        ranges: &[f32],
    ) -> Vec<Option<ActivationGrid>> {
        if !self.quantize {
            return vec![None; ranges.len()];
        }
        let grid = |owner: usize| match owner {
            0 => ActivationGrid::of_bytes(input.step(), input.zero()),
            owner => ActivationGrid::of_range(ranges[owner], self.bits, self.codes),
        };
        let owners = architecture.grid_owners().into_iter();
        let mut grids: Vec<_> = owners.map(|owner| Some(grid(owner))).collect();
        if let Some(logits) = grids.last_mut() {
            *logits = None;
        }
        grids
    }
}
