//! Memory macros of a process, as a TOML file lists them.
//!
//! ```toml
//! registers_up_to = 512        # memories of at most so many bits are left to synthesis; 0 if absent
//!
//! [[macro]]
//! name = "sky130_sram_1kbyte_1rw1r_32x256_8"
//! words = 256                  # a power of two
//! width = 32                   # bits of a word
//! mask = 8                     # bits that are written together; the whole word if absent
//! ports = "1rw1r"              # or "1rw", "1r1w"
//! pins = "openram"             # or "plain", which is meant if absent, or "fakeram"
//! column_mux = 4               # words that share a row of bit cells; 1 if absent
//! ```

use crate::config::one_sentence;
use crate::text::printable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use thiserror::Error;

/// Most words of a macro, as many as the deepest memory has.
pub const MOST_WORDS: usize = 1 << crate::config::WEIGHT_ADDRESS_BITS;
/// Most bits of a macro's word.
pub const MOST_WIDTH: usize = 4096;
/// Most macros in a list.
pub const MOST_MACROS: usize = 256;
/// Most characters of a macro's name.
const MOST_NAME: usize = 128;

/// Which ports a macro has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ports {
    /// One that reads or writes.
    #[serde(rename = "1rw")]
    One,
    /// One that reads and one that writes.
    #[serde(rename = "1r1w")]
    Two,
    /// One that reads or writes, of which only writing is used, and one that reads.
    #[serde(rename = "1rw1r")]
    Both,
}

impl Ports {
    /// Whether a word can be read in the clock in which another is written.
    pub fn read_while_writing(self) -> bool {
        self != Self::One
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "1rw",
            Self::Two => "1r1w",
            Self::Both => "1rw1r",
        })
    }
}

/// What a macro's pins are called, which level they are active at, and how long its output lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pins {
    /// This project's words, active high; the output stays until the port is used again.
    #[default]
    Plain,
    /// As OpenRAM names them (`csb0`, `web0`, `wmask0`, `dout1`), selects active low; the output
    /// lasts one clock.
    Openram,
    /// As FakeRAM names them (`ce_in`, `we_in`, `w_mask_in`, `rd_out`), active high, with one bit
    /// of mask for each of data; the output lasts one clock.
    Fakeram,
}

impl Pins {
    /// Whether the output stays until the port is used again; else it lasts one clock.
    pub fn output_stays(self) -> bool {
        self == Self::Plain
    }
}

/// One macro.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Macro {
    /// Its module: a letter, then letters, digits and underscores.
    pub name: String,
    /// Words, a power of two from 2 to 2²³.
    pub words: usize,
    /// Bits of a word, 1 to 4096.
    pub width: usize,
    /// Bits that are written together, a divisor of the width; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<usize>,
    /// Its ports.
    pub ports: Ports,
    /// Its pins.
    #[serde(default)]
    pub pins: Pins,
    /// Words that share a row of bit cells, a power of two that is at most `words`.
    #[serde(default = "one")]
    pub column_mux: usize,
}

fn one() -> usize {
    1
}

impl Macro {
    /// Bits that are written together.
    pub fn mask_bits(&self) -> usize {
        self.mask.unwrap_or(self.width)
    }

    /// Parts of a word that are written apart.
    pub fn mask_parts(&self) -> usize {
        self.width / self.mask_bits()
    }

    /// Bits of an address.
    pub fn address_bits(&self) -> usize {
        self.words.trailing_zeros() as usize
    }

    /// Rows and columns of bit cells.
    pub fn bit_cells(&self) -> (usize, usize) {
        (self.words / self.column_mux, self.width * self.column_mux)
    }
}

/// The macros that there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MacroList {
    /// Memories of at most so many bits are left to synthesis, which makes registers of them.
    #[serde(default)]
    pub registers_up_to: usize,
    /// The macros; where two suit a memory equally well, the first is taken.
    #[serde(rename = "macro", default)]
    pub macros: Vec<Macro>,
}

