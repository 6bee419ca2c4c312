//! Windows over images: their attributes, and pools.

use super::value::{Activation, Axis, channels_first, extent};
use super::walk::{Read, Walk};
use crate::fold;
use crate::graph::Node;
use crate::network::{Operator, Padding, Pool, Shape, Window};

/// Largest extent of a kernel, stride, dilation or padding.
const MOST_REACH: i64 = 1 << 16;

/// A list of an attribute with one entry for each spatial axis, rows first; a signal has
/// one row.
fn pair(node: &Node, name: &str, spatial: usize, least: i64) -> Result<Option<[usize; 2]>, String> {
    let Some(values) = node.ints(name)? else {
        return Ok(None);
    };
    let fits = values.iter().all(|v| (least..=MOST_REACH).contains(v));
    let entry = |at: usize| usize::try_from(values[at]).unwrap_or(0);
    match (values.len() == spatial && fits, spatial) {
        (true, 1) => Ok(Some([1, entry(0)])),
        (true, 2) => Ok(Some([entry(0), entry(1)])),
        _ => Err(format!(
            "attribute {name} of {} is {values:?}; allowed are {spatial} numbers from {least} to \
             {MOST_REACH}",
            node.label()
        )),
    }
}

/// Zeros at one end and the other, so that a stride divides: `SAME_UPPER` puts the odd
/// one behind, `SAME_LOWER` in front.
fn same(
    length: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    lower: bool,
) -> (usize, usize) {
    let reach = (kernel - 1) * dilation + 1;
    let windows = length.div_ceil(stride);
    let all = ((windows - 1) * stride + reach).saturating_sub(length);
    match lower {
        true => (all.div_ceil(2), all / 2),
        false => (all / 2, all.div_ceil(2)),
    }
}

/// The window of a node on an image, with the kernel that the weights say or the
/// attribute does.
///
/// # Errors
/// Attributes that do not fit each other or the image.
pub(super) fn window(
    node: &Node,
    spatial: usize,
    shape: Shape,
    kernel: Option<[usize; 2]>,
) -> Result<Window, String> {
    let said = pair(node, "kernel_shape", spatial, 1)?;
    let kernel = match (kernel, said) {
        (Some(kernel), Some(said)) if kernel != said => {
            return Err(format!(
                "attribute kernel_shape of {} is {said:?}, but its weights are {} x {}; allowed \
                 is what they are",
                node.label(),
                kernel[0],
                kernel[1]
            ));
        }
        (Some(kernel), _) | (None, Some(kernel)) => kernel,
        (None, None) => return Err(format!("{} has no kernel_shape", node.label())),
    };
    let strides = pair(node, "strides", spatial, 1)?.unwrap_or([1, 1]);
    let dilations = pair(node, "dilations", spatial, 1)?.unwrap_or([1, 1]);
    let (low, high) = pads(node, spatial)?;
    let lengths = [shape.height, shape.width];
    let (low, high) = match node.text("auto_pad", "NOTSET")?.as_ref() {
        "NOTSET" => (low, high),
        "VALID" => ([0, 0], [0, 0]),
        auto @ ("SAME_UPPER" | "SAME_LOWER") => {
            let lower = auto == "SAME_LOWER";
            let side = |at: usize| same(lengths[at], kernel[at], strides[at], dilations[at], lower);
            let (rows, columns) = (side(0), side(1));
            match spatial {
                // The one row of a signal has nothing around it.
                1 => ([0, columns.0], [0, columns.1]),
                _ => ([rows.0, columns.0], [rows.1, columns.1]),
            }
        }
        other => {
            return Err(format!(
                "attribute auto_pad of {} is {}; allowed are NOTSET, SAME_UPPER, SAME_LOWER and \
                 VALID",
                node.label(),
                crate::error::quoted(other)
            ));
        }
    };
    Ok(Window {
        kernel,
        strides,
        dilations,
        padding: Padding {
            top: low[0],
            left: low[1],
            bottom: high[0],
            right: high[1],
        },
        ceil_mode: node.flag("ceil_mode", false)?,
    })
}

/// Zeros in front and behind, from the attribute that lists all in front first.
fn pads(node: &Node, spatial: usize) -> Result<([usize; 2], [usize; 2]), String> {
    let Some(values) = node.ints("pads")? else {
        return Ok(([0, 0], [0, 0]));
    };
    let fits = values.iter().all(|v| (0..=MOST_REACH).contains(v));
    let entry = |at: usize| usize::try_from(values[at]).unwrap_or(0);
    match (values.len() == 2 * spatial && fits, spatial) {
        (true, 1) => Ok(([0, entry(0)], [0, entry(1)])),
        (true, 2) => Ok(([entry(0), entry(1)], [entry(2), entry(3)])),
        _ => Err(format!(
            "attribute pads of {} is {values:?}; allowed are {} numbers from 0 to {MOST_REACH}",
            node.label(),
            2 * spatial
        )),
    }
}

