//! The page: plots, tables, and for each file what it was made with. Texts are escaped by the
//! templates, plots escape their own.

use super::documents::{Attack, Document, Evaluation, Simulation, Training};
use super::facts::{self, Fact};
use super::folder::{Folder, ResultFile};
use super::plots::{self, Captioned};
use super::tables::{self, Table};
use crate::provenance;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
/// Rows of a table that are shown.
const MOST_ROWS: usize = 1000;

/// The results of a folder by their kind, in the order of names.
#[derive(Default)]
struct Sorted<'a> {
    evaluations: Vec<(&'a ResultFile, &'a Evaluation)>,
    simulations: Vec<(&'a ResultFile, &'a Simulation)>,
    attacks: Vec<(&'a ResultFile, &'a Attack)>,
    trainings: Vec<(&'a ResultFile, &'a Training)>,
}

/// The page of a folder.
pub fn render(folder: &Folder) -> String {
    let sorted = Sorted::of(folder);
    let title = format!("Results in {}", folder.name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main {
                h1 { (title) }
                (summary(folder, &sorted))
                (accuracy(folder, &sorted))
                (attack(&sorted))
                (training(folder, &sorted))
                (origins(folder))
                (not_understood(folder))
                footer { (footer()) }
            } }
        }
    };
    harmless(&page.into_string())
}

/// A page without control characters, which foreign text can hold and which HTML does not allow.
fn harmless(page: &str) -> String {
    let is_harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    let harmless = |c| if is_harmless(c) { c } else { '\u{fffd}' };
    page.chars().map(harmless).collect()
}

impl<'a> Sorted<'a> {
    fn of(folder: &'a Folder) -> Self {
        let mut sorted = Self::default();
        for file in &folder.files {
            match &file.document {
                Document::Evaluation(document) => sorted.evaluations.push((file, document)),
                Document::Simulation(document) => sorted.simulations.push((file, document)),
                Document::Attack(document) => sorted.attacks.push((file, document)),
                Document::Training(document) => sorted.trainings.push((file, document)),
            }
        }
        sorted
    }

    /// Logits compared and images that differed, of all co-simulations.
    fn compared(&self) -> (u64, u64) {
        let sum = |of: fn(&Simulation) -> u64| {
            let counts = self.simulations.iter().map(|(_, s)| of(s));
            counts.fold(0, u64::saturating_add)
        };
        (sum(|s| s.logits_compared), sum(|s| s.mismatches))
    }
}

fn summary(folder: &Folder, sorted: &Sorted<'_>) -> Markup {
    let counts = [
        ("of evaluations", sorted.evaluations.len()),
        ("of co-simulations", sorted.simulations.len()),
        ("of attacks", sorted.attacks.len()),
        ("of trainings", sorted.trainings.len()),
        ("not understood", folder.not_understood.len()),
    ];
    let (logits, mismatches) = sorted.compared();
    html! {
        ul.summary {
            li { "Files:" }
            @for (what, count) in counts {
                @if count > 0 { li { strong { (count) } " " (what) } }
            }
        }
        @if logits > 0 {
            p.alarm[mismatches > 0] {
                "Golden model vs RTL: " (logits) " logits compared, " (mismatches) " mismatches."
            }
        }
    }
}

fn accuracy(folder: &Folder, sorted: &Sorted<'_>) -> Markup {
    if sorted.evaluations.is_empty() && sorted.simulations.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Accuracy of a failing memory" }
            @for plot in plots::accuracies(folder) { (figure(&plot)) }
            @if !sorted.evaluations.is_empty() {
                h3 { "Evaluations" }
                p { "Each row is a mean over chips. RErr: share of images wrong with disturbed or \
                     undisturbed weights. Corrected and detected: words a reading of all weights; \
                     silently wrong: those corrected into another word, or read as clean. \
                     SRAM energy: relative to nominal voltage without a code." }
                @for (file, document) in &sorted.evaluations {
                    (table(&tables::evaluation(file, document)))
                }
            }
            @if !sorted.simulations.is_empty() {
                h3 { "Co-simulations" }
                p { "Each row is one chip in the generated hardware. Corrected and detected: words \
                     an image; silently wrong: those corrected into another word, or read as \
                     clean." }
                @for (file, document) in &sorted.simulations {
                    (table(&tables::simulation(file, document)))
                }
            }
        }
    }
}

