//! From Verilog text to a shared object: verilate, compile, link.
//!
//! The shared object holds the model and a small C interface (`shim.cpp`), but
//! no Verilator runtime; that is the host's, from `verilated`.

mod engine;
mod error;
mod ports;
mod progress;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

pub(crate) use engine::{compile_engine, engine_key};
pub use error::BuildError;
pub use ports::{Direction, PortInfo};
pub use progress::FILE as PROGRESS;
pub(crate) use progress::Progress;

use crate::model::resolves;
use crate::toolchain::Toolchain;

/// The C interface's fixed part; the port table is put in front of it.
const SHIM: &str = include_str!("shim.cpp");
/// Name of the shared object inside its folder.
pub(crate) const LIBRARY: &str = "model.so";
/// Subfolder which keeps the Verilog a model was made from.
const SOURCES: &str = "verilog";
/// Subfolder for everything Verilator and the compiler write on the way.
const WORK: &str = "work";
/// Lines of a tool's complaint that go into the error message.
const COMPLAINT_LINES: usize = 12;

const VERILATE: &[&str] = &["--cc", "-O3", "--noassert", "--prefix", "Vmodel"];
/// Registers start at zero, and a model with a missing reset may still work.
const START_FAST: &[&str] = &["--x-assign", "fast", "--x-initial", "fast"];
/// Registers start at what the model's seed says.
const START_RANDOM: &[&str] = &["--x-assign", "unique", "--x-initial", "unique"];
const TRACE: &[&str] = &["--trace-vcd"];
const PUBLIC: &[&str] = &["--public-flat-rw"];
const LINT: &[&str] = &["--lint-only", "-Wall"];

/// `-fno-gnu-unique`, because otherwise the dynamic loader would merge some
/// symbols of different models, and could never unload them.
const COMPILE: &[&str] = &[
    "-c",
    "-std=c++17",
    "-fPIC",
    "-fno-gnu-unique",
    "-w",
    "-DVERILATOR=1",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVM_TIMING=0",
    "-DVM_TRACE_FST=0",
    "-DVM_TRACE_SAIF=0",
];
const WITHOUT_TRACE: &[&str] = &["-DVM_TRACE=0", "-DVM_TRACE_VCD=0"];
const WITH_TRACE: &[&str] = &["-DVM_TRACE=1", "-DVM_TRACE_VCD=1"];
/// For what runs every cycle, and for what runs once (`*__Slow.cpp`).
const OPTIMIZE_FAST: &str = "-O3";
const OPTIMIZE_SLOW: &str = "-O1";
const OPTIMIZE_NONE: &str = "-O0";

/// The Verilog of one design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSource {
    /// Name of the top module.
    pub top: String,
    /// The one-bit input which `step` toggles; none for a design without state.
    pub clock: Option<String>,
    /// File names and texts, in the order Verilator shall read them.
    pub files: Vec<(String, String)>,
}

/// What kind of model to build. The default is the fastest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BuildOptions {
    /// Registers and memories can start at random values (see `Model::with_seed`).
    pub random_initial: bool,
    /// Waveforms can be written; costs compile time, and speed also when unused.
    pub trace: bool,
    /// Every signal can be read by its name; costs much compile time and speed.
    pub public_signals: bool,
}

impl BuildOptions {
    fn verilator_flags(self) -> Vec<&'static str> {
        let start = if self.random_initial {
            START_RANDOM
        } else {
            START_FAST
        };
        let trace = if self.trace { TRACE } else { &[] };
        let public = if self.public_signals { PUBLIC } else { &[] };
        [VERILATE, start, trace, public].concat()
    }

    fn compiler_flags(self) -> Vec<&'static str> {
        let trace = if self.trace {
            WITH_TRACE
        } else {
            WITHOUT_TRACE
        };
        [COMPILE, trace].concat()
    }
}

