//! Shapes that nodes ask for.

use crate::graph::Node;
use crate::tensor::count;

/// Most axes of a shape.
const MOST_AXES: usize = 8;

/// The shape that `Reshape` makes of one: 0 keeps an extent (unless `allow_zero`), -1
/// takes what is left.
///
/// # Errors
/// A shape that the elements do not fill.
pub(crate) fn reshape_target(
    node: &Node,
    from: &[usize],
    wanted: &[i64],
    allow_zero: bool,
) -> Result<Vec<usize>, String> {
    let refuse = || {
        format!(
            "{} asks for the shape {wanted:?} of a tensor of shape {from:?}; allowed are shapes \
             with as many elements",
            node.label()
        )
    };
    if wanted.len() > MOST_AXES {
        return Err(format!(
            "{} asks for a shape of {} axes; allowed are at most {MOST_AXES}",
            node.label(),
            wanted.len()
        ));
    }
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (at, &extent) in wanted.iter().enumerate() {
        shape.push(match extent {
            0 if !allow_zero => *from.get(at).ok_or_else(refuse)?,
            -1 if open.is_none() => {
                open = Some(at);
                1
            }
            extent => usize::try_from(extent).map_err(|_| refuse())?,
        });
    }
    let (all, known) = (count(from), count(&shape));
    let (all, known) = all.zip(known).ok_or_else(refuse)?;
    if let Some(at) = open {
        let rest = all.checked_div(known).unwrap_or(0);
        shape[at] = rest;
    }
    if count(&shape) != Some(all) {
        return Err(refuse());
    }
    Ok(shape)
}

/// An axis counted from the front.
///
/// # Errors
/// One that the shape does not have.
pub(crate) fn axis_within(node: &Node, axis: i64, rank: usize) -> Result<usize, String> {
    let turned = if axis < 0 { axis + rank as i64 } else { axis };
    match usize::try_from(turned) {
        Ok(found) if found < rank => Ok(found),
        _ => Err(format!(
            "axis {axis} of {} does not exist; allowed are -{rank} to {}",
            node.label(),
            rank as i64 - 1
        )),
    }
}

/// The places in a shape that stay when `axes` of one are left out; all of one, if no
/// axes are named.
///
/// # Errors
/// An axis that is not one long.
pub(crate) fn squeezed(
    node: &Node,
    shape: &[usize],
    axes: Option<&[i64]>,
) -> Result<Vec<usize>, String> {
    let mut out = vec![false; shape.len()];
    match axes {
        None => out = shape.iter().map(|&d| d == 1).collect(),
        Some(axes) => {
            for &axis in axes {
                let axis = axis_within(node, axis, shape.len())?;
                if shape[axis] != 1 {
                    return Err(format!(
                        "{} leaves out axis {axis} of a tensor of shape {shape:?}; allowed are \
                         axes of extent 1",
                        node.label()
                    ));
                }
                out[axis] = true;
            }
        }
    }
    Ok((0..shape.len()).filter(|&at| !out[at]).collect())
}

/// For each place of the new shape the place that it had, `None` for a new axis of one.
///
/// # Errors
/// An axis that does not exist or is named twice.
pub(crate) fn unsqueezed(
    node: &Node,
    rank: usize,
    axes: &[i64],
) -> Result<Vec<Option<usize>>, String> {
    let full = rank + axes.len();
    if full > MOST_AXES {
        return Err(format!(
            "{} makes {full} axes; allowed are at most {MOST_AXES}",
            node.label()
        ));
    }
    let mut new = vec![false; full];
    for &axis in axes {
        let place = axis_within(node, axis, full)?;
        if std::mem::replace(&mut new[place], true) {
            return Err(format!("{} names axis {axis} twice", node.label()));
        }
    }
    let mut old = 0..rank;
    let place = |&new: &bool| if new { None } else { old.next() };
    Ok(new.iter().map(place).collect())
}
