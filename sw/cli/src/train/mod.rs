//! `brownout train`: from images to an integer model file.

mod recipe;
mod state;

#[cfg(feature = "simulate")]
use crate::arguments::NetworkArguments;
use crate::arguments::{Global, TrainArguments};
use crate::data::{DataSource, Part, check_labels, unused_outputs};
use crate::error::Error;
use crate::files;
use crate::judgement::{self, Judged};
use crate::output::Output;
use crate::provenance;
use crate::table::{Table, percent};
use brownout_golden::data::{Dataset, Split};
use brownout_golden::export::{check_start, export};
use brownout_golden::float::FloatModel;
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{Accuracy, FileError, IntegerModel};
use brownout_golden::network::{Builtin, Precision};
use brownout_golden::quantize::{BitWidth, Placement};
#[cfg(feature = "simulate")]
use brownout_golden::train::train;
use brownout_golden::train::{QuantizerName, Start, Trained, TrainingOptions};
use brownout_spec::code::CodeName;
use recipe::Recipe;
pub use recipe::{Plan, Said};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A trained model and what was measured while it was made.
#[cfg(feature = "simulate")]
#[derive(Debug)]
pub struct Made {
    /// The integer model, with its accuracy inside.
    pub model: IntegerModel,
    /// What was measured.
    pub measured: Measured,
}

/// Accuracy on held-out images, and the time that training took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Measured {
    /// Share classified right in floating point, nothing rounded.
    pub accuracy_float: f64,
    /// Share classified right in floating point with rounded weights and activations.
    pub accuracy_quantized: f64,
    /// Share classified right in integers.
    pub accuracy_integer: f64,
    /// Held-out images.
    pub images: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// Training images a second.
    pub images_per_second: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    /// The integer model; null without --out.
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
    #[serde(flatten)]
    done: Done,
    /// What the integers lose on training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    judgement: Option<Judged>,
    /// The program's commit; null when it was not built in a checkout.
    commit: Option<&'static str>,
}

/// A training run whose results are written, and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Name of the network.
    pub network: String,
    /// Where its images come from.
    pub data: String,
    /// Live bits of a weight.
    pub weight_bits: BitWidth,
    /// What made integers of weights.
    pub quantizer: QuantizerName,
    /// The code whose constraint they satisfy.
    pub code: CodeName,
    /// Which places of its words they are for.
    #[serde(default, skip_serializing_if = "Placement::is_channel")]
    pub placement: Placement,
    /// In what numbers convolutions multiplied.
    #[serde(default, skip_serializing_if = "Precision::is_single")]
    pub precision: Precision,
    /// Of what is random.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: usize,
    /// Mean loss of each epoch.
    pub losses: Vec<f32>,
    /// Weights of all layers.
    pub weights: usize,
    /// Share classified right in floating point, nothing rounded.
    pub accuracy_float: f64,
    /// Share classified right in floating point with rounded weights and activations.
    pub accuracy_quantized: f64,
    /// Share classified right in integers; null without an integer model.
    pub accuracy_integer: Option<f64>,
    /// Mean squared errors in floating point, nothing rounded and all rounded; of data whose labels
    /// are tensors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub squared_errors: Option<[f64; 2]>,
    /// Held-out images.
    pub images: usize,
    /// Seconds of training; what an earlier run left in a state file is not counted.
    pub seconds: f64,
    /// Training images a second.
    pub images_per_second: f64,
}

/// A finished training run.
struct Run {
    trained: Trained,
    seconds: f64,
    images_per_second: f64,
}

