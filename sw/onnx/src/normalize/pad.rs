//! Zeros around an image, and channels of zeros.

use super::value::{Activation, Axis, extent};
use super::walk::{Read, Walk};
use crate::fold;
use crate::graph::Node;
use crate::network::{Operator, Padding, Shape};

/// Largest pad.
const MOST: i64 = 1 << 16;

impl Walk<'_> {
    pub(super) fn pad(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?.clone();
        let inputs = read.inputs();
        let mode = node.text("mode", "constant")?;
        if mode != "constant" {
            return Err(format!(
                "attribute mode of {} is {}; allowed is constant",
                node.label(),
                crate::error::quoted(&mode)
            ));
        }
        for at in 1..node.inputs.len() {
            if node.input(at).is_some() {
                read.known(node, at, "a pad")?;
            }
        }
        let value = match inputs.get(2).copied().flatten() {
            Some(constant) => constant.tensor().only(),
            None => Some(node.float("value", 0.0)?),
        };
        if value != Some(0.0) {
            return Err(format!(
                "{} pads with {}; allowed is 0",
                node.label(),
                value.map_or("more than one number".to_owned(), |v| v.to_string())
            ));
        }
        let pads = fold::list(node, &inputs, "pads", 1)?;
        let pads = pads.ok_or_else(|| format!("{} has no pads", node.label()))?;
        let rank = of.dims.len();
        let axes = match inputs.get(3).copied().flatten() {
            None => (0..rank).collect(),
            Some(constant) => {
                let named = constant.tensor().integers();
                let axis = |&axis: &i64| fold::axis_within(node, axis, rank);
                named.iter().map(axis).collect::<Result<Vec<_>, _>>()?
            }
        };
        let refuse = || {
            format!(
                "the pads of {} are {pads:?} for the axes {axes:?} of a tensor of shape {:?}; \
                 allowed are 0 to {MOST} for rows, columns and channels, and 0 for others",
                node.label(),
                of.dims
            )
        };
        if pads.len() != 2 * axes.len() || pads.iter().any(|p| !(0..=MOST).contains(p)) {
            return Err(refuse());
        }
        let mut padding = Padding::default();
        let mut channels = [0, 0];
        let mut made = of.clone();
        for (at, &axis) in axes.iter().enumerate() {
            let side = |at: usize| usize::try_from(pads[at]).unwrap_or(0);
            let (before, behind) = (side(at), side(at + axes.len()));
            if before + behind == 0 {
                continue;
            }
            match of.axes[axis] {
                Axis::Channel => channels = [before, behind],
                Axis::Row => (padding.top, padding.bottom) = (before, behind),
                Axis::Column => (padding.left, padding.right) = (before, behind),
                Axis::Batch | Axis::Single => return Err(refuse()),
            }
            made.dims[axis] += before + behind;
        }
        if channels == [0, 0] && padding == Padding::default() {
            self.reason = "it adds nothing".to_owned();
            return Ok(of);
        }
        let shape = self.shape(of.tensor);
        let more = Shape {
            channels: shape.channels + channels[0] + channels[1],
            height: shape.height + padding.top + padding.bottom,
            width: shape.width + padding.left + padding.right,
        };
        let operator = Operator::Pad(padding, channels);
        made.tensor = self.emit(node, operator, vec![of.tensor], more)?;
        let whole = made
            .axes
            .iter()
            .zip(&made.dims)
            .all(|(&a, &d)| matches!(a, Axis::Batch | Axis::Single) || extent(more, a) == d);
        if whole { Ok(made) } else { Err(refuse()) }
    }
}
