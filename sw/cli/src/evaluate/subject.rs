//! The network: an integer model, a quantized checkpoint, or one that is quantized here.

use crate::arguments::EvaluateSettings;
use crate::configuration;
use crate::data::{DataSource, check_count};
use crate::error::Error;
use crate::files;
use crate::judgement::CALIBRATION_IMAGES;
use crate::output::Output;
use brownout_golden::data::Dataset;
use brownout_golden::evaluate::Subject;
use brownout_golden::float::{Checkpoint, FloatModel, MAX_FILE_BYTES};
use brownout_golden::model::IntegerModel;
use brownout_golden::quantized::QuantizedNetwork;
use brownout_golden::train::{ActivationOptions, TrainingOptions};
use brownout_spec::code::CodeName;
use brownout_spec::program::Shape;
use std::path::Path;

/// The flag that says how many.
const CALIBRATION_FLAG: &str = "--calibration-images";

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
    match checkpoint.quantization {
        None => quantize(&checkpoint.model, data, settings, output),
        Some(quantization) => {
            if let Some((flag, value)) = weight_setting(settings) {
                let allowed = format!(
                    "none, since {} is quantized already; a checkpoint that is not can be quantized here",
                    path.display()
                );
                return Err(Error::flag(flag, value, allowed));
            }
            let network = QuantizedNetwork {
                model: checkpoint.model,
                quantization,
            };
            Ok(with_activations(network, data, settings, output)?.into())
        }
    }
}

/// A quantized network with its own weights' grids, and activations as settings say.
fn with_activations(
    mut network: QuantizedNetwork,
    data: &DataSource,
    settings: &EvaluateSettings,
    output: Output,
) -> Result<QuantizedNetwork, Error> {
    match (settings.float_activations, settings.calibration_images) {
        (false, None) => Ok(network),
        (true, None) => {
            network.quantization.activations.fill(None);
            Ok(network)
        }
        (true, Some(count)) => {
            let allowed = "none with --float-activations, whose activations are not rounded";
            Err(Error::flag(CALIBRATION_FLAG, count, allowed))
        }
        (false, Some(_)) => {
            let images = calibration_images((data, network.model.image), settings, output)?;
            if images.shape() != network.model.image {
                let found = format!("{data}, whose images are {}", images.shape());
                let allowed = format!("images of {}", network.model.image);
                return Err(Error::flag("--data", found, allowed));
            }
            let spinner = output.spinner("observing activations");
            let network = network.with_observed_activations(&images, &ActivationOptions::default());
            spinner.finish_and_clear();
            Ok(network)
        }
    }
}

/// The first setting that asks for other integers than a file's own.
fn weight_setting(settings: &EvaluateSettings) -> Option<(&'static str, String)> {
    let bits = settings.weight_bits.map(|b| b.to_string());
    let quantizer = settings.quantizer.map(|q| q.to_string());
    let bits = bits.map(|b| ("--weight-bits", b));
    bits.or(quantizer.map(|q| ("--quantizer", q)))
}

/// The first setting that asks for another quantization than a file's own.
fn quantization_setting(settings: &EvaluateSettings) -> Option<(&'static str, String)> {
    let count = settings.calibration_images;
    let float = settings.float_activations;
    weight_setting(settings)
        .or(float.then(|| ("--float-activations", "given".to_owned())))
        .or(count.map(|n| (CALIBRATION_FLAG, n.to_string())))
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
    let images = calibration_images((data, model.image), settings, output)?;
    let spinner = output.spinner("observing activations");
    let network = model.calibrate(&images, &options)?;
    spinner.finish_and_clear();
    Ok(network.into())
}

/// Training images on which activations are observed.
fn calibration_images(
    (data, input): (&DataSource, Shape),
    settings: &EvaluateSettings,
    output: Output,
) -> Result<Dataset, Error> {
    let count = settings.calibration_images.unwrap_or(CALIBRATION_IMAGES);
    if count == 0 {
        return Err(Error::flag(CALIBRATION_FLAG, count, "1 or more"));
    }
    let images = data.training_images(count, Some(input), output)?;
    // The default is as many as there are, if they are fewer.
    let count = match settings.calibration_images {
        None => count.min(images.len()),
        Some(count) => count,
    };
    check_count(CALIBRATION_FLAG, count, images.len())?;
    Ok(images.first(count))
}
