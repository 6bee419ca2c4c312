//! Which cell holds which bit, in both directions.

use super::layout::Layout;
use super::shape::Coordinates;
use crate::quantity::{Lane, WordAddress};

/// One bit of one weight of the network, as software names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeightBit {
    /// Which weight tensor, counted in image order; layers without weights are not counted.
    pub layer: usize,
    /// Index in the flattened tensor.
    pub index: usize,
    /// Bit of the two's complement weight, 0 = least significant.
    pub bit: u8,
}

/// Where a check bit is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckHome {
    /// In a lane of its own beside the weights (`secded-72-64`).
    Beside,
    /// In the bit below the sign of a constrained weight (in-place codes: bit 6 of 8, bit 2 of 4).
    InWeight(WeightBit),
    /// In the bit below the sign of a constrained padding weight (in-place codes).
    InPadding {
        /// Where the padding weight would be in the tensor.
        at: Coordinates,
        /// Bit of the padding weight.
        bit: u8,
    },
}

/// What a cell of the weight memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    /// A bit of a weight that carries information.
    WeightBit(WeightBit),
    /// A check bit of the word; for in-place codes this is the non-informative bit of a weight.
    CheckBit {
        /// Which weight tensor the word belongs to.
        layer: usize,
        /// The bit of the syndrome that this is the check bit of.
        check: usize,
        /// Where it sits.
        home: CheckHome,
    },
    /// A bit of a weight that only fills a tile.
    Padding {
        /// Which weight tensor the tile belongs to.
        layer: usize,
        /// Where the padding weight would be in the tensor.
        at: Coordinates,
        /// Bit of the padding weight.
        bit: u8,
    },
}

/// The tensor indices of the weights of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordWeights {
    layer: usize,
    indices: [u32; 16],
    count: usize,
}

/// Stands for a padding weight; no tensor that fits the memory has so many weights.
const PADDING: u32 = u32::MAX;

impl WordWeights {
    /// Which weight tensor the word belongs to.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// For each position of the word, the index in the flattened tensor; `None` for padding.
    pub fn indices(&self) -> impl ExactSizeIterator<Item = Option<usize>> + '_ {
        self.indices[..self.count]
            .iter()
            .map(|&index| (index != PADDING).then_some(index as usize))
    }
}

impl Layout {
    /// The cell of one bit of one weight, or `None` when there is no such bit.
    ///
    /// For the non-informative bit of a constrained weight this is the cell of a check bit.
    pub fn locate(&self, at: WeightBit) -> Option<(WordAddress, Lane)> {
        let width = self.code().weight_bits().bits();
        if usize::from(at.bit) >= width {
            return None;
        }
        let layer = self.layers().get(at.layer)?;
        let place = layer.shape.coordinates(at.index)?;
        let (output_tile, element) = layer.tiling.place(place.output, place.input);
        let tap = (output_tile * layer.shape.kernel_height + place.kernel_row)
            * layer.shape.kernel_width
            + place.kernel_column;
        let per_word = self.code().weights_per_word();
        let word = tap * layer.tiling.words_per_tap() + element / per_word;
        let lane = element % per_word * width + usize::from(at.bit);
        Some((WordAddress(layer.base.0 + word as u32), Lane(lane as u8)))
    }

    /// What a cell holds, or `None` beyond the image or the word.
    pub fn cell(&self, address: WordAddress, lane: Lane) -> Option<Cell> {
        if usize::from(lane.0) >= self.code().n() {
            return None;
        }
        let layer = self.layer_of(address)?;
        let check = self.code().check_of_lane(lane);
        let width = self.code().weight_bits().bits();
        let (position, bit) = (usize::from(lane.0) / width, usize::from(lane.0) % width);
        if position >= self.code().weights_per_word() {
            return check.map(|check| Cell::CheckBit {
                layer,
                check,
                home: CheckHome::Beside,
            });
        }
        let at = self.coordinates(layer, address, position);
        let bit = bit as u8;
        let weight =
            self.layers()[layer]
                .shape
                .index(at)
                .map(|index| WeightBit { layer, index, bit });
        Some(match (check, weight) {
            (None, Some(weight)) => Cell::WeightBit(weight),
            (None, None) => Cell::Padding { layer, at, bit },
            (Some(check), weight) => Cell::CheckBit {
                layer,
                check,
                home: weight.map_or(CheckHome::InPadding { at, bit }, CheckHome::InWeight),
            },
        })
    }

    /// The weights of a word, or `None` beyond the image.
    pub fn weights_of(&self, address: WordAddress) -> Option<WordWeights> {
        let layer = self.layer_of(address)?;
        let shape = &self.layers()[layer].shape;
        let count = self.code().weights_per_word();
        let mut indices = [PADDING; 16];
        if shape.groups > 1 {
            for (position, slot) in indices[..count].iter_mut().enumerate() {
                let index = shape.index(self.coordinates(layer, address, position));
                *slot = index.map_or(PADDING, |index| index as u32);
            }
            return Some(WordWeights {
                layer,
                indices,
                count,
            });
        }
        // A word is part of a row or several whole rows of one tile, so the
        // indices of each row are an arithmetic sequence.
        let first = self.coordinates(layer, address, 0);
        let per_channel = shape.kernel_height * shape.kernel_width;
        let tap = first.kernel_row * shape.kernel_width + first.kernel_column;
        let rows = indices[..count].chunks_mut(count.min(self.columns()));
        for (input, row) in (first.input..shape.input_channels).zip(rows) {
            for (output, slot) in (first.output..shape.output_channels).zip(row) {
                *slot = ((output * shape.input_channels + input) * per_channel + tap) as u32;
            }
        }
        Some(WordWeights {
            layer,
            indices,
            count,
        })
    }

    /// The layer that an address belongs to.
    pub fn layer_of(&self, address: WordAddress) -> Option<usize> {
        if address.0 as usize >= self.words() {
            return None;
        }
        // Layers are not empty, so bases ascend strictly.
        Some(self.layers().partition_point(|layer| layer.base <= address) - 1)
    }

    /// The place in the tensor of one position of a word that belongs to `layer`.
    fn coordinates(&self, layer: usize, address: WordAddress, position: usize) -> Coordinates {
        let layer = &self.layers()[layer];
        let shape = &layer.shape;
        let word = (address.0 - layer.base.0) as usize;
        let words_per_tap = layer.tiling.words_per_tap();
        let element = word % words_per_tap * self.code().weights_per_word() + position;
        let tap = word / words_per_tap;
        let (row_of_taps, kernel_column) = (tap / shape.kernel_width, tap % shape.kernel_width);
        let output_tile = row_of_taps / shape.kernel_height;
        let (output, input) = layer.tiling.weight(output_tile, element);
        Coordinates {
            output,
            input,
            kernel_row: row_of_taps % shape.kernel_height,
            kernel_column,
        }
    }
}
