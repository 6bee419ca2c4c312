//! Runs the command as a user does, and compares text with expect files.
#![allow(dead_code, reason = "each test program uses a part of this")]

pub mod idx;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A small accelerator, which is generated quickly.
pub const SMALL: &str = "\
name = \"narrow\"
rows = 4
columns = 8
weight_bits = 8
code = \"inplace-64-57\"
coset = true
voltage_model = \"fdx-22nm\"
fault_emulation = true

[depths]
weights = 4096
activations = 1024
accumulators = 1024
parameters = 64
layers = 16
";

/// The command in a folder of its own.
pub struct Sandbox {
    folder: TempDir,
}

/// What a run of the command gave.
pub struct Answer {
    /// Exit status.
    pub status: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Sandbox {
    /// An empty folder.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// An empty folder but for a small configuration, `small.toml`, and a model, `model.safetensors`.
    pub fn with_model() -> Self {
        let sandbox = Self::new();
        sandbox.write("small.toml", SMALL);
        fs::copy(model(), sandbox.path("model.safetensors")).unwrap();
        sandbox
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// The names in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        names(self.folder.path())
    }

    /// The command, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
        command.args(arguments).current_dir(self.folder.path());
        command.stdin(Stdio::null());
        command
    }

    /// Runs the command.
    pub fn run(&self, arguments: &[&str]) -> Answer {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs the command, which must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Answer {
        let answer = self.run(arguments);
        assert_eq!(answer.status, Some(0), "{arguments:?}: {}", answer.err);
        answer
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A model trained for a moment: its file is real, its accuracy is not.
pub fn model() -> PathBuf {
    static MODEL: OnceLock<Sandbox> = OnceLock::new();
    let sandbox = MODEL.get_or_init(|| {
        let sandbox = Sandbox::new();
        sandbox.ok(&[
            "train",
            "--out",
            "model.safetensors",
            "--train-images",
            "320",
            "--epochs",
            "1",
            "--quiet",
        ]);
        sandbox
    });
    sandbox.path("model.safetensors")
}

/// Compares a text with `expect/NAME.txt`; with UPDATE_EXPECT set, writes it.
pub fn expect(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/expect")
        .join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; run again with UPDATE_EXPECT=1 if this is meant:\n{actual}",
        path.display()
    );
}
