//! Does a mutant differ from the module at all? Yosys answers for one module.
//!
//! Original and mutant are compared with all registers and all ports of
//! submodules cut open: inputs, register values and what submodules give are
//! free, and outputs, next values and what submodules get must be equal. An
//! equal pair can never differ, in whatever design. The other direction does
//! not hold: values that never meet in the design count as well.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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
    let script = format!(
        "read_verilog -lib children.v\n\
         read_verilog gold.v\nrename {module} gold\n\
         read_verilog gate.v\nrename {module} gate\n\
         proc -noopt\n\
         expose -evert gold/c:* gate/c:*\n\
         expose -shared -evert-dff gold/c:* gate/c:*\n\
         miter -equiv -flatten -make_outputs gold gate miter\n\
         sat -verify -prove trigger 0 -set-def-inputs miter\n"
    );
    write_script(folder.path(), &script)?;
    let mut child = Command::new("yosys")
        .args(["-q", "-s", "prove.ys"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("yosys cannot be run ({e}): run `make tools`"))?;
    let Some((success, text)) = wait(&mut child, limit)? else {
        return Ok(Proof::Unknown);
    };
    match success {
        true => Ok(Proof::Equivalent),
        false if text.contains("proof did fail") => Ok(Proof::Differs),
        false => Err(text),
    }
}

fn write_script(folder: &Path, script: &str) -> Result<(), String> {
    fs::write(folder.join("prove.ys"), script).map_err(|e| format!("prove.ys: {e}"))
}

/// Whether the child succeeded, and what it said; `None` and its end after `limit`.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<(bool, String)>, String> {
    let out = child.stdout.take().map(drain);
    let err = child.stderr.take().map(drain);
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            break Some(status);
        }
        if Instant::now() > end {
            child.kill().map_err(|e| e.to_string())?;
            child.wait().map_err(|e| e.to_string())?;
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let text: String = [out, err]
        .into_iter()
        .flatten()
        .filter_map(|reader| reader.join().ok())
        .collect();
    Ok(status.map(|status| (status.success(), text)))
}

fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What cannot be read is missing from the message, no more.
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
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
    fn another_form_of_the_same_is_equivalent_and_another_sum_is_not() {
        assert_eq!(ask("q <= q - ~a - 4'd1;"), Proof::Equivalent);
        assert_eq!(
            ask("begin : b reg [3:0] unread; unread = ~q; q <= q + a; end"),
            Proof::Equivalent
        );
        assert_eq!(ask("q <= q + a + (a == 4'd15);"), Proof::Differs);
    }
}
