//! What `--prune` removes besides the ledger's rows.

use super::ledger::Ledger;
use super::page::{ATTACKS, READINGS, SILICON};
use super::steps::{CHECKPOINT, MODEL};
use crate::error::Error;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// Removes the files of rows that are in the first ledger and not in the second: networks,
/// records of readings, and plots and tables that are no longer among `pages`; and what broken-off trainings
/// left, which are all done.
///
/// # Errors
/// When a file cannot be removed.
pub fn remove_files(
    folder: &Path,
    (all, named): (&Ledger, &Ledger),
    pages: &[(String, String)],
) -> Result<(), Error> {
    let mut names = BTreeSet::from([READINGS, ATTACKS, SILICON].map(str::to_owned));
    for network in all.networks.keys() {
        if !named.networks.contains_key(network) {
            names.extend([CHECKPOINT, MODEL].map(|ending| format!("{network}.{ending}")));
        }
    }
    for key in all.readings.keys() {
        if let Some((reading, network)) = key.split_once('/')
            && !named.readings.contains_key(key)
        {
            names.insert(format!("{reading}.{network}.json"));
            names.extend(["", "-rate"].map(|end| format!("{reading}{end}.svg")));
        }
    }
    let files = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if let Some((network, rest)) = name.split_once('.')
            && rest.ends_with("state")
            && all.networks.contains_key(network)
        {
            names.insert(name);
        }
    }
    for (page, _) in pages {
        names.remove(page);
    }
    for name in names {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &path)(e));
            }
            _ => {}
        }
    }
    Ok(())
}
