//! What the weight memory's energy may fall by before accuracy is lost.

use super::groups::{Group, results};
use crate::study::ledger::{Ledger, ReadingPoint, ReadingResult};
use crate::study::recipe::Study;
use crate::table::Table;

/// Accuracy that may be lost, in points. Stutz et al. (MLSys 2021, abstract) save 20 % of the energy for at
/// most one point less than a normally trained 8-bit network, and 30 % for 2.5 points.
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
    // Rows on other images cannot be compared with one undisturbed accuracy.
    let images = |result: &ReadingResult| result.protocol.images;
    let comparable = rows
        .iter()
        .all(|(_, r)| priced(r) && images(r) == images(rows[0].1));
    if rows.is_empty() || !comparable {
        return String::new();
    }
    let clean = rows
        .iter()
        .map(|(_, r)| 1.0 - r.clean_error)
        .fold(0.0, f64::max);
    let headers = LOSSES.map(|loss| match loss {
        1.0 => ">at most 1 point lost".to_owned(),
        loss => format!(">at most {loss} points lost"),
    });
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

/// The least energy of points of falling voltage up to the first that is below an accuracy.
fn saving(result: &ReadingResult, least: f64) -> String {
    let mut points: Vec<&ReadingPoint> = result.points.iter().collect();
    points.sort_by_key(|point| std::cmp::Reverse(point.voltage_mv));
    let good = points.iter().take_while(|p| 1.0 - p.error.mean >= least);
    let found = good
        .last()
        .and_then(|p| Some((p.voltage_mv?, p.sram_energy_relative?)));
    match found {
        Some((voltage, energy)) if energy < 1.0 => {
            format!("{:.0} % at {voltage} mV", 100.0 * (1.0 - energy))
        }
        _ => "none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::page::testing::{point, result};

    fn falling(points: &[(u16, f64, f64)]) -> ReadingResult {
        let of = |&(voltage, energy, accuracy): &(u16, f64, f64)| ReadingPoint {
            voltage_mv: Some(voltage),
            sram_energy_relative: Some(energy),
            ..point(1.0 - accuracy)
        };
        result(points.iter().map(of).collect())
    }

    #[test]
    fn what_is_saved_is_that_of_the_lowest_voltage_before_the_first_loss() {
        let both = falling(&[(500, 0.7, 0.895), (600, 1.0, 0.9), (400, 0.5, 0.87)]);
        assert_eq!(saving(&both, 0.89), "30 % at 500 mV");
        assert_eq!(saving(&both, 0.87), "50 % at 400 mV");
        assert_eq!(saving(&both, 0.91), "none");
        // What comes back by chance at a lower voltage does not count.
        let dip = falling(&[(600, 1.0, 0.9), (500, 0.7, 0.8), (400, 0.5, 0.9)]);
        assert_eq!(saving(&dip, 0.89), "none");
        // Check bits can cost more than there is to save.
        let coded = falling(&[(600, 1.125, 0.9), (580, 1.05, 0.9), (500, 0.7, 0.2)]);
        assert_eq!(saving(&coded, 0.89), "none");
    }
}
