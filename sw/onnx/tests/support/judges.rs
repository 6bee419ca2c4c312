//! The packages that read, check and run ONNX files, in a Python of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages' Python; `None`, with a message, where BROWNOUT_SKIP_ONNX says so.
///
/// # Panics
/// If it is missing otherwise.
pub fn python() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/onnx-python");
    if tools.exists() {
        return Some(tools);
    }
    assert!(
        std::env::var_os("BROWNOUT_SKIP_ONNX").is_some(),
        "{} is missing: run `make tools`, or set BROWNOUT_SKIP_ONNX=1",
        tools.display()
    );
    eprintln!("skipped: BROWNOUT_SKIP_ONNX is set");
    None
}

/// Runs a script of `judges/`; what it prints.
///
/// # Panics
/// If it fails, with what it says.
pub fn run(python: &Path, script: &str, arguments: &[&str]) -> String {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges");
    let said = Command::new(python)
        .arg("-W")
        .arg("ignore")
        .arg(scripts.join(script))
        .args(arguments)
        .output()
        .expect("the packages' Python starts");
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// The single-precision numbers of a file.
///
/// # Panics
/// If it is missing.
pub fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("the script has written it");
    let words = bytes.as_chunks::<4>().0.iter();
    words.map(|word| f32::from_le_bytes(*word)).collect()
}
