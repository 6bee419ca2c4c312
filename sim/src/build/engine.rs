//! From an engine's C++ to a shared object.

use super::{BuildError, LIBRARY, Progress, create_folder, run, write_text};
use crate::toolchain::Toolchain;
use std::path::Path;
use std::process::Command;

/// The engine's C++ beside its shared object.
const TEXT: &str = "engine.cpp";
/// Instructions of this machine, whose vectors the lanes lie in.
const NATIVE: &str = "-march=native";
const FLAGS: &[&str] = &[
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-shared",
    "-w",
    "-fno-gnu-unique",
];

/// Hash of everything that an engine's shared object depends on, the machine's instructions included.
pub(crate) fn engine_key(toolchain: &Toolchain, text: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    field(b"engine");
    field(toolchain.compiler_version().as_bytes());
    field(&machine(toolchain));
    FLAGS.iter().for_each(|flag| field(flag.as_bytes()));
    field(text.as_bytes());
    hasher.finalize().to_hex().to_string()
}

/// What the compiler takes this machine for.
fn machine(toolchain: &Toolchain) -> Vec<u8> {
    let mut command = toolchain.compiler();
    command.args([NATIVE, "-dM", "-E", "-x", "c++", "/dev/null"]);
    match command.output() {
        Ok(output) if output.status.success() => output.stdout,
        _ => Vec::new(),
    }
}

/// Compiles `text` in `folder`, which exists and holds nothing but its progress.
pub(crate) fn compile_engine(
    toolchain: &Toolchain,
    top: &str,
    text: &str,
    folder: &Path,
    progress: &Progress,
) -> Result<(), BuildError> {
    create_folder(folder)?;
    let path = folder.join(TEXT);
    write_text(&path, text)?;
    progress.say(&format!(
        "{} compiles {:.1} MB of C++ of the engine",
        toolchain.compiler_name(),
        text.len() as f64 / 1e6
    ));
    let compile = |native: &[&str]| {
        let mut command: Command = toolchain.compiler();
        // Temporary files go where they are removed with the others.
        command.env("TMPDIR", folder);
        command.args(FLAGS).args(native).arg(&path);
        run(command.arg("-o").arg(folder.join(LIBRARY)))
    };
    // A compiler that does not know the machine takes what every one has.
    let compiled = match machine(toolchain).is_empty() {
        true => compile(&[]),
        false => compile(&[NATIVE]),
    };
    compiled.map_err(|complaint| BuildError::Compile {
        compiler: toolchain.compiler_name(),
        file: TEXT.to_owned(),
        top: top.to_owned(),
        complaint,
    })
}
