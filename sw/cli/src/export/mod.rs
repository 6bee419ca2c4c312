//! `brownout export`: from a checkpoint to an integer model, without training, and to a
//! PyTorch state dict; from integers to an ONNX file.

mod model;
#[cfg(feature = "foreign")]
mod onnx;
#[cfg(not(feature = "foreign"))]
#[path = "no_onnx.rs"]
mod onnx;
mod state_dict;

use crate::arguments::{ExportArguments, RoundingArguments};
use crate::data::{Part, check_images, check_labels};
use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::train;
use brownout_golden::export::check_form;
use brownout_golden::float::Checkpoint;
use brownout_golden::model::IntegerModel;
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
    /// Of the ONNX file, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    onnx: Option<onnx::Report>,
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
    if let Some(onnx) = &arguments.onnx {
        onnx::check_built(onnx)?;
    }
    let bytes = Checkpoint::read_bytes(&arguments.checkpoint)?;
    match &arguments.onnx {
        Some(onnx) if IntegerModel::recognizes(&bytes) => {
            return of_integers(arguments, &bytes, onnx, output);
        }
        _ => {}
    }
    let checkpoint = Checkpoint::from_bytes(&bytes, &arguments.checkpoint)?;
    drop(bytes);
    let integers = arguments.out.is_some() || arguments.onnx.is_some();
    if integers && arguments.data.is_none() {
        let needed = "--data SOURCE is missing; it is needed to make the integers of a checkpoint for --onnx";
        return Err(Error::Recipe(needed.to_owned()));
    }
    let network = checkpoint.model.architecture.name.clone();
    if integers {
        check_form(&checkpoint.model.architecture)?;
    }
    let input = Some(checkpoint.model.image);
    let (train, test) = match (&arguments.data, integers) {
        (Some(source), true) => {
            let split = source.split(None, input, output)?;
            (Some(split.train), Some(split.test))
        }
        (Some(source), false) => (None, Some(source.test_images(1, input, output)?)),
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
    let model = match (integers, &train, &test) {
        (true, Some(train), Some(test)) => {
            Some(model::make(arguments, checkpoint, (train, test), output)?)
        }
        _ => None,
    };
    let mut files = Vec::new();
    let mut text = String::new();
    let mut remarks = Vec::new();
    let mut onnx = None;
    if let Some((integers, report)) = &model {
        text += &report.render();
        if let Some(path) = &arguments.out {
            files.push((path, train::bytes(integers, path)?));
            remarks.push(format!("the model is in {}", path.display()));
        }
        if let Some(path) = &arguments.onnx {
            let (bytes, report) = onnx::make(integers, path, arguments.dialect)?;
            files.push((path, bytes));
            text += &report.render(&network);
            remarks.push(report.remark());
            onnx = Some(report);
        }
    }
    if let Some((path, (bytes, report))) = &state_dict {
        files.push((path, bytes.clone()));
        text += &report.render(&network);
        remarks.push(report.remark());
    }
    for (path, bytes) in &files {
        files::write(path, bytes)?;
    }
    let report = Report {
        network: &network,
        model: model.map(|(_, report)| report),
        onnx,
        state_dict: state_dict.map(|(_, (_, report))| report),
    };
    output.result(&report, &text)?;
    remarks.iter().for_each(|remark| output.remark(remark));
    Ok(())
}

/// From an integer model's file to an ONNX file.
fn of_integers(
    arguments: &ExportArguments,
    bytes: &[u8],
    onnx: &Path,
    output: Output,
) -> Result<(), Error> {
    let rounding = &arguments.rounding;
    for (flag, given) in [
        ("--out", arguments.out.is_some()),
        ("--state-dict", arguments.state_dict.is_some()),
        ("--data", arguments.data.is_some()),
        (
            "--calibration-images",
            arguments.calibration_images.is_some(),
        ),
        ("--accept", arguments.accept),
        ("--weight-bits", rounding.weight_bits.is_some()),
        ("--code", rounding.code.is_some()),
        ("--scale", rounding.scale.is_some()),
    ] {
        if given {
            return Err(Error::flag(
                flag,
                "given",
                format!(
                    "beside a checkpoint; {} is an integer model, which --onnx writes as it is",
                    arguments.checkpoint.display()
                ),
            ));
        }
    }
    let model = IntegerModel::from_bytes(bytes, &arguments.checkpoint)?;
    let (bytes, report) = onnx::make(&model, onnx, arguments.dialect)?;
    files::write(onnx, &bytes)?;
    let network = model.origin.name;
    let text = report.render(&network);
    let remark = report.remark();
    let report = Report {
        network: &network,
        model: None,
        onnx: Some(report),
        state_dict: None,
    };
    output.result(&report, &text)?;
    output.remark(remark);
    Ok(())
}

/// Checks, before long work, that each file can be written and is no other one.
fn check_files(arguments: &ExportArguments) -> Result<(), Error> {
    let written = [
        ("--out", &arguments.out),
        ("--onnx", &arguments.onnx),
        ("--state-dict", &arguments.state_dict),
    ];
    let mut known = vec![(&arguments.checkpoint, "the checkpoint".to_owned())];
    let images = arguments.data.as_ref().and_then(|source| source.path());
    known.extend(images.map(|images| (images, "the images".to_owned())));
    for (flag, path) in written {
        let Some(path) = path else {
            continue;
        };
        files::check_writable(path)?;
        let same = known.iter().find(|(other, _)| files::are_same(path, other));
        if let Some((_, name)) = same {
            let allowed = format!("another file than {name}");
            return Err(Error::flag(flag, path.display(), allowed));
        }
        known.push((path, format!("that of {flag}")));
    }
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
