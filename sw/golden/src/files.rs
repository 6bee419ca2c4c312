//! Writing so that nothing half-written is ever seen, and nothing stays behind.
//!
//! A file or folder is made under a temporary name beside its place and renamed
//! when it is whole. Its maker holds a lock on it, which the system releases
//! when the process ends, however it ends. So the next one who writes into the
//! same folder can tell what a killed process left there, and removes it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How temporary names begin; six random characters follow.
pub const TEMPORARY: &str = ".brownout-";
/// Permissions of a plain new file and folder, before the process's mask.
const FILE_MODE: u32 = 0o666;
const FOLDER_MODE: u32 = 0o777;

/// A file under a temporary name; dropping it removes it.
pub struct ScratchFile {
    file: tempfile::NamedTempFile,
}

/// A folder under a temporary name; dropping it removes it with all it holds.
pub struct ScratchFolder {
    folder: tempfile::TempDir,
    /// Keeps the folder locked.
    _lock: File,
}

impl ScratchFile {
    /// A new file in the folder of `target`, with the permissions of any new file.
    ///
    /// # Errors
    /// When the folder does not exist or cannot be written.
    pub fn beside(target: &Path) -> io::Result<Self> {
        let folder = folder_of(target);
        remove_abandoned(folder, TEMPORARY);
        loop {
            let mut builder = tempfile::Builder::new();
            builder.prefix(TEMPORARY);
            builder.permissions(fs::Permissions::from_mode(FILE_MODE));
            let file = builder.tempfile_in(folder).map_err(plain)?;
            if keeps(file.as_file(), file.path()) {
                return Ok(Self { file });
            }
        }
    }

    /// Where it is, for writers which open a file themselves.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Gives the file its name, once all of it is on the disk.
    ///
    /// # Errors
    /// When the disk is full or the name is a folder's; then nothing has changed.
    pub fn persist(self, target: &Path) -> io::Result<()> {
        // Some file systems notice only here that the disk is full.
        self.file.as_file().sync_all()?;
        self.file.persist(target).map_err(|e| e.error)?;
        Ok(())
    }
}

impl ScratchFolder {
    /// A new folder inside `folder`, whose temporary name begins with `prefix`,
    /// with the permissions of any new folder.
    ///
    /// # Errors
    /// When `folder` does not exist or cannot be written.
    pub fn inside(folder: &Path, prefix: &str) -> io::Result<Self> {
        remove_abandoned(folder, prefix);
        loop {
            let mut builder = tempfile::Builder::new();
            builder.prefix(prefix);
            builder.permissions(fs::Permissions::from_mode(FOLDER_MODE));
            let folder = builder.tempdir_in(folder).map_err(plain)?;
            let lock = File::open(folder.path())?;
            if keeps(&lock, folder.path()) {
                let _lock = lock;
                return Ok(Self { folder, _lock });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// When something of that name is there already; then the folder is removed.
    pub fn persist(self, target: &Path) -> io::Result<()> {
        fs::rename(self.folder.path(), target)?;
        // Renamed: there is nothing left to remove under the old name.
        let _ = self.folder.keep();
        Ok(())
    }
}

/// Writes a file under a temporary name beside it, then renames it.
///
/// # Errors
/// When the name is not one for a file (see [`check_target`]), its folder does
/// not exist or cannot be written, or the disk is full; then nothing is left.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    check_target(path)?;
    let mut scratch = ScratchFile::beside(path)?;
    // Not through tempfile's own writer, whose errors name the temporary file.
    scratch.file.as_file_mut().write_all(bytes)?;
    scratch.persist(path)
}

/// Checks, before long work, that a file of this name can be written.
///
/// # Errors
/// As [`write`], but for a full disk.
pub fn check_writable(path: &Path) -> io::Result<()> {
    check_target(path)?;
    ScratchFile::beside(path).map(drop)
}

/// Checks that a name is a regular file's, or free and one that a file can have.
///
/// # Errors
/// When it is a folder's, when what is there is no regular file (a device, a
/// pipe) and would be replaced, or when the name is not allowed by the system.
pub fn check_target(path: &Path) -> io::Result<()> {
    // `Path` itself does not see the difference.
    let text = path.as_os_str().as_encoded_bytes();
    if path.file_name().is_none() || text.ends_with(b"/") || text.ends_with(b"/.") {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Err(io::Error::other(
            "it is no regular file; allowed is a new or a regular one",
        )),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        // What the system would say of a file that is to be made in it is less clear.
        Err(_) if !folder_of(path).exists() => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("the folder {} does not exist", folder_of(path).display()),
        )),
        _ => Ok(()),
    }
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Locks what was just made. False if somebody took it for abandoned before it
/// was locked, and has removed it.
///
/// Where the file system has no locks, nothing is ever taken for abandoned.
fn keeps(file: &File, path: &Path) -> bool {
    file.lock().is_err() || path.exists()
}

/// Removes what killed processes left in a folder under temporary names.
///
/// What is locked has an owner, and what cannot be removed is left: it is in
/// nobody's way.
pub fn remove_abandoned(folder: &Path, prefix: &str) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(prefix.as_bytes()) {
            continue;
        }
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if !(kind.is_dir() || kind.is_file()) {
            continue;
        }
        // Held until it is removed: its maker may be about to lock it.
        let Some(_lock) = File::open(&path).ok().filter(|f| f.try_lock().is_ok()) else {
            continue;
        };
        let _ = match kind.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
    }
}

