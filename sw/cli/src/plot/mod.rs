//! Plots as SVG text: series of points with intervals over a linear or a logarithmic axis.
//!
//! Colours are those of Okabe and Ito (*Color Universal Design*, 2008), which colour-blind
//! readers tell apart, and each series has a marker too; lines of colours that come again are dashed. Ink is `currentColor`, so a plot inside
//! a page takes the page's, dark or light. Text is measured by its length, without a font, so
//! the same plot gives the same bytes.

mod axis;
mod marks;

use axis::Scale;
use marks::{Failure, Mark, Place};
use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::Text;
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, IntoFont, TRANSPARENT, TextStyle};

/// A point, and where the number it stands for may lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlotPoint {
    /// Place on the x axis.
    pub x: f64,
    /// Place on the y axis.
    pub y: f64,
    /// Lower and upper end of the bar through the point.
    pub interval: Option<(f64, f64)>,
}

/// Points that belong together; a line joins them from left to right.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub label: String,
    /// Its points, in any order; those that no axis can show are left out.
    pub points: Vec<PlotPoint>,
    /// Number of its look, its place among the series without it; one that is in several plots
    /// looks the same in all of them.
    pub look: Option<usize>,
}

/// How numbers are spread along the x axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Evenly.
    Linear,
    /// By their logarithm. Zero is drawn one step, a decade, left of the smallest positive
    /// number, and labelled `0`.
    Log,
    /// These names, at 0, 1 and so on; points are not joined, since nothing lies between them.
    Names(Vec<String>),
}

/// A plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Quantity and unit of the x axis.
    pub x_label: String,
    /// Quantity and unit of the y axis.
    pub y_label: String,
    /// Spread of the x axis.
    pub x_axis: Axis,
    /// Where the y axis starts, by the points without it; lines leave the plot there, and points
    /// below are not drawn.
    pub y_from: Option<f64>,
    /// What is drawn; of more than 30 series, the first 30.
    pub series: Vec<Series>,
}

/// Series that are drawn; more would not be told apart.
const MOST_SERIES: usize = 30;
/// Points of a series up to which each has a marker; more would be a band.
const MOST_MARKERS: usize = 60;
/// Points of a series that are drawn, at most; of more, every so many-th.
const MOST_POINTS: usize = 2000;
/// Characters of a text that are drawn.
const MOST_CHARACTERS: usize = 80;
/// Width of the drawing; it has no unit, the reader's screen gives one.
const WIDTH: u32 = 800;
/// Height of the drawing without its legend.
const HEIGHT: u32 = 440;
/// Height of the title.
const TITLE: u32 = 44;
/// Height of a legend's line.
const LINE: u32 = 22;
/// Width of a character of the legend.
const CHARACTER: usize = 8;
/// Space at the drawing's border.
const MARGIN: u32 = 16;
/// The drawing backend writes a font's size divided by this.
const FONT: f64 = 1.24;

