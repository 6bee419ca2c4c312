//! The binary file of a weight image.
//!
//! All integers are little-endian.
//!
//! | bytes | field |
//! | --- | --- |
//! | 8 | magic, `BROWNIMG` |
//! | 4 | version, 3 if a layer has groups of channels, else 2 |
//! | 1 | code: 0 `none`, 1 `secded-72-64`, 2 `inplace-64-57`, 3 `inplace-32-26` |
//! | 1 | bits of a weight: 4 or 8 |
//! | 1 | rows of the array |
//! | 1 | columns of the array |
//! | 1 | 1 if words are stored as a coset of the code, with two lanes inverted, else 0 |
//! | 4 | number of layers with weights |
//! | 4 | number of words |
//! | | for each layer: |
//! | 2 | bytes of its name |
//! | … | its name, UTF-8 |
//! | 16 | output channels, input channels of a group, kernel height, kernel width, 4 bytes each |
//! | 4 | groups; in version 3 only |
//! | | then: |
//! | … | the words by address, word bits / 8 bytes each (4, 8 or 9), lane 0 in bit 0 of the first byte |
//! | 4 | CRC-32 (ISO-HDLC, polynomial 0xEDB88320) of all bytes before it |
//!
//! Images without groups are still written in version 2, so that their bytes stay what they were.
//! Files of version 1 do not have the byte about the coset: they are from before there was one, and
//! are read as the plain code words that they hold.

use super::layout::{Layout, LayoutError};
use super::shape::LayerShape;
use super::store::WeightImage;
use crate::code::{CodeName, Codeword, Storage};
use crate::config::WeightBits;
use crate::text::{is_printable, printable};
use thiserror::Error;

/// The first bytes of a weight image file.
pub const FILE_MAGIC: [u8; 8] = *b"BROWNIMG";
/// The newest version, of images with groups of channels.
pub const FILE_VERSION: u32 = 3;
/// The version of images without.
const UNGROUPED_VERSION: u32 = 2;
/// The version before words were stored as a coset, which is read, too.
const PLAIN_VERSION: u32 = 1;

/// Bytes of a layer table entry with an empty name.
const SMALLEST_LAYER_BYTES: usize = 18;

/// Why bytes are not a weight image: one sentence; callers add the name of the file.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FileError {
    /// The bytes do not begin with the magic.
    #[error("this is not a weight image: it does not begin with \"BROWNIMG\"")]
    Magic,
    /// The version is another.
    #[error("the weight image has version {0}; allowed are {PLAIN_VERSION} to {FILE_VERSION}")]
    Version(u32),
    /// The bytes end too early.
    #[error(
        "the weight image is truncated: {what} at byte {offset} need {needed} bytes, and {left} are left"
    )]
    Truncated {
        /// Which part.
        what: &'static str,
        /// Where it begins.
        offset: usize,
        /// Bytes of the part.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// The bytes do not end where they should.
    #[error("the weight image has {0} bytes after its checksum; allowed are none")]
    Trailing(usize),
    /// A field of the header has a value that is not allowed.
    #[error("{field} of the weight image is {value}; allowed is {allowed}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What would be accepted.
        allowed: String,
    },
    /// The header describes weights that have no layout.
    #[error("the weight image's header is not allowed: {0}")]
    Layout(#[from] LayoutError),
    /// The checksum is another.
    #[error(
        "the weight image is corrupt: its checksum is {found:#010x}, its bytes give {expected:#010x}"
    )]
    Checksum {
        /// Computed from the bytes.
        expected: u32,
        /// Stored in the file.
        found: u32,
    },
}

