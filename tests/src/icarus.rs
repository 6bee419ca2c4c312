//! A third opinion: sessions recorded on Verilator's model, played again by Icarus Verilog.
//!
//! A [`Recorder`] notes all that a driver does and what it got back. A plain test
//! bench does the same to the same Verilog, clock for clock, and Icarus runs it.
//! Icarus knows x: what depends on a register before it has a value, or on a
//! memory's word that nobody wrote, shows up here and nowhere else.

use brownout_sim::link::{Link, LinkError};
use brownout_spec::registers::Register;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub mod live;
pub mod pessimist;
pub mod watched;

/// Clocks after which the test bench stops waiting for a stream.
const PATIENCE: usize = 100_000;

/// One thing that a host does. In the test bench's script it is one 44-bit word:
/// its number, the register, the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Write { address: u8, data: u32 },
    Read { address: u8 },
    Send { beat: u32 },
    Take,
    TakeNothing { clocks: u32 },
    Wait { clocks: u32 },
}

impl Step {
    fn word(self) -> u64 {
        let (number, address, data) = match self {
            Self::Write { address, data } => (0, address, data),
            Self::Read { address } => (1, address, 0),
            Self::Send { beat } => (2, 0, beat),
            Self::Take => (3, 0, 0),
            Self::TakeNothing { clocks } => (4, 0, clocks),
            Self::Wait { clocks } => (5, 0, clocks),
        };
        number << 40 | u64::from(address) << 32 | u64::from(data)
    }
}

/// A link that notes what passes.
pub struct Recorder<L> {
    link: L,
    steps: Vec<Step>,
    answers: Vec<u32>,
}

impl<L: Link> Recorder<L> {
    /// Listens to a link, which has just been reset.
    pub fn new(link: L) -> Self {
        Self {
            link,
            steps: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// What was recorded.
    pub fn recording(&self) -> Recording {
        Recording {
            steps: self.steps.clone(),
            answers: self.answers.clone(),
        }
    }
}

impl<L: Link> Link for Recorder<L> {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        self.steps.push(Step::Write {
            address: register.address,
            data: value,
        });
        self.link.write_register(register, value)
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        let value = self.link.read_register(register)?;
        self.steps.push(Step::Read {
            address: register.address,
        });
        self.answers.push(value);
        Ok(value)
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        self.steps
            .extend(beats.iter().map(|&beat| Step::Send { beat }));
        self.link.send(beats)
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        let results = self.link.receive(count, clocks)?;
        match results.len() {
            0 => self.steps.push(Step::TakeNothing {
                clocks: clocks as u32,
            }),
            taken => self.steps.extend(vec![Step::Take; taken]),
        }
        self.answers.extend(&results);
        Ok(results)
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        self.steps.push(Step::Wait {
            clocks: clocks as u32,
        });
        self.link.wait(clocks)
    }
}

/// A session: what the host did, and all that it read.
#[derive(Clone, Debug)]
pub struct Recording {
    steps: Vec<Step>,
    answers: Vec<u32>,
}

impl Recording {
    /// Number of values that the host read: registers and results.
    pub fn answers(&self) -> usize {
        self.answers.len()
    }

    /// Of all values that the host read, in order.
    pub fn checksum(&self) -> u32 {
        self.answers
            .iter()
            .fold(0, |sum: u32, answer| sum.rotate_left(1) ^ answer)
    }

    /// Plays the session on `verilog`, whose top module is `top`; the checksum as
    /// Icarus prints it, which has x's in it where it is unknown.
    ///
    /// # Panics
    /// With what Icarus says, if it does not accept the Verilog or stops early.
    pub fn play(&self, icarus: &Icarus, top: &str, verilog: &str) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let script: String = self
            .steps
            .iter()
            .map(|step| format!("{:011x}\n", step.word()))
            .collect();
        fs::write(path("script.hex"), script).expect("a temporary file");
        fs::write(path("design.v"), verilog).expect("a temporary file");
        fs::write(path("bench.v"), bench(top, self.steps.len())).expect("a temporary file");
        let compiled = run(
            Command::new(&icarus.iverilog)
                .args([
                    "-g2005",
                    "-Wall",
                    "-Wno-timescale",
                    "-s",
                    "bench",
                    "-o",
                    "bench.vvp",
                ])
                .args(["design.v", "bench.v"]),
            folder.path(),
        );
        assert_eq!(compiled, "", "iverilog -Wall says");
        let said = run(
            Command::new(&icarus.vvp).args(["-n", "bench.vvp"]),
            folder.path(),
        );
        let checksum = said.lines().find_map(|line| line.strip_prefix("checksum "));
        checksum
            .unwrap_or_else(|| panic!("the test bench does not end: {said}"))
            .to_owned()
    }
}

/// All that a command prints, if it succeeds.
fn run(command: &mut Command, folder: &Path) -> String {
    let output = command
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?} says\n{said}");
    said
}

/// Major versions that are known to agree; `make tools` reads the same file.
const VERSIONS: &str = include_str!("../../tools/icarus-versions");
/// Allows to go without Icarus.
const SKIP: &str = "BROWNOUT_SKIP_ICARUS";

/// The programs of Icarus Verilog.
pub struct Icarus {
    iverilog: PathBuf,
    vvp: PathBuf,
    version: String,
}

