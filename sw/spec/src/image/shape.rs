//! Weight tensors: their shapes and the places in them.

use serde::{Deserialize, Serialize};

/// Largest extent of a weight tensor in any direction.
pub const MAX_EXTENT: usize = 65_535;
/// Longest layer name, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 255;

/// The weight tensor of one layer, in index order `[output][input of its group][kernel row][kernel column]`,
/// row-major.
///
/// A dense layer over a map is a convolution whose kernel is the map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerShape {
    /// Name of the layer, at most [`MAX_NAME_BYTES`].
    pub name: String,
    /// Output channels, 1 to [`MAX_EXTENT`], as all extents.
    pub output_channels: usize,
    /// Input channels that an output sees: those of its group.
    pub input_channels: usize,
    /// Groups of channels, a divisor of the output channels: the first outputs see the first inputs.
    #[serde(default = "one_group", skip_serializing_if = "is_one_group")]
    pub groups: usize,
    /// Rows of the kernel.
    pub kernel_height: usize,
    /// Columns of the kernel.
    pub kernel_width: usize,
}

fn one_group() -> usize {
    1
}

fn is_one_group(groups: &usize) -> bool {
    *groups == 1
}

/// A place in a weight tensor; in padding, a channel lies beyond the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coordinates {
    /// Output channel.
    pub output: usize,
    /// Input channel, counted from the first of the output's group.
    pub input: usize,
    /// Row of the kernel.
    pub kernel_row: usize,
    /// Column of the kernel.
    pub kernel_column: usize,
}

impl LayerShape {
    /// Weights of the tensor, padding not counted.
    pub fn weights(&self) -> usize {
        self.output_channels * self.input_channels * self.kernel_height * self.kernel_width
    }

    /// The extents with the names that errors use.
    pub(super) fn extents(&self) -> [(&'static str, usize); 5] {
        [
            ("output_channels", self.output_channels),
            ("input_channels", self.input_channels),
            ("kernel_height", self.kernel_height),
            ("kernel_width", self.kernel_width),
            ("groups", self.groups),
        ]
    }

    /// The index of a place in the flattened tensor, or `None` in padding.
    pub fn index(&self, at: Coordinates) -> Option<usize> {
        let inside = at.output < self.output_channels
            && at.input < self.input_channels
            && at.kernel_row < self.kernel_height
            && at.kernel_column < self.kernel_width;
        inside.then(|| {
            ((at.output * self.input_channels + at.input) * self.kernel_height + at.kernel_row)
                * self.kernel_width
                + at.kernel_column
        })
    }

    /// The place of an index of the flattened tensor, or `None` beyond its end.
    pub fn coordinates(&self, index: usize) -> Option<Coordinates> {
        if index >= self.weights() {
            return None;
        }
        let kernel_column = index % self.kernel_width;
        let rest = index / self.kernel_width;
        let kernel_row = rest % self.kernel_height;
        let rest = rest / self.kernel_height;
        Some(Coordinates {
            output: rest / self.input_channels,
            input: rest % self.input_channels,
            kernel_row,
            kernel_column,
        })
    }
}
