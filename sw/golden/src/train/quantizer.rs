//! What makes stored integers of one layer's weights in the course of a run.

use super::options::{OptionsError, TrainingOptions, check};
use crate::quantize::expected_error::Faults;
use crate::quantize::fixed_point::{FixedPoint, Formula, Fraction, Range, Sign};
use crate::quantize::wcat::{GradientScale, StepRule, WcatRules, WeightGradient};
use crate::quantize::{
    BitWidth, Exposure, Granularity, Grid, Lsq, QuantizeError, RangeInitialization, Throttle,
    Uniform, Wcat, WeightGrid, are_zeros,
};
use brownout_spec::quantity::BitErrorRate;
use ndarray::Array4;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A quantizer by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuantizerName {
    /// Symmetric and rounded; the step with the least squared error is chosen when
    /// quantization begins, and kept.
    #[default]
    LeastError,
    /// Symmetric and rounded; max|w| is the largest integer, at every step anew.
    Symmetric,
    /// RQuant family: one range for all layers, that of clipping (±1 without); truncated.
    Global,
    /// RQuant family: a range per tensor, symmetric; truncated. The papers' "Normal".
    Normal,
    /// RQuant family: asymmetric, signed; truncated.
    Asymmetric,
    /// RQuant family: asymmetric, unsigned; truncated.
    Unsigned,
    /// RQuant: asymmetric, unsigned, rounded.
    Rquant,
    /// RQuant family: symmetric, rounded.
    SymmetricRounded,
    /// A learned range (WCAT).
    Wcat,
    /// A learned step (LSQ).
    Lsq,
}

impl QuantizerName {
    /// Every quantizer.
    pub const ALL: [Self; 10] = [
        Self::LeastError,
        Self::Symmetric,
        Self::Global,
        Self::Normal,
        Self::Asymmetric,
        Self::Unsigned,
        Self::Rquant,
        Self::SymmetricRounded,
        Self::Wcat,
        Self::Lsq,
    ];

    /// The name in files and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeastError => "least-error",
            Self::Symmetric => "symmetric",
            Self::Global => "global",
            Self::Normal => "normal",
            Self::Asymmetric => "asymmetric",
            Self::Unsigned => "unsigned",
            Self::Rquant => "rquant",
            Self::SymmetricRounded => "symmetric-rounded",
            Self::Wcat => "wcat",
            Self::Lsq => "lsq",
        }
    }

    /// Whether its grid is one of equal steps around zero, which in-place codes need and
    /// hardware runs.
    pub fn is_symmetric(self) -> bool {
        matches!(
            self,
            Self::LeastError | Self::Symmetric | Self::Wcat | Self::Lsq
        )
    }

    /// Whether it is one of the RQuant family, whose formulas differ between paper and code.
    pub fn has_formulas(self) -> bool {
        self.fixed_point(BitWidth::EIGHT, 1.0, Formula::Published)
            .is_some()
    }

    /// The scheme of one of the RQuant family, where `clip` is the range that weights are
    /// clipped to.
    fn fixed_point(self, width: BitWidth, clip: f32, formula: Formula) -> Option<FixedPoint> {
        let (range, sign, fraction) = match self {
            Self::Global => (Range::Global, Sign::Unsigned, Fraction::Truncated),
            Self::Normal => (Range::Symmetric, Sign::Unsigned, Fraction::Truncated),
            Self::Asymmetric => (Range::Asymmetric, Sign::Signed, Fraction::Truncated),
            Self::Unsigned => (Range::Asymmetric, Sign::Unsigned, Fraction::Truncated),
            Self::Rquant => (Range::Asymmetric, Sign::Unsigned, Fraction::Rounded),
            Self::SymmetricRounded => (Range::Symmetric, Sign::Unsigned, Fraction::Rounded),
            Self::LeastError | Self::Symmetric | Self::Wcat | Self::Lsq => return None,
        };
        Some(FixedPoint {
            width,
            clip,
            range,
            sign,
            fraction,
            formula,
        })
    }
}

