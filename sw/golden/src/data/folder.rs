//! Finding the files of a data set in a folder, and what is nearly they where they are not.

use super::DataError;
use brownout_spec::text::printable;
use std::fs;
use std::path::{Path, PathBuf};

/// A file that a folder of images must hold, plain or compressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Its name, plain.
    pub name: &'static str,
    /// What the compressed file's name ends in.
    pub compressed: &'static str,
    /// What such a folder holds.
    pub kind: &'static str,
    /// How `--data` names the source: `mnist`, `emnist,letters` or `cifar10`.
    pub source: &'static str,
}

/// A file by which each kind of folder is told.
const MARKS: [(&str, &str, &str); 10] = [
    ("mnist", "t10k-images-idx3-ubyte", "gz"),
    ("qmnist", "qmnist-test-images-idx3-ubyte", "gz"),
    (
        "emnist,letters",
        "emnist-letters-test-images-idx3-ubyte",
        "gz",
    ),
    (
        "emnist,balanced",
        "emnist-balanced-test-images-idx3-ubyte",
        "gz",
    ),
    (
        "emnist,byclass",
        "emnist-byclass-test-images-idx3-ubyte",
        "gz",
    ),
    (
        "emnist,bymerge",
        "emnist-bymerge-test-images-idx3-ubyte",
        "gz",
    ),
    (
        "emnist,digits",
        "emnist-digits-test-images-idx3-ubyte",
        "gz",
    ),
    ("emnist,mnist", "emnist-mnist-test-images-idx3-ubyte", "gz"),
    ("cifar10", "test_batch.bin", "xz"),
    ("cifar100", "test.bin", "xz"),
];
/// Endings of packed files.
const PACKED: [&str; 8] = ["gz", "xz", "zip", "bz2", "zst", "tgz", "tar", "7z"];
/// Entries of a folder that are looked at, and how far below it.
const MOST_ENTRIES: usize = 1000;
const DEPTH: usize = 2;

/// The file, plain or else compressed.
pub(super) fn find(directory: &Path, wanted: Wanted) -> Result<PathBuf, DataError> {
    if let Some(path) = file(directory, wanted.name, wanted.compressed) {
        return Ok(path);
    }
    let problem = match fs::metadata(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("there is no such folder; {}", wanted.kind)
        }
        Err(source) => {
            return Err(DataError::Io {
                path: directory.to_owned(),
                source,
            });
        }
        Ok(found) if !found.is_dir() => format!("it is no folder; {}", wanted.kind),
        Ok(_) => {
            return Err(DataError::Missing {
                directory: directory.to_owned(),
                name: wanted.name,
                compressed: wanted.compressed,
                kind: wanted.kind,
                near: near_miss(directory, wanted)
                    .map_or(String::new(), |near| format!("; {near}")),
            });
        }
    };
    Err(DataError::Format {
        path: directory.to_owned(),
        problem,
    })
}

fn file(directory: &Path, name: &str, compressed: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.{compressed}")]
        .iter()
        .map(|name| directory.join(name))
        .find(|path| path.is_file())
}

/// What is there in place of a file, and what to do about it.
fn near_miss(directory: &Path, wanted: Wanted) -> Option<String> {
    let (files, folders) = entries(directory);
    // First what names its data set: EMNIST's images under MNIST's names would be read wrong.
    for (source, mark, compressed) in MARKS {
        let rest = wanted.source.strip_prefix(source);
        // The same files, as `cifar100-coarse` has those of `cifar100`.
        let is_same = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        if !is_same && file(directory, mark, compressed).is_some() {
            let what = printable(&format!("{source}:{}", directory.display()));
            return Some(format!("it holds {mark}: say {what}"));
        }
    }
    if let Some((name, form)) = files.iter().find_map(|n| Some((n, likeness(n, wanted)?))) {
        let name = printable(name);
        return Some(match form {
            Likeness::Name { end } => {
                format!("it holds {name}: call it {}{end}", wanted.name)
            }
            Likeness::Packed => format!("it holds {name}: unpack it"),
            Likeness::Python => format!(
                "it holds {name}, the form for Python: allowed is the binary form, for C programs"
            ),
        });
    }
    let mut level = folders;
    for _ in 0..DEPTH {
        let found = (level.iter()).find(|f| file(f, wanted.name, wanted.compressed).is_some());
        if let Some(folder) = found {
            let folder = printable(&folder.display().to_string());
            return Some(format!("{folder} holds it: say {}:{folder}", wanted.source));
        }
        level = level.iter().flat_map(|folder| entries(folder).1).collect();
        level.truncate(MOST_ENTRIES);
    }
    let packed = files.iter().find(|name| {
        let end = name.rsplit('.').next().unwrap_or_default();
        // A file that is read packed as it is, is another one of the folder's.
        PACKED.contains(&end) && end != wanted.compressed && name.contains('.')
    });
    packed.map(|name| format!("it holds {}: unpack it", printable(name)))
}

