//! The design as statements, for those who do something else with it than print it.
//!
//! What is handed out is what the text is made of, before scalars become arrays: one signal for
//! every element of a `Vec`, with the number in its path, in the widths that are printed. Bits that
//! nobody needs are gone, and values are in a normal form: slices sit on signals.

use super::arrange::Item;
use super::collect::Code;
use super::demand::is_live;
use super::error::EmitError;
use super::expr as inner;
use super::ir;
use super::pipeline::Design;
use super::shape::Scalar;

pub use super::expr::{Cmp, Fold, Op};

/// Index into [`Kind::nets`].
pub type NetId = usize;

/// All module kinds of a design, children before their parents; the last one is the top.
#[derive(Debug, Clone)]
pub struct Netlist {
    /// The kinds.
    pub kinds: Vec<Kind>,
}

/// What a net is for its module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A port that is driven from outside.
    Input,
    /// A port that the module drives.
    Output,
    /// Anything else.
    Inner,
}

/// A value of up to 128 bits.
#[derive(Debug, Clone)]
pub struct Net {
    /// Field path with `$`: `stage$3$q` is register 3 of the `Vec` `stage`.
    pub path: String,
    /// Its name in Verilog, or what [`Module::places`](crate::Module::places) knows it by.
    pub name: String,
    /// Bits; 0 for what vanished, which nobody reads or drives.
    pub width: usize,
    /// Whether it is a port.
    pub role: Role,
    /// The clock, which is in no statement.
    pub clock: bool,
}

/// A register without reset of its own.
#[derive(Debug, Clone, Copy)]
pub struct Register {
    /// Its value.
    pub q: NetId,
    /// What the statements of [`Kind::clocked`] assign: its value after the edge.
    pub d: NetId,
    /// Whether `d` is also assigned, and read, by the statements of [`Kind::blocks`]: then the
    /// register takes that value before [`Kind::clocked`] overrides it.
    pub has_d: bool,
}

/// An instance.
#[derive(Debug, Clone)]
pub struct Child {
    /// Field path with `$`.
    pub path: String,
    /// Its name in Verilog, or what [`Module::places`](crate::Module::places) knows it by.
    pub name: String,
    /// Index into [`Netlist::kinds`].
    pub kind: usize,
    /// The nets at its ports, in the order of the kind's ports.
    pub ports: Vec<NetId>,
}

/// A module kind.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Its name in Verilog.
    pub name: String,
    /// Ports and everything between them.
    pub nets: Vec<Net>,
    /// The ports.
    pub ports: Vec<NetId>,
    /// Registers.
    pub registers: Vec<Register>,
    /// Instances of which somebody reads an output.
    pub children: Vec<Child>,
    /// Blocks of combinational statements, each read from top to bottom; between blocks there is
    /// no order. A net is assigned in one block, on every path.
    pub blocks: Vec<Vec<Statement>>,
    /// What happens at a rising edge, all reads before all writes: targets are the `d` of registers
    /// and stand for what `q` becomes. What is not assigned stays.
    pub clocked: Vec<Statement>,
    /// The text of a leaf, which has no statements here.
    pub leaf: Option<String>,
}

/// Bits of an assignment's target.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// All.
    Whole,
    /// `[low +: width]`.
    Bits {
        /// Lowest bit.
        low: usize,
        /// How many.
        width: usize,
    },
    /// `[index +: width]`.
    Variable {
        /// Lowest bit.
        index: Value,
        /// How many.
        width: usize,
    },
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// An assignment of a value as wide as the part.
    Assign {
        /// The net.
        target: NetId,
        /// Which of its bits.
        part: Part,
        /// What they become.
        value: Value,
    },
    /// A choice by one bit.
    If {
        /// The bit.
        test: Value,
        /// If it is 1.
        then: Vec<Statement>,
        /// If it is 0.
        other: Vec<Statement>,
    },
    /// A choice by a number; without a match and a default nothing happens.
    Case {
        /// The number.
        test: Value,
        /// Constants, each one once, and what happens.
        arms: Vec<(u128, Vec<Statement>)>,
        /// Otherwise.
        default: Option<Vec<Statement>>,
    },
}

