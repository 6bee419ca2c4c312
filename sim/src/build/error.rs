//! Why a model could not be built.

use crate::toolchain::ToolchainError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a model could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// No tools.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// A source file's name would leave the folder.
    #[error("the Verilog file name {0:?} is not a plain file name")]
    FileName(String),
    /// Verilator reported errors (or warnings, which the emitter must not cause).
    #[error("Verilator refused module `{top}`:\n{complaint}")]
    Verilate {
        /// Top module.
        top: String,
        /// First lines of Verilator's output.
        complaint: String,
    },
    /// A port which the host could not drive.
    #[error("module `{top}` has a port that is neither a plain input nor output: {declaration}")]
    Port {
        /// Top module.
        top: String,
        /// Its declaration in Verilator's header.
        declaration: String,
    },
    /// The clock is not an input of one bit.
    #[error("module `{top}` has no one-bit input `{clock}` to use as its clock")]
    Clock {
        /// Top module.
        top: String,
        /// The name asked for.
        clock: String,
    },
    /// The C++ compiler reported errors.
    #[error("`{compiler}` failed on {file} of module `{top}`:\n{complaint}")]
    Compile {
        /// The compiler.
        compiler: String,
        /// File name.
        file: String,
        /// Top module.
        top: String,
        /// First lines of the compiler's output.
        complaint: String,
    },
    /// A tool reported success and left half a file.
    #[error(
        "{file} of module `{top}` was not written whole: the disk may be full, or a limit on the \
         size of files too low"
    )]
    Incomplete {
        /// File name.
        file: String,
        /// Top module.
        top: String,
    },
    /// A file or folder could not be read or written.
    #[error("could not {action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}
