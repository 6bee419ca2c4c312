//! Exports the Verilator runtime, in which models loaded at run time find theirs, and tells
//! the command which commit it is built from.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_SIMULATE").is_some() {
        println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic");
    }
    // Outside a checkout, as in an unpacked archive, results say that they do not know.
    if let Some(commit) = commit() {
        println!("cargo::rustc-env=BROWNOUT_COMMIT={commit}");
    }
}

/// The checked-out commit, with `-dirty` behind it if sources differ from it or are not in it.
fn commit() -> Option<String> {
    let root = here().join("../..");
    // An archive unpacked inside another project's checkout is not of that project's commit.
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let commit = git(&["rev-parse", "--verify", "HEAD"])?;
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"]
        .into_iter()
        .chain(branch.as_deref())
    {
        let Some(path) = git(&["rev-parse", "--git-path", name]) else {
            continue;
        };
        // A file that is not there would have cargo build anew each time.
        let path = here().join(path);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    // Only what becomes part of the program counts, not results beside it.
    let sources = [":/sw", ":/hdl", ":/sim", ":/Cargo.toml", ":/Cargo.lock"];
    let changes = git(&[&["status", "--porcelain", "--"][..], &sources].concat())?;
    let clean = changes.is_empty();
    Some(if clean { commit } else { commit + "-dirty" })
}

/// This package's folder, as it is now: this program may have been built in another checkout that
/// shares the folder of build results.
fn here() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| ".".into(), PathBuf::from)
}

/// What git answers here, without the last end of line; `None` if it is missing or refuses.
fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(here());
    let answer = command.output().ok().filter(|a| a.status.success())?;
    let text = String::from_utf8(answer.stdout).ok()?;
    Some(text.trim_end().to_owned())
}
