//! A ledger as tables, plots and a page.

use super::figures;
use super::keys;
use super::ledger::{Ledger, NetworkResult, ReadingPoint, ReadingResult};
use super::recipe::{Attack, Network, Reading, Study};
use crate::plot::{Axis, Plot, PlotPoint, Series};
use crate::table::Table;
use crate::train::percent;
use brownout_golden::evaluate::statistics::Bootstrap;
use std::fmt::Write;
use std::path::Path;

/// The page's file.
pub const PAGE: &str = "README.md";
const READINGS: &str = "readings.csv";
const ATTACKS: &str = "attacks.csv";
const SILICON: &str = "silicon.csv";

/// All files by their names; the page is the first.
pub fn render(study: &Study, ledger: &Ledger, recipe: &Path) -> Vec<(String, String)> {
    let mut files = vec![(PAGE.to_owned(), page(study, ledger, recipe))];
    for group in groups(study) {
        let text = plot(study, ledger, &group).svg();
        files.push((format!("{}.svg", group.file), text));
    }
    let tables = [
        (
            READINGS,
            figures::readings(study, ledger),
            study.readings.is_empty(),
        ),
        (
            ATTACKS,
            figures::attacks(study, ledger),
            study.attacks.is_empty(),
        ),
        (
            SILICON,
            figures::silicon(study, ledger),
            study.silicon.is_empty(),
        ),
    ];
    let tables = tables.into_iter().filter(|(.., empty)| !empty);
    files.extend(tables.map(|(name, table, _)| (name.to_owned(), table.csv())));
    files
}

fn page(study: &Study, ledger: &Ledger, recipe: &Path) -> String {
    let mut text = format!("# {}\n\n{}\n\n", study.title, study.question.trim());
    if !study.findings.trim().is_empty() {
        let _ = write!(text, "## Findings\n\n{}\n\n", study.findings.trim());
    }
    for group in groups(study) {
        let Group { title, file, .. } = group;
        let _ = write!(text, "## {title}\n\n");
        text += &reading_table(study, ledger, &group);
        let _ = write!(text, "\n![{title}]({file}.svg)\n\n");
    }
    if !study.attacks.is_empty() {
        text += "## Attacks\n\n";
        text += &attacks_table(study, ledger);
        text += "\nN_flip, the number of inverted cells: mean (least to most); with the attacks that reached their aim where not all did.\n\n";
    }
    if !study.silicon.is_empty() {
        text += "## On simulated hardware\n\n";
        text += &silicon_table(study, ledger);
        text += "\nDifferences: images whose logits, counters or clocks were not the golden model's; one ends a study. The persistent faults are those of one chip, which is one sample. Energy: all on-chip memories and the array. Simulated images/s: what Verilator's model does on the machine's threads, not what hardware does.\n\n";
    }
    text += "## Networks\n\n";
    text += &networks_table(study, ledger).markdown();
    text += &conditions(study, ledger, recipe);
    text
}

/// What identifies a point in a table's head.
fn head(point: &ReadingPoint) -> String {
    if let Some(voltage) = point.voltage_mv {
        return format!("{voltage} mV");
    }
    if let Some(profile) = &point.profile {
        return profile.clone();
    }
    rate(point.rate.unwrap_or(point.rate_applied))
}

/// A rate as people write it.
fn rate(rate: f64) -> String {
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

/// What tables call a network.
pub(super) fn label(network: &Network) -> &str {
    network.label.as_ref().unwrap_or(&network.name)
}

/// Readings that are shown in one table and one plot.
struct Group<'a> {
    title: &'a str,
    /// Name of the plot's file, without its ending.
    file: &'a str,
    readings: Vec<&'a Reading>,
}

/// All readings: those with the same title are together.
fn groups(study: &Study) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for reading in &study.readings {
        let own = reading.label.as_ref().unwrap_or(&reading.name);
        let title = reading.table.as_ref().unwrap_or(own);
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.readings.push(reading),
            None => groups.push(Group {
                title,
                file: &reading.name,
                readings: vec![reading],
            }),
        }
    }
    groups
}

