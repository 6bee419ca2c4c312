//! The proofs that `make test` makes of single modules, asked about a mutant.

use crate::formal::netlist::Cut;
use crate::formal::yosys::{Theorem, Verdict, Window};
use crate::formal::{
    clearing, decoder, delay, fifo, gates, loader, memory, multiplier, pe, registers, requantizer,
};
use brownout_hdl::emit::Emitted;
use brownout_spec::code::Code;
use brownout_spec::config::Configuration;

/// Bits of the largest memory that is asked about as a whole: the effort grows with them.
const MEMORY_BITS: usize = 10_000;
/// Words that are asked about in a larger one.
const SOME_WORDS: usize = 16;

/// Something that is to hold of a module.
enum Claim {
    /// On the module itself, or a form of it.
    Theorem(Cut, Theorem),
    /// When inputs matter.
    Window(Window),
}

/// All claims about a module.
fn claims(cut: &Cut, design: &Emitted, configuration: &Configuration) -> Vec<Claim> {
    let of = |theorem| Claim::Theorem(cut.clone(), theorem);
    let kind = cut.module.strip_prefix(&configuration.name);
    let mut claims: Vec<Claim> = match kind.unwrap_or_default() {
        // The accelerator itself.
        "" => {
            let (shown, theorem) = clearing::strobes(cut, design);
            vec![Claim::Theorem(shown, theorem)]
        }
        "_decoder" => vec![
            Claim::Window(decoder::time(cut)),
            of(decoder::function(cut, &Code::of(configuration))),
        ],
        "_multiplier" => vec![
            Claim::Window(multiplier::time(cut)),
            of(multiplier::function(cut)),
        ],
        "_requantizer" => {
            let free = requantizer::with_free_product(cut);
            let function = requantizer::function(&free);
            let windows = requantizer::time(cut).map(Claim::Window);
            windows
                .into_iter()
                .chain([Claim::Theorem(free, function)])
                .collect()
        }
        "_pe" => {
            let state = pe::state(cut).map(of);
            let rest = [Claim::Window(pe::time(cut)), of(pe::function(cut))];
            rest.into_iter().chain(state).collect()
        }
        "_registers" => vec![of(registers::counters(cut, configuration.fault_emulation))],
        "_loader" => loader::beginnings(cut).map(of).into(),
        "_weight_fifo" => vec![of(fifo::account(cut))],
        name if name.starts_with("_memory_") => {
            let asked = match bits(cut) <= MEMORY_BITS {
                true => cut.clone(),
                false => memory::with_words(cut, SOME_WORDS),
            };
            let content = memory::content(&asked);
            vec![Claim::Theorem(asked, content)]
        }
        _ => Vec::new(),
    };
    claims.extend(delay::clocks(cut).map(|clocks| of(delay::late(cut, clocks))));
    claims.extend(gates::theorems(cut).into_iter().map(of));
    if let Some((shown, theorems)) = clearing::theorems(cut) {
        let each = theorems.into_iter();
        claims.extend(each.map(|theorem| Claim::Theorem(shown.clone(), theorem)));
    }
    if let Some((shown, theorem)) = clearing::stages(cut) {
        claims.push(Claim::Theorem(shown, theorem));
    }
    claims
}

fn bits(cut: &Cut) -> usize {
    let lanes = cut.lanes("read_data");
    memory::depth(cut) * lanes.iter().map(|lane| lane.width).sum::<usize>()
}

/// The claim that does not hold of a module, if there is one.
///
/// # Errors
/// With the end of its log, if Yosys does not say clearly which it is.
pub fn broken(
    cut: &Cut,
    design: &Emitted,
    configuration: &Configuration,
) -> Result<Option<String>, String> {
    let mut silence = None;
    for claim in claims(cut, design, configuration) {
        let refuted = match claim {
            Claim::Window(window) => window.try_ask(cut).map(|[last, _]| {
                let outputs = &window.outputs;
                (!last).then(|| format!("{outputs} depends on what it should not"))
            }),
            Claim::Theorem(form, theorem) => theorem.try_ask(&form).map(|verdicts| {
                let mut each = theorem.claims.iter().zip(&verdicts);
                each.find(|(_, verdict)| **verdict != Verdict::Proved)
                    .map(|(claim, _)| format!("the claim \"{claim}\" does not hold"))
            }),
        };
        match refuted {
            Ok(Some(text)) => return Ok(Some(text)),
            Ok(None) => {}
            Err(text) => silence = Some(text),
        }
    }
    silence.map_or(Ok(None), Err)
}
