//! One case: its parts, and what comes of it.

use super::common::{Answer, Sandbox};
use super::fixtures;
use std::fmt::Write;

/// A case as its file has it.
pub struct Case {
    /// Everything to the command line, which stays when the rest is written anew.
    pub head: String,
    /// What is said to come of it.
    pub expected: String,
    /// Whether it needs a command that can simulate.
    pub needs_simulation: bool,
    /// Whether it needs a command that reads other people's files.
    pub needs_foreign: bool,
    shows_output: bool,
    fixtures: Vec<Fixture>,
    arguments: String,
}

/// A line that begins with `@`, and the indented ones below it.
pub struct Fixture {
    /// Number of the line, from 1.
    pub line: usize,
    /// Its first word.
    pub kind: String,
    /// What follows.
    pub rest: String,
    /// The indented lines, without their indentation.
    pub block: Vec<String>,
}

impl Case {
    /// The case of a text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut case = Self {
            head: String::new(),
            expected: String::new(),
            needs_simulation: false,
            needs_foreign: false,
            shows_output: false,
            fixtures: Vec::new(),
            arguments: String::new(),
        };
        let mut lines = text.split_inclusive('\n').enumerate();
        for (number, line) in lines.by_ref() {
            case.head.push_str(line);
            let line = line.trim_end();
            if let Some(command) = line.strip_prefix("$ ") {
                let arguments = command.strip_prefix("brownout");
                case.arguments = arguments
                    .ok_or("its command line does not begin with `brownout`")?
                    .to_owned();
                case.expected = lines.map(|(_, line)| line).collect();
                return Ok(case);
            }
            case.take(number + 1, line)?;
        }
        Err("it has no line that begins with $".into())
    }

    fn take(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(indented) = line.strip_prefix("    ") {
            let last = self.fixtures.last_mut();
            let last = last.ok_or(format!("line {number} is indented below no fixture"))?;
            last.block.push(indented.to_owned());
            return Ok(());
        }
        match line {
            "@ simulate" => self.needs_simulation = true,
            "@ foreign" => self.needs_foreign = true,
            "@ show out" => self.shows_output = true,
            _ if line.is_empty() || line.starts_with('#') => {}
            _ => {
                let fixture = line.strip_prefix("@ ");
                let fixture = fixture.ok_or(format!("line {number} begins with none of # @ $"))?;
                let (kind, rest) = fixture.split_once(' ').unwrap_or((fixture, ""));
                self.fixtures.push(Fixture {
                    line: number,
                    kind: kind.to_owned(),
                    rest: rest.trim().to_owned(),
                    block: Vec::new(),
                });
            }
        }
        Ok(())
    }

    /// Makes the fixtures, runs the command, and says what came of it.
    pub fn play(&self) -> Result<String, String> {
        let sandbox = Sandbox::new();
        for fixture in &self.fixtures {
            fixtures::make(&sandbox, fixture).map_err(|e| format!("line {}: {e}", fixture.line))?;
        }
        let answer = run(&sandbox, &self.arguments);
        let status = answer.status.map_or("none".into(), |s| s.to_string());
        let mut text = format!("status {status}\n{}", answer.err);
        if self.shows_output {
            let _ = write!(text, "output:\n{}", answer.out);
        }
        Ok(text.replace(&*sandbox.path("").to_string_lossy(), "{folder}/"))
    }
}

/// Runs the command with arguments parted by spaces.
pub fn run(sandbox: &Sandbox, arguments: &str) -> Answer {
    let folder = sandbox.path("");
    let folder = folder.to_string_lossy();
    let arguments = arguments.replace("{folder}", folder.trim_end_matches('/'));
    let words = words(&arguments);
    sandbox.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The words of a line; `"` holds some together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (Vec::new(), false);
    let mut word: Option<String> = None;
    for letter in line.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Two texts line by line: what is in both, in the first (-) and in the second (+) only.
pub fn diff(expected: &str, found: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    // Length of the longest common part of what follows line i and line j.
    let mut common = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = match a[i] == b[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < a.len() || j < b.len() {
        let (sign, line) = match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) if x == y => (' ', x),
            (Some(x), Some(_)) if common[i + 1][j] >= common[i][j + 1] => ('-', x),
            (Some(x), None) => ('-', x),
            (_, Some(y)) => ('+', y),
            (None, None) => break,
        };
        i += usize::from(sign != '+');
        j += usize::from(sign != '-');
        let _ = writeln!(text, "{sign} {line}");
    }
    text
}