impl fmt::Display for QuantizerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for QuantizerName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|q| q.as_str() == name);
        found.ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!("quantizer {name:?} is unknown; allowed are {all}")
        })
    }
}

/// How WCAT's first range is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstRange {
    /// The largest magnitude.
    MaxAbs,
    /// The least squared error.
    #[default]
    LeastError,
    /// The least expected squared error at [`WcatOptions::expected_rate`].
    LeastExpectedError,
}

/// Settings of WCAT (Chitsaz et al., TMLR 2023).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WcatOptions {
    /// What a step is, paper or published code.
    pub step: StepRule,
    /// The gradient of clipped weights.
    pub weight_gradient: WeightGradient,
    /// What the range's gradient is multiplied with.
    pub gradient_scale: GradientScale,
    /// How the first range is found.
    pub initialization: FirstRange,
    /// The rate that the least expected error is for.
    pub expected_rate: BitErrorRate,
    /// λ of the L2 penalty on ranges; it is not scaled with their gradient.
    pub decay: f32,
}

impl Default for WcatOptions {
    fn default() -> Self {
        Self {
            step: StepRule::default(),
            weight_gradient: WeightGradient::default(),
            gradient_scale: GradientScale::default(),
            initialization: FirstRange::default(),
            expected_rate: BitErrorRate::new(1e-3).expect("0.1 % is a rate"),
            decay: 0.01,
        }
    }
}

impl WcatOptions {
    pub(super) fn validate(&self) -> Result<(), OptionsError> {
        check(
            self.expected_rate.get() <= 0.5,
            "wcat.expected_rate",
            self.expected_rate.get(),
            "0 to 0.5",
        )?;
        check(
            (0.0..1.0).contains(&self.decay),
            "wcat.decay",
            self.decay,
            "0 to below 1",
        )
    }

    fn rules(&self) -> WcatRules {
        WcatRules {
            step: self.step,
            weight_gradient: self.weight_gradient,
            gradient_scale: self.gradient_scale,
        }
    }

    fn first_range(&self) -> RangeInitialization {
        match self.initialization {
            FirstRange::MaxAbs => RangeInitialization::MaxAbs,
            FirstRange::LeastError => RangeInitialization::LeastError,
            FirstRange::LeastExpectedError => RangeInitialization::LeastExpectedError(Faults {
                rate: self.expected_rate,
                exposure: Exposure::LiveBits,
            }),
        }
    }
}

/// The quantizer of one layer, with what it has learned.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerQuantizer {
    /// A grid that stays.
    Fixed(WeightGrid),
    /// The grid is fitted to the weights at every step.
    Fitted,
    /// Learned ranges: one, or one for each output channel.
    Wcat(Vec<Wcat>),
    /// Learned steps: one, or one for each output channel.
    Lsq(Vec<Lsq>),
}

impl LayerQuantizer {
    /// The quantizer of a layer whose weights are these when quantization begins.
    ///
    /// # Errors
    /// When the weights cannot be quantized: they are not finite.
    pub fn begin(weight: &Array4<f32>, options: &TrainingOptions) -> Result<Self, QuantizeError> {
        let width = options.weight_bits;
        Ok(match options.quantizer {
            QuantizerName::LeastError => {
                let ranges = options.allowed();
                let granularity = options.granularity;
                let grid = WeightGrid::least_error(weight, width, &ranges, granularity);
                Self::Fixed(grid)
            }
            QuantizerName::Wcat => {
                let (first, rules) = (options.wcat.first_range(), options.wcat.rules());
                let fit = |w: &[f32]| first.wcat(w, width, rules);
                Self::Wcat(begin_parts(weight, options.granularity, fit, Wcat::alpha)?)
            }
            QuantizerName::Lsq => {
                let fit = |w: &[f32]| Lsq::fit(width, w);
                let step = |lsq: &Lsq| lsq.learned.step();
                Self::Lsq(begin_parts(weight, options.granularity, fit, step)?)
            }
            _ => Self::Fitted,
        })
    }