/// How a file resembles the one that is wanted.
enum Likeness {
    /// It has another name; `end` is that of a compressed file.
    Name { end: String },
    /// It is packed in a way that is not read.
    Packed,
    /// It is the one that Python's pickle module reads.
    Python,
}

fn likeness(name: &str, wanted: Wanted) -> Option<Likeness> {
    if wanted.name.strip_suffix(".bin") == Some(name) {
        return Some(Likeness::Python);
    }
    let end = PACKED.iter().find(|end| {
        let rest = name.strip_suffix(*end);
        rest.is_some_and(|rest| rest.ends_with('.'))
    });
    let stem = end.map_or(name, |end| &name[..name.len() - end.len() - 1]);
    let plain = |text: &str| text.to_lowercase().replace(['.', '_', ' '], "-");
    let (stem, plain_name) = (plain(stem), plain(wanted.name));
    // As most data sets but MNIST call their test images.
    let other_name = plain_name.replace("t10k-", "test-");
    if !stem.ends_with(&plain_name) && !stem.ends_with(&other_name) {
        return None;
    }
    match end {
        Some(end) if *end != wanted.compressed => Some(Likeness::Packed),
        Some(end) => Some(Likeness::Name {
            end: format!(".{end}"),
        }),
        None => Some(Likeness::Name { end: String::new() }),
    }
}

/// Names of the files in a folder, and the folders in it, in order.
fn entries(directory: &Path) -> (Vec<String>, Vec<PathBuf>) {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).take(MOST_ENTRIES) {
        match (path.is_dir(), path.file_name()) {
            (true, _) => folders.push(path),
            (false, Some(name)) => files.push(name.to_string_lossy().into_owned()),
            (false, None) => {}
        }
    }
    files.sort();
    folders.sort();
    (files, folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGES: Wanted = Wanted {
        name: "t10k-images-idx3-ubyte",
        compressed: "gz",
        kind: "an MNIST-style directory has four IDX files",
        source: "mnist",
    };
    const BATCH: Wanted = Wanted {
        name: "data_batch_1.bin",
        compressed: "xz",
        kind: "a CIFAR-10 directory has six batches",
        source: "cifar10",
    };

    fn message(wanted: Wanted, there: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for name in there {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, []).unwrap();
        }
        let message = find(folder.path(), wanted).unwrap_err().to_string();
        message.replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn what_is_nearly_the_wanted_file_is_named_with_what_to_do() {
        for (wanted, there, near) in [
            (
                IMAGES,
                "t10k-images.idx3-ubyte",
                "it holds t10k-images.idx3-ubyte: call it t10k-images-idx3-ubyte",
            ),
            (
                IMAGES,
                "emnist-letters-test-images-idx3-ubyte.gz",
                "it holds emnist-letters-test-images-idx3-ubyte: say emnist,letters:DIR",
            ),
            (
                IMAGES,
                "kuzushiji-test-images-idx3-ubyte.gz",
                "it holds kuzushiji-test-images-idx3-ubyte.gz: call it t10k-images-idx3-ubyte.gz",
            ),
            (
                IMAGES,
                "raw/t10k-images-idx3-ubyte",
                "DIR/raw holds it: say mnist:DIR/raw",
            ),
            (
                IMAGES,
                "MNIST/raw/t10k-images-idx3-ubyte.gz",
                "DIR/MNIST/raw holds it: say mnist:DIR/MNIST/raw",
            ),
            (
                IMAGES,
                "t10k-images-idx3-ubyte.zip",
                "it holds t10k-images-idx3-ubyte.zip: unpack it",
            ),
            (
                IMAGES,
                "test_batch.bin",
                "it holds test_batch.bin: say cifar10:DIR",
            ),
            (
                BATCH,
                "data_batch_1",
                "it holds data_batch_1, the form for Python",
            ),
            (
                BATCH,
                "cifar-10-batches-bin/data_batch_1.bin",
                "DIR/cifar-10-batches-bin holds it: say cifar10:DIR/cifar-10-batches-bin",
            ),
            (BATCH, "test.bin.xz", "it holds test.bin: say cifar100:DIR"),
            (
                BATCH,
                "cifar-10-binary.tar.gz",
                "it holds cifar-10-binary.tar.gz: unpack it",
            ),
        ] {
            let message = message(wanted, &[there]);
            let end = format!("{}; {near}", wanted.kind);
            assert!(message.contains(&end), "{message:?} lacks {end:?}");
        }
    }

    #[test]
    fn an_empty_folder_a_file_and_a_name_of_nothing_are_three_things() {
        let neither = message(IMAGES, &[]);
        assert!(
            neither.ends_with("neither t10k-images-idx3-ubyte nor t10k-images-idx3-ubyte.gz; an MNIST-style directory has four IDX files"),
            "{neither}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let nothing = find(&file, IMAGES).unwrap_err().to_string();
        assert!(
            nothing.contains("there is no such folder; an MNIST"),
            "{nothing}"
        );
        fs::write(&file, []).unwrap();
        let no_folder = find(&file, IMAGES).unwrap_err().to_string();
        assert!(no_folder.contains("it is no folder"), "{no_folder}");
    }
}
