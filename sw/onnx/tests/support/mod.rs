//! Data that is not part of the repository, the container of numpy's arrays, and scripts of ONNX's
//! own packages.

#![allow(dead_code, reason = "each test uses a part of it")]

pub mod arithmetic;
pub mod compare;
pub mod exact;
pub mod integers;
pub mod judges;
pub mod model;
pub mod quantized;
pub mod random_model;

use flate2::read::DeflateDecoder;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of that name in `shared/data` beside the repository; `None`, with a
/// message that is seen even if the test passes, where it is absent.
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let _ = writeln!(
        std::io::stderr(),
        "skipped: {} is missing",
        folder.display()
    );
    None
}

/// The packages' Python; `None` where they may be missing.
///
/// # Panics
/// Where they may not.
pub fn python() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/onnx-python");
    if tools.exists() {
        return Some(tools);
    }
    assert!(
        std::env::var_os("BROWNOUT_SKIP_ONNX").is_some(),
        "{} is missing: run `make tools`, or set BROWNOUT_SKIP_ONNX=1",
        tools.display()
    );
    eprintln!("skipped: BROWNOUT_SKIP_ONNX is set");
    None
}

/// The numbers of a file.
///
/// # Panics
/// If there is none.
pub fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("the script has written it");
    let words = bytes.as_chunks::<4>().0.iter();
    words.map(|word| f32::from_le_bytes(*word)).collect()
}

/// Has one of the scripts of `random` write its networks.
///
/// # Panics
/// With what it says, if it fails.
pub fn write(python: &Path, script: &str, folder: &Path, arguments: &[&str]) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/random");
    let said = Command::new(python)
        .arg(scripts.join(script))
        .arg(folder)
        .args(arguments)
        .output()
        .expect("the packages' Python starts");
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
}

/// The elements of every array of a compressed npz file, by name, as they lie there.
///
/// # Panics
/// If it is no such file.
pub fn npz(path: &Path) -> HashMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).expect("a file");
    let short = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let long = |at: usize| short(at) | short(at + 2) << 16;
    let mut arrays = HashMap::new();
    // The central directory at the end says where the files lie (APPNOTE.TXT, 4.3.12).
    let end = bytes.len() - 22;
    let (count, mut entry) = (short(end + 10), long(end + 16));
    for _ in 0..count {
        let (packed, name, extra) = (long(entry + 20), short(entry + 28), short(entry + 30));
        let local = long(entry + 42);
        let title = String::from_utf8_lossy(&bytes[entry + 46..entry + 46 + name]);
        let data = local + 30 + short(local + 26) + short(local + 28);
        let mut array = Vec::new();
        DeflateDecoder::new(&bytes[data..data + packed])
            .read_to_end(&mut array)
            .expect("deflated data");
        let header = 10 + usize::from(u16::from_le_bytes([array[8], array[9]]));
        let title = title.trim_end_matches(".npy").to_owned();
        arrays.insert(title, array.split_off(header));
        entry += 46 + name + extra + short(entry + 32);
    }
    arrays
}

/// The name, model and outputs of every line that `vectors/operators.py` wrote.
pub fn cases() -> impl Iterator<Item = (&'static str, Vec<u8>, Vec<u8>)> {
    include_str!("../vectors/operators.txt")
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let mut field = || fields.next().expect("three fields");
            (field(), base64(field()), base64(field()))
        })
}

fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|&c| c != b'=').map(value).collect();
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0u32, |bits, &d| bits << 6 | u32::from(d));
        let bytes = (bits << (6 * (4 - group.len()))).to_be_bytes();
        bytes[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}
