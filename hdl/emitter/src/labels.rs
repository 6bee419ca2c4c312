//! Identifiers for blocks and for the variables of loops.

use super::children::Placed;
use super::ir::ModuleIr;
use super::names::is_reserved;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Identifiers for blocks and loop variables.
pub(crate) struct Labels {
    used: BTreeSet<String>,
}

impl Labels {
    pub fn new(name: &str, ir: &ModuleIr, children: &[Placed]) -> Self {
        let signals = ir.signals.iter().filter(|s| s.width > 0);
        let mut used: BTreeSet<String> = signals.map(|s| s.name.clone()).collect();
        children
            .iter()
            .for_each(|placed| take_names(placed, &mut used));
        used.insert(name.to_string());
        Self { used }
    }

    /// `wanted`, or with a number if there is something of this name.
    pub fn take(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|n| format!("{wanted}_{n}"));
        let mut names = std::iter::once(wanted.to_string()).chain(numbered);
        let free = names.find(|name| !self.used.contains(name) && !is_reserved(name));
        let free = free.unwrap_or_default();
        self.used.insert(free.clone());
        free
    }
}

fn take_names(placed: &Placed, used: &mut BTreeSet<String>) {
    match placed {
        Placed::Child(child) => used.extend([child.name.clone(), child.base.clone()]),
        Placed::Stage(_) => {}
        Placed::Loop { body, names, .. } => {
            used.extend(names.iter().flat_map(|(a, b)| [a.clone(), b.clone()]));
            body.iter().for_each(|p| take_names(p, used));
        }
    }
}

/// The variables of a module's `generate for`, outermost first.
pub(crate) struct Genvars {
    names: Vec<String>,
    declared: Cell<bool>,
}

impl Genvars {
    /// Those of loops over `children`, which have their names already.
    pub fn new(children: &[Placed]) -> Self {
        let mut names = Vec::new();
        children.iter().for_each(|p| collect(p, &mut names));
        Self {
            names,
            declared: Cell::new(false),
        }
    }

    /// Takes names for more, so that `depth` loops may lie within one another.
    pub fn extend(&mut self, depth: usize, labels: &mut Labels) {
        let wanted: &[&str] = match (self.names.len(), depth) {
            (0, 2) => &["row", "column"],
            _ => &["n", "m", "k", "l"],
        };
        for at in self.names.len()..depth {
            let name = wanted[at.min(wanted.len() - 1)];
            self.names.push(labels.take(name));
        }
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Declares all of them before the first loop.
    pub fn declare(&self, out: &mut String) {
        if !self.declared.replace(true) {
            let _ = writeln!(out, "    genvar {};", self.names.join(", "));
        }
    }
}

fn collect(placed: &Placed, variables: &mut Vec<String>) {
    if let Placed::Loop {
        names: Some((variable, _)),
        body,
        ..
    } = placed
    {
        if !variables.contains(variable) {
            variables.push(variable.clone());
        }
        body.iter().for_each(|p| collect(p, variables));
    }
}
