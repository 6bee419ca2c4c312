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
        // Tables of a known number need no count, which is half of what a pixel costs.
        match &self.channels[..] {
            [one] => write_pixels([one], bytes, values),
            [a, b, c] if bytes.len().is_multiple_of(3) => write_pixels([a, b, c], bytes, values),
            tables => {
                let pixels = bytes.chunks(tables.len());
                for (values, pixel) in values.chunks_mut(tables.len()).zip(pixels) {
                    for ((value, &p), table) in values.iter_mut().zip(pixel).zip(tables) {
                        *value = table[usize::from(p)];
                    }
                }
            }
        }
    }
}

/// Writes the values of pixels of so many channels, each with its table.
fn write_pixels<T: Copy, const CHANNELS: usize>(
    tables: [&[T; 256]; CHANNELS],
    bytes: &[u8],
    values: &mut [T],
) {
    let pixels = bytes.as_chunks::<CHANNELS>().0;
    for (values, pixel) in values.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(pixels) {
        *values = std::array::from_fn(|c| tables[c][usize::from(pixel[c])]);
    }
}
