//! What the emitter refuses, as sentences for the author of the RTL.

use thiserror::Error;

/// A description that cannot be printed as Verilog without guessing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EmitError {
    /// A statement or expression whose meaning in Verilog would differ, or is unknown.
    #[error("module `{module}` ({path}), `{signal}`: {reason}")]
    Refused {
        /// Name of the module kind.
        module: String,
        /// Field path of the first instance of that kind.
        path: String,
        /// The signal that is assigned, or the name that cannot be resolved.
        signal: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// A name that Verilog or C++ (Verilator's output) reserves, or that occurs twice.
    #[error("module `{module}`, name `{name}`: {reason}")]
    Name {
        /// Name of the module kind.
        module: String,
        /// The name as it would be printed.
        name: String,
        /// Why it cannot be printed.
        reason: String,
    },
    /// The file could not be written.
    #[error("cannot write `{path}`: {reason}")]
    Write {
        /// The file or folder.
        path: String,
        /// The operating system's answer.
        reason: String,
    },
}

/// Where an error is: carried through the passes over one module kind.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub module: String,
    pub path: String,
}

impl Place {
    pub fn refuse(&self, signal: &str, reason: impl Into<String>) -> EmitError {
        EmitError::Refused {
            module: self.module.clone(),
            path: self.path.clone(),
            signal: signal.replace('$', "."),
            reason: reason.into(),
        }
    }
}
