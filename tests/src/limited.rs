//! Programs that may run for so long and no longer.
//!
//! A program that hangs would keep whoever waits for it until somebody ends the whole run, and
//! nobody would know what it was doing. Here it is ended with all that it started, and what each
//! of them was doing is said.

use std::fmt::Write;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it is looked whether a program has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A program that was ended because its time was over.
#[derive(Clone, Debug)]
pub struct Late {
    /// What it had written to standard output and standard error until then.
    pub said: String,
    /// A line for each thread of it and of what it had started: process, command, state of the
    /// thread, and where in the kernel it waits.
    pub doing: String,
}

/// Runs a program to its end, or ends it after `limit`, with everything that it started.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn within(limit: Duration, command: &mut Command) -> io::Result<Result<Output, Late>> {
    // A group of its own, so that it can be ended together with its children.
    command.process_group(0).stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (out, err) = (
        child.stdout.take().map(drain),
        child.stderr.take().map(drain),
    );
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Ok(status);
        }
        if Instant::now() > end {
            let doing = threads(child.id());
            end_group(&mut child)?;
            break Err(doing);
        }
        thread::sleep(LOOK);
    };
    let [stdout, stderr] = [out, err].map(collect);
    Ok(match status {
        Ok(status) => Ok(Output {
            status,
            stdout,
            stderr,
        }),
        Err(doing) => Err(Late {
            said: String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned(),
            doing,
        }),
    })
}

fn drain(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What cannot be read is missing from the message, no more.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

fn collect(reader: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    let bytes = reader.and_then(|reader| reader.join().ok());
    bytes.unwrap_or_default()
}

fn end_group(child: &mut Child) -> io::Result<()> {
    // The shell's own, which every system has; the standard library ends single processes.
    let kill = format!("kill -KILL -{}", child.id());
    Command::new("sh").args(["-c", &kill]).status()?;
    child.kill()?;
    child.wait().map(drop)
}

/// What the threads of a group of processes are doing; empty where there is no `/proc`.
fn threads(group: u32) -> String {
    let mut lines = String::new();
    let numbers = |folder: &Path| -> Vec<u32> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut numbers: Vec<u32> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers
    };
    for process in numbers(Path::new("/proc")) {
        let folder = Path::new("/proc").join(process.to_string());
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        if fields(&read("stat")).map(|(_, of)| of) != Some(group) {
            continue;
        }
        let command = read("cmdline").replace('\0', " ");
        for thread in numbers(&folder.join("task")) {
            let read = |name: &str| read(&format!("task/{thread}/{name}"));
            let state = fields(&read("stat")).map_or('?', |(state, _)| state);
            let (waits, call) = (read("wchan"), read("syscall"));
            let call = call.split(' ').next().unwrap_or_default().trim();
            // Writing into a string does not fail.
            let _ = writeln!(
                lines,
                "{process} {command}: thread {thread}, state {state}, in {waits}, system call {call}"
            );
        }
    }
    lines
}

/// State and process group of a line of `/proc/PID/stat`: behind the name, which may have blanks.
fn fields(stat: &str) -> Option<(char, u32)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let group = fields.nth(1)?.parse().ok()?;
    Some((state, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_ends_in_time_has_said_and_returned_what_it_did() {
        let ended = within(
            Duration::from_secs(60),
            &mut shell("echo a; echo b >&2; exit 3"),
        );
        let output = ended.expect("it starts").expect("it ends");
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b"a\n"[..], &b"b\n"[..])
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_what_it_started_and_both_are_named() {
        let start = Instant::now();
        // The child inherits the pipes: as long as it lives, they do not end.
        let hangs = within(
            Duration::from_millis(300),
            &mut shell("echo begun; sleep 1234 & sleep 1235; true"),
        );
        let late = hangs.expect("it starts").expect_err("it hangs");
        assert!(start.elapsed() < Duration::from_secs(60));
        assert_eq!(late.said, "begun\n");
        for child in ["sleep 1234", "sleep 1235", "state S"] {
            assert!(late.doing.contains(child), "{}", late.doing);
        }
        let left = Command::new("ps").args(["-eo", "args"]).output();
        let left = left.map(|left| String::from_utf8_lossy(&left.stdout).into_owned());
        assert!(!left.is_ok_and(|left| left.contains("sleep 1234")));
    }
}
