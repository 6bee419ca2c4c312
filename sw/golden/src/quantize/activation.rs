//! Activations at 8 and 4 bits, with calibrated or learned ranges.
//!
//! Activations live at nominal voltage, so their integers need no lanes; what counts
//! is how many there are. The hardware's are signed: after a ReLU half of them stay
//! unused, which [`ActivationCodes::Signed`] reproduces. LSQ's activations are
//! [`LearnedStep`] with the bounds that [`ActivationCodes::bounds`] names.

use super::error::{LEAST, QuantizeError, check_positive};
use super::lsq::LearnedStep;
use super::uniform::{Ties, nearest};
use super::width::BitWidth;
use serde::{Deserialize, Serialize};

/// The integers of an activation of b bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivationCodes {
    /// −2^(b−1) to 2^(b−1) − 1, the hardware's.
    #[default]
    Signed,
    /// 0 to 2^b − 1, for values that a ReLU made; PACT's and LSQ's. The hardware has those
    /// of up to 7 bits.
    Unsigned,
}

impl ActivationCodes {
    /// The smallest and largest integer.
    pub fn bounds(self, width: BitWidth) -> (i16, i16) {
        let half = width.half() as i16;
        match self {
            Self::Signed => (-half, half - 1),
            Self::Unsigned => (0, 2 * half - 1),
        }
    }

    /// LSQ's quantizer for such activations, with its first step for a batch of them.
    ///
    /// # Errors
    /// No activations, or some that are not finite.
    pub fn lsq(self, width: BitWidth, batch: &[f32]) -> Result<LearnedStep, QuantizeError> {
        let (low, high) = self.bounds(width);
        LearnedStep::fit(batch, low, high)
    }
}

/// The integers of one tensor's activations, each worth one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationGrid {
    /// What an integer's unit stands for.
    pub step: f32,
    /// Smallest integer.
    pub low: i16,
    /// Largest integer.
    pub high: i16,
}

impl ActivationGrid {
    /// The hardware's 8 bits, −128 to 127, with this step.
    pub fn hardware(step: f32) -> Self {
        let (low, high) = ActivationCodes::Signed.bounds(BitWidth::EIGHT);
        Self { step, low, high }
    }

    /// The grid whose largest integer stands for `range`; a tensor that is never positive
    /// has one as well.
    pub fn of_range(range: f32, width: BitWidth, codes: ActivationCodes) -> Self {
        /// What a range of zero is taken for.
        const NARROWEST: f32 = 1e-6;
        let (low, high) = codes.bounds(width);
        Self {
            step: range.max(NARROWEST) / f32::from(high),
            low,
            high,
        }
    }

    /// What the largest integer stands for.
    pub fn range(&self) -> f32 {
        self.step * f32::from(self.high)
    }

    /// Checks a grid that was read from a file.
    ///
    /// # Errors
    /// One sentence with the step or the integers, and what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        check_positive("activation step", self.step).map_err(|e| e.to_string())?;
        if (-128..=0).contains(&self.low) && (1..=255).contains(&self.high) {
            return Ok(());
        }
        Err(format!(
            "activations are {} to {}; allowed are -128 to 0, to 1 to 255",
            self.low, self.high
        ))
    }
}

/// A running estimate of a tensor's largest magnitude over batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RangeObserver {
    keep: f32,
    range: Option<f32>,
}

impl RangeObserver {
    /// An observer that gives `keep` of the weight to the past, in [0, 1): 0.95 in this
    /// project's training, 0.999 in the in-place codes' (methods of WOT).
    ///
    /// # Errors
    /// A share outside that range.
    pub fn new(keep: f32) -> Result<Self, QuantizeError> {
        if (0.0..1.0).contains(&keep) {
            return Ok(Self { keep, range: None });
        }
        Err(QuantizeError::Setting {
            field: "keep",
            value: keep,
            allowed: "0 to below 1",
        })
    }

    /// Takes in the largest magnitude of a batch; the first one counts fully, and what
    /// is not finite not at all.
    pub fn observe(&mut self, largest: f32) {
        if largest.is_finite() {
            let largest = largest.abs();
            let range = self.range.unwrap_or(largest);
            self.range = Some(range + (1.0 - self.keep) * (largest - range));
        }
    }

    /// The estimate, or `None` before the first batch.
    pub fn range(&self) -> Option<f32> {
        self.range
    }

    /// A quantizer whose largest integer is the estimate; `None` before the first batch.
    pub fn calibrated(&self, width: BitWidth, codes: ActivationCodes) -> Option<Calibrated> {
        // A tensor that is always zero still needs a step.
        Calibrated::new(width, codes, self.range?.max(LEAST)).ok()
    }
}

/// A fixed range: x becomes clamp(round(x / s))·s, where s is the range over the largest integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibrated {
    range: f32,
    low: i16,
    high: i16,
}

impl Calibrated {
    /// A quantizer whose largest integer stands for `range`.
    ///
    /// # Errors
    /// A range that is not positive and finite.
    pub fn new(width: BitWidth, codes: ActivationCodes, range: f32) -> Result<Self, QuantizeError> {
        check_positive("range", range)?;
        let (low, high) = codes.bounds(width);
        Ok(Self { range, low, high })
    }

    /// What an integer's unit stands for.
    pub fn step(&self) -> f32 {
        self.range / f32::from(self.high)
    }

    /// The integer of a value.
    pub fn integer(&self, value: f32) -> i16 {
        self.nearest(value) as i16
    }

    /// The value that is computed with; what is not a number stays so.
    pub fn fake(&self, value: f32) -> f32 {
        self.nearest(value) * self.step()
    }

