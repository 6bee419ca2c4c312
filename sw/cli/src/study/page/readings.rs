//! Accuracies and robust errors of networks at operating points.

use super::groups::{Group, results};
use super::one_or_all;
use crate::study::ledger::{Ledger, ReadingPoint, ReadingResult};
use crate::study::recipe::{Show, Study};
use crate::table::Table;
use brownout_golden::evaluate::statistics::{Bootstrap, Spread};
use brownout_spec::code::CodeName;

/// A table's row of what decoders leave; without any it says nothing that the rate does not.
const BITS: &str = "bits of weights read wrong, behind decoders if any";

/// What identifies a point in a table's head.
fn head(point: &ReadingPoint) -> String {
    if let Some(voltage) = point.voltage_mv {
        return format!("{voltage} mV");
    }
    if let Some(profile) = &point.profile {
        return profile.clone();
    }
    match point.rate {
        Some(asked) => asked_rate(asked),
        None => rate(point.rate_applied),
    }
}

/// The share of images that counts as wrong.
fn error(point: &ReadingPoint, show: Show) -> &Spread {
    match show {
        Show::RobustError => &point.robust_error,
        Show::Accuracy | Show::Classes => &point.error,
    }
}

/// The share that a table and its plot show at a point, and the interval of its mean.
pub fn shown(point: &ReadingPoint, show: Show) -> (f64, Option<(f64, f64)>) {
    let error = error(point, show);
    let interval = error.interval.map(|i| (i.low, i.high));
    match show {
        Show::RobustError => (error.mean, interval),
        Show::Accuracy | Show::Classes => (
            1.0 - error.mean,
            interval.map(|(low, high)| (1.0 - high, 1.0 - low)),
        ),
    }
}

/// A rate as it was asked for, so that no two have one head.
fn asked_rate(asked: f64) -> String {
    let short = rate(asked);
    let means = |text: &str| match text.strip_suffix(" %") {
        Some(percent) => percent.parse::<f64>().map(|p| p / 100.0),
        None => text.parse(),
    };
    match means(&short) {
        Ok(meant) if (meant - asked).abs() <= 1e-12 * asked => short,
        _ => format!("{asked:e}"),
    }
}

/// A rate as people write it.
pub fn rate(rate: f64) -> String {
    match rate {
        0.0 => "0".to_owned(),
        r if r >= 1e-4 => format!("{} %", round(r * 100.0)),
        r => format!("{r:.1e}"),
    }
}

/// Three significant digits, without zeros at the end.
fn round(x: f64) -> f64 {
    let scale = 10f64.powi(2 - x.abs().log10().floor() as i32);
    (x * scale).round() / scale
}

/// What a group's rows have in their columns.
struct Rows<'a> {
    /// Heads of the points, in the order in which they come first.
    heads: Vec<String>,
    rows: Vec<(String, &'a ReadingResult)>,
}

