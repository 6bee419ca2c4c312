//! What no node says: the layout of the metadata, and how they are read.
//!
//! A file has four entries, each a text:
//!
//! | key | text |
//! | --- | --- |
//! | `brownout` | JSON, that of an integer model's file: version of the format, origin with data, accuracy and options of training (code, quantizer, seed), weight bits, code, pixel map, and the network with every layer's shapes, shift, bounds and zero point |
//! | `brownout-layers` | JSON, a list with one [`LayerMetadata`] for each layer |
//! | `brownout-dialect` | `qdq` or `qonnx` |
//! | `brownout-pixels` | for people: the image's numbers as a formula of pixels from 0 to 255 |
//!
//! Weights lie in the graph alone, in the constant that `weight` names. There a channel with a
//! negative multiplier has the opposite of its weights and one without a multiplier has zeros, so
//! the sign of `multipliers` gives back the first and `unseen` the second; multipliers and biases
//! are the integers themselves, of which the graph has rounded numbers.
//!
//! All of that is believed only if the model that it gives has the graph that is in the file: see
//! [`restore`](super::restore()).

use super::dialect::Dialect;
use brownout_golden::model::{IntegerModel, LayerTensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Key of the text that an integer model's file has as well.
pub const MODEL_KEY: &str = "brownout";
/// Key of the list of layers.
pub const LAYERS_KEY: &str = "brownout-layers";
/// Key of the dialect.
pub const DIALECT_KEY: &str = "brownout-dialect";
/// Key of the formula of the image's numbers.
pub const PIXELS_KEY: &str = "brownout-pixels";

/// What no node says of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerMetadata {
    /// m of each output channel, in sets as the model has them.
    pub multipliers: Vec<i16>,
    /// b of each.
    pub biases: Vec<i64>,
    /// What a unit of each output channel's weights meant in training; of layers with weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scales: Vec<f32>,
    /// Name of the constant with the weights: integers in `qdq`, multiples of steps in `qonnx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// Name of the constant with the steps of each output channel's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<String>,
    /// By output channel the weights of those whose multiplier is 0, as [`hex`] has them, unless
    /// all are zero.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unseen: BTreeMap<usize, String>,
    /// A pointwise layer's table from −128 to 127, as [`hex`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

impl LayerMetadata {
    /// Those of a layer, but for what its weights become.
    pub(super) fn new(tensors: &LayerTensors) -> Self {
        let channels = tensors.channels.iter();
        Self {
            multipliers: channels.clone().map(|c| c.multiplier).collect(),
            biases: channels.map(|c| c.bias).collect(),
            scales: (tensors.weights.as_ref()).map_or(Vec::new(), |w| w.scales.clone()),
            weight: None,
            scale: None,
            unseen: BTreeMap::new(),
            table: tensors.table.as_ref().map(|table| hex(table)),
        }
    }
}

/// The entries of a file.
pub(super) fn entries(
    model: &IntegerModel,
    layers: &[LayerMetadata],
    dialect: Dialect,
) -> Vec<(&'static str, String)> {
    let layers = serde_json::to_string(layers).expect("metadata are plain data");
    vec![
        (MODEL_KEY, model.header()),
        (LAYERS_KEY, layers),
        (DIALECT_KEY, dialect.to_string()),
        (PIXELS_KEY, model.input.meaning().formula()),
    ]
}

/// Signed bytes as two hexadecimal digits each.
pub fn hex(bytes: &[i8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of such a text; `None` if it is none.
pub fn from_hex(text: &str) -> Option<Vec<i8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |&byte: &u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| Some((digit(&pair[0])? << 4 | digit(&pair[1])?) as u8 as i8);
    let bytes: Option<Vec<i8>> = pairs.iter().map(byte).collect();
    bytes.filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_bytes_come_back_from_their_digits_and_nothing_else_does() {
        let bytes: Vec<i8> = (i8::MIN..=i8::MAX).collect();
        assert_eq!(from_hex(&hex(&bytes)), Some(bytes));
        assert_eq!(hex(&[-1, 0, 16]), "ff0010");
        for bad in ["0", "0g", "+1", "é", "ff0"] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
