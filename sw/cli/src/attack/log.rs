//! The JSON log of attacks: every cell, and all that it takes to invert them once more.
//!
//! What is not as a log was written is found by the digest of its content; another network
//! or other images by theirs.

use super::asked::Asked;
use super::plan::Plan;
use super::report::{Figures, Report};
use super::subject::Subject;
use crate::arguments::AttackSettings;
use crate::error::Error;
use crate::files;
use crate::provenance::digest;
use brownout_golden::attack::{AttackLog, Attacked};
use brownout_golden::data::{Dataset, Split};
use brownout_golden::evaluate::Provenance;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

/// Largest log that is read: about half a million flips.
const MOST_BYTES: u64 = 256 << 20;
/// Key of the digest over all others.
const DIGEST: &str = "digest";

/// What one attack has done, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// Its figures in the end.
    pub figures: Figures,
    /// Its cells.
    pub log: AttackLog,
}

impl From<Attacked> for Logged {
    fn from(attacked: Attacked) -> Self {
        Self {
            figures: Figures::of(&attacked),
            log: attacked.log,
        }
    }
}

/// The file. Settings are written with every default, and read as a recipe's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogFile<S, A> {
    /// Program, commit, command and files.
    pub provenance: Provenance,
    /// Digest of the checkpoint.
    pub network: String,
    /// Digest of all images and labels.
    pub data: String,
    /// What was asked for.
    pub settings: S,
    /// Attacks in the order of their seeds.
    pub attacks: A,
    /// Digest of everything above.
    pub digest: String,
}

/// Writes the log of attacks.
///
/// # Errors
/// When the file cannot be written.
pub fn write(
    path: &Path,
    report: &Report,
    (plan, subject): (&Plan<'_>, &Subject),
    attacks: &[Logged],
) -> Result<(), Error> {
    let mut file = LogFile {
        provenance: report.provenance.clone(),
        network: plan.network_digest(),
        data: data_digest(&subject.split),
        settings: &report.settings,
        attacks,
        digest: String::new(),
    };
    let text = |file: &LogFile<&Asked, &[Logged]>| {
        let text = serde_json::to_string_pretty(file);
        text.expect("a log is plain data with text keys") + "\n"
    };
    let content = serde_json::from_str(&text(&file)).expect("it was just written");
    file.digest = content_digest(content).1;
    files::write(path, text(&file).as_bytes())
}

/// A log that was read.
pub type Read = LogFile<AttackSettings, Vec<Logged>>;

impl Read {
    /// Reads a log.
    ///
    /// # Errors
    /// When it cannot be read, is no log, or is not as it was written.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = files::text(path, files::read_up_to(path, MOST_BYTES)?)?;
        let refused = |problem: String| {
            Error::content(path)(format!(
                "{problem}; allowed is a .json file of `attack --log`, as it was written"
            ))
        };
        let content: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|error| refused(format!("this is no log of attacks: {error}")))?;
        let (said, found) = content_digest(content);
        let file: Self = serde_json::from_str(&text)
            .map_err(|error| refused(format!("this is no log of attacks: {error}")))?;
        if said != Some(found) {
            return Err(refused(
                "the log is damaged or was changed: its content has another digest".to_owned(),
            ));
        }
        Ok(file)
    }

    /// Checks that the network is the one that was attacked.
    ///
    /// # Errors
    /// If it is another one.
    pub fn check_network(&self, path: &Path, plan: &Plan<'_>) -> Result<(), Error> {
        let same = self.network == plan.network_digest();
        check(path, "another network", &self.provenance.model, same)
    }

    /// Checks that the images are those of the attacks.
    ///
    /// # Errors
    /// If they are others.
    pub fn check_data(&self, path: &Path, subject: &Subject) -> Result<(), Error> {
        let same = self.data == data_digest(&subject.split);
        check(path, "other data", &self.provenance.data, same)
    }
}

fn check(path: &Path, what: &str, logged: &str, same: bool) -> Result<(), Error> {
    if same {
        return Ok(());
    }
    let problem = format!("the log is of {what}, that of {logged}; allowed is the log's own");
    Err(Error::content(path)(problem))
}

/// The digest that a log has, and that of its content.
fn content_digest(mut content: Map<String, Value>) -> (Option<String>, String) {
    let said = content.remove(DIGEST);
    let said = said.and_then(|said| said.as_str().map(str::to_owned));
    let text = Value::Object(content).to_string();
    (said, digest(&[text.as_bytes()]))
}

fn data_digest(split: &Split) -> String {
    let parts = [&split.train, &split.test];
    let [train, test] = parts.map(|data| digest(&[&data.images.identity()]));
    let [train_labels, test_labels] = parts.map(Dataset::label_identity);
    digest(&[
        &train_labels,
        train.as_bytes(),
        &test_labels,
        test.as_bytes(),
    ])
}
