//! A model, and how it runs on an accelerator.

use super::buffers::{self, StayReport, step_name};
use super::concats::{self, PartReport};
use super::image::{LayerReport, answer, layer_reports, render_layers};
use super::place;
use super::{Content, bits};
use crate::arguments::InfoArguments;
use crate::configuration;
use crate::error::Error;
use crate::output::Output;
use crate::placement::Placement;
use crate::table::{Table, facts, percent};
use brownout_golden::energy::Accesses;
use brownout_golden::model::{InputMap, IntegerModel, Origin};
use brownout_spec::code::{Code, CodeName};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::cycles::{busy_cycles, layer_cycles, program_cycles};
use brownout_spec::program::{BUFFERS, Operation, Padding, Program, Shape, Step, Steps};
use serde::Serialize;
use std::path::Path;

#[derive(Debug, Serialize)]
struct Report<'a> {
    file: String,
    origin: &'a Origin,
    weight_bits: WeightBits,
    code: CodeName,
    input: Shape,
    input_map: InputMap,
    configuration: String,
    configuration_code: CodeName,
    words: usize,
    bits: usize,
    steps: Vec<StepReport>,
    buffers: Vec<StayReport>,
    /// How the parts of concatenated maps come to lie side by side.
    concats: Vec<PartReport>,
    /// The most words of each activation buffer in use at a time.
    peak_words: [usize; BUFFERS],
    /// Words of each activation buffer.
    buffer_words: usize,
    weight_layers: Vec<LayerReport>,
    cycles: u64,
    busy_cycles: u64,
    multiply_accumulates: usize,
    /// Picojoules of one inference at nominal voltage.
    energy_pj: f64,
}

/// One layer or copy as it runs; a concat that its parts are written into takes no clocks.
#[derive(Debug, Serialize)]
struct StepReport {
    name: String,
    kind: &'static str,
    input: Shape,
    output: Shape,
    kernel: (usize, usize),
    stride: Steps,
    padding: Padding,
    tiles: usize,
    multiply_accumulates: usize,
    cycles: u64,
}

/// Explains a model on a configuration, or on the default one.
///
/// # Errors
/// When a file is not allowed, the model does not fit, or a place does not exist.
pub fn explain(
    content: &Content,
    config: Option<&Path>,
    arguments: &InfoArguments,
    output: Output,
) -> Result<(), Error> {
    let Content { path, bytes } = content;
    let model = IntegerModel::from_bytes(bytes, path)?;
    let chosen = configuration::read_for(config, &model)?;
    let Placement {
        chosen,
        program,
        image,
    } = Placement::new(chosen, &path.display().to_string(), &model)?;
    let configuration = &chosen.configuration;
    let layout = image.layout();
    let places = place::answers(layout, arguments)?;
    if !places.is_empty() {
        return answer(&places, output);
    }
    let accesses = Accesses::count(configuration, &program);
    let report = Report {
        file: path.display().to_string(),
        origin: &model.origin,
        weight_bits: model.weight_bits,
        code: model.code,
        input: model.network.input,
        input_map: model.input,
        configuration: chosen.name.clone(),
        configuration_code: configuration.code,
        words: layout.words(),
        bits: layout.words() * layout.code().n(),
        steps: steps(&model, configuration, &program),
        buffers: buffers::stays(&model, &program),
        concats: concats::parts(&model, &program),
        peak_words: program.peaks(),
        buffer_words: configuration.depths.activations,
        weight_layers: layer_reports(layout),
        cycles: program_cycles(configuration, &program),
        busy_cycles: busy_cycles(&program),
        multiply_accumulates: program.steps.iter().map(|s| s.multiply_accumulates()).sum(),
        energy_pj: accesses.energy(configuration, 1.0).total_pj(),
    };
    output.result(&report, &render(&report, layout.code()))
}

fn steps(
    model: &IntegerModel,
    configuration: &Configuration,
    program: &Program,
) -> Vec<StepReport> {
    let step = |step: &Step| {
        let layer = step.layer().map(|layer| &model.network.layers[layer]);
        let window = step.window();
        StepReport {
            name: step_name(model, step),
            kind: layer.map_or("copy", |layer| layer.operation.kind()),
            input: step.shapes.input,
            output: step.shapes.output,
            kernel: (window.height, window.width),
            stride: window.stride,
            padding: window.padding,
            tiles: step.tiles(),
            multiply_accumulates: step.multiply_accumulates(),
            cycles: layer_cycles(configuration, step),
        }
    };
    let mut rows = Vec::new();
    for (index, of) in program.steps.iter().enumerate() {
        rows.push(step(of));
        // A concat is there when the last of its parts is written, or copied.
        let outputs = model.network.layers.iter().zip(&program.outputs);
        let whole = outputs
            .filter(|(layer, output)| layer.operation == Operation::Concat && output.step == index);
        rows.extend(whole.map(|(layer, output)| StepReport {
            name: layer.name.clone(),
            kind: layer.operation.kind(),
            input: output.shape,
            output: output.shape,
            kernel: (1, 1),
            stride: Steps::ONE,
            padding: Padding::NONE,
            tiles: 0,
            multiply_accumulates: 0,
            cycles: 0,
        }));
    }
    rows
}

