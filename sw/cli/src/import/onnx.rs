//! `brownout import --onnx`: from anybody's network to a checkpoint.

use super::{Measured, guessing};
use crate::arguments::ImportSettings;
use crate::data::check_images;
use crate::error::Error;
use crate::files;
use crate::output::Output;
use brownout_golden::float::{FloatModel, Form};
use brownout_golden::model::{InputMap, Normalization};
use brownout_onnx::lower::{self, Lowered};
use brownout_onnx::{explain::explain, read_network};
use brownout_spec::program::Shape;
use brownout_spec::text::printable;
use serde::Serialize;
use std::path::Path;

#[derive(Debug, Serialize)]
struct Report {
    /// The checkpoint; null where the network was only explained.
    file: Option<String>,
    network: String,
    image: Shape,
    classes: usize,
    input_map: InputMap,
    layers: usize,
    parameters: usize,
    remarks: Vec<String>,
    /// Node by node what became of the file; null without --explain.
    explanation: Option<String>,
    /// What was measured; null without --data.
    measured: Option<Measured>,
}

/// Runs the command on the file of `--onnx`.
///
/// # Errors
/// When the file is none that is read, holds what has no form here, or a flag says what it says
/// itself.
pub fn run(settings: &ImportSettings, path: &Path, output: Output) -> Result<(), Error> {
    check_flags(settings)?;
    if let Some(out) = &settings.out {
        if files::are_same(path, out) {
            let allowed = "a file that is not read";
            return Err(Error::flag("--out", out.display(), allowed));
        }
        files::check_writable(out)?;
    }
    let refused = |problem: String| Error::Recipe(problem);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match printable(&name) {
        name if name.is_empty() => "network".to_owned(),
        name => name,
    };
    let (lowered, mut remarks, explanation) = understood(settings, path, &name, output)?;
    remarks.extend(lowered.remarks);
    let architecture = lowered.architecture;
    let data = match &settings.data {
        None => None,
        Some(source) => {
            let input = Some(lowered.image).filter(|image| image.pixels() > 1);
            Some((
                source,
                source.test_images(1, settings.image.or(input), output)?,
            ))
        }
    };
    let images = data.as_ref().map(|(_, data)| data.shape());
    let image = image(
        settings,
        (lowered.image, architecture.network.input),
        images,
    )?;
    let input = settings.input.unwrap_or_else(|| {
        remarks.push(
            "nobody says what its pixels mean: unit (pixel / 255) is assumed (--input says another map)"
                .to_owned(),
        );
        InputMap::Normalize(Normalization::UNIT)
    });
    let input = input
        .for_channels(image.channels)
        .map_err(|problem| refused(format!("--input: {problem}")))?;
    let model = FloatModel {
        network: Form::Graph(name),
        image,
        input,
        origin: printable(&path.file_name().unwrap_or_default().to_string_lossy()),
        parameters: lowered.parameters,
        architecture,
    };
    if let Some((source, data)) = &data {
        let whose = "the network's own";
        check_images(source, data, (image, model.architecture.classes()), whose)?;
    }
    let measured = data.map(|(_, data)| {
        let spinner = output.spinner("measuring on held-out images");
        let score = model.score(&data);
        spinner.finish_and_clear();
        let level = guessing::level(&data, model.architecture.classes());
        let is_guessing = guessing::is_guessing(score, level);
        if is_guessing {
            let assumed = settings.input.is_none();
            remarks.push(guessing::remark_on_map(
                score,
                level,
                (model.input, assumed),
            ));
        }
        Measured::new(score, level, is_guessing)
    });
    if let Some(out) = &settings.out {
        files::write(out, &model.to_bytes())?;
    }
    let report = Report {
        file: settings.out.as_ref().map(|out| out.display().to_string()),
        network: model.network.to_string(),
        image,
        classes: model.architecture.classes(),
        input_map: model.input,
        layers: model.architecture.network.layers.len(),
        parameters: model.parameters.count(),
        remarks,
        explanation,
        measured,
    };
    output.result(&report, &render(&report))?;
    for remark in &report.remarks {
        output.remark(remark);
    }
    if let Some(file) = &report.file {
        output.remark(format!("the checkpoint is in {file}"));
    }
    Ok(())
}

/// A file's network in floating point, what is to be said of it, and its explanation if one is
/// wanted. The file, as large as the network, is not in memory afterwards.
fn understood(
    settings: &ImportSettings,
    path: &Path,
    name: &str,
    output: Output,
) -> Result<(Lowered, Vec<String>, Option<String>), Error> {
    let network = read_network(path).map_err(|problem| Error::Recipe(problem.to_string()))?;
    let explanation = settings.explain.then(|| explain(&network));
    let lowered = lower::lower(&network, name);
    if let (Err(_), Some(explanation)) = (&lowered, &explanation) {
        // What was understood helps most where something was not.
        output.remark(explanation);
    }
    let refused = |problem| Error::Recipe(format!("{}: {problem}", path.display()));
    Ok((lowered.map_err(refused)?, network.warnings, explanation))
}

/// Refuses what an ONNX file says itself, and a run without a result.
fn check_flags(settings: &ImportSettings) -> Result<(), Error> {
    let says = |flag: &'static str, value: String| {
        let allowed = "nothing beside --onnx, whose file says it";
        Err(Error::flag(flag, value, allowed))
    };
    if let Some(network) = settings.network {
        return says("--network", network.to_string());
    }
    if let Some(classes) = settings.classes {
        return says("--classes", classes.to_string());
    }
    if let Some(epsilon) = settings.epsilon {
        return says("--epsilon", epsilon.to_string());
    }
    if settings.out.is_none() && !settings.explain {
        let needed = "--out FILE is missing; it is needed, or else --explain";
        return Err(Error::Recipe(needed.to_owned()));
    }
    Ok(())
}

/// The shape of the images: the file's own, or for a network of vectors any of as many values.
fn image(
    settings: &ImportSettings,
    (own, input): (Shape, Shape),
    data: Option<Shape>,
) -> Result<Shape, Error> {
    let image = settings.image.or(data).unwrap_or(own);
    let fits = image == input || (input.pixels() == 1 && image.volume() == input.volume());
    match (fits, settings.image) {
        (true, _) => Ok(image),
        (false, Some(image)) => {
            let allowed = format!("{input}, the shape that the network takes");
            Err(Error::flag("--image", image, allowed))
        }
        // What is wrong with the data is said where they are checked.
        (false, None) => Ok(own),
    }
}

fn render(report: &Report) -> String {
    let explanation = report.explanation.as_deref().unwrap_or_default();
    let head = format!(
        "{explanation}{} of {} layers with {} parameters for images of {} in {} classes, pixel map {}\n",
        report.network,
        report.layers,
        report.parameters,
        report.image,
        report.classes,
        report.input_map
    );
    let Some(measured) = &report.measured else {
        return head;
    };
    format!("{head}{}", measured.render())
}