impl Plot {
    /// The plot as a complete SVG document, as wide as where it is put.
    pub fn svg(&self) -> String {
        let legend = Legend::of(&self.series);
        let size = (WIDTH, HEIGHT + legend.height());
        let mut text = String::new();
        {
            let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
            self.draw(&root, &legend)
                .and_then(|()| root.present())
                .expect("text takes every drawing, and no font is looked for");
        }
        let body = text.split_once('>').map_or("", |(_, body)| body);
        let body = body
            .replace("fill=\"#000000\"", "fill=\"currentColor\"")
            .replace("stroke=\"#000000\"", "stroke=\"currentColor\"");
        let title = escaped(&shown(&self.title));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{title}\">{body}",
            size.0, size.1
        )
    }

    /// Whether a point has a place on both axes.
    fn can_show(&self, point: &PlotPoint) -> bool {
        let has_x = match self.x_axis {
            Axis::Linear | Axis::Names(_) => axis::is_linear(point.x),
            Axis::Log => axis::is_logarithmic(point.x),
        };
        has_x && axis::is_linear(point.y)
    }

    fn draw<B: DrawingBackend>(
        &self,
        root: &DrawingArea<B, Shift>,
        legend: &Legend,
    ) -> Result<(), Failure<B>> {
        let drawn = || self.series.iter().take(MOST_SERIES);
        let points = || {
            let points = drawn().flat_map(|series| &series.points);
            points.filter(|point| self.can_show(point))
        };
        let x = match &self.x_axis {
            Axis::Linear => Scale::across(points().map(|p| p.x)),
            Axis::Log => Scale::log(points().map(|p| p.x)),
            Axis::Names(names) => Scale::names(names),
        };
        let floor = self.y_from.unwrap_or(f64::NEG_INFINITY);
        let heights = points().flat_map(|p| {
            let (low, high) = p.interval.unwrap_or((p.y, p.y));
            [p.y, low, high]
        });
        let above = heights.filter(|height| *height > floor);
        let y = Scale::up(self.y_from.into_iter().chain(above));
        let (upper, lower) = root.split_vertically(HEIGHT);
        let y_width = 34 + 8 * y.widest_label() as u32;
        let mut chart = ChartBuilder::on(&upper)
            .margin(MARGIN)
            .margin_top(TITLE)
            .x_label_area_size(48)
            .y_label_area_size(y_width)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .x_desc(shown(&self.x_label))
            .y_desc(shown(&self.y_label))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.15))
            .axis_style(BLACK.mix(0.6))
            .label_style(style(12.0))
            .axis_desc_style(style(13.0))
            .draw()?;
        let title = style(16.0).pos(Pos::new(HPos::Center, VPos::Center));
        let middle = (WIDTH as i32 / 2, TITLE as i32 / 2);
        root.draw(&Text::new(shown(&self.title), middle, title))?;
        let area = chart.plotting_area();
        let canvas = Canvas {
            place: &|across, py| Some(area.map_coordinate(&(across, y.place(py)?))),
            across: &|px| x.place(px),
            floor,
            joins: !matches!(self.x_axis, Axis::Names(_)),
        };
        let mut is_empty = true;
        for (number, series) in drawn().enumerate() {
            is_empty &= !canvas.draw(root, Mark::of(series.look.unwrap_or(number)), series)?;
        }
        if is_empty {
            let middle = (WIDTH as i32 / 2, HEIGHT as i32 / 2);
            let text = style(13.0).pos(Pos::new(HPos::Center, VPos::Center));
            root.draw(&Text::new("there is no point to draw", middle, text))?;
        }
        legend.draw(&lower, root)
    }
}

/// Where points are drawn.
struct Canvas<'a> {
    /// The place of a place on the x axis, as `across` says it, and of a number of the y axis.
    place: &'a dyn Fn(f64, f64) -> Option<Place>,
    /// The place of a number on the x axis.
    across: &'a dyn Fn(f64) -> Option<f64>,
    /// Where the y axis starts.
    floor: f64,
    /// Whether a line joins points.
    joins: bool,
}

