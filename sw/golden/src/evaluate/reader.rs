//! The weights as a failing memory's decoder reads them, and what was counted.

use super::run::EvaluateError;
use super::subject::Subject;
use crate::infer::{Memory, Reading};
use crate::quantize::{BitWidth, Exposure};
use crate::quantized::{MemoryRules, StoredMemory};
use brownout_spec::fault::{ChipFaults, FaultMap, FaultMode};
use brownout_spec::image::WeightImage;
use brownout_spec::quantity::Pass;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// What was counted while a chip's words were read; sums over its reads.
///
/// All but the last count whole words, padding and sign copies included, as the
/// hardware's registers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Times that all words were read.
    pub reads: u64,
    /// Words read.
    pub words: u64,
    /// Words in which at least one cell was disturbed.
    pub disturbed_words: u64,
    /// Cells that were disturbed.
    pub flipped_bits: u64,
    /// Words in which the decoder inverted a lane.
    pub corrected: u64,
    /// Words with a detected, uncorrected error.
    pub detected: u64,
    /// Words that the decoder changed into another code word than the stored one.
    pub miscorrected: u64,
    /// Words with errors that looked like a clean word.
    pub undetected: u64,
    /// Information bits that were read wrong, after correction and policy.
    pub residual_bit_errors: u64,
    /// Bits of weights, without padding and within the exposure, that the network computed
    /// with and that are not the stored ones.
    pub weight_bit_errors: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.reads += other.reads;
        self.words += other.words;
        self.disturbed_words += other.disturbed_words;
        self.flipped_bits += other.flipped_bits;
        self.corrected += other.corrected;
        self.detected += other.detected;
        self.miscorrected += other.miscorrected;
        self.undetected += other.undetected;
        self.residual_bit_errors += other.residual_bit_errors;
        self.weight_bit_errors += other.weight_bit_errors;
    }
}

/// A subject's weights in a memory.
pub(crate) struct Reader {
    rules: MemoryRules,
    width: BitWidth,
    stored: Vec<Vec<i8>>,
    image: WeightImage,
}

impl Reader {
    pub fn new(subject: &Subject, rules: MemoryRules) -> Result<Self, EvaluateError> {
        let memory = StoredMemory::new(rules, subject.width(), subject.weight_shapes())?;
        let stored = subject.tensors();
        let image = WeightImage::encode(memory.layout().clone(), &stored);
        Ok(Self {
            rules,
            width: subject.width(),
            image: image.map_err(|e| EvaluateError::Memory(e.into()))?,
            stored,
        })
    }

    /// The weights as they were meant.
    pub fn stored(&self) -> &[Vec<i8>] {
        &self.stored
    }

    /// Words and bits of a word.
    pub fn size(&self) -> (usize, usize) {
        (self.image.words().len(), self.image.layout().code().n())
    }

    pub fn memory(&self, faults: ChipFaults) -> Result<Memory, EvaluateError> {
        Ok(Memory::new(self.image.clone(), faults)?)
    }

    pub fn memory_with_map(&self, map: &FaultMap) -> Result<Memory, EvaluateError> {
        let faults = ChipFaults {
            seed: Default::default(),
            mode: FaultMode::Map,
            threshold: Default::default(),
        };
        Ok(Memory::with_map(self.image.clone(), map, faults)?)
    }

    /// All weights, read once, and what was counted.
    pub fn read(&self, memory: &Memory, pass: Pass) -> (Vec<Vec<i8>>, Counters) {
        let Reading {
            mut tensors,
            counts,
            truth,
        } = memory.read(pass, self.rules.policy);
        let mut counters = Counters {
            reads: 1,
            words: counts.words,
            disturbed_words: counts.disturbed_words,
            flipped_bits: counts.flipped_bits,
            corrected: counts.corrected,
            detected: counts.detected,
            miscorrected: truth.miscorrected,
            undetected: truth.undetected,
            residual_bit_errors: truth.residual_bit_errors,
            weight_bit_errors: 0,
        };
        // Cells of a map are inverted when the image is written, and not counted when it is read.
        for (written, meant) in memory.written().words().iter().zip(self.image.words()) {
            let flips = written.0 ^ meant.0;
            counters.disturbed_words += u64::from(flips != 0);
            counters.flipped_bits += u64::from(flips.count_ones());
        }
        let weights = tensors.iter_mut().flatten();
        for (read, &stored) in weights.zip(self.stored.iter().flatten()) {
            let flips = (*read ^ stored).cast_unsigned();
            if flips == 0 {
                continue;
            }
            if self.rules.exposure == Exposure::LiveBits {
                *read = Exposure::LiveBits.disturb(self.width, stored, flips);
            }
            let wrong = (*read ^ stored).cast_unsigned() & self.rules.exposure.mask(self.width);
            counters.weight_bit_errors += u64::from(wrong.count_ones());
        }
        (tensors, counters)
    }
}
