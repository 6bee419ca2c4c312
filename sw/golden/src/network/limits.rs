//! What a network in floating point may be: which style belongs to which operation, and how large
//! it may get, so that nothing that comes from a file allocates without bounds or divides by zero.

use super::{ArchitectureError, Norm, Style};
use brownout_spec::program::{LayerShapes, Network, Operation, Padding, Window};

/// Most values of one tensor of an image, its border included: 512 MiB in single precision.
const MAX_TENSOR: usize = 1 << 27;
/// Most values of all tensors of an image together: 1 GiB.
const MAX_TENSORS: usize = 1 << 28;
/// Most weights of all layers together: 2 GiB.
const MAX_WEIGHTS: usize = 1 << 29;

/// Checks every layer with its style, and what all of them take.
pub(super) fn check_layers(
    network: &Network,
    shapes: &[LayerShapes],
    styles: &[Style],
) -> Result<(), ArchitectureError> {
    let (mut tensors, mut weights) = (network.input.volume(), 0_usize);
    for (index, (layer, style)) in network.layers.iter().zip(styles).enumerate() {
        let shapes = &shapes[index];
        let checks = [check_style, check_window, check_size];
        for check in checks {
            check(&layer.operation, shapes, style).map_err(|problem| ArchitectureError::Layer {
                layer: index,
                name: layer.name.clone(),
                problem,
            })?;
        }
        tensors += shapes.output.volume();
        if layer.operation.has_weights() {
            weights = weights.saturating_add(shapes.weights());
        }
    }
    for (what, found, most) in [
        ("values in its tensors", tensors, MAX_TENSORS),
        ("weights", weights, MAX_WEIGHTS),
    ] {
        if found > most {
            return Err(ArchitectureError::Size(format!(
                "the network has {found} {what}; allowed are at most {most}"
            )));
        }
    }
    Ok(())
}

/// Refuses what belongs to another kind of layer.
fn check_style(operation: &Operation, shapes: &LayerShapes, style: &Style) -> Result<(), String> {
    let kind = operation.kind();
    let averages = matches!(
        operation,
        Operation::AveragePool { .. } | Operation::GlobalAveragePool
    );
    if style.is_normalized() && !operation.has_weights() && !averages {
        return Err(format!(
            "a layer of kind {kind} has a norm; allowed only in a convolution and in an average pool"
        ));
    }
    if style.offset && !operation.has_weights() {
        return Err(format!(
            "a layer of kind {kind} has an offset in front of a norm; allowed only in a convolution"
        ));
    }
    if style.offset && style.norm == Norm::Affine {
        return Err(format!(
            "a layer of kind {kind} has an offset in front of a gain without a norm; allowed is the bias behind it"
        ));
    }
    let is_pointwise = matches!(operation, Operation::Pointwise);
    match (is_pointwise, &style.function) {
        (true, None) => {
            return Err(format!(
                "a layer of kind {kind} has no function; it needs one"
            ));
        }
        (false, Some(_)) => {
            return Err(format!(
                "a layer of kind {kind} has a function; allowed only in a pointwise layer"
            ));
        }
        _ => {}
    }
    if !computes(operation) && !style.bounds.is_none() {
        return Err(format!(
            "a layer of kind {kind} has bounds; allowed in layers that compute, not in those that only move values (clip in front of it, or in a pointwise layer)"
        ));
    }
    let channels = shapes.output.channels;
    match style.norm {
        Norm::Group { groups } if groups == 0 || !channels.is_multiple_of(groups) => Err(format!(
            "its {channels} channels cannot be in {groups} equal groups"
        )),
        _ => Ok(()),
    }
}

/// Whether a layer's values are others than those it reads.
pub(super) fn computes(operation: &Operation) -> bool {
    match operation {
        Operation::Convolution { .. }
        | Operation::AveragePool { .. }
        | Operation::GlobalAveragePool
        | Operation::Add { .. }
        | Operation::Pointwise => true,
        Operation::MaxPool { .. }
        | Operation::Concat
        | Operation::Resize { .. }
        | Operation::Pad { .. } => false,
    }
}

/// Refuses a mean over nothing: taps may lie so far apart that all are in padding that does not
/// count. (That a maximum has a value everywhere is a rule of the specification.)
fn check_window(operation: &Operation, shapes: &LayerShapes, _: &Style) -> Result<(), String> {
    let Operation::AveragePool { counted, .. } = operation else {
        return Ok(());
    };
    let (rows, columns) = taps_that_count(shapes, *counted);
    for (direction, counts) in [("row", rows), ("column", columns)] {
        if let Some(position) = counts.iter().position(|&count| count == 0) {
            return Err(format!(
                "no tap of the window at {direction} {position} counts, since all are in the padding; allowed are windows of whose taps one counts at each place"
            ));
        }
    }
    Ok(())
}

/// Of each row and of each column of windows, the taps that are on the map or in `counted`.
pub(super) fn taps_that_count(shapes: &LayerShapes, counted: Padding) -> (Vec<usize>, Vec<usize>) {
    let LayerShapes {
        input,
        output,
        window,
        ..
    } = shapes;
    let Window {
        padding,
        stride,
        dilation,
        ..
    } = window;
    let along = |windows, stride, (taps, dilation), allowed: (usize, usize)| {
        let count = |position: usize| {
            let taps = (0..taps).map(|tap: usize| position * stride + tap * dilation);
            taps.filter(|&at| at >= allowed.0 && at < allowed.1).count()
        };
        (0..windows).map(count).collect()
    };
    (
        along(
            output.height,
            stride.rows,
            (window.height, dilation.rows),
            (
                padding.top - counted.top,
                padding.top + input.height + counted.bottom,
            ),
        ),
        along(
            output.width,
            stride.columns,
            (window.width, dilation.columns),
            (
                padding.left - counted.left,
                padding.left + input.width + counted.right,
            ),
        ),
    )
}

/// Refuses tensors that do not fit into the tables of the inner loops, their borders included.
fn check_size(operation: &Operation, shapes: &LayerShapes, _: &Style) -> Result<(), String> {
    let LayerShapes { input, output, .. } = shapes;
    let size = match operation.has_weights() {
        true => largest_map(shapes),
        false => input.volume().max(output.volume()),
    };
    match size > MAX_TENSOR {
        false => Ok(()),
        true => Err(format!(
            "it takes {input} to {output}, with borders {size} values; allowed are at most {MAX_TENSOR}"
        )),
    }
}

/// Values of the largest map of a convolution, its border included.
pub(super) fn largest_map(shapes: &LayerShapes) -> usize {
    let LayerShapes {
        input,
        output,
        window,
        ..
    } = shapes;
    let (padding, reach) = (window.padding, window.reach());
    let rows = input.height + padding.top + padding.bottom;
    let columns = input.width + padding.left + padding.right;
    // On the way back a gradient has at most a window's reach around it.
    let (down, across) = (output.height + 2 * reach.0, output.width + 2 * reach.1);
    (rows * columns * input.channels).max(down * across * output.channels)
}
