//! Typing rules of the operators: widths, signs, folding of what is known.

use super::ir::{Cmp, Expr, Fold, Kind, Op, mask};
use super::typing::{Typing, Value, index_bits};
use rust_hdl::prelude::ast::VerilogOp;

pub(crate) fn unknown_width() -> String {
    "a signed_bit_cast whose width the context does not fix: assign it to a Local first".into()
}

pub(crate) fn not_plain() -> String {
    "a slice or index of something that is not a plain signal: assign it to a Local first".into()
}

pub(crate) fn literal_int(text: &str) -> Typing<Value> {
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

pub(crate) fn resize(e: Expr, width: usize) -> Typing<Expr> {
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
pub(crate) fn stretch(e: Expr, width: usize) -> Typing<Expr> {
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
pub(crate) fn pair(left: Value, right: Value) -> Typing<(Expr, Expr)> {
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

pub(crate) fn arithmetic(op: Op, left: Value, right: Value) -> Typing<Value> {
    if let (Value::Bool(l), Value::Bool(r)) = (&left, &right) {
        return match op {
            Op::And => Ok(Value::Bool(l & r)),
            Op::Or => Ok(Value::Bool(l | r)),
            Op::Xor => Ok(Value::Bool(l ^ r)),
            _ => Err("arithmetic on conditions".to_string()),
        };
    }
    let (l, r) = match op {
        Op::Mul => pair(factor(left)?, factor(right)?)?,
        _ => pair(left, right)?,
    };
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
    let (l, r) = match op {
        Op::Mul if signed => (unextended(l), unextended(r)),
        _ => (l, r),
    };
    let kind = Kind::Binary(op, Box::new(l), Box::new(r));
    Ok(Value::Typed(Expr::new(result, signed, kind)))
}

/// Factors have 16 bits, which fixes the width of a `signed_bit_cast`.
fn factor(value: Value) -> Typing<Value> {
    match value {
        Value::Stretch { inner, signed } => {
            let e = stretch(inner, 16)?;
            Ok(Value::Typed(e.reinterpret(signed)))
        }
        other => Ok(other),
    }
}

/// A signed product extends its factors itself, so an extension need not be spelled out:
/// narrow factors are what synthesis maps and simulation computes fastest.
fn unextended(e: Expr) -> Expr {
    match e.kind {
        Kind::SignExtend(inner) => *inner,
        _ => e,
    }
}

pub(crate) fn logical(left: Value, and: bool, right: Value) -> Typing<Value> {
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

pub(crate) fn one_bit(value: Value) -> Typing<Value> {
    match value {
        Value::Bool(_) => Ok(value),
        other => coerce(other, 1, false).map(Value::Typed),
    }
}

pub(crate) fn reduce(fold: Fold, e: Expr) -> Typing<Expr> {
    no_product(&e)?;
    if e.width == 1 {
        return Ok(e.reinterpret(false));
    }
    Ok(Expr::new(1, false, Kind::Reduce(fold, Box::new(e))))
}

/// Verilog would compute a product that is not assigned directly in 16 bits, or unsigned.
pub(crate) fn no_product(e: &Expr) -> Typing<()> {
    let mut found = false;
    e.walk(&mut |e| found |= matches!(e.kind, Kind::Binary(Op::Mul, ..)));
    match found {
        true => Err("a product inside another expression: assign it to a Local first".into()),
        false => Ok(()),
    }
}

pub(crate) fn shift(left: Value, up: bool, right: Value) -> Typing<Value> {
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
pub(crate) fn shift_by(l: Expr, up: bool, amount: usize) -> Expr {
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

pub(crate) fn compare(cmp: Cmp, left: Value, right: Value) -> Typing<Value> {
    if let (Value::Bool(l), Value::Bool(r)) = (&left, &right) {
        return Ok(Value::Bool(holds(cmp, *l as i128, *r as i128)));
    }
    if let (Value::Typed(e), Value::Int { value, exact }) = (&left, &right)
        && let Some(decided) = decided_by_range(cmp, e, *value, *exact)?
    {
        return Ok(Value::Bool(decided));
    }
    if let (Value::Int { .. }, Value::Typed(_)) = (&left, &right) {
        return compare(cmp.mirrored(), right, left);
    }
    let (l, r) = pair(left, right)?;
    no_product(&l)?;
    no_product(&r)?;
    let decided = match (known_value(&l), known_value(&r)) {
        (Some(a), Some(b)) => Some(holds(cmp, a, b)),
        (None, Some(b)) => decided_by_range(cmp, &l, b, true)?,
        (Some(a), None) => decided_by_range(cmp.mirrored(), &r, a, true)?,
        (None, None) => None,
    };
    if let Some(decided) = decided {
        return Ok(Value::Bool(decided));
    }
    if l.width == 1
        && let Some(b) = r.as_const()
    {
        match (cmp, b) {
            (Cmp::Eq, 1) | (Cmp::Ne, 0) => return Ok(Value::Typed(l)),
            (Cmp::Eq, 0) | (Cmp::Ne, 1) => return Ok(Value::Typed(l.inverted())),
            _ => {}
        }
    }
    let kind = Kind::Compare(cmp, Box::new(l), Box::new(r));
    Ok(Value::Typed(Expr::new(1, false, kind)))
}

/// The number that a constant of less than 127 bits stands for.
fn known_value(e: &Expr) -> Option<i128> {
    let bits = e.as_const().filter(|_| e.width < 127)?;
    Some(match e.signed && bits >> (e.width - 1) == 1 {
        true => bits as i128 - (1 << e.width),
        false => bits as i128,
    })
}

/// Decides comparisons that the range of `e` decides; Verilator would warn about them.
fn decided_by_range(cmp: Cmp, e: &Expr, value: i128, exact: bool) -> Typing<Option<bool>> {
    if e.width >= 127 {
        return Ok(None);
    }
    let (min, max) = match e.signed {
        true => (-(1 << (e.width - 1)), (1 << (e.width - 1)) - 1),
        false => (0, mask(e.width) as i128),
    };
    if value < min || value > max {
        if exact {
            return Err(format!(
                "a comparison of {} bits with {value}, which they cannot hold",
                e.width
            ));
        }
        return Ok(Some(match cmp {
            Cmp::Eq => false,
            Cmp::Ne => true,
            Cmp::Lt | Cmp::Le => value > max,
            Cmp::Gt | Cmp::Ge => value < min,
        }));
    }
    Ok(match cmp {
        Cmp::Ge if value == min => Some(true),
        Cmp::Lt if value == min => Some(false),
        Cmp::Le if value == max => Some(true),
        Cmp::Gt if value == max => Some(false),
        _ => None,
    })
}

pub(crate) fn holds(cmp: Cmp, l: i128, r: i128) -> bool {
    match cmp {
        Cmp::Eq => l == r,
        Cmp::Ne => l != r,
        Cmp::Lt => l < r,
        Cmp::Le => l <= r,
        Cmp::Gt => l > r,
        Cmp::Ge => l >= r,
    }
}

/// `32 * self.words.val().index()`: a number and a `Constant` field whose width is too small for the
/// number or the result can only have been meant as integers.
pub(crate) fn known(left: &Value, op: &VerilogOp, right: &Value) -> Option<Value> {
    let (l, r, constant) = match (left, right) {
        (Value::Typed(e), Value::Int { value, .. }) => (known_value(e)?, *value, e),
        (Value::Int { value, .. }, Value::Typed(e)) => (*value, known_value(e)?, e),
        _ => return None,
    };
    let field = matches!(constant.kind, Kind::Const { name: Some(_), .. });
    if constant.signed || !field {
        return None;
    }
    match integers(l, op, r, false).ok()? {
        Value::Int { value, .. } => {
            let too_large = value.max(l).max(r) > mask(constant.width) as i128;
            too_large.then_some(Value::Int {
                value,
                exact: false,
            })
        }
        decided => Some(decided),
    }
}

pub(crate) fn integers(l: i128, op: &VerilogOp, r: i128, exact: bool) -> Typing<Value> {
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
