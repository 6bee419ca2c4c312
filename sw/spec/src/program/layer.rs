//! One layer of a graph, and what its shapes are.

use super::{Operation, Shape, Window};
use crate::arithmetic::OutputScale;
use serde::{Deserialize, Serialize};

/// One layer: an operation on tensors, and the scale of its output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Name used in messages, unique by convention only.
    pub name: String,
    /// The tensors that it reads: 0 is the network's input, *k* the output of layer *k* − 1.
    ///
    /// The first is what the operation works on, the second of a convolution its residual operand.
    pub reads: Vec<usize>,
    /// What it computes.
    pub operation: Operation,
    /// Shift and bounds of its output; the last layer ignores the bounds.
    pub output: OutputScale,
    /// The integer in its output that stands for 0: taken off by whoever reads it, added by the
    /// layer's own constants. A concat's is that of its parts, the last layer's is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zero: i8,
}

/// Zero points of 0 are left out where networks are written.
pub(super) fn is_zero(zero: &i8) -> bool {
    *zero == 0
}

impl Layer {
    /// The tensor that its operation works on.
    ///
    /// # Panics
    /// If it reads none, which no checked network has.
    pub fn source(&self) -> usize {
        self.reads[0]
    }

    /// The tensor of a convolution's residual operand.
    pub fn operand(&self) -> Option<usize> {
        let residual = self.operation.residual();
        residual.and_then(|_| self.reads.get(1)).copied()
    }
}

/// Input and output of one layer, and its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShapes {
    /// What the operation works on; of a concat the first tensor.
    pub input: Shape,
    /// What it writes.
    pub output: Shape,
    /// The window that it moves over the input; one pixel where an operation has none.
    pub window: Window,
    /// Groups of channels of a convolution, else one.
    pub groups: usize,
}

impl LayerShapes {
    /// Input channels that a weight's output channel sees: those of its group.
    pub fn group_channels(&self) -> usize {
        self.input.channels / self.groups
    }

    /// K: products, or values of a pool, that one output is the sum of.
    pub fn inputs(&self) -> usize {
        self.window.taps() * self.group_channels()
    }

    /// Weights of a convolution.
    pub fn weights(&self) -> usize {
        self.inputs() * self.output.channels
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Network, Operation, Shape, Steps, Window};
    use super::*;

    fn layer(reads: &[usize], operation: Operation) -> Layer {
        Layer {
            name: "layer".into(),
            reads: reads.to_vec(),
            operation,
            output: OutputScale {
                shift: 1,
                low: 0,
                high: 127,
            },
            zero: 0,
        }
    }

    /// Two branches, their channels side by side, and a result.
    fn branches() -> Network {
        let branch = Operation::convolution(Window::square(1, 1, 0), 3);
        let mut layers = vec![
            layer(&[0], branch),
            layer(&[0], branch),
            layer(&[1, 2], Operation::Concat),
            layer(&[3], Operation::GlobalAveragePool),
        ];
        layers[..3].iter_mut().for_each(|layer| layer.zero = -5);
        Network {
            input: Shape {
                height: 2,
                width: 2,
                channels: 1,
            },
            input_zero: 9,
            layers,
        }
    }

    fn message(network: &Network) -> String {
        network.shapes().map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn every_tensor_has_a_zero_point_of_its_own() {
        let network = branches();
        network.shapes().unwrap();
        let zeros: Vec<i8> = (0..5).map(|tensor| network.zero(tensor)).collect();
        assert_eq!(zeros, [9, -5, -5, -5, 0]);
    }

    #[test]
    fn a_zero_point_of_results_and_one_that_a_concat_would_change_are_refused() {
        let mut network = branches();
        network.layers[3].zero = 1;
        let found = message(&network);
        assert!(found.contains("zero point is 1; allowed is 0"), "{found}");
        let mut network = branches();
        network.layers[1].zero = 4;
        let found = message(&network);
        let part = "layer 2 (layer): zero point of a part is 4; allowed is its own, -5";
        assert!(found.contains(part), "{found}");
    }

    #[test]
    fn a_maximum_of_nothing_is_refused() {
        let mut network = branches();
        let window = Window {
            dilation: Steps::both(3),
            ..Window::square(2, 1, 1)
        };
        network.layers[3].operation = Operation::MaxPool { window };
        let found = message(&network);
        assert!(found.contains("window is 2x2; allowed is one"), "{found}");
    }
}
