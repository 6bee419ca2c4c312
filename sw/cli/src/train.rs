//! `brownout train`: from images to an integer model file.

use crate::arguments::{Global, NetworkArguments, Scale, TrainArguments};
use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::table::Table;
use brownout_golden::data::{Dataset, Split};
use brownout_golden::export::export;
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{Accuracy, FileError, IntegerModel};
use brownout_golden::network::{Architecture, Prepared, Statistics};
use brownout_golden::train::{Granularity, Trained, TrainingOptions, accuracy, train};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::program::Shape;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// A trained model and what was measured while it was made.
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
struct Report<'a> {
    file: String,
    network: &'a str,
    data: &'a str,
    weight_bits: WeightBits,
    code: CodeName,
    seed: u64,
    epochs: usize,
    weights: usize,
    #[serde(flatten)]
    measured: Measured,
}

/// Runs the command.
///
/// # Errors
/// When a flag, the data or the file to write is not usable, or training diverges.
pub fn run(arguments: &TrainArguments, global: &Global, output: Output) -> Result<(), Error> {
    let options = options(arguments, global);
    options.validate().map_err(|e| Error::Train(e.into()))?;
    files::check_writable(&arguments.out)?;
    let network = &arguments.network;
    let split = network.data.split(network.train_images, output)?;
    let Made { model, measured } = make(network, &split, &options, output)?;
    write(&model, &arguments.out)?;
    let report = Report {
        file: arguments.out.display().to_string(),
        network: &model.origin.name,
        data: &model.origin.dataset,
        weight_bits: model.weight_bits,
        code: model.code,
        seed: global.seed,
        epochs: network.epochs,
        weights: model.weight_tensors().iter().map(|t| t.len()).sum(),
        measured,
    };
    output.result(&report, &render(&measured))?;
    output.remark(format!("the model is in {}", arguments.out.display()));
    Ok(())
}

fn options(arguments: &TrainArguments, global: &Global) -> TrainingOptions {
    let defaults = TrainingOptions::default();
    TrainingOptions {
        seed: global.seed,
        epochs: arguments.network.epochs,
        batch: arguments.batch,
        learning_rate: arguments.learning_rate.unwrap_or(defaults.learning_rate),
        weight_bits: arguments.weight_bits,
        code: arguments.code.unwrap_or(defaults.code),
        granularity: match arguments.scale {
            Scale::Tensor => Granularity::Tensor,
            Scale::Channel => Granularity::Channel,
        },
        augmentation: arguments.augment,
        quiet: global.quiet,
        ..defaults
    }
}

/// Trains a network, exports it and measures it on the held-out images.
///
/// # Errors
/// When data and network do not match, training diverges, or a scale has no integer form.
pub fn make(
    arguments: &NetworkArguments,
    split: &Split,
    options: &TrainingOptions,
    output: Output,
) -> Result<Made, Error> {
    let input = Shape {
        height: split.train.height(),
        width: split.train.width(),
        channels: split.train.channels(),
    };
    let architecture = Architecture::builtin(arguments.network, input, split.train.classes)?;
    output.remark(format!(
        "training {} on {} images of {}, {}-bit weights for code {}",
        arguments.network,
        split.train.len(),
        arguments.data,
        options.weight_bits,
        options.code
    ));
    let start = Instant::now();
    let input = arguments.data.input_map();
    let trained = train(&architecture, &split.train, input, options)?;
    let seconds = start.elapsed().as_secs_f64();
    let spinner = output.spinner("measuring on held-out images");
    let mut made = measure(&trained, &split.test)?;
    spinner.finish_and_clear();
    made.measured.seconds = seconds;
    made.measured.images_per_second = (options.epochs * split.train.len()) as f64 / seconds;
    Ok(made)
}

fn measure(trained: &Trained, test: &Dataset) -> Result<Made, Error> {
    let model = export(trained)?;
    let quantized = trained.accuracy(test);
    let integer = IntegerNetwork::undisturbed(&model).accuracy(test);
    Ok(Made {
        model: model.with_accuracy(Accuracy {
            float: quantized,
            integer,
            images: test.len(),
        }),
        measured: Measured {
            accuracy_float: float_accuracy(trained, test),
            accuracy_quantized: quantized,
            accuracy_integer: integer,
            images: test.len(),
            seconds: 0.0,
            images_per_second: 0.0,
        },
    })
}

/// Accuracy with the same parameters and nothing rounded.
fn float_accuracy(trained: &Trained, test: &Dataset) -> f64 {
    let layers = trained.parameters.layers.len();
    let prepared = Prepared::new(
        &trained.architecture,
        &trained.parameters,
        &vec![None; layers],
        Statistics::Running,
        vec![None; layers + 1],
    );
    let input = trained.input.real_table();
    accuracy(&trained.architecture, &prepared, &input, test)
}

/// Writes a model file, or nothing.
///
/// # Errors
/// When the model is not valid or the file cannot be written.
pub fn write(model: &IntegerModel, path: &Path) -> Result<(), Error> {
    let bytes = model.to_bytes().map_err(|source| FileError::Model {
        path: path.to_owned(),
        source: source.into(),
    })?;
    files::write(path, &bytes)
}

/// The accuracies as a table.
pub fn render(measured: &Measured) -> String {
    let mut table = Table::new(&["arithmetic", ">accuracy"]);
    for (name, accuracy) in [
        ("floating point", measured.accuracy_float),
        ("floating point, rounded", measured.accuracy_quantized),
        ("integers", measured.accuracy_integer),
    ] {
        table.row([name.to_owned(), percent(accuracy)]);
    }
    format!(
        "{}\n{} held-out images; trained in {:.1} s at {:.0} images/s\n",
        table.render(),
        measured.images,
        measured.seconds,
        measured.images_per_second
    )
}

/// A share as a percentage with two digits.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
