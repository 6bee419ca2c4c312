//! An order in which every node finds its inputs computed.

use super::{Node, ValueId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Most nodes of a circle that a sentence names.
const MOST_NAMED: usize = 3;

/// The nodes in the file's order, except where one reads what comes later.
///
/// # Errors
/// A circle.
pub(super) fn order(nodes: &[Node], makers: &[Option<usize>]) -> Result<Vec<usize>, String> {
    let mut waits = vec![0usize; nodes.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        for maker in node.inputs.iter().flatten().filter_map(|&v| makers[v]) {
            waits[at] += 1;
            readers[maker].push(at);
        }
    }
    let ready = (0..nodes.len()).filter(|&at| waits[at] == 0);
    let mut ready: BinaryHeap<_> = ready.map(Reverse).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(at)) = ready.pop() {
        order.push(at);
        for &reader in &readers[at] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    if order.len() == nodes.len() {
        return Ok(order);
    }
    let stuck = (0..nodes.len()).filter(|&at| waits[at] > 0);
    let names: Vec<_> = (stuck.take(MOST_NAMED))
        .map(|at| nodes[at].label())
        .collect();
    Err(format!(
        "the graph has a circle at {}; allowed are graphs whose nodes read only what earlier \
         ones compute",
        names.join(", ")
    ))
}

/// Which nodes the output needs.
pub(super) fn needed(nodes: &[Node], makers: &[Option<usize>], output: ValueId) -> Vec<bool> {
    let mut needed = vec![false; nodes.len()];
    let mut open: Vec<usize> = makers[output].into_iter().collect();
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut needed[at], true) {
            open.extend(nodes[at].inputs.iter().flatten().filter_map(|&v| makers[v]));
        }
    }
    needed
}
