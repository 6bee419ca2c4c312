//! The integer model of a checkpoint.

use super::options;
use crate::arguments::ExportArguments;
use crate::data::check_count;
use crate::error::Error;
use crate::judgement::{self, CALIBRATION_IMAGES, Judged};
use crate::output::Output;
use crate::table::{Table, percent};
use brownout_golden::data::Dataset;
use brownout_golden::export::export;
use brownout_golden::float::{Checkpoint, FloatModel};
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{Accuracy, IntegerModel};
use brownout_golden::quantize::BitWidth;
use brownout_golden::quantized::{Quantization, QuantizedNetwork};
use brownout_spec::code::CodeName;
use serde::Serialize;

/// Accuracy that rounding without training may cost without a word: half a point.
const ROUNDING_LOSS: f64 = 0.005;

/// What was made of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The model's own; null if only an ONNX file was asked for.
    file: Option<String>,
    weight_bits: BitWidth,
    code: CodeName,
    calibration_images: usize,
    /// Whether ranges of activations were observed on them; else they are the checkpoint's.
    #[serde(skip)]
    observed: bool,
    accuracy_float: f64,
    accuracy_quantized: f64,
    accuracy_integer: f64,
    images: usize,
    /// What the integers lose on the calibration images.
    judgement: Judged,
}

/// The model and how good it is.
///
/// # Errors
/// When there are too few images, the network has no integer form, or this one loses too much.
pub fn make(
    arguments: &ExportArguments,
    checkpoint: Checkpoint,
    (train, test): (&Dataset, &Dataset),
    output: Output,
) -> Result<(IntegerModel, Report), Error> {
    let usual = CALIBRATION_IMAGES.min(train.len());
    let count = arguments.calibration_images.unwrap_or(usual);
    check_count("--calibration-images", count, train.len())?;
    let spinner = output.spinner("observing activations");
    let calibration = train.first(count);
    let Checkpoint {
        model,
        quantization,
    } = checkpoint;
    let rounding = &arguments.rounding;
    let fitted = rounding.any() || quantization.is_none();
    let rounded = quantization
        .as_ref()
        .map(|own| own.activations[0].is_some());
    let trained = match quantization {
        Some(own) if !rounding.any() => as_trained(model, own, &calibration),
        own => {
            let options = options(rounding, own.as_ref());
            let mut network = model.calibrate(&calibration, &options)?;
            // The flags are about weights.
            if let Some(own) = own.filter(|own| own.activations[0].is_some()) {
                network.quantization.activations = own.activations;
            }
            network
        }
    };
    spinner.finish_and_clear();
    let exported = export(&trained, None)?;
    let mut judged = judgement::check(&trained, &exported, &calibration, arguments.accept, output)?;
    let spinner = output.spinner("measuring on held-out images");
    let float = trained.model.score(test).accuracy();
    let quantized = trained.score(&trained.stored(), test).accuracy();
    let integer = IntegerNetwork::undisturbed(&exported).accuracy(test);
    spinner.finish_and_clear();
    if fitted && float - quantized > ROUNDING_LOSS {
        let loss = format!(
            "rounding weights and activations costs {} of accuracy, from {} to {}; training on rounded ones wins some back (`train --from`)",
            percent(float - quantized),
            percent(float),
            percent(quantized)
        );
        let causes = trained.model.wide_channels(&trained, &calibration);
        for remark in std::iter::once(loss).chain(causes) {
            output.remark(&remark);
            judged.remarks.push(remark);
        }
    }
    let images = test.len();
    let exported = exported.with_accuracy(Accuracy {
        float: quantized,
        integer,
        images,
    });
    let report = Report {
        file: arguments.out.as_ref().map(|out| out.display().to_string()),
        weight_bits: trained.quantization.width,
        code: trained.quantization.code,
        calibration_images: count,
        observed: rounded != Some(true),
        accuracy_float: float,
        accuracy_quantized: quantized,
        accuracy_integer: integer,
        images,
        judgement: judged,
    };
    Ok((exported, report))
}

/// A trained network as it is, with activations rounded even if it was trained without.
fn as_trained(model: FloatModel, quantization: Quantization, data: &Dataset) -> QuantizedNetwork {
    let rounded = quantization.activations[0].is_some();
    let network = QuantizedNetwork {
        model,
        quantization,
    };
    match rounded {
        true => network,
        false => network.with_observed_activations(data, &Default::default()),
    }
}

impl Report {
    /// The accuracies as a table.
    pub fn render(&self) -> String {
        let mut table = Table::new(&["arithmetic", ">accuracy"]);
        for (name, accuracy) in [
            ("unrounded", self.accuracy_float),
            ("rounded, floating point", self.accuracy_quantized),
            ("integers", self.accuracy_integer),
        ] {
            table.row([name.to_owned(), percent(accuracy)]);
        }
        format!(
            "{}\n{} held-out images; ranges {} on {} training images\n",
            table.render(),
            self.images,
            match self.observed {
                true => "observed",
                false => "are the checkpoint's, and judged",
            },
            self.calibration_images
        )
    }
}
