//! CIFAR-10 and CIFAR-100 in their binary form, each file plain or with `.xz`.
//!
//! CIFAR-10 is `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, records of
//! 3,073 bytes: a label of 0 to 9, then 32 × 32 red, green and blue values, plane by plane
//! (A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009). CIFAR-100 is
//! `train.bin` and `test.bin`, records of 3,074 bytes: a coarse label of 0 to 19, a fine one of 0
//! to 99, and the values; one of the two labels is used. Files of fewer records than the published
//! ones are read too. Memory grows only with bytes that the file really delivers, never beyond
//! what a full file has.

use super::folder::{Wanted, find};
use super::inflate::{Bounded, Compression};
use super::signature::{describe, peek};
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
/// Classes of CIFAR-10: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.
pub const CLASSES: usize = 10;
/// Most records of a batch of CIFAR-10, which is also what each published one has.
pub const MOST_RECORDS: usize = 10_000;
/// Bytes of a record of CIFAR-10.
pub const RECORD: usize = 1 + VOLUME;

const PIXELS: usize = SIDE * SIDE;
const VOLUME: usize = CHANNELS * PIXELS;
/// Bytes that are counted at most to tell what a file is that is none of the form's.
const MOST_COUNTED: u64 = 1 << 28;
/// Most bytes of a file of names that are read.
const MOST_NAMES: u64 = 16 << 10;
/// Bytes that are counted at once.
const PART: usize = 16 << 10;

/// One of the forms.
#[derive(Debug, PartialEq, Eq)]
pub struct Form {
    /// Its name.
    pub name: &'static str,
    /// Number of classes, which it declares.
    pub classes: usize,
    /// Most records of a file.
    pub most_records: usize,
    /// How many values each label of a record can have.
    labels: &'static [u8],
    /// Which of them is the class.
    class: usize,
    training: &'static [&'static str],
    test: &'static str,
    kind: &'static str,
    source: &'static str,
    /// The file with a line for each class.
    names: &'static str,
}

/// CIFAR-10.
pub static TEN: Form = Form {
    name: "CIFAR-10",
    classes: CLASSES,
    most_records: MOST_RECORDS,
    labels: &[10],
    class: 0,
    training: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    kind: "a CIFAR-10 directory has data_batch_1.bin to data_batch_5.bin and test_batch.bin",
    source: "cifar10",
    names: "batches.meta.txt",
};

/// CIFAR-100, with its fine labels.
pub static HUNDRED: Form = Form {
    name: "CIFAR-100",
    classes: 100,
    most_records: 50_000,
    labels: &[20, 100],
    class: 1,
    training: &["train.bin"],
    test: "test.bin",
    kind: "a CIFAR-100 directory has train.bin and test.bin",
    source: "cifar100",
    names: "fine_label_names.txt",
};

/// CIFAR-100, with its coarse labels: twenty superclasses of five classes each.
pub static COARSE: Form = Form {
    name: "CIFAR-100",
    classes: 20,
    most_records: HUNDRED.most_records,
    labels: HUNDRED.labels,
    class: 0,
    training: HUNDRED.training,
    test: HUNDRED.test,
    kind: HUNDRED.kind,
    source: "cifar100-coarse",
    names: "coarse_label_names.txt",
};

/// The records of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Pixels, `[image][row][column][channel]`.
    pub pixels: Vec<u8>,
    /// One class number an image.
    pub labels: Vec<u8>,
}

/// Reads all six batches of CIFAR-10.
///
/// # Errors
/// A sentence naming the file that is missing, cannot be read, or is no batch.
pub fn read_directory(directory: &Path) -> Result<Split, DataError> {
    TEN.read_directory(directory)
}

/// Reads the bytes of a batch of CIFAR-10, as [`Form::batch_from`] does.
///
/// # Errors
/// When the bytes are not exactly 1 to 10,000 records with labels of 0 to 9.
pub fn batch_from(bytes: impl Read, path: &Path) -> Result<Batch, DataError> {
    TEN.batch_from(bytes, path)
}

