//! Hardware with deliberate mistakes: the emitted Verilog, mutated at many places at once.
//!
//! Every mutant has a number. The design gets an input `mutant_select`, which reaches every
//! module, and each mistake is printed as a choice: `(mutant_select == 16'd17) ? (a - b) : (a + b)`.
//! So one compiled model holds all mutants, and number 0 is the design as it is. What is mutated is
//! what would be printed, after all passes; a mistake that does not change the text is none.

mod change;
mod choose;
mod leaf;
mod variants;
mod walk;

use super::arrange::Arranged;
use super::demand::Needs;
use super::error::EmitError;
use super::ir::*;
use super::output::{Emitted, Module};
use super::pipeline::Design;
use choose::Choice;
use std::collections::BTreeMap;
use std::fmt;

/// The input that chooses a mutant.
pub const SELECT: &str = "mutant_select";
/// Its width in bits.
pub const SELECT_BITS: usize = 16;

/// Which mutants are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MutationPlan {
    /// How many over all modules, below 2¹⁶; every module has at least four, if it has as many
    /// places.
    pub count: usize,
    /// Of the choice among all possible ones.
    pub seed: u64,
}

/// Kinds of mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mistake {
    /// Another arithmetic operator, or a shift by another amount.
    Arithmetic,
    /// Another bitwise or logical operator, or one of its operands left out.
    Logic,
    /// Another comparison.
    Comparison,
    /// A constant one larger or smaller, or with one bit inverted.
    Constant,
    /// A condition inverted, always true or always false.
    Condition,
    /// An assignment left out: a register keeps its value.
    Assignment,
    /// Neighbouring bits instead of the right ones, or two parts of a word exchanged.
    Wiring,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arithmetic => "arithmetic",
            Self::Logic => "logic",
            Self::Comparison => "comparison",
            Self::Constant => "constant",
            Self::Condition => "condition",
            Self::Assignment => "assignment",
            Self::Wiring => "wiring",
        })
    }
}

/// One mistake in one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// The value of [`SELECT`] that makes it, from 1.
    pub number: u16,
    /// Name of the module.
    pub module: String,
    /// What kind of mistake it is.
    pub mistake: Mistake,
    /// The first line of the module's text that differs, from 1.
    pub line: usize,
    /// What differs, as it should be; declarations left out.
    pub before: String,
    /// What differs, with the mistake; empty where something is left out.
    pub after: String,
    /// The whole module with the mistake and without [`SELECT`].
    pub text: String,
}

/// A design with its mutants.
#[derive(Debug, Clone)]
pub struct Mutated {
    /// The design as it is printed without mutants.
    pub original: Emitted,
    /// The design with [`SELECT`] and all mutants.
    pub design: Emitted,
    /// The mutants, by number.
    pub mutants: Vec<Mutant>,
}

/// What may be mutated in one module.
enum Source {
    /// Printed from statements.
    Rtl {
        ir: ModuleIr,
        needs: Needs,
        arranged: Arranged,
    },
    /// A leaf's own text.
    Leaf(ModuleIr, String),
}

/// One possible mistake, at a place of its module.
struct Site {
    mistake: Mistake,
    place: usize,
    change: change::Change,
}

/// Prints a design with `plan.count` mutants, spread over all of its modules.
pub(crate) fn run(design: &Design, plan: MutationPlan) -> Result<Mutated, EmitError> {
    let mut mutants = Vec::new();
    let (mut originals, mut mutated) = (Vec::new(), Vec::new());
    let mut modules = Vec::new();
    for kind in design.printed() {
        let original = design.module(kind)?;
        let source = source(design, kind)?;
        modules.push((kind, original, source));
    }
    let sites: Vec<Vec<Site>> = modules.iter().map(|(_, _, s)| source_sites(s)).collect();
    let counts: Vec<usize> = sites.iter().map(Vec::len).collect();
    let quotas = choose::quotas(&counts, plan.count.min((1 << SELECT_BITS) - 1));
    // What one module could not give, the next ones do.
    let mut owed = 0;
    for (at, ((kind, original, source), sites)) in modules.into_iter().zip(sites).enumerate() {
        let mut choice = Choice::new(plan.seed ^ (at as u64) << 32, &sites);
        let mut taken = BTreeMap::new();
        let first = mutants.len();
        let wanted = quotas[at] + owed;
        while mutants.len() - first < wanted
            && let Some(site) = choice.next()
        {
            let text = print(design, kind, &source, &Plan::only(&sites[site]));
            let known = mutants[first..].iter().any(|m: &Mutant| m.text == text);
            let Some((line, before, after)) = difference(&original.text, &text) else {
                continue;
            };
            if known {
                continue;
            }
            let number = mutants.len() as u16 + 1;
            taken.insert(number, &sites[site]);
            mutants.push(Mutant {
                number,
                module: original.name.clone(),
                mistake: sites[site].mistake,
                line,
                before,
                after,
                text,
            });
        }
        owed = wanted - (mutants.len() - first);
        let text = print(design, kind, &source, &Plan::select(&taken));
        mutated.push(with_input(&original, text));
        originals.push(original);
    }
    let emitted = |modules| Emitted {
        modules,
        header: design.header().to_string(),
    };
    Ok(Mutated {
        original: emitted(originals),
        design: emitted(mutated),
        mutants,
    })
}

