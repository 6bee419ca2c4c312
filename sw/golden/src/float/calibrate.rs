//! Quantization without training: scales from the weights, ranges from some images.

use super::FloatModel;
use crate::data::Dataset;
use crate::network::Evaluator;
use crate::quantize::QuantizeError;
use crate::quantized::{Quantization, QuantizedNetwork};
use crate::train::{LayerQuantizer, OptionsError, TrainingOptions};
use brownout_spec::program::Shape;
use thiserror::Error;

/// Why a network cannot be quantized with these images.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CalibrationError {
    /// A setting is not allowed.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Weights that are on no grid.
    #[error("the weights of layer {layer}: {problem}")]
    Weights {
        /// Index of the layer.
        layer: usize,
        /// What is wrong with them.
        problem: QuantizeError,
    },
    /// The images are not the network's.
    #[error(
        "the images of {data} are {found}, {images} of them; network {network} needs at least one of {expected} to observe its activations"
    )]
    Data {
        /// Name of the data set.
        data: String,
        /// Shape of its images.
        found: Shape,
        /// How many there are.
        images: usize,
        /// Name of the network.
        network: String,
        /// Shape of the images that it takes.
        expected: Shape,
    },
}

impl FloatModel {
    /// Fits the quantizer to the weights and chooses grids of activations (the largest integer
    /// stands for the range seen on `data`), and leaves the weights as they are; those outside the code's
    /// range are clipped. Of `options` the weight bits, the quantizer, the code, the placement, the
    /// granularity and the activations count.
    ///
    /// # Errors
    /// When an option is not allowed, the images are not the network's, or a weight is
    /// on no grid.
    pub fn calibrate(
        &self,
        data: &Dataset,
        options: &TrainingOptions,
    ) -> Result<QuantizedNetwork, CalibrationError> {
        if data.is_empty() || data.shape() != self.image {
            return Err(CalibrationError::Data {
                data: data.name.clone(),
                found: data.shape(),
                images: data.len(),
                network: self.network.to_string(),
                expected: self.image,
            });
        }
        let mut network = self.with_fitted_grids(options)?;
        let parameters = self.without_free_values();
        let evaluator = Evaluator::exact(&self.architecture, &parameters);
        let ranges = evaluator.ranges(&self.input.rounded_table(), data);
        network.quantization.activations =
            (options.activations).grids(&self.architecture, self.input, &ranges);
        Ok(network)
    }

    /// As [`FloatModel::calibrate`], but for the activations, which stay in floating point: of
    /// weights alone the quantizer needs no images.
    ///
    /// # Errors
    /// When an option is not allowed, or a weight is on no grid.
    pub fn with_fitted_grids(
        &self,
        options: &TrainingOptions,
    ) -> Result<QuantizedNetwork, CalibrationError> {
        options.validate()?;
        let mut grids = Vec::with_capacity(self.parameters.layers.len());
        for (index, layer) in self.without_free_values().layers.iter().enumerate() {
            let fit = |weight| {
                let quantizer = LayerQuantizer::begin(weight, options)?;
                quantizer.grid(weight, options)
            };
            let weighted = layer.as_ref().filter(|layer| layer.has_weights());
            let grid = weighted.map(|layer| fit(&layer.weight)).transpose();
            grids.push(grid.map_err(|problem| CalibrationError::Weights {
                layer: index,
                problem,
            })?);
        }
        Ok(QuantizedNetwork {
            quantization: Quantization {
                width: options.weight_bits,
                code: options.code,
                placement: options.placement,
                grids,
                activations: vec![None; self.parameters.layers.len() + 1],
            },
            model: self.clone(),
        })
    }
}
