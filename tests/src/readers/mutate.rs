//! Damaged files: file number *n* is the same on every machine.
//!
//! Formats with an outer shell (a checksum, compression, a length in front of a
//! header) would refuse almost all plain damage at the shell. So most of the
//! damage is done inside, and the shell is made to fit again.

use super::shells;
use flate2::{Compression, Crc, write::GzEncoder};
use lzma_rust2::{XzOptions, XzWriter};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::Write;

/// What a file is made of, which decides where damage goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Bytes, of which the first `header` are fields.
    Binary {
        /// Bytes of the header.
        header: usize,
    },
    /// The same, compressed with gzip.
    Gzip {
        /// Bytes of the header, before compression.
        header: usize,
    },
    /// The same, compressed with xz.
    Xz {
        /// Bytes of the header, before compression.
        header: usize,
    },
    /// The same, with a CRC-32 of everything in the last four bytes.
    Checksummed {
        /// Bytes of the header.
        header: usize,
    },
    /// Lines of words and numbers.
    Text,
    /// A 64-bit length, a JSON text of that length, bytes.
    Safetensors,
    /// A zip archive of NumPy arrays, each a short header with a text, and values.
    Npz,
    /// Chunks, each with a length, a name and a CRC-32.
    Png,
}

/// Numbers at which fields, sums and products change their nature.
const NUMBERS: [u64; 22] = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    16,
    63,
    64,
    255,
    256,
    1024,
    4096,
    65_535,
    65_536,
    (1 << 20) - 1,
    1 << 24,
    i32::MAX as u64,
    u32::MAX as u64,
    i64::MAX as u64,
    u64::MAX,
];

/// Texts at which parsers change their mind.
const TOKENS: [&str; 35] = [
    "-1",
    "0",
    "1.5",
    "1e400",
    "1e39",
    "-0.0",
    "1e-320",
    "nan",
    "inf",
    "0x10",
    "1_000",
    "true",
    "null",
    "\"\"",
    "\"a\\nb\"",
    "\"\\u001b[2J\"",
    "{}",
    "[]",
    "[",
    "{",
    "}",
    "]",
    "#",
    "=",
    ".",
    ",",
    ":",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "é",
    "99999999999999999999",
];

/// Makes damaged files from good ones.
pub struct Mutator {
    format: Format,
    seeds: Vec<Vec<u8>>,
}

impl Mutator {
    /// Damage to `seeds`.
    ///
    /// # Panics
    /// If there is no seed, or an empty one.
    pub fn new(format: Format, seeds: Vec<Vec<u8>>) -> Self {
        assert!(!seeds.is_empty() && seeds.iter().all(|seed| !seed.is_empty()));
        Self { format, seeds }
    }

    /// File number `round`.
    pub fn file(&self, round: u64) -> Vec<u8> {
        let mut random = ChaCha8Rng::seed_from_u64(round);
        let seed = self.seeds.choose(&mut random).expect("not empty").clone();
        let other = self.seeds.choose(&mut random).expect("not empty");
        // Mostly little damage: much of it is refused by the first thing that is read.
        let count = *[1, 1, 1, 2, 2, 3, 6]
            .choose(&mut random)
            .expect("not empty");
        let shell = random.random_bool(0.15);
        match self.format {
            Format::Binary { header } => binary(seed, other, header, count, &mut random),
            Format::Text => text(seed, other, count, &mut random),
            Format::Gzip { header } if !shell => {
                gzip(&binary(seed, other, header, count, &mut random))
            }
            Format::Gzip { .. } => binary(gzip(&seed), &gzip(other), 10, count, &mut random),
            Format::Xz { header } if !shell => xz(&binary(seed, other, header, count, &mut random)),
            Format::Xz { .. } => binary(xz(&seed), &xz(other), 24, count, &mut random),
            Format::Checksummed { header } => {
                let mut file = binary(seed, other, header, count, &mut random);
                if !shell {
                    seal(&mut file);
                }
                file
            }
            Format::Npz if shell => binary(seed, other, usize::MAX, count, &mut random),
            Format::Npz => shells::npz(&seed, &mut random, |member, random| {
                match random.random_bool(0.4) {
                    true => binary(member, other, 128, count, random),
                    false => shells::npy(member, |header| text(header, other, count, random)),
                }
            }),
            Format::Png if shell => binary(seed, other, usize::MAX, count, &mut random),
            Format::Png => shells::png(&seed, &mut random, |data, random| {
                binary(data, other, 16, count, random)
            }),
            Format::Safetensors if shell => binary(seed, other, 8, count, &mut random),
            Format::Safetensors => safetensors(&seed, other, count, &mut random),
        }
    }
}

