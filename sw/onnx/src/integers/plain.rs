//! The image of a network on a file's grids: nothing stands between pixels and integers but a map
//! with means and deviations.

use super::building::Building;
use super::first::First;
use brownout_golden::model::{InputMap, InputQuantizer};
use brownout_golden::quantize::ActivationGrid;

impl Building<'_> {
    /// The map from pixels with nothing in front of the first quantizer: what stands there is part
    /// of what pixels mean.
    pub fn plain_map(&self, first: &First) -> Result<InputQuantizer, String> {
        let InputMap::Quantize(own) = self.input_map(first)? else {
            return Err("its image has no quantizer; allowed is one".to_owned());
        };
        if first.is_uniform() && first.factor[0] > 0.0 && first.offset[0] == 0.0 {
            return Ok(own);
        }
        let refused = || {
            format!(
                "what stands in front of the first quantizer makes {} of pixels as {}, which are no means and deviations that a map from pixels can have; allowed on the file's grids are such with which every pixel becomes the file's integer",
                InputMap::Quantize(own).formula(),
                self.pixels
            )
        };
        let channels = own.pixels().channels().len().max(first.factor.len());
        let spread = InputMap::Normalize(own.pixels()).for_channels(channels)?;
        let InputMap::Normalize(spread) = spread else {
            return Err(refused());
        };
        let of =
            |values: &[f64], channel: usize| values[if values.len() == 1 { 0 } else { channel }];
        let moments = spread
            .channels()
            .iter()
            .enumerate()
            .map(|(channel, moments)| {
                let (factor, offset) = (of(&first.factor, channel), of(&first.offset, channel));
                let deviation = moments.deviation.get();
                // (pixel/255 − mean)/deviation · factor + offset, in units of the first factor.
                (
                    moments.mean.get() - offset / factor * deviation,
                    deviation * first.factor[0] / factor,
                )
            });
        let (means, deviations): (Vec<f64>, Vec<f64>) = moments.unzip();
        let text = |values: &[f64]| -> Vec<String> {
            values.iter().map(|value| format!("{value:.8}")).collect()
        };
        let text = [text(&means), text(&deviations)].concat().join(",");
        let Ok(InputMap::Normalize(moments)) = text.parse() else {
            return Err(refused());
        };
        let steps = (first.unit() as f32, first.zero, first.bounds);
        let made = InputQuantizer::new(moments, (&[1.0], &[0.0]), steps)?;
        let integer =
            |map: InputQuantizer, pixel, channel| InputMap::Quantize(map).quantize(pixel, channel);
        let same = (0..channels).all(|channel| {
            (0..=255).all(|pixel| integer(made, pixel, channel) == integer(own, pixel, channel))
        });
        same.then_some(made).ok_or_else(refused)
    }
}

/// The grid of the image's integers.
pub(super) fn input_grid(first: &First) -> ActivationGrid {
    let zero = i16::from(first.zero);
    ActivationGrid {
        step: first.unit() as f32,
        low: i16::from(first.bounds.0) - zero,
        high: i16::from(first.bounds.1) - zero,
    }
}
