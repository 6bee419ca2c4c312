//! Memory words at the ports of a bench, whose values have at most 64 bits.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Names of a port of `bits` bits: Verilator shows more than 64 as 32-bit parts.
pub fn names(port: &str, bits: usize) -> Vec<String> {
    match bits {
        0..=64 => vec![port.to_string()],
        _ => (0..bits.div_ceil(32))
            .map(|part| format!("{port}[{part}]"))
            .collect(),
    }
}

/// A word as the values of [`names`].
pub fn split(word: u128, bits: usize) -> Vec<u64> {
    match bits {
        0..=64 => vec![word as u64],
        _ => (0..bits.div_ceil(32))
            .map(|part| u64::from((word >> (32 * part)) as u32))
            .collect(),
    }
}

/// A random word.
pub fn random(rng: &mut ChaCha8Rng, bits: usize) -> u128 {
    rng.random::<u128>() >> (128 - bits)
}
