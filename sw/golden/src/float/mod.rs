//! A network in floating point with its parameters: what is imported, measured,
//! trained on and quantized.
//!
//! `file` writes and reads it as a checkpoint; `calibrate` makes of it, without
//! training, what export needs, and `free` keeps from that what its function does not depend on.

mod calibrate;
mod file;
mod form;
mod free;
mod tensors;

pub use calibrate::CalibrationError;
pub use file::{Checkpoint, FORMAT_VERSION, MAX_FILE_BYTES};
pub(crate) use file::{StateParts, decode, encode, read_up_to};
pub use form::Form;
pub(crate) use tensors::{Part, Taker, check_finite, check_variance};

use crate::data::{Dataset, Pixels};
use crate::model::InputMap;
use crate::network::{Architecture, ArchitectureError, Builtin, Evaluator, Parameters, Score};
use brownout_spec::image::LayerShape;
use brownout_spec::program::{Operation, Shape};

/// A network and its parameters in floating point.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatModel {
    /// Which network.
    pub network: Form,
    /// Its layers, for `image` and the number of classes.
    pub architecture: Architecture,
    /// Shape of the images.
    pub image: Shape,
    /// What pixels mean.
    pub input: InputMap,
    /// Where the parameters come from: name of a data set or of an imported file.
    pub origin: String,
    /// The parameters.
    pub parameters: Parameters,
}

impl FloatModel {
    /// A network with random parameters.
    ///
    /// # Errors
    /// When the network has no form for such images, or the map is not one for their channels.
    pub fn random(
        network: Builtin,
        (image, classes): (Shape, usize),
        input: InputMap,
        seed: u64,
    ) -> Result<Self, ArchitectureError> {
        let architecture = Architecture::builtin(network, image, classes)?;
        (input.check_channels(image.channels)).map_err(ArchitectureError::Map)?;
        Ok(Self {
            network: network.into(),
            image,
            input,
            origin: format!("random, seed {seed}"),
            parameters: Parameters::random(&architecture, seed, 0),
            architecture,
        })
    }

    /// The logits of an image, given as pixels `[row][column][channel]`; nothing is rounded.
    ///
    /// # Panics
    /// If the image does not have the network's size.
    pub fn logits<'a>(&self, image: impl Into<Pixels<'a>>) -> Vec<f32> {
        let image = image.into();
        assert_eq!(image.len(), self.image.volume());
        let evaluator = Evaluator::exact(&self.architecture, &self.parameters);
        let mut values = evaluator.values();
        evaluator.run(self.input.real_table().apply(image), &mut values);
        values.logits().to_vec()
    }

    /// Shapes of the weight tensors, in image order, for a weight layout.
    pub fn weight_shapes(&self) -> Vec<LayerShape> {
        let architecture = &self.architecture;
        let layers = architecture
            .network
            .layers
            .iter()
            .zip(architecture.shapes());
        layers
            .filter_map(|(layer, shapes)| {
                let Operation::Convolution {
                    output_channels, ..
                } = layer.operation
                else {
                    return None;
                };
                Some(LayerShape {
                    name: layer.name.clone(),
                    output_channels,
                    input_channels: shapes.group_channels(),
                    groups: shapes.groups,
                    kernel_height: shapes.window.height,
                    kernel_width: shapes.window.width,
                })
            })
            .collect()
    }

    /// How well the network classifies, with nothing rounded.
    ///
    /// # Panics
    /// If the images do not have the network's size.
    pub fn score(&self, data: &Dataset) -> Score {
        let evaluator = Evaluator::exact(&self.architecture, &self.parameters);
        evaluator.score(&self.input.real_table(), data)
    }
}
