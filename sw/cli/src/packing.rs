//! A model's weights as the words of an accelerator's memory.

use crate::error::Error;
use brownout_golden::model::IntegerModel;
use brownout_spec::config::Configuration;
use brownout_spec::image::{Layout, WeightImage};
use std::path::Path;

/// The weight image of a model on an accelerator that it was placed on.
///
/// # Errors
/// When weights exceed the memory or the code's range; a placed model has neither.
pub fn image(configuration: &Configuration, model: &IntegerModel) -> Result<WeightImage, Error> {
    let layout = Layout::new(configuration, model.weight_shapes())
        .map_err(Error::content(Path::new(&configuration.name)))?;
    Ok(WeightImage::encode(layout, &model.weight_tensors())?)
}
