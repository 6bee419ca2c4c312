//! The walk over the nodes: what is known of every value, and the layers so far.

use super::value::{Activation, Axis, Value, channels_first, extent};
use crate::error::quoted;
use crate::fold::{Budget, Constant};
use crate::graph::{Graph, Node, ValueId};
use crate::network::{
    Entry, Expression, Fate, Layer, Network, Operator, Shape, TensorId, TensorInfo,
};
use crate::tensor::Element;
use std::sync::Arc;

/// Most elements of a tensor for one image.
const MOST_ELEMENTS: usize = 1 << 26;

/// What is known so far.
pub(super) struct Walk<'a> {
    pub graph: &'a Graph,
    /// What each value of the graph is.
    pub values: Vec<Option<Value>>,
    /// The nodes that read each value.
    pub readers: Vec<Vec<usize>>,
    pub network: Network,
    pub budget: Budget,
    /// For tensors that are functions of each number of an earlier one: that one, and the
    /// function.
    pub parents: Vec<Option<(TensorId, Arc<Expression>)>>,
    /// Why the present node is no layer.
    pub reason: String,
}

/// The inputs of a node.
pub(super) struct Read {
    pub constants: Vec<Option<Constant>>,
    pub activations: Vec<Option<Activation>>,
}

impl Read {
    /// The constants, as folding takes them.
    pub fn inputs(&self) -> Vec<Option<&Constant>> {
        self.constants.iter().map(Option::as_ref).collect()
    }

    /// The constant at that place, if there is one.
    pub fn constant(&self, at: usize) -> Option<&Constant> {
        self.constants.get(at).and_then(Option::as_ref)
    }

    /// The constant that must be there.
    ///
    /// # Errors
    /// It is left out, or depends on the image.
    pub fn known(&self, node: &Node, at: usize, what: &str) -> Result<&Constant, String> {
        if self.activations.get(at).is_some_and(Option::is_some) {
            return Err(format!(
                "{what} of {} depends on the network's input; allowed are constants",
                node.label()
            ));
        }
        let found = self.constant(at);
        found.ok_or_else(|| format!("{} has no {what} (input {at})", node.label()))
    }

    /// The tensor that must be there.
    ///
    /// # Errors
    /// It is left out, or a constant.
    pub fn tensor(&self, node: &Node, at: usize) -> Result<&Activation, String> {
        let found = self.activations.get(at).and_then(Option::as_ref);
        found.ok_or_else(|| {
            let what = match self.constant(at) {
                Some(_) => "is a constant",
                None => "is left out",
            };
            format!(
                "input {at} of {} {what}; allowed are tensors that depend on the network's input",
                node.label()
            )
        })
    }
}

impl<'a> Walk<'a> {
    /// The start: constants, and the input whose channels come last if so said.
    pub fn new(graph: &'a Graph) -> Self {
        let mut readers = vec![Vec::new(); graph.values.len()];
        for (at, node) in graph.nodes.iter().enumerate() {
            for &value in node.inputs.iter().flatten() {
                readers[value].push(at);
            }
        }
        let stored = graph.values.iter().filter_map(|v| v.constant.as_ref());
        let constant = |v: &crate::graph::Value| {
            v.constant
                .clone()
                .map(|tensor| Value::Constant(Box::new(tensor.into())))
        };
        Self {
            graph,
            values: graph.values.iter().map(constant).collect(),
            readers,
            network: Network {
                tensors: Vec::new(),
                layers: Vec::new(),
                input: 0,
                output: 0,
                channels_last: false,
                casts_bytes: false,
                account: Vec::new(),
                warnings: Vec::new(),
            },
            budget: Budget::new(stored.map(crate::tensor::Tensor::len).sum()),
            parents: Vec::new(),
            reason: String::new(),
        }
    }

    /// What a node reads.
    pub fn read(&self, node: &Node) -> Read {
        let value = |input: &Option<ValueId>| input.and_then(|v| self.values[v].as_ref());
        let constant = |input: &Option<ValueId>| match value(input) {
            Some(Value::Constant(constant)) => Some((**constant).clone()),
            _ => None,
        };
        let activation = |input: &Option<ValueId>| match value(input) {
            Some(Value::Activation(activation)) => Some(activation.clone()),
            _ => None,
        };
        Read {
            constants: node.inputs.iter().map(constant).collect(),
            activations: node.inputs.iter().map(activation).collect(),
        }
    }

    /// The extents of a tensor.
    pub fn shape(&self, tensor: TensorId) -> Shape {
        self.network.tensors[tensor].shape
    }

    /// A new tensor.
    ///
    /// # Errors
    /// One that is empty or larger than fits.
    pub fn tensor(&mut self, node: &Node, shape: Shape) -> Result<TensorId, String> {
        self.add_tensor(&node.result, &node.label(), shape)
    }

