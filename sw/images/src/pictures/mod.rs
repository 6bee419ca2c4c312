//! Folders with a folder of pictures for each class, as torchvision's `ImageFolder` has them.
//!
//! `folder` finds the files, `picture` decodes one, `resize` brings it to a size.

mod folder;
mod picture;
mod resize;

pub use picture::Picture;

use crate::source::Parts;
use crate::{Hold, MOST_BYTES, failed, name_of, refuse};
use brownout_golden::data::{DataError, Dataset};
use brownout_spec::program::Shape;
use folder::{File, Found};
use ndarray::Array4;
use rayon::prelude::*;
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

/// Longest side of images.
const MOST_SIDE: usize = 1 << 13;

/// Most bytes of a picture between its resizing and its cut.
const MOST_RESIZED: usize = 1 << 28;

/// Rows and columns of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |_| {
            format!("size={text}; allowed is size=S or size=ROWSxCOLUMNS, each 1 to {MOST_SIDE}")
        };
        let (height, width) = text.split_once('x').unwrap_or((text, text));
        Ok(Self {
            height: side("size", height).map_err(refuse)?,
            width: side("size", width).map_err(refuse)?,
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.height == self.width {
            true => write!(f, "{}", self.height),
            false => write!(f, "{}x{}", self.height, self.width),
        }
    }
}

/// A number of pixels of a side.
///
/// # Errors
/// What is allowed.
pub fn side(key: &str, text: &str) -> Result<usize, String> {
    let side = text
        .parse()
        .ok()
        .filter(|side| (1..=MOST_SIDE).contains(side));
    side.ok_or_else(|| format!("{key}={text}; allowed is {key}=S, 1 to {MOST_SIDE} pixels"))
}

/// How files become images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Size of the images; without it that of a network, or else the files' own.
    pub size: Option<Size>,
    /// Length to which a picture's shorter side is brought before its middle is cut out; without
    /// it that of a square image.
    pub resize: Option<usize>,
    /// Whether images are grey; without it they are where a network takes grey ones.
    pub is_grey: bool,
    /// What is held out, where folders do not say it.
    pub hold: Option<Hold>,
    /// Whether names are the numbers of classes.
    pub is_numbered: bool,
}

impl Rules {
    /// Checks sizes against each other.
    ///
    /// # Errors
    /// The size that is not allowed, and what is.
    pub fn check(&self) -> Result<(), String> {
        match (self.size, self.resize) {
            (Some(size), Some(resize)) if resize < size.height.max(size.width) => Err(format!(
                "resize={resize} with size={size}; allowed is at least the larger side, which is cut out of it"
            )),
            _ => Ok(()),
        }
    }
}

/// Reads training and test pictures, as far as they are asked for.
///
/// # Errors
/// A sentence naming the folder or file, what was found and what is allowed.
pub fn read(
    path: &Path,
    rules: &Rules,
    parts: Parts,
    input: Option<Shape>,
) -> Result<(Option<Dataset>, Option<Dataset>), DataError> {
    let Found {
        classes,
        names,
        training,
        test,
    } = folder::find(path, rules, parts)?;
    // A flat input says nothing of rows and columns.
    let input = input.filter(|input| input.pixels() > 1);
    let form = Form::new(rules, input).map_err(|problem| refuse(path, problem))?;
    let form = form.sized(training.iter().chain(&test).next())?;
    let read = |files: Vec<File>, asked: bool| match asked {
        false => Ok(None),
        true => dataset(path, &files, &form).map(|(images, labels)| {
            Some(Dataset {
                class_names: names.clone(),
                ..Dataset::new(name_of(path), images, labels, classes)
            })
        }),
    };
    Ok((read(training, parts.training())?, read(test, parts.test())?))
}

/// What every image is brought to.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// `None` until the first picture says it.
    size: Option<Size>,
    /// Whether pictures have their size, and are neither resized nor cut.
    is_own: bool,
    resize: Option<usize>,
    channels: usize,
}

