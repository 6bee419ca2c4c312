//! Files within files: one is damaged, and its shell is made to fit again.

use flate2::{Crc, write::ZlibEncoder};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Bytes of an array's file before the text of its header.
const BEFORE_TEXT: usize = 10;

/// An archive of such members, by their names.
pub fn archive(members: &[(String, Vec<u8>)], packed: bool) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let method = match packed {
        true => CompressionMethod::Deflated,
        false => CompressionMethod::Stored,
    };
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        let started = writer.start_file(name, options);
        started.expect("a vector can be written");
        writer.write_all(bytes).expect("a vector can be written");
    }
    let written = writer.finish().expect("a vector can be written");
    written.into_inner()
}

/// A good archive with a member damaged.
pub fn npz<R: Rng>(
    seed: &[u8],
    random: &mut R,
    damage: impl Fn(Vec<u8>, &mut R) -> Vec<u8>,
) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(seed)).expect("a seed is an archive");
    let mut members = Vec::new();
    for number in 0..archive.len() {
        let mut member = archive.by_index(number).expect("a seed has its members");
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).expect("a seed is whole");
        let name = member.name().expect("a seed's names are texts");
        members.push((name.into_owned(), bytes));
    }
    let place = random.random_range(0..members.len());
    let member = std::mem::take(&mut members[place].1);
    members[place].1 = damage(member, random);
    if random.random_bool(0.05) {
        members.remove(place);
    }
    self::archive(&members, random.random())
}

/// An array's file with the text of its header damaged, mostly with a length that fits again.
pub fn npy(file: Vec<u8>, damage: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let Some(&[low, high]) = file.get(8..BEFORE_TEXT) else {
        return damage(file);
    };
    let end = BEFORE_TEXT + usize::from(u16::from_le_bytes([low, high]));
    let Some(header) = file.get(BEFORE_TEXT..end) else {
        return damage(file);
    };
    let header = damage(header.to_vec());
    let length = (header.len() as u16).to_le_bytes();
    [&file[..8], &length, &header, &file[end..]].concat()
}

/// A good picture with the data of a chunk damaged.
pub fn png<R: Rng>(
    seed: &[u8],
    random: &mut R,
    damage: impl Fn(Vec<u8>, &mut R) -> Vec<u8>,
) -> Vec<u8> {
    let (signature, mut rest) = seed.split_at(8);
    let mut chunks = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (chunk, after) = after.split_at(4 + u32::from_be_bytes(*length) as usize);
        chunks.push(chunk.to_vec());
        rest = &after[4..];
    }
    let places: Vec<usize> = (0..chunks.len()).collect();
    let place = *places.choose(random).expect("a seed has chunks");
    let data = chunks[place].split_off(4);
    let data = match chunks[place] == b"IDAT" && random.random() {
        true => packed(&damage(unpacked(&data), random)),
        false => damage(data, random),
    };
    chunks[place].extend(data);
    if random.random_bool(0.05) {
        let twice = chunks[place].clone();
        chunks.insert(place, twice);
    }
    let mut file = signature.to_vec();
    for chunk in chunks {
        let mut crc = Crc::new();
        crc.update(&chunk);
        file.extend((chunk.len() as u32 - 4).to_be_bytes());
        file.extend(chunk);
        file.extend(crc.sum().to_be_bytes());
    }
    file
}

/// The rows of a picture's data.
fn unpacked(data: &[u8]) -> Vec<u8> {
    let mut rows = Vec::new();
    // What there is of one that is in several chunks.
    let _ = flate2::read::ZlibDecoder::new(data).read_to_end(&mut rows);
    rows
}

fn packed(rows: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let written = encoder.write_all(rows).and_then(|()| encoder.finish());
    written.expect("a vector can be written")
}
