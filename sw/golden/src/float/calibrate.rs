//! Quantization without training: scales from the weights, ranges from some images.

use super::FloatModel;
use crate::data::Dataset;
use crate::network::Evaluator;
use crate::train::{
    OptionsError, Trained, TrainingOptions, WeightScales, activation_steps, allowed_ranges,
};
use brownout_spec::code::Code;
use brownout_spec::program::Shape;
use thiserror::Error;

/// Why a network cannot be quantized with these images.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CalibrationError {
    /// A setting is not allowed.
    #[error(transparent)]
    Options(#[from] OptionsError),
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
    /// Chooses weight scales (least squared error within each weight's range under the
    /// code) and activation steps (127 steps reach the range seen on `data`), and leaves
    /// the weights as they are. Of `options` the weight bits, the code and the granularity count.
    ///
    /// # Errors
    /// When an option is not allowed or the images are not the network's.
    pub fn calibrate(
        &self,
        data: &Dataset,
        options: &TrainingOptions,
    ) -> Result<Trained, CalibrationError> {
        options.validate()?;
        if data.is_empty() || data.shape() != self.image {
            return Err(CalibrationError::Data {
                data: data.name.clone(),
                found: data.shape(),
                images: data.len(),
                network: self.network.to_string(),
                expected: self.image,
            });
        }
        let evaluator = Evaluator::exact(&self.architecture, &self.parameters);
        let ranges = evaluator.ranges(&self.input.rounded_table(), data);
        let code = Code::new(options.code, options.weight_bits);
        let scales = self.parameters.layers.iter().map(|layer| {
            let layer = layer.as_ref()?;
            let allowed = allowed_ranges(&code, layer.bias.len());
            let granularity = options.granularity;
            Some(WeightScales::choose(&layer.weight, &allowed, granularity))
        });
        Ok(Trained {
            scales: scales.collect(),
            steps: activation_steps(&self.architecture, self.input, &ranges),
            architecture: self.architecture.clone(),
            input: self.input,
            parameters: self.parameters.clone(),
            options: options.clone(),
            dataset: self.origin.clone(),
            losses: Vec::new(),
        })
    }
}
