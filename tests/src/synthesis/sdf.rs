//! Delays of a routed design, from the SDF file that nextpnr writes.
//!
//! Read is what a timing analysis needs and nextpnr writes: `INTERCONNECT` (a wire), `IOPATH` (a
//! cell's arc) and `SETUPHOLD` (an input that a clock samples), all in picoseconds and of each the
//! slowest corner. Grammar: IEEE 1497, Standard Delay Format, version 3.0.

use std::collections::HashMap;

use thiserror::Error;

/// Why a text is no SDF file of nextpnr's.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("line {line}: {found:?} where SDF has {wanted}")]
pub struct SdfError {
    /// Line, from 1.
    pub line: usize,
    /// What stands there.
    pub found: String,
    /// What belongs there.
    pub wanted: &'static str,
}

/// A pin, as an index of [`Delays::pins`].
pub type Pin = u32;

/// A cell's pin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PinName {
    /// Its cell.
    pub cell: String,
    /// Its port.
    pub port: String,
}

/// Delays of a design in picoseconds.
#[derive(Clone, Debug, Default)]
pub struct Delays {
    /// Names of pins.
    pub pins: Vec<PinName>,
    /// Wires: from a driver to an input.
    pub wires: Vec<(Pin, Pin, u32)>,
    /// Arcs of cells: from an input, which may be a clock, to an output.
    pub arcs: Vec<(Pin, Pin, u32)>,
    /// Inputs that a clock samples: the input, the clock, how long before its edge.
    pub setups: Vec<(Pin, Pin, u32)>,
    numbers: HashMap<PinName, Pin>,
}

impl Delays {
    /// Reads an SDF file.
    ///
    /// # Errors
    /// A text that is none, with the line where it differs.
    pub fn parse(text: &str) -> Result<Self, SdfError> {
        let mut delays = Self::default();
        let mut words = Words::new(text);
        words.open("DELAYFILE")?;
        while let Some(section) = words.section()? {
            match section {
                "CELL" => delays.cell(&mut words)?,
                _ => words.skip()?,
            }
        }
        Ok(delays)
    }

    /// The number of a pin.
    pub fn pin(&mut self, name: PinName) -> Pin {
        let next = self.pins.len() as Pin;
        *self.numbers.entry(name).or_insert_with_key(|name| {
            self.pins.push(name.clone());
            next
        })
    }

    fn cell(&mut self, words: &mut Words) -> Result<(), SdfError> {
        let mut cell = String::new();
        while let Some(section) = words.section()? {
            match section {
                // The design itself, whose wires are listed first, has no name.
                "INSTANCE" => {
                    if words.peek() != ")" {
                        cell = unescaped(words.next());
                    }
                    words.close()?;
                }
                "DELAY" | "ABSOLUTE" => self.entries(&cell, words)?,
                "TIMINGCHECK" => self.entries(&cell, words)?,
                _ => words.skip()?,
            }
        }
        Ok(())
    }

    fn entries(&mut self, cell: &str, words: &mut Words) -> Result<(), SdfError> {
        while let Some(section) = words.section()? {
            match section {
                "ABSOLUTE" => self.entries(cell, words)?,
                "INTERCONNECT" => {
                    let [from, to] = [words.pin()?, words.pin()?];
                    let delay = words.slowest()?;
                    let wire = (self.pin(from), self.pin(to), delay);
                    self.wires.push(wire);
                    words.skip()?;
                }
                "IOPATH" => {
                    let [from, to] = [words.port()?, words.port()?].map(|port| PinName {
                        cell: cell.to_owned(),
                        port,
                    });
                    let delay = words.slowest()?;
                    let arc = (self.pin(from), self.pin(to), delay);
                    self.arcs.push(arc);
                    words.skip()?;
                }
                "SETUPHOLD" => {
                    let [input, clock] = [words.port()?, words.port()?].map(|port| PinName {
                        cell: cell.to_owned(),
                        port,
                    });
                    let setup = words.slowest()?;
                    let check = (self.pin(input), self.pin(clock), setup);
                    self.setups.push(check);
                    words.skip()?;
                }
                _ => words.skip()?,
            }
        }
        Ok(())
    }
}

