//! Which signals to show first, in groups by the parts of the accelerator.
//!
//! Parts are found by the names of their instances, and what is in them is whatever the waveform
//! has there: so no list of signals can be older than the design. A part that is not there is an
//! error.

use super::contents::{Contents, Signal};
use thiserror::Error;

/// How the name of what nobody reads begins.
const UNUSED: &str = "unused_";

/// How the name of what a register takes ends.
const TAKEN: &str = "_d";

/// Signals that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its signals.
    pub signals: Vec<Signal>,
}

/// The design has no such part.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the waveform has no signals of the accelerator's part `{0}`")]
pub struct MissingPart(pub String);

/// The groups of an accelerator's waveform, for the column that computed a value.
///
/// # Errors
/// When the waveform is none of an accelerator.
pub fn groups(contents: &Contents, column: usize) -> Result<Vec<Group>, MissingPart> {
    // The simulator's own scope, and in it the design.
    let outer = contents.signals.first().map(|s| s.scopes.clone());
    let outer = outer.ok_or_else(|| MissingPart("top".into()))?;
    let top = contents
        .signals
        .iter()
        .map(|s| &s.scopes)
        .find(|scopes| scopes.len() > outer.len())
        .ok_or_else(|| MissingPart("top".into()))?;
    let design = Design { contents, top };
    let host = contents.of(&outer).cloned().collect();
    let part = |name: &str| design.part(&[name]);
    let lane = |name: &str| Ok(of_lane(part(name)?, column));
    let in_column = |parts: &[&str]| design.column(column, parts);
    let group = |name: String, parts: Vec<Vec<Signal>>| Group {
        name,
        signals: parts.concat(),
    };
    Ok(vec![
        group("host".into(), vec![host]),
        group(
            "sequencer".into(),
            vec![part("sequencer")?, part("descriptor")?],
        ),
        group(
            "weight path".into(),
            vec![lane("weight_path")?, lane("spread")?],
        ),
        group("array".into(), vec![lane("array")?]),
        group(
            format!("accumulators, column {column}"),
            vec![in_column(&[])?, in_column(&["accumulator"])?],
        ),
        group(
            format!("requantizer, column {column}"),
            vec![in_column(&["requantizer"])?],
        ),
        group("buffers".into(), vec![lane("buffers")?, lane("writer")?]),
        group("results".into(), vec![part("results")?]),
    ])
}

struct Design<'a> {
    contents: &'a Contents,
    top: &'a [String],
}

impl Design<'_> {
    /// The signals that stand directly in a part of the design, by the names on the way to it.
    fn part(&self, names: &[&str]) -> Result<Vec<Signal>, MissingPart> {
        let names = names.iter().map(|&name| name.to_owned());
        let scopes: Vec<_> = self.top.iter().cloned().chain(names).collect();
        let shown = self.contents.of(&scopes).filter(|s| is_shown(s));
        let signals: Vec<_> = shown.cloned().collect();
        match signals.is_empty() {
            true => Err(MissingPart(scopes[self.top.len()..].join("."))),
            false => Ok(signals),
        }
    }

    /// The same of a part of a column, which stands alone with its number or in a loop.
    fn column(&self, column: usize, parts: &[&str]) -> Result<Vec<Signal>, MissingPart> {
        let alone = format!("column_{column}");
        let turn = format!("gen_column[{column}]");
        let ways = [
            [&["columns", &alone][..], parts].concat(),
            [&["columns", &turn, "column"][..], parts].concat(),
        ];
        ways.iter()
            .find_map(|way| self.part(way).ok())
            .ok_or_else(|| MissingPart([&["columns", &alone][..], parts].concat().join(".")))
    }
}

/// Whether it says something: constants have names in capitals, and what a register takes is what
/// it gives a clock later.
fn is_shown(signal: &Signal) -> bool {
    let name = &signal.name;
    let is_constant = !name.contains(|c: char| c.is_ascii_lowercase());
    !is_constant && !name.starts_with(UNUSED) && !name.ends_with(TAKEN)
}

