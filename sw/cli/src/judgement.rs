//! Whether an integer model may be written: what it loses against the rounded network that it
//! came from is judged before it is.

use crate::error::Error;
use crate::output::Output;
use crate::table::percent;
use brownout_golden::data::Dataset;
use brownout_golden::export::judge;
use brownout_golden::model::IntegerModel;
use brownout_golden::quantized::QuantizedNetwork;
use serde::Serialize;

/// Training images on which activations are observed and integers judged, where nobody says how many.
pub const CALIBRATION_IMAGES: usize = 1000;

/// What was found, for reports.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Calibration images that both classified.
    pub images: usize,
    /// Share of them right with rounded weights and activations in floating point.
    pub accuracy_quantized: f64,
    /// Share of them right in integers.
    pub accuracy_integer: f64,
    /// One sentence for each layer whose integers are coarse.
    pub remarks: Vec<String>,
}

/// Judges a model on calibration images, and says which of its layers are coarse.
///
/// # Errors
/// When more than half a point of accuracy is lost, and more than chance would, unless that was
/// accepted with `--accept`.
pub fn check(
    trained: &QuantizedNetwork,
    model: &IntegerModel,
    data: &Dataset,
    accept: bool,
    output: Output,
) -> Result<Judged, Error> {
    let spinner = output.spinner("comparing the integers with the rounded network");
    let judgement = judge(trained, model, data);
    spinner.finish_and_clear();
    let share = |correct: usize| correct as f64 / judgement.images.max(1) as f64;
    let judged = Judged {
        images: judgement.images,
        accuracy_quantized: share(judgement.rounded_correct),
        accuracy_integer: share(judgement.integer_correct),
        remarks: judgement.remarks(),
    };
    judged
        .remarks
        .iter()
        .for_each(|remark| output.remark(remark));
    if judgement.loses_no_more_than_half_a_point() {
        return Ok(judged);
    }
    let loss = format!(
        "in integers {} of {} calibration images are classified right, and {} by the rounded network",
        percent(judged.accuracy_integer),
        judged.images,
        percent(judged.accuracy_quantized)
    );
    if judgement.is_faithful() {
        output.remark(format!(
            "{loss}; of so few images on which they differ ({}) this may be chance",
            judgement.disputed
        ));
        return Ok(judged);
    }
    if accept {
        output.remark(format!("{loss}; accepted"));
        return Ok(judged);
    }
    // Who has asked for no remarks is still told which layer it is.
    let layer = judged.remarks.first().filter(|_| output.quiet);
    let layer = layer.map_or(String::new(), |remark| format!(" ({remark})"));
    Err(Error::Unfaithful(format!(
        "{loss}; allowed is a loss of half a point, or any with --accept{layer}"
    )))
}
