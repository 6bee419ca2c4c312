//! Text of expressions and statements.

use super::ir::*;
use super::text::{LINE, comment, fill, is_call, literal};
use std::cell::RefCell;
use std::fmt::Write;

/// What the surrounding operator asks of the sign of a printed operand.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Any,
    Signed,
    Unsigned,
}

/// Prints over one module's signals.
pub(crate) struct Printer<'a> {
    pub signals: &'a [Signal],
    pub names: &'a [String],
    /// Variables of the loops around what is printed, outermost first.
    pub loops: RefCell<Vec<(LoopId, String)>>,
    /// In a block of its own: name of the only target, and what lanes of a signal are called.
    pub local: RefCell<Option<(String, SignalId, String)>>,
}

/// A case of as many numbers is a table, which is printed several entries in a line.
const TABLE: usize = 64;

impl<'a> Printer<'a> {
    pub fn new(signals: &'a [Signal], names: &'a [String]) -> Self {
        Self {
            signals,
            names,
            loops: RefCell::default(),
            local: RefCell::default(),
        }
    }

    pub fn expr(&self, e: &Expr) -> String {
        self.operand(e, Sign::Any)
    }

    fn operand(&self, e: &Expr, sign: Sign) -> String {
        match &e.kind {
            Kind::Const { value, name } => constant(e, *value, name.as_deref(), sign),
            Kind::Signal(s) => self.signal(*s, sign),
            Kind::Reinterpret(inner) => self.reinterpreted(inner, sign),
            Kind::Not(inner) => format!("{}{}", self.not(e), self.tight(inner, sign)),
            Kind::Neg(inner) => format!("-{}", self.tight(inner, sign)),
            Kind::Binary(op, l, r) => self.binary(*op, e, l, r, sign),
            Kind::ShiftLeft(l, by) => format!("{} << {}", self.tight(l, sign), self.amount(by)),
            Kind::ShiftRight(l, by) => format!("{} >> {}", self.tight(l, sign), self.amount(by)),
            Kind::Mux(test, then, other) => format!(
                "{} ? {} : {}",
                self.tight(test, Sign::Any),
                self.tight(then, sign),
                self.tight(other, sign)
            ),
            _ => {
                let text = self.self_determined(e);
                match sign {
                    Sign::Signed => format!("$signed({text})"),
                    _ => text,
                }
            }
        }
    }

    fn signal(&self, id: SignalId, sign: Sign) -> String {
        let name = &self.names[id];
        match (sign, self.signals[id].signed) {
            (Sign::Signed, false) => format!("$signed({name})"),
            (Sign::Unsigned, true) => format!("$unsigned({name})"),
            _ => name.clone(),
        }
    }

    fn reinterpreted(&self, inner: &Expr, sign: Sign) -> String {
        match sign {
            Sign::Any => self.operand(inner, Sign::Any),
            _ => self.operand(inner, sign),
        }
    }

