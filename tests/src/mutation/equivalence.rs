//! Does a mutant differ from the module at all? Yosys answers for one module.
//!
//! Original and mutant are compared with all registers and all ports of
//! submodules cut open: inputs, register values and what submodules give are
//! free, and outputs, next values and what submodules get must be equal. An
//! equal pair can never differ, in whatever design. Where that fails and the
//! module has a reset, induction over clocks shows whether the outputs are equal
//! from the first clock of a reset on, whatever the registers held before it.
//! The other direction does not hold: inputs that never meet in the design
//! count as well.

use crate::limited::within;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What Yosys says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Mutant and module are equivalent.
    Equivalent,
    /// There are values for which they differ.
    Differs,
    /// No answer within the time.
    Unknown,
}

/// Registers are cut open: equal values stay equal, and outputs with them.
const ONE_STEP: &str = "expose -shared -evert-dff gold/c:* gate/c:*\n\
     miter -equiv -flatten -make_outputs gold gate miter\n\
     sat -verify -prove trigger 0 -set-def-inputs miter\n";

/// Outputs alone, by induction over as many clocks as it takes: in the first, which proves
/// nothing, a reset meets registers of any value.
const INDUCTION: &str = "miter -equiv -flatten -make_outputs gold gate miter\n\
     opt -full miter\n\
     sat -verify -tempinduct -prove trigger 0 -set-at 1 in_reset 1 -seq 1 -maxsteps 16 \
     -set-def-inputs miter\n";
/// The port without which there is no such first clock.
const RESET: &str = "input wire reset";

/// A module's two texts and the texts of the modules that it may contain.
pub struct Pair<'a> {
    /// The module's name.
    pub module: &'a str,
    /// As it should be.
    pub original: &'a str,
    /// With the mistake.
    pub mutant: &'a str,
    /// All modules of the design; those inside this one are taken for black boxes.
    pub design: &'a [(String, String)],
}

/// Asks Yosys, for at most `limit`.
///
/// # Errors
/// With Yosys' words if it is missing or refuses the text.
pub fn prove(pair: &Pair, limit: Duration) -> Result<Proof, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let write = |name: &str, text: &str| {
        let text = format!("`default_nettype none\n{text}");
        fs::write(folder.path().join(name), text).map_err(|e| format!("{name}: {e}"))
    };
    write("gold.v", pair.original)?;
    write("gate.v", pair.mutant)?;
    let others = pair.design.iter().filter(|(name, _)| name != pair.module);
    let children: Vec<&str> = others.map(|(_, text)| text.as_str()).collect();
    write("children.v", &children.join("\n"))?;
    let module = pair.module;
    let head = format!(
        "read_verilog -lib children.v\n\
         read_verilog gold.v\nrename {module} gold\n\
         read_verilog gate.v\nrename {module} gate\n\
         proc -noopt\nmemory_map\nexpose -evert gold/c:* gate/c:*\n"
    );
    let mut answer = Ok(Proof::Unknown);
    let with_reset = pair.original.contains(RESET);
    for tail in std::iter::once(ONE_STEP).chain(with_reset.then_some(INDUCTION)) {
        let script = format!("{head}{tail}");
        fs::write(folder.path().join("prove.ys"), script).map_err(|e| format!("prove.ys: {e}"))?;
        answer = ask(folder.path(), limit);
        if answer == Ok(Proof::Equivalent) {
            break;
        }
    }
    answer
}

/// Runs the script in `folder`.
fn ask(folder: &Path, limit: Duration) -> Result<Proof, String> {
    let mut yosys = Command::new("yosys");
    yosys.args(["-q", "-s", "prove.ys"]).current_dir(folder);
    let ended = within(limit, &mut yosys)
        .map_err(|e| format!("yosys cannot be run ({e}): run `make tools`"))?;
    let Ok(output) = ended else {
        return Ok(Proof::Unknown);
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    match output.status.success() {
        true => Ok(Proof::Equivalent),
        false if text.contains("proof did fail") => Ok(Proof::Differs),
        false => Err(text.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: &str) -> Proof {
        let module = |body: &str| {
            format!(
                "module m (input wire clock, input wire [3:0] a, output reg [3:0] q, output wire z);\n\
                 wire [3:0] inside;\ninner i (.a(a), .z(inside));\nassign z = inside == a;\n\
                 always @(posedge clock) {body}\nendmodule\n"
            )
        };
        let inner =
            "module inner (input wire [3:0] a, output wire [3:0] z);\nassign z = ~a;\nendmodule\n";
        let pair = Pair {
            module: "m",
            original: &module("q <= q + a;"),
            mutant: &module(body),
            design: &[("inner".to_string(), inner.to_string())],
        };
        prove(&pair, Duration::from_secs(30)).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn equal_from_a_reset_on_is_equivalent_but_a_reset_left_out_is_not() {
        let text = |hold: &str, reset: &str| {
            format!(
                "module m (input wire clock, input wire reset, input wire a, output wire z);\n\
                 reg q;\nalways @(posedge clock) begin\n  if (q) q <= {hold};\n  {reset}\nend\n\
                 assign z = q;\nendmodule\n"
            )
        };
        let reset = "if (reset) q <= 1'b0;";
        let ask = |hold, reset_of_mutant| {
            let pair = Pair {
                module: "m",
                original: &text("q & a", reset),
                mutant: &text(hold, reset_of_mutant),
                design: &[],
            };
            prove(&pair, Duration::from_secs(30)).unwrap_or_else(|e| panic!("{e}"))
        };
        // Never set after a reset, so what it would hold does not matter: induction alone knows.
        assert_eq!(ask("1'b1", reset), Proof::Equivalent);
        // At zero from the start it would stay there; but nothing puts it there.
        assert_eq!(ask("q & a", ""), Proof::Differs);
    }

    #[test]
    fn another_form_of_the_same_is_equivalent_and_another_sum_is_not() {
        assert_eq!(ask("q <= q - ~a - 4'd1;"), Proof::Equivalent);
        assert_eq!(
            ask("begin : b reg [3:0] unread; unread = ~q; q <= q + a; end"),
            Proof::Equivalent
        );
        assert_eq!(ask("q <= q + a + (a == 4'd15);"), Proof::Differs);
    }
}
