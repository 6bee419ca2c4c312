//! What a run begins with: parameters, and grids where they are there already.

use super::activations::ActivationOptions;
use super::options::{OptionsError, TrainingOptions, check};
use super::quantizer::QuantizerName;
use crate::float::FloatModel;
use crate::quantize::{ActivationGrid, Granularity, WeightGrid};
use crate::quantized::{Quantization, QuantizedNetwork};

/// What a run begins with.
///
/// A network in floating point finds its grids in the course of the run. A quantized one keeps its
/// own: weights are rounded from the first step on, learned ranges and steps of weights begin with
/// them, and so do learned ranges of activations; what is not learned stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The network.
    pub model: FloatModel,
    /// Its own grids, if it goes on from them.
    pub grids: Option<Quantization>,
}

impl From<FloatModel> for Start {
    fn from(model: FloatModel) -> Self {
        Self { model, grids: None }
    }
}

impl From<&FloatModel> for Start {
    fn from(model: &FloatModel) -> Self {
        model.clone().into()
    }
}

impl From<QuantizedNetwork> for Start {
    fn from(network: QuantizedNetwork) -> Self {
        Self {
            model: network.model,
            grids: Some(network.quantization),
        }
    }
}

impl Quantization {
    /// Which weights share a step.
    pub fn granularity(&self) -> Granularity {
        let mut grids = self.grids.iter().flatten();
        match grids.any(|grid| grid.len() > 1) {
            true => Granularity::Channel,
            false => Granularity::Tensor,
        }
    }

    /// What the largest integer of each tensor stands for; 0 where it has no grid.
    pub(super) fn ranges(&self) -> Vec<f32> {
        let grids = self.activations.iter();
        grids
            .map(|grid| grid.map_or(0.0, |grid| grid.range()))
            .collect()
    }

    /// These grids of activations where ranges have moved to others, of tensors that share one to
    /// that of its owner.
    pub(super) fn moved(&self, owners: &[usize], ranges: &[f32]) -> Vec<Option<ActivationGrid>> {
        let grid = |(tensor, own): (usize, &Option<ActivationGrid>)| {
            let (own, owner) = ((*own)?, owners[tensor]);
            let first = self.activations[owner].map_or(0.0, |grid| grid.range());
            let moved = match (tensor, ranges[owner] == first) {
                (0, _) | (_, true) => 1.0,
                (_, false) => ranges[owner] / first,
            };
            Some(ActivationGrid {
                step: own.step * moved,
                ..own
            })
        };
        self.activations.iter().enumerate().map(grid).collect()
    }

    /// Checks, before any training, that a run with these options can go on from these grids.
    ///
    /// # Errors
    /// One sentence with the setting, its value and what is allowed.
    pub(super) fn check_options(&self, options: &TrainingOptions) -> Result<(), OptionsError> {
        check(
            options.weight_bits == self.width,
            "weight bits",
            options.weight_bits,
            &format!("{}, as the network's own grids have", self.width),
        )?;
        let own = self.granularity();
        check(
            options.granularity == own,
            "granularity",
            format!("{:?}", options.granularity).to_lowercase(),
            &format!(
                "{}, as the network's own grids are",
                format!("{own:?}").to_lowercase()
            ),
        )?;
        let goes_on = matches!(
            options.quantizer,
            QuantizerName::LeastError | QuantizerName::Wcat | QuantizerName::Lsq
        );
        check(
            goes_on,
            "quantizer",
            options.quantizer,
            "least-error (the grids stay), wcat and lsq (which begin with them) on the network's own grids",
        )?;
        let hidden = &self.activations[..self.activations.len().saturating_sub(1)];
        check(
            options.activations.quantize && hidden.iter().all(Option::is_some),
            "activations",
            "in floating point",
            "rounded ones, in the network and in the run, on the network's own grids",
        )?;
        let usual = ActivationOptions::default();
        check(
            (options.activations.bits, options.activations.codes) == (usual.bits, usual.codes),
            "activations",
            format!(
                "of {} bits, {}",
                options.activations.bits,
                format!("{:?}", options.activations.codes).to_lowercase()
            ),
            "nothing else than 8 bits, signed, beside the network's own grids, which have integers of their own",
        )?;
        let mut outputs = self.grids.iter().flatten();
        check(
            outputs.all(|grid| grid.steps(grid.len()).is_some()),
            "grids",
            "of several kinds",
            "equal steps around zero, one for each layer or one for each channel",
        )
    }
}

/// A layer's own grid, if there is one.
pub(super) fn own_grid(grids: &Option<Quantization>, layer: usize) -> Option<&WeightGrid> {
    grids.as_ref()?.grids.get(layer)?.as_ref()
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