/// What is wrong with a list of macros.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MacroListError {
    /// The file is not TOML, or a field is missing, unknown or of the wrong type.
    #[error("the list of macros cannot be read: {0}")]
    Syntax(String),
    /// Too few or too many.
    #[error("the list has {0} macros; allowed are 1 to {MOST_MACROS}, each as a table [[macro]]")]
    Count(usize),
    /// A field of a macro has a value that is not allowed.
    #[error("{field} of macro {number} ({name}) is {value}; allowed is {allowed}")]
    Field {
        /// Which macro, from 1.
        number: usize,
        /// Its name.
        name: String,
        /// The field.
        field: &'static str,
        /// The value found.
        value: String,
        /// What would be accepted.
        allowed: String,
    },
}

impl MacroList {
    /// Reads and validates a TOML text.
    ///
    /// # Errors
    /// One sentence: the line that is not understood, or the first field that is not allowed.
    pub fn from_toml(text: &str) -> Result<Self, MacroListError> {
        let list: Self =
            toml::from_str(text).map_err(|e| MacroListError::Syntax(one_sentence(text, &e)))?;
        list.validate()?;
        Ok(list)
    }

    fn validate(&self) -> Result<(), MacroListError> {
        if !(1..=MOST_MACROS).contains(&self.macros.len()) {
            return Err(MacroListError::Count(self.macros.len()));
        }
        let mut names = BTreeSet::new();
        for (index, one) in self.macros.iter().enumerate() {
            let name = printable(&one.name);
            let refuse = |(field, value, allowed): Refusal| MacroListError::Field {
                number: index + 1,
                name: name.clone(),
                field,
                value,
                allowed,
            };
            one.validate().map_err(refuse)?;
            if !names.insert(&one.name) {
                let allowed = "a name that no macro before it has".to_owned();
                return Err(refuse(("name", format!("{name:?}"), allowed)));
            }
        }
        Ok(())
    }
}

