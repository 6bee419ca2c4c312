//! Carries copies and constants to where they are read.
//!
//! rust-hdl casts and slices plain signals only, and loops want one name for every turn; so
//! authors name values that a Verilog author would write in place. A local that copies a signal
//! or a constant is replaced by what it copies; one that is bits or an extension of a signal is
//! replaced if it is read once. Conditions that become constant are decided.

use super::ir::*;
use super::substitute::Substitution;
use std::collections::BTreeMap;

/// Replaces locals of `ir` until nothing changes.
pub(crate) fn propagate(ir: &mut ModuleIr) {
    while pass(ir, Reach::Copies) {}
    while pass(ir, Reach::Parts) {}
}

/// A local that an output copies is called as the output; it vanishes. For narrowed modules: an
/// output that nobody needs is none any more.
pub(crate) fn name_by_outputs(ir: &mut ModuleIr) {
    let survey = Survey::of(ir);
    let mut renamed: BTreeMap<SignalId, SignalId> = BTreeMap::new();
    for statement in &ir.body {
        if let Stmt::Assign {
            target,
            part: Part::Whole,
            value,
        } = statement
            && let Kind::Signal(local) = value.kind
            && ir.signals[*target].role == Role::Output
            && ir.signals[local].role == Role::Local
            && survey.writes[*target].len() == 1
        {
            renamed.entry(local).or_insert(*target);
        }
    }
    if renamed.is_empty() {
        return;
    }
    let mut substitution = Substitution::default();
    for (&local, &output) in &renamed {
        let signal = &ir.signals[output];
        let value = Expr::signal(output, signal.width, signal.signed);
        substitution.values.insert(local, value);
    }
    for &local in renamed.keys() {
        ir.signals[local].width = 0;
    }
    let body = std::mem::take(&mut ir.body);
    ir.body = renamed_block(body, &renamed, &substitution);
}

fn renamed_block(
    block: Vec<Stmt>,
    renamed: &BTreeMap<SignalId, SignalId>,
    reads: &Substitution,
) -> Vec<Stmt> {
    let within = |block: Vec<Stmt>| renamed_block(block, renamed, reads);
    let mut out = Vec::with_capacity(block.len());
    for statement in block {
        out.push(match statement {
            Stmt::Comment(_) | Stmt::Loop { .. } => statement,
            Stmt::Assign {
                target,
                part,
                value,
            } => {
                let copy =
                    matches!(value.kind, Kind::Signal(s) if renamed.get(&s) == Some(&target));
                if copy {
                    continue;
                }
                Stmt::Assign {
                    target: renamed.get(&target).copied().unwrap_or(target),
                    part: match part {
                        Part::Variable { index, width } => Part::Variable {
                            index: reads.expr(&index),
                            width,
                        },
                        part => part,
                    },
                    value: reads.expr(&value),
                }
            }
            Stmt::If { test, then, other } => Stmt::If {
                test: reads.expr(&test),
                then: within(then),
                other: within(other),
            },
            Stmt::Case {
                test,
                arms,
                default,
            } => Stmt::Case {
                test: reads.expr(&test),
                arms: arms
                    .into_iter()
                    .map(|(label, block)| (label, within(block)))
                    .collect(),
                default: default.map(within),
            },
        });
    }
    out
}

/// What a pass replaces.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    /// Copies of signals and constants.
    Copies,
    /// Bits, extensions and concatenations of signals, too, where they are read once.
    Parts,
}

/// One assignment: its number in the order of the text, its block, and what it assigns.
struct Write {
    at: usize,
    block: usize,
    whole: bool,
    constant: bool,
}

#[derive(Default)]
struct Reads {
    first: Option<usize>,
    last: usize,
    count: usize,
    /// Reads by a variable index, which needs a signal.
    selected: bool,
    /// Reads as a factor, whose width decides which multiplier is built.
    multiplied: bool,
}

/// Who writes and reads each signal, and which statements a block holds.
struct Survey {
    writes: Vec<Vec<Write>>,
    reads: Vec<Reads>,
    /// One behind the last statement of each block.
    ends: Vec<usize>,
    statements: usize,
}

const ROOT: usize = 0;

