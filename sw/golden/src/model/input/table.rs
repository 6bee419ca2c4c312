//! A map from pixels to values, written out.

use crate::data::Pixels;

/// A map from pixels to values as tables: one for all channels, or one for each.
///
/// Value *i* of an image belongs to channel *i* mod channels. Pixels that are activations or
/// real numbers already bypass the tables.
#[derive(Clone, Debug)]
pub struct InputTable<T> {
    channels: Vec<[T; 256]>,
    /// What one unit of an activation means.
    step: f32,
    beyond: Beyond<T>,
}

/// What pixels become that are no bytes, given the step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beyond<T> {
    /// Of an activation.
    pub activation: fn(i8, f32) -> T,
    /// Of a real number.
    pub real: fn(f32, f32) -> T,
}

/// The activation that comes nearest to a real number, of two the even one: what
/// QuantizeLinear of ONNX has as its definition.
pub(super) fn nearest(value: f32, step: f32) -> i8 {
    // The cast saturates.
    (value / step).round_ties_even() as i8
}

impl<T: Copy> InputTable<T> {
    pub(super) fn new(
        channels: usize,
        step: f32,
        beyond: Beyond<T>,
        value: impl Fn(u8, usize) -> T,
    ) -> Self {
        let channel = |channel| std::array::from_fn(|pixel| value(pixel as u8, channel));
        Self {
            channels: (0..channels).map(channel).collect(),
            step,
            beyond,
        }
    }

    /// The values of an image, in its own order.
    pub fn apply<'a>(&'a self, image: impl Into<Pixels<'a>>) -> impl Iterator<Item = T> + 'a {
        let (bytes, activations, reals) = image.into().parts();
        let (step, beyond) = (self.step, self.beyond);
        let tables = self.channels.iter().cycle();
        let bytes = bytes.iter().zip(tables);
        bytes
            .map(|(&p, table)| table[usize::from(p)])
            .chain((activations.iter()).map(move |&v| (beyond.activation)(v, step)))
            .chain(reals.iter().map(move |&v| (beyond.real)(v, step)))
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
