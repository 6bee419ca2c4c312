//! Text of a module's children: one instance each, or `generate for`.

use super::children::{Child, Placed};
use super::ir::{Affine, LoopId};
use super::labels::{Genvars, Labels};
use super::print::Printer;
use super::stages::Stage;
use super::text::{LINE, comment};
use std::fmt::Write;

/// Gives loops over children their variables and the names of their blocks.
pub(crate) fn name_loops(children: &mut [Placed], labels: &mut Labels) {
    let depth = children.iter().map(depth).max().unwrap_or(0);
    let variables: Vec<String> = match depth {
        0 => Vec::new(),
        1 => vec![labels.take("n")],
        2 => vec![labels.take("row"), labels.take("column")],
        many => (0..many).map(|n| labels.take(&format!("n{n}"))).collect(),
    };
    for placed in children {
        name_loop(placed, &variables, labels);
    }
}

fn name_loop(placed: &mut Placed, variables: &[String], labels: &mut Labels) {
    let base = first(placed).map_or_else(String::new, |(base, _)| base.to_string());
    let (Placed::Loop { body, names, .. }, [variable, inner @ ..]) = (placed, variables) else {
        return;
    };
    let label = match variable.as_str() {
        "row" | "column" => labels.take(&format!("gen_{base}_{variable}")),
        _ => labels.take(&format!("gen_{base}")),
    };
    *names = Some((variable.clone(), label));
    body.iter_mut().for_each(|p| name_loop(p, inner, labels));
}

fn depth(placed: &Placed) -> usize {
    match placed {
        Placed::Child(_) | Placed::Stage(_) => 0,
        Placed::Loop { body, .. } => 1 + body.iter().map(depth).max().unwrap_or(0),
    }
}

/// Base name and comments of the first in a loop.
fn first(placed: &Placed) -> Option<(&str, &[String])> {
    match placed {
        Placed::Child(child) => Some((&child.base, &child.comments)),
        Placed::Stage(stage) => Some((&stage.base, &stage.comments)),
        Placed::Loop { body, .. } => body.iter().find_map(first),
    }
}

/// Base, number and path of every instance: `pe`, 17, `gen_pe_row[1].gen_pe_column[1].pe`.
pub(crate) fn paths(children: &[Placed]) -> Vec<(String, i64, String)> {
    let mut out = Vec::new();
    for placed in children {
        match placed {
            Placed::Child(child) => {
                out.push((child.base.clone(), child.number.base, child.name.clone()))
            }
            Placed::Stage(_) => {}
            Placed::Loop { .. } => expand(placed, String::new(), &mut Vec::new(), &mut out),
        }
    }
    out
}

fn expand(
    placed: &Placed,
    prefix: String,
    turns: &mut Vec<(LoopId, i64)>,
    out: &mut Vec<(String, i64, String)>,
) {
    match placed {
        Placed::Child(child) => {
            let number = child.number.value(turns);
            out.push((
                child.base.clone(),
                number,
                format!("{prefix}{}", child.base),
            ));
        }
        Placed::Stage(_) => {}
        Placed::Loop {
            id,
            start,
            count,
            body,
            names,
        } => {
            let label = names.as_ref().map_or("", |(_, label)| label);
            for turn in *start..start + count.value(turns) {
                turns.push((*id, turn));
                let prefix = format!("{prefix}{label}[{turn}].");
                body.iter()
                    .for_each(|p| expand(p, prefix.clone(), turns, out));
                turns.pop();
            }
        }
    }
}

pub(crate) fn print(children: &[Placed], printer: &Printer, genvars: &Genvars, out: &mut String) {
    for placed in children {
        out.push('\n');
        match placed {
            Placed::Child(child) => instance(child, &child.name, printer, 1, out),
            Placed::Stage(_) => {}
            Placed::Loop { .. } => {
                for text in first(placed).iter().flat_map(|(_, comments)| *comments) {
                    out.push_str(&comment(text, 4));
                }
                genvars.declare(out);
                out.push_str("    generate\n");
                repeated(placed, printer, 2, out);
                out.push_str("    endgenerate\n");
            }
        }
    }
}

fn repeated(placed: &Placed, printer: &Printer, indent: usize, out: &mut String) {
    let Placed::Loop {
        id,
        start,
        count,
        body,
        names: Some((variable, label)),
    } = placed
    else {
        return;
    };
    let pad = "    ".repeat(indent);
    let end = printer.end(*start, count);
    let _ = writeln!(
        out,
        "{pad}for ({variable} = {start}; {variable} < {end}; {variable} = {variable} + 1) begin : {label}"
    );
    printer.enter(*id, variable);
    for (at, inner) in body.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        match inner {
            Placed::Child(child) => instance(child, &child.base, printer, indent + 1, out),
            Placed::Stage(stage) => register(stage, printer, indent + 1, out),
            Placed::Loop { .. } => repeated(inner, printer, indent + 1, out),
        }
    }
    printer.leave();
    let _ = writeln!(out, "{pad}end");
}

/// A register of its own, and its lane of the array. What it takes next is a wire of its own, too:
/// of lanes that are read in a clocked block, simulators keep the whole array, and what it is made
/// of goes through memory in every clock.
fn register(stage: &Stage, printer: &Printer, indent: usize, out: &mut String) {
    let pad = "    ".repeat(indent);
    let signal = &printer.signals[stage.array];
    let width = signal.lanes.map_or(signal.width, |l| l.width);
    let range = match width {
        1 => String::new(),
        _ => format!(" [{}:0]", width - 1),
    };
    let first = signal.lanes.map_or(0, |l| l.first) as i64;
    let low = Affine {
        base: (stage.number.base - first) * width as i64,
        steps: stage
            .number
            .steps
            .iter()
            .map(|(id, s)| (*id, s * width as i64))
            .collect(),
    };
    let [d, q] = ["d", "q"].map(|wanted| free(wanted, printer.names));
    let next = printer.lane(stage.next, &low, width);
    let lane = printer.lane(stage.array, &low, width);
    let _ = writeln!(out, "{pad}wire{range} {d} = {next};");
    let _ = writeln!(out, "{pad}reg{range} {q};");
    let _ = writeln!(out, "{pad}assign {lane} = {q};");
    let mut text = String::new();
    printer.locally(&q, (stage.next, &d), || {
        printer.block(&stage.body, "<=", indent + 1, &mut text);
    });
    let short = format!("{pad}always @(posedge clock) {}", text.trim());
    match text.lines().count() == 1 && short.len() <= LINE {
        true => out.push_str(&format!("{short}\n")),
        false => {
            let _ = writeln!(out, "{pad}always @(posedge clock) begin\n{text}{pad}end");
        }
    }
}

/// `wanted`, or with a number if something of the module has this name.
fn free(wanted: &str, names: &[String]) -> String {
    let numbered = (2..).map(|n| format!("{wanted}_{n}"));
    let mut candidates = std::iter::once(wanted.to_string()).chain(numbered);
    let free = candidates.find(|name| !names.contains(name));
    free.unwrap_or_default()
}

fn instance(child: &Child, name: &str, printer: &Printer, indent: usize, out: &mut String) {
    let pad = "    ".repeat(indent);
    if indent == 1 {
        for text in &child.comments {
            out.push_str(&comment(text, 4));
        }
    }
    let connections: Vec<String> = child
        .connections
        .iter()
        .map(|c| format!("{pad}    .{}({})", c.port, printer.expr(&c.value)))
        .collect();
    let _ = writeln!(out, "{pad}{} {name} (", child.module);
    let _ = writeln!(out, "{}\n{pad});", connections.join(",\n"));
}
