//! How a claim becomes a proof, and what counts as one.
//!
//! A claim is an output of one bit that is to be 1. `sat -prove` of Yosys looks
//! for values of everything that is not fixed, initial states included, with
//! which it is 0, and says in its log whether it found some. Only these words
//! count: neither an exit status nor the absence of an error is a proof.
//!
//! Parity trees over 64 symbolic bits are out of reach for a SAT solver that
//! does not know exclusive-or, and small as decision diagrams. So logic without
//! registers can be collapsed to diagrams first (ABC, called by Yosys); a claim
//! that holds is then the constant that `sat` is asked about, and one that does
//! not leaves a diagram in which `sat` finds the counterexample.

use super::netlist::Cut;
use brownout_sim::toolchain::Toolchain;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Seconds that one question may take.
const TIMEOUT: u32 = 300;
/// What Yosys says when it has shown that no counterexample exists.
const PROVED: &str = "SAT proof finished - no model found: SUCCESS!";
/// What it says when it has found one.
const REFUTED: &str = "SAT proof finished - model found: FAIL!";
/// What it says when an output never is unknown.
const ALWAYS_KNOWN: &str = "SAT solving finished - no model found.";
/// What it says when it may be.
const UNKNOWN: &str = "SAT solving finished - model found:";
/// Stands in the log in front of the answer about a claim.
const MARK: &str = "ABOUT THE CLAIM ";
/// Registers as wires. Only plain flip-flops: enables are multiplexers in front of them.
const REGISTERS_AS_WIRES: &str = "\
module \\$dff (CLK, D, Q);
parameter WIDTH = 0;
parameter CLK_POLARITY = 0;
input CLK;
input [WIDTH-1:0] D;
output [WIDTH-1:0] Q;
assign Q = D;
endmodule
";

/// What Yosys found out about a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds for all values.
    Proved,
    /// It does not; the values with which it fails.
    Refuted(String),
}

/// How the module is looked at.
#[derive(Clone, Debug)]
pub enum View {
    /// Registers are wires; parities are collapsed to decision diagrams.
    Parities,
    /// Registers are wires; sums and products are left as they are.
    Arithmetic,
    /// Clocks 1 to `clocks` from any state; claims are about those from `first` on.
    Time {
        /// First clock of which the claims speak.
        first: usize,
        /// Number of clocks.
        clocks: usize,
        /// Inputs which have a value at a clock: (clock, input, value).
        given: Vec<(usize, String, u64)>,
    },
}

/// A claim of time about one module; [`depends_only_on`](super::window::depends_only_on) makes it.
#[derive(Clone, Debug)]
pub struct Window {
    /// Options of `sat` that say what is known at which clock.
    pub premises: String,
    /// Outputs that have to be known at the last clock, separated by commas.
    pub outputs: String,
    /// Number of clocks.
    pub clocks: usize,
}

impl Window {
    /// Whether the outputs are known at the last clock, and whether they are one clock before.
    ///
    /// # Panics
    /// With the end of its log, if Yosys does not say clearly which it is.
    pub fn ask(&self, cut: &Cut) -> [bool; 2] {
        self.try_ask(cut)
            .unwrap_or_else(|silence| panic!("{silence}"))
    }

    /// Whether the outputs are known at the last clock, and whether they are one clock before.
    ///
    /// # Errors
    /// With the end of its log, if Yosys does not say clearly which it is.
    pub fn try_ask(&self, cut: &Cut) -> Result<[bool; 2], String> {
        let mut script = format!(
            "read_verilog design.v\nhierarchy -check -top {}\nproc -norom\nflatten\nopt -full\n",
            cut.name
        );
        let times = [("last", self.clocks), ("earlier", self.clocks - 1)];
        for (claim, clock) in times {
            script.push_str(&format!(
                "log {MARK}{claim}\nsat -timeout {TIMEOUT} -seq {} -enable_undef -set-init-undef{} -set-any-undef-at {clock} {}\n",
                self.clocks, self.premises, self.outputs
            ));
        }
        let (log, said) = run_on(cut, "", &script);
        let known = |claim| {
            let answer = section(&log, claim).unwrap_or_default();
            match (answer.contains(ALWAYS_KNOWN), answer.contains(UNKNOWN)) {
                (true, false) => Ok(true),
                (false, true) => Ok(false),
                _ => Err(no_answer(claim, &log, &said)),
            }
        };
        Ok([known("last")?, known("earlier")?])
    }

