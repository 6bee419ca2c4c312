//! Statements as C++.

use super::value::{Context, type_name};
use crate::expr::{Op, Statement, Target, Term, Value};

impl Context<'_, '_> {
    pub fn block(&mut self, block: &[Statement], within: Option<&str>, out: &mut Vec<String>) {
        for statement in block {
            self.statement(statement, within, out);
        }
    }

    /// `within`: lanes (0 or 1 each) in which it happens, if not in all.
    fn statement(&mut self, statement: &Statement, within: Option<&str>, out: &mut Vec<String>) {
        match statement {
            Statement::Assign(target, value) => self.assign(target, value, within, out),
            Statement::If(test, then, other) => {
                let differs = self.differs(test);
                if differs
                    && other.is_empty()
                    && let Some([first, second]) = self.parts(test)
                {
                    // What is the same in all lanes is asked first.
                    let (mut common, mut own) = (self.value(first), self.value(second));
                    if self.differs(first) {
                        std::mem::swap(&mut common, &mut own);
                    }
                    let name = self.writer.fresh("q");
                    out.push(format!("if ({common}) {{ b8 {name} = {own};"));
                    let within = self.and(within, &name, out);
                    out.push(format!("if (hit({within})) {{"));
                    self.block(then, Some(&within), out);
                    out.push("}}".into());
                    return;
                }
                let text = self.value(test);
                if !differs {
                    out.push(format!("if ({text}) {{"));
                    self.block(then, within, out);
                    if !other.is_empty() {
                        out.push("} else {".into());
                        self.block(other, within, out);
                    }
                    out.push("}".into());
                    return;
                }
                let name = self.writer.fresh("q");
                out.push(format!("b8 {name} = {text};"));
                let then_in = self.and(within, &name, out);
                if other.is_empty() {
                    out.push(format!("if (hit({then_in})) {{"));
                    self.block(then, Some(&then_in), out);
                    out.push("}".into());
                } else {
                    self.block(then, Some(&then_in), out);
                    let not = self.writer.fresh("q");
                    out.push(format!("b8 {not} = {name} ^ all<b8>(1);"));
                    let other_in = self.and(within, &not, out);
                    self.block(other, Some(&other_in), out);
                }
            }
            Statement::Case(test, arms, default) => self.case(test, arms, default, within, out),
        }
    }

    /// The sides of a conjunction of which one is the same in all lanes.
    fn parts<'v>(&self, test: &'v Value) -> Option<[&'v Value; 2]> {
        match &test.term {
            Term::Binary(Op::And, l, r) if self.differs(l) != self.differs(r) => Some([l, r]),
            _ => None,
        }
    }

    fn and(&mut self, within: Option<&str>, name: &str, out: &mut Vec<String>) -> String {
        let Some(within) = within else {
            return name.to_string();
        };
        let both = self.writer.fresh("q");
        out.push(format!("b8 {both} = {within} & {name};"));
        both
    }

    fn case(
        &mut self,
        test: &Value,
        arms: &[(u128, Vec<Statement>)],
        default: &[Statement],
        within: Option<&str>,
        out: &mut Vec<String>,
    ) {
        let differs = self.differs(test);
        let text = self.value(test);
        if !differs {
            out.push(format!("switch ({text}) {{"));
            for (label, block) in arms {
                out.push(format!("case {label}: {{"));
                self.block(block, within, out);
                out.push("} break;".into());
            }
            out.push("default: {".into());
            self.block(default, within, out);
            out.push("} break;".into());
            out.push("}".into());
            return;
        }
        let own = type_name(test.width, true);
        let chosen = self.writer.fresh("q");
        let rest = self.writer.fresh("q");
        out.push(format!("{own} {chosen} = {text};"));
        out.push(format!("b8 {rest} = all<b8>(1);"));
        for (label, block) in arms {
            let hit = self.writer.fresh("q");
            out.push(format!("b8 {hit} = eq({chosen}, all<{own}>({label}));"));
            out.push(format!("{rest} = {rest} ^ {hit};"));
            let inside = self.and(within, &hit, out);
            self.block(block, Some(&inside), out);
        }
        let inside = self.and(within, &rest, out);
        self.block(default, Some(&inside), out);
    }

    fn assign(
        &mut self,
        target: &Target,
        value: &Value,
        within: Option<&str>,
        out: &mut Vec<String>,
    ) {
        if let Target::Word(memory, _, address) = target {
            let (index, lane) = (self.number(), self.number());
            let (family, _) = self.writer.families.memory[*memory];
            let form = &self.writer.families.memories[family];
            let (lanes, depth, differs) = (form.lanes, form.depth, form.differs);
            let each = self.differs(address);
            let mut address_text = self.value(address);
            if each {
                // Where words are written is control.
                address_text = self.same(address_text, "the write address".to_owned());
            }
            let text = self.value_in(value, differs);
            let at = self.writer.fresh("a");
            let place = format!("(&s.m{family}[{index}][0][{lane}])[(u64){at} * {lanes}]");
            out.push(format!("u32 {at} = {address_text};"));
            let text = self.kept(text, &place, within);
            out.push(format!("if ({at} < {depth}) {place} = {text};"));
            return;
        }
        let Some(net) = target.net() else { return };
        let index = self.number();
        let (lanes, width) = {
            let family = &self.writer.families.list[self.writer.families.nets[net].0];
            (family.lanes, family.width)
        };
        let place = match &self.fresh {
            Some(fresh) => fresh.clone(),
            None => self.writer.name(net, &index),
        };
        let own = type_name(width, lanes);
        let text = match target {
            Target::Whole(_) => self.value_in(value, lanes),
            Target::Bits(_, _, bits) => {
                let low = self.number();
                let text = self.value_in(value, lanes);
                let ones = Self::ones(*bits, &own);
                format!("put<{own}>({place}, {low}, {ones}, to<{own}>({text}))")
            }
            Target::Variable(_, from, bits) => {
                let from = self.value(from);
                let text = self.value_in(value, lanes);
                let ones = Self::ones(*bits, &own);
                format!("put<{own}>({place}, {from}, {ones}, to<{own}>({text}))")
            }
            Target::Word(..) => return,
        };
        let text = self.kept(text, &place, within);
        out.push(format!("{place} = {text};"));
    }

    /// `text` in the lanes `within`, the old value in others.
    fn kept(&self, text: String, place: &str, within: Option<&str>) -> String {
        match within {
            Some(within) => format!("sel({within}, {text}, {place})"),
            None => text,
        }
    }
}
