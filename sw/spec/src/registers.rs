//! The register map: one table for the RTL's decoder, the driver, the C header
//! and the documentation.
//!
//! Registers are 32 bits wide and addressed by number. 64-bit values take two
//! registers, low half first; reading the low half latches the high half.

use crate::code::{Code, CodeName};
use crate::config::Configuration;
use crate::program::descriptor::FIELDS;
use crate::quantity::Lane;
use std::fmt::Write;

/// What a host may do with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    Read,
    /// Read and write.
    ReadWrite,
    /// Write only; reads as zero.
    Write,
}

/// One 32-bit register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Name in capitals.
    pub name: &'static str,
    /// Register number.
    pub address: u8,
    /// Bits in use, from bit 0.
    pub bits: u8,
    /// What a host may do.
    pub access: Access,
    /// Present only where fault emulation is built in; otherwise it reads as zero.
    pub fault_emulation: bool,
    /// Meaning.
    pub doc: &'static str,
}

impl Register {
    /// Bits in use with a configuration, 0 if it is absent: without tables, LOAD_TARGET has no
    /// number for them.
    pub fn bits_with(&self, configuration: &Configuration) -> u8 {
        match *self {
            register if register.fault_emulation && !configuration.fault_emulation => 0,
            LOAD_TARGET if configuration.tables == 0 => self.bits - 1,
            _ => self.bits,
        }
    }
}

macro_rules! registers {
    ($($name:ident = $address:literal, $bits:literal, $access:ident, $emulation:literal, $doc:literal;)*) => {
        $(#[doc = $doc]
        pub const $name: Register = Register {
            name: stringify!($name), address: $address, bits: $bits,
            access: Access::$access, fault_emulation: $emulation, doc: $doc,
        };)*
        /// Every register, in order of address.
        pub const REGISTERS: &[Register] = &[$($name),*];
    };
}

registers! {
    IDENTIFICATION = 0, 32, Read, false, "0x4252574e, the letters BRWN";
    VERSION = 1, 32, Read, false, "version of this map: major in bits 31..16, minor in bits 15..0";
    GEOMETRY = 2, 32, Read, false, "rows in bits 7..0, columns in 15..8, weight bits in 19..16, code in 23..20 (0 none, 1 secded-72-64, 2 inplace-64-57, 3 inplace-32-26), fault emulation in bit 24, words stored as a coset of the code in bit 25, zero points in bit 26, tables in 31..27";
    CONTROL = 3, 1, Write, false, "bit 0: start a pass; ignored while one is running or results wait in the result stream";
    STATUS = 4, 2, Read, false, "bit 0: running; bit 1: a pass has ended since the last start";
    POLICY = 5, 2, ReadWrite, false, "word with a detected error: 0 keep, 1 zero, 2 zero the constrained weights";
    WEIGHT_WORDS = 6, 23, ReadWrite, false, "code words that a pass reads - 1";
    STOP_AFTER_LAYER = 7, 8, ReadWrite, false, "the pass ends after this step of the program; 255: after the last one";
    LOAD_TARGET = 8, 3, ReadWrite, false, "memory that the input stream fills: 0 weights, 1 program, 2 parameters, 3 activation buffer 0, 4 tables (without tables, bit 2 is absent); writing restarts at its first word";
    DEBUG_ADDRESS = 9, 22, ReadWrite, false, "word address in bits 15..0, activation buffer in 17..16, group of four lanes in 21..18";
    DEBUG_DATA = 10, 32, Read, false, "four lanes of the activation word at DEBUG_ADDRESS, lowest lane in bits 7..0; valid while no pass runs, six clocks after the address was written";
    CHIP_SEED_LOW = 16, 32, ReadWrite, true, "chip seed, low half";
    CHIP_SEED_HIGH = 17, 32, ReadWrite, true, "chip seed, high half";
    PASS = 18, 32, ReadWrite, true, "number of the pass, incremented when one ends, early or not";
    VOLTAGE = 19, 16, ReadWrite, true, "supply voltage in millivolts; the ROM of the voltage model turns it into a threshold";
    THRESHOLD = 20, 32, ReadWrite, true, "threshold used instead of the ROM's where THRESHOLD_SELECT is 1";
    THRESHOLD_SELECT = 21, 1, ReadWrite, true, "0: threshold of the voltage; 1: THRESHOLD";
    FAULT_MODE = 22, 2, ReadWrite, true, "0 none, 1 persistent, 2 transient, 3 stuck-at";
    ONES_SHARE = 23, 9, ReadWrite, true, "share of stuck-at-one cells in 1/256, 0 to 256";
    CYCLES_LOW = 32, 32, Read, false, "clocks of the last pass";
    CYCLES_HIGH = 33, 32, Read, false, "high half of CYCLES, latched";
    BUSY_LOW = 34, 32, Read, false, "clocks in which an activation entered row 0";
    BUSY_HIGH = 35, 32, Read, false, "high half of BUSY, latched";
    WORDS_READ_LOW = 36, 32, Read, false, "code words read by the last pass";
    WORDS_READ_HIGH = 37, 32, Read, false, "high half of WORDS_READ, latched";
    CORRECTED_LOW = 38, 32, Read, false, "words in which the decoder corrected a bit";
    CORRECTED_HIGH = 39, 32, Read, false, "high half of CORRECTED, latched";
    DETECTED_LOW = 40, 32, Read, false, "words with a detected, uncorrected error";
    DETECTED_HIGH = 41, 32, Read, false, "high half of DETECTED, latched";
    LAST_DETECTED = 42, 23, Read, false, "address of the last detected word; kept until the next start";
    DISTURBED_LOW = 44, 32, Read, true, "words in which at least one bit was flipped";
    DISTURBED_HIGH = 45, 32, Read, true, "high half of DISTURBED, latched";
    FLIPPED_LOW = 46, 32, Read, true, "bits flipped";
    FLIPPED_HIGH = 47, 32, Read, true, "high half of FLIPPED, latched";
}

