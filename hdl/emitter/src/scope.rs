//! Names of one module: ports, constants, states, registers, children, loop variables.

use super::collect::{AtomInfo, RawKind};
use super::error::{EmitError, Place};
use super::index::{evaluate, flatten};
use super::ir::*;
use super::names::{self, Naming};
use super::text::is_large;
use rust_hdl::prelude::AtomKind;
use std::collections::HashMap;
use std::rc::Rc;

/// What a name in the AST means.
#[derive(Debug, Clone)]
pub(crate) enum Entity {
    Signal(SignalId),
    /// Clock input of register `.0`.
    Clock(usize),
    Loop(i128),
    /// A `Constant<Bit>`: conditions on it are decided here.
    Flag(bool),
    Value(Rc<NamedValue>),
}

/// Names and loop variables while one module is lowered.
pub(crate) struct Scope<'a> {
    pub signals: Vec<Signal>,
    names: HashMap<String, Entity>,
    pub loops: Vec<(String, i128)>,
    pub clocked: Vec<bool>,
    pub place: &'a Place,
}

/// Ports in print order: clock, reset, the rest as declared.
pub(crate) fn port_order(atoms: &[AtomInfo]) -> Vec<&AtomInfo> {
    let mut ports: Vec<&AtomInfo> = atoms.iter().filter(|a| a.is_port()).collect();
    ports.sort_by_key(|a| match (a.is_clock(), a.name.as_str()) {
        (true, _) => 0,
        (false, "reset") => 1,
        _ => 2,
    });
    ports
}

impl<'a> Scope<'a> {
    /// A scope with room for the clocks of `registers` registers.
    pub fn new(place: &'a Place, registers: usize) -> Self {
        Self {
            signals: Vec::new(),
            names: HashMap::new(),
            loops: Vec::new(),
            clocked: vec![false; registers],
            place,
        }
    }

    fn declare(&mut self, path: &str, name: String, info: &AtomInfo, role: Role) -> SignalId {
        self.signals.push(Signal {
            path: path.to_string(),
            name,
            width: info.width,
            signed: info.signed,
            role,
            clock: info.is_clock(),
            lanes: None,
        });
        self.signals.len() - 1
    }

    fn bind(&mut self, path: &str, id: SignalId) {
        self.names.insert(path.to_string(), Entity::Signal(id));
    }

    pub fn declare_atoms(
        &mut self,
        raw: &RawKind,
        naming: &Naming,
    ) -> Result<Vec<SignalId>, EmitError> {
        let mut ports = Vec::new();
        for atom in port_order(&raw.atoms) {
            let role = match atom.kind {
                AtomKind::InputParameter => Role::Input,
                AtomKind::OutputParameter => Role::Output,
                _ => {
                    let reason = "bidirectional ports are not printed";
                    return Err(self.place.refuse(&atom.name, reason));
                }
            };
            let name = names::identifier(&atom.name, naming);
            let id = self.declare(&atom.name, name, atom, role);
            self.bind(&atom.name, id);
            ports.push(id);
            self.declare_variants(atom);
        }
        let mut group = None;
        for atom in raw.atoms.iter().filter(|a| !a.is_port()) {
            if atom.kind == AtomKind::Constant {
                self.declare_constant(atom, raw, naming, &mut group)?;
            } else {
                let name = names::identifier(&atom.name, naming);
                let id = self.declare(&atom.name, name, atom, Role::Local);
                self.bind(&atom.name, id);
            }
            self.declare_variants(atom);
        }
        Ok(ports)
    }

    fn declare_constant(
        &mut self,
        atom: &AtomInfo,
        raw: &RawKind,
        naming: &Naming,
        group: &mut Option<String>,
    ) -> Result<(), EmitError> {
        let Some(value) = atom.value else {
            let reason = "constants of more than 128 bits are not printed";
            return Err(self.place.refuse(&atom.name, reason));
        };
        let entity = if atom.type_name == "Bit" {
            Entity::Flag(value == 1)
        } else {
            let (name, group) = constant_name(atom, raw, naming, group);
            Entity::Value(Rc::new(NamedValue {
                name,
                width: atom.width,
                signed: atom.signed,
                value: value & mask(atom.width),
                pattern: is_pattern(atom, &raw.atoms),
                group,
                order: self.names.len(),
            }))
        };
        self.names.insert(atom.name.clone(), entity);
        Ok(())
    }

