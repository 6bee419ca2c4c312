//! Images with labels: built-in glyph digits, MNIST-style IDX files, CIFAR-10 and CIFAR-100.

mod augment;
pub mod cifar;
mod folder;
pub mod glyph;
pub mod idx;
pub mod idx_forms;
mod inflate;
mod pixels;
mod signature;

pub use augment::{Augmentation, Draw};
pub use pixels::{Images, Pixels};

use brownout_spec::program::Shape;
use ndarray::{Array2, Axis};
use std::ops::Range;
use std::path::PathBuf;
use thiserror::Error;

/// Labelled images of one size; image `i` has label `labels[i] < classes`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Where the images come from, for reports: `glyphs`, or a directory's name.
    pub name: String,
    /// Pixels, `[image][row][column][channel]`.
    pub images: Images,
    /// One class number an image; of images with targets the place of the largest value.
    pub labels: Vec<u16>,
    /// Number of classes: what the data's form declares, or else the largest label of the files
    /// and one. It is the same for a part of the images.
    pub classes: usize,
    /// What the classes are called, if somebody says: one name each.
    pub class_names: Vec<String>,
    /// What a network should answer, `[image][output]`, where files say that instead of a class.
    pub targets: Option<Array2<f32>>,
}

impl Dataset {
    /// Images with labels and nothing more.
    pub fn new(
        name: impl Into<String>,
        images: impl Into<Images>,
        labels: Vec<u16>,
        classes: usize,
    ) -> Self {
        Self {
            name: name.into(),
            images: images.into(),
            labels,
            classes,
            class_names: Vec::new(),
            targets: None,
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image at all.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Rows of pixels of an image.
    pub fn height(&self) -> usize {
        self.images.dim().1
    }

    /// Columns of pixels of an image.
    pub fn width(&self) -> usize {
        self.images.dim().2
    }

    /// Channels of a pixel.
    pub fn channels(&self) -> usize {
        self.images.dim().3
    }

    /// Size of an image.
    pub fn shape(&self) -> Shape {
        Shape {
            height: self.height(),
            width: self.width(),
            channels: self.channels(),
        }
    }

    /// Values of image `index`, row-major with the channel innermost.
    ///
    /// # Panics
    /// If `index >= self.len()`.
    pub fn image(&self, index: usize) -> Pixels<'_> {
        self.images.image(index)
    }

    /// What a class is called, or else its number.
    pub fn class_name(&self, class: usize) -> String {
        let name = self.class_names.get(class);
        name.map_or_else(|| class.to_string(), String::clone)
    }

    /// Bytes that tell the labels and targets from others: a byte a label while all labels are
    /// such, and otherwise two, the lower first.
    pub fn label_identity(&self) -> Vec<u8> {
        let wide = self.labels.iter().any(|&label| label > u16::from(u8::MAX));
        let bytes = if wide { 2 } else { 1 };
        let labels = self.labels.iter();
        let mut identity: Vec<u8> = labels
            .flat_map(|label| label.to_le_bytes().into_iter().take(bytes))
            .collect();
        for target in self.targets.iter().flatten() {
            identity.extend(target.to_le_bytes());
        }
        identity
    }

    /// The first `count` images, or all if there are fewer.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        self.range(0..count)
    }

    /// The images with these numbers, as far as there are such.
    #[must_use]
    pub fn range(&self, numbers: Range<usize>) -> Self {
        let end = numbers.end.min(self.len());
        let start = numbers.start.min(end);
        let targets = self.targets.as_ref();
        Self {
            name: self.name.clone(),
            images: self.images.range(start, end),
            labels: self.labels[start..end].to_vec(),
            classes: self.classes,
            class_names: self.class_names.clone(),
            targets: targets.map(|t| t.slice_axis(Axis(0), (start..end).into()).to_owned()),
        }
    }

    /// The first label that a network of so many outputs has no output for, with its image's number.
    pub fn label_beyond(&self, outputs: usize) -> Option<(usize, u16)> {
        let mut labels = self.labels.iter().copied().enumerate();
        labels.find(|&(_, label)| usize::from(label) >= outputs)
    }
}

/// Training and held-out test images of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Images that training may look at.
    pub train: Dataset,
    /// Images that only measurements look at.
    pub test: Dataset,
}

impl Split {
    /// Labels below the number of classes that no training image has.
    pub fn unused_labels(&self) -> Vec<usize> {
        let mut used = vec![false; self.train.classes];
        for &label in &self.train.labels {
            if let Some(used) = used.get_mut(usize::from(label)) {
                *used = true;
            }
        }
        (0..used.len()).filter(|&label| !used[label]).collect()
    }
}

/// Why a data file cannot be used: one sentence naming the file.
#[derive(Debug, Error)]
pub enum DataError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Neither the plain file nor its compressed form exists.
    #[error("{} holds neither {name} nor {name}.{compressed}; {kind}{near}", directory.display())]
    Missing {
        /// The directory searched.
        directory: PathBuf,
        /// The name of the plain file.
        name: &'static str,
        /// What the compressed file's name ends in.
        compressed: &'static str,
        /// What such a directory holds.
        kind: &'static str,
        /// What is nearly the file and what to do about it, after a semicolon, or nothing.
        near: String,
    },
    /// The content is not what the format demands.
    #[error("{}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found and what is allowed.
        problem: String,
    },
}
