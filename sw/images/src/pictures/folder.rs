//! The files of each class.

use super::Rules;
use crate::source::Parts;
use crate::{Hold, MOST_CLASSES, failed, refuse};
use brownout_golden::data::DataError;
use brownout_spec::text::printable;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of a part, of which the first that is there is used.
const TRAINING: [&str; 1] = ["train"];
const TEST: [&str; 2] = ["test", "val"];
/// Endings of pictures that are read, and of those that others read.
const READ: [&str; 3] = ["png", "jpg", "jpeg"];
const OTHERS: [&str; 9] = [
    "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "avif", "heic",
];
/// How far below the folder of a class its pictures may lie.
const DEPTH: usize = 4;
/// Most pictures: a little more than ImageNet has.
const MOST_FILES: usize = 1 << 21;
/// Class names that are named one by one.
const MOST_NAMED: usize = 5;

/// A picture and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// Number of its class.
    pub class: u16,
}

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Number of classes.
    pub classes: usize,
    /// What they are called, if their names are no numbers.
    pub names: Vec<String>,
    /// Training pictures, if they are asked for.
    pub training: Vec<File>,
    /// Test pictures, if they are asked for.
    pub test: Vec<File>,
}

/// Pictures by the name of their class, both in order.
type Classes = BTreeMap<String, Vec<PathBuf>>;

/// Finds the pictures of a folder and their classes.
///
/// # Errors
/// A sentence naming the folder or file, what was found and what is allowed.
pub fn find(path: &Path, rules: &Rules, parts: Parts) -> Result<Found, DataError> {
    let folder = |names: &[&str]| {
        let folders = names.iter().map(|name| path.join(name));
        folders.into_iter().find(|folder| folder.is_dir())
    };
    let (training, test) = match (folder(&TRAINING), folder(&TEST), rules.hold) {
        (None, None, Some(hold)) => {
            let classes = classes(path, rules.is_numbered)?;
            (
                Some(held(&classes, hold, false)),
                Some(held(&classes, hold, true)),
            )
        }
        (None, None, None) => {
            // What is wrong with the folder comes first.
            classes(path, rules.is_numbered)?;
            return Err(refuse(
                path,
                "its pictures are in no folders train and test (or val); allowed are such, or to say what is held out: hold=K before the folder (the first of every K pictures of a class is a test picture) or hold=all (all are)",
            ));
        }
        (_, _, Some(hold)) => {
            return Err(refuse(
                path,
                format!(
                    "{hold} is for pictures without parts, and it has a folder train, test or val; allowed is to leave it out"
                ),
            ));
        }
        (training, test, None) => {
            let read = |folder: Option<PathBuf>| {
                let folder = folder.as_deref();
                folder.map(|f| classes(f, rules.is_numbered)).transpose()
            };
            // The names of both say the numbers of classes, also where one part is asked for.
            (read(training)?, read(test)?)
        }
    };
    for (asked, there, what) in [
        (parts.training(), &training, "train"),
        (parts.test(), &test, "test or val"),
    ] {
        let is_there = there
            .as_ref()
            .is_some_and(|c| c.values().any(|f| !f.is_empty()));
        if asked && !is_there {
            let problem = match rules.hold {
                Some(hold) => format!(
                    "{hold} leaves no pictures to train on or none to test with; allowed is hold=K with more pictures than classes, and hold=all where nothing is trained"
                ),
                None => format!("it has no folder {what}, which is needed"),
            };
            return Err(refuse(path, problem));
        }
    }
    let numbers = Numbers::new(path, rules, training.as_ref().or(test.as_ref()))?;
    let files = |classes: Option<Classes>, asked: bool| match classes {
        Some(classes) if asked => numbers.files(path, classes),
        _ => Ok(Vec::new()),
    };
    let mut found = Found {
        training: files(training, parts.training())?,
        test: files(test, parts.test())?,
        ..Found::default()
    };
    let all = found.training.iter().chain(&found.test);
    let largest = all.map(|file| usize::from(file.class) + 1).max();
    found.classes = numbers.0.len().max(largest.unwrap_or(0));
    found.names = match rules.is_numbered {
        true => Vec::new(),
        false => numbers.0.into_keys().collect(),
    };
    Ok(found)
}

/// Pictures that are held out, or those that are not.
fn held(classes: &Classes, hold: Hold, is_test: bool) -> Classes {
    let of = |files: &Vec<PathBuf>| -> Vec<PathBuf> {
        let files = files.iter().enumerate();
        let kept = files.filter(|(number, _)| hold.is_test(*number) == is_test);
        kept.map(|(_, path)| path.clone()).collect()
    };
    let classes = classes.iter();
    classes
        .map(|(name, files)| (name.clone(), of(files)))
        .collect()
}

/// The number of each class by its name: names in order, or the numbers that they are.
struct Numbers(BTreeMap<String, u16>);

