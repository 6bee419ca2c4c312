//! `brownout generate`: an accelerator as Verilog, with what its host needs to know.

mod former;
mod memories;

use crate::arguments::GenerateArguments;
use crate::configuration::{self, Chosen};
use crate::error::Error;
use crate::files;
use crate::fit::{self, ArrayReport};
use crate::output::Output;
use crate::placement::Placement;
use crate::table::Table;
use brownout_golden::model::IntegerModel;
use brownout_hdl::emit::{Emitted, Module, Origin};
use brownout_spec::config::Configuration;
use brownout_spec::program::descriptor;
use brownout_spec::registers;
use brownout_spec::serial::{self, Board};
use serde::Serialize;
use std::path::Path;

/// File with a model's packed weights.
const IMAGE_FILE: &str = "weights.image";

/// What was written.
#[derive(Debug, Serialize)]
struct Report {
    top: String,
    folder: String,
    modules: Vec<ModuleReport>,
    files: Vec<String>,
    /// What a fitted model costs on every array.
    #[serde(skip_serializing_if = "Option::is_none")]
    arrays: Option<Vec<ArrayReport>>,
}

#[derive(Debug, Serialize)]
struct ModuleReport {
    name: String,
    origin: &'static str,
    lines: usize,
}

/// Runs the command.
///
/// # Errors
/// When configuration or model are not allowed, or the folder cannot be written.
pub fn run(arguments: &GenerateArguments, output: Output) -> Result<(), Error> {
    let config = arguments.config.as_deref();
    let (chosen, image, arrays) = match (&arguments.model, &arguments.fit) {
        (Some(path), _) => {
            let chosen = configuration::read(config)?;
            let image = pack(&chosen, path, &IntegerModel::read(path)?)?;
            (chosen, Some(image), None)
        }
        (None, Some(path)) => {
            let model = IntegerModel::read(path)?;
            let (chosen, arrays) = fit::fitted(config, path, &model)?;
            let image = pack(&chosen, path, &model)?;
            (chosen, Some(image), Some(arrays))
        }
        (None, None) => (configuration::read(config)?, None, None),
    };
    let macros = memories::asked(arguments)?;
    let mut emitted = verilog(&chosen.configuration, output)?;
    let of_macros = match macros {
        None => Vec::new(),
        Some((path, list)) => {
            let with = memories::with_macros(path, &emitted, &list)?;
            let files = memories::files_of(&with)?;
            emitted = with.emitted;
            files
        }
    };
    let top = match arguments.board {
        None => None,
        Some(board) => Some((
            board,
            brownout_hdl::generate_board(&chosen.configuration, board)?,
        )),
    };
    let mut files = files_of(&chosen, &emitted);
    files.extend(
        top.iter()
            .flat_map(|(board, top)| files_of_board(*board, top, &emitted)),
    );
    memories::check_files(arguments, &files, &of_macros)?;
    files.extend(of_macros);
    files.extend(image.map(|bytes| (IMAGE_FILE.to_owned(), bytes)));
    refuse_overwriting(arguments, &files)?;
    let left = former::left_over(&arguments.out, &files)?;
    files::write_all(&arguments.out, &files)?;
    former::remove(&left)?;
    let report = Report {
        top: emitted.top().name.clone(),
        folder: arguments.out.display().to_string(),
        modules: emitted
            .modules
            .iter()
            .chain(top.iter().flat_map(|(_, top)| &top.modules))
            .map(report_module)
            .collect(),
        files: files.into_iter().map(|(name, _)| name).collect(),
        arrays,
    };
    // The files are the result; the table is a remark about them.
    if output.json || !output.quiet {
        output.result(&report, &render(&report))?;
    }
    if !left.is_empty() {
        output.remark(format!(
            "{} files of another accelerator were removed",
            left.len()
        ));
    }
    output.remark(format!(
        "{} files are in {}",
        report.files.len(),
        report.folder
    ));
    Ok(())
}

/// The bytes of a model's weight image.
fn pack(chosen: &Chosen, path: &Path, model: &IntegerModel) -> Result<Vec<u8>, Error> {
    let name = path.display().to_string();
    let placement = Placement::new(chosen.clone(), &name, model)?;
    Ok(placement.image.to_bytes())
}