impl<'a> Rows<'a> {
    fn new(rows: Vec<(String, &'a ReadingResult)>) -> Self {
        let mut heads: Vec<String> = Vec::new();
        for point in rows.iter().flat_map(|(_, result)| &result.points) {
            let head = head(point);
            if !heads.contains(&head) {
                heads.push(head);
            }
        }
        Self { heads, rows }
    }

    /// A row of cells, one a head; those of points that the result does not have are empty.
    fn cells(
        &self,
        result: &ReadingResult,
        cell: impl Fn(&str, &ReadingPoint) -> String,
    ) -> Vec<String> {
        let of = |wanted: &String| {
            let point = result.points.iter().find(|p| head(p) == *wanted);
            point.map_or_else(String::new, |point| cell(wanted, point))
        };
        self.heads.iter().map(of).collect()
    }

    /// The best result at a point, if faults make a difference there at all.
    fn best(&self, at: &str, show: Show) -> Option<(&'a ReadingResult, &'a ReadingPoint)> {
        let points = self.rows.iter().filter_map(|(_, result)| {
            let point = result.points.iter().find(|p| head(p) == at)?;
            Some((*result, point))
        });
        let disturbed = points.clone().any(|(_, p)| p.counters.flipped_bits > 0);
        let best = points.min_by(|a, b| error(a.1, show).mean.total_cmp(&error(b.1, show).mean));
        best.filter(|_| disturbed)
    }

    /// What all rows share, or everything that one of them has.
    fn shared(&self, of: impl Fn(&ReadingResult) -> String) -> String {
        one_or_all(self.rows.iter().map(|(_, result)| of(result)))
    }
}

/// A line below a table's rows: figures that some of them share.
struct Line<'a> {
    /// Label and code of each of these rows.
    rows: Vec<(&'a str, CodeName)>,
    cells: Vec<String>,
}

impl Line<'_> {
    /// Names its rows: by their codes where these tell them from all others, else by their labels.
    fn rows_told_from(&self, lines: &[Line<'_>]) -> String {
        let has = |line: &Line<'_>, code| line.rows.iter().any(|(_, own)| *own == code);
        let lines_with = |code| lines.iter().filter(|line| has(line, code)).count();
        if self.rows.iter().all(|(_, code)| lines_with(*code) == 1) {
            return format!(
                "code {}",
                one_or_all(self.rows.iter().map(|(_, code)| code.to_string()))
            );
        }
        let labels: Vec<&str> = self.rows.iter().map(|(label, _)| *label).collect();
        labels.join("; ")
    }
}

/// Accuracies of networks at points; the best one of a point is bold, and those that are not
/// significantly worse are marked.
pub fn table(study: &Study, ledger: &Ledger, group: &Group<'_>) -> String {
    let rows = Rows::new(results(study, ledger, group));
    if rows.rows.is_empty() {
        return "Not measured yet.\n".to_owned();
    }
    let heads = rows.heads.iter().map(|head| format!(">{head}"));
    let headers: Vec<String> = ["network".to_owned()].into_iter().chain(heads).collect();
    let mut table = Table::new(&headers.iter().map(String::as_str).collect::<Vec<_>>());
    for (label, result) in &rows.rows {
        let cells = rows.cells(result, |head, point| {
            cell((result, point), rows.best(head, group.show), group.show)
        });
        table.row([label.clone()].into_iter().chain(cells));
    }
    // Each with the rows that it is about.
    type Remark = (&'static str, fn(&ReadingPoint) -> Option<String>);
    let remarks: [Remark; 4] = [
        ("share of faulty cells", |p| {
            p.voltage_mv.map(|_| rate(p.rate_applied))
        }),
        (BITS, |p| {
            let counters = &p.counters;
            let each = counters.weight_bit_errors as f64 / counters.reads.max(1) as f64;
            Some(format!("{each:.1}"))
        }),
        ("energy of the weight memory", |p| {
            Some(format!("{:.3}", p.sram_energy_relative?))
        }),
        ("energy of an image", |p| {
            Some(format!("{:.2} µJ", p.energy_uj?))
        }),
    ];
    let coded = (rows.rows.iter()).any(|(_, r)| r.protocol.memory.code != CodeName::None);
    let is_told = |what: &str| coded || what != BITS;
    for (what, remark) in remarks.into_iter().filter(|(what, _)| is_told(what)) {
        let mut lines: Vec<Line<'_>> = Vec::new();
        for (label, result) in &rows.rows {
            let cells = rows.cells(result, |_, point| remark(point).unwrap_or_default());
            let row = (label.as_str(), result.protocol.memory.code);
            match lines.iter_mut().find(|line| line.cells == cells) {
                Some(line) => line.rows.push(row),
                None => lines.push(Line {
                    rows: vec![row],
                    cells,
                }),
            }
        }
        lines.retain(|line| line.cells.iter().any(|cell| !cell.is_empty()));
        for line in &lines {
            let of = match line.rows.len() == rows.rows.len() {
                true => String::new(),
                false => format!(": {}", line.rows_told_from(&lines)),
            };
            let cells = line.cells.iter().cloned();
            table.row([format!("*{what}{of}*")].into_iter().chain(cells));
        }
    }
    format!("{}\n{}", table.markdown(), note(&rows, group.show))
}

/// How the figures of a table were measured.
fn note(rows: &Rows<'_>, show: Show) -> String {
    let what = match show {
        Show::RobustError => {
            "Robust error (RErr: wrong with these weights or with undisturbed ones)"
        }
        Show::Accuracy | Show::Classes => "Accuracy",
    };
    let seeds = |result: &ReadingResult| {
        let protocol = &result.protocol;
        let last = protocol
            .first_chip
            .saturating_add(protocol.chips as u64)
            .saturating_sub(1);
        match (protocol.chips, protocol.first_chip) {
            (1, seed) => format!("1 (seed {seed})"),
            (chips, first) => format!("{chips} (seeds {first} to {last})"),
        }
    };
    format!(
        "{what} in percent, mean ± standard deviation over chips. Chips: {}; test images: {}; code: {}; policy: {}; \
         faults: {}, in {} of {} arrays; arithmetic: {}. Bold: the best at a point with faults; ≈: not significantly worse, \
         since the 95 % interval of the difference (bootstrap over the same chips; of other chips the intervals of both \
         means) contains zero; where there is one chip, none is marked. The 95 % intervals of means are in `readings.csv` and on the plot. Differences between networks are also \
         subject to the choice of test images, which these intervals do not contain.\n",
        rows.shared(seeds),
        rows.shared(|r| r.protocol.images.to_string()),
        rows.shared(|r| r.protocol.memory.code.to_string()),
        rows.shared(|r| r.protocol.memory.policy.as_str().to_owned()),
        rows.shared(|r| r
            .points
            .first()
            .map_or_else(String::new, |p| p.mode.clone())),
        rows.shared(|r| r.protocol.memory.exposure.to_string()),
        rows.shared(|r| format!("{} x {}", r.protocol.memory.rows, r.protocol.memory.columns)),
        rows.shared(|r| r.protocol.arithmetic.clone()),
    )
}

fn cell(
    (result, point): (&ReadingResult, &ReadingPoint),
    best: Option<(&ReadingResult, &ReadingPoint)>,
    show: Show,
) -> String {
    let mean = 100.0 * shown(point, show).0;
    // One chip has no deviation, and neither has a memory without faults.
    let text = match point.counters.flipped_bits {
        _ if point.error.std_sample.is_none() => format!("{mean:.2}"),
        0 => format!("{mean:.2}"),
        _ => format!("{mean:.2} ± {:.2}", 100.0 * error(point, show).std),
    };
    let wrong = |point| error(point, show).mean;
    match best {
        Some((_, best)) if wrong(best) >= wrong(point) => format!("**{text}**"),
        Some((of, best)) if is_worse((result, point), (of, best), show) == Some(false) => {
            format!("{text} ≈")
        }
        _ => text,
    }
}

/// Images that each chip classified wrong, over all places of its array; empty where a ledger has
/// no such figures.
fn wrong_of_chips(result: &ReadingResult, point: &ReadingPoint, show: Show) -> Vec<usize> {
    let wrong = match show {
        Show::RobustError => &point.robust_wrong,
        Show::Accuracy | Show::Classes => &point.wrong,
    };
    // Places in one array are no chips of their own.
    let places = wrong.len() / result.protocol.chips.max(1);
    let chips = wrong.chunks(places.max(1));
    chips
        .map(|places| places.iter().copied().fold(0, usize::saturating_add))
        .collect()
}

/// Whether a result is significantly worse than another at one point: by the differences of the
/// same chips, else by intervals that do not meet. One chip says nothing about others.
fn is_worse(
    (result, point): (&ReadingResult, &ReadingPoint),
    (other, better): (&ReadingResult, &ReadingPoint),
    show: Show,
) -> Option<bool> {
    let (a, b) = (&result.protocol, &other.protocol);
    let same_chips = (a.first_chip, a.chips, a.offsets, a.images)
        == (b.first_chip, b.chips, b.offsets, b.images);
    let own = wrong_of_chips(result, point, show);
    let others = wrong_of_chips(other, better, show);
    if same_chips && own.len() == others.len() && own.len() > 1 {
        let pairs = own.iter().zip(&others);
        let differences: Vec<f64> = pairs.map(|(a, b)| *a as f64 - *b as f64).collect();
        return Some(Bootstrap::default().interval_of_mean(&differences).low > 0.0);
    }
    let (own, other) = (error(point, show).interval?, error(better, show).interval?);
    Some(other.high < own.low)
}

/// Accuracy of each class's images with undisturbed weights.
pub fn classes(study: &Study, ledger: &Ledger, group: &Group<'_>) -> String {
    let rows = results(study, ledger, group);
    let count = rows
        .iter()
        .map(|(_, r)| r.clean_error_of_classes.len())
        .max();
    let count = count.unwrap_or_default();
    if count == 0 {
        return "Not measured yet.\n".to_owned();
    }
    let mut headers = vec!["network".to_owned(), ">all".to_owned()];
    headers.extend((0..count).map(|class| format!(">class {class}")));
    let mut table = Table::new(&headers.iter().map(String::as_str).collect::<Vec<_>>());
    let percent = |error: &Option<f64>| {
        error.map_or_else(String::new, |e| format!("{:.1}", 100.0 * (1.0 - e)))
    };
    for (label, result) in &rows {
        let cells = result.clean_error_of_classes.iter().map(percent);
        let all = format!("{:.2}", 100.0 * (1.0 - result.clean_error));
        table.row([label.clone(), all].into_iter().chain(cells));
    }
    let images: Vec<String> = rows
        .iter()
        .map(|(_, r)| r.protocol.images.to_string())
        .collect();
    let shared = images.iter().all(|n| *n == images[0]);
    format!(
        "{}\nAccuracy in percent with undisturbed weights{}.\n",
        table.markdown(),
        match shared {
            true => format!(", on {} test images", images[0]),
            false => String::new(),
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::page::testing::{point, result};

    /// Chips with places, each with images classified wrong.
    fn measured(chips: usize, wrong: &[usize]) -> ReadingResult {
        let mean = wrong.iter().sum::<usize>() as f64 / (100 * wrong.len()) as f64;
        let mut result = result(vec![ReadingPoint {
            wrong: wrong.to_vec(),
            robust_wrong: wrong.iter().map(|w| 100 - w).collect(),
            ..point(mean)
        }]);
        result.protocol.chips = chips;
        result.protocol.offsets = wrong.len() / chips;
        result
    }

    fn worse(one: &ReadingResult, other: &ReadingResult, show: Show) -> Option<bool> {
        is_worse((one, &one.points[0]), (other, &other.points[0]), show)
    }

    #[test]
    fn rates_that_differ_have_heads_that_differ() {
        let asked = [0.0, 1e-6, 1e-4, 0.001, 0.003, 0.01, 0.025, 0.02744];
        let heads = asked.map(asked_rate);
        let short = ["0", "1.0e-6", "0.01 %", "0.1 %", "0.3 %", "1 %", "2.5 %"];
        assert_eq!(heads[..7], short);
        assert_eq!(heads[7], "2.744e-2");
        assert_eq!(asked_rate(0.010001), "1.0001e-2");
        assert_eq!(asked_rate(1.04e-6), "1.04e-6");
    }

    #[test]
    fn a_lines_rows_are_named_by_their_codes_if_no_other_line_has_these() {
        let line = |rows: &[(&'static str, CodeName)]| Line {
            rows: rows.to_vec(),
            cells: Vec::new(),
        };
        let (none, in_place) = (CodeName::None, CodeName::Inplace64_57);
        let lines = [
            line(&[("a", none), ("b", none), ("c", in_place)]),
            line(&[("a, coded", CodeName::Secded72_64)]),
        ];
        assert_eq!(
            lines[0].rows_told_from(&lines),
            "code none or inplace-64-57"
        );
        assert_eq!(lines[1].rows_told_from(&lines), "code secded-72-64");
        // Two widths of one code have other counts.
        let lines = [line(&[("a", none), ("b", none)]), line(&[("c", none)])];
        assert_eq!(lines[0].rows_told_from(&lines), "a; b");
        assert_eq!(lines[1].rows_told_from(&lines), "c");
    }

    #[test]
    fn a_difference_counts_if_it_is_the_same_on_most_chips_and_places_are_no_chips() {
        let bad = [12, 13, 14, 15, 16, 17, 18, 19];
        let good = bad.map(|wrong| wrong - 2);
        let mixed = [20, 5, 22, 7, 24, 9, 26, 11];
        let (eight, better) = (measured(8, &bad), measured(8, &good));
        assert_eq!(worse(&eight, &better, Show::Accuracy), Some(true));
        assert_eq!(worse(&better, &eight, Show::Accuracy), Some(false));
        let mixed = measured(8, &mixed);
        assert_eq!(worse(&eight, &mixed, Show::Accuracy), Some(false));
        // Robust errors are compared by their own figures, which are the other way round here.
        assert_eq!(worse(&better, &eight, Show::RobustError), Some(true));
        // The same figures as places of one array are one chip, which says nothing.
        let chips = |chips| {
            worse(
                &measured(chips, &bad),
                &measured(chips, &good),
                Show::Accuracy,
            )
        };
        assert_eq!(chips(1), None);
        assert_eq!(chips(4), Some(true));
    }
}
