//! Walks through what is printed of a module, and lists or makes mistakes on the way.
//!
//! Listing and changing are one walk, so that the places have the same numbers in both.

use super::change::{Change, not_selected, selected};
use super::variants::{Place, variants};
use super::{Mistake, Plan, Site};
use crate::arrange::{Arranged, Item};
use crate::ir::*;
use std::collections::BTreeSet;

/// Everything that may be mistaken in a module.
pub(crate) fn sites(ir: &ModuleIr, arranged: &Arranged) -> Vec<Site> {
    let mut sites = Vec::new();
    Walk::new(ir, Task::List(&mut sites)).all(arranged);
    sites
}

/// The module with the changes of `plan`, chosen by the signal `select` if there is one.
pub(crate) fn changed(
    ir: &ModuleIr,
    arranged: &Arranged,
    plan: &Plan,
    select: Option<SignalId>,
) -> Arranged {
    Walk::new(ir, Task::Change { plan, select }).all(arranged)
}

enum Task<'a> {
    List(&'a mut Vec<Site>),
    Change {
        plan: &'a Plan<'a>,
        select: Option<SignalId>,
    },
}

struct Walk<'a> {
    ir: &'a ModuleIr,
    task: Task<'a>,
    next: usize,
    /// An array whose lanes are printed under another name, and are not changed.
    fixed: Option<SignalId>,
}

/// What a statement may rely on.
#[derive(Clone)]
struct Context {
    clocked: bool,
    /// Signals that have a value already, so that leaving out an assignment makes no latch.
    assigned: BTreeSet<SignalId>,
}

impl<'a> Walk<'a> {
    fn new(ir: &'a ModuleIr, task: Task<'a>) -> Self {
        Self {
            ir,
            task,
            next: 0,
            fixed: None,
        }
    }

    fn all(&mut self, arranged: &Arranged) -> Arranged {
        let items = arranged.items.iter().map(|item| match item {
            // An inverted clock is another design, not a mistake in this one.
            Item::Assign { target, .. } if self.ir.signals[*target].clock => item.clone(),
            Item::Assign {
                comments,
                target,
                value,
            } => Item::Assign {
                comments: comments.clone(),
                target: *target,
                value: self.expr(value, Place::Value),
            },
            Item::Always(block) => {
                let context = Context {
                    clocked: false,
                    assigned: BTreeSet::new(),
                };
                Item::Always(self.block(block, context))
            }
        });
        let items = items.collect();
        let context = Context {
            clocked: true,
            assigned: BTreeSet::new(),
        };
        let clocked = self.block(&arranged.clocked, context);
        let mut children = arranged.children.clone();
        for placed in &mut children {
            placed.each_stage(&mut |stage| {
                let context = Context {
                    clocked: true,
                    assigned: BTreeSet::new(),
                };
                self.fixed = Some(stage.next);
                stage.body = self.block(&stage.body, context);
                self.fixed = None;
            });
            placed.each_mut(&mut |child| {
                for connection in child.connections.iter_mut().filter(|c| c.input && !c.clock) {
                    connection.value = self.expr(&connection.value, Place::Value);
                }
            });
        }
        Arranged {
            items,
            clocked,
            has_d: arranged.has_d.clone(),
            children,
            staged: arranged.staged.clone(),
        }
    }

