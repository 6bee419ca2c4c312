//! Convolutions and matrices with known weights.

use super::value::{Activation, Axis, dims_of};
use super::walk::{Read, Walk};
use super::windows::{window, windows};
use crate::fold::{self, Constant};
use crate::graph::Node;
use crate::network::{Convolution, Dense, Operator, Padding, Shape, Weights, Window};
use crate::tensor::Tensor;

/// Weights that a layer can own: finite, and on a grid without zero points whose scales
/// lie along the first axis.
///
/// # Errors
/// Any others.
pub(super) fn weights(node: &Node, constant: &Constant) -> Result<Weights, String> {
    let weights = constant.weights();
    match weights {
        Weights::Numbers(tensor) if !tensor.is_finite() => Err(format!(
            "the weights of {} have values that are not finite; allowed are finite ones",
            node.label()
        )),
        Weights::Numbers(_) => Ok(weights.clone()),
        Weights::Grid(grid) => {
            fold::check_symmetric(node, grid)?;
            if grid.scale.len() > 1 && grid.axis != 0 {
                return Err(format!(
                    "the scales of the weights of {} vary along an axis that is not that of its \
                     outputs; allowed is one for all or one for each output",
                    node.label()
                ));
            }
            Ok(weights.clone())
        }
    }
}

/// Weights times a number: the integers of a grid stay.
fn scaled(node: &Node, weights: Weights, factor: f32) -> Result<Weights, String> {
    if factor == 1.0 {
        return Ok(weights);
    }
    let scale = |values: &[f32]| values.iter().map(|v| v * factor).collect::<Vec<f32>>();
    Ok(match weights {
        Weights::Numbers(tensor) => {
            let made = Tensor::from_floats(tensor.shape().to_vec(), scale(&tensor.floats()));
            Weights::Numbers(made.ok_or_else(|| node.label())?)
        }
        Weights::Grid(mut grid) => {
            grid.scale = scale(&grid.scale);
            fold::check_scale(node, &grid.scale)?;
            Weights::Grid(grid)
        }
    })
}

/// A bias of so many outputs, repeated where it is one for all.
fn bias(node: &Node, constant: &Constant, outputs: usize) -> Result<Weights, String> {
    let length = constant.shape().iter().product::<usize>();
    let last = constant.shape().last().copied().unwrap_or(1);
    if length == outputs && last == outputs {
        let change = |tensor: &Tensor| tensor.reshaped(vec![outputs]);
        let moved = constant.moved(change, |_| Some(0));
        return weights(node, &moved.ok_or_else(|| node.label())?);
    }
    if length == 1 {
        let value = constant.tensor().floats().first().copied().unwrap_or(0.0);
        let tensor = Tensor::from_floats(vec![outputs], vec![value; outputs]);
        return weights(node, &Constant::from(tensor.ok_or_else(|| node.label())?));
    }
    Err(format!(
        "the bias of {} has the shape {:?}; allowed is one for each of {outputs} outputs",
        node.label(),
        constant.shape()
    ))
}

