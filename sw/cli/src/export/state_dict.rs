//! The PyTorch state dict of a checkpoint.

use super::options;
use crate::arguments::{ExportArguments, WhichWeights};
use crate::error::Error;
use crate::output::Output;
use crate::table::percent;
use brownout_golden::data::Dataset;
use brownout_golden::float::{Checkpoint, FloatModel, Form};
use brownout_golden::model::InputMap;
use brownout_golden::network::Epsilon;
use brownout_golden::quantize::BitWidth;
use brownout_golden::quantized::QuantizedNetwork;
use brownout_golden::state_dict::state_dict;
use serde::Serialize;
use std::path::Path;

/// What was made of it.
#[derive(Debug, Serialize)]
pub struct Report {
    file: String,
    parameters: usize,
    /// Bits of a weight; null where nothing is rounded.
    weight_bits: Option<BitWidth>,
    input_map: InputMap,
    /// The map as a formula.
    pixels: String,
    /// What its norms add to a variance; null without norms.
    epsilon: Option<Epsilon>,
    /// With the weights that were written and nothing else rounded; null without --data.
    accuracy: Option<f64>,
    images: Option<usize>,
}

/// Checks, before anything is read, that no flag asks for what another one forbids.
///
/// # Errors
/// When weights are to be rounded in a way and not to be rounded.
pub fn check_flags(arguments: &ExportArguments) -> Result<(), Error> {
    let unrounded = arguments.weights == Some(WhichWeights::Unrounded);
    if unrounded && arguments.rounding.any() && arguments.out.is_none() {
        return Err(Error::flag(
            "--weights",
            "unrounded",
            "rounded, beside --weight-bits, --code or --scale and without --out",
        ));
    }
    Ok(())
}

/// The file's bytes and what is in it.
///
/// # Errors
/// When the weights cannot be rounded as flags ask.
pub fn make(
    arguments: &ExportArguments,
    checkpoint: &Checkpoint,
    test: Option<&Dataset>,
    out: &Path,
    output: Output,
) -> Result<(Vec<u8>, Report), Error> {
    if let Form::Graph(name) = &checkpoint.model.network {
        return Err(Error::flag(
            "--state-dict",
            out.display(),
            format!(
                "a network that is built by name, whose tensors have names in PyTorch; {name} is a graph of its own"
            ),
        ));
    }
    let (model, weight_bits) = chosen(arguments, checkpoint)?;
    let weights = weight_bits.map_or("unrounded".to_owned(), |bits| {
        format!("rounded to {bits} bits")
    });
    let score = test.map(|test| {
        let spinner = output.spinner("measuring on held-out images");
        let score = model.score(test);
        spinner.finish_and_clear();
        score
    });
    let report = Report {
        file: out.display().to_string(),
        parameters: model.parameters.count(),
        weight_bits,
        input_map: model.input,
        pixels: model.input.meaning().formula(),
        epsilon: model.architecture.epsilon(),
        accuracy: score.map(|score| score.accuracy()),
        images: score.map(|score| score.images),
    };
    Ok((state_dict(&model, &weights), report))
}

/// The network with the weights that are asked for, and their bits if they are rounded.
fn chosen(
    arguments: &ExportArguments,
    checkpoint: &Checkpoint,
) -> Result<(FloatModel, Option<BitWidth>), Error> {
    let Checkpoint {
        model,
        quantization,
    } = checkpoint;
    let rounding = &arguments.rounding;
    let usual = match quantization.is_some() || rounding.any() {
        true => WhichWeights::Rounded,
        false => WhichWeights::Unrounded,
    };
    if arguments.weights.unwrap_or(usual) == WhichWeights::Unrounded {
        return Ok((model.clone(), None));
    }
    let network = match quantization {
        Some(own) if !rounding.any() => QuantizedNetwork {
            model: model.clone(),
            quantization: own.clone(),
        },
        own => model.with_fitted_grids(&options(rounding, own.as_ref()))?,
    };
    Ok((network.rounded(), Some(network.quantization.width)))
}

impl Report {
    fn weights(&self) -> String {
        match self.weight_bits {
            Some(bits) => format!("weights rounded to {bits} bits"),
            None => "unrounded weights".to_owned(),
        }
    }

    /// What is in it, in a line or two.
    pub fn render(&self, network: &str) -> String {
        let head = format!(
            "state dict of {network}: {} parameters, {}\n",
            self.parameters,
            self.weights()
        );
        match (self.accuracy, self.images) {
            (Some(accuracy), Some(images)) => format!(
                "{head}{} of {images} held-out images with these weights and nothing else rounded\n",
                percent(accuracy)
            ),
            _ => head,
        }
    }

    /// Where it is, and what the network wants its pixels to be.
    pub fn remark(&self) -> String {
        // PyTorch's own needs no word.
        let epsilon = self.epsilon.filter(|&epsilon| epsilon != Epsilon::DEFAULT);
        let epsilon = epsilon.map_or_else(String::new, |epsilon| {
            format!("; its norms must be made with eps={epsilon}")
        });
        format!(
            "the state dict is in {}; of a pixel from 0 to 255 its network expects {}{epsilon}",
            self.file, self.pixels
        )
    }
}
