//! Elements moved, chosen and put together.

use super::create::extents;
use super::shapes::{axis_within, reshape_target, squeezed, unsqueezed};
use super::{Budget, Constant, Inputs, required};
use crate::graph::Node;
use crate::tensor::{Tensor, count};

pub(super) fn evaluate(
    node: &Node,
    inputs: Inputs<'_>,
    budget: &mut Budget,
) -> Result<Option<Constant>, String> {
    let data = || required(node, inputs, 0);
    Ok(Some(match node.operator.as_str() {
        "Transpose" => transpose(node, data()?, budget)?,
        "Reshape" => {
            let wanted = required(node, inputs, 1)?.tensor().integers();
            let allow_zero = node.flag("allowzero", false)?;
            let shape = reshape_target(node, data()?.shape(), &wanted, allow_zero)?;
            reshaped(node, data()?, shape, budget)?
        }
        "Flatten" => {
            let shape = data()?.shape();
            let axis = flatten_axis(node, shape.len())?;
            let parts = count(&shape[..axis]).zip(count(&shape[axis..]));
            let (rows, columns) = parts.ok_or_else(|| node.label())?;
            reshaped(node, data()?, vec![rows, columns], budget)?
        }
        "Squeeze" => {
            let axes = list(node, inputs, "axes", 1)?;
            let kept = squeezed(node, data()?.shape(), axes.as_deref())?;
            let shape = kept.iter().map(|&at| data().map(|d| d.shape()[at]));
            let shape: Vec<usize> = shape.collect::<Result<_, _>>()?;
            reshaped(node, data()?, shape, budget)?
        }
        "Unsqueeze" => {
            let axes = list(node, inputs, "axes", 1)?.unwrap_or_default();
            let places = unsqueezed(node, data()?.shape().len(), &axes)?;
            let extent =
                |old: &Option<usize>| old.map_or(Ok(1), |at| data().map(|d| d.shape()[at]));
            let shape = places.iter().map(extent).collect::<Result<_, _>>()?;
            reshaped(node, data()?, shape, budget)?
        }
        "Slice" => slice(node, inputs, budget)?,
        "Gather" => gather(node, inputs, budget)?.into(),
        "Concat" => concat(node, inputs, budget)?.into(),
        "Expand" => {
            let wanted = extents(node, required(node, inputs, 1)?.tensor())?;
            let shape = super::arithmetic::broadcast(node, data()?.shape(), &wanted)?;
            budget.take(&shape, &node.label())?;
            let moved = super::arithmetic::stretched(data()?.tensor(), &shape);
            moved.ok_or_else(|| node.label())?.into()
        }
        _ => return Ok(None),
    }))
}

/// The axis in front of which `Flatten` cuts.
pub(crate) fn flatten_axis(node: &Node, rank: usize) -> Result<usize, String> {
    let axis = node.int("axis", 1)?;
    if axis == rank as i64 {
        return Ok(rank);
    }
    axis_within(node, axis, rank)
}

/// An axis that an attribute names, counted from the front.
///
/// # Errors
/// One that the shape does not have.
pub(crate) fn axis_of(node: &Node, otherwise: i64, rank: usize) -> Result<usize, String> {
    axis_within(node, node.int("axis", otherwise)?, rank)
}

/// A list of numbers that is an attribute in old versions and an input in new ones.
pub(crate) fn list(
    node: &Node,
    inputs: Inputs<'_>,
    name: &str,
    at: usize,
) -> Result<Option<Vec<i64>>, String> {
    if let Some(values) = node.ints(name)? {
        return Ok(Some(values.to_vec()));
    }
    let input = inputs.get(at).copied().flatten();
    Ok(input.map(|constant| constant.tensor().integers().into_owned()))
}

/// The axes that a reduction sums over; all of them if it names none.
///
/// # Errors
/// Axes that the shape does not have.
pub(crate) fn reduced_axes(
    node: &Node,
    inputs: Inputs<'_>,
    rank: usize,
) -> Result<Vec<usize>, String> {
    let axes = list(node, inputs, "axes", 1)?.unwrap_or_default();
    if axes.is_empty() {
        let nothing = node.flag("noop_with_empty_axes", false)?;
        return Ok(if nothing {
            Vec::new()
        } else {
            (0..rank).collect()
        });
    }
    let axes = axes.iter().map(|&axis| axis_within(node, axis, rank));
    axes.collect()
}

