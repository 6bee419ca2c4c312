//! The figures of a ledger as tables for programs.

use super::keys;
use super::ledger::Ledger;
use super::page::label;
use super::recipe::Study;
use crate::table::Table;

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Accuracies: a row for each reading of a network at each point.
pub fn readings(study: &Study, ledger: &Ledger) -> Table {
    let mut table = Table::new(&[
        "reading",
        "network",
        "label",
        "code",
        "policy",
        "exposure",
        "weight_bits",
        "arithmetic",
        "rows",
        "columns",
        "mode",
        "profile",
        "voltage_mv",
        "rate",
        "rate_applied",
        "sram_energy_relative",
        "energy_uj",
        "chips",
        "first_chip",
        "images",
        "accuracy",
        "std",
        "low",
        "high",
        "robust_error",
        "corrected_words",
        "detected_words",
        "weight_bits_wrong",
        "seconds",
        "commit",
    ]);
    for reading in &study.readings {
        for network in study.chosen(&reading.networks) {
            let name = keys::name(&reading.name, network);
            let Some(entry) = ledger.readings.get(&name) else {
                continue;
            };
            let protocol = &entry.result.protocol;
            let memory = &protocol.memory;
            for point in &entry.result.points {
                let reads = point.counters.reads.max(1) as f64;
                let each = |count: u64| (count as f64 / reads).to_string();
                table.row([
                    reading.name.clone(),
                    network.name.clone(),
                    label(network).to_owned(),
                    memory.code.to_string(),
                    memory.policy.as_str().to_owned(),
                    memory.exposure.as_str().to_owned(),
                    protocol.weight_bits.to_string(),
                    protocol.arithmetic.clone(),
                    memory.rows.to_string(),
                    memory.columns.to_string(),
                    point.mode.clone(),
                    optional(point.profile.as_ref()),
                    optional(point.voltage_mv),
                    optional(point.rate),
                    point.rate_applied.to_string(),
                    optional(point.sram_energy_relative),
                    optional(point.energy_uj),
                    point.chips.to_string(),
                    protocol.first_chip.to_string(),
                    protocol.images.to_string(),
                    (1.0 - point.error.mean).to_string(),
                    point.error.std.to_string(),
                    optional(point.error.interval.map(|i| 1.0 - i.high)),
                    optional(point.error.interval.map(|i| 1.0 - i.low)),
                    point.robust_error.mean.to_string(),
                    each(point.counters.corrected),
                    each(point.counters.detected),
                    each(point.counters.weight_bit_errors),
                    format!("{:.1}", entry.seconds),
                    optional(entry.commit.as_ref()),
                ]);
            }
        }
    }
    table
}

/// Attacks: a row for each kind of attack on a network.
pub fn attacks(study: &Study, ledger: &Ledger) -> Table {
    let mut table = Table::new(&[
        "attack",
        "network",
        "label",
        "code",
        "policy",
        "attack_images",
        "images",
        "stop_accuracy",
        "max_flips",
        "attacks",
        "first_seed",
        "succeeded",
        "n_flip_mean",
        "n_flip_deviation",
        "n_flip_least",
        "n_flip_most",
        "accuracy_after",
        "success",
        "flips_per_layer",
        "seconds",
        "commit",
    ]);
    for attack in &study.attacks {
        for network in study.chosen(&attack.networks) {
            let name = keys::name(&attack.name, network);
            let Some(entry) = ledger.attacks.get(&name) else {
                continue;
            };
            let result = &entry.result;
            let layers = result.flips_per_layer.iter().map(usize::to_string);
            table.row([
                attack.name.clone(),
                network.name.clone(),
                label(network).to_owned(),
                result.memory.code.to_string(),
                result.memory.policy.as_str().to_owned(),
                result.attack_images.to_string(),
                result.images.to_string(),
                result.stop_accuracy.to_string(),
                result.max_flips.to_string(),
                result.attacks.to_string(),
                attack.first_seed.to_string(),
                result.succeeded.to_string(),
                optional(result.n_flip.map(|n| n.mean)),
                optional(result.n_flip.map(|n| n.deviation)),
                optional(result.n_flip.map(|n| n.least)),
                optional(result.n_flip.map(|n| n.most)),
                optional(result.accuracy_after.map(|a| a.mean)),
                optional(result.success.map(|s| s.mean)),
                layers.collect::<Vec<_>>().join(" "),
                format!("{:.1}", entry.seconds),
                optional(entry.commit.as_ref()),
            ]);
        }
    }
    table
}

/// Co-simulations: a row for each network, code and voltage.
pub fn silicon(study: &Study, ledger: &Ledger) -> Table {
    let mut table = Table::new(&[
        "network",
        "code",
        "voltage_mv",
        "mode",
        "policy",
        "chip",
        "rate_applied",
        "rows",
        "columns",
        "weight_bits",
        "images",
        "accuracy_rtl",
        "accuracy_golden",
        "logits_compared",
        "mismatches",
        "corrected",
        "detected",
        "words_read",
        "cycles_per_image",
        "cycles_predicted",
        "macs_per_image",
        "sram_energy_relative",
        "energy_uj",
        "seconds",
        "lanes",
        "verilator",
        "commit",
    ]);
    for (network, entry) in ledger.hardware(study) {
        let result = &entry.result;
        for point in &result.points {
            table.row([
                network.name.clone(),
                point.code.clone(),
                optional(point.voltage_mv),
                point.mode.clone(),
                point.policy.clone(),
                result.chip.to_string(),
                point.ber_applied.to_string(),
                result.array.0.to_string(),
                result.array.1.to_string(),
                result.array.2.to_string(),
                point.images.to_string(),
                point.accuracy_rtl.to_string(),
                point.accuracy_golden.to_string(),
                point.logits_compared.to_string(),
                point.mismatches.to_string(),
                point.corrected.to_string(),
                point.detected.to_string(),
                point.words_read.to_string(),
                point.cycles_per_image.to_string(),
                point.cycles_predicted.to_string(),
                result.macs_per_image.to_string(),
                optional(point.sram_energy_relative),
                optional(point.energy_uj),
                format!("{:.1}", entry.seconds),
                optional(result.lanes),
                result.verilator.clone(),
                optional(entry.commit.as_ref()),
            ]);
        }
    }
    table
}
