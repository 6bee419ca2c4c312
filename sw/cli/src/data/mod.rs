//! Which images: built-in glyphs, IDX files, CIFAR-10 or CIFAR-100, or images of one's own.
//!
//! `check` holds them against what a network takes; `foreign` reads NumPy arrays and folders of
//! pictures, where this program is built with that.

mod check;
mod foreign;

#[cfg(feature = "foreign")]
pub use check::values_beyond;
pub use check::{check_count, check_images, check_labels, unused_outputs};

use crate::error::Error;
use crate::output::Output;
use brownout_golden::data::idx_forms::{self, MNIST, QMNIST};
use brownout_golden::data::{DataError, Dataset, Images, Split, cifar, glyph};
use brownout_golden::model::{InputMap, Normalization};
use brownout_spec::program::Shape;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Most glyph images that are drawn: 64 times what training uses.
const MOST_GLYPHS: usize = 768_000;
/// Means and deviations of the training images of CIFAR-100.
const CIFAR100_MOMENTS: &str = "0.5071,0.4865,0.4409,0.2673,0.2564,0.2762";
/// The seed that makes `glyphs` one data set, whatever the seed of a run is.
const GLYPH_SEED: u64 = 1;
/// All forms of a source.
const ALLOWED: &str = "glyphs, glyphs:SEED, mnist:DIR, idx:DIR, emnist:DIR, qmnist:DIR, cifar10:DIR, cifar100:DIR, cifar100-coarse:DIR, npz:FILE, npy:DIR and images:DIR";

/// Where images come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// Digits drawn from a seed.
    Glyphs {
        /// The seed.
        seed: u64,
    },
    /// A folder with four IDX files.
    Idx(&'static idx_forms::Form, PathBuf),
    /// The same of the one split of EMNIST that is in the folder.
    Emnist(PathBuf),
    /// A folder with the binary files of CIFAR-10 or CIFAR-100.
    Cifar(&'static cifar::Form, PathBuf),
    /// Arrays or pictures.
    Foreign(foreign::Source),
}

/// Which images of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Those that training looks at.
    Training,
    /// Those that measurements look at.
    Test,
}

impl FromStr for DataSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} names no images; allowed are {ALLOWED}");
        let kind = text.split([':', ',']).next().unwrap_or_default();
        if foreign::KINDS.contains(&kind) {
            return text.parse().map(Self::Foreign);
        }
        let folder = |folder: &str| match folder.is_empty() {
            true => Err(refuse()),
            false => Ok(PathBuf::from(folder)),
        };
        match text.split_once(':') {
            None if text == "glyphs" => Ok(Self::Glyphs { seed: GLYPH_SEED }),
            Some(("glyphs", seed)) => seed
                .parse()
                .map(|seed| Self::Glyphs { seed })
                .map_err(|_| refuse()),
            Some(("mnist" | "idx", path)) => Ok(Self::Idx(&MNIST, folder(path)?)),
            Some(("qmnist", path)) => Ok(Self::Idx(&QMNIST, folder(path)?)),
            Some(("emnist", path)) => Ok(Self::Emnist(folder(path)?)),
            Some(("cifar10", path)) => Ok(Self::Cifar(&cifar::TEN, folder(path)?)),
            Some(("cifar100", path)) => Ok(Self::Cifar(&cifar::HUNDRED, folder(path)?)),
            Some(("cifar100-coarse", path)) => Ok(Self::Cifar(&cifar::COARSE, folder(path)?)),
            Some((head, path)) if kind == "emnist" => {
                let split = head.strip_prefix("emnist,").unwrap_or_default();
                let form = idx_forms::emnist(split).ok_or_else(|| {
                    let splits: Vec<&str> = idx_forms::EMNIST.iter().map(|f| f.source).collect();
                    format!(
                        "{head:?} is no split of EMNIST; allowed are emnist (the one that is there), {}",
                        splits.join(", ")
                    )
                })?;
                Ok(Self::Idx(form, folder(path)?))
            }
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glyphs { seed: GLYPH_SEED } => f.pad("glyphs"),
            Self::Glyphs { seed } => write!(f, "glyphs:{seed}"),
            Self::Idx(form, folder) if *form == &MNIST => write!(f, "idx:{}", folder.display()),
            Self::Idx(form, folder) => write!(f, "{}:{}", form.source, folder.display()),
            Self::Emnist(folder) => write!(f, "emnist:{}", folder.display()),
            Self::Cifar(form, folder) => write!(f, "{}:{}", form.source(), folder.display()),
            Self::Foreign(source) => write!(f, "{source}"),
        }
    }
}

