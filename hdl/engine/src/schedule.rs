//! In which order things happen within a clock.
//!
//! First everything combinational, level by level. Then registers, in place: one is overwritten after
//! all that read it. Where registers read each other in a circle, some wait: their new value is kept
//! beside them until all have read.

use crate::error::EngineError;
use crate::expr::{NetId, Statement, Target, Term, Value};
use crate::family::Families;
use crate::flat::Flat;
use crate::group::{Group, group};
use crate::simplify::writers;
use std::collections::{BTreeMap, BTreeSet};

/// Registers (or lanes of memories) of one form.
#[derive(Debug, Clone)]
pub(crate) struct EdgeGroup {
    pub group: Group,
    /// The last member comes first.
    pub backwards: bool,
    /// New values wait until all groups are done.
    pub waits: bool,
}

/// A design in order.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// What is computed before a clock edge.
    pub before: Vec<Group>,
    /// What happens at the edge.
    pub edges: Vec<EdgeGroup>,
    /// What outputs are computed from.
    pub outputs: Vec<Group>,
}

/// Brings a simplified design into order.
pub(crate) fn schedule(
    flat: &Flat,
    outputs: &[Value],
    families: &Families,
) -> Result<Program, EngineError> {
    let levels = levels(flat)?;
    let mut of_edges = Vec::new();
    for edge in &flat.edges {
        edge.body
            .iter()
            .for_each(|s| s.values(&mut |v| v.nets(&mut |n| of_edges.push(n))));
    }
    let mut of_outputs = Vec::new();
    outputs
        .iter()
        .for_each(|v| v.nets(&mut |n| of_outputs.push(n)));
    Ok(Program {
        before: cone(flat, &levels, of_edges, families),
        edges: edges(flat, families),
        outputs: cone(flat, &levels, of_outputs, families),
    })
}

/// How many blocks stand one behind the other before each block.
fn levels(flat: &Flat) -> Result<Vec<usize>, EngineError> {
    let writer = writers(&flat.blocks, flat.nets.len());
    let before: Vec<BTreeSet<usize>> = flat
        .blocks
        .iter()
        .enumerate()
        .map(|(at, block)| {
            let mut found = BTreeSet::new();
            block.body.iter().for_each(|s| {
                s.values(&mut |v| {
                    v.nets(&mut |n| {
                        found.extend(writer[n].filter(|w| *w != at));
                    })
                });
            });
            found
        })
        .collect();
    let mut levels: Vec<Option<usize>> = vec![None; flat.blocks.len()];
    let mut open = vec![false; flat.blocks.len()];
    for start in 0..flat.blocks.len() {
        let mut stack = vec![start];
        while let Some(&at) = stack.last() {
            if levels[at].is_some() {
                stack.pop();
                continue;
            }
            let missing: Vec<usize> = before[at]
                .iter()
                .filter(|b| levels[**b].is_none())
                .copied()
                .collect();
            if missing.is_empty() {
                let deepest = before[at].iter().filter_map(|b| levels[*b]);
                levels[at] = Some(deepest.max().map_or(0, |l| l + 1));
                stack.pop();
            } else if std::mem::replace(&mut open[at], true) {
                let net = flat.blocks[at].writes.first();
                let path = net.map_or(String::new(), |n| flat.nets[*n].path.clone());
                return Err(EngineError::Loop(path));
            } else {
                stack.extend(missing);
            }
        }
    }
    Ok(levels.into_iter().flatten().collect())
}

/// The blocks that `nets` are computed from, in order.
fn cone(flat: &Flat, levels: &[usize], nets: Vec<NetId>, families: &Families) -> Vec<Group> {
    let writer = writers(&flat.blocks, flat.nets.len());
    let mut needed = BTreeSet::new();
    let mut open = nets;
    while let Some(net) = open.pop() {
        if let Some(block) = writer[net]
            && needed.insert(block)
        {
            flat.blocks[block]
                .body
                .iter()
                .for_each(|s| s.values(&mut |v| v.nets(&mut |n| open.push(n))));
        }
    }
    let units = needed
        .into_iter()
        .map(|at| (at, levels[at], &flat.blocks[at].body[..]));
    group(units, families).into_iter().map(|(_, g)| g).collect()
}

/// What a group of edges reads and writes.
#[derive(Default)]
struct Access {
    /// Registers, and by which members.
    reads: BTreeMap<NetId, Vec<usize>>,
    writes: BTreeMap<NetId, usize>,
    words_read: BTreeSet<usize>,
    words_written: BTreeSet<usize>,
}

