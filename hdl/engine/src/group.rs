//! Statements of one form become one loop.
//!
//! The form of a unit (a block, or what happens to a register) is its text with families for nets;
//! what differs between units of one form are numbers: indices, constants, places of bits. Members of
//! a group of combinational units are on one level, so that none waits for another.

use crate::expr::{NetId, Statement, Target, Term, Value};
use crate::family::Families;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Units of one form.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The first member's statements; numbers are found by their order in it.
    pub body: Vec<Statement>,
    /// Which units these are.
    pub units: Vec<usize>,
    /// For every number of the form, its value in every member.
    pub numbers: Vec<Vec<i64>>,
}

impl Group {
    pub fn count(&self) -> usize {
        self.units.len()
    }
}

/// Writes a unit's form, and notes its numbers, in the order in which
/// [`crate::cpp`] meets them.
struct Form<'a> {
    families: &'a Families,
    text: String,
    numbers: Vec<i64>,
    /// The net that a number is the index of.
    places: Vec<Option<NetId>>,
}

impl<'a> Form<'a> {
    fn new(families: &'a Families) -> Self {
        Self {
            families,
            text: String::new(),
            numbers: Vec::new(),
            places: Vec::new(),
        }
    }

    fn number(&mut self, number: usize) {
        self.numbers.push(number as i64);
        self.places.push(None);
    }

    fn net(&mut self, net: usize) {
        let (family, index) = self.families.nets[net];
        let _ = write!(self.text, "n{family}");
        self.number(index);
        self.places.pop();
        self.places.push(Some(net));
    }

    fn block(&mut self, block: &[Statement]) {
        self.text.push('{');
        block.iter().for_each(|s| self.statement(s));
        self.text.push('}');
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Assign(target, value) => {
                match target {
                    Target::Whole(net) => self.net(*net),
                    Target::Bits(net, low, width) => {
                        self.net(*net);
                        self.number(*low);
                        let _ = write!(self.text, "[{width}");
                    }
                    Target::Variable(net, index, width) => {
                        self.net(*net);
                        let _ = write!(self.text, "[+{width}");
                        self.value(index);
                    }
                    Target::Word(memory, lane, address) => {
                        self.word(*memory, *lane);
                        self.value(address);
                    }
                }
                self.text.push('=');
                self.value(value);
                self.text.push(';');
            }
            Statement::If(test, then, other) => {
                self.text.push('?');
                self.value(test);
                self.block(then);
                self.block(other);
            }
            Statement::Case(test, arms, default) => {
                self.text.push('c');
                self.value(test);
                for (label, block) in arms {
                    let _ = write!(self.text, "l{label}");
                    self.block(block);
                }
                self.block(default);
            }
        }
    }

    fn word(&mut self, memory: usize, lane: usize) {
        let (family, index) = self.families.memory[memory];
        let _ = write!(self.text, "m{family}");
        self.number(index);
        self.number(lane);
    }

    fn value(&mut self, value: &Value) {
        let _ = write!(self.text, "({}", value.width);
        match &value.term {
            Term::Constant(number) => match i64::try_from(*number) {
                Ok(small) => {
                    self.text.push('k');
                    self.numbers.push(small);
                    self.places.push(None);
                }
                Err(_) => {
                    let _ = write!(self.text, "K{number}");
                }
            },
            Term::Net(net) => self.net(*net),
            Term::Slice(_, low) => {
                self.text.push('s');
                self.number(*low);
            }
            Term::Word(memory, lane, _) => self.word(*memory, *lane),
            Term::Select(..) => self.text.push('v'),
            Term::ZeroExtend(_) => self.text.push('z'),
            Term::SignExtend(_) => self.text.push('x'),
            Term::Not(_) => self.text.push('~'),
            Term::Negate(_) => self.text.push('-'),
            Term::Reduce(fold, _) => {
                let _ = write!(self.text, "{fold:?}");
            }
            Term::Binary(op, ..) => {
                let _ = write!(self.text, "{op:?}");
            }
            Term::Product(_, signs) => {
                let _ = write!(self.text, "*{signs:?}");
            }
            Term::Compare(cmp, signed, ..) => {
                let _ = write!(self.text, "{cmp:?}{signed}");
            }
            Term::ShiftLeft(..) => self.text.push('<'),
            Term::ShiftRight(..) => self.text.push('>'),
            Term::Concat(_) => self.text.push(','),
            Term::Choose(..) => self.text.push(':'),
        }
        value.children(&mut |inner| self.value(inner));
        self.text.push(')');
    }
}

