//! Expressions: from rust-hdl's untyped AST to [`Expr`], with the widths of the Rust types.
//!
//! The macro drops `.into()`, `.index()`, `.to_bits()` and the target width of
//! `signed_bit_cast`; what they meant follows from the other side, because the Rust compiler
//! has already checked the types. Where two readings are possible the author must say which.

use super::ir::{Cmp, Expr, Fold, Kind, Op, mask};
use super::lower::{Entity, Scope};
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

type Typing<T> = Result<T, String>;

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
            VerilogOpUnary::Not => Expr::new(width, e.signed, Kind::Not(Box::new(e))),
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

fn unknown_width() -> String {
    "a signed_bit_cast whose width the context does not fix: assign it to a Local first".into()
}

fn not_plain() -> String {
    "a slice or index of something that is not a plain signal: assign it to a Local first".into()
}

fn literal_int(text: &str) -> Typing<Value> {
    let bad = || format!("the literal `{text}` cannot be read");
    let (bits, rest) = text.split_once('\'').ok_or_else(bad)?;
    let radix = if rest.starts_with('b') { 2 } else { 16 };
    let value = i128::from_str_radix(&rest[1..], radix).map_err(|_| bad())?;
    Ok(match bits {
        "1" => Value::Bool(value != 0),
        _ => Value::Int { value, exact: true },
    })
}

/// `value` in `width` bits.
pub(crate) fn number(value: i128, width: usize, signed: bool, exact: bool) -> Typing<Expr> {
    let (low, high) = match (signed, width) {
        (_, 127..) => (i128::MIN, i128::MAX),
        (true, _) => (-(1 << (width - 1)), (1 << (width - 1)) - 1),
        (false, _) => (0, (1 << width) - 1),
    };
    if value < low || value > high {
        let kind = if exact { "literal" } else { "loop value" };
        return Err(format!(
            "the {kind} {value} does not fit {width} {} bits ({low} to {high})",
            if signed { "signed" } else { "unsigned" }
        ));
    }
    Ok(Expr::constant(value as u128 & mask(width), width, signed))
}

fn resize(e: Expr, width: usize) -> Typing<Expr> {
    if width >= e.width {
        Ok(e.zero_extend(width))
    } else {
        e.bits(0, width).ok_or_else(not_plain)
    }
}

/// Gives `value` the width and sign of the other side.
pub(crate) fn coerce(value: Value, width: usize, signed: bool) -> Typing<Expr> {
    match value {
        Value::Int { value, exact } => number(value, width, signed, exact),
        Value::Bool(b) if width == 1 => Ok(Expr::bit(b)),
        Value::Bool(_) => Err(format!("a condition where {width} bits are wanted")),
        Value::Stretch {
            inner,
            signed: result,
        } => {
            if result != signed {
                return Err("signed and unsigned values are mixed".to_string());
            }
            stretch(inner, width).map(|e| e.reinterpret(signed))
        }
        Value::Typed(e) if e.width != width => Err(format!(
            "{} bits where {width} are wanted: assign to a Local of {width} bits first \
             (bit_cast, signed_bit_cast or get_bits)",
            e.width
        )),
        Value::Typed(e) if e.signed != signed && width > 1 => {
            Err("signed and unsigned values are mixed: use signed_cast or unsigned_cast".into())
        }
        Value::Typed(e) => Ok(e.reinterpret(signed)),
    }
}

/// `signed_bit_cast` of `e` to `width` bits.
fn stretch(e: Expr, width: usize) -> Typing<Expr> {
    if width == e.width {
        return Ok(e);
    }
    if width < e.width {
        return e.bits(0, width).ok_or_else(not_plain);
    }
    match e.kind {
        Kind::Select { .. } => {
            Err("a sign extension of a variable slice: assign the slice to a Local first".into())
        }
        _ if e.is_plain() => Ok(e.sign_extend(width)),
        _ => Err(format!(
            "a sign extension of something that is not a plain signal: assign it to a Local of \
             {} bits first",
            e.width
        )),
    }
}

/// Both operands in one width and sign.
fn pair(left: Value, right: Value) -> Typing<(Expr, Expr)> {
    let (width, signed) = match (&left, &right) {
        (Value::Typed(e), _) | (_, Value::Typed(e)) => (e.width, e.signed),
        (Value::Bool(_), _) | (_, Value::Bool(_)) => (1, false),
        _ => return Err(unknown_width()),
    };
    let mismatch = |e: String| format!("operands differ in type: {e}");
    Ok((
        coerce(left, width, signed).map_err(mismatch)?,
        coerce(right, width, signed).map_err(mismatch)?,
    ))
}

