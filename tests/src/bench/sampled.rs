//! Where simulated time goes, by module: the harness with the model compiled into
//! it and line numbers kept, sampled a hundred times a second.
//!
//! Compiler and C library are all it needs: `profil` counts where the program is,
//! `addr2line` names the line of Verilator's C++, and the first signal of that
//! line's statement, the one that gets a value or decides, names the module.

use super::harness::{FLAGS, RUNTIME, ended_well, write_sources};
use super::report::{BenchError, Figure};
use super::simulation::Session;
use brownout_sim::toolchain::Toolchain;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

const SAMPLER: &str = include_str!("sampler.cpp");
/// How Verilator's C++ begins the names of signals in the accelerator.
const HIERARCHY: &str = "brownout__DOT__";
const LEVEL: &str = "__DOT__";
/// Levels of the hierarchy that are told apart.
const LEVELS: usize = 2;
/// What has less than this share, in percent, is added up.
const SMALL: f64 = 1.0;
/// How long samples are taken: a hundred a second.
const SECONDS: f64 = 20.0;
const SECONDS_QUICK: f64 = 1.0;
/// How much longer than asked for the last run is meant to be, so that it is long enough.
const MARGIN: f64 = 1.1;
/// How many times as often the session is played from one run to the next, at most: a short run
/// says little about how long one of many sessions takes.
const MOST_GROWTH: u64 = 10;

/// Shares of the modules in the processor time of a session in C++.
pub fn measure(
    session: &Session,
    conditions: &str,
    quick: bool,
) -> Result<Vec<Figure>, BenchError> {
    let (toolchain, _) = crate::session::tools();
    let program = Program::build(&toolchain, session, quick)?;
    let addresses = program.samples(if quick { SECONDS_QUICK } else { SECONDS })?;
    let modules = program.modules(&addresses)?;
    let all: u64 = modules.values().sum();
    let percent = |samples: u64| 100.0 * samples as f64 / all as f64;
    let mut shares: Vec<(String, f64)> =
        modules.into_iter().map(|(m, n)| (m, percent(n))).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    let large = shares.iter().filter(|share| share.1 >= SMALL);
    let small: f64 = shares
        .iter()
        .map(|share| share.1)
        .filter(|&s| s < SMALL)
        .sum();
    let mut shares: Vec<(String, f64)> = large.cloned().collect();
    if small > 0.0 {
        shares.push(("modules below 1 % each".to_owned(), small));
    }
    let conditions = format!("{conditions}, {all} samples");
    let figure = |(module, share): (String, f64)| {
        Figure::new(&format!("sampled: {module}"), &conditions, "%", vec![share])
    };
    Ok(shares.into_iter().map(figure).collect())
}

/// The harness with its model and the sampler.
struct Program<'a> {
    session: &'a Session,
    folder: TempDir,
}

impl<'a> Program<'a> {
    fn build(toolchain: &Toolchain, session: &'a Session, quick: bool) -> Result<Self, BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::file(&std::env::temp_dir()))?;
        let program = Self { session, folder };
        let folder = program.folder.path();
        write_sources(toolchain, session.configuration(), folder)?;
        let path = folder.join("sampler.cpp");
        fs::write(&path, SAMPLER).map_err(BenchError::file(&path))?;
        let listed = fs::read_dir(folder).map_err(BenchError::file(folder))?;
        let mut sources: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
        sources.retain(|path| path.extension().is_some_and(|e| e == "cpp"));
        sources.sort();
        let mut command = toolchain.compiler();
        // Fixed addresses, so that samples and line numbers speak of the same ones.
        command.args(FLAGS).args(["-g", "-no-pie"]);
        if quick {
            command.arg("-O0");
        }
        command.arg("-I").arg(folder).args(sources);
        command.args(RUNTIME.map(|file| toolchain.include().join(file)));
        command.arg("-o").arg(program.path("program"));
        ended_well("be compiled for the profile", &mut command)?;
        Ok(program)
    }

    /// Runs for `seconds` at least; returns how many samples there are at each address.
    fn samples(&self, seconds: f64) -> Result<BTreeMap<String, u64>, BenchError> {
        let (record, profile) = (self.path("record"), self.path("profile"));
        self.session.stimulus().write(&record)?;
        // More and more often, until the time of a run says how often it has to be: one session
        // may be shorter than the steps in which a machine counts processor time.
        let (mut times, mut took) = (1, self.time(&record, &profile, 1)?);
        while took < seconds {
            let wanted = (times as f64 * MARGIN * seconds / took).ceil();
            times = (wanted as u64).min(times * MOST_GROWTH);
            took = self.time(&record, &profile, times)?;
        }
        let text = fs::read_to_string(&profile).map_err(BenchError::file(&profile))?;
        let mut taken = BTreeMap::new();
        for (address, count) in text.lines().flat_map(|line| line.split_once(' ')) {
            *taken.entry(address.to_owned()).or_default() += count.parse().unwrap_or(0);
        }
        if taken.is_empty() {
            let (action, complaint) = ("be sampled", "no sample was taken".to_owned());
            return Err(BenchError::Harness { action, complaint });
        }
        Ok(taken)
    }

