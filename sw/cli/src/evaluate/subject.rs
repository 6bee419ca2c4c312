//! The network: an integer model, a quantized checkpoint, or one that is quantized here.

use crate::arguments::EvaluateSettings;
use crate::configuration;
use crate::data::{DataSource, check_count};
use crate::error::Error;
use crate::files;
use crate::output::Output;
use brownout_golden::evaluate::Subject;
use brownout_golden::float::{Checkpoint, FloatModel, MAX_FILE_BYTES};
use brownout_golden::model::IntegerModel;
use brownout_golden::quantized::QuantizedNetwork;
use brownout_golden::train::{ActivationOptions, TrainingOptions};
use brownout_spec::code::CodeName;
use std::path::Path;

/// Training images on which activations are observed.
const CALIBRATION_IMAGES: usize = 1000;

/// Reads the network of a file.
///
/// # Errors
/// When the file is neither a model nor a checkpoint, or a setting does not go with it.
pub fn read(
    path: &Path,
    data: &DataSource,
    settings: &EvaluateSettings,
    output: Output,
) -> Result<Subject, Error> {
    let bytes = files::read_up_to(path, MAX_FILE_BYTES)?;
    if !Checkpoint::recognizes(&bytes) {
        let model = IntegerModel::from_bytes(&bytes, path)?;
        return match quantization_setting(settings) {
            None => Ok(model.into()),
            Some((flag, value)) => Err(Error::flag(
                flag,
                value,
                format!(
                    "none, since {} is an integer model, which is quantized already",
                    path.display()
                ),
            )),
        };
    }
    let checkpoint = Checkpoint::from_bytes(&bytes, path)?;
    drop(bytes);
    match (checkpoint.quantization, quantization_setting(settings)) {
        (Some(quantization), None) => Ok(QuantizedNetwork {
            model: checkpoint.model,
            quantization,
        }
        .into()),
        _ => quantize(&checkpoint.model, data, settings, output),
    }
}

/// The first setting that asks for another quantization than a file's own.
fn quantization_setting(settings: &EvaluateSettings) -> Option<(&'static str, String)> {
    let count = settings.calibration_images;
    let float = settings.float_activations;
    None.or(settings
        .weight_bits
        .map(|b| ("--weight-bits", b.to_string())))
        .or(settings.quantizer.map(|q| ("--quantizer", q.to_string())))
        .or(float.then(|| ("--float-activations", "given".to_owned())))
        .or(count.map(|n| ("--calibration-images", n.to_string())))
}

fn quantize(
    model: &FloatModel,
    data: &DataSource,
    settings: &EvaluateSettings,
    output: Output,
) -> Result<Subject, Error> {
    let defaults = TrainingOptions::default();
    let code = match (settings.code, &settings.config) {
        (Some(code), _) => code,
        (None, Some(config)) => configuration::read(Some(config))?.configuration.code,
        (None, None) => CodeName::None,
    };
    let options = TrainingOptions {
        weight_bits: settings.weight_bits.unwrap_or(defaults.weight_bits),
        quantizer: settings.quantizer.unwrap_or(defaults.quantizer),
        activations: ActivationOptions {
            quantize: !settings.float_activations,
            ..ActivationOptions::default()
        },
        code,
        ..defaults
    };
    let count = settings.calibration_images.unwrap_or(CALIBRATION_IMAGES);
    let flag = "--calibration-images";
    if count == 0 {
        return Err(Error::flag(flag, count, "1 or more"));
    }
    let images = match data {
        // As many as are asked for are drawn.
        DataSource::Glyphs { .. } => data.split(Some(count), output)?.train,
        _ => data.split(None, output)?.train,
    };
    // The default is as many as there are, if they are fewer.
    let count = match settings.calibration_images {
        None => count.min(images.len()),
        Some(count) => count,
    };
    check_count(flag, count, images.len())?;
    let spinner = output.spinner("observing activations");
    let network = model.calibrate(&images.first(count), &options)?;
    spinner.finish_and_clear();
    Ok(network.into())
}
