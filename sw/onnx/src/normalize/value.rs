//! What values of the graph are: constants, or tensors of the network seen through the
//! axes that the file gives them.
//!
//! A network's tensor is channels, rows, columns. The file may have them in another order
//! (Keras: channels last), without those that are one long, or with more of them. So
//! every axis of a value says which of the tensor's it is, and a transposition is no layer.

use crate::fold::Constant;
use crate::graph::Node;
use crate::network::{Shape, TensorId};
use crate::tensor::{Element, count};

/// A value of the graph.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Constant(Box<Constant>),
    Activation(Activation),
}

/// What an axis of a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Batch,
    Channel,
    Row,
    Column,
    /// One long, and none of the tensor's.
    Single,
}

use Axis::{Batch, Channel, Column, Row, Single};

/// The orders in which files have the axes of images, vectors and signals.
const ORDERS: [&[Axis]; 7] = [
    &[Batch, Channel, Row, Column],
    &[Batch, Row, Column, Channel],
    &[Batch, Channel, Column],
    &[Batch, Column, Channel],
    &[Batch, Channel],
    &[Channel],
    &[],
];

/// A tensor of the network as the file sees it.
#[derive(Clone, Debug)]
pub(super) struct Activation {
    pub tensor: TensorId,
    /// Extents in the file.
    pub dims: Vec<usize>,
    /// What each of them is.
    pub axes: Vec<Axis>,
    /// Type of the elements.
    pub element: Element,
}

/// The order of the axes of an image that the file has in that many dimensions, channels
/// first.
pub(super) fn channels_first(rank: usize) -> Vec<Axis> {
    match rank {
        2 => vec![Batch, Channel],
        3 => vec![Batch, Channel, Column],
        _ => vec![Batch, Channel, Row, Column],
    }
}

/// The tensor's extent along an axis.
pub(super) fn extent(shape: Shape, axis: Axis) -> usize {
    match axis {
        Channel => shape.channels,
        Row => shape.height,
        Column => shape.width,
        Batch | Single => 1,
    }
}

impl Activation {
    /// The axes that are longer than one, in the file's order.
    fn long(&self) -> Vec<(Axis, usize)> {
        let all = self.axes.iter().copied().zip(self.dims.iter().copied());
        all.filter(|&(_, extent)| extent != 1).collect()
    }

    /// Whether the axes are those, where they are longer than one.
    pub fn is_ordered(&self, order: &[Axis]) -> bool {
        let fits = |((&axis, &wanted), &dim): ((&Axis, &Axis), &usize)| axis == wanted || dim == 1;
        self.axes.len() == order.len() && self.axes.iter().zip(order).zip(&self.dims).all(fits)
    }

    /// Whether that axis of the file is that one of the tensor, or both are one long.
    pub fn is_axis(&self, at: usize, wanted: Axis, shape: Shape) -> bool {
        self.axes[at] == wanted || self.dims[at] == 1 && extent(shape, wanted) == 1
    }

    /// Whether the elements lie with their channels behind rows and columns (`true`) or
    /// in front of them; `None` in any other order.
    pub fn order(&self) -> Option<bool> {
        let long: Vec<Axis> = self.long().iter().map(|&(axis, _)| axis).collect();
        let sorted = |order: [Axis; 3]| {
            let places = long.iter().map(|axis| order.iter().position(|a| a == axis));
            let places: Vec<_> = places.collect();
            places.is_sorted()
        };
        match (
            sorted([Channel, Row, Column]),
            sorted([Row, Column, Channel]),
        ) {
            (true, _) => Some(false),
            (_, true) => Some(true),
            _ => None,
        }
    }

    /// The same tensor with other extents of one; `None` if the others change.
    pub fn relabelled(&self, dims: &[usize]) -> Option<Self> {
        let long: Vec<usize> = dims.iter().copied().filter(|&d| d != 1).collect();
        let mine = self.long();
        if mine.iter().map(|&(_, extent)| extent).ne(long) {
            return None;
        }
        let known = ORDERS.iter().find(|order| {
            let fits = order.len() == dims.len();
            let labels = order.iter().zip(dims).filter(|&(_, &d)| d != 1);
            fits && labels
                .map(|(axis, _)| axis)
                .eq(mine.iter().map(|(axis, _)| axis))
        });
        let axes = known.map_or_else(
            || {
                let mut rest = mine.iter();
                let label = |&d: &usize| match d {
                    1 => Single,
                    _ => rest.next().map_or(Single, |&(axis, _)| axis),
                };
                dims.iter().map(label).collect()
            },
            |order| order.to_vec(),
        );
        Some(Self {
            dims: dims.to_vec(),
            axes,
            ..self.clone()
        })
    }

    /// Elements.
    pub fn len(&self) -> usize {
        count(&self.dims).unwrap_or(0)
    }
}

/// How a sentence names what a node reads.
pub(super) fn dims_of(node: &Node, activation: &Activation) -> String {
    format!(
        "{} reads a tensor of shape {:?}",
        node.label(),
        activation.dims
    )
}
