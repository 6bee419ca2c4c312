//! Verilog that says so when something is unknown that counts.

use super::pessimist::pessimist;
use brownout_hdl::emit::{Emitted, Module};

/// True in the test bench once the reset is over.
const CLEARED: &str = "bench.cleared";
/// True in the test bench once delay lines have passed on what was in them before.
const SETTLED: &str = "bench.settled";

/// What must be known as soon as it counts.
struct Counts {
    /// What the module's name ends with; the top module's is empty.
    module: &'static str,
    /// When it counts: what says so is never unknown.
    when: &'static str,
    /// What.
    what: &'static [&'static str],
}

impl Counts {
    fn name(&self, top: &str) -> String {
        match self.module {
            "" => top.to_owned(),
            module => format!("{top}_{module}"),
        }
    }
}

const fn counts(module: &'static str, when: &'static str, what: &'static [&'static str]) -> Counts {
    Counts { module, when, what }
}

/// From the program's words to the results, in the order in which values pass.
const COUNTS: &[Counts] = &[
    counts("registers", "register_read", &["register_address"]),
    counts(
        "sequencer",
        "descriptor_shift || descriptor_last",
        &["program_word"],
    ),
    counts(
        "sequencer",
        "running",
        &["program_address", "layer_number_q"],
    ),
    counts(
        "sequencer",
        "issue_valid",
        &["source_inside", "source_rows", "source_select"],
    ),
    counts(
        "sequencer",
        "issue_valid && source_inside",
        &["source_address"],
    ),
    counts(
        "sequencer",
        "valid",
        &["first", "last", "accumulator_address"],
    ),
    counts(
        "sequencer",
        "operand_enable",
        &["operand_address", "operand_columns", "operand_select"],
    ),
    counts("weight_path", "word_valid_q", &["word_q"]),
    counts("weight_fifo", "write", &["write_weight"]),
    counts("event_counter", "increment", &["count"]),
    counts(
        "weight_path",
        "weight_valid",
        &["weight", "weight_row", "weight_group"],
    ),
    counts("array", "1'b1", &["activation"]),
    counts("", "sequencer.streams_q", &["buffers_operand"]),
    counts("accumulator", "valid && !pool", &["partial_sum"]),
    counts("accumulator", "valid && pool", &["operand"]),
    counts("accumulator", "added_q", &["base", "term_q", "compared_q"]),
    counts("accumulator", "added_q && compared_q", &["stored_q"]),
    counts(
        "requantizer",
        "valid",
        &["operand", "bias_low", "multiplier_and_bias"],
    ),
    counts(
        "requantizer",
        "valid_in_q[0]",
        &["channel_multiplier_q", "residual_q"],
    ),
    counts("requantizer", "valid_in_q[1]", &["value", "factor_q"]),
    counts("requantizer", "shifted_valid", &["shifted"]),
    counts("columns", "activation_valid", &["activation"]),
    counts("columns", "result_valid", &["result"]),
    counts("result_fifo", "output_valid", &["output_data"]),
];

/// The design as one text, read by a [pessimist](pessimist()), which says in a line that begins
/// with `unknown` what is so and counts, and then ends the simulation: what a reset clears, every
/// word that is written into a memory, and what passes from the program to the results.
///
/// # Panics
/// If something of the list is in no module, or a module's text is not the emitter's.
pub fn watched(emitted: &Emitted) -> String {
    let top = &emitted.top().name;
    for counts in COUNTS {
        let is_there = emitted.modules.iter().any(|m| m.name == counts.name(top));
        assert!(is_there, "no {}", counts.name(top));
    }
    let modules = emitted.modules.iter().map(|module| {
        let read = pessimist(&module.text, CLEARED, &says("{}"));
        let body = read.strip_suffix("endmodule\n").expect("a module ends");
        let named = COUNTS
            .iter()
            .filter(|counts| module.name == counts.name(top));
        let mut watches: String = named
            .flat_map(|counts| counts.what.iter().map(|what| watch(counts.when, what)))
            .collect();
        if module.name.starts_with(&format!("{top}_memory_")) {
            watches.push_str(&watch_writes(module));
        }
        format!("{body}{watches}endmodule\n")
    });
    modules.collect()
}

/// What a simulation says and does of something that is unknown.
fn says(what: &str) -> String {
    format!("$display(\"unknown at %0t: %m {what}\", $time); $finish;")
}

fn watch(when: &str, what: &str) -> String {
    format!(
        "always @(posedge clock) if ({SETTLED}) begin\n\
         if ((^({when})) === 1'bx) begin {} end\n\
         if (({when}) && ((^({what})) === 1'bx)) begin {} end\nend\n",
        says(when),
        says(what),
    )
}

/// What is written into a memory, lane by lane.
fn watch_writes(memory: &Module) -> String {
    let width = |name: &str| {
        let port = memory.ports.iter().find(|port| port.name == name);
        port.unwrap_or_else(|| panic!("{} has no {name}", memory.name))
            .width
    };
    let lanes = width("write_enable");
    let lane_width = width("write_data") / lanes;
    let mut watches = watch("|write_enable", "write_address");
    for lane in 0..lanes {
        watches.push_str(&match lanes {
            1 => watch("write_enable", "write_data"),
            _ => watch(
                &format!("write_enable[{lane}]"),
                &format!("write_data[{} +: {lane_width}]", lane * lane_width),
            ),
        });
    }
    watches
}
