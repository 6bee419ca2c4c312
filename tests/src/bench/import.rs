//! What `brownout import --onnx` takes of a large file: time and memory.

use super::report::{Aim, BenchError, Figure};
use super::{Options, pythons};
use std::env;
use std::ffi::{c_int, c_long};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Size of the file, in megabytes of 10⁶ bytes.
const MEGABYTES: u32 = 100;
const FEW: u32 = 10;

/// Seconds, and the most memory as a multiple of the file's size; nothing without onnx, which
/// writes the file, or without the command, which `make bench` builds.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let command = env::current_exe()
        .ok()
        .map(|bench| bench.with_file_name("brownout"));
    let command = command.filter(|command| command.is_file());
    let (Some(command), Some(mut writer)) = (command, pythons::onnxruntime(1)) else {
        println!(
            "\nno large file is imported: onnx, which writes it, is not installed (make tools), \
             or the command is not beside this program (make bench builds it)"
        );
        return Ok(Vec::new());
    };
    let folder = tempfile::tempdir().map_err(BenchError::file(&env::temp_dir()))?;
    let path = folder.path().join("large.onnx");
    let wanted = if options.quick { FEW } else { MEGABYTES };
    let bytes = writer.count(&format!("write\t{}\t{wanted}", path.display()))?;
    drop(writer);
    let (mut seconds, mut sizes) = (Vec::new(), Vec::new());
    // The first turn brings the file into memory, and is not counted.
    for turn in 0..=options.repetitions {
        let out = folder.path().join(format!("{turn}.float"));
        let start = Instant::now();
        let most = run(&command, &path, &out)?;
        if turn > 0 {
            seconds.push(start.elapsed().as_secs_f64());
            sizes.push(most as f64 / bytes as f64);
        }
        std::fs::remove_file(&out).map_err(BenchError::file(&out))?;
    }
    let conditions = format!("a float network of {:.0} MB", bytes as f64 / 1e6);
    Ok(vec![
        Figure::new("import --onnx", &conditions, "s", seconds).against(Aim::Below(2.0)),
        Figure::new(
            "import --onnx, most memory",
            &conditions,
            "of the file",
            sizes,
        )
        .against(Aim::Below(3.0)),
    ])
}

/// Imports a file; the most bytes that the process had in memory.
fn run(command: &Path, file: &Path, out: &PathBuf) -> Result<u64, BenchError> {
    let mut import = Command::new(command);
    import.arg("import").arg("--onnx").arg(file).arg("--out");
    import.arg(out).stdout(Stdio::null()).stderr(Stdio::null());
    let child = import.spawn().map_err(BenchError::file(command))?;
    let (mut status, mut usage) = (0, Usage::default());
    // SAFETY: both are written to, and `Usage` is as long as the system's; the child is waited for
    // nowhere else.
    let ended = unsafe { wait4(child.id() as c_int, &mut status, 0, &mut usage) };
    if ended < 0 {
        return Err(BenchError::file(command)(io::Error::last_os_error()));
    }
    if status != 0 {
        return Err(BenchError::Program {
            program: command.to_owned(),
            status: format!("status {status:#x}"),
        });
    }
    Ok(usage.most_kib as u64 * 1024)
}

/// Linux's `struct rusage`.
#[derive(Default)]
#[repr(C)]
struct Usage {
    times: [c_long; 4],
    /// The most memory, in KiB.
    most_kib: c_long,
    rest: [c_long; 13],
}

unsafe extern "C" {
    /// BSD's, of `<sys/wait.h>`; the standard library waits without asking for the memory.
    fn wait4(process: c_int, status: *mut c_int, options: c_int, usage: *mut Usage) -> c_int;
}
