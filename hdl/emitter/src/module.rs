//! Text of one module: ports, declarations, logic, instances, registers.

use super::arrange::{Arranged, Item};
use super::assigns;
use super::collect::Notes;
use super::declare::{self, Declarations, family};
use super::demand::Needs;
use super::instances;
use super::ir::*;
use super::labels::{Genvars, Labels};
use super::narrow::idle_bits;
use super::print::Printer;
use super::text::{LINE, comment, fill};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::rc::Rc;

/// Everything that is printed of a module that is described in rust-hdl.
pub(crate) struct Sheet<'a> {
    pub name: &'a str,
    pub notes: &'a Notes,
    /// Columns of child arrays that are grids.
    pub grids: &'a BTreeMap<String, usize>,
    /// Final widths in `signals`; 0 for what vanished.
    pub ir: &'a ModuleIr,
    pub needs: &'a Needs,
    pub arranged: Arranged,
}

pub(crate) fn print(sheet: &Sheet) -> String {
    let names: Vec<String> = sheet.ir.signals.iter().map(|s| s.name.clone()).collect();
    let printer = Printer::new(&sheet.ir.signals, &names);
    let regs = procedural(sheet);
    let mut out = String::new();
    for line in &sheet.notes.description {
        out.push_str(&comment(line, 0));
    }
    if let Some(order) = lane_order(sheet) {
        out.push_str(&comment(&order, 0));
    }
    let _ = writeln!(out, "module {} (", sheet.name);
    out.push_str(&declare::ports(sheet.ir, sheet.notes, |port| {
        match (sheet.ir.signals[port].role, regs.contains(&port)) {
            (Role::Input, _) => "input wire",
            (_, true) => "output reg",
            (_, false) => "output wire",
        }
    }));
    out.push_str(");\n");
    section(&mut out, &declare::parameters(&named_values(sheet)));
    for lines in declarations(sheet, &regs) {
        section(&mut out, &lines.text());
    }
    let (shown, logic_items): (Vec<&Item>, Vec<&Item>) = sheet
        .arranged
        .items
        .iter()
        .partition(|item| shows_register(sheet, item));
    let mut labels = Labels::new(sheet.name, sheet.ir, &sheet.arranged.children);
    let mut genvars = Genvars::new(&sheet.arranged.children);
    for item in &logic_items {
        if let Item::Always(block) = item
            && assigns::is_continuous(block)
        {
            genvars.extend(assigns::depth(block), &mut labels);
        }
    }
    let mut previous_assign = false;
    let mut print = |item, previous_assign: &mut bool, out: &mut String| {
        logic(item, &printer, &genvars, &mut labels, previous_assign, out);
    };
    for item in logic_items {
        print(item, &mut previous_assign, &mut out);
    }
    if !shown.is_empty() {
        out.push_str("\n    // registers at outputs\n");
        previous_assign = true;
        for item in shown {
            print(item, &mut previous_assign, &mut out);
        }
    }
    instances::print(&sheet.arranged.children, &printer, &genvars, &mut out);
    if !sheet.arranged.clocked.is_empty() {
        let label = printer.label(&sheet.arranged.clocked, || labels.take("registers"));
        let _ = writeln!(out, "\n    always @(posedge clock) begin{label}");
        printer.counters(&sheet.arranged.clocked, false, 2, &mut out);
        clocked(sheet, &names, &mut out);
        out.push_str("    end\n");
    }
    section(&mut out, &sinks(sheet));
    out.push_str("endmodule\n");
    out
}

/// How lanes lie in arrays, if the module has any.
fn lane_order(sheet: &Sheet) -> Option<String> {
    let arrays: Vec<&Signal> = sheet
        .ir
        .signals
        .iter()
        .filter(|s| s.width > 0 && s.lanes.is_some())
        .collect();
    let example = arrays.iter().find(|s| s.lanes.is_some_and(|l| l.width > 1));
    let mut text = match (arrays.first(), example) {
        (None, _) => return None,
        (_, Some(_)) => "Arrays are packed: lane k of w bits is [w * k +: w].".to_string(),
        (Some(_), None) => "Arrays are packed: lane k is bit k.".to_string(),
    };
    for (field, columns) in sheet.grids {
        let is_of = |s: &&&Signal| s.path.split('$').next() == Some(field);
        if arrays.iter().any(|s| is_of(&s)) {
            let _ = write!(
                text,
                " Lanes of `{field}` count row by row: {columns} * row + column."
            );
        }
    }
    Some(text)
}

