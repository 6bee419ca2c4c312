//! Figures, how they are judged, printed and stored.

use super::provenance::Provenance;
use brownout_golden::evaluate::EvaluateError;
use brownout_golden::export::ExportError;
use brownout_golden::files;
use brownout_golden::float::CalibrationError;
use brownout_golden::model::FileError;
use brownout_golden::network::ArchitectureError;
use brownout_golden::train::TrainError;
use brownout_hdl::GenerateError;
use brownout_sim::build::BuildError;
use brownout_sim::driver::DriverError;
use brownout_sim::model::ModelError;
use brownout_sim::simulator::SimulatorError;
use brownout_sim::toolchain::ToolchainError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why nothing was measured.
#[derive(Debug, Error)]
pub enum BenchError {
    /// No such topic.
    #[error("--topic is {wanted:?}; allowed are {allowed}")]
    Topic {
        /// The name given.
        wanted: String,
        /// All names.
        allowed: String,
    },
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
    /// A model file cannot be read.
    #[error(transparent)]
    Read(#[from] FileError),
    /// There is no such network.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// A network cannot be quantized.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// A network has no integer form.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A network cannot be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Chips could not be measured.
    #[error(transparent)]
    Evaluate(#[from] Box<EvaluateError>),
    /// What Brownout is compared with did not do what it was asked for.
    #[error("{name} was asked to {request} and answered {answer:?}")]
    Rival {
        /// Which.
        name: String,
        /// What it was asked for.
        request: String,
        /// Its answer.
        answer: String,
    },
    /// A program did not end well.
    #[error("{program} ended with {status}")]
    Program {
        /// Which.
        program: PathBuf,
        /// How it ended.
        status: String,
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

/// What a median is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// No less than this.
    AtLeast(f64),
    /// Less than this.
    Below(f64),
}

/// An aim, and whether it was met.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The aim.
    pub aim: Aim,
    /// Whether the median meets it.
    pub met: bool,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (relation, value) = match self.aim {
            Aim::AtLeast(value) => (">=", value),
            Aim::Below(value) => ("<", value),
        };
        let verdict = if self.met { "met" } else { "MISSED" };
        write!(f, "{relation} {}: {verdict}", digits(value))
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
    /// What the median is judged by, if there is an aim.
    pub judged: Option<Judged>,
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
            judged: None,
        }
    }

    /// The figure, judged by an aim.
    pub fn against(self, aim: Aim) -> Self {
        let met = match aim {
            Aim::AtLeast(least) => self.median >= least,
            Aim::Below(limit) => self.median < limit,
        };
        Self {
            judged: Some(Judged { aim, met }),
            ..self
        }
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
            "  {:names$}  {:conditions$}  {:units$}  {:>10}  {:>10}  {:>10}  runs  aim",
            "figure", "of", "unit", "minimum", "median", "maximum"
        )?;
        for figure in &self.figures {
            let judged = figure.judged.map_or("-".to_owned(), |j| j.to_string());
            writeln!(
                f,
                "  {:names$}  {:conditions$}  {:units$}  {:>10}  {:>10}  {:>10}  {:>4}  {judged}",
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

fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}