    fn nearest(&self, value: f32) -> f32 {
        let bounds = (f32::from(self.low), f32::from(self.high));
        nearest(value, self.step(), bounds, Ties::Even)
    }

    /// Keeps the gradient where the value was not clamped, and zeroes it elsewhere.
    ///
    /// # Panics
    /// If `values` and `gradient` have different lengths.
    pub fn backward(&self, values: &[f32], gradient: &mut [f32]) {
        assert_eq!(values.len(), gradient.len(), "a gradient for each value");
        let (low, high) = (f32::from(self.low) * self.step(), self.range);
        for (value, gradient) in values.iter().zip(gradient) {
            if *value < low || *value > high {
                *gradient = 0.0;
            }
        }
    }
}

/// Parameterized clipping activation (Choi et al., 2018): a ReLU with a learned ceiling α.
///
/// x becomes clamp(x, 0, α), rounded to steps of α over the largest integer. The L2
/// penalty that keeps α small belongs to the optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pact {
    alpha: f32,
    high: i16,
}

impl Pact {
    /// A quantizer with its first ceiling; the paper's is 10.
    ///
    /// # Errors
    /// A ceiling that is not positive and finite.
    pub fn new(width: BitWidth, codes: ActivationCodes, alpha: f32) -> Result<Self, QuantizeError> {
        check_positive("alpha", alpha)?;
        let (_, high) = codes.bounds(width);
        Ok(Self { alpha, high })
    }

    /// The ceiling α.
    pub fn alpha(&self) -> f32 {
        self.alpha
    }

    /// What an integer's unit stands for.
    pub fn step(&self) -> f32 {
        self.alpha / f32::from(self.high)
    }

    /// Moves the ceiling by `change`; it never leaves the positive numbers.
    pub fn learn(&mut self, change: f32) {
        self.alpha = (self.alpha + change).max(LEAST);
    }

    /// The integer of a value, 0 to the largest.
    pub fn integer(&self, value: f32) -> i16 {
        self.nearest(value) as i16
    }

    /// The value that is computed with; what is not a number stays so.
    pub fn fake(&self, value: f32) -> f32 {
        self.nearest(value) * self.step()
    }

    fn nearest(&self, value: f32) -> f32 {
        let bounds = (0.0, f32::from(self.high));
        nearest(value, self.step(), bounds, Ties::Even)
    }

    /// Turns the gradient of the outputs into that of the inputs, in place (1 in [0, α),
    /// else 0), and returns that of the ceiling: the sum of the gradients at and above it
    /// (equation 3).
    ///
    /// # Panics
    /// If `values` and `gradient` have different lengths.
    pub fn backward(&self, values: &[f32], gradient: &mut [f32]) -> f32 {
        assert_eq!(values.len(), gradient.len(), "a gradient for each value");
        let mut ceiling = 0.0;
        for (value, gradient) in values.iter().zip(gradient) {
            if *value >= self.alpha {
                ceiling += f64::from(*gradient);
            }
            if *value < 0.0 || *value >= self.alpha {
                *gradient = 0.0;
            }
        }
        ceiling as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(bits: u32) -> BitWidth {
        BitWidth::new(bits).unwrap()
    }

    #[test]
    fn signed_codes_waste_half_of_a_rectified_range_and_unsigned_ones_do_not() {
        assert_eq!(ActivationCodes::Signed.bounds(bits(8)), (-128, 127));
        assert_eq!(ActivationCodes::Unsigned.bounds(bits(8)), (0, 255));
        assert_eq!(ActivationCodes::Signed.bounds(bits(4)), (-8, 7));
        for width in [bits(4), bits(8)] {
            for codes in [ActivationCodes::Signed, ActivationCodes::Unsigned] {
                let pact = Pact::new(width, codes, 6.0).unwrap();
                let calibrated = Calibrated::new(width, codes, 6.0).unwrap();
                let (low, high) = codes.bounds(width);
                assert_eq!([-9.0, 9.0].map(|x| pact.integer(x)), [0, high]);
                assert_eq!([-9.0, 9.0].map(|x| calibrated.integer(x)), [low, high]);
                let error = |x: f32| (pact.fake(x) - x).abs().max((calibrated.fake(x) - x).abs());
                let worst = (0..=600)
                    .map(|i| error(i as f32 / 100.0))
                    .fold(0.0, f32::max);
                assert!(worst <= pact.step() * 0.501, "{worst} > {}", pact.step());
            }
        }
    }

    #[test]
    fn the_observer_starts_with_the_first_batch_and_then_follows_slowly() {
        let mut observer = RangeObserver::new(0.75).unwrap();
        let quantizer = |o: &RangeObserver| o.calibrated(bits(8), ActivationCodes::Signed);
        assert_eq!(quantizer(&observer), None);
        observer.observe(4.0);
        assert_eq!(observer.range(), Some(4.0));
        observer.observe(8.0);
        observer.observe(f32::NAN);
        assert_eq!(observer.range(), Some(5.0));
        assert_eq!(quantizer(&observer).unwrap().step(), 5.0 / 127.0);
        assert!(RangeObserver::new(1.0).is_err() && RangeObserver::new(f32::NAN).is_err());
    }

    #[test]
    fn a_tensor_that_is_always_zero_can_be_calibrated() {
        let mut observer = RangeObserver::new(0.9).unwrap();
        observer.observe(0.0);
        let zero = observer.calibrated(bits(4), ActivationCodes::Unsigned);
        assert_eq!(zero.unwrap().fake(0.0), 0.0);
    }
}
