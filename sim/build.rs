//! Completes the Verilator runtime of `verilated` and exports it to models
//! loaded at run time.

use std::path::PathBuf;
use std::process::{Command, exit};

fn main() {
    let version = verilator(&["--version"]);
    let root = PathBuf::from(verilator(&["--getenv", "VERILATOR_ROOT"]));
    let include = root.join("include");
    // Not on a change of the PATH, which differs between terminals; a program
    // built against another Verilator says so when it looks for its tools.
    println!("cargo::rerun-if-changed={}", include.display());

    // The one runtime file which `verilated` 0.1.2 leaves out: Verilator 5
    // refers to its thread pool also in models without threads.
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(&include)
        .include(include.join("vltstd"))
        .file(include.join("verilated_threads.cpp"))
        .compile("verilated_threads");

    // The run-time check that the tool still fits this runtime.
    println!("cargo::rustc-env=BROWNOUT_VERILATOR={version}");

    // For this crate's own tests. A build script cannot set it for its
    // dependents, so those which load models have the same line in theirs.
    println!("cargo::rustc-link-arg=-Wl,--export-dynamic");
}

/// The answer of the `verilator_bin` on the PATH, trimmed.
fn verilator(arguments: &[&str]) -> String {
    let answer = Command::new("verilator_bin").args(arguments).output();
    match answer {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            String::from_utf8_lossy(&output.stdout).trim().to_string()
        }
        _ => {
            println!(
                "cargo::error=Verilator (`verilator_bin`) is not on the PATH: run `make tools`, \
                 then build through `make`, or put .tools/bin first on the PATH"
            );
            exit(1);
        }
    }
}
