//! Which images: built-in glyphs, files in the manner of MNIST, CIFAR-10 or CIFAR-100.

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
/// Means and deviations of the training images of CIFAR-100.
const CIFAR100_MOMENTS: &str = "0.5071,0.4865,0.4409,0.2673,0.2564,0.2762";
/// Labels that are named one by one where no image has them.
const MOST_NAMED: usize = 5;
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
    /// A folder with the two binary files of CIFAR-100.
    Cifar100(PathBuf),
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
        let refuse = || {
            format!(
                "{text:?} names no images; allowed are glyphs, glyphs:SEED, mnist:DIR, idx:DIR, cifar10:DIR and cifar100:DIR"
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
            Some(("cifar100", folder)) if !folder.is_empty() => Ok(Self::Cifar100(folder.into())),
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
            Self::Cifar100(folder) => write!(f, "cifar100:{}", folder.display()),
        }
    }
}

impl DataSource {
    /// Outputs of a network for these images where nobody declares how many: the classes that the
    /// format has, or the largest label and one.
    pub fn outputs(&self, split: &Split) -> usize {
        let of_format = match self {
            Self::Cifar10(_) => cifar::TEN.classes(),
            Self::Cifar100(_) => cifar::HUNDRED.classes(),
            Self::Glyphs { .. } | Self::Idx(_) => 0,
        };
        split.train.classes.max(of_format)
    }

    /// How pixels of these images become activations.
    pub fn input_map(&self) -> InputMap {
        match self {
            // Black stays zero, which is also what padding reads.
            Self::Glyphs { .. } | Self::Idx(_) => InputMap::Halve,
            Self::Cifar10(_) => InputMap::Normalize(Normalization::CIFAR10),
            Self::Cifar100(_) => CIFAR100_MOMENTS
                .parse()
                .expect("the moments are a map, as a test shows"),
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
            Self::Cifar10(folder) => cifar::TEN.read_directory(folder)?,
            Self::Cifar100(folder) => cifar::HUNDRED.read_directory(folder)?,
        };
        if let Some(limit) = limit {
            check_count("--train-images", limit, split.train.len())?;
            split.train = split.train.first(limit);
        }
        spinner.finish_and_clear();
        Ok(split)
    }

    /// Training images, at least `count` of them; there need be no test images.
    ///
    /// # Errors
    /// When a file is missing or malformed.
    pub fn training_images(&self, count: usize, output: Output) -> Result<Dataset, Error> {
        let spinner = output.spinner(format!("reading {self}"));
        let images = match self {
            Self::Glyphs { seed } => {
                check_count("--calibration-images", count, MOST_GLYPHS)?;
                glyph::split(*seed, count, 0).train
            }
            Self::Idx(folder) => idx::read_training(folder)?,
            Self::Cifar10(folder) => cifar::TEN.read_training(folder)?,
            Self::Cifar100(folder) => cifar::HUNDRED.read_training(folder)?,
        };
        spinner.finish_and_clear();
        Ok(images)
    }

    /// Test images, at least `count` of them; there need be no training images.
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
            Self::Idx(folder) => idx::read_test(folder)?,
            Self::Cifar10(folder) => cifar::TEN.read_test(folder)?,
            Self::Cifar100(folder) => cifar::HUNDRED.read_test(folder)?,
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

/// Checks that test images are such as a network takes; `whose` says where that is from.
///
/// # Errors
/// When they have another shape, or a label for which the network has no output.
pub fn check_images(
    source: &DataSource,
    data: &Dataset,
    (image, outputs): (Shape, usize),
    whose: &str,
) -> Result<(), Error> {
    if data.shape() != image {
        let value = format!("{source}, whose images are {}", data.shape());
        let allowed = format!("images of {image} in at most {outputs} classes ({whose})");
        return Err(Error::flag("--data", value, allowed));
    }
    check_labels(source, data, Part::Test, (outputs, whose))
}

/// Checks that a network has an output for each label of the files; `whose` says where the
/// number of its outputs is from.
///
/// # Errors
/// With the first label that has none, and where it is.
pub fn check_labels(
    source: &DataSource,
    data: &Dataset,
    part: Part,
    (outputs, whose): (usize, &str),
) -> Result<(), Error> {
    if data.classes <= outputs {
        return Ok(());
    }
    let found = match (data.label_beyond(outputs), source) {
        (Some((number, label)), DataSource::Idx(folder)) => {
            let file = idx::label_file(folder, part == Part::Test);
            format!("image {number} has label {label} in {}", file.display())
        }
        (Some((number, label)), _) => {
            let which = match part {
                Part::Training => "training",
                Part::Test => "test",
            };
            format!("{which} image {number} has label {label}")
        }
        // It is one of an image that is left out here, or of no image of this form at all.
        (None, _) => format!("labels go up to {}", data.classes - 1),
    };
    let value = format!("{source}, where {found}");
    let mut allowed = format!(
        "labels 0 to {} for {outputs} outputs ({whose})",
        outputs.saturating_sub(1)
    );
    if data.classes == outputs + 1 && !data.labels.contains(&0) {
        // As EMNIST's letters do.
        allowed +=
            "; labels begin at 1 here, so a network needs one output more, or the labels one less";
    }
    Err(Error::flag("--data", value, allowed))
}

/// What to say of a network with outputs that no training image is for, if it has some.
pub fn unused_outputs(split: &Split, outputs: usize) -> Option<String> {
    let mut unused = split.unused_labels();
    unused.extend(split.train.classes..outputs);
    let named: Vec<String> = unused.iter().map(usize::to_string).collect();
    let data = &split.train.name;
    match &named[..] {
        [] => None,
        [one] => Some(format!(
            "{outputs} outputs, but no training image of {data} has label {one}"
        )),
        some if some.len() <= MOST_NAMED => Some(format!(
            "{outputs} outputs, but no training image of {data} has one of the labels {}",
            some.join(", ")
        )),
        many => Some(format!(
            "{outputs} outputs, but {} of these labels ({} and others) occur in no training image of {data}",
            many.len(),
            many[..MOST_NAMED].join(", ")
        )),
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
        ] {
            assert_eq!(text.parse::<DataSource>().unwrap().to_string(), text);
        }
        for text in ["", "cifar", "glyphs:x", "mnist", "mnist:", "cifar10:"] {
            let message = text.parse::<DataSource>().unwrap_err();
            assert!(message.contains("mnist:DIR"), "{message}");
        }
    }

    #[test]
    fn every_source_has_a_map_from_pixels_whose_moments_are_the_published_ones() {
        let map = DataSource::Cifar100(PathBuf::new()).input_map();
        assert_eq!(map.to_string(), CIFAR100_MOMENTS);
        let map = DataSource::Cifar10(PathBuf::new()).input_map();
        assert_eq!(map.to_string(), "cifar10");
    }
}