fn attack(sorted: &Sorted<'_>) -> Markup {
    if sorted.attacks.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Attacks" }
            @if let Some(plot) = plots::flips(sorted.attacks.iter().copied()) { (figure(&plot)) }
            (table(&tables::attacks(&sorted.attacks)))
        }
    }
}

fn training(folder: &Folder, sorted: &Sorted<'_>) -> Markup {
    if sorted.trainings.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Trainings" }
            @if let Some(plot) = plots::losses(folder) { (figure(&plot)) }
            (table(&tables::trainings(&sorted.trainings)))
        }
    }
}

/// What each result was made with.
fn origins(folder: &Folder) -> Markup {
    html! {
        section {
            h2 { "Configuration and provenance" }
            @for file in &folder.files {
                details {
                    summary { (file.name) }
                    dl {
                        @for (name, value) in origin(&file.document) {
                            dt { (name) }
                            dd { (value) }
                        }
                    }
                    @if let Document::Attack(attack) = &file.document {
                        (table(&tables::single_attacks(attack)))
                    }
                }
            }
        }
    }
}

fn origin(document: &Document) -> Vec<Fact> {
    match document {
        Document::Evaluation(e) => {
            let mut facts = facts::of("", &e.provenance);
            facts.extend(facts::of("protocol", &e.protocol));
            facts
        }
        Document::Attack(a) => {
            let mut facts = facts::of("", &a.provenance);
            facts.extend(facts::of("memory", &a.memory));
            facts.extend(facts::of("settings", &a.settings));
            facts
        }
        Document::Training(t) => facts::of("", &t.rest),
        Document::Simulation(s) => {
            let mut facts = facts::of("", &s.provenance);
            for (name, group) in [
                ("golden_accuracy", &s.golden_accuracy),
                ("training", &s.training),
            ] {
                let group = group.iter().flat_map(|group| facts::of(name, group));
                facts.extend(group);
            }
            facts
        }
    }
}

fn not_understood(folder: &Folder) -> Markup {
    if folder.not_understood.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Not understood" }
            ul {
                @for file in &folder.not_understood {
                    li { code { (file.name) } ": " (file.reason) }
                }
            }
        }
    }
}

fn footer() -> Markup {
    html! {
        "Made by brownout " (env!("CARGO_PKG_VERSION"))
        @if let Some(commit) = provenance::commit() { ", commit " code { (commit) } }
        "."
    }
}

fn figure(captioned: &Captioned) -> Markup {
    // Inside a page the name of SVG's elements goes without saying.
    let svg = captioned.plot.svg();
    let svg = svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
    html! {
        figure {
            div.scroll { (PreEscaped(svg)) }
            figcaption { (captioned.caption) }
        }
    }
}

fn table(table: &Table) -> Markup {
    let is_number = |header: &str| header.starts_with('>');
    let more = table.rows.len().saturating_sub(MOST_ROWS);
    html! {
        figure {
            figcaption { (table.caption) }
            div.scroll { table {
                thead { tr {
                    @for header in &table.headers {
                        th scope="col" .number[is_number(header)] { (header.trim_start_matches('>')) }
                    }
                } }
                tbody {
                    @for row in table.rows.iter().take(MOST_ROWS) {
                        tr {
                            @for (cell, header) in row.iter().zip(&table.headers) {
                                td.number[is_number(header)] { (cell) }
                            }
                        }
                    }
                }
            } }
        }
        @if more > 0 { p { (more) " more rows are in the file." } }
    }
}
