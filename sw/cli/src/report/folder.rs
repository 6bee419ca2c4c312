//! The files of a folder, each read with a limit.

use super::documents::Document;
use super::ledger;
use crate::error::Error;
use crate::files;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Largest result that is read: an evaluation of 100,000 chips.
const MOST_BYTES: u64 = 64 << 20;
/// Files that a page shows.
const MOST_FILES: usize = 1000;

/// A file of results.
#[derive(Debug)]
pub struct ResultFile {
    /// Its name in the folder.
    pub name: String,
    /// What it holds.
    pub document: Document,
}

/// A file that is not a result, or not one that can be shown.
#[derive(Debug, Serialize)]
pub struct NotUnderstood {
    /// Its name in the folder.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What a folder holds, in the order of names.
#[derive(Debug)]
pub struct Folder {
    /// Its name, as it was given.
    pub name: String,
    /// Results.
    pub files: Vec<ResultFile>,
    /// Files with the names of results.
    pub not_understood: Vec<NotUnderstood>,
}

/// The JSON files of a folder, sorted by name; links and folders are none.
///
/// # Errors
/// When the folder cannot be read or has more than can be meant.
pub fn json_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let file = |source| Error::file("read the folder", folder)(source);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(file)? {
        let entry = entry.map_err(file)?;
        let path = entry.path();
        let is_json = path.extension().is_some_and(|end| end == "json");
        if is_json && entry.file_type().map_err(file)?.is_file() {
            paths.push(path);
        }
        if paths.len() > MOST_FILES {
            return Err(Error::content(folder)(format!(
                "the folder holds too many JSON files; allowed are at most {MOST_FILES}"
            )));
        }
    }
    paths.sort();
    Ok(paths)
}

impl Folder {
    /// Reads these files of a folder.
    ///
    /// # Errors
    /// When none of them is a result.
    pub fn read(folder: &Path, paths: &[PathBuf]) -> Result<Self, Error> {
        let mut found = Self {
            name: folder.display().to_string(),
            files: Vec::new(),
            not_understood: Vec::new(),
        };
        let mut ledgers = Vec::new();
        for path in paths {
            let name = path.file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            match read(path) {
                Err(reason) => found.refuse(name, reason),
                Ok(bytes) => match ledger::documents(&bytes) {
                    Some(documents) => ledgers.extend(documents),
                    None => found.take(name, &bytes),
                },
            }
        }
        // A file of its own says more about a result than the ledger does.
        for (name, document) in ledgers {
            if !found.files.iter().any(|file| file.stem() == name) {
                found.take(name, document.to_string().as_bytes());
            }
        }
        found.files.sort_by(|a, b| a.name.cmp(&b.name));
        match found.files.is_empty() {
            false => Ok(found),
            true => Err(Error::content(folder)(found.nothing())),
        }
    }

    fn take(&mut self, name: String, bytes: &[u8]) {
        match Document::parse(bytes) {
            Ok(document) => self.files.push(ResultFile { name, document }),
            Err(reason) => self.refuse(name, reason),
        }
    }

    fn refuse(&mut self, name: String, reason: String) {
        self.not_understood.push(NotUnderstood { name, reason });
    }

    fn nothing(&self) -> String {
        let why = self
            .not_understood
            .first()
            .map_or_else(String::new, |file| {
                format!(" ({}: {})", file.name, file.reason)
            });
        format!(
            "the folder holds no result{why}; allowed are JSON files of `evaluate --out-json`, \
             `attack --json`, `train --json`, `simulate --out` and `sweep --out`, and ledgers of `study`"
        )
    }
}

impl ResultFile {
    /// Its name without the end.
    pub fn stem(&self) -> &str {
        self.name.strip_suffix(".json").unwrap_or(&self.name)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    files::read_up_to(path, MOST_BYTES).map_err(|error| match error {
        Error::Content { problem, .. } => problem,
        Error::File { source, .. } => format!("it could not be read: {source}"),
        other => other.to_string(),
    })
}
