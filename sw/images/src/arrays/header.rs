//! What stands before the values of an array.
//!
//! Format (NumPy Enhancement Proposal 1 and `numpy.lib.format`): the bytes `\x93NUMPY`, a major
//! and a minor version, the length of the text that follows in two bytes (version 1) or four (2
//! and 3), the lower first, and a dictionary of Python with `descr`, `fortran_order` and `shape`.

use super::literal::{Literal, dictionary};
use crate::{MOST_BYTES, words};
use brownout_spec::text::printable;
use std::io::{ErrorKind, Read};

/// Longest header that is read, as of NumPy itself.
const MOST_HEADER: usize = 10_000;
/// Most axes of an array that is looked at.
const MOST_AXES: usize = 8;

/// What an array's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers from 0 on.
    Unsigned,
    /// Whole numbers.
    Signed,
    /// Floating-point numbers.
    Float,
}

/// What an array is, without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What its values are.
    pub kind: Kind,
    /// Bytes of a value: 1, 2, 4 or 8.
    pub width: usize,
    /// Whether the highest byte of a value is the first.
    pub is_big_endian: bool,
    /// Whether the first axis is the one whose neighbours are neighbours in the file.
    pub is_fortran: bool,
    /// Length of each axis, none of them 0; there is at least one.
    pub shape: Vec<usize>,
}

impl Header {
    /// Reads what stands before the values.
    ///
    /// # Errors
    /// What was found and what is allowed.
    pub fn read(reader: &mut impl Read) -> Result<Self, String> {
        let mut start = [0; 8];
        take(reader, &mut start)?;
        if &start[..6] != b"\x93NUMPY" {
            return Err(format!(
                "it is no NumPy array: it begins with the bytes {:02x?}",
                &start[..6]
            ));
        }
        let length = match start[6] {
            1 => {
                let mut length = [0; 2];
                take(reader, &mut length)?;
                usize::from(u16::from_le_bytes(length))
            }
            2 | 3 => {
                let mut length = [0; 4];
                take(reader, &mut length)?;
                u32::from_le_bytes(length) as usize
            }
            version => {
                return Err(format!(
                    "its format has version {version}; allowed is 1 to 3"
                ));
            }
        };
        if length > MOST_HEADER {
            return Err(format!(
                "its header announces {length} bytes; allowed is up to {MOST_HEADER}"
            ));
        }
        let mut text = vec![0; length];
        take(reader, &mut text)?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let pairs = dictionary(text).ok_or("its header is no dictionary of Python as NumPy writes it; allowed are descr, fortran_order and shape")?;
        let get = |key: &str| {
            let pair = pairs.iter().find(|(name, _)| name == key);
            let missing = || format!("its header has no {key}; allowed is what NumPy writes");
            pair.map(|(_, value)| value).ok_or_else(missing)
        };
        let descr = match get("descr")? {
            Literal::Text(text) => text,
            Literal::List => {
                return Err(format!(
                    "its values are records of several fields; {ALLOWED}"
                ));
            }
            _ => return Err(format!("its descr is no text; {ALLOWED}")),
        };
        let (kind, width, is_big_endian) = values(descr)?;
        let Literal::Truth(is_fortran) = *get("fortran_order")? else {
            return Err("its fortran_order is neither True nor False".into());
        };
        let Literal::Numbers(shape) = get("shape")? else {
            return Err("its shape is no tuple of whole numbers".into());
        };
        let header = Self {
            kind,
            width,
            is_big_endian,
            is_fortran,
            shape: sized(shape)?,
        };
        header.bytes()?;
        Ok(header)
    }

    /// Bytes of all values.
    ///
    /// # Errors
    /// When they are more than are read.
    pub fn bytes(&self) -> Result<u64, String> {
        let axes = self.shape.iter().map(|&axis| axis as u64);
        let bytes = axes
            .chain([self.width as u64])
            .try_fold(1_u64, u64::checked_mul);
        bytes.filter(|&bytes| bytes <= MOST_BYTES).ok_or_else(|| {
            format!(
                "its shape {} has more than {MOST_BYTES} bytes of values; allowed is up to that",
                shown(&self.shape)
            )
        })
    }

    /// The name that NumPy has for the type of its values.
    pub fn type_name(&self) -> String {
        let kind = match self.kind {
            Kind::Unsigned => "uint",
            Kind::Signed => "int",
            Kind::Float => "float",
        };
        format!("{kind}{}", self.width * 8)
    }
}

const ALLOWED: &str = "allowed are whole numbers (i1 to i8, u1 to u8) and floats (f2, f4, f8)";

