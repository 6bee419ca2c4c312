//! The C++ side of the comparison: a program without Rust, written on the model's
//! own class and linked with the shared object which Rust drives too.

use super::report::BenchError;
use super::stimulus::Stimulus;
use super::wires::Effort;
use brownout_sim::build::{BuildOptions, verilate};
use brownout_sim::cache::CompiledModel;
use brownout_sim::simulator::source;
use brownout_sim::toolchain::Toolchain;
use brownout_spec::config::Configuration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

const NAME: &str = "harness.cpp";
const SOURCE: &str = include_str!("harness.cpp");
/// The runtime's files that models without threads and waveforms need.
pub(super) const RUNTIME: [&str; 2] = ["verilated.cpp", "verilated_threads.cpp"];
/// As models are compiled; the model finds the runtime in the program.
pub(super) const FLAGS: [&str; 9] = [
    "-O3",
    "-std=c++17",
    "-w",
    "-pthread",
    "-rdynamic",
    "-DVERILATOR=1",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVM_TRACE=0",
];

/// The harness, compiled for one model.
pub struct Harness {
    folder: TempDir,
}

impl Harness {
    /// Compiles it for the model of a configuration, in some seconds.
    pub fn build(
        toolchain: &Toolchain,
        configuration: &Configuration,
        model: &CompiledModel,
    ) -> Result<Self, BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::file(&std::env::temp_dir()))?;
        let harness = Self { folder };
        write_sources(toolchain, configuration, harness.folder.path())?;
        let mut command = toolchain.compiler();
        command.args(FLAGS).arg("-I").arg(harness.folder.path());
        // The model's class is declared in the folder; its code is in the shared object.
        command.arg(harness.path(NAME)).arg(model.library());
        command.args(RUNTIME.map(|file| toolchain.include().join(file)));
        command.arg("-o").arg(harness.path("harness"));
        ended_well("be compiled", &mut command)?;
        Ok(harness)
    }

    /// Plays a session to a new model; returns the effort of its measured part.
    ///
    /// # Errors
    /// When the harness reads other words than were recorded, or in other clocks.
    pub fn play(&self, stimulus: &Stimulus) -> Result<Effort, BenchError> {
        let record = self.path("record");
        stimulus.write(&record)?;
        let mut command = Command::new(self.path("harness"));
        let output = ended_well("be run", command.arg(&record).arg("1"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<u64> = text.split_whitespace().flat_map(str::parse).collect();
        let [nanoseconds, clocks, checksum] = numbers[..] else {
            let action = "say what it measured";
            return Err(BenchError::Harness {
                action,
                complaint: text,
            });
        };
        BenchError::unless_equal(
            "clocks and hash of the words read, in C++ and in Rust",
            (clocks, checksum),
            (stimulus.clocks, stimulus.checksum),
        )?;
        Ok(Effort {
            time: Duration::from_nanos(nanoseconds),
            clocks,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Writes the harness and the C++ of its model into a folder.
pub(super) fn write_sources(
    toolchain: &Toolchain,
    configuration: &Configuration,
    folder: &Path,
) -> Result<(), BenchError> {
    let verilog = source(&brownout_hdl::generate(configuration)?);
    verilate(toolchain, &verilog, BuildOptions::default(), folder)?;
    let path = folder.join(NAME);
    fs::write(&path, SOURCE).map_err(BenchError::file(&path))
}

/// Runs a tool or the harness itself.
pub(super) fn ended_well(
    action: &'static str,
    command: &mut Command,
) -> Result<Output, BenchError> {
    let refused = |complaint: String| BenchError::Harness { action, complaint };
    let output = command
        .output()
        .map_err(|error| refused(error.to_string()))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(refused(
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}
