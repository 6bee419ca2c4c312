//! The fixed-point family that ends in RQuant (Stutz et al., MLSys 2021, section 3).
//!
//! A scheme is four choices: which range, which offset, whether the fraction is cut
//! off or rounded, and whose formulas. [`FixedPoint::fit`] measures the range of one
//! tensor; the grid that comes out decodes disturbed integers with the range of the
//! clean tensor.

use super::Quantizer;
use super::error::{QuantizeError, check_positive, check_values};
use super::uniform::largest_magnitude;
use super::width::BitWidth;
use serde::{Deserialize, Serialize};

/// What the published code adds to a range, so that its end falls short of the last integer.
pub const MARGIN: f64 = 0.001;

/// Which part of the real line the integers are spread over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// ± the clipping bound, the same for all tensors.
    Global,
    /// ± the largest magnitude of the tensor.
    Symmetric,
    /// From the smallest to the largest weight of the tensor.
    Asymmetric,
}

/// What becomes of the fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fraction {
    /// Cut off by a cast: toward zero in signed integers, downward in unsigned ones.
    Truncated,
    /// Rounded to nearest, ties to even.
    Rounded,
}

/// The integer type that the scheme casts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// Two's complement.
    Signed,
    /// Offset binary.
    Unsigned,
}

/// Whose formulas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Formula {
    /// The code behind the published numbers: offset 2^(m−1), so that code 0 is never
    /// written; a margin of 0.001; decoded weights are clamped to the range.
    #[default]
    Published,
    /// The paper's text: offset 2^(m−1) − 1, so that the largest code is never written;
    /// no margin, downward cuts, and decoding without a clamp.
    Paper,
}

impl Formula {
    /// Whether it is the default.
    pub fn is_published(&self) -> bool {
        *self == Self::Published
    }
}

/// A scheme of the family, before it has seen a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedPoint {
    /// Live bits m.
    pub width: BitWidth,
    /// Weights are clipped to ± this before their range is measured; 1 is the paper's "no clipping".
    pub clip: f32,
    /// The range.
    pub range: Range,
    /// The integer type.
    pub sign: Sign,
    /// The fraction's fate.
    pub fraction: Fraction,
    /// Whose formulas.
    #[serde(default)]
    pub formula: Formula,
}

impl FixedPoint {
    /// One range for the whole network, unsigned and truncated.
    pub fn global(width: BitWidth, clip: f32) -> Self {
        Self {
            width,
            clip,
            range: Range::Global,
            sign: Sign::Unsigned,
            fraction: Fraction::Truncated,
            formula: Formula::Published,
        }
    }

    /// The papers' baseline "Normal": per tensor, symmetric, truncated.
    pub fn normal(width: BitWidth, clip: f32) -> Self {
        Self {
            range: Range::Symmetric,
            ..Self::global(width, clip)
        }
    }

    /// RQuant: per tensor, asymmetric, unsigned, rounded.
    pub fn rquant(width: BitWidth, clip: f32) -> Self {
        Self {
            range: Range::Asymmetric,
            fraction: Fraction::Rounded,
            ..Self::global(width, clip)
        }
    }

    /// The grid of a tensor.
    ///
    /// A tensor whose range is a single point is stored as zeros, which mean that point.
    ///
    /// # Errors
    /// A clipping bound that is not positive; no weights, or weights that are not finite.
    pub fn fit(&self, weights: &[f32]) -> Result<FixedPointGrid, QuantizeError> {
        check_positive("clip", self.clip)?;
        check_values(weights)?;
        let margin = match self.formula {
            Formula::Published => MARGIN,
            Formula::Paper => 0.0,
        };
        // 2^(m−1) − 1, the number of steps on either side of zero.
        let side = f64::from(self.width.half() - 1);
        let clip = f64::from(self.clip);
        // The vectors' steps are in double precision, and all weights in single.
        let (low, high, step) = match self.range {
            Range::Global => (-self.clip, self.clip, (clip + margin) / side),
            Range::Symmetric => {
                let reach = (f64::from(largest_magnitude(weights)) + margin).min(clip);
                (-reach as f32, reach as f32, reach / side)
            }
            Range::Asymmetric => {
                let clipped = || weights.iter().map(|w| w.clamp(-self.clip, self.clip));
                let low = clipped().fold(f32::INFINITY, f32::min);
                let high = clipped().fold(f32::NEG_INFINITY, f32::max);
                // In units of the range, which is mapped to [-1, 1] first.
                (low, high, (1.0 + margin) / side)
            }
        };
        Ok(FixedPointGrid {
            scheme: *self,
            low,
            high,
            step,
        })
    }

