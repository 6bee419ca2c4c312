//! Brings together what drives one array, and what would otherwise look like a loop of wires.
//!
//! Lanes are assigned one by one. All assignments to one array become one block, in their order;
//! blocks that read each other's results, lane after lane, become one, too.

use super::arrange::Item;
use super::ir::*;
use super::join::{by_target, join};
use std::collections::{BTreeMap, BTreeSet};

/// What an item reads and writes.
pub(crate) type Uses = (BTreeSet<SignalId>, BTreeSet<SignalId>);

/// One item per array, joined to concatenations where it is made of few pieces. `lanes` says of
/// every item what it read and wrote before lanes became arrays: that decides over the order.
pub(crate) fn regroup(items: Vec<Item>, lanes: &[Uses], signals: &[Signal]) -> Vec<Item> {
    let (reads, writes): (Vec<_>, Vec<_>) = items.iter().map(uses).unzip();
    let mut parent: Vec<usize> = (0..items.len()).collect();
    let mut writer: BTreeMap<SignalId, usize> = BTreeMap::new();
    for (at, written) in writes.iter().enumerate() {
        for signal in written {
            let first = *writer.entry(*signal).or_insert(at);
            union(&mut parent, first, at);
        }
    }
    // Which groups does a group read?
    let mut edges: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (at, read) in reads.iter().enumerate() {
        let group = find(&mut parent, at);
        for signal in read {
            if let Some(&from) = writer.get(signal) {
                let from = find(&mut parent, from);
                if from != group {
                    edges.entry(group).or_default().insert(from);
                }
            }
        }
    }
    let roots: BTreeSet<usize> = (0..items.len()).map(|at| find(&mut parent, at)).collect();
    for circle in circles(&roots, &edges) {
        for pair in circle.windows(2) {
            union(&mut parent, pair[0], pair[1]);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..items.len() {
        groups.entry(find(&mut parent, at)).or_default().push(at);
    }
    let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
    let mut out = Vec::new();
    for group in groups.into_values() {
        let ordered = in_order(group, lanes);
        let group = ordered
            .into_iter()
            .filter_map(|at| items[at].take())
            .collect();
        out.push(one(group, signals));
    }
    out
}

/// A group so that every lane is written before another item of the group reads it; otherwise as
/// it was.
fn in_order(group: Vec<usize>, lanes: &[Uses]) -> Vec<usize> {
    let mut writer: BTreeMap<SignalId, usize> = BTreeMap::new();
    for &at in &group {
        for signal in &lanes[at].1 {
            writer.insert(*signal, at);
        }
    }
    let mut waits: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut frees: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &at in &group {
        let before = lanes[at].0.iter().filter_map(|s| writer.get(s).copied());
        let before: BTreeSet<usize> = before.filter(|other| *other != at).collect();
        for &other in &before {
            frees.entry(other).or_default().push(at);
        }
        waits.insert(at, before);
    }
    let is_free = |at: &&usize| waits[*at].is_empty();
    let mut ready: BTreeSet<usize> = group.iter().filter(is_free).copied().collect();
    let mut out = Vec::with_capacity(group.len());
    while let Some(at) = ready.pop_first() {
        out.push(at);
        for next in frees.remove(&at).into_iter().flatten() {
            if let Some(left) = waits.get_mut(&next)
                && left.remove(&at)
                && left.is_empty()
            {
                ready.insert(next);
            }
        }
    }
    if out.len() == group.len() { out } else { group }
}

/// What `item` reads and writes.
pub(crate) fn uses(item: &Item) -> Uses {
    let (mut reads, mut writes) = Uses::default();
    let mut note = |s| {
        reads.insert(s);
    };
    match item {
        Item::Assign { target, value, .. } => {
            value.reads(&mut note);
            writes.insert(*target);
        }
        Item::Always(block) => {
            for statement in block {
                statement.reads(&mut note);
                statement.writes(&mut |s| {
                    writes.insert(s);
                });
            }
        }
    }
    (reads, writes)
}

fn one(mut group: Vec<Item>, signals: &[Signal]) -> Item {
    if let [Item::Assign { .. }] = group[..] {
        return group.remove(0);
    }
    let mut block = Vec::new();
    for item in group {
        match item {
            Item::Always(more) => block.extend(more),
            Item::Assign {
                comments,
                target,
                value,
            } => {
                block.extend(comments.into_iter().map(Stmt::Comment));
                block.push(Stmt::Assign {
                    target,
                    part: Part::Whole,
                    value,
                });
            }
        }
    }
    let block = by_target(join(block, signals, true), true);
    let is_comment = |s: &&Stmt| matches!(s, Stmt::Comment(_));
    let mut rest = block.iter().filter(|s| !is_comment(s));
    if let (
        Some(Stmt::Assign {
            target,
            part: Part::Whole,
            value,
        }),
        None,
    ) = (rest.next(), rest.next())
    {
        let comments = block.iter().filter_map(|s| match s {
            Stmt::Comment(text) => Some(text.clone()),
            _ => None,
        });
        return Item::Assign {
            comments: comments.collect(),
            target: *target,
            value: value.clone(),
        };
    }
    Item::Always(block)
}

/// Groups of more than one node that reach each other (Tarjan 1972, without recursion).
fn circles(nodes: &BTreeSet<usize>, edges: &BTreeMap<usize, BTreeSet<usize>>) -> Vec<Vec<usize>> {
    let mut index: BTreeMap<usize, usize> = BTreeMap::new();
    let mut low: BTreeMap<usize, usize> = BTreeMap::new();
    let (mut stack, mut on_stack) = (Vec::new(), BTreeSet::new());
    let mut out = Vec::new();
    let none = BTreeSet::new();
    for &start in nodes {
        if index.contains_key(&start) {
            continue;
        }
        let mut work = vec![(start, edges.get(&start).unwrap_or(&none).iter())];
        index.insert(start, index.len());
        low.insert(start, index[&start]);
        stack.push(start);
        on_stack.insert(start);
        while let Some((node, next)) = work.last_mut() {
            let node = *node;
            if let Some(&follower) = next.next() {
                if !index.contains_key(&follower) {
                    index.insert(follower, index.len());
                    low.insert(follower, index[&follower]);
                    stack.push(follower);
                    on_stack.insert(follower);
                    work.push((follower, edges.get(&follower).unwrap_or(&none).iter()));
                } else if on_stack.contains(&follower) {
                    let reached = low[&node].min(index[&follower]);
                    low.insert(node, reached);
                }
                continue;
            }
            work.pop();
            if let Some((above, _)) = work.last() {
                let reached = low[above].min(low[&node]);
                low.insert(*above, reached);
            }
            if low[&node] == index[&node] {
                let mut circle = Vec::new();
                while let Some(top) = stack.pop() {
                    on_stack.remove(&top);
                    circle.push(top);
                    if top == node {
                        break;
                    }
                }
                if circle.len() > 1 {
                    out.push(circle);
                }
            }
        }
    }
    out
}

fn find(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

/// The smaller position becomes the root, so that groups sort by their first item.
fn union(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(parent, a), find(parent, b));
    parent[a.max(b)] = a.min(b);
}
