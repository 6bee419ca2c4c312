//! From a quantized network to an integer model with its own integers.

use super::super::{Measured, guessing};
use super::{Read, Shown, image};
use crate::arguments::ImportSettings;
use crate::data::check_images;
use crate::error::Error;
use crate::output::Output;
use crate::table::percent;
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, IntegerModel};
use brownout_golden::network::{Measure, Score};
use brownout_onnx::explain::explain;
use brownout_onnx::integers::{Integers, integers};
use brownout_onnx::network::Network;
use brownout_onnx::write::Restored;
use brownout_spec::program::Shape;
use serde::Serialize;
use std::path::Path;

#[derive(Debug, Serialize)]
struct Report {
    /// The model; null where the network was only explained.
    file: Option<String>,
    form: &'static str,
    network: String,
    image: Shape,
    classes: usize,
    input_map: InputMap,
    layers: usize,
    weights: usize,
    weight_bits: usize,
    /// Tensors with a zero point other than 0, the image among them.
    zero_points: usize,
    /// Layers that are tables.
    tables: usize,
    remarks: Vec<String>,
    /// Node by node what became of the file, and the layers of the model; null without --explain.
    explanation: Option<String>,
    /// What was measured; null without --data.
    measured: Option<Measured>,
}

/// Runs the command for a file that was read.
///
/// # Errors
/// When the network has no integer form, or a flag says what it says itself.
pub fn run(
    settings: &ImportSettings,
    read: Read,
    restored: Restored,
    output: Output,
) -> Result<(), Error> {
    let Read {
        path,
        network,
        name,
        origin,
        explanation,
    } = read;
    let mut remarks = network.warnings.clone();
    remarks.extend(unbelieved(&restored));
    let pixels = settings.pixels(&network, &mut remarks)?;
    let made = integers(&network, (&name, &origin), pixels);
    if let (Err(_), Some(explanation)) = (&made, &explanation) {
        // What was understood helps most where something was not.
        output.remark(explanation);
    }
    let made = made.map_err(|problem| {
        Error::Recipe(format!(
            "{}: {problem} (--form checkpoint makes a network in floating point of it)",
            path.display()
        ))
    })?;
    let explanation = explanation.map(|text| format!("{text}{}", made.explain(Some(&network))));
    finish(settings, (name, explanation), (made, remarks), output)
}

/// Runs the command for a file that was written from a model; `network` is what its graph is
/// understood as, if it is.
///
/// # Errors
/// When a flag says something else than the model.
pub fn restored(
    settings: &ImportSettings,
    (path, name): (&Path, String),
    model: IntegerModel,
    network: Option<Network>,
    output: Output,
) -> Result<(), Error> {
    check_map(settings, path, model.input)?;
    let made = Integers::restored(model);
    let nodes = network.as_ref().map(explain).unwrap_or_default();
    let explanation = settings
        .explain
        .then(|| format!("{nodes}{}", made.explain(network.as_ref())));
    finish(settings, (name, explanation), (made, Vec::new()), output)
}

/// What is said of metadata that are not the file's.
pub fn unbelieved(restored: &Restored) -> Option<String> {
    match restored {
        Restored::Changed(reason) => Some(format!(
            "it has metadata of Brownout that are not believed, since {reason}: it is read as anybody's file"
        )),
        Restored::Model(_) | Restored::Foreign => None,
    }
}

/// Refuses another map from pixels than the one that a file says itself.
pub fn check_map(settings: &ImportSettings, path: &Path, own: InputMap) -> Result<(), Error> {
    match settings.input {
        Some(given) if ![own, own.meaning()].contains(&given) => {
            let allowed = format!("{own}, which the metadata of {} say", path.display());
            Err(Error::flag("--input", given, allowed))
        }
        _ => Ok(()),
    }
}

/// Measures a model, writes it and tells of it.
fn finish(
    settings: &ImportSettings,
    (name, explanation): (String, Option<String>),
    (made, mut remarks): (Integers, Vec<String>),
    output: Output,
) -> Result<(), Error> {
    remarks.extend(made.remarks.iter().cloned());
    let model = &made.model;
    let data = match &settings.data {
        None => None,
        Some(source) => {
            let input = Some(made.image).filter(|image| image.pixels() > 1);
            let shape = settings.image.or(input);
            Some((source, source.test_images(1, shape, output)?))
        }
    };
    let images = data.as_ref().map(|(_, data)| data.shape());
    let image = image(settings, (made.image, model.network.input), images)?;
    let results = model.results().volume();
    if let Some((source, data)) = &data {
        if model.classes().is_none() {
            let allowed = format!(
                "nothing for a network whose results are a map of {}",
                model.results()
            );
            return Err(Error::flag("--data", source, allowed));
        }
        check_images(source, data, (image, results), "the network's own")?;
    }
    let measured = data.map(|(_, data)| {
        let spinner = output.spinner("measuring on held-out images");
        let correct = IntegerNetwork::undisturbed(model).count_correct(&data);
        spinner.finish_and_clear();
        let score = Score {
            correct,
            among_five: 0,
            images: data.len(),
            loss: f64::NAN,
            measure: Measure::CrossEntropy,
        };
        let level = guessing::level(&data, results);
        let is_guessing = guessing::is_guessing(score, level);
        if is_guessing {
            let assumed = settings.input.is_none();
            remarks.push(guessing::remark_on_map(
                score,
                level,
                (model.input, assumed),
            ));
        }
        Measured::in_integers(score, level, is_guessing)
    });
    if let Some(out) = &settings.out {
        model.write(out)?;
    }
    let weights = model.weight_tensors().iter().map(|w| w.len()).sum();
    let report = Report {
        file: settings.out.as_ref().map(|out| out.display().to_string()),
        form: "integers",
        network: name,
        image,
        classes: results,
        input_map: model.input,
        layers: model.network.layers.len(),
        weights,
        weight_bits: model.weight_bits.bits(),
        zero_points: made.zero_points(),
        tables: made.tables(),
        remarks,
        explanation,
        measured,
    };
    let shown = Shown {
        text: render(&report),
        remarks: &report.remarks,
        written: report
            .file
            .as_deref()
            .map(|file| ("the integer model", file)),
    };
    output.result(&report, &shown.text)?;
    shown.remark(output);
    Ok(())
}

fn render(report: &Report) -> String {
    let head = format!(
        "{}{} in integers: {} layers with {} weights of {} bits, {} tensors with a zero point, {} tables, for images of {} in {} classes\npixel map: {}\n",
        report.explanation.as_deref().unwrap_or_default(),
        report.network,
        report.layers,
        report.weights,
        report.weight_bits,
        report.zero_points,
        report.tables,
        report.image,
        report.classes,
        report.input_map
    );
    match &report.measured {
        None => head,
        Some(measured) => format!(
            "{head}{} in integers: {} of {} held-out images\n",
            percent(measured.accuracy),
            measured.correct,
            measured.images
        ),
    }
}
