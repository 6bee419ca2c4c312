//! CIFAR-10 in its binary form: `data_batch_1.bin` to `data_batch_5.bin` and
//! `test_batch.bin`, each plain or with `.xz`.
//!
//! A batch is records of 3,073 bytes: a label of 0 to 9, then 32 × 32 red,
//! green and blue values, plane by plane (A. Krizhevsky, "Learning Multiple
//! Layers of Features from Tiny Images", 2009). The published batches have
//! 10,000 records; shorter ones are read too. Memory grows only with bytes that
//! the file really delivers, never beyond what a full batch has.

use super::inflate::{Bounded, Compression};
use super::{DataError, Dataset, Split};
use brownout_spec::text::printable;
use ndarray::Array4;
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Rows and columns of an image.
pub const SIDE: usize = 32;
/// Red, green and blue.
pub const CHANNELS: usize = 3;
/// Classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.
pub const CLASSES: usize = 10;
/// Most records of a batch, which is also what each published one has.
pub const MOST_RECORDS: usize = 10_000;
/// Bytes of a record.
pub const RECORD: usize = 1 + VOLUME;

const PIXELS: usize = SIDE * SIDE;
const VOLUME: usize = PIXELS * CHANNELS;
const TRAINING: [&str; 5] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
];
const TEST: &str = "test_batch.bin";
const KIND: &str =
    "a CIFAR-10 directory has data_batch_1.bin to data_batch_5.bin and test_batch.bin";

/// The records of one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Pixels, `[image][row][column][channel]`.
    pub pixels: Vec<u8>,
    /// One class number an image.
    pub labels: Vec<u8>,
}

/// Reads all six batches.
///
/// # Errors
/// A sentence naming the file that is missing, cannot be read, or is no batch.
pub fn read_directory(directory: &Path) -> Result<Split, DataError> {
    Ok(Split {
        train: read_batches(directory, &TRAINING)?,
        test: read_batches(directory, &[TEST])?,
    })
}

/// Reads the test batch alone.
///
/// # Errors
/// As [`read_directory`].
pub fn read_test(directory: &Path) -> Result<Dataset, DataError> {
    read_batches(directory, &[TEST])
}

fn read_batches(directory: &Path, names: &[&'static str]) -> Result<Dataset, DataError> {
    let paths = names.iter().map(|name| find(directory, name));
    let paths: Vec<PathBuf> = paths.collect::<Result<_, _>>()?;
    // Decompression takes most of the time, and batches know nothing of each other.
    let batches: Vec<_> = paths.par_iter().map(|path| read_batch(path)).collect();
    let mut all = Batch::default();
    for batch in batches {
        let batch = batch?;
        all.pixels.extend(batch.pixels);
        all.labels.extend(batch.labels);
    }
    let name = directory
        .file_name()
        .map_or("cifar10".to_owned(), |n| printable(&n.to_string_lossy()));
    Ok(Dataset {
        name,
        images: Array4::from_shape_vec((all.labels.len(), SIDE, SIDE, CHANNELS), all.pixels)
            .expect("each label came with the pixels of one image"),
        labels: all.labels,
        classes: CLASSES,
    })
}

fn find(directory: &Path, name: &'static str) -> Result<PathBuf, DataError> {
    [directory.join(name), directory.join(format!("{name}.xz"))]
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| DataError::Missing {
            directory: directory.to_owned(),
            name,
            compressed: "xz",
            kind: KIND,
        })
}

/// Reads one batch file.
///
/// # Errors
/// When the file cannot be read or is no batch.
pub fn read_batch(path: &Path) -> Result<Batch, DataError> {
    let file = File::open(path).map_err(|source| DataError::Io {
        path: path.to_owned(),
        source,
    })?;
    batch_from(BufReader::new(file), path)
}

/// Reads the bytes of a batch file; `path` tells by `.xz` whether they are
/// compressed, and is the name in messages.
///
/// # Errors
/// When the bytes are not exactly 1 to 10,000 records with labels of 0 to 9.
pub fn batch_from(bytes: impl Read, path: &Path) -> Result<Batch, DataError> {
    let refuse = |problem: String| DataError::Format {
        path: path.to_owned(),
        problem,
    };
    let mut source = Bounded::new(bytes, Compression::of(path));
    let mut batch = Batch::default();
    let mut record = [0; RECORD];
    loop {
        let number = batch.labels.len();
        let read = fill(&mut source, &mut record)
            .map_err(|e| refuse(format!("its record {number} cannot be read: {e}")))?;
        match read {
            0 if number == 0 => return Err(refuse("it has no record".into())),
            0 => return Ok(batch),
            RECORD if number == MOST_RECORDS => {
                return Err(refuse(format!(
                    "it has more than {MOST_RECORDS} records of {RECORD} bytes; allowed is 1 to {MOST_RECORDS}"
                )));
            }
            RECORD => {}
            rest => {
                return Err(refuse(format!(
                    "it ends {rest} bytes into record {number}; allowed are whole records of {RECORD} bytes (a label, then 1024 red, green and blue values)"
                )));
            }
        }
        if usize::from(record[0]) >= CLASSES {
            return Err(refuse(format!(
                "the label of record {number} is {}; allowed is 0 to 9",
                record[0]
            )));
        }
        push(&mut batch, &record);
    }
}

/// Reads until the part is full or the file ends.
fn fill(source: &mut impl Read, part: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < part.len() {
        match source.read(&mut part[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

fn push(batch: &mut Batch, record: &[u8; RECORD]) {
    let number = batch.labels.len();
    if number == batch.labels.capacity() {
        // Doubled as the records come, but not beyond what there can be.
        let more = number.max(1).min(MOST_RECORDS - number);
        batch.labels.reserve_exact(more);
        batch.pixels.reserve_exact(more * VOLUME);
    }
    batch.labels.push(record[0]);
    let planes = &record[1..];
    batch
        .pixels
        .extend((0..PIXELS).flat_map(|p| (0..CHANNELS).map(move |c| planes[c * PIXELS + p])));
}

#[cfg(test)]
#[path = "cifar_tests.rs"]
mod tests;
