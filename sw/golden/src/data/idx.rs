//! MNIST-style IDX files, plain or gzip-compressed.
//!
//! Format: big-endian 32-bit header fields, then bytes. Images: magic 2051,
//! count, rows, columns, count·rows·columns pixels. Labels: magic 2049, count,
//! count class numbers. No field says how many classes there are: they are as many
//! as the largest label demands, plus one, in the files that are read. A header is never trusted with an allocation: memory
//! grows only with bytes that the file really delivers, never beyond what the
//! header announces, and a compressed file delivers no more than `inflate`
//! lets it.

use super::folder::{Wanted, find};
use super::inflate::{Bounded, Compression};
use super::signature::{describe, idx_content, peek};
use super::{DataError, Dataset, Split};
use brownout_spec::text::printable;
use ndarray::Array4;
use std::fs::File;
use std::io::{BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

const IMAGE_MAGIC: u32 = 0x0803;
const LABEL_MAGIC: u32 = 0x0801;
/// Most bytes of pixels that are read: above the 188 MB of EMNIST's digits.
const MOST_PIXELS: u64 = 1 << 28;
/// Largest image side that is accepted.
const MOST_SIDE: u32 = 1024;
/// Bytes that are read at once.
const PART: usize = 16 << 10;

const TRAINING: Part = Part {
    images: "train-images-idx3-ubyte",
    labels: "train-labels-idx1-ubyte",
};
const TEST: Part = Part {
    images: "t10k-images-idx3-ubyte",
    labels: "t10k-labels-idx1-ubyte",
};

/// Names of a file of images and one of their labels.
#[derive(Clone, Copy)]
struct Part {
    images: &'static str,
    labels: &'static str,
}

/// Reads the four files of an MNIST-style directory, each plain or with `.gz`.
///
/// # Errors
/// A sentence naming the file that is missing, cannot be read, or is none of IDX.
pub fn read_directory(directory: &Path) -> Result<Split, DataError> {
    let parts = [TRAINING.find(directory)?, TEST.find(directory)?];
    let [mut train, mut test] = [
        read_pair(directory, &parts[0])?,
        read_pair(directory, &parts[1])?,
    ];
    if train.shape() != test.shape() {
        return Err(DataError::Format {
            path: directory.to_owned(),
            problem: format!(
                "training images are {} and test images {}; they must agree",
                train.shape(),
                test.shape()
            ),
        });
    }
    let classes = train.classes.max(test.classes);
    (train.classes, test.classes) = (classes, classes);
    Ok(Split { train, test })
}

/// Reads the two files of training images, whether or not there are others.
///
/// # Errors
/// As [`read_directory`].
pub fn read_training(directory: &Path) -> Result<Dataset, DataError> {
    read_pair(directory, &TRAINING.find(directory)?)
}

/// Reads the two files of test images, whether or not there are others.
///
/// # Errors
/// As [`read_directory`].
pub fn read_test(directory: &Path) -> Result<Dataset, DataError> {
    read_pair(directory, &TEST.find(directory)?)
}

/// The file of labels of test or else of training images, for messages; its plain name where it
/// is not there.
pub fn label_file(directory: &Path, of_test: bool) -> PathBuf {
    let part = if of_test { TEST } else { TRAINING };
    let found = find(directory, wanted(part.labels));
    found.unwrap_or_else(|_| directory.join(part.labels))
}

fn wanted(name: &'static str) -> Wanted {
    Wanted {
        name,
        compressed: "gz",
        kind: "an MNIST-style directory has four IDX files",
        source: "mnist",
    }
}

impl Part {
    /// The files of images and labels.
    fn find(self, directory: &Path) -> Result<[PathBuf; 2], DataError> {
        let find = |name| find(directory, wanted(name));
        Ok([find(self.images)?, find(self.labels)?])
    }
}

fn read_pair(
    directory: &Path,
    [image_path, label_path]: &[PathBuf; 2],
) -> Result<Dataset, DataError> {
    let images = read_images(image_path)?;
    let labels = read_labels(label_path)?;
    if labels.len() != images.dim().0 {
        let image_name = image_path.file_name().unwrap_or_default();
        return Err(DataError::Format {
            path: label_path.clone(),
            problem: format!(
                "it has {} labels, but {} has {} images",
                labels.len(),
                printable(&image_name.to_string_lossy()),
                images.dim().0
            ),
        });
    }
    let name = directory
        .file_name()
        .map_or("idx".to_owned(), |n| printable(&n.to_string_lossy()));
    let labels: Vec<u16> = labels.into_iter().map(u16::from).collect();
    let largest = labels.iter().copied().max().unwrap_or(0);
    let classes = usize::from(largest) + 1;
    Ok(Dataset::new(name, images, labels, classes))
}

/// Reads one image file, `[image][row][column][1]`.
pub fn read_images(path: &Path) -> Result<Array4<u8>, DataError> {
    images_from(open(path)?, path)
}

/// Reads the bytes of an image file; `path` tells by `.gz` or `.xz` whether they are
/// compressed, and is the name in messages.
///
/// # Errors
/// When the bytes are not exactly one image file.
pub fn images_from(bytes: impl Read, path: &Path) -> Result<Array4<u8>, DataError> {
    let mut source = Source::new(bytes, path);
    source.magic(IMAGE_MAGIC, "an image file")?;
    let count = source.word()?;
    let (rows, columns) = (source.word()?, source.word()?);
    for (field, side) in [("rows", rows), ("columns", columns)] {
        if !(1..=MOST_SIDE).contains(&side) {
            return Err(source.refuse(format!("{field} is {side}; allowed is 1 to {MOST_SIDE}")));
        }
    }
    // Three factors below 2³², 2¹⁰ and 2¹⁰ cannot overflow 64 bits.
    let size = u64::from(count) * u64::from(rows) * u64::from(columns);
    if count == 0 || size > MOST_PIXELS {
        return Err(source.refuse(format!(
            "it announces {count} images of {rows} x {columns}; allowed is 1 image to {MOST_PIXELS} pixels in all"
        )));
    }
    let pixels = source.rest(size, "pixels")?;
    let shape = (count as usize, rows as usize, columns as usize, 1);
    Array4::from_shape_vec(shape, pixels)
        .map_err(|e| source.refuse(format!("the pixels do not form images: {e}")))
}

/// Reads one label file; each label is a byte, and any byte is one.
pub fn read_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    labels_from(open(path)?, path)
}

