//! The image of a network on a file's grids: nothing stands between pixels and integers but a map
//! with means and deviations.

use super::building::Building;
use super::first::First;
use super::image::FULL_INK;
use crate::network::{Network, Operator, QuantizedForm};
use crate::tensor::Element;
use brownout_golden::model::{InputMap, InputQuantizer, Normalization};

impl Building<'_> {
    /// The map from pixels with nothing in front of the first quantizer: what stands there is part
    /// of what pixels mean.
    pub fn plain_map(&self, first: &First) -> Result<InputMap, String> {
        let map = self.input_map(first)?;
        let InputMap::Quantize(own) = map else {
            // Pixels are integers in its steps already.
            return Ok(map);
        };
        if first.is_uniform() && first.factor[0] > 0.0 && first.offset[0] == 0.0 {
            return Ok(map);
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
        let Some(moments) = written(moments) else {
            return Err(refused());
        };
        let steps = (first.unit() as f32, first.zero, first.bounds);
        let made = InputQuantizer::new(moments, (&[1.0], &[0.0]), steps)?;
        let integer =
            |map: InputQuantizer, pixel, channel| InputMap::Quantize(map).quantize(pixel, channel);
        let same = (0..channels).all(|channel| {
            (0..=255).all(|pixel| integer(made, pixel, channel) == integer(own, pixel, channel))
        });
        same.then_some(InputMap::Quantize(made)).ok_or_else(refused)
    }
}

/// Means and deviations to as many digits as people write them, if a map can have them.
fn written(moments: impl Iterator<Item = (f64, f64)>) -> Option<Normalization> {
    let (means, deviations): (Vec<f64>, Vec<f64>) = moments.unzip();
    let text = |values: &[f64]| -> Vec<String> {
        values.iter().map(|value| format!("{value:.8}")).collect()
    };
    let text = [text(&means), text(&deviations)].concat().join(",");
    match text.parse() {
        Ok(InputMap::Normalize(moments)) => Some(moments),
        _ => None,
    }
}

/// What pixels mean to a network that takes integers: a pixel is its unsigned byte, or 128 more
/// than its signed one, and a dequantizer makes a number of it. None where it takes numbers.
///
/// # Errors
/// Where these are no means and deviations that a map from pixels can have.
pub fn map_of_integers(network: &Network) -> Option<Result<InputMap, String>> {
    let mut layers = network.layers.iter();
    let (name, linear) = layers.find_map(|layer| match &layer.operator {
        Operator::Quantizer(QuantizedForm::Dequantize(linear))
            if layer.reads == [network.input] =>
        {
            Some((&layer.name, linear))
        }
        _ => None,
    })?;
    let (&[scale], &[zero]) = (&linear.scale[..], &linear.zero_point[..]) else {
        return None;
    };
    let black = match linear.element {
        Element::I8 => zero + 128,
        _ => zero,
    };
    if (scale, black) == (1.0, 0) {
        return Some(Ok(InputMap::Bytes));
    }
    // (pixel − black) · scale.
    let moments = (black as f64 / FULL_INK, 1.0 / (FULL_INK * f64::from(scale)));
    let map = written(std::iter::once(moments)).map(InputMap::Normalize);
    Some(map.ok_or_else(|| {
        format!(
            "{name}: it makes numbers of the image's integers in steps of {scale} with the zero point {zero}, which are no means and deviations that a map from pixels can have; allowed are such, and any in an integer model or on the file's grids (--form grids)"
        )
    }))
}
