//! Functions of each number, and nodes that do nothing.

use super::value::Activation;
use super::walk::{Read, Walk};
use crate::fold;
use crate::graph::{Domain, Node};
use crate::network::{Affine, Expression, Function, Operator};
use crate::tensor::Element;
use std::sync::Arc;

impl Walk<'_> {
    pub(super) fn pointwise(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let standard = node.domain == Domain::Standard || node.operator == "Gelu";
        if !standard {
            return Err(Walk::unknown(node));
        }
        let of = match read.activations.first() {
            Some(Some(of)) => of,
            _ => return Err(Walk::unknown(node)),
        };
        let function = match node.operator.as_str() {
            "Relu" => return self.emit_same(node, Operator::Clip(0.0, f32::INFINITY), of),
            "Clip" => return self.clip(node, read, of),
            "Neg" => {
                let turned = Affine {
                    scale: vec![-1.0],
                    offset: vec![0.0],
                };
                return self.emit_same(node, Operator::Affine(turned), of);
            }
            "Celu" => return self.celu(node, of),
            "Swish" => return self.swish(node, of),
            "PRelu" => {
                let slope = read.known(node, 1, "the slope")?;
                let slope = slope.tensor().only().filter(|s| s.is_finite());
                Function::LeakyRelu(slope.ok_or_else(|| {
                    format!(
                        "the slope of {} is no single finite number; allowed is one for all \
                         channels",
                        node.label()
                    )
                })?)
            }
            "LeakyRelu" => Function::LeakyRelu(node.float("alpha", 0.01)?),
            "HardSigmoid" => {
                Function::HardSigmoid(node.float("alpha", 0.2)?, node.float("beta", 0.5)?)
            }
            "HardSwish" => Function::HardSwish,
            "Sigmoid" => Function::Sigmoid,
            "Tanh" => Function::Tanh,
            "Gelu" => match node.text("approximate", "none")?.as_ref() {
                "none" => Function::Gelu,
                "tanh" => Function::GeluTanh,
                other => {
                    return Err(format!(
                        "attribute approximate of {} is {}; allowed are none and tanh",
                        node.label(),
                        crate::error::quoted(other)
                    ));
                }
            },
            "Erf" => Function::Erf,
            "Exp" => Function::Exp,
            "Log" => Function::Log,
            "Sqrt" => Function::Sqrt,
            "Reciprocal" => Function::Reciprocal,
            "Abs" => Function::Abs,
            "Elu" => Function::Elu(node.float("alpha", 1.0)?),
            "Selu" => {
                // ONNX's own defaults, as they are written there.
                let (alpha, gamma) = (1.673_263_2, 1.050_701);
                Function::Selu(node.float("alpha", alpha)?, node.float("gamma", gamma)?)
            }
            "Softplus" => Function::Softplus,
            "Softsign" => Function::Softsign,
            "Mish" => Function::Mish,
            _ => return Err(Walk::unknown(node)),
        };
        self.emit_same(node, Operator::Pointwise(Expression::of(function)), of)
    }

    fn clip(&mut self, node: &Node, read: &Read, of: &Activation) -> Result<Activation, String> {
        for at in 1..node.inputs.len() {
            if node.input(at).is_some() {
                read.known(node, at, "a bound")?;
            }
        }
        let (low, high) = fold::clip_bounds(node, &read.inputs())?;
        if low == f32::NEG_INFINITY && high == f32::INFINITY {
            self.reason = "it has no bounds".to_owned();
            return Ok(of.clone());
        }
        self.emit_same(node, Operator::Clip(low, high), of)
    }

    /// alpha · elu(x / alpha).
    fn celu(&mut self, node: &Node, of: &Activation) -> Result<Activation, String> {
        let alpha = node.float("alpha", 1.0)?;
        if alpha <= 0.0 {
            return Err(format!(
                "attribute alpha of {} is {alpha}; allowed are numbers above zero",
                node.label()
            ));
        }
        let expression = match alpha {
            1.0 => Expression::of(Function::Elu(1.0)),
            alpha => {
                let wide = f64::from(alpha);
                let inner = Arc::new(Expression::of(Function::Affine(1.0 / wide, 0.0)));
                let inner = Arc::new(Expression::Of(Function::Elu(1.0), inner));
                Expression::Of(Function::Affine(wide, 0.0), inner)
            }
        };
        self.emit_same(node, Operator::Pointwise(expression), of)
    }

    /// x · sigmoid(alpha · x).
    fn swish(&mut self, node: &Node, of: &Activation) -> Result<Activation, String> {
        let expression = match node.float("alpha", 1.0)? {
            1.0 => Expression::of(Function::Silu),
            alpha => {
                let inner = Arc::new(Expression::of(Function::Affine(f64::from(alpha), 0.0)));
                let factor = Arc::new(Expression::Of(Function::Sigmoid, inner));
                let x = Arc::new(Expression::X);
                Expression::Join(crate::network::Binary::Multiply, x, factor)
            }
        };
        self.emit_same(node, Operator::Pointwise(expression), of)
    }

    pub(super) fn nothing(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let mut of = read.tensor(node, 0)?.clone();
        match node.operator.as_str() {
            "Dropout" => {
                let training = match node.input(2).is_some() {
                    true => read.known(node, 2, "training_mode")?.tensor().only() != Some(0.0),
                    false => false,
                };
                self.reason = "it does nothing outside training".to_owned();
                if training {
                    self.network.warnings.push(format!(
                        "{} has training_mode true, so other programs set some of its inputs to \
                         zero at random; here it is left out. Export the network in eval mode",
                        node.label()
                    ));
                }
            }
            "Cast" => {
                let code = node.int("to", 0)?;
                let element = Element::from_code(code).map_err(|found| {
                    format!("{} casts to elements that are {found}", node.label())
                })?;
                // What quantizes the image would have made another tensor of it.
                let is_image = of.tensor == self.network.input;
                self.network.casts_bytes |=
                    is_image && of.element == Element::U8 && element.is_float();
                if !element.is_float() && element != of.element {
                    return Err(format!(
                        "{} casts a tensor of {} to {element}; allowed are floats, which change \
                         nothing",
                        node.label(),
                        of.element
                    ));
                }
                of.element = element;
                self.reason = "its values stay the same".to_owned();
            }
            "CastLike" => return Err(Walk::unknown(node)),
            _ => self.reason = "its values stay the same".to_owned(),
        }
        Ok(of)
    }
}
