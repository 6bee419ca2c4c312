//! By how much an average pool divides, and where.

use super::{Padding, Shape, Window};

/// Taps of each window that count into the mean, by the window's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divisors {
    /// The same everywhere.
    One(usize),
    /// By row (first, in between, last) and column of the window; where there is a single row or
    /// column of windows, it is the first.
    ByPlace([[usize; PLACES]; PLACES]),
}

/// First, in between, last.
pub const PLACES: usize = 3;

/// Which of the places along one direction the window `position` of `count` has.
pub fn place(position: usize, count: usize) -> usize {
    match position {
        0 => 0,
        last if last + 1 == count => 2,
        _ => 1,
    }
}

impl Divisors {
    /// Those of a window over a map whose padding counts as far as `counted`; `None` where they
    /// vary over more than the places, or a window has no pixel that counts.
    pub fn new(window: &Window, map: Shape, counted: Padding) -> Option<Self> {
        let (rows, columns) = window.positions(map)?;
        let down = along(rows, |position| {
            let first = position * window.stride.rows;
            let taps = (0..window.height).map(|tap| first + tap * window.dilation.rows);
            let (top, bottom) = (window.padding.top, counted.bottom);
            taps.filter(|y| y + counted.top >= top && *y < top + map.height + bottom)
                .count()
        })?;
        let across = along(columns, |position| {
            let first = position * window.stride.columns;
            let taps = (0..window.width).map(|tap| first + tap * window.dilation.columns);
            let (left, right) = (window.padding.left, counted.right);
            taps.filter(|x| x + counted.left >= left && *x < left + map.width + right)
                .count()
        })?;
        let by_place = down.map(|rows| across.map(|columns| rows * columns));
        let one = by_place[0][0];
        match by_place.iter().flatten().all(|&count| count == one) {
            true => Some(Self::One(one)),
            false => Some(Self::ByPlace(by_place)),
        }
    }

    /// Number of sets of parameters that a layer needs, one after the other by row and column.
    pub fn sets(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::ByPlace(_) => PLACES * PLACES,
        }
    }

    /// The divisors in the order of the sets.
    pub fn in_order(&self) -> Vec<usize> {
        match self {
            Self::One(one) => vec![*one],
            Self::ByPlace(by_place) => by_place.as_flattened().to_vec(),
        }
    }

    /// The set of the window at (row, column) of so many rows and columns of windows.
    pub fn set(&self, (row, column): (usize, usize), (rows, columns): (usize, usize)) -> usize {
        match self {
            Self::One(_) => 0,
            Self::ByPlace(_) => place(row, rows) * PLACES + place(column, columns),
        }
    }
}

/// The counts at the three places along one direction; places that no window has get the first's.
fn along(positions: usize, count: impl Fn(usize) -> usize) -> Option<[usize; PLACES]> {
    let mut counts = [None; PLACES];
    for position in 0..positions {
        let of: &mut Option<usize> = &mut counts[place(position, positions)];
        let here = count(position);
        if here == 0 || *of.get_or_insert(here) != here {
            return None;
        }
    }
    let first = counts[0]?;
    Some(counts.map(|count| count.unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(height: usize, width: usize) -> Shape {
        Shape {
            height,
            width,
            channels: 1,
        }
    }

    #[test]
    fn padding_that_counts_leaves_one_divisor_and_padding_that_does_not_leaves_nine() {
        let window = Window::square(3, 2, 1);
        let all = Divisors::new(&window, map(6, 6), Padding::around(1));
        assert_eq!(all, Some(Divisors::One(9)));
        let none = Divisors::new(&window, map(6, 6), Padding::NONE);
        // Rows -1 1, 1 3, 3 5: the first alone has padding.
        let expected = [[4, 6, 6], [6, 9, 9], [6, 9, 9]];
        assert_eq!(none, Some(Divisors::ByPlace(expected)));
    }

    #[test]
    fn an_overhang_does_not_count_even_where_padding_does() {
        // Six pixels, a window of three, steps of two, rounded up: four windows, and the last
        // begins at the last pixel but one. As in onnxruntime, ones give 0.25 in the last corner
        // of a corner window, which divides by what is there and by the padding alone.
        let window = Window {
            padding: Padding {
                bottom: 2,
                right: 2,
                ..Padding::around(1)
            },
            ..Window::square(3, 2, 1)
        };
        let counts = Divisors::new(&window, map(6, 6), Padding::around(1));
        let expected = [[9, 9, 6], [9, 9, 6], [6, 6, 4]];
        assert_eq!(counts, Some(Divisors::ByPlace(expected)));
    }

    #[test]
    fn divisors_that_vary_inside_have_no_form() {
        let window = Window::square(5, 1, 2);
        assert_eq!(Divisors::new(&window, map(7, 7), Padding::NONE), None);
        assert!(Divisors::new(&window, map(7, 7), Padding::around(2)).is_some());
    }

    #[test]
    fn a_single_window_is_the_first() {
        let window = Window::square(3, 1, 1);
        let counts = Divisors::new(&window, map(1, 5), Padding::NONE).unwrap();
        assert_eq!(counts.set((0, 0), (1, 5)), 0);
        assert_eq!(counts.set((0, 4), (1, 5)), 2);
        assert_eq!(counts.in_order()[..3], [2, 3, 2]);
    }
}
