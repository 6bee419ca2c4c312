//! Runs on the simulated hardware.

use super::label;
use super::readings::rate;
use crate::study::ledger::Ledger;
use crate::study::recipe::Study;
use crate::table::{Table, percent};

/// A row for each network, code and voltage.
pub fn table(study: &Study, ledger: &Ledger) -> String {
    let mut table = Table::new(&[
        "network",
        "code",
        ">voltage",
        ">cells faulty",
        ">images",
        ">accuracy",
        ">words corrected / detected an image",
        ">logits compared",
        ">differences",
        ">clocks an image",
        ">utilization",
        ">energy an image",
        ">simulated images/s",
    ]);
    for (network, entry) in ledger.hardware(study) {
        let result = &entry.result;
        let images: f64 = result.points.iter().map(|p| p.images as f64).sum();
        let (rows, columns, _) = result.array;
        for point in &result.points {
            let busy = result.macs_per_image as f64 / (rows as f64 * columns as f64);
            table.row([
                label(network).to_owned(),
                point.code.clone(),
                point
                    .voltage_mv
                    .map_or_else(String::new, |mv| format!("{mv} mV")),
                rate(point.ber_applied),
                point.images.to_string(),
                percent(point.accuracy_rtl),
                format!(
                    "{:.0} / {:.0}",
                    point.corrected as f64 / point.images.max(1) as f64,
                    point.detected as f64 / point.images.max(1) as f64
                ),
                point.logits_compared.to_string(),
                point.mismatches.to_string(),
                point.cycles_per_image.to_string(),
                format!(
                    "{:.1} %",
                    100.0 * busy / point.cycles_per_image.max(1) as f64
                ),
                point
                    .energy_uj
                    .map_or_else(String::new, |e| format!("{e:.2} µJ")),
                match result.lanes {
                    Some(lanes) => format!("{:.2}, {lanes} side by side", images / entry.seconds),
                    None => format!("{:.2}", images / entry.seconds),
                },
            ]);
        }
    }
    table.markdown()
}
