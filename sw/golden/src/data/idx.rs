//! MNIST-style IDX files, plain or gzip-compressed.
//!
//! Format: big-endian 32-bit header fields, then bytes. Images: magic 2051,
//! count, rows, columns, count·rows·columns pixels. Labels: magic 2049, count,
//! count class numbers. A header is never trusted with an allocation: memory
//! grows only with bytes that the file really delivers, never beyond what the
//! header announces, and a compressed file delivers no more than `inflate`
//! lets it.

use super::inflate::{Bounded, Compression};
use super::{DataError, Dataset, Split};
use brownout_spec::text::printable;
use ndarray::Array4;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const IMAGE_MAGIC: u32 = 0x0803;
const LABEL_MAGIC: u32 = 0x0801;
/// Most bytes of pixels that are read: above the 188 MB of EMNIST's digits.
const MOST_PIXELS: u64 = 1 << 28;
/// Largest image side that is accepted.
const MOST_SIDE: u32 = 1024;
const CLASSES: usize = 10;
/// Bytes that are read at once.
const PART: usize = 16 << 10;

/// Reads the four files of an MNIST-style directory, each plain or with `.gz`.
pub fn read_directory(directory: &Path) -> Result<Split, DataError> {
    let read = |images, labels| read_pair(directory, images, labels);
    let split = Split {
        train: read("train-images-idx3-ubyte", "train-labels-idx1-ubyte")?,
        test: read("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")?,
    };
    if split.train.shape() != split.test.shape() {
        return Err(DataError::Format {
            path: directory.to_owned(),
            problem: format!(
                "training images are {} and test images {}; they must agree",
                split.train.shape(),
                split.test.shape()
            ),
        });
    }
    Ok(split)
}

fn read_pair(
    directory: &Path,
    image_name: &'static str,
    label_name: &'static str,
) -> Result<Dataset, DataError> {
    let images = read_images(&find(directory, image_name)?)?;
    let label_path = find(directory, label_name)?;
    let labels = read_labels(&label_path)?;
    if labels.len() != images.dim().0 {
        return Err(DataError::Format {
            path: label_path,
            problem: format!(
                "it has {} labels, but {image_name} has {} images",
                labels.len(),
                images.dim().0
            ),
        });
    }
    let name = directory
        .file_name()
        .map_or("idx".to_owned(), |n| printable(&n.to_string_lossy()));
    Ok(Dataset {
        name,
        images,
        labels,
        classes: CLASSES,
    })
}

fn find(directory: &Path, name: &'static str) -> Result<PathBuf, DataError> {
    [directory.join(name), directory.join(format!("{name}.gz"))]
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| DataError::Missing {
            directory: directory.to_owned(),
            name,
            compressed: "gz",
            kind: "an MNIST-style directory has four IDX files",
        })
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
    source.magic(IMAGE_MAGIC, "an image file (2051)")?;
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

/// Reads one label file; every label is below ten.
pub fn read_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    labels_from(open(path)?, path)
}

/// Reads the bytes of a label file, as [`images_from`] does.
///
/// # Errors
/// When the bytes are not exactly one label file.
pub fn labels_from(bytes: impl Read, path: &Path) -> Result<Vec<u8>, DataError> {
    let mut source = Source::new(bytes, path);
    source.magic(LABEL_MAGIC, "a label file (2049)")?;
    let count = u64::from(source.word()?);
    if count == 0 || count > MOST_PIXELS {
        return Err(source.refuse(format!(
            "it announces {count} labels; allowed is 1 to {MOST_PIXELS}"
        )));
    }
    let labels = source.rest(count, "labels")?;
    match labels.iter().position(|&l| usize::from(l) >= CLASSES) {
        Some(i) => Err(source.refuse(format!("label {i} is {}; allowed is 0 to 9", labels[i]))),
        None => Ok(labels),
    }
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
    reader: Bounded<R>,
}

