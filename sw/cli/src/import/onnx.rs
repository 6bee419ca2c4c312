//! `brownout import --onnx`: from anybody's network to a checkpoint, or of a quantized one to an
//! integer model.

mod quantized;

use super::{Measured, guessing};
use crate::arguments::{ImportForm, ImportSettings};
use crate::data::{check_images, values_beyond};
use crate::error::Error;
use crate::files;
use crate::output::Output;
use brownout_golden::float::{Checkpoint, FloatModel, Form};
use brownout_golden::model::{InputMap, Normalization};
use brownout_golden::quantize::{BitWidth, WeightGrid};
use brownout_golden::quantized::{Quantization, QuantizedNetwork};
use brownout_onnx::integers::{integers, is_quantized, map_of_integers, on_grids};
use brownout_onnx::network::Network;
use brownout_onnx::write::Restored;
use brownout_onnx::{explain::explain, lower, read_written};
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
    /// How it is rounded; only of a network on the file's grids.
    #[serde(skip_serializing_if = "Option::is_none")]
    grids: Option<Grids>,
    remarks: Vec<String>,
    /// Node by node what became of the file; null without --explain.
    explanation: Option<String>,
    /// What was measured; null without --data.
    measured: Option<Measured>,
}

/// The grids of a file.
#[derive(Debug, Serialize)]
struct Grids {
    weight_bits: BitWidth,
    /// Whether each output channel has a step of its own.
    per_channel: bool,
    /// Tensors that are rounded, the image among them.
    tensors: usize,
    /// Of these, how many have a zero point where they are stored as bytes with a sign.
    zero_points: usize,
}

impl Grids {
    fn of(quantization: &Quantization) -> Self {
        let grids = quantization.grids.iter().flatten();
        let activations = quantization.activations.iter().flatten();
        Self {
            weight_bits: quantization.width,
            per_channel: grids.map(WeightGrid::len).any(|steps| steps > 1),
            tensors: activations.clone().count(),
            zero_points: activations.filter(|grid| grid.zero() != 0).count(),
        }
    }

    fn render(&self) -> String {
        format!(
            "on the file's grids: weights of {} bits with a step for each {}, {} tensors of activations, {} with a zero point\n",
            self.weight_bits,
            if self.per_channel { "channel" } else { "layer" },
            self.tensors,
            self.zero_points
        )
    }
}

/// What becomes a checkpoint.
struct Made {
    model: FloatModel,
    quantization: Option<Quantization>,
    remarks: Vec<String>,
}

/// A file that was read.
struct Read<'a> {
    path: &'a Path,
    network: Network,
    /// The file's name without its ending.
    name: String,
    /// The file's name.
    origin: String,
    /// Node by node what became of it, if that is asked for.
    explanation: Option<String>,
}

/// What a person sees.
struct Shown<'a> {
    text: String,
    remarks: &'a [String],
    /// What was written, and where.
    written: Option<(&'static str, &'a str)>,
}

impl Shown<'_> {
    fn remark(&self, output: Output) {
        for remark in self.remarks {
            output.remark(remark);
        }
        if let Some((what, file)) = self.written {
            output.remark(format!("{what} is in {file}"));
        }
    }
}

impl ImportSettings {
    /// What pixels mean to a network; what is assumed is remarked on.
    ///
    /// # Errors
    /// When a network that takes integers is told what it says itself, and otherwise.
    fn pixels(&self, network: &Network, remarks: &mut Vec<String>) -> Result<InputMap, Error> {
        let unit = InputMap::Normalize(Normalization::UNIT);
        if let Some(own) = map_of_integers(network) {
            // That pixels are its integers is said where they become such.
            let known = [Ok(InputMap::Bytes), Ok(unit), own.clone()];
            return match (self.input, own) {
                (Some(given), own) if !known.contains(&Ok(given)) => {
                    let more = own.map_or_else(|_| String::new(), |own| format!(", and {own}"));
                    let allowed =
                        format!("bytes{more}: it takes integers, and says what they mean");
                    Err(Error::flag("--input", given, allowed))
                }
                _ => Ok(unit),
            };
        }
        if let Some(given) = self.input {
            if network.casts_bytes && given != InputMap::Bytes {
                remarks.push(format!(
                    "its input are bytes that it casts to numbers, and pixels are taken as {given}, since --input says so; what it casts is bytes"
                ));
            }
            return Ok(given);
        }
        if network.casts_bytes {
            remarks.push(
                "its input are bytes that it casts to numbers: pixels are taken as they are, from 0 to 255 (bytes)"
                    .to_owned(),
            );
            return Ok(InputMap::Bytes);
        }
        remarks.push(
            "nobody says what its pixels mean: unit (pixel / 255) is assumed (--input says another map)"
                .to_owned(),
        );
        Ok(unit)
    }
}

