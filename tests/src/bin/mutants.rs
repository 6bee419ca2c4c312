//! The mutation score: `make mutants`.
//!
//! Results are kept in `target/mutants/*.jsonl`; what is there already, for
//! the same text and tests, is not run again.

use brownout_hdl::emit::Mutant;
use brownout_tests::mutation::battery::Verdict;
use brownout_tests::mutation::equivalence::{Pair, Proof, prove};
use brownout_tests::mutation::report::{self, Score};
use brownout_tests::mutation::store::{Record, Store};
use brownout_tests::mutation::{Bench, subjects};
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

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let started = Instant::now();
    let mut all = Score::default();
    for subject in subjects() {
        let bench = Bench::new(subject);
        let fingerprint = bench.fingerprint();
        let folder = PathBuf::from(FOLDER);
        let store = Store::open(&folder, bench.subject.name, &fingerprint)
            .map_err(|error| format!("{FOLDER}: {error}"))?;
        eprintln!(
            "{}: results in {}",
            bench.subject.name,
            store.path().display()
        );
        if let Verdict::Killed { test, message, .. } = bench.verdict(0) {
            let name = bench.subject.name;
            return Err(format!(
                "{name} without a mistake does not pass {test}: {message}"
            ));
        }
        let store = run_all(&bench, store)?;
        let records: Vec<&Record> = store.records().collect();
        records.iter().for_each(|record| all.add(record));
        print!("{}", report::subject(bench.subject.name, &records));
    }
    println!(
        "all: {} in {:.0} s",
        all.line(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
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
    let verdict = bench.verdict(number);
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
