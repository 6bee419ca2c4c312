//! PyTorch as a program that takes turns: a line asks, a line answers.

use super::report::BenchError;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Environment variable that names a Python with PyTorch.
const PYTHON: &str = "BROWNOUT_PYTHON";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/pytorch_speed.py");

/// What PyTorch is asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// `train` or `eval`.
    pub kind: &'static str,
    /// Name of a built-in network.
    pub network: &'static str,
    /// `fp32` or `bf16`.
    pub precision: &'static str,
    /// Images of a step.
    pub batch: usize,
}

/// The running program.
pub struct PyTorch {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    version: String,
}

impl PyTorch {
    /// Starts it with that many threads; `None` where no PyTorch is installed.
    pub fn start(threads: usize) -> Option<Self> {
        let python = env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned());
        let mut command = Command::new(python);
        command.arg(Path::new(SCRIPT)).arg(threads.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.stderr(Stdio::null()).spawn().ok()?;
        let questions = process.stdin.take()?;
        let mut pytorch = Self {
            answers: BufReader::new(process.stdout.take()?),
            version: String::new(),
            questions,
            process,
        };
        pytorch.version = pytorch.answer().filter(|line| !line.is_empty())?;
        Some(pytorch)
    }

    /// Its name and version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How long so many steps take.
    ///
    /// # Errors
    /// When it does not answer with a number.
    pub fn time(&mut self, request: &Request, steps: usize) -> Result<Duration, BenchError> {
        let Request {
            kind,
            network,
            precision,
            batch,
        } = request;
        let asked = writeln!(
            self.questions,
            "{kind} {network} {precision} {batch} {steps}"
        );
        let answer = match asked.and_then(|()| self.questions.flush()) {
            Ok(()) => self.answer().unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        let seconds = answer.parse().ok().map(Duration::try_from_secs_f64);
        match seconds {
            Some(Ok(time)) if !time.is_zero() => Ok(time),
            _ => Err(BenchError::PyTorch {
                request: format!("{kind} {network} in {precision}"),
                answer,
            }),
        }
    }

    fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        // It has nothing to lose, and may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
