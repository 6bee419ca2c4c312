//! The grid of one layer: how its weights become stored integers and back.
//!
//! Whatever chose a grid (a range, a learned step, the weights themselves), the
//! stored integers and their meaning are all that a memory, an attack or an
//! evaluation knows of it.

use super::Quantizer;
use super::allowed::AllowedRanges;
use super::error::QuantizeError;
use super::fixed_point::FixedPointGrid;
use super::uniform::{Ties, Uniform, nearest};
use super::width::BitWidth;
use ndarray::{Array4, ArrayView4, Axis};
use serde::{Deserialize, Serialize};

/// Candidates for a step, as shares of the one that clips nothing.
const CANDIDATES: usize = 60;

/// Which weights share a step or a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    /// All weights of a layer, as in the papers.
    #[default]
    Tensor,
    /// The weights of one output channel.
    Channel,
}

/// The grid of a tensor, or of one of its output channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grid {
    /// Equal steps around zero; at 4 and 8 bits hardware runs it.
    Uniform(Uniform),
    /// One of the RQuant family; laboratory only.
    FixedPoint(FixedPointGrid),
}

/// The grids of a layer: one for all weights, or one for each output channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WeightGrid {
    channels: Vec<Grid>,
}

/// Which weights are throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// All: of a grid that stays as it is.
    All,
    /// Those that a code constrains: where the grid follows the weights or learns
    /// from those beyond it, to scale all of them would pull both down together.
    Constrained,
}

/// A layer's weights as they are stored, and as they are computed with, both
/// `[output][kernel row][kernel column][input]`.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedWeights {
    /// Two's complement integers of the lane.
    pub integers: Array4<i8>,
    /// What they stand for.
    pub values: Array4<f32>,
}

impl Grid {
    /// The step, for a grid of equal steps around zero.
    pub fn uniform(&self) -> Option<&Uniform> {
        match self {
            Self::Uniform(grid) => Some(grid),
            Self::FixedPoint(_) => None,
        }
    }

    fn quantizer(&self) -> &dyn Quantizer {
        match self {
            Self::Uniform(grid) => grid,
            Self::FixedPoint(grid) => grid,
        }
    }
}

impl WeightGrid {
    /// One grid for all weights of a layer.
    pub fn tensor(grid: Grid) -> Self {
        Self {
            channels: vec![grid],
        }
    }

    /// One grid for each output channel.
    ///
    /// # Panics
    /// If there is none.
    pub fn channels(grids: Vec<Grid>) -> Self {
        assert!(!grids.is_empty(), "a layer has output channels");
        Self { channels: grids }
    }

    /// Fits a grid to all weights of a layer, or one to those of each output channel.
    ///
    /// # Errors
    /// The first that cannot be fitted.
    pub fn fit(
        weight: &Array4<f32>,
        granularity: Granularity,
        mut fit: impl FnMut(&[f32]) -> Result<Grid, QuantizeError>,
    ) -> Result<Self, QuantizeError> {
        let values = weight.as_slice().expect("weights are in standard layout");
        let parts = match granularity {
            Granularity::Tensor => 1,
            Granularity::Channel => weight.dim().0,
        };
        let channels = values.chunks_exact(values.len() / parts).map(&mut fit);
        let channels = channels.collect::<Result<_, _>>()?;
        Ok(Self { channels }.with_least_step_for_zeros(weight))
    }

    /// Gives output channels of nothing but zeros the least step of the others.
    ///
    /// Any step stores zeros; but one that is free must not decide the scale of what shares a
    /// multiplier's sixteen bits with it, nor how far a fault reaches.
    fn with_least_step_for_zeros(mut self, weight: &Array4<f32>) -> Self {
        if self.channels.len() == 1 {
            return self;
        }
        let zero: Vec<bool> = weight.outer_iter().map(are_zeros).collect();
        let living = self.channels.iter().zip(&zero).filter(|(_, zero)| !**zero);
        let steps = living.filter_map(|(grid, _)| Some(grid.uniform()?.step()));
        let Some(least) = steps.min_by(f32::total_cmp) else {
            return self;
        };
        for (grid, zero) in self.channels.iter_mut().zip(zero) {
            if let (Grid::Uniform(uniform), true) = (grid, zero) {
                *uniform = uniform.with_step(least);
            }
        }
        self
    }