/// Runs the command.
///
/// # Errors
/// When a flag, the recipe, the data or a file to write is not usable, training diverges or
/// is interrupted.
pub fn run(arguments: &TrainArguments, global: &Global, output: Output) -> Result<(), Error> {
    let recipe = Recipe::new(arguments, global)?;
    if arguments.print_config {
        let recipe = recipe.in_force(arguments)?;
        let text = toml::to_string(&recipe).map_err(|e| Error::Recipe(e.to_string()))?;
        return output.result(&recipe, &text);
    }
    let mut plan = recipe.plan(arguments)?;
    let from = plan.from.clone();
    let from = from.map(|path| plan.begin(&path)).transpose()?;
    let input = from.as_ref().map(|start| start.model.image);
    let split = plan.data.split(plan.train_images, input, output)?;
    let start = match from {
        Some(start) => start,
        None => {
            let network = (plan.network, plan.classes);
            fresh(network, &plan.data, &split, &plan.options)?.into()
        }
    };
    let outputs = (start.model.architecture.classes(), "the checkpoint's");
    check_labels(&plan.data, &split.train, Part::Training, outputs)?;
    if plan.out.is_some() {
        check_start(&start.model, &plan.options)?;
    }
    let (done, judgement) = complete(start, &split, &plan, output)?;
    let name = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string());
    let report = Report {
        file: name(&plan.out),
        checkpoint: name(&plan.checkpoint),
        done,
        judgement,
        commit: provenance::commit(),
    };
    output.result(&report, &render(&report))?;
    for (what, path) in [("model", &report.file), ("checkpoint", &report.checkpoint)] {
        if let Some(path) = path {
            output.remark(format!("the {what} is in {path}"));
        }
    }
    Ok(())
}

/// Trains a network, and writes what the plan asks for.
///
/// # Errors
/// When training diverges or is interrupted, or an integer model is to be written but the network
/// has none, or one that loses too much. The checkpoint is written all the same, beside the
/// model's file if no other one was asked for: training is not done in vain.
pub fn complete(
    start: Start,
    split: &Split,
    plan: &Plan,
    output: Output,
) -> Result<(Done, Option<Judged>), Error> {
    let run = train_model(start, split, plan, output)?;
    if let Some(path) = &plan.checkpoint {
        files::write(path, &run.trained.network.to_bytes())?;
    }
    let model = match &plan.out {
        Some(out) => {
            let model = run.export(&split.train, plan.accept, output);
            Some(model.inspect_err(|_| run.rescue(plan.checkpoint.as_deref(), out, output))?)
        }
        None => None,
    };
    let (model, judgement) = model.unzip();
    let exported = match (model, &plan.out) {
        (Some(model), Some(path)) => {
            let measured = run.measure(&model, &split.test, output);
            let model = model.with_accuracy(Accuracy {
                float: measured.accuracy_quantized,
                integer: measured.accuracy_integer,
                images: measured.images,
            });
            write(&model, path)?;
            Some(measured)
        }
        _ => None,
    };
    let (float, quantized) = match exported {
        Some(measured) => (measured.accuracy_float, measured.accuracy_quantized),
        None => run.float_accuracies(&split.test),
    };
    let options = &plan.options;
    let done = Done {
        network: run.trained.network.model.architecture.name.clone(),
        data: run.trained.network.model.origin.clone(),
        weight_bits: options.weight_bits,
        quantizer: options.quantizer,
        code: options.code,
        placement: options.placement,
        precision: options.precision,
        seed: options.seed,
        epochs: options.epochs,
        losses: run.trained.losses.clone(),
        weights: run.weights(),
        accuracy_float: float,
        accuracy_quantized: quantized,
        accuracy_integer: exported.map(|m| m.accuracy_integer),
        squared_errors: run.squared_errors(&split.test),
        images: split.test.len(),
        seconds: run.seconds,
        images_per_second: run.images_per_second,
    };
    Ok((done, judgement))
}

/// Most classes that a network can have, since labels are bytes and hardware has as many results.
const MOST_CLASSES: usize = 256;