/// Runs the command on the file of `--onnx`.
///
/// # Errors
/// When the file is none that is read, holds what has no form here, or a flag says what it says
/// itself.
pub fn run(settings: &ImportSettings, path: &Path, output: Output) -> Result<(), Error> {
    check_flags(settings)?;
    if let Some(out) = &settings.out {
        let images = settings.data.as_ref().and_then(|source| source.path());
        let mut read = std::iter::once(path).chain(images.map(|images| images.as_path()));
        if read.any(|read| files::are_same(read, out)) {
            let allowed = "a file that is not read";
            return Err(Error::flag("--out", out.display(), allowed));
        }
        files::check_writable(out)?;
    }
    let refused = |problem: String| Error::Recipe(problem);
    let read = read_written(path).map_err(|problem| refused(problem.to_string()))?;
    let (network, restored) = read;
    let mut settings = settings.clone();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match printable(&name) {
        name if name.is_empty() => "network".to_owned(),
        name => name,
    };
    let restored = match (restored, settings.form) {
        (Restored::Model(model), None | Some(ImportForm::Integers)) => {
            return quantized::restored(&settings, (path, name), *model, network.ok(), output);
        }
        (Restored::Model(model), Some(ImportForm::Checkpoint | ImportForm::Grids)) => {
            quantized::check_map(&settings, path, model.input)?;
            settings.input = Some(model.input.meaning());
            Restored::Model(model)
        }
        (other, _) => other,
    };
    let network = network.map_err(|problem| refused(problem.to_string()))?;
    let read = Read {
        path,
        explanation: settings.explain.then(|| explain(&network)),
        origin: printable(&path.file_name().unwrap_or_default().to_string_lossy()),
        network,
        name,
    };
    match (settings.form, is_quantized(&read.network)) {
        (Some(form @ (ImportForm::Integers | ImportForm::Grids)), false) => {
            let allowed = "checkpoint: no node of the file quantizes activations, and `export` makes an integer model of a checkpoint";
            Err(Error::flag("--form", form, allowed))
        }
        (Some(ImportForm::Integers) | None, true) => {
            quantized::run(&settings, read, restored, output)
        }
        (Some(ImportForm::Checkpoint | ImportForm::Grids), _) | (None, false) => {
            checkpoint(&settings, read, restored, output)
        }
    }
}

