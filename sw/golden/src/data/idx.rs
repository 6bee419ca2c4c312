//! MNIST-style IDX files, plain or gzip-compressed.
//!
//! Format: big-endian 32-bit header fields, then bytes. Images: magic 2051,
//! count, rows, columns, count·rows·columns pixels. Labels: magic 2049, count,
//! count class numbers; or of QMNIST magic 3074, count, 8, and for each image eight 32-bit
//! integers, of which the first is the class (C. Yadav and L. Bottou, "Cold Case: The Lost
//! MNIST Digits", 2019). No field says how many classes there are; `idx_forms` has what data
//! sets say. A header is never trusted with an allocation: memory grows only with bytes that
//! the file really delivers, never beyond what the header announces, and a compressed file
//! delivers no more than `inflate` lets it.

use super::DataError;
use super::inflate::{Bounded, Compression};
use super::signature::{describe, idx_content, peek};
use ndarray::Array4;
use std::fs::File;
use std::io::{BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

const IMAGE_MAGIC: u32 = 0x0803;
const LABEL_MAGIC: u32 = 0x0801;
const TABLE_MAGIC: u32 = 0x0c02;
/// Integers that QMNIST has for each image.
const TABLE_COLUMNS: u32 = 8;
/// Most bytes of pixels that are read: above the 547 MB of EMNIST's `byclass`.
const MOST_PIXELS: u64 = 1 << 30;
/// Largest image side that is accepted.
const MOST_SIDE: u32 = 1024;
/// Bytes that are read at once.
const PART: usize = 16 << 10;

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

/// Reads one file of QMNIST's labels: the class is the first of eight integers.
pub fn read_table(path: &Path) -> Result<Vec<u8>, DataError> {
    table_from(open(path)?, path)
}

/// Reads the bytes of a file of QMNIST's labels, as [`images_from`] does.
///
/// # Errors
/// When the bytes are not exactly one such file, or a class is none of 0 to 255.
pub fn table_from(bytes: impl Read, path: &Path) -> Result<Vec<u8>, DataError> {
    let mut source = Source::new(bytes, path);
    source.magic(TABLE_MAGIC, "a table of labels")?;
    let (count, columns) = (source.word()?, source.word()?);
    let size = u64::from(count) * u64::from(columns) * 4;
    if count == 0 || columns != TABLE_COLUMNS || size > MOST_PIXELS {
        return Err(source.refuse(format!(
            "it announces {count} rows of {columns} integers; allowed is 1 row to {} of {TABLE_COLUMNS}",
            MOST_PIXELS / u64::from(4 * TABLE_COLUMNS)
        )));
    }
    let table = source.rest(size, "bytes of labels")?;
    let rows = table.chunks_exact(4 * TABLE_COLUMNS as usize);
    let class = |(number, row): (usize, &[u8])| {
        let class = row.first_chunk().copied().map_or(0, i32::from_be_bytes);
        u8::try_from(class).map_err(|_| {
            source.refuse(format!(
                "the class of image {number} is {class}; allowed is 0 to 255"
            ))
        })
    };
    rows.enumerate().map(class).collect()
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
