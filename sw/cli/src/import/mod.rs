//! `brownout import`: from a PyTorch state dict or an ONNX file to a checkpoint, or to an integer
//! model.

mod guessing;
mod known;
#[cfg(feature = "foreign")]
mod onnx;

use crate::arguments::ImportArguments;
#[cfg(not(feature = "foreign"))]
use crate::arguments::ImportSettings;
use crate::data::check_images;
use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::recipe;
use crate::table::percent;
use brownout_golden::evaluate::MANY_CLASSES;
use brownout_golden::model::InputMap;
use brownout_golden::network::{Epsilon, Measure, Score};
use brownout_golden::state_dict::{MAX_FILE_BYTES, import};
use brownout_spec::program::Shape;
use known::{Known, Said, Sources};
#[cfg(feature = "foreign")]
use onnx::run as from_onnx;
use serde::Serialize;
#[cfg(not(feature = "foreign"))]
use std::path::Path;

#[derive(Debug, Serialize)]
struct Report<'a> {
    file: String,
    network: &'a str,
    image: Shape,
    classes: usize,
    input_map: InputMap,
    /// What its norms add to a variance; null without norms.
    epsilon: Option<Epsilon>,
    /// Who says so.
    from: Sources,
    parameters: usize,
    /// What was done with its tensors, and what its accuracy looks like.
    remarks: Vec<String>,
    /// What was measured; null without --data.
    measured: Option<Measured>,
}

#[derive(Clone, Debug, Serialize)]
struct Measured {
    accuracy: f64,
    /// Mean of the cross entropy, or of the squared error where labels are tensors; null where it
    /// is no number, and of an integer model, whose results have a unit of their own.
    loss: Option<f64>,
    #[serde(skip)]
    measure: Measure,
    correct: usize,
    /// Share of images whose label is among the five largest outputs; only with many classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    among_five: Option<f64>,
    images: usize,
    /// Accuracy of one that always says the most frequent class.
    guessing: f64,
    /// Whether the network is no better than about that.
    is_guessing: bool,
}

impl Measured {
    fn new(score: Score, classes: usize, guessing: f64, is_guessing: bool) -> Self {
        let share = score.among_five as f64 / score.images.max(1) as f64;
        Self {
            among_five: (classes >= MANY_CLASSES).then_some(share),
            accuracy: score.accuracy(),
            loss: Some(score.loss),
            measure: score.measure,
            correct: score.correct,
            images: score.images,
            guessing,
            is_guessing,
        }
    }

    /// What an integer model does: its results have a unit of their own, and so no loss.
    #[cfg(feature = "foreign")]
    fn in_integers(score: Score, guessing: f64, is_guessing: bool) -> Self {
        Self {
            loss: None,
            among_five: None,
            ..Self::new(score, 0, guessing, is_guessing)
        }
    }

    /// The accuracy in some arithmetic.
    fn render(&self, arithmetic: &str) -> String {
        let name = self.measure.name();
        let loss = match self.loss.filter(|loss| loss.is_finite()) {
            Some(loss) => format!("{name} {loss:.4}"),
            None => format!("and no {name}, since results of some are too large to be numbers"),
        };
        let among = self.among_five.map_or(String::new(), |share| {
            format!(", {} among the first five", percent(share))
        });
        format!(
            "{} {arithmetic}: {} of {} held-out images{among}, {loss}\n",
            percent(self.accuracy),
            self.correct,
            self.images,
        )
    }
}

/// What a command without a reader of such files says.
#[cfg(not(feature = "foreign"))]
fn from_onnx(_: &ImportSettings, path: &Path, _: Output) -> Result<(), Error> {
    let allowed = "a state dict with --state-dict; this command was built without the feature `foreign`, which reads ONNX files: cargo build --release --package brownout has it";
    Err(Error::flag("--onnx", path.display(), allowed))
}

/// Runs the command.
///
/// # Errors
/// When the state dict is not the network's, a flag contradicts it, or a file cannot be read or
/// written.
pub fn run(arguments: &ImportArguments, output: Output) -> Result<(), Error> {
    let mut settings = arguments.settings.clone();
    if let Some(recipe) = &arguments.config {
        settings = settings.over(recipe::read(recipe)?);
    }
    if let Some(path) = &settings.onnx {
        return from_onnx(&settings, path, output);
    }
    if settings.explain {
        let allowed = "beside --onnx, whose nodes it explains";
        return Err(Error::flag("--explain", "given", allowed));
    }
    if let Some(form) = settings.form {
        let allowed = "beside --onnx, whose network may be one in integers";
        return Err(Error::flag("--form", form, allowed));
    }
    let needed = |what: &str| Error::Recipe(format!("{what} is missing; it is needed"));
    let state_dict = settings.state_dict.as_ref();
    let state_dict = state_dict.ok_or_else(|| needed("--state-dict FILE or --onnx FILE"))?;
    let out = settings.out.clone();
    let out = out.ok_or_else(|| needed("--out FILE"))?;
    let images = settings.data.as_ref().and_then(|source| source.path());
    let mut read = [Some(state_dict), arguments.config.as_ref(), images]
        .into_iter()
        .flatten();
    if read.any(|path| files::are_same(path, &out)) {
        let allowed = "a file that is not read";
        return Err(Error::flag("--out", out.display(), allowed));
    }
    files::check_writable(&out)?;
    let bytes = files::read_up_to(state_dict, MAX_FILE_BYTES)?;
    let said = Said::by(&bytes, state_dict, &settings)?;
    let data = match &settings.data {
        None => None,
        Some(source) => Some((source, source.test_images(1, settings.image, output)?)),
    };
    let usual = data.as_ref();
    let usual = usual.map(|(source, data)| (data, source.input_map(data)));
    let known = said.known(&settings, usual)?;
    let target = &known.target;
    if let Some((source, data)) = &data {
        let whose = "the state dict's own, or of --image and --classes";
        check_images(source, data, (target.image, target.classes), whose)?;
    }
    let imported = import(&bytes, state_dict, target)?;
    let (model, mut remarks) = (imported.model, imported.remarks);
    let measured = data.map(|(_, data)| {
        let spinner = output.spinner("measuring on held-out images");
        let score = model.score(&data);
        spinner.finish_and_clear();
        let guessing = guessing::level(&data, target.classes);
        let is_guessing = guessing::is_guessing(score, guessing);
        if is_guessing {
            remarks.push(guessing::remark(score, guessing, &known));
        }
        Measured::new(score, model.architecture.classes(), guessing, is_guessing)
    });
    files::write(&out, &model.to_bytes())?;
    let report = Report {
        file: out.display().to_string(),
        network: &model.architecture.name,
        image: target.image,
        classes: target.classes,
        input_map: target.input,
        epsilon: model.architecture.epsilon(),
        from: known.from,
        parameters: model.parameters.count(),
        remarks,
        measured,
    };
    output.result(&report, &render(&report, &known))?;
    for remark in &report.remarks {
        output.remark(remark);
    }
    output.remark(format!("the checkpoint is in {}", out.display()));
    Ok(())
}

fn render(report: &Report<'_>, known: &Known) -> String {
    let head = format!(
        "{} with {} parameters for images of {} in {} classes\n{}",
        report.network,
        report.parameters,
        report.image,
        report.classes,
        known.render()
    );
    let Some(measured) = &report.measured else {
        return head;
    };
    format!("{head}{}", measured.render("in floating point"))
}