/// Field, value, what is allowed.
type Refusal = (&'static str, String, String);

impl Macro {
    fn validate(&self) -> Result<(), Refusal> {
        let refuse = |field, value: String, allowed: String| Err((field, value, allowed));
        let identifier = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let starts = self.name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts || self.name.len() > MOST_NAME || !self.name.chars().all(identifier) {
            let allowed = format!(
                "a letter followed by at most {} letters, digits and underscores",
                MOST_NAME - 1
            );
            return refuse("name", format!("{:?}", printable(&self.name)), allowed);
        }
        if !self.words.is_power_of_two() || !(2..=MOST_WORDS).contains(&self.words) {
            let allowed = format!("a power of two from 2 to {MOST_WORDS}");
            return refuse("words", self.words.to_string(), allowed);
        }
        if !(1..=MOST_WIDTH).contains(&self.width) {
            let allowed = format!("1 to {MOST_WIDTH}");
            return refuse("width", self.width.to_string(), allowed);
        }
        let mask = self.mask_bits();
        if mask == 0 || !self.width.is_multiple_of(mask) {
            let allowed = format!("a divisor of its width of {} bits", self.width);
            return refuse("mask", mask.to_string(), allowed);
        }
        if !self.column_mux.is_power_of_two() || self.column_mux > self.words {
            let allowed = format!("a power of two from 1 to its {} words", self.words);
            return refuse("column_mux", self.column_mux.to_string(), allowed);
        }
        let (found, allowed) = match (self.pins, self.ports) {
            (Pins::Plain | Pins::Fakeram, Ports::Both) => (
                "ports",
                "\"1rw\" or \"1r1w\"; \"1rw1r\" goes with pins = \"openram\"",
            ),
            (Pins::Fakeram, Ports::Two) => ("ports", "\"1rw\" with pins = \"fakeram\""),
            (Pins::Fakeram, Ports::One) if mask != 1 => {
                return refuse(
                    "mask",
                    mask.to_string(),
                    "1 with pins = \"fakeram\", whose mask has a bit for each of data".to_owned(),
                );
            }
            _ => return Ok(()),
        };
        refuse(found, format!("\"{}\"", self.ports), allowed.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(changed: &str, to: &str) -> String {
        let entry = "[[macro]]\nname = \"m\"\nwords = 256\nwidth = 32\nmask = 8\nports = \"1rw\"\n\
                     pins = \"openram\"\ncolumn_mux = 4\n";
        let mut lines: Vec<String> = entry.lines().map(str::to_owned).collect();
        for line in &mut lines {
            if line.starts_with(&format!("{changed} =")) {
                *line = to.to_owned();
            }
        }
        lines.join("\n")
    }

    fn refusal(changed: &str, to: &str) -> String {
        MacroList::from_toml(&entry(changed, to))
            .expect_err(to)
            .to_string()
    }

    #[test]
    fn what_is_absent_is_the_whole_word_and_one_word_a_row() {
        let text = "[[macro]]\nname = \"m\"\nwords = 2\nwidth = 1\nports = \"1r1w\"";
        let list = MacroList::from_toml(text).expect("the smallest macro");
        let one = &list.macros[0];
        assert_eq!((one.mask_bits(), one.bit_cells()), (1, (2, 1)));
        assert!(one.pins.output_stays() && list.registers_up_to == 0);
        let full = MacroList::from_toml(&entry("", "")).expect("the example");
        assert_eq!(full.macros[0].bit_cells(), (64, 128));
        assert_eq!(full.macros[0].mask_parts(), 4);
    }

    #[test]
    fn sizes_at_their_limits_are_taken_and_beyond_them_refused_by_field() {
        for (field, to) in [
            ("words", "words = 8388608"),
            ("width", "width = 4096"),
            ("mask", "mask = 1"),
            ("mask", "mask = 32"),
            ("column_mux", "column_mux = 256"),
            ("pins", "pins = \"fakeram\"\nmask = 1"),
        ] {
            let text = entry(field, to);
            let text = match to.contains("\nmask") {
                true => text.replace("mask = 8\n", ""),
                false => text,
            };
            MacroList::from_toml(&text).unwrap_or_else(|e| panic!("{to}: {e}"));
        }
        for (field, to, says) in [
            ("words", "words = 1", "a power of two from 2"),
            ("words", "words = 192", "a power of two"),
            ("words", "words = 16777216", "to 8388608"),
            ("width", "width = 0", "1 to 4096"),
            ("width", "width = 4104", "1 to 4096"),
            // A macro that is smaller than what it writes together.
            ("width", "width = 4", "a divisor of its width of 4 bits"),
            ("mask", "mask = 0", "a divisor of its width of 32 bits"),
            ("mask", "mask = 12", "a divisor"),
            ("mask", "mask = 64", "a divisor"),
            ("column_mux", "column_mux = 512", "to its 256 words"),
            ("column_mux", "column_mux = 3", "a power of two"),
            ("name", "name = \"9m\"", "a letter followed by"),
            ("name", "name = \"a-b\"", "a letter followed by"),
            ("pins", "pins = \"fakeram\"", "a bit for each of data"),
            ("pins", "pins = \"lego\"", "line 7"),
            ("ports", "ports = \"2rw\"", "line 6"),
            ("ports", "ports = 1", "line 6"),
        ] {
            let message = refusal(field, to);
            assert!(message.contains(says), "{to}: {message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn ports_that_a_kind_of_pins_does_not_have_are_refused() {
        for (ports, pins) in [
            ("1rw1r", "plain"),
            ("1r1w", "fakeram"),
            ("1rw1r", "fakeram"),
        ] {
            let text = entry("ports", &format!("ports = \"{ports}\""))
                .replace("openram", pins)
                .replace("mask = 8", "mask = 1");
            let message = MacroList::from_toml(&text).expect_err(pins).to_string();
            assert!(message.contains(&format!("is \"{ports}\"")), "{message}");
        }
    }

    #[test]
    fn an_empty_list_an_unknown_field_and_a_name_twice_are_refused() {
        let empty = MacroList::from_toml("").expect_err("no macros").to_string();
        assert!(empty.contains("0 macros"), "{empty}");
        let unknown = refusal("mask", "mask = 8\ndepth = 3");
        assert!(unknown.contains("depth"), "{unknown}");
        let twice = entry("", "") + "\n" + &entry("", "");
        let twice = MacroList::from_toml(&twice).expect_err("twice").to_string();
        assert!(twice.contains("macro 2 (m)"), "{twice}");
    }
}
