//! Axes moved, joined and cut.

use super::value::{Activation, Axis, dims_of};
use super::walk::{Read, Walk};
use crate::fold;
use crate::graph::Node;
use crate::network::{Operator, Shape};
use crate::tensor::count;

impl Walk<'_> {
    pub(super) fn concat(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let parts: Vec<&Activation> = (0..node.inputs.len())
            .map(|at| read.tensor(node, at))
            .collect::<Result<_, _>>()?;
        let Some(first) = parts.first().copied() else {
            return Err(format!("{} has no inputs", node.label()));
        };
        let axis = fold::axis_of(node, 1, first.dims.len())?;
        let shape = self.shape(first.tensor);
        let mut channels = 0usize;
        for part in &parts {
            let own = self.shape(part.tensor);
            let alike = part.dims.len() == first.dims.len()
                && part.is_ordered(&first.axes)
                && (own.height, own.width) == (shape.height, shape.width)
                && (0..part.dims.len()).all(|at| at == axis || part.dims[at] == first.dims[at])
                && part.is_axis(axis, Axis::Channel, own)
                && part.dims[axis] == own.channels;
            if !alike {
                return Err(format!(
                    "{} joins tensors of shapes {:?} and {:?} along axis {axis}; allowed are the \
                     channels of images of one size",
                    node.label(),
                    first.dims,
                    part.dims
                ));
            }
            channels = channels.saturating_add(own.channels);
        }
        if let [only] = parts.as_slice() {
            self.reason = "it joins one tensor".to_owned();
            return Ok((*only).clone());
        }
        let made = Shape { channels, ..shape };
        let reads = parts.iter().map(|part| part.tensor).collect();
        let tensor = self.emit(node, Operator::Concat, reads, made)?;
        let mut joined = first.clone();
        joined.tensor = tensor;
        joined.dims[axis] = channels;
        joined.axes[axis] = Axis::Channel;
        Ok(joined)
    }

    pub(super) fn rearrange(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?.clone();
        for at in 1..node.inputs.len() {
            if node.input(at).is_some() {
                read.known(node, at, "the shape")?;
            }
        }
        let inputs = read.inputs();
        match node.operator.as_str() {
            "Transpose" => {
                let order = fold::permutation(node, of.dims.len())?;
                self.reason = "axes are numbered anew, elements stay".to_owned();
                Ok(Activation {
                    dims: order.iter().map(|&at| of.dims[at]).collect(),
                    axes: order.iter().map(|&at| of.axes[at]).collect(),
                    ..of
                })
            }
            "Squeeze" => {
                let axes = fold::list(node, &inputs, "axes", 1)?;
                let kept = fold::squeezed(node, &of.dims, axes.as_deref())?;
                self.reason = "it leaves out axes of one".to_owned();
                let dims: Vec<usize> = kept.iter().map(|&at| of.dims[at]).collect();
                self.reshape(node, &of, dims)
            }
            "Unsqueeze" => {
                let axes = fold::list(node, &inputs, "axes", 1)?.unwrap_or_default();
                let places = fold::unsqueezed(node, of.dims.len(), &axes)?;
                let dims = places.iter().map(|old| old.map_or(1, |at| of.dims[at]));
                let dims: Vec<usize> = dims.collect();
                self.reshape(node, &of, dims)
            }
            "Flatten" => {
                let axis = fold::flatten_axis(node, of.dims.len())?;
                let parts = count(&of.dims[..axis]).zip(count(&of.dims[axis..]));
                let (rows, columns) = parts.ok_or_else(|| node.label())?;
                self.reshape(node, &of, vec![rows, columns])
            }
            _ => {
                let wanted = match node.ints("shape")? {
                    Some(shape) => shape.to_vec(),
                    None => {
                        let shape = read.known(node, 1, "the shape")?;
                        shape.tensor().integers().into_owned()
                    }
                };
                let allow_zero = node.flag("allowzero", false)?;
                let dims = fold::reshape_target(node, &of.dims, &wanted, allow_zero)?;
                self.reshape(node, &of, dims)
            }
        }
    }

    /// The elements in another shape: other axes of one, a vector, or an image.
    fn reshape(
        &mut self,
        node: &Node,
        of: &Activation,
        dims: Vec<usize>,
    ) -> Result<Activation, String> {
        if let Some(same) = of.relabelled(&dims) {
            self.reason = "it adds or leaves out axes of one".to_owned();
            return Ok(same);
        }
        let refuse = || {
            format!(
                "{} and makes the shape {dims:?} of it; allowed are (batch, everything), images \
                 and signals of one",
                dims_of(node, of)
            )
        };
        let from_last = of.order().ok_or_else(refuse)?;
        let result = node.outputs.first().copied().flatten();
        let to_last = result.is_some_and(|value| self.wants_channels_last(value, &dims));
        let (shape, axes) = match (dims.as_slice(), to_last) {
            (&[1, length], _) => (Shape::vector(length), vec![Axis::Batch, Axis::Channel]),
            (&[length], _) => (Shape::vector(length), vec![Axis::Channel]),
            (&[1, channels, width], _) => (
                Shape {
                    channels,
                    height: 1,
                    width,
                },
                vec![Axis::Batch, Axis::Channel, Axis::Column],
            ),
            (&[1, channels, height, width], false) => (
                Shape {
                    channels,
                    height,
                    width,
                },
                vec![Axis::Batch, Axis::Channel, Axis::Row, Axis::Column],
            ),
            (&[1, height, width, channels], true) => (
                Shape {
                    channels,
                    height,
                    width,
                },
                vec![Axis::Batch, Axis::Row, Axis::Column, Axis::Channel],
            ),
            _ => return Err(refuse()),
        };
        let operator = Operator::Reshape([from_last, to_last]);
        let tensor = self.emit(node, operator, vec![of.tensor], shape)?;
        Ok(Activation {
            tensor,
            dims,
            axes,
            element: of.element,
        })
    }

    /// Every n-th row and column: what the shortcuts of residual networks without
    /// parameters take.
    pub(super) fn slice(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?.clone();
        for at in 1..node.inputs.len() {
            if node.input(at).is_some() {
                read.known(node, at, "a bound")?;
            }
        }
        let cuts = fold::slices(node, &read.inputs(), &of.dims)?;
        let mut strides = [1usize; 2];
        let mut made = of.clone();
        for (at, &(start, step, taken)) in cuts.iter().enumerate() {
            let whole = start == 0 && step == 1 && taken == of.dims[at];
            let every = usize::try_from(step)
                .ok()
                .filter(|&step| start == 0 && step > 0 && taken == of.dims[at].div_ceil(step));
            match (whole, every, of.axes[at]) {
                (true, ..) => {}
                (_, Some(step), Axis::Row) => strides[0] = step,
                (_, Some(step), Axis::Column) => strides[1] = step,
                _ => {
                    return Err(format!(
                        "{} takes {taken} of {} along axis {at}, from {start} on in steps of \
                         {step}; allowed is every n-th row and column, from the first on",
                        node.label(),
                        of.dims[at]
                    ));
                }
            }
            made.dims[at] = taken;
        }
        if strides == [1, 1] {
            self.reason = "it takes everything".to_owned();
            return Ok(of);
        }
        let shape = self.shape(of.tensor);
        let less = Shape {
            channels: shape.channels,
            height: shape.height.div_ceil(strides[0]),
            width: shape.width.div_ceil(strides[1]),
        };
        // Exporters slice rows and columns one after the other.
        let maker = self
            .network
            .layers
            .iter()
            .rev()
            .find(|l| l.writes == of.tensor);
        let (strides, from) = match maker.map(|maker| (&maker.operator, maker.reads.first())) {
            Some((Operator::Subsample([rows, columns]), Some(&from))) => (
                [
                    strides[0].saturating_mul(*rows),
                    strides[1].saturating_mul(*columns),
                ],
                from,
            ),
            _ => (strides, of.tensor),
        };
        made.tensor = self.emit(node, Operator::Subsample(strides), vec![from], less)?;
        Ok(made)
    }
}
