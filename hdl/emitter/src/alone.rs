//! Which lanes are better off alone.
//!
//! An array is worth its name where loops go over it or it is moved whole. Local values that are
//! only ever met lane by lane keep a name each: `row_1` says more than `row[63:32]`.

use super::arrange::{Arranged, Item};
use super::ir::*;
use std::collections::{BTreeMap, BTreeSet};

/// Paths of the local arrays of `ir` that `arranged` mostly takes apart.
pub(crate) fn alone(ir: &ModuleIr, arranged: &Arranged) -> BTreeSet<String> {
    let mut count = Count {
        ir,
        uses: BTreeMap::new(),
    };
    for item in &arranged.items {
        match item {
            Item::Assign { target, value, .. } => {
                count.target(*target, &Part::Whole);
                count.value(value);
            }
            Item::Always(block) => count.block(block),
        }
    }
    count.block(&arranged.clocked);
    for placed in &arranged.children {
        placed.each(&mut |child| child.connections.iter().for_each(|c| count.value(&c.value)));
    }
    let uses = count.uses.into_iter();
    let apart = uses.filter(|(_, (lanes, whole))| *lanes >= 2 * whole);
    apart
        .map(|(array, _)| ir.signals[array].path.clone())
        .collect()
}

struct Count<'a> {
    ir: &'a ModuleIr,
    /// By array: how often single lanes are met, and how often more at once or in a loop.
    uses: BTreeMap<SignalId, (usize, usize)>,
}

impl Count<'_> {
    fn note(&mut self, signal: SignalId, width: Option<usize>) {
        let Signal { role, lanes, .. } = &self.ir.signals[signal];
        if let (Role::Local, Some(lanes)) = (role, lanes) {
            let (single, whole) = self.uses.entry(signal).or_default();
            match width.is_some_and(|w| w <= lanes.width) {
                true => *single += 1,
                false => *whole += 1,
            }
        }
    }

    fn target(&mut self, target: SignalId, part: &Part) {
        let width = match part {
            Part::Bits { width, .. } => Some(*width),
            Part::Variable { .. } => Some(1),
            Part::Whole | Part::Lane { .. } => None,
        };
        self.note(target, width);
    }

    fn value(&mut self, e: &Expr) {
        e.walk(&mut |e| match &e.kind {
            Kind::Signal(s) | Kind::Lane { signal: s, .. } => self.note(*s, None),
            Kind::Slice { signal, .. } => self.note(*signal, Some(e.width)),
            Kind::Select { signal, .. } => self.note(*signal, Some(1)),
            _ => {}
        });
    }

    fn block(&mut self, block: &[Stmt]) {
        for statement in block {
            match statement {
                Stmt::Comment(_) => {}
                Stmt::Assign {
                    target,
                    part,
                    value,
                } => {
                    self.target(*target, part);
                    self.value(value);
                }
                Stmt::If { test, then, other } => {
                    self.value(test);
                    self.block(then);
                    self.block(other);
                }
                Stmt::Case {
                    test,
                    arms,
                    default,
                } => {
                    self.value(test);
                    arms.iter().for_each(|(_, b)| self.block(b));
                    default.iter().for_each(|b| self.block(b));
                }
                Stmt::Loop { body, .. } => self.block(body),
            }
        }
    }
}
