//! What an attack knows of a network.

use crate::network::{Architecture, Parameters};
use crate::quantize::{ActivationGrid, BitWidth, WeightGrid};
use crate::quantized::QuantizedNetwork;

/// A quantized network without its stored weights, which the attacker changes.
#[derive(Clone, Copy, Debug)]
pub struct Victim<'a> {
    /// Layers and shapes.
    pub architecture: &'a Architecture,
    /// Biases, gains and running statistics; these are not attacked.
    pub parameters: &'a Parameters,
    /// Grid of each tensor's activations, the input's first; `None` is floating point.
    pub activations: &'a [Option<ActivationGrid>],
    /// What the stored integers of each layer with weights mean.
    pub grids: &'a [Option<WeightGrid>],
    /// Live bits of a stored integer.
    pub width: BitWidth,
}

impl<'a> From<&'a QuantizedNetwork> for Victim<'a> {
    fn from(network: &'a QuantizedNetwork) -> Self {
        Self {
            architecture: &network.model.architecture,
            parameters: &network.model.parameters,
            activations: &network.quantization.activations,
            grids: &network.quantization.grids,
            width: network.quantization.width,
        }
    }
}

impl<'a> Victim<'a> {
    /// The grid of a layer with weights.
    pub(super) fn grid(&self, layer: usize) -> &'a WeightGrid {
        self.grids[layer]
            .as_ref()
            .expect("a layer with weights has a grid")
    }

    /// Layers with weights, in image order.
    pub(super) fn layers(&self) -> Vec<usize> {
        let grids = self.grids.iter().enumerate();
        grids.filter_map(|(i, g)| g.as_ref().map(|_| i)).collect()
    }
}
