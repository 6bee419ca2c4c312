//! `brownout simulate`: a model on generated hardware, compared with the golden model.

use crate::arguments::{Global, SimulateArguments, Waveform};
use crate::configuration::{self, Chosen};
use crate::data::{DataSource, Part, check_labels};
use crate::error::Error;
use crate::files;
use crate::generate;
use crate::hardware::Workshop;
use crate::output::Output;
use crate::placement::Placement;
use crate::points::Points;
use crate::reproduce::Recipe;
use crate::run::{Outcome, Placed, Record, Run, Simulation, report};
use crate::summary::Provenance;
use crate::waveform::{self, Files, Show};
use brownout_golden::data::Dataset;
use brownout_golden::model::IntegerModel;
use brownout_spec::fault::FaultMode;
use brownout_spec::program::Shape;
use std::path::Path;

/// Test images where nobody says how many, if there are as many.
const IMAGES: usize = 100;

/// Runs the command.
///
/// # Errors
/// When a flag or a file is not allowed, a tool is missing, or RTL and golden model differ.
pub fn run(arguments: &SimulateArguments, global: &Global, output: Output) -> Result<(), Error> {
    let outcome = measure(arguments, global.seed(), output)?;
    report(
        &outcome.summary,
        outcome.mismatch,
        arguments.out.as_deref(),
        output,
    )
}

/// Simulates, and stops at the first mismatch.
///
/// # Errors
/// When a flag or a file is not allowed, or a tool is missing.
pub fn measure(arguments: &SimulateArguments, seed: u64, output: Output) -> Result<Outcome, Error> {
    let model = IntegerModel::read(&arguments.model)?;
    let chosen = configuration::read_for(arguments.config.as_deref(), &model)?;
    let points = Points::from_flags(arguments, &chosen)?;
    let name = arguments.model.display().to_string();
    let placements = place_all(&chosen, &points, &name, &model)?;
    check_outputs(arguments)?;
    let data = images(arguments, model.network.input, output)?;
    check_images(&arguments.data, &data, &name, &model)?;

    let workshop = Workshop::locate()?;
    let log = workshop.progress();
    let log = log.display();
    let simulator = |chosen: &Chosen, trace: bool| {
        let verilog = generate::verilog(&chosen.configuration, output)?;
        let with = if trace { "waveforms and " } else { "" };
        let code = chosen.configuration.code;
        let spinner = output.spinner(format!(
            "building the simulation with {with}code {code} ({log})"
        ));
        let simulator = workshop.build(chosen, &verilog, trace)?;
        spinner.finish_and_clear();
        Ok::<_, Error>(simulator)
    };
    let engine = |chosen: &Chosen, lanes| {
        let code = chosen.configuration.code;
        let spinner = output.spinner(format!(
            "building the simulation of {lanes} images side by side with code {code} \
             ({log})"
        ));
        let transient = points.modes.contains(&FaultMode::Transient);
        let engine = workshop.engine(chosen, lanes, transient)?;
        spinner.finish_and_clear();
        Ok::<_, Error>(engine)
    };
    let build = |placement: &Placement| {
        let simulation = match arguments.lanes {
            Some(lanes) => Simulation::SideBySide(engine(&placement.chosen, lanes)?),
            None => Simulation::One(simulator(&placement.chosen, false)?),
        };
        Ok::<_, Error>(Placed {
            placement: placement.clone(),
            simulation,
        })
    };
    let build_for_waveforms = |placement: &Placement| simulator(&placement.chosen, true);
    let placed: Vec<Placed> = placements.iter().map(build).collect::<Result<_, _>>()?;
    let recipe = Recipe {
        model: arguments.model.clone(),
        config: arguments.config.clone(),
        data: arguments.data.clone(),
        seed,
        first_image: arguments.skip,
    };
    let run = Run {
        model: &model,
        placed: &placed,
        points: &points,
        data: &data,
        recipe: &recipe,
        threads: arguments.threads,
        show: layer_files(arguments).map(|files| Show {
            files,
            build: &build_for_waveforms,
            output,
        }),
    };
    if let (Some(file), Some(first)) = (&arguments.trace, placements.first()) {
        let traceable = Placed {
            placement: first.clone(),
            simulation: Simulation::One(build_for_waveforms(first)?),
        };
        run.trace(&traceable, file)?;
        output.remark(format!("the waveform is in {}", file.display()));
    }
    let record = Record {
        golden_accuracy: None,
        training: None,
        provenance: Provenance {
            lanes: arguments.lanes,
            ..Provenance::new(&workshop, &recipe, &model, &chosen)
        },
    };
    run.all(record, output)
}

