//! What a network costs on every array, with memories that just hold it.

use crate::configuration::{self, Chosen};
use crate::error::Error;
use crate::table::Table;
use brownout_golden::energy::Accesses;
use brownout_golden::model::IntegerModel;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::{busy_cycles, program_cycles};
use brownout_spec::program::{Program, fit};
use serde::Serialize;
use std::path::Path;

/// Sides of the square arrays that are compared.
const SIDES: [usize; 5] = [4, 8, 16, 32, 64];
const BITS_PER_KIB: f64 = 8.0 * 1024.0;

/// A network on one array.
#[derive(Debug, Serialize)]
pub struct ArrayReport {
    rows: usize,
    columns: usize,
    /// Whether it is the one that is written.
    chosen: bool,
    /// KiB of the weight memory, check bits included.
    weights_kib: f64,
    /// KiB of the three activation buffers.
    activations_kib: f64,
    /// Clocks of an inference.
    cycles: u64,
    /// Share of the clocks in which activations enter the array.
    busy: f64,
    /// Multiplications of the network a clock, of rows x columns that the array could make.
    multiplications_per_cycle: f64,
    /// Picojoules of one inference at nominal voltage.
    energy_pj: f64,
}

/// The accelerator of a configuration, or of the built-in one for the model, with memories as small
/// as a model allows, and what other arrays would cost.
///
/// # Errors
/// When no memory is large enough on that array.
pub fn fitted(
    config: Option<&Path>,
    path: &Path,
    model: &IntegerModel,
) -> Result<(Chosen, Vec<ArrayReport>), Error> {
    let chosen = configuration::read_for(config, model)?;
    let (configuration, program) =
        fit(&chosen.configuration, &model.network).map_err(|problem| Error::Fit {
            model: path.display().to_string(),
            problem: format!("{problem}; no configuration of this array allows more"),
            configuration: chosen.name.clone(),
        })?;
    let mut reports = vec![report(&configuration, &program, true)];
    for side in SIDES {
        let other = Configuration {
            rows: side,
            columns: side,
            ..chosen.configuration.clone()
        };
        if (other.rows, other.columns) == (configuration.rows, configuration.columns) {
            continue;
        }
        // An array that a code word does not go into, or whose memories cannot hold the network.
        if other.validate().is_ok()
            && let Ok((other, program)) = fit(&other, &model.network)
        {
            reports.push(report(&other, &program, false));
        }
    }
    reports.sort_by_key(|report| report.rows * report.columns);
    let name = format!("{} with fitted memories", chosen.name);
    Ok((
        Chosen {
            name,
            configuration,
        },
        reports,
    ))
}

fn report(configuration: &Configuration, program: &Program, chosen: bool) -> ArrayReport {
    let cycles = program_cycles(configuration, program);
    let products: usize = program.steps.iter().map(|s| s.multiply_accumulates()).sum();
    let accesses = Accesses::count(configuration, program);
    let kib = |words: usize, bits: usize| (words * bits) as f64 / BITS_PER_KIB;
    let depths = configuration.depths;
    let lanes = configuration.activation_lanes();
    ArrayReport {
        rows: configuration.rows,
        columns: configuration.columns,
        chosen,
        weights_kib: kib(depths.weights, configuration.code.word_bits()),
        activations_kib: kib(3 * depths.activations, 8 * lanes),
        cycles,
        busy: busy_cycles(program) as f64 / cycles as f64,
        multiplications_per_cycle: products as f64 / cycles as f64,
        energy_pj: accesses.energy(configuration, 1.0).total_pj(),
    }
}

/// The table, whose first column marks the array that is written.
pub fn render(reports: &[ArrayReport]) -> String {
    let mut table = Table::new(&[
        "array",
        ">weights KiB",
        ">activations KiB",
        ">cycles",
        ">busy",
        ">MAC/cycle",
        ">energy uJ",
        "",
    ]);
    for report in reports {
        table.row([
            format!("{} x {}", report.rows, report.columns),
            format!("{:.1}", report.weights_kib),
            format!("{:.1}", report.activations_kib),
            report.cycles.to_string(),
            format!("{:.1} %", 100.0 * report.busy),
            format!("{:.1}", report.multiplications_per_cycle),
            format!("{:.3}", report.energy_pj * 1e-6),
            if report.chosen { "written" } else { "" }.to_owned(),
        ]);
    }
    table.render()
}
