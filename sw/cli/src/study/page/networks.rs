//! The networks and how they were made.

use super::label;
use crate::study::ledger::{Ledger, NetworkResult};
use crate::study::recipe::Study;
use crate::table::Table;
use crate::train::percent;
use brownout_golden::network::Precision;
use brownout_golden::quantize::Placement;

/// A row for each network.
pub fn table(study: &Study, ledger: &Ledger) -> Table {
    let mut table = Table::new(&[
        "network",
        "made by",
        ">float, rounded",
        ">integers",
        ">of images",
        ">time",
        "commit",
    ]);
    for network in &study.networks {
        let entry = ledger.networks.get(&network.name);
        let Some(entry) = entry.filter(|_| network.file.is_none()) else {
            let from = network
                .file
                .as_ref()
                .map(|file| format!("`{}`", file.display()));
            table.row([label(network).to_owned(), from.unwrap_or_default()]);
            continue;
        };
        let (made, float, integer, images) = match &entry.result {
            NetworkResult::Trained(done) => (
                format!(
                    "{} epoch{}, {} bits, {}, code {}{}{}",
                    done.epochs,
                    if done.epochs == 1 { "" } else { "s" },
                    done.weight_bits,
                    done.quantizer,
                    done.code,
                    match done.placement {
                        Placement::Channel => "",
                        Placement::Spread => ", free weights spread over filters",
                    },
                    match done.precision {
                        Precision::Single => "",
                        Precision::Bfloat16 => ", in bfloat16",
                    }
                ),
                percent(done.accuracy_quantized),
                done.accuracy_integer.map_or_else(String::new, percent),
                done.images,
            ),
            NetworkResult::Rounded {
                accuracy_integer,
                images,
            } => (
                "rounding".to_owned(),
                String::new(),
                percent(*accuracy_integer),
                *images,
            ),
        };
        table.row([
            label(network).to_owned(),
            made,
            float,
            integer,
            images.to_string(),
            format!("{:.0} s", entry.seconds),
            entry.short_commit(),
        ]);
    }
    table
}
