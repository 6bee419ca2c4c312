//! What the weight memory's energy may fall by before accuracy is lost.

use super::groups::{Group, results};
use crate::study::ledger::{Ledger, ReadingPoint, ReadingResult};
use crate::study::recipe::Study;
use crate::table::Table;

/// Accuracy that may be lost, in points: those of the claims of Stutz et al. (MLSys 2021),
/// "20 % energy at 1 % accuracy, 30 % at 2.5 %".
const LOSSES: [f64; 2] = [1.0, 2.5];

/// A row for each network of readings over voltage; empty for others.
pub fn table(study: &Study, ledger: &Ledger, group: &Group<'_>) -> String {
    let rows = results(study, ledger, group);
    let priced = |result: &ReadingResult| {
        let points = result.points.iter();
        points
            .filter(|p| p.voltage_mv.is_some())
            .any(|p| p.sram_energy_relative.is_some())
    };
    if rows.is_empty() || !rows.iter().all(|(_, result)| priced(result)) {
        return String::new();
    }
    let clean = rows
        .iter()
        .map(|(_, r)| 1.0 - r.clean_error)
        .fold(0.0, f64::max);
    let headers = LOSSES.map(|loss| format!(">at most {loss} points lost"));
    let mut table = Table::new(&["saving of the weight memory", &headers[0], &headers[1]]);
    for (label, result) in &rows {
        let cells = LOSSES.map(|loss| saving(result, clean - loss / 100.0));
        table.row([label.clone()].into_iter().chain(cells));
    }
    format!(
        "{}\nThe least energy among the measured voltages from which on mean accuracy is at most so far below the best \
         network without faults ({:.2} %), against the nominal voltage without a code; cells of check bits are counted.\n",
        table.markdown(),
        100.0 * clean
    )
}

fn saving(result: &ReadingResult, least: f64) -> String {
    let mut points: Vec<&ReadingPoint> = result.points.iter().collect();
    points.sort_by_key(|point| std::cmp::Reverse(point.voltage_mv));
    let good = points
        .iter()
        .take_while(|p| 1.0 - p.error.mean >= least)
        .last();
    let found = good.and_then(|p| Some((p.voltage_mv?, p.sram_energy_relative?)));
    found.map_or_else(
        || "none".to_owned(),
        |(voltage, energy)| format!("{:.0} % at {voltage} mV", 100.0 * (1.0 - energy)),
    )
}