    /// Insists that the outputs are known at the last clock, and not before.
    ///
    /// # Panics
    /// If it is otherwise.
    pub fn prove(&self, cut: &Cut) {
        let known = self.ask(cut);
        assert_eq!(
            known,
            [true, false],
            "{} of {}: known at clock {} of the computation, and known before",
            self.outputs,
            cut.name,
            self.clocks - 1
        );
    }

    /// Asks about a mutant, and insists that there it is otherwise.
    ///
    /// # Panics
    /// If it is not.
    pub fn reject(&self, mutant: &Cut) {
        assert_ne!(
            self.ask(mutant),
            [true, false],
            "{} of a mutant of {} are known when they should be",
            self.outputs,
            mutant.name
        );
    }
}

/// Claims about one module.
#[derive(Clone, Debug)]
pub struct Theorem {
    /// Module `theorem`, with an output for each claim, and what it needs.
    pub text: String,
    /// The outputs.
    pub claims: Vec<&'static str>,
    /// How the module is looked at.
    pub view: View,
}

impl Theorem {
    /// Asks Yosys about each claim, with `cut` as the module.
    ///
    /// # Panics
    /// With the end of its log, if Yosys does not say clearly which it is.
    pub fn ask(&self, cut: &Cut) -> Vec<Verdict> {
        self.try_ask(cut)
            .unwrap_or_else(|silence| panic!("{silence}"))
    }

    /// Asks Yosys about each claim, with `cut` as the module.
    ///
    /// # Errors
    /// With the end of its log, if Yosys does not say clearly which it is.
    pub fn try_ask(&self, cut: &Cut) -> Result<Vec<Verdict>, String> {
        let (log, said) = run_on(cut, &self.text, &self.script());
        self.claims
            .iter()
            .map(|claim| verdict(&log, claim).ok_or_else(|| no_answer(claim, &log, &said)))
            .collect()
    }

    /// Asks Yosys, and insists on a proof of every claim.
    ///
    /// # Panics
    /// With the counterexample, if there is one.
    pub fn prove(&self, cut: &Cut) {
        for (claim, verdict) in self.claims.iter().zip(self.ask(cut)) {
            if let Verdict::Refuted(values) = verdict {
                panic!("{} does not keep the claim {claim}:\n{values}", cut.name);
            }
        }
    }

    /// Asks Yosys about a mutant, and insists that exactly these claims are refuted.
    ///
    /// # Panics
    /// If it is another set of claims.
    pub fn reject(&self, mutant: &Cut, broken: &[&str]) {
        let verdicts = self.ask(mutant);
        let refuted: Vec<&str> = self
            .claims
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| **verdict != Verdict::Proved)
            .map(|(claim, _)| *claim)
            .collect();
        assert_eq!(
            refuted, broken,
            "claims refuted on a mutant of {}",
            mutant.name
        );
    }

    fn script(&self) -> String {
        let mut script = String::from(
            "read_verilog design.v theorem.v\nhierarchy -check -top theorem\nproc -norom\nflatten\n",
        );
        match &self.view {
            View::Time { .. } => script.push_str("memory_map\nopt -full\n"),
            View::Arithmetic => script.push_str(
                "techmap -map registers.v\nopt -full\nwreduce\nopt -full\ncheck -assert\n",
            ),
            View::Parities => script.push_str(
                "techmap -map registers.v\nopt -full\ntechmap\nopt\ncheck -assert\n\
                 abc -script +strash;collapse;strash;map\nopt_clean\n",
            ),
        }
        for claim in &self.claims {
            script.push_str(&format!(
                "log {MARK}{claim}\n{} -prove {claim} 1\n",
                self.question()
            ));
        }
        script
    }

    /// The `sat` command without what it is to prove.
    fn question(&self) -> String {
        let mut question = format!("sat -timeout {TIMEOUT} -show-inputs -show-outputs");
        if let View::Time {
            first,
            clocks,
            given,
        } = &self.view
        {
            question.push_str(&format!(" -seq {clocks} -prove-skip {}", first - 1));
            for (clock, input, value) in given {
                question.push_str(&format!(" -set-at {clock} {input} {value}"));
            }
        }
        question
    }
}

