//! The image: how its integers come about.

use super::building::Building;
use super::first::First;
use super::target::RECENTRED;
use super::value::{Grid, Image, Stored, Value, View};
use crate::quantization::Linear;
use crate::tensor::Element;
use brownout_golden::model::{InputMap, Normalization};

/// A pixel of full ink.
pub(super) const FULL_INK: f64 = 255.0;

impl<'n> Building<'n> {
    /// Remembers the first quantizer; of bytes as they are, in shares of full ink.
    pub fn begin(&mut self, mut first: First) -> Result<(), String> {
        if self.pixels == InputMap::Bytes {
            first
                .factor
                .iter_mut()
                .for_each(|factor| *factor *= FULL_INK);
        }
        match &self.first {
            Some(other) if *other != first => Err(
                "it quantizes the image in another way than an earlier node does; allowed is one quantizer of the image"
                    .to_owned(),
            ),
            _ => {
                self.first = Some(first);
                Ok(())
            }
        }
    }

    /// The image where the file takes integers: its bytes, less 128.
    pub fn taken(
        &mut self,
        image: Image,
        linear: &Linear,
        scale: Vec<f64>,
    ) -> Result<Value<'n>, String> {
        let (low, high, recentred) = match linear.element {
            Element::U8 => (0, 255, RECENTRED),
            Element::I8 => (-128, 127, 0),
            other => {
                return Err(format!(
                    "the network's input are integers of {other}; allowed are bytes"
                ));
            }
        };
        let as_it_is = image.factor == [1.0] && image.offset == [0.0] && image.is_unclipped();
        let &[zero] = &linear.zero_point[..] else {
            return Err("it has several zero points; allowed is one".to_owned());
        };
        let stored = i8::try_from(zero - recentred);
        let (true, Ok(zero)) = (as_it_is, stored) else {
            return Err(
                "it reads an image that is no integers any more; allowed are integers".to_owned(),
            );
        };
        self.remarks.push(format!(
            "its input are integers from {low} to {high}, and pixels are stored less 128, as {}",
            match recentred {
                0 => "a pixel of 128 is 0",
                _ => "the file's bytes are",
            }
        ));
        // 255 times the share of full ink, less 128, whatever the zero point is.
        self.begin(First {
            factor: match self.pixels {
                InputMap::Bytes => vec![1.0],
                _ => vec![FULL_INK],
            },
            offset: vec![-128.0 - f64::from(zero)],
            step: 1.0,
            zero,
            bounds: (i8::MIN, i8::MAX),
        })?;
        Ok(Value::Stored(Stored {
            tensor: 0,
            grid: Grid {
                scale,
                zero: i64::from(zero),
            },
            view: View {
                flat: image.flat,
                ..View::PLAIN
            },
        }))
    }

    /// The map from pixels that the first quantizer is, where pixels mean that.
    pub fn input_map(&self, first: &First) -> Result<InputMap, String> {
        let pixels = match self.pixels {
            // Counted in the first quantizer's factors.
            InputMap::Bytes => InputMap::Normalize(Normalization::UNIT),
            other => other,
        };
        if first.is_of(self.pixels) {
            return Ok(self.pixels);
        }
        let InputMap::Normalize(moments) = pixels else {
            return Err(format!(
                "pixels as {pixels} have integers of their own, and the network quantizes its image itself; allowed are bytes, and means and deviations, as unit"
            ));
        };
        // What is the same for all channels is so for any number of them.
        let moments = match (moments.channels(), first.is_uniform()) {
            ([_], true) => moments,
            _ => match pixels.for_channels(self.image.channels)? {
                InputMap::Normalize(spread) => spread,
                _ => moments,
            },
        };
        Ok(InputMap::Quantize(first.map(moments, self.image.channels)?))
    }
}
