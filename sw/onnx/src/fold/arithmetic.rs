//! Arithmetic of known tensors, with numpy's broadcasting.

use super::{Budget, Inputs, required};
use crate::graph::Node;
use crate::tensor::{Element, Tensor, count};

pub(super) fn evaluate(
    node: &Node,
    inputs: Inputs<'_>,
    budget: &mut Budget,
) -> Result<Option<Tensor>, String> {
    let float: Option<fn(f32) -> f32> = match node.operator.as_str() {
        "Sqrt" => Some(f32::sqrt),
        "Exp" => Some(f32::exp),
        "Log" => Some(f32::ln),
        "Abs" => Some(f32::abs),
        "Neg" => Some(|x| -x),
        "Floor" => Some(f32::floor),
        "Ceil" => Some(f32::ceil),
        "Round" => Some(f32::round_ties_even),
        "Reciprocal" => Some(|x| 1.0 / x),
        "Relu" => Some(|x| x.max(0.0)),
        "Tanh" => Some(f32::tanh),
        "Sigmoid" => Some(|x| 1.0 / (1.0 + (-x).exp())),
        _ => None,
    };
    if let Some(function) = float {
        let data = required(node, inputs, 0)?.tensor();
        budget.take(data.shape(), &node.label())?;
        let shape = data.shape().to_vec();
        let made = match (data.element().is_float(), node.operator.as_str()) {
            (false, "Neg" | "Abs") => {
                let values = data.integers();
                let turned = values.iter().map(|&v| match node.operator.as_str() {
                    "Neg" => v.saturating_neg(),
                    _ => v.saturating_abs(),
                });
                Tensor::from_integers(shape, data.element(), turned.collect())
            }
            _ => Tensor::from_floats(shape, data.floats().iter().map(|&v| function(v)).collect()),
        };
        return Ok(made);
    }
    match node.operator.as_str() {
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Mod" | "Equal" | "Less" | "Greater" => {
            pair(node, inputs, budget).map(Some)
        }
        "Min" | "Max" | "Sum" => {
            let mut result = required(node, inputs, 0)?.tensor().clone();
            for at in 1..inputs.len() {
                result = binary(node, &result, required(node, inputs, at)?.tensor(), budget)?;
            }
            Ok(Some(result))
        }
        "Clip" => clip(node, inputs, budget).map(Some),
        "Where" => choose(node, inputs, budget).map(Some),
        "ReduceProd" => {
            let data = required(node, inputs, 0)?.tensor();
            let product = data
                .integers()
                .iter()
                .try_fold(1i64, |p, &v| p.checked_mul(v));
            let all = super::reduced_axes(node, inputs, data.shape().len())?.len();
            let kept = node.flag("keepdims", true)?;
            let whole = all == data.shape().len() && !data.element().is_float();
            let shape = if kept { vec![1; all] } else { Vec::new() };
            let product = product.filter(|_| whole);
            Ok(product.and_then(|p| Tensor::from_integers(shape, data.element(), vec![p])))
        }
        _ => Ok(None),
    }
}

fn pair(node: &Node, inputs: Inputs<'_>, budget: &mut Budget) -> Result<Tensor, String> {
    let (a, b) = (required(node, inputs, 0)?, required(node, inputs, 1)?);
    binary(node, a.tensor(), b.tensor(), budget)
}

/// The shape of both together.
///
/// # Errors
/// Shapes that do not fit.
pub(super) fn broadcast(node: &Node, a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], at: usize| match (at + shape.len()).checked_sub(rank) {
        Some(place) => shape[place],
        None => 1,
    };
    let joined = (0..rank).map(|at| match (extent(a, at), extent(b, at)) {
        (x, y) if x == y || y == 1 => Some(x),
        (1, y) => Some(y),
        _ => None,
    });
    let joined: Option<Vec<usize>> = joined.collect();
    joined.ok_or_else(|| {
        format!(
            "{} joins tensors of shapes {a:?} and {b:?}; allowed are shapes with the same \
             extents, or extents of 1",
            node.label()
        )
    })
}

/// The tensor repeated to fill a shape that it can be broadcast to.
pub(super) fn stretched(tensor: &Tensor, shape: &[usize]) -> Option<Tensor> {
    if tensor.shape() == shape {
        return Some(tensor.clone());
    }
    let own = tensor.shape();
    let mut strides = vec![0isize; shape.len()];
    let mut step = 1isize;
    for (at, &extent) in own.iter().enumerate().rev() {
        let place = (at + shape.len()).checked_sub(own.len())?;
        strides[place] = if extent == 1 { 0 } else { step };
        step = step.checked_mul(extent as isize)?;
    }
    tensor.strided(shape.to_vec(), &strides, 0)
}