fn section(out: &mut String, lines: &str) {
    if !lines.is_empty() {
        out.push('\n');
        out.push_str(lines);
    }
}

/// `assign y = y_q;` or bits of a register.
fn shows_register(sheet: &Sheet, item: &Item) -> bool {
    let Item::Assign {
        comments,
        target,
        value,
    } = item
    else {
        return false;
    };
    let (Kind::Signal(source) | Kind::Slice { signal: source, .. }) =
        value.reinterpret_inner().kind
    else {
        return false;
    };
    let signals = &sheet.ir.signals;
    comments.is_empty()
        && signals[*target].role == Role::Output
        && matches!(signals[source].role, Role::Q(_))
}

/// Signals assigned in `always` blocks.
fn procedural(sheet: &Sheet) -> BTreeSet<SignalId> {
    let mut regs = BTreeSet::new();
    for item in &sheet.arranged.items {
        if let Item::Always(block) = item
            && !assigns::is_continuous(block)
        {
            block.iter().for_each(|s| {
                s.writes(&mut |w| {
                    regs.insert(w);
                });
            });
        }
    }
    regs
}

/// The values that are printed by their names, in the order of their declaration.
fn named_values(sheet: &Sheet) -> BTreeMap<usize, Rc<NamedValue>> {
    let mut found: BTreeMap<usize, Rc<NamedValue>> = BTreeMap::new();
    let mut look = |e: &Expr| {
        e.walk(&mut |e| {
            if let Kind::Const {
                name: Some(named), ..
            } = &e.kind
                && named.width == e.width
            {
                found.insert(named.order, named.clone());
            }
        });
    };
    for item in &sheet.arranged.items {
        match item {
            Item::Assign { value, .. } => look(value),
            Item::Always(block) => block.iter().for_each(|s| s.exprs(&mut look)),
        }
    }
    sheet
        .arranged
        .clocked
        .iter()
        .for_each(|s| s.exprs(&mut look));
    for placed in &sheet.arranged.children {
        placed.each(&mut |child| child.connections.iter().for_each(|c| look(&c.value)));
    }
    found
}

/// Locals, registers, and wires between instances.
fn declarations(sheet: &Sheet, regs: &BTreeSet<SignalId>) -> [Declarations; 3] {
    let [mut locals, mut registers, mut wires] = [(); 3].map(|()| Declarations::default());
    let signals = &sheet.ir.signals;
    for (id, signal) in signals.iter().enumerate() {
        if signal.width == 0 {
            continue;
        }
        let kind = if regs.contains(&id) { "reg" } else { "wire" };
        let alone = signal.lanes.is_none() && family(&signal.path).is_none();
        match signal.role {
            Role::Input | Role::Output => {}
            Role::Local => locals.add(kind, signal),
            Role::Q(_) if sheet.arranged.staged.contains(&id) => registers.add("wire", signal),
            Role::Q(register) => {
                let next = sheet.ir.registers[register].d;
                let has_next = sheet.arranged.has_d.contains(&register);
                if has_next && regs.contains(&next) && alone {
                    registers.add_pair("reg", signal, [&signal.name, &signals[next].name]);
                } else {
                    registers.add("reg", signal);
                }
            }
            Role::D(register) => {
                if sheet.arranged.has_d.contains(&register) && !(regs.contains(&id) && alone) {
                    registers.add(kind, signal);
                }
            }
            Role::InstanceInput { .. } | Role::InstanceOutput { .. } | Role::Outputs => {
                wires.add(kind, signal);
            }
        }
    }
    [locals, registers, wires]
}

