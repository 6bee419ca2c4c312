//! After one clock of reset, or of the command that forgets all words, nothing of before comes out.
//!
//! A pass of a network cannot show all of it: what a reset forgets here is
//! often forgotten there as well, or at the start of the next pass.

use super::memory;
use super::netlist::Cut;
use super::window::range;
use super::yosys::{Theorem, View};
use brownout_hdl::emit::{Direction, Emitted, Module};
use brownout_spec::cycles::ISSUE_LATENCY;

/// A module whose words or strobes are forgotten.
struct Clearing {
    /// Ends the module's name.
    kind: &'static str,
    /// The inputs that each forget everything.
    by: &'static [&'static str],
    /// The input that is 0 from then on: nothing new comes in.
    source: &'static str,
    /// Outputs that are 0 from then on; where one ends in `_`, all that begin with it, inner
    /// wires included.
    silent: &'static [&'static str],
    /// Clocks until everything of before would have come out.
    clocks: usize,
}

const CLEARINGS: [Clearing; 6] = [
    Clearing {
        kind: "strobe_delay",
        by: &["reset"],
        source: "value",
        silent: &["delayed"],
        clocks: 24,
    },
    Clearing {
        kind: "weight_fifo",
        by: &["reset", "clear"],
        source: "write",
        silent: &["available", "available_next"],
        clocks: 4,
    },
    Clearing {
        kind: "fault_pipeline",
        by: &["reset", "clear"],
        source: "valid",
        silent: &["read", "enable_"],
        clocks: 3,
    },
    Clearing {
        kind: "requantizer",
        by: &["reset"],
        source: "valid",
        silent: &["shifted_valid"],
        clocks: 10,
    },
    Clearing {
        kind: "column",
        by: &["reset"],
        source: "valid_in",
        silent: &["valid_out", "shifted_valid"],
        clocks: 15,
    },
    Clearing {
        kind: "columns",
        by: &["reset"],
        source: "valid",
        silent: &["activation_valid", "result_valid"],
        clocks: 23,
    },
];

/// The module with what the claims need of it, and the claims: one for each
/// input that clears. None for a module that forgets nothing.
pub fn theorems(cut: &Cut) -> Option<(Cut, Vec<Theorem>)> {
    let clearing = CLEARINGS
        .iter()
        .find(|clearing| cut.module.ends_with(&format!("_{}", clearing.kind)))?;
    let silent = clearing.signals(cut);
    let shown = with_output(&memory::below_with_words(cut, 2), &silent);
    let theorems = clearing
        .by
        .iter()
        .map(|by| clearing.theorem(cut, by, silent.len()))
        .collect();
    Some((shown, theorems))
}

/// Claims `idle` (without faults, no stage moves) and `empty` (nor without a word in front of
/// it), about a fault pipeline.
pub fn stages(cut: &Cut) -> Option<(Cut, Theorem)> {
    let pipeline = cut.module.ends_with("_fault_pipeline");
    let signals = pipeline.then(|| wires(cut, "enable_"))?;
    let count = signals.len();
    let text = format!(
        "
module theorem (input wire clock{}, output wire idle, output wire empty);
    wire {} silent;
    {} pipeline ({}, .silent(silent));
    assign idle = fault_mode != 0 || silent == 0;
    reg [{last}:0] history;
    always @(posedge clock) history <= {{history[{}:0], valid && !reset && !clear}};
    wire [{last}:0] inside = {{history[{}:0], valid}};
    // A word is in front of stage s, s clocks after it came in.
    assign empty = (silent & ~inside) == 0;
endmodule
",
        inputs(cut),
        range(count),
        cut.name,
        connections(cut),
        count - 2,
        count - 2,
        last = count - 1,
    );
    let theorem = Theorem {
        text,
        claims: vec!["idle", "empty"],
        view: View::Time {
            first: count + 1,
            clocks: count + 1,
            given: Vec::new(),
        },
    };
    Some((with_output(cut, &signals), theorem))
}

/// Registers of a swap on its way to the array, which is longer than that of weights.
const SWAP_STAGES: usize = ISSUE_LATENCY - 2;

