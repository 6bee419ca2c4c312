//! A network as it was understood: layers on tensors, one image at a time.
//!
//! Nothing of the file's layout is left: images are channels, rows and columns in that
//! order, weights are in the order of the output, every constant has been computed, and
//! each layer names the tensors that it reads.

mod expression;
mod operator;
mod weights;

pub use expression::{Binary, Expression, Function};
pub use operator::{
    Affine, BatchNorm, Convolution, Dense, Operator, Padding, Pool, QuantizedForm, Window,
};
pub use weights::{Grid, Origin, Weights};

/// The place of a tensor in [`Network::tensors`].
pub type TensorId = usize;

/// Extents of a tensor; a vector has rows and columns of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// A vector.
    pub fn vector(length: usize) -> Self {
        Self {
            channels: length,
            height: 1,
            width: 1,
        }
    }

    /// Elements.
    pub fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Something that flows between layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// Its extents.
    pub shape: Shape,
}

/// An operator applied to tensors.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The node that it comes from, as sentences name it.
    pub name: String,
    /// What it computes.
    pub operator: Operator,
    /// Tensors that it reads, all of them made by earlier layers or the input.
    pub reads: Vec<TensorId>,
    /// The tensor that it makes.
    pub writes: TensorId,
}

/// A network: what goes in, layers in an order in which each finds its inputs, what
/// comes out.
#[derive(Clone, Debug)]
pub struct Network {
    /// Every tensor.
    pub tensors: Vec<TensorInfo>,
    /// The layers.
    pub layers: Vec<Layer>,
    /// The tensor of the image.
    pub input: TensorId,
    /// The tensor of the result.
    pub output: TensorId,
    /// Whether images of the file have their channels behind rows and columns.
    pub channels_last: bool,
    /// Whether the file takes bytes, and casts them to the numbers that they are.
    pub casts_bytes: bool,
    /// What became of every node, in the graph's order.
    pub account: Vec<Entry>,
    /// What the user should know although it was read.
    pub warnings: Vec<String>,
}

/// What became of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The node, as sentences name it.
    pub node: String,
    /// What was done with it.
    pub fate: Fate,
}

/// What was done with a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its result is a constant.
    Folded(String),
    /// It does nothing that matters; why.
    Dropped(String),
    /// It is these layers, by their place.
    Layers(Vec<usize>),
    /// Its layers were merged into a later one.
    Merged(String),
}
