//! The usual functions, as steps. Formulas are those of the ONNX operators of the same names.

use super::{Function, Step};
use crate::network::Bounds;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

impl Function {
    /// Clipping alone.
    pub fn clip(bounds: Bounds) -> Self {
        Self::known([Step::Clip(0, bounds)])
    }

    /// x where it is positive, else `slope`·x.
    ///
    /// # Errors
    /// A sentence when the slope is not finite.
    pub fn leaky_relu(slope: f64) -> Result<Self, String> {
        Self::new(vec![
            Step::Clip(0, Bounds::RELU),
            Step::Clip(0, Bounds::NOT_POSITIVE),
            Step::Constant(slope),
            Step::Multiply(2, 3),
            Step::Add(1, 4),
        ])
    }

    /// `scale`·x + `shift`, clipped to 0 to 1.
    ///
    /// # Errors
    /// A sentence when one is not finite.
    pub fn hard_sigmoid(scale: f64, shift: f64) -> Result<Self, String> {
        Self::new(vec![
            Step::Constant(scale),
            Step::Multiply(0, 1),
            Step::Constant(shift),
            Step::Add(2, 3),
            Step::Clip(4, Bounds::UNIT),
        ])
    }

    /// x·clip(x/6 + ½, 0, 1).
    pub fn hard_swish() -> Self {
        Self::known([
            Step::Constant(6.0),
            Step::Divide(0, 1),
            Step::Constant(0.5),
            Step::Add(2, 3),
            Step::Clip(4, Bounds::UNIT),
            Step::Multiply(0, 5),
        ])
    }

    /// 1 / (1 + e⁻ˣ).
    pub fn sigmoid() -> Self {
        Self::known([Step::Sigmoid(0)])
    }

    /// x·sigmoid(x), also called Swish.
    pub fn silu() -> Self {
        Self::known([Step::Sigmoid(0), Step::Multiply(0, 1)])
    }

    /// The hyperbolic tangent.
    pub fn tanh() -> Self {
        Self::known([Step::Tanh(0)])
    }

    /// ½x·(1 + erf(x/√2)).
    pub fn gelu() -> Self {
        Self::known([
            Step::Constant(FRAC_1_SQRT_2),
            Step::Multiply(0, 1),
            Step::Erf(2),
            Step::Constant(1.0),
            Step::Add(3, 4),
            Step::Constant(0.5),
            Step::Multiply(0, 6),
            Step::Multiply(7, 5),
        ])
    }

    /// ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    pub fn gelu_tanh() -> Self {
        Self::known([
            Step::Multiply(0, 0),
            Step::Multiply(0, 1),
            Step::Constant(0.044715),
            Step::Multiply(2, 3),
            Step::Add(0, 4),
            Step::Constant(FRAC_2_PI.sqrt()),
            Step::Multiply(5, 6),
            Step::Tanh(7),
            Step::Constant(1.0),
            Step::Add(8, 9),
            Step::Constant(0.5),
            Step::Multiply(0, 11),
            Step::Multiply(12, 10),
        ])
    }

    /// x where it is positive, else `scale`·(eˣ − 1).
    ///
    /// # Errors
    /// A sentence when the scale is not finite.
    pub fn elu(scale: f64) -> Result<Self, String> {
        Self::new(vec![
            Step::Clip(0, Bounds::RELU),
            Step::Clip(0, Bounds::NOT_POSITIVE),
            Step::Exponential(2),
            Step::Constant(1.0),
            Step::Subtract(3, 4),
            Step::Constant(scale),
            Step::Multiply(5, 6),
            Step::Add(1, 7),
        ])
    }

    /// ln(1 + eˣ).
    pub fn softplus() -> Self {
        Self::known([Step::Softplus(0)])
    }

    /// x·tanh(softplus(x)).
    pub fn mish() -> Self {
        Self::known([Step::Softplus(0), Step::Tanh(1), Step::Multiply(0, 2)])
    }

    fn known<const N: usize>(steps: [Step; N]) -> Self {
        let steps = steps.to_vec();
        debug_assert!(Self::new(steps.clone()).is_ok());
        Self { steps }
    }
}
