//! The `Block` hierarchy as a list of kinds: equal subtrees are one kind, children first.

use super::error::{EmitError, Place};
use super::names::base_name;
use rust_hdl::prelude::*;
use std::collections::HashMap;
use std::fmt::Write;

/// A signal or constant as the block declares it.
#[derive(Debug, Clone)]
pub(crate) struct AtomInfo {
    pub name: String,
    pub kind: AtomKind,
    pub width: usize,
    pub signed: bool,
    pub type_name: String,
    /// `State::Idle`, ... for enum types.
    pub variants: Vec<String>,
    /// Value of a constant (`None` if wider than 128 bits).
    pub value: Option<u128>,
}

impl AtomInfo {
    pub fn is_port(&self) -> bool {
        self.kind.is_parameter()
    }

    pub fn is_input(&self) -> bool {
        self.kind == AtomKind::InputParameter
    }

    pub fn is_clock(&self) -> bool {
        self.type_name == "clock"
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Code {
    Rtl(Vec<ast::VerilogStatement>),
    Leaf(String),
    /// A module of this name that is printed elsewhere.
    Elsewhere(String),
}

/// A module kind as described in Rust.
#[derive(Debug, Clone)]
pub(crate) struct RawKind {
    /// Name without prefix; unique.
    pub name: String,
    /// The printed name, in which `{port:bits}` still stands for a port's final width.
    pub title: String,
    pub notes: Notes,
    pub path: String,
    pub atoms: Vec<AtomInfo>,
    /// `DFF` fields: name and type.
    pub registers: Vec<AtomInfo>,
    /// Other children: field path and kind.
    pub children: Vec<(String, usize)>,
    pub code: Code,
}

/// What the leading comments of a module say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    /// `module name: ..`
    pub name: Option<String>,
    pub description: Vec<String>,
    /// `ports field: ..`: the comment above this port and those that follow.
    pub ports: Vec<(String, String)>,
    /// `table field: ..`: a `Vec` of constants that is declared entry by entry, with its comment.
    pub tables: Vec<(String, String)>,
    /// `uses address[9:0]`: low bits of inputs that a leaf uses, where they are not all.
    pub uses: Vec<(String, usize)>,
}

impl RawKind {
    pub fn place(&self) -> Place {
        Place {
            module: self.name.clone(),
            path: self.path.replace('$', "."),
        }
    }
}

#[derive(Default)]
struct Node {
    name: String,
    path: String,
    atoms: Vec<AtomInfo>,
    code: Option<Verilog>,
    children: Vec<Node>,
}

#[derive(Default)]
struct Collector {
    stack: Vec<Node>,
    namespace: Vec<String>,
    root: Option<Node>,
}

impl Probe for Collector {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        let name = qualified(&self.namespace, name);
        let path = match self.stack.last() {
            Some(parent) => format!("{}${name}", parent.path),
            None => name.clone(),
        };
        self.stack.push(Node {
            name,
            path,
            code: Some(node.hdl()),
            ..Node::default()
        });
    }

    fn visit_start_namespace(&mut self, name: &str, _node: &dyn Block) {
        self.namespace.push(name.to_string());
    }

    fn visit_atom(&mut self, name: &str, signal: &dyn Atom) {
        let info = atom_info(qualified(&self.namespace, name), signal);
        if let Some(node) = self.stack.last_mut() {
            node.atoms.push(info);
        }
    }

    fn visit_end_namespace(&mut self, _name: &str, _node: &dyn Block) {
        self.namespace.pop();
    }

    fn visit_end_scope(&mut self, _name: &str, _node: &dyn Block) {
        if let Some(node) = self.stack.pop() {
            match self.stack.last_mut() {
                Some(parent) => parent.children.push(node),
                None => self.root = Some(node),
            }
        }
    }
}

fn qualified(namespace: &[String], name: &str) -> String {
    if namespace.is_empty() {
        name.to_string()
    } else {
        format!("{}${name}", namespace.join("$"))
    }
}

fn atom_info(name: String, signal: &dyn Atom) -> AtomInfo {
    let descriptor = signal.descriptor();
    let (signed, variants) = match descriptor.kind {
        TypeKind::Signed(_) => (true, Vec::new()),
        TypeKind::Enum(variants) => (false, variants),
        _ => (false, Vec::new()),
    };
    AtomInfo {
        name,
        kind: signal.kind(),
        width: signal.bits(),
        signed,
        type_name: descriptor.name,
        variants,
        value: literal_value(&signal.verilog()),
    }
}

/// A literal's bits; `None` beyond 128 bits or below zero.
pub(crate) fn literal_value(literal: &VerilogLiteral) -> Option<u128> {
    let text = format!("{literal:x}");
    let digits = text.split_once("'h")?.1;
    u128::from_str_radix(digits, 16).ok()
}

