//! Register arrays that feed themselves (delay lines, skews) get one register per turn.
//!
//! As one packed register they would be shifted as one wide word: simulators copy it whole, and
//! what reads one lane waits for all. `stage_d` says what every lane takes next; a `generate for`
//! holds the registers, and `stage_q` is made of them.

use super::arrange::{Arranged, Item};
use super::children::Placed;
use super::ir::*;
use super::lanes::Packing;
use super::regroup::Uses;
use super::roll::roll;
use super::through::Wires;
use std::collections::{BTreeMap, BTreeSet};

/// One lane of such an array.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// The array that it is a lane of.
    pub array: SignalId,
    /// The array of next values.
    pub next: SignalId,
    /// Name of the array without `_q`.
    pub base: String,
    pub number: Affine,
    /// Clocked statements that assign the lane's register and nothing else.
    pub body: Vec<Stmt>,
    pub comments: Vec<String>,
}

impl PartialEq for Stage {
    fn eq(&self, other: &Self) -> bool {
        self.array == other.array && self.number == other.number && self.body == other.body
    }
}

/// Takes such arrays out of the clocked block. `wires` are those between the scalars of `scalar`.
pub(crate) fn take(
    ir: &ModuleIr,
    packing: &Packing,
    wires: &Wires,
    scalar: &[Stmt],
    arranged: &mut Arranged,
    uses: &mut Vec<Uses>,
) -> Vec<Placed> {
    let mut reads = BTreeMap::new();
    scalar
        .iter()
        .for_each(|s| note_reads(s, &mut Vec::new(), &mut reads));
    let mut out = Vec::new();
    for array in fed_by_themselves(ir, packing, wires, &reads) {
        let Role::Q(register) = ir.signals[array].role else {
            continue;
        };
        let d = ir.registers[register].d;
        if arranged.has_d.contains(&register) {
            continue;
        }
        let Some((stages, nexts, rest)) = lanes(ir, array, d, &arranged.clocked) else {
            continue;
        };
        let rolled = roll(stages.into_iter().map(Placed::Stage).collect(), &ir.signals);
        if !matches!(rolled[..], [Placed::Loop { .. }]) {
            continue;
        }
        out.extend(rolled);
        arranged.clocked = rest;
        arranged.has_d.insert(register);
        arranged.staged.insert(array);
        let of_d = packing.places.iter().filter(|(_, (of, _))| *of == d);
        let scalars: BTreeMap<usize, SignalId> = of_d.map(|(s, (_, low))| (*low, *s)).collect();
        for (low, statement) in nexts {
            let lane = scalars.get(&low);
            let read = lane.and_then(|lane| reads.get(lane)).cloned();
            uses.push((
                read.unwrap_or_default(),
                lane.copied().into_iter().collect(),
            ));
            arranged.items.push(Item::Always(vec![statement]));
        }
    }
    out
}

/// Packed registers of which one lane decides over another's next value; `reads` says of scalars
/// what decides over their next ones.
fn fed_by_themselves(
    ir: &ModuleIr,
    packing: &Packing,
    wires: &Wires,
    reads: &BTreeMap<SignalId, BTreeSet<SignalId>>,
) -> Vec<SignalId> {
    let mut out = BTreeSet::new();
    for (scalar, (array, _)) in &packing.places {
        let Role::Q(_) = ir.signals[*scalar].role else {
            continue;
        };
        if out.contains(array) {
            continue;
        }
        let reached = wires.reached([*scalar]);
        let others = packing
            .places
            .iter()
            .filter(|(lane, (other, _))| other == array && *lane != scalar);
        let mut fed = false;
        for (lane, _) in others {
            if let Role::Q(register) = ir.signals[*lane].role
                && let Some(read) = reads.get(&ir.registers[register].d)
            {
                fed |= read.iter().any(|s| reached.contains(s));
            }
        }
        if fed {
            out.insert(*array);
        }
    }
    out.into_iter().collect()
}

/// What decides over each target, conditions included.
fn note_reads(
    statement: &Stmt,
    tests: &mut Vec<SignalId>,
    out: &mut BTreeMap<SignalId, BTreeSet<SignalId>>,
) {
    let before = tests.len();
    match statement {
        Stmt::Comment(_) | Stmt::Loop { .. } => {}
        Stmt::Assign { target, .. } => {
            let reads = out.entry(*target).or_default();
            reads.extend(tests.iter());
            statement.reads(&mut |s| {
                reads.insert(s);
            });
        }
        Stmt::If { test, then, other } => {
            test.reads(&mut |s| tests.push(s));
            then.iter()
                .chain(other)
                .for_each(|s| note_reads(s, tests, out));
        }
        Stmt::Case {
            test,
            arms,
            default,
        } => {
            test.reads(&mut |s| tests.push(s));
            let blocks = arms.iter().map(|(_, b)| b).chain(default);
            blocks.flatten().for_each(|s| note_reads(s, tests, out));
        }
    }
    tests.truncate(before);
}

