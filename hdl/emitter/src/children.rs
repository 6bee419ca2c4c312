//! Instances and what is connected to their ports.
//!
//! An input is connected to what drives it, where that is a signal, bits of one or a constant;
//! for the children of one array only where it is so for all of them alike. Otherwise it is
//! connected to a wire of its own, which the module's statements drive.

use super::arrange::{Arranged, Item};
use super::ir::*;
use super::lanes::Packing;
use super::output::PackedPort;
use super::regroup::Uses;
use super::roll::{Number, Repeats, expr_numbers};
use super::stages::Stage;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Connection {
    pub port: String,
    pub input: bool,
    pub clock: bool,
    /// Of an output: signals and bits of them.
    pub value: Expr,
}

#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub module: String,
    /// Its identifier where it stands alone.
    pub name: String,
    /// Name of the `Vec` that it is one of, or its own.
    pub base: String,
    /// Its place in that `Vec`.
    pub number: Affine,
    pub connections: Vec<Connection>,
    pub comments: Vec<String>,
    /// Printed by this emitter, not elsewhere.
    pub printed: bool,
}

impl PartialEq for Child {
    fn eq(&self, other: &Self) -> bool {
        // A comment above the first child speaks for all.
        self.module == other.module
            && self.base == other.base
            && self.number == other.number
            && self.connections == other.connections
            && (other.comments.is_empty() || other.comments == self.comments)
    }
}

/// A child, a register of its own, or a loop over such.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Placed {
    Child(Child),
    /// The register of one lane.
    Stage(Stage),
    Loop {
        id: LoopId,
        start: i64,
        count: Affine,
        body: Vec<Placed>,
        /// Variable and name of the block, once all loops are found.
        names: Option<(String, String)>,
    },
}

impl Placed {
    /// Calls `f` on every child.
    pub fn each(&self, f: &mut impl FnMut(&Child)) {
        match self {
            Placed::Child(child) => f(child),
            Placed::Stage(_) => {}
            Placed::Loop { body, .. } => body.iter().for_each(|p| p.each(f)),
        }
    }

    /// Calls `f` on every child.
    pub fn each_mut(&mut self, f: &mut impl FnMut(&mut Child)) {
        match self {
            Placed::Child(child) => f(child),
            Placed::Stage(_) => {}
            Placed::Loop { body, .. } => body.iter_mut().for_each(|p| p.each_mut(f)),
        }
    }

    /// Calls `f` on every register.
    pub fn each_stage(&mut self, f: &mut impl FnMut(&mut Stage)) {
        match self {
            Placed::Child(_) => {}
            Placed::Stage(stage) => f(stage),
            Placed::Loop { body, .. } => body.iter_mut().for_each(|p| p.each_stage(f)),
        }
    }
}

impl Repeats for Placed {
    fn numbers(&mut self, f: &mut dyn FnMut(Number)) {
        match self {
            Placed::Child(child) => {
                f(Number::Place(&mut child.number));
                for connection in &mut child.connections {
                    expr_numbers(&mut connection.value, &mut |number| unless_fixed(number, f));
                }
            }
            Placed::Stage(stage) => {
                f(Number::Place(&mut stage.number));
                for statement in &mut stage.body {
                    statement.numbers(&mut |number| unless_fixed(number, f));
                }
            }
            Placed::Loop { count, body, .. } => {
                f(Number::Place(count));
                body.iter_mut().for_each(|p| p.numbers(f));
            }
        }
    }

    fn lines(&self) -> usize {
        match self {
            Placed::Child(child) => 3 + child.connections.len(),
            Placed::Stage(stage) => 4 + stage.body.iter().map(Stmt::lines).sum::<usize>(),
            Placed::Loop { body, .. } => 2 + body.iter().map(Placed::lines).sum::<usize>(),
        }
    }

    fn start(&self, _: &[Signal]) -> Option<i64> {
        match self {
            Placed::Child(child) => Some(child.number.base),
            Placed::Stage(stage) => Some(stage.number.base),
            Placed::Loop { .. } => None,
        }
    }

    fn rebased(&self) -> Self {
        let mut out = self.clone();
        if let Placed::Loop {
            id, start, body, ..
        } = &mut out
        {
            let (id, from) = (*id, std::mem::take(start));
            body.iter_mut()
                .for_each(|p| p.numbers(&mut |n| n.rebase(id, from)));
        }
        out
    }

    fn depth(&self) -> usize {
        match self {
            Placed::Child(_) | Placed::Stage(_) => 0,
            Placed::Loop { id, .. } => id + 1,
        }
    }

