//! A map from pixels to values, written out.

use super::InputMap;
use crate::data::Pixels;

/// A map from pixels to values as tables: one for all channels, or one for each.
///
/// Value *i* of an image belongs to channel *i* mod channels. Pixels that are activations or
/// real numbers already bypass the tables.
#[derive(Clone, Debug)]
pub struct InputTable<T> {
    channels: Vec<[T; 256]>,
    map: InputMap,
    beyond: Beyond<T>,
}

/// What pixels become that are no bytes, given the map and the channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beyond<T> {
    /// Of an activation.
    pub activation: fn(InputMap, i8, usize) -> T,
    /// Of a real number.
    pub real: fn(InputMap, f32, usize) -> T,
}

impl<T: Copy> InputTable<T> {
    pub(super) fn new(map: InputMap, beyond: Beyond<T>, value: impl Fn(u8, usize) -> T) -> Self {
        let channel = |channel| std::array::from_fn(|pixel| value(pixel as u8, channel));
        Self {
            channels: (0..map.channels().unwrap_or(1)).map(channel).collect(),
            map,
            beyond,
        }
    }

    /// The values of an image, in its own order.
    pub fn apply<'a>(&'a self, image: impl Into<Pixels<'a>>) -> impl Iterator<Item = T> + 'a {
        let (bytes, activations, reals) = image.into().parts();
        let (map, beyond) = (self.map, self.beyond);
        let tables = self.channels.iter().cycle();
        let bytes = bytes.iter().zip(tables);
        let channels = || (0..self.channels.len()).cycle();
        bytes
            .map(|(&p, table)| table[usize::from(p)])
            .chain(
                (activations.iter().zip(channels()))
                    .map(move |(&v, channel)| (beyond.activation)(map, v, channel)),
            )
            .chain(
                (reals.iter().zip(channels()))
                    .map(move |(&v, channel)| (beyond.real)(map, v, channel)),
            )
    }

    /// Writes the values of an image, in its own order.
    ///
    /// # Panics
    /// If the image and the buffer have different sizes.
    pub fn write<'a>(&'a self, image: impl Into<Pixels<'a>>, values: &mut [T]) {
        let image = image.into();
        assert_eq!(image.len(), values.len(), "one value a pixel");
        let Some(bytes) = image.bytes() else {
            let applied = self.apply(image);
            return values.iter_mut().zip(applied).for_each(|(x, v)| *x = v);
        };
        let channels = self.channels.len();
        let pixels = bytes.chunks(channels);
        for (values, pixel) in values.chunks_mut(channels).zip(pixels) {
            for ((value, &p), table) in values.iter_mut().zip(pixel).zip(&self.channels) {
                *value = table[usize::from(p)];
            }
        }
    }
}