impl DataSource {
    /// What it is, without its place.
    pub fn kind(&self) -> String {
        match self {
            Self::Glyphs { .. } => self.to_string(),
            Self::Idx(form, _) if *form == &MNIST => "IDX files".to_owned(),
            Self::Idx(form, _) => format!("IDX files of {}", form.source),
            Self::Emnist(_) => "IDX files of emnist".to_owned(),
            Self::Cifar(form, _) if *form == &cifar::COARSE => {
                format!("{}, coarse labels", form.name)
            }
            Self::Cifar(form, _) => form.name.to_owned(),
            Self::Foreign(_) => "images of one's own".to_owned(),
        }
    }

    /// Outputs of a network for these images where nobody declares how many: the classes that the
    /// format has, or the largest label and one.
    pub fn outputs(&self, split: &Split) -> usize {
        let of_format = match self {
            Self::Cifar(form, _) => form.classes(),
            _ => 0,
        };
        split.train.classes.max(of_format)
    }

    /// How pixels of these images become activations where nobody says it.
    pub fn input_map(&self, data: &Dataset) -> InputMap {
        match (self, &data.images, data.channels()) {
            (Self::Cifar(form, _), ..) if *form == &cifar::TEN => {
                InputMap::Normalize(Normalization::CIFAR10)
            }
            (Self::Cifar(..), ..) => CIFAR100_MOMENTS
                .parse()
                .expect("the moments are a map, as a test shows"),
            (Self::Foreign(_), Images::Bytes(_), 3) => InputMap::Normalize(Normalization::IMAGENET),
            // Black stays zero, which is also what padding reads.
            (_, Images::Bytes(_), 1) => InputMap::Halve,
            // Of pixels that are no bytes, only its step counts.
            _ => InputMap::Centre,
        }
    }

    /// Training images, at most `limit` of them, and all test images; `input` is what a network
    /// takes, where there is one already.
    ///
    /// # Errors
    /// When a file is missing or malformed, or there are not as many images.
    pub fn split(
        &self,
        limit: Option<usize>,
        input: Option<Shape>,
        output: Output,
    ) -> Result<Split, Error> {
        let spinner = output.spinner(format!("reading {self}"));
        let mut split = match self {
            Self::Glyphs { seed } => {
                let train = limit.unwrap_or(glyph::TRAINING_IMAGES);
                check_count("--train-images", train, MOST_GLYPHS)?;
                glyph::split(*seed, train, glyph::TEST_IMAGES)
            }
            Self::Idx(form, folder) => form.read_directory(folder)?,
            Self::Emnist(folder) => idx_forms::emnist_in(folder)?.read_directory(folder)?,
            Self::Cifar(form, folder) => form.read_directory(folder)?,
            Self::Foreign(source) => foreign::split(source, input)?,
        };
        if let Some(limit) = limit {
            check_count("--train-images", limit, split.train.len())?;
            split.train = split.train.first(limit);
        }
        spinner.finish_and_clear();
        explain(&split.train, output);
        Ok(split)
    }

    /// Training images, at least `count` of them; there need be no test images.
    ///
    /// # Errors
    /// When a file is missing or malformed.
    pub fn training_images(
        &self,
        count: usize,
        input: Option<Shape>,
        output: Output,
    ) -> Result<Dataset, Error> {
        let spinner = output.spinner(format!("reading {self}"));
        let images = match self {
            Self::Glyphs { seed } => {
                check_count("--calibration-images", count, MOST_GLYPHS)?;
                glyph::split(*seed, count, 0).train
            }
            Self::Idx(form, folder) => form.read_training(folder)?,
            Self::Emnist(folder) => idx_forms::emnist_in(folder)?.read_training(folder)?,
            Self::Cifar(form, folder) => form.read_training(folder)?,
            Self::Foreign(source) => foreign::training(source, input)?,
        };
        spinner.finish_and_clear();
        Ok(images)
    }

