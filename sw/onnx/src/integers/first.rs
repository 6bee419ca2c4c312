//! The first quantizer, which becomes the map from pixels.

use brownout_golden::model::{InputMap, InputQuantizer, MOST_CHANNELS, Normalization};

/// The first quantizer: factors and summands in front of it, step, zero point and bounds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct First {
    pub factor: Vec<f64>,
    pub offset: Vec<f64>,
    pub step: f64,
    pub zero: i8,
    pub bounds: (i8, i8),
}

impl First {
    /// Whether all channels have one factor and one summand.
    pub fn is_uniform(&self) -> bool {
        let same = |values: &[f64]| values.iter().all(|v| *v == values[0]);
        same(&self.factor) && same(&self.offset)
    }

    /// What a step stands for in front of factor and summand, of several channels in the first.
    pub fn unit(&self) -> f64 {
        (self.step / self.factor[0]).abs()
    }

    /// Whether it does nothing to pixels that are integers in its steps already, as a map from
    /// pixels makes them.
    pub fn is_of(&self, pixels: InputMap) -> bool {
        let whole = matches!(pixels, InputMap::Halve | InputMap::Centre);
        whole
            && self.is_uniform()
            && (self.factor[0], self.offset[0]) == (1.0, 0.0)
            && self.step as f32 == pixels.step()
            && (self.zero, self.bounds) == (0, (i8::MIN, i8::MAX))
    }

    /// The map from pixels that it is, where pixels mean that.
    pub fn map(&self, pixels: Normalization, channels: usize) -> Result<InputQuantizer, String> {
        let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let (mut factors, mut summands) = (single(&self.factor), single(&self.offset));
        if self.is_uniform() {
            factors.truncate(1);
            summands.truncate(1);
        }
        let own = factors.len();
        if own > 1 && (own != channels || own > MOST_CHANNELS) {
            return Err(format!(
                "its input has a factor or a summand for each of {own} channels; allowed are such for images of up to {MOST_CHANNELS}"
            ));
        }
        let longest = factors.len().max(summands.len());
        factors.resize(longest, factors[0]);
        summands.resize(longest, summands[0]);
        let lines = (&factors[..], &summands[..]);
        InputQuantizer::new(pixels, lines, (self.step as f32, self.zero, self.bounds))
    }
}
