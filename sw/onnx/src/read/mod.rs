//! From a file to a graph whose every tensor and name has been checked.

mod attribute;
mod external;
mod model;
mod tensor;

use crate::error::OnnxError;
use crate::graph::Graph;
use crate::schema::ModelProto;
use brownout_spec::text::printable;
use bytes::Bytes;
use prost::Message;
use std::fs;
use std::path::Path;

/// Most bytes of a model and of its external data: five times the largest network
/// that weight addresses of 23 bits can hold, in single precision.
pub const MOST_BYTES: u64 = 512 << 20;

/// What is known while a model is read.
struct Reading<'a> {
    /// The folder of the model.
    folder: Option<&'a Path>,
    /// Bytes of external data so far.
    external: u64,
}

/// The messages of a file, of which nothing is checked yet.
///
/// # Errors
/// A file that is missing, too large or no model: a sentence with the file.
pub fn model_of_file(path: &Path) -> Result<ModelProto, OnnxError> {
    let failed = |e: std::io::Error| OnnxError::new(path, format!("cannot be read: {e}"));
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MOST_BYTES {
        let sentence = format!("has {size} bytes; allowed are at most {MOST_BYTES}");
        return Err(OnnxError::new(path, sentence));
    }
    let bytes = fs::read(path).map_err(failed)?;
    decode(bytes.into(), path)
}

/// The graph of a file's messages.
///
/// # Errors
/// A graph that cannot be read: a sentence with the file, the node or tensor, what was found and
/// what is allowed.
pub fn graph_of_model(model: ModelProto, path: &Path) -> Result<Graph, OnnxError> {
    // `parent` of a plain name is empty, which is no folder that can be opened.
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    checked(model, path, Some(folder))
}

/// The graph of a model in memory, which has no external data; `path` names it in sentences.
///
/// # Errors
/// As [`model_of_file`] and [`graph_of_model`].
pub fn graph_of(bytes: Bytes, path: &Path) -> Result<Graph, OnnxError> {
    checked(decode(bytes, path)?, path, None)
}

fn decode(bytes: Bytes, path: &Path) -> Result<ModelProto, OnnxError> {
    let refuse = |sentence: String| OnnxError::new(path, sentence);
    if bytes.is_empty() {
        return Err(refuse("is empty; expected a model of ONNX".to_owned()));
    }
    ModelProto::decode(bytes).map_err(|e| {
        let reason = innermost(&e.to_string());
        refuse(format!("is no model of ONNX, or a damaged one: {reason}"))
    })
}

fn checked(model: ModelProto, path: &Path, folder: Option<&Path>) -> Result<Graph, OnnxError> {
    let mut reading = Reading {
        folder,
        external: 0,
    };
    model::graph(&mut reading, model).map_err(|sentence| OnnxError::new(path, sentence))
}

/// The reason at the end of prost's message, which repeats the path to it for every
/// level of nesting.
fn innermost(message: &str) -> String {
    let last = message.rsplit(": ").next().unwrap_or(message);
    let field = message.rsplit(": ").nth(1).and_then(|path| {
        let field = path.rsplit(' ').next()?;
        field.contains('.').then_some(field)
    });
    match field {
        Some(field) => printable(&format!("{last} (in {field})")),
        None => printable(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_message_ends_in_one_short_sentence() {
        // Graphs in attributes of nodes in graphs: the recursion that protobuf allows is 100.
        let mut bytes: Vec<u8> = Vec::new();
        for level in 0..400 {
            let tag = [0x0a, 0x2a, 0x32][level % 3];
            let mut length = bytes.len();
            let mut message = vec![tag];
            while length > 127 {
                message.push(length as u8 & 127 | 128);
                length >>= 7;
            }
            message.push(length as u8);
            message.extend(&bytes);
            bytes = message;
        }
        let mut model = vec![0x3a];
        let mut length = bytes.len();
        while length > 127 {
            model.push(length as u8 & 127 | 128);
            length >>= 7;
        }
        model.push(length as u8);
        model.extend(&bytes);
        let refused = graph_of(model.into(), Path::new("deep.onnx")).unwrap_err();
        assert!(refused.sentence().len() < 300, "{refused}");
        assert!(refused.to_string().starts_with("deep.onnx: "), "{refused}");
    }
}
