//! The window that a layer moves over its input.

use super::Shape;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A quantity that rows and columns have of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// From one row to the next.
    pub rows: usize,
    /// From one column to the next.
    pub columns: usize,
}

impl Steps {
    /// One in both directions.
    pub const ONE: Self = Self::both(1);

    /// The same in both directions.
    pub const fn both(step: usize) -> Self {
        Self {
            rows: step,
            columns: step,
        }
    }
}

/// One number where both directions agree, else rows x columns.
impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rows == self.columns {
            true => write!(f, "{}", self.rows),
            false => write!(f, "{}x{}", self.rows, self.columns),
        }
    }
}

/// Pixels around a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns in front.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns behind.
    pub right: usize,
}

impl Padding {
    /// None at all.
    pub const NONE: Self = Self::around(0);

    /// The same on all four sides.
    pub const fn around(pixels: usize) -> Self {
        Self {
            top: pixels,
            left: pixels,
            bottom: pixels,
            right: pixels,
        }
    }

    /// The sides with their names, in the order top, left, bottom, right.
    pub fn sides(self) -> [(&'static str, usize); 4] {
        [
            ("padding above", self.top),
            ("padding in front", self.left),
            ("padding below", self.bottom),
            ("padding behind", self.right),
        ]
    }
}

/// One number where all sides agree, else top, left, bottom, right.
impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self == Self::around(self.top) {
            true => write!(f, "{}", self.top),
            false => write!(
                f,
                "{},{},{},{}",
                self.top, self.left, self.bottom, self.right
            ),
        }
    }
}

/// A rectangle of taps, and how it moves over a padded map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Rows of taps.
    pub height: usize,
    /// Columns of taps.
    pub width: usize,
    /// Pixels from one window to the next.
    pub stride: Steps,
    /// Pixels around the input.
    pub padding: Padding,
    /// Pixels from one tap to the next.
    pub dilation: Steps,
}

impl Window {
    /// A square of taps that lie side by side, the same in both directions.
    pub const fn square(side: usize, stride: usize, padding: usize) -> Self {
        Self {
            height: side,
            width: side,
            stride: Steps::both(stride),
            padding: Padding::around(padding),
            dilation: Steps::ONE,
        }
    }

    /// One window that covers a whole map.
    pub const fn whole(map: Shape) -> Self {
        Self {
            height: map.height,
            width: map.width,
            ..Self::square(1, 1, 0)
        }
    }

    /// Number of taps.
    pub fn taps(&self) -> usize {
        self.height * self.width
    }

    /// Pixels from the first tap to the last, both counted: of rows, of columns.
    ///
    /// # Panics
    /// If there are no taps.
    pub fn reach(&self) -> (usize, usize) {
        (
            (self.height - 1) * self.dilation.rows + 1,
            (self.width - 1) * self.dilation.columns + 1,
        )
    }

    /// Number of windows down and across a map; `None` where it is smaller than one.
    pub fn positions(&self, map: Shape) -> Option<(usize, usize)> {
        let (rows, columns) = self.reach();
        let along = |side: usize, reach: usize, stride: usize| {
            side.checked_sub(reach).map(|room| room / stride + 1)
        };
        let Padding {
            top,
            left,
            bottom,
            right,
        } = self.padding;
        Some((
            along(map.height + top + bottom, rows, self.stride.rows)?,
            along(map.width + left + right, columns, self.stride.columns)?,
        ))
    }

    /// Whether the window has a pixel of the map at every place; `true` where it has no place.
    ///
    /// The taps of a dilated one can lie on both sides of a small map.
    pub fn always_meets(&self, map: Shape) -> bool {
        let Some((rows, columns)) = self.positions(map) else {
            return true;
        };
        let meets = |position: usize, (taps, dilation), (padding, side)| {
            let places = (0..taps).map(|tap| position + tap * dilation);
            let mut pixels = places.filter(|place| (padding..padding + side).contains(place));
            pixels.next().is_some()
        };
        let down = (self.height, self.dilation.rows);
        let across = (self.width, self.dilation.columns);
        (0..rows).all(|row| meets(row * self.stride.rows, down, (self.padding.top, map.height)))
            && (0..columns).all(|column| {
                let first = column * self.stride.columns;
                meets(first, across, (self.padding.left, map.width))
            })
    }

    /// The pixel (row, column) of a map that tap number `tap`, row by row, of the window at
    /// (row, column) lies on; `None` in the padding.
    pub fn pixel(
        &self,
        map: Shape,
        (row, column): (usize, usize),
        tap: usize,
    ) -> Option<(usize, usize)> {
        let (tap_row, tap_column) = (tap / self.width, tap % self.width);
        let y = row * self.stride.rows + tap_row * self.dilation.rows;
        let x = column * self.stride.columns + tap_column * self.dilation.columns;
        let y = y.checked_sub(self.padding.top)?;
        let x = x.checked_sub(self.padding.left)?;
        (y < map.height && x < map.width).then_some((y, x))
    }
}

/// Taps as rows x columns.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: Shape = Shape {
        height: 5,
        width: 8,
        channels: 1,
    };

    #[test]
    fn a_dilated_rectangle_reaches_and_moves_in_each_direction_of_its_own() {
        let window = Window {
            height: 2,
            width: 3,
            stride: Steps {
                rows: 1,
                columns: 2,
            },
            padding: Padding {
                top: 1,
                left: 0,
                bottom: 0,
                right: 1,
            },
            dilation: Steps {
                rows: 3,
                columns: 2,
            },
        };
        assert_eq!(window.reach(), (4, 5));
        // (5 + 1 - 4) / 1 + 1 rows, (8 + 1 - 5) / 2 + 1 columns.
        assert_eq!(window.positions(MAP), Some((3, 3)));
        assert_eq!(window.pixel(MAP, (0, 0), 0), None, "above the map");
        assert_eq!(window.pixel(MAP, (0, 1), 5), Some((2, 6)));
        assert_eq!(window.pixel(MAP, (0, 2), 5), None, "behind the map");
        assert_eq!(window.pixel(MAP, (2, 0), 3), Some((4, 0)));
    }

    #[test]
    fn a_dilated_window_can_miss_a_small_map() {
        let window = Window {
            dilation: Steps::both(2),
            ..Window::square(2, 1, 1)
        };
        let map = |height, width| Shape {
            height,
            width,
            channels: 1,
        };
        assert!(!window.always_meets(map(1, 4)));
        assert!(!window.always_meets(map(4, 1)));
        assert!(window.always_meets(map(2, 2)));
    }

    #[test]
    fn a_window_larger_than_the_padded_map_has_no_position() {
        assert_eq!(Window::square(6, 1, 0).positions(MAP), None);
        assert_eq!(Window::square(6, 1, 1).positions(MAP), Some((2, 5)));
        assert_eq!(Window::whole(MAP).positions(MAP), Some((1, 1)));
    }
}
