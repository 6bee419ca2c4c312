//! What may stand in the place of an expression by mistake.

use super::Mistake;
use crate::ir::*;

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It decides: the test of an `if` or of a choice.
    Test,
    /// It is all that is assigned.
    Value,
    /// Within another expression.
    Inside,
}

/// All mistakes at the root of `e`, each of the same width and sign.
pub(crate) fn variants(e: &Expr, place: Place) -> Vec<(Mistake, Expr)> {
    let mut out = Vec::new();
    if place == Place::Test {
        let inverted = e.clone().inverted();
        for wrong in [inverted, Expr::bit(true), Expr::bit(false)] {
            out.push((Mistake::Condition, wrong.reinterpret(e.signed)));
        }
    }
    let again = |kind| Expr::new(e.width, e.signed, kind);
    match &e.kind {
        Kind::Const { value, .. } if place != Place::Test => constants(e, *value, &mut out),
        Kind::Signal(_) if place == Place::Value && e.width == 1 => {
            out.push((Mistake::Logic, again(Kind::Not(Box::new(e.clone())))));
        }
        Kind::Slice { signal, of, low } => {
            let neighbours = [low.checked_sub(1), Some(low + 1)];
            for low in neighbours.into_iter().flatten() {
                if low + e.width <= *of {
                    let (signal, of) = (*signal, *of);
                    let slice = again(Kind::Slice { signal, of, low });
                    out.push((Mistake::Wiring, slice));
                }
            }
        }
        Kind::Lane { signal, low } => {
            // The same lane in every turn.
            let mut low = low.clone();
            let step = low.steps.pop();
            if step.is_some_and(|(_, step)| step > 0) && low.base >= 0 {
                let signal = *signal;
                out.push((Mistake::Wiring, again(Kind::Lane { signal, low })));
            }
        }
        Kind::Index(affine) => {
            let mut next = affine.clone();
            next.base += 1;
            out.push((Mistake::Constant, again(Kind::Index(next))));
        }
        Kind::Not(inner) if place != Place::Test => out.push((Mistake::Logic, (**inner).clone())),
        Kind::Neg(inner) => out.push((Mistake::Arithmetic, (**inner).clone())),
        Kind::SignExtend(inner) => {
            let zeros = (**inner).clone().zero_extend(e.width);
            out.push((Mistake::Arithmetic, zeros.reinterpret(e.signed)));
        }
        Kind::Reduce(fold, inner) => {
            let others = match fold {
                Fold::All => [Fold::Any, Fold::Xor],
                Fold::Any => [Fold::All, Fold::Xor],
                Fold::Xor => [Fold::Any, Fold::All],
            };
            out.extend(others.map(|f| (Mistake::Logic, again(Kind::Reduce(f, inner.clone())))));
        }
        Kind::Binary(op, l, r) => binary(e, *op, l, r, &mut out),
        Kind::Compare(cmp, l, r) => {
            for other in comparisons(*cmp) {
                let wrong = again(Kind::Compare(other, l.clone(), r.clone()));
                out.push((Mistake::Comparison, wrong));
            }
        }
        Kind::LogicalAnd(l, r) => {
            let wrong = again(Kind::LogicalOr(l.clone(), r.clone()));
            out.push((Mistake::Logic, wrong));
            out.extend([l, r].map(|side| (Mistake::Logic, (**side).clone())));
        }
        Kind::LogicalOr(l, r) => {
            let wrong = again(Kind::LogicalAnd(l.clone(), r.clone()));
            out.push((Mistake::Logic, wrong));
            out.extend([l, r].map(|side| (Mistake::Logic, (**side).clone())));
        }
        Kind::ShiftLeft(l, by) => {
            let wrong = again(Kind::ShiftRight(l.clone(), by.clone()));
            out.push((Mistake::Arithmetic, wrong));
            for by in amounts(by) {
                let wrong = again(Kind::ShiftLeft(l.clone(), Box::new(by)));
                out.push((Mistake::Arithmetic, wrong));
            }
        }
        Kind::ShiftRight(l, by) => {
            let wrong = again(Kind::ShiftLeft(l.clone(), by.clone()));
            out.push((Mistake::Arithmetic, wrong));
            for by in amounts(by) {
                let wrong = again(Kind::ShiftRight(l.clone(), Box::new(by)));
                out.push((Mistake::Arithmetic, wrong));
            }
        }
        Kind::Concat(parts) => exchanged(e, parts, &mut out),
        _ => {}
    }
    out.retain(|(_, wrong)| wrong != e && wrong.width == e.width);
    out
}

