//! Operators on integers, which have their scales as inputs.
//!
//! Each is what it stands for: dequantize, the operator on numbers, quantize. The
//! weights keep their integers, so integer arithmetic can do the same in one step.

use super::value::Activation;
use super::walk::{Read, Walk};
use crate::fold::{self, Constant};
use crate::graph::Node;
use crate::network::{Expression, Function, Operator, Weights};
use crate::quantization::{Linear, of_channel};
use crate::tensor::{Element, Tensor};

impl Walk<'_> {
    pub(super) fn on_integers(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        if node.int("channels_last", 0)? != 0 {
            return Err(format!(
                "attribute channels_last of {} is not 0; allowed is 0",
                node.label()
            ));
        }
        let (made, output) = match node.operator.as_str() {
            "QLinearConv" => {
                let of = self.dequantized(node, read, 0)?;
                let weights = self.stored(node, read, 3, 0)?;
                let bias = self.stored_bias(node, read, 8, &weights)?;
                (self.convolve(node, &of, &weights, bias.as_ref())?, 6)
            }
            "QLinearMatMul" => {
                let of = self.dequantized(node, read, 0)?;
                let weights = self.stored(node, read, 3, 1)?;
                (
                    self.dense(node, &of, (&weights, false), None, (1.0, 1.0))?,
                    6,
                )
            }
            "QGemm" => {
                let of = self.dequantized(node, read, 0)?;
                if node.flag("transA", false)? {
                    return Err(format!(
                        "attribute transA of {} is 1; allowed is 0",
                        node.label()
                    ));
                }
                let turned = node.flag("transB", false)?;
                let weights = self.stored(node, read, 3, if turned { 0 } else { 1 })?;
                let bias = self.stored_bias(node, read, 6, &weights)?;
                let alpha = node.float("alpha", 1.0)?;
                let matrix = (&weights, turned);
                let made = self.dense(node, &of, matrix, bias.as_ref(), (alpha, alpha))?;
                if node.input(7).is_none() {
                    return Ok(made);
                }
                (made, 7)
            }
            "QLinearAdd" => {
                let (a, b) = (
                    self.dequantized(node, read, 0)?,
                    self.dequantized(node, read, 3)?,
                );
                if a.dims != b.dims || !b.is_ordered(&a.axes) {
                    return Err(format!(
                        "{} adds tensors of shapes {:?} and {:?}; allowed are tensors of one shape",
                        node.label(),
                        a.dims,
                        b.dims
                    ));
                }
                let shape = self.shape(a.tensor);
                let tensor = self.emit(node, Operator::Add, vec![a.tensor, b.tensor], shape)?;
                (Activation { tensor, ..a }, 6)
            }
            "QLinearConcat" => {
                let parts = (2..node.inputs.len()).step_by(3);
                let parts = parts.map(|at| self.dequantized(node, read, at).map(Some));
                let activations: Vec<_> = parts.collect::<Result<_, String>>()?;
                let constants = vec![None; activations.len()];
                let inner = Node {
                    inputs: vec![None; activations.len()],
                    ..node.clone()
                };
                let read = Read {
                    constants,
                    activations,
                };
                (self.concat(&inner, &read)?, 0)
            }
            _ => {
                let of = self.dequantized(node, read, 0)?;
                (self.single(node, of)?, 3)
            }
        };
        self.requantized(node, read, &made, output)
    }

    /// The operator on numbers of those with one input.
    fn single(&mut self, node: &Node, of: Activation) -> Result<Activation, String> {
        let read = |of| Read {
            constants: vec![None],
            activations: vec![Some(of)],
        };
        let function = match node.operator.as_str() {
            "QLinearAveragePool" => return self.pool(node, &read(of)),
            "QLinearGlobalAveragePool" => return self.global_pool(node, &read(of)),
            "QLinearSigmoid" => Function::Sigmoid,
            _ => Function::LeakyRelu(node.float("alpha", 0.01)?),
        };
        self.emit_same(node, Operator::Pointwise(Expression::of(function)), &of)
    }

    /// Stored integers whose scale and zero point are the next inputs; scales lie along
    /// `axis`.
    fn stored(&self, node: &Node, read: &Read, at: usize, axis: i64) -> Result<Constant, String> {
        let integers = read.known(node, at, "weights")?.tensor().clone();
        if integers.element().is_float() {
            return Err(format!(
                "the weights of {} are {}; allowed are integers",
                node.label(),
                integers.element()
            ));
        }
        let scale = read.known(node, at + 1, "the scale of the weights")?;
        let pair = (scale, read.constant(at + 2));
        let element = integers.element();
        let (linear, axis) = fold::linear_of(node, pair, integers.shape(), axis, element)?;
        Ok(fold::grid(integers, None, linear, axis).into())
    }

    /// A bias of 32-bit integers: its scale is the product of the input's and the
    /// weights', in single precision.
    fn stored_bias(
        &self,
        node: &Node,
        read: &Read,
        at: usize,
        weights: &Constant,
    ) -> Result<Option<Constant>, String> {
        if node.input(at).is_none() {
            return Ok(None);
        }
        let integers = read.known(node, at, "the bias")?.tensor();
        let length = integers.len();
        let flat = integers
            .reshaped(vec![length])
            .ok_or_else(|| node.label())?;
        let input = read
            .known(node, 1, "the scale of the input")?
            .tensor()
            .only();
        let (Some(input), Weights::Grid(grid)) = (input, weights.weights()) else {
            return Err(format!(
                "the scale of the input of {} is no single number; allowed is one",
                node.label()
            ));
        };
        if integers.element().is_float() || grid.scale.len() > 1 && grid.scale.len() != length {
            return Err(format!(
                "the bias of {} has {length} elements of {}; allowed is one 32-bit integer for \
                 each output",
                node.label(),
                integers.element()
            ));
        }
        let scales = 0..grid.scale.len();
        let linear = Linear {
            scale: scales
                .map(|at| input * of_channel(&grid.scale, at))
                .collect(),
            zero_point: vec![0],
            element: Element::I32,
        };
        fold::check_scale(node, &linear.scale)?;
        let bias: Tensor = flat;
        Ok(Some(fold::grid(bias, None, linear, None).into()))
    }
}
