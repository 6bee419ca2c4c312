//! Figures, where they come from, and how they are printed and stored.

use brownout_golden::files;
use brownout_hdl::GenerateError;
use brownout_sim::build::BuildError;
use brownout_sim::driver::DriverError;
use brownout_sim::model::ModelError;
use brownout_sim::simulator::SimulatorError;
use brownout_sim::toolchain::{Toolchain, ToolchainError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use thiserror::Error;

/// Why nothing was measured.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A tool is missing.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// No Verilog.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// No model.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The model is not what it should be.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The accelerator cannot be simulated.
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    /// The accelerator did not answer as one does.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The C++ harness could not be compiled or did not end well.
    #[error("the C++ harness could not {action}:\n{complaint}")]
    Harness {
        /// What was tried.
        action: &'static str,
        /// Its complaint.
        complaint: String,
    },
    /// Two runs that must be equal are not.
    #[error("{what}: {left} and {right} must be equal")]
    Unequal {
        /// What was compared.
        what: String,
        /// One side.
        left: String,
        /// The other.
        right: String,
    },
    /// A file could not be read or written.
    #[error("could not use {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BenchError {
    /// Refuses results of the same thing that differ.
    pub(super) fn unless_equal<T: PartialEq + fmt::Debug>(
        what: &str,
        left: T,
        right: T,
    ) -> Result<(), Self> {
        if left == right {
            return Ok(());
        }
        Err(Self::Unequal {
            what: what.to_owned(),
            left: format!("{left:?}"),
            right: format!("{right:?}"),
        })
    }

    /// For `map_err` on a file's operations.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }
}

/// One measured quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// On what.
    pub conditions: String,
    /// Unit of the three values.
    pub unit: String,
    /// How often it was measured.
    pub repetitions: usize,
    /// Smallest value.
    pub minimum: f64,
    /// The value to quote.
    pub median: f64,
    /// Largest value.
    pub maximum: f64,
}

impl Figure {
    /// A figure of measured values.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(name: &str, conditions: &str, unit: &str, mut values: Vec<f64>) -> Self {
        assert!(!values.is_empty(), "a figure needs a measurement");
        values.sort_by(f64::total_cmp);
        let count = values.len();
        Self {
            name: name.to_owned(),
            conditions: conditions.to_owned(),
            unit: unit.to_owned(),
            repetitions: count,
            minimum: values[0],
            median: (values[(count - 1) / 2] + values[count / 2]) / 2.0,
            maximum: values[count - 1],
        }
    }
}

/// What figures depend on besides the thing measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Commit that is checked out.
    pub commit: String,
    /// Whether tracked files differ from it.
    pub dirty: bool,
    /// Version of the compiler that built this program.
    pub rustc: String,
    /// Version of Verilator.
    pub verilator: String,
    /// Version of the C++ compiler.
    pub compiler: String,
    /// Model of the processor.
    pub processor: String,
    /// Processors this program may use.
    pub processors: usize,
    /// The command that was run.
    pub command: String,
}

impl Provenance {
    /// Asks git, the tools and the machine.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn collect() -> Result<Self, BenchError> {
        let toolchain = Toolchain::locate()?;
        Ok(Self {
            commit: git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".to_owned()),
            dirty: git(&["status", "--porcelain", "--untracked-files=no"])
                .is_none_or(|changes| !changes.is_empty()),
            rustc: env!("BROWNOUT_RUSTC").to_owned(),
            verilator: toolchain.verilator_version().to_owned(),
            compiler: toolchain.compiler_version().to_owned(),
            processor: processor(),
            processors: std::thread::available_parallelism().map_or(1, |n| n.get()),
            command: command(),
        })
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dirty = if self.dirty { " with changes" } else { "" };
        writeln!(f, "commit     {}{dirty}", self.commit)?;
        writeln!(f, "command    {}", self.command)?;
        writeln!(f, "processor  {} x {}", self.processors, self.processor)?;
        writeln!(f, "compilers  {}; {}", self.rustc, self.compiler)?;
        writeln!(f, "simulator  {}", self.verilator)
    }
}

/// The figures of one topic: one table, one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What they are about, the file's name.
    pub topic: String,
    /// Where they come from.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Runnable processes, averaged over the last minute, when the topic was done; absent
    /// where the system does not say. Above 1, others used the machine as well.
    pub load: Option<f64>,
    /// The figures.
    pub figures: Vec<Figure>,
}

impl Report {
    /// The figures of a topic.
    pub fn new(topic: &str, provenance: &Provenance, figures: Vec<Figure>) -> Self {
        Self {
            topic: topic.to_owned(),
            provenance: provenance.clone(),
            load: load(),
            figures,
        }
    }

    /// Writes `TOPIC.json` into a folder, which is created.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), BenchError> {
        fs::create_dir_all(folder).map_err(BenchError::file(folder))?;
        let path = folder.join(format!("{}.json", self.topic));
        let text = serde_json::to_string_pretty(self).expect("a report is plain data");
        files::write(&path, format!("{text}\n").as_bytes()).map_err(BenchError::file(&path))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = self.load.map_or("unknown".into(), |l| format!("{l:.2}"));
        writeln!(f, "\n{} (load {load})", self.topic)?;
        let width = |field: fn(&Figure) -> &str| {
            let lengths = self.figures.iter().map(|figure| field(figure).len());
            lengths.max().unwrap_or(0)
        };
        let (names, conditions) = (width(|f| &f.name), width(|f| &f.conditions));
        let units = width(|f| &f.unit);
        writeln!(
            f,
            "  {:names$}  {:conditions$}  {:units$}  {:>10}  {:>10}  {:>10}  runs",
            "figure", "of", "unit", "minimum", "median", "maximum"
        )?;
        for figure in &self.figures {
            writeln!(
                f,
                "  {:names$}  {:conditions$}  {:units$}  {:>10}  {:>10}  {:>10}  {:>4}",
                figure.name,
                figure.conditions,
                figure.unit,
                digits(figure.minimum),
                digits(figure.median),
                digits(figure.maximum),
                figure.repetitions
            )?;
        }
        Ok(())
    }
}

/// Four digits that count, without an exponent.
fn digits(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        10.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(env!("CARGO_MANIFEST_DIR"));
    let output = command.args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

fn processor() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    model.map_or(std::env::consts::ARCH.to_owned(), |model| {
        model.trim_start_matches([' ', '\t', ':']).to_owned()
    })
}

/// `make bench`, or what was typed instead; the program's folder says nothing.
fn command() -> String {
    let mut arguments = std::env::args_os();
    let program = arguments.next().map(PathBuf::from).unwrap_or_default();
    let name = program.file_name().unwrap_or_default().to_owned();
    let words = std::iter::once(name).chain(arguments);
    let words: Vec<_> = words.map(|w| w.to_string_lossy().into_owned()).collect();
    words.join(" ")
}

fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}