impl Numbers {
    fn new(path: &Path, rules: &Rules, classes: Option<&Classes>) -> Result<Self, DataError> {
        if rules.is_numbered {
            return Ok(Self(BTreeMap::new()));
        }
        let names = classes.into_iter().flat_map(Classes::keys);
        let names: Vec<&String> = names.collect();
        if names.len() > MOST_CLASSES {
            return Err(refuse(
                path,
                format!(
                    "it has {} classes; allowed is up to {MOST_CLASSES}",
                    names.len()
                ),
            ));
        }
        let numbers = names.into_iter().zip(0..);
        Ok(Self(numbers.map(|(n, i)| (n.clone(), i)).collect()))
    }

    /// The pictures with their classes, class by class.
    fn files(&self, path: &Path, classes: Classes) -> Result<Vec<File>, DataError> {
        let mut files = Vec::new();
        for (name, paths) in classes {
            let class = match self.0.get(&name) {
                Some(&class) => class,
                None if self.0.is_empty() => name.parse().map_err(|_| {
                    refuse(
                        path,
                        format!(
                            "{} is no number of a class; with numbered, names are 0 to {}",
                            printable(&name),
                            MOST_CLASSES - 1
                        ),
                    )
                })?,
                None => {
                    let known: Vec<String> = self
                        .0
                        .keys()
                        .take(MOST_NAMED)
                        .map(|n| printable(n))
                        .collect();
                    return Err(refuse(
                        path,
                        format!(
                            "its test class {} is none of the {} training classes ({}{})",
                            printable(&name),
                            self.0.len(),
                            known.join(", "),
                            if self.0.len() > MOST_NAMED {
                                " and others"
                            } else {
                                ""
                            }
                        ),
                    ));
                }
            };
            files.extend(paths.into_iter().map(|path| File { path, class }));
        }
        Ok(files)
    }
}

/// The pictures of each class of a folder; of a folder without classes, where names are numbers,
/// those whose own names are.
fn classes(path: &Path, is_numbered: bool) -> Result<Classes, DataError> {
    let entries = entries(path)?;
    let mut classes = Classes::new();
    let mut count = 0;
    for (name, entry) in &entries {
        if !entry.is_dir() {
            continue;
        }
        let mut files = Vec::new();
        pictures(entry, DEPTH, &mut files)?;
        if files.is_empty() {
            return Err(refuse(
                entry,
                "it has no PNG or JPEG picture; each class needs one at least",
            ));
        }
        count += files.len();
        if count > MOST_FILES {
            return Err(refuse(
                path,
                format!("it has more than {MOST_FILES} pictures; allowed is up to that"),
            ));
        }
        classes.insert(name.clone(), files);
    }
    let direct = entries.iter().filter(|(name, _)| ends_in(name, &READ));
    let mut direct = direct.peekable();
    match (classes.is_empty(), is_numbered, direct.peek()) {
        (false, ..) => Ok(classes),
        (true, true, Some(_)) => {
            for (name, path) in direct {
                let stem = Path::new(name).file_stem().unwrap_or_default();
                let files: &mut Vec<_> = classes
                    .entry(stem.to_string_lossy().into_owned())
                    .or_default();
                files.push(path.clone());
            }
            Ok(classes)
        }
        (true, false, Some((name, _))) => Err(refuse(
            path,
            format!(
                "it holds pictures such as {} and no folder for each class; allowed is DIR/CLASS/PICTURE, or numbered before the folder where names are numbers of classes",
                printable(name)
            ),
        )),
        (true, _, None) => Err(refuse(
            path,
            "it has no folder with PNG or JPEG pictures; allowed is DIR/train/CLASS/PICTURE and DIR/test/CLASS/PICTURE, or DIR/CLASS/PICTURE",
        )),
    }
}

/// Pictures in and below a folder, in the order of their names.
fn pictures(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
    for (name, entry) in entries(path)? {
        if entry.is_dir() {
            if depth == 0 {
                return Err(refuse(
                    &entry,
                    format!("it lies too deep; allowed are {DEPTH} folders below a class"),
                ));
            }
            pictures(&entry, depth - 1, files)?;
        } else if ends_in(&name, &READ) {
            files.push(entry);
        } else if ends_in(&name, &OTHERS) {
            return Err(refuse(
                &entry,
                "it is a picture of a kind that is not read; allowed are PNG and JPEG",
            ));
        }
        if files.len() > MOST_FILES {
            return Ok(());
        }
    }
    Ok(())
}

fn ends_in(name: &str, ends: &[&str]) -> bool {
    let end = name.rsplit_once('.').map(|(_, end)| end.to_lowercase());
    end.is_some_and(|end| ends.contains(&&end[..]))
}

/// The entries of a folder in the order of their names, without hidden ones.
fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    if !path.is_dir() && path.exists() {
        return Err(refuse(
            path,
            "it is no folder; allowed is a folder with a folder of pictures for each class",
        ));
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(failed(path))? {
        let entry = entry.map_err(failed(path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}
