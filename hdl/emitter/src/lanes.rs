//! Lanes become packed arrays: `x$0 .. x$7` of eight bits is one signal of 64 bits.
//!
//! A family is what differs in the numbers of its path alone: elements of a `Vec`, registers of a
//! `Vec<DFF>`, equal ports of the children of a `Vec`. It is packed if its lanes have one width and
//! sign and their numbers leave no gap; lane k of w bits is then `[w * k +: w]`. Where each child of
//! a `Vec` has a `Vec` of ports itself, those of one child lie together.

use super::arrange::{Arranged, Item};
use super::ir::*;
use super::names::{self, Naming};
use std::collections::{BTreeMap, BTreeSet};

/// Where a scalar has gone: an array, and its lowest bit there.
pub(crate) type Place = (SignalId, usize);

/// The packed arrays of a module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packing {
    /// By scalar.
    pub places: BTreeMap<SignalId, Place>,
    /// Lanes that are alone, and lost their number.
    pub renamed: Vec<(String, String)>,
}

/// What the lanes of a family have in common besides their width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Input,
    Output,
    Local,
    InstanceInput,
    InstanceOutput,
    Q,
    D,
}

/// Numbers of a lane's path, outermost first.
type Numbers = Vec<usize>;

/// Finds the families of `ir`, whose widths are final, and adds their arrays to its signals.
/// Ports of the children of a `Vec` in `chained` are packed child by child, local families in
/// `alone` not at all.
pub(crate) fn pack(
    ir: &mut ModuleIr,
    naming: &Naming,
    has_d: &BTreeSet<usize>,
    chained: &BTreeSet<String>,
    alone: &BTreeSet<String>,
) -> Packing {
    let mut families: BTreeMap<(Class, String), Vec<(Numbers, SignalId)>> = BTreeMap::new();
    for (id, signal) in ir.signals.iter().enumerate() {
        if signal.width == 0 || signal.clock {
            continue;
        }
        let apart = match signal.role {
            Role::InstanceInput { .. } | Role::InstanceOutput { .. } => Some(chained),
            _ => None,
        };
        let Some((pattern, numbers)) = pattern(&signal.path, apart) else {
            continue;
        };
        if signal.role == Role::Local && alone.contains(&pattern) {
            continue;
        }
        let key = (class(signal.role), pattern);
        families.entry(key).or_default().push((numbers, id));
    }
    let mut packing = Packing::default();
    // In the order of their first lanes, so that declarations keep theirs.
    let mut ordered: Vec<_> = families.iter().collect();
    ordered.sort_by_key(|(_, lanes)| lanes.iter().map(|(_, id)| *id).min());
    let mut registers: BTreeMap<&str, usize> = BTreeMap::new();
    for ((class, pattern), lanes) in ordered {
        if !mixed_d(ir, *class, lanes, has_d) {
            family(
                ir,
                naming,
                (*class, pattern),
                lanes,
                &mut registers,
                &mut packing,
            );
        }
    }
    replace_ports(ir, &packing);
    packing
}

fn class(role: Role) -> Class {
    match role {
        Role::Input => Class::Input,
        Role::Output => Class::Output,
        Role::Local | Role::Outputs => Class::Local,
        Role::InstanceInput { .. } => Class::InstanceInput,
        Role::InstanceOutput { .. } => Class::InstanceOutput,
        Role::Q(_) => Class::Q,
        Role::D(_) => Class::D,
    }
}

/// `pe$5$sum_out` -> `pe$#$sum_out` and 5; `None` without a number. The first number of a path
/// that begins as one in `apart` is a name like others.
fn pattern(path: &str, apart: Option<&BTreeSet<String>>) -> Option<(String, Numbers)> {
    let mut numbers = Vec::new();
    let field = path.split('$').next().unwrap_or_default();
    let mut keep = apart.is_some_and(|apart| apart.contains(field));
    let parts: Vec<&str> = path
        .split('$')
        .map(|part| match part.parse() {
            Ok(_) if std::mem::take(&mut keep) => part,
            Ok(number) => {
                numbers.push(number);
                "#"
            }
            Err(_) => part,
        })
        .collect();
    (!numbers.is_empty()).then(|| (parts.join("$"), numbers))
}

