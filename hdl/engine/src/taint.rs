//! Which nets differ between lanes.
//!
//! A net differs if it is assigned a value that does, or under a condition that does. It begins with
//! inputs that the caller says differ, and ends at what the caller says is equal: there every lane
//! is compared whenever something is assigned.

use crate::expr::{Statement, Target, Term, Value};
use crate::flat::Flat;

/// What differs between lanes.
#[derive(Debug, Clone)]
pub(crate) struct Taint {
    pub nets: Vec<bool>,
    pub memories: Vec<bool>,
}

/// Names of what is equal in all lanes, whatever is assigned.
pub(crate) struct Equal {
    pub nets: Vec<bool>,
    pub memories: Vec<bool>,
}

impl Taint {
    pub fn of(flat: &Flat, differing: &[bool], equal: &Equal) -> Self {
        let mut taint = Taint {
            nets: differing.to_vec(),
            memories: vec![false; flat.memories.len()],
        };
        let blocks = flat.blocks.iter().map(|b| &b.body);
        let bodies: Vec<&Vec<Statement>> =
            blocks.chain(flat.edges.iter().map(|e| &e.body)).collect();
        loop {
            let mut changed = false;
            for body in &bodies {
                for statement in *body {
                    changed |= taint.statement(statement, false, equal);
                }
            }
            if !changed {
                return taint;
            }
        }
    }

    pub fn value(&self, value: &Value) -> bool {
        let mut found = false;
        value.walk(&mut |v| match v.term {
            Term::Net(net) => found |= self.nets[net],
            Term::Word(memory, ..) => found |= self.memories[memory],
            _ => {}
        });
        found
    }

    fn statement(&mut self, statement: &Statement, within: bool, equal: &Equal) -> bool {
        match statement {
            Statement::Assign(target, value) => {
                let mut differs = within || self.value(value);
                let (flag, equal) = match target {
                    Target::Word(memory, _, _) => {
                        (&mut self.memories[*memory], equal.memories[*memory])
                    }
                    Target::Variable(net, index, _) => {
                        differs |= self.value(index);
                        (&mut self.nets[*net], equal.nets[*net])
                    }
                    Target::Whole(net) | Target::Bits(net, ..) => {
                        (&mut self.nets[*net], equal.nets[*net])
                    }
                };
                let changed = differs && !equal && !*flag;
                *flag |= differs && !equal;
                changed
            }
            Statement::If(test, then, other) => {
                let within = within || self.value(test);
                let mut changed = false;
                for s in then.iter().chain(other) {
                    changed |= self.statement(s, within, equal);
                }
                changed
            }
            Statement::Case(test, arms, default) => {
                let within = within || self.value(test);
                let mut changed = false;
                for s in arms.iter().flat_map(|(_, b)| b).chain(default) {
                    changed |= self.statement(s, within, equal);
                }
                changed
            }
        }
    }
}
