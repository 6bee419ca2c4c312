//! The mutation score: `make mutants`.
//!
//! Results are kept in `target/mutants/*.jsonl`; what is there already, for
//! the same text and tests, is not run again. Arguments are names of the
//! accelerators to run. When all have run, `tests/mutants.md` is compared with
//! the results; the exit status is 1 if it says something else.

use brownout_hdl::emit::Mutant;
use brownout_tests::mutation::battery::Verdict;
use brownout_tests::mutation::equivalence::{Pair, Proof, prove};
use brownout_tests::mutation::page;
use brownout_tests::mutation::report::{self, Score};
use brownout_tests::mutation::store::{Record, Store};
use brownout_tests::mutation::{Bench, subjects};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Mutants that run at a time.
const THREADS: usize = 2;
/// Longest search for a proof of equivalence.
const PROOF: Duration = Duration::from_secs(60);
/// Where results are kept, below the current folder.
const FOLDER: &str = "target/mutants";

/// What explains the survivors, below the current folder.
const PAGE: &str = "tests/mutants.md";

fn main() -> ExitCode {
    let names: Vec<String> = env::args().skip(1).collect();
    match run(&names) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// Runs the accelerators of these names, or all; says whether the page has the results of all.
fn run(names: &[String]) -> Result<bool, String> {
    let known: Vec<&str> = subjects().iter().map(|subject| subject.name).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        let known = known.join(", ");
        return Err(format!(
            "there is no accelerator {name}; allowed are {known}"
        ));
    }
    let started = Instant::now();
    let mut scores = Vec::new();
    let mut survivors = Vec::new();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    for subject in subjects().into_iter().filter(|s| wanted(s.name)) {
        let name = subject.name;
        let store = run_subject(Bench::new(subject))?;
        let records: Vec<&Record> = store.records().collect();
        let mut score = Score::default();
        records.iter().for_each(|record| score.add(record));
        scores.push((name, score));
        survivors.extend(page::survivors(name, &records));
        print!("{}", report::subject(name, &records));
    }
    let table = page::table(&scores);
    println!("{table}\n{} s", started.elapsed().as_secs());
    if !names.is_empty() {
        return Ok(true);
    }
    let text = fs::read_to_string(PAGE).map_err(|error| format!("{PAGE}: {error}"))?;
    let wrong = page::disagreements(&text, &table, &survivors);
    for sentence in &wrong {
        println!("{PAGE} disagrees: {sentence}");
    }
    Ok(wrong.is_empty())
}

/// Runs all mutants of one accelerator.
fn run_subject(bench: Bench) -> Result<Store, String> {
    let name = bench.subject.name;
    let store = Store::open(&PathBuf::from(FOLDER), name, &bench.fingerprint())
        .map_err(|error| format!("{FOLDER}: {error}"))?;
    eprintln!("{name}: results in {}", store.path().display());
    if let Verdict::Killed { test, message, .. } = bench.verdict(0) {
        return Err(format!(
            "{name} without a mistake does not pass {test}: {message}"
        ));
    }
    run_all(&bench, store)
}

/// Runs the mutants that are not known yet.
fn run_all(bench: &Bench, store: Store) -> Result<Store, String> {
    let count = bench.mutated.mutants.len() as u16;
    let next = AtomicU16::new(1);
    let store = Mutex::new(store);
    let work = || -> Result<(), String> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number > count {
                return Ok(());
            }
            let known = store
                .lock()
                .expect("no worker panicked")
                .get(number)
                .is_some();
            if known {
                continue;
            }
            let record = examine(bench, number);
            let mut store = store.lock().expect("no worker panicked");
            store.add(record).map_err(|e| format!("{FOLDER}: {e}"))?;
        }
    };
    let results: Vec<Result<(), String>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|w| w.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
            .collect()
    });
    results.into_iter().collect::<Result<(), String>>()?;
    Ok(store.into_inner().expect("no worker panicked"))
}

fn examine(bench: &Bench, number: u16) -> Record {
    let mutant = bench.mutant(number);
    let started = Instant::now();
    let verdict = match bench.verdict(number) {
        Verdict::Survived => refuted(bench, number),
        killed => killed,
    };
    let seconds = started.elapsed().as_secs_f64();
    let proof = match verdict {
        Verdict::Survived => Some(equivalence(bench, mutant)),
        Verdict::Killed { .. } => None,
    };
    Record {
        fingerprint: bench.fingerprint(),
        number,
        module: mutant.module.clone(),
        mistake: mutant.mistake.to_string(),
        line: mutant.line,
        before: mutant.before.clone(),
        after: mutant.after.clone(),
        verdict,
        seconds,
        proof,
    }
}

fn refuted(bench: &Bench, number: u16) -> Verdict {
    let found = bench.refuted(number).unwrap_or_else(|error| {
        eprintln!("mutant {number}: no answer about a claim: {error}");
        None
    });
    found.unwrap_or(Verdict::Survived)
}

fn equivalence(bench: &Bench, mutant: &Mutant) -> Proof {
    let modules = &bench.mutated.original.modules;
    let design: Vec<(String, String)> = modules
        .iter()
        .map(|m| (m.name.clone(), m.text.clone()))
        .collect();
    let original = design.iter().find(|(name, _)| *name == mutant.module);
    let pair = Pair {
        module: &mutant.module,
        original: original.map_or("", |(_, text)| text),
        mutant: &mutant.text,
        design: &design,
    };
    prove(&pair, PROOF).unwrap_or_else(|error| {
        // A memory, for example, is not cut open; the mutant then counts as a survivor.
        eprintln!("mutant {}: no proof: {error}", mutant.number);
        Proof::Unknown
    })
}
