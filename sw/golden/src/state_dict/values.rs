//! The numbers of a tensor, whatever type and shape another program has given it.

use super::names::Stored;
use crate::float::check_finite;
use brownout_spec::text::printable;
use safetensors::tensor::{Dtype, TensorView};

/// Types whose values are weights; what others stand for is not known.
const FLOATS: &str = "F64, F32, F16 and BF16";

/// The finite values of a tensor.
///
/// # Errors
/// When they are of another type, or not finite.
pub(super) fn values(tensor: &Stored<'_>) -> Result<Vec<f32>, String> {
    let name = printable(&tensor.name);
    let values = floats(&tensor.view).ok_or_else(|| {
        let hint = match tensor.view.dtype() {
            Dtype::I8 | Dtype::U8 | Dtype::I16 | Dtype::I32 | Dtype::F8_E4M3 | Dtype::F8_E5M2 => {
                "; quantized weights must be written as the numbers that they stand for"
            }
            _ => "",
        };
        format!(
            "tensor {name:?} is of type {:?}; allowed are {FLOATS}{hint}",
            tensor.view.dtype()
        )
    })?;
    if tensor.view.dtype() == Dtype::F64 {
        let wide = tensor.view.data().as_chunks().0.iter();
        let wide = wide.map(|v| f64::from_le_bytes(*v));
        let mut pairs = wide.zip(&values).enumerate();
        if let Some((at, (wide, _))) = pairs.find(|(_, (w, v))| w.is_finite() && v.is_infinite()) {
            return Err(format!(
                "value {at} of tensor {name:?} is {wide:e}; allowed is what F32 can hold"
            ));
        }
    }
    check_finite(&name, &values)?;
    Ok(values)
}

/// The zeros and ones of a mask, which may be of nearly any type.
///
/// # Errors
/// When it is of another type, or has other values.
pub(super) fn mask(tensor: &Stored<'_>) -> Result<Vec<f32>, String> {
    let name = printable(&tensor.name);
    let data = tensor.view.data();
    let values = match tensor.view.dtype() {
        Dtype::BOOL | Dtype::U8 | Dtype::I8 => data.iter().map(|&v| f32::from(v)).collect(),
        Dtype::I64 => (data.as_chunks().0.iter())
            .map(|v| i64::from_le_bytes(*v) as f32)
            .collect(),
        _ => values(tensor)?,
    };
    match values.iter().position(|v| *v != 0.0 && *v != 1.0) {
        None => Ok(values),
        Some(at) => Err(format!(
            "value {at} of the mask {name:?} is {}; allowed are 0 and 1",
            values[at]
        )),
    }
}

fn floats(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = tensor.data();
    let halves = data.as_chunks().0.iter().map(|v| u16::from_le_bytes(*v));
    Some(match tensor.dtype() {
        Dtype::F32 => (data.as_chunks().0.iter())
            .map(|v| f32::from_le_bytes(*v))
            .collect(),
        Dtype::F64 => (data.as_chunks().0.iter())
            .map(|v| f64::from_le_bytes(*v) as f32)
            .collect(),
        // The upper half of an f32.
        Dtype::BF16 => halves
            .map(|half| f32::from_bits(u32::from(half) << 16))
            .collect(),
        Dtype::F16 => halves.map(from_half).collect(),
        _ => return None,
    })
}

/// IEEE 754's binary16, exactly.
fn from_half(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from(half >> 10) & 0x1f;
    let fraction = u32::from(half & 0x3ff);
    let magnitude = match exponent {
        // Multiples of 2^-24.
        0 => return f32::from_bits((fraction as f32 / 16_777_216.0).to_bits() | sign),
        0x1f => 0xff << 23 | fraction << 13,
        _ => (exponent + 127 - 15) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// Whether a shape has the same elements in the same order: of vectors, where all other
/// dimensions are one.
pub(super) fn is_shape(found: &[usize], allowed: &[usize]) -> bool {
    found == allowed
        || (allowed.len() == 1
            && found.iter().filter(|&&n| n != 1).count() <= 1
            && found.iter().product::<usize>() == allowed[0])
}

/// What a wrong shape looks like: the right one in the order of another program.
pub(super) fn looks_like(found: &[usize], allowed: &[&[usize]]) -> Option<&'static str> {
    let is = |order: &[usize]| {
        let mut whole = allowed.iter().filter(|shape| shape.len() == order.len());
        whole.any(|shape| {
            let turned: Vec<usize> = order.iter().map(|&d| shape[d]).collect();
            found == &turned[..]
        })
    };
    const TRANSPOSED: [(&[usize], &str); 4] = [
        (
            &[1, 0],
            "it looks transposed: Keras and TensorFlow have [inputs, outputs], allowed is PyTorch's [outputs, inputs]",
        ),
        (
            &[2, 3, 1, 0],
            "it looks transposed: Keras and TensorFlow have [rows, columns, inputs, outputs], allowed is PyTorch's [outputs, inputs, rows, columns]",
        ),
        (
            &[0, 2, 3, 1],
            "it looks transposed to [outputs, rows, columns, inputs]; allowed is PyTorch's [outputs, inputs, rows, columns]",
        ),
        (
            &[1, 0, 2, 3],
            "it looks transposed to [inputs, outputs, rows, columns]; allowed is PyTorch's [outputs, inputs, rows, columns]",
        ),
    ];
    let order = TRANSPOSED.iter().find(|(order, _)| is(order));
    order.map(|(_, sentence)| *sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_the_number_that_its_bits_say() {
        for half in 0..=u16::MAX {
            let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
            let (exponent, fraction) =
                (i32::from(half >> 10) & 31, f64::from(half & 1023) / 1024.0);
            let found = f64::from(from_half(half));
            match exponent {
                31 if fraction == 0.0 => assert_eq!(found, sign * f64::INFINITY),
                31 => assert!(found.is_nan()),
                0 => assert_eq!(found, sign * fraction * 2.0_f64.powi(-14)),
                _ => assert_eq!(found, sign * (1.0 + fraction) * 2.0_f64.powi(exponent - 15)),
            }
        }
    }
}
