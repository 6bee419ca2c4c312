//! A weight memory under attack: which cells are inverted, and what is read.

use super::Victim;
use crate::quantize::{BitWidth, Exposure};
use crate::quantized::{StoredMemory, StoredMemoryError, StoredWeights};
use brownout_spec::code::{Codeword, Decoded, Outcome};
use brownout_spec::image::{WeightBit, WeightImage};
use brownout_spec::quantity::{Lane, WordAddress};
use ndarray::Array4;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A cell of the weight memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellAddress {
    /// Address of the word.
    pub word: WordAddress,
    /// Lane in the word.
    pub lane: Lane,
}

/// What the decoder makes of a word, told by someone who knows what was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WordOutcome {
    /// No cell is inverted.
    Clean,
    /// The inverted cell is set right.
    Corrected,
    /// The policy decides what is read.
    Detected,
    /// Another cell than an inverted one is changed as well.
    Miscorrected,
    /// Inverted cells look like a clean word; always so without a code.
    Undetected,
}

impl WordOutcome {
    /// The name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Corrected => "corrected",
            Self::Detected => "detected",
            Self::Miscorrected => "miscorrected",
            Self::Undetected => "undetected",
        }
    }
}

impl fmt::Display for WordOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A network's weight memory, the cells that are inverted, and the weights that are read.
#[derive(Clone, Debug)]
pub struct AttackedMemory<'a> {
    victim: Victim<'a>,
    memory: &'a StoredMemory,
    image: WeightImage,
    stored: StoredWeights,
    read: StoredWeights,
    values: Vec<Option<Array4<f32>>>,
    /// Inverted lanes of each word that has any.
    flips: BTreeMap<WordAddress, u128>,
    /// The network's layer of each weight tensor.
    layers: Vec<usize>,
}

impl<'a> AttackedMemory<'a> {
    /// A memory that holds these weights, not yet attacked.
    ///
    /// # Errors
    /// When a weight is outside the range that the memory's code leaves it.
    ///
    /// # Panics
    /// If memory or weights are another network's.
    pub fn new(
        victim: Victim<'a>,
        memory: &'a StoredMemory,
        stored: StoredWeights,
    ) -> Result<Self, StoredMemoryError> {
        Ok(Self {
            image: memory.image(&stored)?,
            values: stored.values(victim.grids),
            read: stored.clone(),
            stored,
            layers: victim.layers(),
            flips: BTreeMap::new(),
            victim,
            memory,
        })
    }

