//! What layers compute.

use super::expression::{Expression, Function};
use super::weights::Weights;
use crate::quantization::{Bipolar, IntQuant, Linear, Trunc};

/// Rows and columns of zeros around an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Padding {
    /// Above.
    pub top: usize,
    /// On the left.
    pub left: usize,
    /// Below.
    pub bottom: usize,
    /// On the right.
    pub right: usize,
}

/// A window that moves over an image; heights first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Places of the window.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub strides: [usize; 2],
    /// Pixels from one place of the window to the next.
    pub dilations: [usize; 2],
    /// Zeros (for a maximum: nothing) around the image.
    pub padding: Padding,
    /// Whether a last window that reaches over the padded image counts.
    pub ceil_mode: bool,
}

/// A convolution.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// Outputs, inputs of a group, rows, columns.
    pub weights: Weights,
    /// One for each output.
    pub bias: Option<Weights>,
    /// Where the weights lie on the image.
    pub window: Window,
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

/// A matrix applied to a vector.
#[derive(Clone, Debug)]
pub struct Dense {
    /// Outputs, inputs.
    pub weights: Weights,
    /// One for each output.
    pub bias: Option<Weights>,
}

/// gain · (x - mean) / √(variance + epsilon) + shift, for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    /// Gain of each channel.
    pub gain: Vec<f32>,
    /// Shift of each channel.
    pub shift: Vec<f32>,
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Variance of each channel.
    pub variance: Vec<f32>,
    /// What keeps the root away from zero, as this node says it.
    pub epsilon: f32,
}

/// scale · x + offset; one of each for all channels, or one for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// Factors.
    pub scale: Vec<f64>,
    /// Summands.
    pub offset: Vec<f64>,
}

/// A pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The largest of the window.
    Max(Window),
    /// The mean of the window; with the flag, its divisor counts padding, but never what
    /// a last window reaches over.
    Average(Window, bool),
    /// The largest of the image.
    GlobalMax,
    /// The mean of the image.
    GlobalAverage,
}

/// A quantizer, with every attribute of its node.
#[derive(Clone, Debug, PartialEq)]
pub enum QuantizedForm {
    /// ONNX: numbers to integers.
    Quantize(Linear),
    /// ONNX: integers to numbers.
    Dequantize(Linear),
    /// QONNX: numbers to multiples of a scale.
    IntQuant(IntQuant),
    /// QONNX: numbers to plus and minus a scale.
    Bipolar(Bipolar),
    /// QONNX: fewer bits.
    Trunc(Trunc),
}

/// What a layer computes.
#[derive(Clone, Debug)]
pub enum Operator {
    /// A convolution.
    Convolution(Box<Convolution>),
    /// A matrix.
    Dense(Box<Dense>),
    /// A batch norm.
    BatchNorm(BatchNorm),
    /// A factor and a summand.
    Affine(Affine),
    /// The sum of two tensors.
    Add,
    /// Tensors after each other, along the channels.
    Concat,
    /// A pool.
    Pool(Pool),
    /// min(max(x, low), high); ReLU is from 0 to infinity.
    Clip(f32, f32),
    /// A function of each number by itself.
    Pointwise(Expression),
    /// Each pixel that many times in rows and columns.
    Resize([usize; 2]),
    /// Zeros around the image, and channels of zeros before and behind.
    Pad(Padding, [usize; 2]),
    /// Every n-th row and m-th column, from the first on.
    Subsample([usize; 2]),
    /// The elements in another shape. In their order channels come last, at the input
    /// and at the output, where the flag says so; elsewhere first.
    Reshape([bool; 2]),
    /// A quantizer.
    Quantizer(QuantizedForm),
}

impl Operator {
    /// The expression that it is, where it treats every number alike.
    pub fn expression(&self) -> Option<Expression> {
        let function = match self {
            Self::Pointwise(expression) => return Some(expression.clone()),
            Self::Clip(low, high) => Function::Clip(*low, *high),
            Self::Affine(affine) => match (affine.scale.as_slice(), affine.offset.as_slice()) {
                ([scale], [offset]) => Function::Affine(*scale, *offset),
                _ => return None,
            },
            Self::Quantizer(form) => match form.clone() {
                QuantizedForm::Quantize(q) if q.scale.len() == 1 => Function::Quantize(q.into()),
                QuantizedForm::Dequantize(q) if q.scale.len() == 1 => {
                    Function::Dequantize(q.into())
                }
                QuantizedForm::IntQuant(q) if q.scale.len() == 1 && q.zero_point.len() == 1 => {
                    Function::IntQuant(q.into())
                }
                QuantizedForm::Bipolar(q) if q.scale.len() == 1 => Function::Bipolar(q.into()),
                QuantizedForm::Trunc(q) if q.scale.len() == 1 => Function::Trunc(q.into()),
                _ => return None,
            },
            _ => return None,
        };
        Some(Expression::of(function))
    }
}
