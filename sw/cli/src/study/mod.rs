//! `brownout study`: networks, and what is measured on them, as one recipe says.
//!
//! `recipe` reads it, `check` and `ready` refuse what is not allowed before it costs time, `keys` says what
//! decides a result, `steps` does what is not done yet, with `networks` and `silicon`, `ledger`
//! remembers it (and `prune` forgets), and `page` and `figures` make of the ledger what people and programs
//! read.

mod check;
mod energy;
mod figures;
mod keys;
mod ledger;
mod networks;
#[cfg(not(feature = "simulate"))]
mod no_silicon;
mod page;
mod prune;
mod ready;
mod recipe;
#[cfg(feature = "simulate")]
mod silicon;
mod steps;

use crate::arguments::{Global, StudyArguments};
use crate::error::Error;
use crate::files;
use crate::output::Output;
use ledger::Ledger;
use recipe::Study;
use serde::Serialize;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use steps::Work;

#[derive(Debug, Serialize)]
struct Report {
    folder: String,
    /// Results that were made now.
    made: usize,
    /// Results in all.
    results: usize,
    /// Results of rows that the recipe no longer names, kept for when it does again.
    unnamed: usize,
    files: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the recipe, a setting or a file is not allowed, training is interrupted, or RTL and golden
/// model differ. What is done by then is kept.
pub fn run(arguments: &StudyArguments, global: &Global, output: Output) -> Result<(), Error> {
    if let Some(seed) = global.seed {
        let allowed = "none: the recipe says the seeds of what it trains and measures";
        return Err(Error::flag("--seed", seed, allowed));
    }
    let study = Study::read(&arguments.recipe)?;
    let folder = folder(arguments)?;
    let is_new = !folder.exists();
    files::create_folder(&folder)?;
    let _alone = alone(&folder)?;
    let result = in_folder(&study, &folder, arguments, output);
    if is_new && result.is_err() {
        // Made for nothing if nothing is in it, and nobody else is at work in it.
        let _ = std::fs::remove_dir(&folder);
    }
    result
}

fn in_folder(
    study: &Study,
    folder: &Path,
    arguments: &StudyArguments,
    output: Output,
) -> Result<(), Error> {
    let (data, start) = (arguments.data.as_ref(), arguments.start.as_deref());
    let places = (arguments.recipe.as_path(), folder);
    let mut work = Work::new(study, places, (data, start), arguments.accept, output)?;
    let made = work.all()?;
    let shown = work.ledger.of(study);
    let kept = if arguments.prune {
        &shown
    } else {
        &work.ledger
    };
    let pages = page::render(study, &shown, &arguments.recipe);
    if arguments.prune {
        // Before the ledger, which knows what is to be removed.
        prune::remove_files(folder, (&work.ledger, &shown), &pages)?;
    }
    if Ledger::read(folder)? != *kept {
        kept.write(folder)?;
    }
    for (name, text) in &pages {
        files::write(&folder.join(name), text.as_bytes())?;
    }
    let report = Report {
        folder: folder.display().to_string(),
        made,
        results: shown.results(),
        unnamed: kept.results() - shown.results(),
        files: pages.into_iter().map(|(name, _)| name).collect(),
    };
    let unnamed = match report.unnamed {
        0 => String::new(),
        n => format!(
            "; the ledger also keeps {n} of rows that the recipe no longer names (--prune forgets them)"
        ),
    };
    let text = format!(
        "{} of {} results are new{unnamed}; the page is {}\n",
        report.made,
        report.results,
        folder.join(page::PAGE).display()
    );
    output.result(&report, &text)
}

/// Keeps other studies out of a folder as long as the returned file is open.
fn alone(folder: &Path) -> Result<File, Error> {
    let file = File::open(folder).map_err(Error::file("open the folder", folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::content(folder)(
            "another study is at work in this folder; allowed is one at a time",
        )),
        // A system without such locks keeps nobody out.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// The folder of results: the recipe's name without its ending, unless it is given.
fn folder(arguments: &StudyArguments) -> Result<PathBuf, Error> {
    if let Some(folder) = &arguments.out {
        return Ok(folder.clone());
    }
    let folder = arguments.recipe.with_extension("");
    match folder == arguments.recipe {
        false => Ok(folder),
        true => Err(Error::flag(
            "the recipe",
            arguments.recipe.display(),
            "a name with an ending, as in NAME.toml, or --out DIR",
        )),
    }
}
