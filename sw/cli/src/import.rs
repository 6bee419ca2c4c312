//! `brownout import`: from a PyTorch state dict to a checkpoint.

use crate::arguments::ImportArguments;
use crate::data::check_images;
use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::recipe;
use crate::train::percent;
use brownout_golden::model::{InputMap, Normalization};
use brownout_golden::network::Score;
use brownout_golden::state_dict::{Target, read_state_dict};
use brownout_spec::program::Shape;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Report<'a> {
    file: String,
    network: &'a str,
    image: Shape,
    classes: usize,
    input_map: InputMap,
    parameters: usize,
    /// What was measured; null without --data.
    measured: Option<Measured>,
}

#[derive(Debug, Serialize)]
struct Measured {
    accuracy: f64,
    loss: f64,
    correct: usize,
    images: usize,
}

/// Classes where nobody says how many.
const CLASSES: usize = 10;
/// Images where nobody says which: CIFAR's.
const IMAGE: Shape = Shape {
    height: 32,
    width: 32,
    channels: 3,
};

/// Runs the command.
///
/// # Errors
/// When the state dict is not the network's, or a file cannot be read or written.
pub fn run(arguments: &ImportArguments, output: Output) -> Result<(), Error> {
    let mut settings = arguments.settings.clone();
    if let Some(recipe) = &arguments.config {
        settings = settings.over(recipe::read(recipe)?);
    }
    let needed = |what: &str| Error::Recipe(format!("{what} is missing; it is needed"));
    let state_dict = settings.state_dict;
    let state_dict = state_dict.ok_or_else(|| needed("--state-dict FILE"))?;
    let network = settings.network.ok_or_else(|| needed("--network NAME"))?;
    let out = settings.out.ok_or_else(|| needed("--out FILE"))?;
    let mut read = [Some(&state_dict), arguments.config.as_ref()]
        .into_iter()
        .flatten();
    if read.any(|path| files::are_same(path, &out)) {
        let allowed = "a file that is not read";
        return Err(Error::flag("--out", out.display(), allowed));
    }
    files::check_writable(&out)?;
    let image = settings.image.unwrap_or(IMAGE);
    let classes = settings.classes.unwrap_or(CLASSES);
    let input = settings
        .input
        .unwrap_or(InputMap::Normalize(Normalization::CIFAR10));
    let target = Target {
        network,
        image,
        classes,
        input,
    };
    let model = read_state_dict(&state_dict, &target)?;
    let score = match &settings.data {
        None => None,
        Some(source) => {
            let data = source.test_images(1, output)?;
            let whose = "--image and --classes";
            check_images(source, &data, (image, classes), whose)?;
            let spinner = output.spinner("measuring on held-out images");
            let score = model.score(&data);
            spinner.finish_and_clear();
            Some(score)
        }
    };
    files::write(&out, &model.to_bytes())?;
    let report = Report {
        file: out.display().to_string(),
        network: &model.architecture.name,
        image,
        classes,
        input_map: input,
        parameters: model.parameters.count(),
        measured: score.map(|s| Measured {
            accuracy: s.accuracy(),
            loss: s.loss,
            correct: s.correct,
            images: s.images,
        }),
    };
    output.result(&report, &render(&report, score))?;
    output.remark(format!("the checkpoint is in {}", out.display()));
    Ok(())
}

fn render(report: &Report<'_>, score: Option<Score>) -> String {
    let head = format!(
        "{} with {} parameters for images of {} in {} classes\n",
        report.network, report.parameters, report.image, report.classes
    );
    let Some(score) = score else { return head };
    format!(
        "{head}{} in floating point: {} of {} held-out images, mean loss {:.4}\n",
        percent(score.accuracy()),
        score.correct,
        score.images,
        score.loss
    )
}
