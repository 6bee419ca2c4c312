//! Where results come from: this program, its command line and what it read, also as a digest.

use crate::data::DataSource;
use crate::shell;
use brownout_golden::evaluate::Provenance;
use std::path::Path;

/// The commit of this program, which the build script knows but outside a checkout.
pub fn commit() -> Option<&'static str> {
    option_env!("BROWNOUT_COMMIT")
}

/// Of results about the network of a file on some images.
pub fn of(model: &Path, data: &DataSource) -> Provenance {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    Provenance {
        brownout: env!("CARGO_PKG_VERSION").to_owned(),
        commit: commit().map(str::to_owned),
        command: shell::command(&words),
        model: model.display().to_string(),
        data: data.to_string(),
    }
}

/// Digest of what decides a result, or of what one is about.
pub fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
