//! Values go to where they are read: copies and wires always, others if they are read once.
//!
//! What is computed where it is read is not computed while nobody reads it, and needs no storage.

use crate::expr::{NetId, Statement, Target, Term, Value};
use crate::flat::{Block, Flat};
use std::collections::BTreeSet;

/// Values with more operators than this are no part of others.
const LARGEST: usize = 80;

/// Rewrites all statements and drops what nobody reads. Returns the outputs' values.
pub(crate) fn simplify(flat: &mut Flat) -> Vec<Value> {
    let mut definitions: Vec<Option<Value>> = vec![None; flat.nets.len()];
    for block in &flat.blocks {
        if let [Statement::Assign(Target::Whole(net), value)] = &block.body[..] {
            definitions[*net] = Some(value.clone());
        }
    }
    let outputs = flat.outputs.iter();
    let mut outputs: Vec<Value> = outputs
        .map(|&net| Value::net(net, flat.nets[net].width))
        .collect();
    // Wires first, so that a reader behind a wire counts as one.
    let wires = definitions
        .iter()
        .map(|d| d.clone().filter(Value::is_wiring))
        .collect();
    rewrite(flat, &mut outputs, &wires);
    for (definition, wire) in definitions.iter_mut().zip(&wires) {
        match (&definition, wire) {
            (Some(_), Some(_)) => *definition = None,
            (Some(value), None) => *definition = Some(substituted(value.clone(), &wires)),
            _ => {}
        }
    }
    drop_unread(flat, &outputs);
    let mut uses = vec![0usize; flat.nets.len()];
    let mut count = |value: &Value| value.nets(&mut |net| uses[net] += 1);
    let bodies = flat.blocks.iter().map(|b| &b.body);
    for body in bodies.chain(flat.edges.iter().map(|e| &e.body)) {
        body.iter().for_each(|s| s.values(&mut count));
    }
    outputs.iter().for_each(&mut count);
    let once = definitions
        .into_iter()
        .enumerate()
        .map(|(net, d)| d.filter(|value| uses[net] == 1 && size(value) <= LARGEST));
    let once = once.collect();
    rewrite(flat, &mut outputs, &once);
    drop_unread(flat, &outputs);
    outputs
}

fn rewrite(flat: &mut Flat, outputs: &mut [Value], values: &Vec<Option<Value>>) {
    let mut change = |value: &mut Value| {
        let old = std::mem::replace(value, Value::constant(0, 1));
        *value = substituted(old, values);
    };
    let blocks = flat.blocks.iter_mut().map(|b| &mut b.body);
    for body in blocks.chain(flat.edges.iter_mut().map(|e| &mut e.body)) {
        body.iter_mut().for_each(|s| s.values_mut(&mut change));
    }
    outputs.iter_mut().for_each(change);
}

/// `value` with nets replaced, again and again.
fn substituted(mut value: Value, values: &Vec<Option<Value>>) -> Value {
    if let Term::Net(net) = value.term {
        return match &values[net] {
            Some(inner) => substituted(inner.clone(), values),
            None => value,
        };
    }
    value.children_mut(&mut |inner| {
        let old = std::mem::replace(inner, Value::constant(0, 1));
        *inner = substituted(old, values);
    });
    match value.term {
        Term::Slice(inner, low) => inner.bits(low, value.width),
        Term::ZeroExtend(inner) => inner.zero_extend(value.width),
        term => Value::new(value.width, term),
    }
}

fn size(value: &Value) -> usize {
    let mut size = 0;
    value.walk(&mut |_| size += 1);
    size
}

fn drop_unread(flat: &mut Flat, outputs: &[Value]) {
    let writer = writers(&flat.blocks, flat.nets.len());
    let mut needed = BTreeSet::new();
    let mut open: Vec<NetId> = Vec::new();
    outputs.iter().for_each(|v| v.nets(&mut |n| open.push(n)));
    for edge in &flat.edges {
        edge.body
            .iter()
            .for_each(|s| s.values(&mut |v| v.nets(&mut |n| open.push(n))));
    }
    while let Some(net) = open.pop() {
        let Some(block) = writer[net] else { continue };
        if needed.insert(block) {
            flat.blocks[block]
                .body
                .iter()
                .for_each(|s| s.values(&mut |v| v.nets(&mut |n| open.push(n))));
        }
    }
    let mut at = 0;
    flat.blocks.retain(|_| {
        at += 1;
        needed.contains(&(at - 1))
    });
}

/// The block that assigns each net.
pub(crate) fn writers(blocks: &[Block], nets: usize) -> Vec<Option<usize>> {
    let mut writer = vec![None; nets];
    for (at, block) in blocks.iter().enumerate() {
        for &net in &block.writes {
            writer[net] = Some(at);
        }
    }
    writer
}
