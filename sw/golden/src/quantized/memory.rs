//! Stored weights in the memory of a chip: packed, disturbed, decoded.
//!
//! The trainer, the evaluator and the hardware read the same words: all of them go
//! through the weight image and the specification's fault function.

use super::StoredWeights;
use crate::infer::{Memory, MemoryError, Reading, Truth};
use crate::quantize::{BitWidth, Exposure};
use brownout_spec::code::{CodeName, Policy, Storage};
use brownout_spec::fault::{ChipFaults, FaultMap, FaultMode};
use brownout_spec::image::{
    EncodeImageError, LayerShape, Layout, LayoutError, ReadCounts, WeightImage,
};
use brownout_spec::quantity::Pass;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How weights lie in the memory, and what its reader does about errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryRules {
    /// Rows of the array that the image is cut for.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// The code that words are encoded with and decoded by; `none` reads them as they are.
    pub code: CodeName,
    /// In which form words lie in the memory; files that do not say it are from before there was
    /// more than one.
    #[serde(
        rename = "coset",
        default = "plain",
        skip_serializing_if = "Storage::is_plain"
    )]
    pub storage: Storage,
    /// What becomes of detected words.
    pub policy: Policy,
    /// Which bits faults reach: only without a code can it be less than the whole lane.
    pub exposure: Exposure,
}

fn plain() -> Storage {
    Storage::Plain
}

/// Why stored weights cannot be read from such a memory.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StoredMemoryError {
    /// They have no layout on such an array.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A weight is outside the range that the code leaves it.
    #[error(transparent)]
    Encode(#[from] EncodeImageError),
    /// The fault map does not fit, or is missing.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A code over bits that faults cannot reach.
    #[error(
        "code {0} protects whole words; allowed with faults in {live} is code none",
        live = Exposure::LiveBits
    )]
    Exposure(CodeName),
    /// A policy that needs constrained weights.
    #[error("policy {policy} has no meaning with code {code}", policy = policy.as_str())]
    Policy {
        /// The policy.
        policy: Policy,
        /// The code.
        code: CodeName,
    },
}

/// The memory of a network's weights; see [`MemoryRules`].
#[derive(Clone, Debug)]
pub struct StoredMemory {
    rules: MemoryRules,
    width: BitWidth,
    layout: Layout,
}

/// All weights, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredReading {
    /// The integers that are computed with.
    pub weights: StoredWeights,
    /// The hardware's counters.
    pub counts: ReadCounts,
    /// What only the model knows.
    pub truth: Truth,
}

impl StoredMemory {
    /// A memory for tensors of these shapes.
    ///
    /// # Errors
    /// When they have no layout, or the rules contradict each other.
    pub fn new(
        rules: MemoryRules,
        width: BitWidth,
        shapes: Vec<LayerShape>,
    ) -> Result<Self, StoredMemoryError> {
        if rules.exposure == Exposure::LiveBits && rules.code != CodeName::None {
            return Err(StoredMemoryError::Exposure(rules.code));
        }
        if !rules.policy.supported_by(rules.code) {
            return Err(StoredMemoryError::Policy {
                policy: rules.policy,
                code: rules.code,
            });
        }
        let lane = width.lane();
        let (rows, columns) = (rules.rows, rules.columns);
        let layout = Layout::for_array(rows, columns, lane, rules.code, rules.storage, shapes)?;
        Ok(Self {
            rules,
            width,
            layout,
        })
    }

    /// What was asked for.
    pub fn rules(&self) -> &MemoryRules {
        &self.rules
    }

    /// Where each weight's bits lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The words that the weights are stored as.
    ///
    /// # Errors
    /// When a weight is outside the range that the code leaves it.
    pub fn image(&self, stored: &StoredWeights) -> Result<WeightImage, StoredMemoryError> {
        let image = WeightImage::encode(self.layout.clone(), &stored.to_image_order())?;
        Ok(image)
    }

    /// Reads all weights once on a chip.
    ///
    /// # Errors
    /// When a weight is outside the range that the code leaves it, or the mode is `map`.
    pub fn read(
        &self,
        stored: &StoredWeights,
        faults: ChipFaults,
        pass: Pass,
    ) -> Result<StoredReading, StoredMemoryError> {
        let memory = Memory::new(self.image(stored)?, faults)?;
        Ok(self.weights(stored, memory.read(pass, self.rules.policy)))
    }

    /// Reads all weights once with the faults of a map.
    ///
    /// # Errors
    /// When a weight is outside the range that the code leaves it, or the map does not fit.
    pub fn read_with_map(
        &self,
        stored: &StoredWeights,
        map: &FaultMap,
    ) -> Result<StoredReading, StoredMemoryError> {
        let faults = ChipFaults {
            seed: Default::default(),
            mode: FaultMode::Map,
            threshold: Default::default(),
        };
        let memory = Memory::with_map(self.image(stored)?, map, faults)?;
        Ok(self.weights(stored, memory.read(Pass(0), self.rules.policy)))
    }

    fn weights(&self, stored: &StoredWeights, reading: Reading) -> StoredReading {
        let mut weights = stored.with_image_order(&reading.tensors);
        if self.rules.exposure == Exposure::LiveBits {
            let layers = weights.0.iter_mut().flatten();
            for (read, stored) in layers.zip(stored.0.iter().flatten()) {
                for (read, &stored) in read.iter_mut().zip(stored) {
                    let flips = (*read ^ stored).cast_unsigned();
                    *read = self.rules.exposure.disturb(self.width, stored, flips);
                }
            }
        }
        StoredReading {
            weights,
            counts: reading.counts,
            truth: reading.truth,
        }
    }
}
