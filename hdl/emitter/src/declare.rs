//! Text of declarations: ports, wires, registers, named values; lanes of one array in one line.

use super::collect::Notes;
use super::ir::*;
use super::text::{comment, fill, literal};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// `wire signed [7:0]`
fn head(kind: &str, signal: &Signal) -> String {
    let sign = if signal.signed { " signed" } else { "" };
    match (signal.width, signal.lanes) {
        (_, Some(lanes)) => format!("{kind} {}", array_range(lanes)),
        (1, None) => format!("{kind}{sign}"),
        (width, None) => format!("{kind}{sign} [{}:0]", width - 1),
    }
}

/// `[16*8-1:0]`: sixteen lanes of eight bits.
fn array_range(lanes: Lanes) -> String {
    let end = lanes.first + lanes.count;
    match (lanes.width, lanes.first) {
        (1, first) => format!("[{}:{first}]", end - 1),
        (width, 0) => format!("[{end}*{width}-1:0]"),
        (width, first) => format!("[{end}*{width}-1:{first}*{width}]"),
    }
}

/// `pe$3$sum_out` -> `pe$sum_out`: what the lanes of an array have in common; `None` where there is
/// no array.
pub(crate) fn family(path: &str) -> Option<String> {
    let is_number = |part: &&str| part.parse::<usize>().is_ok();
    if !path.split('$').any(|part| is_number(&part)) {
        return None;
    }
    let parts: Vec<&str> = path.split('$').filter(|p| !is_number(p)).collect();
    Some(parts.join("$"))
}

/// Names with one head; the head is printed once.
struct Group {
    head: String,
    family: Option<String>,
    names: Vec<String>,
    /// Single values, whose neighbours may join.
    plain: bool,
}

impl Group {
    fn text(&self, indent: usize, end: &str) -> String {
        let start = indent + self.head.len() + 1;
        let names = fill(&self.names, start, indent + 4);
        format!("{}{} {names}{end}", " ".repeat(indent), self.head)
    }
}

/// Ports under one comment.
type Section = (Option<String>, Vec<Group>);

/// The ports, group by group, as the notes of the module tell them apart. `kind` says how a port
/// is declared: `input wire`, `output reg`, ...
pub(crate) fn ports(
    ir: &ModuleIr,
    notes: &Notes,
    kind: impl Fn(SignalId) -> &'static str,
) -> String {
    let mut sections: Vec<Section> = Vec::new();
    let mut title = clock_title(ir);
    let mut opens = true;
    for &port in &ir.ports {
        let signal = &ir.signals[port];
        let field = signal.path.split('$').next().unwrap_or_default();
        let noted = notes.ports.iter().find(|(name, _)| name == field);
        if let Some((_, text)) = noted.filter(|(_, text)| Some(text) != title.as_ref()) {
            (title, opens) = (Some(text.clone()), true);
        } else if title == clock_title(ir) && !matches!(field, "clock" | "reset") {
            (title, opens) = (None, true);
        }
        if signal.width == 0 {
            continue;
        }
        if opens {
            sections.push((title.clone(), Vec::new()));
            opens = false;
        }
        let Some((_, groups)) = sections.last_mut() else {
            continue;
        };
        let (head, family) = (head(kind(port), signal), family(&signal.path));
        match groups.last_mut() {
            Some(last) if family.is_some() && last.family == family && last.head == head => {
                last.names.push(signal.name.clone());
            }
            _ => groups.push(Group {
                head,
                family,
                names: vec![signal.name.clone()],
                plain: false,
            }),
        }
    }
    let mut out = String::new();
    let count = sections.len();
    for (number, (title, groups)) in sections.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        if let Some(title) = title {
            out.push_str(&comment(title, 4));
        }
        for (at, group) in groups.iter().enumerate() {
            let is_last = number + 1 == count && at + 1 == groups.len();
            out.push_str(&group.text(4, if is_last { "\n" } else { ",\n" }));
        }
    }
    out
}

fn clock_title(ir: &ModuleIr) -> Option<String> {
    let has = |path: &str| {
        let mut ports = ir.ports.iter().map(|p| &ir.signals[*p]);
        ports.any(|s| s.width > 0 && s.path == path)
    };
    match (has("clock"), has("reset")) {
        (true, true) => Some("clock, and synchronous reset (active high)".to_string()),
        (true, false) => Some("clock".to_string()),
        _ => None,
    }
}

/// Collects declarations; the lanes of an array share one.
#[derive(Default)]
pub(crate) struct Declarations {
    groups: Vec<Group>,
}

impl Declarations {
    pub fn add(&mut self, kind: &str, signal: &Signal) {
        let name = &signal.name;
        let (head, family) = (head(kind, signal), family(&signal.path));
        // Lanes of one family share a line, and so do neighbours of one form.
        let same = |g: &Group| family.is_some() && g.family == family && g.head == head;
        let plain = family.is_none();
        let last = self.groups.len().wrapping_sub(1);
        let joins = |(at, g): (usize, &Group)| {
            let follows = at == last && plain && g.plain && g.head == head;
            (same(g) || follows).then_some(at)
        };
        match self.groups.iter().enumerate().find_map(joins) {
            Some(at) => self.groups[at].names.push(name.to_string()),
            None => self.groups.push(Group {
                head,
                family,
                names: vec![name.to_string()],
                plain,
            }),
        }
    }

    /// `x_q` and `x_d` of one register.
    pub fn add_pair(&mut self, kind: &str, signal: &Signal, names: [&str; 2]) {
        self.groups.push(Group {
            head: head(kind, signal),
            family: None,
            names: names.map(str::to_string).into(),
            plain: false,
        });
    }

    pub fn text(&self) -> String {
        self.groups.iter().map(|g| g.text(4, ";\n")).collect()
    }
}

/// The named values that the expressions show, group by group.
pub(crate) fn parameters(shown: &BTreeMap<usize, Rc<NamedValue>>) -> String {
    let mut out = String::new();
    let mut previous: Option<&Option<String>> = None;
    for named in shown.values() {
        let Some(name) = &named.name else {
            continue;
        };
        if previous.is_some_and(|p| *p != named.group) {
            out.push('\n');
        }
        if previous != Some(&named.group)
            && let Some(group) = &named.group
        {
            out.push_str(&comment(group, 4));
        }
        previous = Some(&named.group);
        let sign = if named.signed { " signed" } else { "" };
        let range = match named.width {
            1 => String::new(),
            width => format!(" [{}:0]", width - 1),
        };
        let value = literal(named.value, named.width, named.signed, named.pattern);
        let _ = writeln!(out, "    localparam{sign}{range} {name} = {value};");
    }
    out
}