    fn declare_variants(&mut self, atom: &AtomInfo) {
        for (value, variant) in atom.variants.iter().enumerate() {
            let named = NamedValue {
                name: Some(names::constant_name(variant)),
                width: atom.width,
                signed: false,
                value: value as u128,
                pattern: false,
                group: Some(format!("encoding of {}", states_of(variant))),
                order: self.names.len(),
            };
            let key = variant.replace("::", "$");
            self.names
                .entry(key)
                .or_insert(Entity::Value(Rc::new(named)));
        }
    }

    pub fn declare_registers(&mut self, raw: &RawKind, naming: &Naming) -> Vec<Register> {
        let mut registers = Vec::new();
        for (index, info) in raw.registers.iter().enumerate() {
            let name = |suffix: &str| names::register_name(&info.name, naming, suffix);
            let (q_path, d_path) = (format!("{}$q", info.name), format!("{}$d", info.name));
            let q = self.declare(&q_path, name("q"), info, Role::Q(index));
            let d = self.declare(&d_path, name("d"), info, Role::D(index));
            self.bind(&q_path, q);
            self.bind(&d_path, d);
            let clock = format!("{}$clock", info.name);
            self.names.insert(clock, Entity::Clock(index));
            self.declare_variants(info);
            registers.push(Register { q, d });
        }
        registers
    }

    pub fn declare_instances(
        &mut self,
        raw: &RawKind,
        kinds: &[RawKind],
        naming: &Naming,
    ) -> Result<Vec<Instance>, EmitError> {
        let mut instances = Vec::new();
        for (inst, (path, kind)) in raw.children.iter().enumerate() {
            let shown = alone(path, raw);
            let mut ports = Vec::new();
            for (port, atom) in port_order(&kinds[*kind].atoms).into_iter().enumerate() {
                let role = match atom.is_input() {
                    true => Role::InstanceInput { inst, port },
                    false => Role::InstanceOutput { inst, port },
                };
                let name = names::identifier(&format!("{shown}${}", atom.name), naming);
                let path = format!("{path}${}", atom.name);
                let id = self.declare(&path, name, atom, role);
                self.bind(&path, id);
                ports.push(id);
                self.declare_variants(atom);
            }
            instances.push(Instance {
                path: path.clone(),
                name: names::identifier(shown, naming),
                kind: *kind,
                ports,
            });
        }
        Ok(instances)
    }

    /// The value of a loop variable or constant, for index texts.
    fn lookup(&self, name: &str) -> Option<i128> {
        if let Some((_, value)) = self.loops.iter().rev().find(|(n, _)| n == name) {
            return Some(*value);
        }
        match self.names.get(name)? {
            Entity::Value(value) => i128::try_from(value.value).ok(),
            Entity::Flag(value) => Some(*value as i128),
            _ => None,
        }
    }

    /// A comment with its `{index}`es filled: integer expressions of loop variables and constants,
    /// and, as `{table[index]:rate}`, an entry of a table in units of 2⁻³².
    pub fn filled(&self, text: &str) -> Result<String, String> {
        let mut pieces = text.split('{');
        let mut out = pieces.next().unwrap_or_default().to_string();
        for piece in pieces {
            let (field, rest) = piece
                .split_once('}')
                .ok_or_else(|| format!("`{text}` has an unbalanced brace"))?;
            let value = match field.strip_suffix(":rate") {
                Some(entry) => {
                    let path = flatten(entry, &|name| self.lookup(name))?;
                    let value = self
                        .lookup(&path)
                        .ok_or_else(|| format!("no constant `{path}`"))?;
                    format!("{:.1e}", value as f64 / f64::powi(2.0, 32))
                }
                None => evaluate(field, &|name| self.lookup(name))?.to_string(),
            };
            out.push_str(&value);
            out.push_str(rest);
        }
        Ok(out)
    }

