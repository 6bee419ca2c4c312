//! Text of one module: ports, declarations, logic, instances, registers.

use super::arrange::{Arranged, Item};
use super::collect::Notes;
use super::declare::{self, Declarations, family};
use super::demand::Needs;
use super::ir::*;
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
    /// Final widths in `signals`; 0 for what vanished.
    pub ir: &'a ModuleIr,
    pub needs: &'a Needs,
    pub arranged: Arranged,
    /// Per instance: the module's name and its ports (name, final width), or `None` if dead.
    pub instances: Vec<Option<Child>>,
}

/// Module name and ports (name, final width) of an instance.
pub(crate) type Child = (String, Vec<(String, usize)>);

/// How the ports of the instances are connected, and what that makes superfluous.
struct Wiring {
    names: Vec<String>,
    /// Expression connected to an instance's input instead of a wire.
    direct: BTreeMap<SignalId, Expr>,
    /// Instance outputs that drive a wire or port of another name directly.
    joined: BTreeMap<SignalId, SignalId>,
    comments: BTreeMap<usize, Vec<String>>,
}

pub(crate) fn print(sheet: &Sheet) -> String {
    let mut sheet_items: Vec<&Item> = sheet.arranged.items.iter().collect();
    let wiring = wire(sheet, &mut sheet_items);
    let printer = Printer {
        signals: &sheet.ir.signals,
        names: &wiring.names,
    };
    let regs = procedural(sheet);
    let mut out = String::new();
    for line in &sheet.notes.description {
        out.push_str(&comment(line, 0));
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
    for lines in declarations(sheet, &wiring, &regs) {
        section(&mut out, &lines.text());
    }
    let (shown, logic_items): (Vec<&Item>, Vec<&Item>) = sheet_items
        .into_iter()
        .partition(|item| shows_register(sheet, item));
    let mut previous_assign = false;
    for item in logic_items {
        logic(item, &printer, &mut previous_assign, &mut out);
    }
    if !shown.is_empty() {
        out.push_str("\n    // registers at outputs\n");
        previous_assign = true;
        for item in shown {
            logic(item, &printer, &mut previous_assign, &mut out);
        }
    }
    for (index, details) in sheet.instances.iter().enumerate() {
        if let Some((kind, ports)) = details {
            instance(sheet, index, (kind, ports), &wiring, &printer, &mut out);
        }
    }
    if !sheet.arranged.clocked.is_empty() {
        out.push_str("\n    always @(posedge clock) begin\n");
        clocked(sheet, &wiring, &mut out);
        out.push_str("    end\n");
    }
    section(&mut out, &sinks(sheet, &wiring));
    out.push_str("endmodule\n");
    out
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
        if let Item::Always(block) = item {
            block.iter().for_each(|s| {
                s.writes(&mut |w| {
                    regs.insert(w);
                });
            });
        }
    }
    regs
}

/// Connects ports directly where a wire would only rename.
fn wire(sheet: &Sheet, items: &mut Vec<&Item>) -> Wiring {
    let signals = &sheet.ir.signals;
    let mut readers: Vec<usize> = vec![0; signals.len()];
    let mut count = |s: SignalId| readers[s] += 1;
    for item in items.iter() {
        match item {
            Item::Assign { value, .. } => value.reads(&mut count),
            Item::Always(block) => block.iter().for_each(|s| s.reads(&mut count)),
        }
    }
    sheet
        .arranged
        .clocked
        .iter()
        .for_each(|s| s.reads(&mut count));
    let mut wiring = Wiring {
        names: signals.iter().map(|s| s.name.clone()).collect(),
        direct: BTreeMap::new(),
        joined: BTreeMap::new(),
        comments: BTreeMap::new(),
    };
    items.retain(|item| {
        let Item::Assign {
            comments,
            target,
            value,
        } = item
        else {
            return true;
        };
        let instance = match (signals[*target].role, &value.kind) {
            (Role::InstanceInput { inst, .. }, _) if is_connectable(value) => {
                wiring.direct.insert(*target, value.clone());
                inst
            }
            (Role::Output | Role::Local, Kind::Signal(source)) if readers[*source] == 1 => {
                let Role::InstanceOutput { inst, port } = signals[*source].role else {
                    return true;
                };
                let details = sheet.instances[inst].as_ref();
                if details.is_none_or(|(_, ports)| ports[port].1 != signals[*target].width) {
                    return true;
                }
                wiring.joined.insert(*source, *target);
                inst
            }
            _ => return true,
        };
        wiring
            .comments
            .entry(instance)
            .or_default()
            .extend(comments.iter().cloned());
        false
    });
    for (id, signal) in signals.iter().enumerate() {
        if is_unread_output(sheet, id) {
            wiring.names[id] = format!("unused_{}", signal.name);
        }
    }
    for (source, target) in &wiring.joined {
        wiring.names[*source] = wiring.names[*target].clone();
    }
    wiring
}

/// What may stand in a port connection: a signal, bits of it, a constant.
fn is_connectable(e: &Expr) -> bool {
    match &e.kind {
        Kind::Signal(_) | Kind::Slice { .. } | Kind::Const { .. } => true,
        Kind::Reinterpret(inner) | Kind::ZeroExtend(inner) => is_connectable(inner),
        _ => false,
    }
}

/// An instance's output that exists but is not needed here.
fn is_unread_output(sheet: &Sheet, id: SignalId) -> bool {
    let signal = &sheet.ir.signals[id];
    let Role::InstanceOutput { inst, .. } = signal.role else {
        return false;
    };
    sheet.instances[inst].is_some() && signal.width > 0 && !sheet.needs[id].contains(&true)
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
    found
}

