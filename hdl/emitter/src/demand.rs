//! Which bits does anybody need? A backward pass over the whole hierarchy.
//!
//! The top's outputs are needed. A needed bit of a value needs the bits that it is computed
//! from: sums and products the bits at and below it, bitwise operators the same bits,
//! comparisons and reductions everything. The least fixpoint over all kinds says what is
//! declared at all; a kind needs what any of its instances needs.

use super::ir::*;
use std::collections::BTreeSet;

/// One flag per bit.
pub(crate) type Bits = Vec<bool>;

/// Needed bits per signal of one kind.
pub(crate) type Needs = Vec<Bits>;

/// What the emitter knows about a kind while demand is computed.
pub(crate) struct KindView<'a> {
    pub ir: &'a ModuleIr,
    pub leaf: bool,
    /// Bits of each port that a leaf uses, if fewer than declared.
    pub leaf_uses: Vec<Option<usize>>,
}

/// The needs of all kinds; the last kind is the top.
pub(crate) fn demand(kinds: &[KindView]) -> Vec<Needs> {
    let mut needs: Vec<Needs> = kinds
        .iter()
        .map(|k| k.ir.signals.iter().map(|s| vec![false; s.width]).collect())
        .collect();
    let top = kinds.len() - 1;
    for &port in &kinds[top].ir.ports {
        if kinds[top].ir.signals[port].role == Role::Output {
            needs[top][port].fill(true);
        }
    }
    for (kind, view) in kinds.iter().enumerate().filter(|(_, view)| view.leaf) {
        for (port, &signal) in view.ir.ports.iter().enumerate() {
            let width = view.leaf_uses[port].unwrap_or(view.ir.signals[signal].width);
            needs[kind][signal][..width].fill(true);
        }
    }
    let mut open: Vec<bool> = kinds.iter().map(|k| !k.leaf).collect();
    let mut parents: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); kinds.len()];
    for (kind, view) in kinds.iter().enumerate() {
        for instance in &view.ir.instances {
            parents[instance.kind].insert(kind);
        }
    }
    // Parents come behind their children.
    while let Some(kind) = open.iter().rposition(|open| *open) {
        open[kind] = false;
        if settle(kinds, kind, &mut needs) {
            parents[kind].iter().for_each(|&parent| open[parent] = true);
        }
        for child in ask_children(kinds, kind, &mut needs) {
            open[child] = true;
        }
    }
    needs
}

/// Local fixpoint of one kind; whether it needs more of its ports than before.
fn settle(kinds: &[KindView], kind: usize, needs: &mut [Needs]) -> bool {
    let ir = kinds[kind].ir;
    let ports =
        |needs: &Needs| -> Vec<Bits> { ir.ports.iter().map(|p| needs[*p].clone()).collect() };
    let before = ports(&needs[kind]);
    loop {
        let mut own = std::mem::take(&mut needs[kind]);
        let mut pass = Pass {
            needs: &mut own,
            changed: false,
        };
        for register in &ir.registers {
            let bits = pass.needs[register.q].clone();
            pass.add(register.d, &bits);
            if bits.contains(&true) {
                pass.add_clock(ir);
            }
        }
        for instance in &ir.instances {
            let child = &kinds[instance.kind];
            if !is_live(ir, instance, pass.needs) {
                continue;
            }
            for (port, &stub) in instance.ports.iter().enumerate() {
                let inner = child.ir.ports[port];
                if child.ir.signals[inner].role == Role::Input {
                    pass.add(stub, &needs[instance.kind][inner]);
                }
            }
        }
        pass.block(&ir.body);
        let again = pass.changed;
        needs[kind] = own;
        if !again {
            return ports(&needs[kind]) != before;
        }
    }
}