/// Results of a group by their labels, in the order of the study.
fn results<'a>(
    study: &'a Study,
    ledger: &'a Ledger,
    group: &Group<'a>,
) -> Vec<(String, &'a ReadingResult)> {
    let found = group.readings.iter().flat_map(|reading| {
        study.chosen(&reading.networks).filter_map(|network| {
            let entry = ledger.readings.get(&keys::name(&reading.name, network))?;
            let result = &entry.result;
            let text = match (&reading.label, group.readings.len()) {
                (_, 1) | (None, _) => label(network).to_owned(),
                (Some(own), _) => format!("{}, {own}", label(network)),
            };
            Some((text, result))
        })
    });
    found.collect()
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
    fn best(&self, at: &str) -> Option<(&'a ReadingResult, &'a ReadingPoint)> {
        let points = self.rows.iter().filter_map(|(_, result)| {
            let point = result.points.iter().find(|p| head(p) == at)?;
            Some((*result, point))
        });
        let disturbed = points.clone().any(|(_, p)| p.counters.flipped_bits > 0);
        let best = points.min_by(|a, b| a.1.error.mean.total_cmp(&b.1.error.mean));
        best.filter(|_| disturbed)
    }

    /// What all rows share, or that they do not.
    fn shared(&self, of: impl Fn(&ReadingResult) -> String) -> String {
        let mut all: Vec<String> = self.rows.iter().map(|(_, result)| of(result)).collect();
        all.dedup();
        match &all[..] {
            [one] => one.clone(),
            _ => "as each row says".to_owned(),
        }
    }
}

