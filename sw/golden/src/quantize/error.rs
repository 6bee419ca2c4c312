//! What a quantizer refuses.

use thiserror::Error;

/// Why weights or settings cannot be quantized.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum QuantizeError {
    /// A width that no quantizer has.
    #[error("bits is {0}; allowed are 2 to 8")]
    Bits(u32),
    /// A range, step or share outside what is allowed.
    #[error("{field} is {value}; allowed is {allowed}")]
    Setting {
        /// Name of the setting.
        field: &'static str,
        /// Its value.
        value: f32,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Bounds of a grid that its width does not have, or that leave out zero.
    #[error("its integers are {low} to {high}; allowed are 0 and more, within {least} to {most}")]
    Bounds {
        /// Smallest integer.
        low: i8,
        /// Largest integer.
        high: i8,
        /// The width's smallest.
        least: i8,
        /// The width's largest.
        most: i8,
    },
    /// There is no range of nothing.
    #[error("a tensor without values has no range to quantize")]
    Empty,
    /// A value that has no place on any grid.
    #[error("value {index} of the tensor is {value}; only finite values can be quantized")]
    NotFinite {
        /// Index in the flattened tensor.
        index: usize,
        /// The value: an infinity or not a number.
        value: f32,
    },
}

/// Passes tensors that have a range: at least one value, all finite.
pub(super) fn check_values(values: &[f32]) -> Result<(), QuantizeError> {
    if values.is_empty() {
        return Err(QuantizeError::Empty);
    }
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(QuantizeError::NotFinite {
            index,
            value: values[index],
        }),
    }
}

/// Passes ranges and steps that can be divided by.
pub(super) fn check_positive(field: &'static str, value: f32) -> Result<(), QuantizeError> {
    if value.is_finite() && value >= LEAST {
        return Ok(());
    }
    Err(QuantizeError::Setting {
        field,
        value,
        allowed: "1e-30 or more, and finite",
    })
}

/// The least range or step: far below those of any network whose parts are scaled against each
/// other, far above the numbers whose division overflows.
pub(super) const LEAST: f32 = 1e-30;
