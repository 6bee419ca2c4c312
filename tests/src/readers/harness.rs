//! Runs a reader on damaged files and watches it.

use super::Reader;
use super::allocation::{self, Demand};
use super::mutate::Mutator;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time for one file before the reader is said to hang.
pub const LONGEST: Duration = Duration::from_secs(10);
/// Longest refusal, in characters.
const LONGEST_SENTENCE: usize = 2000;
/// What only the text of a programmer's debug print contains.
const RAW: [&str; 8] = [
    "Some(", "None)", "Err(", "Ok(", " { ", "Error(", "::", "Os {",
];

/// What was observed over all files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Files accepted.
    pub accepted: u64,
    /// Files refused with a sentence.
    pub refused: u64,
    /// Distinct sentences, numbers and quoted names left out.
    pub sentences: usize,
    /// Most memory that one file cost beyond its own bytes.
    pub peak: usize,
    /// Largest single request.
    pub largest: usize,
    /// Most memory per byte of a file, beyond what any file may cost.
    pub per_byte: f64,
    /// Longest time for one file.
    pub slowest: Duration,
}

/// What a reader did that it must not do; `round` makes the file again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It panicked, or what it accepted broke its law.
    Panic {
        /// Which file.
        round: u64,
        /// What it said.
        message: String,
    },
    /// It took too long; it may still be running.
    Hang {
        /// Which file.
        round: u64,
    },
    /// It asked for too much memory.
    Memory {
        /// Which file.
        round: u64,
        /// Bytes of the file.
        bytes: usize,
        /// What was asked for.
        demand: Demand,
    },
    /// The refusal is no sentence for a person.
    Wording {
        /// Which file.
        round: u64,
        /// What it said.
        message: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic { round, message } => write!(f, "file {round} panics: {message}"),
            Self::Hang { round } => write!(f, "file {round} takes too long"),
            Self::Memory {
                round,
                bytes,
                demand,
            } => write!(
                f,
                "file {round} of {bytes} bytes costs {} bytes of memory, {} of them at once",
                demand.peak, demand.largest
            ),
            Self::Wording { round, message } => {
                write!(f, "file {round} is refused with {message:?}")
            }
        }
    }
}

/// Reads `rounds` damaged files on a thread of its own.
///
/// # Errors
/// The first thing that a reader must not do.
///
/// # Panics
/// If this program's allocator is not the [`allocation::Meter`].
pub fn torture(reader: Reader, rounds: u64, longest: Duration) -> Result<Report, Failure> {
    assert!(
        allocation::is_metered(),
        "the global allocator counts nothing"
    );
    let round = Arc::new(AtomicU64::new(0));
    let (send, receive) = channel();
    let worker_round = Arc::clone(&round);
    thread::spawn(move || {
        // Nobody listens after a hang.
        let _ = send.send(read_all(reader, rounds, &worker_round));
    });
    let mut seen = (0, Instant::now());
    loop {
        match receive.recv_timeout(longest / 16) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => {
                let round = round.load(Ordering::Relaxed);
                let message = "the worker ended without a result".to_owned();
                return Err(Failure::Panic { round, message });
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = round.load(Ordering::Relaxed);
                if now != seen.0 {
                    seen = (now, Instant::now());
                } else if seen.1.elapsed() > longest {
                    return Err(Failure::Hang { round: now });
                }
            }
        }
    }
}

fn read_all(reader: Reader, rounds: u64, current: &AtomicU64) -> Result<Report, Failure> {
    let mutator = Mutator::new(reader.format, (reader.seeds)());
    let mut report = Report::default();
    let mut sentences = std::collections::HashSet::new();
    for round in 0..rounds {
        current.store(round, Ordering::Relaxed);
        let bytes = mutator.file(round);
        let start = Instant::now();
        match read_one(reader, &bytes, round, &mut report)? {
            None => report.accepted += 1,
            Some(message) => {
                check_wording(&message).map_err(|()| Failure::Wording {
                    round,
                    message: message.clone(),
                })?;
                report.refused += 1;
                sentences.insert(shape(&message));
            }
        }
        report.slowest = report.slowest.max(start.elapsed());
    }
    report.sentences = sentences.len();
    Ok(report)
}

/// Reads one file; the sentence, if it is refused.
fn read_one(
    reader: Reader,
    bytes: &[u8],
    round: u64,
    report: &mut Report,
) -> Result<Option<String>, Failure> {
    let panicked = |panic: Box<dyn std::any::Any + Send>| Failure::Panic {
        round,
        message: text_of(panic.as_ref()),
    };
    // Nothing of a reader outlives its panic but the bytes, which it cannot change.
    let (verdict, demand) =
        allocation::measure(|| catch_unwind(AssertUnwindSafe(|| (reader.read)(bytes))));
    let verdict = verdict.map_err(panicked)?;
    let allowed = reader.memory_free + reader.memory_per_byte * bytes.len();
    if demand.peak > allowed || demand.largest > allowed {
        return Err(Failure::Memory {
            round,
            bytes: bytes.len(),
            demand,
        });
    }
    report.peak = report.peak.max(demand.peak);
    report.largest = report.largest.max(demand.largest);
    let beyond = demand.peak.saturating_sub(reader.memory_free);
    let per_byte = beyond as f64 / bytes.len().max(1) as f64;
    report.per_byte = report.per_byte.max(per_byte);
    match verdict {
        Err(message) => Ok(Some(message)),
        Ok(law) => {
            catch_unwind(AssertUnwindSafe(law)).map_err(panicked)?;
            Ok(None)
        }
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text")
        .to_owned()
}

/// One line of reasonable length, without control characters and debug prints.
fn check_wording(message: &str) -> Result<(), ()> {
    let sentence = message.split_whitespace().count() >= 3
        && message.chars().count() <= LONGEST_SENTENCE
        && !message.chars().any(char::is_control)
        && !RAW.iter().any(|raw| message.contains(raw));
    sentence.then_some(()).ok_or(())
}

/// A sentence without what varies from file to file.
fn shape(message: &str) -> String {
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
    message.split_whitespace().filter(plain).collect()
}