/// Refuses to write another text over a file that was read: the configuration
/// with its comments, or the model.
fn refuse_overwriting(
    arguments: &GenerateArguments,
    files: &[(String, Vec<u8>)],
) -> Result<(), Error> {
    let read = [
        ("--config", &arguments.config),
        ("--model", &arguments.model),
        ("--fit", &arguments.fit),
        ("--macros", &arguments.macros),
    ];
    for (flag, input) in read {
        let Some(input) = input else { continue };
        for (name, bytes) in files {
            let target = arguments.out.join(name);
            if files::are_same(input, &target) && files::read(input)? != *bytes {
                let allowed = format!(
                    "a folder in which {} is not the file that {flag} names",
                    target.display()
                );
                return Err(Error::flag("--out", arguments.out.display(), allowed));
            }
        }
    }
    Ok(())
}

/// The Verilog of a configuration.
///
/// # Errors
/// When the configuration is not allowed.
pub fn verilog(configuration: &Configuration, output: Output) -> Result<Emitted, Error> {
    let spinner = output.spinner("generating Verilog");
    let emitted = brownout_hdl::generate(configuration)?;
    spinner.finish_and_clear();
    Ok(emitted)
}

/// Every file of a generated accelerator: name and content.
pub fn files_of(chosen: &Chosen, emitted: &Emitted) -> Vec<(String, Vec<u8>)> {
    let top = &emitted.top().name;
    let mut files: Vec<(String, Vec<u8>)> = emitted
        .modules
        .iter()
        .map(|module| (verilog_name(module), emitted.module_file(module).into()))
        .collect();
    let list = list_of(emitted);
    let header = registers::c_header();
    let map = registers_page(&chosen.configuration);
    let toml = chosen.configuration.to_toml();
    files.extend([
        (format!("{top}.f"), list.into()),
        (format!("{top}.toml"), toml.into()),
        ("registers.h".to_owned(), header.into()),
        ("registers.md".to_owned(), map.into()),
    ]);
    files
}

/// Every file that a board adds: its modules, a list of all Verilog with the board's top first,
/// and the commands on its serial line.
fn files_of_board(board: Board, top: &Emitted, accelerator: &Emitted) -> Vec<(String, Vec<u8>)> {
    let name = &top.top().name;
    let mut files: Vec<(String, Vec<u8>)> = top
        .modules
        .iter()
        .map(|module| (verilog_name(module), top.module_file(module).into()))
        .collect();
    let page = format!("# Serial line of `{name}`\n\n{}", serial::markdown(board));
    files.extend([
        (
            format!("{name}.f"),
            (list_of(top) + &list_of(accelerator)).into(),
        ),
        ("serial.md".to_owned(), page.into()),
    ]);
    files
}

fn list_of(emitted: &Emitted) -> String {
    let lines = emitted.modules.iter().map(|m| verilog_name(m) + "\n");
    lines.collect()
}

fn verilog_name(module: &Module) -> String {
    format!("{}.v", module.name)
}

/// The register map as a page of documentation.
fn registers_page(configuration: &Configuration) -> String {
    let emulation = if configuration.fault_emulation {
        "is built in"
    } else {
        "is not built in: its registers read as zero"
    };
    format!(
        "# Registers of `{}`\n\n\
         Registers are 32 bits wide and addressed by number. Of a 64-bit counter, the low half is \
         read first; reading it latches the high half. Fault emulation {emulation}. \
         IDENTIFICATION reads {:#010x}, VERSION {:#010x}, GEOMETRY {:#010x}. {}\n\n{}\n{}\n\
         # Layer descriptors\n\n\
         The program memory holds {} words of 32 bits for each layer.\n\n{}",
        configuration.name,
        registers::IDENTIFICATION_VALUE,
        registers::VERSION_VALUE,
        registers::geometry(configuration),
        registers::stored_words(configuration),
        registers::PROTOCOL,
        registers::markdown(),
        descriptor::WORDS,
        registers::descriptor_markdown()
    )
}

fn report_module(module: &Module) -> ModuleReport {
    ModuleReport {
        name: module.name.clone(),
        origin: match module.origin {
            Origin::RustHdl => "rust-hdl",
            Origin::Leaf => "leaf",
        },
        lines: module.text.lines().count(),
    }
}

fn render(report: &Report) -> String {
    let mut table = Table::new(&["module", "from", ">lines"]);
    for module in &report.modules {
        let lines = module.lines.to_string();
        table.row([module.name.as_str(), module.origin, &lines]);
    }
    let leaves = report.modules.iter().filter(|m| m.origin == "leaf").count();
    let lines: usize = report.modules.iter().map(|m| m.lines).sum();
    let arrays = report.arrays.as_deref().map(fit::render);
    let arrays = arrays.map_or_else(String::new, |table| table + "\n");
    format!(
        "{arrays}{}\n{} modules from rust-hdl, {leaves} leaves that it cannot express, {lines} lines of \
         Verilog\n",
        table.render(),
        report.modules.len() - leaves
    )
}
