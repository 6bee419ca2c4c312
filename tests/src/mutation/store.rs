//! Results on disk, one line of JSON a mutant, so that a run can be continued.

use super::battery::Verdict;
use super::equivalence::Proof;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// One mutant's result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Of the text and the tests; results of other ones are not used.
    pub fingerprint: String,
    /// The mutant's number.
    pub number: u16,
    /// Its module.
    pub module: String,
    /// Its kind of mistake.
    pub mistake: String,
    /// Line in the module's text.
    pub line: usize,
    /// What stands there.
    pub before: String,
    /// What the mutant says instead.
    pub after: String,
    /// What the tests say.
    pub verdict: Verdict,
    /// Seconds that the tests took.
    pub seconds: f64,
    /// Of survivors: whether it differs at all.
    pub proof: Option<Proof>,
}

/// The results of one subject.
pub struct Store {
    file: File,
    path: PathBuf,
    known: BTreeMap<u16, Record>,
}

impl Store {
    /// Opens `<folder>/<name>.jsonl` and reads what is known for `fingerprint`.
    ///
    /// Lines of other tests, and a line that a killed run left unfinished, are dropped.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn open(folder: &Path, name: &str, fingerprint: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{name}.jsonl"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let records = text.lines().filter_map(|l| serde_json::from_str(l).ok());
        let known: BTreeMap<u16, Record> = records
            .filter(|r: &Record| r.fingerprint == fingerprint)
            .map(|r| (r.number, r))
            .collect();
        let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
        for record in known.values() {
            writeln!(fresh, "{}", line(record))?;
        }
        fresh.persist(&path).map_err(|e| e.error)?;
        let file = OpenOptions::new().append(true).open(&path)?;
        Ok(Self { file, path, known })
    }

    /// Where the results are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of a mutant.
    pub fn get(&self, number: u16) -> Option<&Record> {
        self.known.get(&number)
    }

    /// All results, by number.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.known.values()
    }

    /// Keeps a result.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, record: Record) -> io::Result<()> {
        let mut text = line(&record);
        text.push('\n');
        self.file.write_all(text.as_bytes())?;
        self.known.insert(record.number, record);
        Ok(())
    }
}

fn line(record: &Record) -> String {
    serde_json::to_string(record).expect("a record is plain data with text keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fingerprint: &str, number: u16) -> Record {
        Record {
            fingerprint: fingerprint.into(),
            number,
            module: "m".into(),
            mistake: "logic".into(),
            line: 1,
            before: "a".into(),
            after: "b".into(),
            verdict: Verdict::Survived,
            seconds: 0.5,
            proof: None,
        }
    }

    #[test]
    fn results_of_other_tests_and_half_lines_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), "x", "old").unwrap();
        store.add(record("old", 1)).unwrap();
        store.add(record("new", 2)).unwrap();
        let mut file = OpenOptions::new().append(true).open(store.path()).unwrap();
        write!(file, "{}", &line(&record("new", 3))[..40]).unwrap();
        let store = Store::open(folder.path(), "x", "new").unwrap();
        assert!(store.get(1).is_none() && store.get(2).is_some() && store.get(3).is_none());
    }
}