fn logic(
    item: &Item,
    printer: &Printer,
    genvars: &Genvars,
    labels: &mut Labels,
    previous_assign: &mut bool,
    out: &mut String,
) {
    match item {
        Item::Assign {
            comments,
            target,
            value,
        } => {
            if !*previous_assign || !comments.is_empty() {
                out.push('\n');
            }
            for text in comments {
                out.push_str(&comment(text, 4));
            }
            let head = format!("assign {} =", printer.names[*target]);
            printer.long(&head, value, 1, out);
            *previous_assign = true;
        }
        Item::Always(block) => {
            out.push('\n');
            let comments = block
                .iter()
                .take_while(|s| matches!(s, Stmt::Comment(_)))
                .count();
            printer.block(&block[..comments], "=", 1, out);
            if assigns::is_continuous(block) {
                assigns::print(&block[comments..], printer, genvars, labels, out);
                *previous_assign = false;
                return;
            }
            let label = printer.label(block, || {
                let mut first = None;
                block.iter().for_each(|s| {
                    s.writes(&mut |w| {
                        first.get_or_insert(w);
                    });
                });
                let name = first.map_or("lanes", |w| &printer.names[w]);
                match name.ends_with("lane") {
                    true => labels.take(&format!("{name}s")),
                    false => labels.take(&format!("{name}_lanes")),
                }
            });
            let _ = writeln!(out, "    always @(*) begin{label}");
            printer.counters(block, true, 2, out);
            printer.block(&block[comments..], "=", 2, out);
            out.push_str("    end\n");
            *previous_assign = false;
        }
    }
}

fn clocked(sheet: &Sheet, names: &[String], out: &mut String) {
    // Targets are next values; the text names the registers.
    let mut shown = names.to_vec();
    let mut block = Vec::new();
    for statement in &sheet.arranged.clocked {
        match statement {
            Stmt::Assign { target, value, .. } if matches!(value.kind, Kind::Signal(read) if read == *target) =>
            {
                let q = sheet.ir.registers[register_of(sheet, *target)].q;
                let _ = writeln!(out, "        {} <= {};", names[q], names[*target]);
            }
            other => block.push(other.clone()),
        }
    }
    for register in &sheet.ir.registers {
        shown[register.d] = names[register.q].clone();
    }
    let printer = Printer::new(&sheet.ir.signals, &shown);
    printer.block(&block, "<=", 2, out);
}

fn register_of(sheet: &Sheet, d: SignalId) -> usize {
    match sheet.ir.signals[d].role {
        Role::D(register) => register,
        _ => 0,
    }
}

/// Ranges of idle bits above which all of an array is named instead.
const IDLE_RANGES: usize = 2;

/// Bits that exist (a leaf's output, a gap in a word) and that nobody reads.
fn sinks(sheet: &Sheet) -> String {
    let mut out = String::new();
    for (id, signal) in sheet.ir.signals.iter().enumerate() {
        let needs = &sheet.needs[id];
        let unread = !needs.contains(&true);
        match signal.role {
            Role::Output | Role::D(_) => continue,
            Role::InstanceOutput { .. } | Role::Outputs if unread => continue,
            _ => {}
        }
        let name = &signal.name;
        let first = signal.lanes.map_or(0, |l| l.low());
        let mut ranges = idle_bits(signal.width, needs);
        if signal.lanes.is_some() && ranges.len() > IDLE_RANGES {
            ranges = vec![(0, signal.width)];
        }
        let idle: Vec<String> = ranges
            .into_iter()
            .rev()
            .map(|(low, count)| match (low + first, count) {
                _ if count == signal.width => name.clone(),
                (low, 1) => format!("{name}[{low}]"),
                (low, _) => format!("{name}[{}:{low}]", low + count - 1),
            })
            .collect();
        if idle.is_empty() {
            continue;
        }
        let head = format!("    wire unused_{name} = &{{1'b0, ");
        let line = format!("{head}{}}};", idle.join(", "));
        if line.len() <= LINE {
            let _ = writeln!(out, "{line}");
        } else {
            let parts = fill(&idle, 8 + "1'b0, ".len(), 8);
            let _ = writeln!(
                out,
                "    wire unused_{name} = &{{\n        1'b0, {parts}\n    }};"
            );
        }
    }
    out
}