    fn not(&self, e: &Expr) -> &'static str {
        if e.width == 1 { "!" } else { "~" }
    }

    fn binary(&self, op: Op, e: &Expr, l: &Expr, r: &Expr, sign: Sign) -> String {
        let symbol = match op {
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::And => "&",
            Op::Or => "|",
            Op::Xor => "^",
        };
        let sign = match (op, sign) {
            (Op::Mul, Sign::Any) if e.signed => Sign::Signed,
            (Op::Mul, Sign::Any) => Sign::Unsigned,
            _ => sign,
        };
        let left = match &l.kind {
            Kind::Binary(same, ..) if *same == op && op != Op::Mul => self.operand(l, sign),
            _ => self.tight(l, sign),
        };
        format!("{left} {symbol} {}", self.tight(r, sign))
    }

    /// Operators whose operands do not take the context's width or sign.
    fn self_determined(&self, e: &Expr) -> String {
        if let Some((_, array, lane)) = &*self.local.borrow()
            && let Kind::Slice { signal, .. } | Kind::Lane { signal, .. } = &e.kind
            && signal == array
        {
            return lane.clone();
        }
        match &e.kind {
            Kind::Slice { signal, low, .. } => {
                let low = low + self.first(*signal);
                format!("{}{}", self.names[*signal], range(low, e.width))
            }
            Kind::Lane { signal, low } => self.lane(*signal, low, e.width),
            Kind::Index(affine) => self.index(affine, e.width),
            Kind::Select { signal, index, .. } => {
                let (name, index) = (&self.names[*signal], self.expr(index));
                match e.width {
                    1 => format!("{name}[{index}]"),
                    width => format!("{name}[{index} +: {width}]"),
                }
            }
            Kind::ZeroExtend(inner) => {
                let zeros = literal(0, e.width - inner.width, false, false);
                format!("{{{zeros}, {}}}", self.expr(inner))
            }
            Kind::SignExtend(inner) => self.sign_extension(inner, e.width - inner.width),
            Kind::Reduce(fold, inner) => {
                let symbol = match fold {
                    Fold::All => "&",
                    Fold::Any => "|",
                    Fold::Xor => "^",
                };
                // `^~x` would be one operator.
                match inner.kind {
                    Kind::Not(_) => format!("{symbol}({})", self.expr(inner)),
                    _ => format!("{symbol}{}", self.tight(inner, Sign::Any)),
                }
            }
            Kind::Compare(cmp, l, r) => self.compare(*cmp, l, r),
            Kind::LogicalAnd(l, r) => self.logical("&&", e, l, r),
            Kind::LogicalOr(l, r) => self.logical("||", e, l, r),
            Kind::Concat(parts) => {
                let parts: Vec<String> = parts.iter().map(|p| self.expr(p)).collect();
                format!("{{{}}}", parts.join(", "))
            }
            _ => self.operand(e, Sign::Any),
        }
    }

    fn sign_extension(&self, inner: &Expr, count: usize) -> String {
        let text = self.expr(inner);
        if inner.width == 1 {
            return format!("{{{}{{{text}}}}}", count + 1);
        }
        let top = inner.bits(inner.width - 1, 1);
        let top = top.map_or_else(|| text.clone(), |bit| self.expr(&bit.reinterpret(false)));
        format!("{{{{{count}{{{top}}}}}, {text}}}")
    }

    fn compare(&self, cmp: Cmp, l: &Expr, r: &Expr) -> String {
        let (symbol, ordered) = match cmp {
            Cmp::Eq => ("==", false),
            Cmp::Ne => ("!=", false),
            Cmp::Lt => ("<", true),
            Cmp::Le => ("<=", true),
            Cmp::Gt => (">", true),
            Cmp::Ge => (">=", true),
        };
        let sign = match (ordered, l.signed) {
            (false, _) => Sign::Any,
            (true, true) => Sign::Signed,
            (true, false) => Sign::Unsigned,
        };
        format!("{} {symbol} {}", self.tight(l, sign), self.tight(r, sign))
    }

    fn logical(&self, symbol: &str, e: &Expr, l: &Expr, r: &Expr) -> String {
        let same = std::mem::discriminant(&l.kind) == std::mem::discriminant(&e.kind);
        let left = match same {
            true => self.operand(l, Sign::Any),
            false => self.tight(l, Sign::Any),
        };
        format!("{left} {symbol} {}", self.tight(r, Sign::Any))
    }

    fn amount(&self, by: &Expr) -> String {
        match by.as_const() {
            Some(value) => value.to_string(),
            None => self.tight(by, Sign::Any),
        }
    }

    /// In parentheses, unless it is one word.
    fn tight(&self, e: &Expr, sign: Sign) -> String {
        let text = self.operand(e, sign);
        let bare = match &e.kind {
            Kind::Reinterpret(inner) => is_word(inner),
            _ => is_word(e),
        };
        if bare || is_call(&text) {
            text
        } else {
            format!("({text})")
        }
    }

    pub fn target(&self, target: SignalId, part: &Part) -> String {
        if let Some((name, ..)) = &*self.local.borrow() {
            return name.clone();
        }
        let name = &self.names[target];
        match part {
            Part::Whole => name.clone(),
            Part::Bits { low, width } => {
                format!("{name}{}", range(low + self.first(target), *width))
            }
            Part::Lane { low, width } => self.lane(target, low, *width),
            Part::Variable { index, width: 1 } => format!("{name}[{}]", self.expr(index)),
            Part::Variable { index, width } => format!("{name}[{} +: {width}]", self.expr(index)),
        }
    }

    /// `head value;`, on several lines if it is long and has parts.
    pub fn long(&self, head: &str, value: &Expr, indent: usize, out: &mut String) {
        let pad = "    ".repeat(indent);
        let text = self.expr(value);
        if pad.len() + head.len() + text.len() + 2 <= LINE {
            let _ = writeln!(out, "{pad}{head} {text};");
            return;
        }
        match &value.kind {
            Kind::Concat(parts) => {
                let _ = writeln!(out, "{pad}{head} {{");
                let parts: Vec<String> = parts.iter().map(|p| self.expr(p)).collect();
                let _ = writeln!(
                    out,
                    "{pad}    {}",
                    fill(&parts, pad.len() + 4, pad.len() + 4)
                );
                let _ = writeln!(out, "{pad}}};");
            }
            _ => {
                let terms = self.terms(value);
                let space = match terms.len() {
                    1 => format!("\n{pad}    "),
                    _ => " ".to_string(),
                };
                let value = terms.join(&format!("\n{pad}    "));
                let _ = writeln!(out, "{pad}{head}{space}{value};");
            }
        }
    }

    /// The operands of a chain of one operator, the operator before all but the first.
    fn terms(&self, e: &Expr) -> Vec<String> {
        let (symbol, l, r) = match &e.kind {
            Kind::Binary(op, l, r) if matches!(op, Op::And | Op::Or | Op::Xor | Op::Add) => {
                let symbol = match op {
                    Op::And => "&",
                    Op::Or => "|",
                    Op::Xor => "^",
                    _ => "+",
                };
                (symbol, l, r)
            }
            Kind::Mux(test, then, other) => {
                return vec![
                    self.tight(test, Sign::Any),
                    format!("? {}", self.tight(then, Sign::Any)),
                    format!(": {}", self.tight(other, Sign::Any)),
                ];
            }
            Kind::LogicalAnd(l, r) => ("&&", l, r),
            Kind::LogicalOr(l, r) => ("||", l, r),
            _ => return vec![self.expr(e)],
        };
        let same = match (&e.kind, &l.kind) {
            (Kind::Binary(a, ..), Kind::Binary(b, ..)) => a == b,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        };
        let mut terms = match same {
            true => self.terms(l),
            false => vec![self.tight(l, Sign::Any)],
        };
        terms.push(format!("{symbol} {}", self.tight(r, Sign::Any)));
        terms
    }

    /// Statements with blocking (`=`) or nonblocking (`<=`) assignments.
    pub fn block(&self, block: &[Stmt], op: &str, indent: usize, out: &mut String) {
        for (at, statement) in block.iter().enumerate() {
            let follows = at > 0 && !matches!(block[at - 1], Stmt::Comment(_));
            if follows && matches!(statement, Stmt::Comment(_)) {
                out.push('\n');
            }
            self.statement(statement, op, indent, out);
        }
    }

    fn statement(&self, statement: &Stmt, op: &str, indent: usize, out: &mut String) {
        let pad = "    ".repeat(indent);
        match statement {
            Stmt::Comment(text) => out.push_str(&comment(text, pad.len())),
            Stmt::Loop { .. } => self.repeated(statement, op, indent, out),
            Stmt::Assign {
                target,
                part,
                value,
            } => {
                let head = format!("{} {op}", self.target(*target, part));
                self.long(&head, value, indent, out);
            }
            Stmt::If { .. } => {
                out.push_str(&pad);
                self.conditional(statement, op, indent, out);
            }
            Stmt::Case {
                test,
                arms,
                default,
            } => {
                let _ = writeln!(out, "{pad}case ({})", self.expr(test));
                if !self.table(arms, op, indent + 1, out) {
                    for (label, block) in arms {
                        self.arm(&self.expr(label), block, op, indent + 1, out);
                    }
                }
                match default {
                    Some(block) => self.arm("default", block, op, indent + 1, out),
                    None if test.width >= 64 || arms.len() < 1 << test.width => {
                        let _ = writeln!(out, "{pad}    default: ;");
                    }
                    None => {}
                }
                let _ = writeln!(out, "{pad}endcase");
            }
        }
    }

    /// Prints arms that give numbers only, several in a line with the remark of the first; `false`
    /// if there are others or few.
    fn table(&self, arms: &[(Expr, Vec<Stmt>)], op: &str, indent: usize, out: &mut String) -> bool {
        let is_number = |block: &Vec<Stmt>| match &block[..] {
            [Stmt::Assign { value, .. }] | [Stmt::Comment(_), Stmt::Assign { value, .. }] => {
                value.as_const().is_some()
            }
            _ => false,
        };
        if arms.len() < TABLE || !arms.iter().all(|(_, block)| is_number(block)) {
            return false;
        }
        let pad = "    ".repeat(indent);
        let (mut line, mut remark) = (pad.clone(), String::new());
        for (label, block) in arms {
            let (own, rest) = match &block[..] {
                [Stmt::Comment(text), rest @ ..] => (format!(" // {text}"), rest),
                rest => (String::new(), rest),
            };
            let number = self.one_line(rest, op).unwrap_or_default();
            let arm = format!("{}: {number}", self.expr(label));
            let begun = line.len() > pad.len();
            if begun && line.len() + 2 + arm.len() + remark.len() <= LINE {
                line.push_str("  ");
            } else {
                if begun {
                    let _ = writeln!(out, "{line}{remark}");
                }
                (line, remark) = (pad.clone(), own);
            }
            line.push_str(&arm);
        }
        let _ = writeln!(out, "{line}{remark}");
        true
    }

    fn arm(&self, label: &str, block: &[Stmt], op: &str, indent: usize, out: &mut String) {
        let pad = "    ".repeat(indent);
        let (remark, rest) = match block {
            [Stmt::Comment(text), rest @ ..] => (format!(" // {text}"), rest),
            block => (String::new(), block),
        };
        if let Some(line) = self.one_line(rest, op)
            && pad.len() + label.len() + line.len() + remark.len() + 2 <= LINE
        {
            let _ = writeln!(out, "{pad}{label}: {line}{remark}");
            return;
        }
        if block.is_empty() {
            let _ = writeln!(out, "{pad}{label}: ;");
            return;
        }
        let _ = writeln!(out, "{pad}{label}: begin");
        self.block(block, op, indent + 1, out);
        let _ = writeln!(out, "{pad}end");
    }

    /// A block of one short assignment.
    fn one_line(&self, block: &[Stmt], op: &str) -> Option<String> {
        match block {
            [
                Stmt::Assign {
                    target,
                    part,
                    value,
                },
            ] => Some(format!(
                "{} {op} {};",
                self.target(*target, part),
                self.expr(value)
            )),
            _ => None,
        }
    }

    /// `if (..) ..` from the current column on.
    fn conditional(&self, statement: &Stmt, op: &str, indent: usize, out: &mut String) {
        let Stmt::If { test, then, other } = statement else {
            return;
        };
        let pad = "    ".repeat(indent);
        let mut head = format!("if ({})", self.expr(test));
        if pad.len() + head.len() + " begin".len() > LINE {
            let terms = self.terms(test).join(&format!("\n{pad}        "));
            head = format!("if ({terms})");
        }
        if other.is_empty()
            && !out.ends_with("else ")
            && let Some(line) = self.one_line(then, op)
            && pad.len() + head.len() + line.len() < LINE
        {
            let _ = writeln!(out, "{head} {line}");
            return;
        }
        let _ = writeln!(out, "{head} begin");
        self.block(then, op, indent + 1, out);
        let _ = write!(out, "{pad}end");
        match &other[..] {
            [] => out.push('\n'),
            [next @ Stmt::If { .. }] => {
                out.push_str(" else ");
                self.conditional(next, op, indent, out);
            }
            block => {
                out.push_str(" else begin\n");
                self.block(block, op, indent + 1, out);
                let _ = writeln!(out, "{pad}end");
            }
        }
    }
}

/// A named value by its name where its sign fits, any other as a literal.
fn constant(e: &Expr, value: u128, named: Option<&NamedValue>, sign: Sign) -> String {
    let named = named.filter(|named| named.width == e.width);
    if let Some(named) = named
        && let Some(name) = &named.name
        && (sign != Sign::Unsigned || !named.signed)
    {
        return name.clone();
    }
    let signed = sign == Sign::Signed || (sign == Sign::Any && e.signed);
    literal(value, e.width, signed, named.is_some_and(|n| n.pattern))
}

/// Needs no parentheses as an operand.
fn is_word(e: &Expr) -> bool {
    match &e.kind {
        Kind::Const { .. } | Kind::Signal(_) | Kind::Slice { .. } | Kind::Select { .. } => true,
        Kind::ZeroExtend(_) | Kind::SignExtend(_) | Kind::Concat(_) => true,
        Kind::Lane { .. } => true,
        Kind::Index(affine) => affine.base == 0,
        Kind::Not(_) => true,
        Kind::Reinterpret(inner) => is_word(inner),
        _ => false,
    }
}

fn range(low: usize, width: usize) -> String {
    match width {
        1 => format!("[{low}]"),
        _ => format!("[{}:{low}]", low + width - 1),
    }
}