/// The error without the temporary name that tempfile puts into it.
fn plain(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_process_left_is_removed_and_what_one_holds_is_not() {
        let root = tempfile::tempdir().unwrap();
        // What a killed process leaves has no lock.
        fs::write(root.path().join(".brownout-aaaaaa"), "half").unwrap();
        fs::create_dir(root.path().join(".brownout-bbbbbb")).unwrap();
        fs::write(root.path().join(".brownout-bbbbbb/x"), "half").unwrap();
        fs::write(root.path().join("mine"), "whole").unwrap();
        let file = ScratchFile::beside(&root.path().join("a")).unwrap();
        let folder = ScratchFolder::inside(root.path(), TEMPORARY).unwrap();
        write(&root.path().join("b"), b"1").unwrap();
        assert!(file.path().exists() && folder.path().exists());
        assert_eq!(names(root.path()).len(), 4, "{:?}", names(root.path()));
        file.persist(&root.path().join("a")).unwrap();
        folder.persist(&root.path().join("c")).unwrap();
        assert_eq!(names(root.path()), ["a", "b", "c", "mine"]);
    }

    #[test]
    fn threads_that_write_side_by_side_never_remove_each_others_files() {
        let root = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let root = root.path();
                scope.spawn(move || {
                    for round in 0..100 {
                        let text = format!("{thread} {round}");
                        let path = root.join(format!("{thread}"));
                        write(&path, text.as_bytes()).unwrap();
                        assert_eq!(fs::read_to_string(&path).unwrap(), text);
                    }
                });
            }
        });
        assert_eq!(names(root.path()), ["0", "1", "2", "3"]);
    }

    #[test]
    fn a_name_that_no_file_can_have_is_refused_before_anything_is_written() {
        let root = tempfile::tempdir().unwrap();
        let long = "x".repeat(256);
        for name in ["x/", "x/.", "..", ".", "no/x", "x\0y", long.as_str()] {
            let path = root.path().join(name);
            assert!(check_writable(&path).is_err(), "{name:?}");
            assert!(write(&path, b"1").is_err(), "{name:?}");
        }
        assert!(names(root.path()).is_empty());
        check_writable(&root.path().join("x".repeat(255))).unwrap();
    }

    #[test]
    fn written_files_and_folders_have_the_permissions_of_plain_new_ones() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode();
        write(&path("ours"), b"x").unwrap();
        fs::write(path("plain"), b"x").unwrap();
        assert_eq!(mode("ours"), mode("plain"));
        let folder = ScratchFolder::inside(root.path(), TEMPORARY).unwrap();
        folder.persist(&path("our folder")).unwrap();
        fs::create_dir(path("plain folder")).unwrap();
        assert_eq!(mode("our folder"), mode("plain folder"));
    }
}