/// All kinds below `top`, children before parents; the last one is `top`.
pub(crate) fn collect<B: Block>(top: &B, top_name: &str) -> Result<Vec<RawKind>, EmitError> {
    let mut collector = Collector::default();
    top.accept(top_name, &mut collector);
    let root = collector.root.ok_or_else(|| EmitError::Name {
        module: top_name.to_string(),
        name: top_name.to_string(),
        reason: "the top is a signal, not a block".to_string(),
    })?;
    let mut interner = Interner::default();
    interner.intern(root)?;
    let last = interner.kinds.len() - 1;
    interner.kinds[last].name = top_name.to_string();
    Ok(interner.kinds)
}

#[derive(Default)]
struct Interner {
    kinds: Vec<RawKind>,
    known: HashMap<String, usize>,
    /// What tells a kind from others; one place for all.
    key: String,
    used: HashMap<String, usize>,
}

impl Interner {
    fn intern(&mut self, node: Node) -> Result<usize, EmitError> {
        let mut registers = Vec::new();
        let mut children = Vec::new();
        for child in node.children {
            if is_flip_flop(&child) {
                let d = child.atoms.iter().find(|a| a.name == "d");
                let mut info = d.expect("a flip-flop has an input `d`").clone();
                info.name = child.name;
                registers.push(info);
            } else {
                let name = child.name.clone();
                children.push((name, self.intern(child)?));
            }
        }
        let place = Place {
            module: base_name(&node.name),
            path: node.path.replace('$', "."),
        };
        let (mut notes, code) = match node.code.unwrap_or_default() {
            Verilog::Combinatorial(block) => rtl_header(block),
            Verilog::Custom(text) => leaf_header(&text),
            Verilog::Empty => (Notes::default(), Code::Rtl(Vec::new())),
            Verilog::Blackbox(module) => (Notes::default(), Code::Elsewhere(module.name)),
            Verilog::Wrapper(_) => {
                let reason = "wrappers are not printed; use Verilog::Custom";
                return Err(place.refuse(&node.name, reason));
            }
        };
        let number = |field: &str| count(field, &node.atoms, &registers, &children);
        let fill = |text: &mut String| {
            let what = text.clone();
            filled(text, &number)
                .map(|filled| *text = filled)
                .map_err(|r| place.refuse(&what, r))
        };
        notes.name.iter_mut().try_for_each(fill)?;
        notes.description.iter_mut().try_for_each(fill)?;
        let groups = notes.ports.iter_mut().chain(&mut notes.tables);
        groups.map(|(_, text)| text).try_for_each(fill)?;
        notes
            .check(&node.atoms)
            .map_err(|(field, r)| place.refuse(&field, r))?;
        self.key.clear();
        let _ = write!(
            self.key,
            "{notes:?}{:?}{registers:?}{children:?}{code:?}",
            node.atoms
        );
        if let Some(&known) = self.known.get(&self.key) {
            return Ok(known);
        }
        let title = notes.name.clone().unwrap_or_else(|| base_name(&node.name));
        let name = self.unique(without_widths(&title));
        self.kinds.push(RawKind {
            name,
            title,
            notes,
            path: node.path,
            atoms: node.atoms,
            registers,
            children,
            code,
        });
        self.known.insert(self.key.clone(), self.kinds.len() - 1);
        Ok(self.kinds.len() - 1)
    }

    fn unique(&mut self, base: String) -> String {
        let count = self.used.entry(base.clone()).or_insert(0);
        *count += 1;
        if *count == 1 {
            base
        } else {
            format!("{base}_{count}")
        }
    }
}

/// rust-hdl-widgets' `DFF`: ports `d`, `q`, `clock`, and its text.
fn is_flip_flop(node: &Node) -> bool {
    let Some(Verilog::Custom(text)) = &node.code else {
        return false;
    };
    let port = |name: &str, kind| node.atoms.iter().any(|a| a.name == name && a.kind == kind);
    let mut words = text.split_whitespace();
    node.children.is_empty()
        && node.atoms.len() == 3
        && port("d", AtomKind::InputParameter)
        && port("q", AtomKind::OutputParameter)
        && port("clock", AtomKind::InputParameter)
        && words.by_ref().take(4).eq(["initial", "begin", "q", "="])
        && words.next().is_some_and(|value| value.ends_with("'h0;"))
        && words.eq("end always @(posedge clock) begin q <= d; end".split(' '))
}

/// Takes the leading comments off.
fn rtl_header(block: Vec<ast::VerilogStatement>) -> (Notes, Code) {
    let mut notes = Notes::default();
    let mut statements = block.into_iter().peekable();
    while let Some(ast::VerilogStatement::Comment(text)) = statements.peek() {
        notes.line(&comment_text(text));
        statements.next();
    }
    (notes, Code::Rtl(statements.collect()))
}

