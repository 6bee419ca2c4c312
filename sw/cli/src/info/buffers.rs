//! What lies where in the activation buffers while a model runs.

use crate::table::Table;
use brownout_golden::model::IntegerModel;
use brownout_spec::program::{Origin, Program, Stay, Step};
use serde::Serialize;

/// A map in a buffer, from the step that writes it to the last one that uses it.
#[derive(Debug, Serialize)]
pub struct StayReport {
    tensor: String,
    buffer: usize,
    first_word: usize,
    words: usize,
    written_by: String,
    last_used_by: String,
}

/// What a step is called: a layer by its name, a copy by what it copies.
pub fn step_name(model: &IntegerModel, step: &Step) -> String {
    match step.origin {
        Origin::Layer(layer) => model.network.layers[layer].name.clone(),
        Origin::Copy(tensor) => format!("copy of {}", tensor_name(model, tensor)),
    }
}

/// What a tensor is called: a layer's output by the layer's name.
pub fn tensor_name(model: &IntegerModel, tensor: usize) -> String {
    match tensor {
        0 => "the input".to_owned(),
        k => model.network.layers[k - 1].name.clone(),
    }
}

/// Every map and where it lies, in the order in which they are written.
pub fn stays(model: &IntegerModel, program: &Program) -> Vec<StayReport> {
    let name = |step: usize| step_name(model, &program.steps[step]);
    let report = |stay: &Stay| StayReport {
        tensor: tensor_name(model, stay.tensor),
        buffer: stay.buffer,
        first_word: stay.base,
        words: stay.words,
        written_by: stay.from.map_or_else(|| "the host".to_owned(), name),
        last_used_by: name(stay.until),
    };
    program.stays.iter().map(report).collect()
}

/// The map of the buffers as a table.
pub fn render(stays: &[StayReport]) -> String {
    let mut table = Table::new(&[
        "map",
        ">buffer",
        ">first word",
        ">words",
        "written by",
        "last used by",
    ]);
    for stay in stays {
        table.row([
            stay.tensor.clone(),
            stay.buffer.to_string(),
            stay.first_word.to_string(),
            stay.words.to_string(),
            stay.written_by.clone(),
            stay.last_used_by.clone(),
        ]);
    }
    table.render()
}
