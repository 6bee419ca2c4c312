//! What stands at the end of a network and does not change which class is the largest.

use super::value::{Activation, Axis, Value};
use super::walk::Walk;
use crate::fold;
use crate::graph::{Domain, Node, ValueId};

impl Walk<'_> {
    /// The tensor in front of a `Softmax`, `LogSoftmax` or `ArgMax` at the end, and the
    /// sentence that says so; `None` for any other node.
    ///
    /// # Errors
    /// One that does not go over the channels.
    pub fn ending(&self, node: &Node) -> Result<Option<(Activation, String)>, String> {
        let known = matches!(node.operator.as_str(), "Softmax" | "LogSoftmax" | "ArgMax");
        let of = node.input(0).and_then(|v| self.values[v].as_ref());
        let (true, Domain::Standard, Some(Value::Activation(of))) = (known, &node.domain, of)
        else {
            return Ok(None);
        };
        let Some(output) = node.outputs.first().copied().flatten() else {
            return Ok(None);
        };
        if !self.ends(output) {
            return Ok(None);
        }
        let otherwise = match (node.operator.as_str(), node.version) {
            ("ArgMax", _) => 0,
            (_, ..13) => 1,
            _ => -1,
        };
        let axis = fold::axis_of(node, otherwise, of.dims.len())?;
        if !of.is_axis(axis, Axis::Channel, self.shape(of.tensor)) {
            return Err(format!(
                "{} goes over axis {axis} of a tensor of shape {:?}; allowed is the axis of the \
                 classes",
                node.label(),
                of.dims
            ));
        }
        let reason = format!(
            "the {} at the end does not change which class is the largest, so the network ends \
             in front of it",
            node.operator
        );
        Ok(Some((of.clone(), reason)))
    }

    /// Whether nothing that computes stands between a value and the output.
    fn ends(&self, mut value: ValueId) -> bool {
        loop {
            if value == self.graph.output {
                return self.readers[value].is_empty();
            }
            let Some(node) = self.only_reader(value) else {
                return false;
            };
            let empty = matches!(
                node.operator.as_str(),
                "Identity"
                    | "Cast"
                    | "Squeeze"
                    | "Unsqueeze"
                    | "Reshape"
                    | "Flatten"
                    | "Softmax"
                    | "LogSoftmax"
                    | "ArgMax"
            );
            match node.outputs.first().copied().flatten() {
                Some(next) if empty => value = next,
                _ => return false,
            }
        }
    }
}