impl Survey {
    fn of(ir: &ModuleIr) -> Self {
        let mut survey = Survey {
            writes: ir.signals.iter().map(|_| Vec::new()).collect(),
            reads: ir.signals.iter().map(|_| Reads::default()).collect(),
            ends: Vec::new(),
            statements: 0,
        };
        survey.block(&ir.body);
        survey
    }

    fn block(&mut self, block: &[Stmt]) {
        let number = self.ends.len();
        self.ends.push(0);
        for statement in block {
            self.statements += 1;
            match statement {
                Stmt::Comment(_) | Stmt::Loop { .. } => {}
                Stmt::Assign {
                    target,
                    part,
                    value,
                } => {
                    if let Part::Variable { index, .. } = part {
                        self.value(index);
                    }
                    self.value(value);
                    self.writes[*target].push(Write {
                        at: self.statements,
                        block: number,
                        whole: *part == Part::Whole,
                        constant: value.as_const().is_some(),
                    });
                }
                Stmt::If { test, then, other } => {
                    self.value(test);
                    self.block(then);
                    self.block(other);
                }
                Stmt::Case {
                    test,
                    arms,
                    default,
                } => {
                    self.value(test);
                    arms.iter().for_each(|(_, block)| self.block(block));
                    default.iter().for_each(|block| self.block(block));
                }
            }
        }
        self.ends[number] = self.statements + 1;
    }

    fn value(&mut self, e: &Expr) {
        let at = self.statements;
        e.walk(&mut |e| match &e.kind {
            Kind::Signal(s) | Kind::Slice { signal: s, .. } => self.read(*s, at),
            Kind::Select { signal, .. } => {
                self.read(*signal, at);
                self.reads[*signal].selected = true;
            }
            Kind::Binary(Op::Mul, l, r) => {
                for factor in [l, r] {
                    factor.reads(&mut |s| self.reads[s].multiplied = true);
                }
            }
            _ => {}
        });
    }

    fn read(&mut self, signal: SignalId, at: usize) {
        let reads = &mut self.reads[signal];
        reads.first.get_or_insert(at);
        reads.last = at;
        reads.count += 1;
    }

    /// Whether the assignment numbered `at` alone says what `local` is wherever it is read: the
    /// only one, or the only one but for a default, and all reads stand behind it in its block.
    fn defines(&self, local: SignalId, at: usize) -> bool {
        match &self.writes[local][..] {
            [only] => only.whole && only.block == ROOT && only.at == at,
            [default, only] => {
                let reads = &self.reads[local];
                default.whole
                    && default.constant
                    && default.block == ROOT
                    && only.whole
                    && only.at == at
                    && reads.first.is_some_and(|first| first > at)
                    && reads.last < self.ends[only.block]
            }
            _ => false,
        }
    }

    /// Whether what `value` reads keeps its value from statement `at` on.
    fn is_settled(&self, value: &Expr, at: usize, signals: &[Signal]) -> bool {
        let mut settled = true;
        value.reads(&mut |s| {
            settled &= match signals[s].role {
                Role::Input | Role::Q(_) | Role::InstanceOutput { .. } | Role::Outputs => true,
                Role::Local | Role::Output => self.writes[s].iter().all(|w| w.at < at),
                Role::D(_) | Role::InstanceInput { .. } => false,
            };
        });
        settled
    }
}

fn pass(ir: &mut ModuleIr, reach: Reach) -> bool {
    let survey = Survey::of(ir);
    let mut walk = Walk {
        survey: &survey,
        signals: &ir.signals,
        reach,
        statements: 0,
        known: Substitution::default(),
    };
    let body = walk.block(std::mem::take(&mut ir.body), true);
    let known = walk.known;
    ir.body = without(body, &known.values);
    !known.values.is_empty()
}

/// Rewrites statements in order; definitions come before their reads.
struct Walk<'a> {
    survey: &'a Survey,
    signals: &'a [Signal],
    reach: Reach,
    statements: usize,
    known: Substitution,
}