/// A network in floating point.
fn checkpoint(
    settings: &ImportSettings,
    read: Read<'_>,
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
    let refused = |problem: String| Error::Recipe(problem);
    let mut assumed = Vec::new();
    let pixels = settings.pixels(&network, &mut assumed)?;
    let made = match settings.form {
        Some(ImportForm::Grids) => with_grids(&network, (&name, &origin), pixels),
        _ => lowered(&network, (&name, &origin), (pixels, settings.input)),
    };
    if let (Err(_), Some(explanation)) = (&made, &explanation) {
        // What was understood helps most where something was not.
        output.remark(explanation);
    }
    let made = made.map_err(|problem| refused(format!("{}: {problem}", path.display())))?;
    let mut remarks = network.warnings.clone();
    remarks.extend(quantized::unbelieved(&restored));
    // The file in it is as large as the network.
    drop(network);
    let Made {
        mut model,
        quantization,
        remarks: made,
    } = made;
    remarks.extend(made);
    remarks.append(&mut assumed);
    let data = match &settings.data {
        None => None,
        Some(source) => {
            let input = Some(model.image).filter(|image| image.pixels() > 1);
            Some((
                source,
                source.test_images(1, settings.image.or(input), output)?,
            ))
        }
    };
    let images = data.as_ref().map(|(_, data)| data.shape());
    let own = (model.image, model.architecture.network.input);
    model.image = image(settings, own, images)?;
    let input = model.input.for_channels(model.image.channels);
    model.input = input.map_err(|problem| refused(format!("--input: {problem}")))?;
    if let Some((source, data)) = &data {
        let whose = "the network's own";
        check_images(
            source,
            data,
            (model.image, model.architecture.classes()),
            whose,
        )?;
        remarks.extend(values_beyond(data, model.input));
    }
    let measured = data.map(|(_, data)| {
        let spinner = output.spinner("measuring on held-out images");
        let score = match &quantization {
            Some(quantization) => {
                let network = QuantizedNetwork {
                    model: model.clone(),
                    quantization: quantization.clone(),
                };
                network.score(&network.stored(), &data)
            }
            None => model.score(&data),
        };
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
        Measured::new(score, model.architecture.classes(), level, is_guessing)
    });
    let checkpoint = Checkpoint {
        model,
        quantization,
    };
    if let Some(out) = &settings.out {
        files::write(out, &checkpoint.to_bytes())?;
    }
    let Checkpoint {
        model,
        quantization,
    } = checkpoint;
    let report = Report {
        file: settings.out.as_ref().map(|out| out.display().to_string()),
        network: model.network.to_string(),
        image: model.image,
        classes: model.architecture.classes(),
        input_map: model.input,
        layers: model.architecture.network.layers.len(),
        parameters: model.parameters.count(),
        grids: quantization.as_ref().map(Grids::of),
        remarks,
        explanation,
        measured,
    };
    let shown = Shown {
        text: render(&report),
        remarks: &report.remarks,
        written: report.file.as_deref().map(|file| ("the checkpoint", file)),
    };
    output.result(&report, &shown.text)?;
    shown.remark(output);
    Ok(())
}

/// The network in floating point, without the file's grids.
fn lowered(
    network: &Network,
    (name, origin): (&str, &str),
    (pixels, given): (InputMap, Option<InputMap>),
) -> Result<Made, String> {
    let lowered = lower::lower(network, name)?;
    let mut remarks = lowered.remarks;
    let pixels = match (map_of_integers(network).transpose()?, given) {
        (Some(own), Some(given)) if ![own, InputMap::Bytes].contains(&given) => {
            return Err(format!(
                "--input is {given}; allowed is {own}: it takes integers, and says what they mean"
            ));
        }
        (Some(own), _) => {
            remarks.push(format!(
                "its input are integers: pixels mean what it makes of them, {}",
                own.formula()
            ));
            own
        }
        (None, _) => pixels,
    };
    Ok(Made {
        model: FloatModel {
            network: Form::Graph(name.to_owned()),
            image: lowered.image,
            input: own_quantizer(network, pixels).unwrap_or(pixels),
            origin: origin.to_owned(),
            parameters: lowered.parameters,
            architecture: lowered.architecture,
        },
        quantization: None,
        remarks,
    })
}

/// The network in floating point on the file's grids.
fn with_grids(network: &Network, of: (&str, &str), pixels: InputMap) -> Result<Made, String> {
    let made = on_grids(network, of, pixels)?;
    Ok(Made {
        model: made.network.model,
        quantization: Some(made.network.quantization),
        remarks: made.remarks,
    })
}

/// The map from pixels that a quantized network brings, where activations can be trained in its
/// steps: the vectors that such a network is delivered with are integers of it.
fn own_quantizer(network: &Network, pixels: InputMap) -> Option<InputMap> {
    let made = is_quantized(network).then(|| integers(network, ("", ""), pixels));
    match made?.ok()?.model.input {
        own @ InputMap::Quantize(quantizer) if quantizer.is_linear() => Some(own),
        _ => None,
    }
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
    let grids = report.grids.as_ref();
    let (grids, arithmetic) = match grids {
        Some(grids) => (grids.render(), "on the file's grids"),
        None => (String::new(), "in floating point"),
    };
    let measured = report.measured.as_ref();
    let measured = measured.map_or(String::new(), |measured| measured.render(arithmetic));
    format!("{head}{grids}{measured}")
}
