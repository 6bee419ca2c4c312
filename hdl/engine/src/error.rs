//! Why a design cannot be written as C++.

use thiserror::Error;

/// Why a design cannot be written as C++.
#[derive(Debug, Error)]
pub enum EngineError {
    /// More bits than the engine's widest integer has.
    #[error("net `{net}` has {width} bits; the engine carries at most 128")]
    Wide {
        /// Its path.
        net: String,
        /// Its width.
        width: usize,
    },
    /// A leaf whose behaviour is not known.
    #[error("leaf `{module}` cannot be simulated: {reason}")]
    Leaf {
        /// Module name.
        module: String,
        /// What is missing.
        reason: String,
    },
    /// A number of lanes that no vector has.
    #[error("{0} lanes; allowed are 1, 2, 4, 8, 16 and 32")]
    Lanes(usize),
    /// A name in the options that the design does not have.
    #[error("the design has no {what} `{name}`; it has: {known}")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
        /// What there is.
        known: String,
    },
    /// Values that wait for each other within a clock.
    #[error("`{0}` depends on itself within a clock")]
    Loop(String),
}
