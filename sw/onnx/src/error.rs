//! Why a file is refused: a sentence that names the file.

use brownout_spec::text::printable;
use std::fmt;
use std::path::{Path, PathBuf};

/// A refusal of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnnxError {
    file: PathBuf,
    sentence: String,
}

impl OnnxError {
    /// The refusal of `file` for that reason.
    pub(crate) fn new(file: &Path, sentence: impl Into<String>) -> Self {
        let (file, sentence) = (file.to_owned(), sentence.into());
        Self { file, sentence }
    }

    /// The reason, without the file.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = printable(&self.file.display().to_string());
        write!(f, "{file}: {}", self.sentence)
    }
}

impl std::error::Error for OnnxError {}

/// Most characters of a name of the file that a sentence repeats.
const MOST_OF_A_NAME: usize = 80;

/// A name out of the file as a sentence may show it, in quotes.
pub(crate) fn quoted(name: &str) -> String {
    let short: String = name.chars().take(MOST_OF_A_NAME).collect();
    let more = if short.len() < name.len() { "..." } else { "" };
    format!("{:?}", format!("{}{more}", printable(&short)))
}
