//! One TOML file describes an accelerator.

use crate::code::{CodeName, Storage};
use crate::quantity::Millivolts;
use crate::text::printable;
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// Width of a weight address; the weight memory has at most 2²³ words.
pub const WEIGHT_ADDRESS_BITS: u32 = 23;
/// Width of an activation address; a buffer has at most 2¹⁶ words.
pub const ACTIVATION_ADDRESS_BITS: u32 = 16;
/// Width of an accumulator address; a layer has at most 2¹⁶ output pixels.
pub const ACCUMULATOR_ADDRESS_BITS: u32 = 16;
/// Width of a result's number; a program gives at most 2¹⁰ results.
pub const RESULT_ADDRESS_BITS: u32 = 10;
/// Width of a parameter address; a program has at most 2¹² output tiles.
pub const PARAMETER_ADDRESS_BITS: u32 = 12;
/// Most steps a program may have (8-bit number).
pub const MAX_LAYERS: usize = 255;
/// Largest depth of each memory, by the field that states it, in their order.
const MOST_DEPTHS: [(&str, usize); 6] = [
    ("depths.weights", Depths::DEEPEST.weights),
    ("depths.activations", Depths::DEEPEST.activations),
    ("depths.accumulators", Depths::DEEPEST.accumulators),
    ("depths.parameters", Depths::DEEPEST.parameters),
    ("depths.layers", Depths::DEEPEST.layers),
    ("depths.results", Depths::DEEPEST.results),
];

/// Largest value of a field that states a memory's depth; `None` of any other field.
pub fn most_depth(field: &str) -> Option<usize> {
    let found = MOST_DEPTHS.iter().find(|(name, _)| *name == field);
    found.map(|&(_, most)| most)
}

/// Most tables of a column (5 bits of GEOMETRY and of a descriptor).
pub const MAX_TABLES: usize = 31;

/// Bits of a stored weight, two's complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum WeightBits {
    /// int4, in [-8, 7].
    Four,
    /// int8, in [-128, 127].
    Eight,
}

impl WeightBits {
    /// 4 or 8.
    pub fn bits(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// What a message adds where a weight is too large for so few bits, as those of 8-bit layers
    /// before and behind 4-bit ones are; else nothing.
    pub fn hint(self, value: i8) -> &'static str {
        let (low, high) = self.range();
        match (low..=high).contains(&value) {
            true => "",
            false => {
                "; a network with some layers of 8 bits and others of 4 runs with weight_bits = 8"
            }
        }
    }

    /// The smallest and largest weight.
    pub fn range(self) -> (i8, i8) {
        match self {
            Self::Four => (-8, 7),
            Self::Eight => (i8::MIN, i8::MAX),
        }
    }
}

impl TryFrom<u32> for WeightBits {
    type Error = String;
    fn try_from(bits: u32) -> Result<Self, String> {
        match bits {
            4 => Ok(Self::Four),
            8 => Ok(Self::Eight),
            other => Err(format!("weight_bits is {other}; allowed are 4 and 8")),
        }
    }
}

impl From<WeightBits> for u32 {
    fn from(bits: WeightBits) -> u32 {
        bits.bits() as u32
    }
}

impl fmt::Display for WeightBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bits())
    }
}

/// Which voltage model the threshold ROM is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum VoltageModelChoice {
    /// 22 nm FDX, absolute volts, 335 to 800 mV.
    #[serde(rename = "fdx-22nm")]
    Fdx22nm,
    /// 14 nm, normalised to Vmin; needs `vmin_mv`.
    #[serde(rename = "finfet-14nm")]
    Finfet14nm,
    /// A user's table of (millivolts, rate, relative energy).
    Table(Vec<VoltagePoint>),
}

/// One row of a user's voltage table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoltagePoint {
    /// Supply voltage.
    pub millivolts: u16,
    /// Probability that a cell is faulty, in [0, 1].
    pub bit_error_rate: f64,
    /// Energy of an access relative to the table's nominal voltage (its last row).
    pub relative_energy: f64,
}