impl WeightImage {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let layout = self.layout();
        let code = layout.code();
        let mut bytes = FILE_MAGIC.to_vec();
        let version = match layout.layers().iter().all(|l| l.shape.groups == 1) {
            true => UNGROUPED_VERSION,
            false => FILE_VERSION,
        };
        bytes.extend(version.to_le_bytes());
        bytes.push(number_of(code.name()));
        bytes.push(code.weight_bits().bits() as u8);
        bytes.push(layout.rows() as u8);
        bytes.push(layout.columns() as u8);
        bytes.push(u8::from(!code.storage().is_plain()));
        bytes.extend((layout.layers().len() as u32).to_le_bytes());
        bytes.extend((layout.words() as u32).to_le_bytes());
        for layer in layout.layers() {
            let shape = &layer.shape;
            bytes.extend((shape.name.len() as u16).to_le_bytes());
            bytes.extend(shape.name.as_bytes());
            let extents = shape.extents();
            let stored = match version {
                FILE_VERSION => &extents[..],
                _ => &extents[..extents.len() - 1],
            };
            for (_, extent) in stored {
                bytes.extend((*extent as u32).to_le_bytes());
            }
        }
        for word in self.words() {
            bytes.extend(&word.0.to_le_bytes()[..code.n() / 8]);
        }
        bytes.extend(crc32(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the bytes of a file.
    ///
    /// Words need not be code words: an image may have been written with faults in it.
    ///
    /// # Errors
    /// When the bytes are not exactly one weight image; memory is taken only
    /// for what the bytes can hold.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FileError> {
        let mut reader = Reader { bytes, offset: 0 };
        if !bytes.starts_with(&FILE_MAGIC) {
            return Err(FileError::Magic);
        }
        reader.take(FILE_MAGIC.len(), "the magic")?;
        let version = reader.u32("the version")?;
        if !(PLAIN_VERSION..=FILE_VERSION).contains(&version) {
            return Err(FileError::Version(version));
        }
        let [code, weight_bits, rows, columns] = reader.array("code and array")?;
        let code = code_of(code)?;
        let weight_bits =
            WeightBits::try_from(u32::from(weight_bits)).map_err(|_| FileError::Field {
                field: "weight_bits",
                value: weight_bits.to_string(),
                allowed: "4 or 8".to_owned(),
            })?;
        let storage = match version {
            PLAIN_VERSION => Storage::Plain,
            _ => reader.storage(code)?,
        };
        let layers = reader.u32("the number of layers")? as usize;
        let words = reader.u32("the number of words")? as usize;
        let shapes = reader.layers(layers, version)?;
        if version == FILE_VERSION && shapes.iter().all(|shape| shape.groups == 1) {
            return Err(FileError::Field {
                field: "the version",
                value: version.to_string(),
                allowed: format!("{UNGROUPED_VERSION} where no layer has groups"),
            });
        }
        let layout = Layout::for_array(
            usize::from(rows),
            usize::from(columns),
            weight_bits,
            code,
            storage,
            shapes,
        )?;
        if words != layout.words() {
            return Err(FileError::Field {
                field: "the number of words",
                value: words.to_string(),
                allowed: format!("{}, which its layers need", layout.words()),
            });
        }
        let word_bytes = code.word_bits() / 8;
        let words = reader
            .take(words * word_bytes, "the words")?
            .chunks_exact(word_bytes)
            .map(word_of)
            .collect();
        reader.finish()?;
        Ok(Self::from_words(layout, words))
    }
}

fn number_of(code: CodeName) -> u8 {
    match code {
        CodeName::None => 0,
        CodeName::Secded72_64 => 1,
        CodeName::Inplace64_57 => 2,
        CodeName::Inplace32_26 => 3,
    }
}

fn code_of(number: u8) -> Result<CodeName, FileError> {
    CodeName::ALL
        .into_iter()
        .find(|&code| number_of(code) == number)
        .ok_or_else(|| FileError::Field {
            field: "the code",
            value: number.to_string(),
            allowed: "0 to 3".to_owned(),
        })
}

fn word_of(bytes: &[u8]) -> Codeword {
    let mut word = [0; 16];
    word[..bytes.len()].copy_from_slice(bytes);
    Codeword(u128::from_le_bytes(word))
}

/// The bytes not yet read.
struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, needed: usize, what: &'static str) -> Result<&'a [u8], FileError> {
        let rest = &self.bytes[self.offset..];
        let part = rest.get(..needed).ok_or(FileError::Truncated {
            what,
            offset: self.offset,
            needed,
            left: rest.len(),
        })?;
        self.offset += needed;
        Ok(part)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FileError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, FileError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// Whether words are stored as a coset, which only those of a code can be.
    fn storage(&mut self, code: CodeName) -> Result<Storage, FileError> {
        let [coset] = self.array("the form of the words")?;
        let storage = Storage::from(coset == 1);
        if coset > 1 || storage.with(code) != storage {
            return Err(FileError::Field {
                field: "the coset flag",
                value: coset.to_string(),
                allowed: match code {
                    CodeName::None => format!("0 with code {code}"),
                    _ => "0 or 1".to_owned(),
                },
            });
        }
        Ok(storage)
    }

    fn layers(&mut self, count: usize, version: u32) -> Result<Vec<LayerShape>, FileError> {
        // A count that the rest cannot hold is refused before anything is allocated for it.
        let left = self.bytes.len() - self.offset;
        let needed = count.saturating_mul(SMALLEST_LAYER_BYTES);
        if needed > left {
            return Err(FileError::Truncated {
                what: "the layers",
                offset: self.offset,
                needed,
                left,
            });
        }
        (0..count).map(|_| self.layer(version)).collect()
    }

    fn layer(&mut self, version: u32) -> Result<LayerShape, FileError> {
        let length = u16::from_le_bytes(self.array("the length of a layer's name")?);
        let name = self.take(usize::from(length), "a layer's name")?;
        let name = std::str::from_utf8(name).map_err(|_| FileError::Field {
            field: "a layer's name",
            value: "not UTF-8".to_owned(),
            allowed: "text in UTF-8".to_owned(),
        })?;
        // Names are shown in messages and tables.
        if !is_printable(name, usize::MAX) {
            return Err(FileError::Field {
                field: "a layer's name",
                value: format!("{:?}", printable(name)),
                allowed: "text without line breaks and other control characters".to_owned(),
            });
        }
        Ok(LayerShape {
            name: name.to_owned(),
            output_channels: self.u32("a layer's output channels")? as usize,
            input_channels: self.u32("a layer's input channels")? as usize,
            kernel_height: self.u32("a layer's kernel height")? as usize,
            kernel_width: self.u32("a layer's kernel width")? as usize,
            groups: match version {
                FILE_VERSION => self.u32("a layer's groups")? as usize,
                _ => 1,
            },
        })
    }

    /// Checks the checksum of all that was read, and that nothing follows it.
    fn finish(mut self) -> Result<(), FileError> {
        let expected = crc32(&self.bytes[..self.offset]);
        let found = self.u32("the checksum")?;
        match self.bytes.len() - self.offset {
            0 if found == expected => Ok(()),
            0 => Err(FileError::Checksum { expected, found }),
            trailing => Err(FileError::Trailing(trailing)),
        }
    }
}

/// CRC-32 as in ISO-HDLC, zip and PNG: reflected, inverted before and after.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut value = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                value = (value >> 1) ^ (0xedb8_8320 * (value & 1));
                bit += 1;
            }
            table[byte] = value;
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_checksum_is_the_one_of_zip_and_png() {
        // The check value in the catalogue of CRC parameters (CRC-32/ISO-HDLC).
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