    /// The memory's rules and layout.
    pub fn memory(&self) -> &'a StoredMemory {
        self.memory
    }

    /// The weights as they were stored.
    pub fn stored(&self) -> &StoredWeights {
        &self.stored
    }

    /// The weights that are read now.
    pub fn read(&self) -> &StoredWeights {
        &self.read
    }

    /// What they stand for.
    pub fn values(&self) -> &[Option<Array4<f32>>] {
        &self.values
    }

    /// Cells that differ from what was stored: N_flip. A cell inverted twice is not counted.
    pub fn inverted(&self) -> u64 {
        self.flips.values().map(|f| u64::from(f.count_ones())).sum()
    }

    /// Whether a cell differs from what was stored.
    pub fn is_inverted(&self, cell: CellAddress) -> bool {
        self.flips(cell.word) >> cell.lane.0 & 1 != 0
    }

    /// The network's layer of each weight tensor.
    pub fn layers(&self) -> &[usize] {
        &self.layers
    }

    /// Bits of a weight that an attacker reaches.
    pub fn bits(&self) -> u32 {
        self.memory.rules().exposure.bits(self.victim.width)
    }

    /// The cell of a bit, or `None` when there is no such bit.
    pub fn locate(&self, bit: WeightBit) -> Option<CellAddress> {
        let (word, lane) = self.memory.layout().locate(bit)?;
        Some(CellAddress { word, lane })
    }

    /// Whether there is such a cell.
    pub fn has(&self, cell: CellAddress) -> bool {
        let layout = self.memory.layout();
        (cell.word.0 as usize) < layout.words() && usize::from(cell.lane.0) < layout.code().n()
    }

    fn flips(&self, word: WordAddress) -> u128 {
        self.flips.get(&word).copied().unwrap_or(0)
    }

    fn word(&self, word: WordAddress) -> Codeword {
        let stored = self.image.words()[word.0 as usize];
        Codeword(stored.0 ^ self.flips(word))
    }

    /// What would be read of a word if these lanes were inverted besides those that are.
    pub(super) fn decode_with(&self, word: WordAddress, lanes: u128) -> Decoded {
        let disturbed = Codeword(self.word(word).0 ^ lanes);
        let policy = self.memory.rules().policy;
        self.memory.layout().code().decode(disturbed, policy)
    }

    /// Inverts a cell; what is read of its word changes with it.
    ///
    /// # Panics
    /// If there is no such cell.
    pub fn flip(&mut self, cell: CellAddress) {
        assert!(self.has(cell), "the memory has such a cell");
        let flips = self.flips.entry(cell.word).or_insert(0);
        *flips ^= 1 << cell.lane.0;
        if *flips == 0 {
            self.flips.remove(&cell.word);
        }
        let decoded = self.decode_with(cell.word, 0);
        let places = self.memory.layout().weights_of(cell.word);
        let places = places.expect("the word is within the image");
        let layer = self.layers[places.layer()];
        let (grid, width) = (self.victim.grid(layer), self.victim.width);
        let exposure = self.memory.rules().exposure;
        for (index, &integer) in places.indices().zip(decoded.weights.iter()) {
            let Some(index) = index else { continue };
            let at = self.place(places.layer(), index);
            let stored = tensor(&self.stored, layer)[at];
            let integer = seen(exposure, width, stored, integer);
            let read = self.read.0[layer].as_mut().expect("the layer has weights");
            if read[at] != integer {
                read[at] = integer;
                let values = self.values[layer].as_mut().expect("the layer has weights");
                values[at] = grid.decode_one(at.0, integer);
            }
        }
    }

    /// What the decoder makes of a word now.
    ///
    /// # Panics
    /// If there is no such word.
    pub fn outcome(&self, word: WordAddress) -> WordOutcome {
        let flips = self.flips(word);
        match self.decode_with(word, 0).outcome {
            Outcome::Clean if flips == 0 => WordOutcome::Clean,
            Outcome::Clean => WordOutcome::Undetected,
            Outcome::Detected => WordOutcome::Detected,
            Outcome::Corrected { lane } if flips == 1 << lane.0 => WordOutcome::Corrected,
            Outcome::Corrected { .. } => WordOutcome::Miscorrected,
        }
    }

    /// The integer that a cell is a bit of, as its cells stand for it now with all inverted ones,
    /// and the weight's place; `None` for check bits beside the weights and for padding.
    pub fn integer_of(&self, cell: CellAddress) -> Option<(WeightBit, i8)> {
        let layout = self.memory.layout();
        let lane_bits = layout.code().weight_bits();
        let (position, bit) = (
            usize::from(cell.lane.0) / lane_bits.bits(),
            usize::from(cell.lane.0) % lane_bits.bits(),
        );
        let places = layout.weights_of(cell.word)?;
        let index = places.indices().nth(position)??;
        let word = layout.code().invert(self.word(cell.word));
        let raw = word.0 >> (position * lane_bits.bits());
        let raw = BitWidth::from(lane_bits).sign_extend(raw as u8);
        let layer = self.layers[places.layer()];
        let stored = tensor(&self.stored, layer)[self.place(places.layer(), index)];
        let weight = WeightBit {
            layer: places.layer(),
            index,
            bit: bit as u8,
        };
        let exposure = self.memory.rules().exposure;
        Some((weight, seen(exposure, self.victim.width, stored, raw)))
    }

    /// The place in a layer's tensor of an index in image order.
    pub(super) fn place(&self, tensor: usize, index: usize) -> (usize, usize, usize, usize) {
        let shape = &self.memory.layout().layers()[tensor].shape;
        let at = shape.coordinates(index).expect("the layout's own index");
        (at.output, at.kernel_row, at.kernel_column, at.input)
    }

    /// The bit that a layer's tensor has at a flat index.
    pub(super) fn bit_at(&self, tensor: usize, at: usize, bit: u32) -> WeightBit {
        let shape = &self.memory.layout().layers()[tensor].shape;
        let (inputs, taps) = (
            shape.input_channels,
            shape.kernel_height * shape.kernel_width,
        );
        let (pixel, input) = (at / inputs, at % inputs);
        let (output, tap) = (pixel / taps, pixel % taps);
        WeightBit {
            layer: tensor,
            index: (output * inputs + input) * taps + tap,
            bit: bit as u8,
        }
    }
}

/// What faults within the exposed bits leave of a lane's integer.
fn seen(exposure: Exposure, width: BitWidth, stored: i8, lane: i8) -> i8 {
    match exposure {
        Exposure::WholeLane => lane,
        Exposure::LiveBits => exposure.disturb(width, stored, (lane ^ stored).cast_unsigned()),
    }
}

pub(super) fn tensor(weights: &StoredWeights, layer: usize) -> &Array4<i8> {
    weights.0[layer].as_ref().expect("the layer has weights")
}
