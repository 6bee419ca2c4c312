//! Clips that stand alone between two quantizers of the same steps become bounds of the layer in
//! front of them: the same integers, one layer less.
//!
//! Tools that quantize activations symmetrically write a ReLU so, behind the quantizer of every
//! convolution.

use super::building::Building;
use super::node::Node;
use brownout_spec::program::{Operation, Padding, Window};

impl Building<'_> {
    /// Moves such clips into their sources, of which nobody else reads a value; `last` is the
    /// tensor of the results.
    pub fn fold_clips(&mut self, last: usize) {
        let mut readers = vec![0usize; self.nodes.len() + 1];
        for &read in self.nodes.iter().flat_map(|node| &node.reads) {
            readers[read] += 1;
        }
        let mut becomes: Vec<usize> = (0..=self.nodes.len()).collect();
        for index in 0..self.nodes.len() {
            let reads = self.nodes[index].reads.iter();
            self.nodes[index].reads = reads.map(|&read| becomes[read]).collect();
            let source = self.nodes[index].reads[0];
            let alone = source > 0 && readers[source] == 1 && index + 1 != last;
            if !alone || !self.only_clips(index) {
                continue;
            }
            let (low, high) = self.nodes[index].bounds;
            let said = self.nodes[index].said;
            let ends = self.nodes[index].meaning.ends;
            let node = &mut self.nodes[source - 1];
            if !computes(node) {
                continue;
            }
            node.bounds = (
                low.clamp(node.bounds.0, node.bounds.1),
                high.clamp(node.bounds.0, node.bounds.1),
            );
            let own = &mut node.meaning.ends;
            *own = (own.0.max(ends.0), own.1.min(ends.1));
            node.said = said;
            node.open = None;
            becomes[index + 1] = source;
            readers[source] = readers[index + 1];
        }
    }

    /// Whether a node copies integers and does nothing but clip them.
    fn only_clips(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        let copy = Operation::AveragePool {
            window: Window::square(1, 1, 0),
            counted: Padding::NONE,
        };
        let zero = f64::from(node.zero);
        node.operation == copy
            && node.zero == self.zero(node.reads[0])
            && node.real.multipliers.iter().all(|&m| m == 1.0)
            && node.real.constants.iter().all(|&b| b == zero)
    }
}

/// Whether a node rounds sums of its own, so that it has bounds.
fn computes(node: &Node<'_>) -> bool {
    node.table.is_none()
        && matches!(
            node.operation,
            Operation::Convolution { .. }
                | Operation::AveragePool { .. }
                | Operation::GlobalAveragePool
                | Operation::Add { .. }
        )
}
