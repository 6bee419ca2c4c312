//! A weight image: its layers' words, and whether they are code words.

use super::place::{self, PlaceReport};
use super::{Content, bits};
use crate::arguments::InfoArguments;
use crate::error::Error;
use crate::output::Output;
use crate::table::{Table, facts};
use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::WeightBits;
use brownout_spec::image::{LayerLayout, Layout, WeightImage};
use brownout_spec::quantity::WordAddress;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Report {
    file: String,
    code: CodeName,
    coset: Storage,
    weight_bits: WeightBits,
    rows: usize,
    columns: usize,
    words: usize,
    bits: usize,
    /// Words that the decoder would correct or complain about.
    damaged_words: usize,
    layers: Vec<LayerReport>,
}

/// Where a layer's weights are.
#[derive(Debug, Serialize)]
pub struct LayerReport {
    /// Name of the layer.
    pub name: String,
    /// Weights without padding.
    pub weights: usize,
    /// Address of the first word.
    pub base: WordAddress,
    /// Words with padding.
    pub words: usize,
    /// Share of the stored weights that are padding.
    pub padding: f64,
    /// Cells of padding, those of check bits beside the weights not counted.
    pub padding_cells: usize,
    /// Output channels whose weights have a smaller range.
    pub constrained_channels: Vec<usize>,
    /// Output channels.
    pub output_channels: usize,
}

/// Explains a weight image.
///
/// # Errors
/// When the file is not one, or a place does not exist.
pub fn explain(content: &Content, arguments: &InfoArguments, output: Output) -> Result<(), Error> {
    let Content { path, bytes } = content;
    let image = WeightImage::from_bytes(bytes).map_err(Error::content(path))?;
    let layout = image.layout();
    let places = place::answers(layout, arguments)?;
    if !places.is_empty() {
        return answer(&places, output);
    }
    let code = layout.code();
    let damaged = |word: &&_| code.syndrome(**word) != 0;
    let report = Report {
        file: path.display().to_string(),
        code: code.name(),
        coset: code.storage(),
        weight_bits: code.weight_bits(),
        rows: layout.rows(),
        columns: layout.columns(),
        words: layout.words(),
        bits: layout.words() * code.n(),
        damaged_words: image.words().iter().filter(damaged).count(),
        layers: layer_reports(layout),
    };
    output.result(&report, &render(&report))
}

/// Prints the answers about places, and nothing else.
///
/// # Errors
/// When standard output cannot be written.
pub fn answer(places: &[PlaceReport], output: Output) -> Result<(), Error> {
    let text: String = places.iter().map(PlaceReport::render).collect();
    output.result(&places, &text)
}

/// What is where in a layout.
pub fn layer_reports(layout: &Layout) -> Vec<LayerReport> {
    let per_word = layout.code().weights_per_word();
    let width = layout.code().weight_bits().bits();
    let report = |(number, layer): (usize, &LayerLayout)| LayerReport {
        name: layer.shape.name.clone(),
        weights: layer.shape.weights(),
        base: layer.base,
        words: layer.words,
        padding: 1.0 - layer.shape.weights() as f64 / (layer.words * per_word) as f64,
        padding_cells: (layer.words * per_word - layer.shape.weights()) * width,
        constrained_channels: layout.constrained_channels(number).unwrap_or_default(),
        output_channels: layer.shape.output_channels,
    };
    layout.layers().iter().enumerate().map(report).collect()
}

/// The layers of a layout as a table.
pub fn render_layers(layers: &[LayerReport]) -> String {
    let mut table = Table::new(&[
        ">#",
        "layer",
        ">weights",
        ">first word",
        ">words",
        ">padding",
        ">padding cells",
        "constrained channels",
    ]);
    for (number, layer) in layers.iter().enumerate() {
        let constrained = layer.constrained_channels.len();
        table.row([
            number.to_string(),
            layer.name.clone(),
            layer.weights.to_string(),
            layer.base.0.to_string(),
            layer.words.to_string(),
            format!("{:.1} %", 100.0 * layer.padding),
            layer.padding_cells.to_string(),
            format!("{constrained} of {}", layer.output_channels),
        ]);
    }
    table.render()
}

fn render(report: &Report) -> String {
    let damaged = match (report.code, report.damaged_words) {
        (CodeName::None, _) => "every word is a code word".to_owned(),
        (_, 0) => "all words are code words".to_owned(),
        (_, damaged) => format!("{damaged} words are not code words"),
    };
    format!(
        "{}: weight image\n\n{}\n{}",
        report.file,
        facts(&[
            ("code", report.code.to_string()),
            ("stored", format!("as {}", report.coset)),
            ("weights", format!("{} bits", report.weight_bits)),
            (
                "array",
                format!("{} rows x {} columns", report.rows, report.columns)
            ),
            ("words", format!("{}, {}", report.words, bits(report.bits))),
            ("state", damaged),
        ]),
        render_layers(&report.layers)
    )
}
