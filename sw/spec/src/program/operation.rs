//! What a layer computes.
//!
//! Each value of a layer's output is y = clamp((acc·m + b + ((r·mr) << (s − sr))) >> s, lo, hi),
//! with the m and b of its channel ([`arithmetic`](crate::arithmetic)). The operations differ in
//! what the accumulator `acc` and the operand `r`, 0 where nothing else is said, are:
//!
//! | operation | acc | r |
//! | --- | --- | --- |
//! | convolution | Σ (x − zx)·w over taps and the group's input channels | residual |
//! | max pool | max (x − zx) over the window's pixels in the map | |
//! | average pool | Σ (x − zx) over the window's pixels in the map | |
//! | global average pool | Σ (x − zx) over the map | |
//! | add | x − zx of the first tensor | second tensor |
//! | concat | none: values are copied | |
//! | pointwise | x − zx; y = table\[clamp(…) + 128\] | |
//! | resize | x − zx of pixel (row / factor, column / factor) | |
//! | pad | x − zx; 0 in the padding | |
//!
//! zx is the zero point of the tensor that is read, and r is x − z of the operand's own. Padding
//! of any kind is 0 at that point, and never wins in a max pool. The last layer is wide:
//! its results are the same sums shifted, without bounds, saturated to int32; those of a
//! pointwise layer are its table's values, and those of a concat its values as they are.

use super::{Divisors, Padding, Shape, Steps, Window};
use crate::arithmetic::ResidualScale;
use serde::{Deserialize, Serialize};

/// A second operand added to a convolution's output: the second tensor that the layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// Every `stride`-th row and column is read: 1 or 2.
    pub stride: usize,
    /// Scale of the operand; channels that it lacks read as zero.
    pub scale: ResidualScale,
}

/// What a layer computes of the tensors that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// Convolution with zero padding; a dense layer is one whose kernel is the map.
    ///
    /// It reads one tensor, or with a residual operand two. Output channel *o* of *O* in *G*
    /// groups sees the input channels of group *o*·*G*/*O*; its weights are
    /// `[output][input of the group][kernel row][kernel column]`.
    Convolution {
        /// The kernel, 1 to 15 taps a side.
        window: Window,
        /// Groups of channels, each of which is convolved on its own: a divisor of the input's
        /// and of the output's channels. As many as input channels: depthwise.
        groups: usize,
        /// Channels of the output.
        output_channels: usize,
        /// An operand added before the output is scaled.
        residual: Option<Residual>,
    },
    /// Maximum over a window of 1 to 63 taps a side; padding never wins, and every window has a
    /// pixel of the map.
    MaxPool {
        /// The window.
        window: Window,
    },
    /// Mean over a window of 1 to 63 taps a side: the sum over the pixels of the map, divided by
    /// the number of taps that count.
    ///
    /// The division is in m. Where the divisor varies with the window's place, a layer has one set
    /// of (m, b) of all channels for each of the nine places, one after the other, and
    /// [`Divisors::set`] chooses. With a window of one tap it is a copy on another scale, without
    /// weights: what a [`Concat`](Self::Concat) wants in front of it where scales differ.
    AveragePool {
        /// The window.
        window: Window,
        /// How much of the window's padding counts into the divisor, side by side at most the
        /// window's: none of it, or what is not there only to round the number of windows up.
        counted: Padding,
    },
    /// Mean over the whole map, at most 63 × 63.
    GlobalAveragePool,
    /// The sum of two tensors of one shape: m and b scale the first.
    Add {
        /// Scale of the second one; that of the first is the layer's own.
        scale: ResidualScale,
    },
    /// The channels of all tensors that it reads, one after the other.
    ///
    /// Nothing is computed: all parts and the output have the same scale and the same zero point.
    /// It has no m and b, and its shift and bounds say nothing.
    Concat,
    /// Each value through a function: brought to a scale and cut off as any output is, then
    /// replaced by its entry in a table of 256 that all channels of the layer share.
    Pointwise,
    /// Each pixel repeated by whole factors.
    Resize {
        /// How often, downwards and across.
        factors: Steps,
    },
    /// Pixels of zeros around the map.
    Pad {
        /// How many on each side.
        padding: Padding,
    },
}

impl Operation {
    /// The name used in messages and tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Convolution { groups: 1, .. } => "convolution",
            Self::Convolution { .. } => "grouped convolution",
            Self::MaxPool { .. } => "max pool",
            Self::AveragePool { .. } => "average pool",
            Self::GlobalAveragePool => "global average pool",
            Self::Add { .. } => "add",
            Self::Concat => "concat",
            Self::Pointwise => "pointwise",
            Self::Resize { .. } => "resize",
            Self::Pad { .. } => "pad",
        }
    }

    /// A convolution of one group without a residual operand.
    pub const fn convolution(window: Window, output_channels: usize) -> Self {
        Self::Convolution {
            window,
            groups: 1,
            output_channels,
            residual: None,
        }
    }

    /// A dense layer over a whole map.
    pub const fn dense(map: Shape, outputs: usize) -> Self {
        Self::convolution(Window::whole(map), outputs)
    }

    /// The convolution with an operand added; other operations as they are.
    #[must_use]
    pub const fn with_residual(self, with: Residual) -> Self {
        match self {
            Self::Convolution {
                window,
                groups,
                output_channels,
                ..
            } => Self::Convolution {
                window,
                groups,
                output_channels,
                residual: Some(with),
            },
            other => other,
        }
    }

    /// How many sets of m and b, each of all output channels, a layer has that computes this over
    /// an input: none of a concat, one or nine of an average pool, else one. `None` for an average
    /// pool whose divisors vary over more than the nine places.
    pub fn parameter_sets(&self, input: Shape) -> Option<usize> {
        match self {
            Self::Concat => Some(0),
            Self::AveragePool { window, counted } => {
                Divisors::new(window, input, *counted).map(|divisors| divisors.sets())
            }
            _ => Some(1),
        }
    }

    /// Scale of the second tensor that is added: a residual operand's, or an [`Add`](Self::Add)'s.
    pub fn operand_scale(&self) -> Option<ResidualScale> {
        match self {
            Self::Add { scale } => Some(*scale),
            other => other.residual().map(|residual| residual.scale),
        }
    }

    /// Whether it multiplies with weights: a convolution or a dense layer.
    pub fn has_weights(&self) -> bool {
        matches!(self, Self::Convolution { .. })
    }

    /// Groups of a convolution; one of anything else.
    pub fn groups(&self) -> usize {
        match self {
            Self::Convolution { groups, .. } => *groups,
            _ => 1,
        }
    }

    /// The residual operand, if there is one.
    pub fn residual(&self) -> Option<Residual> {
        match self {
            Self::Convolution { residual, .. } => *residual,
            _ => None,
        }
    }

    /// The fewest and the most tensors that it reads.
    pub(super) fn operands(&self) -> (usize, usize) {
        match self {
            Self::Convolution {
                residual: Some(_), ..
            }
            | Self::Add { .. } => (2, 2),
            Self::Concat => (2, usize::MAX),
            _ => (1, 1),
        }
    }
}
