//! Rewrites a module to the bits that are needed.
//!
//! A signal keeps its bits up to the highest needed one; one that nobody needs vanishes with
//! the statements that assign it. Operators whose low result bits depend on low operand bits
//! only are computed in the narrow width; right shifts by a variable need all their bits, so
//! signals assigned from them keep their width.

use super::demand::{Bits, Needs, block_is_live, height, is_needed};
use super::ir::*;

/// Final widths of a module's signals; 0 for those that vanish.
pub(crate) fn widths(ir: &ModuleIr, needs: &Needs) -> Vec<usize> {
    let mut rigid = vec![false; ir.signals.len()];
    for statement in &ir.body {
        mark_rigid(statement, &mut rigid);
    }
    for register in &ir.registers {
        let either = rigid[register.q] || rigid[register.d];
        rigid[register.q] = either;
        rigid[register.d] = either;
    }
    needs
        .iter()
        .enumerate()
        .map(|(id, need)| match height(need) {
            0 => 0,
            _ if rigid[id] => ir.signals[id].width,
            height => height,
        })
        .collect()
}

fn mark_rigid(statement: &Stmt, rigid: &mut [bool]) {
    match statement {
        Stmt::Comment(_) | Stmt::Loop { .. } => {}
        Stmt::Assign {
            target,
            part,
            value,
        } => {
            let variable = matches!(part, Part::Variable { .. });
            rigid[*target] |= variable || !is_elastic(value);
        }
        Stmt::If { then, other, .. } => {
            then.iter().chain(other).for_each(|s| mark_rigid(s, rigid));
        }
        Stmt::Case { arms, default, .. } => {
            let blocks = arms.iter().map(|(_, b)| b).chain(default);
            blocks.flatten().for_each(|s| mark_rigid(s, rigid));
        }
    }
}

/// Whether the low bits of `e` can be computed alone.
fn is_elastic(e: &Expr) -> bool {
    match &e.kind {
        Kind::ShiftRight(..) => false,
        Kind::Reinterpret(e) | Kind::Not(e) | Kind::Neg(e) => is_elastic(e),
        Kind::Binary(_, l, r) | Kind::Mux(_, l, r) => is_elastic(l) && is_elastic(r),
        Kind::ShiftLeft(l, _) => is_elastic(l),
        Kind::Concat(parts) => parts.iter().all(is_elastic),
        _ => true,
    }
}

/// Rewrites statements for the final widths, dropping what nobody needs.
pub(crate) struct Narrower<'a> {
    pub widths: &'a [usize],
    pub needs: &'a Needs,
    pub original: &'a [Signal],
}

