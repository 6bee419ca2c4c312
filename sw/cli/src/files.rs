//! Reading with a limit, and writing so that nothing half-written is ever seen.

use crate::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest text or image file that is read: twice the largest weight image.
const MOST_BYTES: u64 = 32 << 20;

/// The bytes of a file of reasonable size.
///
/// # Errors
/// When it cannot be read, or is larger than any file this program writes.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(Error::file("read", path))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Error::content(path)(format!(
            "the file is too large; allowed are at most {MOST_BYTES} bytes"
        )));
    }
    Ok(bytes)
}

/// The text of a file of reasonable size.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read(path)?)
        .map_err(|_| Error::content(path)("the file is not text; allowed is UTF-8"))
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a file under a temporary name beside it, then renames it.
///
/// # Errors
/// When the folder does not exist or cannot be written; then nothing is left.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_with(path, |temporary| {
        fs::write(temporary, bytes).map_err(Error::file("write", path))
    })
}

/// Has a file written under a temporary name beside it, then renames it.
///
/// # Errors
/// When the folder does not exist or cannot be written, or writing fails; then nothing is left.
pub fn write_with(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    check_target(path)?;
    let file = temporary(folder_of(path)).map_err(Error::file("write", path))?;
    write(file.path())?;
    file.persist(path)
        .map_err(|e| Error::file("write", path)(e.error))?;
    Ok(())
}

/// Checks, before long work, that a file can be written.
///
/// # Errors
/// When its folder does not exist or cannot be written, or the name is a folder's.
pub fn check_writable(path: &Path) -> Result<(), Error> {
    check_target(path)?;
    temporary(folder_of(path))
        .map(drop)
        .map_err(Error::file("write", path))
}

fn check_target(path: &Path) -> Result<(), Error> {
    // What exists and is no regular file (a folder, a device, a pipe) would be replaced.
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => {
            let is_folder = io::Error::from(io::ErrorKind::IsADirectory);
            Err(Error::file("write", path)(is_folder))
        }
        Ok(found) if !found.is_file() => {
            let special =
                io::Error::other("it is no regular file; allowed is a new or a regular one");
            Err(Error::file("write", path)(special))
        }
        _ => Ok(()),
    }
}

/// A temporary file with the permissions that a plain new file would have.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".brownout-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    // The crate's own message would name the temporary file.
    builder
        .tempfile_in(folder)
        .map_err(|e| io::Error::from(e.kind()))
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
    let staging = tempfile::Builder::new()
        .prefix(".brownout-")
        .tempdir_in(folder)
        .map_err(|e| Error::file("write into", folder)(e.kind().into()))?;
    for (name, bytes) in files {
        check_target(&folder.join(name))?;
        fs::write(staging.path().join(name), bytes)
            .map_err(Error::file("write", &folder.join(name)))?;
    }
    for (name, _) in files {
        let target = folder.join(name);
        fs::rename(staging.path().join(name), &target).map_err(Error::file("write", &target))?;
    }
    Ok(())
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

    #[cfg(unix)]
    #[test]
    fn a_written_file_has_the_permissions_of_a_plain_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let (ours, plain) = (root.path().join("ours"), root.path().join("plain"));
        write(&ours, b"x").unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
        assert!(check_writable(&root.path().join("no/such")).is_err());
    }
}
