//! Weights: numbers, or the integers and scales behind them where the file has such.

use crate::quantization::{IntQuant, Linear, of_channel};
use crate::tensor::Tensor;

/// Weights or biases of a layer, in its order.
#[derive(Clone, Debug)]
pub enum Weights {
    /// Numbers.
    Numbers(Tensor),
    /// Multiples of a step.
    Grid(Grid),
}

/// Integers and scales; the numbers are (integer - zero point) · scale.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The integers.
    pub integers: Tensor,
    /// Value of a step; one for all, or one for each place along the axis.
    pub scale: Vec<f32>,
    /// Integer of the number 0; one for all, or one for each place along the axis. Weights
    /// and biases of layers have zeros.
    pub zero_point: Vec<f32>,
    /// The axis of the scales; the output, once a layer owns the weights.
    pub axis: usize,
    /// Smallest and largest integer that the file allows.
    pub bounds: (f32, f32),
    /// The node that says so.
    pub origin: Origin,
}

/// How a file says which integers weights are.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// Stored integers behind `DequantizeLinear`, or in an operator on integers.
    Linear(Linear),
    /// Numbers behind `Quant`.
    IntQuant(IntQuant),
    /// Numbers behind `BipolarQuant`.
    Bipolar,
}

impl Weights {
    /// Extents.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Numbers(tensor) => tensor.shape(),
            Self::Grid(grid) => grid.integers.shape(),
        }
    }

    /// The numbers, computed where the file has integers.
    pub fn values(&self) -> Tensor {
        match self {
            Self::Numbers(tensor) => tensor.clone(),
            Self::Grid(grid) => grid.values(),
        }
    }

    /// The integers behind the numbers.
    pub fn grid(&self) -> Option<&Grid> {
        match self {
            Self::Numbers(_) => None,
            Self::Grid(grid) => Some(grid),
        }
    }
}

impl Grid {
    /// The numbers, in single precision: the zero point is subtracted in 64 bits where it
    /// is whole, so nothing wraps around.
    pub fn values(&self) -> Tensor {
        let shape = self.integers.shape().to_vec();
        let behind: usize = shape.iter().skip(self.axis + 1).product();
        let extent = shape.get(self.axis).copied().unwrap_or(1);
        let channel = |at: usize| at / behind.max(1) % extent.max(1);
        let centred = self.zero_point.iter().all(|&z| z == 0.0);
        let whole = self.zero_point.iter().all(|z| z.fract() == 0.0);
        let number = |(at, &q): (usize, &i64)| {
            let channel = channel(at);
            let zero = of_channel(&self.zero_point, channel);
            let steps = match (centred, whole) {
                (true, _) => q as f32,
                (_, true) => q.saturating_sub(zero as i64) as f32,
                _ => q as f32 - zero,
            };
            steps * of_channel(&self.scale, channel)
        };
        let integers = self.integers.integers();
        let values: Vec<f32> = integers.iter().enumerate().map(number).collect();
        // The shape is the integers' own.
        Tensor::from_floats(shape, values).unwrap_or_else(|| Tensor::scalar(0.0))
    }
}