    /// The symmetric grids with the smallest squared error *within each weight's own range*
    /// under a code, so a constrained layer gets the compromise between clipping its
    /// constrained weights and rounding all.
    ///
    /// Halves are rounded away from zero.
    pub fn least_error(
        weight: &Array4<f32>,
        width: BitWidth,
        ranges: &AllowedRanges,
        granularity: Granularity,
    ) -> Self {
        let (high, dim) = (width.range().1, weight.dim());
        let grid = |weight: ArrayView4<'_, f32>, first: usize| {
            let range =
                |output, index| intersection(ranges.of(dim, first + output, index), (-high, high));
            let grid = Uniform::new(width, best_step(weight, range))
                .expect("a step between weights is positive");
            Grid::Uniform(grid.within(-high, high).with_ties(Ties::AwayFromZero))
        };
        let channels = match granularity {
            Granularity::Tensor => vec![grid(weight.view(), 0)],
            Granularity::Channel => weight
                .axis_chunks_iter(Axis(0), 1)
                .enumerate()
                .map(|(output, weight)| grid(weight, output))
                .collect(),
        };
        Self { channels }.with_least_step_for_zeros(weight)
    }

    /// The grid of an output channel.
    pub fn channel(&self, output: usize) -> &Grid {
        match &self.channels[..] {
            [one] => one,
            channels => &channels[output],
        }
    }

    /// Number of grids: 1, or that of the output channels.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Never: a layer has a grid.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Live bits of the stored integers.
    pub fn width(&self) -> BitWidth {
        self.channels[0].quantizer().width()
    }

    /// The step of each output channel, if all grids are equal steps around zero.
    pub fn steps(&self, outputs: usize) -> Option<Vec<f32>> {
        (0..outputs)
            .map(|output| self.channel(output).uniform().map(Uniform::step))
            .collect()
    }

    /// Checks grids that were read from a file against a layer and a width.
    ///
    /// # Errors
    /// One sentence with what is wrong and what is allowed.
    pub fn validate(&self, outputs: usize, width: BitWidth) -> Result<(), String> {
        if self.channels.len() != 1 && self.channels.len() != outputs {
            return Err(format!(
                "it has {} grids; allowed are 1 and {outputs}",
                self.channels.len()
            ));
        }
        self.channels.iter().try_for_each(|grid| {
            let found = grid.quantizer().width();
            if found != width {
                return Err(format!("a grid has {found} bits; the network has {width}"));
            }
            match grid {
                Grid::Uniform(grid) => grid.validate(),
                Grid::FixedPoint(grid) => grid.validate(),
            }
            .map_err(|e| e.to_string())
        })
    }

    /// Brings weights into their range, as WOT's throttling does: where the rounded weight
    /// is out of bounds, the float weight is scaled by bound / rounded.
    ///
    /// With [`Throttle::Constrained`] weights that may be stored as every integer of the width are
    /// left alone. So are grids that are not equal steps around zero; no code that
    /// constrains weights goes with them. Returns how many weights were changed.
    pub fn throttle(
        &self,
        weight: &mut Array4<f32>,
        ranges: &AllowedRanges,
        which: Throttle,
    ) -> usize {
        let (mut changed, dim) = (0, weight.dim());
        for (output, mut weight) in weight.outer_iter_mut().enumerate() {
            let Some(grid) = self.channel(output).uniform() else {
                continue;
            };
            let whole = grid.width().range();
            if which == Throttle::Constrained && ranges.of_channel(output) == Some(whole) {
                continue;
            }
            for (index, w) in weight.iter_mut().enumerate() {
                let range = ranges.of(dim, output, index);
                if which == Throttle::Constrained && range == whole {
                    continue;
                }
                let (low, high) = intersection(range, grid.bounds());
                let (low, high) = (f32::from(low), f32::from(high));
                let rounded = grid.ties().round(*w / grid.step());
                if rounded < low || rounded > high {
                    *w *= rounded.clamp(low, high) / rounded;
                    changed += 1;
                }
            }
        }
        changed
    }

    /// Stores weights; those outside their range are clipped to it. A weight that is
    /// not a number is stored as zero, and computed with as it is.
    pub fn quantize(&self, weight: &Array4<f32>, ranges: &AllowedRanges) -> QuantizedWeights {
        let mut integers = Array4::zeros(weight.dim());
        let mut values = Array4::zeros(weight.dim());
        for (output, w) in weight.outer_iter().enumerate() {
            let mut codes = integers.index_axis_mut(Axis(0), output);
            let mut reals = values.index_axis_mut(Axis(0), output);
            let all = codes.iter_mut().zip(&mut reals).zip(&w);
            let range = |index| ranges.of(weight.dim(), output, index);
            match self.channel(output) {
                Grid::Uniform(grid) => {
                    let bounds = |range| {
                        let (low, high) = intersection(range, grid.bounds());
                        (f32::from(low), f32::from(high))
                    };
                    let store = |code: &mut i8, real: &mut f32, w: f32, bounds: (f32, f32)| {
                        let rounded = nearest(w, grid.step(), bounds, grid.ties());
                        *code = rounded as i8;
                        *real = rounded * grid.step();
                    };
                    // One range for all weights is much the faster case.
                    match ranges.of_channel(output).map(bounds) {
                        Some(bounds) => {
                            all.for_each(|((code, real), &w)| store(code, real, w, bounds))
                        }
                        None => all.enumerate().for_each(|(i, ((code, real), &w))| {
                            store(code, real, w, bounds(range(i)))
                        }),
                    }
                }
                Grid::FixedPoint(grid) => {
                    for (index, ((code, real), &w)) in all.enumerate() {
                        let (low, high) = range(index);
                        *code = grid.encode(w).clamp(low, high);
                        *real = if w.is_nan() { w } else { grid.decode(*code) };
                    }
                }
            }
        }
        QuantizedWeights { integers, values }
    }

    /// What stored integers stand for, whatever faults have made of them.
    pub fn decode(&self, integers: &Array4<i8>) -> Array4<f32> {
        let mut values = Array4::zeros(integers.dim());
        let outputs = integers.outer_iter().zip(values.outer_iter_mut());
        for (output, (integers, mut values)) in outputs.enumerate() {
            let all = values.iter_mut().zip(&integers);
            match self.channel(output) {
                Grid::Uniform(grid) => all.for_each(|(v, &q)| *v = grid.decode(q)),
                Grid::FixedPoint(grid) => all.for_each(|(v, &q)| *v = grid.decode(q)),
            }
        }
        values
    }

    /// What one stored integer of an output channel stands for.
    pub fn decode_one(&self, output: usize, integer: i8) -> f32 {
        self.channel(output).quantizer().decode(integer)
    }
}