/// Passes what a kind needs of its children on to them: those of which it is more than before.
fn ask_children(kinds: &[KindView], kind: usize, needs: &mut [Needs]) -> BTreeSet<usize> {
    let ir = kinds[kind].ir;
    let own = std::mem::take(&mut needs[kind]);
    let mut more = BTreeSet::new();
    for instance in &ir.instances {
        let child = &kinds[instance.kind];
        if child.leaf {
            continue;
        }
        for (port, &stub) in instance.ports.iter().enumerate() {
            let inner = child.ir.ports[port];
            if child.ir.signals[inner].role == Role::Output
                && merge(&mut needs[instance.kind][inner], &own[stub])
            {
                more.insert(instance.kind);
            }
        }
    }
    needs[kind] = own;
    more
}

/// An instance exists if somebody needs one of its outputs.
pub(crate) fn is_live(ir: &ModuleIr, instance: &Instance, needs: &Needs) -> bool {
    instance.ports.iter().any(|&stub| {
        matches!(ir.signals[stub].role, Role::InstanceOutput { .. }) && needs[stub].contains(&true)
    })
}

fn merge(into: &mut Bits, more: &[bool]) -> bool {
    let mut changed = false;
    for (bit, wanted) in into.iter_mut().zip(more) {
        changed |= *wanted && !*bit;
        *bit |= *wanted;
    }
    changed
}

/// Bits above the highest needed one are cut; this is how many remain.
pub(crate) fn height(bits: &[bool]) -> usize {
    bits.iter().rposition(|b| *b).map_or(0, |top| top + 1)
}

/// Whether an assignment to `part` provides a needed bit.
fn provides(part: &Part, need: &[bool]) -> bool {
    match part {
        Part::Bits { low, width } => need[*low..low + width].contains(&true),
        Part::Whole | Part::Lane { .. } | Part::Variable { .. } => need.contains(&true),
    }
}

/// The bits of `target` that an assignment to `part` provides.
pub(crate) fn provided(part: &Part, need: &[bool]) -> Bits {
    match part {
        Part::Whole | Part::Lane { .. } => need.to_vec(),
        Part::Bits { low, width } => need[*low..low + width].to_vec(),
        Part::Variable { width, .. } => vec![need.contains(&true); *width],
    }
}

/// Whether anything in the block assigns a needed bit.
pub(crate) fn block_is_live(block: &[Stmt], needs: &Needs) -> bool {
    block.iter().any(|s| is_needed(s, needs))
}

pub(crate) fn is_needed(statement: &Stmt, needs: &Needs) -> bool {
    match statement {
        Stmt::Comment(_) | Stmt::Loop { .. } => false,
        Stmt::Assign { target, part, .. } => provides(part, &needs[*target]),
        Stmt::If { then, other, .. } => block_is_live(then, needs) || block_is_live(other, needs),
        Stmt::Case { arms, default, .. } => {
            arms.iter().any(|(_, b)| block_is_live(b, needs))
                || default.iter().any(|b| block_is_live(b, needs))
        }
    }
}

struct Pass<'a> {
    needs: &'a mut Needs,
    changed: bool,
}

