//! Values as C++ expressions.

use super::Writer;
use crate::expr::{Cmp, Fold, Op, Term, Value, mask};
use crate::taint::Taint;
use std::collections::VecDeque;

/// What the text of one unit is made of: the numbers of its form, in their order.
pub(super) struct Context<'a, 'b> {
    pub writer: &'b mut Writer<'a>,
    pub numbers: VecDeque<String>,
    /// What is assigned is equal in all lanes: what differs is compared when it is read.
    pub equal: bool,
    /// What is assigned, in words.
    pub into: String,
    /// What a register's new value is called until it is in its place.
    pub fresh: Option<String>,
}

/// The name of the type of `width` bits.
pub(super) fn type_name(width: usize, lanes: bool) -> String {
    let bits = width.next_power_of_two().max(8);
    format!("{}{bits}", if lanes { 'b' } else { 'u' })
}

/// A number of up to 128 bits.
fn literal(value: u128) -> String {
    match u64::try_from(value) {
        Ok(small) => format!("{small:#x}ull"),
        Err(_) => format!(
            "((u128){:#x}ull << 64 | {:#x}ull)",
            (value >> 64) as u64,
            value as u64
        ),
    }
}

impl Context<'_, '_> {
    pub fn number(&mut self) -> String {
        self.numbers.pop_front().unwrap_or_default()
    }

    fn taint(&self) -> &Taint {
        self.writer.taint
    }

    pub fn differs(&self, value: &Value) -> bool {
        !self.equal && self.taint().value(value)
    }

    /// `value` in lanes, or as one.
    pub fn value_in(&mut self, value: &Value, lanes: bool) -> String {
        let differs = self.differs(value);
        let text = self.value(value);
        match lanes && !differs {
            true => format!("all<{}>({text})", type_name(value.width, true)),
            false => text,
        }
    }

