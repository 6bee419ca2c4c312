//! What `--prune` removes besides the ledger's rows.

use super::ledger::Ledger;
use super::page::{ATTACKS, READINGS, SILICON};
use crate::error::Error;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// Removes what was made of rows that are in the first ledger and not in the second: records of
/// readings, and plots and tables that are no longer among `pages`. Networks stay: another
/// study may name them.
///
/// # Errors
/// When a file cannot be removed.
pub fn remove_files(
    folder: &Path,
    (all, named): (&Ledger, &Ledger),
    pages: &[(String, String)],
) -> Result<(), Error> {
    let mut names = BTreeSet::from([READINGS, ATTACKS, SILICON].map(str::to_owned));
    for key in all.readings.keys() {
        if let Some((reading, network)) = key.split_once('/')
            && !named.readings.contains_key(key)
        {
            names.insert(format!("{reading}.{network}.json"));
            names.extend(["", "-rate"].map(|end| format!("{reading}{end}.svg")));
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
