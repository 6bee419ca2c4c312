//! How a file says that a number is rounded.

use super::message::{Attribute, Graph};
use std::fmt;
use std::str::FromStr;

/// Which quantizers a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// ONNX's own: `QuantizeLinear` and `DequantizeLinear`, integers as tensors.
    #[default]
    Qdq,
    /// QONNX's `Quant`, numbers as tensors.
    Qonnx,
}

const DOMAIN: &str = "qonnx.custom_op.general";
const DOMAIN_VERSION: i64 = 2;

impl Dialect {
    /// What the graph must know of it.
    pub(super) fn declare(self, graph: &mut Graph) {
        if self == Self::Qonnx {
            graph.domain(DOMAIN, DOMAIN_VERSION);
        }
    }

    /// An activation of eight bits with a sign, rounded to multiples of `step` with this zero point.
    pub(super) fn activation(
        self,
        graph: &mut Graph,
        (name, value): (&str, &str),
        step: f32,
        zero: i8,
    ) -> String {
        let scale = graph.floats(&format!("{name}.step"), &[], &[step]);
        match self {
            Self::Qdq => {
                let zero = graph.bytes(&format!("{name}.zero"), &[], &[zero]);
                let integers = format!("{name}.integers");
                let operands = [value, &scale, &zero];
                let integers = graph.node("QuantizeLinear", &integers, &operands, &[]);
                graph.node("DequantizeLinear", name, &[&integers, &scale, &zero], &[])
            }
            Self::Qonnx => {
                let zero = graph.floats(&format!("{name}.zero"), &[], &[f32::from(zero)]);
                let bits = graph.floats(&format!("{name}.bits"), &[], &[8.0]);
                quant(graph, name, [value, &scale, &zero, &bits])
            }
        }
    }

    /// Weights of so many bits: integers `[output]...`, and the step of each output.
    pub(super) fn weights(
        self,
        graph: &mut Graph,
        name: &str,
        (dims, integers): (&[usize], &[i8]),
        (steps, bits): (&[f32], usize),
    ) -> String {
        match self {
            Self::Qdq => {
                let stored = format!("{name}.integers");
                let stored = match bits {
                    4 => graph.nibbles(&stored, dims, integers),
                    _ => graph.bytes(&stored, dims, integers),
                };
                let scale = graph.floats(&format!("{name}.step"), &[steps.len()], steps);
                let axis = [("axis", Attribute::Int(0))];
                graph.node("DequantizeLinear", name, &[&stored, &scale], &axis)
            }
            Self::Qonnx => {
                let of_output = integers.len() / steps.len().max(1);
                let values: Vec<f32> = integers
                    .iter()
                    .enumerate()
                    .map(|(at, &w)| f32::from(w) * steps[at / of_output])
                    .collect();
                let values = graph.floats(&format!("{name}.values"), dims, &values);
                let each: Vec<usize> = std::iter::once(steps.len())
                    .chain(dims.iter().skip(1).map(|_| 1))
                    .collect();
                let scale = graph.floats(&format!("{name}.step"), &each, steps);
                let zero = graph.floats(&format!("{name}.zero"), &[], &[0.0]);
                let bits = graph.floats(&format!("{name}.bits"), &[], &[bits as f32]);
                quant(graph, name, [&values, &scale, &zero, &bits])
            }
        }
    }
}

fn quant(graph: &mut Graph, name: &str, operands: [&str; 4]) -> String {
    let attributes = [
        ("signed", Attribute::Int(1)),
        ("narrow", Attribute::Int(0)),
        ("rounding_mode", Attribute::Text("ROUND")),
    ];
    graph.node_of(DOMAIN, "Quant", name, &operands, &attributes)
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "qdq" => Ok(Self::Qdq),
            "qonnx" => Ok(Self::Qonnx),
            _ => Err(format!(
                "dialect {name:?} is unknown; allowed are qdq and qonnx"
            )),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Qdq => "qdq",
            Self::Qonnx => "qonnx",
        })
    }
}