impl Walk<'_> {
    pub(super) fn convolution(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?;
        let kernel = read.known(node, 1, "weights")?;
        let has_bias = node.input(2).is_some();
        let offset = match has_bias {
            true => Some(read.known(node, 2, "the bias")?),
            false => None,
        };
        self.convolve(node, of, kernel, offset)
    }

    /// A convolution of an image with known weights.
    pub(super) fn convolve(
        &mut self,
        node: &Node,
        of: &Activation,
        kernel: &Constant,
        offset: Option<&Constant>,
    ) -> Result<Activation, String> {
        let (image, shape) = self.image(node, of)?;
        let spatial = of.dims.len() - 2;
        let extents = kernel.shape().to_vec();
        let groups = node.int("group", 1)?;
        let fits = usize::try_from(groups).ok().filter(|&groups| {
            extents.len() == spatial + 2
                && groups > 0
                && !extents.contains(&0)
                && extents[1].checked_mul(groups) == Some(shape.channels)
                && extents[0].is_multiple_of(groups)
        });
        let Some(groups) = fits else {
            return Err(format!(
                "{} has weights of shape {extents:?} in {groups} groups on {} channels; allowed \
                 are (outputs, channels / groups, rows, columns)",
                node.label(),
                shape.channels
            ));
        };
        let size = match extents.as_slice() {
            &[_, _, rows, columns] => [rows, columns],
            _ => [1, extents[2]],
        };
        let window = window(node, spatial, shape, Some(size))?;
        let [height, width] = windows(node, &window, shape)?;
        let outputs = extents[0];
        let square = vec![outputs, extents[1], size[0], size[1]];
        let change = |tensor: &Tensor| tensor.reshaped(square.clone());
        let moved = kernel.moved(change, Some).ok_or_else(|| node.label())?;
        let convolution = Convolution {
            weights: weights(node, &moved)?,
            bias: offset.map(|b| bias(node, b, outputs)).transpose()?,
            window,
            groups,
        };
        let made = Shape {
            channels: outputs,
            height,
            width,
        };
        let operator = Operator::Convolution(Box::new(convolution));
        let tensor = self.emit(node, operator, vec![image], made)?;
        Ok(self.seen(tensor, of.dims.len(), of.element))
    }

    pub(super) fn gemm(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?;
        let matrix = read.known(node, 1, "weights")?;
        let offset = match node.input(2).is_some() {
            true => Some(read.known(node, 2, "the bias")?),
            false => None,
        };
        if node.flag("transA", false)? {
            return Err(format!(
                "attribute transA of {} is 1; allowed is 0, the batch in front",
                node.label()
            ));
        }
        let turned = node.flag("transB", false)?;
        let factors = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
        self.dense(node, of, (matrix, turned), offset, factors)
    }

    pub(super) fn matmul(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        if read.activations.iter().flatten().count() > 1 {
            return Err(format!(
                "{} multiplies two tensors that both depend on the network's input; allowed are \
                 known weights",
                node.label()
            ));
        }
        let of = read.tensor(node, 0)?;
        let matrix = read.known(node, 1, "weights")?;
        self.dense(node, of, (matrix, false), None, (1.0, 1.0))
    }

    /// A matrix of (inputs, outputs), or turned, on the last axis of a value.
    pub(super) fn dense(
        &mut self,
        node: &Node,
        of: &Activation,
        (matrix, turned): (&Constant, bool),
        offset: Option<&Constant>,
        (alpha, beta): (f32, f32),
    ) -> Result<Activation, String> {
        let &[a, b] = matrix.shape() else {
            return Err(format!(
                "the weights of {} have the shape {:?}; allowed are matrices",
                node.label(),
                matrix.shape()
            ));
        };
        let (outputs, inputs) = if turned { (a, b) } else { (b, a) };
        if of.dims.last() != Some(&inputs) || outputs == 0 {
            return Err(format!(
                "{} and has weights for {inputs} inputs and {outputs} outputs; allowed are as \
                 many inputs as the last extent",
                dims_of(node, of)
            ));
        }
        let matrix = match turned {
            true => matrix.clone(),
            false => {
                self.budget.take(matrix.shape(), &node.label())?;
                fold::transposed(matrix, &[1, 0]).ok_or_else(|| node.label())?
            }
        };
        let weights = scaled(node, weights(node, &matrix)?, alpha)?;
        let bias = match offset {
            Some(constant) if beta != 0.0 => {
                Some(scaled(node, bias(node, constant, outputs)?, beta)?)
            }
            _ => None,
        };
        let mut dims = of.dims.clone();
        if let Some(last) = dims.last_mut() {
            *last = outputs;
        }
        if of.len() == inputs {
            let vector = self.vector(node, of)?;
            let operator = Operator::Dense(Box::new(Dense { weights, bias }));
            let tensor = self.emit(node, operator, vec![vector], Shape::vector(outputs))?;
            return Ok(Activation {
                tensor,
                axes: last_is_channel(dims.len()),
                dims,
                element: of.element,
            });
        }
        self.pixelwise(node, of, weights, bias, dims)
    }

    /// The tensor as a vector: one axis at most is longer than one.
    fn vector(&mut self, node: &Node, of: &Activation) -> Result<usize, String> {
        let shape = self.shape(of.tensor);
        match shape.channels == shape.len() {
            true => Ok(of.tensor),
            false => {
                let operator = Operator::Reshape([false, false]);
                self.emit(node, operator, vec![of.tensor], Shape::vector(shape.len()))
            }
        }
    }

    /// A matrix on the channels of every pixel: a convolution of 1 x 1.
    fn pixelwise(
        &mut self,
        node: &Node,
        of: &Activation,
        weights: Weights,
        bias: Option<Weights>,
        dims: Vec<usize>,
    ) -> Result<Activation, String> {
        let shape = self.shape(of.tensor);
        let last = of.dims.len() - 1;
        let &[outputs, inputs] = weights.shape() else {
            return Err(node.label());
        };
        if !of.is_axis(last, Axis::Channel, shape) || shape.channels != inputs {
            return Err(format!(
                "{}, whose last axis is not that of the channels; allowed are vectors, and \
                 images with their channels last",
                dims_of(node, of)
            ));
        }
        let constant = match weights {
            Weights::Numbers(tensor) => Constant::from(tensor),
            Weights::Grid(grid) => Constant::from(grid),
        };
        let change = |tensor: &Tensor| tensor.reshaped(vec![outputs, inputs, 1, 1]);
        let moved = constant.moved(change, Some).ok_or_else(|| node.label())?;
        let convolution = Convolution {
            weights: moved.weights().clone(),
            bias,
            window: Window {
                kernel: [1, 1],
                strides: [1, 1],
                dilations: [1, 1],
                padding: Padding::default(),
                ceil_mode: false,
            },
            groups: 1,
        };
        let made = Shape {
            channels: outputs,
            ..shape
        };
        let operator = Operator::Convolution(Box::new(convolution));
        let tensor = self.emit(node, operator, vec![of.tensor], made)?;
        Ok(Activation {
            tensor,
            dims,
            ..of.clone()
        })
    }
}

/// Axes of a vector in so many dimensions, all but the last one long.
fn last_is_channel(rank: usize) -> Vec<Axis> {
    let mut axes = vec![Axis::Single; rank];
    if let Some(first) = axes.first_mut() {
        *first = Axis::Batch;
    }
    if let Some(last) = axes.last_mut() {
        *last = Axis::Channel;
    }
    axes
}
