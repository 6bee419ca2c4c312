//! The ONNX file of an integer model.

use crate::arguments::OnnxDialect;
use crate::error::Error;
use brownout_golden::model::{InputMap, IntegerModel};
use brownout_onnx::write::{Dialect, write};
use serde::Serialize;
use std::path::Path;

/// What was made of it.
#[derive(Debug, Serialize)]
pub struct Report {
    file: String,
    dialect: String,
    nodes: usize,
    /// Extents of an image behind the batch.
    image: Vec<usize>,
    input_map: InputMap,
    /// The map as a formula.
    pixels: String,
}

/// Checks, before long work, that this command can write such files.
///
/// # Errors
/// Never: this one can.
pub fn check_built(_: &Path) -> Result<(), Error> {
    Ok(())
}

/// The file's bytes and what is in it.
///
/// # Errors
/// When a channel has no form in such a file.
pub fn make(
    model: &IntegerModel,
    path: &Path,
    dialect: Option<OnnxDialect>,
) -> Result<(Vec<u8>, Report), Error> {
    let dialect = match dialect.unwrap_or_default() {
        OnnxDialect::Qdq => Dialect::Qdq,
        OnnxDialect::Qonnx => Dialect::Qonnx,
    };
    let refused = |problem| Error::Recipe(format!("{}: {problem}", path.display()));
    let written = write(model, dialect).map_err(refused)?;
    let report = Report {
        file: path.display().to_string(),
        dialect: dialect.to_string(),
        nodes: written.nodes,
        image: written.image,
        input_map: model.input,
        pixels: model.input.meaning().formula(),
    };
    Ok((written.bytes, report))
}

impl Report {
    /// What is in it, in a line.
    pub fn render(&self, network: &str) -> String {
        format!(
            "ONNX file of {network}: {} nodes, dialect {}\n",
            self.nodes, self.dialect
        )
    }

    /// Where it is, and what the network wants its image to be.
    pub fn remark(&self) -> String {
        let extents: Vec<String> = self.image.iter().map(usize::to_string).collect();
        format!(
            "the ONNX file is in {}; its input is [N, {}] in floating point, of a pixel from 0 to 255 {}",
            self.file,
            extents.join(", "),
            self.pixels
        )
    }
}
