//! Sorts a module's statements into `assign`, `always @(*)` and the clocked block.
//!
//! A statement that assigns nothing but next values of registers moves into the clocked block
//! (`if (load) w_q <= w_in;`); a value assigned once becomes an `assign`; what is left is
//! grouped into the smallest `always @(*)` blocks that keep its order.

use super::children::Placed;
use super::ir::*;
use super::substitute::{and, not, or};
use super::tidy::{chains_to_cases, join_conditions};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub(crate) enum Item {
    Assign {
        comments: Vec<String>,
        target: SignalId,
        value: Expr,
    },
    Always(Vec<Stmt>),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Arranged {
    pub items: Vec<Item>,
    /// Statements of the clocked block; targets are the registers' `d` signals.
    pub clocked: Vec<Stmt>,
    /// Registers whose next value is a signal of its own.
    pub has_d: BTreeSet<usize>,
    /// Filled by [`super::children`].
    pub children: Vec<Placed>,
    /// Arrays whose registers are among the children, lane by lane.
    pub staged: BTreeSet<SignalId>,
}

/// One top-level statement with the comments above it.
struct Line {
    comments: Vec<String>,
    statement: Stmt,
    reads: BTreeSet<SignalId>,
    writes: BTreeSet<SignalId>,
    combinational: bool,
}

pub(crate) fn arrange(body: Vec<Stmt>, signals: &[Signal]) -> Arranged {
    let mut lines = lines(body);
    let register = |s: SignalId| match signals[s].role {
        Role::D(register) => Some(register),
        _ => None,
    };
    let writers = writers(&lines);
    for (at, line) in lines.iter_mut().enumerate() {
        line.combinational = line.writes.iter().any(|w| register(*w).is_none())
            || line
                .reads
                .iter()
                .any(|r| last_writer(&writers, *r) > Some(at));
    }
    keep_order(&mut lines, &writers, &register);
    let mut out = Arranged::default();
    let groups = groups(&lines, &writers);
    let mut by_first: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, group) in groups.iter().enumerate() {
        if lines[at].combinational {
            by_first.entry(*group).or_default().push(at);
        }
    }
    let mut taken: Vec<Option<Line>> = lines.into_iter().map(Some).collect();
    for members in by_first.into_values() {
        let members: Vec<Line> = members.iter().filter_map(|&at| taken[at].take()).collect();
        for line in &members {
            out.has_d
                .extend(line.writes.iter().filter_map(|w| register(*w)));
        }
        out.items.push(item(members));
    }
    let rest = taken.into_iter().flatten();
    out.clocked = clocked(rest, signals, &out.has_d);
    out
}

fn lines(body: Vec<Stmt>) -> Vec<Line> {
    let mut out = Vec::new();
    let mut comments = Vec::new();
    for statement in body {
        if let Stmt::Comment(text) = statement {
            comments.push(text);
            continue;
        }
        let (mut reads, mut writes) = (BTreeSet::new(), BTreeSet::new());
        statement.reads(&mut |r| {
            reads.insert(r);
        });
        statement.writes(&mut |w| {
            writes.insert(w);
        });
        out.push(Line {
            comments: std::mem::take(&mut comments),
            statement,
            reads,
            writes,
            combinational: false,
        });
    }
    out
}

type Writers = BTreeMap<SignalId, Vec<usize>>;

fn writers(lines: &[Line]) -> Writers {
    let mut writers = Writers::new();
    for (at, line) in lines.iter().enumerate() {
        for &w in &line.writes {
            writers.entry(w).or_default().push(at);
        }
    }
    writers
}

fn last_writer(writers: &Writers, signal: SignalId) -> Option<usize> {
    writers.get(&signal).and_then(|w| w.last().copied())
}

/// Next values are assigned partly in a combinational block and partly in the clocked one only
/// if the clocked part comes last and the combinational part begins with a default.
fn keep_order(
    lines: &mut [Line],
    writers: &Writers,
    register: &impl Fn(SignalId) -> Option<usize>,
) {
    loop {
        let mut moved: Vec<usize> = Vec::new();
        for (&signal, at) in writers.iter().filter(|(s, _)| register(**s).is_some()) {
            let Some(last) = at.iter().rposition(|&a| lines[a].combinational) else {
                continue;
            };
            let default = matches!(
                &lines[at[0]].statement,
                Stmt::Assign { target, part: Part::Whole, .. } if *target == signal
            );
            let until = if default { last } else { at.len() };
            moved.extend(at[..until].iter().filter(|&&a| !lines[a].combinational));
        }
        if moved.is_empty() {
            return;
        }
        for at in moved {
            lines[at].combinational = true;
        }
    }
}

/// Group number (the first member's position) of every combinational line.
fn groups(lines: &[Line], writers: &Writers) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..lines.len()).collect();
    for at in writers.values() {
        let comb: Vec<usize> = at
            .iter()
            .copied()
            .filter(|&a| lines[a].combinational)
            .collect();
        for pair in comb.windows(2) {
            union(&mut parent, pair[0], pair[1]);
        }
    }
    for (at, line) in lines.iter().enumerate().filter(|(_, l)| l.combinational) {
        for read in &line.reads {
            if let Some(last) = last_writer(writers, *read)
                && last > at
                && lines[last].combinational
            {
                union(&mut parent, at, last);
            }
        }
    }
    while let Some((a, b)) = cycle(lines, writers, &mut parent) {
        union(&mut parent, a, b);
    }
    (0..lines.len()).map(|at| find(&mut parent, at)).collect()
}

