//! `brownout evaluate`: a network on many chips at many rates, in software.
//!
//! `subject` reads the network, `plan` makes of settings what is measured, `report`
//! shows it.

mod plan;
mod report;
mod subject;

use crate::arguments::{EvaluateArguments, EvaluateSettings, Global};
use crate::data::{DataSource, Part, check_count, check_labels};
use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::provenance;
use crate::recipe;
use brownout_golden::data::Dataset;
use brownout_golden::evaluate::{Plan, Record, Subject, evaluate};
pub use plan::check;
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// When a setting or a file is not allowed, or a result cannot be written.
pub fn run(arguments: &EvaluateArguments, global: &Global, output: Output) -> Result<(), Error> {
    let mut settings = arguments.settings.clone();
    if let Some(recipe) = &arguments.recipe {
        settings = settings.over(recipe::read(recipe)?);
    }
    let needed = |what: &str| Error::Recipe(format!("{what} is missing; it is needed"));
    let file = settings.file.clone();
    let file = file.ok_or_else(|| needed("FILE, an integer model or a checkpoint,"))?;
    let data = settings.data.clone();
    let data = data.ok_or_else(|| needed("--data SOURCE"))?;
    check_outputs(&settings, &file, arguments.recipe.as_deref())?;
    let record = measure(&file, &data, &settings, global.seed(), output)?;
    let outputs = [
        (&settings.out_csv, Record::to_csv as fn(&Record) -> String),
        (&settings.out_json, Record::to_json),
    ];
    for (path, text) in outputs {
        if let Some(path) = path {
            files::write(path, text(&record).as_bytes())?;
            output.remark(format!("the measurements are in {}", path.display()));
        }
    }
    output.result(&record, &report::render(&record))
}

/// Measures the network of a file on images; of `settings` files to read and write do not count.
///
/// # Errors
/// When the file, the data or a setting is not allowed.
pub fn measure(
    file: &Path,
    data: &DataSource,
    settings: &EvaluateSettings,
    seed: u64,
    output: Output,
) -> Result<Record, Error> {
    let subject = subject::read(file, data, settings, output)?;
    let (plan, map) = plan::make(&subject, file, settings, seed)?;
    let images = images(data, settings.images, (&subject, file), output)?;
    let evaluation = {
        let bar = output.bar("chips", chips(&plan), "chips");
        let measured = evaluate(&subject, &images, &plan, || bar.inc(1));
        bar.finish_and_clear();
        measured.map_err(|e| plan::explain(e, &plan, map.as_deref()))?
    };
    let provenance = provenance::of(file, data);
    Ok(Record::new(provenance, &subject, &plan, evaluation))
}

/// Results that the run will have, each of a chip at a place.
fn chips(plan: &Plan) -> u64 {
    let each = plan
        .points
        .iter()
        .map(|point| plan.results_of(point) as u64);
    each.sum()
}

fn images(
    source: &DataSource,
    count: Option<usize>,
    (subject, file): (&Subject, &Path),
    output: Output,
) -> Result<Dataset, Error> {
    let all = source.test_images(1, Some(subject.image()), output)?;
    let whose = file.display().to_string();
    check_labels(source, &all, Part::Test, (subject.classes(), &whose))?;
    match count {
        None => Ok(all),
        Some(count) => {
            check_count("--images", count, all.len())?;
            Ok(all.first(count))
        }
    }
}

/// Refuses, before long work, results that cannot be written or would replace something
/// that is read.
fn check_outputs(
    settings: &EvaluateSettings,
    file: &Path,
    recipe: Option<&Path>,
) -> Result<(), Error> {
    let outputs = [
        ("--out-csv", &settings.out_csv),
        ("--out-json", &settings.out_json),
    ];
    let images = settings.data.as_ref().and_then(|source| source.path());
    let mut taken = vec![
        Some(file),
        settings.config.as_deref(),
        settings.map.as_deref(),
        recipe,
        images.map(|path| path.as_path()),
    ];
    for (flag, path) in outputs {
        let Some(path) = path else { continue };
        if taken
            .iter()
            .flatten()
            .any(|other| files::are_same(path, other))
        {
            let allowed = "a file that is neither read nor written otherwise";
            return Err(Error::flag(flag, path.display(), allowed));
        }
        files::check_writable(path)?;
        taken.push(Some(path));
    }
    Ok(())
}
