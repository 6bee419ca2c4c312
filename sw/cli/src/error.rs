//! What can go wrong: one sentence for the person who typed the command.

use brownout_golden::data::DataError;
use brownout_golden::export::ExportError;
use brownout_golden::float::CalibrationError;
use brownout_golden::model::FileError;
use brownout_golden::network::ArchitectureError;
use brownout_golden::train::TrainError;
use brownout_hdl::generate::GenerateError;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Exit status when RTL and golden model differ.
#[cfg(feature = "simulate")]
pub const MISMATCH: u8 = 1;
/// Exit status when a flag, a file or the machine is at fault.
pub const REFUSED: u8 = 2;
/// Exit status of a run that Ctrl-C has ended, as shells have it: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Why a command did not do what it was asked to.
#[derive(Debug, Error)]
pub enum Error {
    /// A flag has a value that is not allowed.
    #[error("{flag} is {value}; allowed is {allowed}")]
    Flag {
        /// The flag, with its dashes.
        flag: &'static str,
        /// The value given.
        value: String,
        /// What would be accepted.
        allowed: String,
    },
    /// A flag asks for something that is not possible.
    #[cfg(feature = "simulate")]
    #[error("{flag}: {problem}")]
    Argument {
        /// The flag, with its dashes.
        flag: &'static str,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// Settings that do not go together, or one of a recipe that is not allowed.
    #[error("{0}")]
    Recipe(String),
    /// Ctrl-C.
    #[error("{0}")]
    Interrupted(String),
    /// The operating system refused a file.
    #[error("could not {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content of a file is not allowed.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// The system gives no threads.
    #[error("could not start the threads of {what}: {problem}")]
    Threads {
        /// What they were for.
        what: &'static str,
        /// What the system said.
        problem: String,
    },
    /// A model and a configuration do not go together.
    #[error("{model} does not fit {configuration}: {problem}")]
    Fit {
        /// The model's file or name.
        model: String,
        /// The configuration's file or name.
        configuration: String,
        /// Which field, and by how much.
        problem: String,
    },
    /// A model file is not usable.
    #[error(transparent)]
    Model(#[from] FileError),
    /// A data file is not usable.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network cannot be built for these images.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// Training could not start or diverged.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A checkpoint cannot be quantized with these images.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The trained network has no integer form.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The integer model loses too much.
    #[error("{0}")]
    Unfaithful(String),
    /// The Verilog could not be generated.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The program was built without the co-simulation.
    #[cfg(not(feature = "simulate"))]
    #[error(
        "this `brownout` was built without the co-simulation; run `make tools`, then \
         `PATH=.tools/bin:$PATH cargo build --release --package brownout --features simulate`, \
         or use `make sim`"
    )]
    NoSimulator,
    /// The simulated hardware could not be made.
    #[cfg(feature = "simulate")]
    #[error(transparent)]
    Simulator(#[from] brownout_sim::simulator::SimulatorError),
    /// The co-simulation could not run.
    #[cfg(feature = "simulate")]
    #[error(transparent)]
    Campaign(#[from] brownout_sim::campaign::CampaignError),
    /// RTL and golden model differ.
    #[cfg(feature = "simulate")]
    #[error("{0}")]
    Mismatch(String),
}

impl Error {
    /// What the process exits with.
    pub fn exit_status(&self) -> u8 {
        match self {
            #[cfg(feature = "simulate")]
            Self::Mismatch(_) => MISMATCH,
            Self::Interrupted(_) => INTERRUPTED,
            _ => REFUSED,
        }
    }

    /// Says which part of which recipe it is about; a flag there is the setting of that name.
    #[must_use]
    pub fn of_recipe(self, recipe: &Path, part: &str) -> Self {
        let problem = match self {
            Self::Interrupted(_) => return self,
            #[cfg(feature = "simulate")]
            Self::Mismatch(_) => return self,
            Self::Flag {
                flag,
                value,
                allowed,
            } => {
                let setting = flag.trim_start_matches('-').replace('-', "_");
                format!("{setting} is {value}; allowed is {allowed}")
            }
            other => other.to_string().trim_start_matches("--").to_owned(),
        };
        Self::content(recipe)(format!("{part}: {problem}"))
    }

    /// Says which flag is not allowed.
    pub fn flag(flag: &'static str, value: impl Display, allowed: impl Into<String>) -> Self {
        Self::Flag {
            flag,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    /// Makes an error say which flag it is about.
    #[cfg(feature = "simulate")]
    pub fn argument<E: Display>(flag: &'static str) -> impl FnOnce(E) -> Self {
        move |problem| Self::Argument {
            flag,
            problem: problem.to_string(),
        }
    }

    /// Makes an error say what threads were for.
    pub fn threads<E: Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |problem| Self::Threads {
            what,
            problem: problem.to_string(),
        }
    }

    /// Makes an I/O error say what was tried with which file.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// Makes an error say which file it is about.
    pub fn content<E: Display>(path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_owned();
        move |problem| Self::Content {
            path,
            problem: problem.to_string(),
        }
    }
}
