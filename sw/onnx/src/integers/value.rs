//! What flows between layers on the way to integers.
//!
//! A tensor of the file is real numbers, even where it is integers: these are numbers whose step
//! is 1. What is known of it here is of which stored integers it is a function, or of which sums
//! that nobody has rounded yet.

use crate::network::{Expression, Weights};
use brownout_spec::program::{Operation, Padding, Shape, Steps};
use std::sync::Arc;

/// scale · (q − zero) of stored integers q: one scale for all channels, or one for each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    pub scale: Vec<f64>,
    pub zero: i64,
}

/// How a tensor is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    /// Which rows and columns of it there are, from the first on.
    pub stride: Steps,
    /// Zeros around these.
    pub padding: Padding,
    /// Channels of zeros in front and behind.
    pub zeros: [usize; 2],
    /// Whether it is a map that became a vector, and then whether its channels are last in the
    /// vector's order.
    pub flat: Option<bool>,
}

/// Stored integers.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Tensor of the integer network: 0 is the input, k the output of node k − 1.
    pub tensor: usize,
    pub grid: Grid,
    pub view: View,
}

/// A layer that waits for the quantizer behind it.
#[derive(Clone, Debug)]
pub(super) struct Sum<'n> {
    /// The node, as sentences name it.
    pub name: String,
    pub operation: Operation,
    /// Tensors of the integer network.
    pub reads: Vec<usize>,
    /// What it multiplies with.
    pub learned: Option<Learned<'n>>,
    /// Channels of zeros in front of those of the tensor that a convolution adds.
    pub front: usize,
    pub shape: Shape,
    /// Of a copy, what its source's integers stand for.
    pub copied: Option<Grid>,
    /// Layers that only move values, behind the rounding.
    pub then: Vec<Moved>,
}

/// A layer that moves values, and the shape that it makes.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    pub name: String,
    pub operation: Operation,
    pub shape: Shape,
}

/// The weights of a convolution or dense layer, channels in the file's order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned<'n> {
    /// Outputs, inputs of a group, rows, columns; of a dense layer outputs and inputs.
    pub weights: &'n Weights,
    /// The layer of the file's network that they belong to.
    pub layer: usize,
    /// Whether the vector that a dense layer reads is a map, and then whether its channels are
    /// last.
    pub flat: Option<bool>,
    /// The image of which a dense layer reads the values one after the other.
    pub image: Option<Shape>,
}

/// clip(factor · accumulator + operand · r + offset) of a sum, or a function of what it copies.
#[derive(Clone, Debug)]
pub(super) struct Open<'n> {
    pub sum: Sum<'n>,
    /// One for each channel, in as many sets as its operation has.
    pub factor: Vec<f64>,
    /// Of the second tensor.
    pub operand: Option<f64>,
    /// One for each channel, as the bounds.
    pub offset: Vec<f64>,
    pub low: Vec<f64>,
    pub high: Vec<f64>,
    /// The function of a copy's numbers, as long as it is one for all channels.
    pub expression: Option<Arc<Expression>>,
    /// Whether the line above is what it is.
    pub is_line: bool,
    pub view: View,
    /// The first norm behind a convolution or a dense layer, which the line has in it.
    pub norm: Option<Arc<Normed>>,
}

/// The line in front of a norm, and the norm's moments, one of each for every channel.
#[derive(Clone, Debug)]
pub(super) struct Normed {
    pub factor: Vec<f64>,
    pub offset: Vec<f64>,
    pub mean: Vec<f64>,
    pub variance: Vec<f64>,
    pub epsilon: f32,
}

/// The image, in front of its quantizer: clip(factor · x + offset).
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub factor: Vec<f64>,
    pub offset: Vec<f64>,
    /// What it is clipped to.
    pub ends: (f64, f64),
    pub flat: Option<bool>,
}

/// What is known of a tensor.
#[derive(Clone, Debug)]
pub(super) enum Value<'n> {
    Image(Image),
    Stored(Stored),
    Open(Box<Open<'n>>),
    /// Channels side by side that have no common grid yet.
    Parts(Vec<Value<'n>>, Option<bool>),
}

impl View {
    /// The tensor as it is.
    pub const PLAIN: Self = Self {
        stride: Steps::ONE,
        padding: Padding::NONE,
        zeros: [0; 2],
        flat: None,
    };

    /// Whether it is the tensor, or that as a vector.
    pub fn is_plain(&self) -> bool {
        let flat = self.flat;
        *self
            == Self {
                flat,
                ..Self::PLAIN
            }
    }

    /// Whether it has zeros that the tensor has not.
    pub fn has_zeros(&self) -> bool {
        self.padding != Padding::NONE || self.zeros != [0; 2]
    }

    /// The map that there is, of a tensor of this shape.
    pub fn viewed(&self, of: Shape) -> Shape {
        let padding = self.padding;
        Shape {
            height: of.height.div_ceil(self.stride.rows) + padding.top + padding.bottom,
            width: of.width.div_ceil(self.stride.columns) + padding.left + padding.right,
            channels: self.zeros[0] + of.channels + self.zeros[1],
        }
    }

    /// With zeros around it, and channels of zeros.
    ///
    /// # Errors
    /// Both at once, or a vector.
    pub fn padded(self, by: Padding, [front, behind]: [usize; 2]) -> Result<Self, String> {
        if self.flat.is_some() {
            return Err("it pads a vector that was a map; allowed are maps".to_owned());
        }
        let old = self.padding;
        let padding = Padding {
            top: old.top + by.top,
            left: old.left + by.left,
            bottom: old.bottom + by.bottom,
            right: old.right + by.right,
        };
        let zeros = [self.zeros[0] + front, self.zeros[1] + behind];
        if zeros != [0; 2] && padding != Padding::NONE {
            return Err("it pads rows or columns and channels; allowed is one of both".to_owned());
        }
        Ok(Self {
            padding,
            zeros,
            ..self
        })
    }

    /// Every so many rows and columns of it.
    ///
    /// # Errors
    /// Of what is padded, or a vector.
    pub fn every(self, by: [usize; 2]) -> Result<Self, String> {
        if self.has_zeros() || self.flat.is_some() {
            return Err(
                "it takes every n-th pixel of what is padded or a vector; allowed are maps"
                    .to_owned(),
            );
        }
        let stride = Steps {
            rows: self.stride.rows.saturating_mul(by[0]),
            columns: self.stride.columns.saturating_mul(by[1]),
        };
        Ok(Self { stride, ..self })
    }
}

impl Value<'_> {
    /// The value as a vector, or as the map that it is.
    pub fn flattened(self, to: Option<bool>) -> Self {
        match self {
            Self::Image(image) => Self::Image(Image { flat: to, ..image }),
            Self::Stored(mut stored) => {
                stored.view.flat = to;
                Self::Stored(stored)
            }
            Self::Open(mut open) => {
                open.view.flat = to;
                Self::Open(open)
            }
            Self::Parts(parts, _) => Self::Parts(parts, to),
        }
    }

    /// Whether it is a map that became a vector, and then whether its channels are last.
    pub fn flat(&self) -> Option<bool> {
        match self {
            Self::Image(image) => image.flat,
            Self::Stored(stored) => stored.view.flat,
            Self::Open(open) => open.view.flat,
            Self::Parts(_, flat) => *flat,
        }
    }
}
