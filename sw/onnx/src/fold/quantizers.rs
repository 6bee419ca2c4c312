//! Parameters of quantizers, and quantizers of known tensors.

use super::{Budget, Constant, Inputs, required};
use crate::graph::{Domain, Node};
use crate::network::{Grid, Origin};
use crate::quantization::{Bipolar, IntQuant, Linear, Rounding, Trunc, TruncSecond};
use crate::tensor::{Element, Tensor};

/// A parameter with the axis that it varies along, if it has more than one value.
pub(crate) type Along = (Vec<f32>, Option<usize>);

/// A parameter that is broadcast to a shape and varies along one axis at most.
///
/// # Errors
/// One that varies along several axes or does not fit.
pub(crate) fn along(
    node: &Node,
    what: &str,
    parameter: &Constant,
    shape: &[usize],
) -> Result<Along, String> {
    let own = parameter.shape();
    let values = parameter.tensor().floats().into_owned();
    if values.len() == 1 {
        return Ok((values, None));
    }
    let varying: Vec<usize> = (0..own.len()).filter(|&at| own[at] != 1).collect();
    let axis = match varying.as_slice() {
        [at] => (at + shape.len()).checked_sub(own.len()),
        _ => None,
    };
    match axis.filter(|&axis| shape[axis] == values.len()) {
        Some(axis) => Ok((values, Some(axis))),
        None => Err(format!(
            "{what} of {} has the shape {own:?} beside a tensor of shape {shape:?}; allowed are \
             a single number and one for each place along one axis",
            node.label()
        )),
    }
}

/// Scales that can divide.
pub(crate) fn check_scale(node: &Node, scale: &[f32]) -> Result<(), String> {
    match scale.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        None if !scale.is_empty() => Ok(()),
        None => Err(format!("{} has no scale", node.label())),
        Some(bad) => Err(format!(
            "the scale of {} is {bad}; allowed are finite numbers above zero",
            node.label()
        )),
    }
}

/// Two axes of parameters of one node, one of which may say nothing.
fn same_axis(node: &Node, a: Option<usize>, b: Option<usize>) -> Result<Option<usize>, String> {
    match (a, b) {
        (Some(a), Some(b)) if a != b => Err(format!(
            "scale and zero point of {} vary along the axes {a} and {b}; allowed is one axis",
            node.label()
        )),
        (a, b) => Ok(a.or(b)),
    }
}

/// Scale, zero point and type of `QuantizeLinear` or `DequantizeLinear`, or of the same
/// two inputs of an operator on integers; with the axis along which they vary.
///
/// # Errors
/// Blocks, a scale that cannot divide, shapes that do not fit.
pub(crate) fn linear_of(
    node: &Node,
    (scale, zero): (&Constant, Option<&Constant>),
    shape: &[usize],
    axis: i64,
    otherwise: Element,
) -> Result<(Linear, Option<usize>), String> {
    let block = node.int("block_size", 0)?;
    if block != 0 {
        return Err(format!(
            "attribute block_size of {} is {block}; blocked quantization is not read, allowed is \
             one scale for all or one for each channel",
            node.label()
        ));
    }
    let single = Element::F32.code();
    let precision = node.int("precision", 0)?;
    if precision != 0 && precision != i64::from(single) {
        return Err(format!(
            "attribute precision of {} is {precision}; allowed is {single} (FLOAT)",
            node.label()
        ));
    }
    let values = scale.tensor().floats().into_owned();
    check_scale(node, &values)?;
    let axis = match values.len() {
        1 => None,
        _ => Some(super::shapes::axis_within(node, axis, shape.len())?),
    };
    let fits = axis.is_none_or(|axis| shape[axis] == values.len() && scale.shape().len() == 1);
    if !fits {
        return Err(format!(
            "the scale of {} has the shape {:?} beside a tensor of shape {shape:?}; allowed is \
             one scale for all or one for each place along axis {}",
            node.label(),
            scale.shape(),
            axis.unwrap_or(0)
        ));
    }
    let element = match (zero, node.int("output_dtype", 0)?) {
        (Some(zero), _) => zero.tensor().element(),
        (None, 0) => otherwise,
        (None, code) => Element::from_code(code)
            .map_err(|found| format!("attribute output_dtype of {} is {found}", node.label()))?,
    };
    if element.is_float() || matches!(element, Element::Bool | Element::I64 | Element::U64) {
        return Err(format!(
            "the integers of {} are {element}; allowed are integers of 2 to 32 bits",
            node.label()
        ));
    }
    let zero_point = zero.map_or_else(|| vec![0], |z| z.tensor().integers().into_owned());
    if zero_point.len() != 1 && zero_point.len() != values.len() {
        return Err(format!(
            "{} has {} zero points beside {} scales; allowed is one, or as many",
            node.label(),
            zero_point.len(),
            values.len()
        ));
    }
    let linear = Linear {
        scale: values,
        zero_point,
        element,
    };
    Ok((linear, axis))
}