/// Of signals with a number, those of one lane.
fn of_lane(signals: Vec<Signal>, lane: usize) -> Vec<Signal> {
    let number_of = |signal: &Signal| {
        let parts = signal.name.split(['_', '[', ']']);
        let numbers = parts.map(|part| part.trim_start_matches(['r', 'c']));
        numbers.filter_map(|part| part.parse().ok()).next_back()
    };
    let belongs = |signal: &Signal| number_of(signal).is_none_or(|number: usize| number == lane);
    signals.into_iter().filter(belongs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(parts: &[(&str, &str)]) -> Contents {
        let signal = |(path, name): &(&str, &str)| Signal {
            scopes: path.split('.').map(str::to_owned).collect(),
            name: (*name).to_owned(),
            range: String::new(),
        };
        Contents {
            signals: parts.iter().map(signal).collect(),
            clocks: 0..1,
        }
    }

    fn parts(column: [&str; 3]) -> Vec<(&str, &str)> {
        let whole = ["sequencer", "descriptor", "weight_path", "spread", "array"];
        let more = ["buffers", "writer", "results"];
        let of = |name: &&'static str| match *name {
            "sequencer" => "TOP.chip.sequencer",
            "descriptor" => "TOP.chip.descriptor",
            "weight_path" => "TOP.chip.weight_path",
            "spread" => "TOP.chip.spread",
            "array" => "TOP.chip.array",
            "buffers" => "TOP.chip.buffers",
            "writer" => "TOP.chip.writer",
            _ => "TOP.chip.results",
        };
        let whole: Vec<_> = whole
            .iter()
            .chain(&more)
            .map(|n| (of(n), "state_q"))
            .collect();
        let column = column.map(|path| (path, "value"));
        let mut all = vec![("TOP", "clock"), ("TOP.chip", "inner")];
        all.extend(whole);
        all.extend(column);
        all.extend([
            ("TOP.chip.array", "partial_sum_3"),
            ("TOP.chip.array", "partial_sum_4"),
            ("TOP.chip.array", "pe_r1_c3_sum"),
            ("TOP.chip.array", "unused_end"),
            ("TOP.chip.sequencer", "COLUMNS"),
            ("TOP.chip.sequencer", "state_d"),
        ]);
        all
    }

    #[test]
    fn a_column_is_found_alone_or_in_a_loop_and_lanes_are_those_of_the_column() {
        for column in [
            [
                "TOP.chip.columns.column_3",
                "TOP.chip.columns.column_3.accumulator",
                "TOP.chip.columns.column_3.requantizer",
            ],
            [
                "TOP.chip.columns.gen_column[3].column",
                "TOP.chip.columns.gen_column[3].column.accumulator",
                "TOP.chip.columns.gen_column[3].column.requantizer",
            ],
        ] {
            let groups = groups(&contents(&parts(column)), 3).unwrap();
            let names: Vec<_> = groups.iter().map(|g| g.name.as_str()).collect();
            let expected = [
                "host",
                "sequencer",
                "weight path",
                "array",
                "accumulators, column 3",
                "requantizer, column 3",
                "buffers",
                "results",
            ];
            assert_eq!(names, expected);
            let of = |group: usize| -> Vec<_> {
                let signals = groups[group].signals.iter();
                signals.map(|s| s.name.as_str()).collect()
            };
            assert_eq!(of(0), ["clock"]);
            assert_eq!(of(1), ["state_q", "state_q"]);
            assert_eq!(of(3), ["state_q", "partial_sum_3", "pe_r1_c3_sum"]);
        }
    }

    #[test]
    fn a_part_that_is_not_there_is_named() {
        let away = ["TOP.chip.away"; 3];
        let missing = groups(&contents(&parts(away)), 3).unwrap_err();
        assert_eq!(missing.0, "columns.column_3");
        assert!(groups(&contents(&[]), 3).is_err());
    }
}
