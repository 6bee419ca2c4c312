//! What a user reads on standard error, one file a case: to add a case, add a file to `cases/`.
//!
//! A case is a text file of three parts, in this order:
//!
//! ```text
//! # Remarks for who reads the case: what is shown, and why it is right.
//! @ idx five classes=5 size=4x4                      fixtures, made in an empty folder
//! @ run train --network mlp --data idx:five --epochs 1 --quiet --checkpoint five.float
//! $ brownout evaluate five.float --data idx:other    the command line, one
//! status 2                                           what came of it, written by the runner
//! brownout: ... the exact standard error ...
//! ```
//!
//! | fixture | what it makes |
//! | --- | --- |
//! | `@ folder NAME` | an empty folder; every other fixture makes the folders that it needs |
//! | `@ text NAME` | a file of the lines that follow, each indented by four spaces |
//! | `@ hex NAME 1f 8b ..` | a file of these bytes; `00*800` is 800 of them |
//! | `@ idx FOLDER KEY=VALUE ..` | the four files of MNIST's form; keys in `fixtures.rs` |
//! | `@ cifar FILE KEY=VALUE ..` | records of CIFAR-10 or CIFAR-100; keys in `fixtures.rs` |
//! | `@ tensors NAME` | a safetensors file, described by indented lines; words in `tensors.rs` |
//! | `@ vector NAME FILE` | a copy of a file of `sw/images/tests/vectors` |
//! | `@ rename FROM TO`, `@ remove NAME` | a file or folder under another name, or gone |
//! | `@ run ARGUMENTS` | runs `brownout ARGUMENTS`, which must succeed |
//! | `@ simulate` | nothing; the case needs the feature `simulate` and is left out without it |
//! | `@ foreign` | nothing; the case needs the feature `foreign` and is left out without it |
//! | `@ show out` | nothing; standard output belongs to the case, after a line `output:` |
//!
//! Arguments are parted by spaces; `"` holds some together. The command runs in the folder, so
//! its names are short; where the folder's own name appears it reads `{folder}`, which a command
//! line may use, too. `UPDATE_EXPECT=1 cargo test -p brownout --test messages` writes what came of
//! each case, for a new one as well; `CASE=import` runs only those with `import` in their names.
//! What differs from machine to machine (time, the last digits of an accuracy) belongs in no case.

mod case;
#[path = "../common/mod.rs"]
mod common;
mod fixtures;
mod tensors;

use case::Case;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages/cases");
    let part = std::env::var("CASE").unwrap_or_default();
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".txt"))
        .filter(|path| path.file_stem().unwrap().to_string_lossy().contains(&part))
        .collect();
    cases.sort();
    cases
}

#[test]
fn every_case_reads_as_its_file_says() {
    let (cases, update) = (cases(), std::env::var_os("UPDATE_EXPECT").is_some());
    assert!(!cases.is_empty(), "no case has such a name");
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.min(cases.len()) {
            scope.spawn(|| {
                while let Some(path) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = play(path, update) {
                        let name = path.file_stem().unwrap().to_string_lossy();
                        failures.lock().unwrap().push(format!("{name}: {failure}"));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {} cases failed; run again with UPDATE_EXPECT=1 if this is meant\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

fn play(path: &Path, update: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let case = Case::parse(&text)?;
    if case.needs_simulation && !cfg!(feature = "simulate") {
        return Ok(());
    }
    if case.needs_foreign && !cfg!(feature = "foreign") {
        return Ok(());
    }
    let found = case.play()?;
    if update {
        let whole = format!("{}{found}", case.head);
        return std::fs::write(path, whole).map_err(|e| e.to_string());
    }
    match case.expected == found {
        true => Ok(()),
        false => Err(format!("\n{}", case::diff(&case.expected, &found))),
    }
}

#[test]
fn a_case_that_says_something_else_is_seen_line_by_line() {
    let text = "# Why.\n$ brownout info --code hamming\nstatus 2\nanother sentence\n";
    let case = Case::parse(text).unwrap();
    assert_eq!(case.head, "# Why.\n$ brownout info --code hamming\n");
    let found = case.play().unwrap();
    assert!(found.starts_with("status 2\nerror: "), "{found}");
    let diff = case::diff(&case.expected, &found);
    assert!(
        diff.starts_with("  status 2\n- another sentence\n+ error: "),
        "{diff}"
    );
    assert_eq!(case::diff("a\nb\nc\n", "a\nc\nd\n"), "  a\n- b\n  c\n+ d\n");
}

#[test]
fn a_case_that_is_none_is_refused_with_its_line() {
    for (text, reason) in [
        ("# nothing else\n", "no line that begins with $"),
        ("$ info\n", "does not begin with `brownout`"),
        ("@ wish a\n$ brownout info\n", "line 1"),
        ("hello\n$ brownout info\n", "line 1"),
        ("@ idx a sides=3\n$ brownout info\n", "sides"),
        ("@ run info --code x\n$ brownout info\n", "status 2"),
    ] {
        let refused = Case::parse(text).and_then(|case| case.play());
        let message = refused.unwrap_err();
        assert!(message.contains(reason), "{message:?} lacks {reason:?}");
    }
}
