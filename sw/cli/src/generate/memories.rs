//! Memories made of macros: the files that they add.

use crate::arguments::{GenerateArguments, Memories};
use crate::error::Error;
use crate::files;
use brownout_hdl::emit::Emitted;
use brownout_hdl::macros::{self, MacroError, WithMacros};
use brownout_spec::macros::MacroList;
use std::path::Path;

/// File that says which memory is made of what.
const TABLE_FILE: &str = "memories.json";
/// Largest list that is read.
const MOST_BYTES: u64 = 1 << 20;

/// The list of macros, where memories are to be made of them.
///
/// # Errors
/// When only one of the two flags is given, or the list is not allowed.
pub fn asked(arguments: &GenerateArguments) -> Result<Option<(&Path, MacroList)>, Error> {
    let refuse = |value: &str, allowed: &str| Err(Error::flag("--memories", value, allowed));
    match (arguments.memories, &arguments.macros) {
        (Memories::Inferred, None) => Ok(None),
        (Memories::Inferred, Some(_)) => refuse("inferred", "macro with --macros FILE"),
        (Memories::Macro, None) => refuse("macro", "inferred, or macro with --macros FILE"),
        (Memories::Macro, Some(path)) => {
            let text = files::text(path, files::read_up_to(path, MOST_BYTES)?)?;
            let list = MacroList::from_toml(&text).map_err(Error::content(path))?;
            Ok(Some((path, list)))
        }
    }
}

/// The accelerator with the macros of the list in the file `path`.
///
/// # Errors
/// When a name is taken, or the macros are too few or too small.
pub fn with_macros(path: &Path, emitted: &Emitted, list: &MacroList) -> Result<WithMacros, Error> {
    macros::with_macros(emitted, list).map_err(Error::content(path))
}

/// What is written beside the accelerator: a model of each macro (`NAME.v`) and its declaration
/// without a body (`NAME.bb.v`), with a list of each kind, and the table of all memories.
///
/// # Errors
/// When the table cannot be written as JSON.
pub fn files_of(with: &WithMacros) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let top = &with.emitted.top().name;
    let list = |ending: &str| -> String {
        let lines = with
            .macros
            .iter()
            .map(|one| format!("{}{ending}\n", one.name));
        lines.collect()
    };
    let mut files = Vec::new();
    for one in &with.macros {
        files.push((format!("{}.v", one.name), file(with, &one.model)));
        files.push((format!("{}.bb.v", one.name), file(with, &one.declaration)));
    }
    files.push((format!("{top}_models.f"), list(".v").into()));
    files.push((format!("{top}_blackboxes.f"), list(".bb.v").into()));
    let table =
        serde_json::to_string_pretty(&with.table).map_err(Error::content(Path::new(TABLE_FILE)))?;
    files.push((TABLE_FILE.to_owned(), (table + "\n").into()));
    Ok(files)
}

/// Refuses macros whose files are those of the accelerator or of a board's top.
///
/// # Errors
/// Naming the macro.
pub fn check_files(
    arguments: &GenerateArguments,
    files: &[(String, Vec<u8>)],
    of_macros: &[(String, Vec<u8>)],
) -> Result<(), Error> {
    let taken = |name: &str| {
        files
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    let path = arguments.macros.as_deref().unwrap_or(Path::new(""));
    match of_macros.iter().find(|(name, _)| taken(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let name = name.trim_end_matches(".v").to_owned();
            Err(Error::content(path)(MacroError::Name(name)))
        }
    }
}

/// A file of Verilog that opens as all others.
fn file(with: &WithMacros, text: &str) -> Vec<u8> {
    let opens = with.emitted.header.lines().next().unwrap_or_default();
    format!("// {opens}\n`default_nettype none\n\n{text}`default_nettype wire\n").into()
}
