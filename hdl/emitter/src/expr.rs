//! Typed expressions: every one has a width.
//!
//! Constructors keep them in a normal form: slices and extensions sit directly on signals,
//! constants are folded, a slice of everything is the thing itself.

use super::affine::Affine;
use super::ir::SignalId;
use std::rc::Rc;

/// A value that the author named; printed as `localparam` if its full width is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedValue {
    /// Verilog identifier, or `None` for an entry of a table that has no name of its own.
    pub name: Option<String>,
    pub width: usize,
    pub signed: bool,
    pub value: u128,
    /// A pattern of bits, or an entry of a table of such: printed in hexadecimal.
    pub pattern: bool,
    /// What the values around it are: the comment above the group in which it is declared.
    pub group: Option<String>,
    /// Position among the module's named values.
    pub order: usize,
}

/// An operator of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Sum, modulo the width.
    Add,
    /// Difference, modulo the width.
    Sub,
    /// Product.
    Mul,
    /// Bit by bit.
    And,
    /// Bit by bit.
    Or,
    /// Bit by bit.
    Xor,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cmp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl Cmp {
    /// The comparison with its sides exchanged.
    pub fn mirrored(self) -> Cmp {
        match self {
            Cmp::Lt => Cmp::Gt,
            Cmp::Le => Cmp::Ge,
            Cmp::Gt => Cmp::Lt,
            Cmp::Ge => Cmp::Le,
            same => same,
        }
    }

    fn inverted(self) -> Cmp {
        match self {
            Cmp::Eq => Cmp::Ne,
            Cmp::Ne => Cmp::Eq,
            Cmp::Lt => Cmp::Ge,
            Cmp::Ge => Cmp::Lt,
            Cmp::Gt => Cmp::Le,
            Cmp::Le => Cmp::Gt,
        }
    }
}

