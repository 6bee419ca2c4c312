//! Assignments to neighbouring lanes become one: `x[7:0] = a[15:8]; x[15:8] = a[23:16];` is
//! `x[15:0] = a[23:8];`. So do numbers for neighbouring bits of any signal.

use super::ir::*;
use super::roll::{Repeats, roll};
use std::collections::{BTreeMap, BTreeSet};

/// Joins within `block` and the blocks inside it. With `blocking` assignments what is read and
/// written in between counts; otherwise only the order of writes does.
pub(crate) fn join(block: Vec<Stmt>, signals: &[Signal], blocking: bool) -> Vec<Stmt> {
    let mut joiner = Joiner {
        signals,
        blocking,
        out: Vec::with_capacity(block.len()),
        open: BTreeMap::new(),
        taken: BTreeMap::new(),
        readers: BTreeMap::new(),
    };
    for statement in block {
        joiner.push(statement);
    }
    for array in joiner.open.keys().copied().collect::<Vec<_>>() {
        joiner.close(array);
    }
    joiner.out.into_iter().flatten().collect()
}

struct Joiner<'a> {
    signals: &'a [Signal],
    blocking: bool,
    out: Vec<Vec<Stmt>>,
    /// Places in `out` of the assignments to an array that may still be joined.
    open: BTreeMap<SignalId, Vec<usize>>,
    /// Their bits: from, to. None is assigned twice.
    taken: BTreeMap<SignalId, BTreeMap<usize, usize>>,
    /// Signal -> arrays whose open assignments read it.
    readers: BTreeMap<SignalId, BTreeSet<SignalId>>,
}

impl Joiner<'_> {
    fn push(&mut self, statement: Stmt) {
        let within = |block| join(block, self.signals, self.blocking);
        let statement = match statement {
            Stmt::If { test, then, other } => Stmt::If {
                test,
                then: within(then),
                other: within(other),
            },
            Stmt::Case {
                test,
                arms,
                default,
            } => Stmt::Case {
                test,
                arms: arms.into_iter().map(|(l, b)| (l, within(b))).collect(),
                default: default.map(within),
            },
            other => other,
        };
        let piece = self.piece(&statement);
        if self.blocking {
            let mut reads = BTreeSet::new();
            statement.reads(&mut |s| {
                reads.insert(s);
            });
            reads.iter().for_each(|s| self.close(*s));
            if let Some(array) = piece {
                for read in reads {
                    self.readers.entry(read).or_default().insert(array);
                }
            }
        }
        let mut writes = BTreeSet::new();
        statement.writes(&mut |s| {
            writes.insert(s);
        });
        for write in writes {
            if piece != Some(write) {
                self.close(write);
            }
            if self.blocking {
                let readers = self.readers.remove(&write).unwrap_or_default();
                readers.into_iter().for_each(|array| self.close(array));
            }
        }
        if let Some(array) = piece {
            if let Some((low, width)) = bits(&statement) {
                let below = self.taken.get(&array).and_then(|taken| {
                    let (_, end) = taken.range(..low + width).next_back()?;
                    Some(*end)
                });
                if below.is_some_and(|end| end > low) {
                    self.close(array);
                }
                let taken = self.taken.entry(array).or_default();
                taken.insert(low, low + width);
            }
            self.open.entry(array).or_default().push(self.out.len());
        }
        self.out.push(vec![statement]);
    }

    /// The array, if this is an assignment to known bits of one whose value can be joined.
    fn piece(&self, statement: &Stmt) -> Option<SignalId> {
        let Stmt::Assign {
            target,
            part: Part::Bits { .. },
            value,
        } = statement
        else {
            return None;
        };
        let mut own = false;
        let mut indexed = false;
        value.reads(&mut |s| own |= s == *target);
        value.walk(&mut |e| indexed |= matches!(e.kind, Kind::Select { .. }));
        let plain = value.is_plain() && !indexed && !(own && self.blocking);
        let joins = self.signals[*target].lanes.is_some() || is_number(value);
        (joins && plain).then_some(*target)
    }

    fn close(&mut self, array: SignalId) {
        self.taken.remove(&array);
        let Some(mut pieces) = self.open.remove(&array) else {
            return;
        };
        pieces.sort_by_key(|at| self.out[*at].first().and_then(bits));
        let mut run: Vec<usize> = Vec::new();
        let mut end = None;
        for at in pieces {
            let Some((low, width)) = self.out[at].first().and_then(bits) else {
                continue;
            };
            if end != Some(low) {
                self.replace(array, &std::mem::take(&mut run));
            }
            run.push(at);
            end = Some(low + width);
        }
        self.replace(array, &run);
    }

    /// Puts one assignment in the place of a run of neighbours, lowest first.
    fn replace(&mut self, array: SignalId, run: &[usize]) {
        if run.len() < 2 {
            return;
        }
        let values = run
            .iter()
            .rev()
            .filter_map(|at| match self.out[*at].first() {
                Some(Stmt::Assign { value, .. }) => Some(value.clone()),
                _ => None,
            });
        let value = concat(values.collect());
        let parts = match &value.kind {
            Kind::Concat(parts) => parts.len(),
            _ => 1,
        };
        if parts > 2 {
            self.shorten(array, run, value);
            return;
        }
        let Some((low, _)) = self.out[run[0]].first().and_then(bits) else {
            return;
        };
        let whole = self.assignment(array, low, value);
        self.put(run, vec![whole]);
    }

    /// Writes many pieces in the shortest way: as a loop over what is assigned at once, as a loop
    /// over lanes (which stay as they are), or as a concatenation.
    fn shorten(&mut self, array: SignalId, run: &[usize], value: Expr) {
        let Some((first, _)) = self.out[run[0]].first().and_then(bits) else {
            return;
        };
        let Kind::Concat(parts) = &value.kind else {
            return;
        };
        let mut low = first;
        let mut pieces = Vec::new();
        for part in parts.iter().rev() {
            pieces.push(self.assignment(array, low, part.clone()));
            low += part.width;
        }
        let lanes: Vec<Stmt> = run
            .iter()
            .filter_map(|at| self.out[*at].first().cloned())
            .collect();
        let length = |list: &[Stmt]| {
            let rolled = roll(list.to_vec(), self.signals);
            rolled.iter().map(Stmt::lines).sum::<usize>()
        };
        let by_lanes = length(&lanes);
        let by_pieces = match pieces.len() < lanes.len() {
            true => length(&pieces),
            false => by_lanes,
        };
        let joined = match parts.len() {
            0..5 => 1,
            many => 2 + many / 2,
        };
        // What reads nothing is never run: a table is no block.
        let table = parts.iter().all(|p| p.as_const().is_some());
        if by_lanes <= by_pieces && by_lanes <= joined && !table {
            return;
        }
        match by_pieces <= joined && !table {
            true => self.put(run, pieces),
            false => {
                let mut value = value;
                if table {
                    // Each entry stays one.
                    let entries = lanes.iter().rev().filter_map(|s| match s {
                        Stmt::Assign { value, .. } => Some(value.clone()),
                        _ => None,
                    });
                    value.kind = Kind::Concat(entries.collect());
                }
                let whole = self.assignment(array, first, value);
                self.put(run, vec![whole]);
            }
        }
    }

    fn assignment(&self, array: SignalId, low: usize, value: Expr) -> Stmt {
        let width = value.width;
        Stmt::Assign {
            target: array,
            part: match low == 0 && width == self.signals[array].width {
                true => Part::Whole,
                false => Part::Bits { low, width },
            },
            value,
        }
    }

    /// Puts `statements` in the place of a run.
    fn put(&mut self, run: &[usize], statements: Vec<Stmt>) {
        let place = match self.blocking {
            true => run.iter().max(),
            false => run.iter().min(),
        };
        let Some(&place) = place else { return };
        run.iter().for_each(|at| self.out[*at].clear());
        self.out[place] = statements;
    }
}

