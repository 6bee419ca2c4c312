//! Layers of the integer network, while their channels are in the file's order.

use super::build::Building;
use super::value::{Learned, Open};
use crate::network::TensorId;
use brownout_golden::export::RealScale;
use brownout_spec::arithmetic::TABLE_ENTRIES;
use brownout_spec::program::{Operation, Padding, Shape, Window};

/// A layer whose output is rounded.
#[derive(Clone, Debug)]
pub(super) struct Node<'n> {
    /// The node of the file, as sentences name it.
    pub name: String,
    pub operation: Operation,
    /// Tensors of the integer network.
    pub reads: Vec<usize>,
    pub learned: Option<Learned<'n>>,
    /// Channels of zeros in front of those of the tensor that a convolution adds, or of a concat
    /// whose zeros stand behind.
    pub front: usize,
    pub shape: Shape,
    /// In stored integers, zero point and rounding in the constants but for the half.
    pub real: RealScale,
    pub zero: i8,
    pub bounds: (i8, i8),
    pub table: Option<[i8; TABLE_ENTRIES]>,
    /// The tensor of the file whose integers it writes, and by how much these are more than the
    /// stored ones.
    pub said: Option<(TensorId, i64)>,
    /// The sums that it rounds, unless it moves values or keeps a sign.
    pub open: Option<Box<Open<'n>>>,
}

/// All integers of a byte.
pub(super) const WHOLE: (i8, i8) = (i8::MIN, i8::MAX);

impl Node<'_> {
    /// Whether another one writes the same.
    fn is_same(&self, other: &Self) -> bool {
        let weights = |of: &Self| of.learned.map(|learned| learned.layer);
        (&self.operation, &self.reads, self.front) == (&other.operation, &other.reads, other.front)
            && weights(self) == weights(other)
            && self.real.multipliers == other.real.multipliers
            && self.real.constants == other.real.constants
            && self.real.residual == other.real.residual
            && (self.zero, self.bounds, self.table) == (other.zero, other.bounds, other.table)
    }
}

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
        let twice = |other: &&Node<'_>| weights(other).is_some() && weights(other) == weights(&node);
        if let Some(other) = self.nodes.iter().find(twice) {
            return Err(format!(
                "what {} computes is quantized in two ways; allowed in an integer model is one quantizer behind weights",
                other.name
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
        let zero = self.zero(reads[0]);
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
