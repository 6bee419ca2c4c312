//! Each pixel several times.

use super::value::{Activation, Axis};
use super::walk::{Read, Walk};
use crate::fold::{self, Constant};
use crate::graph::Node;
use crate::network::{Operator, Shape};

/// Largest factor.
const MOST: usize = 64;

impl Walk<'_> {
    pub(super) fn resize(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?.clone();
        let mode = node.text("mode", "nearest")?;
        if mode != "nearest" {
            return Err(format!(
                "attribute mode of {} is {}; allowed is nearest",
                node.label(),
                crate::error::quoted(&mode)
            ));
        }
        for at in 1..node.inputs.len() {
            if node.input(at).is_some() {
                read.known(node, at, "the scale")?;
            }
        }
        let rank = of.dims.len();
        let axes = match node.ints("axes")? {
            None => (0..rank).collect(),
            Some(axes) => {
                let axis = |&axis: &i64| fold::axis_within(node, axis, rank);
                axes.iter().map(axis).collect::<Result<Vec<_>, _>>()?
            }
        };
        let factors = factors(node, read, &of, &axes)?;
        let mut whole = [1usize; 2];
        let mut made = of.clone();
        for (&axis, &factor) in axes.iter().zip(&factors) {
            let place = match of.axes[axis] {
                Axis::Row => Some(0),
                Axis::Column => Some(1),
                _ => None,
            };
            let rounded = factor.round();
            let fits = rounded == factor && (1.0..=MOST as f32).contains(&factor);
            match (fits, place) {
                (true, Some(place)) => whole[place] = rounded as usize,
                (true, None) if factor == 1.0 => {}
                _ => {
                    return Err(format!(
                        "{} resizes axis {axis} of a tensor of shape {:?} by {factor}; allowed \
                         are whole factors from 1 to {MOST} for rows and columns",
                        node.label(),
                        of.dims
                    ));
                }
            }
            made.dims[axis] = of.dims[axis].saturating_mul(rounded as usize);
        }
        if whole == [1, 1] {
            self.reason = "its factors are 1".to_owned();
            return Ok(of);
        }
        let shape = self.shape(of.tensor);
        for (factor, length) in whole.into_iter().zip([shape.height, shape.width]) {
            check_nearest(node, factor, length)?;
        }
        let more = Shape {
            channels: shape.channels,
            height: shape.height.saturating_mul(whole[0]),
            width: shape.width.saturating_mul(whole[1]),
        };
        made.tensor = self.emit(node, Operator::Resize(whole), vec![of.tensor], more)?;
        Ok(made)
    }
}

/// The factor of each axis: scales as an attribute (`Upsample` 7), an input (1 in version
/// 9 and 10, 2 since), or sizes.
fn factors(node: &Node, read: &Read, of: &Activation, axes: &[usize]) -> Result<Vec<f32>, String> {
    let filled = |at: usize| {
        read.constant(at)
            .filter(|c: &&Constant| !c.shape().contains(&0))
    };
    let old = node.operator == "Upsample" || node.version < 11;
    let scales = match (node.attribute("scales"), old) {
        (Some(crate::graph::Attribute::Floats(scales)), _) => Some(scales.clone()),
        (_, true) => filled(1).map(|c| c.tensor().floats().into_owned()),
        (_, false) => filled(2).map(|c| c.tensor().floats().into_owned()),
    };
    let factors = match (scales, filled(3)) {
        (Some(scales), _) => Some(scales),
        (None, Some(sizes)) if !old => {
            let sizes = sizes.tensor().integers();
            let factor = |(&size, &axis): (&i64, &usize)| size as f32 / of.dims[axis] as f32;
            Some(sizes.iter().zip(axes).map(factor).collect())
        }
        _ => None,
    };
    let factors = factors.filter(|factors: &Vec<f32>| factors.len() == axes.len());
    factors.ok_or_else(|| {
        format!(
            "{} has no scales or sizes for its {} axes; allowed is one for each",
            node.label(),
            axes.len()
        )
    })
}

/// Checks that the node takes the pixel that a whole factor covers.
///
/// Formulas of ONNX's `Resize`; version 10 and `Upsample` are asymmetric with floor.
fn check_nearest(node: &Node, factor: usize, length: usize) -> Result<(), String> {
    let old = node.operator == "Upsample" || node.version < 11;
    let transform = node.text("coordinate_transformation_mode", "half_pixel")?;
    let nearest = node.text("nearest_mode", "round_prefer_floor")?;
    let (transform, nearest) = match old {
        true => ("asymmetric", "floor"),
        false => (transform.as_ref(), nearest.as_ref()),
    };
    let (scale, long) = (factor as f64, length as f64 * factor as f64);
    let source = |x: usize| {
        let x = x as f64;
        let place = match transform {
            "asymmetric" => x / scale,
            "half_pixel" | "half_pixel_symmetric" => (x + 0.5) / scale - 0.5,
            "pytorch_half_pixel" if long > 1.0 => (x + 0.5) / scale - 0.5,
            "pytorch_half_pixel" => 0.0,
            "tf_half_pixel_for_nn" => (x + 0.5) / scale,
            // With longer images it never does.
            "align_corners" if length > 64 => return None,
            "align_corners" if long > 1.0 => x * (length as f64 - 1.0) / (long - 1.0),
            "align_corners" => 0.0,
            _ => return None,
        };
        let whole = match nearest {
            "floor" => place.floor(),
            "ceil" => place.ceil(),
            "round_prefer_floor" => (place - 0.5).ceil(),
            "round_prefer_ceil" => (place + 0.5).floor(),
            _ => return None,
        };
        Some(whole.clamp(0.0, length as f64 - 1.0) as usize)
    };
    // What holds for three pixels in a row holds for more, but with corners aligned.
    let corners = transform == "align_corners";
    let all = if corners {
        length.min(64)
    } else {
        length.min(3)
    };
    let fits = (0..all * factor).all(|x| {
        source(x) == Some(x / factor)
            && (all == length
                || source(x + (length - all) * factor) == Some(x / factor + length - all))
    });
    match factor == 1 || fits {
        true => Ok(()),
        false => Err(format!(
            "{} takes other pixels than a factor of {factor} covers \
             (coordinate_transformation_mode {transform}, nearest_mode {nearest}); allowed are \
             half_pixel with round_prefer_floor, and asymmetric with floor",
            node.label()
        )),
    }
}
