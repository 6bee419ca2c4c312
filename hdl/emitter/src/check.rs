//! Every combinational value is assigned on every path, and before it is read.
//!
//! rust-hdl runs `update` from top to bottom; a value that is read early or not assigned on
//! some path would be a latch in Verilog.

use super::error::{EmitError, Place};
use super::ir::*;

/// Per signal: which bits are certainly assigned so far.
type Assigned = Vec<Vec<bool>>;

pub(crate) fn check(ir: &ModuleIr, place: &Place) -> Result<(), EmitError> {
    let driven_here = |role| match role {
        Role::Output | Role::Local | Role::D(_) | Role::InstanceInput { .. } => true,
        Role::Input | Role::Q(_) | Role::InstanceOutput { .. } | Role::Outputs => false,
    };
    let checker = Checker { ir, place };
    let mut assigned: Assigned = ir
        .signals
        .iter()
        .map(|s| vec![!driven_here(s.role); s.width])
        .collect();
    checker.block(&ir.body, &mut assigned)?;
    let mut written = vec![false; ir.signals.len()];
    ir.body
        .iter()
        .for_each(|s| s.writes(&mut |w| written[w] = true));
    for (id, signal) in ir.signals.iter().enumerate() {
        if assigned[id].iter().all(|bit| *bit) || (signal.role == Role::Local && !written[id]) {
            continue;
        }
        let reason = match (written[id], signal.role) {
            (true, _) => "it is not assigned on every path: give it a default first",
            (false, Role::D(_)) => "the register is never assigned: list it in dff_setup!",
            (false, Role::InstanceInput { .. }) => "this input of an instance is never driven",
            (false, _) => "this output is never driven",
        };
        return Err(place.refuse(&signal.path, reason));
    }
    Ok(())
}

struct Checker<'a> {
    ir: &'a ModuleIr,
    place: &'a Place,
}

impl Checker<'_> {
    fn block(&self, block: &[Stmt], assigned: &mut Assigned) -> Result<(), EmitError> {
        for statement in block {
            match statement {
                Stmt::Comment(_) | Stmt::Loop { .. } => {}
                Stmt::Assign {
                    target,
                    part,
                    value,
                } => {
                    self.read(value, assigned)?;
                    self.assign(*target, part, assigned)?;
                }
                Stmt::If { test, then, other } => {
                    self.read(test, assigned)?;
                    self.branches(&[then, other], assigned)?;
                }
                Stmt::Case {
                    test,
                    arms,
                    default,
                } => {
                    self.read(test, assigned)?;
                    let mut blocks: Vec<&[Stmt]> = arms.iter().map(|(_, b)| &b[..]).collect();
                    blocks.extend(default.iter().map(|b| &b[..]));
                    self.branches(&blocks, assigned)?;
                }
            }
        }
        Ok(())
    }

    fn assign(
        &self,
        target: SignalId,
        part: &Part,
        assigned: &mut Assigned,
    ) -> Result<(), EmitError> {
        match part {
            Part::Whole | Part::Lane { .. } => assigned[target].fill(true),
            Part::Bits { low, width } => assigned[target][*low..low + width].fill(true),
            Part::Variable { index, .. } => {
                self.read(index, assigned)?;
                if !assigned[target].iter().all(|bit| *bit) {
                    let reason = "a variable bit is assigned before the whole: give it a default";
                    return Err(self.place.refuse(&self.ir.signals[target].path, reason));
                }
            }
        }
        Ok(())
    }

    /// Assigned after the branches is what every one of them assigned. Only the signals
    /// written in some branch can differ.
    fn branches(&self, blocks: &[&[Stmt]], assigned: &mut Assigned) -> Result<(), EmitError> {
        let mut touched = Vec::new();
        for block in blocks {
            block
                .iter()
                .for_each(|s| s.writes(&mut |w| touched.push(w)));
        }
        touched.sort_unstable();
        touched.dedup();
        let before: Assigned = touched.iter().map(|&s| assigned[s].clone()).collect();
        let mut meet: Option<Assigned> = None;
        for block in blocks {
            for (slot, &s) in touched.iter().enumerate() {
                assigned[s].clone_from(&before[slot]);
            }
            self.block(block, assigned)?;
            let after = touched.iter().map(|&s| assigned[s].clone());
            meet = Some(match meet {
                None => after.collect(),
                Some(so_far) => so_far
                    .into_iter()
                    .zip(after)
                    .map(|(a, b)| a.iter().zip(&b).map(|(a, b)| *a && *b).collect())
                    .collect(),
            });
        }
        for (slot, bits) in meet.into_iter().flatten().enumerate() {
            assigned[touched[slot]] = bits;
        }
        Ok(())
    }

    fn read(&self, value: &Expr, assigned: &Assigned) -> Result<(), EmitError> {
        let mut early = None;
        value.walk(&mut |e| {
            let (signal, low, width) = match e.kind {
                Kind::Signal(s) => (s, 0, self.ir.signals[s].width),
                Kind::Slice { signal, low, .. } => (signal, low, e.width),
                Kind::Select { signal, of, .. } => (signal, 0, of),
                _ => return,
            };
            if !assigned[signal][low..low + width].iter().all(|bit| *bit) {
                early = Some(signal);
            }
        });
        match early {
            Some(signal) => Err(self.place.refuse(
                &self.ir.signals[signal].path,
                "it is read before it is assigned (on some path)",
            )),
            None => Ok(()),
        }
    }
}