/// The changes of one printing: all of them behind the selecting input, or one for good.
pub(crate) struct Plan<'a> {
    at: BTreeMap<usize, Vec<(Option<u16>, &'a change::Change)>>,
    select: bool,
}

impl<'a> Plan<'a> {
    fn only(site: &'a Site) -> Self {
        let at = BTreeMap::from([(site.place, vec![(None, &site.change)])]);
        Self { at, select: false }
    }

    fn select(taken: &BTreeMap<u16, &'a Site>) -> Self {
        let mut at: BTreeMap<usize, Vec<_>> = BTreeMap::new();
        for (number, site) in taken {
            let entry = at.entry(site.place).or_default();
            entry.push((Some(*number), &site.change));
        }
        Self { at, select: true }
    }
}

fn source(design: &Design, kind: usize) -> Result<Source, EmitError> {
    Ok(match design.leaf_text(kind) {
        Some(text) => Source::Leaf(design.packed_ir(kind).0, text.to_string()),
        None => {
            let (ir, needs, arranged, _) = design.arranged(kind);
            Source::Rtl {
                ir,
                needs,
                arranged,
            }
        }
    })
}

fn source_sites(source: &Source) -> Vec<Site> {
    match source {
        Source::Rtl { ir, arranged, .. } => walk::sites(ir, arranged),
        Source::Leaf(_, text) => leaf::sites(text),
    }
}

fn print(design: &Design, kind: usize, source: &Source, plan: &Plan) -> String {
    match source {
        Source::Leaf(ir, text) => {
            let mut ir = ir.clone();
            if plan.select {
                add_input(&mut ir);
            }
            design.print_leaf(kind, &ir, &leaf::changed(text, plan))
        }
        Source::Rtl {
            ir,
            needs,
            arranged,
        } => {
            let mut ir = ir.clone();
            let select = plan.select.then(|| add_input(&mut ir));
            let arranged = walk::changed(&ir, arranged, plan, select);
            design.print_rtl(kind, &ir, needs.clone(), arranged, select)
        }
    }
}

/// Adds the selecting input as the last port.
fn add_input(ir: &mut ModuleIr) -> SignalId {
    let id = ir.signals.len();
    ir.signals.push(Signal {
        path: SELECT.to_string(),
        name: SELECT.to_string(),
        width: SELECT_BITS,
        signed: false,
        role: Role::Input,
        clock: false,
        lanes: None,
    });
    ir.ports.push(id);
    id
}

fn with_input(original: &Module, text: String) -> Module {
    let mut module = original.clone();
    module.text = text;
    module.ports.push(super::output::Port {
        name: SELECT.to_string(),
        direction: super::output::Direction::Input,
        width: SELECT_BITS,
        signed: false,
        lanes: 1,
    });
    module
}

/// Number of the first line that differs, and the lines that do, without declarations.
fn difference(before: &str, after: &str) -> Option<(usize, String, String)> {
    if before == after {
        return None;
    }
    let lines = |text: &str, other: &str| {
        let mut rest: BTreeMap<String, usize> = BTreeMap::new();
        for line in other.lines() {
            *rest.entry(line.trim().to_string()).or_default() += 1;
        }
        let mut differs = |line: &str| match rest.get_mut(line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        let numbered = text.lines().map(str::trim).zip(1..);
        let found = numbered.filter(|(line, _)| differs(line) && !is_declaration(line));
        found
            .map(|(line, number)| (number, line.to_string()))
            .collect::<Vec<(usize, String)>>()
    };
    let (old, new) = (lines(before, after), lines(after, before));
    let first = before
        .lines()
        .zip(after.lines())
        .position(|(b, a)| b != a)
        .map_or(1, |at| at + 1);
    let joined = |lines: &[(usize, String)]| {
        let texts: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
        texts.join(" ")
    };
    let line = old.first().map_or(first, |(number, _)| *number);
    Some((line, joined(&old), joined(&new)))
}

fn is_declaration(line: &str) -> bool {
    let starts = ["wire ", "reg ", "localparam "];
    line.is_empty() || starts.iter().any(|s| line.starts_with(s))
}
