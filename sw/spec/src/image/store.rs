//! The stored words: encoding tensors, disturbing cells, decoding.

use super::cells::WordWeights;
use super::layout::Layout;
use super::shape::Coordinates;
use crate::code::{CodeName, Codeword, Decoded, Outcome, Policy};
use crate::config::WeightBits;
use crate::quantity::WordAddress;
use std::ops::AddAssign;
use thiserror::Error;

/// The words of a network's weights, and where each weight is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightImage {
    layout: Layout,
    words: Vec<Codeword>,
}

/// Why tensors cannot be stored: one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeImageError {
    /// The number of tensors is not that of the layout.
    #[error("the layout has {expected} layers with weights, and {found} tensors were given")]
    Tensors {
        /// Layers of the layout.
        expected: usize,
        /// Tensors given.
        found: usize,
    },
    /// A tensor does not have the size of its layer's shape.
    #[error("the tensor of layer {layer:?} has {found} weights; its shape has {expected}")]
    Length {
        /// Name of the layer.
        layer: String,
        /// Weights of the shape.
        expected: usize,
        /// Weights given.
        found: usize,
    },
    /// A weight is outside what its place can store.
    #[error(
        "layer {layer:?}, weight [{}][{}][{}][{}] is {value}; allowed for this output channel is {lowest} to {highest} with code {code}{hint}",
        at.output, at.input, at.kernel_row, at.kernel_column, hint = bits.hint(*value)
    )]
    Range {
        /// Name of the layer.
        layer: String,
        /// Place in the tensor.
        at: Coordinates,
        /// The weight.
        value: i8,
        /// Smallest weight allowed.
        lowest: i8,
        /// Largest weight allowed.
        highest: i8,
        /// The code.
        code: CodeName,
        /// Bits of a weight.
        bits: WeightBits,
    },
}

/// What was counted while words were read: the hardware's counters of one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
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
    /// Address of the last word counted in `detected`.
    pub last_detected: Option<WordAddress>,
}

impl ReadCounts {
    fn count(&mut self, address: WordAddress, flips: Codeword, outcome: Outcome) {
        self.words += 1;
        self.disturbed_words += u64::from(flips.0 != 0);
        self.flipped_bits += u64::from(flips.0.count_ones());
        match outcome {
            Outcome::Clean => {}
            Outcome::Corrected { .. } => self.corrected += 1,
            Outcome::Detected => {
                self.detected += 1;
                self.last_detected = Some(address);
            }
        }
    }
}

impl AddAssign for ReadCounts {
    /// Adds what was counted later.
    fn add_assign(&mut self, later: Self) {
        self.words += later.words;
        self.disturbed_words += later.disturbed_words;
        self.flipped_bits += later.flipped_bits;
        self.corrected += later.corrected;
        self.detected += later.detected;
        self.last_detected = later.last_detected.or(self.last_detected);
    }
}

/// The tensors that a whole image decodes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedImage {
    /// One flattened tensor per layer with weights, in image order.
    pub tensors: Vec<Vec<i8>>,
    /// What was counted.
    pub counts: ReadCounts,
}