/// The axes in their new order.
///
/// # Errors
/// An order that names an axis twice or never.
pub(crate) fn permutation(node: &Node, rank: usize) -> Result<Vec<usize>, String> {
    let Some(wanted) = node.ints("perm")? else {
        return Ok((0..rank).rev().collect());
    };
    let order: Option<Vec<usize>> = wanted.iter().map(|&p| usize::try_from(p).ok()).collect();
    let whole =
        |order: &Vec<usize>| order.len() == rank && (0..rank).all(|axis| order.contains(&axis));
    order.filter(whole).ok_or_else(|| {
        format!(
            "attribute perm of {} is {wanted:?}; allowed are orders of the axes 0 to {}",
            node.label(),
            rank as i64 - 1
        )
    })
}

/// Elements from one place to the next along each axis.
fn strides_of(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis] as isize);
    }
    strides
}

fn transpose(node: &Node, data: &Constant, budget: &mut Budget) -> Result<Constant, String> {
    let order = permutation(node, data.shape().len())?;
    budget.take(data.shape(), &node.label())?;
    transposed(data, &order).ok_or_else(|| node.label())
}

/// The axes in that order; `None` where it does not fit.
pub(crate) fn transposed(data: &Constant, order: &[usize]) -> Option<Constant> {
    let change = |tensor: &Tensor| {
        let strides = strides_of(tensor.shape());
        let shape = order.iter().map(|&axis| tensor.shape()[axis]).collect();
        let strides: Vec<isize> = order.iter().map(|&axis| strides[axis]).collect();
        tensor.strided(shape, &strides, 0)
    };
    let axis = |old: usize| order.iter().position(|&axis| axis == old);
    data.moved(change, axis)
}

/// The same elements; scales of channels stay with an axis that stays the same.
fn reshaped(
    node: &Node,
    data: &Constant,
    shape: Vec<usize>,
    budget: &mut Budget,
) -> Result<Constant, String> {
    let old = data.shape().to_vec();
    let new = shape.clone();
    let axis = |axis: usize| {
        let (front, extent) = (count(old.get(..axis)?)?, *old.get(axis)?);
        (0..new.len()).find(|&at| new[at] == extent && count(&new[..at]) == Some(front))
    };
    if data.weights().grid().is_some() {
        budget.take(&shape, &node.label())?;
    }
    let change = |tensor: &Tensor| tensor.reshaped(shape.clone());
    data.moved(change, axis).ok_or_else(|| node.label())
}

/// Start, step and count along an axis.
pub(crate) type Cut = (usize, i64, usize);

/// What `Slice` takes of each axis.
///
/// # Errors
/// Lists that do not fit together, a step of zero.
pub(crate) fn slices(node: &Node, inputs: Inputs<'_>, shape: &[usize]) -> Result<Vec<Cut>, String> {
    let part = |name, at| list(node, inputs, name, at);
    let missing = || format!("{} has no starts or no ends", node.label());
    let starts = part("starts", 1)?.ok_or_else(missing)?;
    let ends = part("ends", 2)?.ok_or_else(missing)?;
    let axes = part("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = part("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err(format!(
            "{} has {} starts, {} ends, {} axes and {} steps; allowed are lists of one length",
            node.label(),
            starts.len(),
            ends.len(),
            axes.len(),
            steps.len()
        ));
    }
    let mut cuts: Vec<Cut> = shape.iter().map(|&extent| (0, 1, extent)).collect();
    for (at, &axis) in axes.iter().enumerate() {
        let axis = axis_within(node, axis, shape.len())?;
        let (extent, step) = (shape[axis] as i64, steps[at]);
        if step == 0 {
            return Err(format!(
                "{} has a step of 0; allowed are others",
                node.label()
            ));
        }
        // Negative places count from the end; all are clamped to where a step can lead.
        let from_end = |place: i64| {
            if place < 0 {
                place.saturating_add(extent)
            } else {
                place
            }
        };
        let (low, high) = if step > 0 {
            (0, extent)
        } else {
            (-1, extent - 1)
        };
        let end = from_end(ends[at]).clamp(low, high);
        let start = from_end(starts[at]).clamp(if step > 0 { 0 } else { 0.min(high) }, high);
        let distance = if step > 0 { end - start } else { start - end };
        let taken = match distance > 0 && extent > 0 {
            true => (distance as u64).div_ceil(step.unsigned_abs()) as usize,
            false => 0,
        };
        cuts[axis] = (usize::try_from(start).unwrap_or(0), step, taken);
    }
    Ok(cuts)
}

