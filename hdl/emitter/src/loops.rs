//! Text of loops: their heads and variables, and what depends on these.

use super::ir::*;
use super::print::Printer;
use super::roll::Repeats;
use super::text::literal;
use std::fmt::Write;

/// Variables of loops in blocks, outermost first.
const COUNTERS: [&str; 4] = ["i", "j", "k", "l"];

impl Printer<'_> {
    /// Prints with `name` as the target of every assignment and `lane` for every lane of `array`.
    pub fn locally(&self, name: &str, (array, lane): (SignalId, &str), print: impl FnOnce()) {
        *self.local.borrow_mut() = Some((name.to_string(), array, lane.to_string()));
        print();
        *self.local.borrow_mut() = None;
    }

    /// From here on inside the loop `id`.
    pub fn enter(&self, id: LoopId, variable: &str) {
        self.loops.borrow_mut().push((id, variable.to_string()));
    }

    pub fn leave(&self) {
        self.loops.borrow_mut().pop();
    }

    pub fn number(&self, affine: &Affine, unit: usize) -> String {
        let loops = self.loops.borrow();
        affine.text(unit, &|id| {
            let found = loops.iter().rev().find(|(other, _)| *other == id);
            found.map_or_else(String::new, |(_, name)| name.clone())
        })
    }

    /// What the variable of a loop stays below.
    pub fn end(&self, start: i64, count: &Affine) -> String {
        let mut end = count.clone();
        end.base += start;
        self.number(&end, 1)
    }

    /// ` : label` for a block that declares variables of loops.
    pub fn label(&self, block: &[Stmt], make: impl FnOnce() -> String) -> String {
        match block.iter().map(Stmt::depth).max() {
            Some(depth) if depth > 0 => format!(" : {}", make()),
            _ => String::new(),
        }
    }

    /// Declares the variables of the loops in `block`. In a `combinational` one they get a value
    /// where a loop is not always run: to synthesis they would be latches.
    pub fn counters(&self, block: &[Stmt], combinational: bool, indent: usize, out: &mut String) {
        let depth = block.iter().map(Stmt::depth).max().unwrap_or(0);
        if depth == 0 {
            return;
        }
        let pad = "    ".repeat(indent);
        let _ = writeln!(out, "{pad}integer {};", COUNTERS[..depth].join(", "));
        let is_branch = |s: &&Stmt| !matches!(s, Stmt::Loop { .. });
        let branches = block.iter().filter(is_branch);
        let within = branches.map(Stmt::depth).max().unwrap_or(0);
        if combinational {
            for variable in &COUNTERS[..within] {
                let _ = writeln!(out, "{pad}{variable} = 0;");
            }
        }
    }

    /// A number with the width that the other side has: bits of the variable of a loop.
    pub fn index(&self, affine: &Affine, width: usize) -> String {
        let variable = Affine {
            base: 0,
            steps: affine.steps.clone(),
        };
        let bits = format!("{}[{}:0]", self.number(&variable, 1), width - 1);
        let rest = |value: u128| literal(value, width, false, false);
        match affine.base {
            0 => bits,
            base if base > 0 => format!("{bits} + {}", rest(base as u128)),
            base => format!("{bits} - {}", rest(base.unsigned_abs().into())),
        }
    }

    /// `array[8 * i +: 8]`
    pub fn lane(&self, signal: SignalId, low: &Affine, width: usize) -> String {
        let mut low = low.clone();
        low.base += self.first(signal) as i64;
        let unit = self.signals[signal].lanes.map_or(1, |l| l.width);
        match width {
            1 => format!("{}[{}]", self.names[signal], self.number(&low, unit)),
            _ => format!(
                "{}[{} +: {width}]",
                self.names[signal],
                self.number(&low, unit)
            ),
        }
    }

    /// The number of a signal's lowest bit.
    pub fn first(&self, signal: SignalId) -> usize {
        self.signals[signal].lanes.map_or(0, |l| l.low())
    }

    /// A loop with blocking (`=`) or nonblocking (`<=`) assignments.
    pub fn repeated(&self, statement: &Stmt, op: &str, indent: usize, out: &mut String) {
        let Stmt::Loop {
            id,
            start,
            count,
            body,
        } = statement
        else {
            return;
        };
        let pad = "    ".repeat(indent);
        let variable = COUNTERS[self.loops.borrow().len().min(COUNTERS.len() - 1)];
        let end = self.end(*start, count);
        let _ = writeln!(
            out,
            "{pad}for ({variable} = {start}; {variable} < {end}; {variable} = {variable} + 1) begin"
        );
        self.enter(*id, variable);
        self.block(body, op, indent + 1, out);
        self.leave();
        let _ = writeln!(out, "{pad}end");
    }
}
