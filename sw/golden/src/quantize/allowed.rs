//! Which integers a weight may be stored as: a code's constraint is on places in its word.

use super::width::BitWidth;
use brownout_spec::code::{Code, CodeName};
use serde::{Deserialize, Serialize};

/// Which place of its word a weight lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// That of its output channel: whole channels are free or constrained, as in the weight image
    /// and the hardware.
    #[default]
    Channel,
    /// Places are rotated by one from each weight of a filter to the next, so every filter has
    /// its share of free weights, as where papers count weights one after the other (Guan et al., NeurIPS
    /// 2019, section 4). Laboratory only: hardware would rotate the lanes of each word.
    Spread,
}

impl Placement {
    /// Whether it is the one that hardware has.
    pub fn is_channel(&self) -> bool {
        *self == Self::Channel
    }
}

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
        let code = Code::new(code, width.lane());
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

    /// The range of a weight: number `index` of the filter of an output channel.
    pub fn of(&self, output: usize, index: usize) -> (i8, i8) {
        let place = match self.placement {
            Placement::Channel => output,
            Placement::Spread => output + index,
        };
        self.places[place % self.places.len()]
    }

    /// The range of all weights of an output channel, if they have one.
    pub fn of_channel(&self, output: usize) -> Option<(i8, i8)> {
        let first = self.places[0];
        match self.placement {
            Placement::Channel => Some(self.of(output, 0)),
            Placement::Spread => self.places.iter().all(|p| *p == first).then_some(first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_places_give_every_filter_the_same_share_of_free_weights() {
        for (code, width, free) in [
            (CodeName::Inplace64_57, BitWidth::FOUR, 9),
            (CodeName::Inplace64_57, BitWidth::EIGHT, 1),
            (CodeName::Inplace32_26, BitWidth::FOUR, 2),
        ] {
            let channel = AllowedRanges::new(code, width, Placement::Channel);
            let spread = AllowedRanges::new(code, width, Placement::Spread);
            let word = channel.places.len();
            let is_free = |range: (i8, i8)| range == width.range();
            let count = |ranges: &AllowedRanges, output| {
                (0..word).filter(|&i| is_free(ranges.of(output, i))).count()
            };
            let channels: Vec<usize> = (0..word).map(|o| count(&channel, o)).collect();
            assert_eq!(channels.iter().sum::<usize>(), free * word, "{code}");
            assert!(channels.iter().all(|&n| n == 0 || n == word), "{code}");
            for output in 0..2 * word {
                assert_eq!(count(&spread, output), free, "{code}");
                assert_eq!(spread.of_channel(output), None);
                assert_eq!(channel.of_channel(output), Some(channel.of(output, 5)));
            }
        }
        let none = AllowedRanges::new(CodeName::None, BitWidth::FOUR, Placement::Spread);
        assert_eq!(none.of_channel(3), Some((-8, 7)));
    }
}
