//! NumPy arrays as images: `.npz` archives, and folders of `.npy` files.
//!
//! `header` and `literal` read what stands before an array's values, `values` these, `shelf`
//! finds arrays in an archive or a folder, `names` decides which of them are images and labels,
//! `layout` which axis is which.

mod header;
mod labels;
mod layout;
mod literal;
mod names;
mod shelf;
mod values;

pub use layout::Order;

use crate::source::Parts;
use crate::{Hold, MOST_CLASSES, name_of, refuse};
use brownout_golden::data::{DataError, Dataset, Images};
use brownout_spec::program::Shape;
use labels::Labels;
use names::{Chosen, Pair};
use shelf::Shelf;
use std::io::{Read, Seek};
use std::path::Path;

type Halves = (Option<Dataset>, Option<Dataset>);

/// Reads training and test images, as far as they are asked for.
///
/// # Errors
/// A sentence naming the file, the array, what was found and what is allowed.
pub fn read(
    is_archive: bool,
    path: &Path,
    rules: (Option<Order>, Option<Hold>),
    parts: Parts,
    input: Option<Shape>,
) -> Result<Halves, DataError> {
    match is_archive {
        true => from_shelf(Shelf::open_archive(path)?, rules, parts, input),
        false => from_shelf(Shelf::open_folder(path)?, rules, parts, input),
    }
}

/// Reads the bytes of an archive, as [`read`] does; `path` is its name in messages.
///
/// # Errors
/// As [`read`].
pub fn read_archive(
    bytes: impl Read + Seek,
    path: &Path,
    rules: (Option<Order>, Option<Hold>),
    parts: Parts,
) -> Result<Halves, DataError> {
    from_shelf(Shelf::of_archive(bytes, path)?, rules, parts, None)
}

fn from_shelf<R: Read + Seek>(
    mut shelf: Shelf<R>,
    (order, hold): (Option<Order>, Option<Hold>),
    parts: Parts,
    input: Option<Shape>,
) -> Result<Halves, DataError> {
    let chosen = names::choose(&shelf.names(), parts, hold);
    let chosen = chosen.map_err(|problem| refuse(shelf.path(), problem))?;
    let mut read = |pair: Option<Pair>| match pair {
        Some(pair) => dataset(&mut shelf, &pair, order, input).map(Some),
        None => Ok(None),
    };
    let (mut train, mut test) = match chosen {
        Chosen::Parts { training, test } => (read(training)?, read(test)?),
        Chosen::Whole { pair, hold } => match read(Some(pair))? {
            Some(all) => held(&all, hold),
            None => (None, None),
        },
    };
    for (half, asked, what) in [
        (&mut train, parts.training(), "training"),
        (&mut test, parts.test(), "test"),
    ] {
        if !asked {
            *half = None;
        } else if half.as_ref().is_none_or(Dataset::is_empty) {
            return Err(refuse(
                shelf.path(),
                format!(
                    "it leaves no {what} images; allowed is hold=K, which makes the first of every K images a test image"
                ),
            ));
        }
    }
    let classes = [&train, &test].into_iter().flatten().map(|d| d.classes);
    let classes = classes.max().unwrap_or(0);
    for half in [&mut train, &mut test].into_iter().flatten() {
        half.classes = classes;
    }
    Ok((train, test))
}

/// The images that are not held out, and those that are.
fn held(all: &Dataset, hold: Hold) -> Halves {
    let of = |is_test: bool| {
        let numbers: Vec<usize> = (0..all.len())
            .filter(|&number| hold.is_test(number) == is_test)
            .collect();
        Dataset {
            images: all.images.select(&numbers),
            labels: numbers.iter().map(|&number| all.labels[number]).collect(),
            targets: (all.targets.as_ref()).map(|t| t.select(ndarray::Axis(0), &numbers)),
            ..all.range(0..0)
        }
    };
    (Some(of(false)), Some(of(true)))
}

fn dataset<R: Read + Seek>(
    shelf: &mut Shelf<R>,
    pair: &Pair,
    order: Option<Order>,
    input: Option<Shape>,
) -> Result<Dataset, DataError> {
    let path = shelf.path().to_owned();
    // Labels are few: what is wrong with them is found before images are read.
    let labels = shelf.read(&pair.labels)?;
    let labels = labels::of(labels).map_err(|e| refuse(&path, format!("{}: {e}", pair.labels)))?;
    let images = shelf.read(&pair.images)?;
    let images = layout::images(images, order, input)
        .map_err(|e| refuse(&path, format!("{}: {e}", pair.images)))?;
    let (found, wanted) = (labels.len(), images.dim().0);
    if found != wanted {
        return Err(refuse(
            &path,
            format!(
                "{} has {found} labels, but {} has {wanted} images",
                pair.labels, pair.images
            ),
        ));
    }
    Ok(with_labels(images, labels, name_of(&path)))
}

fn with_labels(images: Images, labels: Labels, name: String) -> Dataset {
    match labels {
        Labels::Classes(labels) => {
            let largest = labels.iter().copied().max().map_or(0, usize::from);
            debug_assert!(largest < MOST_CLASSES);
            Dataset::new(name, images, labels, largest + 1)
        }
        Labels::Targets(targets) => {
            let best = |row: ndarray::ArrayView1<'_, f32>| {
                let row = row.iter().enumerate();
                let best = row.fold((0, f32::NEG_INFINITY), |best, (place, &value)| {
                    if value > best.1 { (place, value) } else { best }
                });
                best.0 as u16
            };
            let labels = targets.rows().into_iter().map(best).collect();
            let outputs = targets.ncols();
            Dataset {
                targets: Some(targets),
                ..Dataset::new(name, images, labels, outputs)
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
