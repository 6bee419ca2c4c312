//! Which outputs of a module follow its inputs within one clock, and which children of one array
//! feed each other that way.
//!
//! A wire that passes through several children must not lie in one array: simulators see a loop
//! where an array feeds itself.

use super::arrange::Arranged;
use super::ir::*;
use super::names::lane;
use super::regroup::uses;
use std::collections::{BTreeMap, BTreeSet};

/// Pairs of an input and an output (places among the ports) that follows it.
pub(crate) type Through = BTreeSet<(usize, usize)>;

/// What follows what in one module.
pub(crate) struct Wires {
    next: BTreeMap<SignalId, Vec<SignalId>>,
}

impl Wires {
    /// `children` says what passes through each live instance.
    pub fn of(ir: &ModuleIr, arranged: &Arranged, children: &[Option<&Through>]) -> Self {
        let mut next: BTreeMap<SignalId, Vec<SignalId>> = BTreeMap::new();
        for item in &arranged.items {
            let (reads, writes) = uses(item);
            for read in reads {
                next.entry(read).or_default().extend(&writes);
            }
        }
        for (instance, through) in ir.instances.iter().zip(children) {
            for (input, output) in through.iter().flat_map(|t| t.iter()) {
                let (input, output) = (instance.ports[*input], instance.ports[*output]);
                next.entry(input).or_default().push(output);
            }
        }
        Self { next }
    }

    /// What follows `from` within a clock, `from` included.
    pub fn reached(&self, from: impl IntoIterator<Item = SignalId>) -> BTreeSet<SignalId> {
        let mut found = BTreeSet::new();
        let mut open: Vec<SignalId> = from.into_iter().collect();
        while let Some(signal) = open.pop() {
            if found.insert(signal) {
                open.extend(self.next.get(&signal).into_iter().flatten());
            }
        }
        found
    }

    /// What passes through the module.
    pub fn through(&self, ir: &ModuleIr) -> Through {
        let mut out = Through::new();
        for (input, &signal) in ir.ports.iter().enumerate() {
            if ir.signals[signal].role == Role::Input && !ir.signals[signal].clock {
                let found = self.reached([signal]);
                let outputs = ir.ports.iter().enumerate();
                out.extend(
                    outputs
                        .filter(|(_, s)| **s != signal && found.contains(s))
                        .map(|(output, _)| (input, output)),
                );
            }
        }
        out
    }

    /// `Vec`s of children of which one feeds another.
    pub fn chained(&self, ir: &ModuleIr) -> BTreeSet<String> {
        let mut arrays: BTreeMap<&str, (Vec<SignalId>, Vec<SignalId>)> = BTreeMap::new();
        for instance in &ir.instances {
            let Some((base, _)) = lane(&instance.path) else {
                continue;
            };
            let (inputs, outputs) = arrays.entry(base).or_default();
            for &stub in &instance.ports {
                match ir.signals[stub].role {
                    Role::InstanceInput { .. } => inputs.push(stub),
                    _ => outputs.push(stub),
                }
            }
        }
        let mut out = BTreeSet::new();
        for (base, (inputs, outputs)) in arrays {
            // Nothing follows from an input where all outputs come from registers.
            let inputs: Vec<SignalId> = inputs
                .into_iter()
                .filter(|s| self.next.contains_key(s))
                .collect();
            let found = self.reached(outputs);
            if inputs.iter().any(|input| found.contains(input)) {
                out.insert(base.to_string());
            }
        }
        out
    }
}