    fn place(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn block(&mut self, block: &[Stmt], mut context: Context) -> Vec<Stmt> {
        let mut out = Vec::new();
        for statement in block {
            match statement {
                Stmt::Comment(_) => out.push(statement.clone()),
                Stmt::Loop {
                    id,
                    start,
                    count,
                    body,
                } => out.push(Stmt::Loop {
                    id: *id,
                    start: *start,
                    count: count.clone(),
                    body: self.block(body, context.clone()),
                }),
                Stmt::Assign { target, part, .. } => {
                    out.extend(self.assign(statement, &context));
                    if *part == Part::Whole {
                        context.assigned.insert(*target);
                    }
                }
                Stmt::If { test, then, other } => out.push(Stmt::If {
                    test: self.expr(test, Place::Test),
                    then: self.block(then, context.clone()),
                    other: self.block(other, context.clone()),
                }),
                Stmt::Case {
                    test,
                    arms,
                    default,
                } => out.push(Stmt::Case {
                    test: self.expr(test, Place::Inside),
                    arms: arms
                        .iter()
                        .map(|(label, block)| (label.clone(), self.block(block, context.clone())))
                        .collect(),
                    default: default
                        .as_ref()
                        .map(|block| self.block(block, context.clone())),
                }),
            }
        }
        out
    }

    /// An assignment, which may be left out.
    fn assign(&mut self, statement: &Stmt, context: &Context) -> Option<Stmt> {
        let Stmt::Assign {
            target,
            part,
            value,
        } = statement
        else {
            return Some(statement.clone());
        };
        // `x_q <= x_d` stands for all assignments of `x_d`.
        if context.clocked && matches!(value.kind, Kind::Signal(read) if read == *target) {
            return Some(statement.clone());
        }
        let place = self.place();
        let part = match part {
            Part::Variable { index, width } => Part::Variable {
                index: self.expr(index, Place::Inside),
                width: *width,
            },
            part => part.clone(),
        };
        let assign = Stmt::Assign {
            target: *target,
            part,
            value: self.expr(value, Place::Value),
        };
        let free = context.clocked || context.assigned.contains(target);
        self.dropped(place, free && !self.keeps(statement), assign)
    }

    /// Whether an assignment gives a register the value that it has.
    fn keeps(&self, statement: &Stmt) -> bool {
        let Stmt::Assign { target, value, .. } = statement else {
            return false;
        };
        match (&value.kind, self.ir.signals[*target].role) {
            (Kind::Signal(read), Role::D(register)) => self.ir.registers[register].q == *read,
            _ => false,
        }
    }

    fn dropped(&mut self, place: usize, free: bool, assign: Stmt) -> Option<Stmt> {
        match &mut self.task {
            Task::List(sites) => {
                if free {
                    sites.push(Site {
                        mistake: Mistake::Assignment,
                        place,
                        change: Change::Drop,
                    });
                }
                Some(assign)
            }
            Task::Change { plan, select } => {
                let mut statement = assign;
                for (number, _) in plan.at.get(&place).into_iter().flatten() {
                    let (Some(select), Some(number)) = (*select, *number) else {
                        return None;
                    };
                    statement = Stmt::If {
                        test: not_selected(select, number),
                        then: vec![statement],
                        other: Vec::new(),
                    };
                }
                Some(statement)
            }
        }
    }

    fn expr(&mut self, e: &Expr, as_: Place) -> Expr {
        if let Kind::Lane { signal, .. } | Kind::Slice { signal, .. } = &e.kind
            && Some(*signal) == self.fixed
        {
            return e.clone();
        }
        let place = self.place();
        let inner = self.children(e);
        match &mut self.task {
            Task::List(sites) => {
                let found = variants(e, as_).into_iter();
                sites.extend(found.map(|(mistake, wrong)| Site {
                    mistake,
                    place,
                    change: Change::Replace(wrong),
                }));
                inner
            }
            Task::Change { plan, select } => {
                let mut out = inner;
                for (number, change) in plan.at.get(&place).into_iter().flatten() {
                    let Change::Replace(wrong) = change else {
                        continue;
                    };
                    out = match (*select, *number) {
                        (Some(select), Some(number)) => choice(select, number, wrong, out),
                        _ => wrong.clone(),
                    };
                }
                out
            }
        }
    }

    /// Below signs of extension and for amounts of shifts only plain expressions are printed.
    fn children(&mut self, e: &Expr) -> Expr {
        let mut boxed = |e: &Expr, place| Box::new(self.expr(e, place));
        let kind = match &e.kind {
            Kind::Const { .. } | Kind::Signal(_) | Kind::Slice { .. } | Kind::SignExtend(_) => {
                return e.clone();
            }
            Kind::Lane { .. } | Kind::Index(_) => return e.clone(),
            Kind::Select { signal, of, index } => Kind::Select {
                signal: *signal,
                of: *of,
                index: boxed(index, Place::Inside),
            },
            Kind::Reinterpret(inner) => Kind::Reinterpret(boxed(inner, Place::Inside)),
            Kind::ZeroExtend(inner) => Kind::ZeroExtend(boxed(inner, Place::Inside)),
            Kind::Not(inner) => Kind::Not(boxed(inner, Place::Inside)),
            Kind::Neg(inner) => Kind::Neg(boxed(inner, Place::Inside)),
            Kind::Reduce(fold, inner) => Kind::Reduce(*fold, boxed(inner, Place::Inside)),
            Kind::Binary(op, l, r) => {
                Kind::Binary(*op, boxed(l, Place::Inside), boxed(r, Place::Inside))
            }
            Kind::Compare(cmp, l, r) => {
                Kind::Compare(*cmp, boxed(l, Place::Inside), boxed(r, Place::Inside))
            }
            Kind::LogicalAnd(l, r) => {
                Kind::LogicalAnd(boxed(l, Place::Inside), boxed(r, Place::Inside))
            }
            Kind::LogicalOr(l, r) => {
                Kind::LogicalOr(boxed(l, Place::Inside), boxed(r, Place::Inside))
            }
            Kind::ShiftLeft(l, by) => Kind::ShiftLeft(boxed(l, Place::Inside), self.amount(by)),
            Kind::ShiftRight(l, by) => Kind::ShiftRight(boxed(l, Place::Inside), self.amount(by)),
            Kind::Concat(parts) => {
                let parts = parts.iter().map(|p| self.expr(p, Place::Inside));
                Kind::Concat(parts.collect())
            }
            Kind::Mux(test, then, other) => Kind::Mux(
                boxed(test, Place::Test),
                boxed(then, Place::Inside),
                boxed(other, Place::Inside),
            ),
        };
        Expr::new(e.width, e.signed, kind)
    }

    fn amount(&mut self, by: &Expr) -> Box<Expr> {
        Box::new(match by.kind {
            Kind::Const { .. } => by.clone(),
            _ => self.expr(by, Place::Inside),
        })
    }
}

/// The mutant's expression where it is chosen.
fn choice(select: SignalId, number: u16, wrong: &Expr, right: Expr) -> Expr {
    let (width, signed) = (right.width, right.signed);
    let test = Box::new(selected(select, number));
    let wrong = Box::new(wrong.clone().reinterpret(signed));
    Expr::new(width, signed, Kind::Mux(test, wrong, Box::new(right)))
}
