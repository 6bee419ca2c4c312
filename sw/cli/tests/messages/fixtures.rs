//! The files that a case needs, made from a line each.

use super::case::{Fixture, run};
use super::common::Sandbox;
use super::common::idx::IdxFolder;
use super::tensors;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

/// Makes what a line of a case says.
pub fn make(sandbox: &Sandbox, fixture: &Fixture) -> Result<(), String> {
    let words: Vec<&str> = fixture.rest.split_whitespace().collect();
    let block = || {
        let lines = fixture.block.iter();
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    match (fixture.kind.as_str(), &words[..]) {
        ("folder", [name]) => fs::create_dir_all(sandbox.path(name)).map_err(|e| e.to_string()),
        ("text", [name]) => write(sandbox, name, block().as_bytes()),
        ("hex", [name, bytes @ ..]) => write(sandbox, name, &hex(bytes)?),
        ("vector", [name, vector]) => {
            let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../images/tests/vectors");
            let bytes = fs::read(format!("{vectors}/{vector}")).map_err(|e| e.to_string())?;
            write(sandbox, name, &bytes)
        }
        ("idx", [folder, keys @ ..]) => idx(sandbox, folder, &Keys::new(keys)?),
        ("cifar", [name, keys @ ..]) => {
            let keys = Keys::new(keys)?;
            write(sandbox, name, &cifar(&keys)?)
        }
        ("tensors", [name]) => write(sandbox, name, &tensors::file(sandbox, &fixture.block)?),
        ("rename", [from, to]) => {
            let to = target(sandbox, to)?;
            fs::rename(sandbox.path(from), to).map_err(|e| e.to_string())
        }
        ("remove", [name]) => fs::remove_file(sandbox.path(name)).map_err(|e| e.to_string()),
        ("run", _) => {
            let answer = run(sandbox, &fixture.rest);
            match answer.status {
                Some(0) => Ok(()),
                status => Err(format!(
                    "status {}: {}",
                    status.map_or("none".into(), |s| s.to_string()),
                    answer.err
                )),
            }
        }
        _ => Err(format!(
            "`@ {} {}` is no fixture",
            fixture.kind, fixture.rest
        )),
    }
}

/// A name in the folder, in a folder that exists.
fn target(sandbox: &Sandbox, name: &str) -> Result<PathBuf, String> {
    let path = sandbox.path(name);
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    Ok(path)
}

fn write(sandbox: &Sandbox, name: &str, bytes: &[u8]) -> Result<(), String> {
    fs::write(target(sandbox, name)?, bytes).map_err(|e| e.to_string())
}

fn hex(words: &[&str]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for word in words {
        let (byte, times) = word.split_once('*').unwrap_or((word, "1"));
        let byte = u8::from_str_radix(byte, 16).map_err(|e| format!("{word}: {e}"))?;
        let times: usize = times.parse().map_err(|e| format!("{word}: {e}"))?;
        bytes.extend(std::iter::repeat_n(byte, times));
    }
    Ok(bytes)
}

/// `KEY=VALUE` words.
struct Keys<'a>(HashMap<&'a str, &'a str>);

impl<'a> Keys<'a> {
    fn new(words: &[&'a str]) -> Result<Self, String> {
        let pair = |word: &&'a str| word.split_once('=').ok_or(format!("{word} has no ="));
        Ok(Self(words.iter().map(pair).collect::<Result<_, _>>()?))
    }

    fn number(&self, key: &str, default: usize) -> Result<usize, String> {
        match self.0.get(key) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|e| format!("{key}={value}: {e}")),
        }
    }

    /// Refuses keys that mean nothing, so that no case says what it does not do.
    fn check(&self, known: &[&str]) -> Result<(), String> {
        match self.0.keys().find(|key| !known.contains(key)) {
            Some(key) => Err(format!("{key}= means nothing here; known are {known:?}")),
            None => Ok(()),
        }
    }
}

/// The four files: `classes` labels from `first` (0) on in turn, so `classes=1 first=3` is one
/// class only; images of `size` (8x8), `train` (64) and `test` (32) of them, with 0 not written.
fn idx(sandbox: &Sandbox, folder: &str, keys: &Keys<'_>) -> Result<(), String> {
    keys.check(&["classes", "first", "size", "train", "test"])?;
    let defaults = IdxFolder::default();
    let size = match keys.0.get("size") {
        None => Some(defaults.size),
        Some(size) => size
            .split_once('x')
            .and_then(|(height, width)| Some((height.parse().ok()?, width.parse().ok()?))),
    };
    let files = IdxFolder {
        classes: keys.number("classes", defaults.classes)?,
        first: keys.number("first", defaults.first)?,
        size: size.ok_or("size= is not of the form 8x8")?,
        train: keys.number("train", defaults.train)?,
        test: keys.number("test", defaults.test)?,
    };
    files.write(sandbox, folder);
    Ok(())
}

/// `records` (4) of `kind` (10, or 100 with a coarse label before the fine one), whose labels
/// run from 0 to `classes` (the kind) - 1 in turn.
fn cifar(keys: &Keys<'_>) -> Result<Vec<u8>, String> {
    keys.check(&["records", "kind", "classes"])?;
    let kind = keys.number("kind", 10)?;
    let classes = keys.number("classes", kind)?;
    let mut bytes = Vec::new();
    for record in 0..keys.number("records", 4)? {
        let label = (record % classes) as u8;
        if kind == 100 {
            bytes.push(label / 5);
        }
        bytes.push(label);
        bytes.extend((0..3072).map(|p| (p * 7 + record * 31) as u8));
    }
    Ok(bytes)
}
