//! Attributes of nodes.

use super::Reading;
use crate::error::quoted;
use crate::graph::Attribute;
use crate::schema::AttributeProto;

/// The attribute, moved out of its message.
///
/// # Errors
/// One that stands for an attribute of a function, or a tensor that cannot be read.
pub(super) fn attribute(
    reading: &mut Reading<'_>,
    message: AttributeProto,
    node: &str,
) -> Result<(String, Attribute), String> {
    let name = message.name;
    if !message.ref_attr_name.is_empty() {
        return Err(format!(
            "attribute {} of {node} refers to an attribute of a function; allowed are values",
            quoted(&name)
        ));
    }
    // `AttributeProto.AttributeType`.
    let value = match message.r#type {
        1 => Attribute::Float(message.f),
        2 => Attribute::Int(message.i),
        3 => Attribute::Text(String::from_utf8_lossy(&message.s).into_owned()),
        4 => {
            let whose = format!("attribute {} of {node}", quoted(&name));
            let tensor = message.t.ok_or_else(|| format!("{whose} has no tensor"))?;
            Attribute::Tensor(reading.tensor(tensor, &whose)?)
        }
        5 | 10 => {
            return Err(format!(
                "{node} has a graph in its attribute {}; graphs inside nodes (If, Loop, Scan) \
                 are not read, allowed are networks without branches that depend on values",
                quoted(&name)
            ));
        }
        6 => Attribute::Floats(message.floats),
        7 => Attribute::Ints(message.ints),
        8 => Attribute::Other("a list of texts"),
        9 => Attribute::Other("a list of tensors"),
        11 | 12 => Attribute::Other("a sparse tensor"),
        13 | 14 => Attribute::Other("a type"),
        other => {
            return Err(format!(
                "attribute {} of {node} has type {other}; allowed are 1 to 14",
                quoted(&name)
            ));
        }
    };
    Ok((name, value))
}
