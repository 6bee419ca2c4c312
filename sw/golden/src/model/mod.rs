//! The integer model: what is trained, stored in a file and run on the hardware.
//!
//! `input` maps pixels to activations, `validate` decides what a model may be,
//! `file` writes and reads it.

mod file;
#[cfg(test)]
mod graph_tests;
mod input;
mod validate;

pub use file::{FORMAT_VERSION, FileError, MAX_FILE_BYTES};
pub use input::{
    Fraction, InputMap, InputQuantizer, InputTable, MOST_CHANNELS, Moments, Normalization,
};
pub use validate::ModelError;
pub(crate) use validate::check_operation;

use crate::data::Pixels;
use crate::train::TrainingOptions;
use brownout_spec::arithmetic::{ChannelParameters, TABLE_ENTRIES, operand_magnitude};
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::image::LayerShape;
use brownout_spec::program::{LayerShapes, Network, Operation, Shape};
use ndarray::Array4;
use serde::{Deserialize, Serialize};

/// The weights of one convolution or dense layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// `[output][input][kernel row][kernel column]`, in the range of the model's weight bits and code.
    pub integers: Array4<i8>,
    /// What one unit of each output channel's weights meant in training; for information only.
    pub scales: Vec<f32>,
}

/// The tensors of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerTensors {
    /// Multiplier and constant of each output channel; of an average pool whose divisors vary one
    /// set of them after the other, of a concat none.
    pub channels: Vec<ChannelParameters>,
    /// `None` in layers without weights.
    pub weights: Option<LayerWeights>,
    /// What a pointwise layer makes of each activation, from −128 to 127.
    pub table: Option<[i8; TABLE_ENTRIES]>,
}

/// Share of images classified right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// In floating point, with quantized weights and activations.
    pub float: f64,
    /// In integers.
    pub integer: f64,
    /// Held-out images that both were measured on.
    pub images: usize,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Name of the network.
    pub name: String,
    /// Name of the training data.
    pub dataset: String,
    /// Measured when it was exported.
    pub accuracy: Option<Accuracy>,
    /// How it was trained; `None` for a model that was imported or made for a test.
    pub training: Option<TrainingOptions>,
}

/// A network in integers, with everything that inference needs.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerModel {
    /// Where it comes from.
    pub origin: Origin,
    /// 8 or 4.
    pub weight_bits: WeightBits,
    /// The code whose range constraint its weights satisfy.
    pub code: CodeName,
    /// How pixels become activations.
    pub input: InputMap,
    /// Layers and their scales.
    pub network: Network,
    /// Tensors in the order of the layers.
    pub layers: Vec<LayerTensors>,
}

impl IntegerModel {
    /// The weight tensors' shapes, in image order, for a weight layout.
    pub fn weight_shapes(&self) -> Vec<LayerShape> {
        let layers = self.network.layers.iter().zip(&self.layers);
        layers
            .filter_map(|(layer, tensors)| {
                let (o, i, h, w) = tensors.weights.as_ref()?.integers.dim();
                Some(LayerShape {
                    name: layer.name.clone(),
                    output_channels: o,
                    input_channels: i,
                    groups: layer.operation.groups(),
                    kernel_height: h,
                    kernel_width: w,
                })
            })
            .collect()
    }

    /// The flattened weight tensors, in image order.
    pub fn weight_tensors(&self) -> Vec<&[i8]> {
        self.layers
            .iter()
            .filter_map(|l| l.weights.as_ref())
            .map(|w| w.integers.as_slice().expect("standard layout"))
            .collect()
    }

    /// The tables of the pointwise layers, in their order.
    pub fn tables(&self) -> Vec<[i8; TABLE_ENTRIES]> {
        self.layers.iter().filter_map(|l| l.table).collect()
    }

    /// The map that the last layer gives; of one pixel, if its channels are classes.
    pub fn results(&self) -> Shape {
        let shapes = self.network.shapes().unwrap_or_default();
        let nothing = Shape {
            channels: 0,
            ..self.network.input
        };
        shapes.last().map_or(nothing, |shapes| shapes.output)
    }

    /// Number of classes: channels of the last layer. None where it gives a map, since no value of
    /// one stands for a class.
    pub fn classes(&self) -> Option<usize> {
        let results = self.results();
        (results.pixels() == 1).then_some(results.channels)
    }

    /// Whether it takes images of a shape: its input's, or for a flat input any of as many values.
    pub fn takes(&self, image: Shape) -> bool {
        let input = self.network.input;
        match input.pixels() {
            1 => image.volume() == input.volume(),
            _ => image == input,
        }
    }

    /// The activations of an image: one per pixel value, in the image's own order.
    pub fn quantize<'a>(&self, image: impl Into<Pixels<'a>>) -> Vec<i8> {
        self.input.table().apply(image.into()).collect()
    }
}

/// Largest magnitude that a layer's accumulator can reach, whatever the faults, with an input of
/// this zero point.
pub fn accumulator_bound(
    operation: &Operation,
    shapes: &LayerShapes,
    bits: WeightBits,
    zero: i8,
) -> i64 {
    let activation = operand_magnitude(zero);
    match operation {
        Operation::Convolution { .. } => {
            shapes.inputs() as i64 * (1 << (bits.bits() - 1)) * activation
        }
        Operation::AveragePool { .. } | Operation::GlobalAveragePool => {
            shapes.window.taps() as i64 * activation
        }
        _ => activation,
    }
}
