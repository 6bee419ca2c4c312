//! Constants: a shape, a type, and the elements where they were read.
//!
//! Weights of a hundred megabytes stay the bytes of the file; who needs numbers
//! asks for them, and then they exist once.

mod element;

pub use element::Element;

use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// A constant tensor; a copy shares the elements.
#[derive(Clone, Debug)]
pub struct Tensor {
    shape: Vec<usize>,
    element: Element,
    data: Data,
}

#[derive(Clone, Debug)]
enum Data {
    /// Little-endian, packed as ONNX packs them.
    Bytes(Bytes),
    /// Of every floating-point type.
    Floats(Arc<Vec<f32>>),
    /// Of every integer type.
    Integers(Arc<Vec<i64>>),
}

/// The product of the extents; `None` where it does not fit.
pub fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

impl Tensor {
    /// Elements of any type, little-endian and packed; `None` where shape and length
    /// do not fit together.
    pub fn from_bytes(shape: Vec<usize>, element: Element, bytes: Bytes) -> Option<Self> {
        let fits = element.bytes(count(&shape)?)? == bytes.len();
        let data = Data::Bytes(bytes);
        fits.then_some(Self {
            shape,
            element,
            data,
        })
    }

    /// Single-precision elements; `None` where shape and length do not fit together.
    pub fn from_floats(shape: Vec<usize>, values: Vec<f32>) -> Option<Self> {
        let fits = count(&shape)? == values.len();
        let data = Data::Floats(Arc::new(values));
        let element = Element::F32;
        fits.then_some(Self {
            shape,
            element,
            data,
        })
    }

    /// Integers of the type; `None` where shape and length do not fit together or the
    /// type is no integer.
    pub fn from_integers(shape: Vec<usize>, element: Element, values: Vec<i64>) -> Option<Self> {
        let fits = count(&shape)? == values.len() && !element.is_float();
        let data = Data::Integers(Arc::new(values));
        fits.then_some(Self {
            shape,
            element,
            data,
        })
    }

    /// A list of 64-bit integers, as shapes are.
    pub fn list(values: Vec<i64>) -> Self {
        Self {
            shape: vec![values.len()],
            element: Element::I64,
            data: Data::Integers(Arc::new(values)),
        }
    }

    /// A number.
    pub fn scalar(value: f32) -> Self {
        Self {
            shape: Vec::new(),
            element: Element::F32,
            data: Data::Floats(Arc::new(vec![value])),
        }
    }

    /// Extents of the axes; none for a number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Type of the elements in the file.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Elements.
    pub fn len(&self) -> usize {
        match &self.data {
            Data::Bytes(_) => count(&self.shape).unwrap_or(0),
            Data::Floats(values) => values.len(),
            Data::Integers(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same elements in another shape; `None` where they do not fill it.
    pub fn reshaped(&self, shape: Vec<usize>) -> Option<Self> {
        let fits = count(&shape)? == self.len();
        let (element, data) = (self.element, self.data.clone());
        fits.then_some(Self {
            shape,
            element,
            data,
        })
    }

    /// The elements that steps of those widths (in elements) along the axes of `shape` reach
    /// from `start` on; `None` where they leave the tensor.
    pub fn strided(&self, shape: Vec<usize>, strides: &[isize], start: usize) -> Option<Self> {
        let length = count(&shape)?;
        let places = Places::new(&shape, strides, start, length, self.len())?;
        let element = self.element;
        let data = match &self.data {
            Data::Floats(values) => Data::Floats(Arc::new(places.map(|p| values[p]).collect())),
            Data::Integers(values) => Data::Integers(Arc::new(places.map(|p| values[p]).collect())),
            Data::Bytes(_) if element.bits() < 8 => {
                let values = self.integers();
                Data::Integers(Arc::new(places.map(|p| values[p]).collect()))
            }
            Data::Bytes(bytes) => {
                let width = element.bits() as usize / 8;
                let mut moved = Vec::with_capacity(length * width);
                for place in places {
                    moved.extend_from_slice(&bytes[place * width..(place + 1) * width]);
                }
                Data::Bytes(moved.into())
            }
        };
        Some(Self {
            shape,
            element,
            data,
        })
    }

    /// The elements as single-precision numbers, nearest where they are wider.
    pub fn floats(&self) -> Cow<'_, [f32]> {
        match &self.data {
            Data::Floats(values) => Cow::Borrowed(values),
            Data::Integers(values) => Cow::Owned(values.iter().map(|&v| v as f32).collect()),
            Data::Bytes(bytes) => Cow::Owned(match self.element {
                Element::F32 => words(bytes, f32::from_le_bytes),
                Element::F64 => words(bytes, |b| f64::from_le_bytes(b) as f32),
                Element::F16 => words(bytes, |b| half(u16::from_le_bytes(b))),
                Element::Bf16 => words(bytes, |b| {
                    f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)
                }),
                _ => self.integers().iter().map(|&v| v as f32).collect(),
            }),
        }
    }

    /// The elements as integers, towards zero where they are none, saturated.
    pub fn integers(&self) -> Cow<'_, [i64]> {
        match &self.data {
            Data::Integers(values) => Cow::Borrowed(values),
            Data::Floats(values) => Cow::Owned(values.iter().map(|&v| v as i64).collect()),
            Data::Bytes(bytes) => Cow::Owned(match self.element {
                Element::U8 | Element::Bool => words(bytes, |[b]: [u8; 1]| i64::from(b)),
                Element::I8 => words(bytes, |b| i64::from(i8::from_le_bytes(b))),
                Element::U16 => words(bytes, |b| i64::from(u16::from_le_bytes(b))),
                Element::I16 => words(bytes, |b| i64::from(i16::from_le_bytes(b))),
                Element::U32 => words(bytes, |b| i64::from(u32::from_le_bytes(b))),
                Element::I32 => words(bytes, |b| i64::from(i32::from_le_bytes(b))),
                Element::U64 => words(bytes, |b| {
                    i64::try_from(u64::from_le_bytes(b)).unwrap_or(i64::MAX)
                }),
                Element::I64 => words(bytes, i64::from_le_bytes),
                Element::U4 | Element::I4 | Element::U2 | Element::I2 => {
                    packed(bytes, self.element, self.len())
                }
                _ => self.floats().iter().map(|&v| v as i64).collect(),
            }),
        }
    }

