//! Drops dead assignments, joins bitwise ones into concatenations and conditions into one.
//!
//! `replace_bit` loops leave one assignment per bit; here `word[0] = a[0]; word[1] = a[1]; ...`
//! becomes `word = {.., a}`, and a default that is overwritten everywhere vanishes.

use super::ir::*;
use std::collections::BTreeMap;

/// Tidies a block and the blocks within. Comments and the order of effects stay.
pub(crate) fn tidy(block: Vec<Stmt>, signals: &[Signal]) -> Vec<Stmt> {
    let mut tidier = Tidier {
        signals,
        out: Vec::with_capacity(block.len()),
        open: BTreeMap::new(),
        readers: BTreeMap::new(),
    };
    for statement in block {
        tidier.push(statement);
    }
    for target in tidier.open.keys().copied().collect::<Vec<_>>() {
        tidier.close(target);
    }
    let out = tidier.out.into_iter().flatten().collect();
    chains_to_cases(out)
}

struct Tidier<'a> {
    signals: &'a [Signal],
    out: Vec<Option<Stmt>>,
    /// Assignments to one signal that may still be joined, oldest first: places in `out`.
    open: BTreeMap<SignalId, Vec<usize>>,
    /// Signal -> targets of open assignments whose values read it.
    readers: BTreeMap<SignalId, Vec<SignalId>>,
}

impl Tidier<'_> {
    fn push(&mut self, statement: Stmt) {
        let statement = match statement {
            Stmt::If { test, then, other } => Stmt::If {
                test,
                then: tidy(then, self.signals),
                other: tidy(other, self.signals),
            },
            Stmt::Case {
                test,
                arms,
                default,
            } => Stmt::Case {
                test,
                arms: arms
                    .into_iter()
                    .map(|(label, block)| (label, tidy(block, self.signals)))
                    .collect(),
                default: default.map(|block| tidy(block, self.signals)),
            },
            other => other,
        };
        let mut reads = Vec::new();
        statement.reads(&mut |s| reads.push(s));
        reads.sort_unstable();
        reads.dedup();
        let piece = match &statement {
            Stmt::Assign {
                part: Part::Variable { .. },
                ..
            } => None,
            Stmt::Assign { target, .. } => Some(*target),
            _ => None,
        };
        let mut writes = Vec::new();
        statement.writes(&mut |s| writes.push(s));
        let mut stop: Vec<SignalId> = Vec::new();
        stop.extend(reads.iter().filter(|r| self.open.contains_key(r)));
        for write in &writes {
            stop.extend(self.readers.remove(write).into_iter().flatten());
            if piece != Some(*write) && self.open.contains_key(write) {
                stop.push(*write);
            }
        }
        for target in stop {
            self.close(target);
        }
        if let Some(target) = piece
            && !reads.contains(&target)
        {
            self.open.entry(target).or_default().push(self.out.len());
            for read in reads {
                self.readers.entry(read).or_default().push(target);
            }
        }
        self.out.push(Some(statement));
    }

    /// Joins the run of `target`, if it can be joined; otherwise drops what is overwritten.
    fn close(&mut self, target: SignalId) {
        let Some(pieces) = self.open.remove(&target) else {
            return;
        };
        let width = self.signals[target].width;
        // For every bit the newest piece that writes it, and the bit of that piece's value.
        let mut owner: Vec<Option<(usize, usize)>> = vec![None; width];
        for &at in &pieces {
            let Some(Stmt::Assign { part, .. }) = &self.out[at] else {
                continue;
            };
            match *part {
                Part::Whole => (0..width).for_each(|b| owner[b] = Some((at, b))),
                Part::Bits { low, width } => {
                    (0..width).for_each(|b| owner[low + b] = Some((at, b)));
                }
                Part::Variable { .. } | Part::Lane { .. } => {}
            }
        }
        for &at in &pieces {
            if !owner.iter().flatten().any(|(o, _)| *o == at) {
                self.out[at] = None;
            }
        }
        let alive: Vec<usize> = pieces
            .into_iter()
            .filter(|at| self.out[*at].is_some())
            .collect();
        if alive.len() < 2 {
            return;
        }
        let Some(value) = self.joined(&owner) else {
            return;
        };
        for &at in &alive {
            self.out[at] = None;
        }
        let signed = self.signals[target].signed;
        self.out[alive[alive.len() - 1]] = Some(Stmt::Assign {
            target,
            part: Part::Whole,
            value: value.reinterpret(signed),
        });
    }

    fn joined(&self, owner: &[Option<(usize, usize)>]) -> Option<Expr> {
        let mut parts = Vec::new();
        let mut high = owner.len();
        while high > 0 {
            let (piece, top) = owner[high - 1]?;
            let mut count = 1;
            while count < high
                && count <= top
                && owner[high - 1 - count] == Some((piece, top - count))
            {
                count += 1;
            }
            let Some(Stmt::Assign { value, .. }) = &self.out[piece] else {
                return None;
            };
            parts.push(value.bits(top + 1 - count, count)?);
            high -= count;
        }
        Some(concat(parts))
    }
}

