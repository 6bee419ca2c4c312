//! What a build is doing, in a file that can be looked at meanwhile: large designs take minutes.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Name of the file in the folder of built models, to which every build adds its lines.
pub const FILE: &str = "building.log";
/// Bytes beyond which a build begins the file anew.
const MOST_BYTES: u64 = 100_000;

/// The lines of one build. That one cannot be written stops no build.
pub(crate) struct Progress {
    file: Option<File>,
    top: String,
    started: Instant,
}

impl Progress {
    /// Of a build of module `top` for the models in `folder`.
    pub fn new(folder: &Path, top: &str) -> Self {
        let path = folder.join(FILE);
        if fs::metadata(&path).is_ok_and(|file| file.len() > MOST_BYTES) {
            let _ = fs::remove_file(&path);
        }
        let mut options = OpenOptions::new();
        Self {
            file: options.create(true).append(true).open(&path).ok(),
            top: top.to_owned(),
            started: Instant::now(),
        }
    }

    /// Adds a line: the module, seconds since the build began, what it does now.
    pub fn say(&self, what: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        let line = format!("{} {seconds:8.1} s: {what}\n", self.top);
        if let Some(mut file) = self.file.as_ref() {
            // In one piece, since other builds write as well.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_add_their_lines_until_the_file_is_long() {
        let folder = tempfile::tempdir().unwrap();
        let text = || fs::read_to_string(folder.path().join(FILE)).unwrap();
        Progress::new(folder.path(), "first").say("reads");
        Progress::new(folder.path(), "second").say("links");
        let lines = text();
        let lines: Vec<_> = lines.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("first ") && lines[0].ends_with(" s: reads"));
        Progress::new(folder.path(), "long").say(&"x".repeat(MOST_BYTES as usize));
        Progress::new(folder.path(), "new").say("reads");
        assert_eq!(text().lines().count(), 1);
        // A folder that is not there takes no lines, and nobody minds.
        Progress::new(&folder.path().join("none"), "lost").say("reads");
    }
}