/// Accuracies of networks at points; the best one of a point is bold, and those that are not
/// significantly worse are marked.
fn reading_table(study: &Study, ledger: &Ledger, group: &Group<'_>) -> String {
    let rows = Rows::new(results(study, ledger, group));
    if rows.rows.is_empty() {
        return "Not measured yet.\n".to_owned();
    }
    let heads = rows.heads.iter().map(|head| format!(">{head}"));
    let headers: Vec<String> = ["network".to_owned()].into_iter().chain(heads).collect();
    let mut table = Table::new(&headers.iter().map(String::as_str).collect::<Vec<_>>());
    for (label, result) in &rows.rows {
        let cells = rows.cells(result, |head, point| cell(result, point, rows.best(head)));
        table.row([label.clone()].into_iter().chain(cells));
    }
    // Each with the labels of the rows that it is about.
    type Price = (&'static str, fn(&ReadingPoint) -> Option<String>);
    let prices: [Price; 2] = [
        ("energy of the weight memory", |p| {
            Some(format!("{:.3}", p.sram_energy_relative?))
        }),
        ("energy of an image", |p| {
            Some(format!("{:.2} µJ", p.energy_uj?))
        }),
    ];
    for (what, price) in prices {
        let mut lines: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
        for (label, result) in &rows.rows {
            let cells = rows.cells(result, |_, point| price(point).unwrap_or_default());
            match lines.iter_mut().find(|(_, other)| *other == cells) {
                Some((labels, _)) => labels.push(label),
                None => lines.push((vec![label], cells)),
            }
        }
        lines.retain(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
        for (labels, cells) in lines {
            let of = match labels.len() == rows.rows.len() {
                true => String::new(),
                false => format!(": {}", labels.join("; ")),
            };
            table.row([format!("*{what}{of}*")].into_iter().chain(cells));
        }
    }
    format!("{}\n{}", table.markdown(), note(&rows))
}

/// How the figures of a table were measured.
fn note(rows: &Rows<'_>) -> String {
    let seeds = |result: &ReadingResult| {
        let protocol = &result.protocol;
        let last = protocol
            .first_chip
            .saturating_add(protocol.chips as u64)
            .saturating_sub(1);
        format!(
            "{} chips (seeds {} to {last})",
            protocol.chips, protocol.first_chip
        )
    };
    format!(
        "Accuracy in percent, mean ± standard deviation over chips. Chips: {}; test images: {}; code: {}; policy: {}; \
         faults: {}, in {} of {} arrays; arithmetic: {}. Bold: the best at a point with faults; ≈: not significantly worse, \
         since the 95 % interval of the difference (bootstrap over the same chips) contains zero. Differences between networks \
         are also subject to the choice of test images, which these intervals do not contain.\n",
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
    result: &ReadingResult,
    point: &ReadingPoint,
    best: Option<(&ReadingResult, &ReadingPoint)>,
) -> String {
    let accuracy = 100.0 * (1.0 - point.error.mean);
    let text = match point.counters.flipped_bits {
        0 => format!("{accuracy:.2}"),
        _ => format!("{accuracy:.2} ± {:.2}", 100.0 * point.error.std),
    };
    match best {
        Some((_, best)) if best.error.mean >= point.error.mean => format!("**{text}**"),
        Some((of, best)) if !is_worse((result, point), (of, best)) => format!("{text} ≈"),
        _ => text,
    }
}

/// Whether a result is significantly worse than another at one point: by the differences of the
/// same chips, else by intervals that do not meet.
fn is_worse(
    (result, point): (&ReadingResult, &ReadingPoint),
    (other, better): (&ReadingResult, &ReadingPoint),
) -> bool {
    let (a, b) = (&result.protocol, &other.protocol);
    let same_chips = (a.first_chip, a.chips, a.offsets, a.images)
        == (b.first_chip, b.chips, b.offsets, b.images)
        && point.wrong.len() == better.wrong.len();
    if same_chips && point.wrong.len() > 1 {
        let pairs = point.wrong.iter().zip(&better.wrong);
        let differences: Vec<f64> = pairs.map(|(a, b)| *a as f64 - *b as f64).collect();
        return Bootstrap::default().interval_of_mean(&differences).low > 0.0;
    }
    match (point.error.interval, better.error.interval) {
        (Some(point), Some(better)) => better.high < point.low,
        // One chip says nothing about others.
        _ => false,
    }
}

fn plot(study: &Study, ledger: &Ledger, group: &Group<'_>) -> Plot {
    let rows = results(study, ledger, group);
    let supplies = rows.iter().flat_map(|(_, r)| &r.points);
    let voltages = supplies.clone().any(|p| p.voltage_mv.is_some());
    let series = rows.iter().map(|(label, result)| Series {
        label: label.clone(),
        points: (result.points.iter().map(|point| PlotPoint {
            x: match point.voltage_mv {
                Some(voltage) => f64::from(voltage),
                None => point.rate.unwrap_or(point.rate_applied),
            },
            y: 100.0 * (1.0 - point.error.mean),
            interval: (point.error.interval)
                .map(|i| (100.0 * (1.0 - i.high), 100.0 * (1.0 - i.low))),
        }))
        .collect(),
    });
    Plot {
        title: group.title.to_owned(),
        x_label: match voltages {
            true => "supply voltage of the weight memory, mV".to_owned(),
            false => "share of faulty cells".to_owned(),
        },
        y_label: "accuracy, %".to_owned(),
        x_axis: match voltages {
            true => Axis::Linear,
            false => Axis::Log,
        },
        series: series.collect(),
    }
}

fn attack_cell(ledger: &Ledger, attack: &Attack, network: &Network) -> String {
    let asked = attack
        .networks
        .as_ref()
        .is_none_or(|n| n.contains(&network.name));
    let entry = ledger.attacks.get(&keys::name(&attack.name, network));
    let Some(entry) = entry.filter(|_| asked) else {
        return String::new();
    };
    let result = &entry.result;
    let flips = result.n_flip.map_or_else(String::new, |n| {
        format!("{:.1} ({} to {})", n.mean, n.least, n.most)
    });
    match result.succeeded == result.attacks {
        true => flips,
        false => format!("{flips}, {} of {}", result.succeeded, result.attacks),
    }
}

fn attacks_table(study: &Study, ledger: &Ledger) -> String {
    let mut headers = vec!["network".to_owned()];
    let labels = study
        .attacks
        .iter()
        .map(|a| a.label.as_ref().unwrap_or(&a.name));
    headers.extend(labels.map(|label| format!(">{label}")));
    let mut table = Table::new(&headers.iter().map(String::as_str).collect::<Vec<_>>());
    for network in &study.networks {
        let cells = study.attacks.iter();
        let cells: Vec<String> = cells
            .map(|attack| attack_cell(ledger, attack, network))
            .collect();
        if cells.iter().all(String::is_empty) {
            continue;
        }
        table.row([label(network).to_owned()].into_iter().chain(cells));
    }
    table.markdown()
}

fn silicon_table(study: &Study, ledger: &Ledger) -> String {
    let mut table = Table::new(&[
        "network",
        "code",
        ">voltage",
        ">images",
        ">accuracy",
        ">logits compared",
        ">differences",
        ">clocks an image",
        ">utilization",
        ">energy an image",
        ">simulated images/s",
    ]);
    for (network, entry) in silicon(study, ledger) {
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
                point.images.to_string(),
                percent(point.accuracy_rtl),
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
                format!("{:.2}", images / entry.seconds),
            ]);
        }
    }
    table.markdown()
}