fn edges(flat: &Flat, families: &Families) -> Vec<EdgeGroup> {
    let units = flat.edges.iter().enumerate();
    let units = units.map(|(at, edge)| (at, (), &edge.body[..]));
    let groups: Vec<Group> = group(units, families).into_iter().map(|(_, g)| g).collect();
    let access: Vec<Access> = groups.iter().map(|g| access(flat, g)).collect();
    let mut writer: BTreeMap<NetId, usize> = BTreeMap::new();
    let mut stores: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, access) in access.iter().enumerate() {
        writer.extend(access.writes.keys().map(|net| (*net, at)));
        for memory in &access.words_written {
            stores.entry(*memory).or_default().push(at);
        }
    }
    // `later[g]`: groups that overwrite what g reads.
    let mut later: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); groups.len()];
    for (at, access) in access.iter().enumerate() {
        let registers = access.reads.keys().filter_map(|net| writer.get(net));
        let words = access.words_read.iter().filter_map(|m| stores.get(m));
        later[at].extend(registers.chain(words.flatten()).filter(|w| **w != at));
    }
    let orders: Vec<Option<bool>> = access.iter().map(order).collect();
    let mut waits: Vec<bool> = orders.iter().map(Option::is_none).collect();
    let cost = |at: usize| -> usize {
        let lanes = |net: &NetId| match families.list[families.nets[*net].0].lanes {
            true => 64,
            false => 1,
        };
        access[at].writes.keys().map(lanes).sum()
    };
    let sequence = sequence(&later, &mut waits, &|at| {
        access[at].words_written.is_empty().then(|| cost(at))
    });
    let mut groups: Vec<Option<Group>> = groups.into_iter().map(Some).collect();
    let of = |at: usize| {
        groups[at].take().map(|group| EdgeGroup {
            group,
            backwards: orders[at].unwrap_or(false),
            waits: waits[at],
        })
    };
    sequence.into_iter().filter_map(of).collect()
}

fn access(flat: &Flat, group: &Group) -> Access {
    let mut access = Access::default();
    for (member, unit) in group.units.iter().enumerate() {
        for statement in &flat.edges[*unit].body {
            statement.values(&mut |value| {
                value.walk(&mut |v| match v.term {
                    Term::Net(net) if flat.registers.contains(&net) => {
                        access.reads.entry(net).or_default().push(member);
                    }
                    Term::Word(memory, ..) => {
                        access.words_read.insert(memory);
                    }
                    _ => {}
                });
            });
            statement.targets(&mut |target| match target {
                Target::Word(memory, ..) => {
                    access.words_written.insert(*memory);
                }
                other => {
                    access.writes.extend(other.net().map(|net| (net, member)));
                }
            });
        }
    }
    access
}

/// Whether members must be taken backwards; `None` if neither direction will do.
fn order(access: &Access) -> Option<bool> {
    let (mut forwards, mut backwards) = (true, true);
    for (net, readers) in &access.reads {
        if let Some(writer) = access.writes.get(net) {
            forwards &= readers.iter().all(|r| r <= writer);
            backwards &= readers.iter().all(|r| r >= writer);
        }
    }
    match (forwards, backwards) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    }
}

/// Groups in an order in which none is overwritten before it is read, but for those that wait.
/// `cost` says what waiting costs, or that a group cannot.
fn sequence(
    later: &[BTreeSet<usize>],
    waits: &mut [bool],
    cost: &dyn Fn(usize) -> Option<usize>,
) -> Vec<usize> {
    let mut out = Vec::new();
    let mut done = vec![false; later.len()];
    // How many groups that are not done yet must come before each.
    let mut before = vec![0usize; later.len()];
    for (at, groups) in later.iter().enumerate() {
        let _ = at;
        groups.iter().for_each(|g| before[*g] += 1);
    }
    while out.len() < later.len() {
        let free = (0..later.len()).find(|&g| !done[g] && (before[g] == 0 || waits[g]));
        let next = free.unwrap_or_else(|| {
            let circle = (0..later.len()).filter(|&g| !done[g] && in_circle(g, later, &done));
            let cheapest = circle.filter_map(|g| Some((cost(g)?, g))).min();
            let (_, chosen) =
                cheapest.unwrap_or((0, (0..done.len()).find(|g| !done[*g]).unwrap_or(0)));
            waits[chosen] = true;
            chosen
        });
        done[next] = true;
        out.push(next);
        later[next].iter().for_each(|g| before[*g] -= 1);
    }
    out
}

/// Whether a group that is not done comes back to itself.
fn in_circle(start: usize, later: &[BTreeSet<usize>], done: &[bool]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = later[start].iter().copied().filter(|g| !done[*g]).collect();
    while let Some(group) = open.pop() {
        if group == start {
            return true;
        }
        if seen.insert(group) {
            open.extend(later[group].iter().filter(|g| !done[**g]));
        }
    }
    false
}

/// Whether something reads `net` after it was assigned, in the order of the text.
pub(crate) fn reads_itself(body: &[Statement], net: NetId) -> bool {
    fn run(body: &[Statement], net: NetId, assigned: &mut bool) -> bool {
        body.iter().any(|statement| {
            let reads = |value: &Value| {
                let mut found = false;
                value.nets(&mut |n| found |= n == net);
                found
            };
            match statement {
                Statement::Assign(target, value) => {
                    let index = match target {
                        Target::Variable(_, index, _) | Target::Word(_, _, index) => reads(index),
                        _ => false,
                    };
                    let found = *assigned && (index || reads(value));
                    *assigned |= target.net() == Some(net);
                    found
                }
                Statement::If(test, then, other) => {
                    (*assigned && reads(test))
                        || run(then, net, assigned)
                        || run(other, net, assigned)
                }
                Statement::Case(test, arms, default) => {
                    (*assigned && reads(test))
                        || arms.iter().any(|(_, b)| run(b, net, assigned))
                        || run(default, net, assigned)
                }
            }
        })
    }
    run(body, net, &mut false)
}