impl Icarus {
    /// Icarus on the PATH, which for `make` includes the tool chain's; `None` where
    /// `BROWNOUT_SKIP_ICARUS` is set.
    ///
    /// # Panics
    /// With a sentence, if there is none or it is of a version that is not known to agree.
    pub fn find() -> Option<Self> {
        if env::var_os(SKIP).is_some_and(|value| !value.is_empty()) {
            return None;
        }
        let find = |name: &str| {
            let path = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&path)
                .map(|folder| folder.join(name))
                .find(|file| file.is_file())
                .unwrap_or_else(|| panic!("there is no {name} on the PATH: run `make tools` and put .tools/bin first, or set {SKIP}=1 to leave these tests out"))
        };
        let (iverilog, vvp) = (find("iverilog"), find("vvp"));
        let said = run(Command::new(&iverilog).arg("-V"), Path::new("."));
        let version = version(&said).unwrap_or_else(|| panic!("{iverilog:?} says\n{said}"));
        assert!(
            is_allowed(version),
            "Icarus Verilog {version} is none of the versions {}; install one of them, or set {SKIP}=1 to leave these tests out",
            VERSIONS.trim()
        );
        Some(Self {
            version: version.to_owned(),
            iverilog,
            vvp,
        })
    }

    /// Its version, such as `12.0`.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// The version in what `iverilog -V` says.
fn version(said: &str) -> Option<&str> {
    let words = said
        .lines()
        .find_map(|line| line.strip_prefix("Icarus Verilog version "))?;
    words.split_whitespace().next()
}

fn is_allowed(version: &str) -> bool {
    let major = version.split('.').next();
    VERSIONS
        .split_whitespace()
        .any(|allowed| Some(allowed) == major)
}

/// What every test bench begins with: an accelerator, its wires, and `tick`, one clock.
fn wires(top: &str) -> String {
    format!(
        "reg clock, reset, register_write, register_read, input_valid, output_ready;
    reg [7:0] register_address;
    reg [31:0] register_write_data, input_data;
    wire input_ready, output_valid;
    wire [31:0] register_read_data, output_data;
    {top} accelerator (
        .clock(clock), .reset(reset), .register_write(register_write), .register_read(register_read),
        .register_address(register_address), .register_write_data(register_write_data),
        .register_read_data(register_read_data), .input_valid(input_valid), .input_data(input_data),
        .input_ready(input_ready), .output_valid(output_valid), .output_data(output_data),
        .output_ready(output_ready)
    );

    task tick;
        begin
            #1 clock = 1;
            #1 clock = 0;
        end
    endtask
"
    )
}

/// The test bench. Inputs change while the clock is low; outputs are looked at
/// when they have settled, before it rises.
fn bench(top: &str, steps: usize) -> String {
    format!(
        "`default_nettype none
module bench;
{wires}    reg [43:0] script [0:{last}];
    reg [43:0] step;
    reg [31:0] checksum;
    integer at, waited;

    task answer(input [31:0] value);
        checksum = {{checksum[30:0], checksum[31]}} ^ value;
    endtask

    // Waits for a stream; x is not 1.
    task patience;
        begin
            waited = waited + 1;
            if (waited > {PATIENCE}) begin
                $display(\"stuck at step %0d\", at);
                $finish;
            end
            tick;
        end
    endtask

    initial begin
        $readmemh(\"script.hex\", script);
        {{clock, register_write, register_read, input_valid, output_ready}} = 0;
        register_address = 0;
        register_write_data = 0;
        input_data = 0;
        checksum = 0;
        reset = 1;
        tick;
        tick;
        reset = 0;
        for (at = 0; at <= {last}; at = at + 1) begin
            step = script[at];
            waited = 0;
            case (step[43:40])
                0: begin
                    register_address = step[39:32];
                    register_write_data = step[31:0];
                    register_write = 1;
                    tick;
                    register_write = 0;
                end
                1: begin
                    register_address = step[39:32];
                    register_read = 1;
                    tick;
                    register_read = 0;
                    #1 answer(register_read_data);
                end
                2: begin
                    input_data = step[31:0];
                    input_valid = 1;
                    #1 while (input_ready !== 1) patience;
                    tick;
                    input_valid = 0;
                end
                3: begin
                    output_ready = 1;
                    #1 while (output_valid !== 1) patience;
                    answer(output_data);
                    tick;
                    output_ready = 0;
                end
                4: begin
                    output_ready = 1;
                    repeat (step[31:0]) begin
                        #1 if (output_valid !== 0) answer(output_data);
                        tick;
                    end
                    output_ready = 0;
                end
                5: repeat (step[31:0]) tick;
                default: $display(\"no step %h\", step);
            endcase
        end
        $display(\"checksum %h\", checksum);
        $finish;
    end
endmodule
",
        wires = wires(top),
        last = steps - 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_notices_order_and_value() {
        let recording = |answers: &[u32]| Recording {
            steps: Vec::new(),
            answers: answers.to_vec(),
        };
        let sums = [[1, 2], [2, 1], [1, 3]].map(|answers| recording(&answers).checksum());
        assert_eq!(sums, [0, 5, 1]);
    }

    #[test]
    fn only_versions_that_are_known_to_agree_are_used() {
        let said = "Icarus Verilog version 12.0 (stable) ()\n\nCopyright";
        assert_eq!(version(said), Some("12.0"));
        assert_eq!(version("a shell: no such file"), None);
        let allowed = ["10.3", "11.0", "12.0", "13.0", "1", ""].map(is_allowed);
        assert_eq!(allowed, [false, true, true, false, false, false]);
    }
}
