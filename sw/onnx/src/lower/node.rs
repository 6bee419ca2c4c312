//! A layer while it is put together.

use super::value::Source;
use crate::network::Weights;
use brownout_golden::network::{Bounds, Style};
use brownout_spec::program::{Operation, Shape};

/// A layer, in the file's order of channels.
#[derive(Clone, Debug)]
pub(super) struct Node<'n> {
    /// Name for messages.
    pub name: String,
    /// What it computes.
    pub operation: Operation,
    /// Of what; the second of a convolution is added.
    pub reads: Vec<Source>,
    /// What follows.
    pub style: Style,
    /// What a convolution has learned.
    pub learned: Option<Learned<'n>>,
    /// Channels of zeros in front of those of the tensor that a convolution adds.
    pub front: usize,
}

/// The parameters of a convolution, channels in the file's order.
#[derive(Clone, Debug)]
pub(super) struct Learned<'n> {
    /// Outputs, inputs of a group, rows, columns; of a dense layer outputs and inputs.
    pub weights: &'n Weights,
    /// What weights of each output are multiplied with.
    pub factor: Vec<f64>,
    /// What is added to each output.
    pub bias: Vec<f64>,
    /// Whether the vector that a dense layer reads is a map, and then whether its channels are
    /// last.
    pub flat: Option<bool>,
    /// The image of which a dense layer reads the values one after the other.
    pub image: Option<Shape>,
    /// A batch norm's gain, shift, mean and variance.
    pub norm: Option<[Vec<f64>; 4]>,
    /// Whether there is a bias in front of the norm.
    pub offset: bool,
}

impl<'n> Node<'n> {
    /// A layer without style or parameters.
    pub fn new(name: &str, operation: Operation, reads: Vec<Source>) -> Self {
        Self {
            name: name.to_owned(),
            operation,
            reads,
            style: Style::default(),
            learned: None,
            front: 0,
        }
    }

    /// Whether nothing has been done to the sums of products yet but a norm.
    pub fn is_linear(&self) -> bool {
        self.learned.is_some() && self.reads.len() == 1 && self.style.bounds.is_none()
    }

    /// What its output is clipped to if it is clipped once more; `None` where it only moves values.
    pub fn clipped(&self, bounds: Bounds) -> Option<Bounds> {
        let computes = !matches!(
            self.operation,
            Operation::MaxPool { .. }
                | Operation::Concat
                | Operation::Resize { .. }
                | Operation::Pad { .. }
        );
        // What lies beyond an end of the second clip is at that end, and so is the range.
        let into = |end: f32| end.max(bounds.low()).min(bounds.high());
        let own = self.style.bounds;
        let clipped = Bounds::new(into(own.low()), into(own.high())).ok();
        clipped.filter(|_| computes)
    }
}