/// Whether only some registers of a family have a next value of their own.
fn mixed_d(
    ir: &ModuleIr,
    class: Class,
    lanes: &[(Numbers, SignalId)],
    has_d: &BTreeSet<usize>,
) -> bool {
    let has = |(_, id): &(Numbers, SignalId)| match ir.signals[*id].role {
        Role::Q(register) | Role::D(register) => has_d.contains(&register),
        _ => false,
    };
    matches!(class, Class::Q | Class::D) && lanes.iter().any(has) && !lanes.iter().all(has)
}

fn family<'a>(
    ir: &mut ModuleIr,
    naming: &Naming,
    (class, pattern): (Class, &'a str),
    lanes: &[(Numbers, SignalId)],
    registers: &mut BTreeMap<&'a str, usize>,
    packing: &mut Packing,
) {
    let Some(numbered) = numbered(lanes) else {
        return;
    };
    let [(first, one), ..] = numbered[..] else {
        return;
    };
    let Signal { width, signed, .. } = ir.signals[one];
    let uniform = |(_, id): &(usize, SignalId)| {
        ir.signals[*id].width == width && ir.signals[*id].signed == signed
    };
    if !numbered.iter().all(uniform) {
        return;
    }
    let mut name = name(pattern, class, naming);
    let own = |id: usize| numbered.iter().any(|(_, lane)| *lane == id);
    let mut others = ir.signals.iter().enumerate();
    let taken = others.any(|(id, s)| s.width > 0 && s.name == name && !own(id));
    if names::is_reserved(&name) || taken {
        name.push_str("_lanes");
    }
    if numbered.len() == 1 {
        // The only lane needs no number.
        if first == 0 {
            let old = std::mem::replace(&mut ir.signals[one].name, name.clone());
            packing.renamed.push((old, name));
        }
        return;
    }
    let id = ir.signals.len();
    let role = match (class, ir.signals[one].role) {
        (Class::InstanceInput, _) if !of_one_instance(ir, &numbered) => Role::Local,
        (Class::InstanceOutput, _) if !of_one_instance(ir, &numbered) => Role::Outputs,
        (Class::Q | Class::D, _) => {
            let field = pattern.trim_end_matches("$q").trim_end_matches("$d");
            let register = *registers.entry(field).or_insert_with(|| {
                ir.registers.push(Register { q: id, d: id });
                ir.registers.len() - 1
            });
            match class {
                Class::Q => {
                    ir.registers[register].q = id;
                    Role::Q(register)
                }
                _ => {
                    ir.registers[register].d = id;
                    Role::D(register)
                }
            }
        }
        (_, role) => role,
    };
    ir.signals.push(Signal {
        path: pattern.to_string(),
        name,
        width: width * numbered.len(),
        signed: false,
        role,
        clock: false,
        lanes: Some(Lanes {
            width,
            first,
            count: numbered.len(),
        }),
    });
    for (lane, scalar) in numbered {
        packing.places.insert(scalar, (id, (lane - first) * width));
    }
}

/// The lanes by their number in the array; `None` where there is a gap.
fn numbered(lanes: &[(Numbers, SignalId)]) -> Option<Vec<(usize, SignalId)>> {
    let mut sorted = lanes.to_vec();
    sorted.sort();
    let inner = match sorted[0].0.len() {
        1 => 1,
        2 => sorted.iter().map(|(n, _)| n[1] + 1).max()?,
        _ => return None,
    };
    let number = |n: &Numbers| n[0] * inner + n.get(1).copied().unwrap_or(0);
    let first = number(&sorted[0].0);
    let whole = first.is_multiple_of(inner) && sorted.len().is_multiple_of(inner);
    let dense = sorted
        .iter()
        .zip(first..)
        .all(|((n, _), at)| number(n) == at);
    (whole && dense).then(|| sorted.iter().map(|(n, id)| (number(n), *id)).collect())
}