/// `if (c) a; if (c) b;` as `if (c) { a; b }`, at any depth, where `a` leaves `c` as it is.
pub(crate) fn join_conditions(block: Vec<Stmt>) -> Vec<Stmt> {
    let mut out: Vec<Stmt> = Vec::with_capacity(block.len());
    for statement in block {
        let follows = out
            .last()
            .is_some_and(|last| same_condition(last, &statement));
        match (out.last_mut(), statement) {
            (
                Some(Stmt::If { then, other, .. }),
                Stmt::If {
                    then: more,
                    other: otherwise,
                    ..
                },
            ) if follows => {
                then.extend(more);
                other.extend(otherwise);
            }
            (_, statement) => out.push(statement),
        }
    }
    out.into_iter().map(join_within).collect()
}

fn join_within(statement: Stmt) -> Stmt {
    match statement {
        Stmt::If { test, then, other } => Stmt::If {
            test,
            then: join_conditions(then),
            other: join_conditions(other),
        },
        Stmt::Case {
            test,
            arms,
            default,
        } => Stmt::Case {
            test,
            arms: arms
                .into_iter()
                .map(|(label, block)| (label, join_conditions(block)))
                .collect(),
            default: default.map(join_conditions),
        },
        other => other,
    }
}

fn same_condition(last: &Stmt, next: &Stmt) -> bool {
    let (Stmt::If { test, .. }, Stmt::If { test: again, .. }) = (last, next) else {
        return false;
    };
    let mut written = false;
    last.writes(&mut |w| test.reads(&mut |r| written |= r == w));
    !written && test == again
}

/// Consecutive `if (x == 0) .. if (x == 1) ..` without `else` become a `case`.
pub(crate) fn chains_to_cases(block: Vec<Stmt>) -> Vec<Stmt> {
    let mut out: Vec<Stmt> = Vec::with_capacity(block.len());
    for statement in block {
        let Some((test, label)) = tested(&statement) else {
            out.push(statement);
            continue;
        };
        if let Some(last) = out.last_mut()
            && joins(last, &test, &label)
        {
            let Stmt::If { then, .. } = statement else {
                continue;
            };
            append(last, label, then);
        } else {
            out.push(statement);
        }
    }
    without_idle_arms(out)
}

/// Drops arms of a `case` that give their target the number that it has already.
fn without_idle_arms(mut block: Vec<Stmt>) -> Vec<Stmt> {
    for at in 1..block.len() {
        let (before, from) = block.split_at_mut(at);
        if let (
            [.., given],
            Stmt::Case {
                arms,
                default: None,
                ..
            },
        ) = (before, &mut from[0])
        {
            arms.retain(|(_, body)| !gives_again(given, body));
        }
    }
    block.retain(|s| !matches!(s, Stmt::Case { arms, default: None, .. } if arms.is_empty()));
    block
}

/// Whether `body` only assigns what `given`, the statement before, has assigned: a number.
fn gives_again(given: &Stmt, body: &[Stmt]) -> bool {
    let is_comment = |s: &&Stmt| matches!(s, Stmt::Comment(_));
    let mut rest = body.iter().filter(|s| !is_comment(s));
    match (given, rest.next(), rest.next()) {
        (
            Stmt::Assign {
                target: a,
                part: p,
                value: v,
            },
            Some(Stmt::Assign {
                target: b,
                part: q,
                value: w,
            }),
            None,
        ) => a == b && p == q && v.as_const().is_some() && v.as_const() == w.as_const(),
        _ => false,
    }
}

/// `x` and `n` of `if (x == n)` without `else`.
fn tested(statement: &Stmt) -> Option<(Expr, Expr)> {
    let Stmt::If { test, other, .. } = statement else {
        return None;
    };
    let Kind::Compare(Cmp::Eq, l, r) = &test.kind else {
        return None;
    };
    (other.is_empty() && r.as_const().is_some() && l.is_plain())
        .then(|| ((**l).clone(), (**r).clone()))
}

/// Whether `next == label` may become another arm: same test, new label, test not written.
fn joins(last: &Stmt, test: &Expr, label: &Expr) -> bool {
    let labels: Vec<Expr> = match last {
        Stmt::If { .. } => match tested(last) {
            Some((t, l)) if t == *test => vec![l],
            _ => return false,
        },
        Stmt::Case {
            test: t,
            arms,
            default: None,
        } if t == test => arms.iter().map(|(l, _)| l.clone()).collect(),
        _ => return false,
    };
    let mut written = false;
    last.writes(&mut |w| test.reads(&mut |r| written |= r == w));
    !written && labels.iter().all(|l| l.as_const() != label.as_const())
}

fn append(last: &mut Stmt, label: Expr, block: Vec<Stmt>) {
    if let Some((test, first)) = tested(last)
        && let Stmt::If { then, .. } = last
    {
        let arms = vec![(first, std::mem::take(then))];
        *last = Stmt::Case {
            test,
            arms,
            default: None,
        };
    }
    if let Stmt::Case { arms, .. } = last {
        arms.push((label, block));
    }
}
