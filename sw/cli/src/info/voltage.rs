//! The voltage table: which rate and energy belong to which supply.

use crate::table::Table;
use brownout_golden::energy::stored_bits_ratio;
use brownout_spec::config::Configuration;
use brownout_spec::quantity::{BitErrorRate, Millivolts};
use brownout_spec::voltage::VoltageModel;
use serde::Serialize;

/// Rates whose nearest voltages are listed.
const RATES: [f64; 12] = [
    0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1,
];

/// The table of one configuration.
#[derive(Debug, Serialize)]
pub struct VoltageTable {
    /// Where the numbers come from.
    pub source: &'static str,
    /// What voltages and energies are relative to.
    pub normalisation: String,
    /// Lowest voltage accepted, in millivolts.
    pub lowest_mv: Millivolts,
    /// Highest voltage that the model distinguishes, in millivolts.
    pub highest_mv: Millivolts,
    /// Voltages in falling order.
    pub rows: Vec<Row>,
}

/// One voltage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Supply in millivolts.
    pub voltage_mv: Millivolts,
    /// Rate of the model.
    pub ber: BitErrorRate,
    /// Rate of the threshold that the hardware uses.
    pub ber_applied: BitErrorRate,
    /// Energy of an access relative to nominal, without a code's additional cells.
    pub relative_energy: f64,
    /// Energy of the memory relative to nominal without a code.
    pub sram_energy_relative: f64,
}

impl VoltageTable {
    /// The ends of the model's range and the voltages nearest to round rates.
    pub fn new(configuration: &Configuration, model: &VoltageModel) -> Self {
        let (lowest, highest) = model.range();
        let mut supplies: Vec<Millivolts> = RATES
            .into_iter()
            .filter_map(BitErrorRate::new)
            .map(|rate| model.nearest_millivolts(rate))
            .chain([lowest, highest])
            .collect();
        supplies.sort_unstable_by(|a, b| b.cmp(a));
        supplies.dedup();
        let rows = supplies
            .into_iter()
            .filter_map(|supply| row(configuration, model, supply))
            .collect();
        Self {
            source: model.source(),
            normalisation: model.normalisation(),
            lowest_mv: lowest,
            highest_mv: highest,
            rows,
        }
    }

    /// The table as text.
    pub fn render(&self) -> String {
        let mut table = Table::new(&[
            ">voltage",
            ">cells faulty",
            ">applied",
            ">energy",
            ">with code",
        ]);
        for row in &self.rows {
            table.row([
                row.voltage_mv.to_string(),
                row.ber.to_string(),
                row.ber_applied.to_string(),
                format!("{:.4}", row.relative_energy),
                format!("{:.4}", row.sram_energy_relative),
            ]);
        }
        format!(
            "voltages: {} to {}, {}\nsource: {}\n\n{}",
            self.lowest_mv,
            self.highest_mv,
            self.normalisation,
            self.source,
            table.render()
        )
    }
}

/// `None` outside the model, which its own range and nearest voltages never are.
fn row(configuration: &Configuration, model: &VoltageModel, supply: Millivolts) -> Option<Row> {
    let ber = model.bit_error_rate(supply).ok()?;
    let relative_energy = model.relative_energy(supply).ok()?;
    Some(Row {
        voltage_mv: supply,
        ber,
        ber_applied: ber.threshold().applied_rate(),
        relative_energy,
        sram_energy_relative: relative_energy * stored_bits_ratio(configuration.code),
    })
}