fn of_one_instance(ir: &ModuleIr, lanes: &[(usize, SignalId)]) -> bool {
    let instance = |id: SignalId| match ir.signals[id].role {
        Role::InstanceInput { inst, .. } | Role::InstanceOutput { inst, .. } => Some(inst),
        _ => None,
    };
    let one = instance(lanes[0].1);
    lanes.iter().all(|(_, id)| instance(*id) == one)
}

fn name(pattern: &str, class: Class, naming: &Naming) -> String {
    let parts: Vec<&str> = pattern.split('$').filter(|p| *p != "#").collect();
    match class {
        Class::Q | Class::D => {
            let (field, suffix) = (parts[..parts.len() - 1].join("$"), parts[parts.len() - 1]);
            names::register_name(&field, naming, suffix)
        }
        _ => names::identifier(&parts.join("$"), naming),
    }
}

/// A port list in which each array stands where its first lane stood.
fn replace_ports(ir: &mut ModuleIr, packing: &Packing) {
    let mut seen = BTreeSet::new();
    let ports = ir
        .ports
        .iter()
        .filter_map(|port| match packing.places.get(port) {
            Some((array, _)) => seen.insert(*array).then_some(*array),
            None => Some(*port),
        });
    ir.ports = ports.collect();
}

impl Packing {
    /// The scalars that became lanes are no signals any more.
    pub fn retire(&self, ir: &mut ModuleIr) {
        self.places
            .keys()
            .for_each(|scalar| ir.signals[*scalar].width = 0);
    }

    /// Each scalar's name, and its place.
    pub fn names(&self, ir: &ModuleIr) -> Vec<(String, String)> {
        let place = |(scalar, (array, low)): (&SignalId, &Place)| {
            let (lane, array) = (&ir.signals[*scalar], &ir.signals[*array]);
            let lanes = array.lanes?;
            let low = low + lanes.low();
            let range = match lanes.width {
                1 => format!("[{low}]"),
                width => format!("[{}:{low}]", low + width - 1),
            };
            Some((lane.name.clone(), format!("{}{range}", array.name)))
        };
        let lanes = self.places.iter().filter_map(place);
        lanes.chain(self.renamed.iter().cloned()).collect()
    }

    /// Statements over arrays.
    pub fn arranged(&self, arranged: Arranged, ir: &ModuleIr) -> Arranged {
        let items = arranged.items.into_iter().map(|item| match item {
            Item::Assign {
                comments,
                target,
                mut value,
            } => {
                self.expr(&mut value, ir);
                match self.places.get(&target) {
                    None => Item::Assign {
                        comments,
                        target,
                        value,
                    },
                    Some(_) => {
                        let mut block: Vec<Stmt> =
                            comments.into_iter().map(Stmt::Comment).collect();
                        block.push(Stmt::Assign {
                            target,
                            part: Part::Whole,
                            value,
                        });
                        self.targets(&mut block, ir);
                        Item::Always(block)
                    }
                }
            }
            Item::Always(mut block) => {
                self.block(&mut block, ir);
                Item::Always(block)
            }
        });
        let items = items.collect();
        let mut clocked = arranged.clocked;
        self.block(&mut clocked, ir);
        let mut has_d = arranged.has_d;
        for (scalar, (array, _)) in &self.places {
            if let (Role::D(old), Role::D(new)) =
                (ir.signals[*scalar].role, ir.signals[*array].role)
                && has_d.contains(&old)
            {
                has_d.insert(new);
            }
        }
        Arranged {
            items,
            clocked,
            has_d,
            children: arranged.children,
            staged: arranged.staged,
        }
    }

    fn block(&self, block: &mut [Stmt], ir: &ModuleIr) {
        for statement in block.iter_mut() {
            self.values(statement, ir);
        }
        self.targets(block, ir);
    }