/// Bit of [`CONTROL`] that starts a pass.
pub const CONTROL_START: u32 = 1 << 0;
/// Bit of [`STATUS`]: a pass is running.
pub const STATUS_RUNNING: u32 = 1 << 0;
/// Bit of [`STATUS`]: a pass has ended since the last start.
pub const STATUS_ENDED: u32 = 1 << 1;
/// Bit of [`DEBUG_ADDRESS`] at which the buffer's number begins.
pub const DEBUG_BUFFER_LSB: usize = 16;
/// Bit of [`DEBUG_ADDRESS`] at which the number of the group of lanes begins.
pub const DEBUG_GROUP_LSB: usize = 18;
/// Clocks from a write of [`DEBUG_ADDRESS`] until [`DEBUG_DATA`] is valid.
pub const DEBUG_LATENCY: u64 = 6;
/// Lanes of one beat of the input stream and of one read of [`DEBUG_DATA`].
pub const LANES_PER_BEAT: usize = 4;
/// Value of [`IDENTIFICATION`].
pub const IDENTIFICATION_VALUE: u32 = 0x4252_574e;
/// Bit of [`GEOMETRY`] that says that words are stored as a coset of the code.
pub const GEOMETRY_COSET_LSB: u32 = 25;
/// Bit of [`GEOMETRY`] that says that zero points are taken off.
pub const GEOMETRY_ZERO_POINTS_LSB: u32 = 26;
/// Bit of [`GEOMETRY`] at which the number of tables begins.
pub const GEOMETRY_TABLES_LSB: u32 = 27;
/// Value of [`GEOMETRY`] for a configuration.
pub fn geometry(configuration: &Configuration) -> u32 {
    let code = CodeName::ALL
        .iter()
        .position(|name| *name == configuration.code)
        .expect("every code is in the table of all codes");
    configuration.rows as u32
        | (configuration.columns as u32) << 8
        | (configuration.weight_bits.bits() as u32) << 16
        | (code as u32) << 20
        | u32::from(configuration.fault_emulation) << 24
        | u32::from(!configuration.storage.with(configuration.code).is_plain())
            << GEOMETRY_COSET_LSB
        | u32::from(configuration.zero_points) << GEOMETRY_ZERO_POINTS_LSB
        | (configuration.tables as u32) << GEOMETRY_TABLES_LSB
}

