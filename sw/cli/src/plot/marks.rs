//! How points look: colours, markers, bars.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon};
use plotters::prelude::DrawingBackend;
use plotters::style::{BLACK, Color, RGBColor, ShapeStyle};

/// A place on the drawing, in its units.
pub type Place = (i32, i32);

/// What drawing can fail with.
pub type Failure<B> = DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>;

/// Colours of Okabe and Ito but for yellow, which fades on white; black is ink.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    BLACK,
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xe6, 0x9f, 0x00),
];
/// Half the width of a marker.
const RADIUS: i32 = 4;
/// Half the width of a bar's ends.
const CAP: i32 = 4;
/// Length of a dash, and of the space after it.
const DASH: (i32, i32) = (7, 4);

/// Shapes, as many as do not divide the colours: 42 series differ.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Disc,
    Square,
    Triangle,
    Ring,
    Diamond,
    Cross,
}

const SHAPES: [Shape; 6] = [
    Shape::Disc,
    Shape::Square,
    Shape::Triangle,
    Shape::Ring,
    Shape::Diamond,
    Shape::Cross,
];

/// The look of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    colour: RGBColor,
    shape: Shape,
    is_dashed: bool,
}

impl Mark {
    /// That of the series with this number, from 0.
    pub fn of(series: usize) -> Self {
        Self {
            colour: COLOURS[series % COLOURS.len()],
            shape: SHAPES[series % SHAPES.len()],
            is_dashed: (series / COLOURS.len()) % 2 == 1,
        }
    }

    fn line(&self, width: u32) -> ShapeStyle {
        self.colour.stroke_width(width)
    }

    /// Draws a marker.
    pub fn point<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        (x, y): Place,
    ) -> Result<(), Failure<B>> {
        let r = RADIUS;
        let corners = |corners: &[Place]| {
            let corners: Vec<Place> = corners.iter().map(|(i, j)| (x + i, y + j)).collect();
            area.draw(&Polygon::new(corners, self.colour.filled()))
        };
        match self.shape {
            Shape::Disc => area.draw(&Circle::new((x, y), r, self.colour.filled())),
            Shape::Ring => area.draw(&Circle::new((x, y), r, self.line(2))),
            Shape::Square => corners(&[(-r, -r), (r, -r), (r, r), (-r, r)]),
            Shape::Triangle => corners(&[(0, -r - 1), (r + 1, r), (-r - 1, r)]),
            Shape::Diamond => corners(&[(0, -r - 2), (r + 2, 0), (0, r + 2), (-r - 2, 0)]),
            Shape::Cross => {
                self.path(area, [(x - r, y - r), (x + r, y + r)], 2)?;
                self.path(area, [(x - r, y + r), (x + r, y - r)], 2)
            }
        }
    }

    /// Draws a bar between two heights, with ends.
    pub fn bar<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        x: i32,
        (low, high): Place,
    ) -> Result<(), Failure<B>> {
        self.path(area, [(x, low), (x, high)], 1)?;
        for y in [low, high] {
            self.path(area, [(x - CAP, y), (x + CAP, y)], 1)?;
        }
        Ok(())
    }

    /// Draws the series' line from place to place.
    pub fn line_through<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        places: Vec<Place>,
    ) -> Result<(), Failure<B>> {
        if !self.is_dashed {
            return self.path(area, places, 2);
        }
        let (dash, space) = DASH;
        let places = places.into_iter();
        area.draw(&DashedPathElement::new(places, dash, space, self.line(2)))
    }

    /// Draws an unbroken line from place to place.
    fn path<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        places: impl Into<Vec<Place>>,
        width: u32,
    ) -> Result<(), Failure<B>> {
        area.draw(&PathElement::new(places.into(), self.line(width)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_series_look_different() {
        let marks: Vec<Mark> = (0..30).map(Mark::of).collect();
        for (i, mark) in marks.iter().enumerate() {
            assert!(!marks[..i].contains(mark), "{i}");
        }
    }
}
