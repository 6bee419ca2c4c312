//! A wire to an accelerator that Icarus Verilog simulates: every register and memory begins
//! unknown, and an answer with an unknown bit is an error.

use super::{Icarus, Step, run, wires};
use brownout_sim::link::{Link, LinkError};
use brownout_spec::registers::Register;
use std::fs;
use std::io::{BufRead, BufReader, Error, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// Clocks after which the test bench stops waiting for the input stream.
const PATIENCE: usize = 1_000;

/// Clocks after a reset in which delay lines, which it does not clear, may still give what was in
/// them: more than the longest has.
const SETTLING: usize = 48;

/// An accelerator that Icarus has compiled.
pub struct Compiled<'a> {
    icarus: &'a Icarus,
    folder: TempDir,
}

impl<'a> Compiled<'a> {
    /// Compiles `verilog`, whose top module is `top`.
    ///
    /// # Panics
    /// With what Icarus says, if it does not accept the Verilog.
    pub fn new(icarus: &'a Icarus, top: &str, verilog: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("design.v"), verilog).expect("a temporary file");
        fs::write(folder.path().join("bench.v"), bench(top)).expect("a temporary file");
        let mut command = Command::new(&icarus.iverilog);
        command.args(["-g2005", "-s", "bench", "-o", "bench.vvp"]);
        run(command.args(["design.v", "bench.v"]), folder.path());
        Self { icarus, folder }
    }

    /// The accelerator after power-up and a reset of two clocks.
    ///
    /// # Panics
    /// If Icarus does not start.
    pub fn power_up(&self) -> Live {
        let mut process = Command::new(&self.icarus.vvp)
            .args(["-n", "bench.vvp"])
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("Icarus does not start: {error}"));
        let steps = process.stdin.take().expect("it is a pipe");
        let answers = process.stdout.take().expect("it is a pipe");
        Live {
            process,
            steps: Some(steps),
            answers: BufReader::new(answers),
        }
    }
}

/// The wire to a simulation that runs.
pub struct Live {
    process: Child,
    steps: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Live {
    /// Ends the simulation; what it had still to say, nothing if nothing is unknown.
    ///
    /// # Errors
    /// When the simulation does not answer.
    pub fn finish(&mut self) -> Result<String, LinkError> {
        self.steps = None;
        let mut left = String::new();
        self.answers.read_to_string(&mut left)?;
        Ok(left)
    }

    fn input(&mut self) -> Result<&mut ChildStdin, LinkError> {
        let over = || Error::other("the simulation is over");
        Ok(self.steps.as_mut().ok_or_else(over)?)
    }

    fn tell(&mut self, steps: impl IntoIterator<Item = Step>) -> Result<(), LinkError> {
        let text: String = steps
            .into_iter()
            .map(|step| format!("{:011x}\n", step.word()))
            .collect();
        Ok(self.input()?.write_all(text.as_bytes())?)
    }

    /// One line of what the test bench says.
    fn answer(&mut self) -> Result<String, LinkError> {
        self.input()?.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match line.starts_with("unknown") {
            true => Err(Error::other(line.trim().to_owned()).into()),
            false => Ok(line.trim().to_owned()),
        }
    }

    fn value(said: &str) -> Result<u32, LinkError> {
        u32::from_str_radix(said, 16)
            .map_err(|_| Error::other(format!("it answers {said:?}")).into())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Link for Live {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        self.tell([Step::Write {
            address: register.address,
            data: value,
        }])
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        self.tell([Step::Read {
            address: register.address,
        }])?;
        let said = self.answer()?;
        Self::value(&said)
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        self.tell(beats.iter().map(|&beat| Step::Send { beat }))
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        let mut results = Vec::with_capacity(count);
        let mut left = clocks as u32;
        while results.len() < count {
            self.tell([Step::TakeNothing { clocks: left }])?;
            let said = self.answer()?;
            let Some((data, waited)) = said.split_once(' ') else {
                break;
            };
            results.push(Self::value(data)?);
            left = left.saturating_sub(Self::value(waited)?);
        }
        Ok(results)
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        self.tell([Step::Wait {
            clocks: clocks as u32,
        }])
    }
}

/// The test bench: takes a step from its input, answers with a line. A result's line has its value
/// and how long it was waited for; `none` says that none came. Inputs change while the clock is
/// low; outputs are looked at when they have settled, before it rises.
fn bench(top: &str) -> String {
    format!(
        "`default_nettype none
module bench;
{wires}    reg settled, cleared;
    localparam host = 32'h8000_0000;
    reg [43:0] step;
    integer waited, read;

    initial begin
        {{clock, register_write, register_read, input_valid, output_ready}} = 0;
        register_address = 0;
        register_write_data = 0;
        input_data = 0;
        cleared = 0;
        settled = 0;
        reset = 1;
        tick;
        tick;
        reset = 0;
        cleared = 1;
        repeat ({SETTLING}) tick;
        settled = 1;
        read = $fscanf(host, \"%h\", step);
        while (read == 1) begin
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
                    #1 $display(\"%h\", register_read_data);
                    $fflush;
                end
                2: begin
                    input_data = step[31:0];
                    input_valid = 1;
                    #1 while (input_ready !== 1) begin
                        waited = waited + 1;
                        if (waited > {PATIENCE}) begin
                            $display(\"the input stream is stuck\");
                            $finish;
                        end
                        tick;
                        #1;
                    end
                    tick;
                    input_valid = 0;
                end
                4: begin
                    output_ready = 1;
                    #1 while (output_valid === 0 && waited < step[31:0]) begin
                        waited = waited + 1;
                        tick;
                        #1;
                    end
                    if (output_valid === 0) $display(\"none\");
                    else begin
                        $display(\"%h %h\", output_data ^ {{32{{!output_valid}}}}, waited);
                        tick;
                    end
                    $fflush;
                    output_ready = 0;
                end
                5: repeat (step[31:0]) tick;
                default: $display(\"no step %h\", step);
            endcase
            read = $fscanf(host, \"%h\", step);
        end
        $finish;
    end
endmodule
",
        wires = wires(top)
    )
}
