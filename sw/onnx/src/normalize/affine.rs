//! Norms, factors and summands, and sums of two tensors.

use super::value::{Activation, Axis, dims_of};
use super::walk::{Read, Walk};
use crate::fold::{self, Constant};
use crate::graph::Node;
use crate::network::{Affine, BatchNorm, Binary, Expression, Function, Operator};
use std::sync::Arc;

/// What a node joins: two tensors, or a tensor and a constant.
enum Pair<'a> {
    Both(&'a Activation, &'a Activation),
    /// The constant is the second.
    Right(&'a Activation, &'a Constant),
    /// The constant is the first.
    Left(&'a Constant, &'a Activation),
}

impl Walk<'_> {
    pub(super) fn batch_norm(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?;
        let shape = self.shape(of.tensor);
        if of.dims.len() < 2 || !of.is_axis(1, Axis::Channel, shape) {
            return Err(format!(
                "{}, whose axis 1 is not that of the channels; allowed are channels first",
                dims_of(node, of)
            ));
        }
        // Version 14 has the attribute; before it, more outputs mean training.
        if node.flag("training_mode", false)? {
            return Err(format!(
                "attribute training_mode of {} is 1, which takes the statistics of the batch; \
                 allowed is 0",
                node.label()
            ));
        }
        if node.int("spatial", 1)? != 1 {
            return Err(format!(
                "attribute spatial of {} is not 1; allowed are statistics of channels",
                node.label()
            ));
        }
        let part = |at: usize, what: &str| -> Result<Vec<f32>, String> {
            let constant = read.known(node, at, what)?;
            let values = constant.tensor().floats().into_owned();
            if values.len() != shape.channels {
                return Err(format!(
                    "{what} of {} has the shape {:?} beside {} channels; allowed is one for each",
                    node.label(),
                    constant.shape(),
                    shape.channels
                ));
            }
            match values.iter().find(|v| !v.is_finite()) {
                None => Ok(values),
                Some(bad) => Err(format!(
                    "{what} of {} has {bad}; allowed are finite numbers",
                    node.label()
                )),
            }
        };
        let norm = BatchNorm {
            gain: part(1, "the scale")?,
            shift: part(2, "the shift")?,
            mean: part(3, "the mean")?,
            variance: part(4, "the variance")?,
            epsilon: node.float("epsilon", 1e-5)?,
        };
        if let Some(bad) = norm.variance.iter().find(|&&v| v + norm.epsilon <= 0.0) {
            return Err(format!(
                "the variance of {} has {bad} with the epsilon {}; allowed are sums above zero",
                node.label(),
                norm.epsilon
            ));
        }
        self.emit_same(node, Operator::BatchNorm(norm), of)
    }

    pub(super) fn arithmetic(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let many = matches!(node.operator.as_str(), "Sum" | "Min" | "Max");
        let count = node.inputs.len();
        if !(count == 2 || many && (1..=64).contains(&count)) {
            return Err(format!(
                "{} has {count} inputs; allowed are 2",
                node.label()
            ));
        }
        let operand = |at: usize| {
            let activation = read.activations.get(at).and_then(Option::as_ref);
            (activation, read.constant(at))
        };
        // A reader that starts with a tensor: constants of a sum may stand in front.
        let first = (0..count).find(|&at| operand(at).0.is_some());
        let first = if many { first.unwrap_or(0) } else { 0 };
        if !many {
            let pair = match (operand(0), operand(1)) {
                ((Some(a), _), (Some(b), _)) => Pair::Both(a, b),
                ((Some(a), _), (_, Some(b))) => Pair::Right(a, b),
                ((_, Some(a)), (Some(b), _)) => Pair::Left(a, b),
                _ => return Err(format!("{} has an input that is left out", node.label())),
            };
            return self.join(node, pair);
        }
        let mut made = read.tensor(node, first)?.clone();
        self.reason = "it has one input".to_owned();
        for at in (0..count).filter(|&at| at != first) {
            made = match operand(at) {
                (Some(other), _) => self.join(node, Pair::Both(&made, other))?,
                (_, Some(constant)) => self.join(node, Pair::Right(&made, constant))?,
                _ => return Err(format!("{} has an input that is left out", node.label())),
            };
        }
        Ok(made)
    }

    fn join(&mut self, node: &Node, pair: Pair<'_>) -> Result<Activation, String> {
        match pair {
            Pair::Both(a, b) => self.two(node, a, b),
            Pair::Right(of, constant) => self.with_constant(node, of, constant, false),
            Pair::Left(constant, of) => self.with_constant(node, of, constant, true),
        }
    }

    /// A tensor and a constant, which is the first operand where `turned`.
    fn with_constant(
        &mut self,
        node: &Node,
        of: &Activation,
        constant: &Constant,
        turned: bool,
    ) -> Result<Activation, String> {
        if constant.shape().len() > of.dims.len() {
            return Err(format!(
                "{} and a constant of shape {:?}; allowed are constants of no more axes",
                dims_of(node, of),
                constant.shape()
            ));
        }
        let (values, axis) = fold::along(node, "the constant", constant, &of.dims)?;
        self.check_channel(node, "the constant", of, axis)?;
        let reciprocal = node.operator == "Div" && !turned;
        if let Some(bad) = values
            .iter()
            .find(|v| !v.is_finite() || reciprocal && **v == 0.0)
        {
            return Err(format!(
                "the constant of {} has {bad}; allowed are finite numbers, and no zero to divide \
                 by",
                node.label()
            ));
        }
        let wide: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        let (scale, offset) = match (node.operator.as_str(), turned) {
            ("Add" | "Sum", _) => (vec![1.0], wide),
            ("Sub", false) => (vec![1.0], wide.iter().map(|v| -v).collect()),
            ("Sub", true) => (vec![-1.0], wide),
            ("Mul", _) => (wide, vec![0.0]),
            ("Div", false) => (wide.iter().map(|v| 1.0 / v).collect(), vec![0.0]),
            (operator, _) => {
                let Some(value) = constant.tensor().only() else {
                    return Err(format!(
                        "the constant of {} has the shape {:?}; allowed is a single number",
                        node.label(),
                        constant.shape()
                    ));
                };
                return self.function_with(node, of, operator, value, turned);
            }
        };
        if scale.iter().all(|&s| s == 1.0) && offset.iter().all(|&o| o == 0.0) {
            self.reason = "it changes nothing".to_owned();
            return Ok(of.clone());
        }
        self.emit_same(node, Operator::Affine(Affine { scale, offset }), of)
    }

    /// A function of a tensor and one number.
    fn function_with(
        &mut self,
        node: &Node,
        of: &Activation,
        operator: &str,
        value: f32,
        turned: bool,
    ) -> Result<Activation, String> {
        let operator = match (operator, turned) {
            ("Min", _) => Operator::Clip(f32::NEG_INFINITY, value),
            ("Max", _) => Operator::Clip(value, f32::INFINITY),
            ("Div", true) => {
                let inner = Arc::new(Expression::of(Function::Reciprocal));
                let scale = Function::Affine(f64::from(value), 0.0);
                Operator::Pointwise(Expression::Of(scale, inner))
            }
            ("Pow", false) => Operator::Pointwise(Expression::of(Function::Power(value))),
            _ => {
                return Err(format!(
                    "{} has the network's input in its exponent; allowed are known exponents",
                    node.label()
                ));
            }
        };
        self.emit_same(node, operator, of)
    }

    /// Two tensors.
    fn two(&mut self, node: &Node, a: &Activation, b: &Activation) -> Result<Activation, String> {
        let (x, y) = (self.shape(a.tensor), self.shape(b.tensor));
        let alike = a.dims == b.dims && x == y && b.is_ordered(&a.axes);
        let binary = match node.operator.as_str() {
            "Add" | "Sum" => Binary::Add,
            "Sub" => Binary::Subtract,
            "Mul" => Binary::Multiply,
            "Div" => Binary::Divide,
            "Min" => Binary::Min,
            "Max" => Binary::Max,
            _ => return Err(Walk::unknown(node)),
        };
        let function = if alike {
            self.joint(a.tensor, b.tensor, binary)
        } else {
            None
        };
        if !matches!(binary, Binary::Add | Binary::Subtract) {
            let Some((root, expression)) = function else {
                return Err(format!(
                    "{} joins two tensors that both depend on the network's input (shapes {:?} \
                     and {:?}), as squeeze-and-excitation does; allowed are products with \
                     constants, and of functions of one tensor",
                    node.label(),
                    a.dims,
                    b.dims
                ));
            };
            let operator = Operator::Pointwise(expression);
            let tensor = self.emit(node, operator, vec![root], x)?;
            return Ok(Activation {
                tensor,
                ..a.clone()
            });
        }
        if !alike {
            return Err(format!(
                "{} adds tensors of shapes {:?} and {:?}; allowed are tensors of one shape",
                node.label(),
                a.dims,
                b.dims
            ));
        }
        let second = match binary {
            Binary::Subtract => {
                let turned = Affine {
                    scale: vec![-1.0],
                    offset: vec![0.0],
                };
                self.emit(node, Operator::Affine(turned), vec![b.tensor], y)?
            }
            _ => b.tensor,
        };
        let tensor = self.emit(node, Operator::Add, vec![a.tensor, second], x)?;
        self.parents[tensor] = function.map(|(root, e)| (root, Arc::new(e)));
        Ok(Activation {
            tensor,
            ..a.clone()
        })
    }
}
