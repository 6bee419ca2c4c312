//! Where words go: results to standard output, everything else to standard error.
//!
//! With `--json` standard output carries exactly one JSON document. A reader
//! that closes the pipe early ends nothing: what it does not want is dropped,
//! and the exit status still says how the command went.

use crate::error::Error;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// How much to say, and in which form.
#[derive(Clone, Copy, Debug, Default)]
pub struct Output {
    /// Results and errors only.
    pub quiet: bool,
    /// Results as one JSON document.
    pub json: bool,
}

impl Output {
    /// Prints a result, as text or as the JSON document.
    ///
    /// # Errors
    /// When standard output cannot be written, unless its reader is gone.
    pub fn result(self, document: &impl Serialize, text: &str) -> Result<(), Error> {
        let written = if self.json {
            let mut document = serde_json::to_string_pretty(document)
                .expect("results are plain data with text keys");
            document.push('\n');
            write_out(&document)
        } else {
            write_out(text)
        };
        written.map_err(Error::file("write to", Path::new("standard output")))
    }

    /// Says what is going on; never part of a result.
    pub fn remark(self, text: impl AsRef<str>) {
        if !self.quiet {
            complain(text.as_ref());
        }
    }

    /// A bar over `length` units, drawn on standard error if that is a terminal.
    pub fn bar(self, what: &str, length: u64, unit: &str) -> ProgressBar {
        let template =
            format!("{what} {{bar:30}} {{pos}}/{{len}} {unit}, {{rate}}/s, {{msg}}, {{eta}} left");
        let style = ProgressStyle::with_template(&template)
            .expect("the template is valid")
            .with_key(
                "rate",
                |state: &ProgressState, text: &mut dyn fmt::Write| {
                    // A bar that cannot say its speed is still a bar.
                    let _ = write!(text, "{:.0}", state.per_sec());
                },
            );
        ProgressBar::with_draw_target(Some(length), self.target()).with_style(style)
    }

    /// A spinner for what has no length, drawn like a bar.
    pub fn spinner(self, what: impl Into<String>) -> ProgressBar {
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}")
            .expect("the template is valid");
        let spinner = ProgressBar::with_draw_target(None, self.target())
            .with_style(style)
            .with_message(what.into());
        // The ticker is a thread, and its maker panics where there is none to be had.
        if !spinner.is_hidden() && thread::Builder::new().spawn(|| ()).is_ok() {
            spinner.enable_steady_tick(TICK);
        }
        spinner
    }

    fn target(self) -> ProgressDrawTarget {
        if self.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        }
    }
}

/// Writes a line to standard error. If even that fails there is nobody to tell.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless(text));
}

/// Most characters of a complaint; names from foreign files can be of any length.
const MOST_CHARACTERS: usize = 4000;

/// The text without control characters, which a foreign file could send to the terminal.
pub fn harmless(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MOST_CHARACTERS)
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(MOST_CHARACTERS).is_some() {
        shown.push_str(" ...");
    }
    shown
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_sends_no_escapes_and_has_an_end() {
        assert_eq!(harmless("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\nc");
        let long = "x".repeat(10 * MOST_CHARACTERS);
        assert_eq!(harmless(&long).len(), MOST_CHARACTERS + 4);
    }
}
