//! Text of a module's children: one instance each, or `generate for`.

use super::children::{Child, Placed};
use super::module::{Labels, Sheet};
use super::print::Printer;
use super::text::comment;
use std::fmt::Write;

pub(crate) fn print(sheet: &Sheet, printer: &Printer, labels: &mut Labels, out: &mut String) {
    let depth = sheet.arranged.children.iter().map(depth).max().unwrap_or(0);
    let variables: Vec<String> = match depth {
        0 => Vec::new(),
        1 => vec![labels.take("n")],
        2 => vec![labels.take("row"), labels.take("column")],
        many => (0..many).map(|n| labels.take(&format!("n{n}"))).collect(),
    };
    let mut declared = false;
    for placed in &sheet.arranged.children {
        out.push('\n');
        if !declared && matches!(placed, Placed::Loop { .. }) {
            declared = true;
            let _ = writeln!(out, "    genvar {};", variables.join(", "));
        }
        match placed {
            Placed::Child(child) => instance(child, &child.name, printer, 1, out),
            Placed::Loop { .. } => {
                let mut first: Option<&Child> = None;
                find(placed, &mut first);
                for text in first.iter().flat_map(|child| &child.comments) {
                    out.push_str(&comment(text, 4));
                }
                out.push_str("    generate\n");
                repeated(placed, &variables, printer, labels, 2, out);
                out.push_str("    endgenerate\n");
            }
        }
    }
}

fn depth(placed: &Placed) -> usize {
    match placed {
        Placed::Child(_) => 0,
        Placed::Loop { body, .. } => 1 + body.iter().map(depth).max().unwrap_or(0),
    }
}

fn find<'a>(placed: &'a Placed, first: &mut Option<&'a Child>) {
    match placed {
        Placed::Child(child) => {
            first.get_or_insert(child);
        }
        Placed::Loop { body, .. } => body.iter().for_each(|p| find(p, first)),
    }
}

fn repeated(
    placed: &Placed,
    variables: &[String],
    printer: &Printer,
    labels: &mut Labels,
    indent: usize,
    out: &mut String,
) {
    let Placed::Loop {
        id,
        start,
        count,
        body,
    } = placed
    else {
        return;
    };
    let pad = "    ".repeat(indent);
    let mut first: Option<&Child> = None;
    find(placed, &mut first);
    let base = first.map_or("children", |child| &child.base);
    let (variable, rest) = (&variables[0], &variables[1..]);
    let wanted = match variable.as_str() {
        "row" | "column" => format!("gen_{base}_{variable}"),
        _ => format!("gen_{base}"),
    };
    let label = labels.take(&wanted);
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
            Placed::Loop { .. } => repeated(inner, rest, printer, labels, indent + 1, out),
        }
    }
    printer.leave();
    let _ = writeln!(out, "{pad}end");
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
