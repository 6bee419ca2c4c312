//! The tables of results.

use super::documents::{Attack, EvaluatedPoint, Evaluation, SimulatedPoint, Simulation, Training};
use super::facts::shown;
use super::folder::ResultFile;
use crate::table::percent;

/// A table: its caption, its columns (`>` in front of those of numbers), its rows.
pub struct Table {
    pub caption: String,
    pub headers: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// A column with the cell of a row; it is left out where no row has one. Where its name begins
/// with `=` and all rows have the same, the caption says it instead.
type Column<T> = (&'static str, fn(&T) -> Option<String>);

const EVALUATED: [Column<EvaluatedPoint>; 14] = [
    (">voltage", |p| voltage(p.voltage_mv)),
    ("chip", |p| p.profile.clone()),
    (">rate", |p| p.rate.map(rate)),
    (">applied", |p| Some(rate(p.rate_applied))),
    ("=mode", |p| Some(p.mode.clone())),
    (">mean accuracy", |p| Some(percent(1.0 - p.error.mean))),
    (">std", |p| Some(percent(p.error.std))),
    (">95 % interval", |p| {
        let i = p.error.interval?;
        Some(range(1.0 - i.high, 1.0 - i.low))
    }),
    (">RErr", |p| Some(percent(p.robust_error.mean))),
    (">yield", |p| {
        let good = p.good.as_ref()?;
        let [share, low, high] =
            [good.share, good.interval.low, good.interval.high].map(|share| 100.0 * share);
        Some(format!("{share:.0} % ({low:.0} .. {high:.0})"))
    }),
    (">corrected", |p| {
        Some(average(p.counters.corrected, p.counters.reads))
    }),
    (">detected", |p| {
        Some(average(p.counters.detected, p.counters.reads))
    }),
    (">silently wrong", |p| {
        let c = &p.counters;
        Some(average(c.miscorrected + c.undetected, c.reads))
    }),
    (">SRAM energy", |p| energy(p.sram_energy_relative)),
];

const SIMULATED: [Column<SimulatedPoint>; 14] = [
    (">voltage", |p| voltage(p.voltage_mv)),
    (">applied", |p| Some(rate(p.ber_applied))),
    ("=code", |p| Some(p.code.clone())),
    ("=mode", |p| Some(p.mode.clone())),
    ("=policy", |p| Some(p.policy.clone())),
    (">accuracy RTL", |p| p.accuracy_rtl.map(percent)),
    (">accuracy golden", |p| p.accuracy_golden.map(percent)),
    (">corrected", |p| Some(average(p.corrected, p.images))),
    (">detected", |p| Some(average(p.detected, p.images))),
    (">silently wrong", |p| {
        Some(average(p.miscorrected + p.undetected, p.images))
    }),
    (">logits compared", |p| Some(p.logits_compared.to_string())),
    (">mismatches", |p| Some(p.mismatches.to_string())),
    (">cycles an image", |p| Some(p.cycles_per_image.to_string())),
    (">SRAM energy", |p| energy(p.sram_energy_relative)),
];

/// An evaluation, a row for each point.
pub fn evaluation(file: &ResultFile, evaluation: &Evaluation) -> Table {
    let fact = |name| shown(&evaluation.protocol, name);
    let caption = format!(
        "{}: {} with weights of {} bits in {}, code {}, policy {}, {} chips, {} images of {}; \
         undisturbed accuracy {}",
        file.name,
        fact("network"),
        fact("weight_bits"),
        fact("arithmetic"),
        fact("code"),
        fact("policy"),
        fact("chips"),
        fact("images"),
        shown(&evaluation.provenance, "data"),
        percent(1.0 - evaluation.clean_error),
    );
    let good = evaluation.points.iter().find_map(|p| p.good.as_ref());
    let good = good.map_or_else(String::new, |good| {
        format!("; a chip is good with {} and more", percent(good.at))
    });
    table(caption + &good, &EVALUATED, &evaluation.points)
}

/// A co-simulation, a row for each point.
pub fn simulation(file: &ResultFile, simulation: &Simulation) -> Table {
    let caption = format!(
        "{}: {} on {}; golden vs RTL: {} logits compared, {} mismatches",
        file.name,
        shown(&simulation.provenance, "model"),
        shown(&simulation.provenance, "data"),
        simulation.logits_compared,
        simulation.mismatches,
    );
    table(caption, &SIMULATED, &simulation.points)
}

/// Attacks of a file; a ledger has only their number.
fn count(attack: &Attack) -> u64 {
    let number = attack
        .settings
        .get("attacks")
        .and_then(serde_json::Value::as_u64);
    number.unwrap_or(attack.attacks.len() as u64)
}

/// All attack files, a row for each.
pub fn attacks(attacks: &[(&ResultFile, &Attack)]) -> Table {
    let row = |(number, (file, attack)): (usize, &(&ResultFile, &Attack))| {
        let before = attack.attacks.first().and_then(|a| a.accuracy_before);
        let mean = |d: &Option<_>| d.as_ref().map(|d: &super::documents::Distribution| d.mean);
        let n = attack.n_flip.as_ref();
        vec![
            (number + 1).to_string(),
            file.stem().to_owned(),
            attack.network.clone(),
            super::facts::text(&attack.weight_bits),
            shown(&attack.memory, "code"),
            shown(&attack.memory, "policy"),
            shown(&attack.settings, "method"),
            format!("{} of {}", attack.succeeded, count(attack)),
            dash(n.map(|n| format!("{:.1} ± {:.1}", n.mean, n.deviation))),
            dash(n.map(|n| format!("{} .. {}", n.least, n.most))),
            percent(attack.stop_accuracy),
            dash(before.map(percent)),
            dash(mean(&attack.accuracy_after).map(percent)),
            dash(mean(&attack.success).map(percent)),
        ]
    };
    Table {
        caption: "N_flip: cells that differ from what was stored, mean ± standard deviation over \
            attacks"
            .to_owned(),
        headers: vec![
            ">#",
            "file",
            "network",
            ">bits",
            "code",
            "policy",
            "method",
            ">reached aim",
            ">N_flip",
            ">range",
            ">aim",
            ">before",
            ">after",
            ">success",
        ],
        rows: attacks.iter().enumerate().map(row).collect(),
    }
}

/// The attacks of one file, a row for each.
pub fn single_attacks(attack: &Attack) -> Table {
    let rows = attack.attacks.iter().map(|one| {
        vec![
            one.seed.to_string(),
            one.n_flip.to_string(),
            one.weight_bits_wrong.to_string(),
            dash(one.accuracy_before.map(percent)),
            dash(one.accuracy_after.map(percent)),
            dash(one.success.map(percent)),
            format!("{:.1}", one.seconds),
            one.stop.clone(),
        ]
    });
    Table {
        caption: "Single attacks".to_owned(),
        headers: vec![
            ">seed",
            ">N_flip",
            ">wrong bits",
            ">before",
            ">after",
            ">success",
            ">seconds",
            "ended by",
        ],
        rows: rows.collect(),
    }
}

/// All trainings, a row for each.
pub fn trainings(trainings: &[(&ResultFile, &Training)]) -> Table {
    let loss = |loss: Option<&f64>| dash(loss.map(|loss| format!("{loss:.4}")));
    let rows = trainings.iter().map(|(file, training)| {
        let fact = |name| shown(&training.rest, name);
        vec![
            file.stem().to_owned(),
            fact("network"),
            fact("data"),
            fact("weight_bits"),
            fact("quantizer"),
            fact("code"),
            training.epochs.to_string(),
            loss(training.losses.first()),
            loss(training.losses.last()),
            percent(training.accuracy_float),
            percent(training.accuracy_quantized),
            dash(training.accuracy_integer.map(percent)),
            training.images.to_string(),
            format!("{:.1}", training.seconds),
        ]
    });
    Table {
        caption: "Accuracies on held-out images: in floating point, rounded, in integers"
            .to_owned(),
        headers: vec![
            "file",
            "network",
            "data",
            ">bits",
            "quantizer",
            "code",
            ">epochs",
            ">first loss",
            ">last loss",
            ">float",
            ">rounded",
            ">integers",
            ">images",
            ">seconds",
        ],
        rows: rows.collect(),
    }
}

/// The columns in which rows have something to say.
fn table<T>(mut caption: String, columns: &[Column<T>], points: &[T]) -> Table {
    let mut headers = Vec::new();
    let mut shown = Vec::new();
    for (header, cell) in columns {
        let cells: Vec<Option<String>> = points.iter().map(cell).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let all_equal = cells.iter().all(|cell| *cell == cells[0]);
        match (header.strip_prefix('='), &cells[0]) {
            (Some(name), Some(value)) if all_equal => {
                caption.push_str(&format!("; {name} {value}"));
                continue;
            }
            (name, _) => headers.push(name.unwrap_or(header)),
        }
        shown.push(cells);
    }
    let row = |i: usize| shown.iter().map(|cells| dash(cells[i].clone())).collect();
    Table {
        caption,
        headers,
        rows: (0..points.len()).map(row).collect(),
    }
}

fn dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

fn voltage(millivolts: Option<u16>) -> Option<String> {
    millivolts.map(|mv| format!("{mv} mV"))
}

fn rate(rate: f64) -> String {
    match rate == 0.0 {
        true => "0".to_owned(),
        false => format!("{rate:.3e}"),
    }
}

fn range(low: f64, high: f64) -> String {
    format!("{:.2} .. {:.2} %", 100.0 * low, 100.0 * high)
}

/// A count for each of so many readings or images.
fn average(count: u64, of: u64) -> String {
    format!("{:.1}", count as f64 / of.max(1) as f64)
}

fn energy(relative: Option<f64>) -> Option<String> {
    relative.map(|energy| format!("{energy:.4}"))
}
