//! Expressions: from rust-hdl's untyped AST to [`Expr`], with the widths of the Rust types.
//!
//! The macro drops `.into()`, `.index()`, `.to_bits()` and the target width of
//! `signed_bit_cast`; what they meant follows from the other side, because the Rust compiler
//! has already checked the types. Where two readings are possible the author must say which.

use super::ir::{Cmp, Expr, Fold, Kind, Op};
use super::operators::*;
use super::scope::{Entity, Scope};
use rust_hdl::prelude::ast::{VerilogExpression as Ast, VerilogOp, VerilogOpUnary};

/// A typed expression or something that takes its width from the other side.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A number; `exact` if it is a literal, which must fit the other side's width.
    Int {
        value: i128,
        exact: bool,
    },
    /// Decided here.
    Bool(bool),
    /// `signed_bit_cast` of a plain signed expression to a width still unknown.
    Stretch {
        inner: Expr,
        signed: bool,
    },
    Typed(Expr),
}

pub(crate) type Typing<T> = Result<T, String>;

/// Bits needed to number `n` things.
pub(crate) fn index_bits(n: usize) -> usize {
    (usize::BITS - n.saturating_sub(1).leading_zeros()).max(1) as usize
}

impl Scope<'_> {
    pub fn value(&self, e: &Ast) -> Typing<Value> {
        match e {
            Ast::Paren(inner) => self.value(inner),
            Ast::Literal(literal) => literal_int(&literal.to_string()),
            Ast::Signal(name) => self.name(name),
            Ast::Cast(inner, width) => self.cast(inner, *width),
            Ast::Signed(inner) => match self.value(inner)? {
                Value::Typed(e) if e.signed => Ok(Value::Stretch {
                    inner: e,
                    signed: true,
                }),
                Value::Typed(e) => Ok(Value::Typed(e.reinterpret(true))),
                other => Ok(other),
            },
            Ast::Unsigned(inner) => match self.value(inner)? {
                Value::Stretch { inner, .. } => Ok(Value::Stretch {
                    inner,
                    signed: false,
                }),
                Value::Typed(e) => Ok(Value::Typed(e.reinterpret(false))),
                other => Ok(other),
            },
            Ast::Unary(op, inner) => self.unary(op, inner),
            Ast::Binary(left, op, right) => {
                let left = self.value(left)?;
                self.binary(left, op, right)
            }
            Ast::Index(base, index) => self.slice(base, 1, index, true),
            Ast::Slice(base, width, index) => self.slice(base, *width, index, false),
            Ast::IndexReplace(..) => {
                Err("replace_bit must be the whole right-hand side of an assignment".to_string())
            }
        }
    }

    fn name(&self, name: &str) -> Typing<Value> {
        match self.resolve(name)? {
            Entity::Signal(id) => {
                let s = &self.signals[id];
                Ok(Value::Typed(Expr::signal(id, s.width, s.signed)))
            }
            Entity::Loop(value) => Ok(Value::Int {
                value,
                exact: false,
            }),
            Entity::Flag(value) => Ok(Value::Bool(value)),
            Entity::Value(value) => Ok(Value::Typed(Expr::named(value))),
            Entity::Clock(_) => Err("a register's clock cannot be read".to_string()),
        }
    }

    fn cast(&self, inner: &Ast, width: usize) -> Typing<Value> {
        let e = match self.value(inner)? {
            Value::Int { value, exact } => {
                return Ok(Value::Typed(number(value, width, false, exact)?));
            }
            Value::Bool(b) => Expr::bit(b),
            Value::Stretch { .. } => {
                return Err("a cast of a signed_bit_cast: assign the inner one to a Local".into());
            }
            Value::Typed(e) => e,
        };
        if e.width == width {
            return Ok(Value::Typed(e.reinterpret(false)));
        }
        if !e.is_plain() {
            return Err(format!(
                "a cast from {} to {width} bits of something that is not a plain signal: assign \
                 it to a Local of {} bits first",
                e.width, e.width
            ));
        }
        resize(e.reinterpret(false), width).map(Value::Typed)
    }

    fn unary(&self, op: &VerilogOpUnary, inner: &Ast) -> Typing<Value> {
        let e = match self.value(inner)? {
            Value::Int { value, exact } => {
                return match op {
                    VerilogOpUnary::Neg => Ok(Value::Int {
                        value: -value,
                        exact,
                    }),
                    _ => Err("this operator cannot be applied to a bare number".to_string()),
                };
            }
            Value::Bool(b) => {
                return match op {
                    VerilogOpUnary::Not => Ok(Value::Bool(!b)),
                    _ => Ok(Value::Bool(b)),
                };
            }
            Value::Stretch { .. } => return Err(unknown_width()),
            Value::Typed(e) => e,
        };
        let width = e.width;
        Ok(Value::Typed(match op {
            VerilogOpUnary::Not => e.inverted(),
            VerilogOpUnary::Neg => Expr::new(width, e.signed, Kind::Neg(Box::new(e))),
            VerilogOpUnary::All => reduce(Fold::All, e)?,
            VerilogOpUnary::Any => reduce(Fold::Any, e)?,
            VerilogOpUnary::Xor => reduce(Fold::Xor, e)?,
        }))
    }

    fn binary(&self, left: Value, op: &VerilogOp, right: &Ast) -> Typing<Value> {
        match (&left, op) {
            (Value::Bool(false), VerilogOp::LogicalAnd) => return Ok(Value::Bool(false)),
            (Value::Bool(true), VerilogOp::LogicalOr) => return Ok(Value::Bool(true)),
            _ => {}
        }
        let right = self.value(right)?;
        if let (Value::Int { value: l, exact: a }, Value::Int { value: r, exact: b }) =
            (&left, &right)
        {
            return integers(*l, op, *r, *a && *b);
        }
        if let Some(value) = known(&left, op, &right) {
            return Ok(value);
        }
        match op {
            VerilogOp::Shl | VerilogOp::Shr => shift(left, matches!(op, VerilogOp::Shl), right),
            VerilogOp::LogicalAnd | VerilogOp::LogicalOr => {
                logical(left, matches!(op, VerilogOp::LogicalAnd), right)
            }
            VerilogOp::Eq => compare(Cmp::Eq, left, right),
            VerilogOp::Ne => compare(Cmp::Ne, left, right),
            VerilogOp::Lt => compare(Cmp::Lt, left, right),
            VerilogOp::Le => compare(Cmp::Le, left, right),
            VerilogOp::Gt => compare(Cmp::Gt, left, right),
            VerilogOp::Ge => compare(Cmp::Ge, left, right),
            VerilogOp::Add => arithmetic(Op::Add, left, right),
            VerilogOp::Sub => arithmetic(Op::Sub, left, right),
            VerilogOp::Mul => arithmetic(Op::Mul, left, right),
            VerilogOp::BitAnd => arithmetic(Op::And, left, right),
            VerilogOp::BitOr => arithmetic(Op::Or, left, right),
            VerilogOp::BitXor => arithmetic(Op::Xor, left, right),
        }
    }

    fn slice(&self, base: &Ast, width: usize, index: &Ast, single: bool) -> Typing<Value> {
        let base = match self.value(base)? {
            Value::Typed(e) => e,
            _ => return Err("a slice of a bare number or of a signed_bit_cast".to_string()),
        };
        let signed = base.signed && !single;
        match self.index(index, base.width)? {
            Value::Int { value, .. } => {
                let low = usize::try_from(value).unwrap_or(usize::MAX);
                if low.saturating_add(width) > base.width {
                    return Err(format!(
                        "bits {value}..{} of a value of {} bits",
                        value + width as i128,
                        base.width
                    ));
                }
                let part = base.bits(low, width).ok_or_else(not_plain)?;
                Ok(Value::Typed(part.reinterpret(signed)))
            }
            Value::Typed(index) => {
                let (signal, of) = match base.reinterpret(false).kind {
                    Kind::Signal(s) => (s, self.signals[s].width),
                    Kind::Reinterpret(inner) => match inner.kind {
                        Kind::Signal(s) => (s, self.signals[s].width),
                        _ => return Err(not_plain()),
                    },
                    _ => return Err(not_plain()),
                };
                let index = Box::new(index);
                let kind = Kind::Select { signal, of, index };
                Ok(Value::Typed(Expr::new(width, signed, kind)))
            }
            _ => Err("an index that is neither a number nor a signal".to_string()),
        }
    }

    /// An index into `bits` bits: a number, or a plain signal extended to the exact width.
    pub fn index(&self, index: &Ast, bits: usize) -> Typing<Value> {
        let e = match self.value(index)? {
            Value::Typed(e) => e,
            number => return Ok(number),
        };
        if let Some(value) = e.as_const() {
            let value = value as i128;
            return Ok(Value::Int { value, exact: true });
        }
        let wanted = index_bits(bits);
        if e.signed || !e.is_plain() {
            return Err("a variable index must be a plain unsigned signal: use a Local".into());
        }
        if e.width > wanted {
            return Err(format!(
                "an index of {} bits into {bits} bits, which takes {wanted}: cut it with \
                 get_bits in a Local, or extend the indexed signal",
                e.width
            ));
        }
        Ok(Value::Typed(e.zero_extend(wanted)))
    }

    /// The right-hand side of an assignment to `width` bits.
    pub fn assigned(&self, e: &Ast, width: usize, signed: bool) -> Typing<Expr> {
        let value = self.value(e)?;
        if let Value::Typed(e) = &value {
            // `.index().to_bits::<W>()`: the only way to such a mismatch in compiled Rust.
            if e.is_plain() && !e.signed && !signed && e.width < width {
                return Ok(e.clone().zero_extend(width));
            }
        }
        coerce(value, width, signed)
    }

    /// A condition: one bit, or decided here.
    pub fn condition(&self, e: &Ast) -> Typing<Value> {
        match self.value(e)? {
            Value::Typed(e) if e.width == 1 => Ok(match e.as_const() {
                Some(value) => Value::Bool(value == 1),
                None => Value::Typed(e),
            }),
            Value::Typed(e) => Err(format!(
                "a condition of {} bits: compare it or use any()",
                e.width
            )),
            Value::Bool(b) => Ok(Value::Bool(b)),
            _ => Err("a condition that is a bare number".to_string()),
        }
    }
}
