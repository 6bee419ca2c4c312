//! What the emitter hands out: modules, their ports, and files.

use super::error::EmitError;
use std::io::Write;
use std::path::Path;

/// Where a module's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Printed from rust-hdl's AST.
    RustHdl,
    /// A leaf's own Verilog.
    Leaf,
}

/// Direction of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Driven from outside.
    Input,
    /// Driven by the module.
    Output,
}

/// A port as it is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Verilog identifier.
    pub name: String,
    /// Direction seen from the module.
    pub direction: Direction,
    /// Bits, of all lanes together.
    pub width: usize,
    /// Declared `signed`.
    pub signed: bool,
    /// Lanes of a packed array: lane k of w bits is `[w * k +: w]`. 1 for a single value.
    pub lanes: usize,
}

/// A port as a parent sees it, and the scalars that it is made of.
#[derive(Debug, Clone)]
pub(crate) struct PackedPort {
    pub name: String,
    pub input: bool,
    pub clock: bool,
    pub lane_width: usize,
    /// Places among the ports before packing, lowest lane first.
    pub members: Vec<usize>,
}

/// One module kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Verilog identifier.
    pub name: String,
    /// From `module` (with its description above) to `endmodule`.
    pub text: String,
    /// Where the text comes from.
    pub origin: Origin,
    /// Ports in the order of the text.
    pub ports: Vec<Port>,
    /// Where signals and children of the description are in the text, if not under their own name:
    /// `stage_3_q`, `stage_q[31:24]`; `pe_r0_c1`, `gen_pe_row[0].gen_pe_column[1].pe`.
    pub places: Vec<(String, String)>,
    /// Where the children are in the text, and the modules that they are instances of:
    /// `gen_pe_row[0].gen_pe_column[1].pe`, `brownout_pe`.
    pub children: Vec<(String, String)>,
}

/// All modules of a design, the top first, every parent before its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// The modules; names are unique.
    pub modules: Vec<Module>,
    /// Comment lines that open the top's file, the first of them every file.
    pub header: String,
}

impl Emitted {
    /// The top module.
    pub fn top(&self) -> &Module {
        &self.modules[0]
    }

    /// Everything as one text, the same bytes for the same design.
    pub fn text(&self) -> String {
        let modules: Vec<&str> = self.modules.iter().map(|m| m.text.as_str()).collect();
        file(self.header.lines(), "\n", &modules.join("\n"))
    }

    /// The file `<name>.v` of one module. The top's opens with the whole header, others with its
    /// first line.
    pub fn module_file(&self, module: &Module) -> String {
        match module.name == self.top().name {
            true => file(self.header.lines(), "\n", &module.text),
            false => file(self.header.lines().take(1), "", &module.text),
        }
    }

    /// Writes `<module>.v` for every module and `<top>.f`, the list of these files, into `dir`.
    ///
    /// # Errors
    /// [`EmitError::Write`] with the operating system's answer.
    pub fn write_to(&self, dir: &Path) -> Result<(), EmitError> {
        let mut list = String::new();
        for module in &self.modules {
            let name = format!("{}.v", module.name);
            write(dir, &name, &self.module_file(module))?;
            list.push_str(&name);
            list.push('\n');
        }
        write(dir, &format!("{}.f", self.top().name), &list)
    }
}

/// A file of Verilog; `gap` stands between its header and what follows.
fn file<'a>(header: impl Iterator<Item = &'a str>, gap: &str, body: &str) -> String {
    let comments = header.map(|line| format!("// {line}").trim_end().to_string() + "\n");
    let mut out: String = comments.collect();
    if !out.is_empty() {
        out.push_str(gap);
    }
    out.push_str("`default_nettype none\n\n");
    out.push_str(body);
    out.push_str("`default_nettype wire\n");
    out
}

/// Writes under a temporary name first, so that a reader never sees half a file.
fn write(dir: &Path, name: &str, text: &str) -> Result<(), EmitError> {
    let path = dir.join(name);
    let failed = |reason: std::io::Error| EmitError::Write {
        path: path.display().to_string(),
        reason: reason.to_string(),
    };
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.persist(&path).map_err(|e| failed(e.error))?;
    Ok(())
}
