//! A ledger as tables, plots and a page.

mod attacks;
mod groups;
mod hardware;
mod networks;
mod plots;
mod readings;
mod savings;
#[cfg(test)]
mod testing;

use super::figures;
use super::ledger::{FILE, Ledger};
use super::recipe::{Network, Show, Study};
use groups::{groups, looks, results};
use std::fmt::Write;
use std::path::Path;

/// The page's file.
pub const PAGE: &str = "README.md";
/// Figures of readings.
pub const READINGS: &str = "readings.csv";
/// Figures of attacks.
pub const ATTACKS: &str = "attacks.csv";
/// Figures of co-simulations.
pub const SILICON: &str = "silicon.csv";

/// All files by their names; the page is the first.
pub fn render(study: &Study, ledger: &Ledger, recipe: &Path) -> Vec<(String, String)> {
    let mut files = vec![(PAGE.to_owned(), page(study, ledger, recipe))];
    let looks = looks(study, ledger);
    for group in groups(study).iter().filter(|g| g.show != Show::Classes) {
        for (name, plot) in plots::plots(study, ledger, group, &looks) {
            files.push((format!("{name}.svg"), plot.svg()));
        }
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

/// What rows have in common, or all the different things that they have.
fn one_or_all(rows: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for text in rows {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all.join(" or ")
}

fn page(study: &Study, ledger: &Ledger, recipe: &Path) -> String {
    let mut text = format!("# {}\n\n{}\n\n", study.title, study.question.trim());
    if !study.findings.trim().is_empty() {
        let _ = write!(text, "## Findings\n\n{}\n\n", study.findings.trim());
    }
    for group in groups(study) {
        let title = group.title;
        let _ = write!(text, "## {title}\n\n");
        text += &match group.show {
            Show::Classes => readings::classes(study, ledger, &group),
            Show::Accuracy | Show::RobustError => readings::table(study, ledger, &group),
        };
        text += "\n";
        if group.show != Show::Classes {
            for name in plots::names(&results(study, ledger, &group), &group) {
                let _ = write!(text, "![{title}]({name}.svg)\n\n");
            }
            let savings = savings::table(study, ledger, &group);
            if !savings.is_empty() {
                text += &savings;
                text += "\n";
            }
        }
    }
    if !study.attacks.is_empty() {
        text += "## Attacks\n\n";
        text += &attacks::table(study, ledger);
    }
    if !study.silicon.is_empty() {
        text += "## On simulated hardware\n\n";
        text += &hardware::table(study, ledger);
        text += "\nDifferences: images whose logits, counters or clocks were not the golden model's; one ends a study. The persistent faults are those of one chip, which is one sample. Utilization: multiplications of the network over those that the array could do in these clocks. Energy: all on-chip memories and the array. Simulated images/s: what Verilator's model did in all runs of a network together, or the engine where images ran side by side, not what hardware does.\n\n";
    }
    text += "## Networks\n\n";
    text += &networks::table(study, ledger, recipe).markdown();
    text += &conditions(study, ledger, recipe);
    text
}

/// What tables call a network.
pub fn label(network: &Network) -> &str {
    network.label.as_ref().unwrap_or(&network.name)
}

fn conditions(study: &Study, ledger: &Ledger, recipe: &Path) -> String {
    let name = recipe.file_name().unwrap_or_default().to_string_lossy();
    let start = match study.start {
        Some(_) => " --start FILE",
        None => "",
    };
    // The ledger holds no more than what the study names.
    let made: Vec<(String, f64)> = (ledger.readings.values())
        .map(|e| (e.short_commit(), e.seconds))
        .chain(
            ledger
                .attacks
                .values()
                .map(|e| (e.short_commit(), e.seconds)),
        )
        .chain(
            ledger
                .silicon
                .values()
                .map(|e| (e.short_commit(), e.seconds)),
        )
        .collect();
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
        FILE,
    )
}
