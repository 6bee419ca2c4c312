//! Reads from a waveform which signals it has and which times it spans.

use super::CLOCK_NS;
use crate::trace::TIME;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

/// Where declarations end.
const END: &[u8] = b"$enddefinitions";

/// A signal in a waveform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Names of the scopes around it, the outermost first.
    pub scopes: Vec<String>,
    /// Its name, with its place in an array if it is one of an array.
    pub name: String,
    /// First and last bit, as `[7:0]`; empty if it is one bit.
    pub range: String,
}

impl Signal {
    /// Scopes and name, with dots between them.
    pub fn path(&self) -> String {
        format!("{}.{}", self.scopes.join("."), self.name)
    }
}

/// What a waveform holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// All signals, in the file's order: those of a scope in the order of their declaration.
    pub signals: Vec<Signal>,
    /// Clocks of the model that are whole in the file.
    pub clocks: Range<u64>,
}

impl Contents {
    /// Reads a waveform that a [`Model`](crate::model::Model) has written.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let head = find(&bytes, END).unwrap_or(bytes.len());
        let declarations = String::from_utf8_lossy(&bytes[..head]);
        Ok(Self {
            signals: signals(&declarations),
            clocks: clocks(&bytes[head..]),
        })
    }

    /// The signals that stand directly in a scope.
    pub fn of<'a>(&'a self, scopes: &'a [String]) -> impl Iterator<Item = &'a Signal> {
        self.signals.iter().filter(move |s| s.scopes == scopes)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|w| w == wanted)
}

fn signals(declarations: &str) -> Vec<Signal> {
    let mut scopes = Vec::new();
    let mut signals = Vec::new();
    for line in declarations.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["$scope", _, name, ..] => scopes.push(name.to_owned()),
            ["$upscope", ..] => drop(scopes.pop()),
            ["$var", _, _, _, name, ref rest @ ..] => signals.push(Signal {
                scopes: scopes.clone(),
                name: name.to_owned(),
                range: match rest {
                    [range, _] => (*range).to_owned(),
                    _ => String::new(),
                },
            }),
            _ => {}
        }
    }
    signals
}

/// A clock is whole with its second half, and the model writes both.
fn clocks(changes: &[u8]) -> Range<u64> {
    let first = find(changes, TIME);
    let last = changes.windows(TIME.len()).rposition(|w| w == TIME);
    let clock = |place: Option<usize>| {
        let digits = changes[place? + TIME.len()..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        let time = digits.fold(0u64, |time, digit| {
            time.wrapping_mul(10).wrapping_add((digit - b'0').into())
        });
        Some(time)
    };
    match (clock(first), clock(last)) {
        (Some(first), Some(last)) => {
            let first = first / CLOCK_NS;
            first..((last + CLOCK_NS / 2) / CLOCK_NS).max(first)
        }
        _ => 0..0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "$timescale 1ns $end
 $scope module TOP $end
  $var wire 1 ! clock $end
  $scope module top $end
   $var wire 8 # a [7:0] $end
   $scope module lane[3] $end
    $var wire 4 $ cells[2] [3:0] $end
   $upscope $end
   $var wire 1 % b $end
  $upscope $end
 $upscope $end
$enddefinitions $end


#40
0!
b00000001 #
#45
1!
#50
0!
";

    #[test]
    fn signals_are_known_by_scopes_and_bits_and_only_whole_clocks_count() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), FILE).unwrap();
        let contents = Contents::read(file.path()).unwrap();
        let found: Vec<_> = contents
            .signals
            .iter()
            .map(|s| s.path() + &s.range)
            .collect();
        let expected = [
            "TOP.clock",
            "TOP.top.a[7:0]",
            "TOP.top.lane[3].cells[2][3:0]",
            "TOP.top.b",
        ];
        assert_eq!(found, expected);
        assert_eq!(contents.clocks, 4..5);
        fs::write(file.path(), format!("{FILE}#55\n1!\n")).unwrap();
        assert_eq!(Contents::read(file.path()).unwrap().clocks, 4..6);
        fs::write(file.path(), &FILE[..60]).unwrap();
        assert_eq!(Contents::read(file.path()).unwrap().clocks, 0..0);
    }
}
