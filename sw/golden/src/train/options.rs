//! How a network is trained.

use crate::data::Augmentation;
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which weights share a scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    /// All weights of a layer, as in the papers.
    #[default]
    Tensor,
    /// The weights of one output channel.
    Channel,
}

/// Settings of a training run; together with the data they determine every bit of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingOptions {
    /// Seed of initial weights and of the order of images.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step, a multiple of `chunk`.
    pub batch: usize,
    /// Images that are normalised together and processed by one thread.
    pub chunk: usize,
    /// Peak learning rate, reached after a short warm-up; then a cosine down to zero.
    pub learning_rate: f32,
    /// Momentum of the gradient.
    pub momentum: f32,
    /// L2 penalty on weights, not on biases and gains.
    pub weight_decay: f32,
    /// 8 or 4 bit weights.
    pub weight_bits: WeightBits,
    /// The code whose range constraint the weights will satisfy.
    pub code: CodeName,
    /// Which weights share a scale.
    pub granularity: Granularity,
    /// Share of the steps before quantization begins.
    pub float_share: f32,
    /// Share of the steps at the end with frozen statistics and ranges.
    pub frozen_share: f32,
    /// What is done to the images of each epoch.
    #[serde(default, skip_serializing_if = "Augmentation::is_none")]
    pub augmentation: Augmentation,
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
            momentum: 0.9,
            weight_decay: 1e-4,
            weight_bits: WeightBits::Eight,
            code: CodeName::Inplace64_57,
            granularity: Granularity::Tensor,
            float_share: 0.4,
            frozen_share: 0.2,
            augmentation: Augmentation::default(),
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

impl TrainingOptions {
    /// Checks every setting; the first that is not allowed is named.
    ///
    /// # Errors
    /// One sentence with the setting, its value and what is allowed.
    pub fn validate(&self) -> Result<(), OptionsError> {
        let check = |ok: bool, field, value: String, allowed: &str| {
            if ok {
                return Ok(());
            }
            Err(OptionsError {
                field,
                value,
                allowed: allowed.to_owned(),
            })
        };
        let text = |x: f32| x.to_string();
        let share = 0.0..1.0;
        check(
            (1..=10_000).contains(&self.epochs),
            "epochs",
            self.epochs.to_string(),
            "1 to 10000",
        )?;
        check(
            (1..=1024).contains(&self.chunk),
            "chunk",
            self.chunk.to_string(),
            "1 to 1024",
        )?;
        check(
            (1..=65_536).contains(&self.batch) && self.batch.is_multiple_of(self.chunk),
            "batch",
            self.batch.to_string(),
            &format!("a multiple of the chunk, {}, up to 65536", self.chunk),
        )?;
        check(
            self.learning_rate > 0.0 && self.learning_rate <= 10.0,
            "learning rate",
            text(self.learning_rate),
            "above 0, up to 10",
        )?;
        check(
            share.contains(&self.momentum),
            "momentum",
            text(self.momentum),
            "0 to below 1",
        )?;
        check(
            share.contains(&self.weight_decay),
            "weight decay",
            text(self.weight_decay),
            "0 to below 1",
        )?;
        check(
            share.contains(&self.float_share)
                && share.contains(&self.frozen_share)
                && self.float_share + self.frozen_share < 1.0,
            "float share plus frozen share",
            text(self.float_share + self.frozen_share),
            "0 to below 1, so that quantized steps remain",
        )?;
        check(
            self.augmentation.validate().is_ok(),
            "augmentation",
            self.augmentation.to_string(),
            "crop and cutout of up to 256 pixels",
        )?;
        check(
            self.code.supports(self.weight_bits),
            "weight bits",
            self.weight_bits.to_string(),
            &format!("4 with code {}", self.code),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_setting_is_named() {
        type Change = fn(&mut TrainingOptions);
        let cases: [(Change, &str); 6] = [
            (|o| o.epochs = 0, "epochs is 0"),
            (|o| o.batch = 33, "batch is 33"),
            (|o| o.learning_rate = f32::NAN, "learning rate is NaN"),
            (|o| o.momentum = 1.0, "momentum is 1"),
            (|o| o.float_share = 0.9, "float share plus frozen share"),
            (|o| o.code = CodeName::Inplace32_26, "weight bits is 8"),
        ];
        for (change, expected) in cases {
            let mut options = TrainingOptions::default();
            change(&mut options);
            let message = options.validate().unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
        }
    }
}