    /// The quantizer of a layer that has a grid already: one that stays, or what is learned begins
    /// with its steps. Learned ranges and steps use all integers of the width.
    ///
    /// # Errors
    /// A step that no quantizer has.
    pub(super) fn begin_on(
        own: &WeightGrid,
        options: &TrainingOptions,
    ) -> Result<Self, QuantizeError> {
        let width = options.weight_bits;
        let steps = || own.steps(own.len()).unwrap_or_default().into_iter();
        Ok(match options.quantizer {
            QuantizerName::Wcat => {
                let rules = options.wcat.rules();
                // A step is proportional to its range.
                let unit = Wcat::new(width, 1.0, rules)?.grid().step();
                let ranges = steps().map(|step| Wcat::new(width, step / unit, rules));
                Self::Wcat(ranges.collect::<Result<_, _>>()?)
            }
            QuantizerName::Lsq => {
                let steps = steps().map(|step| Lsq::new(width, step));
                Self::Lsq(steps.collect::<Result<_, _>>()?)
            }
            _ => Self::Fixed(own.clone()),
        })
    }

    /// The grid for these weights.
    ///
    /// # Errors
    /// When the weights cannot be quantized: they are not finite.
    pub fn grid(
        &self,
        weight: &Array4<f32>,
        options: &TrainingOptions,
    ) -> Result<WeightGrid, QuantizeError> {
        let width = options.weight_bits;
        match self {
            Self::Fixed(grid) => Ok(grid.clone()),
            Self::Wcat(ranges) => {
                let grids = ranges.iter().map(|wcat| Grid::Uniform(wcat.grid()));
                Ok(WeightGrid::channels(grids.collect()))
            }
            Self::Lsq(steps) => {
                let grids = steps
                    .iter()
                    .map(|lsq| Uniform::new(width, lsq.learned.step()).map(Grid::Uniform));
                Ok(WeightGrid::channels(grids.collect::<Result<_, _>>()?))
            }
            Self::Fitted => {
                // The paper's "no clipping" is a range of ±1.
                let clip = options.clip.map_or(1.0, |clip| clip.range);
                let scheme = options.quantizer.fixed_point(width, clip, options.formula);
                WeightGrid::fit(weight, options.granularity, |weights| match scheme {
                    Some(scheme) => scheme.fit(weights).map(Grid::FixedPoint),
                    None => Uniform::symmetric(width, weights).map(Grid::Uniform),
                })
            }
        }
    }

    /// Which weights out of range are scaled into it.
    pub fn throttle(&self) -> Throttle {
        match self {
            Self::Fixed(_) => Throttle::All,
            Self::Fitted | Self::Wcat(_) | Self::Lsq(_) => Throttle::Constrained,
        }
    }

    /// Turns the gradient of the quantized weights into that of the weights, in place, and
    /// returns the gradients of what is learned.
    ///
    /// # Panics
    /// If `gradient` has another length than the weights.
    pub fn backward(&self, weight: &Array4<f32>, gradient: &mut [f32]) -> Vec<f32> {
        let weights = weight.as_slice().expect("weights are in standard layout");
        let learned = match self {
            Self::Fixed(_) | Self::Fitted => return Vec::new(),
            Self::Wcat(ranges) => ranges.len(),
            Self::Lsq(steps) => steps.len(),
        };
        let length = weights.len() / learned;
        let parts = weights
            .chunks_exact(length)
            .zip(gradient.chunks_exact_mut(length));
        let parts = parts.enumerate();
        parts
            .map(|(part, (weights, gradient))| match self {
                Self::Wcat(ranges) => ranges[part].backward(weights, gradient),
                Self::Lsq(steps) => steps[part].learned.backward(weights, gradient),
                Self::Fixed(_) | Self::Fitted => 0.0,
            })
            .collect()
    }