    fn looped(id: LoopId, start: i64, count: usize, body: Vec<Placed>) -> Placed {
        Placed::Loop {
            id,
            start,
            count: Affine::number(count),
            body,
            names: None,
        }
    }

    fn within(&mut self, _: &[Signal]) {}
}

/// A variable of `generate` has no bits: constants stay as they are.
fn unless_fixed(number: Number, f: &mut dyn FnMut(Number)) {
    let fixed = matches!(&number, Number::Value(e) if e.as_const().is_some());
    if !fixed {
        f(number);
    }
}

/// A live instance before it is connected.
pub(crate) struct Socket<'a> {
    pub module: &'a str,
    pub base: String,
    pub number: usize,
    pub printed: bool,
    pub ports: &'a [PackedPort],
}

/// Children with their connections, and `arranged` (over arrays) without what they take over.
/// `scalar` are the same items before packing, `uses` what they read and write.
pub(crate) fn connect(
    ir: &mut ModuleIr,
    packing: &Packing,
    sockets: &[Option<Socket>],
    scalar: &[Item],
    arranged: &mut Arranged,
    uses: &mut Vec<Uses>,
) -> Vec<Child> {
    let mut drivers: BTreeMap<SignalId, usize> = BTreeMap::new();
    for (at, item) in scalar.iter().enumerate() {
        if let Item::Assign { target, value, .. } = item
            && matches!(ir.signals[*target].role, Role::InstanceInput { .. })
            && is_connectable(value)
        {
            drivers.insert(*target, at);
        }
    }
    let mut offers: BTreeMap<(usize, usize), Offer> = BTreeMap::new();
    let mut shared: BTreeMap<SignalId, Vec<(usize, usize)>> = BTreeMap::new();
    for (inst, socket) in sockets.iter().enumerate() {
        for (port, packed) in socket.iter().flat_map(|s| s.ports.iter().enumerate()) {
            let stubs: Vec<SignalId> = packed
                .members
                .iter()
                .map(|m| ir.instances[inst].ports[*m])
                .collect();
            if packed.input
                && let Some(offer) = offer(ir, packing, packed, &stubs, &drivers, scalar)
            {
                offers.insert((inst, port), offer);
            }
            let array = stubs.first().and_then(|s| packing.places.get(s));
            if let Some((array, _)) = array
                && ir.signals[*array].role == Role::Local
            {
                shared.entry(*array).or_default().push((inst, port));
            }
        }
    }
    // The children of an array are connected alike, or by wires.
    for members in shared.values() {
        let shape = |key: &(usize, usize)| offers.get(key).map(|o| shape(&o.value));
        let first = shape(&members[0]);
        if first.is_none() || members.iter().any(|m| shape(m) != first) {
            members.iter().for_each(|m| {
                offers.remove(m);
            });
        }
    }
    let mut children = Vec::new();
    let mut taken = BTreeSet::new();
    for (inst, socket) in sockets.iter().enumerate() {
        let Some(socket) = socket else { continue };
        let mut comments = Vec::new();
        let mut connections = Vec::new();
        for (port, packed) in socket.ports.iter().enumerate() {
            let stubs: Vec<SignalId> = packed
                .members
                .iter()
                .map(|m| ir.instances[inst].ports[*m])
                .collect();
            let value = match offers.remove(&(inst, port)) {
                Some(offer) => {
                    for item in offer.items {
                        if let Item::Assign { comments: more, .. } = &scalar[item] {
                            comments.extend(more.iter().cloned());
                        }
                        taken.insert(item);
                    }
                    vanish(ir, packing, &stubs);
                    offer.value
                }
                None => wires(ir, packing, packed, &stubs),
            };
            connections.push(Connection {
                port: packed.name.clone(),
                input: packed.input,
                clock: packed.clock,
                value,
            });
        }
        children.push(Child {
            module: socket.module.to_string(),
            name: ir.instances[inst].name.clone(),
            base: socket.base.clone(),
            number: Affine::number(socket.number),
            connections,
            comments,
            printed: socket.printed,
        });
    }
    let kept = |at: &usize| !taken.contains(at);
    let mut numbers = 0..;
    arranged
        .items
        .retain(|_| numbers.next().is_some_and(|at| kept(&at)));
    let mut numbers = 0..;
    uses.retain(|_| numbers.next().is_some_and(|at| kept(&at)));
    children
}

/// What could be connected instead of a wire.
struct Offer {
    value: Expr,
    items: Vec<usize>,
}