/// Words of a text: brackets, and what stands between brackets and blanks.
struct Words<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            line: 1,
        }
    }

    /// The next word, or an empty one at the end of the text.
    fn next(&mut self) -> &'a str {
        let blank = self.rest.len() - self.rest.trim_start().len();
        let (before, rest) = self.rest.split_at(blank);
        self.line += before.matches('\n').count();
        let mut end = rest.len();
        let mut escaped = false;
        for (at, character) in rest.char_indices() {
            if escaped {
                escaped = false;
                continue;
            }
            match character {
                '\\' => escaped = true,
                '(' | ')' => {
                    end = at.max(1);
                    break;
                }
                _ if character.is_whitespace() => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        word
    }

    fn peek(&self) -> &'a str {
        Self { ..*self }.next()
    }

    fn wrong<T>(&self, found: &str, wanted: &'static str) -> Result<T, SdfError> {
        Err(SdfError {
            line: self.line,
            found: found.to_owned(),
            wanted,
        })
    }

    fn open(&mut self, keyword: &'static str) -> Result<(), SdfError> {
        for wanted in ["(", keyword] {
            let found = self.next();
            if found != wanted {
                return self.wrong(found, wanted);
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), SdfError> {
        match self.next() {
            ")" => Ok(()),
            found => self.wrong(found, "a closing bracket"),
        }
    }

    /// The keyword of the next section, which is then open, or none where the outer one closes.
    fn section(&mut self) -> Result<Option<&'a str>, SdfError> {
        match self.next() {
            "(" => Ok(Some(self.next())),
            ")" => Ok(None),
            found => self.wrong(found, "a section"),
        }
    }

    /// Reads on to the bracket that closes the open section.
    fn skip(&mut self) -> Result<(), SdfError> {
        let mut open = 1;
        while open > 0 {
            match self.next() {
                "(" => open += 1,
                ")" => open -= 1,
                "" => return self.wrong("", "a closing bracket"),
                _ => {}
            }
        }
        Ok(())
    }

    /// `cell/port`, as wires name pins.
    fn pin(&mut self) -> Result<PinName, SdfError> {
        let word = self.next();
        let Some((cell, port)) = word.rsplit_once('/') else {
            return self.wrong(word, "a pin");
        };
        Ok(PinName {
            cell: unescaped(cell),
            port: unescaped(port),
        })
    }

    /// A cell's port, with or without an edge.
    fn port(&mut self) -> Result<String, SdfError> {
        match self.next() {
            "(" => {
                self.next();
                let port = unescaped(self.next());
                self.close()?;
                Ok(port)
            }
            word @ (")" | "") => self.wrong(word, "a port"),
            word => Ok(unescaped(word)),
        }
    }

    /// The last of `(fastest:typical:slowest)`.
    fn slowest(&mut self) -> Result<u32, SdfError> {
        let open = self.next();
        if open != "(" {
            return self.wrong(open, "a delay");
        }
        let word = self.next();
        let Some(delay) = word.rsplit(':').next().and_then(|text| text.parse().ok()) else {
            return self.wrong(word, "a delay in whole picoseconds");
        };
        self.close()?;
        Ok(delay)
    }
}

fn unescaped(word: &str) -> String {
    let mut name = String::with_capacity(word.len());
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.extend(characters.next()),
            _ => name.push(character),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nextpnr-ecp5 0.11.1 wrote for a counter of four bits with an enable.
    const RECORDED: &str = include_str!("small.sdf");

    #[test]
    fn every_wire_arc_and_setup_of_a_recorded_file_is_read() {
        let delays = Delays::parse(RECORDED).expect("nextpnr wrote it");
        let count = |word: &str| RECORDED.matches(word).count();
        assert_eq!(delays.wires.len(), count("(INTERCONNECT "));
        assert_eq!(delays.arcs.len(), count("(IOPATH "));
        assert_eq!(delays.setups.len(), count("(SETUPHOLD "));
        let name = |pin: Pin| {
            let PinName { cell, port } = &delays.pins[pin as usize];
            format!("{cell} {port}")
        };
        // Names are written with escapes; of three delays the last is the slowest.
        let (from, to, delay) = delays.wires[7];
        assert_eq!(
            (name(from), name(to), delay),
            ("a$tr_io O".into(), "early_TRELLIS_FF_Q M".into(), 1514)
        );
    }

    #[test]
    fn what_is_no_sdf_is_refused_with_its_line() {
        let wrong = |from: &str, to: &str| {
            let text = RECORDED.replacen(from, to, 1);
            assert_ne!(text, RECORDED);
            let error = Delays::parse(&text).expect_err("it is damaged");
            (error.line, error.found)
        };
        assert_eq!(wrong("DELAYFILE", "DELAYS"), (1, "DELAYS".into()));
        assert_eq!(wrong("(430:477:525)", "(fast)").1, "fast");
        assert_eq!(wrong("q_TRELLIS_FF_Q/DI", "q_TRELLIS_FF_Q").0, 19);
        let cut = &RECORDED[..RECORDED.len() / 2];
        assert_eq!(Delays::parse(cut).expect_err("it is cut").found, "");
    }
}