fn constants(e: &Expr, value: u128, out: &mut Vec<(Mistake, Expr)>) {
    let mut values = vec![value ^ 1 << (e.width.min(128) - 1)];
    if e.width > 1 {
        values.push(value.wrapping_add(1));
        values.push(value.wrapping_sub(1));
        values.push(value ^ 1 << (e.width.min(128) / 2));
    }
    for value in values {
        out.push((Mistake::Constant, Expr::constant(value, e.width, e.signed)));
    }
}

/// One more and one less, where the amount is a constant.
fn amounts(by: &Expr) -> Vec<Expr> {
    let Some(value) = by.as_const() else {
        return Vec::new();
    };
    let near = [value.checked_sub(1), Some(value + 1)];
    near.into_iter()
        .flatten()
        .map(|v| Expr::constant(v, by.width, by.signed))
        .collect()
}

fn binary(e: &Expr, op: Op, l: &Expr, r: &Expr, out: &mut Vec<(Mistake, Expr)>) {
    let again = |op| {
        let kind = Kind::Binary(op, Box::new(l.clone()), Box::new(r.clone()));
        Expr::new(e.width, e.signed, kind)
    };
    match op {
        Op::Add => out.push((Mistake::Arithmetic, again(Op::Sub))),
        Op::Sub => out.push((Mistake::Arithmetic, again(Op::Add))),
        Op::Mul => {
            if l.is_plain() && r.is_plain() && l.width.max(r.width) < e.width {
                let wide = |side: &Expr| match e.signed {
                    true => side.clone().reinterpret(true).sign_extend(e.width),
                    false => side.clone().zero_extend(e.width),
                };
                let kind = Kind::Binary(Op::Add, Box::new(wide(l)), Box::new(wide(r)));
                out.push((Mistake::Arithmetic, Expr::new(e.width, e.signed, kind)));
            }
            return;
        }
        Op::And => out.push((Mistake::Logic, again(Op::Or))),
        Op::Or => out.push((Mistake::Logic, again(Op::And))),
        Op::Xor => out.push((Mistake::Logic, again(Op::Or))),
    }
    let mistake = match op {
        Op::Add | Op::Sub => Mistake::Arithmetic,
        _ => Mistake::Logic,
    };
    for side in [l, r] {
        out.push((mistake, side.clone().reinterpret(e.signed)));
    }
}

fn comparisons(cmp: Cmp) -> Vec<Cmp> {
    match cmp {
        Cmp::Eq => vec![Cmp::Ne],
        Cmp::Ne => vec![Cmp::Eq],
        Cmp::Lt => vec![Cmp::Le, Cmp::Ge],
        Cmp::Le => vec![Cmp::Lt, Cmp::Gt],
        Cmp::Gt => vec![Cmp::Ge, Cmp::Le],
        Cmp::Ge => vec![Cmp::Gt, Cmp::Lt],
    }
}

/// Two neighbouring parts of the same width exchanged.
fn exchanged(e: &Expr, parts: &[Expr], out: &mut Vec<(Mistake, Expr)>) {
    for at in 1..parts.len() {
        if parts[at].width == parts[at - 1].width {
            let mut parts = parts.to_vec();
            parts.swap(at - 1, at);
            let kind = Kind::Concat(parts);
            out.push((Mistake::Wiring, Expr::new(e.width, e.signed, kind)));
        }
    }
}
