//! The memory that weights are read from in the course of training.

use super::options::{OptionsError, TrainingOptions, check};
use crate::quantize::Exposure;
use crate::quantized::{ARRAY, MemoryRules};
use brownout_spec::code::{CodeName, Policy, Storage};
use serde::{Deserialize, Serialize};

/// The memory that training reads its disturbed weights from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingMemory {
    /// Rows of the array that the weight image is cut for.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// Whether words are decoded, by the code that constrains the weights; else they are
    /// read as they are, without check bits.
    pub decode: bool,
    /// In which form words that are decoded lie in the memory; read as they are, words are plain.
    #[serde(rename = "coset")]
    pub storage: Storage,
    /// What becomes of detected words.
    pub policy: Policy,
    /// Which bits faults reach.
    pub exposure: Exposure,
}

impl Default for TrainingMemory {
    fn default() -> Self {
        Self {
            rows: ARRAY,
            columns: ARRAY,
            decode: false,
            storage: Storage::default(),
            policy: Policy::Keep,
            exposure: Exposure::WholeLane,
        }
    }
}

impl TrainingMemory {
    /// Checks it; `fields` are what messages call `decode`, `exposure` and `policy`.
    pub(super) fn validate(
        &self,
        options: &TrainingOptions,
        fields: [&'static str; 3],
    ) -> Result<(), OptionsError> {
        let [decode, exposure, policy] = fields;
        check(
            !self.decode || options.code != CodeName::None,
            decode,
            self.decode,
            "false with code none, which decodes nothing",
        )?;
        check(
            !self.decode || options.placement.is_channel(),
            decode,
            self.decode,
            "false with weights that are not placed as the memory places them (placement channel)",
        )?;
        check(
            !(self.exposure == Exposure::LiveBits && self.decode),
            exposure,
            self.exposure,
            "whole-lane where words are decoded",
        )?;
        check(
            self.policy.supported_by(self.rules(options).code),
            policy,
            self.policy.as_str(),
            "keep or zero, or decode = true with an in-place code",
        )
    }

    /// Its rules in a run.
    pub fn rules(&self, options: &TrainingOptions) -> MemoryRules {
        let code = match self.decode {
            true => options.code,
            false => CodeName::None,
        };
        MemoryRules {
            rows: self.rows,
            columns: self.columns,
            code,
            storage: self.storage.with(code),
            policy: self.policy,
            exposure: self.exposure,
        }
    }
}
