//! Repeated statements become loops.
//!
//! Statements repeat if they are equal but for numbers (places in arrays, constants), and if each
//! number grows by the same step from turn to turn. Found from inside out: the columns of a row
//! first, then the rows, whose loops differ in their first numbers only.

use super::ir::*;

/// Longest body of a loop that is looked for, in statements.
const LONGEST: usize = 24;

/// What can be rolled: statements, or children.
pub(crate) trait Repeats: Clone + PartialEq {
    /// Calls `f` on every number, in an order that the shape decides.
    fn numbers(&mut self, f: &mut dyn FnMut(Number));
    /// Lines of text, about.
    fn lines(&self) -> usize;
    /// Whether a loop over such bodies reads better than what it stands for.
    fn may_loop(&self, _signals: &[Signal]) -> bool {
        true
    }
    /// A number with which the variable of a loop over such bodies may begin.
    fn start(&self, signals: &[Signal]) -> Option<i64>;
    /// The same with its outermost loop counting from 0.
    fn rebased(&self) -> Self;
    /// How many loops lie within one another here.
    fn depth(&self) -> usize;
    /// The loop.
    fn looped(id: LoopId, start: i64, count: usize, body: Vec<Self>) -> Self;
    /// Rolls what lies within.
    fn within(&mut self, signals: &[Signal]);
}