/// The bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("a vector can be written")
}

/// The bytes, compressed with xz.
pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let written = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).and_then(|mut writer| {
        writer.write_all(bytes)?;
        writer.finish()
    });
    written.expect("a vector can be written")
}

/// Puts the right checksum into the last four bytes.
pub fn seal(file: &mut [u8]) {
    if let Some((rest, stored)) = file.split_last_chunk_mut::<4>() {
        let mut crc = Crc::new();
        crc.update(rest);
        *stored = crc.sum().to_le_bytes();
    }
}

fn binary(
    mut file: Vec<u8>,
    other: &[u8],
    header: usize,
    count: usize,
    random: &mut impl Rng,
) -> Vec<u8> {
    for _ in 0..count {
        if file.is_empty() {
            break;
        }
        let reach = match random.random_bool(0.5) {
            true => header.min(file.len()),
            false => file.len(),
        };
        let at = random.random_range(0..reach);
        match random.random_range(0..10) {
            0..=2 => file[at] ^= 1 << random.random_range(0..8),
            3 => file[at] = random.random(),
            4..=6 => field(&mut file, at, random),
            7 => file.truncate(at),
            8 => splice(&mut file, other, at, random),
            _ => {
                let end = (at + random.random_range(1..=64)).min(file.len());
                let part: Vec<u8> = file.drain(at..end).collect();
                // Removed, or there twice.
                if random.random() {
                    let twice = part.repeat(2);
                    file.splice(at..at, twice);
                }
            }
        }
    }
    file
}

/// Overwrites what may be a field with a number that is near a limit, or near what it was.
fn field(file: &mut [u8], at: usize, random: &mut impl Rng) {
    let width = *[1, 2, 4, 4, 8].choose(random).expect("not empty");
    let at = at - at % width;
    let Some(place) = file.get_mut(at..at + width) else {
        return;
    };
    let mut old = [0; 8];
    old[8 - width..].copy_from_slice(place);
    let old = u64::from_be_bytes(old);
    let new = match random.random_range(0..4) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        _ => *NUMBERS.choose(random).expect("not empty"),
    };
    if random.random() {
        place.copy_from_slice(&new.to_be_bytes()[8 - width..]);
    } else {
        place.copy_from_slice(&new.to_le_bytes()[..width]);
    }
}

/// Puts a part of another file here, over what is there or in front of it.
fn splice(file: &mut Vec<u8>, other: &[u8], at: usize, random: &mut impl Rng) {
    let from = random.random_range(0..other.len());
    let end = (from + random.random_range(1..=256)).min(other.len());
    let part = &other[from..end];
    let over = match random.random() {
        true => (at + part.len()).min(file.len()),
        false => at,
    };
    file.splice(at..over, part.iter().copied());
}

fn text(file: Vec<u8>, other: &[u8], count: usize, random: &mut impl Rng) -> Vec<u8> {
    let mut file = file;
    for _ in 0..count {
        match random.random_range(0..12) {
            0..=3 => number(&mut file, random),
            4..=6 => lines(&mut file, other, random),
            7 => token(&mut file, random),
            8 => nest(&mut file, random),
            9 if !file.is_empty() => {
                let at = random.random_range(0..file.len());
                file.truncate(at);
            }
            10 => word(&mut file, random),
            _ => file = binary(file, other, usize::MAX, 1, random),
        }
    }
    file
}

/// Replaces a number by another one.
fn number(file: &mut Vec<u8>, random: &mut impl Rng) {
    let part = |c: &u8| c.is_ascii_digit();
    let Some((start, end)) = run(file, part, random) else {
        return;
    };
    let old = std::str::from_utf8(&file[start..end]).ok();
    let old: u64 = old.and_then(|text| text.parse().ok()).unwrap_or(0);
    let new = match random.random_range(0..6) {
        0 => old.wrapping_add(1).to_string(),
        1 => old.wrapping_sub(1).to_string(),
        2 => random
            .random_range(0..=old.saturating_mul(2).max(1))
            .to_string(),
        3 | 4 => NUMBERS.choose(random).expect("not empty").to_string(),
        _ => (*TOKENS.choose(random).expect("not empty")).to_owned(),
    };
    file.splice(start..end, new.into_bytes());
}

