//! One kind's AST -> [`ModuleIr`]: names resolved, loops unrolled, conditions decided.

use super::collect::{Code, RawKind, comment_text};
use super::error::EmitError;
use super::index::integer;
use super::ir::*;
use super::names::Naming;
use super::operators::coerce;
use super::scope::{Entity, Scope};
use super::typing::{Value, index_bits};
use rust_hdl::prelude::ast::{
    VerilogBlockOrConditional as Otherwise, VerilogCase, VerilogConditional,
    VerilogExpression as Ast, VerilogLink, VerilogMatch, VerilogStatement as AstStmt,
};

/// Lowers `kinds[this]`, whose children have smaller indices.
pub(crate) fn lower(
    kinds: &[RawKind],
    this: usize,
    naming: &Naming,
) -> Result<ModuleIr, EmitError> {
    let raw = &kinds[this];
    let place = raw.place();
    let mut scope = Scope::new(&place, raw.registers.len());
    let mut ir = ModuleIr {
        ports: scope.declare_atoms(raw, naming)?,
        registers: scope.declare_registers(raw, naming),
        ..ModuleIr::default()
    };
    ir.instances = scope.declare_instances(raw, kinds, naming)?;
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

impl Scope<'_> {
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
                let text = comment_text(text);
                let filled = self
                    .filled(&text)
                    .map_err(|r| self.place.refuse("comment!", r))?;
                out.push(Stmt::Comment(filled));
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
            _ => text.trim_end_matches("$next").to_string(),
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
