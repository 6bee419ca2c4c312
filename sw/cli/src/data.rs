//! Which images: built-in glyphs, files in the manner of MNIST, or CIFAR-10.

use crate::error::Error;
use crate::output::Output;
use brownout_golden::data::{Dataset, Split, cifar, glyph, idx};
use brownout_golden::model::{InputMap, Normalization};
use brownout_spec::program::Shape;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Most glyph images that are drawn: 64 times what training uses.
const MOST_GLYPHS: usize = 768_000;
/// The seed that makes `glyphs` one data set, whatever the seed of a run is.
const GLYPH_SEED: u64 = 1;

/// Where images come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// Digits drawn from a seed.
    Glyphs {
        /// The seed.
        seed: u64,
    },
    /// A folder with four IDX files.
    Idx(PathBuf),
    /// A folder with the six binary batches of CIFAR-10.
    Cifar10(PathBuf),
}

impl FromStr for DataSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "{text:?} names no images; allowed are glyphs, glyphs:SEED, mnist:DIR, idx:DIR and cifar10:DIR"
            )
        };
        match text.split_once(':') {
            None if text == "glyphs" => Ok(Self::Glyphs { seed: GLYPH_SEED }),
            Some(("glyphs", seed)) => seed
                .parse()
                .map(|seed| Self::Glyphs { seed })
                .map_err(|_| refuse()),
            Some(("mnist" | "idx", folder)) if !folder.is_empty() => Ok(Self::Idx(folder.into())),
            Some(("cifar10", folder)) if !folder.is_empty() => Ok(Self::Cifar10(folder.into())),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glyphs { seed: GLYPH_SEED } => f.pad("glyphs"),
            Self::Glyphs { seed } => write!(f, "glyphs:{seed}"),
            Self::Idx(folder) => write!(f, "idx:{}", folder.display()),
            Self::Cifar10(folder) => write!(f, "cifar10:{}", folder.display()),
        }
    }
}

impl DataSource {
    /// How pixels of these images become activations.
    pub fn input_map(&self) -> InputMap {
        match self {
            // Black stays zero, which is also what padding reads.
            Self::Glyphs { .. } | Self::Idx(_) => InputMap::Halve,
            Self::Cifar10(_) => InputMap::Normalize(Normalization::CIFAR10),
        }
    }

    /// Training images, at most `limit` of them, and all test images.
    ///
    /// # Errors
    /// When a file is missing or malformed, or there are not as many images.
    pub fn split(&self, limit: Option<usize>, output: Output) -> Result<Split, Error> {
        let spinner = output.spinner(format!("reading {self}"));
        let mut split = match self {
            Self::Glyphs { seed } => {
                let train = limit.unwrap_or(glyph::TRAINING_IMAGES);
                check_count("--train-images", train, MOST_GLYPHS)?;
                glyph::split(*seed, train, glyph::TEST_IMAGES)
            }
            Self::Idx(folder) => idx::read_directory(folder)?,
            Self::Cifar10(folder) => cifar::read_directory(folder)?,
        };
        if let Some(limit) = limit {
            check_count("--train-images", limit, split.train.len())?;
            split.train = split.train.first(limit);
        }
        spinner.finish_and_clear();
        Ok(split)
    }

    /// Test images, at least `count` of them.
    ///
    /// # Errors
    /// When a file is missing or malformed, or there are fewer images.
    pub fn test_images(&self, count: usize, output: Output) -> Result<Dataset, Error> {
        let spinner = output.spinner(format!("reading {self}"));
        let images = match self {
            Self::Glyphs { seed } => {
                check_count("--images plus --skip", count, MOST_GLYPHS)?;
                glyph::split(*seed, 0, count.max(glyph::TEST_IMAGES)).test
            }
            Self::Idx(folder) => idx::read_directory(folder)?.test,
            Self::Cifar10(folder) => cifar::read_test(folder)?,
        };
        spinner.finish_and_clear();
        check_count("--images plus --skip", count, images.len())?;
        Ok(images)
    }
}

/// Checks a number of images against how many there can be.
///
/// # Errors
/// When there are none or fewer.
pub fn check_count(flag: &'static str, count: usize, there_are: usize) -> Result<(), Error> {
    if (1..=there_are).contains(&count) {
        return Ok(());
    }
    Err(Error::flag(flag, count, format!("1 to {there_are}")))
}

/// Checks that images are such as a network takes; `whose` says where that is from.
///
/// # Errors
/// When they have another shape, or more classes.
pub fn check_images(
    source: &DataSource,
    data: &Dataset,
    (image, classes): (Shape, usize),
    whose: &str,
) -> Result<(), Error> {
    if data.shape() == image && data.classes <= classes {
        return Ok(());
    }
    let (shape, found) = (data.shape(), data.classes);
    let value = format!("{source}, whose images are {shape} in {found} classes");
    let allowed = format!("images of {image} in at most {classes} classes ({whose})");
    Err(Error::flag("--data", value, allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_survive_their_names_and_others_are_refused() {
        for text in ["glyphs", "glyphs:7", "idx:some/folder", "cifar10:folder"] {
            assert_eq!(text.parse::<DataSource>().unwrap().to_string(), text);
        }
        for text in ["", "cifar", "glyphs:x", "mnist", "mnist:", "cifar10:"] {
            let message = text.parse::<DataSource>().unwrap_err();
            assert!(message.contains("mnist:DIR"), "{message}");
        }
    }
}