    /// What `text` (`pe[i]$a_in$next`, `State$Idle`, `i`) means.
    pub fn resolve(&self, text: &str) -> Result<Entity, String> {
        let squeezed: String = text.split_whitespace().collect();
        if let Some((_, value)) = self.loops.iter().rev().find(|(n, _)| *n == squeezed) {
            return Ok(Entity::Loop(*value));
        }
        let dotted = squeezed.replace("::", "$").replace('.', "$");
        let path = flatten(&dotted, &|name| self.lookup(name))?;
        let path = path.trim_matches('$').trim_end_matches("$next");
        self.names.get(path).cloned().ok_or_else(|| {
            let shown = path.replace('$', ".");
            match self.instance_of(path) {
                Some(instance) => format!(
                    "`{shown}` is no port of the child `{instance}`; what lies deeper must become \
                     a port of it"
                ),
                None => format!(
                    "`{shown}` is no signal, constant, loop variable or state of this module; Rust \
                     constants and const generics become Constant fields or one-turn loops"
                ),
            }
        })
    }

    /// The child whose path `path` begins with.
    fn instance_of(&self, path: &str) -> Option<String> {
        self.signals.iter().find_map(|s| {
            let (Role::InstanceInput { .. } | Role::InstanceOutput { .. }) = s.role else {
                return None;
            };
            let (child, _) = s.path.split_once('$')?;
            let rest = path.strip_prefix(child)?;
            rest.starts_with('$').then(|| child.to_string())
        })
    }
}

/// The path of a child, without its number if it is the only one of its `Vec`: such a `Vec` says
/// whether it is built in.
fn alone<'a>(path: &'a str, raw: &RawKind) -> &'a str {
    match names::lane(path) {
        Some((base, 0)) => {
            let is_second = |(child, _): &(String, usize)| names::lane(child) == Some((base, 1));
            if raw.children.iter().any(is_second) {
                path
            } else {
                base
            }
        }
        _ => path,
    }
}

/// The name of a constant and the comment of the group that it belongs to. Entries of a `Vec` have
/// a name if the module declares the `Vec` as a table, or if they have labels; a single constant
/// belongs to the group that the last noted one before it has opened.
fn constant_name(
    atom: &AtomInfo,
    raw: &RawKind,
    naming: &Naming,
    open: &mut Option<String>,
) -> (Option<String>, Option<String>) {
    let noted = |field: &str| {
        let note = raw.notes.tables.iter().find(|(name, _)| name == field);
        note.map(|(_, comment)| comment.clone())
    };
    let Some((base, lane)) = names::lane(&atom.name) else {
        *open = noted(&atom.name).or(open.take());
        return (Some(names::constant_name(&atom.name)), open.clone());
    };
    let group = noted(base);
    let label = naming.labels.get(base).and_then(|labels| labels.get(lane));
    let name = match (label, &group) {
        (Some(label), _) => Some(label.clone()),
        (None, Some(_)) => Some(names::constant_name(&atom.name)),
        (None, None) => None,
    };
    (name, group)
}

/// A table is printed in one base: hexadecimal as soon as one entry is no small number.
fn is_pattern(atom: &AtomInfo, atoms: &[AtomInfo]) -> bool {
    let Some((base, _)) = names::lane(&atom.name) else {
        return atom.value.is_some_and(is_large);
    };
    atoms
        .iter()
        .filter(|a| names::lane(&a.name).is_some_and(|(other, _)| other == base))
        .any(|a| a.value.is_some_and(is_large))
}

/// `SequencerState::Idle` -> `SequencerState`
fn states_of(variant: &str) -> &str {
    variant
        .rsplit_once("::")
        .map_or(variant, |(states, _)| states)
}
