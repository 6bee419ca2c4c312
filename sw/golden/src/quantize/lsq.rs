//! Learned step size quantization (Esser et al., ICLR 2020).

use super::Quantizer;
use super::error::{LEAST, QuantizeError, check_positive, check_values};
use super::uniform::{Ties, nearest};
use super::width::BitWidth;

/// A learned step s between integer bounds: x becomes round(clamp(x/s, Qn, Qp))·s.
///
/// The rule of both LSQ's weights and its activations (equations 1 and 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnedStep {
    step: f32,
    low: i16,
    high: i16,
}

impl LearnedStep {
    /// A first step s and the bounds Qn ≤ 0 and Qp ≥ 1.
    ///
    /// # Errors
    /// A step that is not positive and finite.
    ///
    /// # Panics
    /// If the bounds do not enclose 0 and 1.
    pub fn new(step: f32, low: i16, high: i16) -> Result<Self, QuantizeError> {
        assert!(low <= 0 && high >= 1, "{low} to {high} holds no 0 and 1");
        check_positive("step", step)?;
        Ok(Self { step, low, high })
    }

    /// LSQ's first step for a tensor, 2·mean|x|/√Qp (section 2.1); 1 if all are zero.
    ///
    /// # Errors
    /// No values, or values that are not finite.
    pub fn fit(values: &[f32], low: i16, high: i16) -> Result<Self, QuantizeError> {
        check_values(values)?;
        let sum: f64 = values.iter().map(|x| f64::from(x.abs())).sum();
        let step = 2.0 * sum / values.len() as f64 / f64::from(high).sqrt();
        let step = if step == 0.0 {
            1.0
        } else {
            (step as f32).max(LEAST)
        };
        Self::new(step, low, high)
    }

    /// The learned step s.
    pub fn step(&self) -> f32 {
        self.step
    }

    /// The integer of a value.
    pub fn integer(&self, value: f32) -> i16 {
        self.nearest(value) as i16
    }

    /// The value that is computed with; what is not a number stays so.
    pub fn fake(&self, value: f32) -> f32 {
        self.nearest(value) * self.step
    }

    fn nearest(&self, value: f32) -> f32 {
        let bounds = (f32::from(self.low), f32::from(self.high));
        nearest(value, self.step, bounds, Ties::Even)
    }

    /// Moves the step by `change`; it never leaves the positive numbers, as it does in
    /// implementations that do not care.
    pub fn learn(&mut self, change: f32) {
        let moved = self.step + change;
        // A diverging run asks for what is no number; its loss then says so.
        if moved.is_finite() {
            self.step = moved.max(LEAST);
        }
    }

    /// Turns the gradient of the quantized values into that of the values, in place
    /// (1 between the bounds, else 0), and returns that of the step: the sum of
    /// gradient times round(x/s) − x/s between the bounds, Qn below and Qp above
    /// (equation 3), times 1/√(N·Qp) (section 2.2).
    ///
    /// # Panics
    /// If `values` and `gradient` have different lengths.
    pub fn backward(&self, values: &[f32], gradient: &mut [f32]) -> f32 {
        assert_eq!(values.len(), gradient.len(), "a gradient for each value");
        let (low, high) = (f32::from(self.low), f32::from(self.high));
        let mut sum = 0.0;
        for (value, gradient) in values.iter().zip(&mut *gradient) {
            let steps = value / self.step;
            let slope = if steps <= low {
                low
            } else if steps >= high {
                high
            } else {
                steps.round_ties_even() - steps
            };
            sum += f64::from(slope) * f64::from(*gradient);
            if steps <= low || steps >= high {
                *gradient = 0.0;
            }
        }
        let scale = (values.len().max(1) as f64 * f64::from(self.high)).sqrt();
        (sum / scale) as f32
    }
}

/// LSQ for weights: Qn = −2^(b−1), Qp = 2^(b−1) − 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lsq {
    width: BitWidth,
    /// The step, its gradient and its rule.
    pub learned: LearnedStep,
}

impl Lsq {
    /// A quantizer with a first step.
    ///
    /// # Errors
    /// A step that is not positive and finite.
    pub fn new(width: BitWidth, step: f32) -> Result<Self, QuantizeError> {
        let (low, high) = width.range();
        let learned = LearnedStep::new(step, low.into(), high.into())?;
        Ok(Self { width, learned })
    }

    /// A quantizer with LSQ's first step for a tensor.
    ///
    /// # Errors
    /// No weights, or weights that are not finite.
    pub fn fit(width: BitWidth, weights: &[f32]) -> Result<Self, QuantizeError> {
        let (low, high) = width.range();
        let learned = LearnedStep::fit(weights, low.into(), high.into())?;
        Ok(Self { width, learned })
    }
}

impl Quantizer for Lsq {
    fn width(&self) -> BitWidth {
        self.width
    }

    fn encode(&self, weight: f32) -> i8 {
        self.learned.integer(weight) as i8
    }

    fn decode(&self, stored: i8) -> f32 {
        f32::from(stored) * self.learned.step()
    }

    fn fake(&self, weight: f32) -> f32 {
        self.learned.fake(weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_twice_the_mean_magnitude_over_the_root_of_qp() {
        let four = BitWidth::new(4).unwrap();
        let lsq = Lsq::fit(four, &[0.5, -1.0, 1.5, -3.0]).unwrap();
        assert!((lsq.learned.step() - 3.0 / 7f32.sqrt()).abs() < 1e-6);
        assert_eq!(Lsq::fit(four, &[0.0; 3]).unwrap().learned.step(), 1.0);
        assert!(Lsq::fit(four, &[]).is_err() && Lsq::new(four, 0.0).is_err());
    }

    #[test]
    fn all_integers_of_the_width_are_used_and_none_else() {
        for width in BitWidth::ALL {
            let lsq = Lsq::new(width, 0.01).unwrap();
            let (low, high) = width.range();
            assert_eq!([-9.0, 9.0].map(|w| lsq.encode(w)), [low, high]);
        }
    }

    #[test]
    fn a_learned_step_stays_positive() {
        let mut lsq = Lsq::new(BitWidth::new(4).unwrap(), 0.1).unwrap();
        lsq.learned.learn(-1.0);
        assert!(lsq.learned.step() > 0.0 && lsq.fake(0.3).is_finite());
    }
}