fn offer(
    ir: &ModuleIr,
    packing: &Packing,
    port: &PackedPort,
    stubs: &[SignalId],
    drivers: &BTreeMap<SignalId, usize>,
    scalar: &[Item],
) -> Option<Offer> {
    let mut values = Vec::new();
    let mut items = Vec::new();
    for stub in stubs.iter().rev() {
        let at = *drivers.get(stub)?;
        let Item::Assign { value, .. } = &scalar[at] else {
            return None;
        };
        let mut value = value.clone();
        packing.expr(&mut value, ir);
        values.push(value.bits(0, port.lane_width)?);
        items.push(at);
    }
    let value = match values.len() {
        1 => values.remove(0),
        _ => concat(values),
    };
    is_connectable(&value).then_some(Offer { value, items })
}

/// What may stand in a port connection: a signal, bits of it, a constant.
fn is_connectable(e: &Expr) -> bool {
    match &e.kind {
        Kind::Signal(_) | Kind::Slice { .. } | Kind::Const { .. } => true,
        Kind::Reinterpret(inner) | Kind::ZeroExtend(inner) => is_connectable(inner),
        _ => false,
    }
}

fn shape(value: &Expr) -> Expr {
    let mut shape = value.clone();
    expr_numbers(&mut shape, &mut |number| {
        if let Number::Value(Expr {
            kind: Kind::Slice { low, .. },
            ..
        }) = number
        {
            *low = 0;
        }
    });
    shape
}

/// The wires of a port.
fn wires(ir: &ModuleIr, packing: &Packing, port: &PackedPort, stubs: &[SignalId]) -> Expr {
    let mut parts = Vec::new();
    for stub in stubs.iter().rev() {
        let signal = &ir.signals[*stub];
        let mut lane = Expr::signal(*stub, signal.width, signal.signed);
        packing.expr(&mut lane, ir);
        let bits = lane.bits(0, port.lane_width);
        parts.push(bits.unwrap_or(lane));
    }
    match parts.len() {
        1 => parts.remove(0),
        _ => concat(parts),
    }
}

/// The wires of a port that is connected without them.
fn vanish(ir: &mut ModuleIr, packing: &Packing, stubs: &[SignalId]) {
    for stub in stubs {
        match packing.places.get(stub) {
            Some((array, _)) => ir.signals[*array].width = 0,
            None => ir.signals[*stub].width = 0,
        }
    }
}

/// An output that is only copied to a port or wire drives that instead.
pub(crate) fn join_outputs(ir: &mut ModuleIr, arranged: &mut Arranged) {
    let mut readers = vec![0_usize; ir.signals.len()];
    let mut count = |s: SignalId| readers[s] += 1;
    for item in &arranged.items {
        match item {
            Item::Assign { value, .. } => value.reads(&mut count),
            Item::Always(block) => block.iter().for_each(|s| s.reads(&mut count)),
        }
    }
    arranged.clocked.iter().for_each(|s| s.reads(&mut count));
    for placed in &arranged.children {
        placed.each(&mut |child| {
            let inputs = child.connections.iter().filter(|c| c.input);
            inputs.for_each(|c| c.value.reads(&mut count));
        });
    }
    let children = &mut arranged.children;
    arranged.items.retain(|item| {
        let Item::Assign {
            comments,
            target,
            value,
        } = item
        else {
            return true;
        };
        let Kind::Signal(source) = value.kind else {
            return true;
        };
        let (from, to) = (&ir.signals[source], &ir.signals[*target]);
        let joins = matches!(from.role, Role::InstanceOutput { .. } | Role::Outputs)
            && matches!(to.role, Role::Output | Role::Local)
            && from.width == to.width
            && from.lanes.map(|l| l.first) == to.lanes.map(|l| l.first)
            && readers[source] == 1;
        if !joins {
            return true;
        }
        let mut comments = Some(comments.clone());
        for placed in children.iter_mut() {
            placed.each_mut(&mut |child| {
                let mut found = false;
                for output in child.connections.iter_mut().filter(|c| !c.input) {
                    found |= rename(&mut output.value, source, *target);
                }
                if found {
                    child.comments.extend(comments.take().into_iter().flatten());
                }
            });
        }
        ir.signals[source].width = 0;
        false
    });
}

fn rename(e: &mut Expr, from: SignalId, to: SignalId) -> bool {
    let mut found = false;
    match &mut e.kind {
        Kind::Signal(s) | Kind::Slice { signal: s, .. } | Kind::Lane { signal: s, .. }
            if *s == from =>
        {
            *s = to;
            found = true;
        }
        _ => e.children_mut(&mut |inner| found |= rename(inner, from, to)),
    }
    found
}