/// A number that may differ from turn to turn.
pub(crate) enum Number<'a> {
    /// A place in an array, or how often an inner loop turns.
    Place(&'a mut Affine),
    /// A slice or a constant, which becomes another expression if its number steps.
    Value(&'a mut Expr),
    /// Known bits of a target.
    Part(&'a mut Part),
}

impl Number<'_> {
    fn get(&self) -> i64 {
        match self {
            Number::Place(affine) => affine.base,
            Number::Value(e) => match &e.kind {
                Kind::Slice { low, .. } => *low as i64,
                Kind::Lane { low, .. } => low.base,
                Kind::Index(affine) => affine.base,
                Kind::Const { value, .. } => *value as i64,
                _ => 0,
            },
            Number::Part(part) => match part {
                Part::Bits { low, .. } => *low as i64,
                Part::Lane { low, .. } => low.base,
                _ => 0,
            },
        }
    }

    /// Whether the number may step by `step`: a constant only by one, so that it is printed as
    /// the variable itself.
    fn admits(&self, step: i64) -> bool {
        match self {
            Number::Value(e) => match &e.kind {
                Kind::Const { name, .. } => {
                    let named = name.as_ref().is_some_and(|n| n.name.is_some());
                    step == 0 || (step == 1 && !named && e.width > 1 && !e.signed)
                }
                Kind::Index(_) => step == 0 || step == 1,
                _ => true,
            },
            _ => true,
        }
    }

    fn set(self, id: LoopId, start: i64, step: i64) {
        if step == 0 {
            return;
        }
        match self {
            Number::Place(affine) => *affine = affine.stepping(id, start, step),
            Number::Value(e) => {
                e.kind = match &e.kind {
                    Kind::Slice { signal, low, .. } => Kind::Lane {
                        signal: *signal,
                        low: Affine::number(*low).stepping(id, start, step),
                    },
                    Kind::Lane { signal, low } => Kind::Lane {
                        signal: *signal,
                        low: low.stepping(id, start, step),
                    },
                    Kind::Index(affine) => Kind::Index(affine.stepping(id, start, step)),
                    Kind::Const { value, .. } => {
                        Kind::Index(Affine::number(*value as usize).stepping(id, start, step))
                    }
                    other => other.clone(),
                };
            }
            Number::Part(part) => {
                *part = match part.clone() {
                    Part::Bits { low, width } => Part::Lane {
                        low: Affine::number(low).stepping(id, start, step),
                        width,
                    },
                    Part::Lane { low, width } => Part::Lane {
                        low: low.stepping(id, start, step),
                        width,
                    },
                    other => other,
                };
            }
        }
    }

    /// The variable of loop `id`, which began with `start`, begins with 0.
    pub fn rebase(self, id: LoopId, start: i64) {
        let affine = match self {
            Number::Place(affine) => affine,
            Number::Value(Expr {
                kind: Kind::Lane { low: affine, .. } | Kind::Index(affine),
                ..
            }) => affine,
            Number::Part(Part::Lane { low, .. }) => low,
            _ => return,
        };
        let step = affine.steps.iter().find(|(other, _)| *other == id);
        affine.base += step.map_or(0, |(_, step)| step * start);
    }

    /// Makes numbers equal, so that shapes can be compared.
    fn clear(self) {
        match self {
            Number::Place(affine) => affine.base = 0,
            Number::Value(e) => match &mut e.kind {
                Kind::Slice { low, .. } => *low = 0,
                Kind::Lane { low, .. } => low.base = 0,
                Kind::Index(affine) => affine.base = 0,
                Kind::Const { value, name } => {
                    *value = 0;
                    if name.as_ref().is_some_and(|n| n.name.is_none()) {
                        *name = None;
                    }
                }
                _ => {}
            },
            Number::Part(part) => match part {
                Part::Bits { low, .. } => *low = 0,
                Part::Lane { low, .. } => low.base = 0,
                _ => {}
            },
        }
    }
}

/// One of a list, with what is compared.
struct Entry<T> {
    /// What stands in the text if it is not repeated.
    original: T,
    thing: T,
    shape: T,
    numbers: Vec<i64>,
}

impl<T: Repeats> Entry<T> {
    /// With `rebase`, loops that begin differently look alike.
    fn new(original: T, rebase: bool) -> Self {
        let mut thing = match rebase {
            true => original.rebased(),
            false => original.clone(),
        };
        let mut numbers = Vec::new();
        thing.numbers(&mut |number| numbers.push(number.get()));
        let mut shape = thing.clone();
        shape.numbers(&mut |number| number.clear());
        Self {
            original,
            thing,
            shape,
            numbers,
        }
    }

    fn admits(&mut self, steps: &[i64]) -> bool {
        let (mut at, mut fits) = (0, true);
        self.thing.numbers(&mut |number| {
            fits &= number.admits(steps[at]);
            at += 1;
        });
        fits
    }
}

/// `list` with its repetitions as loops.
pub(crate) fn roll<T: Repeats>(mut list: Vec<T>, signals: &[Signal]) -> Vec<T> {
    list.iter_mut().for_each(|thing| thing.within(signals));
    // Short bodies first, so that outer loops find inner ones.
    let mut period = 1;
    while period <= LONGEST && 2 * period <= list.len() {
        let before = list.len();
        for rebase in [false, true] {
            list = pass(list, period, rebase, signals);
        }
        period = if list.len() < before { 1 } else { period + 1 };
    }
    list
}

fn pass<T: Repeats>(list: Vec<T>, period: usize, rebase: bool, signals: &[Signal]) -> Vec<T> {
    let entries = list.into_iter().map(|thing| Entry::new(thing, rebase));
    let mut entries: Vec<Entry<T>> = entries.collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < entries.len() {
        let turns = turns(&mut entries[at..], period);
        let body = &entries[at..entries.len().min(at + period)];
        let lines: usize = body.iter().map(|e| e.thing.lines()).sum();
        let loops = body.iter().any(|e| e.original.may_loop(signals));
        // A loop costs two lines, and a reader a thought.
        if loops && turns >= 2 && (turns - 1) * lines >= 3 && (turns > 2 || lines > 4) {
            out.push(looped(&entries[at..at + 2 * period], turns, signals));
            at += period * turns;
        } else {
            out.push(entries[at].original.clone());
            at += 1;
        }
    }
    out
}

/// The loop whose first two turns are `two`.
fn looped<T: Repeats>(two: &[Entry<T>], turns: usize, signals: &[Signal]) -> T {
    let (first, second) = two.split_at(two.len() / 2);
    let mut body: Vec<T> = first.iter().map(|e| e.thing.clone()).collect();
    let id = body.iter().map(T::depth).max().unwrap_or(0);
    let start = body
        .iter()
        .find_map(|thing| thing.start(signals))
        .unwrap_or(0);
    for ((thing, first), second) in body.iter_mut().zip(first).zip(second) {
        let mut steps = first
            .numbers
            .iter()
            .zip(&second.numbers)
            .map(|(a, b)| b - a);
        thing.numbers(&mut |number| number.set(id, start, steps.next().unwrap_or(0)));
    }
    T::looped(id, start, turns, body)
}

/// How often the first `period` entries repeat with steady steps.
fn turns<T: Repeats>(entries: &mut [Entry<T>], period: usize) -> usize {
    let alike = |entries: &[Entry<T>], turn: usize| {
        (0..period).all(|p| entries[p].shape == entries[turn * period + p].shape)
    };
    if entries.len() < 2 * period || !alike(entries, 1) {
        return 1;
    }
    let steps: Vec<Vec<i64>> = (0..period)
        .map(|p| {
            let (first, second) = (&entries[p].numbers, &entries[period + p].numbers);
            first.iter().zip(second).map(|(a, b)| b - a).collect()
        })
        .collect();
    if !(0..period).all(|p| entries[p].admits(&steps[p])) {
        return 1;
    }
    let mut turns = 2;
    while (turns + 1) * period <= entries.len()
        && alike(entries, turns)
        && (0..period).all(|p| {
            let last = &entries[(turns - 1) * period + p].numbers;
            let next = &entries[turns * period + p].numbers;
            let mut grown = last.iter().zip(next).zip(&steps[p]);
            grown.all(|((a, b), step)| b - a == *step)
        })
    {
        turns += 1;
    }
    turns
}

/// Calls `f` on the numbers of `e`.
pub(crate) fn expr_numbers(e: &mut Expr, f: &mut dyn FnMut(Number)) {
    match &e.kind {
        Kind::Slice { .. } | Kind::Lane { .. } | Kind::Index(_) => f(Number::Value(e)),
        Kind::Const { value, .. } if *value <= i32::MAX as u128 => f(Number::Value(e)),
        // An amount is printed without a width.
        Kind::ShiftLeft(..) | Kind::ShiftRight(..) => {
            if let Kind::ShiftLeft(inner, by) | Kind::ShiftRight(inner, by) = &mut e.kind {
                expr_numbers(inner, f);
                if by.as_const().is_none() {
                    expr_numbers(by, f);
                }
            }
        }
        _ => e.children_mut(&mut |inner| expr_numbers(inner, f)),
    }
}

impl Repeats for Stmt {
    fn numbers(&mut self, f: &mut dyn FnMut(Number)) {
        match self {
            Stmt::Comment(_) => {}
            Stmt::Assign { part, value, .. } => {
                match part {
                    Part::Bits { .. } | Part::Lane { .. } => f(Number::Part(part)),
                    Part::Variable { index, .. } => expr_numbers(index, f),
                    Part::Whole => {}
                }
                expr_numbers(value, f);
            }
            Stmt::If { test, then, other } => {
                expr_numbers(test, f);
                then.iter_mut().chain(other).for_each(|s| s.numbers(f));
            }
            Stmt::Case {
                test,
                arms,
                default,
            } => {
                expr_numbers(test, f);
                let blocks = arms.iter_mut().map(|(_, b)| b).chain(default);
                blocks.flatten().for_each(|s| s.numbers(f));
            }
            Stmt::Loop { count, body, .. } => {
                f(Number::Place(count));
                body.iter_mut().for_each(|s| s.numbers(f));
            }
        }
    }

    fn lines(&self) -> usize {
        let sum = |block: &[Stmt]| block.iter().map(Stmt::lines).sum::<usize>();
        match self {
            Stmt::Comment(_) | Stmt::Assign { .. } => 1,
            Stmt::If { then, other, .. } if other.is_empty() && sum(then) == 1 => 1,
            Stmt::If { then, other, .. } => 2 + sum(then) + sum(other),
            Stmt::Case { arms, default, .. } => {
                let blocks = arms.iter().map(|(_, b)| b).chain(default);
                2 + blocks.map(|b| sum(b).max(1)).sum::<usize>()
            }
            Stmt::Loop { body, .. } => 2 + sum(body),
        }
    }

    /// Numbers for bits of what is no array stay ranges: synthesis takes each for a reset of its
    /// flip-flops, which it does not see in a loop (up to 10 of 85 LUT4 of a decoder in Yosys).
    fn may_loop(&self, signals: &[Signal]) -> bool {
        match self {
            Stmt::Comment(_) => false,
            Stmt::Assign { target, value, .. } => {
                signals[*target].lanes.is_some() || value.as_const().is_none()
            }
            Stmt::If { then, other, .. } => then.iter().chain(other).any(|s| s.may_loop(signals)),
            Stmt::Case { .. } | Stmt::Loop { .. } => true,
        }
    }

    /// The number of the first lane that is assigned.
    fn start(&self, signals: &[Signal]) -> Option<i64> {
        match self {
            Stmt::Comment(_) => None,
            Stmt::Assign { target, part, .. } => {
                let lanes = signals[*target].lanes?;
                let low = match part {
                    Part::Bits { low, .. } => *low as i64,
                    Part::Lane { low, .. } => low.base,
                    _ => return None,
                };
                Some(low / lanes.width as i64 + lanes.first as i64)
            }
            Stmt::If { then, other, .. } => then.iter().chain(other).find_map(|s| s.start(signals)),
            Stmt::Case { arms, default, .. } => {
                let blocks = arms.iter().map(|(_, b)| b).chain(default);
                blocks.flatten().find_map(|s| s.start(signals))
            }
            Stmt::Loop { .. } => None,
        }
    }

    fn rebased(&self) -> Self {
        let mut out = self.clone();
        if let Stmt::Loop {
            id, start, body, ..
        } = &mut out
        {
            let (id, from) = (*id, std::mem::take(start));
            body.iter_mut()
                .for_each(|s| s.numbers(&mut |n| n.rebase(id, from)));
        }
        out
    }

    fn depth(&self) -> usize {
        let deepest = |block: &[Stmt]| block.iter().map(Stmt::depth).max().unwrap_or(0);
        match self {
            Stmt::Comment(_) | Stmt::Assign { .. } => 0,
            Stmt::If { then, other, .. } => deepest(then).max(deepest(other)),
            Stmt::Case { arms, default, .. } => {
                let blocks = arms.iter().map(|(_, b)| b).chain(default);
                blocks.map(|b| deepest(b)).max().unwrap_or(0)
            }
            Stmt::Loop { id, .. } => id + 1,
        }
    }

    fn looped(id: LoopId, start: i64, count: usize, body: Vec<Stmt>) -> Stmt {
        Stmt::Loop {
            id,
            start,
            count: Affine::number(count),
            body,
        }
    }

    fn within(&mut self, signals: &[Signal]) {
        let again = |block: &mut Vec<Stmt>| *block = roll(std::mem::take(block), signals);
        match self {
            Stmt::Comment(_) | Stmt::Assign { .. } | Stmt::Loop { .. } => {}
            Stmt::If { then, other, .. } => {
                again(then);
                again(other);
            }
            Stmt::Case { arms, default, .. } => {
                arms.iter_mut().for_each(|(_, b)| again(b));
                default.iter_mut().for_each(again);
            }
        }
    }
}