    /// `value` in lanes if it differs between them.
    pub fn value(&mut self, value: &Value) -> String {
        let (width, lanes) = (value.width, self.differs(value));
        let own = type_name(width, lanes);
        match &value.term {
            Term::Constant(number) => match i64::try_from(*number) {
                Ok(_) => format!("({own})({})", self.number()),
                Err(_) => format!("({own}){}", literal(*number)),
            },
            Term::Net(net) => {
                let index = self.number();
                let name = self.writer.name(*net, &index);
                match self.equal && self.taint().nets[*net] {
                    true => self.compared(name, *net),
                    false => name,
                }
            }
            Term::Slice(inner, _) => {
                let low = self.number();
                let inner = self.value(inner);
                let shifted = match low.as_str() {
                    "0" => inner,
                    _ => format!("shr({inner}, {low})"),
                };
                format!("low<{width}, {own}>(to<{own}>({shifted}))")
            }
            Term::Select(base, index) => {
                let base = self.value_in(base, lanes);
                let index = self.value(index);
                format!("low<{width}, {own}>(to<{own}>(shr({base}, {index})))")
            }
            Term::ZeroExtend(inner) => format!("to<{own}>({})", self.value(inner)),
            Term::SignExtend(inner) => {
                format!("low<{width}, {own}>({})", self.signed(inner, &own))
            }
            Term::Not(inner) => format!("low<{width}, {own}>(~{})", self.value(inner)),
            Term::Negate(inner) => format!("low<{width}, {own}>(-{})", self.value(inner)),
            Term::Reduce(fold, inner) => {
                let text = self.value(inner);
                match fold {
                    Fold::Any => format!("some({text})"),
                    Fold::All => format!("every<{}>({text})", inner.width),
                    Fold::Xor => format!("parity({text})"),
                }
            }
            Term::Binary(op, l, r) => {
                // What is compared is compared where it counts only.
                let compared = |v: &Value| self.equal && self.taint().value(v);
                let late = [compared(l), compared(r)];
                let (l, r) = (self.value_in(l, lanes), self.value_in(r, lanes));
                match op {
                    Op::And if width == 1 && late != [false, false] => match late[0] {
                        true => format!("(u8)({r} && {l})"),
                        false => format!("(u8)({l} && {r})"),
                    },
                    Op::And => format!("({own})({l} & {r})"),
                    Op::Or => format!("({own})({l} | {r})"),
                    Op::Xor => format!("({own})({l} ^ {r})"),
                    Op::Add => format!("low<{width}, {own}>({l} + {r})"),
                    Op::Sub => format!("low<{width}, {own}>({l} - {r})"),
                    Op::Mul => format!("low<{width}, {own}>(mul<{own}>({l}, {r}))"),
                }
            }
            Term::Product(factors, signs) => {
                let mut texts = Vec::new();
                for (factor, signed) in factors.iter().zip(signs) {
                    let differs = self.differs(factor);
                    let one = type_name(width, differs);
                    let text = match signed {
                        true => self.signed(factor, &one),
                        false => format!("to<{one}>({})", self.value(factor)),
                    };
                    texts.push(match lanes && !differs {
                        true => format!("all<{own}>({text})"),
                        false => text,
                    });
                }
                format!("low<{width}, {own}>(mul<{own}>({}))", texts.join(", "))
            }
            Term::Compare(cmp, signed, l, r) => {
                let name = match cmp {
                    Cmp::Eq => "eq",
                    Cmp::Ne => "ne",
                    Cmp::Lt => "lt",
                    Cmp::Le => "le",
                    Cmp::Gt => "gt",
                    Cmp::Ge => "ge",
                };
                let width = l.width;
                let (l, r) = (self.value_in(l, lanes), self.value_in(r, lanes));
                match *signed && !matches!(cmp, Cmp::Eq | Cmp::Ne) {
                    true => format!("s{name}<{width}>({l}, {r})"),
                    false => format!("{name}({l}, {r})"),
                }
            }
            Term::ShiftLeft(l, by) => {
                let (l, by) = (self.value_in(l, lanes), self.value(by));
                format!("low<{width}, {own}>(shl({l}, {by}))")
            }
            Term::ShiftRight(l, by) => {
                let (l, by) = (self.value_in(l, lanes), self.value(by));
                format!("low<{width}, {own}>(shr({l}, {by}))")
            }
            Term::Concat(parts) => {
                let mut at = width;
                let mut texts = Vec::new();
                for part in parts {
                    at -= part.width;
                    let part_lanes = self.differs(part);
                    let wide = type_name(width, part_lanes);
                    let text = format!("to<{wide}>({})", self.value(part));
                    let text = match lanes && !part_lanes {
                        true => format!("all<{own}>({text})"),
                        false => text,
                    };
                    texts.push(match at {
                        0 => text,
                        at => format!("shl({text}, {at})"),
                    });
                }
                format!("({own})({})", texts.join(" | "))
            }
            Term::Choose(test, then, other) => {
                let each = self.differs(test);
                let test = self.value(test);
                let (then, other) = (self.value_in(then, lanes), self.value_in(other, lanes));
                match each {
                    true => format!("sel<{own}>({test}, {then}, {other})"),
                    false => format!("({test} ? {then} : {other})"),
                }
            }
            Term::Word(memory, _, address) => {
                let (index, lane) = (self.number(), self.number());
                let each = self.differs(address);
                let address = self.value(address);
                let (family, _) = self.writer.families.memory[*memory];
                let form = &self.writer.families.memories[family];
                let (lanes, depth) = (form.lanes, form.depth);
                let cells =
                    format!("&s.m{family}[{index}][0][{lane}], {lanes}, {depth}, {address}");
                match (each, self.equal && form.differs) {
                    (true, _) => format!("gather<{own}>({cells})"),
                    (false, true) => {
                        let path = self.writer.flat.memories[*memory].path.clone();
                        self.same(format!("word({cells})"), path)
                    }
                    (false, false) => format!("word({cells})"),
                }
            }
        }
    }

    /// Bits of `own` that stand for the signed number `value`.
    fn signed(&mut self, value: &Value, own: &str) -> String {
        format!("sext<{}, {own}>({})", value.width, self.value(value))
    }

    fn compared(&mut self, text: String, net: usize) -> String {
        self.same(text, self.writer.flat.nets[net].path.clone())
    }

    /// `text`, which stands for what is called `path`, as one value for all lanes.
    pub fn same(&mut self, text: String, path: String) -> String {
        let name = match self.into.is_empty() {
            true => path,
            false => format!("{path} (for {})", self.into),
        };
        let id = self.writer.watched(name);
        format!("same({text}, {id}, s)")
    }

    /// `width` ones in a type.
    pub fn ones(width: usize, own: &str) -> String {
        match own.starts_with('b') {
            true => format!("all<{own}>({})", literal(mask(width))),
            false => format!("({own}){}", literal(mask(width))),
        }
    }
}
