//! What the input stream carries: memories as 32-bit beats.
//!
//! Pure functions of the specification's layouts; [`LoadTarget`] says which
//! order each memory expects.
//!
//! [`LoadTarget`]: brownout_spec::registers::LoadTarget

use brownout_spec::arithmetic::{ChannelParameters, TABLE_ENTRIES};
use brownout_spec::code::{CodeName, Codeword};
use brownout_spec::config::Configuration;
use brownout_spec::program::{Program, Shape, map_words};
use brownout_spec::registers::LANES_PER_BEAT;

/// Code words, lowest 32 bits first.
pub fn weights(code: CodeName, words: &[Codeword]) -> Vec<u32> {
    let beats = code.word_bits().div_ceil(32);
    words
        .iter()
        .flat_map(|word| (0..beats).map(move |beat| (word.0 >> (32 * beat)) as u32))
        .collect()
}

/// For each step, set, output tile and column, b\[31:0\], then {m, b\[47:32\]}.
///
/// `parameters` has for each layer one entry per set and output channel; columns without a
/// channel get zeros, and copies of tensors what leaves values as they are.
pub fn parameters(
    configuration: &Configuration,
    program: &Program,
    parameters: &[Vec<ChannelParameters>],
) -> Vec<u32> {
    let mut beats = Vec::with_capacity(2 * program.parameter_tiles * configuration.columns);
    for step in &program.steps {
        let outputs = step.shapes.output.channels;
        let copied;
        let of_step = match step.layer() {
            Some(layer) => &parameters[layer],
            None => {
                copied = vec![ChannelParameters::identity(step.output.shift); outputs];
                &copied
            }
        };
        for set in of_step.chunks(outputs) {
            for channel in 0..step.output_tiles * configuration.columns {
                let p = set.get(channel).copied().unwrap_or_default();
                beats.push(p.bias as u32);
                let high = (p.bias >> 32) as u32 & 0xffff;
                beats.push(u32::from(p.multiplier as u16) << 16 | high);
            }
        }
    }
    beats
}

/// Tables one after the other, an entry a beat.
pub fn tables(tables: &[[i8; TABLE_ENTRIES]]) -> Vec<u32> {
    let entries = tables.as_flattened().iter();
    entries.map(|entry| entry.cast_unsigned().into()).collect()
}

/// A feature map, `[row][column][channel]`, in words of max(rows, columns) lanes.
///
/// Word = channel group · pixels + pixel; lanes beyond the channels are zero.
///
/// # Panics
/// If `map` does not have the volume of `shape`.
pub fn activations(configuration: &Configuration, shape: Shape, map: &[i8]) -> Vec<u32> {
    assert_eq!(map.len(), shape.volume(), "values of a {shape} map");
    let lanes = configuration.activation_lanes();
    let mut beats = Vec::with_capacity(map_words(configuration, shape) * lanes / LANES_PER_BEAT);
    for group in 0..shape.channels.div_ceil(lanes) {
        for pixel in map.chunks_exact(shape.channels) {
            let used = &pixel[group * lanes..shape.channels.min((group + 1) * lanes)];
            for first in (0..lanes).step_by(LANES_PER_BEAT) {
                let lane = |k: usize| used.get(first + k).copied().unwrap_or(0) as u8;
                beats.push(u32::from_le_bytes([lane(0), lane(1), lane(2), lane(3)]));
            }
        }
    }
    beats
}

/// The inverse of [`activations`]; lanes beyond the channels are passed over.
pub fn map_of_activations(configuration: &Configuration, shape: Shape, beats: &[u32]) -> Vec<i8> {
    let lanes = configuration.activation_lanes();
    let mut map = vec![0; shape.volume()];
    let bytes = beats.iter().flat_map(|beat| beat.to_le_bytes());
    for (index, byte) in bytes.enumerate() {
        let (word, lane) = (index / lanes, index % lanes);
        let (group, pixel) = (word / shape.pixels(), word % shape.pixels());
        let channel = group * lanes + lane;
        if channel < shape.channels {
            map[pixel * shape.channels + channel] = byte as i8;
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration() -> Configuration {
        Configuration::from_toml(
            "rows = 4\ncolumns = 8\nweight_bits = 8\ncode = \"secded-72-64\"\n\
             voltage_model = \"fdx-22nm\"\nfault_emulation = true\n\
             [depths]\nweights = 64\nactivations = 64\naccumulators = 64\nparameters = 8\nlayers = 4\n",
        )
        .unwrap()
    }

    #[test]
    fn a_72_bit_word_takes_three_beats_with_the_lowest_first() {
        let word = Codeword(0xab_0123_4567_89ab_cdef);
        assert_eq!(
            weights(CodeName::Secded72_64, &[word]),
            [0x89ab_cdef, 0x0123_4567, 0xab]
        );
        assert_eq!(
            weights(CodeName::Inplace32_26, &[Codeword(7), Codeword(9)]),
            [7, 9]
        );
    }

    #[test]
    fn a_map_survives_its_beats_and_lanes_beyond_its_channels_are_zero() {
        let shape = Shape {
            height: 2,
            width: 3,
            channels: 11,
        };
        let map: Vec<i8> = (0..shape.volume()).map(|i| (i * 7 + 1) as i8).collect();
        let beats = activations(&configuration(), shape, &map);
        assert_eq!(
            beats.len(),
            2 * 6 * 2,
            "two groups of six words of two beats"
        );
        assert_eq!(beats[0], u32::from_le_bytes([1, 8, 15, 22]));
        assert_eq!(map_of_activations(&configuration(), shape, &beats), map);
        let all_lanes = Shape {
            channels: 16,
            ..shape
        };
        let read = map_of_activations(&configuration(), all_lanes, &beats);
        for (pixel, read) in map.chunks(11).zip(read.chunks(16)) {
            assert_eq!((&read[..11], &read[11..]), (pixel, &[0; 5][..]));
        }
    }
}
