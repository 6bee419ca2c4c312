//! Reading with a limit, and writing with the file's name in every error.
//!
//! What makes sure that nothing half-written is ever seen is in
//! [`brownout_golden::files`].

use crate::error::Error;
use brownout_golden::files::{self, ScratchFolder, TEMPORARY, check_target};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Largest image file or fault map that is read: twice the largest weight image.
const MOST_BYTES: u64 = 32 << 20;

/// The bytes of a file of reasonable size.
///
/// # Errors
/// When it cannot be read, or is larger than any file this program writes.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_up_to(path, MOST_BYTES)
}

/// The bytes of a file of at most `most` bytes.
///
/// # Errors
/// When it cannot be read or is larger.
pub fn read_up_to(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(Error::file("read", path))?;
    check_size(path, &bytes, most)?;
    Ok(bytes)
}

/// Checks that a file's bytes are not more than can be meant.
///
/// # Errors
/// Naming the file and the limit.
pub fn check_size(path: &Path, bytes: &[u8], most: u64) -> Result<(), Error> {
    if bytes.len() as u64 <= most {
        return Ok(());
    }
    Err(Error::content(path)(format!(
        "the file is too large; allowed are at most {most} bytes"
    )))
}

/// The bytes of a file as text.
///
/// # Errors
/// When they are not UTF-8.
pub fn text(path: &Path, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes)
        .map_err(|_| Error::content(path)("the file is not text; allowed is UTF-8"))
}

/// Writes a file under a temporary name beside it, then renames it.
///
/// # Errors
/// When the folder does not exist or cannot be written; then nothing is left.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    files::write(path, bytes).map_err(Error::file("write", path))
}

/// Has a file written under a temporary name beside it, then renames it.
///
/// # Errors
/// When the folder does not exist or cannot be written, or writing fails; then nothing is left.
#[cfg(feature = "simulate")]
pub fn write_with(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let file = |source| Error::file("write", path)(source);
    check_target(path).map_err(file)?;
    let scratch = files::ScratchFile::beside(path).map_err(file)?;
    write(scratch.path())?;
    scratch.persist(path).map_err(file)
}

/// Checks, before long work, that a file can be written.
///
/// # Errors
/// When its folder does not exist or cannot be written, or the name is none for a file.
pub fn check_writable(path: &Path) -> Result<(), Error> {
    files::check_writable(path).map_err(Error::file("write", path))
}

/// Whether two names are one file, also through links.
pub fn are_same(a: &Path, b: &Path) -> bool {
    // A file that is not there yet is known by its folder and its name.
    let place = |path: &Path| {
        let whole = fs::canonicalize(path);
        whole.or_else(|_| {
            Ok::<_, io::Error>(match path.file_name() {
                Some(name) => fs::canonicalize(files::folder_of(path))?.join(name),
                None => path.to_owned(),
            })
        })
    };
    match (place(a), place(b)) {
        (Ok(a), Ok(b)) => a == b || same_node(&a, &b),
        _ => a == b,
    }
}

/// Whether two names are links to one file.
fn same_node(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Creates a folder and those above it.
///
/// # Errors
/// When one of them cannot be created.
pub fn create_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file("create the folder", path))
}

/// Writes all files into a folder, or none: first into a temporary folder
/// inside it, then renamed file by file. The folder is created if it is missing.
///
/// # Errors
/// When a file cannot be written; folders created on the way are removed again.
pub fn write_all(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Error> {
    let created = first_missing(folder);
    let result = write_into(folder, files);
    if let (Err(_), Some(created)) = (&result, created) {
        // Only what was created here, and only if nobody put anything into it.
        remove_empty(folder, &created);
    }
    result
}

fn write_into(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Error> {
    create_folder(folder)?;
    let staging =
        ScratchFolder::inside(folder, TEMPORARY).map_err(Error::file("write into", folder))?;
    for (name, bytes) in files {
        let target = folder.join(name);
        check_target(&target)
            .and_then(|()| write_whole(&staging.path().join(name), bytes))
            .map_err(Error::file("write", &target))?;
    }
    for (name, _) in files {
        let target = folder.join(name);
        fs::rename(staging.path().join(name), &target).map_err(Error::file("write", &target))?;
    }
    Ok(())
}

/// Writes a file down to the disk, which may turn out to be full only then.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The topmost folder of a path that does not exist yet.
fn first_missing(folder: &Path) -> Option<PathBuf> {
    let missing = folder
        .ancestors()
        .take_while(|f| !f.as_os_str().is_empty() && !f.exists());
    missing.last().map(Path::to_owned)
}

/// Removes `folder` and what is above it, down from `top`, as long as it is empty.
fn remove_empty(folder: &Path, top: &Path) {
    for folder in folder.ancestors() {
        if fs::remove_dir(folder).is_err() && folder.exists() || folder == top {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn pair(name: &str, text: &str) -> (String, Vec<u8>) {
        (name.to_owned(), text.into())
    }

    #[test]
    fn a_folder_gets_all_files_or_none_and_no_temporary_ones() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        write_all(&folder, &[pair("x", "1"), pair("y", "2")]).unwrap();
        assert_eq!(names(&folder), ["x", "y"]);

        fs::create_dir(folder.join("z")).unwrap();
        let error = write_all(&folder, &[pair("x", "new"), pair("z", "3")]).unwrap_err();
        assert!(error.to_string().contains("b/z"), "{error}");
        assert_eq!(names(&folder), ["x", "y", "z"]);
        assert_eq!(fs::read_to_string(folder.join("x")).unwrap(), "1");
    }

    #[test]
    fn a_failed_write_removes_the_folders_it_created_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("mine")).unwrap();
        let folder = root.path().join("mine/new/deep");
        // A name with a slash whose folder does not exist cannot be written.
        write_all(&folder, &[pair("missing/x", "1")]).unwrap_err();
        assert_eq!(names(root.path()), ["mine"]);
        assert!(names(&root.path().join("mine")).is_empty());
    }

    #[test]
    fn one_file_is_known_under_all_its_names() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::write(path("a"), "x").unwrap();
        fs::write(path("b"), "x").unwrap();
        fs::hard_link(path("a"), path("hard")).unwrap();
        std::os::unix::fs::symlink(path("a"), path("soft")).unwrap();
        fs::create_dir(path("d")).unwrap();
        for other in ["a", "hard", "soft", "d/../a", "./a"] {
            assert!(are_same(&path("a"), &path(other)), "{other}");
        }
        assert!(are_same(&path("new"), &path("d/../new")));
        for (a, b) in [("a", "b"), ("a", "new"), ("new", "d/new")] {
            assert!(!are_same(&path(a), &path(b)), "{a} {b}");
        }
    }
}
