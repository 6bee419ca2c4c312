//! From a quantized network as it was understood to an integer model with its own integers,
//! scales and zero points.
//!
//! Between two quantizers of a file stands one layer of the specification: a convolution, a dense
//! layer, a sum or a pool with the norms, factors and clips behind it, which become the
//! multipliers, constants and bounds of its requantizer; or a function of one tensor of 8 bits,
//! which becomes a table of its 256 values. Weights are the file's integers. Unsigned bytes are
//! stored less 128, and so are their zero points.
//!
//! [`value`] has what flows between layers, [`node`] the layers of the result, [`building`] both on
//! their way; [`emit`] adds layers, and [`term`] says how they read tensors. [`target`] has what a
//! quantizer makes, [`image`] and [`first`] the one of the image, [`close`] all others. [`build`]
//! goes from layer to layer, of which [`linear`], [`join`], [`windows`] and [`pointwise`] know the
//! kinds. [`fold`] leaves clips out that are bounds, [`order`] says which channel goes where,
//! [`finish`] makes the model, and [`told`] tells of it; [`grids`] makes a network in floating point
//! with the same grids instead, and [`plain`] its map from pixels.

mod build;
mod building;
mod close;
mod emit;
mod finish;
mod first;
mod fold;
mod grids;
mod image;
mod join;
mod linear;
mod node;
mod order;
mod plain;
mod pointwise;
mod target;
mod term;
mod told;
mod value;
mod windows;

use crate::network::{Network, Operator, QuantizedForm, TensorId};
use brownout_golden::model::{InputMap, IntegerModel};
use brownout_golden::quantized::QuantizedNetwork;
use brownout_spec::program::Shape;
use building::Building;
pub use plain::map_of_integers;

/// A quantized network as an integer model.
#[derive(Clone, Debug)]
pub struct Integers {
    /// The model.
    pub model: IntegerModel,
    /// Shape of the images, also where the network takes their values one after the other.
    pub image: Shape,
    /// For each layer the tensor of the file whose integers it writes, if there is one.
    pub tensors: Vec<Option<Said>>,
    /// What the user should know: what was left out or added, and why.
    pub remarks: Vec<String>,
}

impl Integers {
    /// The model that the file was written from.
    pub fn restored(model: IntegerModel) -> Self {
        Self {
            image: model.network.input,
            tensors: vec![None; model.network.layers.len()],
            remarks: vec![
                "Brownout wrote the file: its weights are taken as they are, and multipliers and pixel map from its metadata"
                    .to_owned(),
            ],
            model,
        }
    }
}

/// A quantized network that can be trained, on exactly the file's grids.
#[derive(Clone, Debug)]
pub struct OnGrids {
    /// The network, with the grids of its weights and activations.
    pub network: QuantizedNetwork,
    /// What the user should know: what was left out or moved, and why.
    pub remarks: Vec<String>,
}

/// Which tensor of the file a layer writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The tensor.
    pub tensor: TensorId,
    /// By how much the file's integers are more than the stored ones: 128 or 0.
    pub recentred: i64,
    /// For each channel of the layer which of the file's it is.
    pub order: Vec<usize>,
}

/// Whether a network has quantizers of activations, so that it has an integer model.
pub fn is_quantized(network: &Network) -> bool {
    network.layers.iter().any(|layer| {
        let Operator::Quantizer(form) = &layer.operator else {
            return false;
        };
        !matches!(form, QuantizedForm::Dequantize(_))
    })
}

/// The integer model of a network, by the name that reports will give it; `pixels` says what a
/// pixel means to the file's network.
///
/// # Errors
/// What has no integer form: a sentence with the node, what was found and what is allowed.
pub fn integers(
    network: &Network,
    (name, origin): (&str, &str),
    pixels: InputMap,
) -> Result<Integers, String> {
    let mut building = Building::new(network, pixels);
    building.all_layers()?;
    building.finish((name, origin))
}

/// A quantized network in floating point on the file's own grids: weights are steps times the
/// file's integers, and each tensor's activations are rounded to the file's steps, counted from its
/// zero point. Layers are those of [`integers`].
///
/// # Errors
/// What has no integer form, or none that can be trained: a sentence with the node, what was found
/// and what is allowed.
pub fn on_grids(
    network: &Network,
    (name, origin): (&str, &str),
    pixels: InputMap,
) -> Result<OnGrids, String> {
    let mut building = Building::new(network, pixels);
    building.all_layers()?;
    building.on_grids((name, origin))
}
