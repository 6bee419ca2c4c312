//! Where arrays lie: in an archive, or in a folder of files.

use super::values::Array;
use crate::{failed, refuse, words};
use brownout_golden::data::DataError;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Entries of a folder that are looked at.
const MOST_ENTRIES: usize = 10_000;
/// What the name of an array's file ends in.
const END: &str = ".npy";

/// Arrays by their names.
pub struct Shelf<R> {
    path: PathBuf,
    kind: Kind<R>,
}

enum Kind<R> {
    Archive(Box<ZipArchive<R>>),
    /// The names of files, without their ending.
    Folder(Vec<String>),
}

impl Shelf<BufReader<File>> {
    /// The archive of a file.
    pub fn open_archive(path: &Path) -> Result<Self, DataError> {
        if path.is_dir() {
            let problem = "it is a folder; allowed is npz:FILE, and npy:DIR for a folder of arrays";
            return Err(refuse(path, problem));
        }
        let file = File::open(path).map_err(failed(path))?;
        Self::of_archive(BufReader::new(file), path)
    }

    /// The arrays of a folder.
    pub fn open_folder(path: &Path) -> Result<Self, DataError> {
        if path.is_file() {
            let problem = "it is a file; allowed is npy:DIR, a folder with arrays of images and labels, and npz:FILE for an archive of them";
            return Err(refuse(path, problem));
        }
        let entries = fs::read_dir(path).map_err(failed(path))?;
        let mut names = Vec::new();
        for entry in entries.take(MOST_ENTRIES) {
            let name = entry.map_err(failed(path))?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(END));
            names.extend(stem.map(str::to_owned));
        }
        names.sort();
        Ok(Self {
            path: path.to_owned(),
            kind: Kind::Folder(names),
        })
    }
}

impl<R: Read + Seek> Shelf<R> {
    /// The archive that some bytes are.
    pub fn of_archive(bytes: R, path: &Path) -> Result<Self, DataError> {
        let archive = ZipArchive::new(bytes).map_err(|e| {
            refuse(
                path,
                format!(
                    "it is no archive of arrays as NumPy's savez writes them: {}",
                    words(e)
                ),
            )
        })?;
        Ok(Self {
            path: path.to_owned(),
            kind: Kind::Archive(Box::new(archive)),
        })
    }

    /// The archive or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all arrays, in order.
    pub fn names(&self) -> Vec<String> {
        match &self.kind {
            Kind::Folder(names) => names.clone(),
            Kind::Archive(archive) => {
                // A name that is no text is none of those that are looked for.
                let names = archive.file_names().filter_map(Result::ok);
                let mut names: Vec<String> = names
                    .filter_map(|name| Some(name.strip_suffix(END)?.to_owned()))
                    .collect();
                names.sort();
                names.dedup();
                names
            }
        }
    }

    /// The array of a name.
    pub fn read(&mut self, name: &str) -> Result<Array, DataError> {
        let file = format!("{name}{END}");
        match &mut self.kind {
            Kind::Folder(_) => {
                let path = self.path.join(file);
                let mut reader = BufReader::new(File::open(&path).map_err(failed(&path))?);
                Array::read(&mut reader).map_err(|problem| refuse(&path, problem))
            }
            Kind::Archive(archive) => {
                let member = archive.by_name(&file).map_err(words);
                let array = member.and_then(|mut member| Array::read(&mut member));
                array.map_err(|problem| refuse(&self.path, format!("{name}: {problem}")))
            }
        }
    }
}
