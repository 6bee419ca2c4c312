//! The packages that read, check and run ONNX files, in a Python of their own.

use std::path::Path;
use std::process::Command;

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
