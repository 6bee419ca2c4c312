//! A network in floating point whose weights are stored integers.
//!
//! Training ends with one; an attack flips its bits, a campaign reads it on many
//! chips, and [`export`](crate::export) makes the integer model of it, where
//! hardware has its form. [`StoredWeights`] are the integers, [`StoredMemory`] reads
//! them as a memory does: packed into the weight image, disturbed, decoded.

mod memory;
mod stored;

pub use memory::{MemoryRules, StoredMemory, StoredMemoryError, StoredReading};
pub use stored::StoredWeights;

use crate::data::Dataset;
use crate::float::FloatModel;
use crate::model::InputMap;
use crate::network::{Evaluator, Score};
use crate::quantize::{ActivationGrid, AllowedRanges, BitWidth, Placement, WeightGrid};
use crate::train::ActivationOptions;
use brownout_spec::code::CodeName;
use serde::{Deserialize, Serialize};

/// Rows and columns of the array that weight images are cut for, where nobody says otherwise.
///
/// Training, attacks and evaluations share it, so that the same seed is the same chip to all.
pub const ARRAY: usize = 16;

/// How a network's weights and activations are rounded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantization {
    /// Live bits of a weight.
    pub width: BitWidth,
    /// The code whose range constraint the weights satisfy.
    pub code: CodeName,
    /// Which places of the code's words the weights are for.
    #[serde(default, skip_serializing_if = "Placement::is_channel")]
    pub placement: Placement,
    /// The grid of every layer with weights.
    pub grids: Vec<Option<WeightGrid>>,
    /// Grid of each tensor's activations, the input's first; `None` leaves it in
    /// floating point, as the last layer's always is.
    pub activations: Vec<Option<ActivationGrid>>,
}

/// A network in floating point whose weights are stored integers.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedNetwork {
    /// The network; its weights are those that the stored integers are made of.
    pub model: FloatModel,
    /// What is rounded, and how.
    pub quantization: Quantization,
}

impl Quantization {
    /// The integers that weights may be stored as.
    pub fn allowed(&self) -> AllowedRanges {
        AllowedRanges::new(self.code, self.width, self.placement)
    }

    /// The code in whose words the weights can be stored: theirs, or none if they are for other
    /// places than those of the weight image.
    pub fn storable_code(&self) -> CodeName {
        match self.placement {
            Placement::Channel => self.code,
            Placement::Spread => CodeName::None,
        }
    }

    /// Checks what was read from a file against a network's layers.
    ///
    /// # Errors
    /// One sentence naming the layer or tensor, and what is allowed.
    pub fn validate(&self, model: &FloatModel) -> Result<(), String> {
        let layers = &model.parameters.layers;
        if !self.code.supports(self.width.lane()) {
            return Err(format!(
                "its weights have {} bits, with which code {} cannot be used",
                self.width, self.code
            ));
        }
        if self.grids.len() != layers.len() || self.activations.len() != layers.len() + 1 {
            return Err(format!(
                "it has {} grids of weights and {} of activations; its network has {} layers and {} tensors",
                self.grids.len(),
                self.activations.len(),
                layers.len(),
                layers.len() + 1
            ));
        }
        for (index, (grid, layer)) in self.grids.iter().zip(layers).enumerate() {
            match (grid, layer.as_ref().filter(|layer| layer.has_weights())) {
                (Some(grid), Some(layer)) => grid
                    .validate(layer.bias.len(), self.width)
                    .map_err(|problem| format!("the grid of layer {index}: {problem}"))?,
                (None, None) => {}
                _ => {
                    return Err(format!(
                        "layer {index} has a grid but no weights, or weights but no grid"
                    ));
                }
            }
        }
        let mut activations = self.activations.iter().flatten();
        activations.try_for_each(ActivationGrid::validate)?;
        self.check_ends(model.input)
    }

    /// Checks that the image is rounded as its map rounds it, and that results are not.
    fn check_ends(&self, input: InputMap) -> Result<(), String> {
        if let Some(Some(grid)) = self.activations.first()
            && (grid.step, grid.zero()) != (input.step(), input.zero())
        {
            return Err(format!(
                "the image has activations in steps of {} with the zero point {}; allowed are steps of {} and {}, as its map from pixels, {input}, has",
                grid.step,
                grid.zero(),
                input.step(),
                input.zero()
            ));
        }
        match self.activations.last() {
            Some(Some(_)) => Err(
                "its results have a grid of activations; allowed is none, since results are not rounded"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }
}

impl QuantizedNetwork {
    /// The weights as they are stored.
    pub fn stored(&self) -> StoredWeights {
        let quantization = &self.quantization;
        let ranges = quantization.allowed();
        let layers = self.model.parameters.layers.iter().zip(&quantization.grids);
        let integers = layers.map(|(layer, grid)| {
            let (layer, grid) = (layer.as_ref()?, grid.as_ref()?);
            Some(grid.quantize(&layer.weight, &ranges).integers)
        });
        StoredWeights(integers.collect())
    }

    /// The network in floating point whose weights are what the stored integers stand for.
    pub fn rounded(&self) -> FloatModel {
        let mut model = self.model.clone();
        let values = self.stored().values(&self.quantization.grids);
        for (layer, values) in model.parameters.layers.iter_mut().zip(values) {
            if let (Some(layer), Some(values)) = (layer, values) {
                layer.weight = values;
            }
        }
        model
    }

    /// The network ready to run with these stored weights, its own or disturbed ones.
    ///
    /// # Panics
    /// If they are another network's.
    pub fn evaluator(&self, stored: &StoredWeights) -> Evaluator<'_> {
        Evaluator::new(
            &self.model.architecture,
            &self.model.parameters,
            &stored.values(&self.quantization.grids),
            self.quantization.activations.clone(),
        )
    }

    /// The same network with its activations rounded: the largest integer stands for the
    /// range seen on these images, with the stored weights.
    ///
    /// # Panics
    /// If the images do not have the network's size.
    #[must_use]
    pub fn with_observed_activations(
        mut self,
        data: &Dataset,
        options: &ActivationOptions,
    ) -> Self {
        let (model, quantization) = (&self.model, &self.quantization);
        let evaluator = Evaluator::new(
            &model.architecture,
            &model.parameters,
            &self.stored().values(&quantization.grids),
            vec![None; quantization.activations.len()],
        );
        let ranges = evaluator.ranges(&model.input.rounded_table(), data);
        self.quantization.activations = options.grids(&model.architecture, model.input, &ranges);
        self
    }

    /// How well it classifies with these stored weights.
    ///
    /// # Panics
    /// If they are another network's, or the images do not have its size.
    pub fn score(&self, stored: &StoredWeights, data: &Dataset) -> Score {
        let input = match self.quantization.activations[0] {
            Some(_) => self.model.input.rounded_table(),
            None => self.model.input.real_table(),
        };
        self.evaluator(stored).score(&input, data)
    }
}
