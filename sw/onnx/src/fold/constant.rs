//! A value that is known, as numbers or as integers on a grid.

use crate::network::{Grid, Weights};
use crate::tensor::Tensor;
use std::sync::OnceLock;

/// A known value.
#[derive(Clone, Debug)]
pub struct Constant {
    weights: Weights,
    numbers: OnceLock<Tensor>,
    bounds: Option<(f32, f32)>,
}

impl From<Tensor> for Constant {
    fn from(tensor: Tensor) -> Self {
        Self {
            weights: Weights::Numbers(tensor),
            numbers: OnceLock::new(),
            bounds: None,
        }
    }
}

impl From<Grid> for Constant {
    fn from(grid: Grid) -> Self {
        Self {
            weights: Weights::Grid(grid),
            numbers: OnceLock::new(),
            bounds: None,
        }
    }
}

impl Constant {
    /// Its elements; those of a grid are computed when they are first asked for.
    pub fn tensor(&self) -> &Tensor {
        match &self.weights {
            Weights::Numbers(tensor) => tensor,
            Weights::Grid(grid) => self.numbers.get_or_init(|| grid.values()),
        }
    }

    /// Extents.
    pub fn shape(&self) -> &[usize] {
        self.weights.shape()
    }

    /// Smallest and largest integer, where a `Clip` says more than the type does.
    pub fn bounds(&self) -> Option<(f32, f32)> {
        self.bounds
    }

    /// The same, known to lie within bounds.
    pub fn within(self, low: f32, high: f32) -> Self {
        Self {
            bounds: Some((low, high)),
            ..self
        }
    }

    /// The value as weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The same with its elements moved by `change`, which may move an axis of scales;
    /// `None` where it cannot, or the elements do not fit.
    pub fn moved(
        &self,
        change: impl Fn(&Tensor) -> Option<Tensor>,
        axis: impl Fn(usize) -> Option<usize>,
    ) -> Option<Self> {
        match &self.weights {
            Weights::Numbers(tensor) => change(tensor).map(|tensor| Self {
                bounds: self.bounds,
                ..Self::from(tensor)
            }),
            Weights::Grid(grid) => {
                let single = grid.scale.len() == 1 && grid.zero_point.len() == 1;
                match if single { Some(0) } else { axis(grid.axis) } {
                    Some(axis) => Some(Self::from(Grid {
                        integers: change(&grid.integers)?,
                        axis,
                        ..grid.clone()
                    })),
                    None => change(self.tensor()).map(Self::from),
                }
            }
        }
    }
}