/// Reads the bytes of a label file, as [`images_from`] does.
///
/// # Errors
/// When the bytes are not exactly one label file.
pub fn labels_from(bytes: impl Read, path: &Path) -> Result<Vec<u8>, DataError> {
    let mut source = Source::new(bytes, path);
    source.magic(LABEL_MAGIC, "a label file")?;
    let count = u64::from(source.word()?);
    if count == 0 || count > MOST_PIXELS {
        return Err(source.refuse(format!(
            "it announces {count} labels; allowed is 1 to {MOST_PIXELS}"
        )));
    }
    source.rest(count, "labels")
}

fn open(path: &Path) -> Result<impl Read, DataError> {
    let file = File::open(path).map_err(|source| DataError::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok(BufReader::new(file))
}

/// A file being read, with its name for the error messages.
struct Source<R: Read> {
    path: PathBuf,
    /// Its first bytes, as they are in the file.
    head: Vec<u8>,
    compression: Compression,
    reader: Bounded<Chain<Cursor<Vec<u8>>, R>>,
}

impl<R: Read> Source<R> {
    fn new(bytes: R, path: &Path) -> Self {
        let compression = Compression::of(path);
        let (head, bytes) = peek(bytes);
        Self {
            path: path.to_owned(),
            head,
            compression,
            reader: Bounded::new(bytes, compression),
        }
    }

    fn refuse(&self, problem: String) -> DataError {
        DataError::Format {
            path: self.path.clone(),
            problem,
        }
    }

    fn word(&mut self) -> Result<u32, DataError> {
        let mut bytes = [0; 4];
        self.reader.read_exact(&mut bytes).map_err(|e| {
            let problem = match (self.compression, e.kind()) {
                (Compression::Plain, ErrorKind::UnexpectedEof) => "the file ends in it".to_owned(),
                _ => e.to_string(),
            };
            let kind = describe(&self.head).filter(|_| !self.is_as_named());
            let kind = kind.map_or(String::new(), |kind| format!("; it is {kind}"));
            self.refuse(format!("the IDX header cannot be read: {problem}{kind}"))
        })?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// Whether the file begins as its name's ending says of a compressed one.
    fn is_as_named(&self) -> bool {
        match self.compression {
            Compression::Plain => false,
            Compression::Gzip => self.head.starts_with(b"\x1f\x8b"),
            Compression::Xz => self.head.starts_with(b"\xfd7zXZ\0"),
        }
    }

    fn magic(&mut self, expected: u32, kind: &str) -> Result<(), DataError> {
        let found = self.word()?;
        if found == expected {
            return Ok(());
        }
        let allowed = format!(
            "allowed is {kind}: {} (magic number {expected})",
            idx_content(expected).unwrap_or_default()
        );
        // Of a plain file all of them; of a compressed one what its header says.
        let bytes = found.to_be_bytes();
        let head = match self.compression {
            Compression::Plain => &self.head[..],
            _ => &bytes,
        };
        let problem = match (idx_content(found), found.swap_bytes() == expected) {
            (Some(content), _) => format!("it holds {content} (magic number {found})"),
            (None, true) => "its header has the bytes of each number in reverse order".to_owned(),
            (None, false) => match describe(head) {
                Some(kind) => format!("it is {kind}"),
                None => format!("it is no IDX file: it begins with the bytes {bytes:02x?}"),
            },
        };
        Err(self.refuse(format!("{problem}; {allowed}")))
    }

    /// Exactly `size` bytes to the end of the file.
    fn rest(&mut self, size: u64, what: &str) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let mut part = [0; PART];
        loop {
            let read = match self.reader.read(&mut part) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.refuse(format!("its {what} cannot be read: {e}"))),
            };
            if (bytes.len() + read) as u64 > size {
                return Err(self.refuse(format!(
                    "it holds more than the {size} {what} that its header announces"
                )));
            }
            if bytes.len() + read > bytes.capacity() {
                // Doubled as the bytes come, but not beyond what there can be.
                let most = size as usize - bytes.len();
                bytes.reserve_exact(most.min(bytes.len().max(PART)));
            }
            bytes.extend_from_slice(&part[..read]);
        }
        if (bytes.len() as u64) < size {
            return Err(self.refuse(format!(
                "it ends after {} of the {size} {what} that its header announces",
                bytes.len()
            )));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "idx_tests.rs"]
mod tests;