    /// Plays the session so many times; the seconds that it took, by the clock on the wall: the
    /// program's own time is only that of the last session's images.
    fn time(&self, record: &Path, profile: &Path, times: u64) -> Result<f64, BenchError> {
        let mut command = Command::new(self.path("program"));
        command.arg(record).arg(times.to_string());
        let start = Instant::now();
        ended_well("be run for the profile", command.env("PROFILE", profile))?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Samples of each module.
    fn modules(
        &self,
        samples: &BTreeMap<String, u64>,
    ) -> Result<BTreeMap<String, u64>, BenchError> {
        let mut modules = BTreeMap::new();
        let mut texts = HashMap::new();
        for (lines, count) in self.lines(samples.keys())?.iter().zip(samples.values()) {
            // From the innermost inlined function outwards: the runtime's have no signals.
            let found = lines.iter().find_map(|(file, line)| {
                let text = texts.entry(file.clone()).or_insert_with(|| {
                    let text = fs::read_to_string(file).unwrap_or_default();
                    text.lines().map(str::to_owned).collect::<Vec<_>>()
                });
                module_of(text, *line)
            });
            let module = found.unwrap_or_else(|| "simulation loop and harness".to_owned());
            *modules.entry(module).or_default() += count;
        }
        Ok(modules)
    }

    /// File and line of each address, and those into which it was inlined.
    fn lines<'b>(
        &self,
        addresses: impl Iterator<Item = &'b String>,
    ) -> Result<Vec<Vec<(PathBuf, usize)>>, BenchError> {
        let failed = |error: std::io::Error| BenchError::Harness {
            action: "be read by addr2line",
            complaint: error.to_string(),
        };
        let mut command = Command::new("addr2line");
        command.args(["-a", "-i", "-e"]).arg(self.path("program"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let list: Vec<&str> = addresses.map(String::as_str).collect();
        let mut child = command.spawn().map_err(failed)?;
        let mut input = child.stdin.take().expect("it was piped");
        // Beside the reading of its answers, which would fill the pipe.
        let output = std::thread::scope(|scope| {
            scope.spawn(move || input.write_all(list.join("\n").as_bytes()));
            child.wait_with_output()
        })
        .map_err(failed)?;
        let mut places: Vec<Vec<(PathBuf, usize)>> = Vec::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            match line.rsplit_once(':') {
                None => places.push(Vec::new()),
                Some((file, number)) => {
                    let number = number.split(' ').next().unwrap_or_default();
                    let place = (PathBuf::from(file), number.parse().unwrap_or(0));
                    places
                        .last_mut()
                        .into_iter()
                        .for_each(|p| p.push(place.clone()));
                }
            }
        }
        Ok(places)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The module whose signal comes first in the statement at a line, counted from 1.
fn module_of(text: &[String], line: usize) -> Option<String> {
    let ends = |line: &String| line.trim_end().ends_with([';', '{', '}']);
    let at = line.checked_sub(1).filter(|&at| at < text.len())?;
    let first = text[..at].iter().rposition(ends).map_or(0, |end| end + 1);
    let length = text[first..].iter().position(ends).map_or(1, |end| end + 1);
    let statement = &text[first..(first + length).min(text.len())];
    statement.iter().find_map(|line| {
        let (_, name) = line.split_once(HIERARCHY)?;
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        Some(module(&name[..end.unwrap_or(name.len())]))
    })
}

/// The upper levels of a signal's instance, numbers left out.
fn module(name: &str) -> String {
    let levels: Vec<&str> = name.split(LEVEL).collect();
    let instances = &levels[..levels.len() - 1];
    let kinds = instances.iter().take(LEVELS).map(|instance| {
        let digits = |part: &&str| !part.contains(|c: char| c.is_ascii_digit());
        instance
            .split('_')
            .filter(digits)
            .collect::<Vec<_>>()
            .join("_")
    });
    match instances {
        [] => "top".to_owned(),
        _ => kinds.collect::<Vec<_>>().join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "void f() {
    vlSelfRef.brownout__DOT__array__DOT__pe_r9_c8__DOT__sum_q
        = (vlSelfRef.brownout__DOT__columns__DOT__column_1__DOT__sum_q
           + 1);
    if (vlSelfRef.brownout__DOT__clear) {
        vlSelfRef.__Vdly__brownout__DOT__weight_path__DOT__fifo__DOT__ring__DOT__a_1 = 0;
    }
}";

    #[test]
    fn time_of_a_statement_is_that_of_the_module_whose_signal_it_sets() {
        let text: Vec<String> = TEXT.lines().map(str::to_owned).collect();
        let modules: Vec<_> = (0..10).map(|line| module_of(&text, line)).collect();
        let expected = [
            None,
            None,
            Some("array/pe"),
            Some("array/pe"),
            Some("array/pe"),
            Some("top"),
            Some("weight_path/fifo"),
            None,
            None,
            None,
        ];
        assert_eq!(modules, expected.map(|m| m.map(str::to_owned)));
    }
}
