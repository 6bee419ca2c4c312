//! `brownout report`: a folder of results as one page.
//!
//! `folder` finds and reads the files, `ledger` takes a study's apart, `documents` says what each is, `plots` and `tables` show
//! them, `page` puts all together. The page needs nothing but itself: no script, no font, no
//! picture from elsewhere. The same folder gives the same bytes.

mod documents;
mod facts;
mod folder;
mod ledger;
mod page;
mod plots;
mod tables;

use crate::arguments::ReportArguments;
use crate::error::Error;
use crate::files;
use crate::output::{self, Output};
use folder::{Folder, NotUnderstood};
use serde::Serialize;

/// What the command prints.
#[derive(Debug, Serialize)]
struct Written<'a> {
    /// The page.
    file: String,
    /// Results that it shows.
    results: usize,
    /// Files that it only names.
    not_understood: &'a [NotUnderstood],
}

/// Runs the command.
///
/// # Errors
/// When the folder cannot be read or holds no result, or the page would replace a file that is
/// read or cannot be written.
pub fn run(arguments: &ReportArguments, output: Output) -> Result<(), Error> {
    let paths = folder::json_files(&arguments.folder)?;
    let default = || arguments.folder.join("report.html");
    let out = arguments.out.clone().unwrap_or_else(default);
    if paths.iter().any(|path| files::are_same(path, &out)) {
        let allowed = "a file that is not one of the results";
        return Err(Error::flag("--out", out.display(), allowed));
    }
    files::check_writable(&out)?;
    let folder = Folder::read(&arguments.folder, &paths)?;
    files::write(&out, page::render(&folder).as_bytes())?;
    let written = Written {
        file: out.display().to_string(),
        results: folder.files.len(),
        not_understood: &folder.not_understood,
    };
    output.result(&written, &written.render())
}

impl Written<'_> {
    fn render(&self) -> String {
        let plural = if self.results == 1 { "" } else { "s" };
        let mut text = format!("{} shows {} result{plural}\n", self.file, self.results);
        for file in self.not_understood {
            // Names and reasons hold foreign text, which is for a terminal here.
            let reason = output::harmless(&format!("{}: {}", file.name, file.reason));
            text.push_str(&format!("not understood: {reason}\n"));
        }
        text
    }
}
