//! What was measured, as a table for people.

use crate::table::{Table, percent};
use brownout_golden::evaluate::{Record, RecordedPoint};

/// Classes that are shown of many.
const MOST_CLASSES: usize = 10;

/// Table and remarks.
pub fn render(record: &Record) -> String {
    let protocol = &record.protocol;
    let memory = &protocol.memory;
    let chips = match record.points.iter().map(|p| p.chips.len()).max() {
        Some(1) | None => "1 chip".to_owned(),
        Some(_) => {
            let chips = format!("{} chips from seed {}", protocol.chips, protocol.first_chip);
            match protocol.offsets {
                1 => chips,
                places => format!("{chips}, each the average of {places} places"),
            }
        }
    };
    format!(
        "{}\n{} with weights of {} bits in {}, {} x {} array, code {}, policy {}, faults in {}\n\
         {}; {} images of {}, undisturbed error {}\n\
         intervals: {:.0} % of the mean, {} resamples; corrected, detected and silently wrong words and wrong bits of weights are per reading of all weights\n\
         silently wrong: corrected into another word (and counted there, too), or read as clean\n{}",
        table(record).render(),
        protocol.network,
        protocol.weight_bits,
        protocol.arithmetic,
        memory.rows,
        memory.columns,
        memory.code,
        memory.policy.as_str(),
        memory.exposure,
        chips,
        protocol.images,
        record.provenance.data,
        percent(record.clean_error),
        protocol.confidence * 100.0,
        protocol.bootstrap.resamples,
        classes(record),
    )
}

/// Of many classes how often the label is among five, and those that are wrong most often.
fn classes(record: &Record) -> String {
    let Some(top5) = record.clean_top5_error else {
        return String::new();
    };
    let errors = record.clean_error_of_classes.iter().enumerate();
    let mut errors: Vec<(usize, f64)> = errors
        .filter_map(|(class, error)| Some((class, (*error)?)))
        .collect();
    let count = errors.len();
    // Of equal errors the first class.
    errors.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut table = Table::new(&["class", ">error"]);
    for &(class, error) in errors.iter().take(MOST_CLASSES) {
        let name = record.class_names.get(class);
        let name = name.map_or_else(|| class.to_string(), |name| format!("{class} {name}"));
        table.row([name, percent(error)]);
    }
    let others = match count > MOST_CLASSES {
        true => format!(
            "the {MOST_CLASSES} of {count} classes with the largest undisturbed error; --out-json has all\n"
        ),
        false => String::new(),
    };
    format!(
        "undisturbed: {} right, {} with the label among the five largest\n\n{}{others}",
        percent(1.0 - record.clean_error),
        percent(1.0 - top5),
        table.render(),
    )
}

/// A column that is shown where it has something to say, and its cell for a point.
struct Column {
    header: &'static str,
    cell: fn(&RecordedPoint) -> Option<String>,
}

fn rate(rate: f64) -> String {
    match rate == 0.0 {
        true => "0".to_owned(),
        false => format!("{rate:.3e}"),
    }
}

/// A number per reading of all weights.
fn per_reading(point: &RecordedPoint, count: u64) -> Option<String> {
    let reads = point.counters.reads.max(1) as f64;
    Some(format!("{:.1}", count as f64 / reads))
}

const COLUMNS: [Column; 15] = [
    Column {
        header: ">voltage",
        cell: |p| p.voltage_mv.map(|mv| format!("{mv} mV")),
    },
    Column {
        header: "chip",
        cell: |p| p.profile.clone(),
    },
    Column {
        header: ">rate",
        cell: |p| p.rate.map(rate),
    },
    Column {
        header: ">applied",
        cell: |p| Some(rate(p.rate_applied)),
    },
    Column {
        header: ">error",
        cell: |p| Some(percent(p.error.mean)),
    },
    Column {
        header: ">std",
        cell: |p| Some(percent(p.error.std)),
    },
    Column {
        header: ">interval",
        cell: |p| {
            let interval = p.error.interval?;
            Some(format!(
                "{:.2} .. {:.2} %",
                interval.low * 100.0,
                interval.high * 100.0
            ))
        },
    },
    Column {
        header: ">RErr",
        cell: |p| Some(percent(p.robust_error.mean)),
    },
    Column {
        header: ">RErr at most",
        cell: |p| Some(percent(p.guarantee?.min(1.0))),
    },
    Column {
        header: ">yield",
        cell: |p| {
            let good = p.good?;
            Some(format!(
                "{:.0} % ({:.0} .. {:.0})",
                good.share * 100.0,
                good.interval.low * 100.0,
                good.interval.high * 100.0
            ))
        },
    },
    Column {
        header: ">corrected",
        cell: |p| per_reading(p, p.counters.corrected),
    },
    Column {
        header: ">detected",
        cell: |p| per_reading(p, p.counters.detected),
    },
    Column {
        header: ">silently wrong",
        cell: |p| per_reading(p, p.counters.miscorrected + p.counters.undetected),
    },
    Column {
        header: ">wrong bits",
        cell: |p| per_reading(p, p.counters.weight_bit_errors),
    },
    Column {
        header: ">SRAM energy",
        cell: |p| Some(format!("{:.3}", p.sram_energy_relative?)),
    },
];

fn table(record: &Record) -> Table {
    let points = &record.points;
    let shown: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| points.iter().any(|point| (column.cell)(point).is_some()))
        .collect();
    let headers: Vec<&str> = shown.iter().map(|column| column.header).collect();
    let mut table = Table::new(&headers);
    for point in points {
        let cells = shown.iter().map(|column| (column.cell)(point));
        table.row(cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned())));
    }
    table
}