fn arithmetic(op: Op, left: Value, right: Value) -> Typing<Value> {
    if let (Value::Bool(l), Value::Bool(r)) = (&left, &right) {
        return match op {
            Op::And => Ok(Value::Bool(l & r)),
            Op::Or => Ok(Value::Bool(l | r)),
            Op::Xor => Ok(Value::Bool(l ^ r)),
            _ => Err("arithmetic on conditions".to_string()),
        };
    }
    let (l, r) = pair(left, right)?;
    no_product(&l)?;
    no_product(&r)?;
    let (width, signed) = (l.width, l.signed);
    if op == Op::Mul && width != 16 {
        return Err(format!(
            "a product of {width}-bit operands; only 16 x 16 bits exist"
        ));
    }
    let result = if op == Op::Mul { 32 } else { width };
    if let (Some(a), Some(b)) = (l.as_const(), r.as_const())
        && op != Op::Mul
        && width <= 128
    {
        let value = match op {
            Op::Add => a.wrapping_add(b),
            Op::Sub => a.wrapping_sub(b),
            Op::And => a & b,
            Op::Or => a | b,
            _ => a ^ b,
        };
        return Ok(Value::Typed(Expr::constant(value, width, signed)));
    }
    let kind = Kind::Binary(op, Box::new(l), Box::new(r));
    Ok(Value::Typed(Expr::new(result, signed, kind)))
}

fn logical(left: Value, and: bool, right: Value) -> Typing<Value> {
    match (&left, &right) {
        (Value::Bool(b), _) if *b == and => return one_bit(right),
        (_, Value::Bool(b)) if *b == and => return one_bit(left),
        (_, Value::Bool(b)) => return Ok(Value::Bool(*b)),
        _ => {}
    }
    let (l, r) = pair(left, right)?;
    if l.width != 1 {
        return Err(format!("`&&` or `||` of {} bits", l.width));
    }
    let (l, r) = (Box::new(l), Box::new(r));
    let kind = match and {
        true => Kind::LogicalAnd(l, r),
        false => Kind::LogicalOr(l, r),
    };
    Ok(Value::Typed(Expr::new(1, false, kind)))
}

fn one_bit(value: Value) -> Typing<Value> {
    match value {
        Value::Bool(_) => Ok(value),
        other => coerce(other, 1, false).map(Value::Typed),
    }
}

fn reduce(fold: Fold, e: Expr) -> Typing<Expr> {
    no_product(&e)?;
    if e.width == 1 {
        return Ok(e.reinterpret(false));
    }
    Ok(Expr::new(1, false, Kind::Reduce(fold, Box::new(e))))
}

/// Verilog would compute a product that is not assigned directly in 16 bits, or unsigned.
fn no_product(e: &Expr) -> Typing<()> {
    let mut found = false;
    e.walk(&mut |e| found |= matches!(e.kind, Kind::Binary(Op::Mul, ..)));
    match found {
        true => Err("a product inside another expression: assign it to a Local first".into()),
        false => Ok(()),
    }
}

fn shift(left: Value, up: bool, right: Value) -> Typing<Value> {
    let l = match left {
        Value::Typed(e) if !e.signed => e,
        Value::Typed(_) => return Err("a shift of a signed value: use get_bits".to_string()),
        Value::Stretch { .. } => return Err(unknown_width()),
        _ => return Err("a shift of a bare number: give it a width with bits::<N>()".into()),
    };
    no_product(&l)?;
    let width = l.width;
    let amount = match right {
        Value::Int { value, .. } => {
            usize::try_from(value).map_err(|_| format!("a shift by {value} bits"))?
        }
        Value::Typed(e) if e.as_const().is_some() => {
            usize::try_from(e.as_const().unwrap_or(0)).unwrap_or(usize::MAX)
        }
        Value::Typed(e) if e.is_plain() && !e.signed => {
            let (l, e) = (Box::new(l), Box::new(e));
            let kind = if up {
                Kind::ShiftLeft(l, e)
            } else {
                Kind::ShiftRight(l, e)
            };
            return Ok(Value::Typed(Expr::new(width, false, kind)));
        }
        _ => return Err("a shift amount that is not a plain unsigned signal".to_string()),
    };
    Ok(Value::Typed(shift_by(l, up, amount)))
}

/// Shifts of plain values by constants are rewiring.
fn shift_by(l: Expr, up: bool, amount: usize) -> Expr {
    let width = l.width;
    if amount >= width {
        return Expr::constant(0, width, false);
    }
    if amount == 0 {
        return l;
    }
    if !up && let Some(part) = l.bits(amount, width - amount) {
        return part.zero_extend(width);
    }
    if up && let Some(value) = l.as_const() {
        return Expr::constant(value << amount.min(127), width, false);
    }
    let by = Box::new(Expr::constant(
        amount as u128,
        index_bits(amount + 1),
        false,
    ));
    let kind = match up {
        true => Kind::ShiftLeft(Box::new(l), by),
        false => Kind::ShiftRight(Box::new(l), by),
    };
    Expr::new(width, false, kind)
}

