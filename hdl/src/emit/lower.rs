//! One kind's AST -> [`ModuleIr`]: names resolved, loops unrolled, conditions decided.

use super::collect::{AtomInfo, Code, RawKind, comment_text};
use super::error::{EmitError, Place};
use super::index::{flatten, integer};
use super::ir::*;
use super::names::{self, Grids};
use super::typing::{Value, coerce, index_bits};
use rust_hdl::prelude::AtomKind;
use rust_hdl::prelude::ast::{
    VerilogBlockOrConditional as Otherwise, VerilogCase, VerilogConditional,
    VerilogExpression as Ast, VerilogLink, VerilogMatch, VerilogStatement as AstStmt,
};
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
    loops: Vec<(String, i128)>,
    clocked: Vec<bool>,
    place: &'a Place,
}

/// Lowers `kinds[this]`, whose children have smaller indices.
pub(crate) fn lower(kinds: &[RawKind], this: usize, grids: &Grids) -> Result<ModuleIr, EmitError> {
    let raw = &kinds[this];
    let place = raw.place();
    let mut scope = Scope {
        signals: Vec::new(),
        names: HashMap::new(),
        loops: Vec::new(),
        clocked: vec![false; raw.registers.len()],
        place: &place,
    };
    let mut ir = ModuleIr {
        ports: scope.declare_atoms(raw, grids)?,
        registers: scope.declare_registers(raw, grids),
        ..ModuleIr::default()
    };
    ir.instances = scope.declare_instances(raw, kinds, grids)?;
    if let Code::Rtl(block) = &raw.code {
        scope.block(block, &mut ir.body)?;
        if let Some(open) = scope.clocked.iter().position(|c| !c) {
            let name = &raw.registers[open].name;
            return Err(place.refuse(name, "the register has no clock: list it in dff_setup!"));
        }
    }
    ir.signals = scope.signals;
    Ok(ir)
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

impl Scope<'_> {
    fn declare(&mut self, path: &str, name: String, info: &AtomInfo, role: Role) -> SignalId {
        self.signals.push(Signal {
            path: path.to_string(),
            name,
            width: info.width,
            signed: info.signed,
            role,
            clock: info.is_clock(),
        });
        self.signals.len() - 1
    }

    fn bind(&mut self, path: &str, id: SignalId) {
        self.names.insert(path.to_string(), Entity::Signal(id));
    }

    fn declare_atoms(&mut self, raw: &RawKind, grids: &Grids) -> Result<Vec<SignalId>, EmitError> {
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
            let name = names::identifier(&atom.name, grids);
            let id = self.declare(&atom.name, name, atom, role);
            self.bind(&atom.name, id);
            ports.push(id);
            self.declare_variants(atom);
        }
        for atom in raw.atoms.iter().filter(|a| !a.is_port()) {
            if atom.kind == AtomKind::Constant {
                self.declare_constant(atom)?;
            } else {
                let name = names::identifier(&atom.name, grids);
                let id = self.declare(&atom.name, name, atom, Role::Local);
                self.bind(&atom.name, id);
            }
            self.declare_variants(atom);
        }
        Ok(ports)
    }

    fn declare_constant(&mut self, atom: &AtomInfo) -> Result<(), EmitError> {
        let Some(value) = atom.value else {
            let reason = "constants of more than 128 bits are not printed";
            return Err(self.place.refuse(&atom.name, reason));
        };
        let entity = if atom.type_name == "Bit" {
            Entity::Flag(value == 1)
        } else {
            Entity::Value(Rc::new(NamedValue {
                name: names::constant_name(&atom.name),
                width: atom.width,
                signed: atom.signed,
                value: value & mask(atom.width),
                order: self.names.len(),
            }))
        };
        self.names.insert(atom.name.clone(), entity);
        Ok(())
    }

    fn declare_variants(&mut self, atom: &AtomInfo) {
        for (value, variant) in atom.variants.iter().enumerate() {
            let named = NamedValue {
                name: names::constant_name(variant),
                width: atom.width,
                signed: false,
                value: value as u128,
                order: self.names.len(),
            };
            let key = variant.replace("::", "$");
            self.names
                .entry(key)
                .or_insert(Entity::Value(Rc::new(named)));
        }
    }

    fn declare_registers(&mut self, raw: &RawKind, grids: &Grids) -> Vec<Register> {
        let mut registers = Vec::new();
        for (index, info) in raw.registers.iter().enumerate() {
            let name = names::identifier(&info.name, grids);
            let (q_path, d_path) = (format!("{}$q", info.name), format!("{}$d", info.name));
            let q = self.declare(&q_path, format!("{name}_q"), info, Role::Q(index));
            let d = self.declare(&d_path, format!("{name}_d"), info, Role::D(index));
            self.bind(&q_path, q);
            self.bind(&d_path, d);
            let clock = format!("{}$clock", info.name);
            self.names.insert(clock, Entity::Clock(index));
            self.declare_variants(info);
            registers.push(Register { q, d });
        }
        registers
    }

    fn declare_instances(
        &mut self,
        raw: &RawKind,
        kinds: &[RawKind],
        grids: &Grids,
    ) -> Result<Vec<Instance>, EmitError> {
        let mut instances = Vec::new();
        for (inst, (path, kind)) in raw.children.iter().enumerate() {
            let mut ports = Vec::new();
            for (port, atom) in port_order(&kinds[*kind].atoms).into_iter().enumerate() {
                let role = match atom.is_input() {
                    true => Role::InstanceInput { inst, port },
                    false => Role::InstanceOutput { inst, port },
                };
                let path = format!("{path}${}", atom.name);
                let name = names::identifier(&path, grids);
                let id = self.declare(&path, name, atom, role);
                self.bind(&path, id);
                ports.push(id);
                self.declare_variants(atom);
            }
            instances.push(Instance {
                name: names::identifier(path, grids),
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

    fn block(&mut self, block: &[AstStmt], out: &mut Vec<Stmt>) -> Result<(), EmitError> {
        block.iter().try_for_each(|s| self.statement(s, out))
    }

    fn statement(&mut self, statement: &AstStmt, out: &mut Vec<Stmt>) -> Result<(), EmitError> {
        match statement {
            AstStmt::Assignment(target, value) => self.assignment(target, value, out),
            AstStmt::SliceAssignment {
                base,
                width,
                offset,
                replacement,
            } => self.slice_assignment(base, *width, offset, replacement, out),
            AstStmt::If(conditional) => self.conditional(conditional, out),
            AstStmt::Match(m) => self.case(m, out),
            AstStmt::Loop(l) => {
                for i in l.from.as_usize()..l.to.as_usize() {
                    self.loops.push((l.index.clone(), i as i128));
                    let done = self.block(&l.block, out);
                    self.loops.pop();
                    done?;
                }
                Ok(())
            }
            AstStmt::Comment(text) => {
                out.push(Stmt::Comment(comment_text(text)));
                Ok(())
            }
            AstStmt::Link(links) => links.iter().try_for_each(|l| self.link(l, out)),
            AstStmt::Macro(block) => self.block(block, out),
        }
    }

    fn link(&mut self, link: &VerilogLink, out: &mut Vec<Stmt>) -> Result<(), EmitError> {
        let (details, forward) = match link {
            VerilogLink::Forward(d) => (d, true),
            VerilogLink::Backward(d) => (d, false),
            VerilogLink::Bidirectional(d) => {
                let reason = "bidirectional links are not printed";
                return Err(self.place.refuse(&d.owner_name, reason));
            }
        };
        let name =
            |side: &str| Ast::Signal(format!("{side}${}", details.my_name.trim_matches('.')));
        let (mine, theirs) = (name(&details.owner_name), name(&details.other_name));
        match forward {
            true => self.assignment(&theirs, &mine, out),
            false => self.assignment(&mine, &theirs, out),
        }
    }

    fn assignment(
        &mut self,
        target: &Ast,
        value: &Ast,
        out: &mut Vec<Stmt>,
    ) -> Result<(), EmitError> {
        let (text, entity) = self.target(target)?;
        let refuse = |reason: String| self.place.refuse(&text, reason);
        let id = match entity {
            Entity::Signal(id) => id,
            Entity::Clock(register) => {
                self.check_clock(&text, value)?;
                self.clocked[register] = true;
                return Ok(());
            }
            _ => return Err(refuse("only signals can be assigned".to_string())),
        };
        let (width, signed) = (self.signals[id].width, self.signals[id].signed);
        match self.signals[id].role {
            Role::Input | Role::Q(_) | Role::InstanceOutput { .. } => {
                return Err(refuse(
                    "it is driven elsewhere and cannot be assigned".to_string(),
                ));
            }
            _ => {}
        }
        let value = strip(value);
        if let Ast::IndexReplace(base, index, bit) = value {
            return self
                .replace_bit(id, base, index, bit, out)
                .map_err(|r| self.place.refuse(&self.signals[id].path, r));
        }
        let value = self.assigned(value, width, signed).map_err(refuse)?;
        self.no_stub_reads(&value)
            .map_err(|r| self.place.refuse(&text, r))?;
        out.push(Stmt::Assign {
            target: id,
            part: Part::Whole,
            value,
        });
        Ok(())
    }

    fn target(&self, target: &Ast) -> Result<(String, Entity), EmitError> {
        let Ast::Signal(text) = strip(target) else {
            return Err(self
                .place
                .refuse("?", "the target of an assignment is not a signal"));
        };
        let entity = self
            .resolve(text)
            .map_err(|reason| self.place.refuse(text.trim_end_matches("$next"), reason))?;
        let shown = match &entity {
            Entity::Signal(id) => self.signals[*id].path.clone(),
            _ => text.clone(),
        };
        Ok((shown, entity))
    }

    /// A register's clock must be the module's own `clock`.
    fn check_clock(&self, text: &str, value: &Ast) -> Result<(), EmitError> {
        if let Ast::Signal(name) = strip(value)
            && let Ok(Entity::Signal(id)) = self.resolve(name)
        {
            let s = &self.signals[id];
            if s.clock && s.role == Role::Input && s.path == "clock" {
                return Ok(());
            }
        }
        Err(self
            .place
            .refuse(text, "registers run on the module's input `clock` only"))
    }

    /// `target = base; target[index] = bit;`, without the first if base is the target.
    fn replace_bit(
        &self,
        id: SignalId,
        base: &Ast,
        index: &Ast,
        bit: &Ast,
        out: &mut Vec<Stmt>,
    ) -> Result<(), String> {
        let (width, signed) = (self.signals[id].width, self.signals[id].signed);
        let base = strip(base);
        let itself = matches!(base, Ast::Signal(name)
            if matches!(self.resolve(name), Ok(Entity::Signal(b)) if b == id));
        let value = self.assigned(bit, 1, false)?;
        if !itself {
            value_without(&value, id)?;
            if let Ast::IndexReplace(b, i, v) = base {
                self.replace_bit(id, b, i, v, out)?;
            } else {
                let value = self.assigned(base, width, signed)?;
                self.no_stub_reads(&value)?;
                out.push(Stmt::Assign {
                    target: id,
                    part: Part::Whole,
                    value,
                });
            }
        }
        self.no_stub_reads(&value)?;
        let part = self.part(index, 1, width)?;
        out.push(Stmt::Assign {
            target: id,
            part,
            value,
        });
        Ok(())
    }

    fn part(&self, index: &Ast, width: usize, of: usize) -> Result<Part, String> {
        match self.index(index, of)? {
            Value::Int { value, .. } => {
                let low = usize::try_from(value).unwrap_or(usize::MAX);
                if low.saturating_add(width) > of {
                    return Err(format!("bit {value} of a signal of {of} bits is assigned"));
                }
                Ok(if width == of {
                    Part::Whole
                } else {
                    Part::Bits { low, width }
                })
            }
            Value::Typed(index) => Ok(Part::Variable { index, width }),
            _ => Err("an index that is neither a number nor a signal".to_string()),
        }
    }

    fn slice_assignment(
        &mut self,
        base: &Ast,
        width: usize,
        offset: &Ast,
        replacement: &Ast,
        out: &mut Vec<Stmt>,
    ) -> Result<(), EmitError> {
        let (text, entity) = self.target(base)?;
        let refuse = |reason: String| self.place.refuse(&text, reason);
        let Entity::Signal(target) = entity else {
            return Err(refuse("only signals can be assigned".to_string()));
        };
        let part = self
            .part(offset, width, self.signals[target].width)
            .map_err(refuse)?;
        let value = self.assigned(replacement, width, false).map_err(refuse)?;
        self.no_stub_reads(&value).map_err(refuse)?;
        out.push(Stmt::Assign {
            target,
            part,
            value,
        });
        Ok(())
    }

    /// Next values and instance inputs have no `.val()` a printer could honour.
    fn no_stub_reads(&self, e: &Expr) -> Result<(), String> {
        let mut found = None;
        e.reads(&mut |s| match self.signals[s].role {
            Role::D(_) => found = Some((s, "a register's next value")),
            Role::InstanceInput { .. } => found = Some((s, "an instance's input")),
            _ => {}
        });
        match found {
            Some((s, what)) => Err(format!(
                "`{}` is {what} and cannot be read: read what drives it",
                self.signals[s].path.replace('$', ".")
            )),
            None => Ok(()),
        }
    }

    fn conditional(
        &mut self,
        c: &VerilogConditional,
        out: &mut Vec<Stmt>,
    ) -> Result<(), EmitError> {
        let refuse = |reason: String| self.place.refuse(&describe(&c.test), reason);
        let test = match self.condition(&c.test).map_err(refuse)? {
            Value::Bool(true) => return self.block(&c.then, out),
            Value::Bool(false) => return self.otherwise(&c.otherwise, out),
            value => coerce(value, 1, false).map_err(refuse)?,
        };
        self.no_stub_reads(&test).map_err(refuse)?;
        let (mut then, mut other) = (Vec::new(), Vec::new());
        self.block(&c.then, &mut then)?;
        self.otherwise(&c.otherwise, &mut other)?;
        out.push(Stmt::If { test, then, other });
        Ok(())
    }

    fn otherwise(&mut self, otherwise: &Otherwise, out: &mut Vec<Stmt>) -> Result<(), EmitError> {
        match otherwise {
            Otherwise::Block(block) => self.block(block, out),
            Otherwise::Conditional(statement) => self.statement(statement, out),
            Otherwise::None => Ok(()),
        }
    }

    fn case(&mut self, m: &VerilogMatch, out: &mut Vec<Stmt>) -> Result<(), EmitError> {
        let text = describe(&m.test);
        let refuse = |reason: String| self.place.refuse(&text, reason);
        let test = match self.value(&m.test).map_err(refuse)? {
            Value::Typed(e) => e,
            Value::Int { value, .. } => {
                let chosen = m.cases.iter().find(|c| match integer(&c.condition) {
                    Some(label) => label == value,
                    None => c.condition == "default",
                });
                return chosen.map_or(Ok(()), |c| self.block(&c.block, out));
            }
            _ => {
                return Err(refuse(
                    "a match on something that is not a signal".to_string(),
                ));
            }
        };
        self.no_stub_reads(&test).map_err(refuse)?;
        let mut arms: Vec<(Expr, Vec<Stmt>)> = Vec::new();
        let mut default = None;
        for case in &m.cases {
            let mut block = Vec::new();
            self.block(&case.block, &mut block)?;
            if case.condition == "default" {
                default = Some(block);
                break;
            }
            let label = self
                .label(case, &test)
                .map_err(|reason| self.place.refuse(&text, reason))?;
            arms.push((label, block));
        }
        let all = test.width < index_bits(usize::MAX) && arms.len() == 1 << test.width;
        if default.is_none() && !all {
            // All states of the enum are listed; the last one also takes the unused encodings.
            default = arms.pop().map(|(_, block)| block);
        }
        if arms.is_empty() {
            out.extend(default.into_iter().flatten());
        } else {
            out.push(Stmt::Case {
                test,
                arms,
                default,
            });
        }
        Ok(())
    }

    fn label(&self, case: &VerilogCase, test: &Expr) -> Result<Expr, String> {
        let value = match (integer(&case.condition), case.condition.as_str()) {
            (Some(value), _) => Value::Int { value, exact: true },
            (None, "true") => Value::Bool(true),
            (None, "false") => Value::Bool(false),
            (None, name) => match self.resolve(name)? {
                Entity::Value(value) => Value::Typed(Expr::named(value)),
                _ => return Err(format!("the pattern `{name}` is no state and no number")),
            },
        };
        coerce(value, test.width, test.signed)
    }
}

fn strip(e: &Ast) -> &Ast {
    match e {
        Ast::Paren(inner) => strip(inner),
        other => other,
    }
}

/// `base.replace_bit(..)` assigns twice, so the bit must not read the target.
fn value_without(value: &Expr, target: SignalId) -> Result<(), String> {
    let mut found = false;
    value.reads(&mut |s| found |= s == target);
    match found {
        true => Err("replace_bit of another signal whose bit reads the target".to_string()),
        false => Ok(()),
    }
}

/// A short name for a condition in error messages: its first signal.
fn describe(e: &Ast) -> String {
    match e {
        Ast::Signal(name) => name.clone(),
        Ast::Literal(literal) => literal.to_string(),
        Ast::Cast(e, _) | Ast::Signed(e) | Ast::Unsigned(e) | Ast::Paren(e) => describe(e),
        Ast::Binary(l, _, _) => describe(l),
        Ast::Unary(_, e) | Ast::Index(e, _) | Ast::Slice(e, _, _) => describe(e),
        Ast::IndexReplace(e, _, _) => describe(e),
    }
}
