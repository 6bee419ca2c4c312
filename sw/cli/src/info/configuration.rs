//! An accelerator: its array, its memories, its voltages.

use super::voltage::VoltageTable;
use super::{bits, refuse_places};
use crate::arguments::InfoArguments;
use crate::configuration::Chosen;
use crate::error::Error;
use crate::output::Output;
use crate::table::{Table, facts};
use brownout_spec::arithmetic::TABLE_ENTRIES;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::{TABLE_LATENCY, weight_latency};
use brownout_spec::voltage::VoltageModel;
use serde::Serialize;
use std::path::Path;

#[derive(Debug, Serialize)]
struct Report<'a> {
    name: String,
    configuration: &'a Configuration,
    weights_per_word: usize,
    words_per_tile: usize,
    word_bits: usize,
    memories: Vec<Memory>,
    weight_latency: usize,
    voltages: VoltageTable,
}

/// An on-chip memory.
#[derive(Debug, Serialize)]
struct Memory {
    name: &'static str,
    copies: usize,
    depth: usize,
    word_bits: usize,
}

impl Memory {
    fn bits(&self) -> usize {
        self.copies * self.depth * self.word_bits
    }
}

/// Explains a configuration.
///
/// # Errors
/// When a place is asked for, or standard output cannot be written.
pub fn explain(chosen: Chosen, arguments: &InfoArguments, output: Output) -> Result<(), Error> {
    refuse_places(arguments)?;
    let configuration = &chosen.configuration;
    let model = VoltageModel::from_configuration(configuration)
        .map_err(Error::content(Path::new(&chosen.name)))?;
    let report = Report {
        name: chosen.name.clone(),
        configuration,
        weights_per_word: configuration.weights_per_word(),
        words_per_tile: configuration.words_per_tile(),
        word_bits: configuration.code.word_bits(),
        memories: memories(configuration),
        weight_latency: weight_latency(configuration),
        voltages: VoltageTable::new(configuration, &model),
    };
    output.result(&report, &render(&report))
}

fn memories(configuration: &Configuration) -> Vec<Memory> {
    use brownout_spec::program::{BUFFERS, descriptor};
    let depths = &configuration.depths;
    let memory = |name, copies, depth, word_bits| Memory {
        name,
        copies,
        depth,
        word_bits,
    };
    let lanes = configuration.activation_lanes();
    let columns = configuration.columns;
    let mut memories = vec![
        memory("weights", 1, depths.weights, configuration.code.word_bits()),
        memory("activations", BUFFERS, depths.activations, 8 * lanes),
        memory("accumulators", columns, depths.accumulators, 32),
        memory("parameters", columns, depths.parameters, 64),
        memory("program", 1, depths.layers * descriptor::WORDS, 32),
        memory("results", 1, depths.results, 32),
    ];
    let entries = configuration.tables * TABLE_ENTRIES;
    memories.extend((entries > 0).then(|| memory("tables", columns, entries, 8)));
    memories
}

fn render(report: &Report<'_>) -> String {
    let c = report.configuration;
    let built = |present| match present {
        true => "built in",
        false => "not built in",
    };
    let tables = match c.tables {
        0 => "not built in".to_owned(),
        tables => format!(
            "{tables} of {TABLE_ENTRIES} bytes in each column, {TABLE_LATENCY} clocks more a step"
        ),
    };
    let mut memories = Table::new(&["memory", ">copies", ">words", ">word bits", "size"]);
    for memory in &report.memories {
        memories.row([
            memory.name.to_owned(),
            memory.copies.to_string(),
            memory.depth.to_string(),
            memory.word_bits.to_string(),
            bits(memory.bits()),
        ]);
    }
    let word = format!(
        "{} bits, {} weights of {} bits",
        report.word_bits, report.weights_per_word, c.weight_bits
    );
    format!(
        "{}: accelerator `{}`\n\n{}\n{}\n{}",
        report.name,
        c.name,
        facts(&[
            (
                "array",
                format!(
                    "{} rows (input channels) x {} columns (output channels)",
                    c.rows, c.columns
                )
            ),
            ("code", c.code.to_string()),
            ("stored", format!("as {}", c.storage.with(c.code))),
            ("word", word),
            ("tile", format!("{} words", report.words_per_tile)),
            ("fault emulation", built(c.fault_emulation).to_owned()),
            ("zero points", built(c.zero_points).to_owned()),
            ("tables", tables),
            (
                "first word ready after",
                format!("{} clocks", report.weight_latency)
            ),
        ]),
        memories.render(),
        report.voltages.render()
    )
}
