//! One quantizer per output channel.

use super::error::QuantizeError;
use super::{Quantized, Quantizer};

/// A quantizer for each output channel of a tensor whose first index is the channel.
#[derive(Clone, Debug, PartialEq)]
pub struct PerChannel<Q> {
    channels: Vec<Q>,
}

impl<Q: Quantizer> PerChannel<Q> {
    /// Fits one quantizer to the weights of each channel.
    ///
    /// `weights` are flattened, output channel first, so that a channel's weights lie together.
    ///
    /// # Errors
    /// Channels that do not share the weights out evenly, or the first error of `fit`.
    pub fn fit(
        weights: &[f32],
        channels: usize,
        mut fit: impl FnMut(&[f32]) -> Result<Q, QuantizeError>,
    ) -> Result<Self, QuantizeError> {
        if weights.is_empty() || channels == 0 || !weights.len().is_multiple_of(channels) {
            return Err(QuantizeError::Channels {
                values: weights.len(),
                channels,
            });
        }
        let channels = weights
            .chunks_exact(weights.len() / channels)
            .map(&mut fit)
            .collect::<Result<_, _>>()?;
        Ok(Self { channels })
    }

    /// The quantizers, in the channels' order.
    pub fn channels(&self) -> &[Q] {
        &self.channels
    }

    /// The quantizers, to be learned.
    pub fn channels_mut(&mut self) -> &mut [Q] {
        &mut self.channels
    }

    /// Stores a tensor, each channel with its own quantizer.
    ///
    /// # Errors
    /// Channels that do not share the weights out evenly.
    pub fn quantize(&self, weights: &[f32]) -> Result<Quantized, QuantizeError> {
        if weights.is_empty() || !weights.len().is_multiple_of(self.channels.len()) {
            return Err(QuantizeError::Channels {
                values: weights.len(),
                channels: self.channels.len(),
            });
        }
        let mut all = Quantized {
            stored: Vec::with_capacity(weights.len()),
            values: Vec::with_capacity(weights.len()),
        };
        let parts = weights.chunks_exact(weights.len() / self.channels.len());
        for (quantizer, weights) in self.channels.iter().zip(parts) {
            let part = quantizer.quantize(weights);
            all.stored.extend(part.stored);
            all.values.extend(part.values);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::{BitWidth, FixedPoint, Uniform};

    const WEIGHTS: [f32; 6] = [0.1, -0.05, 0.07, 8.0, -3.0, 2.0];

    #[test]
    fn each_channel_is_stored_as_if_it_were_a_tensor_of_its_own() {
        for width in BitWidth::ALL {
            let scheme = FixedPoint::rquant(width, 10.0);
            let both = PerChannel::fit(&WEIGHTS, 2, |w| scheme.fit(w)).unwrap();
            let stored = both.quantize(&WEIGHTS).unwrap();
            for (channel, weights) in WEIGHTS.chunks(3).enumerate() {
                let alone = scheme.fit(weights).unwrap().quantize(weights);
                let part = channel * 3..channel * 3 + 3;
                assert_eq!(stored.stored[part.clone()], alone.stored);
                assert_eq!(stored.values[part], alone.values);
            }
        }
    }

    #[test]
    fn small_channels_keep_their_weights_beside_large_ones() {
        let width = BitWidth::new(4).unwrap();
        let fit = |w: &[f32]| Uniform::symmetric(width, w);
        let channels = PerChannel::fit(&WEIGHTS, 2, fit).unwrap();
        assert!(channels.quantize(&WEIGHTS).unwrap().values[0] > 0.09);
        assert_eq!(fit(&WEIGHTS).unwrap().quantize(&WEIGHTS).values[0], 0.0);
    }

    #[test]
    fn tensors_that_do_not_divide_are_refused() {
        let fit = |w: &[f32]| Uniform::symmetric(BitWidth::new(4)?, w);
        let message = PerChannel::fit(&WEIGHTS, 4, fit).unwrap_err().to_string();
        assert_eq!(
            message,
            "6 values cannot be shared out evenly over 4 channels"
        );
        let two = PerChannel::fit(&WEIGHTS, 2, fit).unwrap();
        assert!(two.quantize(&WEIGHTS[..5]).is_err() && two.quantize(&[]).is_err());
        assert!(PerChannel::fit(&WEIGHTS, 0, fit).is_err());
    }
}