    fn values(&self, statement: &mut Stmt, ir: &ModuleIr) {
        match statement {
            Stmt::Comment(_) => {}
            Stmt::Assign { part, value, .. } => {
                if let Part::Variable { index, .. } = part {
                    self.expr(index, ir);
                }
                self.expr(value, ir);
            }
            Stmt::If { test, then, other } => {
                self.expr(test, ir);
                then.iter_mut()
                    .chain(other)
                    .for_each(|s| self.values(s, ir));
            }
            Stmt::Case {
                test,
                arms,
                default,
            } => {
                self.expr(test, ir);
                let blocks = arms.iter_mut().map(|(_, b)| b).chain(default);
                blocks.flatten().for_each(|s| self.values(s, ir));
            }
            Stmt::Loop { body, .. } => body.iter_mut().for_each(|s| self.values(s, ir)),
        }
    }

    fn targets(&self, block: &mut [Stmt], ir: &ModuleIr) {
        for statement in block {
            match statement {
                Stmt::Comment(_) => {}
                Stmt::Assign {
                    target,
                    part,
                    value,
                } => {
                    let Some(&(array, low)) = self.places.get(target) else {
                        continue;
                    };
                    let width = ir.signals[*target].width;
                    *part = match part.clone() {
                        Part::Whole => Part::Bits { low, width },
                        Part::Bits { low: within, width } => Part::Bits {
                            low: low + within,
                            width,
                        },
                        Part::Variable { index, width } => Part::Variable {
                            index: offset(index, low, ir.signals[array].width),
                            width,
                        },
                        part => part,
                    };
                    *target = array;
                    *value = value.clone().reinterpret(false);
                }
                Stmt::If { then, other, .. } => {
                    self.targets(then, ir);
                    self.targets(other, ir);
                }
                Stmt::Case { arms, default, .. } => {
                    arms.iter_mut().for_each(|(_, b)| self.targets(b, ir));
                    default.iter_mut().for_each(|b| self.targets(b, ir));
                }
                Stmt::Loop { body, .. } => self.targets(body, ir),
            }
        }
    }

    /// `e` over arrays.
    pub fn expr(&self, e: &mut Expr, ir: &ModuleIr) {
        e.children_mut(&mut |inner| self.expr(inner, ir));
        let place = |signal: &SignalId| self.places.get(signal).copied();
        match &mut e.kind {
            Kind::Signal(signal) => {
                if let Some((array, low)) = place(signal) {
                    *e = part(array, ir.signals[array].width, low, e.width, e.signed);
                }
            }
            Kind::Slice {
                signal,
                of,
                low: within,
            } => {
                if let Some((array, low)) = place(signal) {
                    (*signal, *of, *within) = (array, ir.signals[array].width, low + *within);
                }
            }
            Kind::Select { signal, of, index } => {
                if let Some((array, low)) = place(signal) {
                    let whole = ir.signals[array].width;
                    (*signal, *of) = (array, whole);
                    **index = offset((**index).clone(), low, whole);
                }
            }
            Kind::Reinterpret(inner) => *e = (**inner).clone().reinterpret(e.signed),
            Kind::Concat(parts) => {
                let parts = std::mem::take(parts);
                *e = concat(parts).reinterpret(e.signed);
            }
            _ => {}
        }
    }
}

/// Bits of an array.
pub(crate) fn part(array: SignalId, of: usize, low: usize, width: usize, signed: bool) -> Expr {
    let whole = Expr::signal(array, of, false);
    let bits = whole.bits(low, width).unwrap_or(whole);
    bits.reinterpret(signed)
}

/// An index into a lane as an index into the array.
fn offset(index: Expr, low: usize, of: usize) -> Expr {
    let width = super::typing::index_bits(of).max(index.width);
    let index = index.zero_extend(width);
    if low == 0 {
        return index;
    }
    let low = Expr::constant(low as u128, width, false);
    Expr::new(
        width,
        false,
        Kind::Binary(Op::Add, Box::new(low), Box::new(index)),
    )
}
