//! Tensors in all the forms in which a file may store their elements.

use super::Reading;
use super::external;
use crate::error::quoted;
use crate::schema::TensorProto;
use crate::tensor::{Element, Tensor, count};
use bytes::Bytes;

/// Most axes that a tensor may have.
const MOST_AXES: usize = 8;

impl Reading<'_> {
    /// The tensor, its bytes moved out of the message; `whose` names it in sentences.
    ///
    /// # Errors
    /// A type that is not read, or dims that do not match the data.
    pub(super) fn tensor(&mut self, message: TensorProto, whose: &str) -> Result<Tensor, String> {
        let element = Element::from_code(i64::from(message.data_type)).map_err(|found| {
            format!(
                "the elements of {whose} are {found}; allowed are floats of 16 to 64 bits, \
                 integers of 2 to 64 bits and BOOL"
            )
        })?;
        let shape = shape(&message.dims, whose)?;
        let wanted = count(&shape).and_then(|n| Some((n, element.bytes(n)?)));
        let (elements, bytes) = wanted.ok_or_else(|| {
            format!(
                "the dims {:?} of {whose} multiply to more than fits",
                message.dims
            )
        })?;
        if message.segment.is_some() {
            return Err(format!(
                "{whose} is stored in segments; allowed are whole tensors"
            ));
        }
        // `TensorProto.DataLocation`: 1 is EXTERNAL.
        if message.data_location == 1 {
            let data = external::read(self, &message.external_data, bytes, whose)?;
            return fits(Tensor::from_bytes(shape, element, data), whose);
        }
        if !message.raw_data.is_empty() {
            let found = message.raw_data.len();
            if found != bytes {
                return Err(mismatch(
                    &message.dims,
                    element,
                    bytes,
                    found,
                    "bytes",
                    whose,
                ));
            }
            return fits(Tensor::from_bytes(shape, element, message.raw_data), whose);
        }
        typed(message, shape, element, elements, whose)
    }
}

fn shape(dims: &[i64], whose: &str) -> Result<Vec<usize>, String> {
    if dims.len() > MOST_AXES {
        return Err(format!(
            "{whose} has {} dims; allowed are at most {MOST_AXES}",
            dims.len()
        ));
    }
    let extent = |&d: &i64| usize::try_from(d).map_err(|_| d);
    let shape: Result<Vec<_>, _> = dims.iter().map(extent).collect();
    shape.map_err(|d| format!("{whose} has a dim of {d}; allowed are those from 0 on"))
}

fn mismatch(
    dims: &[i64],
    element: Element,
    wanted: usize,
    found: usize,
    unit: &str,
    whose: &str,
) -> String {
    format!(
        "the dims {dims:?} of {whose} ({element}) ask for {wanted} {unit}, but its data has {found}"
    )
}

fn fits(tensor: Option<Tensor>, whose: &str) -> Result<Tensor, String> {
    tensor.ok_or_else(|| format!("the data of {whose} do not fill its dims"))
}

/// Elements in the lists of numbers, each of which serves several types.
fn typed(
    message: TensorProto,
    shape: Vec<usize>,
    element: Element,
    elements: usize,
    whose: &str,
) -> Result<Tensor, String> {
    let bits = element.bits();
    // What is narrower than a byte lies packed in the entries, a byte in each.
    let entries = match bits < 8 {
        true => element.bytes(elements).unwrap_or(0),
        false => elements,
    };
    let found = match element {
        Element::F32 => message.float_data.len(),
        Element::F64 => message.double_data.len(),
        Element::I64 => message.int64_data.len(),
        Element::U32 | Element::U64 => message.uint64_data.len(),
        _ => message.int32_data.len(),
    };
    if found != entries {
        let dims = &message.dims;
        return Err(mismatch(dims, element, entries, found, "entries", whose));
    }
    let tensor = match element {
        Element::F32 => Tensor::from_floats(shape, message.float_data),
        Element::I64 => Tensor::from_integers(shape, element, message.int64_data),
        Element::F64 => {
            let bytes = message.double_data.iter().flat_map(|v| v.to_le_bytes());
            Tensor::from_bytes(shape, element, Bytes::from_iter(bytes))
        }
        Element::U32 | Element::U64 => {
            let width = bits as usize / 8;
            let data = message.uint64_data.iter();
            let bytes: Vec<u8> = data
                .flat_map(|v| v.to_le_bytes().into_iter().take(width))
                .collect();
            Tensor::from_bytes(shape, element, bytes.into())
        }
        _ => {
            let width = (bits as usize / 8).max(1);
            let data = message.int32_data.iter();
            let bytes: Vec<u8> = data
                .flat_map(|v| v.to_le_bytes().into_iter().take(width))
                .collect();
            Tensor::from_bytes(shape, element, bytes.into())
        }
    };
    fits(tensor, whose)
}

/// How a sentence names an initializer.
pub(super) fn initializer(name: &str) -> String {
    format!("initializer {}", quoted(name))
}
