//! What a build is doing, in a file that can be looked at meanwhile: large designs take minutes.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Name of the file in the folder of an unfinished model.
pub const FILE: &str = "progress";

/// The lines of one build, gone with it. That one cannot be written stops no build.
pub(crate) struct Progress {
    path: PathBuf,
    file: Option<File>,
    started: Instant,
}

impl Progress {
    /// Of the build in `folder`.
    pub fn new(folder: &Path) -> Self {
        let path = folder.join(FILE);
        Self {
            file: File::create(&path).ok(),
            path,
            started: Instant::now(),
        }
    }

    /// Adds a line: seconds since the build began, and what it does now.
    pub fn say(&self, what: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(mut file) = self.file.as_ref() {
            let _ = file.write_all(format!("{seconds:8.1} s: {what}\n").as_bytes());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // A finished model has nothing to say.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_says_what_it_does_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let progress = Progress::new(folder.path());
        progress.say("reads");
        progress.say("links");
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with(" s: reads") && lines[1].ends_with(" s: links"));
        drop(progress);
        assert!(!path.exists());
        // A folder that is not there takes no lines, and nobody minds.
        Progress::new(&folder.path().join("none")).say("reads");
    }
}
