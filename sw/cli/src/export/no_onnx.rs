//! What a command without a writer of ONNX files says.

use crate::arguments::OnnxDialect;
use crate::error::Error;
use brownout_golden::model::IntegerModel;
use serde::Serialize;
use std::path::Path;

/// No such file is ever written.
#[derive(Debug, Serialize)]
pub enum Report {}

fn refusal(path: &Path) -> Error {
    let allowed = "nothing in this command, which was built without the feature `foreign` that writes ONNX files: cargo build --release --package brownout has it";
    Error::flag("--onnx", path.display(), allowed)
}

/// Refuses the flag.
///
/// # Errors
/// Always.
pub fn check_built(path: &Path) -> Result<(), Error> {
    Err(refusal(path))
}

/// Refuses the flag.
///
/// # Errors
/// Always.
pub fn make(
    _: &IntegerModel,
    path: &Path,
    _: Option<OnnxDialect>,
) -> Result<(Vec<u8>, Report), Error> {
    Err(refusal(path))
}

impl Report {
    /// Nothing.
    pub fn render(&self, _: &str) -> String {
        match *self {}
    }

    /// Nothing.
    pub fn remark(&self) -> String {
        match *self {}
    }
}