impl Form {
    /// How `--data` names it.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Classes of the published data, of which files may lack some.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Reads all files.
    ///
    /// # Errors
    /// A sentence naming the file that is missing, cannot be read, or is none of the form's.
    pub fn read_directory(&self, directory: &Path) -> Result<Split, DataError> {
        let parts = [
            self.find(directory, self.training)?,
            self.find(directory, &[self.test])?,
        ];
        let mut split = Split {
            train: self.read_files(directory, &parts[0])?,
            test: self.read_files(directory, &parts[1])?,
        };
        let classes = split.train.classes.max(split.test.classes);
        (split.train.classes, split.test.classes) = (classes, classes);
        Ok(split)
    }

    /// Reads the training images alone, whether or not there are others.
    ///
    /// # Errors
    /// As [`Form::read_directory`].
    pub fn read_training(&self, directory: &Path) -> Result<Dataset, DataError> {
        self.read_files(directory, &self.find(directory, self.training)?)
    }

    /// Reads the test images alone, whether or not there are others.
    ///
    /// # Errors
    /// As [`Form::read_directory`].
    pub fn read_test(&self, directory: &Path) -> Result<Dataset, DataError> {
        self.read_files(directory, &self.find(directory, &[self.test])?)
    }

    fn find(&self, directory: &Path, names: &[&'static str]) -> Result<Vec<PathBuf>, DataError> {
        let wanted = |&name: &&'static str| Wanted {
            name,
            compressed: "xz",
            kind: self.kind,
            source: self.source,
        };
        names
            .iter()
            .map(|name| find(directory, wanted(name)))
            .collect()
    }

    fn read_files(&self, directory: &Path, paths: &[PathBuf]) -> Result<Dataset, DataError> {
        // Decompression takes most of the time, and files know nothing of each other.
        let batches: Vec<_> = paths.par_iter().map(|path| self.read_batch(path)).collect();
        let mut all = Batch::default();
        for batch in batches {
            let batch = batch?;
            all.pixels.extend(batch.pixels);
            all.labels.extend(batch.labels);
        }
        let name = directory
            .file_name()
            .map_or(self.source.to_owned(), |n| printable(&n.to_string_lossy()));
        let largest = all.labels.iter().max();
        let classes = largest.map_or(0, |&label| usize::from(label) + 1);
        let images = Array4::from_shape_vec((all.labels.len(), SIDE, SIDE, CHANNELS), all.pixels)
            .expect("each label came with the pixels of one image");
        let labels = all.labels.into_iter().map(u16::from).collect();
        Ok(Dataset {
            class_names: self.class_names(directory),
            ..Dataset::new(name, images, labels, classes)
        })
    }

    /// What the classes are called, if the folder has the file that says so.
    fn class_names(&self, directory: &Path) -> Vec<String> {
        let mut text = String::new();
        let file = File::open(directory.join(self.names)).map(|file| file.take(MOST_NAMES));
        let read = file.and_then(|mut file| file.read_to_string(&mut text));
        let names = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let names: Vec<String> = names.map(printable).collect();
        match read {
            Ok(_) if names.len() == self.classes => names,
            _ => Vec::new(),
        }
    }

    fn read_batch(&self, path: &Path) -> Result<Batch, DataError> {
        let file = File::open(path).map_err(|source| DataError::Io {
            path: path.to_owned(),
            source,
        })?;
        self.batch_from(BufReader::new(file), path)
    }

    /// Bytes of a record.
    fn record(&self) -> usize {
        self.labels.len() + VOLUME
    }

    /// Reads the bytes of a file; `path` tells by `.xz` whether they are compressed, and is the
    /// name in messages.
    ///
    /// # Errors
    /// When the bytes are not whole records, at least one and not too many, with labels that exist.
    pub fn batch_from(&self, bytes: impl Read, path: &Path) -> Result<Batch, DataError> {
        let compression = Compression::of(path);
        let (head, bytes) = peek(bytes);
        let mut source = Counted {
            source: Bounded::new(bytes, compression),
            bytes: 0,
            head: Vec::new(),
            failed: false,
        };
        self.read_records(&mut source).map_err(|problem| {
            // Only a file that is wrong is looked at twice.
            let head = match compression {
                Compression::Plain => &head,
                _ if source.bytes > 0 => &source.head,
                _ => &head,
            };
            let is_as_named = compression == Compression::Xz
                && source.bytes == 0
                && head.starts_with(b"\xfd7zXZ\0");
            let kind = match describe(head).filter(|_| !is_as_named) {
                Some(kind) => Some(format!("it is {kind}")),
                None => self.likeness(source),
            };
            DataError::Format {
                path: path.to_owned(),
                problem: kind.map_or(problem.clone(), |kind| format!("{problem}; {kind}")),
            }
        })
    }

