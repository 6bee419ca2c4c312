//! Where a network's parameters are in a state dict: what reading and writing share.

use crate::network::{Architecture, Norm};
use brownout_spec::program::{Padding, Shape};

/// The tensor of a batch norm that holds no parameter.
pub(super) const BATCHES: &str = "num_batches_tracked";

/// The form that a layer's weights have in a state dict.
pub(super) struct WeightForm {
    /// The tensor that the layer reads.
    pub source: usize,
    /// Whether that is an image as a flat row: its weights are then stored plane by plane.
    pub flat: bool,
    /// Outputs, inputs, rows and columns.
    pub whole: [usize; 4],
    /// Whether the kernel covers all that there is, so that a dense layer could do it.
    pub covers: bool,
    /// Whether it is a dense layer, whose weights PyTorch has as outputs and inputs.
    pub dense: bool,
}

impl WeightForm {
    /// That of layer `index`, in a network for such images.
    pub fn of(architecture: &Architecture, image: Shape, index: usize) -> Self {
        let shapes = &architecture.shapes()[index];
        let source = architecture.source(index);
        let flat = source == 0 && architecture.network.input != image;
        let (height, width, inputs) = match flat {
            true => (image.height, image.width, image.channels),
            false => (
                shapes.window.height,
                shapes.window.width,
                shapes.input.channels,
            ),
        };
        let covers =
            flat || (shapes.output.pixels() == 1 && shapes.window.padding == Padding::NONE);
        Self {
            source,
            flat,
            whole: [shapes.output.channels, inputs, height, width],
            covers,
            // Every convolution of the networks here is normalised.
            dense: covers && architecture.styles[index].norm == Norm::None,
        }
    }
}

/// Names that a layer may have, its own first.
pub(super) fn layer_names(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    if name == "linear" {
        names.push("fc".to_owned());
    }
    if let Some(block) = name.strip_suffix(".shortcut.0") {
        names.push(format!("{block}.downsample.0"));
    }
    names
}

/// Names that the normalisation behind a layer may have.
pub(super) fn norm_names(layer: &str, norm: Norm) -> Vec<String> {
    if let Some(block) = layer.strip_suffix(".0") {
        return vec![format!("{block}.1")];
    }
    let (path, last) = layer.rsplit_once('.').map_or(("", layer), |(p, l)| (p, l));
    let number = last.strip_prefix("conv").unwrap_or(last);
    let kinds: &[&str] = match norm {
        Norm::Group { .. } => &["gn", "norm", "bn"],
        Norm::Batch | Norm::Affine | Norm::None => &["bn", "norm"],
    };
    let join = |kind: &&str| match path {
        "" => format!("{kind}{number}"),
        path => format!("{path}.{kind}{number}"),
    };
    kinds.iter().map(join).collect()
}

/// For each tensor, which channel of the state dict each channel is.
///
/// A shortcut that widens pads its operand's c channels on both sides; so the
/// sum's channels (w − c)/2 .. (w + c)/2, in the operand's order, come first.
pub(super) fn channel_orders(architecture: &Architecture) -> Vec<Vec<usize>> {
    let mut orders: Vec<Vec<usize>> = vec![(0..architecture.network.input.channels).collect()];
    for (index, shapes) in architecture.shapes().iter().enumerate() {
        let channels = shapes.output.channels;
        let layer = &architecture.network.layers[index];
        let source = architecture.source(index);
        let order = match (layer.operation.has_weights(), architecture.residual(index)) {
            (false, _) => orders[source].clone(),
            (true, None) => (0..channels).collect(),
            (true, Some((from, _))) => {
                let operand = &orders[from];
                let front = (channels - operand.len()) / 2;
                let rest = (0..front).chain(front + operand.len()..channels);
                operand.iter().map(|c| front + c).chain(rest).collect()
            }
        };
        orders.push(order);
    }
    orders
}
