//! The values of an array.

use super::header::{Header, Kind, shown};
use crate::words;
use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use std::io::{ErrorKind, Read};

/// Bytes that are read at once.
const PART: usize = 64 << 10;

/// An array with its values, in the order of Rust and C.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// Bytes.
    U8(ArrayD<u8>),
    /// Signed bytes.
    I8(ArrayD<i8>),
    /// Whole numbers of more than a byte, with their type's name.
    Integers(ArrayD<i64>, String),
    /// Floating-point numbers: of 16 and 32 bits as they are, of 64 bits rounded to 32.
    F32(ArrayD<f32>),
}

impl Array {
    /// Reads an array to the end of its file.
    ///
    /// # Errors
    /// What was found and what is allowed.
    pub fn read(reader: &mut impl Read) -> Result<Self, String> {
        let header = Header::read(reader)?;
        let bytes = rest(reader, header.bytes()?)?;
        let order = header.is_big_endian;
        let array = match (header.kind, header.width) {
            (Kind::Unsigned, 1) => Self::U8(arranged(&header, bytes)?),
            (Kind::Signed, 1) => {
                let values = bytes.into_iter().map(|byte| byte as i8).collect();
                Self::I8(arranged(&header, values)?)
            }
            (Kind::Float, width) => {
                let values = match width {
                    2 => each(&bytes, order, |b| half(u16::from_le_bytes(b))),
                    4 => each(&bytes, order, f32::from_le_bytes),
                    _ => each(&bytes, order, |b| f64::from_le_bytes(b) as f32),
                };
                if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                    return Err(format!(
                        "its value {place} in the file is {}; allowed are finite numbers of 32 bits",
                        values[place]
                    ));
                }
                Self::F32(arranged(&header, values)?)
            }
            (kind, width) => {
                let signed = kind == Kind::Signed;
                let values = match (width, signed) {
                    (2, true) => each(&bytes, order, |b| i64::from(i16::from_le_bytes(b))),
                    (2, false) => each(&bytes, order, |b| i64::from(u16::from_le_bytes(b))),
                    (4, true) => each(&bytes, order, |b| i64::from(i32::from_le_bytes(b))),
                    (4, false) => each(&bytes, order, |b| i64::from(u32::from_le_bytes(b))),
                    (_, true) => each(&bytes, order, i64::from_le_bytes),
                    // What is beyond is no label anyway.
                    (_, false) => each(&bytes, order, |b| {
                        i64::try_from(u64::from_le_bytes(b)).unwrap_or(i64::MAX)
                    }),
                };
                Self::Integers(arranged(&header, values)?, header.type_name())
            }
        };
        Ok(array)
    }

    /// Length of each axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::U8(values) => values.shape(),
            Self::I8(values) => values.shape(),
            Self::Integers(values, _) => values.shape(),
            Self::F32(values) => values.shape(),
        }
    }
}

/// Exactly so many bytes to the end of the file.
fn rest(reader: &mut impl Read, size: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut part = vec![0; PART.min(size as usize + 1)];
    loop {
        let read = match reader.read(&mut part) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(format!("its values cannot be read: {}", words(e))),
        };
        if (bytes.len() + read) as u64 > size {
            return Err(format!(
                "it holds more than the {size} bytes of values that its header announces"
            ));
        }
        if bytes.len() + read > bytes.capacity() {
            // Doubled as the bytes come, but not beyond what there can be.
            let most = size as usize - bytes.len();
            bytes.reserve_exact(most.min(bytes.len().max(PART)));
        }
        bytes.extend_from_slice(&part[..read]);
    }
    if (bytes.len() as u64) < size {
        return Err(format!(
            "it ends after {} of the {size} bytes of values that its header announces",
            bytes.len()
        ));
    }
    Ok(bytes)
}

/// Each value, made of its bytes with the lowest first.
fn each<const N: usize, T>(bytes: &[u8], is_big: bool, value: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    let of = |&chunk: &[u8; N]| {
        let mut chunk = chunk;
        if is_big {
            chunk.reverse();
        }
        value(chunk)
    };
    chunks.iter().map(of).collect()
}

fn arranged<T: Clone>(header: &Header, values: Vec<T>) -> Result<ArrayD<T>, String> {
    let shape = IxDyn(&header.shape).set_f(header.is_fortran);
    let array = ArrayD::from_shape_vec(shape, values).map_err(|e| {
        let shape = shown(&header.shape);
        format!("its values do not have the shape {shape}: {e}")
    })?;
    Ok(match array.is_standard_layout() {
        true => array,
        false => array.as_standard_layout().into_owned(),
    })
}

/// A number of 16 bits (IEEE 754 binary16).
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (bits >> 10 & 31, f32::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(i32::from(exponent) - 15),
    };
    if bits >> 15 == 1 {
        -magnitude
    } else {
        magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(descr: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
        let fortran = if fortran { "True" } else { "False" };
        let text =
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let length = (text.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), values].concat()
    }

    fn read(file: &[u8]) -> Result<Array, String> {
        Array::read(&mut &file[..])
    }

    #[test]
    fn fortran_order_and_big_endian_give_the_same_array() {
        let plain: Vec<u8> = (0..6i16).flat_map(i16::to_le_bytes).collect();
        let plain = read(&file("<i2", false, "(2, 3)", &plain)).unwrap();
        let other: Vec<u8> = [0i16, 3, 1, 4, 2, 5]
            .into_iter()
            .flat_map(i16::to_be_bytes)
            .collect();
        let other = read(&file(">i2", true, "(2, 3)", &other)).unwrap();
        assert_eq!(plain, other);
        let Array::Integers(values, name) = plain else {
            panic!("integers")
        };
        assert_eq!((values[[1, 2]], &name[..]), (5, "int16"));
        assert!(values.is_standard_layout());
    }

    #[test]
    fn halves_are_exact() {
        // One, the least subnormal, the largest, a negative third as binary16 has it.
        for (bits, value) in [
            (0x3c00, 1.0),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65504.0),
            (0xb555, -0.333_251_95),
            (0x8000, -0.0),
        ] {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value));
        }
        assert!(half(0x7e00).is_nan() && half(0xfc00) == f32::NEG_INFINITY);
    }

    #[test]
    fn values_that_are_too_few_too_many_or_not_finite_are_refused() {
        for (file, reason) in [
            (file("|u1", false, "(4,)", &[1; 3]), "ends after 3 of the 4"),
            (file("|u1", false, "(4,)", &[1; 5]), "more than the 4 bytes"),
            (
                file("<f4", false, "(2,)", &[0, 0, 0, 0, 0, 0, 0x80, 0x7f]),
                "its value 1 in the file is inf",
            ),
            (
                file("<f8", false, "(1,)", &1e300f64.to_le_bytes()),
                "its value 0 in the file is inf",
            ),
            (
                file("|u1", false, "(4000000000,)", &[1; 5]),
                "ends after 5 of the 4000000000",
            ),
        ] {
            let message = read(&file).unwrap_err();
            assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        }
    }
}
