//! Images of your own: NumPy arrays, and folders of PNG and JPEG files.
//!
//! [`Source`] is how `--data` names them, with everything that their files do not say: which
//! images are held out, in which order an array has its axes, to which size pictures are brought.
//! `arrays` reads `.npy` and `.npz` files, `pictures` folders with a folder of pictures for each
//! class. Both give a [`Dataset`](brownout_golden::data::Dataset), and a sentence for whatever
//! they cannot read: memory grows only with bytes that a file really delivers, and sizes that it
//! announces are checked before.

pub mod arrays;
mod hold;
pub mod pictures;
mod source;

pub use hold::Hold;
pub use source::{Parts, Source};

use brownout_golden::data::DataError;
use brownout_spec::text::printable;
use std::fmt::Display;
use std::path::Path;

/// Most bytes of values that are held of one data set.
const MOST_BYTES: u64 = 1 << 32;
/// Most classes: as many as labels of 16 bits tell apart.
const MOST_CLASSES: usize = 1 << 16;

/// Says which file a problem is of.
fn refuse(path: &Path, problem: impl Display) -> DataError {
    DataError::Format {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}

/// Says which file the system refused.
fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> DataError {
    let path = path.to_owned();
    move |source| DataError::Io { path, source }
}

/// A foreign library's complaint in words: one line, without its types' names.
fn words(complaint: impl Display) -> String {
    let text = complaint.to_string();
    let plain = text.replace("::", " ");
    let words = plain.split(|c: char| c.is_whitespace() || "(){}\"".contains(c));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let line: String = words.join(" ").chars().take(300).collect();
    printable(&line)
}

/// What a data set is called in reports: the end of its path without an ending.
fn name_of(path: &Path) -> String {
    let stem = match path.is_dir() {
        true => path.file_name(),
        false => path.file_stem(),
    };
    stem.map_or_else(
        || "images".into(),
        |stem| printable(&stem.to_string_lossy()),
    )
}