/// Replaces a word by another one of the file.
fn word(file: &mut Vec<u8>, random: &mut impl Rng) {
    let part = |c: &u8| c.is_ascii_alphanumeric() || *c == b'_' || *c == b'-';
    let (Some((start, end)), Some((from, to))) = (run(file, part, random), run(file, part, random))
    else {
        return;
    };
    let new = file[from..to].to_vec();
    file.splice(start..end, new);
}

/// The run of such characters at or behind a random place.
fn run(file: &[u8], part: impl Fn(&u8) -> bool, random: &mut impl Rng) -> Option<(usize, usize)> {
    if file.is_empty() {
        return None;
    }
    let at = random.random_range(0..file.len());
    let first = at + file[at..].iter().position(&part)?;
    let start = file[..first]
        .iter()
        .rposition(|c| !part(c))
        .map_or(0, |p| p + 1);
    let length = file[start..].iter().position(|c| !part(c));
    Some((start, length.map_or(file.len(), |n| start + n)))
}

/// Removes, repeats, swaps or brings in a line.
fn lines(file: &mut Vec<u8>, other: &[u8], random: &mut impl Rng) {
    let mut lines: Vec<Vec<u8>> = file
        .split_inclusive(|&c| c == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let foreign: Vec<&[u8]> = other.split_inclusive(|&c| c == b'\n').collect();
    if lines.is_empty() {
        return;
    }
    let (a, b) = (
        random.random_range(0..lines.len()),
        random.random_range(0..lines.len()),
    );
    match random.random_range(0..4) {
        0 => drop(lines.remove(a)),
        1 => lines.insert(b, lines[a].clone()),
        2 => lines.swap(a, b),
        _ => lines.insert(a, foreign.choose(random).expect("not empty").to_vec()),
    }
    *file = lines.concat();
}

/// Inserts a text at which parsers change their mind.
fn token(file: &mut Vec<u8>, random: &mut impl Rng) {
    let at = random.random_range(0..=file.len());
    let token = TOKENS.choose(random).expect("not empty");
    file.splice(at..at, token.bytes());
}

/// Inserts brackets or dots in great number, as deep as a parser may want to go.
fn nest(file: &mut Vec<u8>, random: &mut impl Rng) {
    let at = random.random_range(0..=file.len());
    let part = *["[", "{", "a.", "[[a]]\n", "a={", "\"", "\\", "(", "-"]
        .choose(random)
        .expect("not empty");
    let depth = *[3, 40, 200, 2000].choose(random).expect("not empty");
    file.splice(at..at, part.repeat(depth).into_bytes());
}

/// Damages the JSON text of a safetensors file, mostly with a length that fits again.
fn safetensors(seed: &[u8], other: &[u8], count: usize, random: &mut impl Rng) -> Vec<u8> {
    let (header, data) = open(seed);
    let (foreign, _) = open(other);
    let (mut header, mut data) = (header.to_vec(), data.to_vec());
    if random.random_bool(0.3) {
        data = binary(data, seed, usize::MAX, count, random);
    } else {
        header = text(header, foreign, count, random);
    }
    let length = match random.random_bool(0.95) {
        true => header.len() as u64,
        false => *NUMBERS.choose(random).expect("not empty"),
    };
    [&length.to_le_bytes()[..], &header, &data].concat()
}

/// The JSON text of a good safetensors file, and what follows it.
fn open(file: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = file.split_first_chunk::<8>().expect("a seed has a length");
    rest.split_at(u64::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_number_gives_the_same_bytes_and_most_files_differ_from_their_seed() {
        let seed: Vec<u8> = (0..200).collect();
        let mutator = Mutator::new(Format::Binary { header: 16 }, vec![seed.clone()]);
        let files: Vec<_> = (0..200).map(|round| mutator.file(round)).collect();
        assert!((0..200).all(|round| mutator.file(round) == files[round as usize]));
        assert!(files.iter().filter(|file| **file != seed).count() > 180);
    }

    #[test]
    fn a_sealed_file_has_the_checksum_of_zip() {
        // The check value in the catalogue of CRC parameters (CRC-32/ISO-HDLC).
        let mut file = b"123456789....".to_vec();
        seal(&mut file);
        assert_eq!(file[9..], 0xcbf4_3926_u32.to_le_bytes());
    }
}