/// Depths of the on-chip memories, in words of each memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Depths {
    /// Code words of the weight memory, 1 to 2²³.
    pub weights: usize,
    /// Words of each of the three activation buffers, 1 to 2¹⁶; a word has max(rows, columns) bytes.
    /// Tensors that wait lie beside what a step reads or writes.
    pub activations: usize,
    /// Partial sums per column, 1 to 2¹⁶: the largest number of output pixels of a layer.
    pub accumulators: usize,
    /// Output tiles of a whole program, 1 to 2¹²: each column keeps (m, b) for every one, and for
    /// every set of an average pool whose divisor varies.
    pub parameters: usize,
    /// Steps of a program, 1 to 255: its layers, but for concats that are free, and copies of
    /// tensors.
    pub layers: usize,
    /// Results that are kept for the host, 1 to 2¹⁰: the values of the last layer's map.
    #[serde(default = "usual_results", skip_serializing_if = "is_usual")]
    pub results: usize,
}

fn usual_results() -> usize {
    Depths::RESULTS
}

fn is_usual(results: &usize) -> bool {
    *results == Depths::RESULTS
}

impl Depths {
    /// Results that are kept where a configuration does not say how many.
    pub const RESULTS: usize = 256;
    /// The deepest memories that there are.
    pub const DEEPEST: Self = Self {
        weights: 1 << WEIGHT_ADDRESS_BITS,
        activations: 1 << ACTIVATION_ADDRESS_BITS,
        accumulators: 1 << ACCUMULATOR_ADDRESS_BITS,
        parameters: 1 << PARAMETER_ADDRESS_BITS,
        layers: MAX_LAYERS,
        results: 1 << RESULT_ADDRESS_BITS,
    };
}

/// An accelerator, as its TOML file describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Name of the generated top module: a letter, then letters, digits and underscores.
    #[serde(default = "default_name")]
    pub name: String,
    /// Rows of the array: input channels a tile, a power of two from 4 to 64.
    pub rows: usize,
    /// Columns of the array: output channels a tile, a power of two from 4 to 64.
    pub columns: usize,
    /// 4 or 8.
    pub weight_bits: WeightBits,
    /// The code of a memory word.
    pub code: CodeName,
    /// Whether words are stored as a coset of the code, in which a word line stuck at 0 or 1 is a
    /// detected error; `coset` in the file, true where it is absent, without effect with `none`.
    #[serde(default, rename = "coset")]
    pub storage: Storage,
    /// Memory depths.
    pub depths: Depths,
    /// Which voltage model the ROM holds.
    pub voltage_model: VoltageModelChoice,
    /// Vmin of the 14 nm model in millivolts; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmin_mv: Option<Millivolts>,
    /// Whether the voltage-controlled fault emulation is built in.
    pub fault_emulation: bool,
    /// Whether tensors may have zero points: the array and the operand port then take them off
    /// what they read, and multiply numbers of nine bits. False where it is absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub zero_points: bool,
    /// Tables of 256 bytes in each column, 0 to 31: one for each pointwise layer. 0 where it is
    /// absent; any number but 0 makes every step two clocks longer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tables: usize,
}

/// What is not built in is not written.
fn is_false(built_in: &bool) -> bool {
    !built_in
}

/// No tables are not written.
fn is_zero(tables: &usize) -> bool {
    *tables == 0
}

fn default_name() -> String {
    "brownout".to_owned()
}

/// What is wrong with a configuration: one sentence naming the field.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ConfigurationError {
    /// The file is not TOML, or a field is missing, unknown or of the wrong type.
    #[error("the configuration cannot be read: {0}")]
    Syntax(String),
    /// A field has a value that is not allowed.
    #[error("{field} is {value}; allowed is {allowed}")]
    Field {
        /// Path of the field in the TOML file.
        field: &'static str,
        /// The value found.
        value: String,
        /// What would be accepted.
        allowed: String,
    },
}

