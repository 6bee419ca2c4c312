//! Constants out of nothing, and of another type.

use super::{Budget, Constant, Inputs, required};
use crate::graph::{Attribute, Node};
use crate::tensor::{Element, Tensor, count};

/// Most axes of a constant that is made.
const MOST_AXES: usize = 8;

pub(super) fn evaluate(
    node: &Node,
    inputs: Inputs<'_>,
    budget: &mut Budget,
) -> Result<Option<Constant>, String> {
    Ok(Some(match node.operator.as_str() {
        "Constant" => constant(node)?.into(),
        "Identity" => required(node, inputs, 0)?.clone(),
        "Cast" => cast(node, required(node, inputs, 0)?, budget)?,
        "CastLike" => {
            let like = required(node, inputs, 1)?.tensor().element();
            to(node, required(node, inputs, 0)?, like, budget)?
        }
        "ConstantOfShape" => of_shape(node, required(node, inputs, 0)?, budget)?.into(),
        "Range" => range(node, inputs, budget)?.into(),
        _ => return Ok(None),
    }))
}

fn constant(node: &Node) -> Result<Tensor, String> {
    let (name, value) = node.attributes.first().ok_or_else(|| {
        format!(
            "{} has no value; allowed are value, value_float, value_floats, value_int and \
             value_ints",
            node.label()
        )
    })?;
    match value {
        Attribute::Tensor(tensor) => Ok(tensor.clone()),
        Attribute::Float(value) => Ok(Tensor::scalar(*value)),
        Attribute::Floats(values) => {
            let tensor = Tensor::from_floats(vec![values.len()], values.clone());
            tensor.ok_or_else(|| node.label())
        }
        Attribute::Int(value) => {
            let tensor = Tensor::from_integers(Vec::new(), Element::I64, vec![*value]);
            tensor.ok_or_else(|| node.label())
        }
        Attribute::Ints(values) => Ok(Tensor::list(values.clone())),
        _ => Err(format!(
            "{} has its value in {}; allowed are value, value_float, value_floats, value_int \
             and value_ints",
            node.label(),
            crate::error::quoted(name)
        )),
    }
}

fn cast(node: &Node, from: &Constant, budget: &mut Budget) -> Result<Constant, String> {
    let code = node.int("to", 0)?;
    let element = Element::from_code(code)
        .map_err(|found| format!("{} casts to elements that are {found}", node.label()))?;
    to(node, from, element, budget)
}

fn to(
    node: &Node,
    from: &Constant,
    element: Element,
    budget: &mut Budget,
) -> Result<Constant, String> {
    let tensor = from.tensor();
    // Single precision stays what computes, whatever a file's floats are.
    if element == tensor.element() || element.is_float() && tensor.element().is_float() {
        return Ok(from.clone());
    }
    budget.take(tensor.shape(), &node.label())?;
    let shape = tensor.shape().to_vec();
    let made = match element {
        element if element.is_float() => Tensor::from_floats(shape, tensor.floats().into_owned()),
        Element::Bool => {
            let truth = tensor
                .floats()
                .iter()
                .map(|&v| i64::from(v != 0.0))
                .collect();
            Tensor::from_integers(shape, element, truth)
        }
        element => {
            let (low, high) = element.range();
            let values = tensor.integers();
            let values = values.iter().map(|v| (*v).clamp(low, high)).collect();
            Tensor::from_integers(shape, element, values)
        }
    };
    made.map(Constant::from).ok_or_else(|| node.label())
}

/// Extents out of a list.
///
/// # Errors
/// Negative ones, or too many.
pub(super) fn extents(node: &Node, list: &Tensor) -> Result<Vec<usize>, String> {
    let values = list.integers();
    let shape: Option<Vec<usize>> = values.iter().map(|&d| usize::try_from(d).ok()).collect();
    let shape = shape.filter(|s| s.len() <= MOST_AXES && count(s).is_some());
    shape.ok_or_else(|| {
        let shown: Vec<_> = values.iter().take(MOST_AXES).collect();
        format!(
            "{} asks for the shape {shown:?}; allowed are at most {MOST_AXES} extents from 0 on",
            node.label()
        )
    })
}

fn of_shape(node: &Node, shape: &Constant, budget: &mut Budget) -> Result<Tensor, String> {
    let shape = extents(node, shape.tensor())?;
    budget.take(&shape, &node.label())?;
    let length = count(&shape).unwrap_or(0);
    let made = match node.attribute("value") {
        None => Tensor::from_floats(shape, vec![0.0; length]),
        Some(Attribute::Tensor(value)) if value.len() == 1 => {
            let element = value.element();
            match element.is_float() {
                true => Tensor::from_floats(shape, vec![value.floats()[0]; length]),
                false => Tensor::from_integers(shape, element, vec![value.integers()[0]; length]),
            }
        }
        Some(_) => {
            return Err(format!(
                "attribute value of {} is no tensor of one element",
                node.label()
            ));
        }
    };
    made.ok_or_else(|| node.label())
}

fn range(node: &Node, inputs: Inputs<'_>, budget: &mut Budget) -> Result<Tensor, String> {
    let number = |at| -> Result<f64, String> {
        let tensor = required(node, inputs, at)?.tensor();
        let value = match (tensor.element().is_float(), tensor.len()) {
            (_, 0) => None,
            (true, _) => tensor.floats().first().map(|&v| f64::from(v)),
            (false, _) => tensor.integers().first().map(|&v| v as f64),
        };
        value.ok_or_else(|| format!("input {at} of {} is empty", node.label()))
    };
    let (start, limit, delta) = (number(0)?, number(1)?, number(2)?);
    let steps = ((limit - start) / delta).ceil().max(0.0);
    if !steps.is_finite() {
        return Err(format!(
            "{} counts from {start} to {limit} in steps of {delta}, which has no end",
            node.label()
        ));
    }
    let length = steps as usize;
    budget.take(&[length], &node.label())?;
    let value = |at: usize| start + at as f64 * delta;
    let element = required(node, inputs, 0)?.tensor().element();
    let made = match element.is_float() {
        true => Tensor::from_floats(vec![length], (0..length).map(|i| value(i) as f32).collect()),
        false => {
            let values = (0..length).map(|i| value(i) as i64).collect();
            Tensor::from_integers(vec![length], element, values)
        }
    };
    made.ok_or_else(|| node.label())
}
