//! Where tests find data that is not part of the repository.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder of that name in `shared/data` beside the repository; `None`, with
/// a message that is seen even if the test passes, where it is absent.
pub fn folder(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let _ = writeln!(
        std::io::stderr(),
        "skipped: {} is missing",
        folder.display()
    );
    None
}