/// Results on simulated hardware, in the order of the study.
pub(super) fn silicon<'a>(
    study: &'a Study,
    ledger: &'a Ledger,
) -> impl Iterator<
    Item = (
        &'a Network,
        &'a super::ledger::Entry<super::ledger::SiliconResult>,
    ),
> {
    study.silicon.iter().flat_map(move |silicon| {
        study.chosen(&silicon.networks).filter_map(move |network| {
            let entry = ledger.silicon.get(&keys::name(&silicon.name, network))?;
            Some((network, entry))
        })
    })
}

fn networks_table(study: &Study, ledger: &Ledger) -> Table {
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
                    "{} epoch{}, {} bits, {}, code {}",
                    done.epochs,
                    if done.epochs == 1 { "" } else { "s" },
                    done.weight_bits,
                    done.quantizer,
                    done.code
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

fn conditions(study: &Study, ledger: &Ledger, recipe: &Path) -> String {
    let name = recipe.file_name().unwrap_or_default().to_string_lossy();
    let start = match study.start {
        Some(_) => " --start FILE",
        None => "",
    };
    let mut made: Vec<(String, f64)> = Vec::new();
    for reading in &study.readings {
        let found = study.chosen(&reading.networks);
        let found = found.filter_map(|n| ledger.readings.get(&keys::name(&reading.name, n)));
        made.extend(found.map(|e| (e.short_commit(), e.seconds)));
    }
    for attack in &study.attacks {
        let found = study.chosen(&attack.networks);
        let found = found.filter_map(|n| ledger.attacks.get(&keys::name(&attack.name, n)));
        made.extend(found.map(|e| (e.short_commit(), e.seconds)));
    }
    made.extend(silicon(study, ledger).map(|(_, e)| (e.short_commit(), e.seconds)));
    let seconds: f64 = made.iter().map(|(_, seconds)| seconds).sum();
    let mut commits: Vec<String> = made.into_iter().map(|(commit, _)| commit).collect();
    commits.sort_unstable();
    commits.dedup();
    format!(
        "\n## Conditions\n\nMade by `brownout study {name} --data SOURCE{start}` from `{name}`, which holds every \
         setting; images: {}; measured in {seconds:.0} s, at commit {}. `{}` holds every figure; what is in it is \
         not done again.\n",
        ledger.data.as_deref().unwrap_or("none yet"),
        commits.join(", "),
        super::ledger::FILE,
    )
}
