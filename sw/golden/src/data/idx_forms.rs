//! Data sets of IDX files: how their files are called, and what these do not say themselves.
//!
//! EMNIST (G. Cohen et al., "EMNIST: an extension of MNIST to handwritten letters", 2017) has
//! images whose rows are columns, and of its letters labels that begin at 1. Nothing in a file
//! tells that from others, so it is the name of the source alone that decides it.

use super::folder::{Wanted, find};
use super::idx::{read_images, read_labels, read_table};
use super::{DataError, Dataset, Split};
use brownout_spec::text::printable;
use ndarray::Array4;
use std::path::{Path, PathBuf};

/// A data set of IDX files.
#[derive(Debug, PartialEq, Eq)]
pub struct Form {
    /// How `--data` names it.
    pub source: &'static str,
    training: Names,
    test: Names,
    kind: &'static str,
    /// Whether rows and columns are exchanged in the files.
    is_transposed: bool,
    /// Whether labels are the first column of a table.
    has_table: bool,
    /// The label that is class 0.
    first: u8,
    /// One character a class, or nothing if files have as many classes as their labels demand.
    classes: &'static str,
}

/// Names of a file of images and one of their labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Names {
    images: &'static str,
    labels: &'static str,
}

/// MNIST and what is like it: Fashion-MNIST, KMNIST, and files of one's own.
pub static MNIST: Form = Form {
    source: "mnist",
    training: Names {
        images: "train-images-idx3-ubyte",
        labels: "train-labels-idx1-ubyte",
    },
    test: Names {
        images: "t10k-images-idx3-ubyte",
        labels: "t10k-labels-idx1-ubyte",
    },
    kind: "an MNIST-style directory has four IDX files",
    is_transposed: false,
    has_table: false,
    first: 0,
    classes: "",
};

/// QMNIST, whose test files have all 60,000 images.
pub static QMNIST: Form = Form {
    source: "qmnist",
    training: Names {
        images: "qmnist-train-images-idx3-ubyte",
        labels: "qmnist-train-labels-idx2-int",
    },
    test: Names {
        images: "qmnist-test-images-idx3-ubyte",
        labels: "qmnist-test-labels-idx2-int",
    },
    kind: "a QMNIST directory has four IDX files",
    is_transposed: false,
    has_table: true,
    first: 0,
    classes: "0123456789",
};

/// A split of EMNIST.
macro_rules! split {
    ($split:literal, $first:literal, $classes:literal) => {
        Form {
            source: concat!("emnist,", $split),
            training: Names {
                images: concat!("emnist-", $split, "-train-images-idx3-ubyte"),
                labels: concat!("emnist-", $split, "-train-labels-idx1-ubyte"),
            },
            test: Names {
                images: concat!("emnist-", $split, "-test-images-idx3-ubyte"),
                labels: concat!("emnist-", $split, "-test-labels-idx1-ubyte"),
            },
            kind: concat!("a directory of EMNIST's ", $split, " has four IDX files"),
            is_transposed: true,
            has_table: false,
            first: $first,
            classes: $classes,
        }
    };
}

/// The six splits of EMNIST.
pub static EMNIST: [Form; 6] = [
    split!("letters", 1, "abcdefghijklmnopqrstuvwxyz"),
    split!(
        "balanced",
        0,
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    ),
    split!(
        "byclass",
        0,
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    ),
    split!(
        "bymerge",
        0,
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    ),
    split!("digits", 0, "0123456789"),
    split!("mnist", 0, "0123456789"),
];

/// The split of EMNIST with a name.
pub fn emnist(split: &str) -> Option<&'static Form> {
    EMNIST.iter().find(|form| form.split() == split)
}

/// The split of EMNIST whose files are in a folder.
///
/// # Errors
/// When they are those of none or of several.
pub fn emnist_in(directory: &Path) -> Result<&'static Form, DataError> {
    let is_there = |form: &&Form| {
        let names = [form.training, form.test].map(|part| part.images);
        let found = |&name: &&'static str| find(directory, form.wanted(name)).is_ok();
        names.iter().any(found)
    };
    let there: Vec<&Form> = EMNIST.iter().filter(is_there).collect();
    match there[..] {
        [form] => Ok(form),
        // What is nearly there is said as of the first one.
        [] => EMNIST[0]
            .find(EMNIST[0].test, directory)
            .map(|_| &EMNIST[0]),
        _ => {
            let names: Vec<&str> = there.iter().map(|form| form.source).collect();
            Err(DataError::Format {
                path: directory.to_owned(),
                problem: format!(
                    "it has files of {} splits of EMNIST; allowed is one, or to say which: {} before the folder",
                    names.len(),
                    names.join(", ")
                ),
            })
        }
    }
}