fn refuse(
    field: &'static str,
    value: impl fmt::Display,
    allowed: impl Into<String>,
) -> ConfigurationError {
    ConfigurationError::Field {
        field,
        value: value.to_string(),
        allowed: allowed.into(),
    }
}

/// Checks the size of an array against its weights and their code, as files name them.
pub(crate) fn validate_array(
    rows: usize,
    columns: usize,
    weight_bits: WeightBits,
    code: CodeName,
) -> Result<(), ConfigurationError> {
    for (field, value) in [("rows", rows), ("columns", columns)] {
        if !value.is_power_of_two() || !(4..=64).contains(&value) {
            return Err(refuse(field, value, "a power of two from 4 to 64"));
        }
    }
    if !code.supports(weight_bits) {
        return Err(refuse(
            "weight_bits",
            weight_bits,
            format!("4 with code = \"{code}\""),
        ));
    }
    let per_word = code.weights_per_word(weight_bits);
    if code.is_in_place() && !columns.is_multiple_of(per_word) {
        return Err(refuse(
            "columns",
            columns,
            format!(
                "a multiple of {per_word} with code = \"{code}\" and weight_bits = {weight_bits}, because a code word must not cross a row"
            ),
        ));
    }
    Ok(())
}

impl Configuration {
    /// Reads and validates a TOML text.
    pub fn from_toml(text: &str) -> Result<Self, ConfigurationError> {
        let configuration: Self =
            toml::from_str(text).map_err(|e| ConfigurationError::Syntax(one_sentence(text, &e)))?;
        configuration.validate()?;
        Ok(configuration)
    }

    /// The TOML text of this configuration.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is plain data that TOML can hold")
    }

    /// Checks every field; the first that is not allowed is named.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        self.validate_name()?;
        validate_array(self.rows, self.columns, self.weight_bits, self.code)?;
        self.validate_depths()?;
        if self.tables > MAX_TABLES {
            let allowed = format!("0 to {MAX_TABLES}");
            return Err(refuse("tables", self.tables, allowed));
        }
        crate::voltage::VoltageModel::from_configuration(self).map(|_| ())
    }

    fn validate_name(&self) -> Result<(), ConfigurationError> {
        let mut characters = self.name.chars();
        let starts = characters.next().is_some_and(|c| c.is_ascii_alphabetic());
        if starts
            && self.name.len() <= 64
            && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            return Ok(());
        }
        Err(refuse(
            "name",
            format!("{:?}", printable(&self.name)),
            "a letter followed by at most 63 letters, digits and underscores",
        ))
    }

    fn validate_depths(&self) -> Result<(), ConfigurationError> {
        let d = &self.depths;
        let values = [
            d.weights,
            d.activations,
            d.accumulators,
            d.parameters,
            d.layers,
            d.results,
        ];
        for ((field, most), value) in MOST_DEPTHS.into_iter().zip(values) {
            if !(1..=most).contains(&value) {
                return Err(refuse(field, value, format!("1 to {most}")));
            }
        }
        if d.weights < self.words_per_tile() {
            return Err(refuse(
                "depths.weights",
                d.weights,
                format!("at least one tile of {} words", self.words_per_tile()),
            ));
        }
        Ok(())
    }

    /// Bytes of an activation word: max(rows, columns).
    pub fn activation_lanes(&self) -> usize {
        self.rows.max(self.columns)
    }

    /// Weights in one code word.
    pub fn weights_per_word(&self) -> usize {
        self.code.weights_per_word(self.weight_bits)
    }

    /// Code words of one tile of rows × columns weights; always exact.
    pub fn words_per_tile(&self) -> usize {
        self.rows * self.columns / self.weights_per_word()
    }

    /// Rows that one code word covers: more than one only where a row is shorter than a word.
    pub fn rows_per_word(&self) -> usize {
        (self.weights_per_word() / self.columns).max(1)
    }
}

/// What a TOML error says, with the line instead of a drawing of it.
pub(crate) fn one_sentence(text: &str, error: &toml::de::Error) -> String {
    let message = printable(&error.message().trim_end().replace('\n', ", "));
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

#[cfg(test)]
mod tests;