impl Pass<'_> {
    fn add(&mut self, signal: SignalId, bits: &[bool]) {
        self.changed |= merge(&mut self.needs[signal], bits);
    }

    fn add_clock(&mut self, ir: &ModuleIr) {
        for &port in &ir.ports {
            if ir.signals[port].clock && ir.signals[port].path == "clock" {
                self.add(port, &[true]);
            }
        }
    }

    fn block(&mut self, block: &[Stmt]) {
        // Backwards: values are needed by what follows.
        for statement in block.iter().rev() {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        if !is_needed(statement, self.needs) {
            return;
        }
        match statement {
            Stmt::Comment(_) | Stmt::Loop { .. } => {}
            Stmt::Assign {
                target,
                part,
                value,
            } => {
                if let Part::Variable { index, .. } = part {
                    self.all(index);
                    // The position of the bit is known only at run time.
                    let width = self.needs[*target].len();
                    self.add(*target, &vec![true; width]);
                }
                let need = provided(part, &self.needs[*target]);
                self.value(value, &need);
            }
            Stmt::If { test, then, other } => {
                self.all(test);
                self.block(then);
                self.block(other);
            }
            Stmt::Case {
                test,
                arms,
                default,
            } => {
                self.all(test);
                arms.iter().for_each(|(_, b)| self.block(b));
                default.iter().for_each(|b| self.block(b));
            }
        }
    }

    fn all(&mut self, e: &Expr) {
        self.value(e, &vec![true; e.width]);
    }

    fn value(&mut self, e: &Expr, need: &[bool]) {
        if !need.contains(&true) {
            return;
        }
        match &e.kind {
            Kind::Const { .. } | Kind::Lane { .. } | Kind::Index(_) => {}
            Kind::Signal(s) => self.add(*s, need),
            Kind::Slice { signal, of, low } => {
                let mut bits = vec![false; *of];
                bits[*low..low + e.width].copy_from_slice(need);
                self.add(*signal, &bits);
            }
            Kind::Select { signal, of, index } => {
                self.add(*signal, &vec![true; *of]);
                self.all(index);
            }
            Kind::Reinterpret(inner) | Kind::Not(inner) => self.value(inner, need),
            Kind::ZeroExtend(inner) => self.value(inner, &need[..inner.width]),
            Kind::SignExtend(inner) => {
                let mut bits = need[..inner.width].to_vec();
                bits[inner.width - 1] |= need[inner.width..].contains(&true);
                self.value(inner, &bits);
            }
            Kind::Neg(inner) => self.value(inner, &up_to(height(need), inner.width)),
            Kind::Reduce(_, inner) => self.all(inner),
            Kind::Binary(op, l, r) => self.binary(*op, l, r, need),
            Kind::Compare(_, l, r) | Kind::LogicalAnd(l, r) | Kind::LogicalOr(l, r) => {
                self.all(l);
                self.all(r);
            }
            Kind::ShiftLeft(l, by) => {
                let bits = match by.as_const() {
                    Some(by) => need[(by as usize).min(need.len())..].to_vec(),
                    None => up_to(height(need), l.width),
                };
                let mut padded = bits;
                padded.resize(l.width, false);
                self.value(l, &padded);
                self.all(by);
            }
            Kind::ShiftRight(l, by) => {
                let first = need.iter().position(|b| *b).unwrap_or(0);
                let from = first + by.as_const().map_or(0, |by| by as usize);
                let mut bits = vec![false; l.width];
                bits[from.min(l.width)..].fill(true);
                self.value(l, &bits);
                self.all(by);
            }
            Kind::Mux(test, then, other) => {
                self.all(test);
                self.value(then, need);
                self.value(other, need);
            }
            Kind::Concat(parts) => {
                let mut high = e.width;
                for part in parts {
                    self.value(part, &need[high - part.width..high]);
                    high -= part.width;
                }
            }
        }
    }

    fn binary(&mut self, op: Op, l: &Expr, r: &Expr, need: &[bool]) {
        match op {
            Op::Add | Op::Sub | Op::Mul => {
                let height = height(need);
                self.value(l, &up_to(height.min(l.width), l.width));
                self.value(r, &up_to(height.min(r.width), r.width));
            }
            Op::Xor => {
                self.value(l, need);
                self.value(r, need);
            }
            // A constant decides some bits by itself.
            Op::And | Op::Or => {
                let undecided = |other: &Expr| -> Bits {
                    let free = match other.as_const() {
                        Some(c) if op == Op::And => c,
                        Some(c) => !c,
                        None => return need.to_vec(),
                    };
                    let bit = |b: usize| b < 128 && free >> b & 1 == 1;
                    let beyond = op == Op::Or;
                    let keep = |b: usize| if b < 128 { bit(b) } else { beyond };
                    need.iter()
                        .enumerate()
                        .map(|(b, n)| *n && keep(b))
                        .collect()
                };
                self.value(l, &undecided(r));
                self.value(r, &undecided(l));
            }
        }
    }
}

fn up_to(height: usize, width: usize) -> Bits {
    (0..width).map(|b| b < height).collect()
}