impl Form {
    /// Its name among its kind: `letters`.
    pub fn split(&self) -> &'static str {
        self.source.rsplit(',').next().unwrap_or(self.source)
    }

    /// Classes that the data set declares; 0 if its files have as many as their labels demand.
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Reads its four files, each plain or with `.gz`.
    ///
    /// # Errors
    /// A sentence naming the file that is missing, cannot be read, or is none of the form's.
    pub fn read_directory(&self, directory: &Path) -> Result<Split, DataError> {
        let parts = [
            self.find(self.training, directory)?,
            self.find(self.test, directory)?,
        ];
        let [mut train, mut test] = [
            self.read_pair(directory, &parts[0])?,
            self.read_pair(directory, &parts[1])?,
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
    /// As [`Form::read_directory`].
    pub fn read_training(&self, directory: &Path) -> Result<Dataset, DataError> {
        self.read_pair(directory, &self.find(self.training, directory)?)
    }

    /// Reads the two files of test images, whether or not there are others.
    ///
    /// # Errors
    /// As [`Form::read_directory`].
    pub fn read_test(&self, directory: &Path) -> Result<Dataset, DataError> {
        self.read_pair(directory, &self.find(self.test, directory)?)
    }

    /// The file of labels of test or else of training images, for messages; its plain name where
    /// it is not there.
    pub fn label_file(&self, directory: &Path, of_test: bool) -> PathBuf {
        let names = if of_test { self.test } else { self.training };
        let found = find(directory, self.wanted(names.labels));
        found.unwrap_or_else(|_| directory.join(names.labels))
    }

    fn wanted(&self, name: &'static str) -> Wanted {
        Wanted {
            name,
            compressed: "gz",
            kind: self.kind,
            source: self.source,
        }
    }

    /// The files of images and labels.
    fn find(&self, names: Names, directory: &Path) -> Result<[PathBuf; 2], DataError> {
        let find = |name| find(directory, self.wanted(name));
        Ok([find(names.images)?, find(names.labels)?])
    }

    fn read_pair(
        &self,
        directory: &Path,
        [image_path, label_path]: &[PathBuf; 2],
    ) -> Result<Dataset, DataError> {
        let images = read_images(image_path)?;
        let labels = match self.has_table {
            true => read_table(label_path)?,
            false => read_labels(label_path)?,
        };
        let refuse = |problem| DataError::Format {
            path: label_path.clone(),
            problem,
        };
        if labels.len() != images.dim().0 {
            let image_name = image_path.file_name().unwrap_or_default();
            return Err(refuse(format!(
                "it has {} labels, but {} has {} images",
                labels.len(),
                printable(&image_name.to_string_lossy()),
                images.dim().0
            )));
        }
        let labels = self.classes_of(&labels).map_err(refuse)?;
        let images = match self.is_transposed {
            true => transposed(&images),
            false => images,
        };
        let name = directory
            .file_name()
            .map_or("idx".to_owned(), |n| printable(&n.to_string_lossy()));
        let largest = labels.iter().copied().max().unwrap_or(0);
        let classes = self.classes().max(usize::from(largest) + 1);
        let class_names = self.classes.chars().map(String::from).collect();
        Ok(Dataset {
            class_names,
            ..Dataset::new(name, images, labels, classes)
        })
    }

    /// The classes that labels stand for.
    fn classes_of(&self, labels: &[u8]) -> Result<Vec<u16>, String> {
        let most = match self.classes() {
            0 => usize::from(u8::MAX),
            classes => usize::from(self.first) + classes - 1,
        };
        let class = |(number, &label): (usize, &u8)| match label.checked_sub(self.first) {
            Some(class) if usize::from(label) <= most => Ok(u16::from(class)),
            _ => Err(format!(
                "image {number} has label {label}; allowed is {} to {most} ({})",
                self.first, self.source
            )),
        };
        labels.iter().enumerate().map(class).collect()
    }
}

/// The images with rows for columns.
fn transposed(images: &Array4<u8>) -> Array4<u8> {
    let exchanged = images.view().permuted_axes([0, 2, 1, 3]);
    exchanged.as_standard_layout().into_owned()
}

#[cfg(test)]
#[path = "idx_forms_tests.rs"]
mod tests;