    /// Whether every element is a number, looked at where it lies.
    pub fn is_finite(&self) -> bool {
        match (&self.data, self.element) {
            (Data::Floats(values), _) => values.iter().all(|v| v.is_finite()),
            (Data::Bytes(bytes), Element::F32) => {
                let (words, _) = bytes.as_chunks::<4>();
                words
                    .iter()
                    .all(|&word| f32::from_le_bytes(word).is_finite())
            }
            (Data::Bytes(_), element) if element.is_float() => {
                self.floats().iter().all(|v| v.is_finite())
            }
            _ => true,
        }
    }

    /// Its only element, if there is just one.
    pub fn only(&self) -> Option<f32> {
        match self.len() {
            1 => self.floats().first().copied(),
            _ => None,
        }
    }
}

/// Places of the elements of a strided view, in order.
struct Places {
    shape: Vec<usize>,
    strides: Vec<isize>,
    index: Vec<usize>,
    place: isize,
    left: usize,
}

impl Places {
    /// `None` where a place would lie outside the first `within`.
    fn new(
        shape: &[usize],
        strides: &[isize],
        start: usize,
        left: usize,
        within: usize,
    ) -> Option<Self> {
        let place = isize::try_from(start).ok()?;
        if left > 0 {
            let (mut low, mut high) = (place, place);
            for (&extent, &stride) in shape.iter().zip(strides) {
                let reach = stride.checked_mul(isize::try_from(extent).ok()? - 1)?;
                low = low.checked_add(reach.min(0))?;
                high = high.checked_add(reach.max(0))?;
            }
            if low < 0 || usize::try_from(high).ok()? >= within {
                return None;
            }
        }
        Some(Self {
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            index: vec![0; shape.len()],
            place,
            left,
        })
    }
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.place;
        for axis in (0..self.shape.len()).rev() {
            self.index[axis] += 1;
            self.place += self.strides[axis];
            if self.index[axis] < self.shape[axis] {
                break;
            }
            self.place -= self.strides[axis] * self.shape[axis] as isize;
            self.index[axis] = 0;
        }
        usize::try_from(place).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

fn words<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (words, _) = bytes.as_chunks::<N>();
    words.iter().map(|&word| read(word)).collect()
}

/// Elements of less than a byte, the first in the lowest bits.
fn packed(bytes: &[u8], element: Element, count: usize) -> Vec<i64> {
    let bits = element.bits();
    let each = (8 / bits) as usize;
    let signed = matches!(element, Element::I4 | Element::I2);
    let value = |at: usize| {
        let byte = bytes.get(at / each).copied().unwrap_or(0);
        let field = i64::from(byte >> (bits * (at % each) as u32)) & ((1 << bits) - 1);
        let negative = signed && field >> (bits - 1) == 1;
        if negative { field - (1 << bits) } else { field }
    };
    (0..count).map(value).collect()
}

/// An IEEE half-precision number (IEEE 754, binary16).
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 31);
    let fraction = f32::from(bits & 1023);
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_nibbles_come_first() {
        let bytes = Bytes::from_static(&[0xe1, 0x83, 0x07]);
        let tensor = Tensor::from_bytes(vec![5], Element::I4, bytes).unwrap();
        assert_eq!(tensor.integers().as_ref(), [1, -2, 3, -8, 7]);
        let bytes = Bytes::from_static(&[201, 1]);
        let tensor = Tensor::from_bytes(vec![5], Element::I2, bytes).unwrap();
        assert_eq!(tensor.integers().as_ref(), [1, -2, 0, -1, 1]);
    }

    #[test]
    fn halves_are_what_the_standard_says() {
        let cases = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn a_length_that_does_not_fill_the_shape_is_no_tensor() {
        assert!(Tensor::from_floats(vec![2, 2], vec![0.0; 3]).is_none());
        assert!(Tensor::from_bytes(vec![3], Element::I4, Bytes::from_static(&[0])).is_none());
        let huge = vec![usize::MAX, 2];
        assert!(Tensor::from_floats(huge, Vec::new()).is_none());
    }
}
