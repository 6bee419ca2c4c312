//! Where results come from: this program, its command line and what it read.

use crate::data::DataSource;
use crate::shell;
use brownout_golden::evaluate::Provenance;
use std::path::Path;

/// Of results about the network of a file on some images.
pub fn of(model: &Path, data: &DataSource) -> Provenance {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    Provenance {
        brownout: env!("CARGO_PKG_VERSION").to_owned(),
        // The build script sets it, but outside a checkout.
        commit: option_env!("BROWNOUT_COMMIT").map(str::to_owned),
        command: shell::command(&words),
        model: model.display().to_string(),
        data: data.to_string(),
    }
}