/// Stages, assignments of next values by their lowest bit, and the clocked block without either.
type Taken = (Vec<Stage>, Vec<(usize, Stmt)>, Vec<Stmt>);

fn lanes(ir: &ModuleIr, array: SignalId, d: SignalId, clocked: &[Stmt]) -> Option<Taken> {
    let form = ir.signals[array].lanes?;
    let mut bodies: BTreeMap<usize, Vec<Stmt>> = BTreeMap::new();
    let mut rest = Vec::new();
    let (mut waiting, mut comments) = (Vec::new(), Vec::new());
    for statement in clocked {
        if let Stmt::Comment(text) = statement {
            waiting.push(text.clone());
            continue;
        }
        let (mut own, mut other) = (false, false);
        statement.writes(&mut |s| match s == d {
            true => own = true,
            false => other = true,
        });
        match own && !other {
            true => comments.append(&mut waiting),
            false => rest.extend(waiting.drain(..).map(Stmt::Comment)),
        }
        if !own {
            rest.push(statement.clone());
            continue;
        }
        let parts = split(std::slice::from_ref(statement), d, form.width)?;
        for (low, more) in parts.own {
            bodies.entry(low).or_default().extend(more);
        }
        if other {
            rest.extend(parts.rest);
        }
    }
    rest.extend(waiting.into_iter().map(Stmt::Comment));
    let base = ir.signals[array].name.trim_end_matches("_q").to_string();
    let mut nexts = Vec::new();
    let mut stages = Vec::new();
    for lane in 0..form.count {
        let low = lane * form.width;
        let mut body = bodies.remove(&low)?;
        let mut values = Vec::new();
        body.iter_mut().for_each(|s| take_values(s, &mut values));
        let [value] = &mut values[..] else {
            return None;
        };
        let next = super::lanes::part(d, form.width * form.count, low, form.width, false);
        let value = std::mem::replace(*value, next).reinterpret(false);
        let part = Part::Bits {
            low,
            width: form.width,
        };
        nexts.push((
            low,
            Stmt::Assign {
                target: d,
                part,
                value,
            },
        ));
        stages.push(Stage {
            array,
            next: d,
            base: base.clone(),
            number: Affine::number(lane + form.first),
            body,
            comments: std::mem::take(&mut comments),
        });
    }
    // Bits across lanes are left.
    bodies.is_empty().then_some((stages, nexts, rest))
}

/// A block, lane by lane of `d` (by their lowest bits), and what assigns other signals.
#[derive(Default)]
struct Parts {
    own: BTreeMap<usize, Vec<Stmt>>,
    rest: Vec<Stmt>,
}

/// `block` in parts; `None` if lanes, `width` bits each, are not assigned one by one.
fn split(block: &[Stmt], d: SignalId, width: usize) -> Option<Parts> {
    let mut out = Parts::default();
    for statement in block {
        match statement {
            Stmt::Loop { .. } => return None,
            Stmt::Assign {
                target,
                part,
                value,
            } if *target == d => match part {
                Part::Bits { low, width: bits } if *bits == width => {
                    out.own.entry(*low).or_default().push(Stmt::Assign {
                        target: d,
                        part: Part::Whole,
                        value: value.clone(),
                    });
                }
                _ => return None,
            },
            Stmt::If { test, then, other } => {
                let (then, mut other) = (split(then, d, width)?, split(other, d, width)?);
                for (low, then) in then.own {
                    let other = other.own.remove(&low).unwrap_or_default();
                    let body = out.own.entry(low).or_default();
                    body.extend(conditional(test, then, other));
                }
                for (low, other) in other.own {
                    let body = out.own.entry(low).or_default();
                    body.extend(conditional(test, Vec::new(), other));
                }
                out.rest.extend(conditional(test, then.rest, other.rest));
            }
            Stmt::Comment(_) | Stmt::Assign { .. } | Stmt::Case { .. } => {
                let mut writes = false;
                statement.writes(&mut |s| writes |= s == d);
                if writes {
                    return None;
                }
                out.rest.push(statement.clone());
            }
        }
    }
    Some(out)
}

/// `if (test) then else other`, if there is anything in it.
fn conditional(test: &Expr, then: Vec<Stmt>, other: Vec<Stmt>) -> Option<Stmt> {
    let (test, then, other) = match (then.is_empty(), other.is_empty()) {
        (true, true) => return None,
        (true, false) => (test.clone().inverted(), other, then),
        _ => (test.clone(), then, other),
    };
    Some(Stmt::If { test, then, other })
}

/// The values that are assigned and are no constants.
fn take_values<'a>(statement: &'a mut Stmt, out: &mut Vec<&'a mut Expr>) {
    match statement {
        Stmt::Assign { value, .. } if value.as_const().is_none() => out.push(value),
        Stmt::If { then, other, .. } => {
            then.iter_mut()
                .chain(other)
                .for_each(|s| take_values(s, out));
        }
        _ => {}
    }
}