    /// What is learned: ranges or steps.
    pub fn learned(&self) -> Vec<f32> {
        match self {
            Self::Fixed(_) | Self::Fitted => Vec::new(),
            Self::Wcat(ranges) => ranges.iter().map(Wcat::alpha).collect(),
            Self::Lsq(steps) => steps.iter().map(|s| s.learned.step()).collect(),
        }
    }

    /// Adds to what is learned; the result stays positive.
    pub fn learn(&mut self, changes: &[f32]) {
        match self {
            Self::Fixed(_) | Self::Fitted => {}
            Self::Wcat(ranges) => {
                let all = ranges.iter_mut().zip(changes);
                all.for_each(|(range, &change)| range.learn(change));
            }
            Self::Lsq(steps) => {
                let all = steps.iter_mut().zip(changes);
                all.for_each(|(step, &change)| step.learned.learn(change));
            }
        }
    }

    /// The quantizer of a layer that a run goes on with: what was fixed or learned is known.
    ///
    /// # Errors
    /// When it is not allowed, or belongs to another quantizer.
    pub fn resume(
        fixed: Option<WeightGrid>,
        learned: &[f32],
        options: &TrainingOptions,
    ) -> Result<Self, String> {
        let width = options.weight_bits;
        let text = |e: QuantizeError| e.to_string();
        match (options.quantizer, fixed, learned) {
            (QuantizerName::LeastError, Some(grid), []) => Ok(Self::Fixed(grid)),
            (QuantizerName::Wcat, None, [_, ..]) => {
                let rules = options.wcat.rules();
                let ranges = learned.iter().map(|&a| Wcat::new(width, a, rules));
                Ok(Self::Wcat(ranges.collect::<Result<_, _>>().map_err(text)?))
            }
            (QuantizerName::Lsq, None, [_, ..]) => {
                let steps = learned.iter().map(|&s| Lsq::new(width, s));
                Ok(Self::Lsq(steps.collect::<Result<_, _>>().map_err(text)?))
            }
            (QuantizerName::LeastError | QuantizerName::Wcat | QuantizerName::Lsq, ..) => Err(
                format!("the state of quantizer {} is incomplete", options.quantizer),
            ),
            (_, None, []) => Ok(Self::Fitted),
            _ => Err(format!(
                "quantizer {} has no state, but the file has some",
                options.quantizer
            )),
        }
    }
}

/// What learns, one for each part of a layer; a channel of zeros begins with the least of the others,
/// because what it would choose itself means nothing.
fn begin_parts<T: Clone>(
    weight: &Array4<f32>,
    granularity: Granularity,
    fit: impl Fn(&[f32]) -> Result<T, QuantizeError>,
    size: impl Fn(&T) -> f32,
) -> Result<Vec<T>, QuantizeError> {
    let mut all: Vec<T> = parts(weight, granularity)
        .map(fit)
        .collect::<Result<_, _>>()?;
    let zero = parts(weight, granularity).map(are_zeros);
    let zero: Vec<bool> = zero.collect();
    let living = all.iter().zip(&zero).filter(|(_, zero)| !**zero);
    let least = living
        .map(|(of, _)| of)
        .min_by(|a, b| size(a).total_cmp(&size(b)));
    if let Some(least) = least.cloned() {
        for (of, zero) in all.iter_mut().zip(zero) {
            if zero {
                *of = least.clone();
            }
        }
    }
    Ok(all)
}

fn parts(weight: &Array4<f32>, granularity: Granularity) -> impl Iterator<Item = &[f32]> {
    let values = weight.as_slice().expect("weights are in standard layout");
    let parts = match granularity {
        Granularity::Tensor => 1,
        Granularity::Channel => weight.dim().0,
    };
    values.chunks_exact(values.len() / parts)
}
