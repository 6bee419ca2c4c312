//! Why an accelerator cannot be driven.

use crate::link::LinkError;
use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::fault::FaultMode;
use brownout_spec::image::Layout;
use thiserror::Error;

/// Why the accelerator could not be driven.
#[derive(Debug, Error)]
pub enum DriverError {
    /// The wire failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Something else answers.
    #[error("register {name} reads {found:#010x} instead of {expected:#010x}: {hint}")]
    Identity {
        /// Which register.
        name: &'static str,
        /// What it reads.
        found: u32,
        /// What it should read.
        expected: u32,
        /// What that means.
        hint: &'static str,
    },
    /// The configuration has no fault emulation.
    #[error(
        "fault mode {0} needs an accelerator with fault_emulation = true; allowed without it are none and map"
    )]
    NoEmulation(FaultMode),
    /// Data of the wrong size.
    #[error("{what} has {found} {unit}; the program needs {expected}")]
    Size {
        /// What was given.
        what: String,
        /// Its unit.
        unit: &'static str,
        /// Its size.
        found: usize,
        /// The size needed.
        expected: usize,
    },
    /// A weight image for another accelerator.
    #[error("the weight image has {found}; the accelerator reads {expected}")]
    Image {
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// An image or parameters before the program.
    #[error("no program is loaded yet")]
    NoProgram,
    /// The pass gave too few results or did not end.
    #[error(
        "the pass gave {found} of {expected} results and did not end within {clocks} clocks; predicted were {predicted}"
    )]
    Unfinished {
        /// Results that came.
        found: usize,
        /// Results expected.
        expected: usize,
        /// Clocks waited.
        clocks: u64,
        /// Clocks predicted.
        predicted: u64,
    },
    /// A pass that was to stop after a layer did not.
    #[error("the pass did not stop after layer {layer} within {clocks} clocks")]
    Stuck {
        /// The layer.
        layer: usize,
        /// Clocks waited.
        clocks: u64,
    },
    /// The pass gave more results than the last layer has channels.
    #[error("the pass gave more than the {expected} results of its last layer")]
    Surplus {
        /// Results expected.
        expected: usize,
    },
}

/// Refuses a weight image that the accelerator would read as something else.
pub(super) fn check_image(
    layout: &Layout,
    configuration: &Configuration,
) -> Result<(), DriverError> {
    if layout.suits(configuration) {
        return Ok(());
    }
    let code = layout.code();
    let (ours, here) = (layout, configuration);
    Err(DriverError::Image {
        found: words(
            code.name(),
            code.storage(),
            code.weight_bits(),
            [ours.rows(), ours.columns()],
        ),
        expected: words(
            here.code,
            here.storage.with(here.code),
            here.weight_bits,
            [here.rows, here.columns],
        ),
    })
}

/// The words of a weight image in words.
fn words(
    code: CodeName,
    storage: Storage,
    bits: WeightBits,
    [rows, columns]: [usize; 2],
) -> String {
    let form = match code {
        CodeName::None => String::new(),
        _ => format!(" stored as {storage}"),
    };
    format!("words of code {code}{form}, with {bits}-bit weights for {rows} x {columns} cells")
}

/// Refuses data of another size than the program's.
pub(super) fn check_size(
    what: &str,
    unit: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), DriverError> {
    if found == expected {
        return Ok(());
    }
    Err(DriverError::Size {
        what: what.to_owned(),
        unit,
        found,
        expected,
    })
}