/// Rows and columns behind a window.
///
/// # Errors
/// A window that does not fit into the padded image.
pub(super) fn windows(node: &Node, window: &Window, shape: Shape) -> Result<[usize; 2], String> {
    let Padding {
        top,
        left,
        bottom,
        right,
    } = window.padding;
    let along = |at: usize, length: usize, low: usize, high: usize| {
        let reach = (window.kernel[at] - 1) * window.dilations[at] + 1;
        let (padded, stride) = (length + low + high, window.strides[at]);
        let free = padded.checked_sub(reach)?;
        let mut count = match window.ceil_mode {
            true => free.div_ceil(stride) + 1,
            false => free / stride + 1,
        };
        // A window that begins behind the image and its padding in front sees nothing.
        if window.ceil_mode && (count - 1) * stride >= length + low {
            count -= 1;
        }
        Some(count)
    };
    let rows = along(0, shape.height, top, bottom);
    let columns = along(1, shape.width, left, right);
    match (rows, columns) {
        (Some(rows), Some(columns)) => Ok([rows, columns]),
        _ => Err(format!(
            "the window {:?} of {} does not fit into an image of {} x {} with its padding",
            window.kernel,
            node.label(),
            shape.height,
            shape.width
        )),
    }
}

impl Walk<'_> {
    pub(super) fn pool(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?;
        let (image, shape) = self.image(node, of)?;
        let window = window(node, of.dims.len() - 2, shape, None)?;
        if window.dilations != [1, 1] {
            return Err(format!(
                "attribute dilations of {} is {:?}; allowed is 1 for pools",
                node.label(),
                window.dilations
            ));
        }
        let Padding {
            top,
            left,
            bottom,
            right,
        } = window.padding;
        let [rows, columns] = window.kernel;
        if top >= rows || bottom >= rows || left >= columns || right >= columns {
            return Err(format!(
                "attribute pads of {} lets a window of {rows} x {columns} see nothing but \
                 padding; allowed are pads that are smaller than the window",
                node.label()
            ));
        }
        let [height, width] = windows(node, &window, shape)?;
        let pool = match node.operator.as_str() {
            "MaxPool" => Pool::Max(window),
            _ => Pool::Average(window, node.flag("count_include_pad", false)?),
        };
        let made = Shape {
            channels: shape.channels,
            height,
            width,
        };
        let tensor = self.emit(node, Operator::Pool(pool), vec![image], made)?;
        Ok(self.seen(tensor, of.dims.len(), of.element))
    }

    pub(super) fn global_pool(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?;
        let (image, shape) = self.image(node, of)?;
        let pool = match node.operator.as_str() {
            "GlobalMaxPool" => Pool::GlobalMax,
            _ => Pool::GlobalAverage,
        };
        let made = Shape::vector(shape.channels);
        let tensor = self.emit(node, Operator::Pool(pool), vec![image], made)?;
        Ok(self.seen(tensor, of.dims.len(), of.element))
    }

    /// A mean or maximum over all rows and columns, which is a global pool.
    pub(super) fn reduce(&mut self, node: &Node, read: &Read) -> Result<Activation, String> {
        let of = read.tensor(node, 0)?.clone();
        let shape = self.shape(of.tensor);
        let axes = fold::reduced_axes(node, &read.inputs(), of.dims.len())?;
        let covers = |wanted: Axis| {
            extent(shape, wanted) == 1 || axes.iter().any(|&at| of.axes[at] == wanted)
        };
        let other = axes
            .iter()
            .find(|&&at| of.dims[at] != 1 && !matches!(of.axes[at], Axis::Row | Axis::Column));
        if !(covers(Axis::Row) && covers(Axis::Column)) || other.is_some() {
            return Err(format!(
                "{} goes over the axes {axes:?} of a tensor of shape {:?}; allowed are all rows \
                 and columns together",
                node.label(),
                of.dims
            ));
        }
        let pool = match node.operator.as_str() {
            "ReduceMax" => Pool::GlobalMax,
            _ => Pool::GlobalAverage,
        };
        let made = Shape::vector(shape.channels);
        let tensor = self.emit(node, Operator::Pool(pool), vec![of.tensor], made)?;
        let keep = node.flag("keepdims", true)?;
        let kept = |at: &usize| keep || !axes.contains(at);
        let places: Vec<usize> = (0..of.dims.len()).filter(kept).collect();
        let dim = |&at: &usize| if axes.contains(&at) { 1 } else { of.dims[at] };
        let dims: Vec<usize> = places.iter().map(dim).collect();
        let axes = places.iter().map(|&at| of.axes[at]).collect();
        let reduced = Activation {
            tensor,
            dims: dims.clone(),
            axes,
            element: of.element,
        };
        if reduced.is_ordered(&channels_first(dims.len())) {
            return Ok(reduced);
        }
        Ok(reduced.relabelled(&dims).unwrap_or(reduced))
    }
}
