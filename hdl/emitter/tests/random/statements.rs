//! Assignments, conditions and cases over random expressions.

use super::{Eval, Generator, State, Term, Type, literal};
use rand::RngExt;
use rust_hdl::prelude::ast::{
    VerilogBlockOrConditional as Otherwise, VerilogCase, VerilogConditional,
    VerilogExpression as Ast, VerilogMatch, VerilogOp, VerilogStatement,
};
use std::rc::Rc;

/// Statements with what they do to the interpreter's state.
#[derive(Clone)]
pub struct Step {
    pub ast: VerilogStatement,
    pub run: Rc<dyn Fn(&mut State)>,
}

impl Generator {
    /// The right-hand side of an assignment.
    pub fn value(&mut self, ty: Type) -> Term {
        match (ty, self.pick(4)) {
            (Type::S32, 0 | 1) => self.binary(VerilogOp::Mul, Type::S16, ty, 1),
            (Type::S32, 2) => self.cast(Type::S16, ty),
            (Type::S16, 0) => self.cast(Type::S8, ty),
            (Type::U20, 0) => self.cast(Type::U8, ty),
            _ => {
                let depth = 1 + self.pick(3);
                self.term(ty, depth)
            }
        }
    }

    pub fn assign(&mut self, target: &str, ty: Type) -> Step {
        let value = self.value(ty);
        self.assign_value(target, value)
    }

    pub fn assign_value(&mut self, target: &str, value: Term) -> Step {
        let name = target.to_string();
        let ast =
            VerilogStatement::Assignment(Ast::Signal(format!("{target}$next")), value.ast.clone());
        Step {
            ast,
            run: Rc::new(move |s: &mut State| {
                let v = (value.eval)(s);
                s.insert(name.clone(), v);
            }),
        }
    }

    /// `t = t.replace_bit(i, b)` of an eight-bit signal.
    pub fn replace_bit(&mut self, target: &str) -> Step {
        let bit = self.term(Type::Bit, 1);
        let place = self.pick(9) as u64;
        let (index, at): (Ast, Eval) = if place == 8 {
            let k = self.signal(Type::U3);
            (k.ast.clone(), k.eval.clone())
        } else {
            (literal(place), Rc::new(move |_| place))
        };
        let itself = Box::new(Ast::Signal(target.to_string()));
        let value = Ast::IndexReplace(itself, Box::new(index), Box::new(bit.ast.clone()));
        let name = target.to_string();
        Step {
            ast: VerilogStatement::Assignment(Ast::Signal(format!("{target}$next")), value),
            run: Rc::new(move |s: &mut State| {
                let (at, bit, old) = (at(s), (bit.eval)(s), s[&name]);
                s.insert(name.clone(), old & !(1 << at) | bit << at);
            }),
        }
    }

    pub fn block(&mut self, targets: &[(String, Type)], depth: usize) -> Vec<Step> {
        let count = 1 + self.pick(2);
        (0..count).map(|_| self.change(targets, depth)).collect()
    }

    /// Assigns some of `targets` again, perhaps under a condition.
    pub fn change(&mut self, targets: &[(String, Type)], depth: usize) -> Step {
        let (name, ty) = targets[self.pick(targets.len())].clone();
        match self.pick(if depth == 0 { 4 } else { 8 }) {
            0 | 1 if ty == Type::U8 => self.replace_bit(&name),
            0..=3 => self.assign(&name, ty),
            4..=6 => {
                let test = self.term(Type::Bit, 2);
                let then = self.block(targets, depth - 1);
                let other = match self.rng.random_bool(0.4) {
                    true => self.block(targets, depth - 1),
                    false => Vec::new(),
                };
                conditional(test, then, other)
            }
            _ => {
                let test = self.signal(Type::U3);
                let labels = 1 + self.pick(7);
                let arms: Vec<Vec<Step>> = (0..labels)
                    .map(|_| self.block(targets, depth - 1))
                    .collect();
                let default = self.block(targets, depth - 1);
                case(test, arms, default)
            }
        }
    }
}

pub fn asts(block: &[Step]) -> Vec<VerilogStatement> {
    block.iter().map(|step| step.ast.clone()).collect()
}

pub fn conditional(test: Term, then: Vec<Step>, other: Vec<Step>) -> Step {
    let otherwise = match other.is_empty() {
        true => Otherwise::None,
        false => Otherwise::Block(asts(&other)),
    };
    let ast = VerilogStatement::If(VerilogConditional {
        test: test.ast.clone(),
        then: asts(&then),
        otherwise,
    });
    let run = Rc::new(move |s: &mut State| {
        let block = if (test.eval)(s) == 1 { &then } else { &other };
        block.iter().for_each(|step| (step.run)(s));
    });
    Step { ast, run }
}

pub fn case(test: Term, arms: Vec<Vec<Step>>, default: Vec<Step>) -> Step {
    let mut cases: Vec<VerilogCase> = arms
        .iter()
        .enumerate()
        .map(|(label, block)| VerilogCase {
            condition: label.to_string(),
            block: asts(block),
        })
        .collect();
    cases.push(VerilogCase {
        condition: "default".to_string(),
        block: asts(&default),
    });
    let ast = VerilogStatement::Match(VerilogMatch {
        test: test.ast.clone(),
        cases,
    });
    let run = Rc::new(move |s: &mut State| {
        let block = arms.get((test.eval)(s) as usize).unwrap_or(&default);
        block.iter().for_each(|step| (step.run)(s));
    });
    Step { ast, run }
}
