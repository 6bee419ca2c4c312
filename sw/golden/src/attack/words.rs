//! The word attack: what it takes to make one bit read wrong through a decoder.
//!
//! A SEC-DED decoder sets a single inverted cell right. An attacker who wants one
//! weight bit to read wrong must therefore invert other cells of the same word with it:
//! a second one, so that the word is detected and the policy keeps or zeroes it, or two,
//! so that the decoder miscorrects. All such sets of up to three cells are decoded, and
//! those that leave the wanted bit inverted are ordered: fewest cells first, then the
//! largest change of the loss that the gradient predicts for the whole word as it would
//! be read. Without a code the bit's own cell is enough.

use super::bits::Goal;
use super::cells::{AttackedMemory, CellAddress};
use brownout_spec::code::Decoded;
use brownout_spec::image::WeightBit;
use brownout_spec::quantity::Lane;

/// Weights of the largest word.
const MOST_WEIGHTS: usize = 16;

/// One word, and what an attacker wants of it.
struct Wish {
    /// What is read now.
    now: Decoded,
    /// Position of the wanted weight in the word, and its bit.
    position: usize,
    bit: u8,
    /// What one step of each weight's integer gains.
    gains: [f32; MOST_WEIGHTS],
}

impl Wish {
    /// What the attacker gains if the word is read so, or `None` if the wanted bit is as it was.
    fn gain(&self, then: &Decoded) -> Option<f32> {
        let changed = then.weights[self.position] ^ self.now.weights[self.position];
        if changed >> self.bit & 1 == 0 {
            return None;
        }
        let steps = then.weights.iter().zip(self.now.weights.iter());
        let gains = steps.zip(&self.gains);
        Some(
            gains
                .map(|((&a, &b), g)| g * (f32::from(a) - f32::from(b)))
                .sum(),
        )
    }
}

impl AttackedMemory<'_> {
    /// The cells to invert so that a weight's bit reads inverted; the bit's own comes first.
    /// `None` if no set of up to three cells of its word does it, as for a bit that repeats
    /// its weight's sign.
    ///
    /// `gradient` is that of the layer's stored integers, in the layout of its weights.
    ///
    /// # Panics
    /// If there is no such bit.
    pub fn choose(&self, bit: WeightBit, goal: Goal, gradient: &[f32]) -> Option<Vec<CellAddress>> {
        let target = self.locate(bit).expect("the bit is one of the network's");
        let code = self.memory().layout().code();
        let wish = self.wish(bit, target, goal, gradient);
        let own = 1u128 << target.lane.0;
        let others: Vec<u8> = (0..code.n() as u8)
            .filter(|&l| l != target.lane.0)
            .collect();
        let single = [own];
        let pairs = others.iter().map(|a| own | 1 << a);
        let triples = others.iter().enumerate().flat_map(|(i, a)| {
            let later = others[i + 1..].iter();
            later.map(move |b| own | 1 << a | 1 << b)
        });
        let lanes = self
            .best(target, &wish, single)
            .or_else(|| self.best(target, &wish, pairs))
            .or_else(|| self.best(target, &wish, triples))?;
        let rest = others.iter().filter(|&&lane| lanes >> lane & 1 != 0);
        let lanes = [target.lane.0].into_iter().chain(rest.copied());
        let cell = |lane| CellAddress {
            word: target.word,
            lane: Lane(lane),
        };
        Some(lanes.map(cell).collect())
    }

    fn wish(&self, bit: WeightBit, target: CellAddress, goal: Goal, gradient: &[f32]) -> Wish {
        let layout = self.memory().layout();
        let places = layout.weights_of(target.word).expect("the cell's own word");
        let mut gains = [0.0; MOST_WEIGHTS];
        let shape = &layout.layers()[bit.layer].shape;
        for (gain, index) in gains.iter_mut().zip(places.indices()) {
            let Some(index) = index else { continue };
            let (o, y, x, i) = self.place(bit.layer, index);
            let taps = (o * shape.kernel_height + y) * shape.kernel_width + x;
            let slope = gradient[taps * shape.input_channels + i];
            *gain = match goal {
                Goal::Raise => slope,
                Goal::Lower => -slope,
            };
        }
        Wish {
            now: self.decode_with(target.word, 0),
            position: usize::from(target.lane.0) / layout.code().weight_bits().bits(),
            bit: bit.bit,
            gains,
        }
    }

    /// The set of lanes with the largest gain; of equal ones the first.
    fn best(
        &self,
        target: CellAddress,
        wish: &Wish,
        sets: impl IntoIterator<Item = u128>,
    ) -> Option<u128> {
        let mut best: Option<(u128, f32)> = None;
        for lanes in sets {
            let Some(gain) = wish.gain(&self.decode_with(target.word, lanes)) else {
                continue;
            };
            if best.is_none_or(|(_, most)| gain > most) {
                best = Some((lanes, gain));
            }
        }
        best.map(|(lanes, _)| lanes)
    }
}