/// A single number among the inputs.
fn number(node: &Node, inputs: Inputs<'_>, at: usize, what: &str) -> Result<f32, String> {
    let value = required(node, inputs, at)?.tensor().only();
    let value = value.filter(|v| v.is_finite());
    value.ok_or_else(|| format!("{what} of {} is no single number", node.label()))
}

fn width(node: &Node, inputs: Inputs<'_>, at: usize) -> Result<f32, String> {
    let bits = number(node, inputs, at, "the bit width")?;
    match (1.0..=32.0).contains(&bits) {
        true => Ok(bits),
        false => Err(format!(
            "the bit width of {} is {bits}; allowed are 1 to 32",
            node.label()
        )),
    }
}

fn rounding(node: &Node, otherwise: &'static str) -> Result<Rounding, String> {
    let name = node.text("rounding_mode", otherwise)?;
    Rounding::named(&name).map_err(|problem| format!("{} has the {problem}", node.label()))
}

/// The parameters of `Quant`, with the axis along which they vary.
///
/// # Errors
/// Parameters that do not fit the shape, a scale that cannot divide.
pub(crate) fn int_quant_of(
    node: &Node,
    inputs: Inputs<'_>,
    shape: &[usize],
) -> Result<(IntQuant, Option<usize>), String> {
    let (scale, axis) = along(node, "the scale", required(node, inputs, 1)?, shape)?;
    check_scale(node, &scale)?;
    let zero = required(node, inputs, 2)?;
    let (zero_point, other) = along(node, "the zero point", zero, shape)?;
    let quant = IntQuant {
        scale,
        zero_point,
        bits: width(node, inputs, 3)?,
        signed: node.flag("signed", true)?,
        narrow: node.flag("narrow", false)?,
        rounding: rounding(node, "ROUND")?,
    };
    Ok((quant, same_axis(node, axis, other)?))
}

/// The parameters of `Trunc`, with the axis along which they vary. Six inputs are
/// version 2, five version 1.
///
/// # Errors
/// Parameters that do not fit the shape, a scale that cannot divide.
pub(crate) fn trunc_of(
    node: &Node,
    inputs: Inputs<'_>,
    shape: &[usize],
) -> Result<(Trunc, Option<usize>), String> {
    let (scale, axis) = along(node, "the scale", required(node, inputs, 1)?, shape)?;
    check_scale(node, &scale)?;
    let zero = required(node, inputs, 2)?;
    let (zero_point, other) = along(node, "the zero point", zero, shape)?;
    let mut axis = same_axis(node, axis, other)?;
    let second = match inputs.len() {
        5 => None,
        6 => {
            let out = required(node, inputs, 4)?;
            let (scale_out, other) = along(node, "the scale of the output", out, shape)?;
            check_scale(node, &scale_out)?;
            axis = same_axis(node, axis, other)?;
            Some(TruncSecond {
                scale_out,
                signed: node.flag("signed", true)?,
                narrow: node.flag("narrow", false)?,
            })
        }
        found => {
            return Err(format!(
                "{} has {found} inputs; allowed are 5 (version 1) and 6 (version 2)",
                node.label()
            ));
        }
    };
    let trunc = Trunc {
        scale,
        zero_point,
        bits_in: width(node, inputs, 3)?,
        bits_out: width(node, inputs, inputs.len() - 1)?,
        rounding: rounding(node, "FLOOR")?,
        second,
    };
    Ok((trunc, axis))
}

