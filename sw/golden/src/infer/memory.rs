//! The weight memory of a chip: what is stored, what is read, what went wrong.

use brownout_spec::code::{Codeword, Outcome, Policy};
use brownout_spec::fault::{ChipFaults, FaultMap, FaultMode};
use brownout_spec::image::{ReadCounts, WeightImage};
use brownout_spec::quantity::{Pass, WordAddress};
use std::ops::AddAssign;
use thiserror::Error;

/// A weight image in the memory of one chip at one operating point.
#[derive(Clone, Debug)]
pub struct Memory {
    /// The image as it was meant.
    intended: WeightImage,
    /// The image as the host writes it: a fault map's cells are already inverted.
    written: WeightImage,
    faults: ChipFaults,
}

/// What only the model knows, because it knows what was stored: counts of one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Words that the decoder changed into another code word than the stored one.
    pub miscorrected: u64,
    /// Words with errors that looked like a clean word.
    pub undetected: u64,
    /// Information bits (all lanes of weights but check bits) that were read wrong,
    /// after correction and policy.
    pub residual_bit_errors: u64,
}

impl AddAssign for Truth {
    fn add_assign(&mut self, other: Self) {
        self.miscorrected += other.miscorrected;
        self.undetected += other.undetected;
        self.residual_bit_errors += other.residual_bit_errors;
    }
}

/// All weights, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// One flattened tensor per layer with weights, in image order.
    pub tensors: Vec<Vec<i8>>,
    /// The hardware's counters. Cells of a fault map are not counted as disturbed:
    /// the hardware finds them in the stored word.
    pub counts: ReadCounts,
    /// What the hardware cannot know.
    pub truth: Truth,
}

/// A fault map or a policy that does not fit the image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MemoryError {
    /// A cell of the map does not exist.
    #[error(
        "the fault map names address {address}, lane {lane}; the weight image has {words} words of {bits} bits"
    )]
    Map {
        /// Address of the cell.
        address: u32,
        /// Lane of the cell.
        lane: u8,
        /// Words of the image.
        words: usize,
        /// Bits of a word.
        bits: usize,
    },
    /// The mode `map` needs a map.
    #[error("the fault mode is map, but no fault map was given")]
    NoMap,
}

impl Memory {
    /// An image on a chip whose cells fail as `faults` says.
    ///
    /// # Errors
    /// When the mode is `map`: use [`Memory::with_map`].
    pub fn new(image: WeightImage, faults: ChipFaults) -> Result<Self, MemoryError> {
        if faults.mode == FaultMode::Map {
            return Err(MemoryError::NoMap);
        }
        Ok(Self {
            written: image.clone(),
            intended: image,
            faults,
        })
    }

    /// An image on a chip with an explicit list of faulty cells.
    ///
    /// # Errors
    /// When a cell of the map does not exist.
    pub fn with_map(
        image: WeightImage,
        map: &FaultMap,
        faults: ChipFaults,
    ) -> Result<Self, MemoryError> {
        let (words, bits) = (image.words().len(), image.layout().code().n());
        if let Some((address, lane)) = map.first_outside(words, bits) {
            return Err(MemoryError::Map {
                address: address.0,
                lane: lane.0,
                words,
                bits,
            });
        }
        Ok(Self {
            written: image.disturbed(|address, stored| Codeword(map.flips(address, stored.0))),
            intended: image,
            faults: ChipFaults {
                mode: FaultMode::Map,
                ..faults
            },
        })
    }

    /// The image to write into the hardware's memory.
    pub fn written(&self) -> &WeightImage {
        &self.written
    }

    /// Whether two passes may read different weights; otherwise one reading serves all images.
    pub fn depends_on_pass(&self) -> bool {
        self.faults.mode == FaultMode::Transient
    }

    /// Reads every word once, in address order.
    pub fn read(&self, pass: Pass, policy: Policy) -> Reading {
        let stored: Vec<u128> = self.written.words().iter().map(|w| w.0).collect();
        let mut flips = vec![0; stored.len()];
        let bits = self.written.layout().code().n();
        self.faults
            .flips_batch(WordAddress(0), pass, &stored, bits, &mut flips);
        let mut truth = Truth::default();
        let decoded = self.written.decode_disturbed(policy, |address, word| {
            let flips = Codeword(flips[address.0 as usize]);
            truth += self.judge(address, word ^ flips, policy);
            flips
        });
        Reading {
            tensors: decoded.tensors,
            counts: decoded.counts,
            truth,
        }
    }