impl Canvas<'_> {
    /// Draws a line, bars and markers; says whether there was any point to draw.
    fn draw<B: DrawingBackend>(
        &self,
        root: &DrawingArea<B, Shift>,
        mark: Mark,
        series: &Series,
    ) -> Result<bool, Failure<B>> {
        let mut points: Vec<(f64, &PlotPoint)> = series
            .points
            .iter()
            .step_by(series.points.len().div_ceil(MOST_POINTS).max(1))
            .filter(|point| axis::is_linear(point.y))
            .filter_map(|point| Some(((self.across)(point.x)?, point)))
            .collect();
        points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        if self.joins {
            for line in self.lines(&points) {
                mark.line_through(root, line)?;
            }
        }
        let count = points.len();
        points.retain(|(_, point)| point.y >= self.floor);
        for (across, point) in &points {
            let Some((low, high)) = point.interval else {
                continue;
            };
            let ends = [low.max(self.floor), high].map(|y| (self.place)(*across, y));
            if let [Some(low), Some(high)] = ends {
                mark.bar(root, low.0, (low.1, high.1))?;
            }
        }
        let places = points.iter().map(|(across, p)| (self.place)(*across, p.y));
        let places: Vec<Place> = places.flatten().collect();
        if count <= MOST_MARKERS {
            for at in &places {
                mark.point(root, *at)?;
            }
        }
        Ok(!places.is_empty())
    }

    /// The parts of the line through points that are not below the floor.
    fn lines(&self, points: &[(f64, &PlotPoint)]) -> Vec<Vec<Place>> {
        let mut lines: Vec<Vec<Place>> = vec![Vec::new()];
        let mut before: Option<(f64, f64)> = None;
        for (across, y) in points.iter().map(|(across, point)| (*across, point.y)) {
            let crossing = before.filter(|(_, last)| (*last < self.floor) != (y < self.floor));
            let crossing = crossing.and_then(|(left, last)| {
                let share = (last - self.floor) / (last - y);
                (self.place)(left + share * (across - left), self.floor)
            });
            let own = (y >= self.floor).then(|| (self.place)(across, y)).flatten();
            let line = lines.last_mut().expect("there is one from the start");
            line.extend(crossing.into_iter().chain(own));
            if y < self.floor {
                lines.push(Vec::new());
            }
            before = Some((across, y));
        }
        for line in &mut lines {
            line.dedup();
        }
        lines.retain(|line| line.len() > 1);
        lines
    }
}

/// The names of the series under the plot, in columns.
struct Legend {
    names: Vec<(Mark, String)>,
    /// Series that are not drawn.
    more: usize,
    columns: usize,
}

impl Legend {
    fn of(series: &[Series]) -> Self {
        let names: Vec<(Mark, String)> = series
            .iter()
            .take(MOST_SERIES)
            .enumerate()
            .map(|(number, series)| {
                let mark = Mark::of(series.look.unwrap_or(number));
                (mark, shown(&series.label))
            })
            .collect();
        let widest = names.iter().map(|(_, name)| name.chars().count()).max();
        let width = CHARACTER * widest.unwrap_or(0) + 60;
        Self {
            columns: ((WIDTH - 2 * MARGIN) as usize / width).max(1),
            more: series.len() - names.len(),
            names,
        }
    }

    fn rows(&self) -> usize {
        self.names.len().div_ceil(self.columns)
    }

    fn height(&self) -> u32 {
        let rows = self.rows() + usize::from(self.more > 0);
        rows as u32 * LINE + MARGIN / 2
    }

    fn draw<B: DrawingBackend>(
        &self,
        lower: &DrawingArea<B, Shift>,
        root: &DrawingArea<B, Shift>,
    ) -> Result<(), Failure<B>> {
        let top = lower.get_base_pixel().1 + LINE as i32 / 2;
        let width = (WIDTH - 2 * MARGIN) as usize / self.columns;
        let text = || style(13.0).pos(Pos::new(HPos::Left, VPos::Center));
        for (number, (mark, name)) in self.names.iter().enumerate() {
            let (row, column) = (number / self.columns, number % self.columns);
            let x = MARGIN as i32 + (column * width) as i32;
            let y = top + row as i32 * LINE as i32;
            mark.line_through(root, vec![(x, y), (x + 28, y)])?;
            mark.point(root, (x + 14, y))?;
            root.draw(&Text::new(&name[..], (x + 36, y), text()))?;
        }
        if self.more > 0 {
            let y = top + (self.rows() as u32 * LINE) as i32;
            let more = format!("{} more are not drawn", self.more);
            root.draw(&Text::new(more, (MARGIN as i32, y), text()))?;
        }
        Ok(())
    }
}

/// Ink of a size as a reader sees it.
fn style(size: f64) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", size * FONT).into_font()).color(&BLACK)
}

/// The text as it is drawn: on one line, not longer than there is room, without characters that
/// SVG does not allow.
fn shown(text: &str) -> String {
    let is_allowed = |c: char| !c.is_control() && c != '\u{fffe}' && c != '\u{ffff}';
    let mut shown: String = text
        .chars()
        .take(MOST_CHARACTERS)
        .map(|c| if is_allowed(c) { c } else { '\u{fffd}' })
        .collect();
    if text.chars().nth(MOST_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

/// A text as an attribute's value.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