/// A value with its width and sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Bits.
    pub width: usize,
    /// Whether it is a number in two's complement.
    pub signed: bool,
    /// What it is.
    pub term: Term,
}

/// What a value is computed from.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A number.
    Constant(u128),
    /// Bits of a net from `low` on.
    Net {
        /// The net.
        net: NetId,
        /// Lowest bit.
        low: usize,
    },
    /// Bits of a net from a variable place on; undefined beyond its end.
    Select {
        /// The net.
        net: NetId,
        /// Lowest bit.
        index: Box<Value>,
    },
    /// The same bits, read with the other sign.
    Same(Box<Value>),
    /// Zeros in front.
    ZeroExtend(Box<Value>),
    /// Copies of the highest bit in front.
    SignExtend(Box<Value>),
    /// Inverted bits.
    Not(Box<Value>),
    /// Two's complement.
    Negate(Box<Value>),
    /// One bit of all bits.
    Reduce(Fold, Box<Value>),
    /// Both sides are as wide as the result, but for factors, which are extended by their sign.
    Binary(Op, Box<Value>, Box<Value>),
    /// Signed if the left side is.
    Compare(Cmp, Box<Value>, Box<Value>),
    /// Both bits.
    And(Box<Value>, Box<Value>),
    /// One of two bits.
    Or(Box<Value>, Box<Value>),
    /// Zeros from below.
    ShiftLeft(Box<Value>, Box<Value>),
    /// Zeros from above.
    ShiftRight(Box<Value>, Box<Value>),
    /// Parts, highest first.
    Concat(Vec<Value>),
    /// A choice by one bit.
    Choose(Box<Value>, Box<Value>, Box<Value>),
}

/// The statements of a design.
pub(crate) fn netlist(design: &Design) -> Result<Netlist, EmitError> {
    let mut kinds = Vec::new();
    for (at, scalar) in design.scalars.iter().enumerate() {
        let original = &design.irs[at];
        let live = |i: &&ir::Instance| is_live(original, i, &design.needs[at]);
        let leaf = match &design.raws[at].code {
            Code::Rtl(_) => None,
            Code::Leaf(text) => Some(text.clone()),
            Code::Elsewhere(name) => {
                let reason = "a module that is printed elsewhere has no statements here";
                return Err(design.raws[at].place().refuse(name, reason));
            }
        };
        let children = original.instances.iter().filter(live).map(|i| Child {
            path: i.path.clone(),
            name: i.name.clone(),
            kind: i.kind,
            ports: i.ports.clone(),
        });
        kinds.push(kind(scalar, &design.names[at], children.collect(), leaf));
    }
    Ok(Netlist { kinds })
}

fn kind(scalar: &Scalar, name: &str, children: Vec<Child>, leaf: Option<String>) -> Kind {
    let (ir, arranged) = (&scalar.ir, &scalar.arranged);
    let net = |signal: &ir::Signal| Net {
        path: signal.path.clone(),
        name: signal.name.clone(),
        width: signal.width,
        role: match signal.role {
            ir::Role::Input => Role::Input,
            ir::Role::Output => Role::Output,
            _ => Role::Inner,
        },
        clock: signal.clock,
    };
    let live = |(_, r): &(usize, &ir::Register)| ir.signals[r.q].width > 0;
    let registers = ir.registers.iter().enumerate().filter(live);
    // The clock is everywhere, and in no statement.
    let clock = |item: &&Item| matches!(item, Item::Assign { value, .. } if matches!(value.kind, inner::Kind::Signal(s) if ir.signals[s].clock));
    let logic = arranged.items.iter().filter(|item| !clock(item));
    let blocks = logic.map(|item| match item {
        Item::Assign { target, value, .. } => vec![Statement::Assign {
            target: *target,
            part: Part::Whole,
            value: self::value(value),
        }],
        Item::Always(body) => block(body),
    });
    // `x_q <= x_d` is said by the register.
    let says_d = |s: &&ir::Stmt| !matches!(s, ir::Stmt::Assign { target, value, .. } if matches!(value.kind, inner::Kind::Signal(read) if read == *target));
    Kind {
        name: name.to_string(),
        nets: ir.signals.iter().map(net).collect(),
        ports: ir.ports.clone(),
        registers: registers
            .map(|(at, r)| Register {
                q: r.q,
                d: r.d,
                has_d: arranged.has_d.contains(&at),
            })
            .collect(),
        children,
        blocks: blocks.collect(),
        clocked: arranged
            .clocked
            .iter()
            .filter(says_d)
            .flat_map(statement)
            .collect(),
        leaf,
    }
}

