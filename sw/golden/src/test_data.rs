//! Where tests find data that is not part of the repository.

use std::path::{Path, PathBuf};

/// The folder of that name in `shared/data` beside the repository; `None`, with
/// a message, where it is absent.
pub fn folder(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is missing", folder.display());
    None
}