fn render(report: &Report<'_>, code: &Code) -> String {
    let training = report.origin.training.as_ref().map_or_else(
        || "not by this program".to_owned(),
        |o| format!("seed {}, {} epochs, batch {}", o.seed, o.epochs, o.batch),
    );
    let accuracy = report.origin.accuracy.map_or_else(
        || "not measured".to_owned(),
        |a| {
            format!(
                "{} in integers, {} in floating point, on {} held-out images",
                percent(a.integer),
                percent(a.float),
                a.images
            )
        },
    );
    let map = match report.input_map {
        InputMap::Halve => "pixel >> 1".to_owned(),
        InputMap::Centre => "pixel - 128".to_owned(),
        InputMap::Normalize(_) => format!(
            "{} in steps of 1/{:.0}",
            report.input_map.formula(),
            1.0 / report.input_map.step()
        ),
        InputMap::Bytes | InputMap::Quantize(_) => report.input_map.formula(),
    };
    let head = facts(&[
        (
            "network",
            format!(
                "{}, trained on {}",
                report.origin.name, report.origin.dataset
            ),
        ),
        ("training", training),
        ("accuracy", accuracy),
        (
            "weights",
            format!("{} bits, for code {}", report.weight_bits, report.code),
        ),
        ("input", format!("{}, {map}", report.input)),
    ]);
    let energy = report.energy_pj / 1e6;
    let body = facts(&[
        (
            "image",
            format!("{} words, {}", report.words, bits(report.bits)),
        ),
        ("constraint", constraint(code)),
        (
            "cycles",
            format!(
                "{} an image, {} of them with work for the array",
                report.cycles, report.busy_cycles
            ),
        ),
        ("MAC", format!("{} an image", report.multiply_accumulates)),
        (
            "buffers",
            format!(
                "{} of {} words at most in use, buffer by buffer",
                report.peak_words.map(|words| words.to_string()).join(", "),
                report.buffer_words
            ),
        ),
        (
            "energy",
            format!("{energy:.3} uJ an image at nominal voltage, on-chip arrays only"),
        ),
    ]);
    format!(
        "{}: model\n\n{head}\non {}, code {}\n\n{body}\n{}\n{}{}\n{}",
        report.file,
        report.configuration,
        report.configuration_code,
        render_steps(report),
        buffers::render(&report.buffers),
        concats::render(&report.concats),
        render_layers(&report.weight_layers)
    )
}

/// Which output channels hold a smaller range, and which range.
fn constraint(code: &Code) -> String {
    let per_word = code.weights_per_word();
    let constrained: Vec<String> = (0..per_word)
        .filter(|&position| code.is_constrained(position))
        .map(|position| position.to_string())
        .collect();
    let Some(first) = (0..per_word).find(|&p| code.is_constrained(p)) else {
        return "none".to_owned();
    };
    let (low, high) = code.allowed_range(first);
    format!(
        "{low} to {high} in output channels whose number modulo {per_word} is {}",
        constrained.join(", ")
    )
}

fn render_steps(report: &Report<'_>) -> String {
    let mut table = Table::new(&[
        "layer", "kind", "input", "output", "kernel", ">stride", ">padding", ">tiles", ">MAC",
        ">cycles",
    ]);
    for step in &report.steps {
        table.row([
            step.name.clone(),
            step.kind.to_owned(),
            step.input.to_string(),
            step.output.to_string(),
            format!("{}x{}", step.kernel.0, step.kernel.1),
            step.stride.to_string(),
            step.padding.to_string(),
            step.tiles.to_string(),
            step.multiply_accumulates.to_string(),
            step.cycles.to_string(),
        ]);
    }
    let layers: u64 = report.steps.iter().map(|s| s.cycles).sum();
    let wait = report.cycles.saturating_sub(layers);
    table.row(
        ["wait for the first weights"]
            .into_iter()
            .map(String::from)
            .chain(std::iter::repeat_n(String::new(), 8).chain([wait.to_string()])),
    );
    table.render()
}