/// Brings the assignments to one array together, lowest lane first, where their order says nothing:
/// within a row of assignments no bit of which is written twice or, if they are `blocking`, read.
pub(crate) fn by_target(block: Vec<Stmt>, blocking: bool) -> Vec<Stmt> {
    let mut out = Vec::with_capacity(block.len());
    let mut row: Vec<Stmt> = Vec::new();
    for statement in block {
        let statement = match statement {
            Stmt::If { test, then, other } => Stmt::If {
                test,
                then: by_target(then, blocking),
                other: by_target(other, blocking),
            },
            Stmt::Case {
                test,
                arms,
                default,
            } => Stmt::Case {
                test,
                arms: arms
                    .into_iter()
                    .map(|(l, b)| (l, by_target(b, blocking)))
                    .collect(),
                default: default.map(|b| by_target(b, blocking)),
            },
            other => other,
        };
        match statement {
            Stmt::Assign {
                part: Part::Whole | Part::Bits { .. },
                ..
            } => row.push(statement),
            other => {
                out.extend(sorted(std::mem::take(&mut row), blocking));
                out.push(other);
            }
        }
    }
    out.extend(sorted(row, blocking));
    out
}

fn sorted(mut row: Vec<Stmt>, blocking: bool) -> Vec<Stmt> {
    let mut ranks: BTreeMap<SignalId, usize> = BTreeMap::new();
    let mut places: BTreeMap<SignalId, Vec<(usize, usize)>> = BTreeMap::new();
    for statement in &row {
        let Stmt::Assign { target, part, .. } = statement else {
            return row;
        };
        let rank = ranks.len();
        ranks.entry(*target).or_insert(rank);
        let place = match part {
            Part::Bits { low, width } => (*low, *width),
            _ => (0, usize::MAX),
        };
        places.entry(*target).or_default().push(place);
    }
    let twice = places.values_mut().any(|places| {
        places.sort_unstable();
        places
            .windows(2)
            .any(|pair| pair[0].0 + pair[0].1.min(usize::MAX / 2) > pair[1].0)
    });
    let mut fed = false;
    row.iter()
        .for_each(|s| s.reads(&mut |r| fed |= ranks.contains_key(&r)));
    if twice || (blocking && fed) {
        return row;
    }
    row.sort_by_key(|statement| match statement {
        Stmt::Assign { target, part, .. } => {
            let low = match part {
                Part::Bits { low, .. } => *low,
                _ => 0,
            };
            (ranks[target], low)
        }
        _ => (usize::MAX, 0),
    });
    row
}

/// A constant that is printed as a number.
fn is_number(value: &Expr) -> bool {
    match &value.kind {
        Kind::Const { name, .. } => name.as_ref().is_none_or(|n| n.name.is_none()),
        _ => false,
    }
}

fn bits(statement: &Stmt) -> Option<(usize, usize)> {
    match statement {
        Stmt::Assign {
            part: Part::Bits { low, width },
            ..
        } => Some((*low, *width)),
        _ => None,
    }
}
