//! Nodes whose inputs are all known: their results, with ONNX's semantics in single
//! precision and 64-bit integers.
//!
//! What a chain of shapes, a transposed weight or a quantizer of weights computes does
//! not depend on the image, so nothing of it reaches the network.

mod arithmetic;
mod budget;
mod constant;
mod create;
mod layout;
mod quantizers;
mod shapes;

pub(crate) use arithmetic::clip_bounds;
pub use budget::Budget;
pub use constant::Constant;
pub(crate) use layout::{
    axis_of, flatten_axis, list, permutation, reduced_axes, slices, transposed,
};
pub(crate) use quantizers::{
    along, check_scale, check_symmetric, grid, int_quant_of, linear_of, trunc_of,
};
pub(crate) use shapes::{axis_within, reshape_target, squeezed, unsqueezed};

use crate::graph::{Domain, Node};
use crate::tensor::Tensor;

/// The inputs of a node as constants; `None` for those left out.
pub(crate) type Inputs<'a> = &'a [Option<&'a Constant>];

/// An input that the node must have.
///
/// # Errors
/// It is left out.
pub(crate) fn required<'a>(
    node: &Node,
    inputs: &[Option<&'a Constant>],
    at: usize,
) -> Result<&'a Constant, String> {
    let found = inputs.get(at).copied().flatten();
    found.ok_or_else(|| format!("{} has no input {at}", node.label()))
}

/// The result of a node whose inputs are all constants; `None` for an operator that is
/// not computed here.
///
/// # Errors
/// Inputs or attributes that the operator does not allow.
pub fn evaluate(
    node: &Node,
    inputs: Inputs<'_>,
    budget: &mut Budget,
) -> Result<Option<Constant>, String> {
    if let Some(result) = quantizers::evaluate(node, inputs, budget)? {
        return Ok(Some(result));
    }
    if node.domain != Domain::Standard {
        return Ok(None);
    }
    if let Some(result) = create::evaluate(node, inputs, budget)? {
        return Ok(Some(result));
    }
    if let Some(result) = layout::evaluate(node, inputs, budget)? {
        return Ok(Some(result));
    }
    let tensor: Option<Tensor> = arithmetic::evaluate(node, inputs, budget)?;
    let constant = tensor.map(Constant::from);
    if node.operator == "Clip" {
        // Between stored integers and their scale a clip is all that says how wide they are.
        let (low, high) = clip_bounds(node, inputs)?;
        return Ok(constant.map(|constant| constant.within(low, high)));
    }
    Ok(constant)
}