impl Narrower<'_> {
    pub fn block(&self, block: &[Stmt]) -> Vec<Stmt> {
        let mut out = Vec::new();
        let mut comments = Vec::new();
        for statement in block {
            if let Stmt::Comment(_) = statement {
                comments.push(statement.clone());
                continue;
            }
            // A comment outlives a dropped statement: it may speak for those that follow.
            if is_needed(statement, self.needs) {
                out.append(&mut comments);
                out.push(self.statement(statement));
            }
        }
        out
    }

    fn statement(&self, statement: &Stmt) -> Stmt {
        match statement {
            Stmt::Comment(_) | Stmt::Loop { .. } => statement.clone(),
            Stmt::Assign {
                target,
                part,
                value,
            } => self.assign(*target, part, value),
            Stmt::If { test, then, other } => {
                let test = self.full(test);
                let (then, other) = (self.block(then), self.block(other));
                if then.is_empty() {
                    return Stmt::If {
                        test: test.inverted(),
                        then: other,
                        other: Vec::new(),
                    };
                }
                Stmt::If { test, then, other }
            }
            Stmt::Case {
                test,
                arms,
                default,
            } => self.case(test, arms, default.as_deref()),
        }
    }

    fn case(&self, test: &Expr, arms: &[(Expr, Vec<Stmt>)], default: Option<&[Stmt]>) -> Stmt {
        let default_is_live = default.is_some_and(|b| block_is_live(b, self.needs));
        let arms = arms
            .iter()
            .filter(|(_, b)| default_is_live || block_is_live(b, self.needs))
            .map(|(label, b)| (label.clone(), self.block(b)))
            .collect();
        Stmt::Case {
            test: self.full(test),
            arms,
            default: default.filter(|_| default_is_live).map(|b| self.block(b)),
        }
    }

    fn assign(&self, target: SignalId, part: &Part, value: &Expr) -> Stmt {
        let final_width = self.widths[target];
        let part = match part {
            Part::Bits { low, width } => {
                let width = (*width).min(final_width - low);
                if *low == 0 && width == final_width {
                    Part::Whole
                } else {
                    Part::Bits { low: *low, width }
                }
            }
            Part::Variable { index, width } => Part::Variable {
                index: self.full(index),
                width: *width,
            },
            Part::Whole | Part::Lane { .. } => Part::Whole,
        };
        let width = match &part {
            Part::Whole | Part::Lane { .. } => final_width,
            Part::Bits { width, .. } | Part::Variable { width, .. } => *width,
        };
        let value = self.low_bits(value, width);
        let signed = self.original[target].signed && part == Part::Whole;
        Stmt::Assign {
            target,
            part,
            value: value.reinterpret(signed),
        }
    }

    pub fn full(&self, e: &Expr) -> Expr {
        self.low_bits(e, e.width)
    }

    /// The low `width` bits of `e`, over signals of their final widths. Bits that nobody
    /// needs read as zero.
    fn low_bits(&self, e: &Expr, width: usize) -> Expr {
        debug_assert!(width <= e.width);
        let boxed = |e: &Expr, width: usize| Box::new(self.low_bits(e, width));
        let full = |e: &Expr| Box::new(self.full(e));
        let kind = match &e.kind {
            Kind::Const { .. } => return e.bits(0, width).unwrap_or_else(|| e.clone()),
            // Loops are made later.
            Kind::Lane { .. } | Kind::Index(_) => return e.clone(),
            Kind::Signal(s) => return self.slice(*s, 0, width, e.signed),
            Kind::Slice { signal, low, .. } => return self.slice(*signal, *low, width, e.signed),
            Kind::Select { signal, index, .. } => Kind::Select {
                signal: *signal,
                of: self.widths[*signal],
                index: full(index),
            },
            Kind::Reinterpret(inner) => {
                return self.low_bits(inner, width).reinterpret(e.signed);
            }
            Kind::ZeroExtend(inner) | Kind::SignExtend(inner) if width <= inner.width => {
                return self.low_bits(inner, width).reinterpret(e.signed);
            }
            Kind::ZeroExtend(inner) => return self.full(inner).zero_extend(width),
            Kind::SignExtend(inner) => return self.full(inner).sign_extend(width),
            Kind::Not(inner) => Kind::Not(boxed(inner, width)),
            Kind::Neg(inner) => Kind::Neg(boxed(inner, width)),
            Kind::Reduce(fold, inner) => Kind::Reduce(*fold, full(inner)),
            Kind::Binary(op, l, r) => Kind::Binary(
                *op,
                boxed(l, width.min(l.width)),
                boxed(r, width.min(r.width)),
            ),
            Kind::Compare(cmp, l, r) => Kind::Compare(*cmp, full(l), full(r)),
            Kind::LogicalAnd(l, r) => Kind::LogicalAnd(full(l), full(r)),
            Kind::LogicalOr(l, r) => Kind::LogicalOr(full(l), full(r)),
            Kind::ShiftLeft(_, by) if by.as_const().is_some_and(|by| by >= width as u128) => {
                return Expr::constant(0, width, false);
            }
            Kind::ShiftLeft(l, by) => Kind::ShiftLeft(boxed(l, width), full(by)),
            Kind::ShiftRight(l, by) => Kind::ShiftRight(full(l), full(by)),
            Kind::Concat(parts) => return self.low_parts(parts, width),
            Kind::Mux(test, then, other) => {
                Kind::Mux(full(test), boxed(then, width), boxed(other, width))
            }
        };
        Expr::new(width, e.signed, kind)
    }

    fn slice(&self, signal: SignalId, low: usize, width: usize, signed: bool) -> Expr {
        let of = self.widths[signal];
        if low >= of {
            return Expr::constant(0, width, signed);
        }
        let available = width.min(of - low);
        let whole = Expr::signal(signal, of, self.original[signal].signed);
        let part = whole
            .bits(low, available)
            .unwrap_or_else(|| Expr::constant(0, available, false));
        if available == width {
            return part.reinterpret(signed);
        }
        part.zero_extend(width).reinterpret(signed)
    }

    fn low_parts(&self, parts: &[Expr], width: usize) -> Expr {
        let mut out = Vec::new();
        let mut rest = width;
        for part in parts.iter().rev() {
            let take = part.width.min(rest);
            if take == 0 {
                break;
            }
            out.push(self.low_bits(part, take));
            rest -= take;
        }
        out.reverse();
        concat(out)
    }
}

/// Bits of a declared signal that nobody reads although they exist.
pub(crate) fn idle_bits(width: usize, read: &Bits) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for bit in (0..width).filter(|b| !read.get(*b).copied().unwrap_or(false)) {
        match ranges.last_mut() {
            Some((low, count)) if *low + *count == bit => *count += 1,
            _ => ranges.push((bit, 1)),
        }
    }
    ranges
}
