//! A ledger as tables, plots and a page.

use super::figures;
use super::ledger::{Ledger, NetworkResult, ReadingPoint, ReadingResult};
use super::recipe::{Attack, Network, Reading, Study};
use crate::plot::{Axis, Plot, PlotPoint, Series};
use crate::table::Table;
use crate::train::percent;
use brownout_golden::evaluate::statistics::Interval;
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
        text += "\nEvery logit, counter and clock of these images was equal to the golden model's; a single difference would have ended the run.\n\n";
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
            let name = format!("{}/{}", reading.name, network.name);
            let result = &ledger.readings.get(&name)?.result;
            let text = match (&reading.label, group.readings.len()) {
                (_, 1) | (None, _) => label(network).to_owned(),
                (Some(own), _) => format!("{}, {own}", label(network)),
            };
            Some((text, result))
        })
    });
    found.collect()
}

/// Accuracies of networks at points; the best one of a point is bold, and those whose
/// interval reaches into its interval are marked.
fn reading_table(study: &Study, ledger: &Ledger, group: &Group<'_>) -> String {
    let rows = results(study, ledger, group);
    let Some((_, first)) = rows.first() else {
        return "Not measured yet.\n".to_owned();
    };
    let mut headers = vec!["network".to_owned()];
    headers.extend(first.points.iter().map(|point| format!(">{}", head(point))));
    let mut table = Table::new(&headers.iter().map(String::as_str).collect::<Vec<_>>());
    for (label, result) in &rows {
        let cells = result.points.iter().enumerate().map(|(index, point)| {
            let others = rows.iter().filter_map(|(_, r)| r.points.get(index));
            cell(point, others)
        });
        table.row([label.clone()].into_iter().chain(cells));
    }
    if first
        .points
        .iter()
        .any(|p| p.sram_energy_relative.is_some())
    {
        let cells = first.points.iter().map(|point| {
            let energy = point.sram_energy_relative;
            energy.map_or_else(String::new, |energy| format!("{energy:.3}"))
        });
        table.row(
            ["*energy of the weight memory*".to_owned()]
                .into_iter()
                .chain(cells),
        );
    }
    for (label, result) in rows
        .iter()
        .filter(|(_, r)| r.points.iter().any(|p| p.energy_uj.is_some()))
    {
        let cells = result.points.iter().map(|point| {
            let energy = point.energy_uj;
            energy.map_or_else(String::new, |energy| format!("{energy:.2} µJ"))
        });
        table.row(
            [format!("*energy of an image, {label}*")]
                .into_iter()
                .chain(cells),
        );
    }
    let protocol = &first.protocol;
    let memory = &protocol.memory;
    // What differs between rows is in their labels.
    let same = |of: fn(&ReadingResult) -> String| {
        let of_first = of(first);
        let all = rows.iter().all(|(_, result)| of(result) == of_first);
        if all {
            of_first
        } else {
            "as each row says".to_owned()
        }
    };
    format!(
        "{}\nAccuracy in percent, mean ± standard deviation over {} chips (seeds {} to {}), {} test images; \
         code: {}; policy: {}; faults in {} of {} x {} arrays. Bold: the best at a point; ≈: its 95 % interval \
         (bootstrap over chips) meets that of the best, the difference is not significant.\n",
        table.markdown(),
        protocol.chips,
        protocol.first_chip,
        protocol.first_chip + protocol.chips as u64 - 1,
        protocol.images,
        same(|r| r.protocol.memory.code.to_string()),
        same(|r| r.protocol.memory.policy.as_str().to_owned()),
        memory.exposure,
        memory.rows,
        memory.columns,
    )
}

fn cell<'a>(point: &ReadingPoint, all: impl Iterator<Item = &'a ReadingPoint>) -> String {
    let accuracy = 100.0 * (1.0 - point.error.mean);
    let text = match point.error.interval {
        None => format!("{accuracy:.2}"),
        Some(_) => format!("{accuracy:.2} ± {:.2}", 100.0 * point.error.std),
    };
    let best = all.min_by(|a, b| a.error.mean.total_cmp(&b.error.mean));
    match best {
        Some(best) if best.error.mean >= point.error.mean => format!("**{text}**"),
        Some(best) if meet(best.error.interval, point.error.interval) => format!("{text} ≈"),
        _ => text,
    }
}

fn meet(a: Option<Interval>, b: Option<Interval>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.low <= b.high && b.low <= a.high)
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
    let Some(entry) = ledger
        .attacks
        .get(&format!("{}/{}", attack.name, network.name))
    else {
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
        let cells = study
            .attacks
            .iter()
            .map(|attack| attack_cell(ledger, attack, network));
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
        ">images/s",
    ]);
    for (network, entry) in silicon(study, ledger) {
        let result = &entry.result;
        let images: usize = result.points.iter().map(|p| p.images).sum();
        let (rows, columns, _) = result.array;
        for point in &result.points {
            let busy = result.macs_per_image as f64 / (rows * columns) as f64;
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
                format!("{:.2}", images as f64 / entry.seconds),
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
            let name = format!("{}/{}", silicon.name, network.name);
            Some((network, ledger.silicon.get(&name)?))
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
        let Some(entry) = ledger.networks.get(&network.name) else {
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
                    "{} epochs, {} bits, {}, code {}",
                    done.epochs, done.weight_bits, done.quantizer, done.code
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
        let commit = entry.commit.as_ref().map_or("", |c| &c[..c.len().min(10)]);
        table.row([
            label(network).to_owned(),
            made,
            float,
            integer,
            images.to_string(),
            format!("{:.0} s", entry.seconds),
            commit.to_owned(),
        ]);
    }
    table
}

fn conditions(study: &Study, ledger: &Ledger, recipe: &Path) -> String {
    let name = recipe
        .file_name()
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let start = match study.start {
        Some(_) => " --start FILE",
        None => "",
    };
    let mut commits: Vec<&str> = (ledger.readings.values().map(|e| e.commit.as_deref()))
        .chain(ledger.attacks.values().map(|e| e.commit.as_deref()))
        .chain(ledger.silicon.values().map(|e| e.commit.as_deref()))
        .flatten()
        .map(|commit| &commit[..commit.len().min(10)])
        .collect();
    commits.sort_unstable();
    commits.dedup();
    let seconds: f64 = (ledger.readings.values().map(|e| e.seconds))
        .chain(ledger.attacks.values().map(|e| e.seconds))
        .chain(ledger.silicon.values().map(|e| e.seconds))
        .sum();
    format!(
        "\n## Conditions\n\nMade by `brownout study {name} --data SOURCE{start}` from `{name}`, which holds every \
         setting; images: {}; measured in {seconds:.0} s at commit {}. `{}` holds every figure; what is in it is \
         not done again.\n",
        ledger.data.as_deref().unwrap_or("none yet"),
        commits.join(", "),
        super::ledger::FILE,
    )
}