/// A network with random parameters and an output for each class: those of the data, or more
/// if so many are declared.
///
/// # Errors
/// When it has no form for the images, or there is a label beyond the classes, or but one class.
pub fn fresh(
    (network, classes): (Builtin, Option<usize>),
    data: &DataSource,
    split: &Split,
    options: &TrainingOptions,
) -> Result<FloatModel, Error> {
    let found = split.train.classes;
    let classes = classes.unwrap_or_else(|| data.outputs(split));
    if found > classes || classes > MOST_CLASSES {
        let allowed = format!(
            "{found} to {MOST_CLASSES}, since labels of {data} go up to {}",
            found - 1
        );
        return Err(Error::flag("--classes", classes, allowed));
    }
    if classes < 2 {
        let value = format!("{data}, where every label is 0");
        let allowed = "images of two classes or more, or --classes with 2 or more";
        return Err(Error::flag("--data", value, allowed));
    }
    let images = (split.train.shape(), classes);
    let model = FloatModel::random(network, images, data.input_map(&split.train), options.seed)?;
    Ok(model)
}

/// Trains a network, exports it and measures it on the held-out images; the caller writes the model
/// to `out`.
///
/// # Errors
/// When data and network do not match, training diverges, or the network has no integer form or
/// one that loses too much; then a checkpoint is kept beside `out`.
#[cfg(feature = "simulate")]
pub fn make(
    arguments: &NetworkArguments,
    split: &Split,
    options: &TrainingOptions,
    out: &Path,
    output: Output,
) -> Result<Made, Error> {
    let network = (arguments.network, arguments.classes);
    let start = fresh(network, &arguments.data, split, options)?;
    check_start(&start, options)?;
    announce(&start, split, options, output);
    let time = Instant::now();
    let trained = train(start, &split.train, options)?;
    let images = options.epochs * split.train.len();
    let run = Run::new(trained, images, time);
    let exported = run.export(&split.train, arguments.accept, output);
    let (model, _) = exported.inspect_err(|_| run.rescue(None, out, output))?;
    let measured = run.measure(&model, &split.test, output);
    let model = model.with_accuracy(Accuracy {
        float: measured.accuracy_quantized,
        integer: measured.accuracy_integer,
        images: measured.images,
    });
    Ok(Made { model, measured })
}

fn announce(start: &FloatModel, split: &Split, options: &TrainingOptions, output: Output) {
    output.remark(format!(
        "training {} on {} images of {}, {}-bit weights for code {}",
        start.network,
        split.train.len(),
        split.train.name,
        options.weight_bits,
        options.code
    ));
    if let Some(unused) = unused_outputs(split, start.architecture.classes()) {
        output.remark(format!("{} has {unused}", start.network));
    }
    if !options.precision.has_instructions() {
        output.remark("this processor has no AVX512-BF16: bfloat16 is slower here than single");
    }
}

/// Trains from the beginning, or from a state that is there already.
fn train_model(start: Start, split: &Split, plan: &Plan, output: Output) -> Result<Run, Error> {
    announce(&start.model, split, &plan.options, output);
    let time = Instant::now();
    let (trained, steps) = match &plan.state {
        None => {
            let run = brownout_golden::train::Run::new(start, &split.train, &plan.options)?;
            state::without(run)?
        }
        Some(path) => state::with(path, start, &split.train, &plan.options, output)?,
    };
    Ok(Run::new(trained, steps * plan.options.batch, time))
}

impl Run {
    /// A run that has trained on so many images since `start`.
    fn new(trained: Trained, images: usize, start: Instant) -> Self {
        let seconds = start.elapsed().as_secs_f64();
        Self {
            seconds,
            images_per_second: images as f64 / seconds,
            trained,
        }
    }

    /// The integer model, judged on training images.
    fn export(
        &self,
        train: &Dataset,
        accept: bool,
        output: Output,
    ) -> Result<(IntegerModel, Judged), Error> {
        let network = &self.trained.network;
        let model = export(network, Some(&self.trained.options))?;
        let images = train.first(judgement::CALIBRATION_IMAGES);
        let judged = judgement::check(network, &model, &images, accept, output)?;
        Ok((model, judged))
    }

    /// Keeps what was trained when there is no integer model of it, in the checkpoint that was
    /// written already or in a new file beside the model's; that it cannot be kept says less
    /// than why it has to be.
    fn rescue(&self, written: Option<&Path>, out: &Path, output: Output) {
        let beside = || {
            let path = unused(out);
            files::write(&path, &self.trained.network.to_bytes())?;
            Ok::<_, Error>(path)
        };
        match written.map(Path::to_owned).map_or_else(beside, Ok) {
            Ok(path) => output.remark(format!("the checkpoint is in {}", path.display())),
            Err(error) => output.remark(format!("there is no checkpoint: {error}")),
        }
    }

