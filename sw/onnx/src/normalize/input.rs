//! The input: an image, a signal or a vector, with its channels first or last.

use super::value::{Activation, Axis, Value};
use super::walk::Walk;
use crate::graph::{Node, ValueId};
use crate::network::Shape;

/// Most nodes between the input and the one that says how its axes lie.
const MOST_NODES: usize = 16;

impl Walk<'_> {
    /// Makes the input's tensor.
    ///
    /// # Errors
    /// Too few or too many axes, or an empty one.
    pub fn begin(&mut self) -> Result<(), String> {
        let input = &self.graph.input;
        let name = self.graph.values[input.value].name.clone();
        let whose = format!("input {}", crate::error::quoted(&name));
        let last = self.wants_channels_last(input.value, &input.shape);
        let (shape, axes) = match (input.shape.as_slice(), last) {
            (&[_, channels], _) => (Shape::vector(channels), vec![Axis::Batch, Axis::Channel]),
            (&[_, channels, width], _) => (
                Shape {
                    channels,
                    height: 1,
                    width,
                },
                vec![Axis::Batch, Axis::Channel, Axis::Column],
            ),
            (&[_, channels, height, width], false) => (
                Shape {
                    channels,
                    height,
                    width,
                },
                vec![Axis::Batch, Axis::Channel, Axis::Row, Axis::Column],
            ),
            (&[_, height, width, channels], true) => (
                Shape {
                    channels,
                    height,
                    width,
                },
                vec![Axis::Batch, Axis::Row, Axis::Column, Axis::Channel],
            ),
            _ => {
                return Err(format!(
                    "{whose} has the shape {:?}; allowed are images (batch, channels, rows, \
                     columns), signals (batch, channels, length) and vectors (batch, length)",
                    input.shape
                ));
            }
        };
        let tensor = self.add_tensor(&name, &whose, shape)?;
        self.network.input = tensor;
        self.network.channels_last = last;
        self.values[input.value] = Some(Value::Activation(Activation {
            tensor,
            dims: input.shape.clone(),
            axes,
            element: input.element,
        }));
        Ok(())
    }

    /// Whether the value of four axes has its channels last, as the first node says that
    /// moves them to the front: a transposition, or a reshape where one channel makes it
    /// the same.
    pub fn wants_channels_last(&self, value: ValueId, dims: &[usize]) -> bool {
        let &[_, height, width, channels] = dims else {
            return false;
        };
        let mut open = vec![value];
        let mut seen = 0;
        while let Some(value) = open.pop() {
            for &reader in &self.readers[value] {
                seen += 1;
                if seen > MOST_NODES {
                    return false;
                }
                let Some(node) = self.graph.nodes.get(reader) else {
                    continue;
                };
                match node.operator.as_str() {
                    "Transpose" => {
                        return matches!(node.ints("perm"), Ok(Some([0, 3, 1, 2])));
                    }
                    "Reshape" if channels == 1 => {
                        return self.reshapes_to(node, height, width);
                    }
                    "QuantizeLinear" | "DequantizeLinear" | "Quant" | "IntQuant"
                    | "BipolarQuant" | "Mul" | "Add" | "Sub" | "Div" | "Identity" | "Cast"
                    | "Relu" | "Clip" => {
                        open.extend(node.outputs.iter().flatten());
                    }
                    "ReduceMean" => {}
                    _ => return false,
                }
            }
        }
        false
    }

    /// Whether a reshape makes one channel of rows and columns.
    fn reshapes_to(&self, node: &Node, height: usize, width: usize) -> bool {
        let wanted = node.input(1).and_then(|v| self.values[v].as_ref());
        let Some(Value::Constant(wanted)) = wanted else {
            return false;
        };
        match wanted.tensor().integers().as_ref() {
            &[_, 1, rows, columns] => rows == height as i64 && columns == width as i64,
            _ => false,
        }
    }
}