pub(super) fn evaluate(
    node: &Node,
    inputs: Inputs<'_>,
    budget: &mut Budget,
) -> Result<Option<Constant>, String> {
    if matches!(node.domain, Domain::Other(_)) {
        return Ok(None);
    }
    let data = || required(node, inputs, 0);
    Ok(Some(match node.operator.as_str() {
        "DequantizeLinear" => {
            budget.take(data()?.shape(), &node.label())?;
            dequantize(node, inputs)?.into()
        }
        "QuantizeLinear" => {
            budget.take(data()?.shape(), &node.label())?;
            let shape = data()?.shape().to_vec();
            let pair = (required(node, inputs, 1)?, inputs.get(2).copied().flatten());
            let axis = node.int("axis", 1)?;
            let (linear, axis) = linear_of(node, pair, &shape, axis, Element::U8)?;
            let step = |x, channel| linear.quantize(x, channel);
            let values = steps(node, data()?.tensor(), axis.unwrap_or(0), step)?;
            let made = Tensor::from_integers(shape, linear.element, values);
            made.ok_or_else(|| node.label())?.into()
        }
        "Quant" | "IntQuant" => {
            budget.take(data()?.shape(), &node.label())?;
            let shape = data()?.shape().to_vec();
            let (quant, axis) = int_quant_of(node, inputs, &shape)?;
            let step = |x, channel| quant.quantize(x, channel);
            let values = steps(node, data()?.tensor(), axis.unwrap_or(0), step)?;
            let bounds = if quant.is_bipolar() {
                (-1.0, 1.0)
            } else {
                quant.range()
            };
            Constant::from(Grid {
                integers: small(shape, values).ok_or_else(|| node.label())?,
                scale: quant.scale.clone(),
                zero_point: quant.zero_point.clone(),
                axis: axis.unwrap_or(0),
                bounds,
                origin: Origin::IntQuant(quant),
            })
        }
        "BipolarQuant" => {
            budget.take(data()?.shape(), &node.label())?;
            let shape = data()?.shape().to_vec();
            let (scale, axis) = along(node, "the scale", required(node, inputs, 1)?, &shape)?;
            check_scale(node, &scale)?;
            let step = |x, _| Bipolar::quantize(x);
            let values = steps(node, data()?.tensor(), axis.unwrap_or(0), step)?;
            Constant::from(Grid {
                integers: small(shape, values).ok_or_else(|| node.label())?,
                scale,
                zero_point: vec![0.0],
                axis: axis.unwrap_or(0),
                bounds: (-1.0, 1.0),
                origin: Origin::Bipolar,
            })
        }
        _ => return Ok(None),
    }))
}

fn dequantize(node: &Node, inputs: Inputs<'_>) -> Result<Grid, String> {
    let data = required(node, inputs, 0)?;
    let integers = data.tensor().clone();
    if integers.element().is_float() {
        return Err(format!(
            "{} reads numbers of type {}; allowed are integers",
            node.label(),
            integers.element()
        ));
    }
    let pair = (required(node, inputs, 1)?, inputs.get(2).copied().flatten());
    let axis = node.int("axis", 1)?;
    let (linear, axis) = linear_of(node, pair, integers.shape(), axis, integers.element())?;
    Ok(grid(integers, data.bounds(), linear, axis))
}

/// Stored integers with their parameters.
pub(crate) fn grid(
    integers: Tensor,
    bounds: Option<(f32, f32)>,
    linear: Linear,
    axis: Option<usize>,
) -> Grid {
    let (low, high) = integers.element().range();
    let whole = (low as f32, high as f32);
    let bounds = bounds.map_or(whole, |(low, high)| (low.max(whole.0), high.min(whole.1)));
    Grid {
        scale: linear.scale.clone(),
        zero_point: linear.zero_point.iter().map(|&z| z as f32).collect(),
        axis: axis.unwrap_or(0),
        bounds,
        origin: Origin::Linear(linear),
        integers,
    }
}

/// The integer of every element; parameters vary along `axis`.
fn steps(
    node: &Node,
    tensor: &Tensor,
    axis: usize,
    step: impl Fn(f32, usize) -> f32,
) -> Result<Vec<i64>, String> {
    let shape = tensor.shape();
    let behind: usize = shape.iter().skip(axis + 1).product();
    let extent = shape.get(axis).copied().unwrap_or(1).max(1);
    let values = tensor.floats();
    if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
        return Err(format!(
            "{} quantizes a weight of {bad}; allowed are finite weights",
            node.label()
        ));
    }
    let place = |at: usize| at / behind.max(1) % extent;
    let each = values.iter().enumerate();
    Ok(each.map(|(at, &x)| step(x, place(at)) as i64).collect())
}

/// Integers in a byte each, where they fit.
fn small(shape: Vec<usize>, values: Vec<i64>) -> Option<Tensor> {
    let bytes: Result<Vec<u8>, _> = (values.iter())
        .map(|&v| i8::try_from(v).map(|v| v.to_le_bytes()[0]))
        .collect();
    match bytes {
        Ok(bytes) => Tensor::from_bytes(shape, Element::I8, bytes.into()),
        Err(_) => Tensor::from_integers(shape, Element::I32, values),
    }
}

/// Refuses weights whose zero is no integer zero.
pub(crate) fn check_symmetric(node: &Node, grid: &Grid) -> Result<(), String> {
    let bad = grid.zero_point.iter().position(|&zero| zero != 0.0);
    match bad {
        None => Ok(()),
        Some(at) => Err(format!(
            "the weights of {} have the zero point {} in channel {at}; asymmetric weights are \
             not read, allowed is 0",
            node.label(),
            grid.zero_point[at]
        )),
    }
}