/// The numbers of a value, in the order of its form.
pub(crate) fn numbers(value: &Value, families: &Families) -> Vec<i64> {
    let mut form = Form::new(families);
    form.value(value);
    form.numbers
}

/// For each number of a unit, the net that it is the index of.
pub(crate) fn places(body: &[Statement], families: &Families) -> Vec<Option<NetId>> {
    let mut form = Form::new(families);
    form.block(body);
    form.places
}

/// Sorts units into groups; those of one group share `key` as well. Groups stand in the order of
/// their keys and first members.
pub(crate) fn group<'a, K: Ord + Clone>(
    units: impl Iterator<Item = (usize, K, &'a [Statement])>,
    families: &Families,
) -> Vec<(K, Group)> {
    type Found<'a> = (usize, &'a [Statement], Vec<(Vec<i64>, usize)>);
    let mut found: BTreeMap<(K, String), Found> = BTreeMap::new();
    for (unit, key, body) in units {
        let mut form = Form::new(families);
        form.block(body);
        let entry = found
            .entry((key, form.text))
            .or_insert((unit, body, Vec::new()));
        entry.2.push((form.numbers, unit));
    }
    let mut groups: Vec<(K, usize, Group)> = Vec::new();
    for ((key, _), (first, body, mut members)) in found {
        members.sort();
        let length = members[0].0.len();
        let numbers = (0..length)
            .map(|at| members.iter().map(|(numbers, _)| numbers[at]).collect())
            .collect();
        groups.push((
            key,
            first,
            Group {
                body: body.to_vec(),
                units: members.iter().map(|(_, unit)| *unit).collect(),
                numbers,
            },
        ));
    }
    groups.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    groups
        .into_iter()
        .map(|(key, _, group)| (key, group))
        .collect()
}

/// Nested loops: for each, outermost first, the number of turns and what every number grows by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nest {
    pub turns: Vec<usize>,
    /// By number of the form: its value in the first turn, and its steps, outermost first.
    pub steps: Vec<(i64, Vec<i64>)>,
    /// Numbers that no steps describe: their values, turn by turn.
    pub tables: BTreeMap<usize, Vec<i64>>,
}

/// Finds loops in which as many numbers as possible grow steadily.
pub(crate) fn nest(numbers: &[Vec<i64>], count: usize) -> Nest {
    if let Some((turns, steps)) = steady(
        &numbers.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        count,
    ) {
        return Nest {
            turns,
            steps,
            tables: BTreeMap::new(),
        };
    }
    let mut nest = Nest {
        turns: vec![count],
        steps: Vec::new(),
        tables: BTreeMap::new(),
    };
    for (at, values) in numbers.iter().enumerate() {
        let step = values.get(1).map_or(0, |second| second - values[0]);
        let steady = values.windows(2).all(|w| w[1] - w[0] == step);
        if !steady {
            nest.tables.insert(at, values.clone());
        }
        nest.steps.push((values[0], vec![step]));
    }
    nest
}

type Steady = (Vec<usize>, Vec<(i64, Vec<i64>)>);

fn steady(numbers: &[&[i64]], count: usize) -> Option<Steady> {
    let step = |at: usize| -> Vec<i64> { numbers.iter().map(|n| n[at + 1] - n[at]).collect() };
    if count <= 1 {
        let steps = numbers.iter().map(|n| (n[0], vec![0])).collect();
        return Some((vec![1], steps));
    }
    let inner = step(0);
    let run = 1 + (0..count - 1).take_while(|&at| step(at) == inner).count();
    if run == count {
        let steps = numbers.iter().zip(inner);
        return Some((vec![count], steps.map(|(n, s)| (n[0], vec![s])).collect()));
    }
    if run == 1 || !count.is_multiple_of(run) {
        return None;
    }
    let even = (0..count)
        .step_by(run)
        .all(|first| (first..first + run - 1).all(|at| step(at) == inner));
    if !even {
        return None;
    }
    let firsts: Vec<Vec<i64>> = numbers
        .iter()
        .map(|n| n.iter().step_by(run).copied().collect())
        .collect();
    let firsts: Vec<&[i64]> = firsts.iter().map(Vec::as_slice).collect();
    let (mut turns, mut steps) = steady(&firsts, count / run)?;
    turns.push(run);
    for ((_, steps), inner) in steps.iter_mut().zip(inner) {
        steps.push(inner);
    }
    Some((turns, steps))
}
