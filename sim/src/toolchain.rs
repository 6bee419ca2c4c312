//! Finding the tools which turn Verilog into a model: Verilator and a C++ compiler.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use thiserror::Error;

/// Folder below a workspace which `make tools` fills.
const TOOLS: &str = ".tools";
/// Verilator's name inside a tool folder's `bin`.
const VERILATOR: &str = "verilator_bin";
/// Version of the Verilator whose runtime is linked into this program.
const LINKED_VERSION: &str = env!("BROWNOUT_VERILATOR");

/// Why no usable tool chain was found. Each message is one sentence which
/// names the missing piece and what to do about it.
#[derive(Debug, Error)]
pub enum ToolchainError {
    /// No Verilator in any of the places looked at.
    #[error(
        "Verilator was not found next to this program, above the current directory or on the PATH: \
         run `make tools`, or set BROWNOUT_TOOLS to a folder which has bin/verilator_bin"
    )]
    NoVerilator,
    /// `BROWNOUT_TOOLS` names a folder without Verilator.
    #[error("BROWNOUT_TOOLS is {0:?}, but there is no bin/verilator_bin in it")]
    NoVerilatorInOverride(PathBuf),
    /// Verilator is there and does not run.
    #[error("{path} does not answer `{question}`: run `make clean tools` to set it up again")]
    MuteVerilator {
        /// The file which was run.
        path: PathBuf,
        /// Its arguments.
        question: &'static str,
    },
    /// The tool and the linked runtime are different versions, whose data
    /// structures differ.
    #[error(
        "{path} is {found:?}, but this program was linked with the runtime of {linked:?}: run \
         `cargo clean -p verilated -p brownout-sim` and build again"
    )]
    OtherVersion {
        /// The file which was run.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Version of the linked runtime.
        linked: String,
    },
    /// The C++ compiler cannot be run.
    #[error(
        "the C++ compiler `{0}` does not run: install the package `g++`, or set CXX to a GNU C++ compiler"
    )]
    NoCompiler(String),
}

/// The tools which build a model, with their versions.
#[derive(Clone, Debug)]
pub struct Toolchain {
    verilator: PathBuf,
    root: PathBuf,
    verilator_version: String,
    compiler: OsString,
    compiler_version: String,
    home: Option<PathBuf>,
}

impl Toolchain {
    /// Looks for Verilator in `$BROWNOUT_TOOLS/bin`, in `.tools/bin` above this
    /// program and above the current directory, and on the PATH; and for the
    /// C++ compiler `$CXX` or `g++`.
    ///
    /// # Errors
    /// If one of them is missing, does not run, or if Verilator is another
    /// version than the runtime linked into this program.
    pub fn locate() -> Result<Self, ToolchainError> {
        let (verilator, home) = find_verilator()?;
        let ask = |question: &'static str| {
            first_line(Command::new(&verilator).args(question.split(' '))).ok_or_else(|| {
                ToolchainError::MuteVerilator {
                    path: verilator.clone(),
                    question,
                }
            })
        };
        let root = PathBuf::from(ask("--getenv VERILATOR_ROOT")?);
        let verilator_version = ask("--version")?;
        check_runtime(&verilator, &root, &verilator_version)?;

        let compiler = env::var_os("CXX").unwrap_or_else(|| "g++".into());
        let compiler_version = first_line(Command::new(&compiler).arg("--version"))
            .ok_or_else(|| ToolchainError::NoCompiler(compiler.to_string_lossy().into_owned()))?;
        Ok(Toolchain {
            verilator,
            root,
            verilator_version,
            compiler,
            compiler_version,
            home,
        })
    }

    /// Version line of Verilator.
    pub fn verilator_version(&self) -> &str {
        &self.verilator_version
    }

    /// Version line of the C++ compiler.
    pub fn compiler_version(&self) -> &str {
        &self.compiler_version
    }

    /// The workspace the tools belong to, unless they came from elsewhere.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// A Verilator run, without arguments.
    pub(crate) fn verilator(&self) -> Command {
        let mut command = Command::new(&self.verilator);
        command.env("VERILATOR_ROOT", &self.root);
        command
    }

    /// A compiler run which sees Verilator's headers and nothing else that a
    /// variable might bring in, since the model cache knows no variables.
    pub fn compiler(&self) -> Command {
        let mut command = Command::new(&self.compiler);
        for variable in ["CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH"] {
            command.env_remove(variable);
        }
        let include = self.include();
        command.arg("-I").arg(&include);
        command.arg("-I").arg(include.join("vltstd"));
        command
    }

    /// The folder of Verilator's headers and of its runtime's source.
    pub fn include(&self) -> PathBuf {
        self.root.join("include")
    }

    /// How to name the compiler in a message.
    pub(crate) fn compiler_name(&self) -> String {
        self.compiler.to_string_lossy().into_owned()
    }
}

/// Verilator's path and the workspace it belongs to.
fn find_verilator() -> Result<(PathBuf, Option<PathBuf>), ToolchainError> {
    if let Some(folder) = env::var_os("BROWNOUT_TOOLS").map(PathBuf::from) {
        let verilator = folder.join("bin").join(VERILATOR);
        return if verilator.is_file() {
            Ok((verilator, None))
        } else {
            Err(ToolchainError::NoVerilatorInOverride(folder))
        };
    }
    let program = env::current_exe().ok();
    let current = env::current_dir().ok();
    for start in [program, current].into_iter().flatten() {
        for folder in start.ancestors() {
            let verilator = folder.join(TOOLS).join("bin").join(VERILATOR);
            if verilator.is_file() {
                return Ok((verilator, Some(folder.to_path_buf())));
            }
        }
    }
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join(VERILATOR))
        .find(|verilator| verilator.is_file())
        .map(|verilator| (verilator, None))
        .ok_or(ToolchainError::NoVerilator)
}

/// Refuses a Verilator whose generated code would meet a foreign runtime.
///
/// Two comparisons, because cargo builds two crates from Verilator's files:
/// `brownout-sim` notes the version it saw, and `verilated`, which cargo does
/// not build again when Verilator changes, carries the version of its headers.
fn check_runtime(verilator: &Path, root: &Path, found: &str) -> Result<(), ToolchainError> {
    let other = |found: &str, linked: &str| ToolchainError::OtherVersion {
        path: verilator.to_path_buf(),
        found: found.to_string(),
        linked: linked.to_string(),
    };
    if found != LINKED_VERSION {
        return Err(other(found, LINKED_VERSION));
    }
    let linked = verilated::product_version().to_string_lossy();
    let headers = header_version(&root.join("include/verilated_config.h")).unwrap_or_default();
    if headers != linked {
        return Err(other(&headers, &linked));
    }
    Ok(())
}

/// The version text in Verilator's `verilated_config.h`.
fn header_version(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()?.lines().find_map(|line| {
        let text = line.strip_prefix("#define VERILATOR_VERSION ")?;
        Some(text.trim().trim_matches('"').to_string())
    })
}

/// First line of what a command prints, if it succeeds and prints anything.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_string())
}
