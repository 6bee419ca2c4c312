//! The form between rust-hdl's AST and the text: signals, registers, instances, statements.
//!
//! A body runs from top to bottom with blocking assignments, as `update` does: what is read has
//! been assigned before (see `check`), and the last assignment counts. Registers are read through
//! their `q` and assigned through their `d`; instances are reached through one signal per port.
//! Expressions carry their widths, and both sides of an assignment have the same one, so a pass
//! may exchange an expression for any other of its width and sign.

pub(crate) use super::affine::{Affine, LoopId};
pub(crate) use super::expr::*;

/// Index into [`ModuleIr::signals`].
pub(crate) type SignalId = usize;

/// What a signal is within its module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Input,
    Output,
    Local,
    /// Input `port` of instance `inst`, driven here.
    InstanceInput {
        inst: usize,
        port: usize,
    },
    /// Output `port` of instance `inst`, read here.
    InstanceOutput {
        inst: usize,
        port: usize,
    },
    /// The value of register `.0`.
    Q(usize),
    /// The next value of register `.0`.
    D(usize),
    /// Driven by outputs of several instances, read here.
    Outputs,
}

#[derive(Debug, Clone)]
pub(crate) struct Signal {
    /// Field path with `$`, as the AST names it.
    pub path: String,
    /// Verilog identifier.
    pub name: String,
    pub width: usize,
    pub signed: bool,
    pub role: Role,
    pub clock: bool,
    /// What a packed array consists of.
    pub lanes: Option<Lanes>,
}

/// The lanes of a packed array: `count` of `width` bits, in whose numbers the lowest is `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lanes {
    pub width: usize,
    pub first: usize,
    pub count: usize,
}

impl Lanes {
    /// The number of the lowest bit.
    pub fn low(&self) -> usize {
        self.first * self.width
    }
}

/// A register without reset of its own: resets are statements of the body.
#[derive(Debug, Clone)]
pub(crate) struct Register {
    /// Its value.
    pub q: SignalId,
    /// Its value after the next clock edge.
    pub d: SignalId,
}

#[derive(Debug, Clone)]
pub(crate) struct Instance {
    /// Field path with `$`.
    pub path: String,
    /// Verilog identifier.
    pub name: String,
    /// Index into the list of kinds.
    pub kind: usize,
    /// One signal per port of the kind, in the kind's order.
    pub ports: Vec<SignalId>,
}

/// One module kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModuleIr {
    pub signals: Vec<Signal>,
    /// Ports in print order: clock, reset, then as declared.
    pub ports: Vec<SignalId>,
    pub registers: Vec<Register>,
    pub instances: Vec<Instance>,
    pub body: Vec<Stmt>,
}

/// Which bits of its target an assignment writes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Whole,
    /// `target[low +: width]`, known when printing.
    Bits {
        low: usize,
        width: usize,
    },
    /// `target[index +: width]`.
    Variable {
        index: Expr,
        width: usize,
    },
    /// `target[low +: width]` at a place that depends on loops.
    Lane {
        low: Affine,
        width: usize,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stmt {
    /// `value` has the width of `part`.
    Assign {
        target: SignalId,
        part: Part,
        value: Expr,
    },
    /// `test` has one bit.
    If {
        test: Expr,
        then: Vec<Stmt>,
        other: Vec<Stmt>,
    },
    /// Labels are constants of the test's width, each one once; without `default` and match,
    /// nothing happens.
    Case {
        test: Expr,
        arms: Vec<(Expr, Vec<Stmt>)>,
        default: Option<Vec<Stmt>>,
    },
    /// `body` for every value of the variable of loop `id` from `start` on.
    Loop {
        id: LoopId,
        start: i64,
        count: Affine,
        body: Vec<Stmt>,
    },
    /// Speaks for the statement that follows.
    Comment(String),
}

impl Stmt {
    /// Calls `f` on every signal read in this statement, at any depth.
    pub fn reads(&self, f: &mut impl FnMut(SignalId)) {
        self.exprs(&mut |e| e.reads(f));
    }

    /// Calls `f` on every expression of this statement, at any depth.
    pub fn exprs(&self, f: &mut impl FnMut(&Expr)) {
        match self {
            Stmt::Assign { part, value, .. } => {
                if let Part::Variable { index, .. } = part {
                    f(index);
                }
                f(value);
            }
            Stmt::If { test, then, other } => {
                f(test);
                then.iter().chain(other).for_each(|s| s.exprs(f));
            }
            Stmt::Case {
                test,
                arms,
                default,
            } => {
                f(test);
                for (label, block) in arms {
                    f(label);
                    block.iter().for_each(|s| s.exprs(f));
                }
                default.iter().flatten().for_each(|s| s.exprs(f));
            }
            Stmt::Loop { body, .. } => body.iter().for_each(|s| s.exprs(f)),
            Stmt::Comment(_) => {}
        }
    }

    /// Calls `f` on every signal written in this statement, at any depth.
    pub fn writes(&self, f: &mut impl FnMut(SignalId)) {
        match self {
            Stmt::Assign { target, .. } => f(*target),
            Stmt::If { then, other, .. } => then.iter().chain(other).for_each(|s| s.writes(f)),
            Stmt::Case { arms, default, .. } => {
                for (_, block) in arms {
                    block.iter().for_each(|s| s.writes(f));
                }
                default.iter().flatten().for_each(|s| s.writes(f));
            }
            Stmt::Loop { body, .. } => body.iter().for_each(|s| s.writes(f)),
            Stmt::Comment(_) => {}
        }
    }
}
