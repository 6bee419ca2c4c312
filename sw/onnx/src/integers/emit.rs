//! Layers are added, once each.

use super::building::Building;
use super::node::{Meaning, Node, WHOLE};
use brownout_golden::export::RealScale;
use brownout_spec::config::MAX_LAYERS;
use brownout_spec::program::{Operation, Padding, Shape, Window};

impl<'n> Building<'n> {
    /// The tensor that a node writes, or that an earlier one that is the same writes already.
    ///
    /// # Errors
    /// Weights that an earlier node has rounded in another way: no cell of a weight is there
    /// twice.
    pub fn push(&mut self, node: Node<'n>) -> Result<usize, String> {
        if let Some(same) = self.nodes.iter().position(|other| other.is_same(&node)) {
            return Ok(same + 1);
        }
        let weights = |of: &Node<'_>| of.learned.map(|learned| learned.layer);
        let twice =
            |other: &&Node<'_>| weights(other).is_some() && weights(other) == weights(&node);
        if let Some(other) = self.nodes.iter().find(twice) {
            return Err(format!(
                "what {} computes is quantized in two ways; allowed in an integer model is one quantizer behind weights",
                other.name
            ));
        }
        if self.nodes.len() >= MAX_LAYERS {
            return Err(format!(
                "it is layer {} of the integer model; allowed are at most {MAX_LAYERS}",
                self.nodes.len()
            ));
        }
        self.nodes.push(node);
        Ok(self.nodes.len())
    }

    /// A layer that moves values as they are.
    pub fn moving(
        &mut self,
        name: &str,
        operation: Operation,
        reads: Vec<usize>,
        shape: Shape,
    ) -> Result<usize, String> {
        let node = self.copying(name, operation, reads, shape);
        self.push(node)
    }

    fn copying(
        &self,
        name: &str,
        operation: Operation,
        reads: Vec<usize>,
        shape: Shape,
    ) -> Node<'n> {
        let reads_first = reads[0];
        let zero = self.zero(reads_first);
        let channels = match operation {
            Operation::Concat => 0,
            _ => shape.channels,
        };
        Node {
            name: name.to_owned(),
            operation,
            reads,
            learned: None,
            front: 0,
            shape,
            real: RealScale {
                multipliers: vec![1.0; channels],
                constants: vec![f64::from(zero); channels],
                residual: None,
            },
            zero,
            bounds: WHOLE,
            table: None,
            said: None,
            open: None,
            meaning: Meaning::of(self.step(reads_first)),
        }
    }

    /// Tensors after each other; one alone is itself.
    pub fn side_by_side(&mut self, reads: Vec<usize>, shape: Shape) -> Result<usize, String> {
        match reads.as_slice() {
            &[only] => Ok(only),
            _ => self.moving("concat", Operation::Concat, reads, shape),
        }
    }

    /// A tensor with so many channels of zeros in front and behind. They all stand behind, and
    /// `front` says which they are.
    ///
    /// Zeros are a tensor times 0, so there are as many as some tensor of that size has.
    pub fn with_zeros(
        &mut self,
        tensor: usize,
        [front, behind]: [usize; 2],
        name: &str,
    ) -> Result<usize, String> {
        let own = self.shape(tensor);
        let count = front + behind;
        if !count.is_multiple_of(own.channels) {
            return Err(format!(
                "it reads {count} channels of zeros beside {}; allowed in an integer model is a multiple of these",
                own.channels
            ));
        }
        let copy = Operation::AveragePool {
            window: Window::square(1, 1, 0),
            counted: Padding::NONE,
        };
        let mut zeros = self.copying(name, copy, vec![tensor], own);
        zeros.real.multipliers.fill(0.0);
        let zeros = self.push(zeros)?;
        let mut reads = vec![tensor];
        reads.extend(std::iter::repeat_n(zeros, count / own.channels));
        let shape = Shape {
            channels: own.channels + count,
            ..own
        };
        let joined = self.copying(name, Operation::Concat, reads, shape);
        self.push(Node { front, ..joined })
    }
}