fn slice(node: &Node, inputs: Inputs<'_>, budget: &mut Budget) -> Result<Constant, String> {
    let data = required(node, inputs, 0)?.tensor();
    let cuts = slices(node, inputs, data.shape())?;
    let shape: Vec<usize> = cuts.iter().map(|cut| cut.2).collect();
    budget.take(&shape, &node.label())?;
    let whole = strides_of(data.shape());
    let start = cuts
        .iter()
        .zip(&whole)
        .map(|(cut, &s)| cut.0 * s as usize)
        .sum();
    let strides: Option<Vec<isize>> = (cuts.iter().zip(&whole))
        .map(|(cut, &s)| {
            // Where nothing or one element is taken, the step leads nowhere.
            let step = if cut.2 > 1 {
                isize::try_from(cut.1).ok()?
            } else {
                0
            };
            s.checked_mul(step)
        })
        .collect();
    let made = strides.and_then(|strides| data.strided(shape, &strides, start));
    made.map(Constant::from).ok_or_else(|| node.label())
}

fn gather(node: &Node, inputs: Inputs<'_>, budget: &mut Budget) -> Result<Tensor, String> {
    let data = required(node, inputs, 0)?.tensor();
    let indices = required(node, inputs, 1)?.tensor();
    let axis = axis_of(node, 0, data.shape().len())?;
    let extent = data.shape()[axis];
    let mut shape = data.shape()[..axis].to_vec();
    shape.extend(indices.shape());
    shape.extend(&data.shape()[axis + 1..]);
    budget.take(&shape, &node.label())?;
    let mut parts = Vec::new();
    let mut part = data.shape().to_vec();
    part[axis] = 1;
    let strides = strides_of(data.shape());
    for &index in indices.integers().iter() {
        let index = axis_within(node, index, extent).map_err(|_| {
            format!(
                "{} takes element {index} of {extent}; allowed are those that exist",
                node.label()
            )
        })?;
        let start = index * strides[axis] as usize;
        parts.push(
            data.strided(part.clone(), &strides, start)
                .ok_or_else(|| node.label())?,
        );
    }
    if parts.is_empty() {
        part[axis] = 0;
        parts.push(
            data.strided(part, &strides, 0)
                .ok_or_else(|| node.label())?,
        );
    }
    let joined = join(&parts, axis).ok_or_else(|| node.label())?;
    joined.reshaped(shape).ok_or_else(|| node.label())
}

fn concat(node: &Node, inputs: Inputs<'_>, budget: &mut Budget) -> Result<Tensor, String> {
    let parts = (0..inputs.len()).map(|at| required(node, inputs, at).map(|c| c.tensor().clone()));
    let parts: Vec<Tensor> = parts.collect::<Result<_, _>>()?;
    let first = required(node, inputs, 0)?.shape();
    let axis = axis_of(node, 1, first.len())?;
    let fits = |part: &Tensor| {
        let same = |at: usize| at == axis || part.shape()[at] == first[at];
        part.shape().len() == first.len() && (0..first.len()).all(same)
    };
    if let Some(part) = parts.iter().find(|part| !fits(part)) {
        return Err(format!(
            "{} joins tensors of shapes {first:?} and {:?} along axis {axis}; allowed are shapes \
             that differ there only",
            node.label(),
            part.shape()
        ));
    }
    let mut shape = first.to_vec();
    shape[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
    budget.take(&shape, &node.label())?;
    join(&parts, axis).ok_or_else(|| node.label())
}

/// Tensors after each other along an axis.
fn join(parts: &[Tensor], axis: usize) -> Option<Tensor> {
    let first = parts.first()?;
    let mut shape = first.shape().to_vec();
    shape[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
    let rows = count(&first.shape()[..axis])?;
    if first.element().is_float() {
        let parts: Vec<_> = parts.iter().map(|part| part.floats()).collect();
        let slices: Vec<&[f32]> = parts.iter().map(|part| part.as_ref()).collect();
        Tensor::from_floats(shape, interleave(&slices, rows))
    } else {
        let parts: Vec<_> = parts.iter().map(|part| part.integers()).collect();
        let slices: Vec<&[i64]> = parts.iter().map(|part| part.as_ref()).collect();
        Tensor::from_integers(shape, first.element(), interleave(&slices, rows))
    }
}

fn interleave<T: Copy>(parts: &[&[T]], rows: usize) -> Vec<T> {
    let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for row in 0..rows {
        for part in parts {
            let width = part.len() / rows;
            joined.extend_from_slice(&part[row * width..(row + 1) * width]);
        }
    }
    joined
}