fn binary(node: &Node, a: &Tensor, b: &Tensor, budget: &mut Budget) -> Result<Tensor, String> {
    let shape = broadcast(node, a.shape(), b.shape())?;
    budget.take(&shape, &node.label())?;
    let both = stretched(a, &shape).zip(stretched(b, &shape));
    let (a, b) = both.ok_or_else(|| node.label())?;
    let truth = matches!(node.operator.as_str(), "Equal" | "Less" | "Greater");
    let made = if a.element().is_float() {
        let (x, y) = (a.floats(), b.floats());
        let values = x
            .iter()
            .zip(y.iter())
            .map(|(&x, &y)| float(&node.operator, x, y));
        match truth {
            true => Tensor::from_integers(shape, Element::Bool, values.map(|v| v as i64).collect()),
            false => Tensor::from_floats(shape, values.collect()),
        }
    } else {
        let (x, y) = (a.integers(), b.integers());
        let values = x.iter().zip(y.iter()).map(|(&x, &y)| {
            integer(&node.operator, x, y)
                .ok_or_else(|| format!("{} of {x} and {y} has no result that fits", node.label()))
        });
        let values = values.collect::<Result<_, _>>()?;
        let element = if truth { Element::Bool } else { a.element() };
        Tensor::from_integers(shape, element, values)
    };
    made.ok_or_else(|| node.label())
}

fn float(operator: &str, x: f32, y: f32) -> f32 {
    let truth = |t: bool| if t { 1.0 } else { 0.0 };
    match operator {
        "Add" | "Sum" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "Pow" => x.powf(y),
        "Mod" => x % y,
        "Min" => x.min(y),
        "Max" => x.max(y),
        "Equal" => truth(x == y),
        "Less" => truth(x < y),
        _ => truth(x > y),
    }
}

fn integer(operator: &str, x: i64, y: i64) -> Option<i64> {
    match operator {
        "Add" | "Sum" => x.checked_add(y),
        "Sub" => x.checked_sub(y),
        "Mul" => x.checked_mul(y),
        "Div" => x.checked_div(y),
        "Pow" => x.checked_pow(u32::try_from(y).ok()?),
        // As Python's: the sign of the divisor.
        "Mod" => x.checked_rem(y).map(|r| {
            if r != 0 && (r < 0) != (y < 0) {
                r + y
            } else {
                r
            }
        }),
        "Min" => Some(x.min(y)),
        "Max" => Some(x.max(y)),
        "Equal" => Some(i64::from(x == y)),
        "Less" => Some(i64::from(x < y)),
        _ => Some(i64::from(x > y)),
    }
}

fn clip(node: &Node, inputs: Inputs<'_>, budget: &mut Budget) -> Result<Tensor, String> {
    let data = required(node, inputs, 0)?.tensor();
    budget.take(data.shape(), &node.label())?;
    let (low, high) = clip_bounds(node, inputs)?;
    let shape = data.shape().to_vec();
    let made = match data.element().is_float() {
        true => {
            let values = data.floats();
            Tensor::from_floats(shape, values.iter().map(|v| v.max(low).min(high)).collect())
        }
        false => {
            let values = data.integers();
            let clipped = values.iter().map(|&v| v.max(low as i64).min(high as i64));
            Tensor::from_integers(shape, data.element(), clipped.collect())
        }
    };
    made.ok_or_else(|| node.label())
}

/// The bounds of `Clip`: attributes before version 11, inputs since.
///
/// # Errors
/// Bounds that are no single numbers, or in the wrong order.
pub(crate) fn clip_bounds(node: &Node, inputs: Inputs<'_>) -> Result<(f32, f32), String> {
    let bound = |name: &str, at: usize, otherwise: f32| -> Result<f32, String> {
        if node.attribute(name).is_some() {
            return node.float(name, otherwise);
        }
        match inputs.get(at).copied().flatten() {
            None => Ok(otherwise),
            Some(constant) => constant.tensor().only().ok_or_else(|| {
                format!(
                    "{name} of {} is no single number; allowed is one",
                    node.label()
                )
            }),
        }
    };
    let low = bound("min", 1, f32::NEG_INFINITY)?;
    let high = bound("max", 2, f32::INFINITY)?;
    match low <= high {
        true => Ok((low, high)),
        false => Err(format!(
            "{} clips to {low} .. {high}; allowed are bounds in this order",
            node.label()
        )),
    }
}

fn choose(node: &Node, inputs: Inputs<'_>, budget: &mut Budget) -> Result<Tensor, String> {
    let part = |at| required(node, inputs, at).map(|c| c.tensor());
    let (condition, a, b) = (part(0)?, part(1)?, part(2)?);
    let shape = broadcast(node, a.shape(), b.shape())?;
    let shape = broadcast(node, condition.shape(), &shape)?;
    budget.take(&shape, &node.label())?;
    let length = count(&shape).unwrap_or(0);
    let all = stretched(condition, &shape)
        .zip(stretched(a, &shape))
        .zip(stretched(b, &shape));
    let ((condition, a), b) = all.ok_or_else(|| node.label())?;
    let condition = condition.integers();
    let made = match a.element().is_float() {
        true => {
            let (x, y) = (a.floats(), b.floats());
            let value = |i: usize| if condition[i] != 0 { x[i] } else { y[i] };
            Tensor::from_floats(shape, (0..length).map(value).collect())
        }
        false => {
            let (x, y) = (a.integers(), b.integers());
            let value = |i: usize| if condition[i] != 0 { x[i] } else { y[i] };
            Tensor::from_integers(shape, a.element(), (0..length).map(value).collect())
        }
    };
    made.ok_or_else(|| node.label())
}