    pub(super) fn add_tensor(
        &mut self,
        name: &str,
        whose: &str,
        shape: Shape,
    ) -> Result<TensorId, String> {
        let Shape {
            channels,
            height,
            width,
        } = shape;
        let elements = channels
            .checked_mul(height)
            .and_then(|n| n.checked_mul(width));
        if elements.is_none_or(|n| n == 0 || n > MOST_ELEMENTS) {
            return Err(format!(
                "{whose} makes a tensor of {channels} channels of {height} x {width}; allowed \
                 are 1 to {MOST_ELEMENTS} elements"
            ));
        }
        self.network.tensors.push(TensorInfo {
            name: name.to_owned(),
            shape,
        });
        self.parents.push(None);
        Ok(self.network.tensors.len() - 1)
    }

    /// A new layer and its tensor.
    ///
    /// # Errors
    /// A tensor that is empty or larger than fits.
    pub fn emit(
        &mut self,
        node: &Node,
        operator: Operator,
        reads: Vec<TensorId>,
        shape: Shape,
    ) -> Result<TensorId, String> {
        let writes = self.tensor(node, shape)?;
        if let ([read], Some(expression)) = (reads.as_slice(), operator.expression()) {
            self.parents[writes] = Some((*read, Arc::new(expression)));
        }
        self.network.layers.push(Layer {
            name: node.label(),
            operator,
            reads,
            writes,
        });
        Ok(writes)
    }

    /// A new layer that keeps extents and axes.
    ///
    /// # Errors
    /// None that the tensor it reads has not.
    pub fn emit_same(
        &mut self,
        node: &Node,
        operator: Operator,
        of: &Activation,
    ) -> Result<Activation, String> {
        let shape = self.shape(of.tensor);
        let tensor = self.emit(node, operator, vec![of.tensor], shape)?;
        Ok(Activation {
            tensor,
            ..of.clone()
        })
    }

    /// The extents of an image whose channels come first in the file; of a signal, which
    /// has one row. A tensor that the file sees otherwise is reshaped.
    ///
    /// # Errors
    /// Any other number of axes.
    pub fn image(&mut self, node: &Node, of: &Activation) -> Result<(TensorId, Shape), String> {
        let shape = self.shape(of.tensor);
        let rank = of.dims.len();
        let order = channels_first(rank);
        let extents = order.iter().map(|&axis| extent(shape, axis));
        let whole = of.dims.iter().copied().eq(extents) && of.len() == shape.len();
        if (3..=4).contains(&rank) && of.is_ordered(&order) && whole {
            return Ok((of.tensor, shape));
        }
        let made = match *of.dims.as_slice() {
            [1, channels, width] => Some((channels, 1, width)),
            [1, channels, height, width] => Some((channels, height, width)),
            _ => None,
        };
        if let (Some((channels, height, width)), Some(last)) = (made, of.order()) {
            let shape = Shape {
                channels,
                height,
                width,
            };
            let operator = Operator::Reshape([last, false]);
            return Ok((self.emit(node, operator, vec![of.tensor], shape)?, shape));
        }
        Err(format!(
            "{} reads a tensor of shape {:?}; allowed are images (batch, channels, rows, \
             columns) and signals (batch, channels, length)",
            node.label(),
            of.dims
        ))
    }

    /// A tensor of the network as a value of so many axes, channels first.
    pub fn seen(&self, tensor: TensorId, rank: usize, element: Element) -> Activation {
        let shape = self.shape(tensor);
        let axes = channels_first(rank);
        Activation {
            tensor,
            dims: axes.iter().map(|&axis| extent(shape, axis)).collect(),
            axes,
            element,
        }
    }

    /// The channel axis of a parameter that varies along `axis` of a value.
    ///
    /// # Errors
    /// It varies along another one.
    pub fn check_channel(
        &self,
        node: &Node,
        what: &str,
        of: &Activation,
        axis: Option<usize>,
    ) -> Result<(), String> {
        let shape = self.shape(of.tensor);
        match axis {
            Some(at) if !of.is_axis(at, Axis::Channel, shape) => Err(format!(
                "{what} of {} varies along axis {at} of a tensor of shape {:?}, which is not that \
                 of the channels; allowed is one for all or one for each channel",
                node.label(),
                of.dims
            )),
            _ => Ok(()),
        }
    }

    /// Records what became of a node that made the layers from `first` on.
    pub fn record(&mut self, node: &Node, first: usize) {
        let layers: Vec<usize> = (first..self.network.layers.len()).collect();
        let reason = std::mem::take(&mut self.reason);
        let fate = match layers.is_empty() {
            true => Fate::Dropped(reason),
            false => Fate::Layers(layers),
        };
        let node = node.label();
        self.network.account.push(Entry { node, fate });
    }

    /// The node as the only reader finds it, if a value has one.
    pub fn only_reader(&self, value: ValueId) -> Option<&'a Node> {
        match self.readers[value].as_slice() {
            [one] => self.graph.nodes.get(*one),
            _ => None,
        }
    }

    /// The sentence for an operator that is not read.
    pub fn unknown(node: &Node) -> String {
        let domain = match &node.domain {
            crate::graph::Domain::Other(name) => format!(" of domain {}", quoted(name)),
            crate::graph::Domain::Microsoft => " of domain com.microsoft".to_owned(),
            _ => String::new(),
        };
        format!(
            "the operator of {}{domain} is not read; allowed are {}",
            node.label(),
            super::OPERATORS.join(", ")
        )
    }
}
