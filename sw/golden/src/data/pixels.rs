//! Values of images, in the form in which a file has them.

use ndarray::{Array4, ArrayView4, Axis};
use std::borrow::Cow;

/// The values of one image, row-major with the channel innermost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pixels<'a> {
    /// 0 to 255, which an input map turns into activations.
    Bytes(&'a [u8]),
    /// First activations themselves, -128 to 127, whatever the input map is: a network in
    /// floating point reads them times the map's step.
    Activations(&'a [i8]),
    /// What a network in floating point reads, to the bit, whatever the input map is: one in
    /// integers rounds it to the map's step.
    Reals(&'a [f32]),
}

impl<'a> Pixels<'a> {
    /// Number of values.
    pub fn len(self) -> usize {
        let (bytes, activations, reals) = self.parts();
        bytes.len() + activations.len() + reals.len()
    }

    /// Whether there is no value at all.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The values in three forms, of which at most one has any.
    pub fn parts(self) -> (&'a [u8], &'a [i8], &'a [f32]) {
        match self {
            Self::Bytes(values) => (values, &[], &[]),
            Self::Activations(values) => (&[], values, &[]),
            Self::Reals(values) => (&[], &[], values),
        }
    }

    /// Its bytes, if it has such.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(values) => Some(values),
            _ => None,
        }
    }

    /// Bytes that tell it from others: those of [`Pixels::Bytes`] themselves, and of other
    /// forms their values', the lowest byte first.
    pub fn identity(self) -> Cow<'a, [u8]> {
        match self {
            Self::Bytes(values) => values.into(),
            Self::Activations(values) => values.iter().map(|&v| v as u8).collect(),
            Self::Reals(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }
}

impl<'a> From<&'a [u8]> for Pixels<'a> {
    fn from(values: &'a [u8]) -> Self {
        Self::Bytes(values)
    }
}

impl<'a> From<&'a Vec<u8>> for Pixels<'a> {
    fn from(values: &'a Vec<u8>) -> Self {
        Self::Bytes(values)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Pixels<'a> {
    fn from(values: &'a [u8; N]) -> Self {
        Self::Bytes(values)
    }
}

/// The values of many images of one size, `[image][row][column][channel]` in standard layout.
#[derive(Clone, Debug, PartialEq)]
pub enum Images {
    /// See [`Pixels::Bytes`]: 0 = background, 255 = full ink.
    Bytes(Array4<u8>),
    /// See [`Pixels::Activations`].
    Activations(Array4<i8>),
    /// See [`Pixels::Reals`].
    Reals(Array4<f32>),
}

impl From<Array4<u8>> for Images {
    fn from(values: Array4<u8>) -> Self {
        Self::Bytes(values)
    }
}

impl From<Array4<i8>> for Images {
    fn from(values: Array4<i8>) -> Self {
        Self::Activations(values)
    }
}

impl From<Array4<f32>> for Images {
    fn from(values: Array4<f32>) -> Self {
        Self::Reals(values)
    }
}

impl Images {
    /// Images, rows, columns and channels.
    pub fn dim(&self) -> (usize, usize, usize, usize) {
        match self {
            Self::Bytes(values) => values.dim(),
            Self::Activations(values) => values.dim(),
            Self::Reals(values) => values.dim(),
        }
    }

    /// All values, one image after the other.
    fn all(&self) -> Pixels<'_> {
        let layout = "images are stored in standard layout";
        match self {
            Self::Bytes(values) => Pixels::Bytes(values.as_slice().expect(layout)),
            Self::Activations(values) => Pixels::Activations(values.as_slice().expect(layout)),
            Self::Reals(values) => Pixels::Reals(values.as_slice().expect(layout)),
        }
    }

    /// All values, if they are bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.all().bytes()
    }

    /// As [`Pixels::identity`], of all images.
    pub fn identity(&self) -> Cow<'_, [u8]> {
        self.all().identity()
    }

    /// The values of image `index`.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn image(&self, index: usize) -> Pixels<'_> {
        match self {
            Self::Bytes(values) => Pixels::Bytes(one(values, index)),
            Self::Activations(values) => Pixels::Activations(one(values, index)),
            Self::Reals(values) => Pixels::Reals(one(values, index)),
        }
    }

    /// The images with these numbers, in this order.
    ///
    /// # Panics
    /// If there is no such image.
    #[must_use]
    pub fn select(&self, numbers: &[usize]) -> Self {
        match self {
            Self::Bytes(values) => Self::Bytes(values.select(Axis(0), numbers)),
            Self::Activations(values) => Self::Activations(values.select(Axis(0), numbers)),
            Self::Reals(values) => Self::Reals(values.select(Axis(0), numbers)),
        }
    }

    /// The images from one number to before another.
    ///
    /// # Panics
    /// If there are not as many.
    #[must_use]
    pub fn range(&self, start: usize, end: usize) -> Self {
        fn part<T: Clone>(values: ArrayView4<'_, T>, start: usize, end: usize) -> Array4<T> {
            values
                .slice_axis(Axis(0), (start..end).into())
                .as_standard_layout()
                .into_owned()
        }
        match self {
            Self::Bytes(values) => Self::Bytes(part(values.view(), start, end)),
            Self::Activations(values) => Self::Activations(part(values.view(), start, end)),
            Self::Reals(values) => Self::Reals(part(values.view(), start, end)),
        }
    }

    /// The same values as images of another size.
    ///
    /// # Errors
    /// The images as they were, where such ones have another number of values.
    pub fn reshaped(self, (height, width, channels): (usize, usize, usize)) -> Result<Self, Self> {
        let (images, h, w, c) = self.dim();
        if h * w * c != height * width * channels {
            return Err(self);
        }
        let shape = (images, height, width, channels);
        let fits = "the number of values is the same, and they are in standard layout";
        Ok(match self {
            Self::Bytes(v) => Self::Bytes(v.into_shape_with_order(shape).expect(fits)),
            Self::Activations(v) => Self::Activations(v.into_shape_with_order(shape).expect(fits)),
            Self::Reals(v) => Self::Reals(v.into_shape_with_order(shape).expect(fits)),
        })
    }
}

fn one<T>(values: &Array4<T>, index: usize) -> &[T] {
    values
        .index_axis(Axis(0), index)
        .to_slice()
        .expect("images are stored in standard layout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_keeps_its_values_in_parts_selections_and_other_sizes() {
        let number = |(n, y, x, c): (usize, usize, usize, usize)| n * 12 + y * 6 + x * 2 + c;
        let forms = [
            Images::from(Array4::from_shape_fn((3, 2, 3, 2), |i| number(i) as u8)),
            Images::from(Array4::from_shape_fn((3, 2, 3, 2), |i| {
                number(i) as i8 - 20
            })),
            Images::from(Array4::from_shape_fn((3, 2, 3, 2), |i| {
                number(i) as f32 / 7.0
            })),
        ];
        for images in forms {
            assert_eq!(images.select(&[2, 0]).image(0), images.image(2));
            assert_eq!(images.range(1, 3).image(1), images.image(2));
            assert_eq!(images.image(1).len(), 12);
            let flat = images.clone().reshaped((1, 1, 12)).unwrap();
            assert_eq!(flat.dim(), (3, 1, 1, 12));
            assert_eq!(flat.image(1), images.image(1));
            assert_eq!(images.clone().reshaped((1, 1, 11)), Err(images));
        }
    }
}
