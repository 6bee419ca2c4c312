//! A map from pixels to values, written out.

/// A map from pixels to values as tables: one for all channels, or one for each.
///
/// Value *i* of an image belongs to channel *i* mod channels.
#[derive(Clone, Debug)]
pub struct InputTable<T> {
    channels: Vec<[T; 256]>,
}

impl<T: Copy> InputTable<T> {
    pub(super) fn new(channels: usize, value: impl Fn(u8, usize) -> T) -> Self {
        let channel = |channel| std::array::from_fn(|pixel| value(pixel as u8, channel));
        Self {
            channels: (0..channels).map(channel).collect(),
        }
    }

    /// The values of an image, in its own order.
    pub fn apply<'a>(&'a self, image: &'a [u8]) -> impl Iterator<Item = T> + 'a {
        let tables = self.channels.iter().cycle();
        image
            .iter()
            .zip(tables)
            .map(|(&p, table)| table[usize::from(p)])
    }

    /// Writes the values of an image, in its own order.
    ///
    /// # Panics
    /// If the image and the buffer have different sizes.
    pub fn write(&self, image: &[u8], values: &mut [T]) {
        assert_eq!(image.len(), values.len(), "one value a pixel");
        let channels = self.channels.len();
        let pixels = image.chunks(channels);
        for (values, pixel) in values.chunks_mut(channels).zip(pixels) {
            for ((value, &p), table) in values.iter_mut().zip(pixel).zip(&self.channels) {
                *value = table[usize::from(p)];
            }
        }
    }
}