/// Locals, registers, and wires between instances.
fn declarations(sheet: &Sheet, wiring: &Wiring, regs: &BTreeSet<SignalId>) -> [Declarations; 3] {
    let [mut locals, mut registers, mut wires] = [(); 3].map(|()| Declarations::default());
    for (id, signal) in sheet.ir.signals.iter().enumerate() {
        if signal.width == 0 {
            continue;
        }
        let name = &wiring.names[id];
        let kind = if regs.contains(&id) { "reg" } else { "wire" };
        match signal.role {
            Role::Input | Role::Output => {}
            Role::Local => locals.add(kind, signal, name),
            Role::Q(register) => {
                let next = sheet.ir.registers[register].d;
                let has_next = sheet.arranged.has_d.contains(&register);
                if has_next && regs.contains(&next) && family(&signal.path).is_none() {
                    registers.add_pair("reg", signal, [name, &wiring.names[next]]);
                } else {
                    registers.add("reg", signal, name);
                }
            }
            Role::D(register) => {
                let paired = regs.contains(&id) && family(&signal.path).is_none();
                if sheet.arranged.has_d.contains(&register) && !paired {
                    registers.add(kind, signal, name);
                }
            }
            Role::InstanceInput { inst, .. } => {
                if sheet.instances[inst].is_some() && !wiring.direct.contains_key(&id) {
                    wires.add(kind, signal, name);
                }
            }
            Role::InstanceOutput { inst, .. } => {
                if sheet.instances[inst].is_some() && !wiring.joined.contains_key(&id) {
                    wires.add("wire", signal, name);
                }
            }
        }
    }
    [locals, registers, wires]
}

fn logic(item: &Item, printer: &Printer, previous_assign: &mut bool, out: &mut String) {
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
            out.push_str("    always @(*) begin\n");
            printer.block(&block[comments..], "=", 2, out);
            out.push_str("    end\n");
            *previous_assign = false;
        }
    }
}

fn instance(
    sheet: &Sheet,
    index: usize,
    (kind, ports): (&str, &[(String, usize)]),
    wiring: &Wiring,
    printer: &Printer,
    out: &mut String,
) {
    let instance = &sheet.ir.instances[index];
    let mut connections: Vec<(Option<String>, Vec<String>)> = Vec::new();
    for ((port, width), &stub) in ports.iter().zip(&instance.ports) {
        if *width == 0 {
            continue;
        }
        let text = match wiring.direct.get(&stub) {
            Some(value) => printer.expr(value),
            None if sheet.ir.signals[stub].width > *width => {
                let low = sheet.ir.signals[stub].width.min(*width) - 1;
                match low {
                    0 => format!("{}[0]", wiring.names[stub]),
                    top => format!("{}[{top}:0]", wiring.names[stub]),
                }
            }
            None => wiring.names[stub].clone(),
        };
        let text = format!(".{port}({text})");
        // The lanes of an array share their lines.
        let path = &sheet.ir.signals[stub].path;
        let family = path.strip_prefix(instance.path.as_str()).and_then(family);
        match connections.last_mut() {
            Some((last, lanes)) if family.is_some() && *last == family => lanes.push(text),
            _ => connections.push((family, vec![text])),
        }
    }
    let connections: Vec<String> = connections
        .iter()
        .map(|(_, lanes)| format!("        {}", fill(lanes, 8, 8)))
        .collect();
    out.push('\n');
    for text in wiring.comments.get(&index).into_iter().flatten() {
        out.push_str(&comment(text, 4));
    }
    let _ = writeln!(out, "    {kind} {} (", instance.name);
    let _ = writeln!(out, "{}\n    );", connections.join(",\n"));
}

fn clocked(sheet: &Sheet, wiring: &Wiring, out: &mut String) {
    // Targets are next values; the text names the registers.
    let mut names = wiring.names.clone();
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
        names[register.d] = names[register.q].clone();
    }
    let printer = Printer {
        signals: &sheet.ir.signals,
        names: &names,
    };
    printer.block(&block, "<=", 2, out);
}

fn register_of(sheet: &Sheet, d: SignalId) -> usize {
    match sheet.ir.signals[d].role {
        Role::D(register) => register,
        _ => 0,
    }
}

/// Bits that exist (a leaf's output, a gap in a word) and that nobody reads.
fn sinks(sheet: &Sheet, wiring: &Wiring) -> String {
    let mut out = String::new();
    for (id, signal) in sheet.ir.signals.iter().enumerate() {
        let read = match signal.role {
            Role::Output | Role::D(_) => continue,
            Role::InstanceOutput { inst, .. } if sheet.instances[inst].is_none() => continue,
            Role::InstanceInput { inst, port } => {
                let width = sheet.instances[inst].as_ref().map_or(0, |(_, p)| p[port].1);
                if wiring.direct.contains_key(&id) {
                    continue;
                }
                (0..signal.width).map(|b| b < width).collect()
            }
            Role::InstanceOutput { .. }
                if wiring.joined.contains_key(&id) || is_unread_output(sheet, id) =>
            {
                continue;
            }
            _ => sheet.needs[id].clone(),
        };
        let name = &wiring.names[id];
        let idle: Vec<String> = idle_bits(signal.width, &read)
            .into_iter()
            .rev()
            .map(|(low, count)| match count {
                _ if count == signal.width => name.clone(),
                1 => format!("{name}[{low}]"),
                _ => format!("{name}[{}:{low}]", low + count - 1),
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