/// Value of [`VERSION`].
///
/// 2.0: the memory may hold a coset of the code, where words for 1.0 are errors. 3.0: descriptors
/// have other fields, and STOP_AFTER_LAYER counts steps. 4.0: descriptors have 15 words, with zero
/// points, tables and lanes, WEIGHT_WORDS and LAST_DETECTED have 23 bits, and a map may be the
/// result.
pub const VERSION_VALUE: u32 = 0x0004_0000;
/// Value of [`STOP_AFTER_LAYER`] that lets a pass run to its end.
pub const RUN_TO_THE_END: u32 = 255;

/// What the input stream fills, as [`LOAD_TARGET`] numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LoadTarget {
    /// Weight memory: 32-bit beats of a code word, lowest first.
    Weights = 0,
    /// Program memory: one descriptor word a beat.
    Program = 1,
    /// Parameter memories: for each set, output tile and column of each step, b\[31:0\], then {m, b\[47:32\]}.
    Parameters = 2,
    /// Activation buffer 0: beats of four lanes, lowest first.
    Activations = 3,
    /// Tables of every column: one entry a beat in bits 7..0, that of -128 first, table by table.
    Tables = 4,
}

/// How a host runs a network, for the generated documentation.
pub const PROTOCOL: &str = "\
A write takes effect in the clock after `register_write`; what is read is on `register_read_data` \
in the clock after `register_read`. After reset STOP_AFTER_LAYER is 255 and every other register 0. \
All 64-bit counters share one latch: read HIGH right after its LOW.

1. Write LOAD_TARGET, then send that memory's beats on the input stream (`input_valid`, \
`input_ready`); words follow one another from address 0, lowest beat first. A code word takes 2 \
beats (1 with `inplace-32-26`, 3 with `secded-72-64`); where bit 25 of GEOMETRY is 1, the lanes of its \
check bits 0 and 1 are stored inverted. The words of `weights.image` (`generate --model`) are as \
the memory holds them: send them as they lie. Parameters: for each step of \
the program, each of its sets and output tiles, and each column, b[31:0], then m in the upper and \
b[47:32] in the lower half. \
Activations: four lanes a beat, the lowest in bits 7..0; a word has max(rows, columns) lanes. \
Tables, where GEOMETRY says that there are some: for each pointwise layer in order, its 256 \
entries from that of -128 to that of 127, one a beat in bits 7..0; all columns take the same.
2. Write WEIGHT_WORDS, POLICY and, with fault emulation, the fault registers.
3. For each image load the activations, write CONTROL, and take the int32 results \
from the result stream: pixel by pixel of the last layer's map, row by row, and channel by channel in each (`output_valid`, `output_ready`). STATUS shows the pass from the \
clock after the command on. Then read the counters.

Every layer ends in y = clamp((acc * m + b + ((r * mr) << (s - sr))) >> s, low, high), which a \
pointwise one replaces by its table's entry; the last one gives the sum >> s saturated to int32. \
acc and r are of stored integers less their tensor's zero point.
";

/// What a word of the weight memory is with a configuration, in a sentence.
pub fn stored_words(configuration: &Configuration) -> String {
    let code = Code::of(configuration);
    let lanes = (0..code.n() as u8).map(Lane);
    let inverted: Vec<String> = lanes
        .filter(|&lane| code.is_inverted(lane))
        .map(|lane| lane.0.to_string())
        .collect();
    let how = match &inverted[..] {
        [] => "as it is".to_owned(),
        lanes => format!("with lanes {} inverted", lanes.join(" and ")),
    };
    format!(
        "A word of the weight memory has {} lanes, code `{}`, and is stored {how}.",
        code.n(),
        code.name()
    )
}

