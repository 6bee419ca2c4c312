//! A layer while it is put together.

use super::value::Source;
use crate::network::Weights;
use brownout_golden::network::{Bounds, Style};
use brownout_spec::program::{Operation, Padding, Shape, Window};

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
    /// What an average has learned for its channels.
    pub each: Option<Each>,
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
    /// What weights of each input channel, or of each value of a vector, are multiplied with.
    pub inputs: Option<Vec<f64>>,
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

/// What an average is multiplied with and what is added, by channel in the file's order; one value
/// where all channels have the same.
#[derive(Clone, Debug)]
pub(super) enum Each {
    /// A batch norm's gain, shift, mean and variance.
    Norm([Vec<f64>; 4]),
    /// A factor and a summand.
    Affine(Vec<f64>, Vec<f64>),
}

impl Each {
    /// The factor and the summand behind all else.
    pub fn ends(&mut self) -> (&mut Vec<f64>, &mut Vec<f64>) {
        match self {
            Self::Norm([gain, shift, ..]) => (gain, shift),
            Self::Affine(factor, summand) => (factor, summand),
        }
    }
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
            each: None,
            front: 0,
        }
    }

    /// An average of one tap: a copy, to which something is done channel by channel.
    pub fn copy(name: &str, source: Source) -> Self {
        let operation = Operation::AveragePool {
            window: Window::square(1, 1, 0),
            counted: Padding::NONE,
        };
        Self::new(name, operation, vec![source])
    }

    /// Whether it is an average that nothing has been done to but for its channels.
    pub fn is_average(&self) -> bool {
        let averages = matches!(
            self.operation,
            Operation::AveragePool { .. } | Operation::GlobalAveragePool
        );
        averages && self.style.bounds.is_none()
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