fn compare(cmp: Cmp, left: Value, right: Value) -> Typing<Value> {
    if let (Value::Bool(l), Value::Bool(r)) = (&left, &right) {
        return Ok(Value::Bool(holds(cmp, *l as i128, *r as i128)));
    }
    if let (Value::Typed(e), Value::Int { value, exact }) = (&left, &right)
        && let Some(decided) = out_of_range(cmp, e, *value, *exact)?
    {
        return Ok(Value::Bool(decided));
    }
    if let (Value::Int { .. }, Value::Typed(_)) = (&left, &right) {
        let mirrored = match cmp {
            Cmp::Lt => Cmp::Gt,
            Cmp::Le => Cmp::Ge,
            Cmp::Gt => Cmp::Lt,
            Cmp::Ge => Cmp::Le,
            same => same,
        };
        return compare(mirrored, right, left);
    }
    let (l, r) = pair(left, right)?;
    no_product(&l)?;
    no_product(&r)?;
    if let (Some(a), Some(b)) = (l.as_const(), r.as_const())
        && l.width < 127
    {
        let read = |v: u128| match l.signed && v >> (l.width - 1) == 1 {
            true => v as i128 - (1 << l.width),
            false => v as i128,
        };
        return Ok(Value::Bool(holds(cmp, read(a), read(b))));
    }
    if l.width == 1
        && let Some(b) = r.as_const()
    {
        match (cmp, b) {
            (Cmp::Eq, 1) | (Cmp::Ne, 0) => return Ok(Value::Typed(l)),
            (Cmp::Eq, 0) | (Cmp::Ne, 1) => {
                return Ok(Value::Typed(Expr::new(1, false, Kind::Not(Box::new(l)))));
            }
            _ => {}
        }
    }
    let kind = Kind::Compare(cmp, Box::new(l), Box::new(r));
    Ok(Value::Typed(Expr::new(1, false, kind)))
}

/// Decides comparisons that the range of `e` decides; Verilator would warn about them.
fn out_of_range(cmp: Cmp, e: &Expr, value: i128, exact: bool) -> Typing<Option<bool>> {
    if e.width >= 127 || e.signed {
        return Ok(None);
    }
    let max = mask(e.width) as i128;
    if value < 0 || value > max {
        if exact {
            return Err(format!("a comparison of {} bits with {value}", e.width));
        }
        return Ok(Some(match cmp {
            Cmp::Eq => false,
            Cmp::Ne => true,
            Cmp::Lt | Cmp::Le => value > max,
            Cmp::Gt | Cmp::Ge => value < 0,
        }));
    }
    Ok(match (cmp, value) {
        (Cmp::Ge, 0) => Some(true),
        (Cmp::Lt, 0) => Some(false),
        (Cmp::Le, v) if v == max => Some(true),
        (Cmp::Gt, v) if v == max => Some(false),
        _ => None,
    })
}

fn holds(cmp: Cmp, l: i128, r: i128) -> bool {
    match cmp {
        Cmp::Eq => l == r,
        Cmp::Ne => l != r,
        Cmp::Lt => l < r,
        Cmp::Le => l <= r,
        Cmp::Gt => l > r,
        Cmp::Ge => l >= r,
    }
}

/// `32 * self.words.val().index()`: a number and a constant whose width is too small for the
/// number or the result can only have been meant as integers.
fn known(left: &Value, op: &VerilogOp, right: &Value) -> Option<Value> {
    let (l, r, constant) = match (left, right) {
        (Value::Typed(e), Value::Int { value, .. }) => (e.as_const()? as i128, *value, e),
        (Value::Int { value, .. }, Value::Typed(e)) => (*value, e.as_const()? as i128, e),
        _ => return None,
    };
    if constant.signed || constant.width > 64 {
        return None;
    }
    match integers(l, op, r, false).ok()? {
        Value::Int { value, .. } => {
            let fits = |v: i128| (0..=mask(constant.width) as i128).contains(&v);
            (!fits(value) || !fits(l.max(r))).then_some(Value::Int {
                value,
                exact: false,
            })
        }
        decided => Some(decided),
    }
}

fn integers(l: i128, op: &VerilogOp, r: i128, exact: bool) -> Typing<Value> {
    let shift = || u32::try_from(r).ok().filter(|s| *s < 127);
    let value = match op {
        VerilogOp::Add => l.checked_add(r),
        VerilogOp::Sub => l.checked_sub(r),
        VerilogOp::Mul => l.checked_mul(r),
        VerilogOp::BitAnd => Some(l & r),
        VerilogOp::BitOr => Some(l | r),
        VerilogOp::BitXor => Some(l ^ r),
        VerilogOp::Shl => shift().and_then(|s| l.checked_shl(s)),
        VerilogOp::Shr => shift().map(|s| l >> s),
        VerilogOp::Eq => return Ok(Value::Bool(l == r)),
        VerilogOp::Ne => return Ok(Value::Bool(l != r)),
        VerilogOp::Lt => return Ok(Value::Bool(l < r)),
        VerilogOp::Le => return Ok(Value::Bool(l <= r)),
        VerilogOp::Gt => return Ok(Value::Bool(l > r)),
        VerilogOp::Ge => return Ok(Value::Bool(l >= r)),
        VerilogOp::LogicalAnd | VerilogOp::LogicalOr => None,
    };
    match value {
        Some(value) => Ok(Value::Int { value, exact }),
        None => Err(format!("the numbers {l} and {r} cannot be combined here")),
    }
}
