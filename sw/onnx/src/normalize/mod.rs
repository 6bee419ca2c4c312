//! From a graph to a network: constants are computed, layouts resolved, nodes become
//! layers or are dropped, and each of them is accounted for.

mod affine;
mod endings;
mod input;
mod integers;
mod layout;
mod linear;
mod pad;
mod pointwise;
mod products;
mod quantizers;
mod resize;
mod tidy;
mod value;
mod walk;
mod windows;

use crate::fold;
use crate::graph::{Domain, Graph, Node};
use crate::network::{Entry, Fate, Network};
use crate::tensor::Tensor;
use value::{Activation, Value};
use walk::{Read, Walk};

/// The operators that are read, those of constants among them.
pub(crate) const OPERATORS: [&str; 86] = [
    "Abs",
    "Add",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "BipolarQuant",
    "Cast",
    "CastLike",
    "Celu",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "IntQuant",
    "LeakyRelu",
    "Less",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "QGemm",
    "QLinearAdd",
    "QLinearAveragePool",
    "QLinearConcat",
    "QLinearConv",
    "QLinearGlobalAveragePool",
    "QLinearLeakyRelu",
    "QLinearMatMul",
    "QLinearSigmoid",
    "Quant",
    "QuantizeLinear",
    "Range",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceProd",
    "Relu",
    "Reshape",
    "Resize",
    "Selu",
    "Shape",
    "Sigmoid",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "Transpose",
    "Trunc",
    "Unsqueeze",
    "Upsample",
    "Where",
];

/// The network of a graph.
///
/// # Errors
/// An operator, attribute or shape that is not read: a sentence with the node, what was
/// found and what is allowed, without the file's name.
pub fn normalize(graph: &Graph) -> Result<Network, String> {
    let mut walk = Walk::new(graph);
    walk.begin()?;
    for (at, node) in graph.nodes.iter().enumerate() {
        if let Some((last, reason)) = walk.ending(node)? {
            walk.values[graph.output] = Some(Value::Activation(last));
            for node in &graph.nodes[at..] {
                let (node, fate) = (node.label(), Fate::Dropped(reason.clone()));
                walk.network.account.push(Entry { node, fate });
            }
            break;
        }
        step(&mut walk, node)?;
    }
    walk.finish()
}

fn step(walk: &mut Walk<'_>, node: &Node) -> Result<(), String> {
    let read = walk.read(node);
    let Some(Some(output)) = node.outputs.first().copied() else {
        return Err(format!("{} has no first output", node.label()));
    };
    for (at, extra) in node.outputs.iter().enumerate().skip(1) {
        let read = extra.is_some_and(|v| !walk.readers[v].is_empty() || v == walk.graph.output);
        if read {
            return Err(format!(
                "output {at} of {} is used; allowed is its first output only",
                node.label()
            ));
        }
    }
    if let Some(dims) = walk.asked_shape(node, &read) {
        let tensor = match node.operator.as_str() {
            "Size" => {
                let size = dims.iter().try_fold(1i64, |n, &d| n.checked_mul(d));
                let tensor = size.and_then(|n| Tensor::list(vec![n]).reshaped(Vec::new()));
                tensor.ok_or_else(|| node.label())?
            }
            _ => Tensor::list(dims),
        };
        let fate = Fate::Folded("the shape is known".to_owned());
        let label = node.label();
        walk.network.account.push(Entry { node: label, fate });
        walk.values[output] = Some(Value::Constant(Box::new(tensor.into())));
        return Ok(());
    }
    if read.activations.iter().all(Option::is_none) {
        let made = fold::evaluate(node, &read.inputs(), &mut walk.budget)?;
        let made = made.ok_or_else(|| Walk::unknown(node))?;
        let fate = Fate::Folded(match made.weights().grid() {
            Some(_) => format!("weights on a grid, shape {:?}", made.shape()),
            None => format!("a constant of shape {:?}", made.shape()),
        });
        let label = node.label();
        walk.network.account.push(Entry { node: label, fate });
        walk.values[output] = Some(Value::Constant(Box::new(made)));
        return Ok(());
    }
    let first = walk.network.layers.len();
    let made = walk.layer(node, &read)?;
    walk.record(node, first);
    walk.values[output] = Some(Value::Activation(made));
    Ok(())
}

impl Walk<'_> {
    /// The layers of a node that reads tensors of the network.
    fn layer(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        match node.domain {
            Domain::Other(_) => return Err(Walk::unknown(node)),
            Domain::Standard | Domain::Qonnx | Domain::Microsoft => {}
        }
        match node.operator.as_str() {
            "Conv" => self.convolution(node, read),
            "Gemm" => self.gemm(node, read),
            "MatMul" => self.matmul(node, read),
            "BatchNormalization" => self.batch_norm(node, read),
            "Add" | "Sub" | "Mul" | "Div" | "Sum" | "Min" | "Max" | "Pow" => {
                self.arithmetic(node, read)
            }
            "Concat" => self.concat(node, read),
            "MaxPool" | "AveragePool" => self.pool(node, read),
            "GlobalAveragePool" | "GlobalMaxPool" => self.global_pool(node, read),
            "ReduceMean" | "ReduceMax" => self.reduce(node, read),
            "Resize" | "Upsample" => self.resize(node, read),
            "Pad" => self.pad(node, read),
            "Slice" => self.slice(node, read),
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Transpose" => {
                self.rearrange(node, read)
            }
            "Identity" | "Dropout" | "Cast" | "CastLike" => self.nothing(node, read),
            "QuantizeLinear" | "DequantizeLinear" | "Quant" | "IntQuant" | "BipolarQuant"
            | "Trunc" => self.quantizer(node, read),
            "QLinearConv"
            | "QLinearMatMul"
            | "QGemm"
            | "QLinearAdd"
            | "QLinearConcat"
            | "QLinearAveragePool"
            | "QLinearGlobalAveragePool"
            | "QLinearSigmoid"
            | "QLinearLeakyRelu" => self.on_integers(node, read),
            "Softmax" | "LogSoftmax" | "ArgMax" => Err(format!(
                "{} stands inside the network; allowed is {} at its end",
                node.label(),
                node.operator
            )),
            _ => self.pointwise(node, read),
        }
    }

    /// The extents that `Shape` or `Size` asks for.
    fn asked_shape(&self, node: &Node, read: &Read) -> Option<Vec<i64>> {
        if !matches!(node.operator.as_str(), "Shape" | "Size") || node.domain != Domain::Standard {
            return None;
        }
        let dims: Vec<usize> = match (read.activations.first()?, read.constants.first()?) {
            (Some(activation), _) => activation.dims.clone(),
            (_, Some(constant)) => constant.shape().to_vec(),
            _ => return None,
        };
        let rank = dims.len() as i64;
        let place = |name, otherwise| {
            let value = node.int(name, otherwise).unwrap_or(otherwise);
            let turned = if value < 0 {
                value.saturating_add(rank)
            } else {
                value
            };
            turned.clamp(0, rank) as usize
        };
        let (start, end) = (place("start", 0), place("end", rank));
        let part = dims.get(start..end.max(start)).unwrap_or_default();
        Some(part.iter().map(|&d| d as i64).collect())
    }
}