impl<R: Read> Source<R> {
    fn new(bytes: R, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            reader: Bounded::new(bytes, Compression::of(path)),
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
        self.reader
            .read_exact(&mut bytes)
            .map_err(|e| self.refuse(format!("the IDX header cannot be read: {e}")))?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn magic(&mut self, expected: u32, kind: &str) -> Result<(), DataError> {
        let found = self.word()?;
        if found == expected {
            return Ok(());
        }
        Err(self.refuse(format!(
            "its magic number is {found}; it should be that of {kind}"
        )))
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
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn header(fields: &[u32], body: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = fields.iter().flat_map(|f| f.to_be_bytes()).collect();
        bytes.extend_from_slice(body);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn plain_and_compressed_files_give_the_same_images() {
        let directory = tempfile::tempdir().unwrap();
        let pixels: Vec<u8> = (0..12).collect();
        let file = header(&[2051, 2, 2, 3], &pixels);
        let plain = read_images(&write(directory.path(), "a", &file)).unwrap();
        let packed = read_images(&write(directory.path(), "a.gz", &gzip(&file))).unwrap();
        assert_eq!(plain, packed);
        assert_eq!(plain.dim(), (2, 2, 3, 1));
        assert_eq!(plain[(1, 0, 2, 0)], 8);
    }

    #[test]
    fn each_malformed_image_file_is_refused_with_its_name_and_reason() {
        let directory = tempfile::tempdir().unwrap();
        let good = header(&[2051, 1, 2, 2], &[1, 2, 3, 4]);
        let cases: Vec<(&str, Vec<u8>, &str)> = vec![
            ("empty", vec![], "header cannot be read"),
            ("cut-header", good[..10].to_vec(), "header cannot be read"),
            ("magic", header(&[2049, 1, 2, 2], &[0; 4]), "2049"),
            ("short", good[..19].to_vec(), "ends after 3 of the 4 pixels"),
            (
                "long",
                header(&[2051, 1, 2, 2], &[0; 5]),
                "more than the 4 pixels",
            ),
            ("zero-rows", header(&[2051, 1, 0, 2], &[]), "rows is 0"),
            (
                "huge",
                header(&[2051, u32::MAX, 28, 28], &[0; 9]),
                "announces",
            ),
            (
                "hungry",
                header(&[2051, 300_000, 28, 28], &[0; 9]),
                "ends after 9",
            ),
            ("not-gzip.gz", good.clone(), "header cannot be read"),
            ("cut.gz", gzip(&good)[..20].to_vec(), "cannot be read"),
        ];
        for (name, bytes, reason) in cases {
            let path = write(directory.path(), name, &bytes);
            let message = read_images(&path).unwrap_err().to_string();
            assert!(message.contains(name), "{message:?} lacks {name:?}");
            assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        }
    }

    #[test]
    fn a_gzip_bomb_is_refused_before_it_has_grown_beyond_its_bound() {
        let directory = tempfile::tempdir().unwrap();
        let pixels = 100 * 1024 * 1024;
        let bomb = gzip(&header(&[2051, 100, 1024, 1024], &vec![0; pixels]));
        assert!(bomb.len() < 200_000, "{} bytes", bomb.len());
        let path = write(directory.path(), "bomb.gz", &bomb);
        let message = read_images(&path).unwrap_err().to_string();
        assert!(
            message.contains("more than 100 times its size"),
            "{message}"
        );
    }

    #[test]
    fn a_label_above_nine_and_a_count_that_differs_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let bad = write(directory.path(), "labels", &header(&[2049, 3], &[1, 10, 2]));
        let message = read_labels(&bad).unwrap_err().to_string();
        assert!(message.contains("label 1 is 10"), "{message}");

        let images = header(&[2051, 1, 1, 1], &[0]);
        for prefix in ["train", "t10k"] {
            write(
                directory.path(),
                &format!("{prefix}-images-idx3-ubyte"),
                &images,
            );
            write(
                directory.path(),
                &format!("{prefix}-labels-idx1-ubyte"),
                &header(&[2049, 2], &[0, 1]),
            );
        }
        let message = read_directory(directory.path()).unwrap_err().to_string();
        assert!(message.contains("2 labels"), "{message}");
    }

    #[test]
    fn a_missing_file_is_named_with_both_spellings() {
        let directory = tempfile::tempdir().unwrap();
        let message = read_directory(directory.path()).unwrap_err().to_string();
        assert!(message.contains("train-images-idx3-ubyte.gz"), "{message}");
    }
}