/// Whether every weight is stored as zero, whatever the step is.
pub fn are_zeros<'w>(weights: impl IntoIterator<Item = &'w f32>) -> bool {
    let least = super::error::LEAST / 2.0;
    weights.into_iter().all(|w| w.abs() < least)
}

fn intersection(a: (i8, i8), b: (i8, i8)) -> (i8, i8) {
    (a.0.max(b.0), a.1.min(b.1))
}

/// `range` says what number `index` of an output channel's weights may be stored as.
fn best_step(weight: ArrayView4<'_, f32>, range: impl Fn(usize, usize) -> (i8, i8)) -> f32 {
    // Of each output channel its weights, each with the least and the largest integer.
    let outputs: Vec<Vec<(f32, f32, f32)>> = (weight.outer_iter().enumerate())
        .map(|(output, weights)| {
            let bounded = weights.iter().enumerate().map(|(index, &w)| {
                let (low, high) = range(output, index);
                (w, f32::from(low), f32::from(high))
            });
            bounded.collect()
        })
        .collect();
    // The step that clips nothing, and where all weights are zero any step.
    let widest = outputs.iter().flatten();
    let widest = widest.fold(0.0f32, |most, &(w, _, high)| most.max(w.abs() / high));
    if widest == 0.0 {
        return 1.0;
    }
    let error = |step: f32| -> f64 {
        let of_output = |weights: &Vec<(f32, f32, f32)>| -> f64 {
            let errors = weights.iter().map(|&(x, low, high)| {
                let stored = nearest(x, step, (low, high), Ties::AwayFromZero) * step;
                f64::from(x - stored).powi(2)
            });
            errors.sum()
        };
        outputs.iter().map(of_output).sum()
    };
    let least = super::error::LEAST;
    (1..=CANDIDATES)
        .map(|i| (widest * i as f32 / CANDIDATES as f32).max(least))
        .map(|step| (error(step), step))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(widest, |best| best.1)
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