/// The accelerator itself with anything in the place of what it consists of, and the claim
/// `forgotten`: after a clock of reset, no strobe reaches the array until one is given again.
///
/// # Panics
/// If the strobes have other names.
pub fn strobes(top: &Cut, design: &Emitted) -> (Cut, Theorem) {
    let mut cut = top.clone();
    for (name, text) in cut.files.iter_mut().skip(1) {
        let module = design.modules.iter().find(|m| m.name == *name);
        *text = anything(module.expect("a module of the design"));
    }
    let from = [
        "sequencer_swap",
        "weight_path_weight_valid",
        "early_weight_valid_q",
        "spread_weight_valid_q",
    ];
    let to = [
        format!("swap_q[{}]", SWAP_STAGES - 1),
        "weight_valid_q".to_owned(),
    ];
    for signal in from.iter().copied().chain(to.iter().map(String::as_str)) {
        assert!(cut.text().contains(signal), "{} has no {signal}", cut.name);
    }
    let text = format!(
        "
module theorem (input wire clock{}, output wire forgotten);
    wire [1:0] silent;
    {} accelerator ({}, .silent(silent));
    assign forgotten = silent == 0;
endmodule
",
        inputs(&cut),
        cut.name,
        connections(&cut),
    );
    let mut given = vec![(1, "reset".to_owned(), 1)];
    for source in &from[..2] {
        given
            .extend((2..=SWAP_STAGES + 2).map(|clock| (clock, format!("accelerator.{source}"), 0)));
    }
    let theorem = Theorem {
        text,
        claims: vec!["forgotten"],
        view: View::Time {
            first: 2,
            clocks: SWAP_STAGES + 2,
            given,
        },
    };
    (with_output(&cut, &to), theorem)
}

/// A module with the ports of another one, whose outputs are anything at any time.
fn anything(module: &Module) -> String {
    let mut ports = Vec::new();
    let mut body = String::new();
    for port in &module.ports {
        let (name, width) = (&port.name, range(port.width));
        match port.direction {
            Direction::Input => ports.push(format!("input wire {width} {name}")),
            Direction::Output => {
                ports.push(format!("output wire {width} {name}"));
                body.push_str(&format!(
                    "(* anyseq *) wire {width} any_{name};\nassign {name} = any_{name};\n"
                ));
            }
        }
    }
    format!(
        "module {} ({});\n{body}endmodule\n",
        module.name,
        ports.join(", ")
    )
}

impl Clearing {
    fn signals(&self, cut: &Cut) -> Vec<String> {
        let all = self
            .silent
            .iter()
            .flat_map(|name| match name.ends_with('_') {
                true => wires(cut, name),
                false => vec![cut.port(name).name.clone()],
            });
        all.collect()
    }

    /// The claim `forgotten`.
    fn theorem(&self, cut: &Cut, by: &str, signals: usize) -> Theorem {
        let text = format!(
            "
module theorem (input wire clock{}, output wire forgotten);
    wire {} silent;
    {} cleared ({}, .silent(silent));
    assign forgotten = silent == 0;
endmodule
",
            inputs(cut),
            range(signals),
            cut.name,
            connections(cut),
        );
        let mut given = vec![(1, by.to_owned(), 1)];
        given.extend((2..=self.clocks).map(|clock| (clock, self.source.to_owned(), 0)));
        // Nothing is taken out of what is empty.
        if cut.ports.iter().any(|port| port.name == "pop") {
            given.extend((2..=self.clocks).map(|clock| (clock, "pop".to_owned(), 0)));
        }
        Theorem {
            text,
            claims: vec!["forgotten"],
            view: View::Time {
                first: 2,
                clocks: self.clocks,
                given,
            },
        }
    }
}

/// The lanes whose names are `prefix` and a number, in the order of the numbers.
fn wires(cut: &Cut, prefix: &str) -> Vec<String> {
    let places = (0..).map_while(|number| cut.place(&format!("{prefix}{number}")));
    places.map(str::to_owned).collect()
}

/// The module with an output `silent` that holds these signals, the first at bit 0.
fn with_output(cut: &Cut, signals: &[String]) -> Cut {
    let signals: Vec<&str> = signals.iter().rev().map(String::as_str).collect();
    let port = format!("output wire {} silent", range(signals.len()));
    let text = cut
        .text()
        .replacen("\n);\n", &format!(",\n    {port}\n);\n"), 1);
    let (body, rest) = text.rsplit_once("endmodule").expect("a module has an end");
    let mut shown = cut.with_text(format!(
        "{body}    assign silent = {{{}}};\nendmodule{rest}",
        signals.join(", ")
    ));
    if cut.name != cut.module {
        // The module around it hands the output on.
        for (_, text) in shown.files.iter_mut().filter(|(name, _)| *name == cut.name) {
            *text = text
                .replacen(");\n", &format!(", {port});\n"), 1)
                .replace(");\nendmodule", ", .silent(silent));\nendmodule");
        }
    }
    shown
}

/// Declarations of all inputs but the clock.
fn inputs(cut: &Cut) -> String {
    cut.ports
        .iter()
        .filter(|port| port.direction == Direction::Input && port.name != "clock")
        .map(|port| format!(", input wire {} {}", range(port.width), port.name))
        .collect()
}

/// Connections of all inputs, each to the wire of its name.
fn connections(cut: &Cut) -> String {
    let inputs = cut
        .ports
        .iter()
        .filter(|port| port.direction == Direction::Input);
    let each: Vec<String> = inputs.map(|p| format!(".{0}({0})", p.name)).collect();
    each.join(", ")
}
