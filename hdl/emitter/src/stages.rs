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
    let mut out = Vec::new();
    for array in fed_by_themselves(ir, packing, wires, scalar) {
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
        for (place, statement) in nexts {
            let mut reads = BTreeSet::new();
            statement.reads(&mut |s| {
                reads.insert(s);
            });
            // A lane of its own: nothing combinational reads it.
            let lane = ir.signals.len() + place + array * ir.signals.len();
            uses.push((reads, BTreeSet::from([lane])));
            arranged.items.push(Item::Always(vec![statement]));
        }
    }
    out
}

/// Packed registers of which one lane decides over another's next value.
fn fed_by_themselves(
    ir: &ModuleIr,
    packing: &Packing,
    wires: &Wires,
    scalar: &[Stmt],
) -> Vec<SignalId> {
    let mut reads: BTreeMap<SignalId, BTreeSet<SignalId>> = BTreeMap::new();
    scalar
        .iter()
        .for_each(|s| note_reads(s, &mut Vec::new(), &mut reads));
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

/// Stages, assignments of next values, and the clocked block without either.
type Taken = (Vec<Stage>, Vec<(usize, Stmt)>, Vec<Stmt>);

fn lanes(ir: &ModuleIr, array: SignalId, d: SignalId, clocked: &[Stmt]) -> Option<Taken> {
    let form = ir.signals[array].lanes?;
    let mut bodies: Vec<Vec<Stmt>> = vec![Vec::new(); form.count];
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
        if own {
            for (lane, body) in bodies.iter_mut().enumerate() {
                body.extend(only(statement, d, Some(lane * form.width), form.width)?);
            }
        }
        match own && !other {
            true => comments.append(&mut waiting),
            false => rest.extend(waiting.drain(..).map(Stmt::Comment)),
        }
        if other {
            rest.extend(only(statement, d, None, form.width)?);
        }
    }
    rest.extend(waiting.into_iter().map(Stmt::Comment));
    let base = ir.signals[array].name.trim_end_matches("_q").to_string();
    let mut nexts = Vec::new();
    let mut stages = Vec::new();
    for (lane, mut body) in bodies.into_iter().enumerate() {
        let low = lane * form.width;
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
            lane,
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
    Some((stages, nexts, rest))
}

/// The part of a statement that assigns the lane of `d` at `low`, whole; or, with `None`, what
/// assigns other signals. `None` as a result if lanes are not assigned one by one.
fn only(statement: &Stmt, d: SignalId, low: Option<usize>, width: usize) -> Option<Vec<Stmt>> {
    let within = |block: &[Stmt]| -> Option<Vec<Stmt>> {
        let parts: Option<Vec<Vec<Stmt>>> = block.iter().map(|s| only(s, d, low, width)).collect();
        Some(parts?.concat())
    };
    let keep = match statement {
        Stmt::Comment(_) => low.is_none().then(|| statement.clone()),
        Stmt::Loop { .. } => return None,
        Stmt::Assign {
            target,
            part,
            value,
        } => match (low, *target == d) {
            (None, true) | (Some(_), false) => None,
            (None, false) => Some(statement.clone()),
            (Some(low), true) => match part {
                Part::Bits {
                    low: at,
                    width: bits,
                } if *bits == width => (*at == low).then(|| Stmt::Assign {
                    target: d,
                    part: Part::Whole,
                    value: value.clone(),
                }),
                _ => return None,
            },
        },
        Stmt::If { test, then, other } => {
            let (then, other) = (within(then)?, within(other)?);
            match (then.is_empty(), other.is_empty()) {
                (true, true) => None,
                (true, false) => Some(Stmt::If {
                    test: test.clone().inverted(),
                    then: other,
                    other: then,
                }),
                _ => Some(Stmt::If {
                    test: test.clone(),
                    then,
                    other,
                }),
            }
        }
        Stmt::Case { .. } => {
            let mut writes = false;
            statement.writes(&mut |s| writes |= s == d);
            match (writes, low) {
                (true, _) => return None,
                (false, None) => Some(statement.clone()),
                (false, Some(_)) => None,
            }
        }
    };
    Some(keep.into_iter().collect())
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