    /// The tensor after being measured, stored and read back `times` times in a row.
    ///
    /// Once is quantization. The published evaluation does it up to three times, and
    /// a truncating scheme loses about half a step each time: use more than once only
    /// to reproduce its numbers.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub fn requantized(&self, weights: &[f32], times: usize) -> Result<Vec<f32>, QuantizeError> {
        let mut values = weights.to_vec();
        for _ in 0..times {
            values = self.fit(&values)?.quantize(&values).values;
        }
        Ok(values)
    }
}

/// A scheme with the range of one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedPointGrid {
    scheme: FixedPoint,
    /// The range, in weights.
    low: f32,
    high: f32,
    /// One step of the code: in weights, or of the range mapped to [-1, 1] if asymmetric.
    step: f64,
}

impl FixedPointGrid {
    /// The scheme that this is a grid of.
    pub fn scheme(&self) -> &FixedPoint {
        &self.scheme
    }

    /// The smallest and largest weight that it stores.
    pub fn range(&self) -> (f32, f32) {
        (self.low, self.high)
    }

    /// Checks a grid that was read from a file.
    ///
    /// # Errors
    /// One sentence with the setting and what is allowed.
    pub fn validate(&self) -> Result<(), QuantizeError> {
        check_positive("clip", self.scheme.clip)?;
        check_positive("step", self.step as f32)?;
        check_values(&[self.low, self.high])?;
        if self.low <= self.high {
            return Ok(());
        }
        Err(QuantizeError::Setting {
            field: "the upper end of the range",
            value: self.high,
            allowed: "the lower end and more",
        })
    }

    fn is_point(&self) -> bool {
        self.low == self.high
    }

    /// What the integers 0 to m are counted from: the stored integer that means the middle.
    fn zero(&self) -> i32 {
        match (self.scheme.formula, self.scheme.sign) {
            (Formula::Paper, Sign::Unsigned) => -1,
            _ => 0,
        }
    }

    /// A clipped weight in steps from the middle of the range.
    fn in_steps(&self, weight: f32) -> f32 {
        let clipped = weight.clamp(self.low, self.high);
        let scaled = match self.scheme.range {
            Range::Asymmetric => 2.0 * (clipped - self.low) / (self.high - self.low) - 1.0,
            Range::Global | Range::Symmetric => clipped,
        };
        (f64::from(scaled) / self.step) as f32
    }

    fn value_at(&self, steps: i32) -> f32 {
        let value = (f64::from(steps) * self.step) as f32;
        match (self.scheme.range, self.scheme.formula) {
            (Range::Asymmetric, Formula::Published) => {
                let share = (value.clamp(-1.0, 1.0) + 1.0) / 2.0;
                (share * (self.high - self.low) + self.low).clamp(self.low, self.high)
            }
            (Range::Asymmetric, Formula::Paper) => {
                (value + 1.0) / 2.0 * (self.high - self.low) + self.low
            }
            (_, Formula::Published) => value.clamp(self.low, self.high),
            (_, Formula::Paper) => value,
        }
    }
}

impl Quantizer for FixedPointGrid {
    fn width(&self) -> BitWidth {
        self.scheme.width
    }

    fn encode(&self, weight: f32) -> i8 {
        if self.is_point() {
            return 0;
        }
        let (steps, half) = (self.in_steps(weight), self.scheme.width.half());
        let largest = (half - 1) as f32;
        let cut = match (self.scheme.formula, self.scheme.sign) {
            // The offset is added, and the sum limited, before the fraction goes.
            (Formula::Published, Sign::Unsigned) => {
                let code = (steps + half as f32).min(2.0 * half as f32 - 1.0);
                match self.scheme.fraction {
                    Fraction::Truncated => code.trunc(),
                    Fraction::Rounded => code.round_ties_even(),
                }
                .max(0.0)
                    - half as f32
            }
            (Formula::Published, Sign::Signed) => match self.scheme.fraction {
                Fraction::Truncated => steps.min(largest).trunc(),
                Fraction::Rounded => steps.min(largest).round_ties_even(),
            },
            (Formula::Paper, _) => match self.scheme.fraction {
                Fraction::Truncated => steps.floor(),
                Fraction::Rounded => steps.round_ties_even(),
            },
        };
        let (low, high) = self.scheme.width.range();
        (cut as i32 + self.zero()).clamp(i32::from(low), i32::from(high)) as i8
    }

