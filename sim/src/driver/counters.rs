//! What a pass gives back.

use brownout_spec::image::ReadCounts;
use brownout_spec::quantity::WordAddress;

/// What the hardware counted during one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Clocks from the start command to the last result.
    pub cycles: u64,
    /// Clocks in which an activation entered row 0.
    pub busy: u64,
    /// Code words read.
    pub words_read: u64,
    /// Words in which the decoder corrected a bit.
    pub corrected: u64,
    /// Words with a detected, uncorrected error.
    pub detected: u64,
    /// Address of the last such word, 0 where there was none.
    pub last_detected: u64,
    /// Words in which the fault emulation flipped a bit; 0 without emulation.
    pub disturbed: u64,
    /// Bits flipped by the fault emulation; 0 without emulation.
    pub flipped: u64,
}

impl Counters {
    /// The counters that the specification predicts.
    pub fn predicted(cycles: u64, busy: u64, counts: &ReadCounts) -> Self {
        Self {
            cycles,
            busy,
            words_read: counts.words,
            corrected: counts.corrected,
            detected: counts.detected,
            last_detected: u64::from(counts.last_detected.unwrap_or(WordAddress(0)).0),
            disturbed: counts.disturbed_words,
            flipped: counts.flipped_bits,
        }
    }

    /// Every counter with its name.
    pub fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("cycles", self.cycles),
            ("busy cycles", self.busy),
            ("words read", self.words_read),
            ("corrected words", self.corrected),
            ("detected words", self.detected),
            ("address of the last detected word", self.last_detected),
            ("disturbed words", self.disturbed),
            ("flipped bits", self.flipped),
        ]
    }
}

/// One image's results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRun {
    /// Outputs of the last layer.
    pub logits: Vec<i32>,
    /// What was counted.
    pub counters: Counters,
}