/// What a type's description says: kind, bytes, and whether the highest comes first.
fn values(descr: &str) -> Result<(Kind, usize, bool), String> {
    let (order, rest) = match descr.chars().next() {
        Some(order @ ('<' | '>' | '|' | '=')) => (order, &descr[1..]),
        _ => ('=', descr),
    };
    let mut characters = rest.chars();
    let kind = match characters.next() {
        Some('u') => Some(Kind::Unsigned),
        Some('i') => Some(Kind::Signed),
        Some('f') => Some(Kind::Float),
        Some('O') => {
            return Err(
                "its values are objects of Python (a pickle), which are not run here; allowed are arrays of numbers"
                    .into(),
            );
        }
        _ => None,
    };
    let width = match (kind, characters.as_str()) {
        (Some(Kind::Unsigned | Kind::Signed), "1") => Some(1),
        (Some(_), "2") => Some(2),
        (Some(_), "4") => Some(4),
        (Some(_), "8") => Some(8),
        _ => None,
    };
    match (kind, width) {
        (Some(kind), Some(width)) => Ok((kind, width, order == '>')),
        _ => Err(format!("its values are {}; {ALLOWED}", printable(descr))),
    }
}

/// Axes that there can be.
fn sized(shape: &[u64]) -> Result<Vec<usize>, String> {
    let small = |axis: &u64| usize::try_from(*axis).ok().filter(|&axis| axis > 0);
    let axes: Option<Vec<usize>> = shape.iter().map(small).collect();
    let axes = axes.filter(|axes| (1..=MOST_AXES).contains(&axes.len()));
    axes.ok_or_else(|| {
        let shape: Vec<String> = shape.iter().map(u64::to_string).collect();
        format!(
            "its shape is ({}); allowed is 1 to {MOST_AXES} axes, none of length 0",
            shape.join(", ")
        )
    })
}

/// A shape as people write it.
pub fn shown(shape: &[usize]) -> String {
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    axes.join(" x ")
}

fn take(reader: &mut impl Read, bytes: &mut [u8]) -> Result<(), String> {
    reader.read_exact(bytes).map_err(|error| {
        let problem = match error.kind() {
            ErrorKind::UnexpectedEof => "it ends in it".to_owned(),
            _ => words(error),
        };
        format!("its header cannot be read: {problem}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(descr: &str, fortran: &str, shape: &str) -> Result<Header, String> {
        Header::parse(&format!(
            "{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"
        ))
    }

    #[test]
    fn types_byte_orders_and_shapes_are_read() {
        let header = parse("'>f8'", "True", "(2, 3)").unwrap();
        let expected = Header {
            kind: Kind::Float,
            width: 8,
            is_big_endian: true,
            is_fortran: true,
            shape: vec![2, 3],
        };
        assert_eq!(header, expected);
        assert_eq!(header.bytes(), Ok(48));
        let header = parse("'|u1'", "False", "(7,)").unwrap();
        assert_eq!(header.type_name(), "uint8");
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused_with_what_it_is() {
        for (descr, shape, reason) in [
            ("'|O'", "(1,)", "objects of Python (a pickle)"),
            ("[('a', '<f4')]", "(1,)", "records of several fields"),
            ("'<c8'", "(1,)", "its values are <c8; allowed are whole"),
            ("'<f16'", "(1,)", "its values are <f16"),
            ("'<U3'", "(1,)", "its values are <U3"),
            ("'|b1'", "(1,)", "its values are |b1"),
            ("'|V2'", "(1,)", "its values are |V2"),
            ("''", "(1,)", "its values are ; allowed"),
            ("3", "(1,)", "its descr is no text"),
            ("'<f4'", "()", "its shape is (); allowed is 1 to 8 axes"),
            ("'<f4'", "(3, 0)", "its shape is (3, 0)"),
            ("'<f4'", "(9999999999, 9999999999)", "more than"),
            ("'<f4'", "(18446744073709551615, 2)", "more than"),
            ("'|u1'", "(4294967297,)", "more than 4294967296 bytes"),
            ("'<f4'", "3", "no tuple"),
        ] {
            let message = parse(descr, "False", shape).unwrap_err();
            assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        }
        assert!(parse("'<f4'", "1", "(1,)").is_err());
        assert!(Header::parse("{'descr': '<f4'}").is_err());
    }

    #[test]
    fn a_header_is_never_trusted_with_its_length() {
        let long = [&b"\x93NUMPY\x02\x00"[..], &u32::MAX.to_le_bytes()].concat();
        let message = Header::read(&mut &long[..]).unwrap_err();
        assert!(message.contains("announces 4294967295 bytes"), "{message}");
        let short = [&b"\x93NUMPY\x01\x00\x76\x00"[..], b"{'descr'"].concat();
        let message = Header::read(&mut &short[..]).unwrap_err();
        assert!(message.contains("it ends in it"), "{message}");
        let message = Header::read(&mut &b"\x93NUMPY\x04\x00\x76\x00"[..]).unwrap_err();
        assert!(message.contains("version 4"), "{message}");
    }
}
