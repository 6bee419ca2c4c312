//! How a network is trained.

use super::activations::ActivationOptions;
use super::adversarial::Adversarial;
use super::methods::{Clipping, Perturbation};
use super::quantizer::{QuantizerName, WcatOptions};
use crate::data::Augmentation;
use crate::network::Precision;
use crate::quantize::{AllowedRanges, BitWidth, Formula, Granularity, Placement};
use brownout_spec::code::CodeName;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use thiserror::Error;

/// How the learning rate goes over the steps of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// A short linear warm-up, then half a cosine down to zero (Loshchilov and Hutter,
    /// "SGDR", 2017, equation 5 without restarts).
    #[default]
    Cosine,
    /// A tenth after each of 2/5, 3/5 and 4/5 of the steps (Stutz et al., MLSys 2021).
    Steps,
    /// Always the peak.
    Constant,
}

/// Which parameters the L2 penalty is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Weights alone.
    #[default]
    Weights,
    /// Biases and gains as well, as in the papers.
    All,
}

/// Settings of a training run; together with the data they determine every bit of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingOptions {
    /// Seed of initial weights, of the order of images and of disturbed cells.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step, a multiple of `chunk`.
    pub batch: usize,
    /// Images that are normalised together and processed by one thread.
    pub chunk: usize,
    /// Peak learning rate.
    pub learning_rate: f32,
    /// How the learning rate goes.
    pub schedule: Schedule,
    /// Momentum of the gradient.
    pub momentum: f32,
    /// Whether the momentum looks ahead (Nesterov).
    pub nesterov: bool,
    /// Strength of the L2 penalty.
    pub weight_decay: f32,
    /// What the penalty is on.
    pub decay: Decay,
    /// In what numbers convolutions multiply, forward and backward.
    #[serde(skip_serializing_if = "Precision::is_single")]
    pub precision: Precision,
    /// Share of the label that is spread over all classes: (1 − ε)·onehot + ε/K.
    pub label_smoothing: f32,
    /// Bits of a weight, 2 to 8.
    pub weight_bits: BitWidth,
    /// What makes stored integers of weights.
    pub quantizer: QuantizerName,
    /// Whose formulas the RQuant family follows, the published code's or the paper's.
    #[serde(skip_serializing_if = "Formula::is_published")]
    pub formula: Formula,
    /// Settings of the quantizer `wcat`.
    pub wcat: WcatOptions,
    /// The code whose range constraint the weights will satisfy.
    pub code: CodeName,
    /// Which places of the code's words weights are for; all but `channel` is laboratory only.
    #[serde(skip_serializing_if = "Placement::is_channel")]
    pub placement: Placement,
    /// Which weights share a grid.
    pub granularity: Granularity,
    /// Share of the steps before quantization begins.
    pub float_share: f32,
    /// Share of the steps at the end with frozen statistics and ranges.
    pub frozen_share: f32,
    /// What becomes of activations.
    pub activations: ActivationOptions,
    /// What is done to the images of each epoch.
    #[serde(skip_serializing_if = "Augmentation::is_none")]
    pub augmentation: Augmentation,
    /// Weight clipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clipping>,
    /// Training on disturbed weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perturbation: Option<Perturbation>,
    /// Training on weights with adversarial bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adversarial: Option<Adversarial>,
    /// No progress bar.
    #[serde(skip)]
    pub quiet: bool,
}

impl Default for TrainingOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            epochs: 5,
            batch: 64,
            chunk: 32,
            learning_rate: 0.1,
            schedule: Schedule::Cosine,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 1e-4,
            decay: Decay::Weights,
            precision: Precision::Single,
            label_smoothing: 0.0,
            weight_bits: BitWidth::EIGHT,
            quantizer: QuantizerName::LeastError,
            formula: Formula::Published,
            wcat: WcatOptions::default(),
            code: CodeName::Inplace64_57,
            placement: Placement::Channel,
            granularity: Granularity::Tensor,
            float_share: 0.4,
            frozen_share: 0.2,
            activations: ActivationOptions::default(),
            augmentation: Augmentation::default(),
            clip: None,
            perturbation: None,
            adversarial: None,
            quiet: false,
        }
    }
}

/// A setting outside what is allowed.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{field} is {value}; allowed is {allowed}")]
pub struct OptionsError {
    /// Name of the setting.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

/// Passes a setting that is allowed.
///
/// # Errors
/// One sentence with the setting, its value and what is allowed.
pub(super) fn check(
    ok: bool,
    field: &'static str,
    value: impl Display,
    allowed: &str,
) -> Result<(), OptionsError> {
    if ok {
        return Ok(());
    }
    Err(OptionsError {
        field,
        value: value.to_string(),
        allowed: allowed.to_owned(),
    })
}

impl TrainingOptions {
    /// The integers that weights may be stored as.
    pub(super) fn allowed(&self) -> AllowedRanges {
        AllowedRanges::new(self.code, self.weight_bits, self.placement)
    }