/// Two groups that read each other's results: as separate blocks they would look like a loop.
fn cycle(lines: &[Line], writers: &Writers, parent: &mut [usize]) -> Option<(usize, usize)> {
    let mut next: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, l)| l.combinational) {
        let group = find(parent, at);
        for read in &line.reads {
            let Some(&writer) = writers.get(read).and_then(|w| w.first()) else {
                continue;
            };
            let from = find(parent, writer);
            if from != group && lines[writer].combinational {
                next.entry(group).or_default().insert(from);
            }
        }
    }
    // Only a group of several lines can be read before it is complete.
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for at in 0..lines.len() {
        *sizes.entry(find(parent, at)).or_default() += 1;
    }
    for &start in next.keys().filter(|g| sizes[g] > 1) {
        let mut seen = BTreeSet::new();
        let mut open: Vec<usize> = next[&start].iter().copied().collect();
        while let Some(group) = open.pop() {
            if !seen.insert(group) {
                continue;
            }
            let followers = next.get(&group).into_iter().flatten();
            for &follower in followers {
                if follower == start {
                    return Some((start, group));
                }
                open.push(follower);
            }
        }
    }
    None
}

fn find(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

/// The smaller position becomes the root, so that groups sort by their first line.
fn union(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(parent, a), find(parent, b));
    parent[a.max(b)] = a.min(b);
}

fn item(mut members: Vec<Line>) -> Item {
    if members.len() == 1
        && matches!(
            members[0].statement,
            Stmt::Assign {
                part: Part::Whole,
                ..
            }
        )
        && let Some(line) = members.pop()
        && let Stmt::Assign { target, value, .. } = line.statement
    {
        return Item::Assign {
            comments: line.comments,
            target,
            value,
        };
    }
    if let Some((target, value)) = choice(&members.iter().collect::<Vec<_>>()) {
        return Item::Assign {
            comments: members.into_iter().flat_map(|m| m.comments).collect(),
            target,
            value,
        };
    }
    let mut block = Vec::new();
    for line in members {
        block.extend(line.comments.into_iter().map(Stmt::Comment));
        block.push(line.statement);
    }
    Item::Always(join_conditions(chains_to_cases(block)))
}

/// `x = a; if (c) x = b;` and `if (c) x = b; else x = a;` as `c ? b : a`.
fn choice(members: &[&Line]) -> Option<(SignalId, Expr)> {
    let whole = |s: &Stmt| match s {
        Stmt::Assign {
            target,
            part: Part::Whole,
            value,
        } => Some((*target, value.clone())),
        _ => None,
    };
    let branch = |block: &[Stmt]| match block {
        [only] => whole(only),
        _ => None,
    };
    let (default, conditional) = match members {
        [first, second] => (Some(whole(&first.statement)?), &second.statement),
        [only] => (None, &only.statement),
        _ => return None,
    };
    let Stmt::If { test, then, other } = conditional else {
        return None;
    };
    let (target, then) = branch(then)?;
    let (same, other) = match default {
        Some(default) if other.is_empty() => default,
        None => branch(other)?,
        _ => return None,
    };
    let mut reads_itself = target != same;
    for e in [test, &then, &other] {
        e.reads(&mut |r| reads_itself |= r == target);
    }
    if reads_itself {
        return None;
    }
    Some((target, mux(test.clone(), then, other)))
}

/// `test ? then : other`, without a test for its opposite and without constant bits.
fn mux(test: Expr, then: Expr, other: Expr) -> Expr {
    if let Kind::Not(inverse) = test.kind {
        return mux(*inverse, other, then);
    }
    if then.width == 1 {
        match (then.as_const(), other.as_const()) {
            (Some(1), Some(0)) => return test,
            (Some(0), Some(1)) => return not(test),
            (Some(0), None) => return and(not(test), other),
            (Some(1), None) => return or(test, other),
            (None, Some(0)) => return and(test, then),
            (None, Some(1)) => return or(not(test), then),
            _ => {}
        }
    }
    let (width, signed) = (then.width, then.signed);
    let [test, then, other] = [test, then, other].map(Box::new);
    Expr::new(width, signed, Kind::Mux(test, then, other))
}

/// The clocked block: `x_q <= x_d` first, then what overrides it; `x_q <= x_q` says nothing.
fn clocked(
    lines: impl Iterator<Item = Line>,
    signals: &[Signal],
    has_d: &BTreeSet<usize>,
) -> Vec<Stmt> {
    let mut out = Vec::new();
    for (id, signal) in signals.iter().enumerate() {
        if let Role::D(register) = signal.role
            && has_d.contains(&register)
        {
            out.push(Stmt::Assign {
                target: id,
                part: Part::Whole,
                value: Expr::signal(id, signal.width, signal.signed),
            });
        }
    }
    let mut written: BTreeSet<SignalId> = out
        .iter()
        .flat_map(|s: &Stmt| {
            let mut targets = Vec::new();
            s.writes(&mut |w| targets.push(w));
            targets
        })
        .collect();
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        let holds = matches!(&line.statement,
            Stmt::Assign { target, part: Part::Whole, value }
                if is_hold(*target, value, signals) && !written.contains(target));
        written.extend(&line.writes);
        let chosen = match lines.peek() {
            Some(next) if !holds && next.comments.is_empty() => choice(&[&line, next]),
            _ => None,
        };
        out.extend(line.comments.into_iter().map(Stmt::Comment));
        if let Some((target, value)) = chosen {
            out.push(Stmt::Assign {
                target,
                part: Part::Whole,
                value,
            });
            lines.next();
        } else if !holds {
            out.push(line.statement);
        }
    }
    join_conditions(chains_to_cases(out))
}

fn is_hold(target: SignalId, value: &Expr, signals: &[Signal]) -> bool {
    match (&value.kind, signals[target].role) {
        (Kind::Signal(read), Role::D(register)) => signals[*read].role == Role::Q(register),
        _ => false,
    }
}