    fn decode(&self, stored: i8) -> f32 {
        if self.is_point() {
            return self.low;
        }
        let (low, high) = self.scheme.width.range();
        let stored = match self.scheme.formula {
            Formula::Published => stored.clamp(low, high),
            Formula::Paper => stored,
        };
        self.value_at(i32::from(stored) - self.zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(bits: u32) -> BitWidth {
        BitWidth::new(bits).unwrap()
    }

    /// Weights at every thousandth of [-1, 1].
    fn ramp() -> Vec<f32> {
        (-1000..=1000).map(|i| i as f32 / 1000.0).collect()
    }

    fn used(scheme: FixedPoint) -> (i8, i8) {
        let stored = scheme.fit(&ramp()).unwrap().quantize(&ramp()).stored;
        (*stored.iter().min().unwrap(), *stored.iter().max().unwrap())
    }

    #[test]
    fn the_published_formulas_never_write_code_0_and_truncation_loses_the_largest_weight() {
        for width in BitWidth::ALL {
            let (low, high) = width.range();
            let rquant = FixedPoint::rquant(width, 1.0);
            assert_eq!(used(rquant), (low + 1, high), "{width} bits, rounded");
            let truncated = FixedPoint {
                fraction: Fraction::Truncated,
                ..rquant
            };
            assert_eq!(
                used(truncated),
                (low + 1, high - 1),
                "{width} bits, truncated"
            );
        }
    }

    #[test]
    fn the_papers_offset_never_writes_the_largest_code() {
        for width in BitWidth::ALL {
            let (low, high) = width.range();
            let paper = FixedPoint {
                formula: Formula::Paper,
                ..FixedPoint::rquant(width, 1.0)
            };
            assert_eq!(used(paper), (low, high - 1), "{width} bits");
            let grid = paper.fit(&ramp()).unwrap();
            assert_eq!((grid.fake(-1.0), grid.fake(1.0)), (-1.0, 1.0));
            // A signed cast has no offset.
            let signed = FixedPoint {
                sign: Sign::Signed,
                ..paper
            };
            assert_eq!(used(signed), (low + 1, high), "{width} bits, signed");
        }
    }

    #[test]
    fn signed_casts_cut_toward_zero_and_unsigned_ones_downward() {
        let unsigned = FixedPoint::normal(bits(4), 1.0);
        let signed = FixedPoint {
            sign: Sign::Signed,
            ..unsigned
        };
        let weights = [-1.0, -0.5, -0.05, 0.05, 0.5];
        // The largest weight is left out: whether 1 / (1 / 7) is 7 is floating point's affair.
        let stored = |s: FixedPoint| s.fit(&weights).unwrap().quantize(&weights[1..]).stored;
        assert_eq!(stored(unsigned), [-4, -1, 0, 3]);
        assert_eq!(stored(signed), [-3, 0, 0, 3]);
    }

    #[test]
    fn a_flip_never_leads_out_of_the_range_with_the_published_formulas() {
        for width in BitWidth::ALL {
            for scheme in [
                FixedPoint::global(width, 0.3),
                FixedPoint::normal(width, 1.0),
                FixedPoint::rquant(width, 1.0),
            ] {
                let grid = scheme.fit(&[-0.2, 0.1, 0.05]).unwrap();
                let (low, high) = grid.range();
                for stored in i8::MIN..=i8::MAX {
                    assert!((low..=high).contains(&grid.decode(stored)));
                }
            }
        }
    }

    #[test]
    fn a_constant_tensor_is_stored_and_read_back() {
        for constant in [0.0, 0.7, -0.25] {
            for formula in [Formula::Published, Formula::Paper] {
                let scheme = FixedPoint {
                    formula,
                    ..FixedPoint::rquant(bits(4), 1.0)
                };
                let quantized = scheme.fit(&[constant; 5]).unwrap().quantize(&[constant; 5]);
                assert_eq!(quantized.values, [constant; 5]);
            }
        }
        let zeros = FixedPoint {
            formula: Formula::Paper,
            ..FixedPoint::normal(bits(4), 1.0)
        };
        assert_eq!(zeros.requantized(&[0.0; 2], 1).unwrap(), [0.0; 2]);
    }

    #[test]
    fn bad_settings_and_tensors_are_refused_with_a_sentence() {
        let message = |clip, weights: &[f32]| {
            let scheme = FixedPoint::rquant(bits(8), clip);
            scheme.fit(weights).unwrap_err().to_string()
        };
        assert!(message(0.0, &[1.0]).starts_with("clip is 0;"));
        assert!(message(f32::NAN, &[1.0]).starts_with("clip is NaN;"));
        assert!(message(1.0, &[]).contains("without values"));
        assert!(message(1.0, &[0.0, 0.0, f32::NEG_INFINITY]).contains("value 2"));
    }
}