impl Form {
    fn new(rules: &Rules, input: Option<Shape>) -> Result<Self, String> {
        let of_network = input.map(|input| Size {
            height: input.height,
            width: input.width,
        });
        let rules = Rules {
            size: rules.size.or(of_network),
            ..*rules
        };
        rules.check()?;
        let grey = rules.is_grey || input.is_some_and(|input| input.channels == 1);
        Ok(Self {
            size: rules.size,
            is_own: rules.size.is_none(),
            resize: rules.resize,
            channels: if grey { 1 } else { 3 },
        })
    }

    /// With the size of the first picture, where none is said; or `resize` as a square's.
    fn sized(self, first: Option<&File>) -> Result<Self, DataError> {
        let size = match (self.size, self.resize, first) {
            (None, Some(side), _) => Some(Size {
                height: side,
                width: side,
            }),
            (None, None, Some(file)) => {
                let picture = decode(&file.path)?;
                Some(Size {
                    height: picture.height,
                    width: picture.width,
                })
            }
            (size, ..) => size,
        };
        Ok(Self {
            size,
            is_own: self.is_own && self.resize.is_none(),
            ..self
        })
    }

    /// The picture as an image of a size.
    fn apply(&self, picture: Picture, size: Size) -> Result<Picture, String> {
        let (found, picture) = (
            Size {
                height: picture.height,
                width: picture.width,
            },
            picture.with_channels(self.channels),
        );
        match self.resize {
            _ if self.is_own && found != size => Err(format!(
                "it is {} x {} pixels, and the first picture {} x {}; allowed are pictures of one size, or to say one: size=S before the folder",
                found.height, found.width, size.height, size.width
            )),
            _ if self.is_own => Ok(picture),
            // As Resize((height, width)).
            None if size.height != size.width => Ok(picture.resized(size.height, size.width)),
            resize => {
                let shorter = resize.unwrap_or(size.height);
                let (short, long) = (found.height.min(found.width), found.height.max(found.width));
                let bytes = shorter * (shorter * long / short) * self.channels;
                if bytes > MOST_RESIZED {
                    return Err(format!(
                        "it is {} x {} pixels, of which a shorter side of {shorter} makes {bytes} bytes; allowed is up to {MOST_RESIZED}",
                        found.height, found.width
                    ));
                }
                let resized = picture.with_shorter_side(shorter);
                Ok(resized.centre(size.height, size.width))
            }
        }
    }
}

fn decode(path: &Path) -> Result<Picture, DataError> {
    let bytes = fs::read(path).map_err(failed(path))?;
    Picture::decode(&bytes).map_err(|problem| refuse(path, problem))
}

fn dataset(path: &Path, files: &[File], form: &Form) -> Result<(Array4<u8>, Vec<u16>), DataError> {
    let Some(size) = form.size else {
        return Err(refuse(path, "it has no picture"));
    };
    let volume = size.height * size.width * form.channels;
    let bytes = (volume as u64).saturating_mul(files.len() as u64);
    if bytes > MOST_BYTES {
        return Err(refuse(
            path,
            format!(
                "its {} pictures take {bytes} bytes as images of {} x {} x {}; allowed is up to {MOST_BYTES}",
                files.len(),
                size.height,
                size.width,
                form.channels
            ),
        ));
    }
    let mut pixels = vec![0; volume * files.len()];
    let pairs = pixels.par_chunks_exact_mut(volume).zip(files);
    pairs.try_for_each(|(pixels, file)| {
        let image = form.apply(decode(&file.path)?, size);
        let image = image.map_err(|problem| refuse(&file.path, problem))?;
        pixels.copy_from_slice(&image.pixels);
        Ok::<_, DataError>(())
    })?;
    let shape = (files.len(), size.height, size.width, form.channels);
    let images = Array4::from_shape_vec(shape, pixels).map_err(|e| refuse(path, e))?;
    Ok((images, files.iter().map(|file| file.class).collect()))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