/// The register map as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "| number | register | bits | access | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for r in REGISTERS {
        let access = match r.access {
            Access::Read => "read",
            Access::ReadWrite => "read, write",
            Access::Write => "write",
        };
        let only = if r.fault_emulation {
            " (with fault emulation)"
        } else {
            ""
        };
        writeln!(
            text,
            "| {} | `{}` | {} | {access} | {}{only} |",
            r.address, r.name, r.bits, r.doc
        )
        .expect("writing to a string cannot fail");
    }
    text
}

/// The layer descriptor's fields as Markdown.
pub fn descriptor_markdown() -> String {
    let mut text = String::from("| word | bits | field | meaning |\n| --- | --- | --- | --- |\n");
    for f in FIELDS {
        let bits = match f.bits {
            1 => f.lsb.to_string(),
            n => format!("{}..{}", f.lsb + n - 1, f.lsb),
        };
        writeln!(text, "| {} | {bits} | `{}` | {} |", f.word, f.name, f.doc)
            .expect("writing to a string cannot fail");
    }
    text
}

/// The register map as a C header.
pub fn c_header() -> String {
    let mut text = String::from(
        "/* Register numbers of a Brownout accelerator; generated, do not edit. */\n#ifndef BROWNOUT_REGISTERS_H\n#define BROWNOUT_REGISTERS_H\n\n",
    );
    for r in REGISTERS {
        writeln!(
            text,
            "/* {} */\n#define BROWNOUT_{} {}u",
            r.doc, r.name, r.address
        )
        .expect("writing to a string cannot fail");
    }
    writeln!(
        text,
        "\n#define BROWNOUT_IDENTIFICATION_VALUE {IDENTIFICATION_VALUE:#010x}u\n#define BROWNOUT_VERSION_VALUE {VERSION_VALUE:#010x}u\n#define BROWNOUT_GEOMETRY_COSET_LSB {GEOMETRY_COSET_LSB}u\n#define BROWNOUT_GEOMETRY_ZERO_POINTS_LSB {GEOMETRY_ZERO_POINTS_LSB}u\n#define BROWNOUT_GEOMETRY_TABLES_LSB {GEOMETRY_TABLES_LSB}u\n#define BROWNOUT_RUN_TO_THE_END {RUN_TO_THE_END}u\n#define BROWNOUT_CONTROL_START {CONTROL_START}u\n#define BROWNOUT_STATUS_RUNNING {STATUS_RUNNING}u\n#define BROWNOUT_STATUS_ENDED {STATUS_ENDED}u\n#define BROWNOUT_DEBUG_BUFFER_LSB {DEBUG_BUFFER_LSB}u\n#define BROWNOUT_DEBUG_GROUP_LSB {DEBUG_GROUP_LSB}u\n#define BROWNOUT_LANES_PER_BEAT {LANES_PER_BEAT}u"
    )
    .expect("writing to a string cannot fail");
    let targets = [
        ("WEIGHTS", LoadTarget::Weights),
        ("PROGRAM", LoadTarget::Program),
        ("PARAMETERS", LoadTarget::Parameters),
        ("ACTIVATIONS", LoadTarget::Activations),
        ("TABLES", LoadTarget::Tables),
    ];
    for (name, target) in targets {
        writeln!(text, "#define BROWNOUT_LOAD_{name} {}u", target as u32)
            .expect("writing to a string cannot fail");
    }
    text.push_str("\n#endif\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_rise_and_counters_pair_low_with_high() {
        for pair in REGISTERS.windows(2) {
            assert!(pair[0].address < pair[1].address, "{}", pair[1].name);
        }
        for low in REGISTERS.iter().filter(|r| r.name.ends_with("_LOW")) {
            let high = low.name.replace("_LOW", "_HIGH");
            let high = REGISTERS.iter().find(|r| r.name == high).unwrap();
            assert_eq!(high.address, low.address + 1, "{}", low.name);
            assert_eq!(low.address % 2, 0, "{}", low.name);
        }
    }

    #[test]
    fn header_and_table_name_every_register() {
        let (table, header) = (markdown(), c_header());
        for r in REGISTERS {
            assert!(table.contains(&format!("`{}`", r.name)));
            assert!(header.contains(&format!("BROWNOUT_{} {}u", r.name, r.address)));
        }
    }
}
