//! Mistakes in leaves, whose Verilog is text: found by the form of a line.

use super::change::{Change, LineChange};
use super::{Mistake, Plan, SELECT, Site};

/// What may be changed in which line.
pub(crate) fn sites(text: &str) -> Vec<Site> {
    let mut sites = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let mut add = |mistake, change| {
            sites.push(Site {
                mistake,
                place,
                change: Change::Line(change),
            });
        };
        if condition(code).is_some() {
            for change in [
                LineChange::Inverted,
                LineChange::Stuck(true),
                LineChange::Stuck(false),
            ] {
                add(Mistake::Condition, change);
            }
        } else if code.contains(" <= ") {
            add(Mistake::Assignment, LineChange::Dropped);
        }
        if right_side(code).is_some_and(|(_, right)| right.contains(" * ")) {
            add(Mistake::Arithmetic, LineChange::SumForProduct);
        }
        if right_side(code).is_some_and(|(_, right)| right.contains(" + ")) {
            add(Mistake::Arithmetic, LineChange::DifferenceForSum);
        }
        if index(code).is_some() {
            add(Mistake::Wiring, LineChange::OtherWord);
        }
    }
    sites
}

/// The text with the changes of `plan`.
pub(crate) fn changed(text: &str, plan: &Plan) -> String {
    let mut out = String::new();
    for (place, line) in text.lines().enumerate() {
        let mut line = line.to_string();
        for (number, change) in plan.at.get(&place).into_iter().flatten() {
            if let Change::Line(change) = change {
                line = apply(&line, *change, *number);
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// `with` where the mutant is chosen, `without` elsewhere.
fn choice(number: Option<u16>, with: &str, without: &str) -> String {
    match number {
        None => with.to_string(),
        Some(number) => format!("({SELECT} == 16'd{number}) ? ({with}) : ({without})"),
    }
}

fn apply(line: &str, change: LineChange, number: Option<u16>) -> String {
    match change {
        LineChange::Inverted | LineChange::Stuck(_) => {
            let Some((start, end)) = condition(line) else {
                return line.to_string();
            };
            let test = &line[start..end];
            let with = match change {
                LineChange::Stuck(true) => "1'b1".to_string(),
                LineChange::Stuck(false) => "1'b0".to_string(),
                _ => format!("!({test})"),
            };
            let test = choice(number, &with, test);
            format!("{}{test}{}", &line[..start], &line[end..])
        }
        LineChange::Dropped => match number {
            None => String::new(),
            Some(number) => {
                let code = line.trim_start();
                let pad = &line[..line.len() - code.len()];
                format!("{pad}if ({SELECT} != 16'd{number}) {code}")
            }
        },
        LineChange::SumForProduct => operator(line, number, " * ", " + "),
        LineChange::DifferenceForSum => operator(line, number, " + ", " - "),
        LineChange::OtherWord => {
            let Some((start, end)) = index(line) else {
                return line.to_string();
            };
            let address = &line[start..end];
            let address = choice(number, &format!("~{address}"), address);
            format!("{}{address}{}", &line[..start], &line[end..])
        }
    }
}

fn operator(line: &str, number: Option<u16>, from: &str, to: &str) -> String {
    let Some((start, right)) = right_side(line) else {
        return line.to_string();
    };
    let with = right.replacen(from, to, 1);
    let value = choice(number, &with, right);
    format!("{}{value};", &line[..start])
}

/// Start and end of the condition of an `if` in this line.
fn condition(line: &str) -> Option<(usize, usize)> {
    let start = line.find("if (")? + "if (".len();
    let mut depth = 1;
    for (at, c) in line[start..].char_indices() {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return Some((start, start + at));
        }
    }
    None
}

/// Start and text of what a clocked assignment at the end of the line assigns.
fn right_side(line: &str) -> Option<(usize, &str)> {
    let start = line.find(" <= ")? + " <= ".len();
    let right = line[start..].trim_end().strip_suffix(';')?;
    Some((start, right))
}

/// Start and end of the index of a memory's word.
fn index(line: &str) -> Option<(usize, usize)> {
    let start = line.find("cells[")? + "cells[".len();
    let length = line[start..].find(']')?;
    (!line.contains("cells [")).then_some((start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_one_line_stand_side_by_side() {
        let line = "    if (enable) word <= cells[address];";
        let once = apply(line, LineChange::Stuck(true), Some(1));
        let twice = apply(&once, LineChange::OtherWord, Some(2));
        assert_eq!(
            twice,
            "    if ((mutant_select == 16'd1) ? (1'b1) : (enable)) word <= \
             cells[(mutant_select == 16'd2) ? (~address) : (address)];"
        );
        assert_eq!(
            apply(line, LineChange::Inverted, None),
            "    if (!(enable)) word <= cells[address];"
        );
    }
}
