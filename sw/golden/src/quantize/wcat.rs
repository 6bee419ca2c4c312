//! Weight clipping-aware training: the range is learned (Chitsaz et al., TMLR 2023, section 3).
//!
//! The weights of a layer are clipped to ±α, and α has a gradient and a decay. The
//! decay, λ/2·Σα² with λ = 0.01 in the paper's chosen runs, belongs to the optimizer
//! and is not scaled with the gradient.

use super::Quantizer;
use super::error::{LEAST, QuantizeError, check_positive};
use super::uniform::Uniform;
use super::width::BitWidth;
use serde::{Deserialize, Serialize};

/// How large a step of the grid is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepRule {
    /// α / 2^(b−1), the code behind the published numbers: −α is on the grid and +α a
    /// step above its end.
    #[default]
    Published,
    /// α / (2^(b−1) − 1), the paper's equations 3 and 4: ±α are both on the grid, and
    /// only a fault makes −2^(b−1).
    Paper,
}

impl StepRule {
    /// The step of a range.
    pub fn step(self, width: BitWidth, range: f32) -> f32 {
        range / self.steps(width)
    }

    /// How many steps lead from 0 to α.
    pub fn steps(self, width: BitWidth) -> f32 {
        match self {
            Self::Published => width.half() as f32,
            Self::Paper => (width.half() - 1) as f32,
        }
    }
}

/// The gradient of a stored weight with respect to the weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightGradient {
    /// 1 everywhere (section 3.3).
    #[default]
    StraightThrough,
    /// 1 within ±α, 0 outside: the derivative of clipping (equation 6).
    PiecewiseLinear,
    /// 1 within ±α, α/|w| outside.
    MagnitudeAware,
}

/// What the sum of a range's gradients is multiplied by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GradientScale {
    /// 1/√N, N the number of weights (section 4.5).
    #[default]
    InverseRoot,
    /// 1.
    One,
}

/// Choices in which WCAT's variants differ; the default is the published one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WcatRules {
    /// The step.
    pub step: StepRule,
    /// The weights' gradient.
    pub weight_gradient: WeightGradient,
    /// The scale of the range's gradient.
    pub gradient_scale: GradientScale,
}

/// A quantizer with a learned range ±α.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wcat {
    width: BitWidth,
    rules: WcatRules,
    alpha: f32,
}

impl Wcat {
    /// A quantizer with its first range; [`RangeInitialization`](super::RangeInitialization) finds one.
    ///
    /// # Errors
    /// A range that is not positive and finite.
    pub fn new(width: BitWidth, alpha: f32, rules: WcatRules) -> Result<Self, QuantizeError> {
        check_positive("alpha", alpha)?;
        Ok(Self {
            width,
            rules,
            alpha,
        })
    }

    /// The learned range α.
    pub fn alpha(&self) -> f32 {
        self.alpha
    }

    /// The variant.
    pub fn rules(&self) -> WcatRules {
        self.rules
    }

    /// Moves the range by `change`; it never leaves the positive numbers.
    pub fn learn(&mut self, change: f32) {
        let moved = self.alpha + change;
        // A diverging run asks for what is no number; its loss then says so.
        if moved.is_finite() {
            self.alpha = moved.max(LEAST);
        }
    }

    /// The grid at the present range.
    pub fn grid(&self) -> Uniform {
        let grid = Uniform::new(self.width, self.step()).expect("a range is positive");
        match self.rules.step {
            StepRule::Published => grid,
            StepRule::Paper => grid.within(-self.width.range().1, self.width.range().1),
        }
    }

    /// One step of the grid.
    pub fn step(&self) -> f32 {
        // The step of the least range would be less than a grid takes.
        self.rules.step.step(self.width, self.alpha).max(LEAST)
    }

    /// Turns the gradient of the stored weights into that of the weights, in place,
    /// and returns that of the range (equation 5: the sum of the stored weights'
    /// gradients above α less those below −α, scaled).
    ///
    /// The step's dependence on α is left out, as in the paper.
    ///
    /// # Panics
    /// If `weights` and `gradient` have different lengths.
    pub fn backward(&self, weights: &[f32], gradient: &mut [f32]) -> f32 {
        assert_eq!(weights.len(), gradient.len(), "a gradient for each weight");
        let mut range = 0.0;
        for (weight, gradient) in weights.iter().zip(&mut *gradient) {
            if weight.abs() > self.alpha {
                range += f64::from(weight.signum() * *gradient);
                *gradient *= match self.rules.weight_gradient {
                    WeightGradient::StraightThrough => 1.0,
                    WeightGradient::PiecewiseLinear => 0.0,
                    WeightGradient::MagnitudeAware => self.alpha / weight.abs(),
                };
            }
        }
        let scale = match self.rules.gradient_scale {
            GradientScale::InverseRoot => (weights.len().max(1) as f64).sqrt().recip(),
            GradientScale::One => 1.0,
        };
        (range * scale) as f32
    }
}

impl Quantizer for Wcat {
    fn width(&self) -> BitWidth {
        self.width
    }

    fn encode(&self, weight: f32) -> i8 {
        self.grid().encode(weight)
    }

    fn decode(&self, stored: i8) -> f32 {
        self.grid().decode(stored)
    }

    fn fake(&self, weight: f32) -> f32 {
        self.grid().fake(weight)
    }

    fn quantize(&self, weights: &[f32]) -> super::Quantized {
        self.grid().quantize(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wcat(bits: u32, alpha: f32, step: StepRule) -> Wcat {
        let rules = WcatRules {
            step,
            ..WcatRules::default()
        };
        Wcat::new(BitWidth::new(bits).unwrap(), alpha, rules).unwrap()
    }

    #[test]
    fn the_published_step_has_minus_alpha_on_the_grid_and_the_papers_both_ends() {
        for width in BitWidth::ALL {
            let published = wcat(width.bits(), 0.8, StepRule::Published);
            let paper = wcat(width.bits(), 0.8, StepRule::Paper);
            let (low, high) = width.range();
            assert_eq!([-9.0, 9.0].map(|w| published.encode(w)), [low, high]);
            assert_eq!([-9.0, 9.0].map(|w| paper.encode(w)), [-high, high]);
            assert_eq!(published.fake(-9.0), -0.8);
            let short = 0.8 * (1.0 - 1.0 / width.half() as f32);
            assert!((published.fake(9.0) - short).abs() < 1e-6);
            assert!((paper.fake(9.0) - 0.8).abs() < 1e-6 && (paper.fake(-9.0) + 0.8).abs() < 1e-6);
        }
    }

    #[test]
    fn a_learned_range_stays_positive() {
        let mut quantizer = wcat(4, 0.1, StepRule::Published);
        quantizer.learn(-5.0);
        assert!(quantizer.alpha() > 0.0);
        assert!(quantizer.fake(0.3).is_finite());
        let error = Wcat::new(BitWidth::new(4).unwrap(), -1.0, WcatRules::default());
        assert!(error.unwrap_err().to_string().starts_with("alpha is -1;"));
    }
}