    /// Accuracy in floating point with nothing rounded, and with rounded weights and activations.
    fn float_accuracies(&self, test: &Dataset) -> (f64, f64) {
        let model = &self.trained.network.model;
        (model.score(test).accuracy(), self.trained.accuracy(test))
    }

    /// Mean squared errors, nothing rounded and all rounded, where labels are tensors.
    fn squared_errors(&self, test: &Dataset) -> Option<[f64; 2]> {
        let network = &self.trained.network;
        test.targets.as_ref()?;
        let rounded = network.score(&network.stored(), test);
        Some([network.model.score(test).loss, rounded.loss])
    }

    fn measure(&self, model: &IntegerModel, test: &Dataset, output: Output) -> Measured {
        let spinner = output.spinner("measuring on held-out images");
        let (accuracy_float, accuracy_quantized) = self.float_accuracies(test);
        let accuracy_integer = IntegerNetwork::undisturbed(model).accuracy(test);
        spinner.finish_and_clear();
        Measured {
            accuracy_float,
            accuracy_quantized,
            accuracy_integer,
            images: test.len(),
            seconds: self.seconds,
            images_per_second: self.images_per_second,
        }
    }

    /// Weights of all layers.
    fn weights(&self) -> usize {
        let layers = self
            .trained
            .network
            .model
            .parameters
            .layers
            .iter()
            .flatten();
        layers.map(|l| l.weight.len()).sum()
    }
}

/// A name beside a model's that no file has: nothing that is there may be lost to what was not
/// asked for.
fn unused(out: &Path) -> PathBuf {
    let name = |ending: &str| {
        let mut name = out.to_owned().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    let numbered = (2..).map(|n| name(&format!(".checkpoint-{n}")));
    let mut names = std::iter::once(name(".checkpoint")).chain(numbered);
    names
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or_else(|| name(".checkpoint"))
}

/// Writes a model file, or nothing.
///
/// # Errors
/// When the model is not valid or the file cannot be written.
pub fn write(model: &IntegerModel, path: &Path) -> Result<(), Error> {
    files::write(path, &bytes(model, path)?)
}

/// The bytes of a model file that is to be `path`.
///
/// # Errors
/// When the model is not valid.
pub fn bytes(model: &IntegerModel, path: &Path) -> Result<Vec<u8>, Error> {
    let refused = |source| FileError::Model {
        path: path.to_owned(),
        source,
    };
    Ok(model.to_bytes().map_err(|e| refused(e.into()))?)
}

/// The accuracies as a table.
fn render(report: &Report) -> String {
    let report = &report.done;
    let rows = [
        ("unrounded", Some(report.accuracy_float)),
        ("rounded, floating point", Some(report.accuracy_quantized)),
        ("integers", report.accuracy_integer),
    ];
    let rows = rows.into_iter().enumerate();
    let rows = rows.filter_map(|(place, (name, accuracy))| Some((place, name, percent(accuracy?))));
    let table = match report.squared_errors {
        None => {
            let mut table = Table::new(&["arithmetic", ">accuracy"]);
            rows.for_each(|(_, name, accuracy)| table.row([name.to_owned(), accuracy]));
            table
        }
        Some(errors) => {
            let head = [
                "arithmetic",
                ">mean squared error",
                ">largest output as in the label",
            ];
            let mut table = Table::new(&head);
            rows.for_each(|(place, name, accuracy)| {
                // Integers are in a unit that their model does not say.
                let error = errors
                    .get(place)
                    .map_or("-".to_owned(), |e| format!("{e:.6}"));
                table.row([name.to_owned(), error, accuracy]);
            });
            table
        }
    };
    format!(
        "{}\n{} held-out images; trained in {:.1} s at {:.0} images/s\n",
        table.render(),
        report.images,
        report.seconds,
        report.images_per_second
    )
}
