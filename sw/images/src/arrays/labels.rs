//! Labels: class numbers, or what a network should answer.

use super::header::shown;
use super::values::Array;
use crate::MOST_CLASSES;
use ndarray::{Array2, Ix2};

/// Labels of images.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// A class number for each image.
    Classes(Vec<u16>),
    /// What a network should answer, `[image][output]`.
    Targets(Array2<f32>),
}

impl Labels {
    /// Number of images.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Targets(targets) => targets.nrows(),
        }
    }
}

/// The labels that an array is: whole numbers in one axis, or in two with one column, are
/// classes; floating-point numbers in two axes are targets.
///
/// # Errors
/// What was found and what is allowed.
pub fn of(array: Array) -> Result<Labels, String> {
    const ALLOWED: &str = "allowed are whole numbers of shape N or N x 1 (classes), and floats of shape N x outputs (targets)";
    let shape = array.shape().to_owned();
    let refuse = |kind: &str| {
        let shape = shown(&shape);
        Err(format!("its labels are {kind} of shape {shape}; {ALLOWED}"))
    };
    let is_column = matches!(shape[..], [_] | [_, 1]);
    let classes = |values: &mut dyn Iterator<Item = i64>| {
        let class = |(number, value): (usize, i64)| {
            u16::try_from(value).map_err(|_| {
                format!(
                    "the label of image {number} is {value}; allowed is 0 to {}",
                    MOST_CLASSES - 1
                )
            })
        };
        let labels: Result<Vec<u16>, String> = values.enumerate().map(class).collect();
        labels.map(Labels::Classes)
    };
    match array {
        Array::U8(values) if is_column => classes(&mut values.iter().map(|&v| i64::from(v))),
        Array::I8(values) if is_column => classes(&mut values.iter().map(|&v| i64::from(v))),
        Array::Integers(values, _) if is_column => classes(&mut values.iter().copied()),
        Array::F32(values) if shape.len() == 2 && shape[1] <= MOST_CLASSES => {
            let targets = values.into_dimensionality::<Ix2>();
            targets.map(Labels::Targets).map_err(|e| e.to_string())
        }
        Array::U8(_) => refuse("uint8"),
        Array::I8(_) => refuse("int8"),
        Array::Integers(_, name) => refuse(&name),
        Array::F32(_) => refuse("floats"),
    }
}
