//! Which integers a weight may be stored as: a code's constraint is on places in its word.

use super::width::BitWidth;
use brownout_spec::code::{Code, CodeName, Storage};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which place of its word a weight lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// That of its output channel: whole channels are free or constrained, as in the weight image
    /// and the hardware.
    #[default]
    Channel,
    /// Places change from each weight of a filter to the next, counted in PyTorch's order (input, kernel
    /// row, kernel column) as papers count them (Guan et al., NeurIPS 2019, section 4), and from each
    /// output channel to the next, so that a word of neighbouring outputs has every place once. Laboratory
    /// only: hardware would rotate the lanes of each word.
    Spread,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Channel => "channel",
            Self::Spread => "spread",
        })
    }
}

impl Placement {
    /// Whether it is the one that hardware has.
    pub fn is_channel(&self) -> bool {
        *self == Self::Channel
    }
}

/// Dimensions of a weight tensor: outputs, kernel rows, kernel columns, inputs.
type Dim = (usize, usize, usize, usize);

/// The integers that the weights of a layer may be stored as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedRanges {
    /// Range of each place of a word.
    places: Vec<(i8, i8)>,
    placement: Placement,
}

impl AllowedRanges {
    /// Those of a width, within a code's.
    ///
    /// # Panics
    /// If the code has no words of such weights.
    pub fn new(code: CodeName, width: BitWidth, placement: Placement) -> Self {
        let code = Code::new(code, width.lane(), Storage::Plain);
        let (least, most) = width.range();
        let place = |place| {
            let (low, high) = code.allowed_range_of_channel(place);
            (low.max(least), high.min(most))
        };
        Self {
            places: (0..code.weights_per_word()).map(place).collect(),
            placement,
        }
    }

    /// The range of a weight of a tensor `[output][kernel row][kernel column][input]` with these
    /// dimensions: number `index` of the filter of an output channel.
    pub fn of(&self, (_, rows, columns, inputs): Dim, output: usize, index: usize) -> (i8, i8) {
        let place = match self.placement {
            Placement::Channel => output,
            Placement::Spread => output + index % inputs * rows * columns + index / inputs,
        };
        self.places[place % self.places.len()]
    }

    /// The range of all weights of an output channel, if they have one.
    pub fn of_channel(&self, output: usize) -> Option<(i8, i8)> {
        let first = self.places[0];
        match self.placement {
            Placement::Channel => Some(self.places[output % self.places.len()]),
            Placement::Spread => self.places.iter().all(|p| *p == first).then_some(first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_places_give_every_filter_and_every_kernel_its_share_of_free_weights() {
        for (code, width, free) in [
            (CodeName::Inplace64_57, BitWidth::FOUR, 9),
            (CodeName::Inplace64_57, BitWidth::EIGHT, 1),
            (CodeName::Inplace32_26, BitWidth::FOUR, 2),
        ] {
            let channel = AllowedRanges::new(code, width, Placement::Channel);
            let spread = AllowedRanges::new(code, width, Placement::Spread);
            let word = channel.places.len();
            // As many inputs as a word has weights, of three by three kernels.
            let dim = (2 * word, 3, 3, word);
            let is_free = |range: (i8, i8)| range == width.range();
            let count = |ranges: &AllowedRanges, output, weights: &[usize]| {
                let weights = weights.iter();
                weights
                    .filter(|&&i| is_free(ranges.of(dim, output, i)))
                    .count()
            };
            let filter: Vec<usize> = (0..9 * word).collect();
            // The weights of one input: a kernel.
            let kernel: Vec<usize> = (0..9).map(|tap| tap * word).collect();
            let mut channels = 0;
            for output in 0..2 * word {
                let whole = count(&channel, output, &filter);
                assert!(whole == 0 || whole == 9 * word, "{code}");
                channels += whole;
                assert_eq!(count(&spread, output, &filter), 9 * free, "{code}");
                assert!(count(&spread, output, &kernel) > 0, "{code}");
                assert_eq!(spread.of_channel(output), None);
                assert_eq!(channel.of_channel(output), Some(channel.of(dim, output, 5)));
            }
            assert_eq!(channels, 2 * free * 9 * word, "{code}");
            // One weight of a word of neighbouring outputs has each place.
            let outputs = (0..word).filter(|&o| is_free(spread.of(dim, o, 7))).count();
            assert_eq!(outputs, free, "{code}");
        }
        let none = AllowedRanges::new(CodeName::None, BitWidth::FOUR, Placement::Spread);
        assert_eq!(none.of_channel(3), Some((-8, 7)));
    }

    #[test]
    fn neighbours_in_pytorchs_order_have_neighbouring_places() {
        let spread = AllowedRanges::new(CodeName::Inplace32_26, BitWidth::FOUR, Placement::Spread);
        let channel =
            AllowedRanges::new(CodeName::Inplace32_26, BitWidth::FOUR, Placement::Channel);
        let (rows, columns, inputs) = (3, 2, 5);
        let dim = (8, rows, columns, inputs);
        let mut place = 0;
        for input in 0..inputs {
            for tap in 0..rows * columns {
                let found = spread.of(dim, 0, tap * inputs + input);
                assert_eq!(Some(found), channel.of_channel(place), "{input} {tap}");
                place += 1;
            }
        }
    }
}