/// Hash of everything the shared object depends on, as 64 hexadecimal digits:
/// every byte of Verilog, file names, interface, tools and flags. It says
/// nothing about a configuration, so that old hardware cannot pass for new.
pub fn model_key(toolchain: &Toolchain, source: &ModelSource, options: BuildOptions) -> String {
    let mut hasher = blake3::Hasher::new();
    // Every field has its length in front, so that no two lists of fields
    // have the same bytes.
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    field(toolchain.verilator_version().as_bytes());
    field(toolchain.compiler_version().as_bytes());
    for flag in [
        options.verilator_flags(),
        options.compiler_flags(),
        vec![OPTIMIZE_FAST, OPTIMIZE_SLOW],
    ]
    .concat()
    {
        field(flag.as_bytes());
    }
    field(shim_text(source, &[]).as_bytes());
    field(source.top.as_bytes());
    for (name, text) in &source.files {
        field(name.as_bytes());
        field(text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Builds `source` in `folder`, which exists and holds nothing but its progress. Leaves the shared
/// object and the Verilog there, and returns the ports.
pub(crate) fn build_model(
    toolchain: &Toolchain,
    source: &ModelSource,
    options: BuildOptions,
    folder: &Path,
    progress: &Progress,
) -> Result<Vec<PortInfo>, BuildError> {
    let work = folder.join(WORK);
    let build = Build {
        toolchain,
        source,
        options,
        work: &work,
    };
    create_folder(&work)?;
    let lines: usize = source
        .files
        .iter()
        .map(|(_, text)| text.lines().count())
        .sum();
    progress.say(&format!("Verilator reads {lines} lines of Verilog"));
    build.verilate(&options.verilator_flags(), &folder.join(SOURCES))?;
    build.check_ends()?;
    let ports = build.ports()?;
    write_text(&work.join("shim.cpp"), &shim_text(source, &ports))?;
    let bytes = build.bytes_to_compile()?;
    progress.say(&format!(
        "{} compiles {:.1} MB of C++",
        toolchain.compiler_name(),
        bytes as f64 / 1e6
    ));
    let objects = build.compile()?;
    progress.say("linking");
    build.link(&objects, &folder.join(LIBRARY))?;
    build.check_library(&folder.join(LIBRARY))?;
    fs::remove_dir_all(&work).map_err(file_error("remove", &work))?;
    Ok(ports)
}

/// Lets Verilator read the design with all its warnings on.
///
/// # Errors
/// If there is any warning, of any kind.
pub fn lint(toolchain: &Toolchain, source: &ModelSource) -> Result<(), BuildError> {
    let folder = tempfile::tempdir().map_err(file_error("create", &std::env::temp_dir()))?;
    let build = Build {
        toolchain,
        source,
        options: BuildOptions::default(),
        work: folder.path(),
    };
    build.verilate(LINT, folder.path())
}

/// Lets Verilator write the C++ of a model into `folder`, next to the Verilog, for
/// programs that are written on the model's own class `Vmodel`.
///
/// # Errors
/// If Verilator refuses the design or the folder cannot be written.
pub fn verilate(
    toolchain: &Toolchain,
    source: &ModelSource,
    options: BuildOptions,
    folder: &Path,
) -> Result<(), BuildError> {
    let build = Build {
        toolchain,
        source,
        options,
        work: folder,
    };
    build.verilate(&options.verilator_flags(), folder)
}

/// The C++ interface of a model with these ports.
fn shim_text(source: &ModelSource, ports: &[PortInfo]) -> String {
    let clock = match &source.clock {
        Some(clock) => format!("(top)->{clock} = (level)"),
        None => "((void)(level))".to_string(),
    };
    let table: Vec<_> = ports
        .iter()
        .map(|port| format!("&(top)->{}", port.name))
        .collect();
    format!(
        "#define SET_CLOCK(top, level) {clock}\n#define PORTS(top) {}\n{SHIM}",
        table.join(", ")
    )
}

/// A model on its way through the tools.
struct Build<'a> {
    toolchain: &'a Toolchain,
    source: &'a ModelSource,
    options: BuildOptions,
    /// Where the tools write.
    work: &'a Path,
}

impl Build<'_> {
    /// Writes the Verilog into `sources` and runs Verilator on it.
    fn verilate(&self, flags: &[&str], sources: &Path) -> Result<(), BuildError> {
        create_folder(sources)?;
        let mut command = self.toolchain.verilator();
        command.args(flags);
        command.args(["--top-module", &self.source.top]);
        command.arg("--Mdir").arg(self.work);
        for (name, text) in &self.source.files {
            if Path::new(name).file_name() != Some(name.as_ref()) {
                return Err(BuildError::FileName(name.clone()));
            }
            let path = sources.join(name);
            write_text(&path, text)?;
            command.arg(path);
        }
        run(&mut command).map_err(|complaint| {
            let top = self.source.top.clone();
            self.full_disk(&complaint)
                .unwrap_or(BuildError::Verilate { top, complaint })
        })
    }

    /// The port table, checked for the clock.
    fn ports(&self) -> Result<Vec<PortInfo>, BuildError> {
        let top = &self.source.top;
        let header = read_text(&self.work.join("Vmodel.h"))?;
        let ports = ports::parse_header(&header).map_err(|declaration| BuildError::Port {
            top: top.clone(),
            declaration,
        })?;
        let Some(clock) = &self.source.clock else {
            return Ok(ports);
        };
        let is_clock =
            |p: &PortInfo| p.name == *clock && p.bits == 1 && p.direction == Direction::Input;
        if ports.iter().any(is_clock) {
            Ok(ports)
        } else {
            Err(BuildError::Clock {
                top: top.clone(),
                clock: clock.clone(),
            })
        }
    }

    /// Names of the files in the work folder.
    fn files(&self) -> Result<Vec<String>, BuildError> {
        let listed = || file_error("list", self.work);
        let entries = fs::read_dir(self.work).map_err(listed())?;
        let names = entries.map(|entry| Ok(entry.map_err(listed())?.file_name()));
        // A name that is no text is none of Verilator's.
        let names: Vec<_> = names.collect::<Result<_, BuildError>>()?;
        Ok(names.into_iter().flat_map(|n| n.into_string()).collect())
    }

    /// Size of the C++ files in the work folder.
    fn bytes_to_compile(&self) -> Result<u64, BuildError> {
        let files = self.files()?.into_iter();
        let sizes = files.filter(|name| name.ends_with(".cpp")).map(|name| {
            let path = self.work.join(name);
            let found = fs::metadata(&path).map_err(file_error("read", &path))?;
            Ok(found.len())
        });
        sizes.sum()
    }

    /// Compiles the C++ files of the work folder; returns the object files.
    ///
    /// They are compiled as two units side by side: what runs every cycle, and
    /// what runs once. One by one they would take several times as long, since
    /// reading Verilator's headers costs more than most of the files.
    fn compile(&self) -> Result<[PathBuf; 2], BuildError> {
        let mut files = self.files()?;
        files.retain(|name| name.ends_with(".cpp"));
        // The result must not depend on the order of the directory.
        files.sort();
        let (slow, fast): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|n| n.ends_with("__Slow.cpp"));
        // With public signals there is so much text that optimizing it takes minutes.
        let optimize = match self.options.public_signals {
            true => [OPTIMIZE_NONE; 2],
            false => [OPTIMIZE_FAST, OPTIMIZE_SLOW],
        };
        let slow = || self.compile_unit("slow.cc", &slow, optimize[1]);
        thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, slow);
            let fast = self.compile_unit("fast.cc", &fast, optimize[0]);
            let slow = match beside {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // A machine that gives no thread compiles one after the other.
                Err(_) => slow(),
            };
            Ok([fast?, slow?])
        })
    }

    /// Compiles several files as one; returns the object file.
    fn compile_unit(
        &self,
        name: &str,
        files: &[String],
        optimize: &str,
    ) -> Result<PathBuf, BuildError> {
        let includes: Vec<_> = files
            .iter()
            .map(|file| format!("#include \"{file}\"\n"))
            .collect();
        let unit = self.work.join(name);
        write_text(&unit, &includes.concat())?;
        let object = unit.with_extension("o");
        let mut command = self.compiler();
        command.args(self.options.compiler_flags()).arg(optimize);
        command.arg(&unit).arg("-o").arg(&object);
        run(&mut command).map_err(|complaint| self.compile_error(name, complaint))?;
        Ok(object)
    }

    fn link(&self, objects: &[PathBuf], library: &Path) -> Result<(), BuildError> {
        let mut command = self.compiler();
        command.arg("-shared").args(objects);
        command.arg("-o").arg(library);
        run(&mut command).map_err(|complaint| self.compile_error(LIBRARY, complaint))
    }

    /// The compiler, whose temporary files go where they are removed with the others.
    fn compiler(&self) -> Command {
        let mut command = self.toolchain.compiler();
        command.env("TMPDIR", self.work);
        command
    }

    fn compile_error(&self, file: &str, complaint: String) -> BuildError {
        self.full_disk(&complaint)
            .unwrap_or_else(|| BuildError::Compile {
                compiler: self.toolchain.compiler_name(),
                file: file.to_string(),
                top: self.source.top.clone(),
                complaint,
            })
    }

    /// A tool's complaint about the disk, which says nothing about the design.
    fn full_disk(&self, complaint: &str) -> Option<BuildError> {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        [
            ("File too large", FileTooLarge),
            ("No space left", StorageFull),
            ("quota exceeded", QuotaExceeded),
        ]
        .into_iter()
        .find(|(text, _)| complaint.contains(text))
        .map(|(_, kind)| file_error("write into", self.work)(kind.into()))
    }

    /// Verilator reports success also when the disk was full. Each of its C++
    /// files ends with a brace or a directive at the beginning of a line.
    fn check_ends(&self) -> Result<(), BuildError> {
        let files = self.files()?;
        for file in files
            .iter()
            .filter(|n| n.ends_with(".cpp") || n.ends_with(".h"))
        {
            let text = read_text(&self.work.join(file))?;
            let last = text.lines().last().unwrap_or_default();
            // Of what a design does not have there is a file without anything but includes.
            let empty = file.ends_with("__Dpi.cpp") && text.ends_with(".h\"\n\n");
            let ends = last.starts_with('}') || last.starts_with("#endif") || empty;
            self.expect_whole(ends && text.ends_with('\n'), file)?;
        }
        Ok(())
    }

    /// A function that is missing, since its file was cut off at a line that looks
    /// like an end, would be missed in every later run.
    fn check_library(&self, library: &Path) -> Result<(), BuildError> {
        self.expect_whole(resolves(library), LIBRARY)
    }

    fn expect_whole(&self, whole: bool, file: &str) -> Result<(), BuildError> {
        if whole {
            return Ok(());
        }
        Err(BuildError::Incomplete {
            file: file.to_string(),
            top: self.source.top.clone(),
        })
    }
}

/// Runs a tool silently; the error is the beginning of what it printed.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stderr, output.stdout].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().take(COMPLAINT_LINES).collect();
    Err(match lines.is_empty() {
        true => output.status.to_string(),
        false => lines.join("\n"),
    })
}

/// Makes an I/O error say what was tried with which file.
pub(crate) fn file_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> BuildError {
    move |source| BuildError::File {
        action,
        path: path.to_path_buf(),
        source,
    }
}

fn create_folder(path: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(path).map_err(file_error("create", path))
}

fn read_text(path: &Path) -> Result<String, BuildError> {
    fs::read_to_string(path).map_err(file_error("read", path))
}

fn write_text(path: &Path, text: &str) -> Result<(), BuildError> {
    fs::write(path, text).map_err(file_error("write", path))
}