fn leaf_header(text: &str) -> (Notes, Code) {
    let mut notes = Notes::default();
    let mut lines = text.trim().lines().peekable();
    while let Some(comment) = lines.peek().and_then(|l| l.trim().strip_prefix("//")) {
        notes.line(comment.trim());
        lines.next();
    }
    let body: Vec<&str> = lines.collect();
    (notes, Code::Leaf(body.join("\n")))
}

/// The words of a `comment!`. The macro hands over the invocation's tokens, sometimes with
/// `comment ! ("` taken off.
pub(crate) fn comment_text(tokens: &str) -> String {
    let inner = match tokens.split_once('"') {
        Some((head, rest)) if head.trim_end().ends_with('(') && head.contains('!') => rest,
        _ => tokens,
    };
    let inner = inner.trim_end();
    let inner = inner.strip_suffix("\")").unwrap_or(inner);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    // A backslash at the end of a line continues the string in the next one.
    let plain = inner
        .replace("\\\n", " ")
        .replace("\\\"", "\"")
        .replace("\\\\", "\\");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Notes {
    fn line(&mut self, line: &str) {
        let about = |word: &str| {
            let (name, text) = line.strip_prefix(word)?.split_once(": ")?;
            let name = name.trim();
            (!name.contains(' ')).then(|| (name.to_string(), text.trim().to_string()))
        };
        if let Some((name, text)) = about("module ").filter(|_| self.name.is_none()) {
            self.name = Some(name);
            self.description.push(text);
        } else if let Some(group) = about("ports ") {
            self.ports.push(group);
        } else if let Some(table) = about("table ") {
            self.tables.push(table);
        } else if let Some(used) = used(line) {
            self.uses.push(used);
        } else {
            self.description.push(line.to_string());
        }
    }
}

impl Notes {
    /// Groups and tables must be about fields that exist.
    fn check(&self, atoms: &[AtomInfo]) -> Result<(), (String, String)> {
        let exists = |field: &str, port: bool| {
            let is_it = |a: &AtomInfo| a.is_port() == port && base_name(&a.name) == field;
            atoms.iter().any(is_it)
        };
        for (field, _) in &self.ports {
            if !exists(field, true) {
                return Err((field.clone(), "`ports` names no port of this module".into()));
            }
        }
        for (field, _) in &self.tables {
            if !exists(field, false) {
                return Err((
                    field.clone(),
                    "`table` names no constants of this module".into(),
                ));
            }
        }
        Ok(())
    }
}

/// `uses address[9:0]`
fn used(line: &str) -> Option<(String, usize)> {
    let (name, range) = line
        .strip_prefix("uses ")?
        .trim()
        .strip_suffix(":0]")?
        .split_once('[')?;
    Some((name.to_string(), range.parse::<usize>().ok()? + 1))
}

/// The number that `{field}` stands for: a constant's value or a `Vec`'s length.
fn count(
    field: &str,
    atoms: &[AtomInfo],
    registers: &[AtomInfo],
    children: &[(String, usize)],
) -> Option<u128> {
    let constant = |a: &&AtomInfo| a.kind == AtomKind::Constant && a.name == field;
    if let Some(constant) = atoms.iter().find(constant) {
        return constant.value;
    }
    let fields = atoms.iter().chain(registers).map(|a| a.name.as_str());
    let lane = |name: &str| {
        let rest = name.strip_prefix(field)?.strip_prefix('$')?;
        rest.split('$').next()?.parse::<u128>().ok()
    };
    let names = fields.chain(children.iter().map(|(name, _)| name.as_str()));
    names.filter_map(lane).max().map(|last| last + 1)
}

/// A name without its `{port:bits}`s.
fn without_widths(title: &str) -> String {
    let mut pieces = title.split('{');
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        out.push_str(piece.split_once('}').map_or(piece, |(_, rest)| rest));
    }
    out.trim_end_matches('_').to_string()
}

/// Fills the `{field}`s and `{flag?yes:no}`s of a name or description; `{port:bits}` waits for the
/// port's final width.
fn filled(text: &str, number: &dyn Fn(&str) -> Option<u128>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (field, after) = after
            .split_once('}')
            .ok_or_else(|| format!("`{text}` has an unbalanced brace"))?;
        out.push_str(before);
        if field.ends_with(":bits") {
            out.push_str(&format!("{{{field}}}"));
        } else if let Some((flag, words)) = field.split_once('?') {
            let flag = number(flag).ok_or_else(|| format!("`{flag}` is no Constant"))?;
            let (yes, no) = words.split_once(':').unwrap_or((words, ""));
            out.push_str(if flag == 1 { yes } else { no });
        } else {
            let value = number(field).ok_or_else(|| {
                format!("`{{{field}}}` is neither a Constant nor a Vec of this module")
            })?;
            out.push_str(&value.to_string());
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}
