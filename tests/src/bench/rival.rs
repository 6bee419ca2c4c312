//! Another program that takes turns: a line asks, a line answers.

use super::report::BenchError;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The running program.
pub struct Rival {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    version: String,
}

impl Rival {
    /// Starts a script with that many threads; `None` where its Python lacks what it needs.
    pub fn start(python: &Path, script: &str, threads: usize) -> Option<Self> {
        let mut command = Command::new(python);
        command.arg(script).arg(threads.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.stderr(Stdio::null()).spawn().ok()?;
        let questions = process.stdin.take()?;
        let mut rival = Self {
            answers: BufReader::new(process.stdout.take()?),
            version: String::new(),
            questions,
            process,
        };
        rival.version = rival.read().filter(|line| !line.is_empty())?;
        Some(rival)
    }

    /// Its name and version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How long what it is asked for takes.
    ///
    /// # Errors
    /// When it does not answer with a number.
    pub fn time(&mut self, request: &str) -> Result<Duration, BenchError> {
        let answer = self.ask(request);
        match answer.parse().ok().map(Duration::try_from_secs_f64) {
            Some(Ok(time)) if !time.is_zero() => Ok(time),
            _ => Err(self.refusal(request, answer)),
        }
    }

    /// The whole number that it answers.
    ///
    /// # Errors
    /// When it does not answer with one.
    pub fn count(&mut self, request: &str) -> Result<u64, BenchError> {
        let answer = self.ask(request);
        let count = answer.parse();
        count.map_err(|_| self.refusal(request, answer))
    }

    fn refusal(&self, request: &str, answer: String) -> BenchError {
        BenchError::Rival {
            name: self.version.clone(),
            request: request.replace('\t', " "),
            answer,
        }
    }

    fn ask(&mut self, request: &str) -> String {
        let asked = writeln!(self.questions, "{request}");
        match asked.and_then(|()| self.questions.flush()) {
            Ok(()) => self.read().unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }

    fn read(&mut self) -> Option<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It has nothing to lose, and may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