/// Runs a script on some files; its log, and what it said besides.
///
/// # Panics
/// If Yosys does not start.
pub fn run(files: &[(&str, &str)], script: &str) -> (String, String) {
    // WebAssembly's /tmp is no folder of ours, so all names are relative.
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files.iter().chain([&("script.ys", script)]) {
        fs::write(folder.path().join(name), text).expect("a file in a temporary folder");
    }
    let output = Command::new(yosys())
        .args(["-q", "-l", "log", "-s", "script.ys"])
        .current_dir(folder.path())
        .output()
        .unwrap_or_else(|error| panic!("Yosys does not start: {error}; run `make tools`"));
    let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    (log, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs a script about a module.
fn run_on(cut: &Cut, theorem: &str, script: &str) -> (String, String) {
    let design: Vec<&str> = cut.files.iter().map(|(_, text)| text.as_str()).collect();
    let files = [
        ("design.v", design.concat()),
        ("theorem.v", theorem.to_owned()),
        ("registers.v", REGISTERS_AS_WIRES.to_owned()),
    ];
    run(
        &files.each_ref().map(|(name, text)| (*name, text.as_str())),
        script,
    )
}

/// What the log says after the mark of a claim and before that of the next.
fn section<'a>(log: &'a str, claim: &str) -> Option<&'a str> {
    let mark = format!("{MARK}{claim}\n");
    log.split_once(&mark)?.1.split(MARK).next()
}

/// What the log says about a claim, if it says it.
fn verdict(log: &str, claim: &str) -> Option<Verdict> {
    let answer = section(log, claim)?;
    match (answer.contains(PROVED), answer.split_once(REFUTED)) {
        (true, None) => Some(Verdict::Proved),
        (false, Some((_, values))) => Some(Verdict::Refuted(table(values))),
        _ => None,
    }
}

/// The table of values in an answer, without the ornament around it.
fn table(answer: &str) -> String {
    let rows = answer
        .lines()
        .skip_while(|line| !line.contains("Signal Name"));
    let rows: Vec<&str> = rows.take_while(|line| !line.is_empty()).collect();
    rows.join("\n")
}

fn no_answer(claim: &str, log: &str, said: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let end = &lines[lines.len().saturating_sub(30)..];
    format!(
        "Yosys neither proves nor refutes the claim {claim}. It says:\n{said}\nThe end of its log:\n{}",
        end.join("\n")
    )
}

/// The Yosys of the tool chain, or the one on the PATH.
fn yosys() -> PathBuf {
    let home = Toolchain::locate()
        .ok()
        .and_then(|tools| tools.home().map(PathBuf::from));
    let pinned = home.map(|home| home.join(".tools/bin/yosys"));
    match pinned {
        Some(path) if path.is_file() => path,
        _ => env::var_os("PATH")
            .iter()
            .flat_map(env::split_paths)
            .map(|folder| folder.join("yosys"))
            .find(|path| path.is_file())
            .expect("Yosys is neither in .tools nor on the PATH: run `make tools`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_of_yosys_are_a_proof() {
        let log = format!(
            "{MARK}a\n{PROVED}\n{MARK}b\nInterrupted\n{MARK}c\n{REFUTED}\n\n  Signal Name  Dec\n  x 1\n\n"
        );
        assert_eq!(verdict(&log, "a"), Some(Verdict::Proved));
        assert_eq!(verdict(&log, "b"), None);
        let values = "  Signal Name  Dec\n  x 1".to_owned();
        assert_eq!(verdict(&log, "c"), Some(Verdict::Refuted(values)));
        assert_eq!(verdict(&log, "d"), None);
        assert_eq!(verdict("", "a"), None);
    }
}