    /// Compares one word as it was read with what was meant.
    fn judge(&self, address: WordAddress, read: Codeword, policy: Policy) -> Truth {
        let code = self.intended.layout().code();
        let meant = self.intended.words()[address.0 as usize];
        let errors = read ^ meant;
        if errors == Codeword(0) {
            return Truth::default();
        }
        let (field, outcome) = code.decode_field(read, policy);
        let (intended, _) = code.decode_field(meant, policy);
        let single = errors.0.is_power_of_two();
        let information = !(code.check_mask() as u64);
        Truth {
            miscorrected: u64::from(matches!(outcome, Outcome::Corrected { .. }) && !single),
            undetected: u64::from(outcome == Outcome::Clean),
            residual_bit_errors: u64::from(((field ^ intended) & information).count_ones()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brownout_spec::code::{CodeName, Storage};
    use brownout_spec::config::WeightBits;
    use brownout_spec::image::{LayerShape, Layout};
    use brownout_spec::quantity::{BitErrorRate, ChipSeed};

    fn image(code: CodeName) -> WeightImage {
        let shape = LayerShape {
            name: "dense".into(),
            output_channels: 60,
            input_channels: 400,
            groups: 1,
            kernel_height: 1,
            kernel_width: 1,
        };
        let tensor: Vec<i8> = (0..24_000).map(|i| (i * 37 % 121 - 60) as i8).collect();
        let layout =
            Layout::for_array(8, 8, WeightBits::Eight, code, Storage::Coset, [shape]).unwrap();
        WeightImage::encode(layout, &[tensor]).unwrap()
    }

    fn faults(mode: FaultMode, rate: f64) -> ChipFaults {
        ChipFaults {
            seed: ChipSeed(11),
            mode,
            threshold: BitErrorRate::new(rate).unwrap().threshold(),
        }
    }

    fn memory(code: CodeName, mode: FaultMode, rate: f64) -> Memory {
        Memory::new(image(code), faults(mode, rate)).unwrap()
    }

    #[test]
    fn without_faults_every_weight_is_read_as_it_was_written() {
        let memory = memory(CodeName::Inplace64_57, FaultMode::None, 0.3);
        let reading = memory.read(Pass(0), Policy::Zero);
        assert_eq!(
            reading.tensors,
            image(CodeName::None).decode(Policy::Keep).tensors
        );
        assert_eq!(reading.truth, Truth::default());
        assert_eq!(reading.counts.words, 3200);
        assert_eq!(reading.counts.flipped_bits, 0);
    }

    #[test]
    fn every_disturbed_word_is_corrected_miscorrected_detected_or_undetected() {
        let memory = memory(CodeName::Inplace64_57, FaultMode::Persistent, 0.03);
        let reading = memory.read(Pass(0), Policy::Keep);
        let (counts, truth) = (reading.counts, reading.truth);
        assert_eq!(
            counts.corrected + counts.detected + truth.undetected,
            counts.disturbed_words
        );
        assert!(truth.miscorrected > 0 && truth.miscorrected < counts.corrected);
        assert!(counts.last_detected.is_some());
    }

    #[test]
    fn without_a_code_all_errors_are_undetected_and_remain() {
        let memory = memory(CodeName::None, FaultMode::Persistent, 0.01);
        let reading = memory.read(Pass(0), Policy::Keep);
        assert_eq!(reading.truth.undetected, reading.counts.disturbed_words);
        assert_eq!(
            reading.truth.residual_bit_errors,
            reading.counts.flipped_bits
        );
    }

    /// One word line whose cells all read the same.
    fn stuck_word(address: usize, lanes: usize, kind: &str) -> FaultMap {
        let cells = (0..lanes).map(|lane| format!("{address} {lane} {kind}\n"));
        FaultMap::from_text(&cells.collect::<String>()).unwrap()
    }

    #[test]
    fn a_word_line_stuck_at_zero_or_one_is_detected_by_every_code_at_every_width() {
        let cases = [
            (WeightBits::Eight, CodeName::Secded72_64),
            (WeightBits::Eight, CodeName::Inplace64_57),
            (WeightBits::Four, CodeName::Secded72_64),
            (WeightBits::Four, CodeName::Inplace64_57),
            (WeightBits::Four, CodeName::Inplace32_26),
        ];
        let shape = LayerShape {
            name: "dense".into(),
            output_channels: 16,
            input_channels: 12,
            groups: 1,
            kernel_height: 1,
            kernel_width: 1,
        };
        let tensor: Vec<i8> = (0..192).map(|i| (i * 5 % 7) as i8 - 3).collect();
        let read = |bits, code, storage, kind: &str| {
            let layout = Layout::for_array(16, 16, bits, code, storage, [shape.clone()]).unwrap();
            let lanes = layout.code().n();
            let image = WeightImage::encode(layout, std::slice::from_ref(&tensor)).unwrap();
            let map = stuck_word(5, lanes, kind);
            let memory = Memory::with_map(image, &map, faults(FaultMode::None, 0.0)).unwrap();
            memory.read(Pass(0), Policy::Zero)
        };
        for (bits, code) in cases {
            for kind in ["0", "1"] {
                let Reading { counts, truth, .. } = read(bits, code, Storage::Coset, kind);
                let told = (counts.corrected, counts.detected, counts.last_detected);
                let what = format!("{code}, {bits} bits, stuck at {kind}");
                assert_eq!(told, (0, 1, Some(WordAddress(5))), "{what}");
                assert_eq!((truth.miscorrected, truth.undetected), (0, 0), "{what}");
                // Plain, it is another word of the code; but for ones beside the weights.
                let Reading { counts, truth, .. } = read(bits, code, Storage::Plain, kind);
                let told = (counts.corrected + counts.detected, truth.undetected);
                let seen = code == CodeName::Secded72_64 && kind == "1";
                assert_eq!(told, if seen { (1, 0) } else { (0, 1) }, "{what}, plain");
            }
        }
    }

    #[test]
    fn three_flips_in_one_word_are_miscorrected_and_not_corrected() {
        let map = FaultMap::from_text("7 1 flip\n7 2 flip\n7 3 flip").unwrap();
        let faults = faults(FaultMode::None, 0.0);
        let memory = Memory::with_map(image(CodeName::Inplace64_57), &map, faults).unwrap();
        let Reading { counts, truth, .. } = memory.read(Pass(0), Policy::Keep);
        assert_eq!((counts.corrected, truth.miscorrected), (1, 1));
    }

    #[test]
    fn the_residual_rate_is_the_exact_one_of_a_real_decoder() {
        // design.md section 3: n = 64, p = 0.01, keep policy.
        let (mut errors, mut bits) = (0, 0);
        for seed in 0..40 {
            let faults = ChipFaults {
                seed: ChipSeed(seed),
                ..faults(FaultMode::Persistent, 0.01)
            };
            let memory = Memory::new(image(CodeName::Inplace64_57), faults).unwrap();
            let reading = memory.read(Pass(0), Policy::Keep);
            errors += reading.truth.residual_bit_errors;
            bits += reading.counts.words * 57;
        }
        let rate = errors as f64 / bits as f64;
        // Check lanes have another weight than data lanes: 5 % covers that and the noise.
        assert!((rate / 5.0491e-3 - 1.0).abs() < 0.05, "{rate:e}");
    }

    #[test]
    fn persistent_faults_ignore_the_pass_and_transient_ones_follow_it() {
        let read = |mode, pass| memory(CodeName::None, mode, 0.01).read(Pass(pass), Policy::Keep);
        assert_eq!(
            read(FaultMode::Persistent, 1),
            read(FaultMode::Persistent, 2)
        );
        assert_ne!(read(FaultMode::Transient, 1), read(FaultMode::Transient, 2));
        assert_eq!(read(FaultMode::Transient, 7), read(FaultMode::Transient, 7));
    }

    #[test]
    fn a_map_disturbs_the_written_image_and_not_the_hardware_counters() {
        let map = FaultMap::from_text("0 1 flip\n5 9 flip\n5 10 flip").unwrap();
        let faults = faults(FaultMode::None, 0.0);
        let memory = Memory::with_map(image(CodeName::Inplace64_57), &map, faults).unwrap();
        let reading = memory.read(Pass(0), Policy::Keep);
        assert_eq!(reading.counts.disturbed_words, 0);
        assert_eq!((reading.counts.corrected, reading.counts.detected), (1, 1));
        assert_eq!(reading.truth.residual_bit_errors, 2);
        let beyond = FaultMap::from_text("3200 0 flip").unwrap();
        let message = Memory::with_map(image(CodeName::None), &beyond, faults)
            .unwrap_err()
            .to_string();
        assert!(message.contains("address 3200"), "{message}");
    }
}
