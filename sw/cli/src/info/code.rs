//! A code: its columns, its masks, what it detects and what it leaves.

use super::refuse_places;
use super::residual::{self, ResidualRow};
use super::stuck::StuckWords;
use crate::arguments::InfoArguments;
use crate::error::Error;
use crate::output::Output;
use crate::table::{Table, facts};
use brownout_spec::code::{Code, CodeName, Residual, Storage};
use brownout_spec::config::WeightBits;
use brownout_spec::quantity::Lane;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Report {
    code: CodeName,
    weight_bits: WeightBits,
    n: usize,
    k: usize,
    weights_per_word: usize,
    /// Smallest and largest weight of each position.
    ranges: Vec<(i8, i8)>,
    check_lanes: Vec<Lane>,
    /// Parity-check column of each lane, a syndrome.
    columns: Vec<u8>,
    /// Lanes of each syndrome bit, in hexadecimal: a word has up to 72.
    masks: Vec<String>,
    triples: Share,
    quadruples: Share,
    stuck_words: StuckWords,
    /// What the decoder leaves of random errors, at a few rates.
    residual: Vec<ResidualRow>,
}

/// How many of all error patterns of one weight a decoder takes for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Share {
    mistaken: u128,
    all: u128,
}

/// Explains a code for one weight width.
///
/// # Errors
/// When the code is not defined for that width.
pub fn explain(name: CodeName, arguments: &InfoArguments, output: Output) -> Result<(), Error> {
    refuse_places(arguments)?;
    let eight = WeightBits::Eight;
    let weight_bits = match arguments.weight_bits {
        Some(bits) if !name.supports(bits) => {
            return Err(Error::flag(
                "--weight-bits",
                bits,
                format!("4 with --code {name}"),
            ));
        }
        Some(bits) => bits,
        None if name.supports(eight) => eight,
        None => WeightBits::Four,
    };
    let code = Code::new(name, weight_bits, Storage::default());
    let counts = Residual::of(&code);
    let [three, four] = [3, 4].map(|errors| counts.patterns(errors));
    let report = Report {
        code: name,
        weight_bits,
        n: code.n(),
        k: code.k(),
        weights_per_word: code.weights_per_word(),
        ranges: (0..code.weights_per_word())
            .map(|position| code.allowed_range(position))
            .collect(),
        check_lanes: code.check_lanes().collect(),
        columns: code.columns().to_vec(),
        masks: (0..code.check_bits())
            .map(|check| format!("{:#x}", code.mask(check)))
            .collect(),
        triples: Share {
            mistaken: three.miscorrected,
            all: three.all,
        },
        quadruples: Share {
            mistaken: four.missed,
            all: four.all,
        },
        stuck_words: StuckWords::new(&code),
        residual: residual::rows(&code, &counts),
    };
    output.result(&report, &render(&report, &code))
}

fn render(report: &Report, code: &Code) -> String {
    let mut lines = vec![
        (
            "word",
            format!(
                "{} bits: {} information, {} check",
                report.n,
                report.k,
                report.n - report.k
            ),
        ),
        (
            "weights",
            format!("{} of {} bits", report.weights_per_word, report.weight_bits),
        ),
    ];
    if report.check_lanes.is_empty() {
        lines.push(("errors", "none is detected".to_owned()));
        let stuck = "any is read as it is; words without check bits are stored plain";
        lines.push(("stuck words", stuck.to_owned()));
        return format!(
            "code {}\n\n{}\n{}",
            report.code,
            facts(&lines),
            residual::render(&report.residual)
        );
    }
    let Share { mistaken, all } = report.triples;
    lines.push(("single errors", "all corrected".to_owned()));
    lines.push(("double errors", "all detected".to_owned()));
    lines.push((
        "triple errors",
        format!("{mistaken} of {all} miscorrected, others detected"),
    ));
    let Share { mistaken, all } = report.quadruples;
    lines.push((
        "quadruple errors",
        format!("{mistaken} of {all} undetected, others detected"),
    ));
    lines.extend(report.stuck_words.lines());
    format!(
        "code {}\n\n{}\nColumns in hexadecimal, check bits in brackets:\n\n{}\nLanes of each syndrome bit:\n\n{}\n{}",
        report.code,
        facts(&lines),
        render_columns(report, code),
        render_masks(report),
        residual::render(&report.residual)
    )
}

fn render_columns(report: &Report, code: &Code) -> String {
    let width = report.weight_bits.bits();
    let mut table = Table::new(&["lanes", "weight", "range", "columns, highest lane first"]);
    for (row, lanes) in (0..report.n).collect::<Vec<_>>().chunks(width).enumerate() {
        let columns: Vec<String> = lanes
            .iter()
            .rev()
            .map(|&lane| {
                let column = report.columns[lane];
                match code.check_of_lane(Lane(lane as u8)) {
                    Some(_) => format!("[{column:02x}]"),
                    None => format!(" {column:02x} "),
                }
            })
            .collect();
        let (weight, range) = match report.ranges.get(row) {
            Some((low, high)) => (row.to_string(), format!("{low} to {high}")),
            None => ("beside".to_owned(), String::new()),
        };
        let lanes = format!("{}..{}", lanes[lanes.len() - 1], lanes[0]);
        table.row([lanes, weight, range, columns.concat()]);
    }
    table.render()
}

fn render_masks(report: &Report) -> String {
    let mut table = Table::new(&[">bit", ">check lane", ">mask"]);
    for (bit, (lane, mask)) in report.check_lanes.iter().zip(&report.masks).enumerate() {
        table.row([bit.to_string(), lane.0.to_string(), mask.clone()]);
    }
    table.render()
}
