//! Blocks that give every lane a value of its own, as `assign` in `generate for`.
//!
//! Such lanes are wires. In an `always @(*)` block an array would be one variable: simulators
//! would keep all of it, and who reads one lane would wait for all of them.

use super::ir::*;
use super::labels::{Genvars, Labels};
use super::print::Printer;
use super::roll::Repeats;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Whether `block` is a loop, or several, over assignments of different bits that do not depend on
/// one another. A number of a lane as a value needs the variable of a loop in a block, which has
/// bits.
pub(crate) fn is_continuous(block: &[Stmt]) -> bool {
    let mut targets = BTreeSet::new();
    block.iter().for_each(|s| {
        s.writes(&mut |w| {
            targets.insert(w);
        });
    });
    let mut alone = true;
    block.iter().for_each(|s| {
        s.exprs(&mut |e| {
            e.walk(&mut |e| alone &= !matches!(e.kind, Kind::Index(_)));
            e.reads(&mut |s| alone &= !targets.contains(&s));
        });
    });
    let loops = block.iter().any(|s| matches!(s, Stmt::Loop { .. }));
    loops && alone && assigns_once(block, &mut Vec::new(), &mut BTreeSet::new())
}

/// Whether there are only assignments of known bits, each bit once. `turns` are the values of the
/// variables of the loops around `block`.
fn assigns_once(
    block: &[Stmt],
    turns: &mut Vec<(LoopId, i64)>,
    assigned: &mut BTreeSet<(SignalId, i64)>,
) -> bool {
    block.iter().all(|statement| match statement {
        Stmt::Comment(_) => true,
        Stmt::Assign { target, part, .. } => {
            let (low, width) = match part {
                Part::Bits { low, width } => (*low as i64, *width),
                Part::Lane { low, width } => (low.value(turns), *width),
                Part::Whole | Part::Variable { .. } => return false,
            };
            (low..low + width as i64).all(|bit| assigned.insert((*target, bit)))
        }
        Stmt::Loop {
            id,
            start,
            count,
            body,
        } => {
            let end = start + count.value(turns);
            (*start..end).all(|turn| {
                turns.push((*id, turn));
                let once = assigns_once(body, turns, assigned);
                turns.pop();
                once
            })
        }
        Stmt::If { .. } | Stmt::Case { .. } => false,
    })
}

/// How many loops lie within one another.
pub(crate) fn depth(block: &[Stmt]) -> usize {
    block.iter().map(Stmt::depth).max().unwrap_or(0)
}

/// Prints `block`; `genvars` are the module's.
pub(crate) fn print(
    block: &[Stmt],
    printer: &Printer,
    genvars: &Genvars,
    labels: &mut Labels,
    out: &mut String,
) {
    genvars.declare(out);
    let grid = depth(block) > 1;
    let mut open = false;
    for statement in block {
        let is_loop = matches!(statement, Stmt::Loop { .. });
        if is_loop && !open {
            out.push_str("    generate\n");
        }
        if !is_loop && open {
            out.push_str("    endgenerate\n");
        }
        open = is_loop;
        let indent = if is_loop { 2 } else { 1 };
        one(
            statement,
            printer,
            genvars.names(),
            grid,
            labels,
            indent,
            out,
        );
    }
    if open {
        out.push_str("    endgenerate\n");
    }
}

fn one(
    statement: &Stmt,
    printer: &Printer,
    variables: &[String],
    grid: bool,
    labels: &mut Labels,
    indent: usize,
    out: &mut String,
) {
    let pad = "    ".repeat(indent);
    match statement {
        Stmt::Loop {
            id,
            start,
            count,
            body,
        } => {
            let [variable, inner @ ..] = variables else {
                return;
            };
            let mut first = None;
            statement.writes(&mut |w| {
                first.get_or_insert(w);
            });
            let name = first.map_or("lane", |w| &printer.names[w]);
            let label = match grid {
                true => labels.take(&format!("gen_{name}_{variable}")),
                false => labels.take(&format!("gen_{name}")),
            };
            let end = printer.end(*start, count);
            let _ = writeln!(
                out,
                "{pad}for ({variable} = {start}; {variable} < {end}; {variable} = {variable} + 1) \
                 begin : {label}"
            );
            printer.enter(*id, variable);
            for statement in body {
                one(statement, printer, inner, grid, labels, indent + 1, out);
            }
            printer.leave();
            let _ = writeln!(out, "{pad}end");
        }
        Stmt::Assign {
            target,
            part,
            value,
        } => {
            let head = format!("assign {} =", printer.target(*target, part));
            printer.long(&head, value, indent, out);
        }
        other => printer.block(std::slice::from_ref(other), "=", indent, out),
    }
}
