//! What the elements of a tensor are.

use std::fmt;

/// A type of elements, one of those that ONNX stores as numbers of fixed width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    Bf16,
    /// 0 or 1 in a byte.
    Bool,
    /// Two to a byte, low nibble first.
    U4,
    /// Two to a byte, low nibble first.
    I4,
    /// Four to a byte, low bits first.
    U2,
    /// Four to a byte, low bits first.
    I2,
    /// One byte.
    U8,
    /// One byte.
    I8,
    /// Two bytes.
    U16,
    /// Two bytes.
    I16,
    /// Four bytes.
    U32,
    /// Four bytes.
    I32,
    /// Eight bytes.
    U64,
    /// Eight bytes.
    I64,
}

/// Every type with its code (`TensorProto.DataType`), its name there and its bits.
const ELEMENTS: [(Element, i32, &str, u32); 17] = [
    (Element::F32, 1, "FLOAT", 32),
    (Element::U8, 2, "UINT8", 8),
    (Element::I8, 3, "INT8", 8),
    (Element::U16, 4, "UINT16", 16),
    (Element::I16, 5, "INT16", 16),
    (Element::I32, 6, "INT32", 32),
    (Element::I64, 7, "INT64", 64),
    (Element::Bool, 9, "BOOL", 8),
    (Element::F16, 10, "FLOAT16", 16),
    (Element::F64, 11, "DOUBLE", 64),
    (Element::U32, 12, "UINT32", 32),
    (Element::U64, 13, "UINT64", 64),
    (Element::Bf16, 16, "BFLOAT16", 16),
    (Element::U4, 21, "UINT4", 4),
    (Element::I4, 22, "INT4", 4),
    (Element::U2, 25, "UINT2", 2),
    (Element::I2, 26, "INT2", 2),
];

impl Element {
    /// The type of that code.
    ///
    /// # Errors
    /// The name of a type that is not read.
    pub fn from_code(code: i64) -> Result<Self, String> {
        let known = ELEMENTS.iter().find(|row| i64::from(row.1) == code);
        known.map(|row| row.0).ok_or_else(|| match code {
            0 => "UNDEFINED".to_owned(),
            8 => "STRING".to_owned(),
            14 => "COMPLEX64".to_owned(),
            15 => "COMPLEX128".to_owned(),
            17..=20 | 24 => format!("an 8-bit float (code {code})"),
            23 => "FLOAT4E2M1".to_owned(),
            _ => format!("of the unknown code {code}"),
        })
    }

    fn row(self) -> &'static (Element, i32, &'static str, u32) {
        let row = ELEMENTS.iter().find(|row| row.0 == self);
        row.unwrap_or(&ELEMENTS[0])
    }

    /// ONNX's code of it.
    pub fn code(self) -> i32 {
        self.row().1
    }

    /// Width of an element in a packed tensor.
    pub fn bits(self) -> u32 {
        self.row().3
    }

    /// Bytes of `count` elements, packed.
    pub fn bytes(self, count: usize) -> Option<usize> {
        let bits = count.checked_mul(self.bits() as usize)?;
        Some(bits.div_ceil(8))
    }

    /// Whether it is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64 | Self::F16 | Self::Bf16)
    }

    /// The smallest and largest integer of it; those of 64 bits for floating point.
    pub fn range(self) -> (i64, i64) {
        let bits = self.bits();
        match self {
            Self::Bool => (0, 1),
            Self::U2 | Self::U4 | Self::U8 | Self::U16 | Self::U32 => (0, (1 << bits) - 1),
            Self::U64 => (0, i64::MAX),
            Self::I2 | Self::I4 | Self::I8 | Self::I16 | Self::I32 => {
                (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
            }
            _ => (i64::MIN, i64::MAX),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().2)
    }
}
