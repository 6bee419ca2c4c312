//! `brownout export`: from a checkpoint to an integer model, without training.

use crate::arguments::{ExportArguments, RoundingArguments};
use crate::data::check_count;
use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::table::Table;
use crate::train::{self, percent};
use brownout_golden::data::Dataset;
use brownout_golden::export::export;
use brownout_golden::float::{Checkpoint, FloatModel};
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::Accuracy;
use brownout_golden::quantize::{BitWidth, Granularity, WeightGrid};
use brownout_golden::quantized::{Quantization, QuantizedNetwork};
use brownout_golden::train::TrainingOptions;
use brownout_spec::code::CodeName;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Report<'a> {
    file: String,
    network: &'a str,
    weight_bits: BitWidth,
    code: CodeName,
    calibration_images: usize,
    accuracy_float: f64,
    accuracy_quantized: f64,
    accuracy_integer: f64,
    images: usize,
}

/// Runs the command.
///
/// # Errors
/// When checkpoint, data or flags are not allowed, or the network has no integer form.
pub fn run(arguments: &ExportArguments, output: Output) -> Result<(), Error> {
    files::check_writable(&arguments.out)?;
    if files::are_same(&arguments.out, &arguments.checkpoint) {
        let out = arguments.out.display();
        return Err(Error::flag(
            "--out",
            out,
            "another file than the checkpoint",
        ));
    }
    let checkpoint = Checkpoint::read(&arguments.checkpoint)?;
    let split = arguments.data.split(None, output)?;
    let count = arguments.calibration_images;
    check_count("--calibration-images", count, split.train.len())?;
    let spinner = output.spinner("observing activations and measuring");
    let calibration = split.train.first(count);
    let Checkpoint {
        model,
        quantization,
    } = checkpoint;
    let rounding = &arguments.rounding;
    let trained = match quantization {
        Some(own) if !rounding.any() => as_trained(model, own, &calibration)?,
        own => {
            let options = options(rounding, own.as_ref());
            let mut network = model.calibrate(&calibration, &options)?;
            // The flags are about weights.
            if let Some(own) = own.filter(|own| own.activations[0].is_some()) {
                network.quantization.activations = own.activations;
            }
            network
        }
    };
    let model = &trained.model;
    let exported = export(&trained, None)?;
    let float = model.score(&split.test).accuracy();
    let quantized = trained.score(&trained.stored(), &split.test).accuracy();
    let integer = IntegerNetwork::undisturbed(&exported).accuracy(&split.test);
    spinner.finish_and_clear();
    let images = split.test.len();
    let exported = exported.with_accuracy(Accuracy {
        float: quantized,
        integer,
        images,
    });
    train::write(&exported, &arguments.out)?;
    let report = Report {
        file: arguments.out.display().to_string(),
        network: &model.architecture.name,
        weight_bits: trained.quantization.width,
        code: trained.quantization.code,
        calibration_images: count,
        accuracy_float: float,
        accuracy_quantized: quantized,
        accuracy_integer: integer,
        images,
    };
    let mut table = Table::new(&["arithmetic", ">accuracy"]);
    for (name, accuracy) in [
        ("unrounded", float),
        ("rounded, floating point", quantized),
        ("integers", integer),
    ] {
        table.row([name.to_owned(), percent(accuracy)]);
    }
    let text = format!(
        "{}\n{images} held-out images; ranges observed on {count} training images\n",
        table.render()
    );
    output.result(&report, &text)?;
    output.remark(format!("the model is in {}", arguments.out.display()));
    Ok(())
}

/// What flags ask for, and for the rest what the checkpoint was trained with.
fn options(arguments: &RoundingArguments, own: Option<&Quantization>) -> TrainingOptions {
    let defaults = TrainingOptions::default();
    let (width, code) = own.map_or((defaults.weight_bits, CodeName::None), |own| {
        (own.width, own.code)
    });
    let grids = own.into_iter().flat_map(|own| own.grids.iter().flatten());
    let granularity = match grids.map(WeightGrid::len).any(|scales| scales > 1) {
        true => Granularity::Channel,
        false => defaults.granularity,
    };
    TrainingOptions {
        weight_bits: arguments.weight_bits.map_or(width, Into::into),
        code: arguments.code.unwrap_or(code),
        placement: own.map_or(defaults.placement, |own| own.placement),
        granularity: arguments.scale.map_or(granularity, Into::into),
        ..defaults
    }
}

/// A trained network as it is, with activations rounded even if it was trained without.
fn as_trained(
    model: FloatModel,
    quantization: Quantization,
    data: &Dataset,
) -> Result<QuantizedNetwork, Error> {
    let rounded = quantization.activations[0].is_some();
    let network = QuantizedNetwork {
        model,
        quantization,
    };
    if rounded {
        return Ok(network);
    }
    if data.shape() != network.model.image {
        return Err(Error::flag(
            "--data",
            format!("{}, whose images are {}", data.name, data.shape()),
            format!("images of {}", network.model.image),
        ));
    }
    Ok(network.with_observed_activations(data, &Default::default()))
}