    /// Test images, at least `count` of them; there need be no training images.
    ///
    /// # Errors
    /// When a file is missing or malformed, or there are fewer images.
    pub fn test_images(
        &self,
        count: usize,
        input: Option<Shape>,
        output: Output,
    ) -> Result<Dataset, Error> {
        let spinner = output.spinner(format!("reading {self}"));
        let images = match self {
            Self::Glyphs { seed } => {
                check_count("--images plus --skip", count, MOST_GLYPHS)?;
                glyph::split(*seed, 0, count.max(glyph::TEST_IMAGES)).test
            }
            Self::Idx(form, folder) => form.read_test(folder)?,
            Self::Emnist(folder) => idx_forms::emnist_in(folder)?.read_test(folder)?,
            Self::Cifar(form, folder) => form.read_test(folder)?,
            Self::Foreign(source) => foreign::test(source, input)?,
        };
        spinner.finish_and_clear();
        check_count("--images plus --skip", count, images.len())?;
        explain(&images, output);
        Ok(images)
    }

    /// The file or folder that it is read from, which no result may replace.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Glyphs { .. } => None,
            Self::Idx(_, folder) | Self::Emnist(folder) | Self::Cifar(_, folder) => Some(folder),
            Self::Foreign(source) => Some(foreign::path(source)),
        }
    }

    /// The file of labels of a part, if it is one of its own.
    fn label_file(&self, part: Part) -> Option<PathBuf> {
        let form: Result<_, DataError> = match self {
            Self::Idx(form, folder) => Ok((*form, folder)),
            Self::Emnist(folder) => idx_forms::emnist_in(folder).map(|form| (form, folder)),
            _ => return None,
        };
        let (form, folder) = form.ok()?;
        Some(form.label_file(folder, part == Part::Test))
    }
}

/// Says what of images or labels is not as usual.
fn explain(data: &Dataset, output: Output) {
    if data.targets.is_some() {
        output.remark(format!(
            "{} has tensors for labels: training comes close to them (mean squared error), and where a class is asked for it is the place of the largest value",
            data.name
        ));
    }
    match data.images {
        Images::Bytes(_) => {}
        Images::Activations(_) => output.remark(format!(
            "{} has signed bytes for pixels: they are the first activations, whatever the map is",
            data.name
        )),
        Images::Reals(ref values) => {
            let (low, high) = values
                .iter()
                .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| {
                    (low.min(v), high.max(v))
                });
            output.remark(format!(
                "{} has real numbers for pixels, here from {low} to {high}: they enter as they are, rounded to the map's step (to the nearest, of two the even one) and clipped to its signed byte where the network computes in integers",
                data.name
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_survive_their_names_and_others_are_refused() {
        for text in [
            "glyphs",
            "glyphs:7",
            "idx:some/folder",
            "cifar10:folder",
            "cifar100:folder",
            "cifar100-coarse:folder",
            "emnist:folder",
            "emnist,letters:folder",
            "qmnist:folder",
        ] {
            assert_eq!(text.parse::<DataSource>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "cifar",
            "glyphs:x",
            "mnist",
            "mnist:",
            "cifar10:",
            "emnist:",
            "qmnist,x:a",
        ] {
            let message = text.parse::<DataSource>().unwrap_err();
            assert!(message.contains("mnist:DIR"), "{message}");
        }
        let message = "emnist,letter:folder".parse::<DataSource>().unwrap_err();
        assert!(
            message.contains("emnist,letters, emnist,balanced"),
            "{message}"
        );
    }

    #[cfg(not(feature = "foreign"))]
    #[test]
    fn sources_of_other_peoples_files_are_refused_with_how_to_get_them() {
        for text in ["npz:a.npz", "npy,nchw:a", "images,size=8:a"] {
            let message = text.parse::<DataSource>().unwrap_err();
            let build = "`cargo build --release --package brownout` builds one with them";
            assert!(message.ends_with(build), "{message}");
        }
    }

    #[test]
    fn every_source_has_a_map_from_pixels_whose_moments_are_the_published_ones() {
        let images = glyph::split(1, 0, 1).test;
        let map = |text: &str| text.parse::<DataSource>().unwrap().input_map(&images);
        assert_eq!(map("cifar100:x").to_string(), CIFAR100_MOMENTS);
        assert_eq!(map("cifar100-coarse:x").to_string(), CIFAR100_MOMENTS);
        assert_eq!(map("cifar10:x").to_string(), "cifar10");
        assert_eq!(map("emnist:x"), InputMap::Halve);
    }
}
