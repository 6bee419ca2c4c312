//! What flows between layers on the way: a layer's output, or a view of it.

use brownout_spec::program::{Padding, Shape, Steps};

/// Where values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The image.
    Input,
    /// A layer that has been made.
    Node(usize),
}

/// A source, and how it is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    /// The source.
    pub of: Source,
    /// Which rows and columns of it there are, from the first on.
    pub stride: Steps,
    /// Zeros around these.
    pub padding: Padding,
    /// Channels of zeros in front.
    pub front: usize,
    /// Channels of zeros behind.
    pub behind: usize,
    /// What each value is multiplied with, and what is added then; both for all channels.
    pub affine: (f64, f64),
    /// Where there are such for each channel, or for each value of a vector that was a map,
    /// instead: their place among those that wait for who reads them.
    pub each: Option<usize>,
    /// Whether it is a map that became a vector, and then whether its channels are last in the
    /// vector's order.
    pub flat: Option<bool>,
}

/// Nothing is multiplied or added.
pub(super) const SAME: (f64, f64) = (1.0, 0.0);

impl Value {
    /// A source as it is.
    pub fn of(of: Source) -> Self {
        Self {
            of,
            stride: Steps::ONE,
            padding: Padding::NONE,
            front: 0,
            behind: 0,
            affine: SAME,
            each: None,
            flat: None,
        }
    }

    /// The same without factors and summands.
    pub fn unscaled(self) -> Self {
        Self {
            affine: SAME,
            each: None,
            ..self
        }
    }

    /// Whether it is its source, or that as a vector.
    pub fn is_plain(&self) -> bool {
        let flat = self.flat;
        *self == Self::of(self.of).flattened(flat)
    }

    /// The map that there is, of a source of this shape.
    pub fn viewed(&self, source: Shape) -> Shape {
        let Padding {
            top,
            left,
            bottom,
            right,
        } = self.padding;
        Shape {
            height: source.height.div_ceil(self.stride.rows) + top + bottom,
            width: source.width.div_ceil(self.stride.columns) + left + right,
            channels: self.front + source.channels + self.behind,
        }
    }

    /// As a vector, or not.
    pub fn flattened(self, flat: Option<bool>) -> Self {
        Self { flat, ..self }
    }

    /// With zeros around it.
    pub fn padded(self, by: Padding, (front, behind): (usize, usize)) -> Result<Self, String> {
        if self.flat.is_some() {
            return Err("it pads a vector; allowed are maps".to_owned());
        }
        let channels = front + behind > 0;
        if channels && (by != Padding::NONE || self.padding != Padding::NONE) {
            return Err("it pads rows or columns and channels; allowed is one of both".to_owned());
        }
        let old = self.padding;
        Ok(Self {
            padding: Padding {
                top: old.top + by.top,
                left: old.left + by.left,
                bottom: old.bottom + by.bottom,
                right: old.right + by.right,
            },
            front: self.front + front,
            behind: self.behind + behind,
            ..self
        })
    }

    /// Every so many rows and columns of it.
    pub fn every(self, by: Steps) -> Result<Self, String> {
        let padded = self.padding != Padding::NONE || self.front + self.behind > 0;
        if padded || self.flat.is_some() {
            return Err(
                "it takes every second pixel of what is padded or a vector; allowed are maps"
                    .to_owned(),
            );
        }
        let stride = Steps {
            rows: self.stride.rows.saturating_mul(by.rows),
            columns: self.stride.columns.saturating_mul(by.columns),
        };
        Ok(Self { stride, ..self })
    }
}
