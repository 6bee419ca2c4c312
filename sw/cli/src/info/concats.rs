//! How the parts of concatenated maps come to lie side by side.

use super::buffers::tensor_name;
use crate::table::Table;
use brownout_golden::model::IntegerModel;
use brownout_spec::program::{Part, Program};
use serde::Serialize;

/// A part of a concatenated map.
#[derive(Debug, Serialize)]
pub struct PartReport {
    concat: String,
    part: String,
    /// Where in the concatenated map it begins.
    channel: usize,
    /// Whether a pass copies it.
    copied: bool,
    /// Lane of a tile of columns in which it begins.
    lane: usize,
    how: String,
}

/// Every part of every concat of a model.
pub fn parts(model: &IntegerModel, program: &Program) -> Vec<PartReport> {
    let report = |part: &Part| PartReport {
        concat: model.network.layers[part.layer].name.clone(),
        part: tensor_name(model, part.tensor),
        channel: part.channel,
        copied: part.copied,
        lane: part.lane,
        how: how(part),
    };
    program.parts.iter().map(report).collect()
}

fn how(part: &Part) -> String {
    match (part.copied, part.lane) {
        (false, 0) => "written there, free".to_owned(),
        (false, lane) => format!("written there from lane {lane} of the columns on"),
        (true, 0) => "copied by a pass".to_owned(),
        (true, lane) => format!("copied by a pass, from lane {lane} of the columns on"),
    }
}

/// The parts as a table; nothing without any.
pub fn render(parts: &[PartReport]) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["concat", "part", ">channel", "how it comes there"]);
    for part in parts {
        table.row([
            part.concat.clone(),
            part.part.clone(),
            part.channel.to_string(),
            part.how.clone(),
        ]);
    }
    format!("\n{}", table.render())
}
