//! The score as text.

use super::battery::{Sign, Verdict};
use super::equivalence::Proof;
use super::store::Record;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Counts of mutants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// All.
    pub mutants: usize,
    /// Found by a test, timeouts included.
    pub killed: usize,
    /// Not found, and proven to be no mistake.
    pub equivalent: usize,
    /// By what they were found.
    pub signs: BTreeMap<Sign, usize>,
}

impl Score {
    /// Counts one result.
    pub fn add(&mut self, record: &Record) {
        self.mutants += 1;
        match &record.verdict {
            Verdict::Killed { by, .. } => {
                self.killed += 1;
                *self.signs.entry(*by).or_default() += 1;
            }
            Verdict::Survived => {
                self.equivalent += usize::from(record.proof == Some(Proof::Equivalent));
            }
        }
    }

    /// Counts all results of another score as well.
    pub fn join(&mut self, other: &Score) {
        self.mutants += other.mutants;
        self.killed += other.killed;
        self.equivalent += other.equivalent;
        for (sign, count) in &other.signs {
            *self.signs.entry(*sign).or_default() += count;
        }
    }

    /// Not found, and not proven to be no mistake.
    pub fn survived(&self) -> usize {
        self.mutants - self.killed - self.equivalent
    }

    /// Found by a proof about the module alone.
    pub fn proved(&self) -> usize {
        self.signs.get(&Sign::Proof).copied().unwrap_or_default()
    }

    /// Found among those that are mistakes, in percent.
    pub fn percent(&self) -> f64 {
        let mistakes = self.mutants - self.equivalent;
        match mistakes {
            0 => 100.0,
            _ => 100.0 * self.killed as f64 / mistakes as f64,
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        let signs: Vec<String> = self
            .signs
            .iter()
            .map(|(sign, count)| format!("{count} {sign:?}").to_lowercase())
            .collect();
        format!(
            "{:4} mutants, {:4} killed ({}), {} equivalent, {} survived: {:.1} %",
            self.mutants,
            self.killed,
            signs.join(", "),
            self.equivalent,
            self.survived(),
            self.percent()
        )
    }
}

/// The table of one subject's modules, and its survivors.
pub fn subject(name: &str, records: &[&Record]) -> String {
    let mut modules: BTreeMap<&str, Score> = BTreeMap::new();
    let mut all = Score::default();
    for record in records {
        modules.entry(&record.module).or_default().add(record);
        all.add(record);
    }
    let mut text = format!("{name}: {}\n", all.line());
    for (module, score) in &modules {
        let _ = writeln!(text, "  {module:34} {}", score.line());
    }
    for record in records.iter().filter(|r| r.verdict == Verdict::Survived) {
        let word = match record.proof {
            Some(Proof::Equivalent) => "equivalent",
            _ => "survived",
        };
        let _ = writeln!(
            text,
            "  {word}: {} {} line {} ({})\n    before: {}\n    after:  {}",
            record.number, record.module, record.line, record.mistake, record.before, record.after
        );
    }
    text
}
