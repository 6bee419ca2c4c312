//! Where figures come from: commit, tools, machine and command.

use super::report::BenchError;
use brownout_sim::toolchain::Toolchain;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Environment variable in which `make` says how it was called.
const COMMAND: &str = "BROWNOUT_BENCH_COMMAND";
/// How this program is run without `make`.
const CARGO: &str = "cargo run --release --package brownout-tests --bin bench --";

/// What figures depend on besides the thing measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Commit that is checked out.
    pub commit: String,
    /// Whether files differ from it or are not part of it, ignored ones left out.
    pub dirty: bool,
    /// Version of the compiler that built this program.
    pub rustc: String,
    /// Version of Verilator.
    pub verilator: String,
    /// Version of the C++ compiler.
    pub compiler: String,
    /// Model of the processor.
    pub processor: String,
    /// Processors this program may use.
    pub processors: usize,
    /// What to type to have the same measured.
    pub command: String,
}

impl Provenance {
    /// Asks git, the tools and the machine.
    ///
    /// # Errors
    /// When a tool is missing.
    pub fn collect() -> Result<Self, BenchError> {
        let toolchain = Toolchain::locate()?;
        let (commit, dirty) = state(Path::new(env!("CARGO_MANIFEST_DIR")));
        Ok(Self {
            commit,
            dirty,
            rustc: env!("BROWNOUT_RUSTC").to_owned(),
            verilator: toolchain.verilator_version().to_owned(),
            compiler: toolchain.compiler_version().to_owned(),
            processor: processor(),
            processors: std::thread::available_parallelism().map_or(1, |n| n.get()),
            command: command(std::env::var(COMMAND).ok(), std::env::args().skip(1)),
        })
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dirty = if self.dirty { " with changes" } else { "" };
        writeln!(f, "commit     {}{dirty}", self.commit)?;
        writeln!(f, "command    {}", self.command)?;
        writeln!(f, "processor  {} x {}", self.processors, self.processor)?;
        writeln!(f, "compilers  {}; {}", self.rustc, self.compiler)?;
        writeln!(f, "simulator  {}", self.verilator)
    }
}

/// The commit that is checked out in a folder, and whether there is anything else in its
/// repository: changes, or new files that are not ignored. Without git, who knows.
fn state(folder: &Path) -> (String, bool) {
    let commit = git(folder, &["rev-parse", "HEAD"]);
    let changes = git(folder, &["status", "--porcelain", "--untracked-files=all"]);
    (
        commit.unwrap_or_else(|| "unknown".to_owned()),
        changes.is_none_or(|changes| !changes.is_empty()),
    )
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    let output = command
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

fn processor() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    model.map_or(std::env::consts::ARCH.to_owned(), |model| {
        model.trim_start_matches([' ', '\t', ':']).to_owned()
    })
}

/// The `make` command, if `make` said it, or else the one of cargo that runs this program.
fn command(said: Option<String>, arguments: impl Iterator<Item = String>) -> String {
    said.unwrap_or_else(|| {
        let words = std::iter::once(CARGO.to_owned()).chain(arguments);
        words.collect::<Vec<_>>().join(" ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_new_file_makes_a_checkout_dirty_and_an_ignored_one_does_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        let git = |arguments: &[&str]| git(path, arguments).expect("git does as it is told");
        assert_eq!(state(path), ("unknown".to_owned(), true), "no repository");
        git(&["init", "--quiet"]);
        fs::write(path.join(".gitignore"), "ignored\n").expect("a file");
        git(&["add", "."]);
        let author = ["-c", "user.name=a", "-c", "user.email=a@b"];
        git(&[&author[..], &["commit", "--quiet", "--message", "a"]].concat());
        let commit = git(&["rev-parse", "HEAD"]);
        assert_eq!(state(path), (commit.clone(), false));
        fs::write(path.join("ignored"), "").expect("a file");
        assert_eq!(state(path), (commit.clone(), false), "an ignored file");
        fs::write(path.join("new"), "").expect("a file");
        assert_eq!(state(path), (commit.clone(), true), "a new file");
        fs::remove_file(path.join("new")).expect("it is there");
        fs::write(path.join(".gitignore"), "ignored\n\n").expect("a file");
        assert_eq!(state(path), (commit, true), "a change");
    }

    #[test]
    fn the_command_is_what_a_user_types() {
        let arguments = || ["--out", "a"].map(str::to_owned).into_iter();
        assert_eq!(
            command(Some("make bench".into()), arguments()),
            "make bench"
        );
        let cargo = "cargo run --release --package brownout-tests --bin bench -- --out a";
        assert_eq!(command(None, arguments()), cargo);
    }
}