    fn read_records(&self, source: &mut impl Read) -> Result<Batch, String> {
        let (length, most) = (self.record(), self.most_records);
        let mut batch = Batch::default();
        let mut record = vec![0; length];
        loop {
            let number = batch.labels.len();
            let read = fill(source, &mut record)
                .map_err(|e| format!("its record {number} cannot be read: {e}"))?;
            match read {
                0 if number == 0 => return Err("it has no record".into()),
                0 => return Ok(batch),
                read if read == length && number == most => {
                    return Err(format!(
                        "it has more than {most} records of {length} bytes; allowed is 1 to {most}"
                    ));
                }
                read if read == length => {}
                rest => {
                    return Err(format!(
                        "it ends {rest} bytes into record {number}; allowed are whole records of {length} bytes ({}, then 1024 red, green and blue values)",
                        match self.labels {
                            [_] => "a label",
                            _ => "a coarse and a fine label",
                        }
                    ));
                }
            }
            for (place, &values) in self.labels.iter().enumerate() {
                let label = record[place];
                if label >= values {
                    let which = match self.labels.len() - place {
                        1 if self.labels.len() == 1 => "label",
                        1 => "fine label",
                        _ => "coarse label",
                    };
                    return Err(format!(
                        "the {which} of record {number} is {label}; allowed is 0 to {}",
                        values - 1
                    ));
                }
            }
            self.push(&mut batch, &record);
        }
    }

    /// Whether a file that is none of this form's has the length of the other's.
    fn likeness(&self, mut source: Counted<impl Read>) -> Option<String> {
        let other = if self.labels == TEN.labels {
            &HUNDRED
        } else {
            &TEN
        };
        let mut part = vec![0; PART];
        // A stream that has failed is not read on: what a decoder does then is anybody's guess.
        while !source.failed && source.bytes < MOST_COUNTED {
            if source.read(&mut part).ok()? == 0 {
                break;
            }
        }
        if source.failed {
            return None;
        }
        let (bytes, record) = (source.bytes, other.record() as u64);
        let labels = source.head.iter().zip(other.labels);
        let is_other = bytes > 0
            && bytes.is_multiple_of(record)
            && !bytes.is_multiple_of(self.record() as u64)
            && labels.into_iter().all(|(label, values)| label < values);
        is_other.then(|| {
            format!(
                "its {bytes} bytes are {} records of {record} bytes, which is {}: say {}:DIR; {}",
                bytes / record,
                other.name,
                other.source,
                other.kind
            )
        })
    }

    fn push(&self, batch: &mut Batch, record: &[u8]) {
        let number = batch.labels.len();
        if number == batch.labels.capacity() {
            // Doubled as the records come, but not beyond what there can be.
            let more = number.max(1).min(self.most_records - number);
            batch.labels.reserve_exact(more);
            batch.pixels.reserve_exact(more * VOLUME);
        }
        let (labels, planes) = record.split_at(self.labels.len());
        batch.labels.extend(labels.get(self.class));
        batch
            .pixels
            .extend((0..PIXELS).flat_map(|p| (0..CHANNELS).map(move |c| planes[c * PIXELS + p])));
    }
}

/// Counts the bytes that are read through it, keeps the first ones, and remembers a failure.
struct Counted<R> {
    source: R,
    bytes: u64,
    head: Vec<u8>,
    /// Whether a read has failed.
    failed: bool,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, part: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(part).inspect_err(|_| self.failed = true)?;
        let room = 64_usize.saturating_sub(self.head.len());
        self.head.extend(&part[..read.min(room)]);
        self.bytes += read as u64;
        Ok(read)
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

#[cfg(test)]
#[path = "cifar_tests.rs"]
mod tests;
