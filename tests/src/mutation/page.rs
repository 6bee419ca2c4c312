//! What `tests/mutants.md` says, held against the results.
//!
//! The page explains the survivors, which only a reader can; its figures and
//! its lists of survivors are not written by hand but copied, and compared here.

use super::battery::Verdict;
use super::equivalence::Proof;
use super::report::Score;
use super::store::Record;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What a line about a survivor begins with.
const SURVIVOR: &str = "- `";

/// The table of all accelerators, and of all together.
pub fn table(scores: &[(&str, Score)]) -> String {
    let mut text = String::from(
        "| accelerator | mutants | found by simulation | by a proof | no mistake | survived | score |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let mut all = Score::default();
    for (name, score) in scores {
        all.join(score);
        text.push_str(&row(name, score));
    }
    text.push_str(&row("all", &all));
    text
}

fn row(name: &str, score: &Score) -> String {
    let Score {
        mutants,
        killed,
        equivalent,
        ..
    } = score;
    let (proved, survived) = (score.proved(), score.survived());
    let simulated = killed - proved;
    format!(
        "| {name} | {mutants} | {simulated} | {proved} | {equivalent} | {survived} | {:.1} % |\n",
        score.percent()
    )
}

/// A line for each survivor.
pub fn survivors(name: &str, records: &[&Record]) -> Vec<String> {
    let survived =
        |r: &&&Record| r.verdict == Verdict::Survived && r.proof != Some(Proof::Equivalent);
    let line = |r: &&Record| {
        let after = match r.after.is_empty() {
            true => "left out".to_string(),
            false => format!("`{}`", r.after),
        };
        let (number, module, before) = (r.number, &r.module, &r.before);
        format!(
            "{SURVIVOR}{name}` {number}, `{module}` line {}: `{before}` → {after}",
            r.line
        )
    };
    records.iter().filter(survived).map(line).collect()
}

/// Where a page disagrees with the results, in sentences.
pub fn disagreements(page: &str, table: &str, survivors: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if !page.contains(table) {
        found.push(format!("its table should be\n{table}"));
    }
    let listed: BTreeSet<&str> = page.lines().filter(|l| l.starts_with(SURVIVOR)).collect();
    let expected: BTreeSet<&str> = survivors.iter().map(String::as_str).collect();
    for line in expected.difference(&listed) {
        found.push(format!("a survivor is missing:\n{line}"));
    }
    for line in listed.difference(&expected) {
        found.push(format!("this is no survivor:\n{line}"));
    }
    found
}

/// Where the lists of a page do not have as many lines as its own table counts, in sentences.
pub fn miscounts(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let survived = cells.get(6)?.parse::<usize>().ok()?;
        (cells[1] != "all").then(|| (cells[1].to_string(), survived))
    });
    let mut any = false;
    for (name, survived) in rows {
        any = true;
        let start = format!("{SURVIVOR}{name}`");
        let listed = page.lines().filter(|l| l.starts_with(&start)).count();
        if listed != survived {
            let mut text = String::new();
            let _ = write!(text, "{name}: {survived} survived and {listed} are listed");
            found.push(text);
        }
    }
    if !any {
        found.push("it has no table".to_string());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::subjects;

    const PAGE: &str = include_str!("../../mutants.md");

    #[test]
    fn the_page_lists_every_survivor_that_its_table_counts() {
        assert_eq!(miscounts(PAGE), Vec::<String>::new());
        for subject in subjects() {
            let row = format!("| {} | {} |", subject.name, subject.plan.count);
            assert!(PAGE.contains(&row), "no row begins with {row}");
        }
        let line = PAGE.lines().find(|l| l.starts_with(SURVIVOR));
        let line = line.expect("some mutant survived");
        let without = PAGE.replace(line, "");
        assert_eq!(miscounts(&without).len(), 1);
    }

    #[test]
    fn a_wrong_figure_and_a_missing_or_invented_survivor_are_found() {
        let score = Score {
            mutants: 10,
            killed: 8,
            equivalent: 1,
            ..Score::default()
        };
        let table = table(&[("x", score)]);
        let lines = ["- `x` 3, `m` line 1: `a` → `b`".to_string()];
        let page = format!("# Page\n\n{table}\n{}\n", lines[0]);
        assert!(table.contains("| x | 10 | 8 | 0 | 1 | 1 | 88.9 % |"));
        assert_eq!(disagreements(&page, &table, &lines), Vec::<String>::new());
        let wrong = page.replace("88.9", "98.9");
        assert_eq!(disagreements(&wrong, &table, &lines).len(), 1);
        assert_eq!(disagreements(&page, &table, &[]).len(), 1);
        let without = page.replace(&lines[0], "");
        assert_eq!(disagreements(&without, &table, &lines).len(), 1);
    }
}