fn block(body: &[ir::Stmt]) -> Vec<Statement> {
    body.iter().flat_map(statement).collect()
}

fn statement(statement: &ir::Stmt) -> Option<Statement> {
    Some(match statement {
        ir::Stmt::Comment(_) | ir::Stmt::Loop { .. } => return None,
        ir::Stmt::Assign {
            target,
            part,
            value,
        } => Statement::Assign {
            target: *target,
            part: match part {
                ir::Part::Whole | ir::Part::Lane { .. } => Part::Whole,
                ir::Part::Bits { low, width } => Part::Bits {
                    low: *low,
                    width: *width,
                },
                ir::Part::Variable { index, width } => Part::Variable {
                    index: self::value(index),
                    width: *width,
                },
            },
            value: self::value(value),
        },
        ir::Stmt::If { test, then, other } => Statement::If {
            test: self::value(test),
            then: block(then),
            other: block(other),
        },
        ir::Stmt::Case {
            test,
            arms,
            default,
        } => Statement::Case {
            test: self::value(test),
            arms: arms
                .iter()
                .filter_map(|(label, body)| Some((label.as_const()?, block(body))))
                .collect(),
            default: default.as_ref().map(|body| block(body)),
        },
    })
}

fn value(e: &inner::Expr) -> Value {
    let boxed = |e: &inner::Expr| Box::new(value(e));
    let term = match &e.kind {
        inner::Kind::Const { value, .. } => Term::Constant(*value),
        inner::Kind::Signal(net) => Term::Net { net: *net, low: 0 },
        inner::Kind::Slice { signal, low, .. } => Term::Net {
            net: *signal,
            low: *low,
        },
        inner::Kind::Select { signal, index, .. } => Term::Select {
            net: *signal,
            index: boxed(index),
        },
        // Loops are made after this.
        inner::Kind::Lane { signal, low } => Term::Net {
            net: *signal,
            low: low.base as usize,
        },
        inner::Kind::Index(number) => Term::Constant(number.base as u128),
        inner::Kind::Reinterpret(e) => Term::Same(boxed(e)),
        inner::Kind::ZeroExtend(e) => Term::ZeroExtend(boxed(e)),
        inner::Kind::SignExtend(e) => Term::SignExtend(boxed(e)),
        inner::Kind::Not(e) => Term::Not(boxed(e)),
        inner::Kind::Neg(e) => Term::Negate(boxed(e)),
        inner::Kind::Reduce(fold, e) => Term::Reduce(*fold, boxed(e)),
        inner::Kind::Binary(op, l, r) => Term::Binary(*op, boxed(l), boxed(r)),
        inner::Kind::Compare(cmp, l, r) => Term::Compare(*cmp, boxed(l), boxed(r)),
        inner::Kind::LogicalAnd(l, r) => Term::And(boxed(l), boxed(r)),
        inner::Kind::LogicalOr(l, r) => Term::Or(boxed(l), boxed(r)),
        inner::Kind::ShiftLeft(l, r) => Term::ShiftLeft(boxed(l), boxed(r)),
        inner::Kind::ShiftRight(l, r) => Term::ShiftRight(boxed(l), boxed(r)),
        inner::Kind::Concat(parts) => Term::Concat(parts.iter().map(value).collect()),
        inner::Kind::Mux(test, then, other) => Term::Choose(boxed(test), boxed(then), boxed(other)),
    };
    Value {
        width: e.width,
        signed: e.signed,
        term,
    }
}
