//! Runs emitted Verilog in Verilator: one row of inputs a clock cycle in, one row of
//! outputs out. Registers and memories start with random values.

use brownout_emitter::{Emitter, Port};
use rust_hdl::prelude::Block;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A compiled model of one module.
pub struct Bench {
    folder: tempfile::TempDir,
    inputs: usize,
    outputs: usize,
}

impl Bench {
    /// Emits `block` as module `top` and compiles it, after a lint without waivers; `None`
    /// where there is no Verilator and `BROWNOUT_SKIP_VERILATOR` allows that.
    pub fn build<B: Block>(
        block: &mut B,
        top: &str,
        inputs: &[String],
        outputs: &[String],
    ) -> Option<Self> {
        block.connect_all();
        let emitted = Emitter::new(top)
            .emit(block)
            .unwrap_or_else(|e| panic!("{e}"));
        let Some(verilator) = find_verilator() else {
            assert!(
                env::var_os("BROWNOUT_SKIP_VERILATOR").is_some(),
                "no Verilator in .tools: run `make tools`, or set BROWNOUT_SKIP_VERILATOR to leave these tests out"
            );
            let _ = writeln!(std::io::stderr(), "skipped: BROWNOUT_SKIP_VERILATOR is set");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        emitted
            .write_to(folder.path())
            .unwrap_or_else(|e| panic!("{e}"));
        let list = format!("{top}.f");
        run(Command::new(&verilator).current_dir(folder.path()).args([
            "--lint-only",
            "-Wall",
            "--top-module",
            top,
            "-f",
            &list,
        ]));
        run(Command::new(&verilator)
            .current_dir(folder.path())
            .args(["--cc", "-O3", "--x-initial", "unique", "--prefix", "Vbench"])
            .args(["--top-module", top, "-Mdir", ".", "-f", &list]));
        let main = folder.path().join("main.cpp");
        let ports = &emitted.top().ports;
        fs::write(&main, harness(ports, inputs, outputs)).expect("writing the test bench");
        compile(&verilator, folder.path());
        Some(Self {
            folder,
            inputs: inputs.len(),
            outputs: outputs.len(),
        })
    }

    /// One row of outputs for every row of inputs, sampled before the clock edge.
    pub fn run(&self, rows: &[Vec<u64>]) -> Vec<Vec<u64>> {
        let (stimuli, responses) = (self.file("stimuli"), self.file("responses"));
        let mut bytes = Vec::new();
        for row in rows {
            assert_eq!(row.len(), self.inputs, "one value per input");
            bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        }
        fs::write(&stimuli, bytes).expect("writing the stimuli");
        run(Command::new(self.file("bench")).args([&stimuli, &responses]));
        let bytes = fs::read(&responses).expect("reading the responses");
        let values: Vec<u64> = bytes
            .chunks_exact(8)
            .map(|b| u64::from_le_bytes(b.try_into().expect("eight bytes")))
            .collect();
        values
            .chunks_exact(self.outputs)
            .map(<[u64]>::to_vec)
            .collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Names of `count` lanes of a port.
pub fn lanes(port: &str, count: usize) -> Vec<String> {
    (0..count).map(|lane| format!("{port}_{lane}")).collect()
}

fn find_verilator() -> Option<PathBuf> {
    let tools = match env::var_os("BROWNOUT_TOOLS") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut above = folder.ancestors().map(|f| f.join(".tools"));
            above
                .find(|f| f.exists())
                .unwrap_or_else(|| folder.join(".tools"))
        }
    };
    let verilator = tools.join("bin/verilator_bin");
    verilator.exists().then_some(verilator)
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

/// Where `name` is in the model: port, lowest bit, bits. `x_3` is lane 3 of the array `x`, `x[1]`
/// the second 32 bits of the word `x`.
fn place(ports: &[Port], name: &str) -> (String, usize, usize) {
    if let Some(port) = ports.iter().find(|p| p.name == name) {
        return (port.name.clone(), 0, port.width);
    }
    if let Some((word, part)) = name.strip_suffix(']').and_then(|n| n.split_once('['))
        && let Some(port) = ports.iter().find(|p| p.name == word)
        && let Ok(part) = part.parse::<usize>()
    {
        return (port.name.clone(), 32 * part, 32.min(port.width - 32 * part));
    }
    let (array, lane) = name
        .rsplit_once('_')
        .unwrap_or_else(|| panic!("no port {name}"));
    let lane: usize = lane.parse().unwrap_or_else(|_| panic!("no port {name}"));
    let port = ports.iter().find(|p| p.name == array && lane < p.lanes);
    let port = port.unwrap_or_else(|| panic!("no port {name}"));
    let width = port.width / port.lanes;
    (port.name.clone(), lane * width, width)
}

/// Ports of any width, as they lie in memory.
const ACCESS: &str = "\
static void put(void* port, unsigned low, unsigned width, uint64_t value) {\n\
  for (unsigned b = low; b < low + width; b++, value >>= 1) {\n\
    uint8_t& byte = static_cast<uint8_t*>(port)[b / 8];\n\
    byte = (byte & ~(1 << b % 8)) | ((value & 1) << b % 8);\n  }\n}\n\
static uint64_t get(const void* port, unsigned low, unsigned width) {\n\
  uint64_t value = 0;\n\
  for (unsigned b = low + width; b-- > low;)\n\
    value = value << 1 | (static_cast<const uint8_t*>(port)[b / 8] >> b % 8 & 1);\n\
  return value;\n}\n";

fn harness(ports: &[Port], inputs: &[String], outputs: &[String]) -> String {
    let mut text = String::from(
        "#include \"Vbench.h\"\n#include \"verilated.h\"\n#include <cstdint>\n#include <cstdio>\n\
         #include <vector>\n",
    );
    text.push_str(ACCESS);
    text.push_str(
        "int main(int, char** argv) {\n\
         VerilatedContext context; context.randReset(2); context.randSeed(7);\n\
         Vbench m(&context);\n\
         FILE* in = fopen(argv[1], \"rb\"); FILE* out = fopen(argv[2], \"wb\");\n",
    );
    writeln!(
        text,
        "std::vector<uint64_t> x({}), y({});\nwhile (fread(x.data(), 8, x.size(), in) == x.size()) {{",
        inputs.len(),
        outputs.len()
    )
    .expect("writing to a string cannot fail");
    for (k, name) in inputs.iter().enumerate() {
        let (port, low, width) = place(ports, name);
        writeln!(text, "put(&m.{port}, {low}, {width}, x[{k}]);")
            .expect("writing to a string cannot fail");
    }
    text.push_str("m.clock = 0; m.eval();\n");
    for (k, name) in outputs.iter().enumerate() {
        let (port, low, width) = place(ports, name);
        writeln!(text, "y[{k}] = get(&m.{port}, {low}, {width});")
            .expect("writing to a string cannot fail");
    }
    text.push_str("fwrite(y.data(), 8, y.size(), out);\nm.clock = 1; m.eval();\n}\n");
    text.push_str("m.final(); return fclose(out);\n}\n");
    text
}

fn compiler(include: &Path) -> Command {
    let mut command = Command::new(env::var_os("CXX").unwrap_or_else(|| "g++".into()));
    command
        .args(["-std=c++17", "-O0", "-w", "-pthread", "-I"])
        .arg(include)
        .arg("-I")
        .arg(include.join("vltstd"));
    command
}

/// Verilator's runtime, compiled once per test program.
fn runtime(include: &Path) -> &'static [PathBuf] {
    static RUNTIME: OnceLock<(tempfile::TempDir, Vec<PathBuf>)> = OnceLock::new();
    let (_, objects) = RUNTIME.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let objects = ["verilated", "verilated_threads"].map(|part| {
            let object = folder.path().join(part).with_extension("o");
            let source = include.join(part).with_extension("cpp");
            run(compiler(include)
                .arg("-c")
                .arg(source)
                .arg("-o")
                .arg(&object));
            object
        });
        (folder, objects.to_vec())
    });
    objects
}

fn compile(verilator: &Path, folder: &Path) {
    let root = run(Command::new(verilator).args(["--getenv", "VERILATOR_ROOT"]));
    let include = Path::new(&root).join("include");
    let mut sources: Vec<PathBuf> = fs::read_dir(folder)
        .expect("reading the model's folder")
        .map(|entry| entry.expect("reading the model's folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "cpp"))
        .collect();
    sources.sort();
    run(compiler(&include)
        .args(&sources)
        .args(runtime(&include))
        .arg("-o")
        .arg(folder.join("bench")));
}