impl WeightImage {
    /// Stores one flattened tensor per layer; padding is stored as zeros.
    ///
    /// # Errors
    /// When tensors do not match the layout, or a weight is outside the range of its place.
    pub fn encode<T: AsRef<[i8]>>(layout: Layout, tensors: &[T]) -> Result<Self, EncodeImageError> {
        if tensors.len() != layout.layers().len() {
            return Err(EncodeImageError::Tensors {
                expected: layout.layers().len(),
                found: tensors.len(),
            });
        }
        for (layer, tensor) in layout.layers().iter().zip(tensors) {
            if tensor.as_ref().len() != layer.shape.weights() {
                return Err(EncodeImageError::Length {
                    layer: layer.shape.name.clone(),
                    expected: layer.shape.weights(),
                    found: tensor.as_ref().len(),
                });
            }
        }
        let words = (0..layout.words() as u32)
            .map(|word| {
                let weights = layout
                    .weights_of(WordAddress(word))
                    .expect("every word of the layout has weights");
                encode_word(&layout, &weights, tensors[weights.layer()].as_ref())
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { layout, words })
    }

    /// An image of given words; the caller has checked that there are as many as the layout has.
    pub(super) fn from_words(layout: Layout, words: Vec<Codeword>) -> Self {
        debug_assert_eq!(words.len(), layout.words());
        Self { layout, words }
    }

    /// The map between weights and cells.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The stored words by address, padding included: what the host writes into the memory.
    pub fn words(&self) -> &[Codeword] {
        &self.words
    }

    /// The stored word at an address, or `None` beyond the image.
    pub fn word(&self, address: WordAddress) -> Option<Codeword> {
        self.words.get(address.0 as usize).copied()
    }

    /// The decoded word at an address, undisturbed, or `None` beyond the image.
    pub fn decode_word(&self, address: WordAddress, policy: Policy) -> Option<Decoded> {
        let word = self.word(address)?;
        Some(self.layout.code().decode(word, policy))
    }

    /// The image with the cells inverted that `flips` names, given each address and stored word.
    #[must_use]
    pub fn disturbed(
        &self,
        mut flips: impl FnMut(WordAddress, Codeword) -> Codeword,
    ) -> WeightImage {
        let words = self
            .addressed()
            .map(|(address, word)| word ^ self.within_word(flips(address, word)))
            .collect();
        Self::from_words(self.layout.clone(), words)
    }

    /// Decodes every word, undisturbed.
    pub fn decode(&self, policy: Policy) -> DecodedImage {
        self.decode_disturbed(policy, |_, _| Codeword(0))
    }

    /// Reads every word once in address order, inverts the cells that `flips` names, and decodes.
    ///
    /// `flips` is given each address and stored word; the image itself is not
    /// changed. Lanes beyond the word are ignored.
    pub fn decode_disturbed(
        &self,
        policy: Policy,
        mut flips: impl FnMut(WordAddress, Codeword) -> Codeword,
    ) -> DecodedImage {
        let mut counts = ReadCounts::default();
        let mut tensors: Vec<Vec<i8>> = self
            .layout
            .layers()
            .iter()
            .map(|layer| vec![0; layer.shape.weights()])
            .collect();
        for (address, stored) in self.addressed() {
            let flips = self.within_word(flips(address, stored));
            let decoded = self.layout.code().decode(stored ^ flips, policy);
            counts.count(address, flips, decoded.outcome);
            let Some(place) = self.layout.weights_of(address) else {
                continue;
            };
            let tensor = &mut tensors[place.layer()];
            for (index, &weight) in place.indices().zip(decoded.weights.iter()) {
                if let Some(index) = index {
                    tensor[index] = weight;
                }
            }
        }
        DecodedImage { tensors, counts }
    }

    fn addressed(&self) -> impl Iterator<Item = (WordAddress, Codeword)> + '_ {
        (0..).map(WordAddress).zip(self.words.iter().copied())
    }

    fn within_word(&self, flips: Codeword) -> Codeword {
        Codeword(flips.0 & (u128::MAX >> (128 - self.layout.code().n())))
    }
}

fn encode_word(
    layout: &Layout,
    place: &WordWeights,
    tensor: &[i8],
) -> Result<Codeword, EncodeImageError> {
    let code = layout.code();
    let mut weights = [0_i8; 16];
    for (position, index) in place.indices().enumerate() {
        let Some(index) = index else { continue };
        let value = tensor[index];
        let (lowest, highest) = code.allowed_range(position);
        if !(lowest..=highest).contains(&value) {
            let shape = &layout.layers()[place.layer()].shape;
            return Err(EncodeImageError::Range {
                layer: shape.name.clone(),
                at: shape
                    .coordinates(index)
                    .expect("the layout names weights of the tensor"),
                value,
                lowest,
                highest,
                code: code.name(),
                bits: code.weight_bits(),
            });
        }
        weights[position] = value;
    }
    Ok(code
        .encode(&weights[..code.weights_per_word()])
        .expect("count and ranges were checked above"))
}