    /// Checks every setting; the first that is not allowed is named.
    ///
    /// # Errors
    /// One sentence with the setting, its value and what is allowed.
    pub fn validate(&self) -> Result<(), OptionsError> {
        let share = 0.0..1.0;
        check(
            (1..=10_000).contains(&self.epochs),
            "epochs",
            self.epochs,
            "1 to 10000",
        )?;
        check(
            (1..=1024).contains(&self.chunk),
            "chunk",
            self.chunk,
            "1 to 1024",
        )?;
        check(
            (1..=65_536).contains(&self.batch) && self.batch.is_multiple_of(self.chunk),
            "batch",
            self.batch,
            &format!("a multiple of the chunk, {}, up to 65536", self.chunk),
        )?;
        check(
            self.learning_rate > 0.0 && self.learning_rate <= 10.0,
            "learning rate",
            self.learning_rate,
            "above 0, up to 10",
        )?;
        check(
            share.contains(&self.momentum),
            "momentum",
            self.momentum,
            "0 to below 1",
        )?;
        check(
            share.contains(&self.weight_decay),
            "weight decay",
            self.weight_decay,
            "0 to below 1",
        )?;
        check(
            share.contains(&self.label_smoothing),
            "label smoothing",
            self.label_smoothing,
            "0 to below 1",
        )?;
        check(
            share.contains(&self.float_share)
                && share.contains(&self.frozen_share)
                && self.float_share + self.frozen_share < 1.0,
            "float share plus frozen share",
            self.float_share + self.frozen_share,
            "0 to below 1, so that quantized steps remain",
        )?;
        check(
            self.augmentation.validate().is_ok(),
            "augmentation",
            self.augmentation,
            "crop and cutout of up to 256 pixels",
        )?;
        check(
            self.code.supports(self.weight_bits.lane()),
            "weight bits",
            self.weight_bits,
            &format!("4 or fewer with code {}", self.code),
        )?;
        check(
            self.quantizer.is_symmetric() || !self.code.is_in_place(),
            "quantizer",
            self.quantizer,
            &format!(
                "least-error, symmetric, wcat or lsq with code {}, which constrains weights around zero",
                self.code
            ),
        )?;
        check(
            self.formula.is_published() || self.quantizer.has_formulas(),
            "formula",
            "paper",
            &format!(
                "published with quantizer {}, which is not of the RQuant family",
                self.quantizer
            ),
        )?;
        check(
            self.placement.is_channel() || self.code.is_in_place(),
            "placement",
            self.placement,
            &format!(
                "channel with code {}, which constrains no weight",
                self.code
            ),
        )?;
        self.wcat.validate()?;
        self.activations.validate()?;
        if let Some(clip) = &self.clip {
            clip.validate()?;
        }
        if let Some(perturbation) = &self.perturbation {
            perturbation.validate(self)?;
        }
        match &self.adversarial {
            Some(adversarial) => adversarial.validate(self),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_setting_is_named() {
        type Change = fn(&mut TrainingOptions);
        let cases: [(Change, &str); 13] = [
            (|o| o.epochs = 0, "epochs is 0"),
            (|o| o.batch = 33, "batch is 33"),
            (|o| o.learning_rate = f32::NAN, "learning rate is NaN"),
            (|o| o.momentum = 1.0, "momentum is 1"),
            (|o| o.float_share = 0.9, "float share plus frozen share"),
            (|o| o.code = CodeName::Inplace32_26, "weight bits is 8"),
            (|o| o.label_smoothing = -0.1, "label smoothing is -0.1"),
            (
                |o| o.quantizer = QuantizerName::Rquant,
                "quantizer is rquant",
            ),
            (
                |o| o.formula = Formula::Paper,
                "formula is paper; allowed is published with quantizer least-error",
            ),
            (|o| o.wcat.decay = f32::INFINITY, "wcat.decay is inf"),
            (
                |o| {
                    o.placement = Placement::Spread;
                    o.code = CodeName::Secded72_64;
                },
                "placement is spread; allowed is channel",
            ),
            (
                |o| {
                    o.placement = Placement::Spread;
                    o.perturbation = Some(Perturbation::default());
                    o.perturbation.as_mut().unwrap().memory.decode = true;
                },
                "perturbation.memory.decode is true; allowed is false",
            ),
            (
                |o| {
                    o.clip = Some(Clipping {
                        range: 0.0,
                        ..Clipping::default()
                    })
                },
                "clip.range is 0",
            ),
        ];
        for (change, expected) in cases {
            let mut options = TrainingOptions::default();
            change(&mut options);
            let message = options.validate().unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
        }
    }
}
