//! What all chunks of a step share.

use super::bfloat::Precision;
use super::windows::{Backward, Forward, PackedWeights};
use super::{Architecture, Parameters};
use crate::quantize::ActivationGrid;
use ndarray::Array4;
use rayon::prelude::*;

/// What the chunks of a step share of a layer that learns.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// Of a layer that has weights.
    weights: Option<PackedBoth>,
    /// What normalised values are multiplied with.
    pub scale: Option<Vec<f32>>,
}

/// A layer's weights as the inner loops read them.
#[derive(Clone, Debug)]
pub(super) struct PackedBoth {
    pub forward: PackedWeights,
    pub backward: PackedWeights,
}

impl Packed {
    /// The weights of a convolution.
    pub fn weights(&self) -> &PackedBoth {
        self.weights.as_ref().expect("a convolution has weights")
    }
}

/// Which moments a normalised layer uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Those of the chunk.
    Batch,
    /// The running ones, as inference does.
    Running,
}

/// Everything that the chunks of one step share: packed weights and grids of activations.
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    /// Biases, gains and running moments.
    pub parameters: &'a Parameters,
    /// Which moments to use.
    pub statistics: Statistics,
    /// In what numbers convolutions multiply; weights are packed for it.
    pub(super) precision: Precision,
    /// Grid of each tensor's activations; `None` leaves it in floating point.
    pub activations: Vec<Option<ActivationGrid>>,
    /// Whether the gradients of the grids' ranges are wanted.
    pub ceilings: bool,
    pub(super) packed: Vec<Option<Packed>>,
}

impl<'a> Prepared<'a> {
    /// Packs the weights that the layers multiply with: the parameters' own, or quantized ones.
    pub fn new(
        architecture: &Architecture,
        parameters: &'a Parameters,
        weights: &[Option<Array4<f32>>],
        statistics: Statistics,
        activations: Vec<Option<ActivationGrid>>,
    ) -> Self {
        let single = (statistics, Precision::Single);
        Self::with_precision(architecture, parameters, weights, single, activations)
    }

    /// The same, in whatever numbers convolutions are to multiply.
    pub fn with_precision(
        architecture: &Architecture,
        parameters: &'a Parameters,
        weights: &[Option<Array4<f32>>],
        (statistics, precision): (Statistics, Precision),
        activations: Vec<Option<ActivationGrid>>,
    ) -> Self {
        let layers = parameters.layers.par_iter().zip(weights);
        let packed = layers.enumerate().map(|(index, (layer, given))| {
            let layer = layer.as_ref()?;
            let weight = given.as_ref().unwrap_or(&layer.weight);
            let weight = weight.as_slice().expect("weights are in standard layout");
            let shapes = &architecture.shapes()[index];
            let both = || PackedBoth {
                forward: Forward::new(shapes, 0).pack(weight, precision),
                backward: Backward::new(shapes, 0).pack(weight, precision),
            };
            Some(Packed {
                weights: layer.has_weights().then(both),
                scale: layer.scale(architecture.styles[index].norm),
            })
        });
        Self {
            parameters,
            statistics,
            precision,
            activations,
            ceilings: false,
            packed: packed.collect(),
        }
    }
}
