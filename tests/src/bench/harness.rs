//! The C++ side of the comparison: a program without Rust that plays a record
//! to the shared object which Rust drives too.

use super::report::BenchError;
use super::stimulus::Stimulus;
use brownout_sim::cache::CompiledModel;
use brownout_sim::toolchain::Toolchain;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

const SOURCE: &str = include_str!("harness.cpp");
/// The runtime's files that models without threads and waveforms need.
const RUNTIME: [&str; 2] = ["verilated.cpp", "verilated_threads.cpp"];
/// As models are compiled; the model finds the runtime in the program.
const FLAGS: [&str; 9] = [
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

/// The compiled harness.
pub struct Harness {
    folder: TempDir,
}

impl Harness {
    /// Compiles it, in some seconds.
    pub fn build(toolchain: &Toolchain) -> Result<Self, BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::file(&std::env::temp_dir()))?;
        let harness = Self { folder };
        let source = harness.path("harness.cpp");
        fs::write(&source, SOURCE).map_err(BenchError::file(&source))?;
        let mut command = toolchain.compiler();
        command.args(FLAGS).arg(&source);
        command.args(RUNTIME.map(|file| toolchain.include().join(file)));
        command.arg("-o").arg(harness.path("harness"));
        command.arg("-ldl");
        ended_well("be compiled", &mut command)?;
        Ok(harness)
    }

    /// Stores a session for [`Harness::play`]; returns its file.
    pub fn store(
        &self,
        name: &str,
        model: &CompiledModel,
        stimulus: &Stimulus,
    ) -> Result<PathBuf, BenchError> {
        let path = self.path(name);
        fs::write(&path, stimulus.bytes(model.ports())).map_err(BenchError::file(&path))?;
        Ok(path)
    }

    /// Plays a stored session to a new model; returns the time of its measured part.
    ///
    /// # Errors
    /// When the harness reads other words than were recorded, or in other clocks.
    pub fn play(
        &self,
        model: &CompiledModel,
        record: &PathBuf,
        stimulus: &Stimulus,
    ) -> Result<Duration, BenchError> {
        let mut command = Command::new(self.path("harness"));
        command.arg(model.library()).arg(record);
        let output = ended_well("be run", &mut command)?;
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
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn ended_well(action: &'static str, command: &mut Command) -> Result<Output, BenchError> {
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