/// What becomes one bit of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Whether all are 1.
    All,
    /// Whether one is 1.
    Any,
    /// Whether an odd number of them is 1.
    Xor,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    pub width: usize,
    pub signed: bool,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Const {
        value: u128,
        name: Option<Rc<NamedValue>>,
    },
    Signal(SignalId),
    /// Bits `low..low + width` of a signal of width `of`.
    Slice {
        signal: SignalId,
        of: usize,
        low: usize,
    },
    /// Bits of a packed array at a place that depends on loops; made by [`super::roll`] only.
    Lane {
        signal: SignalId,
        low: Affine,
    },
    /// A number that depends on loops; made by [`super::roll`] only.
    Index(Affine),
    /// `signal[index +: width]`.
    Select {
        signal: SignalId,
        of: usize,
        index: Box<Expr>,
    },
    /// Same bits, other signedness.
    Reinterpret(Box<Expr>),
    ZeroExtend(Box<Expr>),
    SignExtend(Box<Expr>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    Reduce(Fold, Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    Compare(Cmp, Box<Expr>, Box<Expr>),
    LogicalAnd(Box<Expr>, Box<Expr>),
    LogicalOr(Box<Expr>, Box<Expr>),
    ShiftLeft(Box<Expr>, Box<Expr>),
    ShiftRight(Box<Expr>, Box<Expr>),
    /// Most significant part first; parts are self-determined.
    Concat(Vec<Expr>),
    /// `test ? then : other`; made by [`super::arrange`] only, after narrowing.
    Mux(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// The low `width` bits set.
pub(crate) fn mask(width: usize) -> u128 {
    if width >= 128 {
        u128::MAX
    } else {
        (1 << width) - 1
    }
}

impl Expr {
    pub fn constant(value: u128, width: usize, signed: bool) -> Expr {
        let kind = Kind::Const {
            value: value & mask(width),
            name: None,
        };
        Expr {
            width,
            signed,
            kind,
        }
    }

    pub fn bit(value: bool) -> Expr {
        Expr::constant(value as u128, 1, false)
    }

    pub fn named(value: Rc<NamedValue>) -> Expr {
        Expr {
            width: value.width,
            signed: value.signed,
            kind: Kind::Const {
                value: value.value,
                name: Some(value),
            },
        }
    }

    pub fn signal(id: SignalId, width: usize, signed: bool) -> Expr {
        Expr {
            width,
            signed,
            kind: Kind::Signal(id),
        }
    }

    pub fn new(width: usize, signed: bool, kind: Kind) -> Expr {
        Expr {
            width,
            signed,
            kind,
        }
    }

    pub fn as_const(&self) -> Option<u128> {
        match self.kind {
            Kind::Const { value, .. } => Some(value),
            _ => None,
        }
    }

    /// A signal, a constant, or bits of one: what casts and slices may be applied to.
    pub fn is_plain(&self) -> bool {
        match &self.kind {
            Kind::Const { .. } | Kind::Signal(_) | Kind::Slice { .. } | Kind::Select { .. } => true,
            Kind::Lane { .. } | Kind::Index(_) => true,
            Kind::Reinterpret(e) | Kind::ZeroExtend(e) | Kind::SignExtend(e) => e.is_plain(),
            Kind::Concat(parts) => parts.iter().all(Expr::is_plain),
            _ => false,
        }
    }

    /// Same bits read as signed or unsigned.
    pub fn reinterpret(self, signed: bool) -> Expr {
        if self.signed == signed {
            return self;
        }
        match self.kind {
            Kind::Reinterpret(inner) => *inner,
            Kind::Const { value, .. } => Expr::constant(value, self.width, signed),
            Kind::Slice { .. } | Kind::Select { .. } | Kind::Lane { .. } => Expr { signed, ..self },
            _ => Expr::new(self.width, signed, Kind::Reinterpret(Box::new(self))),
        }
    }

    /// What is read, with whatever sign.
    pub fn reinterpret_inner(&self) -> &Expr {
        match &self.kind {
            Kind::Reinterpret(inner) => inner,
            _ => self,
        }
    }

    /// Bitwise inversion; comparisons are inverted in themselves.
    pub fn inverted(self) -> Expr {
        let (width, signed) = (self.width, self.signed);
        let kind = match self.kind {
            Kind::Not(inner) => return *inner,
            Kind::Compare(cmp, l, r) => Kind::Compare(cmp.inverted(), l, r),
            _ => Kind::Not(Box::new(self)),
        };
        Expr::new(width, signed, kind)
    }

    pub fn zero_extend(self, width: usize) -> Expr {
        debug_assert!(width >= self.width);
        if width == self.width {
            return self.reinterpret(false);
        }
        match self.kind {
            Kind::Const { value, .. } => Expr::constant(value, width, false),
            Kind::ZeroExtend(inner) => Expr::new(width, false, Kind::ZeroExtend(inner)),
            _ => {
                let inner = self.reinterpret(false);
                Expr::new(width, false, Kind::ZeroExtend(Box::new(inner)))
            }
        }
    }

    /// The result is signed. Constants and plain expressions only.
    pub fn sign_extend(self, width: usize) -> Expr {
        debug_assert!(width >= self.width);
        if width == self.width {
            return self.reinterpret(true);
        }
        if let Kind::Const { value, .. } = self.kind {
            let negative = value >> (self.width - 1) & 1 == 1;
            let high = if negative {
                mask(width) & !mask(self.width)
            } else {
                0
            };
            return Expr::constant(value | high, width, true);
        }
        match self.kind {
            Kind::SignExtend(inner) => Expr::new(width, true, Kind::SignExtend(inner)),
            // The top bit is zero: sign and zero extension agree.
            Kind::ZeroExtend(inner) => {
                Expr::new(width, false, Kind::ZeroExtend(inner)).reinterpret(true)
            }
            Kind::Reinterpret(inner) if matches!(inner.kind, Kind::ZeroExtend(_)) => {
                inner.zero_extend(width).reinterpret(true)
            }
            _ => Expr::new(width, true, Kind::SignExtend(Box::new(self))),
        }
    }

    /// Bits `low..low + width`, if they can be taken without an arithmetic result in between.
    pub fn bits(&self, low: usize, width: usize) -> Option<Expr> {
        debug_assert!(low + width <= self.width);
        if low == 0 && width == self.width {
            return Some(self.clone());
        }
        let kind = match &self.kind {
            Kind::Const { value, .. } => {
                let shifted = if low >= 128 { 0 } else { value >> low };
                return Some(Expr::constant(shifted, width, self.signed));
            }
            Kind::Signal(signal) => Kind::Slice {
                signal: *signal,
                of: self.width,
                low,
            },
            Kind::Slice {
                signal,
                of,
                low: base,
            } => Kind::Slice {
                signal: *signal,
                of: *of,
                low: base + low,
            },
            Kind::Lane { signal, low: lane } => {
                let mut lane = lane.clone();
                lane.base += low as i64;
                Kind::Lane {
                    signal: *signal,
                    low: lane,
                }
            }
            Kind::Reinterpret(inner) => {
                return Some(inner.bits(low, width)?.reinterpret(self.signed));
            }
            Kind::ZeroExtend(inner) | Kind::SignExtend(inner) => {
                return self.bits_of_extension(inner, low, width);
            }
            Kind::Concat(parts) => return bits_of_concat(parts, low, width),
            _ => return None,
        };
        Some(Expr::new(width, self.signed, kind))
    }

    fn bits_of_extension(&self, inner: &Expr, low: usize, width: usize) -> Option<Expr> {
        let extended = if low >= inner.width {
            if matches!(self.kind, Kind::SignExtend(_)) {
                let top = inner.bits(inner.width - 1, 1)?;
                top.reinterpret(true).sign_extend(width)
            } else {
                Expr::constant(0, width, false)
            }
        } else {
            let available = width.min(inner.width - low);
            let part = inner.bits(low, available)?;
            if matches!(self.kind, Kind::SignExtend(_)) && available < width {
                part.reinterpret(true).sign_extend(width)
            } else {
                part.zero_extend(width)
            }
        };
        Some(extended.reinterpret(self.signed))
    }

    /// Calls `f` on this expression and all below it.
    pub fn walk(&self, f: &mut impl FnMut(&Expr)) {
        f(self);
        match &self.kind {
            Kind::Const { .. } | Kind::Signal(_) | Kind::Slice { .. } => {}
            Kind::Lane { .. } | Kind::Index(_) => {}
            Kind::Select { index, .. } => index.walk(f),
            Kind::Reinterpret(e)
            | Kind::ZeroExtend(e)
            | Kind::SignExtend(e)
            | Kind::Not(e)
            | Kind::Neg(e)
            | Kind::Reduce(_, e) => e.walk(f),
            Kind::Binary(_, l, r)
            | Kind::Compare(_, l, r)
            | Kind::LogicalAnd(l, r)
            | Kind::LogicalOr(l, r)
            | Kind::ShiftLeft(l, r)
            | Kind::ShiftRight(l, r) => {
                l.walk(f);
                r.walk(f);
            }
            Kind::Concat(parts) => parts.iter().for_each(|p| p.walk(f)),
            Kind::Mux(test, then, other) => {
                test.walk(f);
                then.walk(f);
                other.walk(f);
            }
        }
    }

    /// Calls `f` on the expressions directly below this one.
    pub fn children_mut(&mut self, f: &mut impl FnMut(&mut Expr)) {
        match &mut self.kind {
            Kind::Const { .. } | Kind::Signal(_) | Kind::Slice { .. } => {}
            Kind::Lane { .. } | Kind::Index(_) => {}
            Kind::Select { index: e, .. }
            | Kind::Reinterpret(e)
            | Kind::ZeroExtend(e)
            | Kind::SignExtend(e)
            | Kind::Not(e)
            | Kind::Neg(e)
            | Kind::Reduce(_, e) => f(e),
            Kind::Binary(_, l, r)
            | Kind::Compare(_, l, r)
            | Kind::LogicalAnd(l, r)
            | Kind::LogicalOr(l, r)
            | Kind::ShiftLeft(l, r)
            | Kind::ShiftRight(l, r) => {
                f(l);
                f(r);
            }
            Kind::Concat(parts) => parts.iter_mut().for_each(f),
            Kind::Mux(test, then, other) => {
                f(test);
                f(then);
                f(other);
            }
        }
    }

    /// Calls `f` on every signal read.
    pub fn reads(&self, f: &mut impl FnMut(SignalId)) {
        self.walk(&mut |e| match e.kind {
            Kind::Signal(s) => f(s),
            Kind::Slice { signal, .. }
            | Kind::Select { signal, .. }
            | Kind::Lane { signal, .. } => f(signal),
            _ => {}
        });
    }
}

fn bits_of_concat(parts: &[Expr], low: usize, width: usize) -> Option<Expr> {
    let mut out = Vec::new();
    let mut at = 0;
    for part in parts.iter().rev() {
        let from = low.max(at);
        let to = (low + width).min(at + part.width);
        if from < to {
            out.push(part.bits(from - at, to - from)?);
        }
        at += part.width;
    }
    out.reverse();
    Some(concat(out))
}

/// Joins parts (most significant first); neighbouring slices and constants melt together.
pub(crate) fn concat(parts: Vec<Expr>) -> Expr {
    let mut out: Vec<Expr> = Vec::new();
    for part in parts {
        let part = part.reinterpret(false);
        if let Some(joined) = out.last().and_then(|high| join(high, &part)) {
            *out.last_mut().expect("just looked at") = joined;
        } else if let Kind::Concat(inner) = part.kind {
            out.extend(inner);
        } else {
            out.push(part);
        }
    }
    if out.len() == 1 {
        return out.remove(0);
    }
    let width = out.iter().map(|p| p.width).sum();
    Expr::new(width, false, Kind::Concat(out))
}

fn join(high: &Expr, low: &Expr) -> Option<Expr> {
    let width = high.width + low.width;
    if let (Some(h), Some(l)) = (high.as_const(), low.as_const()) {
        if h == 0 && l == 0 {
            return Some(Expr::constant(0, width, false));
        }
        return (width <= 128).then(|| Expr::constant(h << low.width | l, width, false));
    }
    let (hs, of, h_low) = slice_of(high)?;
    let (ls, _, l_low) = slice_of(low)?;
    if hs != ls || h_low != l_low + low.width {
        return None;
    }
    let signal = Expr::signal(hs, of, false);
    signal.bits(l_low, width)
}

/// Signal, its width and the lowest bit, of a slice. (A whole signal has no neighbours.)
fn slice_of(e: &Expr) -> Option<(SignalId, usize, usize)> {
    match e.kind {
        Kind::Slice { signal, of, low } => Some((signal, of, low)),
        _ => None,
    }
}
