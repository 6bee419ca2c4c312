//! `brownout export`: from a checkpoint to an integer model, without training, and to a
//! PyTorch state dict.

mod model;
mod state_dict;

use crate::arguments::{ExportArguments, RoundingArguments};
use crate::data::{Part, check_images, check_labels};
use crate::error::Error;
use crate::files;
use crate::output::Output;
use brownout_golden::export::check_form;
use brownout_golden::float::Checkpoint;
use brownout_golden::quantize::{Granularity, WeightGrid};
use brownout_golden::quantized::Quantization;
use brownout_golden::train::TrainingOptions;
use brownout_spec::code::CodeName;
use serde::Serialize;
use std::path::Path;

#[derive(Debug, Serialize)]
struct Report<'a> {
    network: &'a str,
    /// Of the integer model, if one was asked for.
    #[serde(flatten)]
    model: Option<model::Report>,
    /// Of the state dict, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    state_dict: Option<state_dict::Report>,
}

/// Runs the command.
///
/// # Errors
/// When checkpoint, data or flags are not allowed, or the network has no integer form.
pub fn run(arguments: &ExportArguments, output: Output) -> Result<(), Error> {
    check_files(arguments)?;
    state_dict::check_flags(arguments)?;
    let checkpoint = Checkpoint::read(&arguments.checkpoint)?;
    let network = checkpoint.model.architecture.name.clone();
    if arguments.out.is_some() {
        check_form(&checkpoint.model.architecture)?;
    }
    let input = Some(checkpoint.model.image);
    let (train, test) = match (&arguments.data, &arguments.out) {
        (Some(source), Some(_)) => {
            let split = source.split(None, input, output)?;
            (Some(split.train), Some(split.test))
        }
        (Some(source), None) => (None, Some(source.test_images(1, input, output)?)),
        (None, _) => (None, None),
    };
    if let (Some(source), Some(test)) = (&arguments.data, &test) {
        let model = &checkpoint.model;
        let takes = (model.image, model.architecture.classes());
        check_images(source, test, takes, "the checkpoint's")?;
        if let Some(train) = &train {
            let outputs = (takes.1, "the checkpoint's");
            check_labels(source, train, Part::Training, outputs)?;
        }
    }
    // Both are there before either is written.
    let state_dict = match &arguments.state_dict {
        Some(path) => {
            let made = state_dict::make(arguments, &checkpoint, test.as_ref(), path, output)?;
            Some((path, made))
        }
        None => None,
    };
    let model = match (&arguments.out, &train, &test) {
        (Some(path), Some(train), Some(test)) => {
            let made = model::make(arguments, checkpoint, (train, test), path, output)?;
            Some((path, made))
        }
        _ => None,
    };
    let mut text = String::new();
    let mut remarks = Vec::new();
    if let Some((path, (bytes, report))) = &model {
        files::write(path, bytes)?;
        text += &report.render();
        remarks.push(format!("the model is in {}", path.display()));
    }
    if let Some((path, (bytes, report))) = &state_dict {
        files::write(path, bytes)?;
        text += &report.render(&network);
        remarks.push(report.remark());
    }
    let report = Report {
        network: &network,
        model: model.map(|(_, (_, report))| report),
        state_dict: state_dict.map(|(_, (_, report))| report),
    };
    output.result(&report, &text)?;
    remarks.iter().for_each(|remark| output.remark(remark));
    Ok(())
}

/// Checks, before long work, that each file can be written and is no other one.
fn check_files(arguments: &ExportArguments) -> Result<(), Error> {
    let check = |flag, path: &Path, other: &Path, name: &str| {
        if files::are_same(path, other) {
            let allowed = format!("another file than {name}");
            return Err(Error::flag(flag, path.display(), allowed));
        }
        Ok(())
    };
    for (flag, path) in [
        ("--out", &arguments.out),
        ("--state-dict", &arguments.state_dict),
    ] {
        if let Some(path) = path {
            files::check_writable(path)?;
            check(flag, path, &arguments.checkpoint, "the checkpoint")?;
        }
    }
    match (&arguments.out, &arguments.state_dict) {
        (Some(out), Some(state_dict)) => check("--state-dict", state_dict, out, "that of --out"),
        _ => Ok(()),
    }
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