impl Walk<'_> {
    fn block(&mut self, block: Vec<Stmt>, root: bool) -> Vec<Stmt> {
        let mut out = Vec::with_capacity(block.len());
        for statement in block {
            self.statements += 1;
            match statement {
                Stmt::Comment(_) | Stmt::Loop { .. } => out.push(statement),
                Stmt::Assign {
                    target,
                    part,
                    value,
                } => {
                    let part = match part {
                        Part::Variable { index, width } => Part::Variable {
                            index: self.known.expr(&index),
                            width,
                        },
                        part => part,
                    };
                    let value = self.known.expr(&value);
                    if self.signals[target].role == Role::Local
                        && self.survey.defines(target, self.statements)
                        && self.is_carried(target, &value, root)
                    {
                        self.known.values.insert(target, value);
                        continue;
                    }
                    out.push(Stmt::Assign {
                        target,
                        part,
                        value,
                    });
                }
                Stmt::If { test, then, other } => {
                    let test = self.known.expr(&test);
                    let then = self.block(then, false);
                    let other = self.block(other, false);
                    match test.as_const() {
                        Some(0) => out.extend(other),
                        Some(_) => out.extend(then),
                        None => out.push(Stmt::If { test, then, other }),
                    }
                }
                Stmt::Case {
                    test,
                    arms,
                    default,
                } => out.push(Stmt::Case {
                    test: self.known.expr(&test),
                    arms: arms
                        .into_iter()
                        .map(|(label, block)| (label, self.block(block, false)))
                        .collect(),
                    default: default.map(|block| self.block(block, false)),
                }),
            }
        }
        out
    }

    /// Whether reads of `local` may show `value` instead.
    fn is_carried(&self, local: SignalId, value: &Expr, root: bool) -> bool {
        let reads = &self.survey.reads[local];
        if reads.count == 0 || !self.survey.is_settled(value, self.statements, self.signals) {
            return false;
        }
        match (copied(value), self.reach) {
            (Some(Copied::Signal(source)), _) => !self.names_an_output(source, root),
            (Some(Copied::Constant), _) => !reads.selected,
            (None, Reach::Copies) => false,
            (None, Reach::Parts) => {
                reads.count == 1
                    && !reads.selected
                    && !reads.multiplied
                    && is_part(value)
                    // A concatenation at the top is worth a name.
                    && !(root && matches!(value.reinterpret_inner().kind, Kind::Concat(_)))
            }
        }
    }

    /// Whether the local is the name of an instance's output that nobody else reads: the
    /// connection shows it.
    fn names_an_output(&self, source: SignalId, root: bool) -> bool {
        let output = matches!(self.signals[source].role, Role::InstanceOutput { .. });
        root && output && self.survey.reads[source].count == 1
    }
}

enum Copied {
    Signal(SignalId),
    Constant,
}

/// The signal that `value` shows unchanged, but for its sign.
fn copied(value: &Expr) -> Option<Copied> {
    match value.reinterpret_inner().kind {
        Kind::Signal(s) => Some(Copied::Signal(s)),
        Kind::Const { .. } => Some(Copied::Constant),
        _ => None,
    }
}

/// Bits or extensions of signals, of which bits can be taken again.
fn is_part(value: &Expr) -> bool {
    let mut indexed = false;
    value.walk(&mut |e| indexed |= matches!(e.kind, Kind::Select { .. }));
    value.is_plain() && !indexed
}

/// Drops what assigns `gone` and the conditions that are left without effect.
fn without(block: Vec<Stmt>, gone: &BTreeMap<SignalId, Expr>) -> Vec<Stmt> {
    let keep = |statement: Stmt| match statement {
        Stmt::Assign { target, .. } if gone.contains_key(&target) => None,
        Stmt::If { test, then, other } => {
            let (then, other) = (without(then, gone), without(other, gone));
            let dead = then.is_empty() && other.is_empty();
            (!dead).then_some(Stmt::If { test, then, other })
        }
        Stmt::Case {
            test,
            arms,
            default,
        } => Some(Stmt::Case {
            test,
            arms: arms
                .into_iter()
                .map(|(label, block)| (label, without(block, gone)))
                .collect(),
            default: default.map(|block| without(block, gone)),
        }),
        other => Some(other),
    };
    block.into_iter().filter_map(keep).collect()
}
