//! Expressions with signals replaced, folded where a constant decides them.

use super::ir::*;
use std::collections::BTreeMap;

/// What to read instead of a signal.
#[derive(Debug, Default)]
pub(crate) struct Substitution {
    /// A plain expression for each signal that is replaced.
    pub values: BTreeMap<SignalId, Expr>,
}

impl Substitution {
    /// `e` over the replacements.
    pub fn expr(&self, e: &Expr) -> Expr {
        if self.values.is_empty() {
            return e.clone();
        }
        let boxed = |e: &Expr| Box::new(self.expr(e));
        let kind = match &e.kind {
            Kind::Const { .. } | Kind::Lane { .. } | Kind::Index(_) => return e.clone(),
            Kind::Signal(s) => match self.values.get(s) {
                Some(value) => return value.clone().reinterpret(e.signed),
                None => return e.clone(),
            },
            Kind::Slice { signal, low, .. } => {
                let part = self.values.get(signal).map(|v| v.bits(*low, e.width));
                return match part.flatten() {
                    Some(part) => part.reinterpret(e.signed),
                    None => e.clone(),
                };
            }
            Kind::Select { signal, of, index } => Kind::Select {
                signal: self.source(*signal),
                of: *of,
                index: boxed(index),
            },
            Kind::Reinterpret(inner) => return self.expr(inner).reinterpret(e.signed),
            Kind::ZeroExtend(inner) => return self.expr(inner).zero_extend(e.width),
            Kind::SignExtend(inner) => return self.expr(inner).sign_extend(e.width),
            Kind::Not(inner) => return not(self.expr(inner)),
            Kind::Neg(inner) => Kind::Neg(boxed(inner)),
            Kind::Reduce(fold, inner) => Kind::Reduce(*fold, boxed(inner)),
            Kind::Binary(op, l, r) => Kind::Binary(*op, boxed(l), boxed(r)),
            Kind::Compare(cmp, l, r) => return compare(*cmp, self.expr(l), self.expr(r)),
            Kind::LogicalAnd(l, r) => return and(self.expr(l), self.expr(r)),
            Kind::LogicalOr(l, r) => return or(self.expr(l), self.expr(r)),
            Kind::ShiftLeft(l, by) => Kind::ShiftLeft(boxed(l), boxed(by)),
            Kind::ShiftRight(l, by) => Kind::ShiftRight(boxed(l), boxed(by)),
            Kind::Concat(parts) => {
                let parts = parts.iter().map(|p| self.expr(p)).collect();
                return concat(parts).reinterpret(e.signed);
            }
            Kind::Mux(test, then, other) => Kind::Mux(boxed(test), boxed(then), boxed(other)),
        };
        Expr::new(e.width, e.signed, kind)
    }

    /// The signal that stands for `signal` where only a signal can.
    fn source(&self, signal: SignalId) -> SignalId {
        match self
            .values
            .get(&signal)
            .map(|v| &v.reinterpret_inner().kind)
        {
            Some(Kind::Signal(source)) => *source,
            _ => signal,
        }
    }
}

/// `!e`, decided if `e` is constant.
pub(crate) fn not(e: Expr) -> Expr {
    match e.as_const() {
        Some(value) => Expr::constant(!value, e.width, e.signed),
        None => e.inverted(),
    }
}

/// `l && r`, decided as far as one side is constant.
pub(crate) fn and(l: Expr, r: Expr) -> Expr {
    match (l.as_const(), r.as_const()) {
        (Some(0), _) | (_, Some(0)) => Expr::bit(false),
        (Some(_), _) => r,
        (_, Some(_)) => l,
        _ => Expr::new(1, false, Kind::LogicalAnd(Box::new(l), Box::new(r))),
    }
}

/// `l || r`, decided as far as one side is constant.
pub(crate) fn or(l: Expr, r: Expr) -> Expr {
    match (l.as_const(), r.as_const()) {
        (Some(0), _) => r,
        (_, Some(0)) => l,
        (Some(_), _) | (_, Some(_)) => Expr::bit(true),
        _ => Expr::new(1, false, Kind::LogicalOr(Box::new(l), Box::new(r))),
    }
}

fn compare(cmp: Cmp, l: Expr, r: Expr) -> Expr {
    if let (Some(a), Some(b)) = (l.as_const(), r.as_const()) {
        match cmp {
            Cmp::Eq => return Expr::bit(a == b),
            Cmp::Ne => return Expr::bit(a != b),
            _ => {}
        }
    }
    Expr::new(1, false, Kind::Compare(cmp, Box::new(l), Box::new(r)))
}