/// The files of a layer that differs, unless they are not wanted.
fn layer_files(arguments: &SimulateArguments) -> Option<Files> {
    match &arguments.waveform {
        None => Some(Files::of(Path::new(waveform::DEFAULT))),
        Some(Waveform::File(file)) => Some(Files::of(file)),
        Some(Waveform::No) => None,
    }
}

/// Checks that the files to write can be written, and are neither one file nor one that is read.
fn check_outputs(arguments: &SimulateArguments) -> Result<(), Error> {
    let layer = layer_files(arguments);
    let layer = layer.iter().flat_map(Files::all);
    let layer = layer.map(|file| ("--waveform", Some(file)));
    let outputs = [
        ("--out", arguments.out.as_ref()),
        ("--trace", arguments.trace.as_ref()),
    ];
    let read = [
        ("the model", Some(&arguments.model)),
        ("--config", arguments.config.as_ref()),
        ("--map", arguments.map.as_ref()),
    ];
    let known: Vec<_> = read.into_iter().chain(outputs).collect();
    for (flag, output) in outputs.into_iter().chain(layer) {
        let Some(output) = output else { continue };
        for (other, path) in &known {
            let is_other = *other != flag && (flag, *other) != ("--out", "--trace");
            if is_other && path.is_some_and(|path| files::are_same(path, output)) {
                let allowed = format!("another file than {other}");
                return Err(Error::flag(flag, output.display(), allowed));
            }
        }
        // Nobody asked for the default one, and there may never be any.
        if flag != "--waveform" || arguments.waveform.is_some() {
            files::check_writable(output)?;
        }
    }
    Ok(())
}

/// The model on the accelerator of each code.
///
/// # Errors
/// When a code does not suit the array, the model does not fit, or the fault
/// map names a cell that its image does not have.
pub fn place_all(
    chosen: &Chosen,
    points: &Points,
    model_name: &str,
    model: &IntegerModel,
) -> Result<Vec<Placement>, Error> {
    let place = |code: &_| {
        let placement = Placement::new(chosen.with_code(*code)?, model_name, model)?;
        points.check_map(&placement)?;
        Ok(placement)
    };
    points.codes.iter().map(place).collect()
}

fn images(arguments: &SimulateArguments, input: Shape, output: Output) -> Result<Dataset, Error> {
    let skip = arguments.skip;
    if arguments.images == Some(0) {
        return Err(Error::flag("--images", 0, "1 or more"));
    }
    let asked = arguments
        .images
        .map_or(1, |images| skip.saturating_add(images));
    let all = arguments.data.test_images(asked, Some(input), output)?;
    if skip >= all.len() {
        return Err(Error::flag(
            "--skip",
            skip,
            format!("0 to {}", all.len() - 1),
        ));
    }
    let count = arguments.images.unwrap_or(IMAGES.min(all.len() - skip));
    Ok(all.range(skip..skip + count))
}

/// Checks that a model can take images of a data set.
///
/// # Errors
/// When their sizes differ, or a label has no class.
pub fn check_images(
    source: &DataSource,
    data: &Dataset,
    model_name: &str,
    model: &IntegerModel,
) -> Result<(), Error> {
    let (found, expected) = (data.shape(), model.network.input);
    if !model.takes(found) {
        let value = format!("{source}, whose images are {found}");
        let allowed = format!("images of {expected} ({model_name})");
        return Err(Error::flag("--data", value, allowed));
    }
    let channels = model.input.check_channels(found.channels);
    channels.map_err(Error::argument("--data"))?;
    match model.classes() {
        Some(classes) => check_labels(source, data, Part::Test, (classes, model_name)),
        // Values of a map are compared, and no image is classified.
        None => Ok(()),
    }
}
